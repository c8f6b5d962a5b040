/* SPDX-License-Identifier: MIT */
/* What notation and JSON have in common: the order in which an item is gone through, and most of its leaves. */
#include "term/notation_out.h"

#include "term/cbor_typed.h"
#include "term/utf8.h"

typedef node_notation_out_t out_t;

/* ---- leaves ---- */

static void escape(GString *text, uint32_t code_point)
{
	static const char shorts[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	for (const char *s = shorts; *s != '\0'; s += 2)
		if ((uint8_t) *s == code_point) {
			g_string_append_c(text, '\\');
			g_string_append_c(text, s[1]);
			return;
		}
	g_string_append_printf(text, "\\u%04x", code_point);
}

/* Control characters of ASCII and of Latin-1 (U+0080 to U+009F), which some terminals obey as well. */
static uint32_t to_escape(const uint8_t *at)
{
	if (at[0] < 0x20 || at[0] == '"' || at[0] == '\\' || at[0] == 0x7f)
		return at[0];
	return at[0] == 0xc2 && at[1] < 0xa0 ? at[1] : 0;
}

bool node_notation_out_chars(out_t *out, const uint8_t *data, uint64_t size_bytes)
{
	const uint8_t *end = data + size_bytes;
	while (data < end && !node_notation_is_full(out)) {
		unsigned n = node_utf8_sequence(data, (uint64_t) (end - data));
		if (n == 0)
			return false;
		uint32_t control = to_escape(data);
		if (control != 0 || *data == 0)
			escape(out->text, control);
		else
			g_string_append_len(out->text, (const char *) data, n);
		data += n;
	}
	return true;
}

void node_notation_out_hex(out_t *out, const uint8_t *data, uint64_t size_bytes)
{
	static const char digits[] = "0123456789abcdef";
	for (uint64_t i = 0; i < size_bytes && !node_notation_is_full(out); i++) {
		g_string_append_c(out->text, digits[data[i] >> 4]);
		g_string_append_c(out->text, digits[data[i] & 15]);
	}
}

/* "1e-07" to "1.0e-7", as the RFC writes them. */
static void append_float_text(GString *text, const char *number)
{
	size_t mantissa = strcspn(number, "e");
	g_string_append_len(text, number, (gssize) mantissa);
	if (memchr(number, '.', mantissa) == NULL)
		g_string_append(text, ".0");
	if (number[mantissa] == '\0')
		return;
	const char *exponent = number + mantissa + 2;
	g_string_append_len(text, number + mantissa, 2);
	while (*exponent == '0' && exponent[1] != '\0')
		exponent++;
	g_string_append(text, exponent);
}

void node_notation_out_float(GString *text, double value)
{
	char number[G_ASCII_DTOSTR_BUF_SIZE];
	static const char *const formats[] = {"%.15g", "%.16g", "%.17g"};
	for (size_t i = 0; i < G_N_ELEMENTS(formats); i++) {
		g_ascii_formatd(number, sizeof(number), formats[i], value);
		if (g_ascii_strtod(number, NULL) == value)
			break;
	}
	append_float_text(text, number);
}

bool node_notation_take_string(node_cbor_reader_t *r, uint64_t size, const uint8_t **ret_data)
{
	if (size > node_cbor_left(r))
		return false;
	*ret_data = r->at;
	r->at += size;
	return true;
}

/* ---- items ---- */

static bool print_element(out_t *out, bool is_map)
{
	if (!is_map)
		return node_notation_out_item(out);
	if (!out->form->key(out))
		return false;
	g_string_append(out->text, ": ");
	return node_notation_out_item(out);
}

static bool print_elements(out_t *out, bool is_map, uint64_t count, bool endless)
{
	const char *before = "";
	for (; endless ? !node_cbor_take_break(&out->r) : count > 0; count--) {
		if (node_notation_is_full(out))
			return true;
		g_string_append(out->text, before);
		before = ", ";
		if (!print_element(out, is_map))
			return false;
	}
	return true;
}

static bool print_container(out_t *out, const node_cbor_head_t *head)
{
	bool is_map = head->major == NODE_CBOR_MAP;
	g_string_append(out->text, is_map ? "{" : "[");
	if (head->indefinite && out->form->shows_endless)
		g_string_append(out->text, "_ ");
	bool ok = print_elements(out, is_map, head->value, head->indefinite);
	g_string_append(out->text, is_map ? "}" : "]");
	return ok;
}

static bool print_headed(out_t *out, const node_cbor_head_t *head);

/* As the list that it is for people. */
static void print_typed(out_t *out, const node_cbor_typed_t *typed)
{
	g_string_append_c(out->text, '[');
	for (uint64_t i = 0; i < typed->count && !node_notation_is_full(out); i++) {
		node_cbor_head_t head;
		node_cbor_typed_item(typed, i, &head);
		g_string_append(out->text, i == 0 ? "" : ", ");
		(void) print_headed(out, &head);
	}
	g_string_append_c(out->text, ']');
}

static bool print_tagged(out_t *out, uint64_t tag)
{
	node_cbor_typed_t typed;
	if (!node_cbor_is_typed(tag) || !node_cbor_take_typed_content(&out->r, tag, &typed))
		return out->form->tagged(out, tag);
	print_typed(out, &typed);
	return true;
}

static bool print_headed(out_t *out, const node_cbor_head_t *head)
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
		return out->form->string(out, head);
	case NODE_CBOR_ARRAY:
	case NODE_CBOR_MAP:
		return print_container(out, head);
	case NODE_CBOR_TAG:
		return print_tagged(out, head->value);
	default:
		out->form->simple(out->text, head);
		return true;
	}
}

bool node_notation_out_item(out_t *out)
{
	node_cbor_head_t head;
	if (node_notation_is_full(out))
		return true;
	if (node_cbor_next(&out->r, &head) < 0)
		return false;
	bool nests = head.major >= NODE_CBOR_ARRAY && head.major <= NODE_CBOR_TAG;
	if (nests && out->depth == NODE_MSG_DEPTH_MAX)
		return false;
	out->depth += nests;
	bool ok = print_headed(out, &head);
	out->depth -= nests;
	return ok;
}
