/* SPDX-License-Identifier: MIT */
/* node.h: one node: the hook on which every room hangs its state. There are no mutable globals, so several
 * nodes live in one test process. */
#ifndef NODE_BASE_NODE_H
#define NODE_BASE_NODE_H
#include <stdbool.h>
#include <stdint.h>
#include <dream/dream.h>

DREAM_BEGIN_DECLS

#define NODE_NAME_MAX 255
#define NODE_MS ((int64_t) 1000000) /* nanoseconds in a millisecond */
#define NODE_FOREVER INT64_MAX      /* a deadline that never comes */

typedef struct node node_t;
struct node_proc;
struct node_sig;
struct node_gen;

/* What a room may need of a higher one; installed by the higher room's init, never NULL afterwards. */
typedef struct node_hooks {
	/* sched: makes a process runnable; it was idle and its caller has just given it something to do. */
	void (*wake)(node_t *node, struct node_proc *proc);
	/* sched: gives the thread to others until woken or @deadline_ns; [process]. */
	void (*block)(struct node_proc *proc, int64_t deadline_ns);
	/* sched: leaves the calling process for good; does not return; [process]. */
	void (*leave)(struct node_proc *proc);
	/* sched: a process is to have another priority than normal; before it runs. */
	int32_t (*set_priority)(struct node_proc *proc, int32_t priority);
	/* sched: an untrappable kill was sent to a process of this node: it may be in a turn that does not end; [any]. */
	void (*killed)(node_t *node, dream_pid_t pid);
	/* sched: gives up the stack of the calling process, which is run from the start when something comes, at once if
	 * its inbox is not empty; does not return; [process]. */
	void (*hibernate)(struct node_proc *proc);
	/* sched: cancels timers that a process owns; false: there are more of them; [sched]. */
	bool (*drop_timers)(struct node_proc *proc);
	/* sched: cancels the rest later, and gives the slot of the process, which is over, back then; [sched]. */
	void (*outlive)(struct node_proc *proc);
	/* io: closes what a process owns that ends and is hidden already; called if proc->owns is set; [sched]. */
	void (*drop_owned)(struct node_proc *proc, uint64_t id);
	/* dist: sends a signal to a process of another node; consumes it on every path. */
	int (*send_remote_take)(node_t *node, struct node_sig *sig);
	/* dist: the number of a node name for pids; 0 is this node; negative: unknown and cap reached. */
	int (*node_number)(node_t *node, const char *name, uint64_t name_size, uint32_t *ret_number);
	/* dist: the name behind such a number; NULL if none; lives as long as the node. */
	const char *(*node_name_borrow)(node_t *node, uint32_t number);
	/* code: the name of the module that a process runs; lives as long as the node; NULL: there is no code room. */
	const char *(*module_name_borrow)(const struct node_gen *gen);
	/* console: an operator's command line has come; NULL: there is no console. Copies what it needs; [loop]. */
	void (*console_command)(
		node_t *node, uint64_t session, uint64_t id, const char *operator_name, const char *line);
	/* console: the operator cancelled that command, or its connection is gone; [loop]. */
	void (*console_cancel)(node_t *node, uint64_t session, uint64_t id);
	/* code: the generation whose text holds @pc, or NULL; async-signal-safe. NULL: no code room */
	struct node_gen *(*code_at)(node_t *node, uintptr_t pc);
	/* code: "counter.so(on_add+0x12) counter.c:41" into @buffer; @exact: @pc is the instruction itself, not the one after
	   a call. Reads files; not in a signal handler. */
	void (*code_describe)(node_t *node, uintptr_t pc, bool exact, char *buffer, size_t size_bytes);
	/* code: the name of the function at @vaddr of the file @path into @buffer, and how far it is from its start; false:
	   unknown. Async-signal-safe. */
	bool (*code_symbol)(
		const char *path, uint64_t vaddr, char *buffer, size_t size_bytes, uint64_t *ret_offset);
	/* code: a fault at @pc has ended a process: the generation there is tainted. Returns how many there were in it. */
	uint64_t (*code_taint)(node_t *node, uintptr_t pc);
	/* main: asks the whole node to stop; returns at once. */
	void (*shutdown)(node_t *node, int exit_code, const char *why);
} node_hooks_t;

struct node {
	char name[NODE_NAME_MAX + 1]; /* "counter@host" */
	uint32_t creation; /* this incarnation: seconds since 1970 at its start, or what a test says */
	struct node_clock *clock;
	struct node_log *log;
	struct node_proctab *procs;
	struct node_names *names;
	struct node_sched *sched;
	struct node_io *io;
	struct node_code *code;
	struct node_apps *apps;
	struct node_release *release;
	struct node_dist *dist;
	struct node_console *console;
	const dream_host_t *host; /* the table given to modules */
	node_hooks_t hooks;
};

DREAM_END_DECLS
#endif
