/* SPDX-License-Identifier: MIT */
/* report.h: what the log says about a process that ended badly (PL-3). */
#ifndef NODE_PROC_REPORT_H
#define NODE_PROC_REPORT_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

#define NODE_REPORT_MESSAGES 10u     /* shown of a mailbox */
#define NODE_REPORT_MESSAGE_BYTES 80 /* of the notation of each */
#define NODE_REPORT_NEIGHBOURS 15u
#define NODE_REPORTS_PER_SECOND                                                                              \
	50u /* with all details; when more processes end badly the others get one line each */

/** Logs the end of @proc, if its exit_reason is not of the normal class (EXIT-6). It has ended but for telling anybody: its
 *  name, links and inbox are still there. Never blocks. [sched] */
void node_report_end(node_proc_t *proc);

DREAM_END_DECLS
#endif
