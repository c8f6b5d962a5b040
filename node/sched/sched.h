/* SPDX-License-Identifier: MIT */
/* sched.h: scheduler threads: who runs next, on which stack, and when a thread sleeps. */
#ifndef NODE_SCHED_SCHED_H
#define NODE_SCHED_SCHED_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_sched node_sched_t;

typedef struct node_sched_options {
	uint32_t n_threads; /* 0: no threads: a test drives the one scheduler with node_sched_drive() */
	size_t stack_bytes; /* of a process's stack with its guard; 0: 128 KiB (1 MiB under sanitizers) */
	uint32_t
		max_stacks; /* processes that may be blocked at once, for each size of stack; 0: 16,777,216 */
	uint32_t keep_warm; /* of them with memory of their own before any is stowed (stow.c); 0: 1,024 */
	const char *
		crash_dir; /* where a report is written when a fault ends the node; lent; NULL: the working directory */
	int64_t slow_callback_ms; /* of processor time: a callback that takes longer is reported; 0: none is */
} node_sched_options_t;

/** Makes the schedulers of a node and installs its hooks wake, block, leave, drop_timers; nothing runs yet.
 *  Errors DREAM_ENOMEM, DREAM_EINVAL a size of stacks that cannot be. [boot] */
int node_sched_open(node_t *node, const node_sched_options_t *options);
/** Starts the threads. Errors DREAM_ENOMEM, DREAM_ELIMIT. [boot] */
int node_sched_start(node_t *node);
/** Stops the threads after their current turns.
 *  Returns   false: some turn did not end in 5 s. Its thread still runs: nothing may be closed any more. [boot] */
bool node_sched_stop(node_t *node);
/** Frees everything but processes that still exist: close the process table between stop and close. [boot] */
void node_sched_close(node_t *node);

/** Runs what is ready, on the calling thread, until nothing is, or @max_turns turns. Timers fire by the node's clock.
 *  Returns the number of turns. Only with n_threads 0. [boot] */
uint64_t node_sched_drive(node_t *node, uint64_t max_turns);
/** When the next timer is due; NODE_FOREVER. Only with n_threads 0. [boot] */
int64_t node_sched_next_timer_ns(node_t *node);

/* What chance decides on a machine with several cores; in a driven scheduler a test may decide it. */
typedef struct node_sched_director {
	/** Who of @n ready processes, longest ready first, has the next turn: 0 to n - 1. [sched] */
	uint32_t (*choose)(struct node_sched_director *director, node_proc_t *const *ready, uint32_t n);
	/** A process was woken in the middle of what its waker does. True: somebody who is ready has a turn before the
	 *  waker goes on; asked again after each such turn while the waker is a process that is ending.
	 *  [process], [sched] */
	bool (*split)(struct node_sched_director *director);
	void *data;
} node_sched_director_t;

/** Lets @director (lent until the schedulers are closed) decide. Only with n_threads 0. [boot] */
void node_sched_set_director(node_t *node, node_sched_director_t *director);

/** Lets others run; for long loops of the node's own processes. [process] */
void node_sched_yield(node_proc_t *proc);

/* A turn is over after so much asked of the node (sends, receives, calls), or, where each takes long, after this time. A callback
 * that asks for nothing is the watchdog's. */
#define NODE_SCHED_BUDGET 1000u
#define NODE_SCHED_TURN_NS ((int64_t) 200000)
/** What was granted is used: grants more, or lets others run, if any are ready. [process] */
void node_sched_spent(node_proc_t *proc);
/** True if the turn has taken milliseconds: what is not begun should wait for the next. [process] */
static inline bool node_sched_is_late(const node_ctx_t *ctx)
{
	return __atomic_load_n(ctx->hurry, __ATOMIC_RELAXED) != 0;
}
/** See node_sched_poll(). */
void node_sched_let_go(const node_ctx_t *ctx);
/** A module calls the node: in a turn that has taken milliseconds, gives up the scheduler if the watchdog asked for it. The turn goes
 *  on. First thing in a function of the host table: ctx->sched may be NULL afterwards. [process] */
static inline void node_sched_poll(const node_ctx_t *ctx)
{
	if (__builtin_expect(node_sched_is_late(ctx), 0))
		node_sched_let_go(ctx);
}
/** To be called for whatever a process could do for ever without waiting. [process] */
static inline void node_sched_charge(node_proc_t *proc, node_ctx_t *ctx)
{
	if (__builtin_expect(--ctx->budget == 0 || node_sched_is_late(ctx), 0))
		node_sched_spent(proc);
}

/** The priority of a process, DREAM_PRIORITY_*, for its next turns; returns the one before. [process] of @proc, or before it runs */
int32_t node_sched_set_priority(node_proc_t *proc, int32_t priority);

/** A call to a server that sleeps: it runs next on this scheduler, before anything else, and if it answers in that turn
 *  the caller goes on right after it, so that neither passes a queue. Returns when proc->slot is done, or anything else came
 *  for the caller, or the time is over.
 *  @call      consumed if true is returned
 *  @timeout_ms  negative: none
 *  @ret_deadline_ns  of the call, of node_clock_now(); meaningless if it was answered
 *  Returns    false: the server is busy or not here; nothing has happened. [process] */
bool node_direct_call(node_proc_t *caller, node_sig_t *call, int64_t timeout_ms, int64_t *ret_deadline_ns);
/** Answers such a call, if @call is one, its caller still waits and the calling process ends its turn at once.
 *  @reply  taken if true is returned; NULL is null
 *  Returns false: nothing has happened. [process] */
bool node_direct_answer(const node_sig_t *call, dream_msg_t *reply);

typedef struct node_sched_stats {
	uint64_t turns;
	uint64_t stolen;
	uint64_t migrations; /* turns of processes whose last turn was elsewhere */
	uint64_t sleeps;
	uint64_t taken_away; /* by the watchdog, from threads whose turn did not end */
	uint64_t busy_ns;    /* not asleep */
	int64_t age_ns;
	uint32_t ready;
	bool asleep;
} node_sched_stats_t;

uint32_t node_sched_count(const node_t *node);
/** Of scheduler @index. [any] */
void node_sched_stats(const node_t *node, uint32_t index, node_sched_stats_t *ret_stats);

/* ---- timers that deliver a signal ---- */

#define NODE_TIMER_MAX_MS ((int64_t) 1 << 47)

/** Delivers @sig (taken on every path) after @delay_ms; to sig->to, or to whom @name (lent, may be NULL) is registered then (TMR-1).
 *  @ret_ref  for cancelling; may be NULL
 *  Errors    DREAM_EINVAL delay outside 0 to NODE_TIMER_MAX_MS, DREAM_ENOMEM. [any] */
int node_timer_start_take(
	node_t *node, node_sig_t *sig, const char *name, int64_t delay_ms, uint64_t *ret_ref);
/** The same. @absolute: @time_ms is of the node's clock, and may have passed. @ref: in, one of node_timer_new_ref(), which is
 *  used up on every path, or 0; out, the timer's. [any] */
int node_timer_start_ref_take(
	node_t *node, node_sig_t *sig, const char *name, int64_t time_ms, bool absolute, uint64_t *ref);
/** A reference for a timer that is about to be started with that, for what has to be in its message; to be given up with
 *  node_timer_cancel() otherwise. @to: its destination; all 0 if that is a name. 0: out of memory. [any] */
uint64_t node_timer_new_ref(node_t *node, dream_pid_t to);
/** The milliseconds that are left, or DREAM_ENOENT. [any] */
int64_t node_timer_read(node_t *node, uint64_t ref);
/** Returns the milliseconds that were left, or DREAM_ENOENT (TMR-2). [any] */
int64_t node_timer_cancel(node_t *node, uint64_t ref);
/** Timers that wait. [any] */
uint32_t node_timer_count(node_t *node);

DREAM_END_DECLS
#endif
