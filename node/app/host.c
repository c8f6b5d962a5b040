/* SPDX-License-Identifier: MIT */
/* Each function finds its node and process by the calling thread, so one constant table serves all nodes. What
 * a module may keep (messages it made or received) is noted in the process, and goes with it. */
#include "app/host.h"

#include <stdio.h>
#include <string.h>

#include "app/app.h"
#include "app/host_io.h"
#include "app/host_local.h"
#include "app/host_msg.h"
#include "app/host_proc.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "base/log.h"
#include "io/pool.h"
#include "otp/call.h"
#include "otp/server.h"
#include "otp/start.h"
#include "proc/heap.h"
#include "sched/fault.h"
#include "sched/sched.h"

/* NULL: not in a process but in a blocking function, or on a thread of the module's own. */
node_proc_t *node_host_me(void)
{
	const node_ctx_t *ctx = node_ctx_borrow();
	if (ctx->proc == NULL)
		return NULL;
	node_fault_check_stack(ctx);
	node_sched_poll(ctx);
	return ctx->proc;
}

/* For what a process could do for ever without waiting: others must have a turn. */
node_proc_t *node_host_me_charged(void)
{
	node_ctx_t *ctx = node_ctx_borrow();
	node_proc_t *proc = ctx->proc;
	if (proc == NULL)
		return NULL;
	node_fault_check_stack(ctx);
	node_sched_charge(proc, ctx);
	return proc;
}

/* ---- messages ---- */

int node_host_give_take(node_proc_t *proc, dream_msg_t *msg, dream_msg_t **ret_msg)
{
	int r = node_proc_hold(proc, msg);
	if (r < 0) {
		node_msg_unref(msg);
		return r;
	}
	*ret_msg = msg;
	return DREAM_OK;
}

DREAM_NORETURN void node_host_badarg(node_proc_t *proc, const char *what)
{
	node_log(proc->node, DREAM_LOG_ERROR, "%s broke the contract of the SDK: %s", proc->label, what);
	node_server_on_exit_self(proc);
	node_proc_exit_take(proc, node_msg_printf("[\"badarg\", \"%s\"]", what));
}

/* What a callback was lent. It may be sent on, though the callback does not own it. */
static bool is_lent(const node_proc_t *proc, const dream_msg_t *msg)
{
	const node_server_t *server = proc->ops == &node_server_ops ? proc->self : NULL;
	return (proc->current != NULL && proc->current->msg == msg) || node_proc_reason_borrow(proc) == msg ||
	       (server != NULL && server->args == msg) || node_start_args_borrow(proc) == msg;
}

/* What is neither the module's nor lent to it may be anything: it is not touched, and its bug must not become ours. */
dream_msg_t *node_host_take_back(node_proc_t *proc, dream_msg_t *msg)
{
	if (msg == NULL || node_proc_unhold(proc, msg))
		return msg;
	if (!is_lent(proc, msg))
		node_host_badarg(proc, "gave away a message that it does not own");
	return node_msg_ref(msg);
}

/* ---- processes ---- */

static void *host_alloc(uint64_t size_bytes)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_heap_alloc(proc, size_bytes) : NULL;
}

static void *host_resize(void *block, uint64_t size_bytes)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_heap_resize(proc, block, size_bytes) : NULL;
}

static void host_release(void *block)
{
	node_proc_t *proc = node_host_me();
	if (proc != NULL)
		node_heap_free(proc, block);
}

static dream_pid_t host_self(void)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_proc_pid(proc) : (dream_pid_t){0, 0, 0};
}

static dream_ref_t ref_of(const node_proc_t *proc, uint64_t id)
{
	return (dream_ref_t){id, proc->node->creation, 0};
}

static const char *module_of(const node_proc_t *proc, const char *module)
{
	return module != NULL || proc->gen == NULL ? module : proc->gen->name;
}

static bool is_priority(int32_t priority)
{
	return priority >= DREAM_PRIORITY_NORMAL && priority <= DREAM_PRIORITY_HIGH;
}

/* Modules built before there were limits give a shorter struct. */
#define HAS_LIMITS(type, how) ((how)->struct_size >= offsetof(type, limits) + sizeof((how)->limits))

int node_host_read_spawn(node_proc_t *proc, const dream_spawn_t *how, uint32_t flags, node_start_t *ret_start)
{
	if (how == NULL || how->kind == NULL || module_of(proc, how->module) == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "a spawn names no module or kind");
	if (how->flags & ~flags)
		return node_proc_fail(
			proc, DREAM_EINVAL, "unknown flags of a spawn: %#x", how->flags & ~flags);
	if (!is_priority(how->priority))
		return node_proc_fail(proc, DREAM_EINVAL, "no priority %d", how->priority);
	*ret_start = (node_start_t){.module = module_of(proc, how->module),
		.kind = how->kind,
		.args = how->args,
		.name = how->name,
		.link = (how->flags & DREAM_SPAWN_LINK) != 0,
		.monitor_ref = (how->flags & DREAM_SPAWN_MONITOR) ? node_proc_new_ref(proc->node) : 0,
		.priority = how->priority,
		.limits = HAS_LIMITS(dream_spawn_t, how) ? &how->limits : NULL};
	return DREAM_OK;
}

static int host_spawn(const dream_spawn_t *how, dream_pid_t *ret_pid, dream_ref_t *ret_monitor)
{
	node_proc_t *proc = node_host_me_charged();
	if (proc == NULL)
		return DREAM_EPERM;
	node_start_t start;
	int r = node_host_read_spawn(proc, how, DREAM_SPAWN_LINK | DREAM_SPAWN_MONITOR, &start);
	if (r == DREAM_OK)
		r = node_start_kind(proc, &start, ret_pid);
	if (r == DREAM_OK && start.monitor_ref != 0 && ret_monitor != NULL)
		*ret_monitor = ref_of(proc, start.monitor_ref);
	return r == DREAM_EALREADY ? DREAM_EEXIST : r;
}

static int host_send_take(const dream_dest_t *to, dream_msg_t *msg)
{
	node_proc_t *proc = node_host_me_charged();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *mine = node_host_take_back(proc, msg);
	if (mine != NULL && (to->name != NULL || to->pid.id != 0))
		return node_call_send_take(proc->node, proc, to, mine);
	node_msg_unref(mine);
	return node_proc_fail(proc, DREAM_EINVAL, mine == NULL ? "no message" : "no destination");
}

static int host_receive(int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg, int64_t timeout_ms,
	dream_msg_t **ret_msg)
{
	node_proc_t *proc = node_host_me_charged();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *msg;
	int r = node_call_receive(proc, match, arg, timeout_ms, &msg);
	return r < 0 ? r : node_host_give_take(proc, msg, ret_msg);
}

static int host_link(dream_pid_t pid)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_proc_link(proc, pid) : DREAM_EPERM;
}

static int host_unlink(dream_pid_t pid)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_proc_unlink(proc, pid) : DREAM_EPERM;
}

int node_host_target(node_proc_t *proc, const dream_dest_t *target, dream_pid_t *ret_pid)
{
	const node_hooks_t *hooks = &proc->node->hooks;
	dream_pid_t pid = target->pid;
	bool elsewhere =
		target->name != NULL && target->node != NULL && strcmp(target->node, proc->node->name) != 0;
	if (elsewhere) { /* answered noconnection, as every monitor across nodes for now (MON-3) */
		pid = (dream_pid_t){0, 0, 0};
		if (hooks->node_number == NULL ||
			hooks->node_number(proc->node, target->node, strlen(target->node), &pid.node) < 0)
			return DREAM_ENOCONNECTION;
	} else if (target->name != NULL && node_names_whereis(proc->node, target->name, &pid) < 0)
		pid = (dream_pid_t){0, 0, 0}; /* MON-3: answers noproc */
	*ret_pid = pid;
	return DREAM_OK;
}

static int host_monitor(const dream_dest_t *target, dream_ref_t *ret_ref)
{
	node_proc_t *proc = node_host_me();
	dream_pid_t pid;
	uint64_t ref;
	if (proc == NULL)
		return DREAM_EPERM;
	int r = node_host_target(proc, target, &pid);
	if (r == DREAM_OK)
		r = node_proc_monitor(proc, pid, target->name, &ref);
	if (r == DREAM_OK)
		*ret_ref = ref_of(proc, ref);
	return r;
}

static int32_t host_demonitor(dream_ref_t ref, uint32_t flags)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return false;
	if (flags & ~DREAM_DEMONITOR_FLUSH) /* there is no code to return it by */
		node_host_badarg(proc, "unknown flags of a demonitor");
	return node_host_ref_is_ours(proc, ref) &&
	       node_proc_demonitor(proc, ref.id, (flags & DREAM_DEMONITOR_FLUSH) != 0);
}

static int host_exit_signal(dream_pid_t pid, const dream_msg_t *reason)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (pid.id == 0)
		return node_proc_fail(proc, DREAM_EINVAL, "no process");
	dream_msg_t *why = reason != NULL ? node_msg_ref(reason) : node_msg_text("normal");
	node_proc_exit_signal(proc->node, proc, pid, why);
	node_msg_unref(why);
	return DREAM_OK;
}

static void host_exit_self(const dream_msg_t *reason)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL) /* there is no way back from here: the function ends instead */
		node_pool_leave();
	node_server_on_exit_self(proc);
	node_proc_exit_take(proc, node_msg_ref(reason));
}

static int32_t host_trap_exit(int32_t on)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return 0;
	bool before = (proc->flags & NODE_PROC_TRAP_EXIT) != 0;
	node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, on != 0);
	return before;
}

static int host_register_name(const char *name, dream_pid_t pid)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL || name == NULL)
		return proc == NULL ? DREAM_EPERM : DREAM_EINVAL;
	return node_names_register(proc->node, name, pid);
}

static int host_unregister_name(const char *name)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL || name == NULL)
		return proc == NULL ? DREAM_EPERM : DREAM_EINVAL;
	return node_names_unregister(proc->node, name);
}

static int host_whereis(const char *name, dream_pid_t *ret_pid)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL || name == NULL)
		return proc == NULL ? DREAM_EPERM : DREAM_EINVAL;
	return node_names_whereis(proc->node, name, ret_pid);
}

static int host_send_after_take(
	const dream_dest_t *to, dream_msg_t *msg, int64_t delay_ms, dream_ref_t *ret_timer)
{
	return node_host_proc_timer_start_take(to, msg, delay_ms, 0, ret_timer);
}

static int64_t host_cancel_timer(dream_ref_t timer)
{
	return node_host_proc_timer_cancel(timer, 0);
}

static int64_t host_now_ns(void)
{
	const node_ctx_t *ctx = node_ctx_borrow();
	if (ctx->tag == NODE_CTX_BLOCKING)
		return node_pool_now_ns();
	if (ctx->tag == NODE_CTX_PROCESS)
		node_sched_poll(ctx); /* a loop that waits for a time calls nothing else */
	return node_clock_now(ctx->node);
}

static const dream_msg_t *host_reason_borrow(void)
{
	const node_proc_t *proc = node_host_me();
	return proc != NULL ? node_proc_reason_borrow(proc) : NULL;
}

static void host_log(int32_t level, const char *text)
{
	node_proc_t *proc = node_host_me();
	char pid[300], name[NODE_NAME_MAX + 1];
	if (proc == NULL) {
		node_pool_log(level, text);
		return;
	}
	const char *app = node_app_of_borrow(proc);
	if (node_names_of(proc->node, node_proc_pid(proc), name)[0] == '\0')
		snprintf(name, sizeof(name), "%s", proc->label);
	node_log(proc->node, level, "%s%s%s %s: %s", app != NULL ? app : "", app != NULL ? " " : "", name,
		node_proc_pid_text(proc->node, node_proc_pid(proc), pid), text);
}

static int host_env_get(const char *key, dream_msg_t **ret_value)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *value;
	const char *app = node_app_of_borrow(proc);
	int r = app == NULL ? DREAM_ENOENT : node_app_env_get(proc->node, app, key, &value);
	return r < 0 ? r : node_host_give_take(proc, value, ret_value);
}

static int host_env(const dream_type_t *type, void *ret_value)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *map;
	const char *app = node_app_of_borrow(proc);
	int r = app == NULL ? DREAM_ENOENT : node_app_env_map(proc->node, app, &map);
	if (r < 0)
		return r;
	node_cbor_reader_t reader = node_cbor_read_msg(map);
	r = node_host_decode(proc, &reader, false, type, ret_value);
	node_msg_unref(map);
	return r;
}

static int32_t host_set_priority(int32_t priority)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	return is_priority(priority) ? node_sched_set_priority(proc, priority) : DREAM_EINVAL;
}

/* ---- gen_server ---- */

static int host_start(const dream_start_t *how, dream_pid_t *ret_pid)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (how == NULL || how->kind == NULL || module_of(proc, how->module) == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "a start names no module or kind");
	node_start_t start = {.module = module_of(proc, how->module),
		.kind = how->kind,
		.args = how->args,
		.name = how->name,
		.timeout_ms = how->timeout_ms,
		.link = (how->flags & DREAM_START_LINK) != 0,
		.limits = HAS_LIMITS(dream_start_t, how) ? &how->limits : NULL};
	return node_start_kind(proc, &start, ret_pid);
}

static int host_call(
	const dream_dest_t *to, dream_msg_t *request, int64_t timeout_ms, dream_msg_t **ret_reply)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *reply;
	if (request == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "no request");
	int r = node_call_take(proc, to, node_msg_ref(request), timeout_ms, &reply);
	return r < 0 ? r : node_host_give_take(proc, reply, ret_reply);
}

static int host_cast_take(const dream_dest_t *to, dream_msg_t *msg)
{
	node_proc_t *proc = node_host_me_charged();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *mine = node_host_take_back(proc, msg);
	if (mine == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "no message");
	return node_call_cast_take(proc->node, proc, to, mine);
}

static void host_from(dream_from_t *ret_from)
{
	const node_proc_t *proc = node_host_me();
	const node_sig_t *call = proc != NULL ? proc->current : NULL;
	memset(ret_from, 0, sizeof(*ret_from));
	if (call == NULL || call->kind != NODE_SIG_CALL)
		return;
	ret_from->pid = call->from;
	ret_from->ref = (dream_ref_t){call->ref, call->from.creation, call->from.node};
}

static int host_reply_take(const dream_from_t *from, dream_msg_t *reply)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *mine = node_host_take_back(proc, reply);
	bool to_self = dream_pid_equal(from->pid, node_proc_pid(proc));
	if (mine == NULL || from->pid.id == 0 || to_self) {
		node_msg_unref(mine);
		return node_proc_fail(proc, to_self ? DREAM_ESELF : DREAM_EINVAL, "%s",
			mine == NULL ? "no reply"
			: to_self    ? "a reply to oneself"
				     : "nobody to reply to");
	}
	node_proc_reply_take(proc->node, proc, from->pid, from->ref.id, DREAM_OK, mine);
	return DREAM_OK;
}

static void host_next_timeout(int64_t timeout_ms)
{
	node_proc_t *proc = node_host_me();
	node_server_more_t *more = proc != NULL ? node_server_ask(proc) : NULL;
	if (more != NULL)
		more->next_timeout_ms = timeout_ms;
}

static void host_next_continue_take(dream_msg_t *arg)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return;
	node_server_more_t *more = node_server_ask(proc);
	dream_msg_t *mine = node_host_take_back(proc, arg);
	if (more == NULL) {
		node_msg_unref(mine);
		return;
	}
	node_msg_unref(more->next_continue);
	more->next_continue = mine;
}

static void host_next_reason(const dream_msg_t *reason)
{
	node_proc_t *proc = node_host_me();
	node_server_more_t *more = proc != NULL ? node_server_ask(proc) : NULL;
	if (more == NULL)
		return;
	node_msg_unref(more->next_reason);
	more->next_reason = node_msg_ref(reason);
}

static int host_stop(const dream_dest_t *to, const dream_msg_t *reason, int64_t timeout_ms)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_call_stop(proc, to, reason, timeout_ms) : DREAM_EPERM;
}

static int host_call_typed(const dream_dest_t *to, const char *tag, const dream_type_t *req_type,
	const void *req, const dream_type_t *reply_type, void *ret_reply, int64_t timeout_ms)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *request, *reply;
	int r = node_host_encode(proc, tag, req_type, req, &request);
	if (r == DREAM_OK)
		r = node_call_take(proc, to, request, timeout_ms, &reply);
	if (r < 0)
		return r;
	node_cbor_reader_t reader = node_cbor_read_msg(reply);
	r = node_host_decode(proc, &reader, false, reply_type, ret_reply);
	node_msg_unref(reply);
	return r;
}

static const dream_host_t table = {
	DREAM_SIZED(dream_host_t),
	.abi_major = DREAM_ABI_MAJOR,
	.abi_minor = DREAM_ABI_MINOR,
	.msg_new = node_host_msg_new,
	.msg_parse = node_host_msg_parse,
	.msg_encode = node_host_msg_encode,
	.msg_decode = node_host_msg_decode,
	.msg_has_tag = node_host_msg_has_tag,
	.msg_data_borrow = node_host_msg_data_borrow,
	.msg_ref = node_host_msg_ref,
	.msg_unref = node_host_msg_unref,
	.text_set = node_host_text_set,
	.alloc = host_alloc,
	.resize = host_resize,
	.release = host_release,
	.self = host_self,
	.spawn = host_spawn,
	.send_take = host_send_take,
	.receive = host_receive,
	.link = host_link,
	.unlink = host_unlink,
	.monitor = host_monitor,
	.demonitor = host_demonitor,
	.exit_signal = host_exit_signal,
	.exit_self = host_exit_self,
	.trap_exit = host_trap_exit,
	.register_name = host_register_name,
	.unregister_name = host_unregister_name,
	.whereis = host_whereis,
	.send_after_take = host_send_after_take,
	.cancel_timer = host_cancel_timer,
	.now_ns = host_now_ns,
	.reason_borrow = host_reason_borrow,
	.log = host_log,
	.env_get = host_env_get,
	.env = host_env,
	.start = host_start,
	.call = host_call,
	.cast_take = host_cast_take,
	.from = host_from,
	.reply_take = host_reply_take,
	.next_timeout = host_next_timeout,
	.next_continue_take = host_next_continue_take,
	.next_reason = host_next_reason,
	.stop = host_stop,
	.call_typed = host_call_typed,
	.set_priority = host_set_priority,
	.blocking = node_host_blocking,
	.fd_wait = node_host_fd_wait,
	.fd_close = node_host_fd_close,
	.tcp_listen = node_host_tcp_listen,
	.tcp_accept = node_host_tcp_accept,
	.tcp_connect = node_host_tcp_connect,
	.tcp_recv = node_host_tcp_recv,
	.tcp_send = node_host_tcp_send,
	.tcp_shutdown = node_host_tcp_shutdown,
	.tcp_close = node_host_tcp_close,
	.tcp_give = node_host_tcp_give,
	.tcp_active = node_host_tcp_active,
	.tcp_event = node_host_tcp_event,
	.tcp_set_options = node_host_tcp_set_options,
	.tcp_info = node_host_tcp_info,
	.tls_start = node_host_tls_start,
	.alias = node_host_proc_alias,
	.unalias = node_host_proc_unalias,
	.monitor_as = node_host_proc_monitor_as,
	.spawn_request = node_host_proc_spawn_request,
	.spawn_request_abandon = node_host_proc_spawn_request_abandon,
	.is_process_alive = node_host_proc_is_alive,
	.process_info = node_host_proc_info,
	.put = node_host_proc_put,
	.get = node_host_proc_get,
	.erase = node_host_proc_erase,
	.set_label = node_host_proc_set_label,
	.hibernate = node_host_proc_hibernate,
	.next_hibernate = node_host_proc_next_hibernate,
	.timer_start_take = node_host_proc_timer_start_take,
	.timer_cancel = node_host_proc_timer_cancel,
	.timer_read = node_host_proc_timer_read,
	.bytes_new = node_host_bytes_new,
	.bytes_borrow = node_host_bytes_borrow,
};

const dream_host_t *node_host_table_borrow(void)
{
	return &table;
}
