/* SPDX-License-Identifier: MIT */
#include "term/utf8.h"

#include <string.h>

static bool is_tail(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

static unsigned three_bytes(const uint8_t *at)
{
	bool overlong = at[0] == 0xe0 && at[1] < 0xa0;
	bool surrogate = at[0] == 0xed && at[1] > 0x9f;
	return is_tail(at[1]) && is_tail(at[2]) && !overlong && !surrogate ? 3 : 0;
}

static unsigned four_bytes(const uint8_t *at)
{
	bool overlong = at[0] == 0xf0 && at[1] < 0x90;
	bool beyond = at[0] == 0xf4 && at[1] > 0x8f;
	return is_tail(at[1]) && is_tail(at[2]) && is_tail(at[3]) && !overlong && !beyond ? 4 : 0;
}

unsigned node_utf8_sequence(const uint8_t *at, uint64_t left)
{
	if (left == 0)
		return 0;
	uint8_t lead = at[0];
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead < 0xe0)
		return left >= 2 && is_tail(at[1]) ? 2 : 0;
	if (lead >= 0xe0 && lead < 0xf0)
		return left >= 3 ? three_bytes(at) : 0;
	if (lead >= 0xf0 && lead < 0xf5)
		return left >= 4 ? four_bytes(at) : 0;
	return 0;
}

bool node_utf8_valid(const void *data, uint64_t size_bytes)
{
	const uint8_t *at = data;
	const uint8_t *end = at + size_bytes;
	while (at < end) {
		uint64_t word;
		if (end - at >= 8 && (memcpy(&word, at, 8), (word & 0x8080808080808080u) == 0)) {
			at += 8;
			continue;
		}
		if (*at < 0x80) {
			at++;
			continue;
		}
		unsigned n = node_utf8_sequence(at, (uint64_t) (end - at));
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

unsigned node_utf8_put(uint8_t ret_bytes[], uint32_t code_point)
{
	if (code_point < 0x80) {
		ret_bytes[0] = (uint8_t) code_point;
		return 1;
	}
	unsigned n = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
	static const uint8_t lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
	for (unsigned i = n - 1; i > 0; i--) {
		ret_bytes[i] = (uint8_t) (0x80 | (code_point & 0x3f));
		code_point >>= 6;
	}
	ret_bytes[0] = (uint8_t) (lead[n] | code_point);
	return n;
}
