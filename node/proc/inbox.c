/* SPDX-License-Identifier: MIT */
#include "proc/inbox.h"

#include "proc/gate.h"

node_sig_t *node_inbox_unlink(node_proc_t *proc, node_sig_t **at, node_sig_t *before)
{
	node_sig_t *sig = *at;
	*at = sig->next;
	if (proc->inbox_last == sig)
		proc->inbox_last = before;
	node_gate_left(proc, sig);
	return sig;
}

node_sig_t *node_inbox_take(node_proc_t *proc,
	bool (*wanted)(const node_proc_t *proc, const node_sig_t *sig, const void *arg), const void *arg)
{
	node_sig_t *before = NULL;
	for (node_sig_t **at = &proc->inbox; *at != NULL; before = *at, at = &(*at)->next)
		if (wanted(proc, *at, arg))
			return node_inbox_unlink(proc, at, before);
	return NULL;
}

/* A DOWN with a tag of its own is a message already, and known by its flag. */
static bool is_down(const node_proc_t *proc, const node_sig_t *sig, const void *arg)
{
	(void) proc;
	return (sig->kind == NODE_SIG_DOWN || (sig->flags & NODE_SIG_F_DOWN)) &&
	       sig->ref == *(const uint64_t *) arg;
}

node_sig_t *node_inbox_take_down(node_proc_t *proc, uint64_t ref)
{
	return node_inbox_take(proc, is_down, &ref);
}
