/* SPDX-License-Identifier: MIT */
/* The watchdog: a thread that looks at the others every few milliseconds as long as a scheduler is awake. A turn that has
 * not ended between two looks is long. Then
 *
 *   1. what waits for its end, though others could serve it, is taken away: the process in the hand-off slot, the caller of
 *      a direct call, timers that are due;
 *   2. if it has used the processor for STUCK_NS and others still wait, its scheduler goes to a fresh thread, so that a
 *      callback does not hold up a queue. The thread goes on with that process alone, when the processor is idle, and ends with the turn;
 *   3. if it has used the processor for slow_callback_ms it is reported, once, with its stack;
 *   4. if the process was killed meanwhile, it ends there.
 *
 * Time is the thread's own processor time: a thread that was not let run, or waits in a system call, is not blamed. For 2 to 4 the
 * thread is interrupted (interrupt.c); it may say no, and is asked again at the next look. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "base/log.h"
#include "sched/futex.h"
#include "sched/interrupt.h"

#define LOOK_MS 2       /* while all turns are short */
#define CLOSE_LOOK_MS 1 /* while one is long */
#define LINGER_LOOKS 50 /* that find everybody asleep, before the watchdog sleeps too */
#define STUCK_NS (2 * NODE_MS)
#define STUCK_MAX 64u /* threads at once without a scheduler; then callbacks hold up their queues */
#define JOIN_SECONDS 5

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

/* ---- long turns ---- */

static int64_t cpu_ns(const node_sched_thread_t *t)
{
	clockid_t clock;
	struct timespec used = {0, 0};
	if (pthread_getcpuclockid(t->id, &clock) == 0)
		(void) clock_gettime(clock, &used);
	return (int64_t) used.tv_sec * 1000000000 + used.tv_nsec;
}

/* How many looks have seen its turn, this one not counted. */
static uint32_t note_turn(node_sched_thread_t *t)
{
	uint64_t turn = __atomic_load_n(&t->turn, __ATOMIC_RELAXED);
	if (t->seen.turn == turn)
		return ++t->seen.looks;
	t->seen.turn = turn;
	t->seen.looks = 0;
	t->seen.reported = false;
	return 0;
}

/* The heir's thread is made before it is needed: the interrupted thread cannot make one. */
static node_sched_thread_t *heir_for(node_sched_t *all, const node_sched_thread_t *t)
{
	const node_sched_local_t *s = __atomic_load_n(&t->local, __ATOMIC_RELAXED);
	if (s == NULL || all->watch.n_stuck >= STUCK_MAX)
		return NULL;
	if (!node_queue_is_waiting(s, NODE_PROC_LEVELS - 1) && !node_queue_has_global(all))
		return NULL;
	if (all->watch.spare == NULL)
		all->watch.spare = node_sched_thread_new(all, NULL);
	return all->watch.spare;
}

/* The process that runs there, if it was to be killed; the id stays in the list until it has ended. */
static uint64_t kill_for(node_sched_t *all, const node_sched_thread_t *t)
{
	node_watch_t *watch = &all->watch;
	const node_stack_t *stack = __atomic_load_n(&t->running, __ATOMIC_ACQUIRE);
	const node_proc_t *proc = stack != NULL ? __atomic_load_n(&stack->proc, __ATOMIC_RELAXED) : NULL;
	uint64_t id = proc != NULL ? __atomic_load_n(&proc->id, __ATOMIC_RELAXED) : 0;
	bool wanted = false;
	pthread_mutex_lock(&watch->lock);
	for (uint32_t i = 0; i < watch->n_kills; i++)
		wanted |= watch->kills[i] == id;
	pthread_mutex_unlock(&watch->lock);
	return wanted ? id : 0;
}

static void report(node_sched_thread_t *t, int64_t used_ns)
{
	const node_stack_t *stack = __atomic_load_n(&t->running, __ATOMIC_ACQUIRE);
	const node_proc_t *proc = __atomic_load_n(&stack->proc, __ATOMIC_RELAXED);
	node_t *node = t->all->node;
	char pid[300];
	if (proc == NULL)
		return;
	GString *text = g_string_new(NULL);
	node_fault_describe(node, &t->order->seen, text);
	const char *label = __atomic_load_n(&proc->label, __ATOMIC_RELAXED);
	node_log(node, DREAM_LOG_WARNING,
		"slow callback of process %s (%s): it has used the processor for %d ms without a pause; long "
		"work belongs "
		"into dream_blocking() or into pieces; stack: %s",
		node_proc_pid_text(node, node_proc_pid(proc), pid), label != NULL ? label : "?",
		(int) (used_ns / NODE_MS), text->str);
	g_string_free(text, TRUE);
}

/* What the thread made of the last question. */
static void settle_order(node_sched_thread_t *t, int64_t used_ns)
{
	node_watch_t *watch = &t->all->watch;
	node_interrupt_t *order = t->order;
	if (!node_interrupt_take_back(t) &&
		__atomic_load_n(&order->state, __ATOMIC_ACQUIRE) == NODE_INTERRUPT_BUSY)
		return;
	if (__atomic_load_n(&order->state, __ATOMIC_ACQUIRE) != NODE_INTERRUPT_DONE)
		return;
	if (__atomic_load_n(&t->local, __ATOMIC_RELAXED) == NULL && !t->seen.alone) {
		struct sched_param none = {0};
		t->seen.alone = true;
		watch->spare = NULL; /* it has the scheduler now */
		watch->n_stuck++;
		(void) sched_setscheduler(__atomic_load_n(&t->tid, __ATOMIC_RELAXED), SCHED_IDLE, &none);
	}
	if (watch->slow_ns > 0 && used_ns >= watch->slow_ns && !t->seen.reported &&
		order->turn == t->seen.turn) {
		t->seen.reported = true;
		report(t, used_ns);
	}
	__atomic_store_n(&order->state, NODE_INTERRUPT_NONE, __ATOMIC_RELAXED);
}

static void ask(node_sched_thread_t *t, int64_t used_ns)
{
	node_watch_t *watch = &t->all->watch;
	uint64_t kill_id = kill_for(t->all, t);
	node_sched_thread_t *heir = used_ns >= STUCK_NS ? heir_for(t->all, t) : NULL;
	bool to_report = watch->slow_ns > 0 && used_ns >= watch->slow_ns && !t->seen.reported;
	if (kill_id != 0 || heir != NULL || to_report)
		(void) node_interrupt_ask(t, t->seen.turn, kill_id, heir);
}

/* True if its turn is long. */
static bool look_at(node_sched_thread_t *t)
{
	node_sched_local_t *s = __atomic_load_n(&t->local, __ATOMIC_RELAXED);
	uint32_t looks = note_turn(t);
	if (looks == 0 || (s != NULL && is_asleep(t->all, s->index))) {
		t->seen.cpu_ns = cpu_ns(t);
		t->seen.looks = 0;
		return false;
	}
	__atomic_store_n(&t->hurry, 1, __ATOMIC_RELAXED);
	if (s != NULL)
		rescue(s);
	if (t->order == NULL)
		return true;
	int64_t used_ns = cpu_ns(t) - t->seen.cpu_ns;
	settle_order(t, used_ns);
	ask(t, used_ns);
	return true;
}

/* ---- looking around ---- */

/* Kills whose process has ended, or that it can see to itself. */
static void forget_kills(node_sched_t *all)
{
	node_watch_t *watch = &all->watch;
	pthread_mutex_lock(&watch->lock);
	for (uint32_t i = watch->n_kills; i-- > 0;) {
		const node_proc_t *proc = node_proctab_find(all->node, watch->kills[i]);
		if (proc == NULL || __atomic_load_n(&proc->run_state, __ATOMIC_RELAXED) != NODE_PROC_RUNNING)
			watch->kills[i] = watch->kills[--watch->n_kills];
	}
	pthread_mutex_unlock(&watch->lock);
}

void node_watch_kill(node_t *node, dream_pid_t pid)
{
	node_watch_t *watch = &node->sched->watch;
	const node_proc_t *proc = node_proctab_find(node, pid.id);
	if (!watch->started || proc == NULL ||
		__atomic_load_n(&proc->run_state, __ATOMIC_RELAXED) != NODE_PROC_RUNNING)
		return;
	pthread_mutex_lock(&watch->lock);
	if (watch->n_kills < G_N_ELEMENTS(watch->kills)) /* else whoever kills so many has to do it again */
		watch->kills[watch->n_kills++] = pid.id;
	pthread_mutex_unlock(&watch->lock);
}

static bool bury(node_sched_thread_t *t)
{
	if (!__atomic_load_n(&t->over, __ATOMIC_ACQUIRE))
		return false;
	t->all->watch.n_stuck--;
	node_watch_join(t);
	return true;
}

/* How long until the next look; 0: everybody sleeps. */
static int64_t look_around(node_sched_t *all)
{
	int64_t next_ns = 0;
	forget_kills(all);
	for (uint32_t i = all->threads->len; i-- > 0;) {
		node_sched_thread_t *t = all->threads->pdata[i];
		const node_sched_local_t *s = __atomic_load_n(&t->local, __ATOMIC_RELAXED);
		if (t == all->watch.spare && s == NULL)
			continue;
		if (bury(t))
			g_ptr_array_remove_index_fast(all->threads, i);
		else if (look_at(t))
			next_ns = CLOSE_LOOK_MS * NODE_MS;
		else if (next_ns == 0 && (s == NULL || !is_asleep(all, s->index)))
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
	uint32_t idle_looks = 0;
	node_ctx_borrow()->node = all->node;
	while (!__atomic_load_n(&all->stopping, __ATOMIC_SEQ_CST)) {
		uint32_t word = __atomic_load_n(&watch->word, __ATOMIC_SEQ_CST);
		int64_t next_ns = look_around(all);
		idle_looks = next_ns == 0 ? idle_looks + 1 : 0;
		if (idle_looks >= LINGER_LOOKS)
			sleep_until_woken(all);
		else
			node_futex_wait(&watch->word, word, next_ns == 0 ? LOOK_MS * NODE_MS : next_ns);
	}
	node_ctx_borrow()->node = NULL;
	return NULL;
}

bool node_watch_await_scheduler(node_sched_thread_t *t)
{
	for (;;) {
		uint32_t seen = __atomic_load_n(&t->wake_word, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&t->local, __ATOMIC_ACQUIRE) != NULL)
			return true;
		if (__atomic_load_n(&t->all->stopping, __ATOMIC_SEQ_CST))
			return false;
		node_futex_wait(&t->wake_word, seen, NODE_FOREVER);
	}
}

/* A callback that never ends must not hang the node's end: its thread is left behind, with all it may still touch. */
void node_watch_join(node_sched_thread_t *t)
{
	struct timespec until;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += JOIN_SECONDS;
	if (pthread_timedjoin_np(t->id, NULL, &until) != 0) {
		t->all->left_behind++;
		return;
	}
	g_free(t->order);
	node_mem_free(t);
}

int node_watch_start(node_sched_t *all)
{
	node_interrupt_install();
	pthread_mutex_init(&all->watch.lock, NULL);
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
	pthread_mutex_destroy(&all->watch.lock);
}
