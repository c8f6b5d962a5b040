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
 *            DREAM_EINVAL  no such priority
 *            DREAM_ENOMEM
 */
static inline int dream_spawn(const dream_spawn_t *how, dream_pid_t *ret_pid, dream_ref_t *ret_monitor)
{
	return dream_host->spawn(how, ret_pid, ret_monitor);
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

/* ---- messages ---- */

/** Sends a message. A destination that is gone swallows it (SIG-5). Blocks only if the destination's mailbox is full and its
 *  limits say so (DREAM_FULL_SUSPEND).
 *  @msg      taken on every path
 *  Errors    DREAM_ENOENT  a name of this node that nobody has
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

#define DREAM_DEMONITOR_FLUSH 1u /* remove a DOWN that is already in the mailbox */

/** Ends a monitor: no DOWN for @ref is delivered later (MON-4).
 *  Returns   true if it was active, so that no DOWN ever was or will be delivered */
static inline bool dream_demonitor(dream_ref_t ref, uint32_t flags)
{
	return dream_host->demonitor(ref, flags) != 0;
}

/* ---- names ---- */

/** Gives the caller a name of 1 to 255 bytes of UTF-8 (REG-1). One name per process and one process per name;
 *  the name is free again before anybody hears of the process's end.
 *  @pid      the caller's own; others are named when they are started
 *  Errors    DREAM_EEXIST, DREAM_EINVAL, DREAM_EPERM another process's pid */
static inline int dream_register(const char *name, dream_pid_t pid)
{
	return dream_host->register_name(name, pid);
}

/** Errors    DREAM_ENOENT */
static inline int dream_unregister(const char *name)
{
	return dream_host->unregister_name(name);
}

/** Errors    DREAM_ENOENT; @ret_pid is untouched then */
static inline int dream_whereis(const char *name, dream_pid_t *ret_pid)
{
	return dream_host->whereis(name, ret_pid);
}

/* ---- time ---- */

/** Sends @msg after @delay_ms, never early (TMR-4). A name is looked up when the timer expires; the timer of
 *  a pid ends with that process (TMR-1).
 *  @msg      taken on every path
 *  @delay_ms 0 to 2^47
 *  @ret_timer may be NULL
 *  Errors    DREAM_EINVAL  a delay out of range, or a name at another node
 *            DREAM_ENOMEM */
static inline int dream_send_after_take(
	dream_dest_t to, dream_msg_t *msg, int64_t delay_ms, dream_ref_t *ret_timer)
{
	return dream_host->send_after_take(&to, msg, delay_ms, ret_timer);
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
