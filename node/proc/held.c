/* SPDX-License-Identifier: MIT */
/* Messages in the hands of a module. Most are given away in the turn in which they were got, so the few newest stand in the
 * context of the thread; when the turn ends they go to the table of the process. */
#include "base/log.h"
#include "proc/proc.h"

static const dream_pid_t nobody = {0, 0, 0};

static int put_in_table(node_proc_t *proc, dream_msg_t *msg)
{
	node_refent_t *entry = node_reftab_find(proc->held, (uintptr_t) msg, NULL);
	if (entry == NULL) {
		int r = node_reftab_add(&proc->held, (uintptr_t) msg, nobody, &entry);
		if (r < 0)
			return r;
	}
	entry->aux++;
	return DREAM_OK;
}

static bool take_from_table(node_proc_t *proc, const dream_msg_t *msg)
{
	node_refent_t *entry = node_reftab_find(proc->held, (uintptr_t) msg, NULL);
	if (entry == NULL)
		return false;
	if (--entry->aux == 0)
		node_reftab_remove(proc->held, entry);
	return true;
}

int node_proc_hold(node_proc_t *proc, dream_msg_t *msg)
{
	node_ctx_t *ctx = node_ctx_borrow();
	if (ctx->proc != proc || ctx->n_held == NODE_CTX_HELD)
		return put_in_table(proc, msg);
	ctx->held[ctx->n_held++] = msg;
	return DREAM_OK;
}

bool node_proc_unhold(node_proc_t *proc, dream_msg_t *msg)
{
	node_ctx_t *ctx = node_ctx_borrow();
	for (uint32_t i = ctx->proc == proc ? ctx->n_held : 0; i-- > 0;) {
		if (ctx->held[i] != msg)
			continue;
		ctx->held[i] = ctx->held[--ctx->n_held];
		return true;
	}
	return take_from_table(proc, msg);
}

void node_proc_settle_held(node_proc_t *proc, node_ctx_t *ctx)
{
	while (ctx->n_held > 0) {
		if (put_in_table(proc, ctx->held[--ctx->n_held]) == DREAM_OK)
			continue;
		node_log(proc->node, DREAM_LOG_ERROR, "%s: out of memory for the messages it holds",
			proc->label);
		node_proc_set_exit_take(proc, node_msg_text("system_limit"));
	}
}
