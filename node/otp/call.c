/* SPDX-License-Identifier: MIT */
/* A call is one signal there and one back. The signal itself stands in the server's table of open calls until
 * it is answered, so that the server's end reaches the caller without a monitor. */
#include "otp/call.h"

#include <string.h>

#include "base/clock.h"
#include "otp/server.h"
#include "proc/gate.h"
#include "proc/handle.h"
#include "proc/inbox.h"
#include "sched/sched.h"

static const dream_pid_t nobody = {0, 0, 0};

static char *copy_text(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = node_mem_alloc(size);
	return copy == NULL ? NULL : memcpy(copy, text, size);
}

static bool is_this_node(const node_t *node, const char *name)
{
	return name == NULL || strcmp(name, node->name) == 0;
}

/* Where a signal has to go. A name at another node travels with the signal (REG-2). */
static int resolve(node_t *node, const dream_dest_t *to, dream_pid_t *ret_pid, char **ret_name)
{
	*ret_name = NULL;
	if (to->name == NULL) {
		*ret_pid = to->pid;
		return DREAM_OK;
	}
	if (is_this_node(node, to->node))
		return node_names_whereis(node, to->name, ret_pid);
	uint32_t number;
	if (node->hooks.node_number == NULL)
		return DREAM_ENOCONNECTION;
	int r = node->hooks.node_number(node, to->node, strlen(to->node), &number);
	if (r < 0)
		return DREAM_ENOCONNECTION;
	*ret_pid = (dream_pid_t){0, 0, number};
	*ret_name = copy_text(to->name);
	return *ret_name == NULL ? DREAM_ENOMEM : DREAM_OK;
}

static int send_kind_take(
	node_t *node, node_proc_t *from, const dream_dest_t *to, uint8_t kind, dream_msg_t *msg)
{
	dream_pid_t pid;
	char *name;
	int r = resolve(node, to, &pid, &name);
	if (r < 0) {
		node_msg_unref(msg);
		return r;
	}
	node_sig_t *sig = node_sig_new_take(kind, pid, from != NULL ? node_proc_pid(from) : nobody, 0, msg);
	if (sig == NULL) {
		node_mem_free(name);
		return DREAM_ENOMEM;
	}
	sig->data = name;
	r = from != NULL ? node_proc_send_take(from, sig, NODE_FOREVER) : node_proc_deliver_take(node, sig);
	return r == DREAM_ENOPROC ? DREAM_OK : r; /* SIG-5: the dead swallow messages */
}

int node_call_send_take(node_t *node, node_proc_t *from, const dream_dest_t *to, dream_msg_t *msg)
{
	return send_kind_take(node, from, to, NODE_SIG_MSG, msg);
}

int node_call_cast_take(node_t *node, node_proc_t *from, const dream_dest_t *to, dream_msg_t *msg)
{
	int r = send_kind_take(node, from, to, NODE_SIG_CAST, msg);
	return r == DREAM_ENOENT ? DREAM_OK : r; /* GS-10 */
}

int64_t node_call_deadline(const node_t *node, int64_t timeout_ms)
{
	if (timeout_ms < 0 || timeout_ms > INT64_MAX / NODE_MS / 2)
		return NODE_FOREVER;
	return node_clock_now(node) + timeout_ms * NODE_MS;
}

static bool is_late(const node_t *node, int64_t deadline_ns)
{
	return deadline_ns != NODE_FOREVER && node_clock_now(node) >= deadline_ns;
}

/* node_proc_wait() prefers signals to the deadline; for who is flooded with others the deadline has to count. */
static int wait_more(node_proc_t *proc, int64_t deadline_ns)
{
	int r = node_proc_wait(proc, deadline_ns);
	return r == DREAM_OK && is_late(proc->node, deadline_ns) ? DREAM_ETIMEDOUT : r;
}

int node_call_await(node_proc_t *proc, node_call_slot_t *slot, int64_t deadline_ns)
{
	int r = DREAM_OK;
	proc->slot = slot;
	if (!slot->done)
		r = node_proc_wait(proc, deadline_ns);
	while (!slot->done && r == DREAM_OK)
		r = wait_more(proc, deadline_ns);
	/* ALS-4: it may have come with the last look; from here on it is too late */
	proc->slot = NULL;
	return slot->done ? DREAM_OK : DREAM_ETIMEDOUT;
}

static void cancel(node_proc_t *proc, dream_pid_t to, uint64_t ref)
{
	node_sig_t *sig = node_sig_new_take(NODE_SIG_CANCEL, to, node_proc_pid(proc), ref, NULL);
	if (sig != NULL)
		(void) node_proc_deliver_take(proc->node, sig);
}

static int fail_code(node_proc_t *proc, const dream_dest_t *to, int code)
{
	if (code == DREAM_ENOENT || code == DREAM_ENOPROC)
		return node_proc_fail(proc, DREAM_ENOPROC, "noproc");
	if (code == DREAM_ENOCONNECTION)
		return node_proc_fail(proc, code, "noconnection: %s", to->node != NULL ? to->node : "");
	return code;
}

/* Sends the prepared call and waits; the outcome is in the slot. */
static int run_call(node_proc_t *proc, node_sig_t *sig, int64_t timeout_ms, dream_msg_t **ret_reply)
{
	node_call_slot_t slot = {
		.ref = sig->ref, .movable = sig->kind == NODE_SIG_CALL}; /* SYS lends its data */
	dream_pid_t to = sig->to;
	int64_t deadline_ns;
	proc->slot = &slot; /* an unreachable destination answers at once */
	bool late = false;
	if (node_direct_call(proc, sig, timeout_ms, &deadline_ns)) {
		node_proc_come_back(proc);
		late = !slot.done && deadline_ns != NODE_FOREVER && node_clock_now(proc->node) >= deadline_ns;
	} else {
		deadline_ns = node_call_deadline(proc->node, timeout_ms);
		(void) node_proc_send_take(proc, sig, deadline_ns);
	}
	if (late || node_call_await(proc, &slot, deadline_ns) < 0) {
		proc->slot = NULL;
		cancel(proc, to, slot.ref);
		return node_proc_fail(proc, DREAM_ETIMEDOUT, "timeout");
	}
	if (slot.from.id == 0) /* the server still holds the call that another answered for it */
		cancel(proc, to, slot.ref);
	if (slot.code < 0)
		return node_proc_fail_take(proc, slot.code, slot.msg);
	*ret_reply = slot.msg != NULL ? slot.msg : node_msg_copy_null();
	return *ret_reply != NULL ? DREAM_OK : DREAM_ENOMEM;
}

int node_call_take(node_proc_t *proc, const dream_dest_t *to, dream_msg_t *request, int64_t timeout_ms,
	dream_msg_t **ret_reply)
{
	dream_pid_t pid;
	char *name;
	int r = resolve(proc->node, to, &pid, &name);
	if (r < 0 || dream_pid_equal(pid, node_proc_pid(proc))) {
		node_msg_unref(request);
		return r < 0 ? fail_code(proc, to, r) : node_proc_fail(proc, DREAM_ESELF, "calling_self");
	}
	node_sig_t *sig = node_sig_new_take(
		NODE_SIG_CALL, pid, node_proc_pid(proc), node_proc_new_ref(proc->node), request);
	if (sig == NULL) {
		node_mem_free(name);
		return DREAM_ENOMEM;
	}
	sig->data = name;
	return run_call(proc, sig, timeout_ms, ret_reply);
}

static node_sig_t *sys_sig_take(node_proc_t *proc, dream_pid_t to, int32_t op, dream_msg_t *arg, void *data)
{
	node_sig_t *sig =
		node_sig_new_take(NODE_SIG_SYS, to, node_proc_pid(proc), node_proc_new_ref(proc->node), arg);
	if (sig != NULL) {
		sig->code = op;
		sig->data = data;
	}
	return sig;
}

int node_call_sys_take(node_proc_t *proc, dream_pid_t to, int32_t op, dream_msg_t *arg, void *data,
	int64_t timeout_ms, dream_msg_t **ret_reply)
{
	node_sig_t *sig = sys_sig_take(proc, to, op, arg, data);
	if (sig == NULL)
		return DREAM_ENOMEM;
	if (to.node != 0 || dream_pid_equal(to, node_proc_pid(proc))) {
		node_sig_free(sig);
		return to.node != 0 ? DREAM_EINVAL : DREAM_ESELF;
	}
	return run_call(proc, sig, timeout_ms, ret_reply);
}

int node_call_sys_request(node_proc_t *proc, dream_pid_t to, int32_t op, void *data, uint64_t *ret_ref)
{
	node_sig_t *sig = sys_sig_take(proc, to, op, NULL, data);
	if (sig == NULL)
		return DREAM_ENOMEM;
	*ret_ref = sig->ref;
	int r = node_proc_expect(proc, sig->ref);
	if (r < 0)
		node_sig_free(sig);
	else
		(void) node_proc_deliver_take(proc->node, sig);
	return r;
}

/* ---- picking from the inbox ---- */

static void unlink_sig(node_proc_t *proc, node_sig_t **at, node_sig_t *before)
{
	(void) node_inbox_unlink(proc, at, before);
	__atomic_store_n(&proc->turns, proc->turns + 1, __ATOMIC_RELAXED);
}

/* ---- stop ---- */

int node_call_await_down(node_proc_t *proc, uint64_t monitor, int64_t deadline_ns, dream_msg_t **ret_reason)
{
	for (int r = DREAM_OK;; r = wait_more(proc, deadline_ns)) {
		node_sig_t *sig = node_inbox_take_down(proc, monitor);
		if (sig != NULL) {
			*ret_reason = node_sig_steal_msg(sig);
			return DREAM_OK;
		}
		if (r < 0)
			return DREAM_ETIMEDOUT;
	}
}

int node_call_stop(node_proc_t *proc, const dream_dest_t *to, const dream_msg_t *reason, int64_t timeout_ms)
{
	dream_pid_t pid;
	char *name;
	uint64_t monitor;
	dream_msg_t *actual;
	int r = resolve(proc->node, to, &pid, &name);
	if (r < 0)
		return fail_code(proc, to, r);
	node_mem_free(name); /* only pids can be stopped from afar */
	if (dream_pid_equal(pid, node_proc_pid(proc)))
		return node_proc_fail(proc, DREAM_ESELF, "calling_self");
	r = node_proc_monitor(proc, pid, NULL, &monitor);
	if (r < 0)
		return r;
	int64_t deadline_ns = node_call_deadline(proc->node, timeout_ms);
	dream_msg_t *why = reason != NULL ? node_msg_ref(reason) : node_msg_text("normal");
	node_sig_t *sig = sys_sig_take(proc, pid, NODE_SYS_TERMINATE, why, NULL);
	if (sig != NULL)
		(void) node_proc_deliver_take(proc->node, sig);
	if (node_call_await_down(proc, monitor, deadline_ns, &actual) < 0) {
		(void) node_proc_demonitor(proc, monitor, true);
		return node_proc_fail(proc, DREAM_ETIMEDOUT, "timeout");
	}
	if (node_msg_is_text(actual, "noproc"))
		return node_proc_fail_take(proc, DREAM_ENOPROC, actual);
	bool wanted = reason == NULL ? node_msg_is_text(actual, "normal")
				     : actual->size_bytes == reason->size_bytes &&
					       memcmp(actual->data, reason->data, actual->size_bytes) == 0;
	if (!wanted)
		return node_proc_fail_take(proc, DREAM_EDOWN, actual); /* GS-19 */
	node_msg_unref(actual);
	return DREAM_OK;
}

/* ---- receive ---- */

/* Turns what waits into the messages a module sees, in place, so that each is made once. */
static dream_msg_t *visible(node_proc_t *proc, node_sig_t *sig)
{
	if (sig->kind == NODE_SIG_MSG)
		return sig->msg;
	node_sig_t *copy = node_mem_alloc(sizeof(*copy));
	if (copy == NULL)
		return NULL;
	*copy = *sig;
	copy->flags &= (uint8_t) ~NODE_SIG_F_INLINE;
	copy->msg = node_msg_ref(sig->msg);
	copy->data = NULL;
	if (sig->kind == NODE_SIG_DOWN && sig->data != NULL)
		copy->data = copy_text(sig->data);
	return node_sig_to_msg_take(proc->node, copy);
}

/* What a process written by hand gets to see; a call it takes stays open until it is answered or the process ends. */
static dream_msg_t *accept(node_proc_t *proc, node_sig_t *sig)
{
	if (sig->kind != NODE_SIG_CALL)
		return node_sig_to_msg_take(proc->node, sig);
	dream_msg_t *msg = visible(proc, sig);
	node_proc_defer_take(proc, sig);
	return msg;
}

/* What waits among the messages and is none. True: it is dealt with, and *at is the next. */
static bool settle(node_proc_t *proc, node_sig_t **at, node_sig_t *before)
{
	node_sig_t *sig = *at;
	if (sig->kind == NODE_SIG_CANCEL && node_server_of(proc) == NULL) {
		unlink_sig(proc, at, before);
		node_handle_late_cancel_take(proc, sig);
		return true;
	}
	/* A server that receives inside a callback answers system requests when the callback is over (SYS-1). */
	if (sig->kind == NODE_SIG_SYS && node_server_of(proc) == NULL) {
		unlink_sig(proc, at, before);
		node_proc_answer_take(proc->node, sig, DREAM_EREQUEST, node_msg_text("not a behaviour"));
		return true;
	}
	return false;
}

static bool is_message(const node_sig_t *sig)
{
	return sig->kind != NODE_SIG_SYS && sig->kind != NODE_SIG_TIMER && sig->kind != NODE_SIG_REPLY &&
	       sig->kind != NODE_SIG_CANCEL;
}

/* The view goes with a process that ends inside @match. */
static bool is_accepted(
	node_proc_t *proc, int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg, node_sig_t *sig)
{
	dream_msg_t *view = visible(proc, sig);
	bool own = view != NULL && view != sig->msg;
	bool noted = own && node_proc_hold(proc, view) == DREAM_OK;
	bool accepted = view != NULL && match(arg, view) != 0;
	if (noted)
		(void) node_proc_unhold(proc, view);
	if (own)
		node_msg_unref(view);
	return accepted;
}

/* One pass over what was not seen before; *ret_pos remembers where the next pass starts. */
static dream_msg_t *scan(
	node_proc_t *proc, int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg, node_sig_t **seen)
{
	node_sig_t *before = *seen;
	node_sig_t **at = before != NULL ? &before->next : &proc->inbox;
	while (*at != NULL) {
		if (settle(proc, at, before))
			continue;
		node_sig_t *sig = *at;
		if (!is_message(sig)) {
			before = sig;
			at = &sig->next;
			continue;
		}
		if (match == NULL || is_accepted(proc, match, arg, sig)) {
			unlink_sig(proc, at, before);
			return accept(proc, sig);
		}
		before = sig;
		at = &sig->next;
	}
	*seen = before;
	return NULL;
}

int node_call_receive(node_proc_t *proc, int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg,
	int64_t timeout_ms, dream_msg_t **ret_msg)
{
	int64_t deadline_ns = node_call_deadline(proc->node, timeout_ms);
	node_sig_t *seen = NULL;
	int r = DREAM_OK;
	node_proc_drain(proc);
	if (node_proc_exiting(proc))
		node_proc_leave(proc);
	for (;;) {
		dream_msg_t *msg = scan(proc, match, arg, &seen);
		if (msg != NULL) {
			*ret_msg = msg;
			return DREAM_OK;
		}
		if (r < 0 || timeout_ms == 0)
			return DREAM_ETIMEDOUT;
		r = node_proc_wait_movable(proc, deadline_ns);
		if (is_late(proc->node, deadline_ns))
			r = DREAM_ETIMEDOUT;
	}
}
