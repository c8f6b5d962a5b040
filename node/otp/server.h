/* SPDX-License-Identifier: MIT */
/* server.h: gen_server: the loop around a module's callbacks (semantics GS, SYS). */
#ifndef NODE_OTP_SERVER_H
#define NODE_OTP_SERVER_H
#include "code/code.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/* The private part of a gen_server process: proc->self. */
/* What a server that only answers never has: made at the first use, kept until its end. */
typedef struct node_server_more {
	const node_kind_t
		*old_kind; /* during an upgrade: where it came from, with a reference on its generation */
	void *old_state;
	/* what the running callback asks for */
	dream_msg_t
		*last_reply; /* GS-13: to proc->current, sent when terminate is over, unless that is killed */
	dream_msg_t *next_continue;
	dream_msg_t *next_reason;
	int64_t next_timeout_ms; /* negative: none */
	int64_t timeout_ms;      /* with NODE_SERVER_TIMED */
	uint64_t timer_ref;      /* of the pending timeout; 0: none */
	uint64_t timer_expected; /* ref of the signal it will send */
} node_server_more_t;

/* The private part of a gen_server process: proc->self. A million idle ones pay for each word of it. */
typedef struct node_server {
	const node_kind_t *kind; /* of proc->gen */
	void *state;
	dream_msg_t *args; /* until init has run */
	node_server_more_t *more;
	uint32_t flags; /* NODE_SERVER_* */
	uint32_t reserved;
} node_server_t;

#define NODE_SERVER_RUNNING 1u    /* init has succeeded */
#define NODE_SERVER_SUSPENDED 2u  /* SYS-2 */
#define NODE_SERVER_CALLBACK 4u   /* inside a callback of the module */
#define NODE_SERVER_TIMED 8u      /* GS-12: a wait with a timeout is on, of more->timeout_ms */
#define NODE_SERVER_NOMEM 16u     /* no memory for what a callback asked for: it ends when that is over */
#define NODE_SERVER_HIBERNATE 32u /* the callback expects a long wait (RCV-3) */

extern const node_proc_ops_t node_server_ops;

/** A server that has not run init; owned by the process it is spawned with. @args taken. NULL: out of memory. [any] */
node_server_t *node_server_new_take(const node_kind_t *kind, dream_msg_t *args);
void node_server_free(node_server_t *server);

/** server->more, for writing. NULL: out of memory. [process] */
node_server_more_t *node_server_more(node_server_t *server);

/** The same for what the running callback of the calling process asks for. NULL: it is in none; or out of memory: then the
 *  server ends when the callback is over. [process] */
node_server_more_t *node_server_ask(node_proc_t *proc);

/** Where a server came from during an upgrade; NULL: there is none. */
static inline const node_kind_t *node_server_old_kind(const node_server_t *server)
{
	return server->more != NULL ? server->more->old_kind : NULL;
}

/** The caller ends itself inside a callback: in terminate, the reply that was to follow is sent (GS-13). [process] */
void node_server_on_exit_self(node_proc_t *proc);

/** The server part of the calling process if it is inside a gen_server callback, else NULL. [process] */
node_server_t *node_server_of(node_proc_t *proc);

DREAM_END_DECLS
#endif
