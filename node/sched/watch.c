/* SPDX-License-Identifier: MIT */
/* The watchdog: a thread that looks at the others every millisecond as long as a scheduler is awake. A turn that has
 * not ended between two looks is long. Then
 *
 *   1. what waits for its end, though others could serve it, is taken away: the process in the hand-off slot, the caller of
 *      a direct call, what did not fit into its queue, timers that are due;
 *   2. if it has used the processor for STUCK_NS and others still wait, its scheduler goes to a fresh thread, so that a
 *      callback does not hold up a queue. The thread goes on with that process alone, when the processor is idle, and ends with the turn;
 *   3. if it has used the processor for slow_callback_ms it is reported, once, with its stack;
 *   4. if the process was killed meanwhile, it ends there.
 *
 * Time is the thread's own processor time: a thread that was not let run, or waits in a system call, is not blamed. For 2 to 4 the
 * thread is interrupted (interrupt.c); it may say no, and is asked again at the next look. */
#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "sched/futex.h"
#include "sched/interrupt.h"

#define LOOK_NS NODE_MS
#define LINGER_LOOKS 100 /* that find everybody asleep, before the watchdog sleeps too */
#define STUCK_NS NODE_MS
#define ALONE_MAX 64u /* threads at once without a scheduler; then callbacks hold up their queues */
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
	node_queue_share_spill(s);
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

/* ---- who serves, who waits to, who no longer does ---- */

/* Threads change hands in the middle of a turn, whether the watchdog looks or not; so it goes by what it finds. */
static void note_role(node_sched_thread_t *t)
{
	node_watch_t *watch = &t->all->watch;
	bool serves = __atomic_load_n(&t->local, __ATOMIC_ACQUIRE) != NULL;
	if (serves && t->seen.role == NODE_WATCH_HEIR)
		t->seen.role = NODE_WATCH_SERVES;
	if (serves || t->seen.role != NODE_WATCH_SERVES)
		return;
	t->seen.role = NODE_WATCH_ALONE;
	watch->n_alone++;
}

/* An heir is promised to one thread at a time: two schedulers given to it would leave one with nobody to serve it. It is
 * made before it is needed, since the interrupted thread cannot make one. */
static node_sched_thread_t *take_heir(node_sched_t *all)
{
	GPtrArray *heirs = all->watch.heirs;
	if (heirs->len > 0)
		return g_ptr_array_steal_index_fast(heirs, heirs->len - 1);
	node_sched_thread_t *heir = node_sched_thread_new(all, NULL);
	if (heir != NULL) /* not our own priority */
		(void) pthread_setschedparam(heir->id, all->watch.policy, &all->watch.param);
	return heir;
}

static void give_back_heir(node_sched_thread_t *t)
{
	if (t->order->heir != NULL)
		g_ptr_array_add(t->all->watch.heirs, t->order->heir);
	t->order->heir = NULL;
}

static bool needs_heir(const node_sched_thread_t *t, int64_t used_ns)
{
	const node_sched_t *all = t->all;
	const node_sched_local_t *s = __atomic_load_n(&t->local, __ATOMIC_RELAXED);
	return used_ns >= STUCK_NS && s != NULL && all->watch.n_alone < ALONE_MAX &&
	       (node_queue_is_waiting(s, NODE_PROC_LEVELS - 1) || node_queue_has_global(all));
}

/* ---- asking ---- */

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

static bool is_to_report(const node_sched_thread_t *t, int64_t used_ns)
{
	int64_t slow_ns = t->all->watch.slow_ns;
	return slow_ns > 0 && used_ns >= slow_ns && !t->seen.reported;
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
		"slow callback of process %s (%s): it has used the processor for %d ms without a pause; "
		"long work belongs into dream_blocking() or into pieces; stack: %s",
		node_proc_pid_text(node, node_proc_pid(proc), pid), label != NULL ? label : "?",
		(int) (used_ns / NODE_MS), text->str);
	g_string_free(text, TRUE);
}

/* What the thread made of the last question. False: it is just about to answer. */
static bool settle_order(node_sched_thread_t *t, int64_t used_ns)
{
	node_interrupt_t *order = t->order;
	if (!node_interrupt_take_back(t))
		return false;
	uint32_t state = __atomic_load_n(&order->state, __ATOMIC_ACQUIRE);
	if (state == NODE_INTERRUPT_DONE && is_to_report(t, used_ns) && order->turn == t->seen.turn) {
		t->seen.reported = true;
		report(t, used_ns);
	}
	give_back_heir(t);
	__atomic_store_n(&order->state, NODE_INTERRUPT_NONE, __ATOMIC_RELAXED);
	return true;
}

static void ask(node_sched_thread_t *t, int64_t used_ns)
{
	node_interrupt_t *order = t->order;
	order->kill_id = kill_for(t->all, t);
	order->heir = needs_heir(t, used_ns) ? take_heir(t->all) : NULL;
	if (order->kill_id == 0 && order->heir == NULL && !is_to_report(t, used_ns))
		return;
	order->turn = t->seen.turn;
	if (!node_interrupt_ask(t)) {
		__atomic_store_n(&order->state, NODE_INTERRUPT_NONE, __ATOMIC_RELAXED);
		give_back_heir(t);
	}
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
	if (settle_order(t, used_ns))
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
	if (t->seen.role == NODE_WATCH_ALONE)
		t->all->watch.n_alone--;
	if (t->order != NULL)
		give_back_heir(t);
	node_watch_join(t);
	return true;
}

/* False: everybody sleeps. */
static bool look_around(node_sched_t *all)
{
	bool awake = false;
	forget_kills(all);
	for (uint32_t i = all->threads->len; i-- > 0;) {
		node_sched_thread_t *t = all->threads->pdata[i];
		const node_sched_local_t *s = __atomic_load_n(&t->local, __ATOMIC_RELAXED);
		note_role(t);
		if (t->seen.role == NODE_WATCH_HEIR)
			continue;
		if (bury(t))
			g_ptr_array_remove_index_fast(all->threads, i);
		else
			awake |= look_at(t) || s == NULL || !is_asleep(all, s->index);
	}
	return awake;
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

/* It has to run while the schedulers do, a few microseconds in each millisecond. Linux makes a thread that wakes up wait for the
 * end of the slice, 3 ms, of another one that computes; so it asks for a priority above them, which takes a right. */
static void rise(const node_watch_t *watch)
{
	struct sched_param above = watch->param;
	bool realtime = watch->policy == SCHED_FIFO || watch->policy == SCHED_RR;
	above.sched_priority++;
	(void) pthread_setschedparam(pthread_self(), realtime ? watch->policy : SCHED_RR, &above);
}

static void *watch_main(void *arg)
{
	node_sched_t *all = arg;
	node_watch_t *watch = &all->watch;
	uint32_t idle_looks = 0;
	node_ctx_borrow()->node = all->node;
	rise(watch);
	while (!__atomic_load_n(&all->stopping, __ATOMIC_SEQ_CST)) {
		uint32_t word = __atomic_load_n(&watch->word, __ATOMIC_SEQ_CST);
		idle_looks = look_around(all) ? 0 : idle_looks + 1;
		if (idle_looks >= LINGER_LOOKS)
			sleep_until_woken(all);
		else
			node_futex_wait(&watch->word, word, LOOK_NS);
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
	all->watch.heirs = g_ptr_array_new();
	(void) pthread_getschedparam(pthread_self(), &all->watch.policy, &all->watch.param);
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
	g_ptr_array_free(all->watch.heirs, TRUE); /* they are in all->threads as well */
	all->watch.heirs = NULL;
}
