/* SPDX-License-Identifier: MIT */
/* RFC 8949 section 6.1 says how CBOR becomes JSON; what JSON has no word for is null. */
#include "term/notation.h"

#include <math.h>
#include "term/cbor_typed.h"
#include "term/notation_out.h"

typedef node_notation_out_t out_t;

static bool json_item(out_t *out);

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
		return json_item(out);
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

static bool json_container(out_t *out, const node_cbor_head_t *head)
{
	bool is_map = head->major == NODE_CBOR_MAP;
	uint64_t count = head->value;
	const char *before = "";
	g_string_append_c(out->text, is_map ? '{' : '[');
	for (; head->indefinite ? !node_cbor_take_break(&out->r) : count > 0; count--) {
		g_string_append(out->text, before);
		before = ", ";
		if (is_map && !json_key(out))
			return false;
		if (is_map)
			g_string_append(out->text, ": ");
		if (!json_item(out))
			return false;
	}
	g_string_append_c(out->text, is_map ? '}' : ']');
	return true;
}

static bool json_headed(out_t *out, const node_cbor_head_t *head);

static bool json_tagged(out_t *out, uint64_t tag)
{
	node_cbor_typed_t typed;
	if (!node_cbor_is_typed(tag) || !node_cbor_take_typed_content(&out->r, tag, &typed))
		return json_item(out);
	g_string_append_c(out->text, '[');
	for (uint64_t i = 0; i < typed.count; i++) {
		node_cbor_head_t head;
		node_cbor_typed_item(&typed, i, &head);
		g_string_append(out->text, i == 0 ? "" : ", ");
		(void) json_headed(out, &head);
	}
	g_string_append_c(out->text, ']');
	return true;
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

static bool json_headed(out_t *out, const node_cbor_head_t *head)
{
	char digits[24];
	switch (head->major) {
	case NODE_CBOR_UINT:
	case NODE_CBOR_NINT:
		g_string_append(
			out->text, node_cbor_int_text(digits, head->major == NODE_CBOR_NINT, head->value));
		return true;
	case NODE_CBOR_BYTES:
	case NODE_CBOR_TEXT:
		return json_string(out, head);
	case NODE_CBOR_ARRAY:
	case NODE_CBOR_MAP:
		return json_container(out, head);
	case NODE_CBOR_TAG:
		return json_tagged(out, head->value);
	default:
		json_simple(out->text, head);
		return true;
	}
}

static bool json_item(out_t *out)
{
	node_cbor_head_t head;
	if (node_cbor_next(&out->r, &head) < 0)
		return false;
	bool nests = head.major >= NODE_CBOR_ARRAY && head.major <= NODE_CBOR_TAG;
	if (nests && out->depth == NODE_MSG_DEPTH_MAX)
		return false;
	out->depth += nests;
	bool ok = json_headed(out, &head);
	out->depth -= nests;
	return ok;
}

void node_notation_print_json(GString *out, const void *data, uint64_t size_bytes)
{
	gsize start = out->len;
	out_t state = {out, node_cbor_read(data, size_bytes), G_MAXSIZE, 0};
	if (json_item(&state) && state.r.at == state.r.end)
		return;
	g_string_truncate(out, start);
	g_string_append(out, "\"h'");
	node_notation_out_hex(&state, data, size_bytes);
	g_string_append(out, "'\"");
}
