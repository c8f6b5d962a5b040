/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/ctx.h"

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

/* ---- time from the counter of ticks ----
 *
 * Half of what the system's clock takes is to wait until all before it is done, and to turn ticks into a time that never goes
 * back. For a timer of milliseconds neither matters: a thread counts ticks from its last look at the clock on, for GUESS_NS at
 * most, and measures at its looks how long a tick is. Only where the kernel's clock is that counter too: then it is the
 * same on all processors, and does not stop. */
#if defined(__x86_64__)
#define GUESS_NS 50000u
#define SLACK_NS 10000
#define LOOK_TICKS 10000u /* a look at the clock that took longer was interrupted: it says nothing */
#define MEASURE_NS ((int64_t) 10000000) /* by then the two looks at its ends are off by 1 in 1,000 at most */
#define MEASURE_MAX_NS                                                                                       \
	((int64_t) 1000000000) /* clocks are adjusted; and the product below stays within 64 bits */

static void measure(node_ticks_t *ticks)
{
	int64_t ns = ticks->ns - ticks->first_ns;
	uint64_t n = ticks->at - ticks->first_at;
	if (ticks->first_at != 0 && ns < MEASURE_NS)
		return;
	if (ticks->first_at != 0 && ns < MEASURE_MAX_NS && n > 0) {
		ticks->ns_per_tick = ((uint64_t) ns << 32) / n;
		ticks->good_for = ((uint64_t) GUESS_NS << 32) / (ticks->ns_per_tick + 1);
	}
	ticks->first_at = ticks->at;
	ticks->first_ns = ticks->ns;
}

static int64_t look(node_clock_t *clock, node_ticks_t *ticks, uint64_t before)
{
	int64_t ns = system_now(clock);
	uint64_t after = __builtin_ia32_rdtsc();
	if (after - before > LOOK_TICKS)
		return ns;
	ticks->ns = ns;
	ticks->at = after;
	measure(ticks);
	return ns;
}

static int64_t system_late(node_clock_t *clock)
{
	node_ticks_t *ticks = &node_ctx_borrow()->ticks;
	uint64_t at = __builtin_ia32_rdtsc();
	uint64_t passed = at - ticks->at;
	int64_t ns = passed < ticks->good_for ? ticks->ns + (int64_t) (passed * ticks->ns_per_tick >> 32)
					      : look(clock, ticks, at);
	return ns + SLACK_NS;
}

static bool has_ticks(void)
{
	char name[8] = "";
	int fd = open(
		"/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && read(fd, name, sizeof(name)) == 4 && memcmp(name, "tsc\n", 4) == 0;
	if (fd >= 0)
		(void) close(fd);
	return ok;
}
#else
#define system_late NULL

static bool has_ticks(void)
{
	return false;
}
#endif

node_clock_t *node_clock_system_borrow(void)
{
	static const node_clock_t system_clock = {system_now, system_wall, system_random, NULL, NULL};
	static const node_clock_t with_ticks = {system_now, system_wall, system_random, NULL, system_late};
	return (node_clock_t *) (uintptr_t) (has_ticks() ? &with_ticks : &system_clock);
}
