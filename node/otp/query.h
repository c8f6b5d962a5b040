/* SPDX-License-Identifier: MIT */
/* query.h: asking a process about itself, in the order of signals (SIG-6). */
#ifndef NODE_OTP_QUERY_H
#define NODE_OTP_QUERY_H
#include "proc/info.h"

DREAM_BEGIN_DECLS

#define NODE_QUERY_TIMEOUT_MS 5000 /* for a process that computes and looks at no signals */

/** Whether a process is alive after it has handled all that the caller sent it.
 *  Returns   1 or 0
 *  Errors    DREAM_ETIMEDOUT  it handles no signals; it is alive as far as the process table knows
 *            DREAM_EINVAL     a process of another node; DREAM_ENOMEM
 *  Thread    [process] */
int node_query_alive(node_proc_t *proc, dream_pid_t pid);

/** What a process tells about itself; see node_info_term(). The caller may ask about itself.
 *  @items    NODE_INFO_*
 *  @ret_info yours
 *  Errors    DREAM_ENOPROC, DREAM_ETIMEDOUT, DREAM_EINVAL a process of another node, DREAM_ENOMEM, DREAM_ELIMIT
 *  Thread    [process] */
int node_query_info(node_proc_t *proc, dream_pid_t pid, int32_t items, dream_msg_t **ret_info);

DREAM_END_DECLS
#endif
