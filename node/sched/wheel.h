/* SPDX-License-Identifier: MIT */
/* wheel.h: a hierarchical timer wheel with ticks of a millisecond: O(1) to add and to cancel, never early. */
#ifndef NODE_SCHED_WHEEL_H
#define NODE_SCHED_WHEEL_H
#include "base/node.h"

DREAM_BEGIN_DECLS

#define NODE_WHEEL_LEVELS 8 /* of 64 slots: 2^48 ms */

/* What a wheel holds. Whoever has many of them keeps more than this for himself beside it. */
typedef struct node_wheel_link {
	struct node_wheel_link *next; /* in a slot; NULL: not armed */
	struct node_wheel_link *prev;
	uint64_t tick : 44; /* milliseconds: more than there are in 63 bits of nanoseconds */
	uint64_t
		early : 18; /* how much before it was asked for, in units of NODE_WHEEL_EARLY_NS, rounded up */
	uint64_t kind : 2;  /* NODE_WHEEL_CALL, or what the wheel's take() knows */
} node_wheel_link_t;

#define NODE_WHEEL_EARLY_NS 4

#define NODE_WHEEL_CALL 0u /* a node_wheel_entry_t */

typedef struct node_wheel_entry {
	node_wheel_link_t link;
	struct node_wheel *wheel; /* the one it was last added to */
	void (*fire)(void *data); /* called by the wheel's scheduler, without the lock */
	void *data;
} node_wheel_entry_t;

/* What to do for one that was due: made under the lock, done without it, when its memory may be gone. */
typedef struct node_wheel_due {
	void (*fire)(void *data);
	void *data;        /* it may point to the words */
	uint64_t words[6]; /* of take() */
} node_wheel_due_t;

typedef struct node_wheel {
	uint32_t lock; /* a spin lock: held for a few instructions */
	uint64_t now_tick;
	uint64_t next_tick; /* relaxed atomic: no entry expires before; UINT64_MAX: none */
	uint64_t occupied[NODE_WHEEL_LEVELS];
	/* Called with the lock held for a link of another kind than NODE_WHEEL_CALL that is due, and in no slot any more. */
	void (*take)(struct node_wheel *wheel, node_wheel_link_t *link, node_wheel_due_t *ret_due);
	node_wheel_link_t slots[NODE_WHEEL_LEVELS][64];
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

/** For what has more to do under the wheel's lock. Nothing that waits, nor another wheel's lock, in between. [any] */
void node_wheel_lock(node_wheel_t *wheel);
void node_wheel_unlock(node_wheel_t *wheel);
/** Arms @link, which is not armed; its kind is set. True: nothing expires before it. With the lock held. [any] */
bool node_wheel_insert(node_wheel_t *wheel, node_wheel_link_t *link, int64_t deadline_ns);
/** Disarms @link, which is armed. With the lock held. [any] */
void node_wheel_remove(node_wheel_t *wheel, node_wheel_link_t *link);

/** When @link, which is armed, was to expire, or a few nanoseconds before. With the lock held. [any] */
static inline int64_t node_wheel_deadline(const node_wheel_link_t *link)
{
	return (int64_t) link->tick * NODE_MS - (int64_t) link->early * NODE_WHEEL_EARLY_NS;
}

/** A time before which nothing is due; NODE_FOREVER if nothing is armed. Of what was cancelled it may still know. [any] */
int64_t node_wheel_next_ns(const node_wheel_t *wheel);

DREAM_END_DECLS
#endif
