/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (int64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t system_now(node_clock_t *clock)
{
	(void) clock;
	return read_ns(CLOCK_MONOTONIC);
}

static int64_t system_wall(node_clock_t *clock)
{
	(void) clock;
	return read_ns(CLOCK_REALTIME);
}

static void system_random(node_clock_t *clock, void *ret_bytes, size_t size_bytes)
{
	(void) clock;
	uint8_t *out = ret_bytes;
	while (size_bytes > 0) {
		ssize_t n = getrandom(out, size_bytes, 0);
		if (n < 0)
			abort(); /* without entropy no key and no connection id would be safe */
		out += n;
		size_bytes -= (size_t) n;
	}
}

node_clock_t *node_clock_system_borrow(void)
{
	static const node_clock_t system_clock = {system_now, system_wall, system_random, NULL};
	return (node_clock_t *) (uintptr_t) &system_clock;
}
