/* SPDX-License-Identifier: MIT */
#include "otp/query.h"

#include "otp/call.h"

/* Returns the code of the answer; *ret_msg yours, may be NULL. */
static int ask(node_proc_t *proc, dream_pid_t pid, int32_t items, dream_msg_t **ret_msg)
{
	node_call_slot_t slot = {.ref = node_proc_new_ref(proc->node)};
	node_sig_t *sig = node_sig_new_take(NODE_SIG_INFO, pid, node_proc_pid(proc), slot.ref, NULL);
	*ret_msg = NULL;
	if (sig == NULL)
		return DREAM_ENOMEM;
	sig->code = items;
	proc->slot = &slot; /* a dead process answers at once */
	(void) node_proc_deliver_take(proc->node, sig);
	int64_t deadline_ns = node_call_deadline(proc->node, NODE_QUERY_TIMEOUT_MS);
	if (node_call_await(proc, &slot, deadline_ns) < 0)
		return DREAM_ETIMEDOUT;
	*ret_msg = slot.msg;
	return slot.code;
}

int node_query_alive(node_proc_t *proc, dream_pid_t pid)
{
	dream_msg_t *reason;
	if (pid.node != 0)
		return node_proc_fail(proc, DREAM_EINVAL, "a process of another node: monitor it instead");
	if (dream_pid_equal(pid, node_proc_pid(proc)))
		return 1;
	int r = ask(proc, pid, NODE_INFO_ALIVE, &reason);
	node_msg_unref(reason);
	if (r == DREAM_ENOPROC)
		return 0;
	return r < 0 ? node_proc_fail(proc, r, "the process handles no signals: it computes, or is stuck")
		     : 1;
}

int node_query_info(node_proc_t *proc, dream_pid_t pid, int32_t items, dream_msg_t **ret_info)
{
	dream_msg_t *msg;
	if (pid.node != 0)
		return node_proc_fail(
			proc, DREAM_EINVAL, "a process of another node can only be asked there");
	if (dream_pid_equal(pid, node_proc_pid(proc))) {
		node_proc_drain(proc);
		if (node_proc_exiting(proc))
			node_proc_leave(proc);
		return node_info_term(proc, items, "running", ret_info);
	}
	int r = ask(proc, pid, items, &msg);
	if (r == DREAM_OK && msg == NULL)
		r = DREAM_ENOMEM;
	if (r < 0)
		return msg != NULL ? node_proc_fail_take(proc, r, msg)
				   : node_proc_fail(proc, r, "%s", node_diag_code_text(r));
	*ret_info = msg;
	return DREAM_OK;
}
