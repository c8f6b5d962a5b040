/* SPDX-License-Identifier: MIT */
/* local.h: one scheduler and the threads that serve them, for the files of this room. */
#ifndef NODE_SCHED_LOCAL_H
#define NODE_SCHED_LOCAL_H
#include <glib.h>
#include <pthread.h>
#include "sched/runq.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/wheel.h"

DREAM_BEGIN_DECLS

#define NODE_SCHED_MAX 64u
#define NODE_SCHED_HANDOFFS                                                                                  \
	64u /* in a row; then the run queue has a turn, so that a ping-pong starves nobody */

typedef struct node_sched_thread node_sched_thread_t;
typedef struct node_interrupt node_interrupt_t;
typedef struct node_fault_room node_fault_room_t;
typedef struct node_fault_facts node_fault_facts_t;

struct node_timer;

/* A scheduler's slab of timers (timer.c); under the lock of its wheel. */
typedef struct node_timer_shard {
	struct node_timer *free;
	uint32_t fresh; /* slots up to fresh_end were never used */
	uint32_t fresh_end;
	uint32_t count; /* relaxed atomic: that wait */
} node_timer_shard_t;

/* Ready processes for which the queue had no room, oldest first, linked by their next (queue.c). */
typedef struct node_spill {
	uint32_t lock;  /* a spin lock: held for a few instructions, or while the queue is filled */
	uint32_t count; /* relaxed atomic, written under the lock */
	node_proc_t *first;
	node_proc_t *last;
} node_spill_t;

/* What a thread needs to run processes: it can change hands between two turns, or in the middle of one (watch.c). */
typedef struct NODE_MEM_ALIGNED node_sched_local {
	node_runq_t runqs[NODE_PROC_LEVELS]; /* by priority */
	node_proc_t *handoff; /* atomic: the process just messaged; runs next, its data still in the cache */
	node_proc_t *caller;  /* atomic: waits for the answer of the process that runs now (direct.c) */
	uint8_t pad[40];
	node_proc_t *direct; /* runs next, whatever else is ready (direct.c) */
	node_sched_t *all;
	uint32_t index;
	uint32_t handoffs;                     /* in a row */
	uint32_t tick;                         /* turns, for what is done every so often */
	uint8_t passed_over[NODE_PROC_LEVELS]; /* turns since a level that waits had one (queue.c) */
	node_stack_t *stack;                   /* the one that the next process without a stack borrows */
	node_sched_thread_t *thread;           /* atomic: who serves it */
	uint32_t taken_seen[NODE_SCHED_MAX];   /* of each other scheduler, at our look (steal.c) */
	uint32_t waiting_seen[NODE_SCHED_MAX]; /* the same; 0: we did not look */
	bool looked;                           /* since the last real sleep */
	bool yielded; /* the last turn was a whole one: what is looked at every so often may be due */
	uint32_t invited_tick;   /* the last turn in which we thought of inviting */
	int64_t invited_ns;      /* when we did */
	int64_t invite_every_ns; /* relaxed atomic */
	int64_t begun_ns;
	int64_t woken_ns;   /* relaxed atomic; 0: asleep */
	uint32_t wake_word; /* futex: changes when somebody wakes us */
	bool searching;     /* counted in n_searching */
	node_spill_t spill;
	node_keep_t keep;
	node_timer_shard_t timers;
	node_wheel_t wheel;
	node_sched_stats_t stats; /* relaxed atomics */
} node_sched_local_t;

/* What the watchdog took a thread for when it looked last. */
#define NODE_WATCH_HEIR 0u   /* it waits for a scheduler */
#define NODE_WATCH_SERVES 1u /* it has one */
#define NODE_WATCH_ALONE 2u  /* it was taken away: the thread ends with its turn */

struct NODE_MEM_ALIGNED node_sched_thread {
	node_sched_t *all;
	node_sched_local_t
		*local;        /* atomic: NULL once it was taken away; then the thread ends with its turn */
	node_ctx_t *ctx;       /* of the thread, which it never leaves */
	node_stack_t *running; /* atomic: the one that runs now, or ran last */
	uint64_t turn;         /* relaxed atomic: counts its turns */
	node_fiber_t fiber;
	node_fault_room_t *faults; /* NULL: faults end the node */
	node_interrupt_t *order;   /* NULL: it cannot be interrupted */
	pthread_t id;
	uint32_t hurry;     /* relaxed atomic: see node_ctx_t */
	uint32_t over;      /* atomic: it has ended, or is about to */
	uint32_t wake_word; /* futex of an heir that waits for a scheduler */
	struct {            /* of the watchdog: the turn that it saw last */
		uint64_t turn;
		uint32_t looks; /* that saw it */
		int64_t cpu_ns; /* what the thread had used when it was first seen */
		bool reported;
		uint8_t role; /* NODE_WATCH_* */
	} seen;
};

struct node_timers;

/* The watchdog's thread (watch.c). */
typedef struct node_watch {
	pthread_t id;
	bool started;
	int policy; /* of the schedulers' threads, as the operating system schedules them */
	struct sched_param param;
	uint32_t word;        /* futex: changes when it has to look or to stop */
	uint32_t dormant;     /* atomic: it sleeps until a scheduler wakes it */
	int64_t slow_ns;      /* of processor time: a turn that takes longer is reported; 0: none is */
	GPtrArray *heirs;     /* threads that wait for a scheduler, promised to nobody */
	uint32_t n_alone;     /* threads without a scheduler that have not ended */
	pthread_mutex_t lock; /* the next two */
	uint64_t kills[16];   /* processes that were to be killed while they ran */
	uint32_t n_kills;
} node_watch_t;

/* Of stow.c. Only `epoch`, `armed` and `next_local` are touched by others than who runs the timer, one at a time. */
typedef struct node_stow {
	uint32_t
		epoch; /* atomic: number of the pass, times two; plus one: passes have ceased, though too much is warm */
	bool armed;          /* atomic: the timer waits or fires */
	uint32_t next_local; /* atomic: whose wheel it goes to, if all schedulers are busy */
	bool in_pass;
	uint32_t n_done;                   /* in this pass */
	uint32_t n_young;                  /* that it left, having been blocked too lately */
	uint32_t left[NODE_STACK_CLASSES]; /* regions that it has not looked at */
	uint32_t keep;                     /* stacks of a size with memory: below this nothing is stowed */
	uint32_t most;                     /* beyond this, what grows waits for stowing */
	node_wheel_entry_t timer;
} node_stow_t;

struct node_sched {
	node_t *node;
	node_stack_pool_t stacks[NODE_STACK_CLASSES];
	node_stow_t stow;
	uint32_t n_locals;
	bool driven;                     /* no threads */
	node_sched_thread_t *driver;     /* of a driven one: the thread that drives it */
	node_sched_director_t *director; /* of a driven one; NULL: in order */
	GPtrArray *ready;                /* whom the director may choose; NULL without one */
	uint32_t depth;                  /* turns that run in the middle of deaths */
	bool started;
	uint32_t stopping;    /* atomic */
	uint32_t has_levels;  /* atomic: some process has had another priority than normal */
	uint64_t sleepers;    /* atomic bitmap of sleeping schedulers (at most 64) */
	uint32_t n_searching; /* atomic */
	pthread_mutex_t lock; /* the queue below, and `ended` */
	node_proc_t *global;  /* woken by other threads, or overflown */
	node_proc_t *global_last;
	uint32_t n_global;  /* atomic */
	node_proc_t *ended; /* atomic: whose timers are still to be dropped; under the lock */
	struct node_timers *timers;
	node_fault_facts_t *faults;
	node_sched_local_t *locals;
	uint32_t left_behind; /* threads that did not end when the node did */
	GPtrArray *threads;   /* of the watchdog while it runs: all that have not ended */
	node_watch_t watch;
};

/* ---- idle.c */

/** Wakes one sleeping scheduler unless one is searching already. [any] */
void node_idle_wake_one(node_sched_t *all);
/** Sleeps until woken or a timer of @s is due; @s is searching and counted as such afterwards. [sched] */
void node_idle_sleep(node_sched_local_t *s);
/** Makes @s look at its timers anew, if it sleeps. [any] */
void node_idle_wake(node_sched_local_t *s);
/** Wakes all, for the end. [boot] */
void node_idle_wake_all(node_sched_t *all);

/* ---- queue.c: who runs next */

/** Adds to the scheduler's queue of the process's level, and wakes another scheduler if that helps. [sched] */
void node_queue_push(node_sched_local_t *s, node_proc_t *proc);
/** The same for a process that @s has just left: if nothing else is ready it goes on with it at once, and nobody needs to be
 *  woken. [sched] */
void node_queue_push_back(node_sched_local_t *s, node_proc_t *proc);
/** Adds to the queue that all schedulers share, and wakes one of them. [any] */
void node_queue_push_global(node_sched_t *all, node_proc_t *proc);
/** The process just messaged runs next on this scheduler. [process], [sched] */
void node_queue_hand_off(node_sched_local_t *s, node_proc_t *proc);
/** Empties the hand-off slot; NULL: it is empty. [any] */
node_proc_t *node_queue_take_handoff(node_sched_local_t *s);
/** Moves what did not fit into the queue of @s to the common one, for others to take. [any] */
void node_queue_share_spill(node_sched_local_t *s);
/** Who has the next turn here; NULL: nobody. [sched] */
node_proc_t *node_queue_next(node_sched_local_t *s);
/** True if somebody of at least that level is ready here. [sched] */
bool node_queue_is_waiting(const node_sched_local_t *s, uint32_t level);
/** True if the common queue holds anything. [any] */
bool node_queue_has_global(const node_sched_t *all);

/* ---- steal.c: work of other schedulers */

#define NODE_STEAL_NAP_NS ((int64_t) 50000)

/** Something was added to the queue of @s: others may help, if it is worth their while. [sched] */
void node_steal_invite(node_sched_local_t *s);
/** Notes what waits at the other schedulers. False: nothing. [sched] */
bool node_steal_look(node_sched_local_t *s);
/** Takes what others do not get to: what is urgent, or has waited since node_steal_look(). NULL: nothing. [sched] */
node_proc_t *node_steal_take(node_sched_local_t *s);

/* ---- run.c: one turn of one process */

/** Runs it until its turn is over. [sched] */
void node_run_turn(node_sched_thread_t *t, node_proc_t *proc);
/** The process waits with its stack, until a signal or stack->deadline_ns.
 *  @s  whose timer wheel; NULL: some scheduler's, from a thread that serves none. [sched], [any] without @s */
void node_run_park(node_sched_t *all, node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack);
/** The calling process gives its stack back with that outcome; returns when it goes on. [process] */
void node_run_go_back(node_stack_t *stack, int outcome, int64_t deadline_ns);
/** The stack on which the calling process runs. [process] */
node_stack_t *node_run_stack(void);
/** The hooks block, leave and hibernate of node_t. */
void node_run_block(node_proc_t *proc, int64_t deadline_ns);
void node_run_leave(node_proc_t *proc);
void node_run_hibernate(node_proc_t *proc);

/* ---- stow.c: memory of stacks whose processes wait */

/** The timer of passes. [any] */
void node_stow_fire(void *all);
/** Another stack of @pool has memory: makes room if that is too much. [sched] */
void node_stow_grown(node_sched_t *all, node_stack_pool_t *pool);
/** Something has blocked since passes ceased. [any] */
void node_stow_again(node_sched_t *all);

/** Notes when a stack was blocked. [any] */
static inline void node_stow_note(node_sched_t *all, node_stack_t *stack)
{
	uint32_t epoch = __atomic_load_n(&all->stow.epoch, __ATOMIC_RELAXED);
	__atomic_store_n(&stack->epoch, epoch >> 1, __ATOMIC_RELAXED);
	if (epoch & 1)
		node_stow_again(all);
}

/* ---- direct.c: calls that are answered at once */

/** The process that has to run next, if there is one and it does not starve others. [sched] */
node_proc_t *node_direct_next(node_sched_local_t *s);
/** Notes that @proc waits for the process that is to run next. [sched] */
void node_direct_wait(node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack);
/** Who waits at @from, if anybody, was not answered in that turn: it is parked. @s: @from, or NULL from other threads. */
void node_direct_settle(node_sched_local_t *s, node_sched_local_t *from);

/* ---- sched.c */

/** A thread that serves @s; NULL: an heir, which waits for a scheduler. NULL: no thread can be had. [boot], [watch] */
node_sched_thread_t *node_sched_thread_new(node_sched_t *all, node_sched_local_t *s);

/* ---- watch.c */

/** What a new thread does first. False: the node stops. */
bool node_watch_await_scheduler(node_sched_thread_t *t);
/** Joins and frees a thread that has ended or soon will. */
void node_watch_join(node_sched_thread_t *t);
/** The hook `killed` of node_t. */
void node_watch_kill(node_t *node, dream_pid_t pid);

/** Errors DREAM_ELIMIT. [boot] */
int node_watch_start(node_sched_t *all);
/** all->stopping is set. [boot] */
void node_watch_stop(node_sched_t *all);
/** A scheduler has woken up. [sched] */
void node_watch_scheduler_woke(node_sched_t *all);

/* ---- timer.c */

int node_timers_open(node_sched_t *all);
void node_timers_close(node_sched_t *all);
/** The take() of wheels. */
void node_timers_take(node_wheel_t *wheel, node_wheel_link_t *link, node_wheel_due_t *ret_due);
/** Ends timers whose destination @proc is, which is hidden already; false: there are more. [sched] */
bool node_timers_drop(node_proc_t *proc);
/** Drops the rest bit by bit, and gives the slot of @proc back then. [sched] */
void node_timers_outlive(node_proc_t *proc);
/** A bit of that; false: there was nothing to do. [sched] */
bool node_timers_trim(node_sched_t *all);

DREAM_END_DECLS
#endif
