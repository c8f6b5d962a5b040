/* SPDX-License-Identifier: MIT */
#include "shell/value.h"

#include "term/notation.h"

static bool start(
	shell_value_t item, int (*get)(node_cbor_reader_t *, uint64_t *), shell_value_iter_t *ret_iter)
{
	node_cbor_reader_t reader = node_cbor_read(item.data, item.size_bytes);
	uint64_t count;
	if (get(&reader, &count) < 0)
		return false;
	*ret_iter = (shell_value_iter_t){reader.at, reader.end, count};
	return true;
}

bool shell_value_array(shell_value_t array, shell_value_iter_t *ret_iter)
{
	return start(array, node_cbor_get_array, ret_iter);
}

bool shell_value_map(shell_value_t map, shell_value_iter_t *ret_iter)
{
	return start(map, node_cbor_get_map, ret_iter);
}

static bool take_item(shell_value_iter_t *iter, shell_value_t *ret_item)
{
	node_cbor_reader_t reader = {iter->at, iter->end};
	if (node_cbor_get_item(&reader, &ret_item->data, &ret_item->size_bytes) < 0)
		return false;
	iter->at = reader.at;
	return true;
}

/* An indefinite one is counted down too, from a number that it never reaches. */
static bool is_at_end(shell_value_iter_t *iter)
{
	node_cbor_reader_t reader = {iter->at, iter->end};
	if (iter->left > UINT64_MAX / 2)
		return node_cbor_take_break(&reader);
	return iter->left == 0;
}

bool shell_value_next(shell_value_iter_t *iter, shell_value_t *ret_item)
{
	if (is_at_end(iter) || !take_item(iter, ret_item))
		return false;
	iter->left--;
	return true;
}

bool shell_value_next_pair(shell_value_iter_t *iter, shell_value_t *ret_key, shell_value_t *ret_value)
{
	if (is_at_end(iter) || !take_item(iter, ret_key) || !take_item(iter, ret_value))
		return false;
	iter->left--;
	return true;
}

bool shell_value_find(shell_value_t map, const char *key, shell_value_t *ret_value)
{
	return node_cbor_map_find(map.data, map.size_bytes, key, &ret_value->data, &ret_value->size_bytes) ==
	       DREAM_OK;
}

static bool get_text(shell_value_t value, const char **ret_text, uint64_t *ret_size)
{
	node_cbor_reader_t reader = node_cbor_read(value.data, value.size_bytes);
	return node_cbor_get_text(&reader, ret_text, ret_size) == DREAM_OK;
}

bool shell_value_is_number(shell_value_t value)
{
	node_cbor_reader_t reader = node_cbor_read(value.data, value.size_bytes);
	node_cbor_head_t head;
	if (node_cbor_next(&reader, &head) < 0)
		return false;
	return head.major == NODE_CBOR_UINT || head.major == NODE_CBOR_NINT || head.is_float;
}

bool shell_value_is_null(shell_value_t value)
{
	node_cbor_reader_t reader = node_cbor_read(value.data, value.size_bytes);
	return node_cbor_get_null(&reader) == DREAM_OK;
}

bool shell_value_is_text(shell_value_t value, const char *text)
{
	const char *found;
	uint64_t size;
	return get_text(value, &found, &size) && size == strlen(text) && memcmp(found, text, size) == 0;
}

static void put_cut(
	GString *out, const char *text, uint64_t size, const shell_style_t *style, uint64_t max_bytes)
{
	bool cut = max_bytes > 0 && size > max_bytes;
	if (cut)
		for (size = max_bytes; size > 0 && ((unsigned char) text[size] & 0xc0) == 0x80;)
			size--;
	shell_text_put(out, text, size, style, SHELL_TEXT_ONE_LINE);
	if (cut)
		g_string_append(out, shell_text_ellipsis(style));
}

void shell_value_put(GString *out, shell_value_t value, const shell_style_t *style, uint64_t max_bytes)
{
	const char *text;
	uint64_t size;
	if (shell_value_is_null(value)) {
		g_string_append_c(out, '-');
	} else if (get_text(value, &text, &size)) {
		put_cut(out, text, size, style, max_bytes);
	} else {
		g_autoptr(GString) notation = g_string_new(NULL);
		node_notation_print(notation, value.data, value.size_bytes, max_bytes);
		shell_text_put(out, notation->str, notation->len, style, SHELL_TEXT_ONE_LINE);
	}
}

void shell_value_put_json(GString *out, shell_value_t value, const shell_style_t *style)
{
	g_autoptr(GString) json = g_string_new(NULL);
	node_notation_print_json(json, value.data, value.size_bytes);
	shell_text_put_json(out, json->str, json->len, style);
}
