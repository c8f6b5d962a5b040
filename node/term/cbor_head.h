/* SPDX-License-Identifier: MIT */
/* cbor_head.h: the head of an item (RFC 8949 section 3), inline: nine of ten heads are one byte, and a call
 * of a process by another reads and writes some twenty of them. Of the room term only. */
#ifndef NODE_TERM_CBOR_HEAD_H
#define NODE_TERM_CBOR_HEAD_H
#include "term/cbor.h"

DREAM_BEGIN_DECLS

#define NODE_CBOR_INFO(initial) ((initial) &31u)
#define NODE_CBOR_MAJOR(initial) ((unsigned) (initial) >> 5)
#define NODE_CBOR_INDEFINITE 31u
#define NODE_CBOR_NULL 0xf6u
#define NODE_CBOR_BREAK 0xffu
#define NODE_CBOR_HEAD_MAX 9u /* bytes */

/* Both are the rest of the inline functions below. */
bool node_cbor_take_long_head(node_cbor_reader_t *r, uint8_t initial, uint64_t *ret_value);
uint8_t *node_cbor_write_long_head(uint8_t *p, unsigned major, uint64_t value);
uint8_t *node_cbor_grow(node_cbor_writer_t *w, uint64_t size_bytes);

static inline uint64_t node_cbor_left(const node_cbor_reader_t *r)
{
	return (uint64_t) (r->end - r->at);
}

/* Reads initial byte and argument; for an indefinite one the argument is 0. False: ended, reserved or a
 * break. */
static inline bool node_cbor_take_head(node_cbor_reader_t *r, uint8_t *ret_initial, uint64_t *ret_value)
{
	if (r->at >= r->end)
		return false;
	uint8_t initial = *ret_initial = *r->at;
	if (__builtin_expect(NODE_CBOR_INFO(initial) < 24, 1)) {
		*ret_value = NODE_CBOR_INFO(initial);
		r->at++;
		return true;
	}
	return node_cbor_take_long_head(r, initial, ret_value);
}

/* Room for that many more bytes, or NULL after a failure. */
static inline uint8_t *node_cbor_room(node_cbor_writer_t *w, uint64_t size_bytes)
{
	if (__builtin_expect(w->cap_bytes - w->size_bytes >= size_bytes, 1))
		return w->data + w->size_bytes;
	return node_cbor_grow(w, size_bytes);
}

/* @p up to NODE_CBOR_HEAD_MAX bytes; returns where it ended. */
static inline uint8_t *node_cbor_write_head(uint8_t *p, unsigned major, uint64_t value)
{
	if (__builtin_expect(value >= 24, 0))
		return node_cbor_write_long_head(p, major, value);
	*p = (uint8_t) (major << 5 | value);
	return p + 1;
}

/* Likewise; the shortest float that keeps the value. */
uint8_t *node_cbor_write_f64(uint8_t *p, double value);

static inline void node_cbor_wrote(node_cbor_writer_t *w, const uint8_t *end)
{
	w->size_bytes = (uint64_t) (end - w->data);
}

static inline void node_cbor_put_head(node_cbor_writer_t *w, unsigned major, uint64_t value)
{
	uint8_t *p = node_cbor_room(w, NODE_CBOR_HEAD_MAX);
	if (p != NULL)
		node_cbor_wrote(w, node_cbor_write_head(p, major, value));
}

/* A failure sticks: no room is left from now on. */
static inline void node_cbor_fail(node_cbor_writer_t *w, int code)
{
	if (w->error == 0)
		w->error = code;
	w->cap_bytes = w->size_bytes;
}

/** The number in the bits of a float of 2, 4 or 8 bytes. */
double node_cbor_float_of(unsigned size, uint64_t bits);

/** node_cbor_check_first() with the caller's own cap on nesting, for items that stand inside others. */
int node_cbor_check_within(const void *data, uint64_t size_bytes, unsigned depth_max,
	uint64_t *ret_size_bytes, node_diag_t *diag);

/** Decimal digits of an integer item: @value, or -1 - @value; returns @ret_text. */
const char *node_cbor_int_text(char ret_text[24], bool negative, uint64_t value);

/** The text of an item's kind for messages: "a text", "the end". Looks, does not consume. */
const char *node_cbor_kind_name(const node_cbor_reader_t *r);

DREAM_END_DECLS
#endif
