/* SPDX-License-Identifier: MIT */
/* switch.h: changing stacks. A fiber is a stack with a place to go on from. */
#ifndef NODE_SCHED_SWITCH_H
#define NODE_SCHED_SWITCH_H
#include <stddef.h>
#include "base/node.h"

DREAM_BEGIN_DECLS

typedef struct node_fiber {
	void *sp;         /* where its registers are saved while it does not run */
	void *fake_stack; /* of AddressSanitizer */
	const void *low;  /* lowest address of its stack; NULL for a thread's own */
	size_t size_bytes;
	void *tsan; /* of ThreadSanitizer */
#ifdef DREAM_VALGRIND
	unsigned valgrind; /* the number of the stack there */
#endif
} node_fiber_t;

/** Makes the calling thread's own stack a fiber that others can switch back to. */
void node_switch_init_thread(node_fiber_t *fiber);

/** Prepares a fiber to run @entry(@arg) at the top of a stack when first switched to. @entry must not return.
 *  @low, @size_bytes  the stack, writable; 16-byte aligned */
void node_switch_init(node_fiber_t *fiber, void *low, size_t size_bytes, void (*entry)(void *arg), void *arg);

/** Prepares it again after its run was given up half-way. */
void node_switch_reset(node_fiber_t *fiber, void (*entry)(void *arg), void *arg);

void node_switch_fini(node_fiber_t *fiber);

/** Goes on in @to; returns when somebody switches back to @from. */
void node_switch_to(node_fiber_t *from, node_fiber_t *to);

/** In a signal handler: makes the interrupted thread go on in @to when the handler returns; what it was doing is given up,
 *  and its fiber is to be reset. @context (the handler's third argument) is changed. On machines without a switch of their
 *  own it goes there at once and does not return. Async-signal-safe. */
void node_switch_escape(node_fiber_t *to, void *context);

/** To be called first thing in @entry, with the fiber that was switched to. */
void node_switch_entered(node_fiber_t *fiber);

DREAM_END_DECLS
#endif
