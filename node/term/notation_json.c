/* SPDX-License-Identifier: MIT */
/* RFC 8949 section 6.1 says how CBOR becomes JSON; what JSON has no word for is null. */
#include "term/notation.h"

#include <math.h>
#include "term/notation_out.h"

typedef node_notation_out_t out_t;

/* base64url without padding (RFC 4648 section 5), of any run of bytes: @held and @pool carry over between
 * chunks. */
typedef struct base64 {
	GString *text;
	uint32_t pool;
	unsigned held;
} base64_t;

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void base64_append(base64_t *b, const uint8_t *data, uint64_t size_bytes)
{
	for (uint64_t i = 0; i < size_bytes; i++) {
		b->pool = (b->pool << 8 | data[i]) & 0xffff;
		for (b->held += 8; b->held >= 6; b->held -= 6)
			g_string_append_c(b->text, alphabet[b->pool >> (b->held - 6) & 63]);
	}
}

static void base64_end(base64_t *b)
{
	if (b->held > 0)
		g_string_append_c(b->text, alphabet[b->pool << (6 - b->held) & 63]);
}

static bool string_part(out_t *out, base64_t *base64, unsigned major, uint64_t size)
{
	const uint8_t *data;
	if (!node_notation_take_string(&out->r, size, &data))
		return false;
	if (major == NODE_CBOR_TEXT)
		return node_notation_out_chars(out, data, size);
	base64_append(base64, data, size);
	return true;
}

/* A string in chunks is one string in JSON. */
static bool json_string(out_t *out, const node_cbor_head_t *head)
{
	base64_t base64 = {out->text, 0, 0};
	bool ok = true;
	g_string_append_c(out->text, '"');
	if (!head->indefinite)
		ok = string_part(out, &base64, head->major, head->value);
	while (ok && head->indefinite && !node_cbor_take_break(&out->r)) {
		node_cbor_head_t chunk;
		ok = node_cbor_next(&out->r, &chunk) == 0 && chunk.major == head->major &&
		     !chunk.indefinite && string_part(out, &base64, chunk.major, chunk.value);
	}
	base64_end(&base64);
	g_string_append_c(out->text, '"');
	return ok;
}

/* Keys are texts in JSON: any other one is its notation, in quotes. */
static bool json_key(out_t *out)
{
	if (out->r.at < out->r.end && NODE_CBOR_MAJOR(*out->r.at) == NODE_CBOR_TEXT)
		return node_notation_out_item(out);
	const uint8_t *data;
	uint64_t size;
	if (node_cbor_get_item(&out->r, &data, &size) < 0)
		return false;
	g_autoptr(GString) key = g_string_new(NULL);
	node_notation_print(key, data, size, 0);
	g_string_append_c(out->text, '"');
	bool ok = node_notation_out_chars(out, (const uint8_t *) key->str, key->len);
	g_string_append_c(out->text, '"');
	return ok;
}

static bool json_tagged(out_t *out, uint64_t tag)
{
	(void) tag; /* JSON has no word for it */
	return node_notation_out_item(out);
}

static void json_simple(GString *text, const node_cbor_head_t *head)
{
	if (head->is_float && isfinite(head->number))
		node_notation_out_float(text, head->number);
	else if (!head->is_float && (head->value == 20 || head->value == 21))
		g_string_append(text, head->value == 21 ? "true" : "false");
	else
		g_string_append(text, "null");
}

static const node_notation_form_t json = {
	.string = json_string, .key = json_key, .tagged = json_tagged, .simple = json_simple};

void node_notation_print_json(GString *out, const void *data, uint64_t size_bytes)
{
	gsize start = out->len;
	out_t state = {&json, out, node_cbor_read(data, size_bytes), G_MAXSIZE, 0};
	if (node_notation_out_item(&state) && state.r.at == state.r.end)
		return;
	g_string_truncate(out, start);
	g_string_append(out, "\"h'");
	node_notation_out_hex(&state, data, size_bytes);
	g_string_append(out, "'\"");
}
