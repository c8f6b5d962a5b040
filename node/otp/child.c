/* SPDX-License-Identifier: MIT */
#include "otp/child.h"

#include <string.h>

#include "base/log.h"
#include "otp/call.h"
#include "otp/limits.h"
#include "otp/start.h"
#include "term/notation.h"

#define WORKER_SHUTDOWN_MS 5000

static void child_free(gpointer data)
{
	node_child_t *child = data;
	g_free(child->id);
	g_free(child->module);
	g_free(child->kind);
	g_free(child->name);
	node_msg_unref(child->args);
	g_free(child);
}

static int64_t shutdown_of(const dream_child_t *spec, bool is_supervisor)
{
	if (spec->shutdown_ms != DREAM_SHUTDOWN_DEFAULT)
		return spec->shutdown_ms;
	return is_supervisor ? DREAM_SHUTDOWN_INFINITY : WORKER_SHUTDOWN_MS;
}

static int parse_args(const dream_child_t *spec, dream_msg_t **ret_args, node_diag_t *diag)
{
	if (spec->args != NULL)
		return node_notation_parse(spec->args, strlen(spec->args), ret_args, diag);
	*ret_args = node_msg_copy_null();
	return *ret_args == NULL ? DREAM_ENOMEM : DREAM_OK;
}

static int check_spec(const node_kind_t *sup, const dream_child_t *spec, node_diag_t *diag)
{
	if (spec->kind == NULL)
		return node_diag_set(diag, DREAM_EMODULE, "supervisor %s: a child without a kind", sup->name);
	if (spec->restart > DREAM_TEMPORARY)
		return node_diag_set(diag, DREAM_EMODULE,
			"supervisor %s: child %s: restart %u is none of permanent, transient, temporary",
			sup->name, spec->kind, spec->restart);
	if (spec->shutdown_ms < DREAM_SHUTDOWN_INFINITY)
		return node_diag_set(diag, DREAM_EMODULE, "supervisor %s: child %s: negative shutdown time",
			sup->name, spec->kind);
	node_limits_t limits;
	node_diag_t why;
	if (node_limits_read(sup->gen->node, &spec->limits, &limits, &why) < 0)
		return node_diag_set(
			diag, DREAM_EMODULE, "supervisor %s: child %s: %s", sup->name, spec->kind, why.text);
	if (spec->module == NULL && node_code_kind_borrow(sup->gen, spec->kind) == NULL)
		return node_diag_set(diag, DREAM_EMODULE, "supervisor %s: module %s has no kind \"%s\"",
			sup->name, sup->gen->name, spec->kind);
	return DREAM_OK;
}

static int child_new(
	const node_kind_t *sup, const dream_child_t *spec, node_child_t **ret_child, node_diag_t *diag)
{
	dream_msg_t *args;
	int r = check_spec(sup, spec, diag);
	if (r == DREAM_OK && (r = parse_args(spec, &args, diag)) < 0)
		node_diag_prefix(diag, "supervisor %s: child %s: args", sup->name, spec->kind);
	if (r < 0)
		return r;
	const node_kind_t *kind = spec->module == NULL ? node_code_kind_borrow(sup->gen, spec->kind) : NULL;
	node_child_t *child = g_new0(node_child_t, 1);
	child->id = g_strdup(spec->id != NULL ? spec->id : spec->kind);
	child->module = g_strdup(spec->module != NULL ? spec->module : sup->gen->name);
	child->kind = g_strdup(spec->kind);
	child->name = g_strdup(spec->name);
	child->args = args;
	child->limits = spec->limits;
	child->restart = spec->restart;
	child->is_supervisor = kind != NULL && kind->type == DREAM_KIND_SUPERVISOR;
	child->is_foreign = spec->module != NULL;
	child->default_shutdown = spec->shutdown_ms == DREAM_SHUTDOWN_DEFAULT;
	child->shutdown_ms = shutdown_of(spec, child->is_supervisor);
	*ret_child = child;
	return DREAM_OK;
}

static bool has_id(const GPtrArray *children, const char *id)
{
	for (guint i = 0; i < children->len; i++)
		if (strcmp(((node_child_t *) children->pdata[i])->id, id) == 0)
			return true;
	return false;
}

int node_child_list_new(const node_kind_t *kind, GPtrArray **ret_children, node_diag_t *diag)
{
	const dream_supervisor_ops_t *ops = &kind->ops.supervisor;
	GPtrArray *children = g_ptr_array_new_with_free_func(child_free);
	for (uint32_t i = 0; ops->children != NULL && ops->children[i] != NULL; i++) {
		node_child_t *child = NULL;
		int r = child_new(kind, ops->children[i], &child, diag);
		if (r == DREAM_OK && has_id(children, child->id)) { /* SUP-17 */
			r = node_diag_set(diag, DREAM_EMODULE,
				"supervisor %s: two children with the id \"%s\"", kind->name, child->id);
			child_free(child);
		}
		if (r < 0) {
			g_ptr_array_unref(children);
			return r;
		}
		child->number = i + 1;
		g_ptr_array_add(children, child);
	}
	*ret_children = children;
	return DREAM_OK;
}

/* A child of another module: what its kind is shows when it is started, since that module may come and change. */
static void look_up_foreign(node_proc_t *proc, node_child_t *child)
{
	node_gen_t *gen = child->is_foreign ? node_code_current_ref(proc->node->code, child->module) : NULL;
	const node_kind_t *kind = gen != NULL ? node_code_kind_borrow(gen, child->kind) : NULL;
	if (kind != NULL) {
		child->is_supervisor = kind->type == DREAM_KIND_SUPERVISOR;
		if (child->default_shutdown)
			child->shutdown_ms =
				child->is_supervisor ? DREAM_SHUTDOWN_INFINITY : WORKER_SHUTDOWN_MS;
	}
	node_code_unref(gen);
}

int node_child_start(node_proc_t *proc, node_child_t *child)
{
	look_up_foreign(proc, child);
	node_start_t how = {.module = child->module,
		.kind = child->kind,
		.args = child->args,
		.name = child->name,
		.limits = &child->limits,
		.link = true};
	int r = node_start_kind(proc, &how, &child->pid);
	child->state = r == DREAM_OK ? NODE_CHILD_RUNNING : NODE_CHILD_STOPPED;
	return r; /* GS-3: the exit of a failed start comes as a stranger's, and is ignored (SUP-12) */
}

static void signal_exit(node_proc_t *proc, dream_pid_t pid, const char *text)
{
	dream_msg_t *reason = node_msg_text(text);
	node_proc_exit_signal(proc->node, proc, pid, reason);
	node_msg_unref(reason);
}

static bool expected(const node_child_t *child, const dream_msg_t *reason)
{
	if (child->shutdown_ms == DREAM_SHUTDOWN_BRUTAL)
		return node_msg_is_text(reason, "killed");
	if (node_msg_is_text(reason, "shutdown"))
		return true;
	return child->restart != DREAM_PERMANENT && node_proc_reason_is_normal_class(reason);
}

static void report_bad_end(node_proc_t *proc, const node_child_t *child, const dream_msg_t *reason)
{
	GString *text = g_string_new(NULL);
	node_notation_print(text, reason->data, reason->size_bytes, 200);
	node_log(proc->node, DREAM_LOG_ERROR, "supervisor %s: child %s ended badly while being stopped: %s",
		proc->label, child->id, text->str);
	g_string_free(text, TRUE);
}

/* The link stays until the child is dead, so that a supervisor killed in between leaves no orphan (DYN-3); the
 * monitor is there because a child may have unlinked itself. */
void node_child_stop(node_proc_t *proc, node_child_t *child)
{
	uint64_t monitor;
	dream_msg_t *reason = NULL;
	bool brutal = child->shutdown_ms == DREAM_SHUTDOWN_BRUTAL;
	int was = child->state;
	child->state = NODE_CHILD_STOPPED;
	if (was != NODE_CHILD_RUNNING || node_proc_monitor(proc, child->pid, NULL, &monitor) < 0)
		return;
	signal_exit(proc, child->pid, brutal ? "kill" : "shutdown");
	int64_t wait_ms =
		brutal || child->shutdown_ms == DREAM_SHUTDOWN_INFINITY ? DREAM_INFINITY : child->shutdown_ms;
	if (node_call_await_down(proc, monitor, node_call_deadline(proc->node, wait_ms), &reason) < 0) {
		signal_exit(proc, child->pid, "kill");
		(void) node_call_await_down(proc, monitor, NODE_FOREVER, &reason);
	}
	(void) node_proc_unlink(proc, child->pid);
	dream_msg_t *real = node_proc_flush_exit(proc, child->pid);
	if (real != NULL) { /* DOWN says noproc if the child died just before; its EXIT says why */
		node_msg_unref(reason);
		reason = real;
	}
	if (!expected(child, reason))
		report_bad_end(proc, child, reason);
	node_msg_unref(reason);
}

bool node_child_wants_restart(const node_child_t *child, const dream_msg_t *reason)
{
	if (child->restart == DREAM_PERMANENT)
		return true;
	return child->restart == DREAM_TRANSIENT && !node_proc_reason_is_normal_class(reason);
}
