/* SPDX-License-Identifier: MIT */
/* alias.h: references that messages can be sent to (semantics ALS).
 *
 * The number of such a reference says in whose slot its owner lives: bit 63 is set, which no other reference and no pid
 * has, 27 bits are the slot and 36 a number of the node's. So it can stand where a pid's number stands, here and in what
 * goes to other nodes, and a message finds its owner without a table of the node; whether the alias is active the owner
 * looks up when the message reaches it. */
#ifndef NODE_PROC_ALIAS_H
#define NODE_PROC_ALIAS_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/* When an alias ends (ALS-2). */
#define NODE_ALIAS_EXPLICIT 1u        /* node_alias_end() alone */
#define NODE_ALIAS_DEMONITOR 2u       /* with its monitor too */
#define NODE_ALIAS_REPLY_DEMONITOR 3u /* and with the first message, which ends the monitor as well */
#define NODE_ALIAS_REPLY 4u           /* with the first message; there is no monitor */

/** A reference that can become an alias of @proc. [process] */
uint64_t node_alias_new_ref(const node_proc_t *proc);

/** True for a number that node_alias_new_ref() made, here or elsewhere. [any] */
static inline bool node_alias_is(uint64_t id)
{
	return id >> 63 != 0;
}

/** Makes @ref, from node_alias_new_ref(), an alias. Errors DREAM_ENOMEM. [process] */
int node_alias_start(node_proc_t *proc, uint64_t ref, uint32_t kind);

/** Ends an alias: what is sent to it from now on, or was sent and is not in the inbox yet, is dropped.
 *  Returns   true if it was active (ALS-3). [process] */
bool node_alias_end(node_proc_t *proc, uint64_t ref);

/** The monitor @ref is gone, by its owner or with its DOWN: ends an alias that goes with it (MON-7). [process] */
void node_alias_on_monitor_end(node_proc_t *proc, uint64_t ref);

/** True if a message to the alias @ref may be received; ends the alias, and its monitor, if that was its last. [process] */
bool node_alias_accept(node_proc_t *proc, uint64_t ref);

/** Passes a message to an alias of this node on to its owner. Consumed; gone with an alias that is not (ALS-5). [any] */
void node_alias_deliver_take(node_t *node, node_sig_t *sig);

DREAM_END_DECLS
#endif
