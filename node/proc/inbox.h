/* SPDX-License-Identifier: MIT */
/* inbox.h: taking a signal out of the middle of a process's inbox; what is in front and behind keeps its order (RCV-1). */
#ifndef NODE_PROC_INBOX_H
#define NODE_PROC_INBOX_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/** Takes *@at out. For a scan that goes on afterwards: *@at is then the next one.
 *  @at       &proc->inbox or the `next` of a signal in it
 *  @before   the signal whose `next` @at is; NULL for the first
 *  Returns   the signal, yours
 *  Thread    [process]; O(1) */
node_sig_t *node_inbox_unlink(node_proc_t *proc, node_sig_t **at, node_sig_t *before);

/** Takes the oldest signal that @wanted accepts; NULL if there is none. [process]; O(n) */
node_sig_t *node_inbox_take(node_proc_t *proc,
	bool (*wanted)(const node_proc_t *proc, const node_sig_t *sig, const void *arg), const void *arg);

/** Takes the oldest DOWN of the monitor @ref, tagged ones too; NULL if there is none. [process]; O(n) */
node_sig_t *node_inbox_take_down(node_proc_t *proc, uint64_t ref);

DREAM_END_DECLS
#endif
