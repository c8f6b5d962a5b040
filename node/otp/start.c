/* SPDX-License-Identifier: MIT */
#include "otp/start.h"

#include "otp/call.h"
#include "otp/limits.h"
#include "otp/server.h"
#include "otp/supervisor.h"

/* ---- plain processes: one function of a module ---- */

typedef struct {
	const node_kind_t *kind;
	dream_msg_t *args;
} plain_t;

static int plain_run(node_proc_t *proc)
{
	plain_t *plain = proc->self;
	node_proc_drain(proc); /* an exit signal may have come before the first instruction */
	if (node_proc_exiting(proc))
		return NODE_RUN_EXIT;
	int r = plain->kind->ops.process.main(plain->args);
	if (r < 0)
		node_proc_set_exit_take(proc, node_msg_printf("[\"error\", \"%s\"]", node_diag_code_name(r)));
	return NODE_RUN_EXIT;
}

static void plain_free(plain_t *plain)
{
	node_msg_unref(plain->args);
	node_mem_free(plain);
}

static void plain_fini(node_proc_t *proc)
{
	plain_free(proc->self);
	proc->self = NULL;
	node_code_unref(proc->gen);
}

static const node_proc_ops_t plain_ops = {"process", plain_run, plain_fini};

static plain_t *plain_new_take(const node_kind_t *kind, dream_msg_t *args)
{
	plain_t *plain = node_mem_zalloc(sizeof(*plain));
	if (plain == NULL) {
		node_msg_unref(args);
		return NULL;
	}
	*plain = (plain_t){kind, args};
	return plain;
}

/* ---- what each kind needs ---- */

static int make_self_take(
	node_proc_t *parent, const node_kind_t *kind, dream_msg_t *args, node_spawn_t *spawn)
{
	node_diag_t diag;
	int r = DREAM_OK;
	if (kind->type == DREAM_KIND_GEN_SERVER) {
		spawn->ops = &node_server_ops;
		spawn->self = node_server_new_take(kind, args);
	} else if (kind->type == DREAM_KIND_PROCESS) {
		spawn->ops = &plain_ops;
		spawn->flags = NODE_PROC_PLAIN;
		spawn->self = plain_new_take(kind, args);
	} else if (kind->type == DREAM_KIND_SUPERVISOR) {
		node_sup_t *sup = NULL;
		node_msg_unref(args);
		r = node_sup_new(kind, &sup, &diag);
		spawn->ops = &node_sup_ops;
		spawn->self = sup;
	} else {
		node_msg_unref(args);
		return node_proc_fail(
			parent, DREAM_EINVAL, "%s is an application: start it by name", kind->name);
	}
	if (r < 0)
		return node_proc_fail(parent, r, "%s", diag.text);
	return spawn->self == NULL ? DREAM_ENOMEM : DREAM_OK;
}

static void free_self(const node_spawn_t *spawn)
{
	if (spawn->ops == &node_server_ops)
		node_server_free(spawn->self);
	else if (spawn->ops == &node_sup_ops)
		node_sup_free(spawn->self);
	else
		plain_free(spawn->self);
}

/* ---- waiting for init ---- */

static int spawn_failed(node_proc_t *parent, const node_start_t *how, int r)
{
	dream_pid_t owner = {0, 0, 0};
	char text[300];
	if (r != DREAM_EEXIST)
		return node_proc_fail(parent, r, "%s: %s", how->kind, node_diag_code_text(r));
	(void) node_names_whereis(parent->node, how->name, &owner);
	return node_proc_fail(parent, DREAM_EALREADY, "already_started: %s is %s", how->name,
		node_proc_pid_text(parent->node, owner, text));
}

/* PL-2: the child that did not answer in time is dead before we return. */
static int kill_late(node_proc_t *parent, dream_pid_t child)
{
	uint64_t monitor;
	dream_msg_t *why;
	dream_msg_t *kill = node_msg_text("kill");
	(void) node_proc_unlink(parent, child);
	int r = node_proc_monitor(
		parent, child, NULL, &monitor); /* its answer may come yet, and is not its death */
	node_proc_exit_signal(parent->node, parent, child, kill);
	node_msg_unref(kill);
	if (r == DREAM_OK && node_call_await_down(parent, monitor, NODE_FOREVER, &why) == DREAM_OK)
		node_msg_unref(why);
	node_msg_unref(node_proc_flush_exit(parent, child));
	return node_proc_fail(parent, DREAM_ETIMEDOUT, "timeout");
}

static int await_init(node_proc_t *parent, int64_t timeout_ms, dream_pid_t child, node_call_slot_t *slot)
{
	if (timeout_ms <= 0)
		timeout_ms = DREAM_INFINITY;
	if (node_call_await(parent, slot, node_call_deadline(parent->node, timeout_ms)) < 0)
		return kill_late(parent, child);
	if (slot->code >= 0) {
		node_msg_unref(slot->msg);
		return slot->code; /* DREAM_OK, or DREAM_IGNORE (GS-2) */
	}
	return node_proc_fail_take(parent, slot->code, slot->msg);
}

int node_start_spawn(node_proc_t *parent, node_spawn_t *spawn, int64_t timeout_ms, dream_pid_t *ret_pid)
{
	dream_pid_t child;
	spawn->parent = parent;
	node_call_slot_t slot = {.ref = node_proc_new_ref(parent->node)};
	node_sig_t *start = node_sig_new_take(
		NODE_SIG_CALL, (dream_pid_t){0, 0, 0}, node_proc_pid(parent), slot.ref, NULL);
	if (start == NULL)
		return DREAM_ENOMEM;
	spawn->start = start;
	int r = node_proc_spawn(parent->node, spawn, &child);
	if (r < 0) {
		node_sig_free(start);
		return r;
	}
	spawn->self = NULL;
	r = await_init(parent, timeout_ms, child, &slot);
	if (r == DREAM_OK && ret_pid != NULL)
		*ret_pid = child;
	return r;
}

int node_start_kind(node_proc_t *parent, const node_start_t *how, dream_pid_t *ret_pid)
{
	node_gen_t *gen = node_code_current_ref(parent->node->code, how->module);
	const node_kind_t *kind = gen != NULL ? node_code_kind_borrow(gen, how->kind) : NULL;
	if (kind == NULL) {
		node_code_unref(gen);
		return node_proc_fail(parent, DREAM_ENOENT, "no kind \"%s\" in a loaded module \"%s\"",
			how->kind, how->module);
	}
	node_limits_t limits;
	node_diag_t diag;
	if (node_limits_read(parent->node, how->limits, &limits, &diag) < 0) {
		node_code_unref(gen);
		return node_proc_fail(parent, DREAM_EINVAL, "%s: %s", how->kind, diag.text);
	}
	node_spawn_t spawn = {.label = kind->name,
		.name = how->name,
		.parent = parent,
		.app = how->app,
		.gen = gen,
		.link = how->link,
		.monitor_ref = how->monitor_ref,
		.priority = how->priority,
		.limits = &limits};
	dream_msg_t *args = how->args != NULL ? node_msg_ref(how->args) : node_proctab_null_ref(parent->node);
	int r = make_self_take(parent, kind, args, &spawn);
	if (r < 0) {
		node_code_unref(gen);
		return r;
	}
	void *self = spawn.self;
	r = spawn.ops == &plain_ops ? node_proc_spawn(parent->node, &spawn, ret_pid)
				    : node_start_spawn(parent, &spawn, how->timeout_ms, ret_pid);
	bool spawned = spawn.self == NULL || (r == DREAM_OK && spawn.ops == &plain_ops);
	if (!spawned) {
		spawn.self = self;
		free_self(&spawn);
		node_code_unref(gen);
		return spawn_failed(parent, how, r);
	}
	return r;
}
