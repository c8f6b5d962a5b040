/* SPDX-License-Identifier: MIT */
#include "proc/handle.h"

#include "proc/alias.h"
#include "proc/gate.h"
#include "proc/heap.h"
#include "proc/info.h"
#include "proc/planted.h"
#include "proc/table.h"

void node_proc_drain(node_proc_t *proc)
{
	if (__atomic_load_n(&proc->outer, __ATOMIC_RELAXED) == NULL)
		return;
	node_sig_t *sig = node_proctab_take_signals(proc);
	while (sig != NULL) {
		node_sig_t *next = sig->next;
		if (NODE_PLANTED(NODE_PLANTED_EARLY_DOWN) && next != NULL && next->kind == NODE_SIG_DOWN) {
			sig->next = next->next;
			node_handle_take(proc, next);
			next = sig->next;
		}
		node_handle_take(proc, sig);
		sig = next;
	}
}

static void append(node_proc_t *proc, node_sig_t *sig)
{
	sig->next = NULL;
	if (proc->inbox_last != NULL)
		proc->inbox_last->next = sig;
	else
		proc->inbox = sig;
	proc->inbox_last = sig;
	node_gate_joined(proc, sig);
	if (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_HEAP_LIMIT)
		node_heap_check(proc, 0);
}

/* ---- exits: the table X1 to X10 ---- */

static bool traps(const node_proc_t *proc)
{
	return (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_TRAP_EXIT) != 0;
}

static void on_exit_signal(node_proc_t *proc, node_sig_t *sig)
{
	bool self = dream_pid_equal(sig->from, node_proc_pid(proc));
	if (sig->flags & NODE_SIG_F_KILL) { /* X2 */
		node_proc_set_exit_take(proc, node_msg_text("killed"));
		node_sig_free(sig);
	} else if (sig->flags & NODE_SIG_F_LIMIT) {
		node_proc_set_exit_take(proc, node_sig_steal_msg(sig));
	} else if (traps(proc)) {
		append(proc, sig);
	} else if (node_msg_is_text(sig->msg, "normal") && !self) { /* X1, X4; X8 is the exception */
		node_sig_free(sig);
	} else {
		node_proc_set_exit_take(proc, node_sig_steal_msg(sig)); /* X3, X5, X6, X7, X9, X10 */
	}
}

static void on_exit_sig(node_proc_t *proc, node_sig_t *sig)
{
	if (sig->flags & NODE_SIG_F_LINK) {
		node_refent_t *link =
			node_reftab_find(proc->links, node_reftab_pid_key(sig->from), &sig->from);
		if (link == NULL || link->aux != 0) { /* EXIT-3: no such link, or being unlinked */
			if (link != NULL)
				node_reftab_remove(proc->links, link);
			node_sig_free(sig);
			return;
		}
		node_reftab_remove(proc->links, link);
	}
	on_exit_signal(proc, sig);
}

/* ---- links: LNK-3 ---- */

static void on_link(node_proc_t *proc, node_sig_t *sig)
{
	uint64_t key = node_reftab_pid_key(sig->from);
	node_refent_t *link = node_reftab_find(proc->links, key, &sig->from);
	if (link == NULL)
		(void) node_reftab_add(&proc->links, key, sig->from, &link);
	node_sig_free(sig);
}

static void on_unlink(node_proc_t *proc, node_sig_t *sig)
{
	node_refent_t *link = node_reftab_find(proc->links, node_reftab_pid_key(sig->from), &sig->from);
	if (link != NULL && link->aux == 0)
		node_reftab_remove(proc->links, link);
	if (NODE_PLANTED(NODE_PLANTED_NO_UNLINK_ACK))
		node_sig_free(sig);
	else
		node_proc_bounce_take(
			proc->node, sig, "noproc"); /* an unlink bounces as its acknowledgement */
}

static void on_unlink_ack(node_proc_t *proc, node_sig_t *sig)
{
	node_refent_t *link = node_reftab_find(proc->links, node_reftab_pid_key(sig->from), &sig->from);
	if (link != NULL && link->aux == sig->ref)
		node_reftab_remove(proc->links, link);
	node_sig_free(sig);
}

/* ---- monitors ---- */

static void on_monitor(node_proc_t *proc, node_sig_t *sig)
{
	node_refent_t *watcher;
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	if (extra != NULL && node_reftab_add(&extra->watchers, sig->ref, sig->from, &watcher) == DREAM_OK) {
		watcher->data = sig->data; /* the name, ours now */
		sig->data = NULL;
	}
	node_sig_free(sig);
}

static void on_demonitor(node_proc_t *proc, node_sig_t *sig)
{
	node_reftab_t *watchers = node_proc_extra(proc)->watchers;
	node_refent_t *watcher = node_reftab_find(watchers, sig->ref, &sig->from);
	if (watcher != NULL) {
		node_mem_free(watcher->data);
		node_reftab_remove(watchers, watcher);
	}
	node_sig_free(sig);
}

/* The same DOWN as a message under the tag its owner chose; NULL: out of memory. */
static node_sig_t *with_tag(node_proc_t *proc, node_sig_t *sig)
{
	dream_msg_t *tag = node_proc_take_tag(proc, sig->ref);
	if (tag == NULL)
		return sig;
	dream_msg_t *msg = node_sig_tagged_down(proc->node, sig, tag);
	node_sig_t *tagged =
		msg != NULL ? node_sig_new_take(NODE_SIG_MSG, sig->to, sig->from, sig->ref, msg) : NULL;
	if (tagged != NULL)
		tagged->flags |= NODE_SIG_F_DOWN;
	node_msg_unref(tag);
	node_sig_free(sig);
	return tagged;
}

/* A DOWN whose monitor is gone was overtaken by a demonitor (MON-4). */
static void on_down(node_proc_t *proc, node_sig_t *sig)
{
	node_reftab_t *monitors = node_proc_extra(proc)->monitors;
	node_refent_t *monitor = node_reftab_find(monitors, sig->ref, NULL);
	if (monitor == NULL) {
		node_sig_free(sig);
		return;
	}
	if (sig->data == NULL) {
		sig->data = monitor->data;
		monitor->data = NULL;
	}
	node_mem_free(monitor->data);
	node_reftab_remove(monitors, monitor);
	node_alias_on_monitor_end(proc, sig->ref);
	sig = with_tag(proc, sig);
	if (sig != NULL)
		append(proc, sig);
}

/* ---- aliases ---- */

static void on_alias(node_proc_t *proc, node_sig_t *sig)
{
	if (!node_alias_accept(proc, sig->ref)) { /* ALS-1 */
		if (sig->flags & NODE_SIG_F_COUNTED)
			node_gate_leave(proc, sig);
		node_sig_free(sig);
		return;
	}
	sig->kind = NODE_SIG_MSG;
	sig->ref = 0;
	append(proc, sig);
}

/* ---- spawn requests: SPN-2, SPN-3 ---- */

static dream_msg_t *spawn_reply(const node_proc_t *proc, const node_sig_t *sig, const dream_msg_t *tag)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = NULL;
	node_cbor_init(&w);
	node_cbor_put_array(&w, 4);
	if (tag != NULL)
		node_cbor_put_msg(&w, tag);
	else
		node_cbor_put_text(&w, "spawn_reply");
	node_cbor_put_ref(&w, proc->node, (dream_ref_t){sig->ref, proc->node->creation, 0});
	node_cbor_put_text(&w, sig->code == DREAM_OK ? "ok" : "error");
	if (sig->code == DREAM_OK)
		node_cbor_put_pid(&w, proc->node, sig->from);
	else
		node_cbor_put_msg(&w, sig->msg);
	(void) node_cbor_finish(&w, &msg);
	return msg;
}

/* The child of a request that was given up: whatever ties it to us is undone, and a link ends it. */
static void abandon_child(node_proc_t *proc, const node_sig_t *sig)
{
	if (sig->code != DREAM_OK)
		return;
	node_refent_t *link = node_reftab_find(proc->links, node_reftab_pid_key(sig->from), &sig->from);
	(void) node_proc_demonitor(proc, sig->ref, false);
	if (link == NULL)
		return;
	node_reftab_remove(proc->links, link);
	node_sig_t *end = node_sig_new_take(
		NODE_SIG_EXIT, sig->from, node_proc_pid(proc), 0, node_msg_text("abandoned"));
	if (end == NULL)
		return;
	end->flags |= NODE_SIG_F_LINK;
	(void) node_proc_deliver_take(proc->node, end);
}

static void on_spawned(node_proc_t *proc, node_sig_t *sig)
{
	node_refent_t *request =
		proc->extra != NULL ? node_reftab_find(proc->extra->spawns, sig->ref, NULL) : NULL;
	if (request == NULL) {
		abandon_child(proc, sig);
		node_sig_free(sig);
		return;
	}
	dream_msg_t *tag = request->data;
	uint64_t unwanted = sig->code == DREAM_OK ? NODE_SPAWN_NO_SUCCESS : NODE_SPAWN_NO_ERROR;
	bool wanted = (request->aux & unwanted) == 0;
	node_reftab_remove(proc->extra->spawns, request);
	dream_msg_t *msg = wanted ? spawn_reply(proc, sig, tag) : NULL;
	node_msg_unref(tag);
	node_sig_t *reply = msg != NULL ? node_sig_new_take(NODE_SIG_MSG, sig->to, sig->from, 0, msg) : NULL;
	node_sig_free(sig);
	if (reply != NULL)
		append(proc, reply);
}

/* ---- calls ---- */

static void on_reply(node_proc_t *proc, node_sig_t *sig)
{
	node_call_slot_t *slot = proc->slot;
	node_reftab_t *requests = node_proc_extra(proc)->requests;
	node_refent_t *request;
	if (slot == NULL || slot->done || slot->ref != sig->ref) {
		if ((request = node_reftab_find(requests, sig->ref, NULL)) != NULL) {
			node_reftab_remove(requests, request);
			append(proc, sig);
		} else {
			node_sig_free(sig); /* ALS-4: too late */
		}
		return;
	}
	slot->done = true;
	slot->code = sig->code;
	slot->from = sig->from;
	slot->msg = node_sig_steal_msg(sig);
}

static bool drop_call(node_proc_t *proc, const node_sig_t *cancel)
{
	node_refent_t *call = node_reftab_find(proc->calls, cancel->ref, &cancel->from);
	if (call == NULL)
		return false;
	node_sig_free(call->data);
	node_reftab_remove(proc->calls, call);
	return true;
}

/* The call itself may still wait in the inbox, or be the one that is handled just now: then the cancellation waits
 * behind it, since looking for it would cost an overloaded server a walk through its queue for each. */
static void on_cancel(node_proc_t *proc, node_sig_t *sig)
{
	bool before_it = proc->inbox != NULL || proc->current != NULL;
	if (drop_call(proc, sig) || !before_it)
		node_sig_free(sig);
	else
		append(proc, sig);
}

void node_handle_late_cancel_take(node_proc_t *proc, node_sig_t *sig)
{
	(void) drop_call(proc, sig);
	node_sig_free(sig);
}

void node_handle_take(node_proc_t *proc, node_sig_t *sig)
{
	/* A sender may have kept the slot's address while another process took the slot. */
	if (sig->to.id != proc->id) {
		if (sig->flags & NODE_SIG_F_COUNTED)
			node_gate_leave(proc, sig);
		sig->flags &= (uint8_t) ~NODE_SIG_F_COUNTED;
		node_proc_bounce_take(proc->node, sig, "noproc");
		return;
	}
	switch (sig->kind) {
	case NODE_SIG_EXIT:
		on_exit_sig(proc, sig);
		return;
	case NODE_SIG_LINK:
		on_link(proc, sig);
		return;
	case NODE_SIG_UNLINK:
		on_unlink(proc, sig);
		return;
	case NODE_SIG_UNLINK_ACK:
		on_unlink_ack(proc, sig);
		return;
	case NODE_SIG_MONITOR:
		on_monitor(proc, sig);
		return;
	case NODE_SIG_DEMONITOR:
		on_demonitor(proc, sig);
		return;
	case NODE_SIG_DOWN:
		on_down(proc, sig);
		return;
	case NODE_SIG_REPLY:
		on_reply(proc, sig);
		return;
	case NODE_SIG_ROOM:
		node_sig_free(sig); /* it ended the wait: that was all */
		return;
	case NODE_SIG_CANCEL:
		on_cancel(proc, sig);
		return;
	case NODE_SIG_ALIAS:
		on_alias(proc, sig);
		return;
	case NODE_SIG_INFO:
		node_info_answer_take(proc, sig);
		return;
	case NODE_SIG_SPAWNED:
		on_spawned(proc, sig);
		return;
	default:
		append(proc, sig);
		return;
	}
}
