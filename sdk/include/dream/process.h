/* SPDX-License-Identifier: MIT */
/* process.h: processes: spawn, send, receive, links, monitors, exits, names, timers, memory, log.
 *
 * Every function here is [process]: call it inside a callback or a process's main function, never from a
 * thread of your own. A blocking one (receive, call) suspends the process, not its scheduler thread. */
#ifndef DREAM_PROCESS_H
#define DREAM_PROCESS_H
#include <stdarg.h>
#include <stdio.h>
#include <dream/limits.h>
#include <dream/msg.h>

DREAM_BEGIN_DECLS

#define DREAM_INFINITY ((int64_t) -1) /* a timeout that never passes */

/* Where a message goes: a pid, a name registered here, or a name at a node ("{Name, Node}" in Erlang).
 * A name is resolved when the message is delivered, at the node it is delivered on (REG-2). */
typedef struct dream_dest {
	dream_pid_t pid;
	const char *name; /* NULL: `pid` counts */
	const char *node; /* NULL: this node; else "name@host" */
} dream_dest_t;

static inline dream_dest_t dream_to(dream_pid_t pid)
{
	dream_dest_t to = {pid, NULL, NULL};
	return to;
}

static inline dream_dest_t dream_to_name(const char *name)
{
	dream_dest_t to = {{0, 0, 0}, name, NULL};
	return to;
}

static inline dream_dest_t dream_to_node(const char *name, const char *node)
{
	dream_dest_t to = {{0, 0, 0}, name, node};
	return to;
}

/* To who made the alias, as long as it is active (ALS-1); afterwards the message is dropped without a word. */
static inline dream_dest_t dream_to_alias(dream_ref_t alias)
{
	dream_dest_t to = {{alias.id, alias.creation, alias.node}, NULL, NULL};
	return to;
}

/* ---- life ---- */

/* A process written as one function; exits `normal` when `main` returns DREAM_OK, else
 * ["error", code]. The vtable of a DREAM_KIND_PROCESS. */
typedef struct dream_process_ops {
	uint32_t struct_size;
	uint32_t reserved;
	int (*main)(const dream_msg_t *args); /* @args lent, never NULL: the item null when none were given */
} dream_process_ops_t;

#define DREAM_SPAWN_LINK 1u    /* linked before its first instruction (SPN-1) */
#define DREAM_SPAWN_MONITOR 2u /* monitored before its first instruction */
/* of dream_spawn_request(): answers that are not to come; both: none at all */
#define DREAM_SPAWN_NO_SUCCESS 4u
#define DREAM_SPAWN_NO_ERROR 8u

/* Who of those that are ready runs first. A higher priority goes before a lower one, but not for ever: who was passed over
 * eight times has a turn. */
#define DREAM_PRIORITY_NORMAL 0
#define DREAM_PRIORITY_LOW 1
#define DREAM_PRIORITY_MAX 2
#define DREAM_PRIORITY_HIGH 3

typedef struct dream_spawn {
	uint32_t struct_size;
	uint32_t flags;
	const char *module;      /* NULL: the caller's module */
	const char *kind;        /* the name of a DREAM_KIND_PROCESS in it */
	const dream_msg_t *args; /* lent; NULL for null */
	const char *name;        /* register under this name first; NULL for none */
	int32_t priority;        /* DREAM_PRIORITY_* */
	uint32_t reserved;
	dream_limits_t limits; /* zero: the node's defaults */
} dream_spawn_t;

/** Starts a process; it runs the module's current version.
 *  @ret_pid      may be NULL
 *  @ret_monitor  set with DREAM_SPAWN_MONITOR; may be NULL otherwise
 *  Errors    DREAM_ENOENT  no such module or kind
 *            DREAM_EEXIST  the name is taken
 *            DREAM_EINVAL  limits outside their ranges; dream_reason_borrow() says which
 *            DREAM_ELIMIT  the process table is full
 *            DREAM_EINVAL  no kind, a bad name, unknown flags, or no such priority
 *            DREAM_ENOMEM
 */
static inline int dream_spawn(const dream_spawn_t *how, dream_pid_t *ret_pid, dream_ref_t *ret_monitor)
{
	return dream_host->spawn(how, ret_pid, ret_monitor);
}

/** Asks for a process without waiting for it. The answer is the message ["spawn_reply", ref, "ok", pid] or
 *  ["spawn_reply", ref, "error", reason], and comes before anything that the child sends (SPN-2); @reason is "undef" (no such
 *  module or kind), "already_started" (the name), "system_limit" or the name of another error code.
 *  @how      as for dream_spawn(); DREAM_SPAWN_NO_SUCCESS and DREAM_SPAWN_NO_ERROR leave answers out. With
 *            DREAM_SPAWN_MONITOR the request's reference is the monitor's too; link and monitor exist only on success
 *  @reply_tag  lent: any term to begin the answer with; NULL for "spawn_reply"
 *  @ret_request  identifies the request
 *  Errors    DREAM_EINVAL  as for dream_spawn(), or a kind that is no DREAM_KIND_PROCESS; no answer comes then
 *            DREAM_ENOMEM */
static inline int dream_spawn_request(
	const dream_spawn_t *how, const dream_msg_t *reply_tag, dream_ref_t *ret_request)
{
	return dream_host->spawn_request(how, reply_tag, ret_request);
}

/** Gives a request up (SPN-3).
 *  Returns   true: no answer comes; a child that was to be linked gets the exit signal "abandoned", one that was not lives on
 *            false: the answer was delivered before, or was not asked for, or the request is not the caller's */
static inline bool dream_spawn_request_abandon(dream_ref_t request)
{
	return dream_host->spawn_request_abandon(request) != 0;
}

/** The caller's pid. */
static inline dream_pid_t dream_self(void)
{
	return dream_host->self();
}

/** Ends the caller with @reason (lent; NULL for normal); its memory, timers and name go with it, links and
 *  monitors hear of it (EXIT-4). Does not return; no terminate callback runs. */
static inline DREAM_NORETURN void dream_exit(const dream_msg_t *reason)
{
	dream_host->exit_self(reason);
	__builtin_unreachable();
}

/** Sends an exit signal, Erlang's exit/2; what it does is in the table X1-X9. @reason lent.
 *  "kill" cannot be trapped and reads "killed" afterwards (X2). A dead process is no error. */
static inline int dream_exit_signal(dream_pid_t pid, const dream_msg_t *reason)
{
	return dream_host->exit_signal(pid, reason);
}

/** From now on exit signals arrive as messages ["EXIT", pid, reason] (X1-X10) if @on.
 *  Returns   the former setting */
static inline bool dream_trap_exit(bool on)
{
	return dream_host->trap_exit(on) != 0;
}

/** Changes the caller's priority, from its next turn on.
 *  Returns   the one before
 *  Errors    DREAM_EINVAL  no such priority */
static inline int32_t dream_set_priority(int32_t priority)
{
	return dream_host->set_priority(priority);
}

/** Gives up the caller's stack and what it can spare until a message comes (RCV-3); at once if one is there. Then
 *  resume(arg) runs on a fresh stack in place of the process's main function: what it returns ends the process. Nothing on the
 *  stack survives, and the args of the main function are gone; keep what is needed in process memory and hand it over as
 *  @arg. Exit signals, links and monitors that are no message do not wake it.
 *  @resume   a function of the caller's module
 *  Returns   only on failure
 *  Errors    DREAM_EPERM   the caller is not a DREAM_KIND_PROCESS; a server has no stack while it waits, and
 *                          dream_next_hibernate() for the rest
 *            DREAM_EINVAL  no function */
static inline int dream_hibernate(int (*resume)(void *arg), void *arg)
{
	return dream_host->hibernate(resume, arg);
}

/* ---- messages ---- */

/** Sends a message. A destination that is gone swallows it (SIG-5). Blocks only if the destination's mailbox is full and its
 *  limits say so (DREAM_FULL_SUSPEND).
 *  @msg      taken on every path
 *  Errors    DREAM_ENOENT  a name of this node that nobody has
 *            DREAM_EINVAL  no destination at all (a zeroed one), or no message
 *            DREAM_ENOCONNECTION  a node that is not connected
 *            DREAM_EBUSY   the connection's queue is full, or the destination's mailbox, if its limits refuse
 */
static inline int dream_send_take(dream_dest_t to, dream_msg_t *msg)
{
	return dream_host->send_take(&to, msg);
}

/** Encodes and sends ["tag", value]; with type dream_unit_type the text "tag". Errors of
 *  dream_msg_encode() and dream_send_take(). */
static inline int dream_send(dream_dest_t to, const char *tag, const dream_type_t *type, const void *value)
{
	dream_msg_t *msg;
	int r = dream_msg_encode(tag, type, value, &msg);
	return r < 0 ? r : dream_send_take(to, msg);
}

/** Takes the oldest message that @match accepts; the others keep their places (RCV-1).
 *  @match    returns non-zero to accept; runs on each waiting message once and may only look at it; NULL accepts all
 *  @timeout_ms  0 looks without waiting; DREAM_INFINITY. Who waits for long has its stack moved away and back: nobody
 *            else may use an address on it meanwhile
 *  @ret_msg  yours
 *  Errors    DREAM_ETIMEDOUT  none came in time; the mailbox is unchanged
 *  Exit signals and DOWNs come as ["EXIT", pid, reason] and ["DOWN", ref, "process", pid or name, reason].
 */
static inline int dream_receive(int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg,
	int64_t timeout_ms, dream_msg_t **ret_msg)
{
	return dream_host->receive(match, arg, timeout_ms, ret_msg);
}

/* ---- links and monitors ---- */

/** Links the caller and @pid (LNK-1). A process that does not exist any more gives DREAM_ENOPROC to a
 *  caller that does not trap exits, and the message ["EXIT", pid, "noproc"] to one that does (X11). */
static inline int dream_link(dream_pid_t pid)
{
	return dream_host->link(pid);
}

/** No exit signal of that link has an effect once this returned (LNK-2). */
static inline int dream_unlink(dream_pid_t pid)
{
	return dream_host->unlink(pid);
}

/** Asks for one ["DOWN", ref, "process", object, reason] when the target ends, at once with "noproc" if it
 *  is not there (MON-1 to MON-3).
 *  @ret_ref  identifies the monitor
 *  Errors    DREAM_ENOMEM, DREAM_ENOCONNECTION  a name at a node that was never heard of */
static inline int dream_monitor(dream_dest_t target, dream_ref_t *ret_ref)
{
	return dream_host->monitor(&target, ret_ref);
}

/* An alias that is the monitor's reference (ALS-2). */
#define DREAM_MONITOR_ALIAS_EXPLICIT 1u /* until dream_unalias() */
#define DREAM_MONITOR_ALIAS_DEMONITOR                                                                        \
	2u /* and until the monitor ends, by dream_demonitor() or DOWN (MON-7) */
#define DREAM_MONITOR_ALIAS_REPLY_DEMONITOR                                                                  \
	3u /* and until the first message to it, which ends the monitor too */

typedef struct dream_monitor {
	uint32_t struct_size;
	uint32_t alias;         /* DREAM_MONITOR_ALIAS_*; 0: none */
	const dream_msg_t *tag; /* lent: what the message begins with instead of "DOWN"; NULL for "DOWN" */
} dream_monitor_t;

/** dream_monitor() with options.
 *  Errors    also DREAM_EINVAL  no options, or an unknown kind of alias */
static inline int dream_monitor_as(dream_dest_t target, const dream_monitor_t *how, dream_ref_t *ret_ref)
{
	return dream_host->monitor_as(&target, how, ret_ref);
}

#define DREAM_DEMONITOR_FLUSH 1u /* remove a DOWN that is already in the mailbox */

/** Ends a monitor: no DOWN for @ref is delivered later (MON-4). Of a reference that is not a monitor of the caller, or not
 *  any more, nothing is changed (MON-5). Unknown flags end the caller with ["badarg", what].
 *  Returns   true exactly if it was active, so that no DOWN ever was or will be delivered */
static inline bool dream_demonitor(dream_ref_t ref, uint32_t flags)
{
	return dream_host->demonitor(ref, flags) != 0;
}

/* ---- aliases ---- */

#define DREAM_ALIAS_REPLY 1u /* ends with the first message to it */

/** Makes a reference that others can send to with dream_to_alias() until it ends, and that is not the caller's pid: what comes
 *  too late is dropped before it reaches the mailbox (ALS-1). It may be sent on, to other nodes too (ALS-5).
 *  @flags    0: until dream_unalias(); or DREAM_ALIAS_REPLY
 *  Errors    DREAM_EINVAL unknown flags, DREAM_ENOMEM */
static inline int dream_alias(uint32_t flags, dream_ref_t *ret_alias)
{
	return dream_host->alias(flags, ret_alias);
}

/** Ends an alias of the caller, a monitor's too (the monitor stays). Nothing sent to it enters the mailbox from now on; what
 *  is there stays.
 *  Returns   true if it was active (ALS-3) */
static inline bool dream_unalias(dream_ref_t alias)
{
	return dream_host->unalias(alias) != 0;
}

/* ---- names ---- */

/** Gives a process of this node a name of 1 to 255 bytes of UTF-8 (REG-1). One name per process and one process per name;
 *  the name is free again before anybody hears of the process's end.
 *  Errors    DREAM_EEXIST  the name is taken, or the process has one
 *            DREAM_ENOPROC it is dead, or of another node
 *            DREAM_EINVAL */
static inline int dream_register(const char *name, dream_pid_t pid)
{
	return dream_host->register_name(name, pid);
}

/** Takes the name from whoever has it. Errors DREAM_ENOENT */
static inline int dream_unregister(const char *name)
{
	return dream_host->unregister_name(name);
}

/** Errors    DREAM_ENOENT; @ret_pid is untouched then */
static inline int dream_whereis(const char *name, dream_pid_t *ret_pid)
{
	return dream_host->whereis(name, ret_pid);
}

/* ---- about processes ---- */

/** Whether a process of this node is alive once it has handled all that the caller sent it before: after
 *  dream_exit_signal(pid, "kill") never (SIG-6).
 *  Returns   1 or 0
 *  Errors    DREAM_ETIMEDOUT  it has looked at no signal for five seconds: it computes, or is stuck in foreign code
 *            DREAM_EINVAL     a process of another node */
static inline int dream_is_process_alive(dream_pid_t pid)
{
	return dream_host->is_process_alive(pid);
}

/** What a process of this node tells about itself, in the same order of signals: a map from the items below.
 *    registered_name, label  text or null
 *    initial_call       ["module", "kind"] it was started with
 *    parent, ancestors  pid or null; an array, nearest first, of names or pids, up to the first that is dead
 *    status             "running" (the caller), "waiting"
 *    links, monitored_by  arrays of pids; monitors: array of ["process", pid or name]; each of at most 4,096
 *    message_queue_len  a count; messages themselves are never copied
 *    memory             bytes
 *    reductions         messages handled
 *    trap_exit          a truth value
 *    dictionary         a map, of at most 256 KiB
 *  @items    NULL-terminated names of items, lent; NULL for all
 *  @ret_info yours
 *  Errors    DREAM_ENOPROC, DREAM_ETIMEDOUT as above, DREAM_EINVAL an unknown item or another node's process */
static inline int dream_process_info(dream_pid_t pid, const char *const *items, dream_msg_t **ret_info)
{
	return dream_host->process_info(pid, items, ret_info);
}

/** Sets what people call the caller, in listings and crash reports (PD-1).
 *  @label    1 to 255 bytes of UTF-8, lent; NULL takes it away
 *  Errors    DREAM_EINVAL */
static inline int dream_set_label(const char *label)
{
	return dream_host->set_label(label);
}

/** The process dictionary: terms by name, for the caller alone; shown in crash reports (PD-1).
 *  @key      1 to 255 bytes of UTF-8
 *  @value    lent; replaces a former one
 *  Errors    DREAM_EINVAL, DREAM_ELIMIT beyond 65,536 keys, DREAM_ENOMEM */
static inline int dream_put(const char *key, const dream_msg_t *value)
{
	return dream_host->put(key, value);
}

/** @ret_value yours. Errors DREAM_ENOENT; @ret_value is untouched then */
static inline int dream_get(const char *key, dream_msg_t **ret_value)
{
	return dream_host->get(key, ret_value);
}

/** Errors    DREAM_ENOENT */
static inline int dream_erase(const char *key)
{
	return dream_host->erase(key);
}

/* ---- time ---- */

#define DREAM_TIMER_ABS 1u /* the time is of the clock of dream_now_ns(), in ms; one that has passed is now */
#define DREAM_TIMER_START 2u   /* the message is ["timeout", ref, msg] */
#define DREAM_TIMER_ASYNC 4u   /* the result comes as a message */
#define DREAM_TIMER_NO_INFO 8u /* no result at all */

/** Sends @msg after @delay_ms, never early (TMR-4). A name is looked up when the timer expires; the timer of
 *  a pid ends with that process (TMR-1).
 *  @msg      taken on every path
 *  @delay_ms 0 to 2^47
 *  @ret_timer may be NULL
 *  Errors    DREAM_EINVAL  a delay out of range, no message, or no process or name of this node
 *            DREAM_ENOMEM */
static inline int dream_send_after_take(
	dream_dest_t to, dream_msg_t *msg, int64_t delay_ms, dream_ref_t *ret_timer)
{
	return dream_host->send_after_take(&to, msg, delay_ms, ret_timer);
}

/** The same at a time of the clock of dream_now_ns(), in milliseconds. */
static inline int dream_send_at_take(dream_dest_t to, dream_msg_t *msg, int64_t at_ms, dream_ref_t *ret_timer)
{
	return dream_host->timer_start_take(&to, msg, at_ms, DREAM_TIMER_ABS, ret_timer);
}

/** Sends ["timeout", ref, msg] with the timer's reference, so that the receiver knows which timer it was (TMR-1).
 *  @flags    0 or DREAM_TIMER_ABS; else as dream_send_after_take() */
static inline int dream_start_timer_take(
	dream_dest_t to, dream_msg_t *msg, int64_t time_ms, uint32_t flags, dream_ref_t *ret_timer)
{
	return dream_host->timer_start_take(&to, msg, time_ms, flags | DREAM_TIMER_START, ret_timer);
}

/** How long a timer still waits.
 *  @flags    0; or DREAM_TIMER_ASYNC: the result is the message ["read_timer", ref, milliseconds or false]
 *  Returns   milliseconds, or DREAM_ENOENT; with DREAM_TIMER_ASYNC DREAM_OK
 *            DREAM_EINVAL  unknown flags */
static inline int64_t dream_read_timer(dream_ref_t timer, uint32_t flags)
{
	return dream_host->timer_read(timer, flags);
}

/** dream_cancel_timer() with options: DREAM_TIMER_ASYNC for the result as the message
 *  ["cancel_timer", ref, milliseconds or false], DREAM_TIMER_NO_INFO for none.
 *  Returns   DREAM_OK with either of them
 *            DREAM_EINVAL  unknown flags; the timer goes on */
static inline int64_t dream_cancel_timer_as(dream_ref_t timer, uint32_t flags)
{
	return dream_host->timer_cancel(timer, flags);
}

/** Cancels a timer of any process.
 *  Returns   the milliseconds that were left; then its message never comes
 *            DREAM_ENOENT: expired, cancelled or unknown; its message may be in the mailbox (TMR-2) */
static inline int64_t dream_cancel_timer(dream_ref_t timer)
{
	return dream_host->cancel_timer(timer);
}

/** Nanoseconds of a clock that never jumps and has no meaning beyond this node. */
static inline int64_t dream_now_ns(void)
{
	return dream_host->now_ns();
}

/* ---- memory ---- */

/** A zeroed block, aligned to 16, that belongs to the caller's process and is freed with it.
 *  Returns   NULL: out of memory, or size 0, or beyond the process's max_heap_bytes: then it ends with ["limit", "memory"]
 *            as soon as its code returns or waits */
static inline void *dream_alloc(uint64_t size_bytes)
{
	return dream_host->alloc(size_bytes);
}

/** Grows or shrinks a block; added bytes are zero. NULL: the old block stays. A NULL block is allocated. */
static inline void *dream_resize(void *block, uint64_t size_bytes)
{
	return dream_host->resize(block, size_bytes);
}

/** NULL is allowed. */
static inline void dream_free(void *block)
{
	dream_host->release(block);
}

/* ---- the rest ---- */

/** Why the last function of this process failed, as a term: the exit reason behind DREAM_EDOWN and
 *  DREAM_EINIT, a text otherwise. NULL if nothing failed. It dies with the next failing call. */
static inline const dream_msg_t *dream_reason_borrow(void)
{
	return dream_host->reason_borrow();
}

/** The value of a key in the environment of the caller's application.
 *  @ret_value  yours
 *  Errors    DREAM_ENOENT  no such key, or a process outside every application */
static inline int dream_env_get(const char *key, dream_msg_t **ret_value)
{
	return dream_host->env_get(key, ret_value);
}

/** The whole environment of the caller's application as a described struct: keys without a field are left out,
 *  fields without a key are zero. Texts and lists are copied into the caller's process memory.
 *  @ret_value  storage of type->size bytes; untouched on failure
 *  Errors    DREAM_ENOENT  a process outside every application
 *            DREAM_EDECODE, DREAM_ERANGE  a value of another kind; dream_reason_borrow() names the key */
static inline int dream_env(const dream_type_t *type, void *ret_value)
{
	return dream_host->env(type, ret_value);
}

#define DREAM_LOG_DEBUG 0
#define DREAM_LOG_INFO 1
#define DREAM_LOG_NOTICE 2
#define DREAM_LOG_WARNING 3
#define DREAM_LOG_ERROR 4

/** Writes one line to the node's log with the caller's pid, name and application; cut after 1,000 bytes. */
DREAM_PRINTF(2, 3) static inline void dream_log(int32_t level, const char *format, ...)
{
	char text[1001];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	dream_host->log(level, text);
}

DREAM_END_DECLS
#endif
