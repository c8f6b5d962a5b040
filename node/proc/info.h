/* SPDX-License-Identifier: MIT */
/* info.h: what a process tells about itself: to who asks (SIG-6), and at a bad end (PL-3). */
#ifndef NODE_PROC_INFO_H
#define NODE_PROC_INFO_H
#include "proc/proc.h"
#include "term/cbor.h"

DREAM_BEGIN_DECLS

/* Items, by the names they have in OTP. The code of a NODE_SIG_INFO is a set of them. */
#define NODE_INFO_REGISTERED_NAME 0x1
#define NODE_INFO_LABEL 0x2
#define NODE_INFO_INITIAL_CALL 0x4
#define NODE_INFO_PARENT 0x8
#define NODE_INFO_ANCESTORS 0x10
#define NODE_INFO_STATUS 0x20
#define NODE_INFO_LINKS 0x40
#define NODE_INFO_MONITORS 0x80
#define NODE_INFO_MONITORED_BY 0x100
#define NODE_INFO_MESSAGE_QUEUE_LEN 0x200
#define NODE_INFO_MEMORY 0x400
#define NODE_INFO_REDUCTIONS 0x800
#define NODE_INFO_TRAP_EXIT 0x1000
#define NODE_INFO_DICTIONARY 0x2000
#define NODE_INFO_ALL 0x3fff
#define NODE_INFO_ALIVE 0x4000 /* alone: the answer is true or false */

#define NODE_INFO_LIST_MAX 4096u              /* pids in one list of an answer; what is beyond is left out */
#define NODE_INFO_DICT_BYTES_MAX (256u << 10) /* of the dictionary in one answer */
#define NODE_INFO_ANCESTORS_MAX 32u

/** The item called @name; 0: there is none. [any] */
int32_t node_info_item(const char *name);

/** A map from names to values.
 *  @proc     the caller, or a process that nobody runs meanwhile
 *  @status   what to say for "status"
 *  @ret_msg  yours
 *  Errors    DREAM_ENOMEM, DREAM_ELIMIT. [process] */
int node_info_term(node_proc_t *proc, int32_t items, const char *status, dream_msg_t **ret_msg);

/** Answers a NODE_SIG_INFO; consumed. [process] */
void node_info_answer_take(node_proc_t *proc, node_sig_t *sig);

/** Appends the parents of a process, nearest first: names where they have one, pids otherwise. The chain ends with one that
 *  is dead, since nothing is kept of it. [any] */
void node_info_put_ancestors(node_cbor_writer_t *w, node_proc_t *proc);

DREAM_END_DECLS
#endif
