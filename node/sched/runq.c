/* SPDX-License-Identifier: MIT */
#include "sched/runq.h"

#define SLOT(i) ((i) & (NODE_RUNQ_CAP - 1))

bool node_runq_push(node_runq_t *q, node_proc_t *proc)
{
	uint32_t tail = __atomic_load_n(&q->tail, __ATOMIC_RELAXED);
	if (tail - __atomic_load_n(&q->head, __ATOMIC_ACQUIRE) >= NODE_RUNQ_CAP)
		return false;
	__atomic_store_n(&q->ring[SLOT(tail)], proc, __ATOMIC_RELAXED);
	__atomic_store_n(&q->tail, tail + 1, __ATOMIC_SEQ_CST);
	return true;
}

node_proc_t *node_runq_pop(node_runq_t *q)
{
	uint32_t head = __atomic_load_n(&q->head, __ATOMIC_ACQUIRE);
	while (head != __atomic_load_n(&q->tail, __ATOMIC_ACQUIRE)) {
		/* Read before the exchange: a slot can be filled again only after head has moved on. */
		node_proc_t *proc = __atomic_load_n(&q->ring[SLOT(head)], __ATOMIC_RELAXED);
		if (__atomic_compare_exchange_n(
			    &q->head, &head, head + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return proc;
	}
	return NULL;
}

node_proc_t *node_runq_steal(node_runq_t *to, node_runq_t *from)
{
	uint32_t half = (node_runq_count(from) + 1) / 2;
	node_proc_t *first = half > 0 ? node_runq_pop(from) : NULL;
	for (uint32_t i = 1; first != NULL && i < half; i++) {
		node_proc_t *proc = node_runq_pop(from);
		if (proc == NULL)
			break;
		(void) node_runq_push(to, proc); /* `to` was empty and has room for all of `from` */
	}
	return first;
}

bool node_runq_is_empty(const node_runq_t *q)
{
	return __atomic_load_n(&q->tail, __ATOMIC_SEQ_CST) == __atomic_load_n(&q->head, __ATOMIC_SEQ_CST);
}

uint32_t node_runq_count(const node_runq_t *q)
{
	return __atomic_load_n(&q->tail, __ATOMIC_RELAXED) - __atomic_load_n(&q->head, __ATOMIC_RELAXED);
}
