/* SPDX-License-Identifier: MIT */
/* interrupt.h: interrupting a thread in the middle of a module's code; for the files of this room. */
#ifndef NODE_SCHED_INTERRUPT_H
#define NODE_SCHED_INTERRUPT_H
#include "sched/fault_local.h"

DREAM_BEGIN_DECLS

/* node_interrupt_t.state */
#define NODE_INTERRUPT_NONE 0u
#define NODE_INTERRUPT_ASKED 1u
#define NODE_INTERRUPT_BUSY 2u /* the thread is at it */
#define NODE_INTERRUPT_DONE 3u /* `seen` has the stack, and what was asked has been done */
#define NODE_INTERRUPT_REFUSED                                                                               \
	4u /* not now: the turn was over, or the thread not in a module; seen.not_ours may say why */

/* What the watchdog asks of one thread. */
struct node_interrupt {
	uint32_t state;   /* atomic; the rest belongs to the watchdog unless it is ASKED or BUSY */
	uint64_t turn;    /* t->turn it is about */
	uint64_t kill_id; /* end this process, if it is the one that runs; 0: none */
	node_sched_thread_t
		*heir; /* give it the scheduler; NULL: keep it. NULL afterwards if that was done */
	node_fault_t seen;
};

/** Installs the signal's handler for this operating-system process. [boot] */
void node_interrupt_install(void);

/** Asks @t to say where turn @turn is, to end process @kill_id if that is what runs, and to hand its scheduler to @heir.
 *  Returns   false: it has not answered the last question, or there is no such thread. [watch] */
bool node_interrupt_ask(node_sched_thread_t *t, uint64_t turn, uint64_t kill_id, node_sched_thread_t *heir);

/** Takes the question back. False: it was answered, or is just being answered. [watch] */
bool node_interrupt_take_back(node_sched_thread_t *t);

DREAM_END_DECLS
#endif
