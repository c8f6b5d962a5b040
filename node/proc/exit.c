/* SPDX-License-Identifier: MIT */
/* The end of a process. The order is EXIT-4's: whoever hears of it finds the name free. */
#include <glib.h>
#include <stdlib.h>

#include "proc/gate.h"
#include "proc/handle.h"
#include "proc/heap.h"
#include "proc/names.h"
#include "proc/planted.h"
#include "proc/reap.h"
#include "proc/report.h"
#include "proc/table.h"

bool node_proc_reason_is_normal_class(const dream_msg_t *reason)
{
	return reason == NULL || node_msg_is_text(reason, "normal") || node_msg_has_tag(reason, "shutdown");
}

void node_proc_set_exit_take(node_proc_t *proc, dream_msg_t *reason)
{
	if (node_proc_exiting(proc)) { /* EXIT-2 */
		node_msg_unref(reason);
		return;
	}
	proc->exit_reason = reason;
	node_proc_set_flag(proc, NODE_PROC_EXITING, true);
}

void node_proc_exit_take(node_proc_t *proc, dream_msg_t *reason)
{
	node_proc_set_exit_take(proc, reason);
	node_proc_leave(proc);
}

/* The slot lies on the stack that is about to go. */
static void drop_slot(node_proc_t *proc)
{
	node_call_slot_t *slot = proc->slot;
	proc->slot = NULL;
	if (slot != NULL && slot->drop != NULL)
		slot->drop(slot);
	if (slot != NULL && slot->done)
		node_msg_unref(slot->msg);
}

void node_proc_leave(node_proc_t *proc)
{
	drop_slot(proc);
	proc->node->hooks.leave(proc);
	abort(); /* leave does not return */
}

dream_msg_t *node_proc_reason_ref(dream_msg_t **reason)
{
	if (*reason == NULL)
		*reason = node_msg_text("normal");
	return node_msg_ref(*reason);
}

static void send_take(
	node_proc_t *proc, uint8_t kind, dream_pid_t to, uint64_t ref, uint8_t flags, void *data)
{
	node_sig_t *sig = node_sig_new_take(kind, to, (dream_pid_t){proc->turns, proc->node->creation, 0},
		ref, node_proc_reason_ref(&proc->exit_reason));
	if (sig == NULL)
		return;
	sig->flags |= flags;
	sig->data = data;
	(void) node_proc_deliver_take(proc->node, sig);
}

static void tell_links(node_proc_t *proc)
{
	uint32_t pos = 0;
	node_refent_t *link;
	while ((link = node_reftab_next(proc->links, &pos)) != NULL)
		if (link->aux == 0)
			send_take(proc, NODE_SIG_EXIT, link->pid, 0, NODE_SIG_F_LINK, NULL);
	node_reftab_clear(&proc->links);
}

static void tell_watchers(node_proc_t *proc)
{
	uint32_t pos = 0;
	node_refent_t *watcher;
	while ((watcher = node_reftab_next(node_proc_extra(proc)->watchers, &pos)) != NULL)
		send_take(proc, NODE_SIG_DOWN, watcher->pid, watcher->key, 0, watcher->data);
}

static void drop_monitors(node_proc_t *proc)
{
	uint32_t pos = 0;
	node_refent_t *monitor;
	while ((monitor = node_reftab_next(node_proc_extra(proc)->monitors, &pos)) != NULL) {
		node_mem_free(monitor->data);
		send_take(proc, NODE_SIG_DEMONITOR, monitor->pid, monitor->key, 0, NULL);
	}
}

static int32_t code_for(const node_refent_t *call)
{
	if (call->aux == NODE_PROC_START_CALL)
		return DREAM_EINIT;
	return call->aux == NODE_PROC_START_IGNORE ? DREAM_IGNORE : DREAM_EDOWN;
}

/* A system request that is being handled is one to carry the state over: if that crashed, the upgrade must not take it for
 * a process that ended by the way. */
static int32_t code_for_current(const node_proc_t *proc)
{
	bool crashed = node_msg_has_tag(proc->exit_reason, "crash");
	return crashed && proc->current->kind == NODE_SIG_SYS ? DREAM_ECODECHANGE : DREAM_EDOWN;
}

/* Callers are told the reason with the code EDOWN; the starter of a process that never acknowledged, EINIT. */
static void tell_callers(node_proc_t *proc)
{
	node_sig_t *current = proc->current;
	if (current != NULL && (current->kind == NODE_SIG_CALL || current->kind == NODE_SIG_SYS))
		node_proc_answer_take(proc->node, current, code_for_current(proc),
			node_proc_reason_ref(&proc->exit_reason));
	else
		node_sig_free(current);
	proc->current = NULL;
	uint32_t pos = 0;
	node_refent_t *call;
	while ((call = node_reftab_next(proc->calls, &pos)) != NULL)
		node_proc_answer_take(
			proc->node, call->data, code_for(call), node_proc_reason_ref(&proc->exit_reason));
	node_reftab_clear(&proc->calls);
}

static node_leftover_t take_leftover(node_proc_t *proc)
{
	node_leftover_t left = {.heap = node_heap_take(proc),
		.held = proc->held,
		.inbox = proc->inbox,
		.reason = proc->exit_reason};
	proc->held = NULL;
	proc->inbox = proc->inbox_last = NULL;
	proc->exit_reason = NULL;
	return left;
}

void node_proc_die(node_proc_t *proc)
{
	node_t *node = proc->node;
	uint64_t id = proc->id;
	drop_slot(proc); /* of a process that a closing node ends while it is blocked */
	if (proc->exit_reason != NULL)
		node_report_end(proc);
	if (proc->ops->fini != NULL)
		proc->ops->fini(proc);
	if (!NODE_PLANTED(NODE_PLANTED_LATE_NAME))
		node_names_drop(node, proc, id);
	node_proctab_hide(proc);
	if (!NODE_PLANTED(NODE_PLANTED_LATE_NAME))
		node_names_drop(node, proc, id);       /* one that another process gave it in between */
	bool timeless = node->hooks.drop_timers(proc); /* hidden first: from now on none is added */
	if (__atomic_load_n(&proc->owns, __ATOMIC_SEQ_CST) != 0)
		node->hooks.drop_owned(proc, id);
	proc->turns = id; /* who the signals below are from */
	node_gate_close(proc);
	node_sig_t *queue = node_proctab_close_queue(proc);
	tell_links(proc);
	tell_watchers(proc);
	if (NODE_PLANTED(NODE_PLANTED_LATE_NAME))
		node_names_drop(node, proc, id);
	tell_callers(proc);
	drop_monitors(proc);
	node_leftover_t left = take_leftover(proc);
	left.queue = queue;
	node_reap_take(node, &left);
	node_proc_extra_drop(proc);
	proc->turns = (id + ((uint64_t) 1 << 32)) & (UINT64_MAX >> 1);
	if (proc->turns >> 32 == 0)
		proc->turns = ((uint64_t) 1 << 32) | (uint32_t) id;
	if (timeless)
		node_proctab_give_slot(proc);
	else
		node->hooks.outlive(proc);
}
