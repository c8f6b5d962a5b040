/* SPDX-License-Identifier: MIT */
/* cbor_typed.h: typed arrays (RFC 8746): numbers of one width as they lie in memory, in a byte string behind one of
 * the tags 64 to 87. Of the room term only.
 *
 * 76 is reserved and 83 and 87 hold floats of 128 bits, which no kind of ours holds: those are tags like others. */
#ifndef NODE_TERM_CBOR_TYPED_H
#define NODE_TERM_CBOR_TYPED_H
#include "term/cbor_head.h"

DREAM_BEGIN_DECLS

typedef struct node_cbor_typed {
	uint64_t tag;
	const uint8_t *data; /* borrowed */
	uint64_t count;      /* items */
	unsigned item_size;  /* bytes: 1, 2, 4 or 8 */
} node_cbor_typed_t;

/* The bits of the tag (section 2.1): 010 f s e ll. */
#define NODE_CBOR_TYPED 64u
#define NODE_CBOR_TYPED_FLOAT 16u
#define NODE_CBOR_TYPED_SIGNED 8u
#define NODE_CBOR_TYPED_LITTLE 4u
#define NODE_CBOR_TYPED_WIDTH 3u

static inline bool node_cbor_is_typed(uint64_t tag)
{
	return tag >= 64 && tag <= 87 && tag != 76 && tag != 83 && tag != 87;
}

/* Of one item of a tag that node_cbor_is_typed(). */
static inline unsigned node_cbor_typed_size(uint64_t tag)
{
	return ((tag & NODE_CBOR_TYPED_FLOAT) != 0 ? 2u : 1u) << (tag & NODE_CBOR_TYPED_WIDTH);
}

/** Takes a whole typed array; false, and the reader stays, if none is next. */
bool node_cbor_take_typed(node_cbor_reader_t *r, node_cbor_typed_t *ret_typed);

/** Takes what follows the head of such a @tag: a byte string in one piece, of whole items. */
bool node_cbor_take_typed_content(node_cbor_reader_t *r, uint64_t tag, node_cbor_typed_t *ret_typed);

/** One number as if its head had been read. */
void node_cbor_typed_item(const node_cbor_typed_t *typed, uint64_t index, node_cbor_head_t *ret_head);

DREAM_END_DECLS
#endif
