/* SPDX-License-Identifier: MIT */
/* timer.c: timers that are cancelled, as nearly all are, and a million that wait. */
#include "bench.h"

#define BURST 1000
#define SHORT_MS 5000
#define LONG_MS 3600000 /* nobody waits for them */

static const dream_unit_t nothing;

static int start_timer(int64_t delay_ms, dream_ref_t *ret_timer)
{
	dream_msg_t *msg;
	int r = dream_msg_encode("timeout", &dream_unit_type, &nothing, &msg);
	return r < 0 ? r : dream_send_after_take(dream_to(dream_self()), msg, delay_ms, ret_timer);
}

static int64_t cancel_burst(void *arg)
{
	(void) arg;
	for (int i = 0; i < BURST; i++) {
		dream_ref_t timer;
		int64_t r = start_timer(SHORT_MS, &timer);
		if (r == DREAM_OK)
			r = dream_cancel_timer(timer);
		if (r < 0)
			return r;
	}
	return BURST;
}

static int timer_cancel(const bench_t *b)
{
	double rate = 0;
	int r = bench_rate(b, cancel_burst, NULL, &rate);
	if (r == DREAM_OK)
		bench_print("timer_cancel", rate, "pairs/s");
	return r;
}

static int timer_million(const bench_t *b)
{
	int64_t before = bench_resident_bytes(), begin_ns = dream_now_ns();
	int r = DREAM_OK;
	for (uint64_t i = 0; i < b->large && r == DREAM_OK; i++)
		r = start_timer(LONG_MS + (int64_t) (i % 1000), NULL);
	int64_t ns = dream_now_ns() - begin_ns;
	if (r < 0)
		return r;
	bench_print("timer_start", (double) b->large * 1e9 / (double) ns, "timers/s");
	bench_print("timer_bytes", (double) (bench_resident_bytes() - before) / (double) b->large, "bytes");
	return r;
}

const bench_case_t bench_cases[] = {
	{"timer_cancel", timer_cancel},
	{"timer_million", timer_million},
	{NULL, NULL},
};

BENCH_MODULE(bench_timer);
