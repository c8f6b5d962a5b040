/* SPDX-License-Identifier: MIT */
/* The writer always writes the shortest head and the shortest float that keeps the value (RFC 8949 section
 * 4.1, preferred serialization), so equal values made by different nodes are equal bytes; but for long lists of
 * numbers, which have the byte order of the machine that wrote them. */
#include "term/cbor_head.h"

#define LEAST_GROWN_BYTES 1024u

/* The message with room for @cap_bytes of content: another one, or the same at another place. */
static bool move(node_cbor_writer_t *w, uint64_t cap_bytes)
{
	dream_msg_t *msg;
	if (w->msg != NULL && w->cap_bytes > NODE_MSG_SMALL_BYTES) {
		msg = node_mem_realloc(w->msg, offsetof(dream_msg_t, data) + cap_bytes);
	} else {
		msg = node_msg_alloc_block(cap_bytes);
		if (msg != NULL && w->msg != NULL)
			memcpy(msg->data, w->data, w->size_bytes);
		if (msg != NULL)
			node_msg_unref(w->msg);
	}
	if (msg == NULL)
		return false;
	msg->size_bytes = (uint32_t) cap_bytes;
	w->msg = msg;
	w->data = msg->data;
	w->cap_bytes = cap_bytes;
	return true;
}

/* At least doubles the room, so that n bytes cost O(n) copies; but a long string gets what it needs and no more. */
uint8_t *node_cbor_grow(node_cbor_writer_t *w, uint64_t size_bytes)
{
	if (w->error < 0)
		return NULL;
	if (size_bytes > NODE_MSG_SIZE_MAX ||
		w->size_bytes + size_bytes > NODE_MSG_SIZE_MAX + NODE_CBOR_HEAD_MAX) {
		node_cbor_fail(w, DREAM_ELIMIT);
		return NULL;
	}
	uint64_t cap = w->cap_bytes < LEAST_GROWN_BYTES / 2 ? LEAST_GROWN_BYTES : w->cap_bytes * 2;
	if (cap < w->size_bytes + size_bytes)
		cap = w->size_bytes + size_bytes;
	if (cap > NODE_MSG_SIZE_MAX + NODE_CBOR_HEAD_MAX)
		cap = NODE_MSG_SIZE_MAX + NODE_CBOR_HEAD_MAX;
	if (!move(w, cap)) {
		node_cbor_fail(w, DREAM_ENOMEM);
		return NULL;
	}
	return w->data + w->size_bytes;
}

void node_cbor_reserve(node_cbor_writer_t *w, uint64_t size_bytes)
{
	if (w->error < 0 || size_bytes > NODE_MSG_SIZE_MAX || w->cap_bytes - w->size_bytes >= size_bytes)
		return;
	(void) move(w, w->size_bytes + size_bytes);
}

/* A quarter may be left over, since a message may wait long; beyond it, the content moves to a block of its size. */
static bool is_roomy(const node_cbor_writer_t *w)
{
	return w->cap_bytes > NODE_MSG_SMALL_BYTES && w->cap_bytes - w->size_bytes > w->size_bytes / 4;
}

int node_cbor_finish(node_cbor_writer_t *w, dream_msg_t **ret_msg)
{
	int r = w->error;
	if (r == 0 && w->msg != NULL && w->size_bytes <= NODE_MSG_SIZE_MAX && !is_roomy(w)) {
		w->msg->size_bytes = (uint32_t) w->size_bytes;
		*ret_msg = w->msg;
		w->msg = NULL;
		w->data = NULL;
		return DREAM_OK;
	}
	if (r == 0)
		r = node_msg_copy(w->data, w->size_bytes, ret_msg);
	node_cbor_fini(w);
	return r;
}

uint8_t *node_cbor_write_long_head(uint8_t *p, unsigned major, uint64_t value)
{
	unsigned size_log = value <= 0xff ? 0 : value <= 0xffff ? 1 : value <= 0xffffffff ? 2 : 3;
	unsigned size = 1u << size_log;
	*p++ = (uint8_t) (major << 5 | (24 + size_log));
	uint64_t big = __builtin_bswap64(value << (64 - 8 * size));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	big = value << (64 - 8 * size);
#endif
	memcpy(p, &big, size);
	return p + size;
}

void node_cbor_put_uint(node_cbor_writer_t *w, uint64_t value)
{
	node_cbor_put_head(w, NODE_CBOR_UINT, value);
}

void node_cbor_put_int(node_cbor_writer_t *w, int64_t value)
{
	if (value < 0)
		node_cbor_put_head(w, NODE_CBOR_NINT, ~(uint64_t) value);
	else
		node_cbor_put_head(w, NODE_CBOR_UINT, (uint64_t) value);
}

static void put_byte(node_cbor_writer_t *w, uint8_t byte)
{
	uint8_t *p = node_cbor_room(w, 1);
	if (p == NULL)
		return;
	*p = byte;
	w->size_bytes++;
}

/* Exactly this many bytes after the initial one, however small the value: floats have no shorter form. */
static uint8_t *write_float_bits(uint8_t *p, unsigned size, uint64_t bits)
{
	*p++ = (uint8_t) (0xe0 | (size == 2 ? 25 : size == 4 ? 26 : 27));
	for (unsigned i = size; i > 0; i--)
		*p++ = (uint8_t) (bits >> (8 * (i - 1)));
	return p;
}

/* Half precision of a float that has one without loss. */
static bool to_half(uint32_t bits, uint16_t *ret_half)
{
	uint16_t sign = (uint16_t) (bits >> 16 & 0x8000);
	int exponent = (int) (bits >> 23 & 0xff) - 127;
	uint32_t fraction = bits & 0x7fffff;
	if ((bits & 0x7fffffff) == 0 || (exponent == 128 && fraction == 0)) {
		*ret_half = (uint16_t) (sign | (exponent == 128 ? 0x7c00 : 0));
		return true;
	}
	if (exponent >= -14 && exponent <= 15) {
		*ret_half = (uint16_t) (sign | (uint32_t) (exponent + 15) << 10 | fraction >> 13);
		return (fraction & 0x1fff) == 0;
	}
	if (exponent < -24 || exponent > 15)
		return false;
	uint32_t whole = fraction | 0x800000; /* subnormal: units of 2^-24 */
	unsigned shift = (unsigned) (-exponent - 1);
	*ret_half = (uint16_t) (sign | whole >> shift);
	return (whole & ((1u << shift) - 1)) == 0;
}

uint8_t *node_cbor_write_f64(uint8_t *p, double value)
{
	if (value != value)
		return write_float_bits(p, 2, 0x7e00); /* one NaN for all */
	float narrow = (float) value;
	if ((double) narrow == value) {
		uint32_t bits;
		uint16_t half;
		memcpy(&bits, &narrow, sizeof(bits));
		return to_half(bits, &half) ? write_float_bits(p, 2, half) : write_float_bits(p, 4, bits);
	}
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	return write_float_bits(p, 8, bits);
}

void node_cbor_put_f64(node_cbor_writer_t *w, double value)
{
	uint8_t *p = node_cbor_room(w, NODE_CBOR_HEAD_MAX);
	if (p != NULL)
		node_cbor_wrote(w, node_cbor_write_f64(p, value));
}

void node_cbor_put_bool(node_cbor_writer_t *w, bool value)
{
	put_byte(w, value ? 0xf5 : 0xf4);
}

void node_cbor_put_null(node_cbor_writer_t *w)
{
	put_byte(w, NODE_CBOR_NULL);
}

static void put_string(node_cbor_writer_t *w, unsigned major, const void *data, uint64_t size_bytes)
{
	if (size_bytes > NODE_MSG_SIZE_MAX) {
		node_cbor_fail(w, DREAM_ELIMIT);
		return;
	}
	uint8_t *p = node_cbor_room(w, NODE_CBOR_HEAD_MAX + size_bytes);
	if (p == NULL)
		return;
	p = node_cbor_write_head(p, major, size_bytes);
	if (size_bytes > 0)
		memcpy(p, data, size_bytes);
	node_cbor_wrote(w, p + size_bytes);
}

void node_cbor_put_text(node_cbor_writer_t *w, const char *text)
{
	put_string(w, NODE_CBOR_TEXT, text, strlen(text));
}

void node_cbor_put_text_n(node_cbor_writer_t *w, const char *text, uint64_t size_bytes)
{
	put_string(w, NODE_CBOR_TEXT, text, size_bytes);
}

void node_cbor_put_bytes(node_cbor_writer_t *w, const void *data, uint64_t size_bytes)
{
	put_string(w, NODE_CBOR_BYTES, data, size_bytes);
}

void node_cbor_put_array(node_cbor_writer_t *w, uint64_t count)
{
	node_cbor_put_head(w, NODE_CBOR_ARRAY, count);
}

void node_cbor_put_map(node_cbor_writer_t *w, uint64_t count)
{
	node_cbor_put_head(w, NODE_CBOR_MAP, count);
}

void node_cbor_put_tag(node_cbor_writer_t *w, uint64_t tag)
{
	node_cbor_put_head(w, NODE_CBOR_TAG, tag);
}

void node_cbor_put_item(node_cbor_writer_t *w, const void *data, uint64_t size_bytes)
{
	if (size_bytes > NODE_MSG_SIZE_MAX) {
		node_cbor_fail(w, DREAM_ELIMIT);
		return;
	}
	uint8_t *p = size_bytes == 0 ? NULL : node_cbor_room(w, size_bytes);
	if (p == NULL)
		return;
	memcpy(p, data, size_bytes);
	w->size_bytes += size_bytes;
}

void node_cbor_put_msg(node_cbor_writer_t *w, const dream_msg_t *msg)
{
	if (msg == NULL)
		node_cbor_put_null(w);
	else
		node_cbor_put_item(w, msg->data, msg->size_bytes);
}

void node_cbor_put_array_start(node_cbor_writer_t *w)
{
	put_byte(w, NODE_CBOR_ARRAY << 5 | NODE_CBOR_INDEFINITE);
}

void node_cbor_put_map_start(node_cbor_writer_t *w)
{
	put_byte(w, NODE_CBOR_MAP << 5 | NODE_CBOR_INDEFINITE);
}

void node_cbor_put_break(node_cbor_writer_t *w)
{
	put_byte(w, NODE_CBOR_BREAK);
}
