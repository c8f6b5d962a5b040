/* SPDX-License-Identifier: MIT */
/* What the watchdog asks of a thread that is in a long turn, by a signal: only the thread itself knows whether it is inside a
 * module, where it may be interrupted, or in a function of the node, which keeps pointers to its scheduler. By the rule for
 * faults (fault_judge.c), and with the same consequence for a process that has to end: its stack is left. Where the rule
 * says no, nothing happens, and the watchdog asks again. */
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "sched/futex.h"
#include "sched/interrupt.h"

#define INTERRUPT SIGURG /* nobody's default action, and debuggers let it pass */

static void step_back(void)
{
	struct sched_param none = {0};
	(void) sched_setscheduler(0, SCHED_IDLE, &none);
}

/* The scheduler goes to the heir; this thread ends with its turn. */
static void hand_over(node_sched_thread_t *t, node_sched_local_t *s, node_sched_thread_t *heir)
{
	t->order->heir = NULL;
	__atomic_store_n(&t->local, NULL, __ATOMIC_RELAXED);
	t->ctx->sched = NULL;
	t->ctx->keep = NULL;
	__atomic_store_n(&s->thread, heir, __ATOMIC_RELAXED);
	__atomic_store_n(&s->stats.taken_away, s->stats.taken_away + 1, __ATOMIC_RELAXED);
	s->yielded = true;
	__atomic_store_n(&heir->local, s, __ATOMIC_RELEASE);
	node_futex_wake(&heir->wake_word);
}

static bool is_about(const node_sched_thread_t *t, const node_interrupt_t *order)
{
	const node_stack_t *stack = t->running;
	return t->ctx->tag == NODE_CTX_PROCESS && t->ctx->proc != NULL && stack != NULL &&
	       __atomic_load_n(&t->turn, __ATOMIC_RELAXED) == order->turn;
}

static bool begin(node_interrupt_t *order, uint32_t state)
{
	return __atomic_compare_exchange_n(
		&order->state, &state, NODE_INTERRUPT_BUSY, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static void end(node_interrupt_t *order, uint32_t state)
{
	__atomic_store_n(&order->state, state, __ATOMIC_RELEASE);
}

/* True if the scheduler went to the heir. */
static bool give_scheduler(node_sched_thread_t *t)
{
	node_sched_local_t *s = __atomic_load_n(&t->local, __ATOMIC_RELAXED);
	if (t->order->heir == NULL || s == NULL)
		return false;
	hand_over(t, s, t->order->heir);
	return true;
}

static void obey(node_sched_thread_t *t, const siginfo_t *info, ucontext_t *context)
{
	node_interrupt_t *order = t->order;
	if (!begin(order, NODE_INTERRUPT_ASKED))
		return;
	if (!is_about(t, order)) {
		end(order, NODE_INTERRUPT_REFUSED);
		return;
	}
	node_fault_note(&order->seen, INTERRUPT, info, context);
	node_fault_judge(t, &order->seen, context);
	if (order->seen.not_ours != NULL) {
		end(order, NODE_INTERRUPT_DEFERRED);
		return;
	}
	bool alone = give_scheduler(t);
	bool kill = order->kill_id != 0 && t->ctx->proc->id == order->kill_id;
	end(order, NODE_INTERRUPT_DONE);
	if (alone)
		step_back(); /* last: the heir must not wait for an idle processor */
	if (kill)
		node_fault_leave_process(t, NODE_STACK_KILLED, context);
}

/* A module that calls the node all the time is seldom interrupted in its own code; but whenever it calls, the node has nothing of
 * its scheduler in its hand yet. To end a process takes more: libraries may lie between the two. */
void node_sched_let_go(const node_ctx_t *ctx)
{
	node_sched_thread_t *t = ctx->thread;
	if (t == NULL || t->order == NULL ||
		__atomic_load_n(&t->order->state, __ATOMIC_RELAXED) != NODE_INTERRUPT_DEFERRED ||
		!begin(t->order, NODE_INTERRUPT_DEFERRED))
		return;
	bool alone = is_about(t, t->order) && give_scheduler(t);
	end(t->order, NODE_INTERRUPT_REFUSED);
	if (alone)
		step_back();
}

void node_interrupt_over(const node_sched_t *all)
{
	(void) sched_setscheduler(0, all->watch.policy, &all->watch.param);
}

static void on_interrupt(int number, siginfo_t *info, void *data)
{
	int saved_errno = errno;
	const node_ctx_t *ctx = node_ctx_borrow();
	node_sched_thread_t *t = ctx->thread;
	(void) number;
	if (t != NULL && t->faults != NULL && t->order != NULL && !t->faults->walking && ctx->in_fault == 0)
		obey(t, info, data);
	errno = saved_errno;
}

void node_interrupt_install(void)
{
	struct sigaction action = {
		.sa_sigaction = on_interrupt, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
	sigfillset(&action.sa_mask);
	for (uint32_t i = 0; i < NODE_FAULT_SIGNALS; i++)
		sigdelset(&action.sa_mask,
			node_fault_number(i)); /* the unwinder may fault on a damaged stack */
	sigaction(INTERRUPT, &action, NULL);
}

bool node_interrupt_ask(node_sched_thread_t *t)
{
	__atomic_store_n(&t->order->state, NODE_INTERRUPT_ASKED, __ATOMIC_RELEASE);
	return pthread_kill(t->id, INTERRUPT) == 0;
}

bool node_interrupt_take_back(node_sched_thread_t *t)
{
	uint32_t state = __atomic_load_n(&t->order->state, __ATOMIC_ACQUIRE);
	while (state == NODE_INTERRUPT_ASKED || state == NODE_INTERRUPT_DEFERRED)
		if (__atomic_compare_exchange_n(&t->order->state, &state, NODE_INTERRUPT_REFUSED, false,
			    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			return true;
	return state != NODE_INTERRUPT_BUSY;
}
