/* SPDX-License-Identifier: MIT */
/* Links, monitors and exit signals as the calling process starts them. */
#include <stdlib.h>
#include <string.h>

#include "proc/alias.h"
#include "proc/inbox.h"
#include "proc/table.h"

static int send_plain(node_proc_t *proc, uint8_t kind, dream_pid_t to, uint64_t ref, void *data)
{
	node_sig_t *sig = node_sig_new_take(kind, to, node_proc_pid(proc), ref, NULL);
	if (sig == NULL) {
		node_mem_free(data);
		return DREAM_ENOMEM;
	}
	sig->data = data;
	return node_proc_deliver_take(proc->node, sig);
}

static bool is_dead_here(node_t *node, dream_pid_t pid)
{
	return pid.node == 0 && (pid.creation != node->creation || node_proctab_find(node, pid.id) == NULL);
}

int node_proc_link(node_proc_t *proc, dream_pid_t peer)
{
	if (dream_pid_equal(peer, node_proc_pid(proc))) /* LNK-1 */
		return DREAM_OK;
	node_proc_drain(proc); /* the exit of a link that was given up must not be taken for the new one's */
	bool traps = (proc->flags & NODE_PROC_TRAP_EXIT) != 0;
	if (is_dead_here(proc->node, peer) && !traps) /* X11 */
		return node_proc_fail(proc, DREAM_ENOPROC, "noproc");
	uint64_t key = node_reftab_pid_key(peer);
	node_refent_t *link = node_reftab_find(proc->links, key, &peer);
	if (link != NULL && link->aux == 0)
		return DREAM_OK;
	if (link == NULL) {
		int r = node_reftab_add(&proc->links, key, peer, &link);
		if (r < 0)
			return r;
	}
	link->aux = 0; /* LNK-3 (e): active again; the acknowledgement of the unlink before will not match */
	(void) send_plain(proc, NODE_SIG_LINK, peer, 0, NULL);
	return DREAM_OK;
}

int node_proc_unlink(node_proc_t *proc, dream_pid_t peer)
{
	node_proc_drain(proc);
	node_refent_t *link = node_reftab_find(proc->links, node_reftab_pid_key(peer), &peer);
	if (link == NULL || link->aux != 0)
		return DREAM_OK;
	link->aux = node_proc_new_ref(proc->node);
	(void) send_plain(proc, NODE_SIG_UNLINK, peer, link->aux, NULL);
	return DREAM_OK;
}

static char *copy_name(const char *name)
{
	size_t size = strlen(name) + 1;
	char *copy = node_mem_alloc(size);
	return copy == NULL ? NULL : memcpy(copy, name, size);
}

static int start_monitor(node_proc_t *proc, uint64_t ref, dream_pid_t target, const char *name)
{
	node_refent_t *monitor;
	char *mine = name == NULL ? NULL : copy_name(name);
	if (name != NULL && mine == NULL)
		return DREAM_ENOMEM;
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	int r = extra == NULL ? DREAM_ENOMEM : node_reftab_add(&extra->monitors, ref, target, &monitor);
	if (r < 0) {
		node_mem_free(mine);
		return r;
	}
	monitor->data = mine;
	if (send_plain(proc, NODE_SIG_MONITOR, target, ref, NULL) != DREAM_ENOMEM)
		return DREAM_OK; /* a dead target answers with DOWN */
	node_mem_free(mine);
	node_reftab_remove(node_proc_extra(proc)->monitors, monitor);
	return DREAM_ENOMEM;
}

static int add_tag(node_proc_t *proc, uint64_t ref, const dream_msg_t *tag)
{
	node_refent_t *entry;
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	int r = extra != NULL ? node_reftab_add(&extra->tags, ref, (dream_pid_t){0, 0, 0}, &entry)
			      : DREAM_ENOMEM;
	if (r == DREAM_OK)
		entry->data = node_msg_ref(tag);
	return r;
}

dream_msg_t *node_proc_take_tag(node_proc_t *proc, uint64_t ref)
{
	node_refent_t *entry = proc->extra != NULL ? node_reftab_find(proc->extra->tags, ref, NULL) : NULL;
	if (entry == NULL)
		return NULL;
	dream_msg_t *tag = entry->data;
	node_reftab_remove(proc->extra->tags, entry);
	return tag;
}

/* What goes with a monitor but is not the monitor. */
static void drop_options(node_proc_t *proc, uint64_t ref)
{
	if (proc->extra == NULL)
		return;
	node_alias_on_monitor_end(proc, ref);
	node_msg_unref(node_proc_take_tag(proc, ref));
}

int node_proc_monitor_as(node_proc_t *proc, dream_pid_t target, const char *name, uint32_t alias,
	const dream_msg_t *tag, uint64_t *ret_ref)
{
	uint64_t ref = alias != 0 ? node_alias_new_ref(proc) : node_proc_new_ref(proc->node);
	int r = alias != 0 ? node_alias_start(proc, ref, alias) : DREAM_OK;
	if (r == DREAM_OK && tag != NULL)
		r = add_tag(proc, ref, tag);
	if (r == DREAM_OK)
		r = start_monitor(proc, ref, target, name);
	if (r < 0) {
		(void) node_alias_end(proc, ref);
		drop_options(proc, ref);
		return r;
	}
	*ret_ref = ref;
	return DREAM_OK;
}

int node_proc_monitor(node_proc_t *proc, dream_pid_t target, const char *name, uint64_t *ret_ref)
{
	uint64_t ref = node_proc_new_ref(proc->node);
	int r = start_monitor(proc, ref, target, name);
	if (r == DREAM_OK)
		*ret_ref = ref;
	return r;
}

bool node_proc_demonitor(node_proc_t *proc, uint64_t ref, bool flush)
{
	node_reftab_t *monitors = node_proc_extra(proc)->monitors;
	node_refent_t *monitor = node_reftab_find(monitors, ref, NULL);
	if (monitor == NULL) {
		if (flush)
			node_sig_free(node_inbox_take_down(proc, ref)); /* MON-1: there is one at most */
		return false;
	}
	dream_pid_t target = monitor->pid;
	node_mem_free(monitor->data);
	node_reftab_remove(monitors, monitor);
	drop_options(proc, ref);
	(void) send_plain(proc, NODE_SIG_DEMONITOR, target, ref, NULL);
	return true;
}

void node_proc_exit_signal(node_t *node, node_proc_t *from, dream_pid_t to, const dream_msg_t *reason)
{
	dream_pid_t me = from != NULL ? node_proc_pid(from) : (dream_pid_t){0, 0, 0};
	node_sig_t *sig = node_sig_new_take(NODE_SIG_EXIT, to, me, 0, node_msg_ref(reason));
	if (sig == NULL)
		return;
	if (node_msg_is_text(reason, "kill"))
		sig->flags |= NODE_SIG_F_KILL;
	bool kill = (sig->flags & NODE_SIG_F_KILL) != 0 && to.node == 0;
	if (node_proc_deliver_take(node, sig) == DREAM_OK && kill && to.creation == node->creation)
		node->hooks.killed(node, to);
}

static bool is_exit_of(const node_proc_t *proc, const node_sig_t *sig, const void *arg)
{
	(void) proc;
	return sig->kind == NODE_SIG_EXIT && dream_pid_equal(sig->from, *(const dream_pid_t *) arg);
}

dream_msg_t *node_proc_flush_exit(node_proc_t *proc, dream_pid_t peer)
{
	dream_msg_t *reason = NULL;
	node_sig_t *sig;
	while ((sig = node_inbox_take(proc, is_exit_of, &peer)) != NULL) {
		node_msg_unref(reason);
		reason = node_sig_steal_msg(sig);
	}
	return reason;
}
