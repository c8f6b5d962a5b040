/* SPDX-License-Identifier: MIT */
#include "otp/start.h"

#include <string.h>

#include "otp/call.h"
#include "otp/limits.h"
#include "otp/server.h"
#include "otp/supervisor.h"
#include "proc/names.h"

/* ---- plain processes: one function of a module ---- */

typedef struct {
	const node_kind_t *kind;
	dream_msg_t *args;        /* NULL: none were given */
	int (*resume)(void *arg); /* after a hibernation, instead of the kind's main function */
	void *arg;
} plain_t;

/* Who was given none has the item null, which is nobody's: its count would be where all schedulers meet. */
static const dream_msg_t *args_of(const node_proc_t *proc, const plain_t *plain)
{
	return plain->args != NULL ? plain->args : node_proctab_null_borrow(proc->node);
}

/* What a hibernated process does when it is woken: signals that are no messages leave it asleep. */
static int run_main(const node_proc_t *proc, plain_t *plain)
{
	int (*resume)(void *arg) = plain->resume;
	if (resume == NULL)
		return plain->kind->ops.process.main(args_of(proc, plain));
	plain->resume = NULL;
	return resume(plain->arg);
}

static int plain_run(node_proc_t *proc)
{
	plain_t *plain = proc->self;
	node_proc_drain(proc); /* an exit signal may have come before the first instruction */
	if (node_proc_exiting(proc))
		return NODE_RUN_EXIT;
	if (plain->resume != NULL && proc->inbox == NULL)
		return NODE_RUN_IDLE;
	int r = run_main(proc, plain);
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
	plain_t *plain = node_mem_alloc(sizeof(*plain));
	if (plain == NULL) {
		node_msg_unref(args);
		return NULL;
	}
	*plain = (plain_t){.kind = kind, .args = args};
	return plain;
}

int node_start_hibernate(node_proc_t *proc, int (*resume)(void *arg), void *arg)
{
	if (proc->ops != &plain_ops)
		return node_proc_fail(
			proc, DREAM_EPERM, "only a plain process has a stack to give up while it waits");
	plain_t *plain = proc->self;
	plain->resume = resume;
	plain->arg = arg;
	node_msg_unref(plain->args);
	plain->args = NULL;
	node_proc_trim(proc);
	proc->node->hooks.hibernate(proc);
	return DREAM_OK; /* not reached */
}

const dream_msg_t *node_start_args_borrow(const node_proc_t *proc)
{
	const plain_t *plain = proc->ops == &plain_ops ? proc->self : NULL;
	return plain != NULL ? args_of(proc, plain) : NULL;
}

/* ---- what each kind needs ---- */

static int make_self(
	node_proc_t *parent, const node_kind_t *kind, const dream_msg_t *given, node_spawn_t *spawn)
{
	dream_msg_t *args = node_msg_ref(given);
	node_diag_t diag;
	int r = DREAM_OK;
	if (kind->type == DREAM_KIND_GEN_SERVER) {
		spawn->ops = &node_server_ops;
		spawn->self =
			node_server_new_take(kind, args != NULL ? args : node_proctab_null_ref(parent->node));
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
	(void) node_names_owner(parent->node, how->name, &owner);
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

/* Most start what is in their own module: that needs no look into the table of modules. */
static node_gen_t *current_ref(const node_proc_t *parent, const char *module)
{
	const node_gen_t *own = parent->gen;
	if (own != NULL && own->module != NULL && strcmp(own->module->name, module) == 0)
		return node_code_ref((node_gen_t *) (uintptr_t) node_code_current_of_borrow(own));
	return node_code_current_ref(parent->node->code, module);
}

int node_start_kind(node_proc_t *parent, const node_start_t *how, dream_pid_t *ret_pid)
{
	node_gen_t *gen = current_ref(parent, how->module);
	const node_kind_t *kind = gen != NULL ? node_code_kind_borrow(gen, how->kind) : NULL;
	if (kind == NULL) {
		node_code_unref(gen);
		return node_proc_fail(parent, DREAM_ENOENT, "no kind \"%s\" in a loaded module \"%s\"",
			how->kind, how->module);
	}
	if (how->report != NULL && kind->type != DREAM_KIND_PROCESS) {
		node_code_unref(gen);
		return node_proc_fail(
			parent, DREAM_EINVAL, "%s is no plain process: start it instead", kind->name);
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
		.limits = &limits,
		.report = how->report};
	int r = make_self(parent, kind, how->args, &spawn);
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

/* ---- spawn requests ---- */

static const char *request_error(int code)
{
	switch (code) {
	case DREAM_ENOENT:
		return "undef";
	case DREAM_EALREADY:
		return "already_started";
	case DREAM_ELIMIT:
		return "system_limit";
	default:
		return node_diag_code_name(code);
	}
}

int node_start_request(
	node_proc_t *parent, node_start_t *how, uint32_t unwanted, const dream_msg_t *tag, uint64_t *ret_ref)
{
	uint64_t ref = how->monitor_ref != 0 ? how->monitor_ref : node_proc_new_ref(parent->node);
	node_sig_t *report =
		node_sig_new_take(NODE_SIG_SPAWNED, node_proc_pid(parent), (dream_pid_t){0, 0, 0}, ref, NULL);
	if (report == NULL)
		return DREAM_ENOMEM;
	int r = node_proc_expect_spawned(parent, ref, unwanted, tag);
	if (r < 0) {
		node_sig_free(report);
		return r;
	}
	how->report = report;
	r = node_start_kind(parent, how, NULL);
	if (r == DREAM_EINVAL) {
		(void) node_proc_abandon_spawned(parent, ref);
		node_sig_free(report);
		return r;
	}
	if (r < 0) {
		report->code = r;
		report->msg = node_msg_text(request_error(r));
		(void) node_proc_deliver_take(parent->node, report);
	}
	*ret_ref = ref;
	return DREAM_OK;
}
