/* SPDX-License-Identifier: MIT */
/* handle.h: what a signal does to the process that receives it; for the files of this room. */
#ifndef NODE_PROC_HANDLE_H
#define NODE_PROC_HANDLE_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/** Handles one signal that came out of the outer queue; consumes it or appends it to the inbox. [process] */
void node_handle_take(node_proc_t *proc, node_sig_t *sig);

/** Handles a cancellation that had to wait in the inbox until its call was handled; consumes it. [process] */
void node_handle_late_cancel_take(node_proc_t *proc, node_sig_t *sig);

DREAM_END_DECLS
#endif
