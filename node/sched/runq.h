/* SPDX-License-Identifier: MIT */
/* runq.h: one scheduler's ready processes: a ring that its owner fills and everybody may empty. */
#ifndef NODE_SCHED_RUNQ_H
#define NODE_SCHED_RUNQ_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

#define NODE_RUNQ_CAP 256u

/* First in, first out. The owner adds without a read-modify-write; taking costs one, since a thief may take the
 * same entry at the same time. */
typedef struct node_runq {
	uint32_t head; /* atomic: next to take */
	uint8_t pad[60];
	uint32_t tail; /* atomic, written by the owner: next to fill */
	node_proc_t *ring[NODE_RUNQ_CAP];
} node_runq_t;

/** False: full. Owner only. */
bool node_runq_push(node_runq_t *q, node_proc_t *proc);
/** NULL: empty. [any] */
node_proc_t *node_runq_pop(node_runq_t *q);
/** Moves half of @from's entries to the empty queue @to of the caller and returns one more, or NULL. */
node_proc_t *node_runq_steal(node_runq_t *to, node_runq_t *from);
/** As of now, in the one order of all sequentially consistent operations. [any] */
bool node_runq_is_empty(const node_runq_t *q);
/** An estimate. [any] */
uint32_t node_runq_count(const node_runq_t *q);

DREAM_END_DECLS
#endif
