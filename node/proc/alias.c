/* SPDX-License-Identifier: MIT */
#include "proc/alias.h"

#include "proc/gate.h"
#include "proc/table.h"

#define ALIAS_BIT ((uint64_t) 1 << 63)
#define SLOT_SHIFT 36
#define SLOT_MASK (((uint32_t) 1 << 27) - 1) /* the largest process table there is */

static const dream_pid_t nobody = {0, 0, 0};

uint64_t node_alias_new_ref(const node_proc_t *proc)
{
	uint64_t slot = (uint32_t) proc->id & SLOT_MASK;
	uint64_t number = node_proc_new_ref(proc->node) & (((uint64_t) 1 << SLOT_SHIFT) - 1);
	return ALIAS_BIT | slot << SLOT_SHIFT | number;
}

int node_alias_start(node_proc_t *proc, uint64_t ref, uint32_t kind)
{
	node_refent_t *alias;
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	int r = extra != NULL ? node_reftab_add(&extra->aliases, ref, nobody, &alias) : DREAM_ENOMEM;
	if (r == DREAM_OK)
		alias->aux = kind;
	return r;
}

static node_refent_t *find(const node_proc_t *proc, uint64_t ref)
{
	return proc->extra != NULL ? node_reftab_find(proc->extra->aliases, ref, NULL) : NULL;
}

bool node_alias_end(node_proc_t *proc, uint64_t ref)
{
	node_refent_t *alias = find(proc, ref);
	if (alias != NULL)
		node_reftab_remove(proc->extra->aliases, alias);
	return alias != NULL;
}

void node_alias_on_monitor_end(node_proc_t *proc, uint64_t ref)
{
	node_refent_t *alias = find(proc, ref);
	if (alias != NULL && (alias->aux == NODE_ALIAS_DEMONITOR || alias->aux == NODE_ALIAS_REPLY_DEMONITOR))
		node_reftab_remove(proc->extra->aliases, alias);
}

bool node_alias_accept(node_proc_t *proc, uint64_t ref)
{
	node_refent_t *alias = find(proc, ref);
	if (alias == NULL)
		return false;
	uint64_t kind = alias->aux;
	if (kind == NODE_ALIAS_REPLY || kind == NODE_ALIAS_REPLY_DEMONITOR)
		node_reftab_remove(proc->extra->aliases, alias);
	if (kind == NODE_ALIAS_REPLY_DEMONITOR)
		(void) node_proc_demonitor(proc, ref, false);
	return true;
}

/* As any message to a mailbox with limits, but that nobody waits for room at an alias. False: it is dealt with. */
static bool let_in(node_proc_t *owner, node_sig_t *sig)
{
	int r = node_gate_guards(owner, sig) ? node_gate_enter(owner, sig) : DREAM_OK;
	if (r < 0) {
		node_gate_count_refused(owner);
		node_sig_free(sig);
	}
	return r == DREAM_OK;
}

void node_alias_deliver_take(node_t *node, node_sig_t *sig)
{
	uint64_t id = 0;
	uint32_t slot = (uint32_t) (sig->to.id >> SLOT_SHIFT) & SLOT_MASK;
	bool here = sig->to.creation == node->creation;
	node_proc_t *owner = here ? node_proctab_at(node, slot, &id) : NULL;
	sig->ref = sig->to.id;
	sig->to.id = id;
	if (owner == NULL) {
		node_sig_free(sig);
		return;
	}
	if (!let_in(owner, sig))
		return;
	sig->kind = NODE_SIG_ALIAS;
	if (node_proctab_push(owner, sig))
		return;
	if (sig->flags & NODE_SIG_F_COUNTED)
		node_gate_leave(owner, sig);
	node_sig_free(sig);
}
