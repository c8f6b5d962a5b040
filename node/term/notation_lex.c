/* SPDX-License-Identifier: MIT */
#include "term/notation_lex.h"

#include <ctype.h>
#include <glib.h>
#include <math.h>
#include "term/utf8.h"

#define DIGITS_MAX                                                                                           \
	1024 /* of one number; a float never needs more, and a longer integer is better sent as bytes */

int node_notation_fail(const node_notation_lex_t *lex, const char *what)
{
	unsigned long column = 1;
	for (const char *c = lex->start; c < lex->at; c++)
		column += ((unsigned char) *c & 0xc0) != 0x80;
	return node_diag_set(lex->diag, DREAM_ESYNTAX, "column %lu: %s", column, what);
}

static bool at_end(const node_notation_lex_t *lex)
{
	return lex->at >= lex->end;
}

static char peek(const node_notation_lex_t *lex)
{
	return at_end(lex) ? '\0' : *lex->at;
}

static uint64_t left(const node_notation_lex_t *lex)
{
	return (uint64_t) (lex->end - lex->at);
}

int node_notation_skip_space(node_notation_lex_t *lex)
{
	while (!at_end(lex)) {
		char c = *lex->at;
		if (c != '/' && c != ' ' && c != '\t' && c != '\n' && c != '\r')
			break;
		if (c == '/') {
			const char *close = memchr(lex->at + 1, '/', (size_t) left(lex) - 1);
			if (close == NULL)
				return node_notation_fail(lex, "this comment has no closing '/'");
			lex->at = close;
		}
		lex->at++;
	}
	return DREAM_OK;
}

bool node_notation_take(node_notation_lex_t *lex, const char *word)
{
	size_t size = strlen(word);
	if (left(lex) < size || memcmp(lex->at, word, size) != 0)
		return false;
	lex->at += size;
	return true;
}

bool node_notation_in_word(const node_notation_lex_t *lex)
{
	unsigned char c = (unsigned char) peek(lex);
	return isalnum(c) || c == '_' || c == '.' || c == '+' || c == '-' || c >= 0x80;
}

bool node_notation_take_word(node_notation_lex_t *lex, const char *word)
{
	const char *start = lex->at;
	if (node_notation_take(lex, word) && !node_notation_in_word(lex))
		return true;
	lex->at = start;
	return false;
}

/* ---- texts ---- */

/* Strings are written behind a head that is long enough for any size, and moved once their size is known. */
static uint64_t begin_string(node_notation_lex_t *lex)
{
	return lex->w->size_bytes;
}

static int end_string(node_notation_lex_t *lex, unsigned major, uint64_t start)
{
	node_cbor_writer_t *w = lex->w;
	uint64_t size = w->size_bytes - start;
	if (w->error < 0 || node_cbor_room(w, NODE_CBOR_HEAD_MAX) == NULL)
		return w->error;
	uint8_t head[NODE_CBOR_HEAD_MAX];
	uint64_t head_size = (uint64_t) (node_cbor_write_head(head, major, size) - head);
	memmove(w->data + start + head_size, w->data + start, size);
	memcpy(w->data + start, head, head_size);
	w->size_bytes += head_size;
	return DREAM_OK;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char) (c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_hex4(node_notation_lex_t *lex, uint32_t *ret_unit)
{
	uint32_t unit = 0;
	for (int i = 0; i < 4; i++, lex->at++) {
		int digit = at_end(lex) ? -1 : hex_value(*lex->at);
		if (digit < 0)
			return node_notation_fail(lex, "expected four hexadecimal digits after \\u");
		unit = unit << 4 | (uint32_t) digit;
	}
	*ret_unit = unit;
	return DREAM_OK;
}

/* After "\u"; characters beyond the first plane are two surrogates, as in JSON. */
static int take_unicode(node_notation_lex_t *lex, uint32_t *ret_code_point)
{
	uint32_t high, low;
	int r = take_hex4(lex, &high);
	if (r < 0)
		return r;
	*ret_code_point = high;
	if (high < 0xd800 || high > 0xdfff)
		return DREAM_OK;
	if (high > 0xdbff || !node_notation_take(lex, "\\u"))
		return node_notation_fail(lex, "a surrogate stands alone");
	r = take_hex4(lex, &low);
	if (r < 0)
		return r;
	if (low < 0xdc00 || low > 0xdfff)
		return node_notation_fail(lex, "a surrogate stands alone");
	*ret_code_point = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
	return DREAM_OK;
}

/* After the backslash. */
static int take_escape(node_notation_lex_t *lex)
{
	static const char names[] = "\"\\/bfnrt'";
	static const char values[] = "\"\\/\b\f\n\r\t'";
	char c = peek(lex);
	const char *known = c == '\0' ? NULL : strchr(names, c);
	uint32_t code_point;
	if (known != NULL) {
		code_point = (uint8_t) values[known - names];
		lex->at++;
	} else if (node_notation_take(lex, "u")) {
		int r = take_unicode(lex, &code_point);
		if (r < 0)
			return r;
	} else {
		return node_notation_fail(
			lex, "unknown escape; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX");
	}
	uint8_t bytes[4];
	node_cbor_put_item(lex->w, bytes, node_utf8_put(bytes, code_point));
	return DREAM_OK;
}

static int take_character(node_notation_lex_t *lex)
{
	const uint8_t *at = (const uint8_t *) lex->at;
	if (*at < 0x20)
		return node_notation_fail(
			lex, "a control character in a text; write it as \\n, \\t or \\uXXXX");
	unsigned size = node_utf8_sequence(at, left(lex));
	if (size == 0)
		return node_notation_fail(lex, "this is not UTF-8");
	node_cbor_put_item(lex->w, at, size);
	lex->at += size;
	return DREAM_OK;
}

int node_notation_text(node_notation_lex_t *lex)
{
	uint64_t start = begin_string(lex);
	lex->at++;
	while (!node_notation_take(lex, "\"")) {
		if (at_end(lex))
			return node_notation_fail(lex, "the text has no closing quote");
		int r = node_notation_take(lex, "\\") ? take_escape(lex) : take_character(lex);
		if (r < 0)
			return r;
	}
	return end_string(lex, NODE_CBOR_TEXT, start);
}

/* ---- bytes ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* Digits of @bits each, up to the quote; whole bytes are written as they fill. Left-over bits must be less
 * than a digit's and zero, so that one byte string has few spellings and a lost digit is noticed. */
static int take_digits(node_notation_lex_t *lex, int (*value_of)(char), unsigned bits, const char *what)
{
	uint32_t pool = 0;
	unsigned held = 0;
	for (; !at_end(lex) && *lex->at != '\'' && *lex->at != '='; lex->at++) {
		if (is_space(*lex->at))
			continue;
		int value = value_of(*lex->at);
		if (value < 0)
			return node_notation_fail(lex, what);
		pool = pool << bits | (uint32_t) value;
		held += bits;
		if (held < 8)
			continue;
		held -= 8;
		uint8_t byte = (uint8_t) (pool >> held);
		pool &= (1u << held) - 1;
		node_cbor_put_item(lex->w, &byte, 1);
	}
	if (held >= bits || pool != 0)
		return node_notation_fail(lex, "the last byte is incomplete");
	return DREAM_OK;
}

int node_notation_bytes(node_notation_lex_t *lex)
{
	uint64_t start = begin_string(lex);
	bool hex = node_notation_take(lex, "h'");
	if (!hex)
		lex->at += strlen("b64'");
	int r = hex ? take_digits(lex, hex_value, 4, "expected a hexadecimal digit or the closing quote")
		    : take_digits(lex, base64_value, 6, "expected a base64 digit or the closing quote");
	if (r < 0)
		return r;
	for (int i = 0; i < 2 && !hex; i++)
		(void) node_notation_take(lex, "=");
	if (!node_notation_take(lex, "'"))
		return node_notation_fail(lex, "the bytes have no closing quote");
	return end_string(lex, NODE_CBOR_BYTES, start);
}

/* ---- numbers ---- */

/* Big-endian @number times @base plus @digit, in place. */
static void big_append(uint8_t *number, uint64_t size, unsigned base, unsigned digit)
{
	unsigned carry = digit;
	for (uint64_t i = size; i > 0; i--) {
		carry += number[i - 1] * base;
		number[i - 1] = (uint8_t) carry;
		carry >>= 8;
	}
}

/* Beyond 64 bits: the bignum of RFC 8949 section 3.4.3. @digits checked, of @base. */
static void put_big(node_cbor_writer_t *w, const char *digits, uint64_t count, unsigned base, bool negative)
{
	uint8_t number[DIGITS_MAX / 2 + 1] = {0}; /* a digit is at most half a byte */
	for (uint64_t i = 0; i < count; i++)
		big_append(number, sizeof(number), base, (unsigned) hex_value(digits[i]));
	if (negative) { /* -1 - n: it is not zero, so the borrow ends */
		uint64_t last = sizeof(number);
		while (number[--last]-- == 0)
			;
	}
	uint64_t first = 0;
	while (number[first] == 0)
		first++;
	if (sizeof(number) - first <= 8) { /* only -2^64 comes here and has a plain form */
		node_cbor_put_head(w, NODE_CBOR_NINT, UINT64_MAX);
		return;
	}
	node_cbor_put_tag(w, negative ? 3 : 2);
	node_cbor_put_bytes(w, number + first, sizeof(number) - first);
}

static bool to_u64(const char *digits, uint64_t count, unsigned base, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (uint64_t i = 0; i < count; i++)
		if (__builtin_mul_overflow(value, base, &value) ||
			__builtin_add_overflow(value, (uint64_t) hex_value(digits[i]), &value))
			return false;
	*ret_value = value;
	return true;
}

static int put_integer(node_notation_lex_t *lex, const char *digits, unsigned base, bool negative)
{
	uint64_t count = (uint64_t) (lex->at - digits), value;
	if (node_notation_in_word(lex))
		return node_notation_fail(lex, "this does not belong to the number before it");
	if (!to_u64(digits, count, base, &value))
		put_big(lex->w, digits, count, base, negative);
	else if (negative && value > 0)
		node_cbor_put_head(lex->w, NODE_CBOR_NINT, value - 1);
	else
		node_cbor_put_uint(lex->w, value);
	return DREAM_OK;
}

static int take_run(node_notation_lex_t *lex, unsigned base)
{
	const char *start = lex->at;
	for (; !at_end(lex) && lex->at - start <= DIGITS_MAX; lex->at++) {
		int digit = hex_value(*lex->at);
		if (digit < 0 || (unsigned) digit >= base)
			break;
	}
	if (lex->at == start)
		return node_notation_fail(lex, "expected a digit");
	if (lex->at - start > DIGITS_MAX)
		return node_notation_fail(lex, "the number has more than 1,024 digits; write it as bytes");
	return DREAM_OK;
}

/* Checks the JSON grammar of fraction and exponent; after the integer part. */
static int take_fraction(node_notation_lex_t *lex)
{
	int r = DREAM_OK;
	if (node_notation_take(lex, "."))
		r = take_run(lex, 10);
	if (r == 0 && (peek(lex) == 'e' || peek(lex) == 'E')) {
		lex->at++;
		if (peek(lex) == '+' || peek(lex) == '-')
			lex->at++;
		r = take_run(lex, 10);
	}
	if (r == 0 && node_notation_in_word(lex))
		return node_notation_fail(lex, "this does not belong to the number before it");
	return r;
}

static int put_float(node_notation_lex_t *lex, const char *start)
{
	char copy[3 * DIGITS_MAX + 16]; /* three runs at most; the text has no NUL to stop strtod */
	size_t size = (size_t) (lex->at - start);
	memcpy(copy, start, size);
	copy[size] = '\0';
	double value = g_ascii_strtod(copy, NULL);
	if (isinf(value)) {
		lex->at = start;
		return node_notation_fail(lex, "this number is beyond a 64-bit float");
	}
	node_cbor_put_f64(lex->w, value);
	return DREAM_OK;
}

static unsigned take_base(node_notation_lex_t *lex)
{
	return node_notation_take(lex, "0x")   ? 16
	       : node_notation_take(lex, "0o") ? 8
	       : node_notation_take(lex, "0b") ? 2
					       : 10;
}

static int take_tag(
	node_notation_lex_t *lex, const char *digits, unsigned base, bool *ret_is_tag, uint64_t *ret_tag)
{
	if (!to_u64(digits, (uint64_t) (lex->at - digits), base, ret_tag))
		return node_notation_fail(lex, "a tag has at most 64 bits");
	lex->at++;
	*ret_is_tag = true;
	return DREAM_OK;
}

int node_notation_number(node_notation_lex_t *lex, bool *ret_is_tag, uint64_t *ret_tag)
{
	const char *start = lex->at;
	*ret_is_tag = false;
	bool negative = node_notation_take(lex, "-");
	unsigned base = take_base(lex);
	const char *digits = lex->at;
	int r = take_run(lex, base);
	if (r < 0)
		return r;
	if (base == 10 && *digits == '0' && lex->at - digits > 1) {
		lex->at = digits;
		return node_notation_fail(lex, "a number does not begin with 0; octal is 0o17");
	}
	if (!negative && peek(lex) == '(')
		return take_tag(lex, digits, base, ret_is_tag, ret_tag);
	char c = peek(lex);
	if (base != 10 || (c != '.' && c != 'e' && c != 'E'))
		return put_integer(lex, digits, base, negative);
	r = take_fraction(lex);
	return r < 0 ? r : put_float(lex, start);
}
