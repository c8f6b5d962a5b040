/* SPDX-License-Identifier: MIT */
/* msg.h: the memory behind dream_msg_t: one block with the encoded item at its end. */
#ifndef NODE_TERM_MSG_H
#define NODE_TERM_MSG_H
#include "base/diag.h"
#include "base/mem.h"

DREAM_BEGIN_DECLS

#define NODE_MSG_SIZE_MAX ((uint64_t) 64 << 20) /* bytes of one item */
#define NODE_MSG_SMALL_BYTES 72                 /* messages up to this size have blocks of one size */
#define NODE_MSG_DEPTH_MAX 128                  /* nesting of one item */

struct dream_msg {
	uint32_t refs; /* atomic */
	uint32_t size_bytes;
	uint64_t envelope[10]; /* the signal of the first send lies here, so that a send allocates nothing */
	uint8_t data[];        /* the item */
};

/** An uninitialised message of @size_bytes; the caller fills data. NULL: out of memory or too large. [any] */
dream_msg_t *node_msg_alloc(uint64_t size_bytes);

/** The same without the cap, for who applies it later. [any] */
dream_msg_t *node_msg_alloc_block(uint64_t size_bytes);

/** Copies one item that is known to be well-formed. Errors DREAM_ENOMEM, DREAM_ELIMIT. [any] */
int node_msg_copy(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg);

/** The same after checking it: dream_msg_new(). Errors also DREAM_EDECODE. [any] */
int node_msg_new(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg);

/** The item null. NULL: out of memory. [any] */
dream_msg_t *node_msg_copy_null(void);

/** A text item. NULL: out of memory. [any] */
dream_msg_t *node_msg_text(const char *text);

/** A byte string whose content the caller writes: @ret_data, @size_bytes, uninitialised. Errors DREAM_ENOMEM, DREAM_ELIMIT. [any] */
int node_msg_bytes(uint64_t size_bytes, uint8_t **ret_data, dream_msg_t **ret_msg);

/** An item from a printf-like template in diagnostic notation (notation.h); for fixed texts of the node's
 *  own, a syntax error is a bug and aborts. NULL: out of memory. [any] */
DREAM_PRINTF(1, 2) dream_msg_t *node_msg_printf(const char *format, ...);

/** True if the whole item is the text @text. NULL is not. [any] */
bool node_msg_is_text(const dream_msg_t *msg, const char *text);

/** True if the item is the text @tag or an array whose first element is it. NULL is not. [any] */
bool node_msg_has_tag(const dream_msg_t *msg, const char *tag);

/** Frees a message that nobody else holds; use node_msg_unref(). [any] */
void node_msg_free(dream_msg_t *msg);

/** Frees the small blocks that the calling thread keeps for its next messages; before a scheduler's thread ends. */
void node_msg_drop_cache(void);

static inline dream_msg_t *node_msg_ref(const dream_msg_t *msg)
{
	dream_msg_t *mine = (dream_msg_t *) (uintptr_t) msg;
	if (mine != NULL)
		__atomic_fetch_add(&mine->refs, 1, __ATOMIC_RELAXED);
	return mine;
}

/** NULL is allowed. A message nobody else holds is freed without an atomic read-modify-write. */
static inline void node_msg_unref(dream_msg_t *msg)
{
	if (msg == NULL)
		return;
	if (__atomic_load_n(&msg->refs, __ATOMIC_ACQUIRE) == 1 ||
		__atomic_fetch_sub(&msg->refs, 1, __ATOMIC_ACQ_REL) == 1)
		node_msg_free(msg);
}

DREAM_END_DECLS
#endif
