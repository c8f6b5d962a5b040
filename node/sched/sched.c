/* SPDX-License-Identifier: MIT */
#include "sched/sched.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "sched/local.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES ((size_t) 1 << 20)
#else
#define STACK_BYTES ((size_t) 128 << 10)
#endif
#define MAX_STACKS (UINT32_C(1) << 20)
#define CLOCK_EVERY 8u   /* turns between two looks at the clock */
#define LATE_MS 2        /* by which another scheduler's timers are late before a watcher fires them */
#define GLOBAL_EVERY 64u /* turns between two looks at the global queue while there is local work */

/* ---- queues ---- */

static void push_global(node_sched_t *all, node_proc_t *proc)
{
	pthread_mutex_lock(&all->lock);
	proc->next = NULL;
	if (all->global_last != NULL)
		all->global_last->next = proc;
	else
		all->global = proc;
	all->global_last = proc;
	__atomic_fetch_add(&all->n_global, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&all->lock);
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

void node_sched_push(node_sched_local_t *s, node_proc_t *proc)
{
	if (!node_runq_push(&s->runq, proc))
		push_global(s->all, proc);
	node_idle_wake_one(s->all);
}

/* For a process that this scheduler has just left: if nothing else is ready here it goes on with it at once, and
 * nobody needs to be woken. */
static void push_back(node_sched_local_t *s, node_proc_t *proc)
{
	if (node_runq_is_empty(&s->runq) && __atomic_load_n(&s->handoff, __ATOMIC_RELAXED) == NULL)
		(void) node_runq_push(&s->runq, proc);
	else
		node_sched_push(s, proc);
}

/* The process just messaged runs next on this thread; who stood there before goes to the queue. */
static void hand_off(node_sched_local_t *s, node_proc_t *proc)
{
	/* Only we fill the slot, so an empty one needs no exchange. */
	node_proc_t *before = __atomic_load_n(&s->handoff, __ATOMIC_RELAXED);
	if (before != NULL)
		before = __atomic_exchange_n(&s->handoff, proc, __ATOMIC_ACQ_REL);
	else
		__atomic_store_n(&s->handoff, proc, __ATOMIC_RELEASE);
	if (before != NULL)
		node_sched_push(s, before);
	else if (__atomic_load_n(&s->all->n_watching, __ATOMIC_SEQ_CST) == 0)
		node_idle_wake_one(s->all);
}

static void wake_proc(node_t *node, node_proc_t *proc)
{
	node_sched_t *all = node->sched;
	node_sched_local_t *s = node_ctx_borrow()->sched;
	__atomic_store_n(&proc->run_state, NODE_PROC_READY, __ATOMIC_RELAXED);
	if (s != NULL && s->all == all) {
		hand_off(s, proc);
		return;
	}
	push_global(all, proc);
	node_idle_wake_one(all);
}

bool node_sched_has_work(node_sched_t *all)
{
	if (__atomic_load_n(&all->n_global, __ATOMIC_SEQ_CST) > 0)
		return true;
	for (uint32_t i = 0; i < all->n_locals; i++)
		if (!node_runq_is_empty(&all->locals[i].runq))
			return true;
	return false;
}

/* Whether a scheduler has not finished a turn since @s last looked. */
static bool is_stuck(node_sched_local_t *s, uint32_t index)
{
	uint64_t turns = __atomic_load_n(&s->all->locals[index].stats.turns, __ATOMIC_RELAXED);
	bool stuck = s->seen_turns[index] == turns;
	s->seen_turns[index] = turns;
	return stuck && index != s->index;
}

bool node_sched_look_around(node_sched_local_t *s)
{
	bool found = false;
	int64_t overdue_ns = node_clock_now(s->all->node) - LATE_MS * NODE_MS;
	for (uint32_t i = 0; i < s->all->n_locals; i++) {
		node_sched_local_t *other = &s->all->locals[i];
		if (!is_stuck(s, i))
			continue;
		if (__atomic_load_n(&other->handoff, __ATOMIC_SEQ_CST) != NULL ||
			__atomic_load_n(&other->caller, __ATOMIC_SEQ_CST) != NULL) {
			s->left_lying |= UINT64_C(1) << i;
			found = true;
		}
		/* a process that computes for long must not make others' timers late */
		if (node_wheel_next_ns(&other->wheel) < overdue_ns)
			found |= node_wheel_advance(&other->wheel, overdue_ns + LATE_MS * NODE_MS) > 0;
	}
	return found;
}

static node_proc_t *take_handoff(node_sched_local_t *s)
{
	if (__atomic_load_n(&s->handoff, __ATOMIC_RELAXED) == NULL)
		return NULL;
	return __atomic_exchange_n(&s->handoff, NULL, __ATOMIC_ACQ_REL);
}

/* From queues, and from hand-off slots only what was left lying: it is about to run where its data is. */
static node_proc_t *steal(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	node_proc_t *proc = NULL;
	for (uint32_t i = 1; i < all->n_locals && proc == NULL; i++)
		proc = node_runq_steal(&s->runq, &all->locals[(s->index + i) % all->n_locals].runq);
	for (; s->left_lying != 0 && proc == NULL; s->left_lying &= s->left_lying - 1) {
		node_sched_local_t *other = &all->locals[__builtin_ctzll(s->left_lying)];
		node_direct_settle(s, other);
		proc = take_handoff(other);
	}
	if (proc != NULL)
		__atomic_store_n(&s->stats.stolen, s->stats.stolen + 1, __ATOMIC_RELAXED);
	/* While they were on their way here, others may have gone to sleep for want of them. */
	if (!node_runq_is_empty(&s->runq))
		node_idle_wake_one(all);
	return proc;
}

static node_proc_t *next_ready(node_sched_local_t *s)
{
	node_proc_t *proc = node_direct_next(s);
	if (proc != NULL)
		return proc;
	if (s->tick % GLOBAL_EVERY == 0)
		proc = pop_global(s->all);
	if (proc == NULL && s->handoffs < NODE_SCHED_HANDOFFS) {
		proc = take_handoff(s);
		s->handoffs = proc != NULL ? s->handoffs + 1 : 0;
	}
	if (proc == NULL) {
		s->handoffs = 0;
		proc = node_runq_pop(&s->runq);
	}
	if (proc == NULL)
		proc = take_handoff(s);
	if (proc == NULL)
		proc = pop_global(s->all);
	return proc;
}

/* ---- running one process ---- */

static void set_ctx(node_t *node, node_sched_local_t *s)
{
	node_ctx_t *ctx = node_ctx_borrow();
	ctx->node = node;
	ctx->sched = s;
	ctx->proc = NULL;
	ctx->tag = s != NULL ? NODE_CTX_SCHED : NODE_CTX_NONE;
	if (s != NULL)
		s->ctx = ctx;
}

static void fire_block(void *data)
{
	node_proc_t *proc = data;
	if (node_proc_rouse(proc))
		proc->node->hooks.wake(proc->node, proc);
}

static void requeue(node_sched_local_t *s, node_proc_t *proc)
{
	__atomic_store_n(&proc->run_state, NODE_PROC_READY, __ATOMIC_RELAXED);
	push_back(s, proc);
}

static void rest(node_sched_local_t *s, node_proc_t *proc)
{
	if (!node_proc_rest(proc))
		requeue(s, proc);
}

/* The timer is armed here, not by the process: it must not fire before the process is marked idle. */
void node_sched_park(node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack)
{
	proc->stack = stack;
	if (stack->deadline_ns != NODE_FOREVER) {
		stack->timer.fire = fire_block;
		stack->timer.data = proc;
		stack->timer_armed = true;
		node_wheel_add(&s->wheel, &stack->timer, stack->deadline_ns);
	}
	rest(s, proc);
}

static node_stack_t *stack_for(node_sched_local_t *s, node_proc_t *proc)
{
	node_stack_t *stack = proc->stack;
	if (stack != NULL) {
		proc->stack = NULL;
		return stack;
	}
	stack = s->stack != NULL ? s->stack : node_stack_take(&s->all->stacks);
	s->stack = NULL;
	return stack;
}

static void keep_stack(node_sched_local_t *s, node_stack_t *stack)
{
	stack->proc = NULL;
	if (s->stack == NULL)
		s->stack = stack;
	else
		node_stack_give(&s->all->stacks, stack);
}

static void finish(node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack)
{
	switch (stack->outcome) {
	case NODE_STACK_BLOCK:
		node_sched_park(s, proc, stack);
		return;
	case NODE_STACK_CALL:
		node_direct_wait(s, proc, stack);
		return;
	case NODE_STACK_YIELD:
		proc->stack = stack;
		requeue(s, proc);
		return;
	case NODE_STACK_IDLE:
		keep_stack(s, stack);
		rest(s, proc);
		return;
	case NODE_STACK_AGAIN:
		keep_stack(s, stack);
		requeue(s, proc);
		return;
	case NODE_STACK_LEAVE:
		node_stack_reset(stack);
		keep_stack(s, stack);
		node_proc_die(proc);
		return;
	default:
		keep_stack(s, stack);
		node_proc_die(proc);
	}
}

static void run(node_sched_local_t *s, node_proc_t *proc)
{
	s->tick++;
	__atomic_store_n(&s->stats.turns, s->stats.turns + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->run_state, NODE_PROC_RUNNING, __ATOMIC_RELAXED);
	node_stack_t *stack = stack_for(s, proc);
	if (stack == NULL) { /* as with memory: this process cannot go on, others may */
		node_log(s->all->node, DREAM_LOG_ERROR,
			"no stack for a process: %u in use; raise max_stacks or vm.max_map_count",
			s->all->stacks.n_stacks);
		node_proc_set_exit_take(proc, node_msg_text("system_limit"));
		node_proc_die(proc);
		return;
	}
	stack->proc = proc;
	stack->back = &s->fiber;
	__atomic_store_n(&proc->last_sched, s->index, __ATOMIC_RELAXED);
	s->running = stack;
	s->ctx->proc = proc;
	s->ctx->tag = NODE_CTX_PROCESS;
	node_switch_to(&s->fiber, &stack->fiber);
	s->ctx->proc = NULL;
	s->ctx->tag = NODE_CTX_SCHED;
	node_direct_settle(s, s);
	finish(s, proc, stack);
}

/* ---- what a process does on its stack ---- */

void node_sched_go_back(node_stack_t *stack, int outcome, int64_t deadline_ns)
{
	stack->outcome = outcome;
	stack->deadline_ns = deadline_ns;
	node_switch_to(&stack->fiber, stack->back);
	if (stack->timer_armed)
		(void) node_wheel_cancel(&stack->timer);
	stack->timer_armed = false;
}

static void go_back(int outcome, int64_t deadline_ns)
{
	node_sched_go_back(((node_sched_local_t *) node_ctx_borrow()->sched)->running, outcome, deadline_ns);
}

static void block(node_proc_t *proc, int64_t deadline_ns)
{
	(void) proc;
	go_back(NODE_STACK_BLOCK, deadline_ns);
}

static void leave(node_proc_t *proc)
{
	(void) proc;
	go_back(NODE_STACK_LEAVE, NODE_FOREVER);
	abort();
}

void node_sched_yield(node_proc_t *proc)
{
	(void) proc;
	go_back(NODE_STACK_YIELD, NODE_FOREVER);
}

/* ---- the loop of a scheduler ---- */

static void fire_timers(node_sched_local_t *s)
{
	if (node_wheel_next_ns(&s->wheel) != NODE_FOREVER)
		(void) node_wheel_advance(&s->wheel, node_clock_now(s->all->node));
}

/* Points 2 and 3 of idle.c. */
static void stop_searching(node_sched_local_t *s)
{
	node_sched_t *all = s->all;
	if (!s->searching)
		return;
	s->searching = false;
	if (__atomic_sub_fetch(&all->n_searching, 1, __ATOMIC_SEQ_CST) != 0)
		return;
	bool unwatched =
		__atomic_load_n(&all->n_watching, __ATOMIC_SEQ_CST) == 0 && node_idle_is_other_awake(s);
	if (unwatched || node_sched_has_work(all))
		node_idle_wake_one(all);
}

static node_proc_t *find_work(node_sched_local_t *s)
{
	node_proc_t *proc = next_ready(s);
	if (proc == NULL) {
		fire_timers(s);
		proc = next_ready(s);
	}
	return proc != NULL ? proc : steal(s);
}

static void go_to_sleep(node_sched_local_t *s)
{
	int64_t before_ns = node_clock_now(s->all->node);
	if (s->searching)
		__atomic_fetch_sub(&s->all->n_searching, 1, __ATOMIC_SEQ_CST);
	s->searching = false;
	__atomic_store_n(
		&s->stats.busy_ns, s->stats.busy_ns + (uint64_t) (before_ns - s->woken_ns), __ATOMIC_RELAXED);
	node_idle_sleep(s);
	s->woken_ns = node_clock_now(s->all->node);
	fire_timers(s);
}

static void *thread_main(void *arg)
{
	node_sched_local_t *s = arg;
	node_switch_init_thread(&s->fiber);
	set_ctx(s->all->node, s);
	s->woken_ns = node_clock_now(s->all->node);
	while (!__atomic_load_n(&s->all->stopping, __ATOMIC_RELAXED)) {
		if (s->tick % CLOCK_EVERY == 0)
			fire_timers(s);
		node_proc_t *proc = find_work(s);
		if (proc == NULL) {
			go_to_sleep(s);
			continue;
		}
		stop_searching(s);
		run(s, proc);
	}
	node_msg_drop_cache();
	set_ctx(NULL, NULL);
	return NULL;
}

/* ---- driven by a test ---- */

uint64_t node_sched_drive(node_t *node, uint64_t max_turns)
{
	node_sched_local_t *s = &node->sched->locals[0];
	node_ctx_t saved = *node_ctx_borrow();
	uint64_t turns = 0;
	node_switch_init_thread(&s->fiber);
	set_ctx(node, s);
	while (turns < max_turns) {
		fire_timers(s);
		node_proc_t *proc = next_ready(s);
		if (proc == NULL)
			break;
		run(s, proc);
		turns++;
	}
	node_ctx_t *ctx = node_ctx_borrow();
	ctx->node = saved.node;
	ctx->sched = saved.sched;
	ctx->proc = saved.proc;
	ctx->tag = saved.tag;
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
	node_wheel_init(&s->wheel, node_clock_now(all->node));
}

int node_sched_open(node_t *node, const node_sched_options_t *options)
{
	node_sched_t *all = g_try_new0(node_sched_t, 1);
	if (all == NULL)
		return DREAM_ENOMEM;
	all->node = node;
	all->driven = options->n_threads == 0;
	all->n_locals = CLAMP(options->n_threads, 1, NODE_SCHED_MAX);
	all->locals = g_try_new0(node_sched_local_t, all->n_locals);
	pthread_mutex_init(&all->lock, NULL);
	int r = all->locals == NULL ? DREAM_ENOMEM
				    : node_stack_pool_init(&all->stacks,
					      options->stack_bytes != 0 ? options->stack_bytes : STACK_BYTES,
					      options->max_stacks != 0 ? options->max_stacks : MAX_STACKS);
	if (r == DREAM_OK)
		r = node_timers_open(all);
	if (r < 0) {
		g_free(all->locals);
		g_free(all);
		return r;
	}
	for (uint32_t i = 0; i < all->n_locals; i++)
		init_local(all, i);
	node->sched = all;
	node->hooks.wake = wake_proc;
	node->hooks.block = block;
	node->hooks.leave = leave;
	node->hooks.drop_timers = node_timers_drop;
	return DREAM_OK;
}

int node_sched_start(node_t *node)
{
	node_sched_t *all = node->sched;
	all->started = true;
	for (uint32_t i = 0; i < all->n_locals && !all->driven; i++) {
		char name[24];
		if (pthread_create(&all->locals[i].thread, NULL, thread_main, &all->locals[i]) != 0) {
			all->n_locals = i;
			return DREAM_ELIMIT;
		}
		snprintf(name, sizeof(name), "sched-%u", i);
		pthread_setname_np(all->locals[i].thread, name);
	}
	return DREAM_OK;
}

void node_sched_stop(node_t *node)
{
	node_sched_t *all = node->sched;
	if (!all->started || all->driven)
		return;
	__atomic_store_n(&all->stopping, 1, __ATOMIC_SEQ_CST);
	node_idle_wake_all(all);
	for (uint32_t i = 0; i < all->n_locals; i++)
		pthread_join(all->locals[i].thread, NULL);
	all->started = false;
}

void node_sched_close(node_t *node)
{
	node_sched_t *all = node->sched;
	if (all == NULL)
		return;
	node_timers_close(all);
	node_stack_pool_fini(&all->stacks);
	pthread_mutex_destroy(&all->lock);
	g_free(all->locals);
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
	ret_stats->turns = __atomic_load_n(&s->stats.turns, __ATOMIC_RELAXED);
	ret_stats->stolen = __atomic_load_n(&s->stats.stolen, __ATOMIC_RELAXED);
	ret_stats->sleeps = __atomic_load_n(&s->stats.sleeps, __ATOMIC_RELAXED);
	ret_stats->busy_ns = __atomic_load_n(&s->stats.busy_ns, __ATOMIC_RELAXED);
	ret_stats->ready = node_runq_count(&s->runq);
}
