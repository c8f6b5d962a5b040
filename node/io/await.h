/* SPDX-License-Identifier: MIT */
/* await.h: one process waits for one event of the outside world.
 *
 * The record lies on the stack of the process. Whoever answers, a thread that is no scheduler, takes the answer out of
 * it, under the lock of the list that the record stands in, and delivers it as a signal: it was made beforehand,
 * so an event always reaches its process, also when memory is short. After that lock nobody but the process touches
 * the record. */
#ifndef NODE_IO_AWAIT_H
#define NODE_IO_AWAIT_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_await {
	node_call_slot_t slot; /* first */
	node_proc_t *proc;
	node_sig_t *answer; /* NULL: taken */
	void (*drop)(struct node_await *await);
} node_await_t;

/** Prepares @await, which need not be zeroed; node_await_end() must follow.
 *  @drop     the process ends while it waits: take @await out of all lists and end it. [process]
 *  Errors    DREAM_ENOMEM. [process] */
int node_await_begin(node_await_t *await, node_proc_t *proc, void (*drop)(node_await_t *await));

/** Takes the answer to be delivered with @code; NULL if it was taken before. With the list's lock held. [any] */
node_sig_t *node_await_take(node_await_t *await, int32_t code);

/** Waits for the answer; does not return if the process has to end, after @drop.
 *  Returns   the code of the answer, or DREAM_ETIMEDOUT: it may have been taken all the same, and gets lost. [process] */
int node_await_run(node_await_t *await, int64_t deadline_ns);

/** Frees the answer if nobody took it. With the list's lock held, or in no list. [process] */
void node_await_end(node_await_t *await);

/** node_clock_now() plus @timeout_ms; negative: for ever. [any] */
int64_t node_await_deadline(const node_t *node, int64_t timeout_ms);

DREAM_END_DECLS
#endif
