/* SPDX-License-Identifier: MIT */
/* One turn of one process: onto its stack, and what becomes of it when it comes back. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "sched/fault_local.h"
#include "sched/interrupt.h"

#define FIRST_GRANT 8u /* of a turn's budget, before the clock is read */

/* ---- leaving the scheduler's queues ---- */

static void requeue(node_sched_t *all, node_sched_local_t *s, node_proc_t *proc)
{
	__atomic_store_n(&proc->run_state, NODE_PROC_READY, __ATOMIC_RELAXED);
	if (s != NULL)
		node_queue_push_back(s, proc);
	else
		node_queue_push_global(all, proc);
}

static void rest(node_sched_t *all, node_sched_local_t *s, node_proc_t *proc)
{
	if (!node_proc_rest(proc))
		requeue(all, s, proc);
}

static void fire_block(void *data)
{
	node_proc_alarm(data);
}

/* The timer is armed before the process sleeps, since its stack may be another's as soon as it does. If it fires in between,
 * from the watchdog or the scheduler that has the first wheel, the process does not fall asleep (node_proc_alarm()). */
void node_run_park(node_sched_t *all, node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack)
{
	node_sched_local_t *owner = s != NULL ? s : &all->locals[0];
	bool timed = stack->deadline_ns != NODE_FOREVER;
	proc->stack = stack;
	node_stow_note(all, stack);
	if (timed) {
		stack->timer.fire = fire_block;
		stack->timer.data = proc;
		stack->timer_armed = true;
		node_wheel_add(&owner->wheel, &stack->timer, stack->deadline_ns);
	}
	rest(all, s, proc);
	if (timed && s == NULL)
		node_idle_wake(owner);
}

/* ---- stacks ---- */

static node_stack_t *take_stack(node_sched_t *all, uint32_t size_class)
{
	node_stack_t *stack = node_stack_take(&all->stacks[size_class]);
	node_stow_grown(all, &all->stacks[size_class]);
	return stack;
}

static node_stack_t *stack_for(node_sched_local_t *s, node_proc_t *proc)
{
	node_stack_t *stack = proc->stack;
	if (stack != NULL) {
		proc->stack = NULL;
		if (stack->state & NODE_STACK_STOWED) {
			node_stack_unstow(stack);
			node_stow_grown(s->all, node_stack_pool_of(stack));
		}
		return stack;
	}
	bool special = (proc->flags & NODE_PROC_STACK_SIZE) != 0;
	stack = s->stack;
	if (stack == NULL || special)
		return take_stack(s->all, special ? node_proc_extra(proc)->stack_class : 0);
	s->stack = NULL;
	return stack;
}

static void keep_stack(node_sched_local_t *s, node_stack_t *stack)
{
	__atomic_store_n(&stack->proc, NULL, __ATOMIC_RELAXED);
	if (s != NULL && s->stack == NULL && !(stack->state & NODE_STACK_SPECIAL))
		s->stack = stack;
	else
		node_stack_give(stack);
}

/* ---- a turn ---- */

/* @s: NULL if the scheduler was taken from the thread during this turn. */
static void finish(node_sched_t *all, node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack)
{
	switch (stack->outcome) {
	case NODE_STACK_BLOCK:
		node_run_park(all, s, proc, stack);
		return;
	case NODE_STACK_CALL:
		node_direct_wait(s, proc, stack);
		return;
	case NODE_STACK_YIELD:
		proc->stack = stack;
		if (s != NULL)
			s->yielded = true;
		requeue(all, s, proc);
		return;
	case NODE_STACK_IDLE:
		keep_stack(s, stack);
		rest(all, s, proc);
		return;
	case NODE_STACK_AGAIN:
		keep_stack(s, stack);
		requeue(all, s, proc);
		return;
	case NODE_STACK_HIBERNATE:
		node_stack_reset(stack);
		keep_stack(s, stack);
		if (proc->inbox != NULL) /* RCV-3 */
			requeue(all, s, proc);
		else
			rest(all, s, proc);
		return;
	case NODE_STACK_LEAVE:
		node_stack_reset(stack);
		keep_stack(s, stack);
		node_proc_die(proc);
		return;
	case NODE_STACK_FAULT:
		node_stack_reset(stack);
		keep_stack(s, stack);
		node_fault_bury(proc);
		return;
	case NODE_STACK_KILLED:
		node_stack_reset(stack);
		keep_stack(s, stack);
		node_proc_set_exit_take(proc, node_msg_text("killed")); /* X2 */
		node_proc_die(proc);
		return;
	default:
		keep_stack(s, stack);
		node_proc_die(proc);
	}
}

/* As with memory: this process cannot go on, others may. */
static void end_without_stack(node_sched_t *all, node_proc_t *proc)
{
	node_log(all->node, DREAM_LOG_ERROR,
		"no stack for a process: %u in use; raise max_stacks or vm.max_map_count",
		all->stacks[node_proc_extra(proc)->stack_class].n_stacks);
	node_proc_set_exit_take(proc, node_msg_text("system_limit"));
	node_proc_die(proc);
}

static void count_turn(node_sched_local_t *s, node_proc_t *proc)
{
	s->tick++;
	__atomic_store_n(&s->stats.turns, s->stats.turns + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->run_state, NODE_PROC_RUNNING, __ATOMIC_RELAXED);
	if (__atomic_load_n(&proc->last_sched, __ATOMIC_RELAXED) == s->index)
		return;
	__atomic_store_n(&s->stats.migrations, s->stats.migrations + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->last_sched, s->index, __ATOMIC_RELAXED);
}

static void grant(node_ctx_t *ctx, uint32_t n)
{
	ctx->budget = n;
	ctx->rest -= n;
}

static void begin_turn(node_sched_thread_t *t)
{
	__atomic_store_n(&t->turn, t->turn + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&t->hurry, 0, __ATOMIC_RELAXED);
	t->ctx->first_look_ns = 0;
	t->ctx->rest = NODE_SCHED_BUDGET;
	grant(t->ctx, FIRST_GRANT);
}

void node_run_turn(node_sched_thread_t *t, node_proc_t *proc)
{
	node_sched_local_t *s = t->local;
	node_sched_t *all = t->all;
	node_ctx_t *ctx = t->ctx;
	count_turn(s, proc);
	node_stack_t *stack = stack_for(s, proc);
	if (stack == NULL) {
		end_without_stack(all, proc);
		return;
	}
	__atomic_store_n(&stack->proc, proc, __ATOMIC_RELAXED);
	stack->back = &t->fiber;
	__atomic_store_n(&t->running, stack, __ATOMIC_RELEASE);
	begin_turn(t);
	ctx->stack_floor = node_stack_floor(stack);
	ctx->proc = proc;
	ctx->tag = NODE_CTX_PROCESS;
	node_switch_to(&t->fiber, &stack->fiber);
	if (ctx->n_held > 0)
		node_proc_settle_held(proc, ctx);
	ctx->proc = NULL;
	ctx->tag = NODE_CTX_SCHED;
	s = __atomic_load_n(&t->local, __ATOMIC_RELAXED);
	if (s != NULL)
		node_direct_settle(s, s);
	else
		node_interrupt_over(all);
	finish(all, s, proc, stack);
}

/* ---- what a process does on its stack ---- */

node_stack_t *node_run_stack(void)
{
	return ((node_sched_thread_t *) node_ctx_borrow()->thread)->running;
}

void node_run_go_back(node_stack_t *stack, int outcome, int64_t deadline_ns)
{
	stack->outcome = (int16_t) outcome;
	stack->deadline_ns = deadline_ns;
	node_switch_to(&stack->fiber, stack->back);
	if (stack->timer_armed)
		(void) node_wheel_cancel(&stack->timer);
	stack->timer_armed = false;
}

void node_run_block(node_proc_t *proc, int64_t deadline_ns)
{
	(void) proc;
	node_run_go_back(node_run_stack(), NODE_STACK_BLOCK, deadline_ns);
}

void node_run_leave(node_proc_t *proc)
{
	(void) proc;
	node_run_go_back(node_run_stack(), NODE_STACK_LEAVE, NODE_FOREVER);
	abort();
}

void node_run_hibernate(node_proc_t *proc)
{
	(void) proc;
	node_run_go_back(node_run_stack(), NODE_STACK_HIBERNATE, NODE_FOREVER);
	abort();
}

void node_sched_yield(node_proc_t *proc)
{
	(void) proc;
	node_run_go_back(node_run_stack(), NODE_STACK_YIELD, NODE_FOREVER);
}

static bool has_work(const node_sched_local_t *s, int64_t now_ns)
{
	return node_queue_is_waiting(s, NODE_PROC_LEVELS - 1) || node_wheel_next_ns(&s->wheel) <= now_ns ||
	       __atomic_load_n(&s->all->n_global, __ATOMIC_RELAXED) > 0;
}

/* With nothing else to do here the turn simply begins anew. */
static void give_way(node_proc_t *proc, node_ctx_t *ctx, int64_t now_ns)
{
	const node_sched_local_t *s = ctx->sched;
	begin_turn(ctx->thread);
	if (s == NULL || has_work(s, now_ns))
		node_sched_yield(proc);
}

/* Most turns are over before the clock is read. Then it is read more and more seldom if the process is quick: how much it
 * asked for between the first look and this one says how much it will until its time is over. */
void node_sched_spent(node_proc_t *proc)
{
	node_ctx_t *ctx = node_ctx_borrow();
	int64_t now_ns = node_clock_now(proc->node);
	uint32_t used = NODE_SCHED_BUDGET - ctx->rest;
	if (node_sched_is_late(ctx) || ctx->rest == 0) {
		give_way(proc, ctx, now_ns);
		return;
	}
	if (ctx->first_look_ns == 0) {
		ctx->first_look_ns = now_ns;
		grant(ctx, FIRST_GRANT);
		return;
	}
	int64_t each_ns = MAX((now_ns - ctx->first_look_ns) / (used - FIRST_GRANT), 1);
	int64_t left_ns = NODE_SCHED_TURN_NS - each_ns * used;
	if (left_ns < each_ns)
		give_way(proc, ctx, now_ns);
	else
		grant(ctx, (uint32_t) MIN(left_ns / each_ns, MIN(ctx->rest, 3 * used)));
}
