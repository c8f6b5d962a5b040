/* SPDX-License-Identifier: MIT */
/* value.h: the items inside a result: walking arrays and maps of a node's answer, and showing one value. */
#ifndef SHELL_VALUE_H
#define SHELL_VALUE_H
#include "shell/text.h"

DREAM_BEGIN_DECLS

/* One encoded item, borrowed from the answer. */
typedef struct shell_value {
	const uint8_t *data;
	uint64_t size_bytes;
} shell_value_t;

/* The rest of an array or a map. */
typedef struct shell_value_iter {
	const uint8_t *at;
	const uint8_t *end;
	uint64_t left; /* UINT64_MAX: until a break */
} shell_value_iter_t;

/** Starts at the first element. False: the item is no array, no map. The item must have passed
 *  node_cbor_check(). [any] */
bool shell_value_array(shell_value_t array, shell_value_iter_t *ret_iter);
bool shell_value_map(shell_value_t map, shell_value_iter_t *ret_iter);

/** The next element, or the next pair; false at the end. [any] */
bool shell_value_next(shell_value_iter_t *iter, shell_value_t *ret_item);
bool shell_value_next_pair(shell_value_iter_t *iter, shell_value_t *ret_key, shell_value_t *ret_value);

/** The value of a text key; false: no map or no such key. [any] */
bool shell_value_find(shell_value_t map, const char *key, shell_value_t *ret_value);

/** True for numbers of any kind, for null, for the text @text. [any] */
bool shell_value_is_number(shell_value_t value);
bool shell_value_is_null(shell_value_t value);
bool shell_value_is_text(shell_value_t value, const char *text);

/** Appends a value on one line: a text as it is, null as "-", anything else in diagnostic notation.
 *  @max_bytes  of it, then an ellipsis; 0: no limit but SHELL_TEXT_OUT_MAX
 *  Thread    [any]
 */
void shell_value_put(GString *out, shell_value_t value, const shell_style_t *style, uint64_t max_bytes);

/** Appends a value as JSON that is safe on a terminal. [any] */
void shell_value_put_json(GString *out, shell_value_t value, const shell_style_t *style);

DREAM_END_DECLS
#endif
