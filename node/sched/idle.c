/* SPDX-License-Identifier: MIT */
/* Sleeping and waking. Waking a core costs the waker about 6.5 us and the sleeper 20, a hundred times a message;
 * so work that its waker will get to in a moment wakes nobody, and one searching scheduler is enough.
 *
 * Why no wake-up is lost. Everything named here is sequentially consistent, so there is one order of it all.
 *
 * 1. Work in the common queue, nobody searches. The giver writes the queue, then reads `sleepers`; a sleeper sets its
 *    bit, then reads the queue. One of them sees the other.
 * 2. Work in the common queue, somebody searches. The giver reads n_searching > 0 and leaves. Whoever brings n_searching
 *    down to 0 later looks at the queue after that: stop_searching() (it found something, there may be more),
 *    node_idle_sleep() (it found nothing), force_wake() (it found nobody to wake). So the count must never be
 *    above the number of those who will still look: a scheduler is counted by the one who takes its bit out of
 *    `sleepers`, which is exactly one: its waker, before, or the sleeper itself.
 * 3. Work in a scheduler's own queue, its spill or hand-off slot, or a caller that waits for the turn that runs (direct.c). Its
 *    scheduler is awake and comes to it. Others are invited to help if that takes long (steal.c); if it takes so long that
 *    a turn does not end, the watchdog helps, which is awake as long as any scheduler is (watch.c).
 *
 * So an idle node uses no CPU.
 *
 * tests/model/idle_test.cc has the steps of 1, 2 and the watchdog and goes through all their orders; change both. */
#include "base/clock.h"
#include "sched/futex.h"
#include "sched/local.h"

void node_idle_wake(node_sched_local_t *s)
{
	node_futex_wake(&s->wake_word);
}

/* Takes one sleeper's bit. NULL: nobody sleeps. */
static node_sched_local_t *claim_sleeper(node_sched_t *all)
{
	uint64_t sleepers = __atomic_load_n(&all->sleepers, __ATOMIC_SEQ_CST);
	while (sleepers != 0) {
		uint64_t bit = sleepers & -sleepers;
		sleepers = __atomic_fetch_and(&all->sleepers, ~bit, __ATOMIC_SEQ_CST);
		if (sleepers & bit)
			return &all->locals[__builtin_ctzll(bit)];
		sleepers &= ~bit;
	}
	return NULL;
}

static void force_wake(node_sched_t *all)
{
	do {
		__atomic_fetch_add(&all->n_searching, 1, __ATOMIC_SEQ_CST);
		node_sched_local_t *s = claim_sleeper(all);
		if (s != NULL) {
			node_idle_wake(s);
			return;
		}
		/* Who saw us counted has left its work to us: see 2. */
	} while (__atomic_sub_fetch(&all->n_searching, 1, __ATOMIC_SEQ_CST) == 0 &&
		 node_queue_has_global(all) && __atomic_load_n(&all->sleepers, __ATOMIC_SEQ_CST) != 0);
}

void node_idle_wake_one(node_sched_t *all)
{
	if (__atomic_load_n(&all->sleepers, __ATOMIC_SEQ_CST) != 0 &&
		__atomic_load_n(&all->n_searching, __ATOMIC_SEQ_CST) == 0)
		force_wake(all);
}

void node_idle_wake_all(node_sched_t *all)
{
	for (uint32_t i = 0; i < all->n_locals; i++)
		node_idle_wake(&all->locals[i]);
}

static int64_t time_to_timer(const node_sched_local_t *s, int64_t now_ns)
{
	int64_t next = node_wheel_next_ns(&s->wheel);
	if (next == NODE_FOREVER)
		return next;
	return next > now_ns ? next - now_ns : 0;
}

static bool has_reason_to_wake(const node_sched_local_t *s)
{
	return node_queue_has_global(s->all) || __atomic_load_n(&s->all->stopping, __ATOMIC_SEQ_CST) != 0;
}

/* First a nap, if others have work: what still waits after it is worth taking. */
static void sleep_until_reason(node_sched_local_t *s)
{
	bool nap = !s->looked && node_steal_look(s);
	s->looked = nap;
	uint32_t seen = __atomic_load_n(&s->wake_word, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&s->all->sleepers, UINT64_C(1) << s->index, __ATOMIC_SEQ_CST);
	while (!has_reason_to_wake(s) && __atomic_load_n(&s->wake_word, __ATOMIC_SEQ_CST) == seen) {
		int64_t sleep_ns = time_to_timer(s, node_clock_now(s->all->node));
		if (sleep_ns == 0)
			return;
		if (nap && sleep_ns > NODE_STEAL_NAP_NS)
			sleep_ns = NODE_STEAL_NAP_NS;
		__atomic_store_n(&s->stats.sleeps, s->stats.sleeps + 1, __ATOMIC_RELAXED);
		node_futex_wait(&s->wake_word, seen, sleep_ns);
		if (nap)
			return;
	}
}

void node_idle_sleep(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	uint64_t bit = UINT64_C(1) << s->index;
	sleep_until_reason(s);
	/* Our waker has counted us as searching, unless we take our bit out ourselves. */
	if (__atomic_fetch_and(&all->sleepers, ~bit, __ATOMIC_SEQ_CST) & bit)
		__atomic_fetch_add(&all->n_searching, 1, __ATOMIC_SEQ_CST);
	s->searching = true;
}
