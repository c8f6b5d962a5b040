/* SPDX-License-Identifier: MIT */
#include "sched/sched.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/clock.h"
#include "base/log.h"
#include "sched/fault_local.h"
#include "sched/futex.h"
#include "sched/interrupt.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES ((size_t) 1 << 20)
#else
#define STACK_BYTES ((size_t) 128 << 10)
#endif
#define STACK_LEAST ((size_t) 32 << 10)
#define STACK_MOST ((size_t) 1 << 30)
#define MAX_STACKS (UINT32_C(1) << 24)
#define KEEP_WARM 1024u
#define MOST_WARM 32u       /* times what is kept warm */
#define CLOCK_EVERY 8u      /* turns between two looks at the clock */
#define TIMERS_AT_ONCE 256u /* that fire before processes have a turn */
#define SETTLE_EVERY 1024u

static void wake_proc(node_t *node, node_proc_t *proc)
{
	node_sched_t *all = node->sched;
	node_sched_local_t *s = node_ctx_borrow()->sched;
	__atomic_store_n(&proc->run_state, NODE_PROC_READY, __ATOMIC_RELAXED);
	if (s != NULL && s->all == all)
		node_queue_hand_off(s, proc);
	else
		node_queue_push_global(all, proc);
}

static void set_ctx(node_sched_thread_t *t)
{
	node_ctx_t *ctx = node_ctx_borrow();
	ctx->node = t->all->node;
	ctx->sched = t->local;
	ctx->thread = t;
	ctx->hurry = &t->hurry;
	ctx->proc = NULL;
	ctx->tag = NODE_CTX_SCHED;
	t->ctx = ctx;
}

/* ---- the loop of a scheduler ---- */

/* Some at a time, with turns of processes in between (TMR-5). True: more is due, or left to be freed. */
static bool fire_timers(node_sched_local_t *s)
{
	uint32_t n = 0;
	if (node_wheel_next_ns(&s->wheel) != NODE_FOREVER)
		n = node_wheel_advance_some(&s->wheel, node_clock_now(s->all->node), TIMERS_AT_ONCE);
	return node_timers_trim(s->all) || n >= TIMERS_AT_ONCE;
}

/* Point 2 of idle.c. */
static void stop_searching(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	if (!s->searching)
		return;
	s->searching = false;
	if (__atomic_sub_fetch(&all->n_searching, 1, __ATOMIC_SEQ_CST) != 0)
		return;
	if (node_queue_has_global(all))
		node_idle_wake_one(all);
}

static node_proc_t *find_work(node_sched_local_t *s)
{
	node_proc_t *proc = node_queue_next(s);
	if (proc == NULL) {
		(void) fire_timers(s);
		proc = node_queue_next(s);
	}
	return proc != NULL ? proc : node_steal_take(s);
}

/* What is kept must not be missed elsewhere: a count of references shows who still has some, and the last slots are for all. */
static void settle_keep(node_sched_local_t *s)
{
	node_keep_give_refs(&s->keep);
	node_proctab_settle(s->all->node, &s->keep);
}

static void go_to_sleep(node_sched_local_t *s)
{
	int64_t before_ns = node_clock_now(s->all->node);
	if (s->searching)
		__atomic_fetch_sub(&s->all->n_searching, 1, __ATOMIC_SEQ_CST);
	s->searching = false;
	settle_keep(s);
	__atomic_store_n(
		&s->stats.busy_ns, s->stats.busy_ns + (uint64_t) (before_ns - s->woken_ns), __ATOMIC_RELAXED);
	__atomic_store_n(&s->woken_ns, 0, __ATOMIC_RELAXED);
	node_idle_sleep(s);
	__atomic_store_n(&s->woken_ns, node_clock_now(s->all->node), __ATOMIC_RELAXED);
	node_watch_scheduler_woke(s->all);
	(void) fire_timers(s);
}

/* Until the node stops, or the scheduler is taken away from the thread. */
static void serve(node_sched_thread_t *t)
{
	node_sched_local_t *s;
	set_ctx(t);
	t->ctx->keep = &t->local->keep; /* hand_over() takes it away with the scheduler */
	while ((s = __atomic_load_n(&t->local, __ATOMIC_RELAXED)) != NULL &&
		!__atomic_load_n(&t->all->stopping, __ATOMIC_RELAXED)) {
		if (s->yielded || s->tick % CLOCK_EVERY == 0)
			(void) fire_timers(s);
		if (s->tick % SETTLE_EVERY == 0)
			settle_keep(s);
		node_proc_t *proc = find_work(s);
		if (proc == NULL) {
			if (!node_timers_trim(s->all))
				go_to_sleep(s);
			continue;
		}
		stop_searching(s);
		node_run_turn(t, proc);
	}
}

static void *thread_main(void *arg)
{
	node_sched_thread_t *t = arg;
	node_switch_init_thread(&t->fiber);
	(void) prctl(
		PR_SET_TIMERSLACK, 1000UL); /* ns; the usual 50 us would be added to each nap and timer */
	node_fault_enter(t);
	if (node_watch_await_scheduler(t))
		serve(t);
	node_fault_leave(t);
	node_msg_drop_cache();
	*node_ctx_borrow() = (node_ctx_t){.tag = NODE_CTX_NONE};
	__atomic_store_n(&t->over, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* ---- driven by a test ---- */

static node_proc_t *choose(node_sched_local_t *s)
{
	node_sched_director_t *director = s->all->director;
	GPtrArray *ready = s->all->ready;
	node_proc_t *proc = node_direct_next(s);
	if (proc != NULL && !director->split(director)) /* as without a director: nobody comes between */
		return proc;
	do {
		if (proc != NULL)
			g_ptr_array_add(ready, proc);
		proc = node_queue_next(s);
	} while (proc != NULL);
	if (ready->len == 0)
		return NULL;
	uint32_t index = director->choose(director, (node_proc_t *const *) ready->pdata, ready->len);
	return g_ptr_array_remove_index(ready, index);
}

/* True: a process had a turn. *ret_more: there may be more to do, if only timers to fire or to free. */
static bool drive_one(node_sched_thread_t *t, bool *ret_more)
{
	bool timers = false;
	if (t->all->depth == 0) /* else timers may be firing just now, and would overtake each other */
		timers = fire_timers(t->local);
	node_proc_t *proc = t->all->director != NULL ? choose(t->local) : node_queue_next(t->local);
	if (proc != NULL)
		node_run_turn(t, proc);
	*ret_more = timers || proc != NULL;
	return proc != NULL;
}

/* A process gives way as it would after a long turn; one that is ending has left its stack, so others run on top of
 * this one. */
#define DEPTH_MAX 8u

static void wake_and_split(node_t *node, node_proc_t *proc)
{
	node_sched_t *all = node->sched;
	wake_proc(node, proc);
	const node_ctx_t *ctx = node_ctx_borrow();
	if (ctx->sched != &all->locals[0] || all->depth >= DEPTH_MAX)
		return;
	if (ctx->tag == NODE_CTX_PROCESS) {
		if (all->director->split(all->director))
			node_sched_yield(ctx->proc);
		return;
	}
	all->depth++;
	bool more;
	while (all->director->split(all->director) && drive_one(ctx->thread, &more))
		;
	all->depth--;
}

void node_sched_set_director(node_t *node, node_sched_director_t *director)
{
	node->sched->director = director;
	node->sched->ready = g_ptr_array_new();
	node->hooks.wake = wake_and_split;
}

/* To find a thread's stack is slow, and a test drives often. */
static node_sched_thread_t *driver(node_sched_t *all)
{
	if (all->driver == NULL)
		all->driver = node_mem_zalloc_lines(sizeof(node_sched_thread_t));
	if (all->driver != NULL && all->driver->ctx != node_ctx_borrow()) {
		*all->driver = (node_sched_thread_t){.all = all, .local = &all->locals[0]};
		node_switch_init_thread(&all->driver->fiber);
	}
	return all->driver;
}

uint64_t node_sched_drive(node_t *node, uint64_t max_turns)
{
	node_sched_thread_t *t = driver(node->sched);
	node_ctx_t saved = *node_ctx_borrow();
	uint64_t turns = 0;
	if (t == NULL)
		return 0;
	node_fault_enter(t);
	set_ctx(t);
	for (bool more = true; turns < max_turns && more;)
		if (drive_one(t, &more))
			turns++;
	node_fault_leave(t);
	node_ctx_t *ctx = node_ctx_borrow();
	ctx->node = saved.node;
	ctx->sched = saved.sched;
	ctx->thread = saved.thread;
	ctx->proc = saved.proc;
	ctx->tag = saved.tag;
	ctx->stack_floor = saved.stack_floor;
	return turns;
}

int64_t node_sched_next_timer_ns(node_t *node)
{
	return node_wheel_next_ns(&node->sched->locals[0].wheel);
}

/* ---- life ---- */

static void init_local(node_sched_t *all, uint32_t index)
{
	node_sched_local_t *s = &all->locals[index];
	s->all = all;
	s->index = index;
	s->begun_ns = node_clock_now(all->node);
	s->woken_ns = s->begun_ns;
	node_wheel_init(&s->wheel, s->begun_ns);
	s->wheel.take = node_timers_take;
}

static void close_stacks(node_sched_t *all)
{
	for (uint32_t i = 0; i < NODE_STACK_CLASSES; i++)
		if (all->stacks[i].arenas != NULL)
			node_stack_pool_fini(&all->stacks[i]);
}

/* What a stack can be: whole pages, of which one is the guard, and no more than anybody needs. */
static bool is_stack_size(size_t bytes)
{
	return bytes == 0 || (bytes >= STACK_LEAST && bytes <= STACK_MOST && bytes % 4096 == 0);
}

static int open_stacks(node_sched_t *all, const node_sched_options_t *options)
{
	uint32_t max_stacks = options->max_stacks != 0 ? options->max_stacks : MAX_STACKS;
	int r = node_stack_pool_init(
		&all->stacks[0], options->stack_bytes != 0 ? options->stack_bytes : STACK_BYTES, max_stacks);
	for (uint32_t i = 1; i < NODE_STACK_CLASSES && r == DREAM_OK; i++) {
		r = node_stack_pool_init(&all->stacks[i], node_stack_class_bytes(i), max_stacks);
		all->stacks[i].state = NODE_STACK_SPECIAL;
	}
	all->stow.keep = options->keep_warm != 0 ? options->keep_warm : KEEP_WARM;
	all->stow.most = all->stow.keep * MOST_WARM;
	all->stow.timer.fire = node_stow_fire;
	all->stow.timer.data = all;
	return r;
}

int node_sched_open(node_t *node, const node_sched_options_t *options)
{
	if (!is_stack_size(options->stack_bytes))
		return DREAM_EINVAL;
	node_sched_t *all = g_try_new0(node_sched_t, 1);
	if (all == NULL)
		return DREAM_ENOMEM;
	all->node = node;
	all->driven = options->n_threads == 0;
	all->n_locals = CLAMP(options->n_threads, 1, NODE_SCHED_MAX);
	all->locals = node_mem_zalloc_lines(all->n_locals * sizeof(node_sched_local_t));
	pthread_mutex_init(&all->lock, NULL);
	int r = all->locals == NULL ? DREAM_ENOMEM : open_stacks(all, options);
	if (r == DREAM_OK)
		r = node_timers_open(all);
	if (r == DREAM_OK)
		r = node_fault_open(all, options->crash_dir);
	if (r < 0) {
		node_fault_close(all);
		close_stacks(all);
		node_mem_free(all->locals);
		g_free(all);
		return r;
	}
	for (uint32_t i = 0; i < all->n_locals; i++)
		init_local(all, i);
	node->sched = all;
	all->threads = g_ptr_array_new();
	all->watch.slow_ns = options->slow_callback_ms * NODE_MS;
	node->hooks.killed = node_watch_kill;
	node->hooks.wake = wake_proc;
	node->hooks.block = node_run_block;
	node->hooks.leave = node_run_leave;
	node->hooks.hibernate = node_run_hibernate;
	node->hooks.set_priority = node_sched_set_priority;
	node->hooks.drop_timers = node_timers_drop;
	node->hooks.outlive = node_timers_outlive;
	return DREAM_OK;
}

node_sched_thread_t *node_sched_thread_new(node_sched_t *all, node_sched_local_t *s)
{
	node_sched_thread_t *t = node_mem_zalloc_lines(sizeof(node_sched_thread_t));
	if (t == NULL)
		return NULL;
	t->all = all;
	t->local = s;
	t->order = g_try_new0(node_interrupt_t, 1);
	if (pthread_create(&t->id, NULL, thread_main, t) != 0) {
		g_free(t->order);
		node_mem_free(t);
		return NULL;
	}
	pthread_setname_np(t->id, "scheduler");
	g_ptr_array_add(all->threads, t);
	return t;
}

int node_sched_start(node_t *node)
{
	node_sched_t *all = node->sched;
	all->started = true;
	for (uint32_t i = 0; i < all->n_locals && !all->driven; i++) {
		node_sched_thread_t *t = node_sched_thread_new(all, &all->locals[i]);
		if (t == NULL) {
			all->n_locals = i;
			return DREAM_ELIMIT;
		}
		__atomic_store_n(&all->locals[i].thread, t, __ATOMIC_RELAXED);
	}
	return all->driven ? DREAM_OK : node_watch_start(all);
}

bool node_sched_stop(node_t *node)
{
	node_sched_t *all = node->sched;
	if (!all->started || all->driven)
		return true;
	__atomic_store_n(&all->stopping, 1, __ATOMIC_SEQ_CST);
	node_idle_wake_all(all);
	node_watch_stop(all);
	for (uint32_t i = 0; i < all->threads->len; i++) {
		node_sched_thread_t *t = all->threads->pdata[i];
		node_futex_wake(&t->wake_word);
	}
	for (uint32_t i = 0; i < all->threads->len; i++)
		node_watch_join(all->threads->pdata[i]);
	g_ptr_array_set_size(all->threads, 0);
	for (uint32_t i = 0; i < all->n_locals && all->left_behind == 0; i++)
		node_keep_give_refs(&all->locals[i].keep);
	all->started = false;
	return all->left_behind == 0;
}

void node_sched_close(node_t *node)
{
	node_sched_t *all = node->sched;
	if (all == NULL)
		return;
	node_timers_close(all);
	node_fault_close(all);
	close_stacks(all);
	pthread_mutex_destroy(&all->lock);
	if (all->ready != NULL)
		g_ptr_array_free(all->ready, TRUE);
	node_mem_free(all->driver);
	g_ptr_array_free(all->threads, TRUE);
	node_mem_free(all->locals);
	g_free(all);
	node->sched = NULL;
}

uint32_t node_sched_count(const node_t *node)
{
	return node->sched->n_locals;
}

void node_sched_stats(const node_t *node, uint32_t index, node_sched_stats_t *ret_stats)
{
	const node_sched_local_t *s = &node->sched->locals[index];
	*ret_stats = (node_sched_stats_t){0};
	ret_stats->turns = __atomic_load_n(&s->stats.turns, __ATOMIC_RELAXED);
	ret_stats->stolen = __atomic_load_n(&s->stats.stolen, __ATOMIC_RELAXED);
	ret_stats->sleeps = __atomic_load_n(&s->stats.sleeps, __ATOMIC_RELAXED);
	int64_t now_ns = node_clock_now(node);
	ret_stats->age_ns = now_ns - s->begun_ns;
	int64_t woken_ns = __atomic_load_n(&s->woken_ns, __ATOMIC_RELAXED);
	ret_stats->asleep = woken_ns == 0;
	ret_stats->busy_ns = __atomic_load_n(&s->stats.busy_ns, __ATOMIC_RELAXED);
	if (!ret_stats->asleep)
		ret_stats->busy_ns += (uint64_t) (now_ns - woken_ns);
	ret_stats->taken_away = __atomic_load_n(&s->stats.taken_away, __ATOMIC_RELAXED);
	ret_stats->migrations = __atomic_load_n(&s->stats.migrations, __ATOMIC_RELAXED);
	for (uint32_t level = 0; level < NODE_PROC_LEVELS; level++)
		ret_stats->ready += node_runq_count(&s->runqs[level]);
	ret_stats->ready += __atomic_load_n(&s->spill.count, __ATOMIC_RELAXED);
}
