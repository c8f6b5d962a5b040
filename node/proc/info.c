/* SPDX-License-Identifier: MIT */
/* A process writes its own answer when it handles the request, so that it shows all signals that the asker sent before.
 * The mailbox is counted and never copied. */
#include "proc/info.h"

#include <glib.h>
#include <string.h>

#include "proc/dict.h"

/* ---- values ---- */

static void put_text_or_null(node_cbor_writer_t *w, const char *text)
{
	if (text[0] != '\0')
		node_cbor_put_text(w, text);
	else
		node_cbor_put_null(w);
}

static void put_name(node_cbor_writer_t *w, node_proc_t *proc)
{
	char name[NODE_NAME_MAX + 1];
	put_text_or_null(w, node_names_of(proc->node, node_proc_pid(proc), name));
}

static void put_label(node_cbor_writer_t *w, node_proc_t *proc)
{
	char label[NODE_NAME_MAX + 1];
	put_text_or_null(w, node_names_label_of(proc->node, node_proc_pid(proc), label));
}

/* ["module", "kind"]; a process of the node's own has only what it is. */
static void put_initial_call(node_cbor_writer_t *w, node_proc_t *proc)
{
	const node_hooks_t *hooks = &proc->node->hooks;
	const char *module = proc->gen != NULL && hooks->module_name_borrow != NULL
				     ? hooks->module_name_borrow(proc->gen)
				     : NULL;
	node_cbor_put_array(w, module != NULL ? 2 : 1);
	if (module != NULL)
		node_cbor_put_text(w, module);
	node_cbor_put_text(w, proc->label != NULL ? proc->label : "?");
}

static void put_parent(node_cbor_writer_t *w, node_proc_t *proc)
{
	dream_pid_t parent = node_proc_parent(proc);
	if (parent.id != 0)
		node_cbor_put_pid(w, proc->node, parent);
	else
		node_cbor_put_null(w);
}

/* The parent of a process that may end just now: its slot is looked at, then whether it was still its own. */
static dream_pid_t parent_of(node_t *node, dream_pid_t pid)
{
	dream_pid_t none = {0, 0, 0};
	const node_proc_t *proc = node_proctab_find(node, pid.id);
	if (proc == NULL)
		return none;
	dream_pid_t parent = node_proc_parent(proc);
	return __atomic_load_n(&proc->id, __ATOMIC_ACQUIRE) == pid.id ? parent : none;
}

void node_info_put_ancestors(node_cbor_writer_t *w, node_proc_t *proc)
{
	char name[NODE_NAME_MAX + 1];
	dream_pid_t pid = node_proc_parent(proc);
	node_cbor_put_array_start(w);
	for (uint32_t n = 0; pid.id != 0 && n < NODE_INFO_ANCESTORS_MAX; n++) {
		if (node_names_of(proc->node, pid, name)[0] != '\0')
			node_cbor_put_text(w, name);
		else
			node_cbor_put_pid(w, proc->node, pid);
		pid = parent_of(proc->node, pid);
	}
	node_cbor_put_break(w);
}

static void put_pids(node_cbor_writer_t *w, const node_t *node, node_reftab_t *tab, bool links)
{
	uint32_t pos = 0, n = 0;
	const node_refent_t *entry;
	node_cbor_put_array_start(w);
	while (n < NODE_INFO_LIST_MAX && (entry = node_reftab_next(tab, &pos)) != NULL) {
		if (links && entry->aux != 0) /* being unlinked */
			continue;
		node_cbor_put_pid(w, node, entry->pid);
		n++;
	}
	node_cbor_put_break(w);
}

/* ["process", pid or name] as in OTP. */
static void put_monitors(node_cbor_writer_t *w, const node_proc_t *proc)
{
	uint32_t pos = 0, n = 0;
	const node_refent_t *entry;
	node_cbor_put_array_start(w);
	while (n++ < NODE_INFO_LIST_MAX &&
		(entry = node_reftab_next(node_proc_extra(proc)->monitors, &pos)) != NULL) {
		node_cbor_put_array(w, 2);
		node_cbor_put_text(w, "process");
		if (entry->data != NULL)
			node_cbor_put_text(w, entry->data);
		else
			node_cbor_put_pid(w, proc->node, entry->pid);
	}
	node_cbor_put_break(w);
}

static void put_item(node_cbor_writer_t *w, node_proc_t *proc, int32_t item, const char *status)
{
	switch (item) {
	case NODE_INFO_REGISTERED_NAME:
		put_name(w, proc);
		return;
	case NODE_INFO_LABEL:
		put_label(w, proc);
		return;
	case NODE_INFO_INITIAL_CALL:
		put_initial_call(w, proc);
		return;
	case NODE_INFO_PARENT:
		put_parent(w, proc);
		return;
	case NODE_INFO_ANCESTORS:
		node_info_put_ancestors(w, proc);
		return;
	case NODE_INFO_STATUS:
		node_cbor_put_text(w, status);
		return;
	case NODE_INFO_LINKS:
		put_pids(w, proc->node, proc->links, true);
		return;
	case NODE_INFO_MONITORS:
		put_monitors(w, proc);
		return;
	case NODE_INFO_MONITORED_BY:
		put_pids(w, proc->node, node_proc_extra(proc)->watchers, false);
		return;
	case NODE_INFO_MESSAGE_QUEUE_LEN:
		node_cbor_put_uint(w, proc->n_inbox);
		return;
	case NODE_INFO_MEMORY:
		node_cbor_put_uint(w, proc->heap_bytes + sizeof(*proc));
		return;
	case NODE_INFO_REDUCTIONS:
		node_cbor_put_uint(w, proc->turns);
		return;
	case NODE_INFO_TRAP_EXIT:
		node_cbor_put_bool(w, (proc->flags & NODE_PROC_TRAP_EXIT) != 0);
		return;
	default:
		node_dict_put(w, proc, NODE_INFO_DICT_BYTES_MAX);
		return;
	}
}

/* ---- the map ---- */

static const struct {
	const char *name;
	int32_t item;
} items_by_name[] = {
	{"registered_name", NODE_INFO_REGISTERED_NAME},
	{"label", NODE_INFO_LABEL},
	{"initial_call", NODE_INFO_INITIAL_CALL},
	{"parent", NODE_INFO_PARENT},
	{"ancestors", NODE_INFO_ANCESTORS},
	{"status", NODE_INFO_STATUS},
	{"links", NODE_INFO_LINKS},
	{"monitors", NODE_INFO_MONITORS},
	{"monitored_by", NODE_INFO_MONITORED_BY},
	{"message_queue_len", NODE_INFO_MESSAGE_QUEUE_LEN},
	{"memory", NODE_INFO_MEMORY},
	{"reductions", NODE_INFO_REDUCTIONS},
	{"trap_exit", NODE_INFO_TRAP_EXIT},
	{"dictionary", NODE_INFO_DICTIONARY},
};

int32_t node_info_item(const char *name)
{
	for (size_t i = 0; i < G_N_ELEMENTS(items_by_name); i++)
		if (strcmp(items_by_name[i].name, name) == 0)
			return items_by_name[i].item;
	return 0;
}

int node_info_term(node_proc_t *proc, int32_t items, const char *status, dream_msg_t **ret_msg)
{
	node_cbor_writer_t w;
	node_cbor_init(&w);
	node_cbor_put_map(&w, (uint64_t) __builtin_popcount((uint32_t) (items & NODE_INFO_ALL)));
	for (size_t i = 0; i < G_N_ELEMENTS(items_by_name); i++) {
		if (!(items & items_by_name[i].item))
			continue;
		node_cbor_put_text(&w, items_by_name[i].name);
		put_item(&w, proc, items_by_name[i].item, status);
	}
	return node_cbor_finish(&w, ret_msg);
}

/* Whoever handles a signal while others wait for its answer is neither running its own code nor ready to. */
void node_info_answer_take(node_proc_t *proc, node_sig_t *sig)
{
	bool exiting = node_proc_exiting(proc);
	dream_msg_t *msg = NULL;
	int r = DREAM_OK;
	if (sig->code == NODE_INFO_ALIVE)
		r = exiting ? DREAM_ENOPROC : DREAM_OK;
	else if (exiting) /* SIG-9 */
		r = DREAM_ENOPROC;
	else
		r = node_info_term(proc, sig->code, "waiting", &msg);
	if (r < 0 && msg == NULL)
		msg = node_msg_text(r == DREAM_ENOPROC ? "noproc" : node_diag_code_name(r));
	node_proc_answer_take(proc->node, sig, r, msg);
}
