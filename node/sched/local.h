/* SPDX-License-Identifier: MIT */
/* local.h: one scheduler, for the files of this room. */
#ifndef NODE_SCHED_LOCAL_H
#define NODE_SCHED_LOCAL_H
#include <glib.h>
#include <pthread.h>
#include "sched/runq.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/wheel.h"

DREAM_BEGIN_DECLS

typedef struct node_sched_local {
	node_runq_t runq;
	node_proc_t *handoff; /* atomic: the process just messaged; runs next, its data still in the cache */
	node_proc_t *caller;  /* atomic: waits for the answer of the process that runs now (direct.c) */
	uint8_t pad[40];
	node_proc_t *direct; /* runs next, whatever else is ready (direct.c) */
	node_sched_t *all;
	node_ctx_t *ctx; /* of its thread, which it never leaves */
	uint32_t index;
	uint32_t handoffs;     /* in a row */
	uint32_t tick;         /* turns, for what is done every so often */
	node_stack_t *running; /* the one that runs now */
	node_stack_t *stack;   /* the one that the next process without a stack borrows */
	node_fiber_t fiber;
	int64_t woken_ns;
	uint32_t wake_word;      /* futex: changes when somebody wakes us */
	bool searching;          /* counted in n_searching */
	uint64_t left_lying;     /* bitmap: schedulers whose hand-off slot may be emptied by us */
	uint64_t seen_turns[64]; /* of each scheduler when we last looked around */
	pthread_t thread;
	node_wheel_t wheel;
	node_sched_stats_t stats; /* relaxed atomics */
} node_sched_local_t;

struct node_timers;

struct node_sched {
	node_t *node;
	node_stack_pool_t stacks;
	uint32_t n_locals;
	bool driven; /* no threads */
	bool started;
	uint32_t stopping;    /* atomic */
	uint64_t sleepers;    /* atomic bitmap of sleeping schedulers (at most 64) */
	uint32_t n_searching; /* atomic */
	uint32_t n_watching;  /* atomic: 1 + index of the sleeper that looks again by itself, or 0 */
	pthread_mutex_t lock; /* the queue below */
	node_proc_t *global;  /* woken by other threads, or overflown */
	node_proc_t *global_last;
	uint32_t n_global; /* atomic */
	struct node_timers *timers;
	node_sched_local_t *locals;
};

#define NODE_SCHED_MAX 64u
#define NODE_SCHED_HANDOFFS                                                                                  \
	64u /* in a row; then the run queue has a turn, so that a ping-pong starves nobody */

/* idle.c */

/** True if a scheduler besides @s does not sleep. [sched] */
bool node_idle_is_other_awake(const node_sched_local_t *s);
/** Wakes one sleeping scheduler unless one is searching already. [any] */
void node_idle_wake_one(node_sched_t *all);
/** Sleeps until woken, a timer of @s is due, or something may be worth a look; @s is searching and counted as such
 *  afterwards. [sched] */
void node_idle_sleep(node_sched_local_t *s);
/** Makes @s look at its timers anew, if it sleeps. [any] */
void node_idle_wake(node_sched_local_t *s);
/** Wakes all, for the end. [boot] */
void node_idle_wake_all(node_sched_t *all);

/* sched.c */

/** True if a queue holds anything; hand-off slots do not count. [sched] */
bool node_sched_has_work(node_sched_t *all);

/** Looks for hand-off slots whose scheduler is stuck in one turn since the last look; notes them in s->left_lying. [sched] */
bool node_sched_look_around(node_sched_local_t *s);

/** Adds to the scheduler's run queue, and wakes another if that helps. [sched] */
void node_sched_push(node_sched_local_t *s, node_proc_t *proc);
/** The process waits with its stack, until a signal or stack->deadline_ns. [sched] */
void node_sched_park(node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack);
/** The calling process gives its stack back with that outcome; returns when it goes on. [process] */
void node_sched_go_back(node_stack_t *stack, int outcome, int64_t deadline_ns);

/* direct.c */

/** The process that has to run next, if there is one and it does not starve others. [sched] */
node_proc_t *node_direct_next(node_sched_local_t *s);
/** Notes that @proc waits for the process that is to run next. [sched] */
void node_direct_wait(node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack);
/** Who waits at @from, if anybody, was not answered in that turn: parks it at @s. [sched] */
void node_direct_settle(node_sched_local_t *s, node_sched_local_t *from);

/* timer.c */
int node_timers_open(node_sched_t *all);
void node_timers_close(node_sched_t *all);
/** Cancels the timers whose destination @proc is; it is hidden already. [sched] */
void node_timers_drop(node_proc_t *proc);

DREAM_END_DECLS
#endif
