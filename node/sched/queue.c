/* SPDX-License-Identifier: MIT */
/* Who runs next. Each scheduler has a queue per priority, a slot for the process just messaged, which counts as the front of
 * its level, and a share in a queue that all have in common. What does not fit into its queue of normal priority waits behind
 * it in a list of the scheduler's own, the spill, whose lock hardly anybody else asks for: thieves find enough in the queue,
 * which is filled from the spill whenever it is empty, and the watchdog takes the spill to the common queue if a turn is long.
 *
 * A higher level goes before a lower one, but not for ever: who has been passed over PASSED_OVER times has a turn. As long as
 * no process of the node has had another priority than normal none of that is looked at. */
#include <pthread.h>
#include <sched.h>

#include "sched/local.h"

#define PASSED_OVER 8u   /* as OTP does for low beside normal */
#define GLOBAL_EVERY 64u /* turns between two looks at the common queue while there is local work */
#define GLOBAL_BATCH 32u

/* ---- the common queue ---- */

/* @first to @last are @count linked by their next. */
static void push_chain(node_sched_t *all, node_proc_t *first, node_proc_t *last, uint32_t count)
{
	last->next = NULL;
	pthread_mutex_lock(&all->lock);
	if (all->global_last != NULL)
		all->global_last->next = first;
	else
		all->global = first;
	all->global_last = last;
	__atomic_fetch_add(&all->n_global, count, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&all->lock);
	node_idle_wake_one(all);
}

void node_queue_push_global(node_sched_t *all, node_proc_t *proc)
{
	push_chain(all, proc, proc, 1);
}

static node_proc_t *pop_global(node_sched_t *all)
{
	if (__atomic_load_n(&all->n_global, __ATOMIC_SEQ_CST) == 0)
		return NULL;
	pthread_mutex_lock(&all->lock);
	node_proc_t *proc = all->global;
	if (proc != NULL) {
		all->global = proc->next;
		if (all->global == NULL)
			all->global_last = NULL;
		__atomic_fetch_sub(&all->n_global, 1, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&all->lock);
	return proc;
}

/* ---- a scheduler's own ---- */

static uint32_t level_of(const node_proc_t *proc)
{
	return NODE_PROC_LEVEL(__atomic_load_n(&proc->flags, __ATOMIC_RELAXED));
}

static void lock_spill(node_spill_t *spill)
{
	for (int spins = 0; __atomic_exchange_n(&spill->lock, 1, __ATOMIC_ACQUIRE) != 0; spins++)
		if (spins > 100)
			sched_yield();
}

static void unlock_spill(node_spill_t *spill)
{
	__atomic_store_n(&spill->lock, 0, __ATOMIC_RELEASE);
}

static uint32_t n_spilt(const node_sched_local_t *s)
{
	return __atomic_load_n(&s->spill.count, __ATOMIC_RELAXED);
}

static void set_spilt(node_spill_t *spill, uint32_t count)
{
	__atomic_store_n(&spill->count, count, __ATOMIC_RELAXED);
}

static void spill_over(node_spill_t *spill, node_proc_t *proc)
{
	lock_spill(spill);
	proc->next = NULL;
	if (spill->count > 0)
		spill->last->next = proc;
	else
		spill->first = proc;
	spill->last = proc;
	set_spilt(spill, spill->count + 1);
	unlock_spill(spill);
}

/* False: nothing was spilt. */
static bool fill_up(node_sched_local_t *s)
{
	node_spill_t *spill = &s->spill;
	uint32_t moved = 0;
	if (n_spilt(s) == 0)
		return false;
	lock_spill(spill);
	for (; moved < spill->count; moved++) {
		node_proc_t *next = spill->first->next; /* read first: a thief may have it at once */
		if (!node_runq_push(&s->runqs[NODE_PROC_LEVEL_NORMAL], spill->first))
			break;
		spill->first = next;
	}
	set_spilt(spill, spill->count - moved);
	unlock_spill(spill);
	return moved > 0;
}

void node_queue_share_spill(node_sched_local_t *s)
{
	node_spill_t *spill = &s->spill;
	if (n_spilt(s) == 0)
		return;
	lock_spill(spill);
	node_proc_t *first = spill->first;
	node_proc_t *last = spill->last;
	uint32_t count = spill->count;
	set_spilt(spill, 0);
	unlock_spill(spill);
	if (count > 0)
		push_chain(s->all, first, last, count);
}

/* False: the queue of its level, which is not the normal one, is full. */
static bool put(node_sched_local_t *s, node_proc_t *proc)
{
	uint32_t level = level_of(proc);
	bool behind = level == NODE_PROC_LEVEL_NORMAL && n_spilt(s) > 0; /* others wait since earlier */
	if (!behind && node_runq_push(&s->runqs[level], proc))
		return true;
	if (level == NODE_PROC_LEVEL_NORMAL)
		spill_over(&s->spill, proc);
	return level == NODE_PROC_LEVEL_NORMAL;
}

void node_queue_push(node_sched_local_t *s, node_proc_t *proc)
{
	if (!put(s, proc))
		node_queue_push_global(s->all, proc);
	else if (level_of(proc) < NODE_PROC_LEVEL_NORMAL)
		node_idle_wake_one(s->all);
	else
		node_steal_invite(s);
}

void node_queue_push_back(node_sched_local_t *s, node_proc_t *proc)
{
	if (node_queue_is_waiting(s, NODE_PROC_LEVELS - 1) || !put(s, proc))
		node_queue_push(s, proc);
}

void node_queue_hand_off(node_sched_local_t *s, node_proc_t *proc)
{
	if (level_of(proc) != NODE_PROC_LEVEL_NORMAL) {
		node_queue_push(s, proc);
		return;
	}
	/* Only we fill the slot, so an empty one needs no exchange. */
	if (__atomic_load_n(&s->handoff, __ATOMIC_RELAXED) == NULL)
		__atomic_store_n(&s->handoff, proc, __ATOMIC_RELEASE);
	else
		node_queue_push(s, proc);
}

node_proc_t *node_queue_take_handoff(node_sched_local_t *s)
{
	if (__atomic_load_n(&s->handoff, __ATOMIC_RELAXED) == NULL)
		return NULL;
	return __atomic_exchange_n(&s->handoff, NULL, __ATOMIC_ACQ_REL);
}

/* ---- levels ---- */

static bool is_waiting_at(const node_sched_local_t *s, uint32_t level)
{
	return !node_runq_is_empty(&s->runqs[level]) ||
	       (level == NODE_PROC_LEVEL_NORMAL &&
		       (__atomic_load_n(&s->handoff, __ATOMIC_RELAXED) != NULL || n_spilt(s) > 0));
}

bool node_queue_is_waiting(const node_sched_local_t *s, uint32_t level)
{
	if (!__atomic_load_n(&s->all->has_levels, __ATOMIC_RELAXED))
		return level >= NODE_PROC_LEVEL_NORMAL && is_waiting_at(s, NODE_PROC_LEVEL_NORMAL);
	for (uint32_t i = 0; i <= level; i++)
		if (is_waiting_at(s, i))
			return true;
	return false;
}

/* Whoever was woken from outside may be urgent: it has to stand in its own queue before a level is chosen. */
static void sort_in(node_sched_local_t *s)
{
	for (uint32_t i = 0; i < GLOBAL_BATCH && __atomic_load_n(&s->all->n_global, __ATOMIC_RELAXED) > 0;
		i++) {
		node_proc_t *proc = pop_global(s->all);
		if (proc != NULL && !put(s, proc)) {
			node_queue_push_global(s->all, proc);
			return;
		}
	}
}

static uint32_t choose_level(node_sched_local_t *s)
{
	uint32_t chosen = NODE_PROC_LEVELS;
	for (uint32_t level = 0; level < NODE_PROC_LEVELS; level++) {
		if (!is_waiting_at(s, level))
			s->passed_over[level] = 0;
		else if (chosen == NODE_PROC_LEVELS || s->passed_over[level] >= PASSED_OVER)
			chosen = level;
		else
			s->passed_over[level]++;
	}
	if (chosen < NODE_PROC_LEVELS)
		s->passed_over[chosen] = 0;
	return chosen;
}

static node_proc_t *next_normal(node_sched_local_t *s)
{
	node_proc_t *proc = NULL;
	if (s->handoffs < NODE_SCHED_HANDOFFS) {
		proc = node_queue_take_handoff(s);
		s->handoffs = proc != NULL ? s->handoffs + 1 : 0;
	}
	if (proc == NULL) {
		s->handoffs = 0;
		do
			proc = node_runq_pop(&s->runqs[NODE_PROC_LEVEL_NORMAL]);
		while (proc == NULL && fill_up(s));
	}
	return proc != NULL ? proc : node_queue_take_handoff(s);
}

static node_proc_t *next_by_level(node_sched_local_t *s)
{
	sort_in(s);
	for (;;) {
		uint32_t level = choose_level(s);
		if (level == NODE_PROC_LEVELS)
			return NULL;
		node_proc_t *proc =
			level == NODE_PROC_LEVEL_NORMAL ? next_normal(s) : node_runq_pop(&s->runqs[level]);
		if (proc != NULL) /* else a thief was there first */
			return proc;
	}
}

node_proc_t *node_queue_next(node_sched_local_t *s)
{
	node_proc_t *proc = node_direct_next(s);
	if (proc != NULL)
		return proc;
	if (__atomic_load_n(&s->all->has_levels, __ATOMIC_RELAXED))
		return next_by_level(s);
	if (s->yielded || s->tick % GLOBAL_EVERY == 0)
		proc = pop_global(s->all);
	s->yielded = false;
	if (proc == NULL)
		proc = next_normal(s);
	return proc != NULL ? proc : pop_global(s->all);
}

int32_t node_sched_set_priority(node_proc_t *proc, int32_t priority)
{
	uint32_t flags = __atomic_load_n(&proc->flags, __ATOMIC_RELAXED);
	uint32_t before = flags >> NODE_PROC_PRIORITY_SHIFT;
	uint32_t others = flags & ~(UINT32_C(3) << NODE_PROC_PRIORITY_SHIFT);
	if (priority != DREAM_PRIORITY_NORMAL)
		__atomic_store_n(&proc->node->sched->has_levels, 1, __ATOMIC_RELAXED);
	__atomic_store_n(
		&proc->flags, others | (uint32_t) priority << NODE_PROC_PRIORITY_SHIFT, __ATOMIC_RELAXED);
	return (int32_t) before;
}

bool node_queue_has_global(const node_sched_t *all)
{
	return __atomic_load_n(&all->n_global, __ATOMIC_SEQ_CST) > 0;
}
