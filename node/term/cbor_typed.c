/* SPDX-License-Identifier: MIT */
#include "term/cbor_typed.h"

bool node_cbor_take_typed_content(node_cbor_reader_t *r, uint64_t tag, node_cbor_typed_t *ret_typed)
{
	node_cbor_typed_t typed = {.tag = tag, .item_size = node_cbor_typed_size(tag)};
	const uint8_t *start = r->at;
	uint64_t size;
	if (node_cbor_get_bytes(r, &typed.data, &size) < 0)
		return false;
	if (size % typed.item_size != 0) {
		r->at = start;
		return false;
	}
	typed.count = size / typed.item_size;
	*ret_typed = typed;
	return true;
}

bool node_cbor_take_typed(node_cbor_reader_t *r, node_cbor_typed_t *ret_typed)
{
	const uint8_t *start = r->at;
	uint8_t initial;
	uint64_t tag;
	if (node_cbor_take_head(r, &initial, &tag) && NODE_CBOR_MAJOR(initial) == NODE_CBOR_TAG &&
		node_cbor_is_typed(tag) && node_cbor_take_typed_content(r, tag, ret_typed))
		return true;
	r->at = start;
	return false;
}

static uint64_t load(const uint8_t *at, unsigned size, bool little)
{
	uint64_t bits = 0;
	for (unsigned i = 0; i < size; i++)
		bits = bits << 8 | at[little ? size - 1 - i : i];
	return bits;
}

void node_cbor_typed_item(const node_cbor_typed_t *typed, uint64_t index, node_cbor_head_t *ret_head)
{
	unsigned size = typed->item_size;
	uint64_t bits = load(typed->data + index * size, size, (typed->tag & NODE_CBOR_TYPED_LITTLE) != 0);
	bool negative = (typed->tag & NODE_CBOR_TYPED_SIGNED) != 0 && (bits >> (8 * size - 1)) != 0;
	*ret_head = (node_cbor_head_t){.major = negative ? NODE_CBOR_NINT : NODE_CBOR_UINT};
	ret_head->value = negative ? ~bits & UINT64_MAX >> (64 - 8 * size) : bits;
	if ((typed->tag & NODE_CBOR_TYPED_FLOAT) == 0)
		return;
	ret_head->major = NODE_CBOR_SIMPLE;
	ret_head->is_float = true;
	ret_head->number = node_cbor_float_of(size, bits);
}
