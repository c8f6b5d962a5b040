/* SPDX-License-Identifier: MIT */
/* reap.h: what a process leaves behind, given back in slices; for the files of this room. */
#ifndef NODE_PROC_REAP_H
#define NODE_PROC_REAP_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_leftover {
	struct node_heap_block *heap;
	node_reftab_t *held; /* messages */
	uint32_t held_pos;
	node_sig_t *inbox; /* answered with `reason` */
	node_sig_t *queue; /* as it was closed, newest first */
	node_sig_t *late;  /* the same turned round, as far as that has gone: bounced */
	dream_msg_t *reason;
} node_leftover_t;

/** Frees and answers all that @left holds, which is taken: a slice at once, the rest in turns of a process of the node's own. [sched] */
void node_reap_take(node_t *node, node_leftover_t *left);

DREAM_END_DECLS
#endif
