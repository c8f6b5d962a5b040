/* SPDX-License-Identifier: MIT */
/* gen_server.h: a server: a state, and callbacks that handle one message at a time (semantics GS).
 *
 * The short form, with a described state and typed handlers:
 *
 *     static dream_next_t on_add(counter_state_t *s, const counter_add_t *add, counter_value_t *reply) { … }
 *     DREAM_ON_CALL(on_add, "add", counter_state, counter_add, counter_value);
 *
 *     DREAM_SERVER(counter, counter_state, .calls = DREAM_HANDLERS(&on_add_handler));
 *
 * A call ["add", {"by": 1}] is decoded into counter_add_t, *reply is encoded and sent. Messages that no
 * typed handler takes go to the raw callback, if there is one. */
#ifndef DREAM_GEN_SERVER_H
#define DREAM_GEN_SERVER_H
#include <dream/process.h>

DREAM_BEGIN_DECLS

/* What a callback wants next; negative values are error codes and end the server with ["error", code]. */
typedef int32_t dream_next_t;
#define DREAM_NEXT_NOREPLY 0    /* go on; a call is answered later with dream_reply_take() */
#define DREAM_NEXT_REPLY 1      /* go on; answer the call with *reply */
#define DREAM_NEXT_STOP 2       /* end with the reason of dream_next_reason(), by default normal */
#define DREAM_NEXT_STOP_REPLY 3 /* run terminate, then answer the call, then end (GS-13) */

/* Shorter names for the usual returns. */
#define DREAM_REPLY DREAM_NEXT_REPLY
#define DREAM_NOREPLY DREAM_NEXT_NOREPLY
#define DREAM_STOP DREAM_NEXT_STOP

/* Who waits for an answer: a plain value, free to be kept, put in a state and used by any process. */
typedef struct dream_from {
	dream_pid_t pid;
	dream_ref_t ref;
} dream_from_t;

/* One typed handler; made by DREAM_ON_CALL, DREAM_ON_CAST and DREAM_ON_INFO. */
typedef struct dream_handler {
	uint32_t struct_size;
	uint32_t tag_size; /* 0; the node counts once, in its own copy */
	const char *tag;
	const dream_type_t *request; /* lent to `fn` decoded; its texts and lists live until `fn` returns */
	const dream_type_t *reply;   /* NULL for casts and infos; zeroed storage for `fn` */
	dream_next_t (*fn)(void *state, const void *request, void *reply);
} dream_handler_t;

/* The old state that code_change receives. */
typedef struct dream_old_state {
	uint32_t struct_size;
	uint32_t vsn;            /* state_vsn of the version it comes from */
	void *state;             /* what that version's init set; NULL if it was a described struct */
	const dream_msg_t *term; /* a described state as a term; NULL otherwise */
} dream_old_state_t;

/* The vtable of a DREAM_KIND_GEN_SERVER. Every member may be NULL; callbacks are [process]. */
typedef struct dream_gen_server_ops {
	uint32_t struct_size;
	uint32_t state_vsn;                  /* of an undescribed state; a described one brings its own */
	const dream_type_t *state;           /* NULL: the state is an opaque pointer that `init` sets */
	const dream_handler_t *const *calls; /* NULL-terminated, like the two below */
	const dream_handler_t *const *casts;
	const dream_handler_t *const *infos;

	/** Makes the state. With a described state *ret_state is its zeroed struct already.
	 *  Returns DREAM_OK; DREAM_IGNORE (the start succeeds without a process); negative: the start fails
	 *  with the reason of dream_next_reason(), by default ["error", code]. dream_next_timeout() and
	 *  dream_next_continue_take() may be called (GS-2). */
	int (*init)(const dream_msg_t *args, void **ret_state);
	/** A call that no entry of `calls` took. *ret_reply is yours to make, the node's to release. */
	dream_next_t (*handle_call)(void *state, const dream_msg_t *request, dream_msg_t **ret_reply);
	/** A cast that no entry of `casts` took; NULL: logged and dropped. */
	dream_next_t (*handle_cast)(void *state, const dream_msg_t *msg);
	/** Any other message; the text "timeout" when dream_next_timeout() passed (GS-12); NULL: logged and
	 *  dropped (GS-14). */
	dream_next_t (*handle_info)(void *state, const dream_msg_t *msg);
	/** Runs before any further message after dream_next_continue_take() (GS-6). */
	dream_next_t (*handle_continue)(void *state, const dream_msg_t *arg);
	/** The last callback: after a stop, a failed callback or the parent's exit while trapping; not when
	 *  killed, and not on an exit signal that is not trapped (GS-16). */
	void (*terminate)(void *state, const dream_msg_t *reason);
	/** Carries a state over to this version (SYS-7). With described states on both sides *ret_state
	 *  already holds every field of the same name, so without this callback field names decide.
	 *  Otherwise make a new state beside the old one: the old is kept until the upgrade is committed,
	 *  and stays in use if this returns negative. May run more than once for one state, since an
	 *  upgrade is tried on copies first; do not change anything outside *ret_state. */
	int (*code_change)(const dream_old_state_t *old, void **ret_state);
} dream_gen_server_ops_t;

/** Makes `fn##_handler` from a typed function. */
#define DREAM_ON_CALL(fn_name, tag_text, state_type, request_type, reply_type)                               \
	static dream_next_t fn_name##_call(void *state, const void *request, void *reply)                    \
	{                                                                                                    \
		return fn_name((state_type##_t *) state, (const request_type##_t *) request,                 \
			(reply_type##_t *) reply);                                                           \
	}                                                                                                    \
	static const dream_handler_t fn_name##_handler = {DREAM_SIZED(dream_handler_t), .tag = (tag_text),   \
		.request = &request_type##_type, .reply = &reply_type##_type, .fn = fn_name##_call}

#define DREAM_ON_CAST(fn_name, tag_text, state_type, request_type)                                           \
	static dream_next_t fn_name##_cast(void *state, const void *request, void *reply)                    \
	{                                                                                                    \
		(void) reply;                                                                                \
		return fn_name((state_type##_t *) state, (const request_type##_t *) request);                \
	}                                                                                                    \
	static const dream_handler_t fn_name##_handler = {DREAM_SIZED(dream_handler_t), .tag = (tag_text),   \
		.request = &request_type##_type, .fn = fn_name##_cast}

#define DREAM_ON_INFO DREAM_ON_CAST

#define DREAM_HANDLERS(...)                                                                                  \
	(const dream_handler_t *const[])                                                                     \
	{                                                                                                    \
		__VA_ARGS__, NULL                                                                            \
	}

/* ---- for callbacks ---- */

/** The caller of the call that is being handled; all zero in other callbacks. [process] */
static inline dream_from_t dream_from(void)
{
	dream_from_t from;
	dream_host->from(&from);
	return from;
}

/** Answers a call, now or later, from any process (GS-11). Answering twice, or after the caller gave up,
 *  does nothing. @reply taken.
 *  Errors    DREAM_ESELF the call would be the caller's own, DREAM_EINVAL nobody called, or no reply. [process] */
static inline int dream_reply_take(dream_from_t from, dream_msg_t *reply)
{
	return dream_host->reply_take(&from, reply);
}

/** If no message comes within @timeout_ms after this callback, handle_info gets "timeout" (GS-12). */
static inline void dream_next_timeout(int64_t timeout_ms)
{
	dream_host->next_timeout(timeout_ms);
}

/** The server expects a long wait: after this callback it gives up what it can spare (RCV-3). It has no stack while it waits
 *  in any case. */
static inline void dream_next_hibernate(void)
{
	dream_host->next_hibernate();
}

/** Calls handle_continue with @arg (taken) before any other message (GS-6). */
static inline void dream_next_continue_take(dream_msg_t *arg)
{
	dream_host->next_continue_take(arg);
}

/** The exit reason (lent) for DREAM_NEXT_STOP, or for an init that fails. */
static inline void dream_next_reason(const dream_msg_t *reason)
{
	dream_host->next_reason(reason);
}

/* ---- for clients ---- */

#define DREAM_CALL_TIMEOUT_MS ((int64_t) 5000) /* OTP's default */

/** Calls a server and waits for the answer; a late answer vanishes (ALS-4).
 *  @request  lent
 *  @ret_reply yours
 *  Errors    DREAM_ENOPROC, DREAM_EDOWN (for whatever reason, normal included: GS-7), DREAM_ETIMEDOUT,
 *            DREAM_EREQUEST, DREAM_ESELF, DREAM_ENOCONNECTION; dream_reason_borrow() has the term
 *            DREAM_EBUSY  its mailbox is full (dream/limits.h)
 */
static inline int dream_call_raw(
	dream_dest_t to, dream_msg_t *request, int64_t timeout_ms, dream_msg_t **ret_reply)
{
	return dream_host->call(&to, request, timeout_ms, ret_reply);
}

/** The same with described types; the request is ["tag", *req]. Texts and lists of *ret_reply are copied
 *  into the caller's process memory. Also errors of dream_msg_encode() and dream_msg_decode(). */
static inline int dream_call(dream_dest_t to, const char *tag, const dream_type_t *req_type, const void *req,
	const dream_type_t *reply_type, void *ret_reply, int64_t timeout_ms)
{
	return dream_host->call_typed(&to, tag, req_type, req, reply_type, ret_reply, timeout_ms);
}

/** Sends a cast; DREAM_OK for a local destination, there or not (GS-10). @msg taken.
 *  Errors    DREAM_EBUSY  its mailbox is full, and its limits refuse; DREAM_ENOCONNECTION */
static inline int dream_cast_take(dream_dest_t to, dream_msg_t *msg)
{
	return dream_host->cast_take(&to, msg);
}

static inline int dream_cast(dream_dest_t to, const char *tag, const dream_type_t *type, const void *value)
{
	dream_msg_t *msg;
	int r = dream_msg_encode(tag, type, value, &msg);
	return r < 0 ? r : dream_cast_take(to, msg);
}

#define DREAM_START_LINK 1u

typedef struct dream_start {
	uint32_t struct_size;
	uint32_t flags;
	const char *module;      /* NULL: the caller's module */
	const char *kind;        /* a gen_server or supervisor in it */
	const dream_msg_t *args; /* lent; NULL for null */
	const char *name;        /* registered before init runs (GS-1); NULL for none */
	int64_t timeout_ms;      /* for init; 0 for none. The process is killed when it passes (GS-5) */
	dream_limits_t limits;   /* zero: the node's defaults */
} dream_start_t;

/** Starts a server and waits for its init. On failure the process is dead and its name free (GS-4).
 *  @ret_pid  may be NULL
 *  Returns   DREAM_OK, or DREAM_IGNORE with *ret_pid untouched
 *  Errors    DREAM_EINIT, DREAM_EALREADY (the name is taken), DREAM_ENOENT, DREAM_ETIMEDOUT, DREAM_ELIMIT,
 *            DREAM_EINVAL (limits outside their ranges)
 */
static inline int dream_start(const dream_start_t *how, dream_pid_t *ret_pid)
{
	return dream_host->start(how, ret_pid);
}

/** Asks a server to end with @reason (lent; NULL for normal) and waits until it is dead (GS-19).
 *  Errors    DREAM_ENOPROC, DREAM_ETIMEDOUT (it goes on ending), DREAM_EDOWN (it ended for another reason) */
static inline int dream_stop(dream_dest_t to, const dream_msg_t *reason, int64_t timeout_ms)
{
	return dream_host->stop(&to, reason, timeout_ms);
}

DREAM_END_DECLS
#endif
