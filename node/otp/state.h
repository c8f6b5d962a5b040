/* SPDX-License-Identifier: MIT */
/* state.h: the memory of a described state: its struct, and the texts and lists that its fields point to. */
#ifndef NODE_OTP_STATE_H
#define NODE_OTP_STATE_H
#include "proc/proc.h"
#include "term/codec.h"

DREAM_BEGIN_DECLS

/* Where decoded and migrated values of a process lie: in its own memory, texts copied. */
typedef struct node_state_mem {
	node_codec_mem_t mem;
	node_proc_t *proc;
} node_state_mem_t;

/** [process] */
node_state_mem_t node_state_mem(node_proc_t *proc);

/** Frees a described value and everything it points to, all of it memory of @proc. NULL is allowed. [process] */
void node_state_free(node_proc_t *proc, const dream_type_t *type, void *value);

DREAM_END_DECLS
#endif
