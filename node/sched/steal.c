/* SPDX-License-Identifier: MIT */
/* Helping others. A turn takes a tenth of a microsecond or a second; only of the long ones does it pay to bring some to
 * another core, since waking that takes 25 us, and a process whose memory must come along is slow there. So a scheduler out
 * of work first only looks at what waits elsewhere, naps, and then takes half of a queue whose scheduler has not got through
 * what waited then. Urgent processes it takes at once.
 *
 * For the same reason a scheduler that has several processes ready does not wake another for each. It invites one from time to
 * time, and less often while that turns out to be in vain. */
#include "base/clock.h"
#include "sched/local.h"

#define INVITE_NS ((int64_t) 50000)
#define INVITE_MAX_NS ((int64_t) 200000)

void node_steal_invite(node_sched_local_t *s)
{
	if (s->invited_tick == s->tick || __atomic_load_n(&s->all->sleepers, __ATOMIC_RELAXED) == 0)
		return;
	s->invited_tick = s->tick;
	int64_t now_ns = node_clock_now(s->all->node);
	int64_t every_ns = __atomic_load_n(&s->invite_every_ns, __ATOMIC_RELAXED);
	if (now_ns - s->invited_ns < every_ns)
		return;
	s->invited_ns = now_ns;
	/* in vain, until somebody says otherwise */
	__atomic_store_n(
		&s->invite_every_ns, CLAMP(2 * every_ns, INVITE_NS, INVITE_MAX_NS), __ATOMIC_RELAXED);
	node_idle_wake_one(s->all);
}

static uint32_t taken_from(const node_sched_local_t *other)
{
	uint32_t taken = 0;
	for (uint32_t level = 0; level < NODE_PROC_LEVELS; level++)
		taken += __atomic_load_n(&other->runqs[level].head, __ATOMIC_RELAXED);
	return taken;
}

static uint32_t waiting_at(const node_sched_local_t *other)
{
	uint32_t waiting = 0;
	for (uint32_t level = 0; level < NODE_PROC_LEVELS; level++)
		waiting += node_runq_count(&other->runqs[level]);
	return waiting;
}

bool node_steal_look(node_sched_local_t *s)
{
	bool any = false;
	for (uint32_t i = 0; i < s->all->n_locals; i++) {
		const node_sched_local_t *other = &s->all->locals[i];
		s->taken_seen[i] = taken_from(other);
		s->waiting_seen[i] = other != s ? waiting_at(other) : 0;
		any |= s->waiting_seen[i] > 0;
	}
	return any;
}

static bool is_behind(const node_sched_local_t *s, const node_sched_local_t *other)
{
	uint32_t waited = s->waiting_seen[other->index];
	return waited > 0 && taken_from(other) - s->taken_seen[other->index] < waited;
}

static node_proc_t *take_from(node_sched_local_t *s, node_sched_local_t *other)
{
	node_proc_t *proc = NULL;
	uint32_t levels = is_behind(s, other) ? NODE_PROC_LEVELS : NODE_PROC_LEVEL_NORMAL;
	for (uint32_t level = 0; level < levels && proc == NULL; level++)
		proc = node_runq_steal(&s->runqs[level], &other->runqs[level]);
	if (proc != NULL)
		__atomic_store_n(&other->invite_every_ns, INVITE_NS, __ATOMIC_RELAXED);
	return proc;
}

node_proc_t *node_steal_take(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	node_proc_t *proc = NULL;
	for (uint32_t i = 1; i < all->n_locals && proc == NULL; i++)
		proc = take_from(s, &all->locals[(s->index + i) % all->n_locals]);
	for (uint32_t i = 0; i < all->n_locals; i++)
		s->waiting_seen[i] = 0;
	if (proc == NULL)
		return NULL;
	s->looked = false;
	__atomic_store_n(&s->stats.stolen, s->stats.stolen + 1, __ATOMIC_RELAXED);
	if (node_queue_is_waiting(s, NODE_PROC_LEVELS - 1))
		node_steal_invite(s);
	return proc;
}
