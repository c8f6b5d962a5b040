/* SPDX-License-Identifier: MIT */
/* short.h: copying, comparing and zeroing a few bytes whose number is known only at run time. Calls of memcpy and
 * memcmp cost more than the names and small structs of messages do; here two loads that may overlap cover every length,
 * and nothing beyond the end is touched. */
#ifndef NODE_BASE_SHORT_H
#define NODE_BASE_SHORT_H
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* @size at most 24. The ends of the same loads and stores meet again when the bytes are compared, which lets the processor
 * forward what it has not written yet. */
static inline void node_short_copy(uint8_t *to, const uint8_t *from, uint64_t size)
{
	if (size >= 8) {
		memcpy(to, from, 8);
		if (size > 16)
			memcpy(to + 8, from + 8, 8);
		memcpy(to + size - 8, from + size - 8, 8);
	} else if (size >= 4) {
		memcpy(to, from, 4);
		memcpy(to + size - 4, from + size - 4, 4);
	} else if (size >= 2) {
		memcpy(to, from, 2);
		memcpy(to + size - 2, from + size - 2, 2);
	} else if (size == 1) {
		*to = *from;
	}
}

static inline uint64_t node_short_diff8(const uint8_t *a, const uint8_t *b)
{
	uint64_t x, y;
	memcpy(&x, a, 8);
	memcpy(&y, b, 8);
	return x ^ y;
}

static inline uint32_t node_short_diff4(const uint8_t *a, const uint8_t *b)
{
	uint32_t x, y;
	memcpy(&x, a, 4);
	memcpy(&y, b, 4);
	return x ^ y;
}

static inline uint32_t node_short_diff2(const uint8_t *a, const uint8_t *b)
{
	uint16_t x, y;
	memcpy(&x, a, 2);
	memcpy(&y, b, 2);
	return (uint32_t) (x ^ y);
}

/* Any @size. */
static inline bool node_short_equal(const void *one, const void *other, uint64_t size)
{
	const uint8_t *a = (const uint8_t *) one, *b = (const uint8_t *) other;
	if (size >= 8) {
		if (size > 24)
			return memcmp(a, b, size) == 0;
		uint64_t middle = size > 16 ? node_short_diff8(a + 8, b + 8) : 0;
		return (node_short_diff8(a, b) | middle | node_short_diff8(a + size - 8, b + size - 8)) == 0;
	}
	if (size >= 4)
		return (node_short_diff4(a, b) | node_short_diff4(a + size - 4, b + size - 4)) == 0;
	if (size >= 2)
		return (node_short_diff2(a, b) | node_short_diff2(a + size - 2, b + size - 2)) == 0;
	return size == 0 || *a == *b;
}

/* Any @size. */
static inline void node_short_save(void *to, const void *from, uint64_t size)
{
	if (size <= 24)
		node_short_copy((uint8_t *) to, (const uint8_t *) from, size);
	else
		memcpy(to, from, size);
}

/* Any @size. */
static inline void node_short_zero(void *at, uint64_t size)
{
	uint8_t *p = (uint8_t *) at;
	if (size > 32) {
		memset(p, 0, size);
	} else if (size >= 16) {
		memset(p, 0, 16);
		memset(p + size - 16, 0, 16);
	} else if (size >= 8) {
		memset(p, 0, 8);
		memset(p + size - 8, 0, 8);
	} else if (size >= 4) {
		memset(p, 0, 4);
		memset(p + size - 4, 0, 4);
	} else if (size > 0) {
		p[0] = p[size / 2] = p[size - 1] = 0;
	}
}
#endif
