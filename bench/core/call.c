/* SPDX-License-Identifier: MIT */
/* call.c: calls of a server, by one client and by a thousand. */
#include "counter.h"

#define BURST 1000
#define CLIENTS 1000u
#define FILLED 100000u

typedef struct {
	dream_pid_t server;
	int64_t timeout_ms;
} client_t;

static int64_t call_burst(void *arg)
{
	const client_t *client = arg;
	int r = DREAM_OK;
	for (int i = 0; i < BURST && r == DREAM_OK; i++)
		r = counter_add(client->server, client->timeout_ms);
	return r < 0 ? r : BURST;
}

static int call_one(const bench_t *b, int64_t timeout_ms, double *ret_rate)
{
	client_t client = {.timeout_ms = timeout_ms};
	int r = bench_servers("counter", 1, &client.server);
	return r < 0 ? r : bench_rate(b, call_burst, &client, ret_rate);
}

static int call_1(const bench_t *b)
{
	double rate = 0;
	int r = call_one(b, bench_timeout_ms(), &rate);
	if (r == DREAM_OK)
		bench_print("call_1", rate, "calls/s");
	return r;
}

static int call_1_forever(const bench_t *b)
{
	double rate = 0;
	int r = call_one(b, DREAM_INFINITY, &rate);
	if (r == DREAM_OK)
		bench_print("call_1_forever", rate, "calls/s");
	return r;
}

static int client_main(const dream_msg_t *args)
{
	bench_member_t me;
	uint64_t count = 0;
	int64_t timeout_ms = bench_timeout_ms();
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	while (r == DREAM_OK && (r = bench_await_go(&count)) == DREAM_OK) {
		for (uint64_t i = 0; i < count && r == DREAM_OK; i++)
			r = counter_add(me.peer, timeout_ms);
		if (r == DREAM_OK)
			r = bench_done(me.boss);
	}
	return r;
}
DREAM_PROCESS(client, client_main);

static int call_many(const bench_t *b, uint64_t n_servers, const char *figure)
{
	dream_pid_t servers[CLIENTS], clients[CLIENTS];
	double rate = 0;
	uint64_t n = bench_at_most(b, CLIENTS);
	int r = bench_servers("counter", n_servers, servers);
	if (r == DREAM_OK)
		r = bench_team("client", n, servers, n_servers, clients);
	if (r == DREAM_OK)
		r = bench_team_rate(b, clients, n, 50, 1, &rate);
	if (r == DREAM_OK)
		bench_print(figure, rate, "calls/s");
	return r;
}

static int call_1000_to_1(const bench_t *b)
{
	return call_many(b, 1, "call_1000_to_1");
}

static int call_1000_to_1000(const bench_t *b)
{
	return call_many(b, bench_at_most(b, CLIENTS), "call_1000_to_1000");
}

/* bench/run gives it a node with one scheduler, with which OTP is faster. */
static int call_1000_to_1000_s1(const bench_t *b)
{
	return call_many(b, bench_at_most(b, CLIENTS), "call_1000_to_1000_s1");
}

/* The messages that wait in the caller's mailbox are not looked at by a call. */
static int call_full(const bench_t *b)
{
	const dream_unit_t nothing = {0};
	double rate = 0;
	int r = DREAM_OK;
	for (uint32_t i = 0; i < bench_at_most(b, FILLED) && r == DREAM_OK; i++)
		r = dream_send(dream_to(dream_self()), "x", &dream_unit_type, &nothing);
	if (r == DREAM_OK)
		r = call_one(b, bench_timeout_ms(), &rate);
	if (r == DREAM_OK)
		bench_print("call_full", 1e9 / rate, "ns");
	return r;
}

const bench_case_t bench_cases[] = {
	{"call_1", call_1},
	{"call_1_forever", call_1_forever},
	{"call_1000_to_1", call_1000_to_1},
	{"call_1000_to_1000", call_1000_to_1000},
	{"call_1000_to_1000_s1", call_1000_to_1000_s1},
	{"call_full", call_full},
	{NULL, NULL},
};

BENCH_MODULE(bench_call, &counter_kind, &client_kind);
