/* SPDX-License-Identifier: MIT */
/* Sleeping and waking. Waking a core costs the waker about 6.5 us and the sleeper 20, a hundred times a message;
 * so work that its waker will get to in a moment wakes nobody, and one searching scheduler is enough.
 *
 * That leaves one gap: a process hands work to another through the hand-off slot and then computes on for
 * long. For that, while anything runs, one sleeper "watches": it sleeps at most WATCH_MS and then takes what is
 * left lying. When nothing ran since its last look it sleeps for good, so an idle node uses no CPU. */
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

static void wake(node_sched_local_t *s)
{
	__atomic_fetch_add(&s->wake_word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &s->wake_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void node_idle_wake_one(node_sched_t *all)
{
	uint64_t sleepers = __atomic_load_n(&all->sleepers, __ATOMIC_SEQ_CST);
	if (sleepers == 0 || __atomic_load_n(&all->n_searching, __ATOMIC_SEQ_CST) > 0)
		return;
	while (sleepers != 0) {
		uint64_t bit = sleepers & -sleepers;
		sleepers = __atomic_fetch_and(&all->sleepers, ~bit, __ATOMIC_SEQ_CST);
		if (sleepers & bit) {
			/* Counted as searching from here on, so that a burst of work wakes one, not all. */
			node_sched_local_t *s = &all->locals[__builtin_ctzll(bit)];
			__atomic_fetch_add(&all->n_searching, 1, __ATOMIC_SEQ_CST);
			__atomic_store_n(&s->searching, true, __ATOMIC_RELAXED);
			wake(s);
			return;
		}
	}
}

void node_idle_wake_all(node_sched_t *all)
{
	for (uint32_t i = 0; i < all->n_locals; i++)
		wake(&all->locals[i]);
}

static uint64_t activity(const node_sched_t *all)
{
	uint64_t turns = 0;
	for (uint32_t i = 0; i < all->n_locals; i++)
		turns += __atomic_load_n(&all->locals[i].stats.turns, __ATOMIC_RELAXED);
	return turns;
}

static bool become_watcher(node_sched_t *all)
{
	uint32_t none = 0;
	return all->n_locals > 1 && __atomic_compare_exchange_n(&all->n_watching, &none, 1, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_RELAXED);
}

static bool others_awake(const node_sched_t *all)
{
	uint64_t everybody = all->n_locals == 64 ? UINT64_MAX : (UINT64_C(1) << all->n_locals) - 1;
	return __atomic_load_n(&all->sleepers, __ATOMIC_RELAXED) != everybody;
}

static int64_t time_to_timer(const node_sched_local_t *s, int64_t now_ns)
{
	int64_t next = node_wheel_next_ns(&s->wheel);
	if (next == NODE_FOREVER)
		return next;
	return next > now_ns ? next - now_ns : 0;
}

/* Marked asleep first, then one more look: whoever adds work does it the other way round. */
void node_idle_sleep(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	uint64_t bit = UINT64_C(1) << s->index;
	uint32_t seen = __atomic_load_n(&s->wake_word, __ATOMIC_SEQ_CST);
	uint64_t ran = activity(all);
	__atomic_fetch_or(&all->sleepers, bit, __ATOMIC_SEQ_CST);
	bool watching = become_watcher(all);
	for (;;) {
		if (node_sched_has_work(all) || (watching && node_sched_look_around(s)) || __atomic_load_n(&all->stopping, __ATOMIC_SEQ_CST))
			break;
		int64_t now_ns = node_clock_now(all->node);
		int64_t sleep_ns = time_to_timer(s, now_ns);
		if (sleep_ns == 0)
			break;
		bool look_again = watching && (others_awake(all) || activity(all) != ran);
		if (look_again && sleep_ns > WATCH_MS * NODE_MS)
			sleep_ns = WATCH_MS * NODE_MS;
		if (watching && !look_again) {
			__atomic_store_n(&all->n_watching, 0, __ATOMIC_SEQ_CST);
			watching = false;
		}
		ran = activity(all);
		__atomic_store_n(&s->stats.sleeps, s->stats.sleeps + 1, __ATOMIC_RELAXED);
		futex_wait(&s->wake_word, seen, sleep_ns);
		if (__atomic_load_n(&s->wake_word, __ATOMIC_SEQ_CST) != seen)
			break;
	}
	if (watching)
		__atomic_store_n(&all->n_watching, 0, __ATOMIC_SEQ_CST);
	__atomic_fetch_and(&all->sleepers, ~bit, __ATOMIC_SEQ_CST);
}
