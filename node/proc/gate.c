/* SPDX-License-Identifier: MIT */
/* A message is counted when it is let in and counted out when its receiver takes it, so that the count covers the queue on
 * the way as well as the inbox. Who finds no room under DREAM_FULL_SUSPEND adds itself to those that wait, looks again, and
 * blocks; who makes room looks for such. All that is sequentially consistent, so one of them sees the other.
 *
 * Nobody waits for ever: two processes may wait for room at each other, directly or by a call, and then the time that a
 * sender may be suspended is what ends it. Who sends to itself is refused at once. */
#include "proc/gate.h"

#include "base/clock.h"
#include "proc/table.h"

#define SUSPEND_MS 5000u

int node_gate_set(node_proc_t *proc, const node_limits_t *limits)
{
	node_gate_t *gate = proc->gate;
	if (gate == NULL) {
		gate = node_mem_zalloc(sizeof(*gate));
		if (gate == NULL)
			return DREAM_ENOMEM;
		pthread_mutex_init(&gate->lock, NULL);
	}
	__atomic_store_n(&gate->max_msgs, limits->max_mailbox_msgs, __ATOMIC_RELAXED);
	__atomic_store_n(&gate->max_bytes, limits->max_mailbox_bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&gate->when_full, limits->when_full, __ATOMIC_RELAXED);
	__atomic_store_n(&gate->suspend_ms, limits->suspend_ms != 0 ? limits->suspend_ms : SUSPEND_MS,
		__ATOMIC_RELAXED);
	__atomic_store_n(&gate->n_msgs, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&gate->n_bytes, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&gate->n_refused, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&gate->killed, false, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->gate, gate, __ATOMIC_RELEASE);
	return DREAM_OK;
}

void node_gate_free(node_gate_t *gate)
{
	if (gate == NULL)
		return;
	node_mem_free(gate->waiting);
	pthread_mutex_destroy(&gate->lock);
	node_mem_free(gate);
}

/* ---- in and out ---- */

static int64_t size_of(const node_sig_t *sig)
{
	return sig->msg != NULL ? (int64_t) sig->msg->size_bytes : 0;
}

static bool is_within(int64_t n, uint64_t max)
{
	return max == 0 || n <= (int64_t) max;
}

static bool has_room(const node_gate_t *gate, int64_t n_msgs, int64_t n_bytes)
{
	return is_within(n_msgs, __atomic_load_n(&gate->max_msgs, __ATOMIC_RELAXED)) &&
	       is_within(n_bytes, __atomic_load_n(&gate->max_bytes, __ATOMIC_RELAXED));
}

static bool count_in(node_gate_t *gate, node_sig_t *sig)
{
	int64_t n_msgs = __atomic_add_fetch(&gate->n_msgs, 1, __ATOMIC_SEQ_CST);
	int64_t n_bytes = __atomic_add_fetch(&gate->n_bytes, size_of(sig), __ATOMIC_SEQ_CST);
	if (!has_room(gate, n_msgs, n_bytes))
		return false;
	sig->flags |= NODE_SIG_F_COUNTED;
	return true;
}

/* First come, first woken: as many as there is room for. Dead ones are passed over. */
static uint32_t take_waiting(node_t *node, node_gate_t *gate, dream_pid_t *pids, uint32_t max)
{
	uint32_t n = 0, seen = 0;
	pthread_mutex_lock(&gate->lock);
	for (; seen < gate->n_waiting && n < max; seen++)
		if (node_proctab_find(node, gate->waiting[seen].id) != NULL)
			pids[n++] = gate->waiting[seen];
	for (uint32_t i = seen; i < gate->n_waiting; i++)
		gate->waiting[i - seen] = gate->waiting[i];
	__atomic_store_n(&gate->n_waiting, gate->n_waiting - seen, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&gate->lock);
	return n;
}

#define WAKE_MAX 16u /* more are woken by what the first ones make room for when it is taken */

static void wake_waiting(node_proc_t *proc, node_gate_t *gate)
{
	dream_pid_t pids[WAKE_MAX];
	uint32_t n = take_waiting(proc->node, gate, pids, WAKE_MAX);
	for (uint32_t i = 0; i < n; i++) {
		node_sig_t *sig = node_sig_new_take(NODE_SIG_ROOM, pids[i], node_proc_pid(proc), 0, NULL);
		if (sig != NULL)
			(void) node_proc_deliver_take(proc->node, sig);
	}
}

/* Half of it has to be free, so that senders are not woken one by one. */
static bool is_roomy(const node_gate_t *gate)
{
	return has_room(gate, 2 * __atomic_load_n(&gate->n_msgs, __ATOMIC_SEQ_CST),
		2 * __atomic_load_n(&gate->n_bytes, __ATOMIC_SEQ_CST));
}

static void count_out(node_proc_t *proc, node_gate_t *gate, int64_t size_bytes)
{
	__atomic_fetch_sub(&gate->n_bytes, size_bytes, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&gate->n_msgs, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&gate->n_waiting, __ATOMIC_SEQ_CST) > 0 && is_roomy(gate))
		wake_waiting(proc, gate);
}

void node_gate_leave(node_proc_t *proc, const node_sig_t *sig)
{
	count_out(proc, proc->gate, size_of(sig));
}

/* ---- when it is full ---- */

static void kill_receiver(node_proc_t *proc, node_gate_t *gate, dream_pid_t to)
{
	if (__atomic_exchange_n(&gate->killed, true, __ATOMIC_RELAXED))
		return;
	node_sig_t *sig = node_sig_new_take(
		NODE_SIG_EXIT, to, (dream_pid_t){0, 0, 0}, 0, node_msg_printf("[\"limit\", \"mailbox\"]"));
	if (sig == NULL)
		return;
	sig->flags |= NODE_SIG_F_LIMIT;
	(void) node_proc_deliver_take(proc->node, sig);
}

void node_gate_count_refused(node_proc_t *proc)
{
	__atomic_fetch_add(&proc->gate->n_refused, 1, __ATOMIC_RELAXED);
}

int node_gate_enter(node_proc_t *proc, node_sig_t *sig)
{
	node_gate_t *gate = __atomic_load_n(&proc->gate, __ATOMIC_ACQUIRE);
	if (gate == NULL || count_in(gate, sig))
		return DREAM_OK;
	count_out(proc, gate, size_of(sig));
	uint32_t when_full = __atomic_load_n(&gate->when_full, __ATOMIC_RELAXED);
	if (when_full == DREAM_FULL_KILL)
		kill_receiver(proc, gate, sig->to);
	if (when_full == DREAM_FULL_REFUSE || when_full == DREAM_FULL_SUSPEND || sig->kind == NODE_SIG_CALL)
		return DREAM_EBUSY;
	node_gate_count_refused(proc);
	node_sig_free(sig);
	return 1;
}

/* ---- waiting outside ---- */

static bool add_waiting(node_gate_t *gate, dream_pid_t me)
{
	bool added = true;
	pthread_mutex_lock(&gate->lock);
	if (gate->n_waiting == gate->cap_waiting) {
		uint32_t cap = gate->cap_waiting != 0 ? gate->cap_waiting * 2 : 8;
		dream_pid_t *more = node_mem_realloc(gate->waiting, cap * sizeof(*more));
		added = more != NULL;
		gate->waiting = added ? more : gate->waiting;
		gate->cap_waiting = added ? cap : gate->cap_waiting;
	}
	if (added) {
		gate->waiting[gate->n_waiting] = me;
		__atomic_store_n(&gate->n_waiting, gate->n_waiting + 1, __ATOMIC_SEQ_CST);
	}
	pthread_mutex_unlock(&gate->lock);
	return added;
}

static void remove_waiting(node_gate_t *gate, dream_pid_t me)
{
	uint32_t kept = 0;
	pthread_mutex_lock(&gate->lock);
	for (uint32_t i = 0; i < gate->n_waiting; i++)
		if (!dream_pid_equal(gate->waiting[i], me))
			gate->waiting[kept++] = gate->waiting[i];
	__atomic_store_n(&gate->n_waiting, kept, __ATOMIC_SEQ_CST);
	pthread_mutex_unlock(&gate->lock);
}

int node_gate_wait(node_proc_t *me, node_proc_t *proc, const node_sig_t *sig, int64_t deadline_ns)
{
	node_gate_t *gate = __atomic_load_n(&proc->gate, __ATOMIC_ACQUIRE);
	dream_pid_t pid = node_proc_pid(me);
	bool hopeless = !is_within(size_of(sig), __atomic_load_n(&gate->max_bytes, __ATOMIC_RELAXED));
	if (hopeless || node_clock_now(me->node) >= deadline_ns || !add_waiting(gate, pid))
		return DREAM_EBUSY;
	bool alive = __atomic_load_n(&proc->id, __ATOMIC_SEQ_CST) == sig->to.id;
	if (alive && !has_room(gate, __atomic_load_n(&gate->n_msgs, __ATOMIC_SEQ_CST) + 1,
			     __atomic_load_n(&gate->n_bytes, __ATOMIC_SEQ_CST) + size_of(sig)))
		(void) node_proc_wait(me, deadline_ns);
	remove_waiting(gate, pid);
	return DREAM_OK;
}

int64_t node_gate_deadline(const node_proc_t *proc)
{
	const node_gate_t *gate = __atomic_load_n(&proc->gate, __ATOMIC_ACQUIRE);
	if (__atomic_load_n(&gate->when_full, __ATOMIC_RELAXED) != DREAM_FULL_SUSPEND)
		return 0;
	uint32_t suspend_ms = __atomic_load_n(&gate->suspend_ms, __ATOMIC_RELAXED);
	return node_clock_now(proc->node) + suspend_ms * NODE_MS;
}

uint64_t node_gate_refused(const node_proc_t *proc)
{
	const node_gate_t *gate = __atomic_load_n(&proc->gate, __ATOMIC_ACQUIRE);
	return gate != NULL ? __atomic_load_n(&gate->n_refused, __ATOMIC_RELAXED) : 0;
}

void node_gate_close(node_proc_t *proc)
{
	node_gate_t *gate = proc->gate;
	while (gate != NULL && __atomic_load_n(&gate->n_waiting, __ATOMIC_SEQ_CST) > 0)
		wake_waiting(proc, gate);
}
