/* SPDX-License-Identifier: MIT */
/* latency.c: how long a call takes, made a thousand times a second, beside processes that are never done. A caller
 * that is woken later than its timer's grain explains has waited as much as one whose call took long. */
#include <stdlib.h>

#include "counter.h"

#define BUSY 4u
#define SPIN_NS 10000    /* of one turn: OTP gives a process 4,000 calls, about as long */
#define HOLD_NS 20000000 /* in a run of a second, and less in a shorter one */
#define RUN_TIMES 3      /* seconds where others take one: of a thousand samples the 999th says little */
#define PAUSE_MS 1
#define GRAIN_NS 2000000 /* by which a timer of a millisecond may be late on either side */

/* ---- those that are never done ---- */

static void compute(int64_t ns)
{
	int64_t end_ns = dream_now_ns() + ns;
	while (dream_now_ns() < end_ns)
		;
}

/* A handler that has more to do than others should wait for does a part of it and casts to itself; how large a part
 * it takes says whether it was written with a thought for others. */
static dream_next_t on_compute(counter_t *s, const add_t *part_ns)
{
	s->value += part_ns->by;
	compute(part_ns->by);
	int r = dream_cast(dream_to(dream_self()), "compute", &add_type, part_ns);
	return r < 0 ? r : DREAM_NOREPLY;
}
DREAM_ON_CAST(on_compute, "compute", counter, add);
DREAM_SERVER(computer, counter, .casts = DREAM_HANDLERS(&on_compute_handler));

static int start_busy(int64_t part_ns)
{
	const add_t part = {part_ns};
	dream_pid_t busy[BUSY];
	int r = bench_servers("computer", BUSY, busy);
	for (uint32_t i = 0; i < BUSY && r == DREAM_OK; i++)
		r = dream_cast(dream_to(busy[i]), "compute", &add_type, &part);
	return r;
}

/* ---- the one that calls ---- */

static int pause_1ms(void)
{
	dream_msg_t *msg;
	int r = dream_receive(NULL, NULL, PAUSE_MS, &msg);
	if (r == DREAM_OK) /* nobody sends to us */
		dream_msg_unref(msg);
	return r == DREAM_ETIMEDOUT ? DREAM_OK : r;
}

static int sample_one(dream_pid_t server, int64_t *ret_ns)
{
	int64_t begin_ns = dream_now_ns();
	int r = pause_1ms();
	int64_t woken_ns = dream_now_ns();
	int64_t late_ns = woken_ns - begin_ns - PAUSE_MS * 1000000 - GRAIN_NS;
	if (r == DREAM_OK)
		r = counter_add(server, DREAM_INFINITY);
	*ret_ns = dream_now_ns() - woken_ns + (late_ns > 0 ? late_ns : 0);
	return r;
}

static int sample(dream_pid_t server, int64_t end_ns, int64_t *ns, uint64_t cap, uint64_t *ret_n)
{
	int r = DREAM_OK;
	uint64_t n = 0;
	while (n < cap && r == DREAM_OK && (n == 0 || dream_now_ns() < end_ns))
		r = sample_one(server, &ns[n++]);
	*ret_n = n;
	return r;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
	return (x > y) - (x < y);
}

static void print_part(const char *figure, const char *part, const int64_t *ns, uint64_t n, double share)
{
	char name[64];
	snprintf(name, sizeof(name), "%s_%s", figure, part);
	bench_print(name, (double) ns[(uint64_t) ((double) (n - 1) * share)] / 1e3, "us");
}

static int latency(const bench_t *b, int64_t part_ns, const char *figure)
{
	uint64_t cap = (uint64_t) b->run_ms * RUN_TIMES + 1, n = 0;
	int64_t *ns = dream_alloc(cap * sizeof(*ns));
	dream_pid_t server;
	if (ns == NULL)
		return DREAM_ENOMEM;
	int r = bench_servers("counter", 1, &server);
	if (r == DREAM_OK)
		r = start_busy(part_ns);
	if (r == DREAM_OK)
		r = sample(server, dream_now_ns() + b->run_ms * RUN_TIMES * 1000000, ns, cap, &n);
	if (r < 0)
		return r;
	qsort(ns, n, sizeof(*ns), by_size);
	print_part(figure, "p50", ns, n, 0.5);
	print_part(figure, "p99", ns, n, 0.99);
	print_part(figure, "p999", ns, n, 0.999);
	return r;
}

static int spin(const bench_t *b)
{
	return latency(b, SPIN_NS, "spin");
}

static int hold(const bench_t *b)
{
	return latency(b, HOLD_NS / 1000 * b->run_ms, "hold");
}

const bench_case_t bench_cases[] = {
	{"spin", spin},
	{"hold", hold},
	{NULL, NULL},
};

BENCH_MODULE(bench_latency, &counter_kind, &computer_kind);
