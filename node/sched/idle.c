/* SPDX-License-Identifier: MIT */
/* Sleeping and waking. Waking a core costs the waker about 6.5 us and the sleeper 20, a hundred times a message;
 * so work that its waker will get to in a moment wakes nobody, and one searching scheduler is enough.
 *
 * Why no wake-up is lost. Everything named here is sequentially consistent, so there is one order of it all.
 *
 * 1. Work in a queue, nobody searches. The giver writes the queue, then reads `sleepers`; a sleeper sets its
 *    bit, then reads the queues. One of them sees the other.
 * 2. Work in a queue, somebody searches. The giver reads n_searching > 0 and leaves. Whoever brings n_searching
 *    down to 0 later looks at the queues after that: stop_searching() (it found something, there may be more),
 *    node_idle_sleep() (it found nothing), force_wake() (it found nobody to wake). So the count must never be
 *    above the number of those who will still look: a scheduler is counted by the one who takes its bit out of
 *    `sleepers`, which is exactly one: its waker, before, or the sleeper itself.
 * 3. Work in a hand-off slot, or a caller that waits for the turn that runs (direct.c). Its scheduler is awake and comes
 *    to it at the end of its turn. If that turn is long, others must help: one sleeper "watches", that is, sleeps at
 *    most WATCH_MS and takes what lies where no turn has ended meanwhile. Whoever fills the slot wakes somebody if nobody
 *    watches and nobody searches. If somebody searches, that one either goes to sleep and watches, or finds work, and
 *    then wakes a successor if nobody watches while another is awake. If somebody watches but is about to resign: it may
 *    do so to go to work, being counted as searching (the same), or to sleep for good, if all sleep; it looks at that
 *    once more after it has resigned, and the scheduler that handed off is awake since before.
 *    So an idle node uses no CPU. */
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sched/local.h"

#define WATCH_MS 5

static void futex_wait(uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
	struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, timeout_ns == NODE_FOREVER ? NULL : &t, NULL, 0);
}

void node_idle_wake(node_sched_local_t *s)
{
	__atomic_fetch_add(&s->wake_word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &s->wake_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Takes one sleeper's bit; rather not the watcher's, which then need not find a successor. NULL: nobody sleeps. */
static node_sched_local_t *claim_sleeper(node_sched_t *all)
{
	uint64_t sleepers = __atomic_load_n(&all->sleepers, __ATOMIC_SEQ_CST);
	while (sleepers != 0) {
		uint32_t watcher = __atomic_load_n(&all->n_watching, __ATOMIC_RELAXED);
		uint64_t others = watcher != 0 ? sleepers & ~(UINT64_C(1) << (watcher - 1)) : sleepers;
		uint64_t from = others != 0 ? others : sleepers;
		uint64_t bit = from & -from;
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
		 node_sched_has_work(all) && __atomic_load_n(&all->sleepers, __ATOMIC_SEQ_CST) != 0);
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

static uint64_t activity(const node_sched_t *all)
{
	uint64_t turns = 0;
	for (uint32_t i = 0; i < all->n_locals; i++)
		turns += __atomic_load_n(&all->locals[i].stats.turns, __ATOMIC_RELAXED);
	return turns;
}

/* n_watching is the watcher's index + 1. */
static bool become_watcher(node_sched_local_t *s)
{
	uint32_t none = 0;
	return s->all->n_locals > 1 && __atomic_compare_exchange_n(&s->all->n_watching, &none, s->index + 1,
					       false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

bool node_idle_is_other_awake(const node_sched_local_t *s)
{
	uint64_t everybody = s->all->n_locals == 64 ? UINT64_MAX : (UINT64_C(1) << s->all->n_locals) - 1;
	return (__atomic_load_n(&s->all->sleepers, __ATOMIC_SEQ_CST) | UINT64_C(1) << s->index) != everybody;
}

/* True if @s still watches; it resigned otherwise, and everybody slept after that. */
static bool keeps_watching(node_sched_local_t *s, uint64_t ran)
{
	node_sched_t *all = s->all;
	if (node_idle_is_other_awake(s) || activity(all) != ran)
		return true;
	__atomic_store_n(&all->n_watching, 0, __ATOMIC_SEQ_CST);
	return node_idle_is_other_awake(s) && become_watcher(s);
}

static int64_t time_to_timer(const node_sched_local_t *s, int64_t now_ns)
{
	int64_t next = node_wheel_next_ns(&s->wheel);
	if (next == NODE_FOREVER)
		return next;
	return next > now_ns ? next - now_ns : 0;
}

static bool has_reason_to_wake(node_sched_local_t *s, bool watching)
{
	return node_sched_has_work(s->all) || (watching && node_sched_look_around(s)) ||
	       __atomic_load_n(&s->all->stopping, __ATOMIC_SEQ_CST) != 0;
}

/* Sleeps until woken or with a reason. Returns whether @s watches. */
static bool sleep_until_reason(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	uint32_t seen = __atomic_load_n(&s->wake_word, __ATOMIC_SEQ_CST);
	uint64_t ran = activity(all);
	__atomic_fetch_or(&all->sleepers, UINT64_C(1) << s->index, __ATOMIC_SEQ_CST);
	bool watching = become_watcher(s);
	for (bool first = true; !has_reason_to_wake(s, watching); first = false) {
		int64_t sleep_ns = time_to_timer(s, node_clock_now(all->node));
		if (sleep_ns == 0)
			break;
		if (watching && (first || keeps_watching(s, ran))) {
			sleep_ns = MIN(sleep_ns, WATCH_MS * NODE_MS);
		} else {
			watching = false;
		}
		ran = activity(all);
		__atomic_store_n(&s->stats.sleeps, s->stats.sleeps + 1, __ATOMIC_RELAXED);
		futex_wait(&s->wake_word, seen, sleep_ns);
		if (__atomic_load_n(&s->wake_word, __ATOMIC_SEQ_CST) != seen)
			break;
	}
	return watching;
}

void node_idle_sleep(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	uint64_t bit = UINT64_C(1) << s->index;
	bool watching = sleep_until_reason(s);
	/* Our waker has counted us as searching, unless we take our bit out ourselves. */
	if (__atomic_fetch_and(&all->sleepers, ~bit, __ATOMIC_SEQ_CST) & bit)
		__atomic_fetch_add(&all->n_searching, 1, __ATOMIC_SEQ_CST);
	s->searching = true;
	if (watching)
		__atomic_store_n(&all->n_watching, 0, __ATOMIC_SEQ_CST);
}
