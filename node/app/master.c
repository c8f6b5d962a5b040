/* SPDX-License-Identifier: MIT */
/* The master of an application: it calls the module's start, starts the top supervisor, and when that has
 * ended, by order or by itself, ends every process that belongs to the application and calls stop (APP-4, APP-6). */
#include <string.h>

#include "app/local.h"
#include "base/clock.h"
#include "base/log.h"
#include "otp/call.h"
#include "otp/start.h"
#include "term/notation.h"

typedef struct {
	node_app_t *app;
	bool running;
	/* during an upgrade: what the application had before */
	node_gen_t *old_gen;
} master_t;

/* ---- code ---- */

int node_master_set_code(node_app_t *app, const node_gen_t *gen, bool change, node_diag_t *diag)
{
	dream_msg_t *defaults;
	const node_kind_t *kind = node_code_application_borrow(gen, app->kind->name);
	if (kind == NULL)
		return node_diag_set(diag, DREAM_ECODECHANGE, "%s %s has no application \"%s\"", gen->name,
			gen->vsn, app->name);
	int r = node_env_parse_defaults(&kind->ops.application, &defaults, diag);
	if (r < 0 || !change) {
		if (r == DREAM_OK)
			node_msg_unref(defaults);
		return r;
	}
	node_gen_t *fresh = node_code_ref(kind->gen);
	pthread_mutex_lock(&app->node->apps->lock);
	node_gen_t *before = app->gen;
	dream_msg_t *old_defaults = app->defaults;
	app->gen = fresh;
	app->kind = kind;
	app->defaults = defaults;
	pthread_mutex_unlock(&app->node->apps->lock);
	node_code_unref(before);
	node_msg_unref(old_defaults);
	return DREAM_OK;
}

static void set_gen_take(node_proc_t *proc, node_gen_t *gen)
{
	node_code_unref(proc->gen);
	__atomic_store_n(&proc->gen, gen, __ATOMIC_RELEASE);
}

static void commit(master_t *master)
{
	node_code_unref(master->old_gen);
	master->old_gen = NULL;
}

static int change_code(node_proc_t *proc, master_t *master, const node_sig_t *sig, node_diag_t *diag)
{
	node_app_t *app = master->app;
	int r = DREAM_OK;
	if (sig->code == NODE_SYS_UPGRADE_CHECK)
		return node_master_set_code(app, sig->data, false, diag);
	if (sig->code == NODE_SYS_UPGRADE && node_code_current_of_borrow(proc->gen) != proc->gen) {
		r = node_master_set_code(app, node_code_current_of_borrow(proc->gen), true, diag);
		if (r == DREAM_OK) {
			commit(master);
			master->old_gen = node_code_ref(proc->gen);
			set_gen_take(proc, node_code_ref(app->gen));
		}
	} else if (sig->code == NODE_SYS_UPGRADE_BACK && master->old_gen != NULL) {
		r = node_master_set_code(app, master->old_gen, true, diag);
		set_gen_take(proc, master->old_gen);
		master->old_gen = NULL;
	} else if (sig->code == NODE_SYS_UPGRADE_COMMIT) {
		commit(master);
	}
	return r;
}

/* ---- the end ---- */

#define END_MEMBERS_MS 10000

static bool is_member(const node_proc_t *proc, const node_proc_t *member, const node_app_t *app)
{
	return __atomic_load_n(&member->app, __ATOMIC_RELAXED) == app && member != proc &&
	       node_proc_pid(member).id != 0;
}

static uint32_t kill_members(node_proc_t *proc, const node_app_t *app)
{
	dream_msg_t *kill = node_msg_text("kill");
	uint32_t pos = 0;
	uint32_t found = 0;
	node_proc_t *member;
	while ((member = node_proctab_next(proc->node, &pos)) != NULL) {
		if (!is_member(proc, member, app))
			continue;
		found++;
		node_proc_exit_signal(proc->node, proc, node_proc_pid(member), kill);
	}
	node_msg_unref(kill);
	return found;
}

static void await_members(node_proc_t *proc, const node_app_t *app, int64_t deadline_ns)
{
	uint32_t pos = 0;
	node_proc_t *member;
	while ((member = node_proctab_next(proc->node, &pos)) != NULL) {
		uint64_t monitor;
		dream_msg_t *reason;
		if (!is_member(proc, member, app) ||
			node_proc_monitor(proc, node_proc_pid(member), NULL, &monitor) < 0)
			continue;
		if (node_call_await_down(proc, monitor, deadline_ns, &reason) == DREAM_OK)
			node_msg_unref(reason);
		else
			(void) node_proc_demonitor(proc, monitor, true);
	}
}

/* Members may start others while they are being killed: again until a pass finds none, or the time is up for one that
 * does not come back from a callback. */
void node_master_end_members(node_proc_t *proc, const node_app_t *app)
{
	int64_t deadline_ns = node_call_deadline(proc->node, END_MEMBERS_MS);
	uint32_t found = kill_members(proc, app);
	while (found > 0 && node_clock_now(proc->node) < deadline_ns) {
		await_members(proc, app, deadline_ns);
		found = kill_members(proc, app);
	}
	if (found > 0)
		node_log(proc->node, DREAM_LOG_ERROR, "application %s: %u processes do not end; giving up",
			app->name, found);
}

static void after_tree(node_proc_t *proc, master_t *master)
{
	node_app_t *app = master->app;
	node_master_end_members(proc, app);
	if (app->kind->ops.application.stop != NULL)
		app->kind->ops.application.stop();
}

static int stop_tree(node_proc_t *proc, master_t *master)
{
	uint64_t monitor;
	dream_msg_t *reason;
	dream_msg_t *shutdown = node_msg_text("shutdown");
	dream_pid_t root = master->app->root;
	if (node_proc_monitor(proc, root, NULL, &monitor) == DREAM_OK) {
		node_proc_exit_signal(proc->node, proc, root, shutdown);
		node_msg_unref(shutdown);
		shutdown = NULL; /* we may be ended while we wait */
		(void) node_call_await_down(proc, monitor, NODE_FOREVER, &reason);
		node_msg_unref(reason);
	}
	node_msg_unref(shutdown);
	after_tree(proc, master);
	return NODE_RUN_EXIT;
}

/* ---- the start ---- */

static int fail_start(node_proc_t *proc, master_t *master, dream_msg_t *reason)
{
	node_master_end_members(proc, master->app);
	node_proc_set_exit_take(proc, reason);
	return NODE_RUN_EXIT;
}

static int run_start(node_proc_t *proc, master_t *master)
{
	node_app_t *app = master->app;
	const dream_application_ops_t *ops = &app->kind->ops.application;
	dream_msg_t *args = NULL;
	node_diag_t diag;
	node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
	int r = ops->start != NULL ? ops->start() : DREAM_OK;
	if (r < 0)
		return fail_start(
			proc, master, node_msg_printf("[\"start\", \"%s\"]", node_diag_code_name(r)));
	if (ops->root == NULL)
		return fail_start(proc, master, node_msg_text("the application names no root"));
	if (ops->root_args != NULL &&
		node_notation_parse(ops->root_args, strlen(ops->root_args), &args, &diag) < 0)
		return fail_start(proc, master, node_msg_text(diag.text));
	node_start_t how = {
		.module = app->gen->name, .kind = ops->root, .args = args, .link = true, .app = app};
	dream_pid_t root;
	bool noted =
		args != NULL && node_proc_hold(proc, args) == DREAM_OK; /* we may be ended while we wait */
	r = node_start_kind(proc, &how, &root);
	if (noted)
		(void) node_proc_unhold(proc, args);
	node_msg_unref(args);
	if (r != DREAM_OK)
		return fail_start(proc, master,
			node_proc_reason_borrow(proc) != NULL ? node_msg_ref(node_proc_reason_borrow(proc))
							      : node_msg_text("ignore"));
	pthread_mutex_lock(&proc->node->apps->lock);
	app->root = root;
	pthread_mutex_unlock(&proc->node->apps->lock);
	master->running = true;
	node_proc_ack_start_take(proc, DREAM_OK, NULL);
	return NODE_RUN_IDLE;
}

/* ---- the loop ---- */

static void config_changed(node_proc_t *proc, master_t *master, node_sig_t *sig)
{
	proc->current = sig; /* answered also if the callback does not come back */
	if (master->app->kind->ops.application.config_change != NULL)
		master->app->kind->ops.application.config_change();
	proc->current = NULL;
	node_proc_answer_take(proc->node, sig, DREAM_OK, NULL);
}

static int on_sys(node_proc_t *proc, master_t *master, node_sig_t *sig)
{
	node_diag_t diag;
	if (sig->code == NODE_SYS_TERMINATE) {
		node_proc_set_flag(proc, NODE_PROC_STOPPING, true);
		node_proc_defer_take(proc, sig); /* answered by our end */
		return stop_tree(proc, master);
	}
	if (sig->code >= NODE_SYS_UPGRADE_CHECK && sig->code <= NODE_SYS_UPGRADE_BACK) {
		int r = change_code(proc, master, sig, &diag);
		node_proc_answer_take(proc->node, sig, r, r < 0 ? node_msg_text(diag.text) : NULL);
	} else if (sig->code == NODE_MASTER_CONFIG_CHANGED) {
		config_changed(proc, master, sig);
	} else {
		node_proc_answer_take(proc->node, sig, DREAM_EREQUEST,
			node_msg_text("an application master cannot do that"));
	}
	return NODE_RUN_IDLE;
}

static int dispatch(node_proc_t *proc, master_t *master, node_sig_t *sig)
{
	if (sig->kind == NODE_SIG_SYS)
		return on_sys(proc, master, sig);
	if (sig->kind == NODE_SIG_EXIT && dream_pid_equal(sig->from, master->app->root)) {
		after_tree(proc, master);
		node_proc_set_exit_take(proc, node_sig_steal_msg(sig));
		return NODE_RUN_EXIT;
	}
	node_sig_free(sig);
	return NODE_RUN_IDLE;
}

static int run(node_proc_t *proc)
{
	master_t *master = proc->self;
	int r = master->running ? NODE_RUN_IDLE : run_start(proc, master);
	while (r == NODE_RUN_IDLE) {
		node_sig_t *sig = node_proc_next_take(proc);
		if (sig == NULL)
			return node_proc_exiting(proc) ? NODE_RUN_EXIT : NODE_RUN_IDLE;
		r = dispatch(proc, master, sig);
	}
	return r;
}

static void fini(node_proc_t *proc)
{
	master_t *master = proc->self;
	commit(master);
	node_mem_free(master);
	proc->self = NULL;
	node_code_unref(proc->gen);
}

static const node_proc_ops_t master_ops = {"application_master", run, fini};

/* As node_call_await(), but it looks at every batch of signals whether the start is still wanted. */
static int await_start(node_proc_t *proc, node_app_t *app, node_call_slot_t *slot)
{
	proc->slot = slot;
	while (!slot->done) {
		(void) node_proc_wait(proc, NODE_FOREVER);
		if (!slot->done && !app->given_up && node_app_stop_waits(proc, app)) {
			app->given_up = true;
			node_master_end_members(proc, app); /* the master too: its end is the answer */
		}
	}
	proc->slot = NULL;
	if (slot->code < 0)
		return node_proc_fail_take(proc, slot->code, slot->msg);
	node_msg_unref(slot->msg);
	return DREAM_OK;
}

static void master_free(const node_spawn_t *spawn)
{
	node_code_unref(spawn->gen);
	node_mem_free(spawn->self);
}

int node_master_start(node_proc_t *proc, node_app_t *app, uint64_t *ret_monitor)
{
	master_t *master = node_mem_zalloc(sizeof(*master));
	node_call_slot_t slot = {.ref = node_proc_new_ref(proc->node)};
	node_sig_t *start =
		node_sig_new_take(NODE_SIG_CALL, (dream_pid_t){0, 0, 0}, node_proc_pid(proc), slot.ref, NULL);
	*ret_monitor = node_proc_new_ref(proc->node);
	if (master == NULL || start == NULL) {
		node_mem_free(master);
		node_sig_free(start);
		return DREAM_ENOMEM;
	}
	master->app = app;
	node_spawn_t spawn = {.ops = &master_ops,
		.self = master,
		.label = "application_master",
		.app = app,
		.parent = proc,
		.gen = node_code_ref(app->gen),
		.flags = NODE_PROC_SYSTEM,
		.monitor_ref = *ret_monitor,
		.start = start};
	int r = node_proc_spawn(proc->node, &spawn, &app->master);
	if (r < 0) {
		node_sig_free(start);
		master_free(&spawn);
		return r;
	}
	return await_start(proc, app, &slot);
}
