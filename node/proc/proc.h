/* SPDX-License-Identifier: MIT */
/* proc.h: processes: control blocks in a table, their signal queues, links, monitors, exits and memory.
 *
 * A control block stays in its slot for the node's whole life and is used again by later processes; its id
 * (slot number and a serial) changes. So a sender may keep a pointer without counting it: a signal that
 * reaches a slot after its process ended finds the queue closed, or another id, and is treated as sent to a
 * dead process. */
#ifndef NODE_PROC_PROC_H
#define NODE_PROC_PROC_H
#include "base/ctx.h"
#include "proc/reftab.h"
#include "proc/sig.h"

DREAM_BEGIN_DECLS

typedef struct node_proc node_proc_t;

/* node_proc_t.run_state: for people who look; what wakes a process is the state of its queue */
#define NODE_PROC_IDLE 0u  /* waits for a signal */
#define NODE_PROC_READY 1u /* in a run queue */
#define NODE_PROC_RUNNING 2u

/* node_proc_t.flags; written by the process, read by anybody */
#define NODE_PROC_TRAP_EXIT 1u
#define NODE_PROC_EXITING 2u      /* exit_reason is set; it ends as soon as its code returns or blocks */
#define NODE_PROC_BLOCKED 4u      /* holds a stack while it waits */
#define NODE_PROC_SYSTEM 8u       /* one of the node's own; no crash report */
#define NODE_PROC_STARTING 16u    /* has not acknowledged its start */
#define NODE_PROC_STOPPING 32u    /* in terminate */
#define NODE_PROC_PLAIN 64u       /* a function of a module, without a behaviour: cannot change code */
#define NODE_PROC_CHILD 128u      /* was linked to its parent at its start, whose exit it obeys (GS-17) */
#define NODE_PROC_MOVABLE 256u    /* blocked so that nobody else has an address on its stack (sched/stow.c) */
#define NODE_PROC_STACK_SIZE 512u /* extra->stack_class counts */
#define NODE_PROC_GATED 1024u     /* its mailbox has limits (gate.h) */
#define NODE_PROC_HEAP_LIMIT 2048u /* extra->max_heap_bytes counts */

/* The priority of a process: in its flags DREAM_PRIORITY_*, of which 0 is normal; as a level from 0, the most urgent, to 3. */
#define NODE_PROC_LEVELS 4u
#define NODE_PROC_LEVEL_NORMAL 2u
#define NODE_PROC_PRIORITY_SHIFT 30u
#define NODE_PROC_LEVEL(flags) (((flags) >> NODE_PROC_PRIORITY_SHIFT) ^ NODE_PROC_LEVEL_NORMAL)

/* What a run of a process says to its scheduler. */
#define NODE_RUN_IDLE 0  /* nothing left to do: the stack is free */
#define NODE_RUN_AGAIN 1 /* more to do, but others should have a turn */
#define NODE_RUN_EXIT 2  /* over: exit_reason is set, or it is normal */

/* How a kind of process works. */
typedef struct node_proc_ops {
	const char *what; /* "gen_server" */
	/** One turn on a borrowed stack, from the start each time; may block in the middle. [process] */
	int (*run)(node_proc_t *proc);
	/** Frees proc->self; memory of the process itself goes by itself. [sched]; NULL: nothing to free */
	void (*fini)(node_proc_t *proc);
} node_proc_ops_t;

/* The call, or the event of the outside world, that a process waits for; lies on its stack. */
typedef struct node_call_slot {
	uint64_t ref;
	bool done;
	bool movable; /* nobody else has an address on the stack that it lies on */
	int32_t code;
	dream_pid_t from; /* who answered; id 0: by value (GS-11), so that who was called may not know */
	dream_msg_t *msg;
	/* The process ends while it waits: takes back what would fill the slot. NULL: nothing to take back. [process] */
	void (*drop)(struct node_call_slot *slot);
} node_call_slot_t;

/* What few processes have, in a block of its own that goes with the process: a million idle ones pay for the pointer
 * alone. Only the process itself touches it. Whatever is rarely used and not needed while a call is answered belongs here
 * rather than into struct node_proc. */
typedef struct node_proc_extra {
	node_reftab_t *monitors; /* ref -> pid that we watch; data: name */
	node_reftab_t *watchers; /* ref -> pid that watches us; data: name */
	node_reftab_t *requests; /* ref -> requests whose answers go to the inbox */
	node_reftab_t *aliases;  /* ref -> aux: NODE_ALIAS_* */
	node_reftab_t *tags;     /* ref of a monitor -> data: dream_msg_t *, what its DOWN begins with */
	node_reftab_t *
		spawns; /* ref -> requests without an answer; aux: NODE_SPAWN_*, data: dream_msg_t *, the tag */
	struct _GHashTable *dict; /* char * -> dream_msg_t *: the process dictionary (PD-1) */
	dream_msg_t *last_reason;
	uint32_t stack_class;    /* of sched, with NODE_PROC_STACK_SIZE */
	uint64_t max_heap_bytes; /* with NODE_PROC_HEAP_LIMIT */
	node_sig_t *sending;     /* what it waits to send: goes with it if it is ended there */
} node_proc_extra_t;

extern const node_proc_extra_t node_proc_extra_none;

struct node_proc {
	node_sig_t *outer;  /* atomic: signals on their way, newest first; or asleep, or closed (table.h) */
	uint64_t id;        /* atomic: serial << 32 | slot; 0: free slot */
	uint16_t run_state; /* relaxed atomic */
	uint16_t owns;      /* atomic: it may own something of the outside world: hooks.drop_owned */
	uint32_t flags;     /* relaxed atomic */
	node_proc_t *next;  /* in a run queue or the free list */
	node_t *node;
	struct node_gate *gate; /* atomic: limits of the mailbox, with NODE_PROC_GATED; stays with the slot */
	/* below: touched only by the scheduler that runs it */
	const node_proc_ops_t *ops;
	void *self;        /* of ops */
	node_sig_t *inbox; /* messages received, oldest first */
	node_sig_t *inbox_last;
	void *stack; /* of sched: held between turns while it is blocked */
	struct node_heap_block *heap;
	node_proc_extra_t *extra; /* NULL until something in it is needed */
	node_reftab_t *links;     /* pid -> aux: unlink id, 0 while active */
	node_reftab_t *calls;     /* ref, caller -> open call that we owe an answer */
	node_reftab_t *held;      /* message pointers that the module holds -> aux: count */
	node_sig_t *current;      /* the call, cast or message that is being handled */
	node_call_slot_t *slot;   /* the call we wait for */
	uint64_t timers;          /* atomic; of sched: where its timers are (timer.c); 0: it never had one */
	dream_msg_t *exit_reason;
	struct node_gen *gen; /* code it runs; a reference that ops->fini releases */
	void *app;            /* struct node_app: membership, inherited at spawn (APP-6) */
	uint64_t parent_id;   /* relaxed atomic: of this node; 0: none */
	const char *label;    /* what it is, "counter": the kind's name or a static text; never freed */
	/* relaxed atomics, for inspection */
	uint64_t heap_bytes;
	uint64_t inbox_bytes; /* sizes of the messages in the inbox */
	uint64_t turns;       /* messages handled */
	uint32_t n_inbox;
	uint16_t last_sched;
	uint16_t named; /* NODE_NAMED_*; written under the lock of the names */
};

/* What a process may take; 0 is no limit. */
typedef struct node_limits {
	uint64_t max_heap_bytes;
	uint64_t max_mailbox_msgs;
	uint64_t max_mailbox_bytes;
	uint32_t when_full;   /* DREAM_FULL_* */
	uint32_t suspend_ms;  /* 0: the default */
	uint32_t stack_class; /* of node_stack_class(); 0: the default */
} node_limits_t;

/* ---- the table ---- */

typedef struct node_proctab node_proctab_t;

#define NODE_PROC_MAX_DEFAULT (UINT32_C(1) << 24)

/** Makes the process table and the name table of a node. @max_procs: the most at once. Errors DREAM_ENOMEM. [boot] */
int node_proctab_open(node_t *node, uint32_t max_procs);
/** Frees everything, processes that still exist too. [boot] */
void node_proctab_close(node_t *node);

/** The live process with this id, or NULL. The pointer stays readable for ever; what it says may change. [any] */
node_proc_t *node_proctab_find(node_t *node, uint64_t id);
/** The slot that @id says, whoever is in it; @id was a process of this node. [any] */
node_proc_t *node_proctab_slot(node_t *node, uint64_t id);
/** Gives the slot of a process back that has ended. [sched] */
void node_proctab_give_slot(node_proc_t *proc);
/** What a module's process may take if nobody says otherwise; for who starts it. [boot] */
void node_proctab_set_defaults(node_t *node, const node_limits_t *limits);
/** [any] */
const node_limits_t *node_proctab_defaults(const node_t *node);

/** How many there are: counts them. [any] */
uint32_t node_proctab_count(node_t *node);
/** Iterates over live processes by slot: start with *pos 0; NULL at the end. A process may end meanwhile. [any] */
node_proc_t *node_proctab_next(node_t *node, uint32_t *pos);

/** Gives back the free slots that a scheduler keeps, if few are left in the table. [sched] of it */
void node_proctab_settle(node_t *node, node_keep_t *keep);

/** The item null; lives as long as the node. [any] */
const dream_msg_t *node_proctab_null_borrow(const node_t *node);
/** The item null, one reference for the caller: the arguments of a process that got none, of which there may be a million. [any] */
dream_msg_t *node_proctab_null_ref(const node_t *node);

static inline dream_pid_t node_proc_pid(const node_proc_t *proc)
{
	dream_pid_t pid = {__atomic_load_n(&proc->id, __ATOMIC_RELAXED), proc->node->creation, 0};
	return pid;
}

/** Who spawned it; id 0: nobody. [any] */
static inline dream_pid_t node_proc_parent(const node_proc_t *proc)
{
	uint64_t id = __atomic_load_n(&proc->parent_id, __ATOMIC_RELAXED);
	dream_pid_t pid = {id, id != 0 ? proc->node->creation : 0, 0};
	return pid;
}

/** A fresh reference of this node; never 0. A few nanoseconds. [any] */
uint64_t node_proc_new_ref(node_t *node);

/** "<12.3>" (slot, serial), with "@node" for remote ones; @buffer of at least 300 bytes. Returns @buffer. [any] */
char *node_proc_pid_text(const node_t *node, dream_pid_t pid, char *buffer);
/** Parses "<12.3>" or "12.3" of this node. Errors DREAM_ESYNTAX. [any] */
int node_proc_pid_parse(const node_t *node, const char *text, dream_pid_t *ret_pid);

/* ---- life ---- */

typedef struct node_spawn {
	const node_proc_ops_t *ops;
	void *self; /* taken on success */
	const char *label;
	const char *name;     /* registered before the first instruction; NULL for none */
	node_proc_t *parent;  /* the spawner or NULL; app and links come from it */
	void *app;            /* overrides the parent's if not NULL */
	struct node_gen *gen; /* a reference, taken on success; may be NULL */
	bool link;
	uint64_t monitor_ref; /* 0: no monitor for the parent */
	node_sig_t *
		start; /* an open call that init answers, or the process's end (GS-4); taken on success; may be NULL */
	uint32_t flags;              /* NODE_PROC_SYSTEM */
	int32_t priority;            /* DREAM_PRIORITY_* */
	const node_limits_t *limits; /* NULL: none */
	node_sig_t *
		report; /* NODE_SIG_SPAWNED for the parent, which it gets before anything of the child's (SPN-2); taken on
			       success; may be NULL */
} node_spawn_t;

#define NODE_SPAWN_NO_SUCCESS 1u /* aux of a request in extra->spawns: which answers are not wanted */
#define NODE_SPAWN_NO_ERROR 2u

/** Makes a process and lets it run. Links and monitors are in place before its first instruction (SPN-1).
 *  Errors    DREAM_EEXIST the name is taken, DREAM_ELIMIT the table is full, DREAM_ENOMEM, DREAM_EINVAL bad name
 *  Thread    [process] of the parent, or [any] without one */
int node_proc_spawn(node_t *node, const node_spawn_t *how, dream_pid_t *ret_pid);

/** The end of a process, in the order of EXIT-4: name, table, timers, links, monitors, callers, queue, memory. [sched] */
void node_proc_die(node_proc_t *proc);

/** Ends the calling process with @reason (taken; NULL for normal). Does not return. [process] */
DREAM_NORETURN void node_proc_exit_take(node_proc_t *proc, dream_msg_t *reason);

/** Leaves the stack of the calling process, which is exiting, and does not return; a reply that it had just got is
 *  given up. [process] */
DREAM_NORETURN void node_proc_leave(node_proc_t *proc);

/** Sets the exit reason if none is set yet (EXIT-2) and marks the process as exiting. @reason taken. [process] */
void node_proc_set_exit_take(node_proc_t *proc, dream_msg_t *reason);

static inline bool node_proc_exiting(const node_proc_t *proc)
{
	return (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_EXITING) != 0;
}

void node_proc_set_flag(node_proc_t *proc, uint32_t flag, bool on);

/** Whether an exit signal from @from is the parent's, which ends a behaviour though it traps exits: only of one that was
 *  linked to its parent at the start (GS-17, SUP-12). [process] */
static inline bool node_proc_is_parent(const node_proc_t *proc, dream_pid_t from)
{
	return (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_CHILD) != 0 &&
	       dream_pid_equal(from, node_proc_parent(proc));
}

/** True for normal, shutdown and ["shutdown", _] (EXIT-6). NULL is normal. [any] */
bool node_proc_reason_is_normal_class(const dream_msg_t *reason);

/* ---- what few processes have ---- */

/** For writing; made at the first use. NULL: out of memory. [process], or before the process is published */
node_proc_extra_t *node_proc_extra_make(node_proc_t *proc);

/** For looking: one in which nothing is set if there is none. [process] */
static inline const node_proc_extra_t *node_proc_extra(const node_proc_t *proc)
{
	return proc->extra != NULL ? proc->extra : &node_proc_extra_none;
}

/** Why something failed last (node_proc_fail_take()); NULL if nothing did. [process] */
static inline const dream_msg_t *node_proc_reason_borrow(const node_proc_t *proc)
{
	return node_proc_extra(proc)->last_reason;
}

/** Notes that a NODE_SIG_SPAWNED with @ref is to come, whose message begins with @tag (lent; NULL for "spawn_reply").
 *  @unwanted NODE_SPAWN_NO_*. Errors DREAM_ENOMEM. [process] */
int node_proc_expect_spawned(node_proc_t *proc, uint64_t ref, uint32_t unwanted, const dream_msg_t *tag);
/** Does not want it any more (SPN-3). False: it has come. [process] */
bool node_proc_abandon_spawned(node_proc_t *proc, uint64_t ref);

/** Frees tables that are empty: what a process gives up that expects to wait for long (RCV-3). [process] */
void node_proc_trim(node_proc_t *proc);

/* ---- signals ---- */

/** Delivers a signal to sig->to, here or on another node. Consumed on every path; to a dead process it is answered as SIG-9 says.
 *  Errors    DREAM_ENOPROC  the process is gone (already dealt with), DREAM_ENOCONNECTION, DREAM_EBUSY  its mailbox is full
 *            (already dealt with). [any] */
int node_proc_deliver_take(node_t *node, node_sig_t *sig);

/** As node_proc_deliver_take(), for what @me sends: if the mailbox is full and its policy is that senders wait, @me waits,
 *  until @deadline_ns at most and as long as it may be suspended.
 *  Errors    also DREAM_EBUSY: not let in; a call is answered so. [process] */
int node_proc_send_take(node_proc_t *me, node_sig_t *sig, int64_t deadline_ns);

/** Answers a signal that cannot be delivered: "noproc" for links, monitors, calls; frees the rest. [any] */
void node_proc_bounce_take(node_t *node, node_sig_t *sig, const char *reason);

/** The process has nothing to do: marks it asleep. From then on whoever sends it something wakes it.
 *  Returns   false: something came; it must run again. [sched] */
bool node_proc_rest(node_proc_t *proc);

/** Ends a sleep without a signal; true: the caller has to wake it, now. [any] */
bool node_proc_rouse(node_proc_t *proc);

/** The time that a process waits for is over: it is woken, or kept from falling asleep, if it is just about to. What it
 *  waits for it has to look at again; it may be long since awake. [any] */
void node_proc_alarm(node_proc_t *proc);

/** Ends the sleep of the process that @sig is for, if it sleeps, and gives it the signal at once; the caller has to run it.
 *  Returns   NULL: it does not sleep, or is gone; @sig is still the caller's. [process] */
node_proc_t *node_proc_claim(node_t *node, node_sig_t *sig);

/** Handles what is in the outer queue: exits, links, monitors; messages go to the inbox. [process] */
void node_proc_drain(node_proc_t *proc);

/** Takes the oldest message, draining first; NULL if there is none or the process is exiting. A CALL or SYS becomes
 *  proc->current's candidate: answer it or keep it with node_proc_defer_take(). [process] */
node_sig_t *node_proc_next_take(node_proc_t *proc);

/** Remembers an open call until it is answered, so that its caller hears of our end. Consumed. [process] */
void node_proc_defer_take(node_proc_t *proc, node_sig_t *call);

/** Answers @call (CALL or SYS, consumed): DREAM_OK with @msg, or a code with a reason. @msg taken; NULL is null. [any] */
void node_proc_answer_take(node_t *node, node_sig_t *call, int32_t code, dream_msg_t *msg);

#define NODE_PROC_START_CALL 1u   /* aux of the open call that is the process's start */
#define NODE_PROC_START_IGNORE 2u /* the same; its answer, at the process's end, is DREAM_IGNORE */

/** Acknowledges the start of a process to whoever waits for it; later calls do nothing. @msg taken. [process] */
void node_proc_ack_start_take(node_proc_t *proc, int32_t code, dream_msg_t *msg);
/** The process is going to end, and that is no failure (GS-2: ignore). [process] */
void node_proc_ignore_start(node_proc_t *proc);

/** Answers by value, GS-11: drops the open call if @proc (may be NULL) owes it. @msg taken. [any] */
void node_proc_reply_take(
	node_t *node, node_proc_t *proc, dream_pid_t caller, uint64_t ref, int32_t code, dream_msg_t *msg);

/** Notes that the answer with @ref is to come through the inbox as NODE_SIG_REPLY (GS-22). Errors DREAM_ENOMEM. [process] */
int node_proc_expect(node_proc_t *proc, uint64_t ref);
/** Does not want it any more: a late answer is dropped. [process] */
void node_proc_forget(node_proc_t *proc, uint64_t ref);

/** Waits until something is in the outer queue or the deadline passes; drains. If the process has to end, it does not return.
 *  @deadline_ns  of node_clock_now(); NODE_FOREVER
 *  Errors    DREAM_ETIMEDOUT the deadline has passed. [process] */
int node_proc_wait(node_proc_t *proc, int64_t deadline_ns);

/** The same, saying that nobody else has an address on the caller's stack: if it takes long, the stack lies elsewhere
 *  meanwhile. [process] */
int node_proc_wait_movable(node_proc_t *proc, int64_t deadline_ns);

/** To be called when a process goes on after it had been blocked by other means than node_proc_wait(): drains, and does
 *  not return if the process has to end. [process] */
void node_proc_come_back(node_proc_t *proc);

/* ---- what processes do to each other; @proc is the caller, [process] ---- */

int node_proc_link(node_proc_t *proc, dream_pid_t peer);
int node_proc_unlink(node_proc_t *proc, dream_pid_t peer);
/** @name: what DOWN shows instead of the pid; lent; NULL */
int node_proc_monitor(node_proc_t *proc, dream_pid_t target, const char *name, uint64_t *ret_ref);
/** The same; @alias: NODE_ALIAS_* but REPLY, 0 for none; @tag: what the DOWN message begins with, lent; NULL for "DOWN". */
int node_proc_monitor_as(node_proc_t *proc, dream_pid_t target, const char *name, uint32_t alias,
	const dream_msg_t *tag, uint64_t *ret_ref);
/** True: it was active, and its DOWN never comes (MON-4). */
bool node_proc_demonitor(node_proc_t *proc, uint64_t ref, bool flush);
/** Takes the tag of a monitor that is over; NULL if it had none. */
dream_msg_t *node_proc_take_tag(node_proc_t *proc, uint64_t ref);
/** exit/2; @from may be NULL for the node itself; @reason lent. [any] */
void node_proc_exit_signal(node_t *node, node_proc_t *from, dream_pid_t to, const dream_msg_t *reason);
/** Removes EXIT messages of @peer from the inbox; returns the reason of the last (yours) or NULL. */
dream_msg_t *node_proc_flush_exit(node_proc_t *proc, dream_pid_t peer);

/** Records why something failed, for dream_reason_borrow(). @reason taken. Returns @code. */
int node_proc_fail_take(node_proc_t *proc, int code, dream_msg_t *reason);
DREAM_PRINTF(3, 4) int node_proc_fail(node_proc_t *proc, int code, const char *format, ...);

/* ---- messages in the hands of a module: counted, so that a killed process leaves none behind ---- */

/** Notes that the module now owns one reference of @msg. Errors DREAM_ENOMEM */
int node_proc_hold(node_proc_t *proc, dream_msg_t *msg);
/** Takes that reference back for the node. False: the module does not own one (a bug of the module; nothing is changed) */
bool node_proc_unhold(node_proc_t *proc, dream_msg_t *msg);
/** The turn of @proc is over, or it waits: what the thread's context @ctx noted for it goes to its table. [sched] */
void node_proc_settle_held(node_proc_t *proc, node_ctx_t *ctx);

/* ---- names ---- */

/** Gives any process of this node a name (REG-1).
 *  Errors    DREAM_EEXIST  the name is taken, or the process has one
 *            DREAM_EINVAL  empty, longer than 255 bytes, not UTF-8
 *            DREAM_ENOPROC it is dead, or of another node. [any] */
int node_names_register(node_t *node, const char *name, dream_pid_t pid);
/** Takes a name from whoever has it. Errors DREAM_ENOENT. [any] */
int node_names_unregister(node_t *node, const char *name);
/** Errors DREAM_ENOENT. [any] */
int node_names_whereis(node_t *node, const char *name, dream_pid_t *ret_pid);
/** Calls @each for every name under the table's lock; it must not block. [any] */
void node_names_each(node_t *node, void (*each)(void *data, const char *name, dream_pid_t pid), void *data);
/** The name of a process into @buffer (256 bytes), or "". [any] */
char *node_names_of(node_t *node, dream_pid_t pid, char *buffer);

/** What people call a process, shown in listings and crash reports (PD-1); NULL takes it away. Errors DREAM_EINVAL as for
 *  names. [process] */
int node_names_set_label(node_proc_t *proc, const char *label);
/** The label of a process into @buffer (256 bytes), or "". [any] */
char *node_names_label_of(node_t *node, dream_pid_t pid, char *buffer);

DREAM_END_DECLS
#endif
