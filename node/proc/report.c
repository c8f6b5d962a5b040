/* SPDX-License-Identifier: MIT */
/* A report is a few lines, each cut to the length of a line of the log: never a whole mailbox (PL-3). */
#include "proc/report.h"

#include <glib.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/info.h"
#include "proc/table.h"
#include "term/notation.h"

#define LINE_BYTES 1000u /* of a term's notation in one line */

static void log_line(node_proc_t *proc, const char *what, const dream_msg_t *msg)
{
	char pid[300];
	GString *text = g_string_new(NULL);
	node_notation_print(text, msg->data, msg->size_bytes, LINE_BYTES);
	node_log(proc->node, DREAM_LOG_ERROR, "crash of %s: %s %s",
		node_proc_pid_text(proc->node, node_proc_pid(proc), pid), what, text->str);
	g_string_free(text, TRUE);
}

static void log_written(node_proc_t *proc, const char *what, node_cbor_writer_t *w)
{
	dream_msg_t *msg;
	if (node_cbor_finish(w, &msg) < 0)
		return;
	log_line(proc, what, msg);
	node_msg_unref(msg);
}

static void report_line(node_proc_t *proc)
{
	char pid[300], name[NODE_NAME_MAX + 1];
	GString *why = g_string_new(NULL);
	node_names_of(proc->node, node_proc_pid(proc), name);
	node_notation_print(why, proc->exit_reason->data, proc->exit_reason->size_bytes, 400);
	node_log(proc->node, DREAM_LOG_ERROR,
		"process %s (%s%s%s) ended: %s; %u messages unread, %" G_GUINT64_FORMAT " bytes held",
		node_proc_pid_text(proc->node, node_proc_pid(proc), pid), proc->label ? proc->label : "?",
		name[0] != '\0' ? ", " : "", name, why->str, proc->n_inbox, proc->heap_bytes);
	g_string_free(why, TRUE);
}

static void report_facts(node_proc_t *proc)
{
	dream_msg_t *msg;
	int32_t items = NODE_INFO_ALL & ~(NODE_INFO_DICTIONARY | NODE_INFO_LINKS | NODE_INFO_MONITORED_BY);
	if (node_info_term(proc, items, "exiting", &msg) < 0)
		return;
	log_line(proc, "process", msg);
	node_msg_unref(msg);
}

static void report_item(node_proc_t *proc, const char *what, int32_t item)
{
	dream_msg_t *msg;
	if (node_info_term(proc, item, "exiting", &msg) < 0)
		return;
	log_line(proc, what, msg);
	node_msg_unref(msg);
}

/* ---- messages ---- */

static const char *kind_of(const node_sig_t *sig)
{
	switch (sig->kind) {
	case NODE_SIG_CALL:
		return "call";
	case NODE_SIG_CAST:
		return "cast";
	case NODE_SIG_SYS:
		return "system";
	case NODE_SIG_EXIT:
		return "EXIT";
	case NODE_SIG_DOWN:
		return "DOWN";
	default:
		return "message";
	}
}

static void report_messages(node_proc_t *proc)
{
	char pid[300];
	GString *text = g_string_new(NULL);
	uint32_t n = 0;
	for (const node_sig_t *sig = proc->inbox; sig != NULL && n < NODE_REPORT_MESSAGES;
		sig = sig->next, n++) {
		g_string_append_printf(text, "%s%s ", n > 0 ? ", " : "", kind_of(sig));
		if (sig->msg != NULL)
			node_notation_print(
				text, sig->msg->data, sig->msg->size_bytes, NODE_REPORT_MESSAGE_BYTES);
	}
	if (n > 0)
		node_log(proc->node, DREAM_LOG_ERROR, "crash of %s: messages, the first %u of %u: %s",
			node_proc_pid_text(proc->node, node_proc_pid(proc), pid), n, proc->n_inbox,
			text->str);
	g_string_free(text, TRUE);
}

/* ---- neighbours ---- */

typedef struct {
	dream_pid_t found[NODE_REPORT_NEIGHBOURS];
	uint32_t n;
	dream_pid_t self;
} neighbours_t;

static bool is_neighbour(const node_t *node, dream_pid_t pid)
{
	const node_proc_t *proc =
		pid.node == 0 ? node_proctab_find((node_t *) (uintptr_t) node, pid.id) : NULL;
	uint32_t flags = proc != NULL ? __atomic_load_n(&proc->flags, __ATOMIC_RELAXED) : NODE_PROC_TRAP_EXIT;
	return (flags & (NODE_PROC_TRAP_EXIT | NODE_PROC_EXITING)) == 0;
}

static void add_links(const node_t *node, neighbours_t *all, node_reftab_t *links)
{
	uint32_t pos = 0;
	const node_refent_t *link;
	while (all->n < NODE_REPORT_NEIGHBOURS && (link = node_reftab_next(links, &pos)) != NULL) {
		bool known = dream_pid_equal(link->pid, all->self);
		for (uint32_t i = 0; i < all->n && !known; i++)
			known = dream_pid_equal(all->found[i], link->pid);
		if (!known && link->aux == 0 && is_neighbour(node, link->pid))
			all->found[all->n++] = link->pid;
	}
}

/* Another process's links are its own. While it sleeps we may take the place of the scheduler that would run it: nobody
 * else does until it is woken, which it has to be then, since somebody may have tried to meanwhile. Of one that does not
 * sleep nothing is seen. */
static void add_links_of(node_t *node, neighbours_t *all, dream_pid_t pid)
{
	node_proc_t *proc = node_proctab_find(node, pid.id);
	if (proc == NULL || !node_proc_rouse(proc))
		return;
	if (__atomic_load_n(&proc->id, __ATOMIC_ACQUIRE) == pid.id)
		add_links(node, all, proc->links);
	node->hooks.wake(node, proc);
}

static void put_neighbour(node_cbor_writer_t *w, node_t *node, dream_pid_t pid)
{
	char name[NODE_NAME_MAX + 1];
	const node_proc_t *proc = node_proctab_find(node, pid.id);
	const char *label = proc != NULL ? __atomic_load_n(&proc->label, __ATOMIC_RELAXED) : NULL;
	node_cbor_put_map_start(w);
	node_cbor_put_text(w, "pid");
	node_cbor_put_pid(w, node, pid);
	if (node_names_of(node, pid, name)[0] != '\0') {
		node_cbor_put_text(w, "registered_name");
		node_cbor_put_text(w, name);
	}
	node_cbor_put_text(w, "kind");
	node_cbor_put_text(w, label != NULL ? label : "?");
	node_cbor_put_text(w, "message_queue_len");
	node_cbor_put_uint(w, proc != NULL ? __atomic_load_n(&proc->n_inbox, __ATOMIC_RELAXED) : 0);
	node_cbor_put_break(w);
}

/* Breadth first: those that the end will take along, and who hangs on them. */
static void report_neighbours(node_proc_t *proc)
{
	neighbours_t all = {.self = node_proc_pid(proc)};
	node_cbor_writer_t w;
	add_links(proc->node, &all, proc->links);
	for (uint32_t i = 0; i < all.n && all.n < NODE_REPORT_NEIGHBOURS; i++)
		add_links_of(proc->node, &all, all.found[i]);
	if (all.n == 0)
		return;
	node_cbor_init(&w);
	node_cbor_put_array(&w, all.n);
	for (uint32_t i = 0; i < all.n; i++)
		put_neighbour(&w, proc->node, all.found[i]);
	log_written(proc, "neighbours", &w);
}

/* ---- all of it ---- */

void node_report_end(node_proc_t *proc)
{
	if ((proc->flags & NODE_PROC_SYSTEM) || node_proc_reason_is_normal_class(proc->exit_reason))
		return;
	report_line(proc);
	if (!node_proctab_take_report(proc->node, node_clock_now(proc->node)))
		return;
	report_facts(proc);
	if (node_reftab_count(proc->links) > 0)
		report_item(proc, "links", NODE_INFO_LINKS);
	if (proc->extra != NULL && proc->extra->dict != NULL)
		report_item(proc, "dictionary", NODE_INFO_DICTIONARY);
	report_messages(proc);
	report_neighbours(proc);
}
