/* SPDX-License-Identifier: MIT */
/* spawn.c: processes that come and go. */
#include "bench.h"

#define PARENTS 2u
#define BURST 1000u

static int noop_main(const dream_msg_t *args)
{
	(void) args;
	return DREAM_OK;
}
DREAM_PROCESS(noop, noop_main);

static int32_t is_down(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return dream_msg_has_tag(msg, "DOWN");
}

/* One more, whose end is awaited: what a parent has asked for and nobody has run yet stays small. */
static int spawn_watched(void)
{
	static const dream_spawn_t how = {
		DREAM_SIZED(dream_spawn_t), .flags = DREAM_SPAWN_MONITOR, .kind = "noop"};
	dream_ref_t monitor;
	dream_msg_t *down;
	int r = dream_spawn(&how, NULL, &monitor);
	if (r == DREAM_OK)
		r = dream_receive(is_down, NULL, DREAM_INFINITY, &down);
	if (r == DREAM_OK)
		dream_msg_unref(down);
	return r;
}

static int spawn_burst(void)
{
	static const dream_spawn_t how = {DREAM_SIZED(dream_spawn_t), .kind = "noop"};
	int r = DREAM_OK;
	for (uint32_t i = 1; i < BURST && r == DREAM_OK; i++)
		r = dream_spawn(&how, NULL, NULL);
	return r < 0 ? r : spawn_watched();
}

static int parent_main(const dream_msg_t *args)
{
	bench_member_t me;
	uint64_t count;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	while (r == DREAM_OK && (r = bench_await_go(&count)) == DREAM_OK) {
		for (uint64_t i = 0; i < count && r == DREAM_OK; i++)
			r = spawn_burst();
		if (r == DREAM_OK)
			r = bench_done(me.boss);
	}
	return r;
}
DREAM_PROCESS(parent, parent_main);

static int spawn_exit(const bench_t *b)
{
	dream_pid_t parents[PARENTS];
	double rate = 0;
	int r = bench_team("parent", PARENTS, NULL, 0, parents);
	if (r == DREAM_OK)
		r = bench_team_rate(b, parents, PARENTS, 20, BURST, &rate);
	if (r == DREAM_OK)
		bench_print("spawn_exit", rate, "processes/s");
	return r;
}

static int64_t watched_burst(void *arg)
{
	(void) arg;
	int r = DREAM_OK;
	for (uint32_t i = 0; i < BURST && r == DREAM_OK; i++)
		r = spawn_watched();
	return r < 0 ? r : (int64_t) BURST;
}

static int spawn_monitor(const bench_t *b)
{
	double rate = 0;
	int r = bench_rate(b, watched_burst, NULL, &rate);
	if (r == DREAM_OK)
		bench_print("spawn_monitor", rate, "processes/s");
	return r;
}

const bench_case_t bench_cases[] = {
	{"spawn_exit", spawn_exit},
	{"spawn_monitor", spawn_monitor},
	{NULL, NULL},
};

BENCH_MODULE(bench_spawn, &noop_kind, &parent_kind);
