/* SPDX-License-Identifier: MIT */
/* clock.h: the node's time and entropy, injected, so that a test runs on a virtual clock from one seed. */
#ifndef NODE_BASE_CLOCK_H
#define NODE_BASE_CLOCK_H
#include "base/node.h"

DREAM_BEGIN_DECLS

typedef struct node_clock {
	int64_t (*now_ns)(struct node_clock *clock);  /* never jumps, never goes back */
	int64_t (*wall_ns)(struct node_clock *clock); /* since 1970, UTC */
	void (*random)(struct node_clock *clock, void *ret_bytes, size_t size_bytes);
	void *data;
	int64_t (*late_ns)(struct node_clock *clock); /* as node_clock_late(); NULL: now_ns */
} node_clock_t;

/** The machine's clock and getrandom(2); immutable, shared by all nodes. [any] */
node_clock_t *node_clock_system_borrow(void);

/** CLOCK_MONOTONIC of the node, nanoseconds. [any] */
static inline int64_t node_clock_now(const node_t *node)
{
	return node->clock->now_ns(node->clock);
}

/** Not before that, and after it by some 10 us at most; at half the price. For what counts milliseconds. [any] */
static inline int64_t node_clock_late(const node_t *node)
{
	node_clock_t *clock = node->clock;
	return clock->late_ns != NULL ? clock->late_ns(clock) : clock->now_ns(clock);
}

DREAM_END_DECLS
#endif
