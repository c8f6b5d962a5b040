/* SPDX-License-Identifier: MIT */
#include "term/cbor_head.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static uint64_t big_endian(const uint8_t *at, unsigned size)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < size; i++)
		value = value << 8 | at[i];
	return value;
}

bool node_cbor_take_long_head(node_cbor_reader_t *r, uint8_t initial, uint64_t *ret_value)
{
	unsigned info = NODE_CBOR_INFO(initial);
	if (info == NODE_CBOR_INDEFINITE) {
		unsigned major = NODE_CBOR_MAJOR(initial);
		if (major < NODE_CBOR_BYTES || major > NODE_CBOR_MAP)
			return false;
		*ret_value = 0;
		r->at++;
		return true;
	}
	unsigned size = 1u << (info - 24);
	if (info > 27 || node_cbor_left(r) < 1 + size)
		return false;
	*ret_value = big_endian(r->at + 1, size);
	if (initial == 0xf8 && *ret_value < 32) /* simple values below 32 have one form only */
		return false;
	r->at += 1 + size;
	return true;
}

static double from_half(uint64_t bits)
{
	int exponent = (int) (bits >> 10 & 31);
	double fraction = (double) (bits & 0x3ff);
	double value = exponent == 0    ? ldexp(fraction, -24)
		       : exponent == 31 ? (fraction == 0 ? HUGE_VAL : (double) NAN)
					: ldexp(fraction + 1024, exponent - 25);
	return (bits & 0x8000) != 0 ? -value : value;
}

double node_cbor_float_of(unsigned size, uint64_t bits)
{
	if (size == 2)
		return from_half(bits);
	if (size == 8) {
		double wide;
		memcpy(&wide, &bits, sizeof(wide));
		return wide;
	}
	uint32_t low = (uint32_t) bits;
	float narrow;
	memcpy(&narrow, &low, sizeof(narrow));
	return (double) narrow;
}

int node_cbor_next(node_cbor_reader_t *r, node_cbor_head_t *ret_head)
{
	uint8_t initial;
	uint64_t value;
	if (!node_cbor_take_head(r, &initial, &value))
		return DREAM_EDECODE;
	unsigned info = NODE_CBOR_INFO(initial);
	ret_head->major = (uint8_t) NODE_CBOR_MAJOR(initial);
	ret_head->indefinite = info == NODE_CBOR_INDEFINITE;
	ret_head->is_float = ret_head->major == NODE_CBOR_SIMPLE && info >= 25;
	ret_head->value = value;
	if (ret_head->is_float)
		ret_head->number = node_cbor_float_of(1u << (info - 24), value);
	return DREAM_OK;
}

bool node_cbor_take_break(node_cbor_reader_t *r)
{
	if (r->at >= r->end || *r->at != NODE_CBOR_BREAK)
		return false;
	r->at++;
	return true;
}

/* Only the position is saved: to copy the whole reader would be one wide load right after two narrow
 * stores, which stalls the processor for longer than a head takes to read. */
static inline int back(node_cbor_reader_t *r, const uint8_t *start, int code)
{
	r->at = start;
	return code;
}

int node_cbor_get_uint(node_cbor_reader_t *r, uint64_t *ret_value)
{
	const uint8_t *start = r->at;
	uint8_t initial;
	uint64_t value;
	if (!node_cbor_take_head(r, &initial, &value) || NODE_CBOR_MAJOR(initial) != NODE_CBOR_UINT)
		return back(r, start, DREAM_EDECODE);
	*ret_value = value;
	return DREAM_OK;
}

int node_cbor_get_int(node_cbor_reader_t *r, int64_t *ret_value)
{
	const uint8_t *start = r->at;
	uint8_t initial;
	uint64_t value;
	if (!node_cbor_take_head(r, &initial, &value) || NODE_CBOR_MAJOR(initial) > NODE_CBOR_NINT)
		return back(r, start, DREAM_EDECODE);
	if (value > INT64_MAX)
		return back(r, start, DREAM_ERANGE);
	*ret_value = NODE_CBOR_MAJOR(initial) == NODE_CBOR_NINT ? -1 - (int64_t) value : (int64_t) value;
	return DREAM_OK;
}

int node_cbor_get_f64(node_cbor_reader_t *r, double *ret_value)
{
	const uint8_t *start = r->at;
	node_cbor_head_t head;
	if (node_cbor_next(r, &head) < 0)
		return back(r, start, DREAM_EDECODE);
	if (head.is_float)
		*ret_value = head.number;
	else if (head.major == NODE_CBOR_UINT)
		*ret_value = (double) head.value;
	else if (head.major == NODE_CBOR_NINT)
		*ret_value = -1.0 - (double) head.value;
	else
		return back(r, start, DREAM_EDECODE);
	return DREAM_OK;
}

int node_cbor_get_bool(node_cbor_reader_t *r, bool *ret_value)
{
	if (r->at >= r->end || (*r->at != 0xf4 && *r->at != 0xf5))
		return DREAM_EDECODE;
	*ret_value = *r->at++ == 0xf5;
	return DREAM_OK;
}

int node_cbor_get_null(node_cbor_reader_t *r)
{
	if (r->at >= r->end || *r->at != NODE_CBOR_NULL)
		return DREAM_EDECODE;
	r->at++;
	return DREAM_OK;
}

static int get_string(
	node_cbor_reader_t *r, unsigned major, const uint8_t **ret_data, uint64_t *ret_size_bytes)
{
	const uint8_t *start = r->at;
	uint8_t initial;
	uint64_t size;
	if (!node_cbor_take_head(r, &initial, &size) || NODE_CBOR_MAJOR(initial) != major ||
		NODE_CBOR_INFO(initial) == NODE_CBOR_INDEFINITE || size > node_cbor_left(r))
		return back(r, start, DREAM_EDECODE);
	*ret_data = r->at;
	*ret_size_bytes = size;
	r->at += size;
	return DREAM_OK;
}

int node_cbor_get_text(node_cbor_reader_t *r, const char **ret_text, uint64_t *ret_size_bytes)
{
	return get_string(r, NODE_CBOR_TEXT, (const uint8_t **) ret_text, ret_size_bytes);
}

int node_cbor_get_bytes(node_cbor_reader_t *r, const uint8_t **ret_data, uint64_t *ret_size_bytes)
{
	return get_string(r, NODE_CBOR_BYTES, ret_data, ret_size_bytes);
}

static int get_container(node_cbor_reader_t *r, unsigned major, uint64_t *ret_count)
{
	const uint8_t *start = r->at;
	uint8_t initial;
	uint64_t count;
	if (!node_cbor_take_head(r, &initial, &count) || NODE_CBOR_MAJOR(initial) != major)
		return back(r, start, DREAM_EDECODE);
	if (NODE_CBOR_INFO(initial) == NODE_CBOR_INDEFINITE)
		count = UINT64_MAX;
	else if (count > node_cbor_left(r)) /* every item has a byte, so such a count is a lie */
		return back(r, start, DREAM_EDECODE);
	*ret_count = count;
	return DREAM_OK;
}

int node_cbor_get_array(node_cbor_reader_t *r, uint64_t *ret_count)
{
	return get_container(r, NODE_CBOR_ARRAY, ret_count);
}

int node_cbor_get_map(node_cbor_reader_t *r, uint64_t *ret_count)
{
	return get_container(r, NODE_CBOR_MAP, ret_count);
}

int node_cbor_get_item(node_cbor_reader_t *r, const uint8_t **ret_data, uint64_t *ret_size_bytes)
{
	const uint8_t *start = r->at;
	int result = node_cbor_skip(r);
	if (result < 0)
		return result;
	*ret_data = start;
	*ret_size_bytes = (uint64_t) (r->at - start);
	return DREAM_OK;
}

static bool key_is(node_cbor_reader_t *r, const char *key)
{
	const char *text;
	uint64_t size;
	if (node_cbor_get_text(r, &text, &size) < 0)
		return false;
	return size == strlen(key) && memcmp(text, key, size) == 0;
}

/* Of equal keys the last counts, as in described types: two readers of one message must not disagree. */
int node_cbor_map_find(const void *map, uint64_t size_bytes, const char *key, const uint8_t **ret_data,
	uint64_t *ret_size_bytes)
{
	node_cbor_reader_t r = node_cbor_read(map, size_bytes);
	uint64_t count;
	if (node_cbor_get_map(&r, &count) < 0)
		return DREAM_EDECODE;
	bool endless = count == UINT64_MAX;
	int result = DREAM_ENOENT;
	while (count-- > 0 && !(endless && node_cbor_take_break(&r))) {
		node_cbor_reader_t at_key = r;
		const uint8_t *value;
		uint64_t value_size;
		if (node_cbor_skip(&r) < 0 || node_cbor_get_item(&r, &value, &value_size) < 0)
			return DREAM_EDECODE;
		if (!key_is(&at_key, key))
			continue;
		*ret_data = value;
		*ret_size_bytes = value_size;
		result = DREAM_OK;
	}
	return result;
}

const char *node_cbor_kind_name(const node_cbor_reader_t *r)
{
	static const char *const names[] = {"an integer", "an integer", "bytes", "a text", "an array",
		"a map", "a tag", "a simple value"};
	if (r->at >= r->end)
		return "the end";
	uint8_t initial = *r->at;
	if (initial == 0xf4 || initial == 0xf5)
		return "a bool";
	if (initial == NODE_CBOR_NULL)
		return "null";
	if (initial >= 0xf9 && initial <= 0xfb)
		return "a float";
	return names[NODE_CBOR_MAJOR(initial)];
}

const char *node_cbor_int_text(char ret_text[24], bool negative, uint64_t value)
{
	if (negative && value == UINT64_MAX) /* one more than 64 bits hold */
		return strcpy(ret_text, "-18446744073709551616");
	snprintf(ret_text, 24, "%s%" PRIu64, negative ? "-" : "", negative ? value + 1 : value);
	return ret_text;
}
