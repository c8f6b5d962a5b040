/* SPDX-License-Identifier: MIT */
/* Commands that talk to one process: state, call, cast, send, kill. */
#include <stdio.h>

#include "base/clock.h"
#include "console/output.h"
#include "otp/call.h"

#define STATE_TIMEOUT_MS 2000

/* "counter", "counter@chat@host" or "<12.3>", for messages. */
static char *dest_text(node_cmd_t *cmd, const dream_dest_t *to, char *buffer)
{
	if (to->name == NULL)
		return node_proc_pid_text(cmd->node, to->pid, buffer);
	snprintf(buffer, 300, "%.200s%s%.90s", to->name, to->node != NULL ? "@" : "",
		to->node != NULL ? to->node : "");
	return buffer;
}

static int need_dest_and_term(node_cmd_t *cmd, dream_dest_t *ret_to, dream_msg_t **ret_term)
{
	char *word;
	dream_msg_t *term;
	int r = node_cmd_need_word(cmd, "the NAME or PID", &word);
	if (r == DREAM_OK)
		r = node_cmd_need_term(cmd, &term);
	if (r < 0)
		return r;
	r = node_cmd_dest(cmd, word, ret_to);
	if (r < 0)
		node_msg_unref(term);
	else
		*ret_term = term;
	return r;
}

/* ---- call ---- */

static int explain_call(node_cmd_t *cmd, const dream_dest_t *to, int r)
{
	char who[300], why[NODE_DIAG_MAX];
	dest_text(cmd, to, who);
	node_cmd_reason(cmd, r, why);
	switch (r) {
	case DREAM_ENOPROC:
		return node_cmd_fail(cmd, r, "nobody is there as %s; 'procs' lists the names", who);
	case DREAM_EDOWN:
		return node_cmd_fail(cmd, r, "%s ended before it answered: %s", who, why);
	case DREAM_EREQUEST:
		return node_cmd_fail(cmd, r, "%s does not understand the request: %s", who, why);
	case DREAM_ETIMEDOUT:
		return node_cmd_fail(
			cmd, r, "%s has not answered within %d s", who, NODE_CONSOLE_TIMEOUT_MS / 1000);
	case DREAM_ENOCONNECTION:
		return node_cmd_fail(cmd, r, "%s cannot be reached; 'nodes' lists the connected nodes", who);
	default:
		return node_cmd_fail(cmd, r, "%s: %s", who, why);
	}
}

static int run_call(node_cmd_t *cmd)
{
	dream_dest_t to;
	dream_msg_t *request, *reply = NULL;
	int r = need_dest_and_term(cmd, &to, &request);
	if (r < 0)
		return r;
	r = node_call_take(cmd->proc, &to, request, node_cmd_left_ms(cmd), &reply);
	if (r < 0)
		return explain_call(cmd, &to, r);
	r = node_output_term(cmd, reply);
	node_msg_unref(reply);
	return r;
}

/* ---- cast, send, kill ---- */

static int report_sent(node_cmd_t *cmd, const dream_dest_t *to, int r)
{
	char who[300];
	if (r < 0)
		return node_cmd_fail(cmd, r, "%s: %s", dest_text(cmd, to, who), node_diag_code_text(r));
	return node_output_text(cmd, "sent");
}

static int run_cast(node_cmd_t *cmd)
{
	dream_dest_t to;
	dream_msg_t *term;
	int r = need_dest_and_term(cmd, &to, &term);
	return r < 0 ? r : report_sent(cmd, &to, node_call_cast_take(cmd->node, cmd->proc, &to, term));
}

static int run_send(node_cmd_t *cmd)
{
	dream_dest_t to;
	dream_msg_t *term;
	int r = need_dest_and_term(cmd, &to, &term);
	return r < 0 ? r : report_sent(cmd, &to, node_call_send_take(cmd->node, cmd->proc, &to, term));
}

static int need_proc(node_cmd_t *cmd, node_proc_t **ret_proc, dream_pid_t *ret_pid)
{
	char *word;
	int r = node_cmd_need_word(cmd, "the NAME or PID", &word);
	if (r == DREAM_OK)
		r = node_cmd_need_end(cmd);
	return r < 0 ? r : node_cmd_proc(cmd, word, ret_proc, ret_pid);
}

static int run_kill(node_cmd_t *cmd)
{
	node_proc_t *proc;
	dream_pid_t pid;
	char text[300];
	int r = need_proc(cmd, &proc, &pid);
	if (r < 0)
		return r;
	node_proc_pid_text(cmd->node, pid, text);
	if (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_SYSTEM)
		return node_cmd_fail(
			cmd, DREAM_EPERM, "%s is one of the node's own processes; it is not killed", text);
	dream_msg_t *kill = node_msg_text("kill");
	if (kill == NULL)
		return DREAM_ENOMEM;
	node_proc_exit_signal(cmd->node, cmd->proc, pid, kill);
	node_msg_unref(kill);
	return node_output_text(cmd, "%s is told to end; 'tree' shows whether it was started again", text);
}

/* ---- state ---- */

static int explain_state(node_cmd_t *cmd, dream_pid_t pid, int r)
{
	char who[300], why[NODE_DIAG_MAX];
	node_proc_pid_text(cmd->node, pid, who);
	if (r == DREAM_ETIMEDOUT)
		return node_cmd_fail(cmd, r,
			"%s is busy: it has been inside a callback for more than %d s, or has many messages "
			"waiting; 'info %s' tells which",
			who, STATE_TIMEOUT_MS / 1000, who);
	if (r == DREAM_EREQUEST)
		return node_cmd_fail(cmd, r, "%s has no state to show: it is no server", who);
	return node_cmd_fail(cmd, r, "%s: %s", who, node_cmd_reason(cmd, r, why));
}

static int run_state(node_cmd_t *cmd)
{
	node_proc_t *proc;
	dream_pid_t pid;
	dream_msg_t *state = NULL;
	int r = need_proc(cmd, &proc, &pid);
	if (r < 0)
		return r;
	r = node_call_sys_take(cmd->proc, pid, NODE_SYS_GET_STATE, NULL, NULL, STATE_TIMEOUT_MS, &state);
	if (r < 0)
		return explain_state(cmd, pid, r);
	r = node_output_term(cmd, state);
	node_msg_unref(state);
	return r;
}

const node_command_t node_talk_commands[] = {{.name = "state",
						     .args = "NAME|PID",
						     .help = "the state of a server",
						     .example = "state counter",
						     .run = run_state},
	{.name = "call",
		.args = "NAME|PID TERM",
		.help = "call a server, NAME@NODE for one elsewhere, and show its answer",
		.example = "call counter [\"add\", {\"by\": 1}]",
		.changes = true,
		.run = run_call},
	{.name = "cast",
		.args = "NAME|PID TERM",
		.help = "send a server a request without an answer",
		.example = "cast counter \"reset\"",
		.changes = true,
		.run = run_cast},
	{.name = "send",
		.args = "NAME|PID TERM",
		.help = "send a plain message",
		.example = "send counter \"hello\"",
		.changes = true,
		.run = run_send},
	{.name = "kill",
		.args = "NAME|PID",
		.help = "end a process at once, untrappably",
		.example = "kill counter",
		.changes = true,
		.run = run_kill},
	{.name = NULL}};
