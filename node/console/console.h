/* SPDX-License-Identifier: MIT */
/* console.h: the node's end of the remote shell: runs command lines, each in a process of its own,
 * bounded in time and size (docs/console.md). */
#ifndef NODE_CONSOLE_CONSOLE_H
#define NODE_CONSOLE_CONSOLE_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

typedef struct node_console node_console_t;

#define NODE_CONSOLE_COMMANDS_MAX 64u              /* at once, of all operators */
#define NODE_CONSOLE_LINE_MAX 65536u               /* bytes of one line */
#define NODE_CONSOLE_ROWS_MAX 10000u               /* of one result */
#define NODE_CONSOLE_BYTES_MAX (UINT64_C(4) << 20) /* of all results of one command */
#define NODE_CONSOLE_TIMEOUT_MS 10000
#define NODE_CONSOLE_TIMEOUT_LONG_MS 120000 /* of commands that wait for applications */

#define NODE_CONSOLE_ECANCELLED (-ECANCELED) /* the operator, or the end of the node, ended the command */

#define NODE_CONSOLE_CONNECTED "$connected"

/* Where the answers go; @session and @id are those of the command. */
typedef struct node_console_out {
	/** One result. @item taken. DREAM_EBUSY: try again a little later; other errors: nobody listens
	 *  any more, the command ends. [any] */
	int (*item_take)(node_t *node, uint64_t session, uint64_t id, dream_msg_t *item);
	/** The end: DREAM_OK, or a code and a text. Called exactly once for each command. [any] */
	int (*done)(node_t *node, uint64_t session, uint64_t id, int code, const char *text);
	/** The others on the network as rows of a table: an array of [name, state, role, address, round
	 *  trip us]; yours. NULL: none. [process] */
	dream_msg_t *(*nodes)(node_t *node);
	/** Asks for a connection to NAME@HOST:PORT. If it returns DREAM_OK, the outcome comes to @asker
	 *  as the message [NODE_CONSOLE_CONNECTED, code, text]. [process] */
	int (*connect)(node_t *node, dream_pid_t asker, const char *peer, node_diag_t *diag);
} node_console_out_t;

/** Opens the console and installs hooks.console_command and hooks.console_cancel.
 *  @out      lent for the console's life; members `nodes` and `connect` may be NULL: no other nodes
 *  Errors    DREAM_ENOMEM
 *  Thread    [boot]
 */
int node_console_open(node_t *node, const node_console_out_t *out);

/** Takes no more commands: later ones are answered with DREAM_EBUSY; those that run are cancelled. [any] */
void node_console_quiesce(node_t *node);

/** Frees the console; NULL is allowed. [boot], after all processes have ended */
void node_console_close(node_t *node);

/** Runs one line. The answer comes through node_console_out_t, from another thread, maybe before this
 *  returns.
 *  @operator_name  of the certificate; for the log
 *  Thread    [any]; never blocks
 */
void node_console_command(
	node_t *node, uint64_t session, uint64_t id, const char *operator_name, const char *line);

/** Ends a command that runs: it is done with NODE_CONSOLE_ECANCELLED. One that has ended already is no error.
 *  [any]; never blocks */
void node_console_cancel(node_t *node, uint64_t session, uint64_t id);

DREAM_END_DECLS
#endif
