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

DREAM_END_DECLS
#endif
