/* SPDX-License-Identifier: MIT */
/* The watchdog: a thread that looks at the schedulers every few milliseconds as long as one of them is awake. A turn that
 * has not ended between two looks is long: what waits for its end, though others could serve it, is then taken away, that is
 * the process in the hand-off slot, the caller of a direct call, and timers that are due. */
#include <pthread.h>

#include "base/clock.h"
#include "sched/futex.h"
#include "sched/local.h"

#define LOOK_MS 2       /* while all turns are short */
#define CLOSE_LOOK_MS 1 /* while one is long */
#define LINGER_LOOKS 50 /* that find everybody asleep, before the watchdog sleeps too */

/* What the last look saw of a scheduler. */
typedef struct {
	uint64_t turns;
	bool was_awake;
} seen_t;

static bool is_asleep(node_sched_t *all, uint32_t index)
{
	return (__atomic_load_n(&all->sleepers, __ATOMIC_SEQ_CST) >> index & 1) != 0;
}

static void rescue(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	int64_t now_ns = node_clock_now(all->node);
	node_direct_settle(NULL, s);
	node_proc_t *proc = node_queue_take_handoff(s);
	if (proc != NULL)
		node_queue_push_global(all, proc);
	if (node_wheel_next_ns(&s->wheel) < now_ns)
		(void) node_wheel_advance(&s->wheel, now_ns);
	if (node_queue_is_waiting(s, NODE_PROC_LEVELS - 1))
		node_idle_wake_one(all);
}

/* True if its turn is long. */
static bool look_at(node_sched_local_t *s, seen_t *seen)
{
	uint64_t turns = __atomic_load_n(&s->stats.turns, __ATOMIC_RELAXED);
	bool awake = !is_asleep(s->all, s->index);
	bool is_long = awake && seen->was_awake && seen->turns == turns;
	*seen = (seen_t){turns, awake};
	if (is_long)
		rescue(s);
	return is_long;
}

/* How long until the next look; 0: everybody sleeps. */
static int64_t look_around(node_sched_t *all, seen_t *seen)
{
	int64_t next_ns = 0;
	for (uint32_t i = 0; i < all->n_locals; i++) {
		bool is_long = look_at(&all->locals[i], &seen[i]);
		if (is_long)
			next_ns = CLOSE_LOOK_MS * NODE_MS;
		else if (next_ns == 0 && seen[i].was_awake)
			next_ns = LOOK_MS * NODE_MS;
	}
	return next_ns;
}

static bool all_sleep(node_sched_t *all)
{
	for (uint32_t i = 0; i < all->n_locals; i++)
		if (!is_asleep(all, i))
			return false;
	return true;
}

/* A scheduler that wakes up clears its bit, then reads `dormant`; we set that, then read the bits. One sees the other. */
static void sleep_until_woken(node_sched_t *all)
{
	node_watch_t *watch = &all->watch;
	uint32_t seen = __atomic_load_n(&watch->word, __ATOMIC_SEQ_CST);
	__atomic_store_n(&watch->dormant, 1, __ATOMIC_SEQ_CST);
	if (all_sleep(all) && !__atomic_load_n(&all->stopping, __ATOMIC_SEQ_CST))
		node_futex_wait(&watch->word, seen, NODE_FOREVER);
	__atomic_store_n(&watch->dormant, 0, __ATOMIC_SEQ_CST);
}

void node_watch_scheduler_woke(node_sched_t *all)
{
	node_watch_t *watch = &all->watch;
	if (__atomic_load_n(&watch->dormant, __ATOMIC_SEQ_CST) != 0 &&
		__atomic_exchange_n(&watch->dormant, 0, __ATOMIC_SEQ_CST) != 0)
		node_futex_wake(&watch->word);
}

static void *watch_main(void *arg)
{
	node_sched_t *all = arg;
	node_watch_t *watch = &all->watch;
	seen_t seen[NODE_SCHED_MAX] = {{0, false}};
	uint32_t idle_looks = 0;
	node_ctx_borrow()->node = all->node;
	while (!__atomic_load_n(&all->stopping, __ATOMIC_SEQ_CST)) {
		uint32_t word = __atomic_load_n(&watch->word, __ATOMIC_SEQ_CST);
		int64_t next_ns = look_around(all, seen);
		idle_looks = next_ns == 0 ? idle_looks + 1 : 0;
		if (idle_looks >= LINGER_LOOKS)
			sleep_until_woken(all);
		else
			node_futex_wait(&watch->word, word, next_ns == 0 ? LOOK_MS * NODE_MS : next_ns);
	}
	node_ctx_borrow()->node = NULL;
	return NULL;
}

int node_watch_start(node_sched_t *all)
{
	if (pthread_create(&all->watch.id, NULL, watch_main, all) != 0)
		return DREAM_ELIMIT;
	pthread_setname_np(all->watch.id, "watchdog");
	all->watch.started = true;
	return DREAM_OK;
}

void node_watch_stop(node_sched_t *all)
{
	if (!all->watch.started)
		return;
	node_futex_wake(&all->watch.word);
	pthread_join(all->watch.id, NULL);
	all->watch.started = false;
}
