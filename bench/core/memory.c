/* SPDX-License-Identifier: MIT */
/* memory.c: what processes cost that do nothing, and what a call and a cast cost beside many of them. */
#include "counter.h"

#define BATCH 1000u
#define HOT 1000u
#define REST_TIMES 3 /* seconds */
#define CASTS 20u    /* to each of the hot ones before they are asked whether all were handled */

/* ---- bytes ---- */

static int idle_server(const bench_t *b)
{
	const dream_start_t how = {DREAM_SIZED(dream_start_t), .kind = "counter"};
	int r = dream_start(&how, NULL);
	int64_t before = bench_resident_bytes();
	for (uint64_t i = 0; i < b->large && r == DREAM_OK; i++)
		r = dream_start(&how, NULL);
	if (r == DREAM_OK)
		bench_print("idle_server", (double) (bench_resident_bytes() - before) / (double) b->large,
			"bytes");
	return r;
}

/* Says that it runs, then waits for ever in a receive. */
static int waiter_main(const dream_msg_t *args)
{
	bench_member_t me;
	uint64_t count;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	if (r == DREAM_OK)
		r = bench_done(me.boss);
	return r < 0 ? r : bench_await_go(&count);
}
DREAM_PROCESS(waiter, waiter_main);

/* Not a team: a link would be counted with what they cost. */
static int start_waiters(uint64_t n)
{
	const bench_member_t member = {.boss = dream_self()};
	dream_spawn_t how = {DREAM_SIZED(dream_spawn_t), .kind = "waiter"};
	dream_msg_t *args;
	int r = dream_msg_encode(NULL, &bench_member_type, &member, &args);
	if (r < 0)
		return r;
	how.args = args;
	for (uint64_t i = 0; i < n && r == DREAM_OK; i++)
		r = dream_spawn(&how, NULL, NULL);
	dream_msg_unref(args);
	return r < 0 ? r : bench_drop(n);
}

/* A process that has waited for some time may be given another place for its stack. */
static int rest(const bench_t *b)
{
	dream_msg_t *msg;
	int r = dream_receive(NULL, NULL, REST_TIMES * b->run_ms, &msg);
	if (r == DREAM_OK) /* nobody sends to us */
		dream_msg_unref(msg);
	return r == DREAM_ETIMEDOUT ? DREAM_OK : r;
}

static int idle_process(const bench_t *b)
{
	uint64_t n = 0, batch = bench_at_most(b, BATCH),
		 large = b->large / 5; /* while each keeps a stack, a million would take minutes */
	int r = start_waiters(batch);
	int64_t before = bench_resident_bytes();
	for (; n < large && r == DREAM_OK; n += batch)
		r = start_waiters(batch);
	if (r == DREAM_OK)
		r = rest(b);
	if (r == DREAM_OK)
		bench_print("idle_process", (double) (bench_resident_bytes() - before) / (double) n, "bytes");
	return r;
}

/* ---- a call and a cast among 1,000 to 1,000,000 servers ---- */

typedef struct {
	dream_pid_t *pids;
	uint64_t n;
	uint64_t spoken_to; /* the first ones */
} field_t;

/* In an order that no prefetcher guesses; the same in each run. */
static void shuffle(field_t *field)
{
	uint64_t random = 88172645463325252u;
	for (uint64_t i = field->n; i > 1; i--) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		uint64_t k = random % i;
		dream_pid_t pid = field->pids[k];
		field->pids[k] = field->pids[i - 1];
		field->pids[i - 1] = pid;
	}
}

static int64_t call_field(void *arg)
{
	int64_t timeout_ms = bench_timeout_ms();
	const field_t *field = arg;
	int64_t count = 0;
	for (uint64_t i = 0; i < field->spoken_to; i++, count++) {
		int r = counter_add(field->pids[i], timeout_ms);
		if (r < 0)
			return r;
	}
	return count;
}

static int cast_once(const field_t *field)
{
	const add_t add = {1};
	int r = DREAM_OK;
	for (uint64_t i = 0; i < field->spoken_to && r == DREAM_OK; i++)
		r = dream_cast(dream_to(field->pids[i]), "add", &add_type, &add);
	return r;
}

/* The calls at the end, one for CASTS casts, make sure that these were handled. */
static int64_t cast_field(void *arg)
{
	const field_t *field = arg;
	int r = DREAM_OK;
	for (uint32_t k = 0; k < CASTS && r == DREAM_OK; k++)
		r = cast_once(field);
	if (r < 0)
		return r;
	int64_t n = call_field(arg);
	return n < 0 ? n : n * (CASTS + 1);
}

static int measure_field(
	const bench_t *b, field_t *field, const char *what, int64_t (*burst)(void *arg), double *ret_ns)
{
	char name[64];
	double rate = 0;
	bench_t brief = {b->warm_ms / 4, b->run_ms / 4, b->large};
	int r = bench_rate(&brief, burst, field, &rate);
	if (r < 0)
		return r;
	*ret_ns = 1e9 / rate;
	snprintf(name, sizeof(name), "%s_of_%llu", what, (unsigned long long) field->n);
	bench_print(name, *ret_ns, "ns");
	return DREAM_OK;
}

/* A thousand among more and more servers shows what the node's tables cost, all of them what the memory does. */
static int measure_fields(const bench_t *b, field_t *field, double *ret_call_ns, double *ret_cast_ns)
{
	double all_ns;
	field->spoken_to = bench_at_most(b, HOT);
	int r = measure_field(b, field, "call", call_field, ret_call_ns);
	if (r == DREAM_OK)
		r = measure_field(b, field, "cast", cast_field, ret_cast_ns);
	field->spoken_to = field->n;
	if (r == DREAM_OK && field->n > HOT)
		r = measure_field(b, field, "call_all", call_field, &all_ns);
	return r;
}

static int curve(const bench_t *b)
{
	field_t field = {.pids = dream_alloc(b->large * sizeof(dream_pid_t))};
	double first_call_ns = 0, first_cast_ns = 0, call_ns = 0, cast_ns = 0;
	int r = field.pids == NULL ? DREAM_ENOMEM : DREAM_OK;
	for (uint64_t n = bench_at_most(b, HOT); n <= b->large && r == DREAM_OK; n *= 10) {
		r = bench_servers("counter", n - field.n, field.pids + field.n);
		field.n = n;
		shuffle(&field);
		if (r == DREAM_OK)
			r = measure_fields(b, &field, &call_ns, &cast_ns);
		if (first_call_ns == 0) {
			first_call_ns = call_ns;
			first_cast_ns = cast_ns;
		}
	}
	if (r == DREAM_OK) {
		bench_print("curve_call", call_ns / first_call_ns, "times");
		bench_print("curve_cast", cast_ns / first_cast_ns, "times");
	}
	return r;
}

const bench_case_t bench_cases[] = {
	{"idle_server", idle_server},
	{"idle_process", idle_process},
	{"curve", curve},
	{NULL, NULL},
};

BENCH_MODULE(bench_memory, &counter_kind, &waiter_kind);
