/* SPDX-License-Identifier: MIT */
/* fault_local.h: one fault as the signal handler saw it, for the files of this room. */
#ifndef NODE_SCHED_FAULT_LOCAL_H
#define NODE_SCHED_FAULT_LOCAL_H
#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>
#include "sched/fault.h"
#include "sched/local.h"

DREAM_BEGIN_DECLS

#define NODE_FAULT_FRAMES 24u

typedef struct node_fault_frame {
	uintptr_t pc;
	uintptr_t function; /* where the unwind tables say that it begins; 0: unknown */
	bool exact;         /* `pc` is the instruction itself, not the one after a call */
} node_fault_frame_t;

/* A fault, from the handler to the end of the process. One for each thread, above its signal stack. */
typedef struct node_fault {
	const char *what;    /* "SIGSEGV" */
	const char *details; /* NULL: told by the members below */
	int number;          /* SIGSEGV … */
	int code;            /* si_code */
	int from_pid;        /* si_pid, of one that was sent */
	bool overflow;       /* of the process's stack */
	uintptr_t address;
	uintptr_t pc;
	uintptr_t sp;
	struct node_gen *gen; /* whose fault it is */
	const char *not_ours; /* why it is not a module's; NULL: it is */
	uint32_t n_frames;    /* noted; there may be more */
	node_fault_frame_t frames[NODE_FAULT_FRAMES];
} node_fault_t;

/* What a thread of a scheduler needs to handle faults. */
struct node_fault_room {
	node_fault_t fault;
	sigset_t mask;     /* of the thread, outside of handlers */
	stack_t before;    /* the thread's signal stack before ours */
	sigjmp_buf escape; /* from a stack that cannot be followed */
	bool walking;      /* `escape` is set */
	void *mapping;
};

/* Where functions begin, sorted. */
typedef struct node_fault_set {
	uintptr_t *at;
	uint32_t n;
} node_fault_set_t;

/* What all schedulers of a node know. */
struct node_fault_facts {
	const void *runtime;      /* the node's own object, as the dynamic linker knows it */
	node_fault_set_t pure;    /* functions that a fault may leave in the middle */
	node_fault_set_t ending;  /* those that end the program */
	node_fault_set_t locking; /* those that may hold a lock, whoever called them */
	char *report_path;
	node_fault_room_t *spare; /* of a scheduler without a thread, between two times that it is driven */
};

/* fault.c */

/** [boot] */
int node_fault_open(node_sched_t *all, const char *crash_dir);
void node_fault_close(node_sched_t *all);
/** Gives the calling thread, @t, a stack for signals. Without one (no memory) faults are reported, not contained. [sched] */
void node_fault_enter(node_sched_thread_t *t);
void node_fault_leave(node_sched_thread_t *t);
/** The end of a process whose stack was left by the handler. [sched] */
void node_fault_bury(node_proc_t *proc);
/** The signals that are taken for faults, 0 to NODE_FAULT_SIGNALS - 1. */
int node_fault_number(uint32_t index);
/** Fills in what the kernel says of a signal. In a handler. */
void node_fault_note(node_fault_t *fault, int number, const siginfo_t *info, const ucontext_t *context);
/** Makes the thread go on in its scheduler, with that outcome for the process that it was running, when the handler returns. */
void node_fault_leave_process(node_sched_thread_t *t, int outcome, ucontext_t *context);
/** Its frames, symbolised, innermost first. Not in a handler. */
void node_fault_describe(node_t *node, const node_fault_t *fault, GString *text);

/* fault_judge.c */

/** Learns which functions of the C library hold no lock. Errors DREAM_ENOMEM. [boot] */
int node_fault_learn(node_fault_facts_t *facts);
/** Fills in fault->gen and the frames, or fault->not_ours. @context is changed if it stands at no code: to the caller.
 *  In the handler, on the scheduler's signal stack. */
void node_fault_judge(node_sched_thread_t *t, node_fault_t *fault, ucontext_t *context);
/** Fills in the frames alone, for a report. In the handler. @context NULL: of the caller, from the first of a module on. */
void node_fault_trace(node_t *node, node_fault_t *fault, const ucontext_t *context);
/** Program counter and stack pointer. Async-signal-safe. */
uintptr_t node_fault_pc(const ucontext_t *context);
uintptr_t node_fault_sp(const ucontext_t *context);

/* fault_report.c */

/** "SIGSEGV". */
const char *node_fault_signal_name(int number);
/** "address 0x10 is not mapped" into @buffer. Async-signal-safe. */
void node_fault_explain(const node_fault_t *fault, char *buffer, size_t size_bytes);
/** The report of a fault that ends the node, to stderr and to the crash file. Async-signal-safe. @node and @t may be NULL. */
void node_fault_report(
	const node_fault_t *fault, node_t *node, const node_sched_thread_t *t, const ucontext_t *context);

DREAM_END_DECLS
#endif
