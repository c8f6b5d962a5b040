/* SPDX-License-Identifier: MIT */
/* ctx.h: what the calling thread is doing: which node and process it runs, and as what. */
#ifndef NODE_BASE_CTX_H
#define NODE_BASE_CTX_H
#include <assert.h>
#include "base/node.h"

DREAM_BEGIN_DECLS

/* The thread tags of the headers. A thread has one at a time. */
#define NODE_CTX_NONE 0u
#define NODE_CTX_BOOT 1u      /* before the schedulers start, after they stop; tests */
#define NODE_CTX_SCHED 2u     /* a scheduler between processes */
#define NODE_CTX_PROCESS 4u   /* inside a process */
#define NODE_CTX_LOOP 8u      /* an I/O thread */
#define NODE_CTX_BLOCKING 16u /* a thread of the pool for blocking work, inside a function of a module */

#define NODE_CTX_HELD 4u

/* What a scheduler keeps so that its processes come and go without shared locks and counts. It belongs to the scheduler, not to
 * the thread that serves it: the heir of a thread goes on with it (sched/watch.c). */
typedef struct node_keep {
	struct node_proc *
		batch; /* free slots of the process table (proc/proctab.c): as many as are moved at once, or none */
	struct node_proc *slots; /* and less than that, how many is below */
	uint32_t n_slots;
	uint32_t n_refs; /* references in stock, all counted in *refs (code/code.c) */
	uint64_t *refs;
} node_keep_t;

/* Where the processor's counter of ticks stood at some time (base/clock.c). */
typedef struct node_ticks {
	uint64_t at; /* ticks then */
	int64_t ns;
	uint64_t good_for;    /* so many ticks; 0: it is not known yet how long they are */
	uint64_t ns_per_tick; /* times 2^32 */
	uint64_t first_at;    /* from here on it is measured */
	int64_t first_ns;
} node_ticks_t;

typedef struct node_ctx {
	node_t *node;
	struct node_proc *proc; /* set with NODE_CTX_PROCESS */
	void *sched;            /* the scheduler that this thread serves, or NULL */
	void *thread;           /* the thread's own part of it */
	void *job;              /* set with NODE_CTX_BLOCKING */
	uint32_t tag;
	uint32_t *hurry; /* relaxed atomic, set by the watchdog: the turn is long; of a scheduler's thread */
	uint32_t
		budget; /* what the process may ask of the node until its turn is looked at again (sched.h) */
	uint32_t rest;  /* and what remains of the turn after that */
	int64_t first_look_ns; /* of node_clock_now(); 0: this turn was not looked at */
	node_t *ref_node;      /* whose block of reference numbers the two below are */
	uint64_t ref_next;
	uint64_t ref_end;
	struct dream_msg
		*held[NODE_CTX_HELD]; /* the messages that the module got in this turn (proc/held.c) */
	uint32_t n_held;
	node_keep_t *keep; /* of the scheduler that this thread serves; NULL: it serves none */
	void *msgs;        /* small messages kept for reuse (term/msg.c), and how many */
	uint32_t n_msgs;
	node_ticks_t ticks;
	uint32_t in_fault; /* handlers of faults that are active */
	uintptr_t
		stack_floor; /* how far down a module may have used the stack when it calls the node; 0: unknown */
} node_ctx_t;

/** The calling thread's context. Not inlined on purpose: a process may go on on another thread after it
 *  blocked, and a compiler would keep the first thread's address across that. [any] */
node_ctx_t *node_ctx_borrow(void);

/** Gives the references in stock back. [sched] of it */
static inline void node_keep_give_refs(node_keep_t *keep)
{
	if (keep->n_refs != 0)
		__atomic_fetch_sub(keep->refs, keep->n_refs, __ATOMIC_RELEASE);
	keep->n_refs = 0;
	keep->refs = NULL;
}

/* First line of a function with a thread tag; checked in debug builds. */
#define node_ctx_assert(tags) assert((node_ctx_borrow()->tag & (tags)) != 0)

DREAM_END_DECLS
#endif
