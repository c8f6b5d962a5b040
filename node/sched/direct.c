/* SPDX-License-Identifier: MIT */
/* The usual call finds its server asleep, and is answered in the server's next turn. Then nobody else need know of
 * it: the server runs next on this scheduler, and the caller right after it. The caller is not even marked asleep
 * meanwhile, which would take a locked instruction, as would waking it; nor is its timer armed. It stands in
 * s->caller. If that turn ends without the answer, the caller is parked as if it had just blocked.
 *
 * Who sends the caller something meanwhile finds it awake and leaves the signal in its queue. Parking finds it there;
 * so does the caller, if it was answered. If the turn is long, the watchdog parks the caller (watch.c), so that it can
 * be killed or give up. Whoever takes the caller out of s->caller, by an exchange, owns it. */
#include "base/clock.h"
#include "sched/local.h"

static bool may_run_at_once(node_sched_local_t *s, const node_proc_t *proc)
{
	uint32_t level = NODE_PROC_LEVEL(__atomic_load_n(&proc->flags, __ATOMIC_RELAXED));
	if (level > 0 && node_queue_is_waiting(s, level - 1))
		return false;
	bool others =
		node_queue_is_waiting(s, level) || __atomic_load_n(&s->all->n_global, __ATOMIC_RELAXED) > 0;
	return !others || s->handoffs++ < NODE_SCHED_HANDOFFS;
}

node_proc_t *node_direct_next(node_sched_local_t *s)
{
	node_proc_t *proc = s->direct;
	if (proc == NULL)
		return NULL;
	s->direct = NULL;
	if (may_run_at_once(s, proc))
		return proc;
	s->handoffs = 0;
	node_direct_settle(s, s);
	node_queue_push(s, proc);
	return NULL;
}

static node_proc_t *take_caller(node_sched_local_t *from)
{
	if (__atomic_load_n(&from->caller, __ATOMIC_RELAXED) == NULL)
		return NULL;
	return __atomic_exchange_n(&from->caller, NULL, __ATOMIC_ACQ_REL);
}

void node_direct_settle(node_sched_local_t *s, node_sched_local_t *from)
{
	node_proc_t *proc = take_caller(from);
	if (proc == NULL)
		return;
	node_stack_t *stack = proc->stack;
	if (stack->deadline_ns != NODE_FOREVER)
		stack->deadline_ns += node_clock_now(from->all->node);
	node_run_park(from->all, s, proc, stack);
}

void node_direct_wait(node_sched_local_t *s, node_proc_t *proc, node_stack_t *stack)
{
	proc->stack = stack;
	__atomic_store_n(&proc->run_state, NODE_PROC_IDLE, __ATOMIC_RELAXED);
	__atomic_store_n(&s->caller, proc, __ATOMIC_RELEASE);
}

/* A timeout beyond 146 years is none. */
static int64_t span_ns(int64_t timeout_ms)
{
	return timeout_ms < 0 || timeout_ms > INT64_MAX / NODE_MS / 2 ? NODE_FOREVER : timeout_ms * NODE_MS;
}

bool node_direct_call(node_proc_t *caller, node_sig_t *call, int64_t timeout_ms, int64_t *ret_deadline_ns)
{
	node_sched_local_t *s = node_ctx_borrow()->sched;
	node_proc_t *server = s != NULL ? node_proc_claim(caller->node, call) : NULL;
	if (server == NULL)
		return false;
	node_stack_t *stack = node_run_stack();
	assert(s->direct == NULL); /* it is set by what ends a turn */
	__atomic_store_n(&server->run_state, NODE_PROC_READY, __ATOMIC_RELAXED);
	s->direct = server;
	node_proc_set_flag(caller, NODE_PROC_BLOCKED, true);
	node_run_go_back(stack, NODE_STACK_CALL, span_ns(timeout_ms));
	node_proc_set_flag(caller, NODE_PROC_BLOCKED, false);
	*ret_deadline_ns = stack->deadline_ns;
	return true;
}

static bool waits_for(const node_proc_t *caller, const node_sig_t *call)
{
	const node_call_slot_t *slot = caller->slot;
	return slot != NULL && slot->ref == call->ref && !slot->done;
}

bool node_direct_answer(const node_sig_t *call, dream_msg_t *reply)
{
	node_sched_local_t *s = node_ctx_borrow()->sched;
	node_proc_t *caller = s != NULL ? __atomic_load_n(&s->caller, __ATOMIC_RELAXED) : NULL;
	if (caller == NULL || !dream_pid_equal(node_proc_pid(caller), call->from))
		return false;
	caller = take_caller(s);
	if (caller == NULL)
		return false;
	if (!waits_for(caller, call)) {
		__atomic_store_n(&s->caller, caller, __ATOMIC_RELEASE);
		return false;
	}
	node_call_slot_t *slot = caller->slot;
	slot->done = true;
	slot->code = DREAM_OK;
	slot->from = call->to;
	slot->msg = reply;
	s->direct = caller;
	return true;
}
