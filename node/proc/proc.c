/* SPDX-License-Identifier: MIT */
/* Spawning, sending and receiving. What signals do to a process is in handle.c, its end in exit.c. */
#include "proc/proc.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proc/alias.h"
#include "proc/gate.h"
#include "proc/handle.h"
#include "proc/names.h"
#include "proc/table.h"
#include "term/notation.h"

void node_proc_set_flag(node_proc_t *proc, uint32_t flag, bool on)
{
	uint32_t flags = __atomic_load_n(&proc->flags, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->flags, on ? flags | flag : flags & ~flag, __ATOMIC_RELAXED);
}

/* ---- what few processes have ---- */

const node_proc_extra_t node_proc_extra_none;

node_proc_extra_t *node_proc_extra_make(node_proc_t *proc)
{
	if (proc->extra == NULL)
		proc->extra = node_mem_zalloc(sizeof(*proc->extra));
	return proc->extra;
}

static void drop_msgs(node_reftab_t **tab)
{
	uint32_t pos = 0;
	node_refent_t *entry;
	while ((entry = node_reftab_next(*tab, &pos)) != NULL)
		node_msg_unref(entry->data);
	node_reftab_clear(tab);
}

void node_proc_extra_drop(node_proc_t *proc)
{
	node_proc_extra_t *extra = proc->extra;
	if (extra == NULL)
		return;
	node_reftab_clear(&extra->monitors);
	node_reftab_clear(&extra->watchers);
	node_reftab_clear(&extra->requests);
	node_reftab_clear(&extra->aliases);
	drop_msgs(&extra->tags);
	drop_msgs(&extra->spawns);
	if (extra->dict != NULL)
		g_hash_table_destroy(extra->dict);
	node_msg_unref(extra->last_reason);
	node_sig_free(extra->sending);
	node_mem_free(extra);
	proc->extra = NULL;
}

static void trim(node_reftab_t **tab)
{
	if (node_reftab_count(*tab) == 0)
		node_reftab_clear(tab);
}

void node_proc_trim(node_proc_t *proc)
{
	node_proc_extra_t *extra = proc->extra;
	trim(&proc->links);
	trim(&proc->calls);
	trim(&proc->held);
	if (extra == NULL)
		return;
	node_reftab_t **tabs[] = {&extra->monitors, &extra->watchers, &extra->requests, &extra->aliases,
		&extra->tags, &extra->spawns};
	for (size_t i = 0; i < sizeof(tabs) / sizeof(tabs[0]); i++)
		trim(tabs[i]);
}

/* ---- spawn ---- */

/* The child's watcher and the parent's monitor. */
static int attach_monitor(node_proc_t *proc, dream_pid_t pid, node_proc_t *parent, uint64_t ref)
{
	node_refent_t *entry;
	if (ref == 0)
		return DREAM_OK;
	node_proc_extra_t *child_extra = node_proc_extra_make(proc);
	node_proc_extra_t *parent_extra = node_proc_extra_make(parent);
	if (child_extra == NULL || parent_extra == NULL)
		return DREAM_ENOMEM;
	int r = node_reftab_add(&child_extra->watchers, ref, node_proc_pid(parent), &entry);
	return r < 0 ? r : node_reftab_add(&parent_extra->monitors, ref, pid, &entry);
}

static int attach_parent(node_proc_t *proc, const node_spawn_t *how, dream_pid_t pid)
{
	node_proc_t *parent = how->parent;
	dream_pid_t parent_pid = node_proc_pid(parent);
	node_refent_t *entry;
	int r = DREAM_OK;
	__atomic_store_n(&proc->parent_id, parent_pid.id, __ATOMIC_RELAXED);
	if (how->link) {
		r = node_reftab_add(&proc->links, node_reftab_pid_key(parent_pid), parent_pid, &entry);
		if (r == DREAM_OK)
			r = node_reftab_add(&parent->links, node_reftab_pid_key(pid), pid, &entry);
	}
	return r < 0 ? r : attach_monitor(proc, pid, parent, how->monitor_ref);
}

static bool has_gate(const node_limits_t *limits)
{
	return limits != NULL && (limits->max_mailbox_msgs != 0 || limits->max_mailbox_bytes != 0);
}

static uint32_t limit_flags(const node_limits_t *limits)
{
	if (limits == NULL)
		return 0;
	return (limits->stack_class != 0 ? NODE_PROC_STACK_SIZE : 0) |
	       (limits->max_heap_bytes != 0 ? NODE_PROC_HEAP_LIMIT : 0) |
	       (has_gate(limits) ? NODE_PROC_GATED : 0);
}

static int take_limits(node_proc_t *proc, const node_limits_t *limits)
{
	if (limit_flags(limits) == 0)
		return DREAM_OK;
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	if (extra == NULL)
		return DREAM_ENOMEM;
	extra->stack_class = limits->stack_class;
	extra->max_heap_bytes = limits->max_heap_bytes;
	return has_gate(limits) ? node_gate_set(proc, limits) : DREAM_OK;
}

/* The slot was never published, so nobody else can have seen it. */
static int fail_spawn(node_proc_t *proc, uint64_t id, const node_spawn_t *how, int r)
{
	node_names_drop(proc->node, proc, id);
	if (how->parent != NULL) {
		dream_pid_t pid = {id, proc->node->creation, 0};
		node_refent_t *entry = node_reftab_find(how->parent->links, node_reftab_pid_key(pid), &pid);
		if (how->link && entry != NULL)
			node_reftab_remove(how->parent->links, entry);
	}
	node_reftab_clear(&proc->links);
	node_proc_extra_drop(proc);
	proc->turns = id; /* the slot keeps its id: it was never used */
	node_proctab_give_slot(proc);
	return r;
}

int node_proc_spawn(node_t *node, const node_spawn_t *how, dream_pid_t *ret_pid)
{
	uint64_t id;
	node_proc_t *proc = node_proctab_take_slot(node, &id);
	if (proc == NULL)
		return DREAM_ELIMIT;
	dream_pid_t pid = {id, node->creation, 0};
	node_refent_t *entry;
	int r = how->start == NULL ? DREAM_OK
				   : node_reftab_add(&proc->calls, how->start->ref, how->start->from, &entry);
	if (r == DREAM_OK && how->start != NULL) {
		entry->data = how->start;
		entry->aux = NODE_PROC_START_CALL;
	}
	if (r == DREAM_OK)
		r = take_limits(proc, how->limits);
	if (r == DREAM_OK && how->name != NULL)
		r = node_names_reserve(node, how->name, proc, id);
	if (r == DREAM_OK && how->parent != NULL)
		r = attach_parent(proc, how, pid);
	if (r < 0) {
		node_reftab_clear(&proc->calls);
		return fail_spawn(proc, id, how, r);
	}
	__atomic_store_n(&proc->ops, how->ops, __ATOMIC_RELAXED);
	proc->self = how->self;
	__atomic_store_n(&proc->gen, how->gen, __ATOMIC_RELEASE);
	__atomic_store_n(&proc->label, how->label, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->app, how->app != NULL || how->parent == NULL ? how->app : how->parent->app,
		__ATOMIC_RELAXED);
	uint32_t flags = how->flags | (how->start != NULL ? NODE_PROC_STARTING : 0) |
			 (how->parent != NULL && how->link ? NODE_PROC_CHILD : 0) | limit_flags(how->limits);
	__atomic_store_n(&proc->flags, flags, __ATOMIC_RELAXED);
	if (how->priority != DREAM_PRIORITY_NORMAL)
		(void) node->hooks.set_priority(proc, how->priority);
	__atomic_store_n(&proc->run_state, NODE_PROC_READY, __ATOMIC_RELAXED);
	if (how->report != NULL) {
		how->report->from = pid;
		(void) node_proc_deliver_take(node, how->report);
	}
	node_proctab_publish(proc, id);
	if (how->name != NULL)
		node_names_show(node, id); /* SPN-5: who finds the name finds the process */
	if (ret_pid != NULL)
		*ret_pid = pid;
	node->hooks.wake(node, proc);
	return DREAM_OK;
}

/* ---- sending ---- */

/* Ends a sleep and puts @sig, a message, into the inbox, as the process would do itself; false: it does not sleep. */
static bool rouse_with(node_t *node, node_proc_t *proc, node_sig_t *sig)
{
	if (!node_proc_rouse(proc))
		return false;
	if (proc->id == sig->to.id) {
		node_handle_take(proc, sig);
		return true;
	}
	if (!node_proc_rest(proc)) /* another process took the slot meanwhile: as it was */
		node->hooks.wake(node, proc);
	return false;
}

/* A message for somebody who sleeps need not pass the queue: who wakes a process owns it until it runs. */
static bool give_sleeper(node_t *node, node_proc_t *proc, node_sig_t *sig)
{
	if (sig->kind > NODE_SIG_CALL || !rouse_with(node, proc, sig))
		return false;
	node->hooks.wake(node, proc);
	return true;
}

/* The timer of a process is armed before it sleeps, and fired once; not always by the scheduler that armed it (watch.c). */
void node_proc_alarm(node_proc_t *proc)
{
	if (node_proc_rouse(proc)) {
		proc->node->hooks.wake(proc->node, proc);
		return;
	}
	dream_pid_t pid = {__atomic_load_n(&proc->id, __ATOMIC_ACQUIRE), proc->node->creation, 0};
	node_sig_t *sig = pid.id != 0 ? node_sig_new_take(NODE_SIG_ROOM, pid, pid, 0, NULL) : NULL;
	if (sig != NULL && !node_proctab_push(proc, sig))
		node_sig_free(sig);
}

static int push_take(node_t *node, node_proc_t *proc, node_sig_t *sig)
{
	if (proc != NULL && (give_sleeper(node, proc, sig) || node_proctab_push(proc, sig)))
		return DREAM_OK;
	if (proc == NULL && sig->kind == NODE_SIG_MSG && node_alias_is(sig->to.id)) {
		node_alias_deliver_take(node, sig);
		return DREAM_OK;
	}
	if (sig->flags & NODE_SIG_F_COUNTED)
		node_gate_leave(proc, sig);
	sig->flags &= (uint8_t) ~NODE_SIG_F_COUNTED;
	node_proc_bounce_take(node, sig, "noproc");
	return DREAM_ENOPROC;
}

static int refuse_take(node_t *node, node_proc_t *proc, node_sig_t *sig)
{
	node_gate_count_refused(proc);
	node_proc_bounce_take(node, sig, "busy");
	return DREAM_EBUSY;
}

/* The signal is noted in the process, which may be ended here. */
static int wait_outside(node_proc_t *me, node_proc_t *proc, node_sig_t *sig, int64_t deadline_ns)
{
	node_proc_extra_t *extra = node_proc_extra_make(me);
	if (extra == NULL)
		return DREAM_EBUSY;
	int r = DREAM_EBUSY;
	extra->sending = sig;
	while (r == DREAM_EBUSY && node_gate_wait(me, proc, sig, deadline_ns) == DREAM_OK)
		r = node_proctab_find(me->node, sig->to.id) == proc ? node_gate_enter(proc, sig) : DREAM_OK;
	extra->sending = NULL;
	return r;
}

int node_proc_deliver_take(node_t *node, node_sig_t *sig)
{
	if (sig->to.node != 0)
		return node->hooks.send_remote_take(node, sig);
	node_proc_t *proc = sig->to.creation == node->creation ? node_proctab_find(node, sig->to.id) : NULL;
	if (proc != NULL && node_gate_guards(proc, sig)) {
		int r = node_gate_enter(proc, sig);
		if (r != DREAM_OK)
			return r < 0 ? refuse_take(node, proc, sig) : DREAM_OK;
	}
	return push_take(node, proc, sig);
}

int node_proc_send_take(node_proc_t *me, node_sig_t *sig, int64_t deadline_ns)
{
	node_t *node = me->node;
	bool here = sig->to.node == 0 && sig->to.creation == node->creation;
	node_proc_t *proc = here ? node_proctab_find(node, sig->to.id) : NULL;
	if (proc == NULL || !node_gate_guards(proc, sig))
		return node_proc_deliver_take(node, sig);
	int r = node_gate_enter(proc, sig);
	if (r == DREAM_EBUSY && proc != me)
		r = wait_outside(me, proc, sig, MIN(deadline_ns, node_gate_deadline(proc)));
	if (r == DREAM_OK)
		return push_take(node, proc, sig);
	return r < 0 ? refuse_take(node, proc, sig) : DREAM_OK;
}

node_proc_t *node_proc_claim(node_t *node, node_sig_t *sig)
{
	bool here = sig->to.node == 0 && sig->to.creation == node->creation;
	node_proc_t *proc = here ? node_proctab_find(node, sig->to.id) : NULL;
	return proc != NULL && rouse_with(node, proc, sig) ? proc : NULL;
}

/* The signal itself travels back as its answer where it asks for one, so that nothing is allocated. */
static void turn_round(node_t *node, node_sig_t *sig, uint8_t kind, dream_msg_t *msg)
{
	dream_pid_t from = sig->to;
	if (!(sig->flags & NODE_SIG_F_INLINE)) {
		node_msg_unref(sig->msg);
		sig->msg = msg;
		sig->kind = kind;
		sig->to = sig->from;
		sig->from = from;
		(void) node_proc_deliver_take(node, sig);
		return;
	}
	node_sig_t *answer = node_sig_new_take(kind, sig->from, from, sig->ref, msg);
	if (answer != NULL) {
		answer->flags |= kind == NODE_SIG_EXIT ? NODE_SIG_F_LINK : 0;
		answer->code = sig->code;
		(void) node_proc_deliver_take(node, answer);
	}
	node_sig_free(sig);
}

void node_proc_bounce_take(node_t *node, node_sig_t *sig, const char *reason)
{
	switch (sig->kind) {
	case NODE_SIG_CALL:
	case NODE_SIG_SYS:
		if (sig->kind == NODE_SIG_CALL)
			node_mem_free(sig->data); /* a name; of SYS it is lent */
		sig->data = NULL;
		sig->code = strcmp(reason, "noconnection") == 0 ? DREAM_ENOCONNECTION
			    : strcmp(reason, "busy") == 0       ? DREAM_EBUSY
								: DREAM_ENOPROC;
		turn_round(node, sig, NODE_SIG_REPLY, node_msg_text(reason));
		return;
	case NODE_SIG_INFO:
		sig->code = DREAM_ENOPROC;
		turn_round(node, sig, NODE_SIG_REPLY, node_msg_text(reason));
		return;
	case NODE_SIG_MONITOR:
		turn_round(node, sig, NODE_SIG_DOWN, node_msg_text(reason));
		return;
	case NODE_SIG_LINK:
		sig->flags |= NODE_SIG_F_LINK;
		turn_round(node, sig, NODE_SIG_EXIT, node_msg_text(reason));
		return;
	case NODE_SIG_UNLINK:
		turn_round(node, sig, NODE_SIG_UNLINK_ACK, NULL);
		return;
	default:
		node_sig_free(sig);
	}
}

/* ---- receiving ---- */

static node_sig_t *pop_inbox(node_proc_t *proc)
{
	node_sig_t *sig = proc->inbox;
	proc->inbox = sig->next;
	if (proc->inbox == NULL)
		proc->inbox_last = NULL;
	node_gate_left(proc, sig);
	return sig;
}

node_sig_t *node_proc_next_take(node_proc_t *proc)
{
	if (proc->inbox == NULL || __atomic_load_n(&proc->outer, __ATOMIC_RELAXED) != NULL)
		node_proc_drain(proc);
	if (node_proc_exiting(proc))
		return NULL;
	while (proc->inbox != NULL) {
		node_sig_t *sig = pop_inbox(proc);
		if (sig->kind == NODE_SIG_CANCEL) {
			node_handle_late_cancel_take(proc, sig);
			continue;
		}
		__atomic_store_n(&proc->turns, proc->turns + 1, __ATOMIC_RELAXED);
		return sig;
	}
	return NULL;
}

void node_proc_come_back(node_proc_t *proc)
{
	node_proc_drain(proc);
	if (node_proc_exiting(proc))
		node_proc_leave(proc);
}

static int wait_as(node_proc_t *proc, int64_t deadline_ns, uint32_t flags)
{
	if (node_proc_exiting(proc)) /* by a signal that was handled without waiting */
		node_proc_leave(proc);
	uint32_t n_inbox = proc->n_inbox; /* it grows if we are woken with a message */
	bool woken = __atomic_load_n(&proc->outer, __ATOMIC_ACQUIRE) != NULL;
	bool late = false;
	while (!woken && !late) {
		node_proc_set_flag(proc, flags, true);
		proc->node->hooks.block(proc, deadline_ns);
		node_proc_set_flag(proc, flags, false);
		woken = proc->n_inbox != n_inbox || __atomic_load_n(&proc->outer, __ATOMIC_ACQUIRE) != NULL;
		late = !woken && deadline_ns != NODE_FOREVER && node_clock_now(proc->node) >= deadline_ns;
	}
	node_proc_come_back(proc);
	return woken ? DREAM_OK : DREAM_ETIMEDOUT;
}

int node_proc_wait(node_proc_t *proc, int64_t deadline_ns)
{
	return wait_as(proc, deadline_ns, NODE_PROC_BLOCKED);
}

int node_proc_wait_movable(node_proc_t *proc, int64_t deadline_ns)
{
	return wait_as(proc, deadline_ns, NODE_PROC_BLOCKED | NODE_PROC_MOVABLE);
}

/* ---- answering ---- */

void node_proc_defer_take(node_proc_t *proc, node_sig_t *call)
{
	node_refent_t *entry;
	if (proc->current == call)
		proc->current = NULL;
	if (node_reftab_add(&proc->calls, call->ref, call->from, &entry) == DREAM_OK)
		entry->data = call;
	else
		node_proc_answer_take(proc->node, call, DREAM_ENOMEM, NULL);
}

static void send_reply_take(
	node_t *node, dream_pid_t to, dream_pid_t from, uint64_t ref, int32_t code, dream_msg_t *msg)
{
	node_sig_t *reply = node_sig_new_take(NODE_SIG_REPLY, to, from, ref, msg);
	if (reply == NULL)
		return;
	reply->code = code;
	(void) node_proc_deliver_take(node, reply);
}

void node_proc_answer_take(node_t *node, node_sig_t *call, int32_t code, dream_msg_t *msg)
{
	send_reply_take(node, call->from, call->to, call->ref, code, msg);
	if (call->kind == NODE_SIG_SYS)
		call->data = NULL;
	node_sig_free(call);
}

void node_proc_reply_take(
	node_t *node, node_proc_t *proc, dream_pid_t caller, uint64_t ref, int32_t code, dream_msg_t *msg)
{
	node_sig_t *current = proc != NULL ? proc->current : NULL;
	if (current != NULL && current->kind == NODE_SIG_CALL && current->ref == ref &&
		dream_pid_equal(current->from, caller)) {
		proc->current = NULL;
		node_proc_answer_take(node, current, code, msg);
		return;
	}
	node_refent_t *entry = proc != NULL ? node_reftab_find(proc->calls, ref, &caller) : NULL;
	if (entry != NULL) {
		node_sig_t *call = entry->data;
		node_reftab_remove(proc->calls, entry);
		node_proc_answer_take(node, call, code, msg);
		return;
	}
	send_reply_take(node, caller, (dream_pid_t){0, 0, 0}, ref, code, msg);
}

static node_refent_t *start_call(node_proc_t *proc)
{
	uint32_t pos = 0;
	node_refent_t *call;
	while ((call = node_reftab_next(proc->calls, &pos)) != NULL)
		if (call->aux == NODE_PROC_START_CALL)
			return call;
	return NULL;
}

void node_proc_ack_start_take(node_proc_t *proc, int32_t code, dream_msg_t *msg)
{
	node_refent_t *entry = start_call(proc);
	node_proc_set_flag(proc, NODE_PROC_STARTING, false);
	if (entry == NULL) {
		node_msg_unref(msg);
		return;
	}
	node_sig_t *start = entry->data;
	node_reftab_remove(proc->calls, entry);
	if (node_reftab_count(proc->calls) == 0)
		node_reftab_clear(&proc->calls); /* most servers never defer a reply */
	node_proc_answer_take(proc->node, start, code, msg);
}

void node_proc_ignore_start(node_proc_t *proc)
{
	node_refent_t *entry = start_call(proc);
	if (entry != NULL)
		entry->aux = NODE_PROC_START_IGNORE;
}

/* ---- why something failed ---- */

int node_proc_fail_take(node_proc_t *proc, int code, dream_msg_t *reason)
{
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	if (extra == NULL) {
		node_msg_unref(reason);
		return code;
	}
	node_msg_unref(extra->last_reason);
	extra->last_reason = reason;
	return code;
}

int node_proc_fail(node_proc_t *proc, int code, const char *format, ...)
{
	char text[NODE_DIAG_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return node_proc_fail_take(proc, code, node_msg_text(text));
}

/* ---- requests ---- */

static const dream_pid_t nobody = {0, 0, 0};

int node_proc_expect(node_proc_t *proc, uint64_t ref)
{
	node_refent_t *entry;
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	return extra == NULL ? DREAM_ENOMEM : node_reftab_add(&extra->requests, ref, nobody, &entry);
}

void node_proc_forget(node_proc_t *proc, uint64_t ref)
{
	node_reftab_t *requests = node_proc_extra(proc)->requests;
	node_refent_t *entry = node_reftab_find(requests, ref, NULL);
	if (entry != NULL)
		node_reftab_remove(requests, entry);
}

/* ---- spawn requests ---- */

int node_proc_expect_spawned(node_proc_t *proc, uint64_t ref, uint32_t unwanted, const dream_msg_t *tag)
{
	node_refent_t *entry;
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	int r = extra != NULL ? node_reftab_add(&extra->spawns, ref, nobody, &entry) : DREAM_ENOMEM;
	if (r < 0)
		return r;
	entry->aux = unwanted;
	entry->data = node_msg_ref(tag);
	return DREAM_OK;
}

bool node_proc_abandon_spawned(node_proc_t *proc, uint64_t ref)
{
	node_refent_t *entry = proc->extra != NULL ? node_reftab_find(proc->extra->spawns, ref, NULL) : NULL;
	if (entry == NULL)
		return false;
	node_msg_unref(entry->data);
	node_reftab_remove(proc->extra->spawns, entry);
	node_proc_drain(proc); /* the child may be there already */
	return true;
}
