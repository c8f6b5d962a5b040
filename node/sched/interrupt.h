/* SPDX-License-Identifier: MIT */
/* interrupt.h: interrupting a thread in the middle of a module's code; for the files of this room. */
#ifndef NODE_SCHED_INTERRUPT_H
#define NODE_SCHED_INTERRUPT_H
#include "sched/fault_local.h"

DREAM_BEGIN_DECLS

/* node_interrupt_t.state */
#define NODE_INTERRUPT_NONE 0u
#define NODE_INTERRUPT_ASKED 1u
#define NODE_INTERRUPT_BUSY 2u    /* the thread is at it */
#define NODE_INTERRUPT_DONE 3u    /* `seen` has the stack, and what was asked has been done */
#define NODE_INTERRUPT_REFUSED 4u /* the turn was over */
/* The thread was not in a module; seen.not_ours says where. If a scheduler was asked for, it may still be given, at the next
 * call from the module to the node. */
#define NODE_INTERRUPT_DEFERRED 5u

/* What the watchdog asks of one thread. */
struct node_interrupt {
	uint32_t state;   /* atomic; the rest belongs to the watchdog unless it is ASKED, BUSY or DEFERRED */
	uint64_t turn;    /* t->turn it is about */
	uint64_t kill_id; /* end this process, if it is the one that runs; 0: none */
	node_sched_thread_t
		*heir; /* give it the scheduler; NULL: keep it. NULL afterwards if that was done */
	node_fault_t seen;
};

/** Installs the signal's handler for this operating-system process. [boot] */
void node_interrupt_install(void);

/** Asks @t what t->order says: where turn `turn` is, to end process `kill_id` if that is what runs, and to hand its scheduler
 *  to `heir`. The last question was answered or taken back.
 *  Returns   false: there is no such thread. [watch] */
bool node_interrupt_ask(node_sched_thread_t *t);

/** Takes the question back if it was not answered. False: it is just being answered. [watch] */
bool node_interrupt_take_back(node_sched_thread_t *t);

/** The turn that lost its scheduler is over: what the thread still does, with locks that others wait for, it does at once if
 *  the system lets it (without CAP_SYS_NICE: RLIMIT_NICE of 20). [sched] */
void node_interrupt_over(const node_sched_t *all);

DREAM_END_DECLS
#endif
