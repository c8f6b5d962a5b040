/* SPDX-License-Identifier: MIT */
/* When the stacks of processes that wait are stowed. A process blocked in a receive or a call holds one page or two for some
 * four hundred bytes, and 2.7 us pass until it has them again, so what is awake often keeps them:
 *
 * - As long as no more than KEEP stacks of a size have memory, nothing happens at all.
 * - Beyond that a pass every PASS_MS stows what was blocked before the pass before; in slices, so that it holds no scheduler
 *   for long. They cease when all that is left is not to be moved, until something blocks again: an idle node uses no CPU.
 * - When MOST have memory, whoever needs another stack first stows those of a region or so, however short they waited, so that a
 *   burst costs time rather than memory.
 *
 * Who stows must own the process, as if it were to run it: it takes it from its sleep as a waker would (proctab.c), and
 * marks it asleep again afterwards. A signal that came meanwhile is found then, and the process is run; a timer that fired
 * meanwhile was taken out of its wheel before, or is as good as a signal.
 *
 * Nobody but the process itself may have an address on its stack meanwhile. That is so in a receive and in a call, which
 * say so (NODE_PROC_MOVABLE, node_call_slot_t.movable); who waits for anything else keeps its stack. */
#include "base/clock.h"
#include "sched/local.h"

#define PASS_MS 250
#define SLICE_MS 1
#define SLICE_STACKS 256u  /* stowed in a slice: some 0.3 ms */
#define SLICE_REGIONS 256u /* looked at in a slice */

static bool is_movable(const node_proc_t *proc)
{
	if (proc->flags & NODE_PROC_SYSTEM)
		return false;
	return (proc->flags & NODE_PROC_MOVABLE) != 0 || (proc->slot != NULL && proc->slot->movable);
}

/* For a thread that is no scheduler: one that sleeps, or each in turn, since one in a long turn looks at no timers. */
static node_sched_local_t *any_local(node_sched_t *all)
{
	uint64_t sleepers = __atomic_load_n(&all->sleepers, __ATOMIC_RELAXED);
	uint32_t next = __atomic_fetch_add(&all->stow.next_local, 1, __ATOMIC_RELAXED) % all->n_locals;
	return &all->locals[sleepers != 0 ? (uint32_t) __builtin_ctzll(sleepers) : next];
}

static void arm(node_sched_t *all, node_wheel_entry_t *timer, int64_t deadline_ns)
{
	node_sched_local_t *s = node_ctx_borrow()->sched;
	bool foreign = s == NULL || s->all != all;
	if (foreign)
		s = any_local(all);
	node_wheel_add(&s->wheel, timer, deadline_ns);
	if (foreign)
		node_idle_wake(s);
}

/* Makes @proc ours if it sleeps with this very stack. */
static bool claim(node_proc_t *proc, node_stack_t *stack)
{
	if (!node_proc_rouse(proc))
		return false;
	bool ours = proc->stack == stack && is_movable(proc);
	if (ours && (!stack->timer_armed || node_wheel_cancel(&stack->timer)))
		return true;
	/* as it was, unless its time is over */
	if (ours || !node_proc_rest(proc))
		proc->node->hooks.wake(proc->node, proc);
	return false;
}

/* The timer is in a wheel again before the process sleeps, as in node_run_park(); if it was due already, somebody may have
 * fired it in between, in vain. What is read here may be another's as soon as the process sleeps. */
static void let_go(node_sched_t *all, node_stack_t *stack)
{
	node_proc_t *proc = stack->proc;
	bool timed = stack->timer_armed;
	int64_t deadline_ns = stack->deadline_ns;
	if (timed)
		arm(all, &stack->timer, deadline_ns);
	bool awake = !node_proc_rest(proc);
	if (!awake && timed && node_clock_now(all->node) >= deadline_ns)
		awake = node_proc_rouse(proc);
	if (awake)
		proc->node->hooks.wake(proc->node, proc);
}

/* Epochs turn round; a stack blocked 2^31 passes ago may wait one more. */
static bool waits_since(const node_stack_t *stack, uint32_t epoch)
{
	return (int32_t) (epoch - __atomic_load_n(&stack->epoch, __ATOMIC_RELAXED)) > 0;
}

static bool is_young(node_sched_t *all, const node_stack_t *stack, bool any_age)
{
	if (any_age || waits_since(stack, __atomic_load_n(&all->stow.epoch, __ATOMIC_RELAXED) >> 1))
		return false;
	all->stow.n_young++;
	return true;
}

static uint32_t stow_region(node_sched_t *all, node_stack_pool_t *pool, uint32_t index, bool any_age)
{
	node_stack_t *stacks;
	node_stack_t *stowed[NODE_STACK_REGION_MAX];
	uint32_t n_stowed = 0;
	uint32_t n = node_stack_region(pool, index, &stacks);
	for (uint32_t i = 0; i < n; i++) {
		node_stack_t *stack = &stacks[i];
		node_proc_t *proc = __atomic_load_n(&stack->proc, __ATOMIC_RELAXED);
		bool has = proc != NULL &&
			   __atomic_load_n(&proc->run_state, __ATOMIC_RELAXED) == NODE_PROC_IDLE &&
			   !(__atomic_load_n(&stack->state, __ATOMIC_RELAXED) & NODE_STACK_STOWED);
		if (!has || is_young(all, stack, any_age) || !claim(proc, stack))
			continue;
		if (node_stack_stow(stack))
			stowed[n_stowed++] = stack;
		else
			let_go(all, stack);
	}
	if (n_stowed > 0)
		node_stack_cool(stowed, n_stowed);
	for (uint32_t i = 0; i < n_stowed; i++)
		let_go(all, stowed[i]);
	return n_stowed;
}

static uint32_t n_warm(const node_stack_pool_t *pool)
{
	return __atomic_load_n(&pool->n_warm, __ATOMIC_RELAXED);
}

static uint32_t n_regions(const node_stack_pool_t *pool)
{
	return (__atomic_load_n(&pool->n_stacks, __ATOMIC_RELAXED) + pool->per_region - 1) / pool->per_region;
}

/* ---- passes ---- */

static void arm_pass(node_sched_t *all, int64_t delay_ms)
{
	arm(all, &all->stow.timer, node_clock_now(all->node) + delay_ms * NODE_MS);
}

static void start_passes(node_sched_t *all)
{
	if (!__atomic_exchange_n(&all->stow.armed, true, __ATOMIC_ACQ_REL))
		arm_pass(all, PASS_MS);
}

static bool is_over_keep(const node_sched_t *all)
{
	for (uint32_t i = 0; i < NODE_STACK_CLASSES; i++)
		if (n_warm(&all->stacks[i]) > all->stow.keep)
			return true;
	return false;
}

static void start_pass(node_sched_t *all)
{
	for (uint32_t i = 0; i < NODE_STACK_CLASSES; i++)
		all->stow.left[i] = n_warm(&all->stacks[i]) > all->stow.keep ? n_regions(&all->stacks[i]) : 0;
	all->stow.n_done = all->stow.n_young = 0;
}

/* Returns true when the pass is over. */
static bool run_slice(node_sched_t *all)
{
	node_stow_t *stow = &all->stow;
	uint32_t regions = SLICE_REGIONS;
	uint32_t done = 0;
	for (uint32_t i = 0; i < NODE_STACK_CLASSES; i++) {
		node_stack_pool_t *pool = &all->stacks[i];
		if (stow->left[i] > 0)
			done += node_stack_trim(pool, stow->keep / 2, SLICE_STACKS);
		while (stow->left[i] > 0 && n_warm(pool) > stow->keep) {
			if (done >= SLICE_STACKS || regions-- == 0) {
				stow->n_done += done;
				return false;
			}
			done += stow_region(all, pool, --stow->left[i], false);
		}
		stow->left[i] = 0;
	}
	stow->n_done += done;
	return true;
}

static void cease(node_sched_t *all)
{
	node_stow_t *stow = &all->stow;
	bool over = is_over_keep(all);
	uint32_t epoch = __atomic_load_n(&stow->epoch, __ATOMIC_RELAXED);
	__atomic_store_n(&stow->epoch, over ? epoch | 1 : epoch, __ATOMIC_RELAXED);
	__atomic_store_n(&stow->armed, false, __ATOMIC_RELEASE);
}

/* The watchdog fires timers of a scheduler that is in a long turn; it must not be kept itself. */
static bool is_scheduler(const node_sched_t *all)
{
	const node_sched_local_t *s = node_ctx_borrow()->sched;
	return s != NULL && s->all == all;
}

void node_stow_fire(void *data)
{
	node_sched_t *all = data;
	node_stow_t *stow = &all->stow;
	if (!stow->in_pass)
		start_pass(all);
	stow->in_pass = !is_scheduler(all) || !run_slice(all);
	if (stow->in_pass) {
		arm_pass(all, SLICE_MS);
		return;
	}
	__atomic_fetch_add(&stow->epoch, 2, __ATOMIC_RELAXED);
	if (is_over_keep(all) && stow->n_done + stow->n_young > 0)
		arm_pass(all, PASS_MS);
	else
		cease(all);
}

void node_stow_again(node_sched_t *all)
{
	__atomic_fetch_and(&all->stow.epoch, ~UINT32_C(1), __ATOMIC_RELAXED);
	start_passes(all);
}

void node_stow_grown(node_sched_t *all, node_stack_pool_t *pool)
{
	node_stow_t *stow = &all->stow;
	if (!NODE_STACK_CAN_STOW || n_warm(pool) <= stow->keep)
		return;
	if (!__atomic_load_n(&stow->armed, __ATOMIC_RELAXED))
		start_passes(all);
	if (n_warm(pool) > stow->most)
		(void) stow_region(all, pool,
			__atomic_fetch_add(&pool->hand, 1, __ATOMIC_RELAXED) % n_regions(pool), true);
}
