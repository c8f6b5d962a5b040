/* SPDX-License-Identifier: MIT */
/* A process may end with a million blocks or messages. Freeing them takes a tenth of a second, in which its scheduler would
 * do nothing else; so all but a slice is left to a process of its own, which has turns as others have. */
#include "proc/reap.h"

#include "proc/heap.h"
#include "proc/table.h"

#define SLICE 2048u /* blocks and messages in a turn: some 0.2 ms */

static bool reap_heap(node_leftover_t *left, uint32_t *budget)
{
	left->heap = node_heap_free_some(left->heap, budget);
	return left->heap == NULL;
}

static bool reap_held(node_leftover_t *left, uint32_t *budget)
{
	node_refent_t *held;
	while (*budget > 0 && (held = node_reftab_next(left->held, &left->held_pos)) != NULL) {
		for (; held->aux > 0 && *budget > 0; held->aux--, --*budget)
			node_msg_unref((dream_msg_t *) (uintptr_t) held->key);
		left->held_pos -= held->aux > 0; /* more references than the slice allows */
	}
	if (*budget == 0)
		return false;
	node_reftab_clear(&left->held);
	return true;
}

/* Calls that waited hear the reason, as those being handled do. */
static bool reap_inbox(node_t *node, node_leftover_t *left, uint32_t *budget)
{
	for (; left->inbox != NULL && *budget > 0; --*budget) {
		node_sig_t *sig = left->inbox;
		left->inbox = sig->next;
		if (sig->kind == NODE_SIG_CALL || sig->kind == NODE_SIG_SYS)
			node_proc_answer_take(node, sig, DREAM_EDOWN, node_proc_reason_ref(&left->reason));
		else
			node_sig_free(sig);
	}
	return left->inbox == NULL;
}

static bool turn_round(node_leftover_t *left, uint32_t *budget)
{
	for (; left->queue != NULL && *budget > 0; --*budget) {
		node_sig_t *sig = left->queue;
		left->queue = sig->next;
		sig->next = left->late;
		left->late = sig;
	}
	return left->queue == NULL;
}

static bool bounce(node_t *node, node_leftover_t *left, uint32_t *budget)
{
	for (; left->late != NULL && *budget > 0; --*budget) {
		node_sig_t *sig = left->late;
		left->late = sig->next;
		node_proc_bounce_take(node, sig, "noproc"); /* SIG-9 */
	}
	return left->late == NULL;
}

/* True: nothing is left. */
static bool reap(node_t *node, node_leftover_t *left, uint32_t budget)
{
	return reap_inbox(node, left, &budget) && turn_round(left, &budget) && bounce(node, left, &budget) &&
	       reap_held(left, &budget) && reap_heap(left, &budget);
}

static int run(node_proc_t *proc)
{
	node_proc_drain(proc);
	return reap(proc->node, proc->self, SLICE) ? NODE_RUN_EXIT : NODE_RUN_AGAIN;
}

/* Also of a node that closes in between. */
static void fini(node_proc_t *proc)
{
	node_leftover_t *left = proc->self;
	(void) reap(proc->node, left, UINT32_MAX);
	node_msg_unref(left->reason);
	node_mem_free(left);
	proc->self = NULL;
}

static const node_proc_ops_t reaper_ops = {"reaper", run, fini};

static bool leave_to_reaper(node_t *node, const node_leftover_t *left)
{
	node_leftover_t *copy = node_proctab_is_closing(node) ? NULL : node_mem_alloc(sizeof(*copy));
	if (copy == NULL)
		return false;
	*copy = *left;
	node_spawn_t how = {.ops = &reaper_ops, .self = copy, .label = "reaper", .flags = NODE_PROC_SYSTEM};
	if (node_proc_spawn(node, &how, NULL) == DREAM_OK)
		return true;
	node_mem_free(copy);
	return false;
}

void node_reap_take(node_t *node, node_leftover_t *left)
{
	if (!reap(node, left, SLICE)) {
		if (leave_to_reaper(node, left))
			return;
		(void) reap(node, left, UINT32_MAX);
	}
	node_msg_unref(left->reason);
}
