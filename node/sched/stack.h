/* SPDX-License-Identifier: MIT */
/* stack.h: stacks that processes borrow while they run or are blocked.
 *
 * Addresses are plenty, memory is not. A stack has its addresses for ever; its memory comes with the first touch and can be
 * given back: what a process that waits for long has on its stack is copied out and comes back to the same place before
 * it runs ("stowed"; sched/stow.c says when). */
#ifndef NODE_SCHED_STACK_H
#define NODE_SCHED_STACK_H
#include <glib.h>
#include <pthread.h>
#include "proc/proc.h"
#include "sched/switch.h"
#include "sched/wheel.h"

DREAM_BEGIN_DECLS

/* Why a stack came back to its scheduler. */
#define NODE_STACK_IDLE NODE_RUN_IDLE
#define NODE_STACK_AGAIN NODE_RUN_AGAIN
#define NODE_STACK_EXIT NODE_RUN_EXIT
#define NODE_STACK_BLOCK 3 /* the process keeps it and waits until `deadline_ns` */
#define NODE_STACK_LEAVE 4 /* the process ended in the middle: the stack is started afresh */
#define NODE_STACK_YIELD 5 /* the process keeps it and goes on when others have had a turn */
#define NODE_STACK_CALL 6  /* the process keeps it and waits for the one that runs next (direct.c) */
#define NODE_STACK_FAULT                                                                                     \
	7 /* the handler of a signal left it: as LEAVE, and why is in the scheduler's room for faults */

#define NODE_STACK_KILLED 8 /* the same, for a process that was to be killed */
#define NODE_STACK_HIBERNATE                                                                                 \
	9 /* the process gives its stack up and is run from the start when a signal comes */

/* What the node's own functions may need of a stack when a module calls them. A module that comes further down has
 * used up its stack (fault.h). Of a small stack a quarter. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NODE_STACK_RESERVE ((uintptr_t) 128 << 10)
#else
#define NODE_STACK_RESERVE ((uintptr_t) 24 << 10)
#endif

/* node_stack_t.state: relaxed atomic, changed by who owns the stack, GUARDED under the pool's lock */
#define NODE_STACK_STOWED 1u  /* its content is in `stowed`, its memory given back */
#define NODE_STACK_SPECIAL 2u /* of a pool of its own size, not what everybody borrows */
#define NODE_STACK_COLD 4u    /* free and without memory */

/* Beside the stacks, not on them: it is needed while their memory is gone. Two cache lines; what every turn writes is in the
 * first. */
typedef struct node_stack {
	node_fiber_t fiber;
	union {
		struct node_stack *next; /* in the pool */
		node_fiber_t *back;      /* running: the scheduler to go back to */
		void *stowed;            /* stowed: what lay from fiber.sp to the top */
	};
	node_proc_t *proc; /* relaxed atomic: who runs on it or waits */
	int16_t outcome;
	uint8_t state;
	bool timer_armed;         /* may be in a wheel */
	uint32_t epoch;           /* relaxed atomic: when it was blocked (stow.c) */
	int64_t deadline_ns;      /* of BLOCK; of CALL how long, until it is parked */
	node_wheel_entry_t timer; /* wakes a blocked process */
	struct node_stack_region *region;
} __attribute__((aligned(64))) node_stack_t;

/** How far down a module may have come when it calls the node. */
static inline uintptr_t node_stack_floor(const node_stack_t *stack)
{
	size_t quarter = stack->fiber.size_bytes / 4;
	return (uintptr_t) stack->fiber.low + (quarter < NODE_STACK_RESERVE ? quarter : NODE_STACK_RESERVE);
}

/* All stacks of one size of a node. They are cut from large mappings and used again; a guard below each turns an overflow
 * into a fault. */
typedef struct node_stack_pool {
	pthread_mutex_t lock;
	node_stack_t *free_list; /* with memory */
	node_stack_t *cold_list; /* without */
	void **arenas;
	uint32_t n_arenas;
	uint32_t n_stacks; /* atomic: those that were ever taken, from the first on */
	uint32_t max_stacks;
	uint32_t n_warm;      /* atomic: with memory, in use or free */
	uint32_t n_free;      /* of free_list */
	uint32_t per_region;  /* stacks in what one table of pages maps, 2 MiB */
	size_t region_bytes;  /* addresses of a region */
	size_t stack_bytes;   /* of one, guard included */
	uint8_t state;        /* NODE_STACK_SPECIAL or 0, for its stacks */
	bool mprotect_guards; /* the kernel has no MADV_GUARD_INSTALL: each guard takes two mappings */
	uint32_t n_guards;    /* of those */
	uint32_t max_guards;
	uint32_t hand; /* atomic: the region that stow.c looks at next */
} node_stack_pool_t;

/** @stack_bytes: of one stack with its guard; a multiple of the page size, at least 32 KiB. Errors DREAM_ENOMEM. [boot] */
int node_stack_pool_init(node_stack_pool_t *pool, size_t stack_bytes, uint32_t max_stacks);
/** [boot] */
void node_stack_pool_fini(node_stack_pool_t *pool);

/** NULL: the limit is reached or the system gives no more memory or mappings. [sched] */
node_stack_t *node_stack_take(node_stack_pool_t *pool);
/** [sched] */
void node_stack_give(node_stack_t *stack);

/** Forgets a run that was given up half-way. [sched] */
void node_stack_reset(node_stack_t *stack);

/** Where it comes from. */
node_stack_pool_t *node_stack_pool_of(const node_stack_t *stack);

/* ---- memory ---- */

/* Sanitizers know which bytes of a stack may be touched and who touched them: a copy made behind their back is an error to
 * them. tests/plain has what they cannot see. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NODE_STACK_CAN_STOW false
#else
#define NODE_STACK_CAN_STOW true
#endif

/** Copies out what a process that waits has on its stack; node_stack_cool() is to follow before it may run.
 *  Returns false: more than is worth it, or out of memory; nothing has changed. [sched] that owns the process */
bool node_stack_stow(node_stack_t *stack);
/** Brings it back to its place. [sched] that owns the process */
void node_stack_unstow(node_stack_t *stack);
/** Gives the memory of stacks of one region back to the system; nobody else uses or takes them. [sched] */
void node_stack_cool(node_stack_t *const *stacks, uint32_t n);
/** The same for free stacks beyond @keep, at most @max. Returns how many. [sched] */
uint32_t node_stack_trim(node_stack_pool_t *pool, uint32_t keep, uint32_t max);

/** The stacks of one region, at most NODE_STACK_REGION_MAX; 0 beyond the last. [any] */
uint32_t node_stack_region(const node_stack_pool_t *pool, uint32_t index, node_stack_t **ret_first);
#define NODE_STACK_REGION_MAX 64u

/* ---- sizes ---- */

#define NODE_STACK_CLASSES 13u /* 0: the default size; then 32 KiB to 64 MiB by powers of two */

/** The least class with stacks of @stack_bytes, 1 to 64 MiB; 0: none. */
uint32_t node_stack_class(uint64_t stack_bytes);
/** Bytes of a stack of class 1 or more; sanitized code needs eight times as much. */
size_t node_stack_class_bytes(uint32_t size_class);

DREAM_END_DECLS
#endif
