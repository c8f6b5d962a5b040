/* SPDX-License-Identifier: MIT */
/* wheel.h: a hierarchical timer wheel with ticks of a millisecond: O(1) to add and to cancel, never early. */
#ifndef NODE_SCHED_WHEEL_H
#define NODE_SCHED_WHEEL_H
#include "base/node.h"

DREAM_BEGIN_DECLS

#define NODE_WHEEL_LEVELS 8 /* of 64 slots: 2^48 ms */

typedef struct node_wheel_entry {
	struct node_wheel_entry *next; /* in a slot; NULL: not armed */
	struct node_wheel_entry *prev;
	struct node_wheel *wheel; /* the one it was last added to */
	uint64_t tick;
	void (*fire)(void *data); /* called by the wheel's scheduler, without the lock */
	void *data;
} node_wheel_entry_t;

typedef struct node_wheel {
	uint32_t lock; /* a spin lock: held for a few instructions */
	uint64_t now_tick;
	uint64_t next_tick; /* relaxed atomic: no entry expires before; UINT64_MAX: none */
	uint64_t occupied[NODE_WHEEL_LEVELS];
	node_wheel_entry_t slots[NODE_WHEEL_LEVELS][64];
} node_wheel_t;

void node_wheel_init(node_wheel_t *wheel, int64_t now_ns);

/** Arms @entry, which is not armed, for @deadline_ns. [any] */
void node_wheel_add(node_wheel_t *wheel, node_wheel_entry_t *entry, int64_t deadline_ns);

/** True: it was armed and will not fire. False: it has fired, is firing, or was never armed. [any] */
bool node_wheel_cancel(node_wheel_entry_t *entry);

/** Fires what is due at @now_ns; returns how many. [sched] of the wheel */
uint32_t node_wheel_advance(node_wheel_t *wheel, int64_t now_ns);

/** The same, but at most about @most of them (a few more, to the end of a batch); the rest at the next call. */
uint32_t node_wheel_advance_some(node_wheel_t *wheel, int64_t now_ns, uint32_t most);

/** A time before which nothing is due; NODE_FOREVER if nothing is armed. Of what was cancelled it may still know. [any] */
int64_t node_wheel_next_ns(const node_wheel_t *wheel);

DREAM_END_DECLS
#endif
