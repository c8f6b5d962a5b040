/* SPDX-License-Identifier: MIT */
/* utf8.h: is this UTF-8 (RFC 3629)? Texts of messages, names and notation are. */
#ifndef NODE_TERM_UTF8_H
#define NODE_TERM_UTF8_H
#include "base/node.h"

DREAM_BEGIN_DECLS

/** True if every byte belongs to a well-formed, shortest-form sequence; no surrogates. [any] */
bool node_utf8_valid(const void *data, uint64_t size_bytes);

/** The length, 1 to 4, of the sequence at @at, or 0 if it is none. @left how many bytes there are. [any] */
unsigned node_utf8_sequence(const uint8_t *at, uint64_t left);

/** Writes one code point (below 0x110000, no surrogate); returns its length, 1 to 4. [any] */
unsigned node_utf8_put(uint8_t ret_bytes[], uint32_t code_point);

DREAM_END_DECLS
#endif
