/* SPDX-License-Identifier: MIT */
/* sig.h: signals: everything one process tells another, in one struct through one queue (SIG-1). */
#ifndef NODE_PROC_SIG_H
#define NODE_PROC_SIG_H
#include "term/msg.h"

DREAM_BEGIN_DECLS

/* node_sig_t.kind. Those up to NODE_SIG_REPLY can wait in a mailbox; the others act when they are handled. */
#define NODE_SIG_MSG 1u    /* msg */
#define NODE_SIG_CAST 2u   /* msg; for gen_servers */
#define NODE_SIG_CALL 3u   /* msg; ref: answer with NODE_SIG_REPLY to `from` */
#define NODE_SIG_SYS 4u    /* code: NODE_SYS_*; msg, data: its arguments; answered like a call */
#define NODE_SIG_EXIT 5u   /* msg: reason; flags: NODE_SIG_F_LINK if over a link */
#define NODE_SIG_DOWN 6u   /* ref; msg: reason; data: the name that was monitored, or NULL */
#define NODE_SIG_TIMER 7u  /* a timer of the process's own behaviour expired; ref: which */
#define NODE_SIG_REPLY 8u  /* ref; code: DREAM_OK and msg, or an error code and msg: its reason */
#define NODE_SIG_CANCEL 9u /* ref: `from` does not wait any more */
#define NODE_SIG_LINK 10u
#define NODE_SIG_UNLINK 11u     /* ref: unlink id (LNK-3) */
#define NODE_SIG_UNLINK_ACK 12u /* ref: the same id */
#define NODE_SIG_MONITOR 13u    /* ref; data as in DOWN */
#define NODE_SIG_DEMONITOR 14u  /* ref */
#define NODE_SIG_ROOM 15u       /* look again: there may be room in a mailbox (gate.h), or the time is over */
#define NODE_SIG_ALIAS 16u /* a MSG to the alias `ref`; the receiver looks whether that is active (ALS-1) */
#define NODE_SIG_INFO 17u  /* ref; code: what is asked for (info.h); answered like a call, at once */
#define NODE_SIG_SPAWNED                                                                                     \
	18u /* ref; `from`: the child, with DREAM_OK in code; else msg: what failed (SPN-2) */

#define NODE_SIG_F_LINK 1u    /* the EXIT of a linked process, not of exit_signal() */
#define NODE_SIG_F_INLINE 2u  /* lies in the envelope of its msg: freed with it */
#define NODE_SIG_F_KILL 4u    /* the untrappable kill of exit_signal() (X2) */
#define NODE_SIG_F_COUNTED 8u /* let in by the gate of its receiver */
#define NODE_SIG_F_LIMIT 16u  /* the node's own kill for a limit: untrappable, the reason is msg */
#define NODE_SIG_F_DOWN 32u   /* a MSG that is the DOWN of the monitor `ref`, under a tag of its owner's */

typedef struct node_sig {
	struct node_sig *next;
	uint8_t kind;
	uint8_t flags;
	uint16_t reserved;
	int32_t code;
	dream_pid_t to;
	dream_pid_t from;
	uint64_t ref;
	dream_msg_t *msg; /* one reference, ours */
	void *data; /* MONITOR, DOWN and signals to a remote name: a text owned by the signal; SYS: lent */
} node_sig_t;

/** A signal with @msg (taken on every path); uses the message's envelope if nobody else holds the message.
 *  NULL: out of memory. [any] */
node_sig_t *node_sig_new_take(uint8_t kind, dream_pid_t to, dream_pid_t from, uint64_t ref, dream_msg_t *msg);

/** Frees the signal and what it owns; NULL is allowed. [any] */
void node_sig_free(node_sig_t *sig);

/** Takes the message out and frees the rest. [any] */
dream_msg_t *node_sig_steal_msg(node_sig_t *sig);

/** What a process that reads its mailbox by hand sees: MSG as it is, ["EXIT", pid, reason], ["DOWN", ref, "process", object,
 *  reason], ["$gen_call", [pid, ref], request], ["$gen_cast", msg]. Consumes @sig. NULL: out of memory. [any] */
dream_msg_t *node_sig_to_msg_take(const node_t *node, node_sig_t *sig);

/** The message of a DOWN (lent) that begins with @tag. NULL: out of memory. [any] */
dream_msg_t *node_sig_tagged_down(const node_t *node, const node_sig_t *sig, const dream_msg_t *tag);

DREAM_END_DECLS
#endif
