/* SPDX-License-Identifier: MIT */
/* call.h: what clients do: send, cast, call, and system requests (semantics ALS, GS-7 to GS-11, SYS). */
#ifndef NODE_OTP_CALL_H
#define NODE_OTP_CALL_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/* System requests, code of a NODE_SIG_SYS. Every behaviour answers them between two messages. */
#define NODE_SYS_GET_STATE 1 /* -> the state as a term */
#define NODE_SYS_SUSPEND 2   /* SYS-2 */
#define NODE_SYS_RESUME 3
#define NODE_SYS_TERMINATE 4      /* msg: reason */
#define NODE_SYS_CHILDREN 5       /* supervisors -> array of {id, pid, kind, type, restarts} */
#define NODE_SYS_UPGRADE_CHECK 6  /* data: node_gen_t * to try: code_change on a copy, result thrown away */
#define NODE_SYS_UPGRADE 7        /* go over to the module's current generation now */
#define NODE_SYS_UPGRADE_COMMIT 8 /* give up what is kept for going back */
#define NODE_SYS_UPGRADE_BACK 9   /* go back to the generation that was left */

/** Sends a message; see dream_send_take(). @msg taken. [any] */
int node_call_send_take(node_t *node, node_proc_t *from, const dream_dest_t *to, dream_msg_t *msg);
/** Sends a cast; see dream_cast_take(). @msg taken. [any] */
int node_call_cast_take(node_t *node, node_proc_t *from, const dream_dest_t *to, dream_msg_t *msg);

/** Calls and waits; see dream_call_raw(). @request taken. The reason of a failure is in node_proc_reason_borrow(). [process] */
int node_call_take(node_proc_t *proc, const dream_dest_t *to, dream_msg_t *request, int64_t timeout_ms,
	dream_msg_t **ret_reply);

/** A system request, the same way. @arg taken, may be NULL; @data lent until the answer. [process] */
int node_call_sys_take(node_proc_t *proc, dream_pid_t to, int32_t op, dream_msg_t *arg, void *data,
	int64_t timeout_ms, dream_msg_t **ret_reply);

/** Starts a system request whose answer comes as NODE_SIG_REPLY with *ret_ref. [process] */
int node_call_sys_request(node_proc_t *proc, dream_pid_t to, int32_t op, void *data, uint64_t *ret_ref);

/** Waits for the answer to a call that was sent with @slot->ref, by slot. Used by starts. [process] */
int node_call_await(node_proc_t *proc, node_call_slot_t *slot, int64_t deadline_ns);

/** A deadline @timeout_ms from now; NODE_FOREVER for DREAM_INFINITY. [any] */
int64_t node_call_deadline(const node_t *node, int64_t timeout_ms);

/** Waits for the DOWN of @monitor and takes it out of the inbox. *ret_reason yours. Errors DREAM_ETIMEDOUT. [process] */
int node_call_await_down(node_proc_t *proc, uint64_t monitor, int64_t deadline_ns, dream_msg_t **ret_reason);

/** Stops a behaviour and waits for its death: dream_stop(). @reason lent. [process] */
int node_call_stop(node_proc_t *proc, const dream_dest_t *to, const dream_msg_t *reason, int64_t timeout_ms);

/** Waits for a message that @match accepts: dream_receive(). @ret_msg yours, not held. [process] */
int node_call_receive(node_proc_t *proc, int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg,
	int64_t timeout_ms, dream_msg_t **ret_msg);

DREAM_END_DECLS
#endif
