/* SPDX-License-Identifier: MIT */
/* start.h: starting what a module names: a kind of process, with its start acknowledged (semantics PL, GS-1 to GS-5). */
#ifndef NODE_OTP_START_H
#define NODE_OTP_START_H
#include <dream/limits.h>
#include "code/code.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_start {
	const char *module; /* its current version */
	const char *kind;
	const dream_msg_t *args; /* lent; NULL for null */
	const char *name;        /* registered before init; NULL for none */
	int64_t timeout_ms;      /* for init; 0 for none */
	bool link;
	uint64_t monitor_ref;         /* plain processes only; 0 for none */
	void *app;                    /* membership; NULL: the parent's */
	int32_t priority;             /* DREAM_PRIORITY_* */
	const dream_limits_t *limits; /* lent; NULL: the node's defaults */
	node_sig_t *report;           /* plain processes only; as in node_spawn_t */
} node_start_t;

/** Starts a process of @how->kind and, unless it is a plain process, waits for its init. After a failure it is dead and its name
 *  free. The reason is in node_proc_reason_borrow().
 *  @parent   the caller
 *  Returns   DREAM_OK or DREAM_IGNORE
 *  Errors    DREAM_ENOENT module or kind, DREAM_EALREADY name taken, DREAM_EINIT, DREAM_ETIMEDOUT, DREAM_EINVAL, DREAM_ELIMIT, DREAM_ENOMEM
 *  Thread    [process] */
int node_start_kind(node_proc_t *parent, const node_start_t *how, dream_pid_t *ret_pid);

/** Spawns @spawn (its members `parent` and `start` are set here) and waits until it acknowledges its start, as behaviours of the
 *  node's own do. On DREAM_OK and whenever it was spawned, @spawn->self is taken and set to NULL. Errors as above. [process] */
int node_start_spawn(node_proc_t *parent, node_spawn_t *spawn, int64_t timeout_ms, dream_pid_t *ret_pid);

/** Asks for a plain process; the answer comes as a message, before anything of the child's (SPN-2).
 *  @how      its `report` is set here; its monitor_ref, if any, is the request's reference
 *  @unwanted NODE_SPAWN_NO_*: answers not to send
 *  @tag      lent: what the answer begins with; NULL for "spawn_reply"
 *  Errors    DREAM_EINVAL a bad name, or no plain process; DREAM_ENOMEM. All other failures come as the answer. [process] */
int node_start_request(
	node_proc_t *parent, node_start_t *how, uint32_t unwanted, const dream_msg_t *tag, uint64_t *ret_ref);

/** Gives up the stack of the calling plain process and what it needs no more; @resume(@arg) runs when a message is there, as
 *  its main function did (RCV-3). Returns only on an error.
 *  Errors    DREAM_EPERM the caller is no plain process. [process] */
int node_start_hibernate(node_proc_t *proc, int (*resume)(void *arg), void *arg);

/** The args that were lent to the main function of a plain process; NULL for others. [process] */
const dream_msg_t *node_start_args_borrow(const node_proc_t *proc);

DREAM_END_DECLS
#endif
