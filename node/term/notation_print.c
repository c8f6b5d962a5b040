/* SPDX-License-Identifier: MIT */
/* Nothing is checked beforehand: a large message that is shown cut to a line costs what the line costs. If
 * the bytes turn out to be malformed, what was printed is taken back and they are shown as bytes. */
#include "term/notation.h"

#include <math.h>
#include "term/notation_out.h"

typedef node_notation_out_t out_t;

static bool print_string(out_t *out, unsigned major, uint64_t size)
{
	const uint8_t *data;
	if (!node_notation_take_string(&out->r, size, &data))
		return false;
	bool ok = true;
	if (major == NODE_CBOR_TEXT) {
		g_string_append_c(out->text, '"');
		ok = node_notation_out_chars(out, data, size);
	} else {
		g_string_append(out->text, "h'");
		node_notation_out_hex(out, data, size);
	}
	g_string_append_c(out->text, major == NODE_CBOR_TEXT ? '"' : '\'');
	return ok;
}

static bool print_chunks(out_t *out, unsigned major)
{
	if (node_cbor_take_break(&out->r)) {
		g_string_append(out->text, major == NODE_CBOR_TEXT ? "\"\"_" : "''_");
		return true;
	}
	const char *before = "(_ ";
	do {
		node_cbor_head_t head;
		if (node_cbor_next(&out->r, &head) < 0 || head.major != major || head.indefinite)
			return false;
		g_string_append(out->text, before);
		before = ", ";
		if (!print_string(out, major, head.value))
			return false;
	} while (!node_notation_is_full(out) && !node_cbor_take_break(&out->r));
	g_string_append_c(out->text, ')');
	return true;
}

static bool print_any_string(out_t *out, const node_cbor_head_t *head)
{
	return head->indefinite ? print_chunks(out, head->major)
				: print_string(out, head->major, head->value);
}

static bool print_tagged(out_t *out, uint64_t tag)
{
	g_string_append_printf(out->text, "%" G_GUINT64_FORMAT "(", (guint64) tag);
	bool ok = node_notation_out_item(out);
	g_string_append_c(out->text, ')');
	return ok;
}

static void print_simple(GString *text, const node_cbor_head_t *head)
{
	static const char *const names[] = {"false", "true", "null", "undefined"};
	if (!head->is_float && head->value >= 20 && head->value <= 23)
		g_string_append(text, names[head->value - 20]);
	else if (!head->is_float)
		g_string_append_printf(text, "simple(%u)", (unsigned) head->value);
	else if (isfinite(head->number))
		node_notation_out_float(text, head->number);
	else
		g_string_append(text, isnan(head->number) ? "NaN"
				      : head->number > 0  ? "Infinity"
							  : "-Infinity");
}

static const node_notation_form_t notation = {.string = print_any_string,
	.key = node_notation_out_item,
	.tagged = print_tagged,
	.simple = print_simple,
	.shows_endless = true};

/* Not in the middle of a character. */
static void cut(GString *text, gsize length)
{
	while (length > 0 && ((guchar) text->str[length] & 0xc0) == 0x80)
		length--;
	g_string_truncate(text, length);
	g_string_append(text, "…");
}

void node_notation_print(GString *out, const void *data, uint64_t size_bytes, uint64_t max_bytes)
{
	gsize start = out->len;
	gsize stop = max_bytes == 0 || max_bytes >= G_MAXSIZE - start ? G_MAXSIZE : start + (gsize) max_bytes;
	out_t state = {&notation, out, node_cbor_read(data, size_bytes), stop, 0};
	bool ok = node_notation_out_item(&state);
	if (!ok || (!node_notation_is_full(&state) && state.r.at != state.r.end)) {
		g_string_truncate(out, start);
		g_string_append(out, "h'");
		node_notation_out_hex(&state, data, size_bytes);
		g_string_append_c(out, '\'');
	}
	if (node_notation_is_full(&state))
		cut(out, stop);
}
