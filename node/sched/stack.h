/* SPDX-License-Identifier: MIT */
/* stack.h: stacks that processes borrow while they run or are blocked. */
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

/* Lies at the top of its own memory, so that an idle stack costs one page. */
typedef struct node_stack {
	node_fiber_t fiber;
	struct node_stack *next; /* in the pool */
	node_proc_t *proc;       /* who runs on it */
	node_fiber_t *back;      /* the scheduler to go back to */
	int outcome;
	bool timer_armed;         /* may be in a wheel */
	int64_t deadline_ns;      /* of BLOCK; of CALL how long, until it is parked */
	node_wheel_entry_t timer; /* wakes a blocked process */
	void *low;                /* first usable byte, above the guard */
	size_t size_bytes;        /* from `low` to this struct */
} node_stack_t;

/* All stacks of a node. They are cut from large mappings and used again; a guard below each turns an overflow into a
 * fault. */
typedef struct node_stack_pool {
	pthread_mutex_t lock;
	node_stack_t *free_list;
	void **chunks;
	uint32_t n_chunks;
	uint32_t n_stacks;
	uint32_t max_stacks;
	size_t stack_bytes; /* of one, guard included */
	bool madvise_guard; /* the kernel has MADV_GUARD_INSTALL */
} node_stack_pool_t;

/** @stack_bytes: of one stack with its guard; a multiple of the page size, at least 32 KiB. Errors DREAM_ENOMEM. [boot] */
int node_stack_pool_init(node_stack_pool_t *pool, size_t stack_bytes, uint32_t max_stacks);
/** [boot] */
void node_stack_pool_fini(node_stack_pool_t *pool);

/** NULL: the limit is reached or the system gives no more memory or mappings. [sched] */
node_stack_t *node_stack_take(node_stack_pool_t *pool);
/** [sched] */
void node_stack_give(node_stack_pool_t *pool, node_stack_t *stack);

/** Forgets a run that was given up half-way. [sched] */
void node_stack_reset(node_stack_t *stack);

DREAM_END_DECLS
#endif
