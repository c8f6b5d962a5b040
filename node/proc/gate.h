/* SPDX-License-Identifier: MIT */
/* gate.h: limits of a mailbox: who is let in, and who waits outside. */
#ifndef NODE_PROC_GATE_H
#define NODE_PROC_GATE_H
#include <pthread.h>
#include <dream/limits.h>
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/* Made for the first process with such a limit in a slot, and part of the slot from then on, since a sender may look at
 * it when that process is gone. */
typedef struct node_gate {
	/* relaxed atomics, written before the process is published */
	uint64_t max_msgs;  /* 0: no limit */
	uint64_t max_bytes; /* 0: no limit */
	uint32_t when_full; /* DREAM_FULL_* */
	uint32_t suspend_ms;
	/* atomic: let in and not yet taken out. A signal let in to a former process of the slot may be taken out in vain: off by
	 * one, for the better */
	int64_t n_msgs;
	int64_t n_bytes;
	uint64_t n_refused; /* relaxed atomic: not let in, whatever the policy */
	bool killed;        /* atomic */
	uint32_t n_waiting; /* atomic: of `waiting` */
	pthread_mutex_t lock;
	dream_pid_t *waiting; /* senders outside, first come first; under the lock */
	uint32_t cap_waiting;
} node_gate_t;

/** Gives a process that nobody knows yet the limits of its mailbox. Errors DREAM_ENOMEM. [any] */
int node_gate_set(node_proc_t *proc, const node_limits_t *limits);

/** Whether @sig is a message, cast or call to a process whose mailbox has limits. [any] */
static inline bool node_gate_guards(const node_proc_t *proc, const node_sig_t *sig)
{
	return (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_GATED) != 0 &&
	       sig->kind <= NODE_SIG_CALL;
}

/** Lets @sig in, and marks it as counted, or deals with it as the policy says; DREAM_FULL_SUSPEND is the caller's business.
 *  Returns   DREAM_OK: let in, deliver it
 *            DREAM_EBUSY: it is still the caller's, who may wait for room and try again, or count it as refused
 *            1: consumed; for the sender that is as if it had been delivered. [any] */
int node_gate_enter(node_proc_t *proc, node_sig_t *sig);

/** @sig, which was let in, is not in the mailbox any more: it was taken, or never came in. [any] */
void node_gate_leave(node_proc_t *proc, const node_sig_t *sig);

/** Waits until there is room for @sig, or @deadline_ns; anything else may end the wait too.
 *  Returns   DREAM_OK: try again; DREAM_EBUSY: the time is over, or there never will be room. [process] of @me */
int node_gate_wait(node_proc_t *me, node_proc_t *proc, const node_sig_t *sig, int64_t deadline_ns);

/** Until when a sender may wait outside at most. [any] */
int64_t node_gate_deadline(const node_proc_t *proc);

/** To be called for what joins or leaves the inbox. [process] */
static inline void node_gate_joined(node_proc_t *proc, const node_sig_t *sig)
{
	uint64_t size_bytes = sig->msg != NULL ? sig->msg->size_bytes : 0;
	__atomic_store_n(&proc->n_inbox, proc->n_inbox + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->inbox_bytes, proc->inbox_bytes + size_bytes, __ATOMIC_RELAXED);
}

static inline void node_gate_left(node_proc_t *proc, const node_sig_t *sig)
{
	uint64_t size_bytes = sig->msg != NULL ? sig->msg->size_bytes : 0;
	__atomic_store_n(&proc->n_inbox, proc->n_inbox - 1, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->inbox_bytes, proc->inbox_bytes - size_bytes, __ATOMIC_RELAXED);
	if (sig->flags & NODE_SIG_F_COUNTED)
		node_gate_leave(proc, sig);
}

/** Notes that one was not let in. [any] */
void node_gate_count_refused(node_proc_t *proc);

/** Messages that were not let in, whatever the policy did with them. [any] */
uint64_t node_gate_refused(const node_proc_t *proc);

/** The process has ended: who waits outside is to hear of it. [sched] */
void node_gate_close(node_proc_t *proc);

/** [boot] */
void node_gate_free(node_gate_t *gate);

DREAM_END_DECLS
#endif
