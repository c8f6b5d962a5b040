/* SPDX-License-Identifier: MIT */
/* child.h: one child of a supervisor: its specification, and starting and stopping it; for this room. */
#ifndef NODE_OTP_CHILD_H
#define NODE_OTP_CHILD_H
#include <glib.h>
#include <dream/limits.h>
#include "code/code.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

#define NODE_CHILD_STOPPED 0 /* never started, ignored, or terminated */
#define NODE_CHILD_RUNNING 1
#define NODE_CHILD_RESTARTING 2 /* a restart failed and will be tried again (SUP-6) */

typedef struct node_child {
	char *id;
	char *module;
	char *kind;
	char *name; /* or NULL */
	dream_msg_t *args;
	dream_limits_t limits;
	uint32_t restart;
	int64_t shutdown_ms; /* DREAM_SHUTDOWN_BRUTAL, DREAM_SHUTDOWN_INFINITY or milliseconds */
	bool is_supervisor;
	bool is_foreign;       /* of another module than the supervisor's */
	bool default_shutdown; /* by its kind: SUP-8 */
	int state;
	dream_pid_t pid;
	uint64_t number; /* names it in retries: ids may be dropped and used again */
	uint32_t restarts;
} node_child_t;

/** The children of a supervisor kind, checked and copied; elements are node_child_t, freed with the array.
 *  Errors DREAM_EMODULE naming the child, DREAM_ENOMEM. [any] */
int node_child_list_new(const node_kind_t *kind, GPtrArray **ret_children, node_diag_t *diag);

/** Starts it, linked. Returns DREAM_OK, DREAM_IGNORE or an error, with the reason in node_proc_reason_borrow(). [process] */
int node_child_start(node_proc_t *proc, node_child_t *child);

/** Ends it by its shutdown policy and waits until it is dead (SUP-8). [process] */
void node_child_stop(node_proc_t *proc, node_child_t *child);

/** Whether the reason that it ended with asks for a restart (SUP-4). */
bool node_child_wants_restart(const node_child_t *child, const dream_msg_t *reason);

DREAM_END_DECLS
#endif
