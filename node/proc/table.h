/* SPDX-License-Identifier: MIT */
/* table.h: the slots of the process table, for the files of this room. */
#ifndef NODE_PROC_TABLE_H
#define NODE_PROC_TABLE_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/* Besides signals, `outer` can hold one of these, or NULL: empty, and the process is running or about to. */
#define NODE_PROC_CLOSED ((node_sig_t *) (uintptr_t) 1) /* it takes no more signals */

/** Takes a free slot: a zeroed block (but for its queue, still closed) with a fresh id in *ret_id that nobody
 *  can find yet. NULL: the table is full or out of memory. [any] */
node_proc_t *node_proctab_take_slot(node_t *node, uint64_t *ret_id);

/** Makes the process findable and opens its queue. [any] */
void node_proctab_publish(node_proc_t *proc, uint64_t id);

/** From now on nobody finds it. [sched] */
void node_proctab_hide(node_proc_t *proc);

/** Frees proc->extra; what others have to hear of has been said. [sched] */
void node_proc_extra_drop(node_proc_t *proc);

/** The process in a slot and its id; NULL if there is none. [any] */
node_proc_t *node_proctab_at(node_t *node, uint32_t slot, uint64_t *ret_id);

/** True if a process that ends badly now may be reported with all details: of each second's some (report.h). [any] */
bool node_proctab_take_report(node_t *node, int64_t now_ns);

/** A reference of why a process ended; NULL is "normal", which is made when somebody is to hear it: most end unheard. [sched] */
dream_msg_t *node_proc_reason_ref(dream_msg_t **reason);

/** Adds to the outer queue and wakes the process. False: the queue is closed, @sig is still the caller's. [any] */
bool node_proctab_push(node_proc_t *proc, node_sig_t *sig);

/** The outer queue, oldest first; it is empty afterwards. [process] */
node_sig_t *node_proctab_take_signals(node_proc_t *proc);

/** Closes the queue for ever; what was in it, newest first. [sched] */
node_sig_t *node_proctab_close_queue(node_proc_t *proc);

/** The table is being closed: nothing may be spawned. [sched] */
bool node_proctab_is_closing(const node_t *node);

DREAM_END_DECLS
#endif
