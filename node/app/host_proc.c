/* SPDX-License-Identifier: MIT */
#include "app/host_proc.h"

#include <string.h>

#include "app/host_local.h"
#include "base/clock.h"
#include "otp/call.h"
#include "otp/query.h"
#include "otp/server.h"
#include "otp/start.h"
#include "proc/alias.h"
#include "proc/dict.h"
#include "sched/sched.h"
#include "term/cbor.h"

/* ---- aliases and monitors ---- */

int node_host_proc_alias(uint32_t flags, dream_ref_t *ret_alias)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (flags & ~DREAM_ALIAS_REPLY)
		return node_proc_fail(proc, DREAM_EINVAL, "unknown flags of an alias: %#x", flags);
	uint64_t ref = node_alias_new_ref(proc);
	int r = node_alias_start(
		proc, ref, (flags & DREAM_ALIAS_REPLY) ? NODE_ALIAS_REPLY : NODE_ALIAS_EXPLICIT);
	if (r == DREAM_OK)
		*ret_alias = node_host_ref(proc, ref);
	return r;
}

int32_t node_host_proc_unalias(dream_ref_t alias)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return false;
	return node_host_ref_is_ours(proc, alias) && node_alias_end(proc, alias.id);
}

int node_host_proc_monitor_as(const dream_dest_t *target, const dream_monitor_t *how, dream_ref_t *ret_ref)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_pid_t pid;
	uint64_t ref;
	if (how == NULL || how->alias > NODE_ALIAS_REPLY_DEMONITOR)
		return node_proc_fail(
			proc, DREAM_EINVAL, "a monitor with options has none, or an unknown alias");
	int r = node_host_target(proc, target, &pid);
	if (r == DREAM_OK)
		r = node_proc_monitor_as(proc, pid, target->name, how->alias, how->tag, &ref);
	if (r == DREAM_OK)
		*ret_ref = node_host_ref(proc, ref);
	return r;
}

/* ---- spawn requests ---- */

#define REQUEST_FLAGS (DREAM_SPAWN_LINK | DREAM_SPAWN_MONITOR | DREAM_SPAWN_NO_SUCCESS | DREAM_SPAWN_NO_ERROR)

int node_host_proc_spawn_request(
	const dream_spawn_t *how, const dream_msg_t *reply_tag, dream_ref_t *ret_request)
{
	node_proc_t *proc = node_host_me_charged();
	if (proc == NULL)
		return DREAM_EPERM;
	uint64_t ref;
	node_start_t start;
	int r = node_host_read_spawn(proc, how, REQUEST_FLAGS, &start);
	if (r < 0)
		return r;
	uint32_t unwanted = ((how->flags & DREAM_SPAWN_NO_SUCCESS) ? NODE_SPAWN_NO_SUCCESS : 0) |
			    ((how->flags & DREAM_SPAWN_NO_ERROR) ? NODE_SPAWN_NO_ERROR : 0);
	r = node_start_request(proc, &start, unwanted, reply_tag, &ref);
	if (r == DREAM_OK)
		*ret_request = node_host_ref(proc, ref);
	return r;
}

int32_t node_host_proc_spawn_request_abandon(dream_ref_t request)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return false;
	return node_host_ref_is_ours(proc, request) && node_proc_abandon_spawned(proc, request.id);
}

/* ---- information ---- */

int32_t node_host_proc_is_alive(dream_pid_t pid)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_query_alive(proc, pid) : DREAM_EPERM;
}

int node_host_proc_info(dream_pid_t pid, const char *const *items, dream_msg_t **ret_info)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	int32_t set = items == NULL ? NODE_INFO_ALL : 0;
	dream_msg_t *info;
	for (; items != NULL && *items != NULL; items++) {
		int32_t item = node_info_item(*items);
		if (item == 0)
			return node_proc_fail(proc, DREAM_EINVAL, "a process has no item \"%.64s\"", *items);
		set |= item;
	}
	int r = node_query_info(proc, pid, set, &info);
	return r < 0 ? r : node_host_give_take(proc, info, ret_info);
}

/* ---- dictionary and label ---- */

int node_host_proc_put(const char *key, const dream_msg_t *value)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	return key == NULL || value == NULL ? DREAM_EINVAL : node_dict_set(proc, key, value);
}

int node_host_proc_get(const char *key, dream_msg_t **ret_value)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	const dream_msg_t *value = key != NULL ? node_dict_get_borrow(proc, key) : NULL;
	return value == NULL ? DREAM_ENOENT : node_host_give_take(proc, node_msg_ref(value), ret_value);
}

int node_host_proc_erase(const char *key)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	return key != NULL && node_dict_erase(proc, key) ? DREAM_OK : DREAM_ENOENT;
}

int node_host_proc_set_label(const char *label)
{
	node_proc_t *proc = node_host_me();
	return proc != NULL ? node_names_set_label(proc, label) : DREAM_EPERM;
}

/* ---- waiting for long ---- */

int node_host_proc_hibernate(int (*resume)(void *arg), void *arg)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (resume == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "no function to go on with");
	return node_start_hibernate(proc, resume, arg);
}

void node_host_proc_next_hibernate(void)
{
	node_server_t *server = node_server_of(node_host_me());
	if (server != NULL)
		server->flags |= NODE_SERVER_HIBERNATE;
}

/* ---- timers ---- */

/* ["timeout", ref, msg], and the reference of the timer that it is for; @msg taken. */
static int wrap_take(
	node_proc_t *proc, const dream_dest_t *to, dream_msg_t *msg, uint64_t *ret_ref, dream_msg_t **ret_msg)
{
	dream_pid_t nobody = {0, 0, 0};
	uint64_t ref = node_timer_new_ref(proc->node, to->name == NULL ? to->pid : nobody);
	if (ref == 0) {
		node_msg_unref(msg);
		return DREAM_ENOMEM;
	}
	node_cbor_writer_t w;
	node_cbor_init(&w);
	node_cbor_put_array(&w, 3);
	node_cbor_put_text(&w, "timeout");
	node_cbor_put_ref(&w, proc->node, node_host_ref(proc, ref));
	node_cbor_put_msg(&w, msg);
	node_msg_unref(msg);
	int r = node_cbor_finish(&w, ret_msg);
	if (r < 0)
		(void) node_timer_cancel(proc->node, ref);
	else
		*ret_ref = ref;
	return r;
}

/* TMR-1: a process or a name of this node. */
static bool is_timer_dest(const node_proc_t *proc, const dream_dest_t *to)
{
	if (to->name != NULL)
		return to->node == NULL || strcmp(to->node, proc->node->name) == 0;
	return to->pid.id != 0 && to->pid.node == 0 && !node_alias_is(to->pid.id);
}

static int refuse_timer(node_proc_t *proc, dream_msg_t *msg, const char *why)
{
	node_msg_unref(msg);
	return node_proc_fail(proc, DREAM_EINVAL, "%s", why);
}

int node_host_proc_timer_start_take(
	const dream_dest_t *to, dream_msg_t *msg, int64_t time_ms, uint32_t flags, dream_ref_t *ret_timer)
{
	node_proc_t *proc = node_host_me_charged();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *mine = node_host_take_back(proc, msg);
	bool absolute = (flags & DREAM_TIMER_ABS) != 0;
	if (mine == NULL || !is_timer_dest(proc, to))
		return refuse_timer(
			proc, mine, "a timer sends a message to a process or a name of this node");
	if (flags & ~(DREAM_TIMER_ABS | DREAM_TIMER_START))
		return refuse_timer(proc, mine, "unknown flags of a timer");
	if (time_ms > NODE_TIMER_MAX_MS || (time_ms < 0 && !absolute))
		return refuse_timer(proc, mine, "a time outside 0 to 2^47 ms");
	uint64_t ref = 0;
	int r = DREAM_OK;
	if (flags & DREAM_TIMER_START)
		r = wrap_take(proc, to, mine, &ref, &mine);
	if (r < 0)
		return r;
	node_sig_t *sig = node_sig_new_take(NODE_SIG_MSG, to->pid, node_proc_pid(proc), 0, mine);
	r = node_timer_start_ref_take(proc->node, sig, to->name, time_ms, absolute, &ref);
	if (r == DREAM_OK && ret_timer != NULL)
		*ret_timer = node_host_ref(proc, ref);
	return r;
}

/* ["cancel_timer", ref, milliseconds or false] to the caller. */
static int64_t tell_later(node_proc_t *proc, const char *what, dream_ref_t timer, int64_t left_ms)
{
	node_cbor_writer_t w;
	dream_msg_t *msg;
	dream_dest_t me = dream_to(node_proc_pid(proc));
	node_cbor_init(&w);
	node_cbor_put_array(&w, 3);
	node_cbor_put_text(&w, what);
	node_cbor_put_ref(&w, proc->node, timer);
	if (left_ms >= 0)
		node_cbor_put_int(&w, left_ms);
	else
		node_cbor_put_bool(&w, false);
	int r = node_cbor_finish(&w, &msg);
	return r < 0 ? r : node_call_send_take(proc->node, proc, &me, msg);
}

int64_t node_host_proc_timer_cancel(dream_ref_t timer, uint32_t flags)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (flags & ~(DREAM_TIMER_ASYNC | DREAM_TIMER_NO_INFO))
		return node_proc_fail(proc, DREAM_EINVAL, "unknown flags of a cancellation");
	int64_t left =
		node_host_ref_is_ours(proc, timer) ? node_timer_cancel(proc->node, timer.id) : DREAM_ENOENT;
	if (flags & DREAM_TIMER_NO_INFO)
		return DREAM_OK;
	return (flags & DREAM_TIMER_ASYNC) ? tell_later(proc, "cancel_timer", timer, left) : left;
}

int64_t node_host_proc_timer_read(dream_ref_t timer, uint32_t flags)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (flags & ~DREAM_TIMER_ASYNC)
		return node_proc_fail(proc, DREAM_EINVAL, "unknown flags of a question about a timer");
	int64_t left =
		node_host_ref_is_ours(proc, timer) ? node_timer_read(proc->node, timer.id) : DREAM_ENOENT;
	return (flags & DREAM_TIMER_ASYNC) ? tell_later(proc, "read_timer", timer, left) : left;
}
