/* SPDX-License-Identifier: MIT */
/* command.h: one command line that is being run, and the table of what can be said. */
#ifndef NODE_CONSOLE_COMMAND_H
#define NODE_CONSOLE_COMMAND_H
#include <glib.h>
#include "console/console.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

struct node_command;

/* A running line. All it owns hangs here, because a cancelled process leaves its stack without unwinding. */
typedef struct node_cmd {
	node_t *node;
	const node_console_out_t *out;
	uint64_t session;
	uint64_t id;
	char *operator_name;
	char *line;  /* as it came */
	char *words; /* a copy that is cut into words */
	char *rest;  /* in `words`: what has not been taken yet, without blanks around it */
	const struct node_command *what; /* NULL: unknown */
	node_proc_t *proc;
	int64_t deadline_ns;
	uint64_t timer_ref; /* of the kill at the deadline; 0: none */
	uint64_t n_bytes;   /* sent so far */
	bool done;          /* the end has been reported */
	GPtrArray *kept;    /* kept_t *: what node_cmd_keep() was given */
	node_diag_t diag;
} node_cmd_t;

typedef struct node_command {
	const char *name;
	const char *args; /* "NAME|PID TERM"; "" for none */
	const char *help; /* one line */
	const char *example;
	bool changes;       /* logged with the operator's name */
	int64_t timeout_ms; /* 0: NODE_CONSOLE_TIMEOUT_MS */
	/** Runs it: sends results, returns DREAM_OK or a code with cmd->diag set. [process] */
	int (*run)(node_cmd_t *cmd);
} node_command_t;

/* The groups, each ended by a row without a name. */
extern const node_command_t node_apps_commands[];
extern const node_command_t node_inspect_commands[];
extern const node_command_t node_schedulers_commands[];
extern const node_command_t node_tree_commands[];
extern const node_command_t node_talk_commands[];
extern const node_command_t node_about_commands[];

/** The command called @name, or NULL. [any] */
const node_command_t *node_command_find(const char *name);
/** The command at @index over all groups, NULL after the last. [any] */
const node_command_t *node_command_at(size_t index);
/** Sets a text that names the command most like @name. Returns DREAM_ESYNTAX. [any] */
int node_command_unknown(const char *name, node_diag_t *diag);

/* ---- for commands; [process] of the command ---- */

/** Cuts the next word off the rest; NULL at the end. Dies with the command. */
char *node_cmd_word(node_cmd_t *cmd);
/** The next word, or the failure "WHAT is missing: USAGE" with DREAM_ESYNTAX. */
int node_cmd_need_word(node_cmd_t *cmd, const char *what, char **ret_word);
/** The whole rest, or the same failure. */
int node_cmd_need_rest(node_cmd_t *cmd, const char *what, char **ret_rest);
/** DREAM_ESYNTAX if something is left over. */
int node_cmd_need_end(node_cmd_t *cmd);
/** The rest as a term. @ret_msg yours. Errors DREAM_ESYNTAX with the column in the term. */
int node_cmd_need_term(node_cmd_t *cmd, dream_msg_t **ret_msg);

/** A name, NAME@NODE or PID from a word; texts of *ret_to die with the command.
 *  Errors DREAM_ENOPROC nobody here has that name or pid; DREAM_ESYNTAX a bad pid. */
int node_cmd_dest(node_cmd_t *cmd, char *word, dream_dest_t *ret_to);
/** A live process of this node from a name or pid. Errors as above; DREAM_EINVAL a name at another node. */
int node_cmd_proc(node_cmd_t *cmd, char *word, node_proc_t **ret_proc, dream_pid_t *ret_pid);

/** Frees @data by @free when the command ends, however it ends. Returns @data. Call before anything
 *  that blocks. */
void *node_cmd_keep(node_cmd_t *cmd, void *data, void (*free)(void *data));
/** The same for a message. */
dream_msg_t *node_cmd_keep_msg(node_cmd_t *cmd, dream_msg_t *msg);

/** For long loops: lets others run, and says if the command should end. Errors DREAM_ETIMEDOUT. */
int node_cmd_breathe(node_cmd_t *cmd);
/** Milliseconds left, less some for reporting that they are over; at least 1. */
int64_t node_cmd_left_ms(const node_cmd_t *cmd);

/** Sets cmd->diag as node_diag_set() does. Returns @code. */
DREAM_PRINTF(3, 4) int node_cmd_fail(node_cmd_t *cmd, int code, const char *format, ...);
/** The text of what failed last in the process (dream_reason_borrow), cut; or the text of @code. Into
 *  @buffer of
 *  NODE_DIAG_MAX bytes; returns it. */
char *node_cmd_reason(const node_cmd_t *cmd, int code, char *buffer);

DREAM_END_DECLS
#endif
