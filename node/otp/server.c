/* SPDX-License-Identifier: MIT */
#include "otp/server.h"

#include "base/log.h"
#include "otp/call.h"
#include "otp/callback.h"
#include "otp/change.h"
#include "proc/inbox.h"
#include "sched/sched.h"
#include "term/cbor.h"
#include "term/notation.h"

#define MSGS_PER_TURN 64
#define TURN_OVER 100 /* in here: as NODE_RUN_IDLE, without looking for another message */

/* ---- life ---- */

node_server_t *node_server_new_take(const node_kind_t *kind, dream_msg_t *args)
{
	node_server_t *server = node_mem_zalloc(sizeof(*server));
	if (server == NULL) {
		node_msg_unref(args);
		return NULL;
	}
	server->kind = kind;
	server->args = args;
	return server;
}

node_server_more_t *node_server_more(node_server_t *server)
{
	if (server->more != NULL)
		return server->more;
	server->more = node_mem_zalloc(sizeof(*server->more));
	if (server->more != NULL)
		server->more->next_timeout_ms = -1;
	return server->more;
}

static void free_more(node_server_more_t *more)
{
	if (more == NULL)
		return;
	node_msg_unref(more->last_reply);
	node_msg_unref(more->next_continue);
	node_msg_unref(more->next_reason);
	if (more->old_kind != NULL)
		node_code_unref(more->old_kind->gen);
	node_mem_free(more);
}

void node_server_free(node_server_t *server)
{
	if (server == NULL)
		return;
	node_msg_unref(server->args);
	free_more(server->more);
	node_mem_free(server);
}

static void send_last_reply(node_proc_t *proc, node_server_t *server)
{
	node_sig_t *call = proc->current;
	dream_msg_t *reply = server->more != NULL ? server->more->last_reply : NULL;
	if (reply == NULL)
		return;
	server->more->last_reply = NULL;
	proc->current = NULL;
	if (call != NULL)
		node_proc_answer_take(proc->node, call, DREAM_OK, reply);
	else
		node_msg_unref(reply);
}

void node_server_on_exit_self(node_proc_t *proc)
{
	node_server_t *server = node_server_of(proc);
	if (server != NULL)
		send_last_reply(proc, server);
}

static void fini(node_proc_t *proc)
{
	node_server_free(proc->self);
	proc->self = NULL;
	node_code_unref(proc->gen);
}

node_server_t *node_server_of(node_proc_t *proc)
{
	if (proc == NULL || proc->ops != &node_server_ops)
		return NULL;
	node_server_t *server = proc->self;
	return (server->flags & NODE_SERVER_CALLBACK) ? server : NULL;
}

node_server_more_t *node_server_ask(node_proc_t *proc)
{
	node_server_t *server = node_server_of(proc);
	node_server_more_t *more = server != NULL ? node_server_more(server) : NULL;
	if (server != NULL && more == NULL)
		server->flags |= NODE_SERVER_NOMEM;
	return more;
}

/* ---- the end ---- */

static dream_msg_t *error_reason(int32_t code)
{
	return node_msg_printf("[\"error\", \"%s\"]", node_diag_code_name(code));
}

static dream_msg_t *take_reason(node_server_t *server, int32_t code)
{
	dream_msg_t *reason = server->more != NULL ? server->more->next_reason : NULL;
	if (reason != NULL) {
		server->more->next_reason = NULL;
		return reason;
	}
	return code < 0 ? error_reason(code) : node_msg_text("normal");
}

/* GS-16: terminate runs for every end that the server itself comes to know of. It may block, and be killed there:
 * what we still hold then is noted in the process. */
static void terminate(node_proc_t *proc, node_server_t *server, dream_msg_t *reason)
{
	if (node_proc_exiting(proc)) /* killed while the callback ran */
		return;
	bool noted = reason != NULL && node_proc_hold(proc, reason) == DREAM_OK;
	node_callback_terminate(proc, server, reason);
	if (noted)
		(void) node_proc_unhold(proc, reason);
}

static int stop_take(node_proc_t *proc, node_server_t *server, dream_msg_t *reason)
{
	terminate(proc, server, reason);
	node_proc_set_exit_take(proc, reason);
	return NODE_RUN_EXIT;
}

/* ---- after a callback ---- */

static void drop_timeout(node_proc_t *proc, node_server_t *server)
{
	node_server_more_t *more = server->more;
	server->flags &= ~NODE_SERVER_TIMED;
	if (more == NULL)
		return;
	if (more->timer_ref != 0)
		(void) node_timer_cancel(proc->node, more->timer_ref);
	more->timer_ref = more->timer_expected = 0;
}

static void set_timeout(node_proc_t *proc, node_server_t *server)
{
	node_server_more_t *more = server->more;
	if (more == NULL || more->next_timeout_ms < 0)
		return;
	drop_timeout(proc, server);
	node_sig_t *sig = node_sig_new_take(NODE_SIG_TIMER, node_proc_pid(proc), node_proc_pid(proc),
		node_proc_new_ref(proc->node), NULL);
	uint64_t expected = sig != NULL ? sig->ref : 0;
	(void) node_timer_start_take(proc->node, sig, NULL, more->next_timeout_ms, &more->timer_ref);
	more->timer_expected = expected;
	more->timeout_ms = more->next_timeout_ms;
	more->next_timeout_ms = -1;
	server->flags |= NODE_SERVER_TIMED;
}

/* GS-12: a system message starts the wait anew; while suspended nothing waits. */
static void restart_timeout(node_proc_t *proc, node_server_t *server)
{
	if (!(server->flags & NODE_SERVER_TIMED))
		return;
	drop_timeout(proc, server);
	server->flags |= NODE_SERVER_TIMED;
	if (server->flags & NODE_SERVER_SUSPENDED)
		return;
	server->more->next_timeout_ms = server->more->timeout_ms;
	set_timeout(proc, server);
}

/* What a callback asked for until the next message. */
static void settle(node_proc_t *proc, node_server_t *server)
{
	set_timeout(proc, server);
	if (!(server->flags & NODE_SERVER_HIBERNATE))
		return;
	server->flags &= ~NODE_SERVER_HIBERNATE;
	node_proc_trim(proc);
}

static int after(node_proc_t *proc, node_server_t *server, dream_next_t next)
{
	if (server->flags & NODE_SERVER_NOMEM)
		return stop_take(proc, server, error_reason(DREAM_ENOMEM));
	if (next >= 0 && next <= DREAM_NEXT_REPLY) {
		settle(proc, server);
		return NODE_RUN_IDLE;
	}
	if (next == DREAM_NEXT_STOP || next == DREAM_NEXT_STOP_REPLY || next < 0)
		return stop_take(proc, server, take_reason(server, next));
	return stop_take(proc, server, node_msg_printf("[\"bad_return_value\", %d]", next)); /* GS-14 */
}

/* ---- init ---- */

static int fail_init(node_proc_t *proc, node_server_t *server, int r)
{
	node_proc_set_exit_take(proc, take_reason(server, r));
	return NODE_RUN_EXIT; /* the starter hears of it when we are dead (GS-4) */
}

static int run_init(node_proc_t *proc, node_server_t *server)
{
	int r = node_callback_init(proc, server);
	node_msg_unref(server->args);
	server->args = NULL;
	if (r >= 0 && (server->flags & NODE_SERVER_NOMEM))
		r = DREAM_ENOMEM;
	if (r < 0)
		return fail_init(proc, server, r);
	if (r == DREAM_IGNORE) {
		node_proc_ignore_start(proc);
		node_proc_set_exit_take(proc, node_msg_text("normal"));
		return NODE_RUN_EXIT;
	}
	server->flags |= NODE_SERVER_RUNNING;
	node_proc_ack_start_take(proc, DREAM_OK, NULL);
	settle(proc, server);
	return NODE_RUN_IDLE;
}

/* ---- system requests ---- */

static int answer_diag(node_proc_t *proc, node_sig_t *sig, int r, const node_diag_t *diag)
{
	proc->current = NULL;
	node_proc_answer_take(proc->node, sig, r, r < 0 ? node_msg_text(diag->text) : NULL);
	return NODE_RUN_IDLE;
}

static int on_terminate(node_proc_t *proc, node_server_t *server, node_sig_t *sig)
{
	dream_msg_t *reason = node_msg_ref(sig->msg);
	node_proc_answer_take(proc->node, sig, DREAM_OK, NULL);
	return stop_take(proc, server, reason);
}

static int on_sys(node_proc_t *proc, node_server_t *server, node_sig_t *sig)
{
	node_diag_t diag = {.code = 0};
	switch (sig->code) {
	case NODE_SYS_GET_STATE:
		node_proc_answer_take(proc->node, sig, DREAM_OK, node_change_state_term(proc, server));
		return NODE_RUN_IDLE;
	case NODE_SYS_SUSPEND:
		server->flags |= NODE_SERVER_SUSPENDED;
		return answer_diag(proc, sig, DREAM_OK, &diag);
	case NODE_SYS_RESUME:
		server->flags &= ~NODE_SERVER_SUSPENDED;
		return answer_diag(proc, sig, DREAM_OK, &diag);
	case NODE_SYS_TERMINATE:
		return on_terminate(proc, server, sig);
	case NODE_SYS_UPGRADE_CHECK:
		proc->current = sig; /* answered also if code_change does not come back */
		return answer_diag(proc, sig, node_change_check(proc, server, sig->data, &diag), &diag);
	case NODE_SYS_UPGRADE:
		proc->current = sig;
		return answer_diag(proc, sig, node_change_over(proc, server, &diag), &diag);
	case NODE_SYS_UPGRADE_COMMIT:
		node_change_commit(proc, server);
		return answer_diag(proc, sig, DREAM_OK, &diag);
	case NODE_SYS_UPGRADE_BACK: {
		int r = node_change_back(proc, server, &diag);
		(void) answer_diag(proc, sig, r, &diag);
		return r < 0 ? stop_take(proc, server, node_msg_text("upgrade_rolled_back")) : NODE_RUN_IDLE;
	}
	default:
		node_proc_answer_take(
			proc->node, sig, DREAM_EREQUEST, node_msg_text("unknown system request"));
		return NODE_RUN_IDLE;
	}
}

/* ---- messages ---- */

static bool has_continue(const node_server_t *server)
{
	return server->more != NULL && server->more->next_continue != NULL;
}

/* The answer to a caller that waits on this very scheduler does not pass its queue, if our turn ends with it. */
static bool answer_last(node_proc_t *proc, const node_server_t *server, node_sig_t *call, dream_msg_t *reply)
{
	bool more = proc->inbox != NULL || has_continue(server) || (server->flags & NODE_SERVER_NOMEM) ||
		    node_proc_exiting(proc);
	if (more || !node_direct_answer(call, reply))
		return false;
	node_sig_free(call);
	return true;
}

static void keep_last_reply_take(node_server_t *server, dream_msg_t *reply)
{
	node_server_more_t *more = node_server_more(server);
	if (more == NULL)
		node_msg_unref(reply); /* its caller hears of our end */
	else
		more->last_reply = reply != NULL ? reply : node_msg_copy_null();
}

static int on_call(node_proc_t *proc, node_server_t *server, node_sig_t *call)
{
	dream_msg_t *reply = NULL;
	proc->current = call;
	dream_next_t next = node_callback_call(proc, server, call, &reply);
	if (next == DREAM_NEXT_STOP_REPLY) { /* GS-13: terminate first, then the reply */
		keep_last_reply_take(server, reply);
		(void) stop_take(proc, server, take_reason(server, next));
		send_last_reply(proc, server);
		return NODE_RUN_EXIT;
	}
	if (next == DREAM_NEXT_REPLY && proc->current != NULL) {
		proc->current = NULL;
		settle(proc, server);
		if (answer_last(proc, server, call, reply))
			return TURN_OVER;
		node_proc_answer_take(proc->node, call, DREAM_OK, reply);
		reply = NULL;
	}
	node_msg_unref(reply);
	if (proc->current != NULL && next == DREAM_NEXT_NOREPLY)
		node_proc_defer_take(proc, proc->current);
	return after(proc, server, next);
}

/* While a callback runs its message is proc->current, so that it goes with a process that is killed in the middle. */
static int on_plain(node_proc_t *proc, node_server_t *server, node_sig_t *sig,
	dream_next_t (*callback)(node_proc_t *proc, node_server_t *server, const dream_msg_t *msg))
{
	proc->current = sig;
	dream_next_t next = callback(proc, server, sig->msg);
	proc->current = NULL;
	node_sig_free(sig);
	return after(proc, server, next);
}

static int on_info_take(node_proc_t *proc, node_server_t *server, dream_msg_t *msg)
{
	node_sig_t *sig = msg == NULL ? NULL
				      : node_sig_new_take(NODE_SIG_MSG, node_proc_pid(proc),
						node_proc_pid(proc), 0, msg);
	if (sig == NULL)
		return stop_take(proc, server, error_reason(DREAM_ENOMEM));
	return on_plain(proc, server, sig, node_callback_info);
}

static int on_exit_sig(node_proc_t *proc, node_server_t *server, node_sig_t *sig)
{
	if (!node_proc_is_parent(proc, sig->from))
		return on_info_take(proc, server, node_sig_to_msg_take(proc->node, sig));
	return stop_take(proc, server, node_sig_steal_msg(sig)); /* GS-17 */
}

static int on_timer(node_proc_t *proc, node_server_t *server, node_sig_t *sig)
{
	node_server_more_t *more = server->more; /* made before the timer was set */
	bool ours = more->timer_expected == sig->ref;
	node_sig_free(sig);
	if (!ours)
		return NODE_RUN_IDLE; /* cancelled too late to stop it */
	more->timer_ref = more->timer_expected = 0;
	server->flags &= ~NODE_SERVER_TIMED;
	return on_info_take(proc, server, node_msg_text("timeout"));
}

static int dispatch(node_proc_t *proc, node_server_t *server, node_sig_t *sig)
{
	if (sig->kind == NODE_SIG_SYS) {
		int r = on_sys(proc, server, sig);
		if (r == NODE_RUN_IDLE)
			restart_timeout(proc, server);
		return r;
	}
	if (sig->kind == NODE_SIG_TIMER)
		return on_timer(proc, server, sig);
	if (server->flags & NODE_SERVER_TIMED) /* GS-12: any message ends the wait */
		drop_timeout(proc, server);
	switch (sig->kind) {
	case NODE_SIG_CALL:
		return on_call(proc, server, sig);
	case NODE_SIG_CAST:
		return on_plain(proc, server, sig, node_callback_cast);
	case NODE_SIG_MSG:
		return on_plain(proc, server, sig, node_callback_info);
	case NODE_SIG_EXIT:
		return on_exit_sig(proc, server, sig);
	default:
		return on_info_take(proc, server, node_sig_to_msg_take(proc->node, sig));
	}
}

/* A process that was not reached by the sweep of an upgrade goes over when it is touched. If its state cannot be
 * carried it ends, and its supervisor starts it anew on the current code. */
static int follow_release(node_proc_t *proc, node_server_t *server, const node_sig_t *sig)
{
	node_diag_t diag;
	const node_gen_t *current = node_code_current_of_borrow(proc->gen);
	if (current == proc->gen || current == NULL || node_server_old_kind(server) != NULL)
		return NODE_RUN_IDLE;
	if (sig->kind == NODE_SIG_SYS) /* the sweep itself, which wants to hear what went wrong */
		return NODE_RUN_IDLE;
	if (node_change_over(proc, server, &diag) == DREAM_OK)
		return NODE_RUN_IDLE;
	node_log(proc->node, DREAM_LOG_ERROR, "%s: %s", proc->label, diag.text);
	return stop_take(proc, server, node_msg_text("code_change_failed"));
}

static int run_continue(node_proc_t *proc, node_server_t *server)
{
	dream_msg_t *arg = server->more->next_continue;
	server->more->next_continue = NULL;
	bool noted = node_proc_hold(proc, arg) == DREAM_OK;
	dream_next_t next = node_callback_continue(proc, server, arg);
	if (noted)
		(void) node_proc_unhold(proc, arg);
	node_msg_unref(arg);
	return after(proc, server, next);
}

static bool counts_while_suspended(const node_proc_t *proc, const node_sig_t *sig, const void *arg)
{
	(void) arg;
	return sig->kind == NODE_SIG_SYS ||
	       (sig->kind == NODE_SIG_EXIT && node_proc_is_parent(proc, sig->from));
}

/* SYS-2: while suspended only system messages and the parent's exit are handled; the rest keeps its order. */
static node_sig_t *next_while_suspended(node_proc_t *proc)
{
	node_proc_drain(proc);
	return node_proc_exiting(proc) ? NULL : node_inbox_take(proc, counts_while_suspended, NULL);
}

/* Whoever has used milliseconds lets others have a turn before it begins something new. */
static bool is_turn_over(int n_msgs)
{
	return n_msgs >= MSGS_PER_TURN || (n_msgs > 0 && node_sched_is_late(node_ctx_borrow()));
}

static int run(node_proc_t *proc)
{
	node_server_t *server = proc->self;
	int r = NODE_RUN_IDLE;
	if (!(server->flags & NODE_SERVER_RUNNING)) {
		node_proc_drain(proc);
		r = node_proc_exiting(proc) ? NODE_RUN_EXIT : run_init(proc, server);
	}
	for (int n = 0; r == NODE_RUN_IDLE && !is_turn_over(n); n++) {
		if (has_continue(server)) { /* GS-6: before any message, but not before an exit signal */
			node_proc_drain(proc);
			r = node_proc_exiting(proc) ? NODE_RUN_EXIT : run_continue(proc, server);
			continue;
		}
		node_sig_t *sig = (server->flags & NODE_SERVER_SUSPENDED) ? next_while_suspended(proc)
									  : node_proc_next_take(proc);
		if (sig == NULL)
			return node_proc_exiting(proc) ? NODE_RUN_EXIT : NODE_RUN_IDLE;
		/* read after the message was taken: a message of newer code never meets older code */
		r = follow_release(proc, server, sig);
		if (r == NODE_RUN_IDLE)
			r = dispatch(proc, server, sig);
		else
			node_proc_bounce_take(proc->node, sig, "code_change_failed");
		if (r == NODE_RUN_IDLE && node_proc_exiting(proc))
			r = NODE_RUN_EXIT;
	}
	if (r == TURN_OVER)
		return NODE_RUN_IDLE;
	return r == NODE_RUN_IDLE ? NODE_RUN_AGAIN : r;
}

const node_proc_ops_t node_server_ops = {"gen_server", run, fini};
