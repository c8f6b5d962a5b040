/* SPDX-License-Identifier: MIT */
#include "otp/supervisor.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "otp/call.h"
#include "otp/child.h"
#include "term/cbor.h"
#include "term/notation.h"

#define DEFAULT_INTENSITY 1
#define DEFAULT_PERIOD_S 5
#define MSGS_PER_TURN 64

struct node_sup {
	const node_kind_t *kind;
	const node_kind_t *old_kind; /* during an upgrade, with a reference */
	GPtrArray *children;         /* in start order */
	GArray *restarts;            /* int64_t: when, within the period */
	node_sig_t *handling;        /* while we wait for children; freed with us if we end there */
	dream_msg_t *ending;         /* the same: the reason to end with */
	bool running;
};

/* ---- life ---- */

int node_sup_new(const node_kind_t *kind, node_sup_t **ret_sup, node_diag_t *diag)
{
	GPtrArray *children;
	if (kind->ops.supervisor.strategy > DREAM_REST_FOR_ONE)
		return node_diag_set(diag, DREAM_EMODULE, "supervisor %s: unknown strategy %u", kind->name,
			kind->ops.supervisor.strategy);
	int r = node_child_list_new(kind, &children, diag);
	if (r < 0)
		return r;
	node_sup_t *sup = g_new0(node_sup_t, 1);
	sup->kind = kind;
	sup->children = children;
	sup->restarts = g_array_new(FALSE, FALSE, sizeof(int64_t));
	*ret_sup = sup;
	return DREAM_OK;
}

void node_sup_free(node_sup_t *sup)
{
	if (sup == NULL)
		return;
	if (sup->old_kind != NULL)
		node_code_unref(sup->old_kind->gen);
	node_sig_free(sup->handling);
	node_msg_unref(sup->ending);
	g_ptr_array_unref(sup->children);
	g_array_free(sup->restarts, TRUE);
	g_free(sup);
}

static void fini(node_proc_t *proc)
{
	node_sup_free(proc->self);
	proc->self = NULL;
	node_code_unref(proc->gen);
}

static node_child_t *child_at(const node_sup_t *sup, guint i)
{
	return sup->children->pdata[i];
}

/* ---- stopping ---- */

/* From the last to the first after and including @from (SUP-1); temporaries are dropped (SUP-7). */
static void stop_from(node_proc_t *proc, node_sup_t *sup, guint from, bool drop_temporaries)
{
	for (guint i = sup->children->len; i-- > from;) {
		node_child_t *child = child_at(sup, i);
		node_child_stop(proc, child);
		if (drop_temporaries && child->restart == DREAM_TEMPORARY)
			g_ptr_array_remove_index(sup->children, i);
	}
}

static int end_take(node_proc_t *proc, node_sup_t *sup, dream_msg_t *reason)
{
	sup->ending = reason;
	stop_from(proc, sup, 0, false);
	sup->ending = NULL;
	node_proc_set_exit_take(proc, reason);
	return NODE_RUN_EXIT;
}

/* ---- starting ---- */

static void note_ignored(node_sup_t *sup, guint i)
{
	if (child_at(sup, i)->restart == DREAM_TEMPORARY) /* SUP-3 */
		g_ptr_array_remove_index(sup->children, i);
}

/* Starts those that are not running, from @from on. Returns the first that failed, or NULL. */
static node_child_t *start_from(node_proc_t *proc, node_sup_t *sup, guint from)
{
	for (guint i = from; i < sup->children->len;) {
		node_child_t *child = child_at(sup, i);
		int r = child->state == NODE_CHILD_RUNNING ? DREAM_OK : node_child_start(proc, child);
		if (r < 0)
			return child;
		guint before = sup->children->len;
		if (r == DREAM_IGNORE)
			note_ignored(sup, i);
		i += sup->children->len == before;
	}
	return NULL;
}

static dream_msg_t *failed_start_reason(const node_child_t *child, const dream_msg_t *why)
{
	node_cbor_writer_t w;
	dream_msg_t *reason = NULL;
	node_cbor_init(&w);
	node_cbor_put_array(&w, 2);
	node_cbor_put_text(&w, "shutdown");
	node_cbor_put_array(&w, 3);
	node_cbor_put_text(&w, "failed_to_start_child");
	node_cbor_put_text(&w, child->id);
	node_cbor_put_msg(&w, why);
	(void) node_cbor_finish(&w, &reason);
	return reason;
}

static int run_init(node_proc_t *proc, node_sup_t *sup)
{
	node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
	node_child_t *failed = start_from(proc, sup, 0);
	if (failed != NULL) /* SUP-2 */
		return end_take(proc, sup, failed_start_reason(failed, node_proc_reason_borrow(proc)));
	sup->running = true;
	node_proc_ack_start_take(proc, DREAM_OK, NULL);
	return NODE_RUN_IDLE;
}

/* ---- restarting ---- */

/* SUP-5: every attempt counts, failed ones too. */
static bool too_many(node_proc_t *proc, node_sup_t *sup)
{
	const dream_supervisor_ops_t *ops = &sup->kind->ops.supervisor;
	int64_t now_ns = node_clock_now(proc->node);
	int64_t period_ns =
		(int64_t) (ops->period_s != 0 ? ops->period_s : DEFAULT_PERIOD_S) * 1000 * NODE_MS;
	int32_t intensity = ops->intensity == 0 ? DEFAULT_INTENSITY : ops->intensity < 0 ? 0 : ops->intensity;
	while (sup->restarts->len > 0 && now_ns - g_array_index(sup->restarts, int64_t, 0) > period_ns)
		g_array_remove_index(sup->restarts, 0);
	g_array_append_val(sup->restarts, now_ns);
	return sup->restarts->len > (guint) intensity;
}

static guint index_of(const node_sup_t *sup, const node_child_t *child)
{
	guint i = 0;
	while (i < sup->children->len && child_at(sup, i) != child)
		i++;
	return i;
}

/* SUP-6: a restart that fails is tried again by a message to ourselves, so that others are served in between. */
static void try_again(node_proc_t *proc, node_child_t *child)
{
	child->state = NODE_CHILD_RESTARTING;
	node_sig_t *sig = node_sig_new_take(
		NODE_SIG_TIMER, node_proc_pid(proc), node_proc_pid(proc), child->number, NULL);
	if (sig != NULL)
		(void) node_proc_deliver_take(proc->node, sig);
}

static int restart(node_proc_t *proc, node_sup_t *sup, node_child_t *child)
{
	if (too_many(proc, sup)) {
		node_log(proc->node, DREAM_LOG_ERROR, "supervisor %s: child %s: too many restarts, giving up",
			proc->label, child->id);
		return end_take(proc, sup, node_msg_text("shutdown"));
	}
	uint32_t strategy = sup->kind->ops.supervisor.strategy;
	guint from = strategy == DREAM_ONE_FOR_ALL ? 0 : index_of(sup, child);
	child->restarts++;
	child->state = NODE_CHILD_STOPPED;
	node_child_t *failed = NULL;
	if (strategy == DREAM_ONE_FOR_ONE) {
		int r = node_child_start(proc, child);
		failed = r < 0 ? child : NULL;
		if (r == DREAM_IGNORE)
			note_ignored(sup, from);
	} else {
		stop_from(proc, sup, from, true);
		failed = start_from(proc, sup, from);
		if (failed != NULL) /* SUP-7 */
			stop_from(
				proc, sup, strategy == DREAM_ONE_FOR_ALL ? 0 : index_of(sup, failed), false);
	}
	if (failed != NULL)
		try_again(proc, failed);
	return NODE_RUN_IDLE;
}

static void report_end(node_proc_t *proc, const node_child_t *child, const dream_msg_t *reason, bool restarts)
{
	if (node_proc_reason_is_normal_class(reason) && !restarts)
		return;
	GString *text = g_string_new(NULL);
	node_notation_print(text, reason->data, reason->size_bytes, 200);
	node_log(proc->node, DREAM_LOG_ERROR, "supervisor %s: child %s ended: %s%s", proc->label, child->id,
		text->str, restarts ? "; restarting" : "");
	g_string_free(text, TRUE);
}

static node_child_t *child_of(const node_sup_t *sup, dream_pid_t pid)
{
	for (guint i = 0; i < sup->children->len; i++) {
		node_child_t *child = child_at(sup, i);
		if (child->state == NODE_CHILD_RUNNING && dream_pid_equal(child->pid, pid))
			return child;
	}
	return NULL;
}

static int on_exit_sig(node_proc_t *proc, node_sup_t *sup, node_sig_t *sig)
{
	if (node_proc_is_parent(proc, sig->from)) /* SUP-12 */
		return end_take(proc, sup, node_sig_steal_msg(sig));
	node_child_t *child = child_of(sup, sig->from);
	int r = NODE_RUN_IDLE;
	sup->handling = sig;
	if (child != NULL) {
		bool again = node_child_wants_restart(child, sig->msg);
		report_end(proc, child, sig->msg, again);
		child->state = NODE_CHILD_STOPPED;
		if (again)
			r = restart(proc, sup, child);
		else if (child->restart == DREAM_TEMPORARY) /* SUP-4 */
			g_ptr_array_remove(sup->children, child);
	}
	sup->handling = NULL;
	node_sig_free(sig);
	return r;
}

static int on_retry(node_proc_t *proc, node_sup_t *sup, node_sig_t *sig)
{
	node_child_t *child = NULL;
	for (guint i = 0; i < sup->children->len; i++)
		if (child_at(sup, i)->number == sig->ref && child_at(sup, i)->state == NODE_CHILD_RESTARTING)
			child = child_at(sup, i);
	node_sig_free(sig);
	return child != NULL ? restart(proc, sup, child) : NODE_RUN_IDLE;
}

/* ---- system requests ---- */

static void put_child(node_cbor_writer_t *w, const node_proc_t *proc, const node_child_t *child)
{
	static const char *const states[] = {"stopped", "running", "restarting"};
	node_cbor_put_map(w, 6);
	node_cbor_put_text(w, "id");
	node_cbor_put_text(w, child->id);
	node_cbor_put_text(w, "pid");
	if (child->state == NODE_CHILD_RUNNING)
		node_cbor_put_pid(w, proc->node, child->pid);
	else
		node_cbor_put_null(w);
	node_cbor_put_text(w, "kind");
	node_cbor_put_text(w, child->kind);
	node_cbor_put_text(w, "type");
	node_cbor_put_text(w, child->is_supervisor ? "supervisor" : "worker");
	node_cbor_put_text(w, "state");
	node_cbor_put_text(w, states[child->state]);
	node_cbor_put_text(w, "restarts");
	node_cbor_put_uint(w, child->restarts);
}

static dream_msg_t *children_term(const node_proc_t *proc, const node_sup_t *sup)
{
	node_cbor_writer_t w;
	dream_msg_t *term = NULL;
	node_cbor_init(&w);
	node_cbor_put_array(&w, sup->children->len);
	for (guint i = 0; i < sup->children->len; i++)
		put_child(&w, proc, child_at(sup, i));
	(void) node_cbor_finish(&w, &term);
	return term;
}

static node_child_t *by_id(const node_sup_t *sup, const char *id)
{
	for (guint i = 0; i < sup->children->len; i++)
		if (strcmp(child_at(sup, i)->id, id) == 0)
			return child_at(sup, i);
	return NULL;
}

/* SUP-19: known ids keep their processes and get the new specification; children that are new wait to be started by
 * hand, those that are gone stay. */
static void merge(node_sup_t *sup, GPtrArray *fresh)
{
	for (guint i = 0; i < fresh->len; i++) {
		node_child_t *spec = fresh->pdata[i];
		node_child_t *child = by_id(sup, spec->id);
		if (child == NULL)
			continue;
		spec->state = child->state;
		spec->pid = child->pid;
		spec->restarts = child->restarts;
		spec->number = child->number;
		node_child_t swap = *child;
		*child = *spec;
		*spec = swap;
	}
}

static int follow(node_proc_t *proc, node_sup_t *sup, const node_gen_t *gen, bool change, node_diag_t *diag)
{
	GPtrArray *fresh;
	const node_kind_t *kind = node_code_kind_borrow(gen, sup->kind->name);
	if (kind == NULL || kind->type != DREAM_KIND_SUPERVISOR)
		return node_diag_set(diag, DREAM_ECODECHANGE, "%s %s has no supervisor \"%s\"", gen->name,
			gen->vsn, sup->kind->name);
	int r = node_child_list_new(kind, &fresh, diag);
	if (r < 0)
		return r;
	if (change) {
		merge(sup, fresh);
		sup->old_kind = sup->kind;
		sup->kind = kind;
		__atomic_store_n(&proc->gen, node_code_ref(kind->gen), __ATOMIC_RELEASE);
		__atomic_store_n(&proc->label, kind->name, __ATOMIC_RELAXED);
	}
	g_ptr_array_unref(fresh);
	return DREAM_OK;
}

static void commit(node_sup_t *sup)
{
	if (sup->old_kind != NULL)
		node_code_unref(sup->old_kind->gen);
	sup->old_kind = NULL;
}

static int go_back(node_proc_t *proc, node_sup_t *sup, node_diag_t *diag)
{
	const node_kind_t *old = sup->old_kind;
	if (old == NULL)
		return DREAM_OK;
	int r = follow(proc, sup, old->gen, true, diag);
	if (r == DREAM_OK) {
		commit(sup);               /* the newer generation, which follow() put there */
		node_code_unref(old->gen); /* follow() took a reference beside the one we kept */
	}
	return r;
}

static int change(node_proc_t *proc, node_sup_t *sup, const node_sig_t *sig, node_diag_t *diag)
{
	const node_gen_t *current = node_code_current_of_borrow(proc->gen);
	switch (sig->code) {
	case NODE_SYS_UPGRADE_CHECK:
		return follow(proc, sup, sig->data, false, diag);
	case NODE_SYS_UPGRADE:
		if (current == proc->gen)
			return DREAM_OK;
		commit(sup);
		return follow(proc, sup, current, true, diag);
	case NODE_SYS_UPGRADE_BACK:
		return go_back(proc, sup, diag);
	default:
		commit(sup);
		return DREAM_OK;
	}
}

static int on_sys(node_proc_t *proc, node_sup_t *sup, node_sig_t *sig)
{
	node_diag_t diag;
	if (sig->code == NODE_SYS_TERMINATE) {
		dream_msg_t *reason = node_msg_ref(sig->msg);
		node_proc_answer_take(proc->node, sig, DREAM_OK, NULL);
		return end_take(proc, sup, reason);
	}
	if (sig->code >= NODE_SYS_UPGRADE_CHECK && sig->code <= NODE_SYS_UPGRADE_BACK) {
		int r = change(proc, sup, sig, &diag);
		node_proc_answer_take(proc->node, sig, r, r < 0 ? node_msg_text(diag.text) : NULL);
	} else if (sig->code == NODE_SYS_CHILDREN || sig->code == NODE_SYS_GET_STATE) {
		node_proc_answer_take(proc->node, sig, DREAM_OK, children_term(proc, sup));
	} else {
		node_proc_answer_take(
			proc->node, sig, DREAM_EREQUEST, node_msg_text("a supervisor cannot do that"));
	}
	return NODE_RUN_IDLE;
}

/* ---- the loop ---- */

static int dispatch(node_proc_t *proc, node_sup_t *sup, node_sig_t *sig)
{
	switch (sig->kind) {
	case NODE_SIG_EXIT:
		return on_exit_sig(proc, sup, sig);
	case NODE_SIG_TIMER:
		return on_retry(proc, sup, sig);
	case NODE_SIG_SYS:
		return on_sys(proc, sup, sig);
	case NODE_SIG_CALL:
		node_proc_answer_take(
			proc->node, sig, DREAM_EREQUEST, node_msg_text("a supervisor takes no calls"));
		return NODE_RUN_IDLE;
	default: /* SUP-12 */
		node_log(proc->node, DREAM_LOG_WARNING, "supervisor %s: unexpected message dropped",
			proc->label);
		node_sig_free(sig);
		return NODE_RUN_IDLE;
	}
}

static int run(node_proc_t *proc)
{
	node_sup_t *sup = proc->self;
	int r = sup->running ? NODE_RUN_IDLE : run_init(proc, sup);
	for (int n = 0; r == NODE_RUN_IDLE && n < MSGS_PER_TURN; n++) {
		node_sig_t *sig = node_proc_next_take(proc);
		if (sig == NULL)
			return node_proc_exiting(proc) ? NODE_RUN_EXIT : NODE_RUN_IDLE;
		r = dispatch(proc, sup, sig);
	}
	return r == NODE_RUN_IDLE ? NODE_RUN_AGAIN : r;
}

const node_proc_ops_t node_sup_ops = {"supervisor", run, fini};
