/* SPDX-License-Identifier: MIT */
/* fault.h: what becomes of a fault: the end of the process whose module made it, or of the node with a report.
 * docs/containment.md is the contract; the rule by which a fault is told to be a module's is on top of fault_judge.c. */
#ifndef NODE_SCHED_FAULT_H
#define NODE_SCHED_FAULT_H
#include <signal.h>
#include "proc/proc.h"

DREAM_BEGIN_DECLS

#define NODE_FAULT_SIGNALS 6u /* SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT */

/* What the signals did before. */
typedef struct node_fault_before {
	struct sigaction actions[NODE_FAULT_SIGNALS];
} node_fault_before_t;

/** Takes the signals of faults for all nodes of this operating-system process: from now on a fault of a module ends its
 *  process, and any other is reported before it ends the program. Call it once, before threads start.
 *  @ret_before  for node_fault_uninstall(); may be NULL
 *  Thread    [boot] */
void node_fault_install(node_fault_before_t *ret_before);
/** Gives them back. [boot] */
void node_fault_uninstall(const node_fault_before_t *before);

/** The end of a process that called exit(): it ends with ["crash", "exit", Where]. Returns if @caller, where the call came
 *  from, lies in no module, or the thread is not in a process. [any] */
void node_fault_exit(uintptr_t caller);

/** The least address that a stack may have reached when a module calls the node: below, the node's own functions might not
 *  find room. Ends the caller with ["crash", "SIGSEGV", Where]. [process] */
DREAM_NORETURN void node_fault_overflow(void);

/** To be called by every function that modules call, with the calling thread's context. */
static inline void node_fault_check_stack(const node_ctx_t *ctx)
{
	if (__builtin_expect((uintptr_t) __builtin_frame_address(0) < ctx->stack_floor, 0))
		node_fault_overflow();
}

DREAM_END_DECLS
#endif
