/* SPDX-License-Identifier: MIT */
/* send.c: messages of plain processes, and casts. The smallest message is a text; where a process only passes a
 * message on, it sends the one that it received, as anyone would who does not change it. */
#include <string.h>

#include "counter.h"

#define SENDERS 100u
#define RING 1000u
#define WORDS 8192u /* 64 KB as OTP counts them */
#define SHARED_BYTES ((uint64_t) 1 << 20)

static const dream_unit_t nothing;

static int send_small(dream_pid_t to)
{
	return dream_send(dream_to(to), "x", &dream_unit_type, &nothing);
}

static int pass_on(dream_pid_t to)
{
	dream_msg_t *msg;
	int r = dream_receive(NULL, NULL, DREAM_INFINITY, &msg);
	return r < 0 ? r : dream_send_take(dream_to(to), msg);
}

/* Both ways of learning one's neighbour: from the arguments, or, for the first of a circle, by a message. */
static int send_peer(dream_pid_t to, dream_pid_t peer)
{
	bench_pid_t value = {peer};
	return dream_send(dream_to(to), "peer", &bench_pid_type, &value);
}

static int receive_peer(dream_pid_t *ret_peer)
{
	bench_pid_t peer;
	dream_msg_t *msg;
	int r = dream_receive(NULL, NULL, DREAM_INFINITY, &msg);
	if (r < 0)
		return r;
	r = dream_msg_decode(msg, "peer", &bench_pid_type, &peer);
	dream_msg_unref(msg);
	if (r == DREAM_OK)
		*ret_peer = peer.pid;
	return r;
}

/* ---- ping-pong ---- */

static int echo_main(const dream_msg_t *args)
{
	dream_pid_t peer;
	(void) args;
	int r = receive_peer(&peer);
	while (r == DREAM_OK)
		r = pass_on(peer);
	return r;
}
DREAM_PROCESS(echo, echo_main);

static int64_t pingpong_burst(void *arg)
{
	const dream_pid_t *echo = arg;
	int r = DREAM_OK;
	for (int i = 0; i < 1000 && r == DREAM_OK; i++)
		r = pass_on(*echo);
	return r < 0 ? r : 2000;
}

static int pingpong(const bench_t *b)
{
	dream_pid_t echo;
	double rate = 0;
	int r = bench_team("echo", 1, NULL, 0, &echo);
	if (r == DREAM_OK)
		r = send_peer(echo, dream_self());
	if (r == DREAM_OK)
		r = send_small(echo); /* the ball */
	if (r == DREAM_OK)
		r = bench_rate(b, pingpong_burst, &echo, &rate);
	if (r == DREAM_OK)
		bench_print("pingpong", rate, "messages/s");
	return r;
}

/* ---- many to one ---- */

/* A round is over when the receiver has everything: it gets each count from the senders' boss. */
static int sink_main(const dream_msg_t *args)
{
	bench_member_t me;
	uint64_t count;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	while (r == DREAM_OK && (r = bench_await_go(&count)) == DREAM_OK)
		if ((r = bench_drop(count)) == DREAM_OK)
			r = bench_done(me.boss);
	return r;
}
DREAM_PROCESS(sink, sink_main);

static int sender_main(const dream_msg_t *args)
{
	bench_member_t me;
	uint64_t count;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	while (r == DREAM_OK && (r = bench_await_go(&count)) == DREAM_OK)
		for (uint64_t i = 0; i < count && r == DREAM_OK; i++)
			r = send_small(me.peer);
	return r;
}
DREAM_PROCESS(sender, sender_main);

static int caster_main(const dream_msg_t *args)
{
	const add_t add = {1};
	bench_member_t me;
	uint64_t count;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	while (r == DREAM_OK && (r = bench_await_go(&count)) == DREAM_OK) {
		for (uint64_t i = 0; i < count && r == DREAM_OK; i++)
			r = dream_cast(dream_to(me.peer), "add", &add_type, &add);
		if (r == DREAM_OK) /* behind all of our casts */
			r = counter_add(me.peer, DREAM_INFINITY);
		if (r == DREAM_OK)
			r = bench_done(me.boss);
	}
	return r;
}
DREAM_PROCESS(caster, caster_main);

#define EACH 1000u /* messages of a sender in a round: what waits at most is bounded on both sides */

typedef struct {
	dream_pid_t sink;
	dream_pid_t senders[SENDERS];
	uint64_t n, each;
} crowd_t;

static int64_t send_round(void *arg)
{
	crowd_t *crowd = arg;
	uint64_t total = crowd->n * crowd->each;
	int r = bench_send_go(crowd->sink, total); /* first: it need not look for this among the others */
	for (uint64_t i = 0; i < crowd->n && r == DREAM_OK; i++)
		r = bench_send_go(crowd->senders[i], crowd->each);
	if (r == DREAM_OK)
		r = bench_await_done(1);
	return r < 0 ? r : (int64_t) total;
}

static int send_crowd(const bench_t *b, uint64_t n, uint64_t each, double *ret_rate)
{
	crowd_t crowd = {.n = n, .each = each};
	int r = bench_team("sink", 1, NULL, 0, &crowd.sink);
	if (r == DREAM_OK)
		r = bench_team("sender", n, &crowd.sink, 1, crowd.senders);
	return r < 0 ? r : bench_rate(b, send_round, &crowd, ret_rate);
}

static int send_100_to_1(const bench_t *b)
{
	double rate = 0;
	int r = send_crowd(b, SENDERS, EACH, &rate);
	if (r == DREAM_OK)
		bench_print("send_100_to_1", rate, "messages/s");
	return r;
}

static int send_1_to_1(const bench_t *b)
{
	double rate = 0;
	int r = send_crowd(b, 1, 100 * EACH, &rate);
	if (r == DREAM_OK)
		bench_print("send_1_to_1", 1e9 / rate, "ns");
	return r;
}

static int64_t cast_round(void *arg)
{
	crowd_t *crowd = arg;
	int64_t ns;
	int r = bench_go(crowd->senders, crowd->n, crowd->each, &ns);
	return r < 0 ? r : (int64_t) (crowd->n * crowd->each);
}

static int cast_100_to_1(const bench_t *b)
{
	crowd_t crowd = {.n = SENDERS, .each = EACH};
	double rate = 0;
	int r = bench_servers("counter", 1, &crowd.sink);
	if (r == DREAM_OK)
		r = bench_team("caster", SENDERS, &crowd.sink, 1, crowd.senders);
	if (r == DREAM_OK)
		r = bench_rate(b, cast_round, &crowd, &rate);
	if (r == DREAM_OK)
		bench_print("cast_100_to_1", rate, "messages/s");
	return r;
}

/* ---- ring ---- */

/* Each of the ring puts one token in, and sends `count` times in all; so it receives as often. */
static int link_main(const dream_msg_t *args)
{
	bench_member_t me;
	dream_pid_t next;
	uint64_t count;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	if (r == DREAM_OK)
		r = receive_peer(&next);
	while (r == DREAM_OK && (r = bench_await_go(&count)) == DREAM_OK) {
		r = send_small(next);
		for (uint64_t i = 1; i < count && r == DREAM_OK; i++)
			r = pass_on(next);
		if (r == DREAM_OK)
			r = bench_drop(1);
		if (r == DREAM_OK)
			r = bench_done(me.boss);
	}
	return r;
}
DREAM_PROCESS(link, link_main);

static int ring(const bench_t *b)
{
	dream_pid_t links[RING];
	uint64_t n = bench_at_most(b, RING);
	double rate = 0;
	int r = bench_team("link", n, NULL, 0, links);
	for (uint32_t i = 0; i < n && r == DREAM_OK; i++)
		r = send_peer(links[i], links[(i + 1) % n]);
	if (r == DREAM_OK)
		r = bench_team_rate(b, links, n, 200, 1, &rate);
	if (r == DREAM_OK)
		bench_print("ring_1000", rate, "messages/s");
	return r;
}

/* ---- large ones ---- */

#define NUMBERS(F) F(list(i64), of)
DREAM_TYPE(numbers, NUMBERS);

typedef struct {
	dream_pid_t reader;
	numbers_t numbers;
	dream_msg_t *shared;
} large_t;

/* Has the numbers as a C array before it acknowledges them: what OTP's receiver has. */
static int reader_main(const dream_msg_t *args)
{
	bench_member_t me;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	while (r == DREAM_OK) {
		numbers_t numbers = {.of = {NULL, 0}};
		dream_msg_t *msg;
		r = dream_receive(NULL, NULL, DREAM_INFINITY, &msg);
		if (r < 0)
			return r;
		if (dream_msg_has_tag(msg, "numbers"))
			r = dream_msg_decode(msg, "numbers", &numbers_type, &numbers);
		dream_msg_unref(msg);
		dream_free(numbers.of.items);
		if (r == DREAM_OK)
			r = send_small(me.boss);
	}
	return r;
}
DREAM_PROCESS(reader, reader_main);

static int64_t copied_burst(void *arg)
{
	const large_t *large = arg;
	int r = DREAM_OK;
	for (int i = 0; i < 10 && r == DREAM_OK; i++) {
		r = dream_send(dream_to(large->reader), "numbers", &numbers_type, &large->numbers);
		if (r == DREAM_OK)
			r = bench_drop(1);
	}
	return r < 0 ? r : 10;
}

static int64_t shared_burst(void *arg)
{
	const large_t *large = arg;
	int r = DREAM_OK;
	for (int i = 0; i < 100 && r == DREAM_OK; i++) {
		r = dream_send_take(dream_to(large->reader), dream_msg_ref(large->shared));
		if (r == DREAM_OK)
			r = bench_drop(1);
	}
	return r < 0 ? r : 100;
}

static int send_64k(const bench_t *b)
{
	large_t large = {.numbers = {.of = {dream_alloc(WORDS * sizeof(int64_t)), WORDS}}};
	double rate = 0;
	if (large.numbers.of.items == NULL)
		return DREAM_ENOMEM;
	for (uint32_t i = 0; i < WORDS; i++)
		large.numbers.of.items[i] = i + 1;
	int r = bench_team("reader", 1, NULL, 0, &large.reader);
	if (r == DREAM_OK)
		r = bench_rate(b, copied_burst, &large, &rate);
	if (r == DREAM_OK)
		bench_print("send_64k", 1e6 / rate, "us");
	return r;
}

static int send_1m(const bench_t *b)
{
	large_t large = {.shared = NULL};
	double rate = 0;
	uint8_t *data;
	int r = dream_bytes_new(SHARED_BYTES, &data, &large.shared);
	if (r < 0)
		return r;
	memset(data, 1, SHARED_BYTES);
	r = bench_team("reader", 1, NULL, 0, &large.reader);
	if (r == DREAM_OK)
		r = bench_rate(b, shared_burst, &large, &rate);
	if (r == DREAM_OK)
		bench_print("send_1m", 1e6 / rate, "us");
	return r;
}

/* ---- all to all ---- */

/* Each sends a ping to each other one and answers each ping; it is done when it has answered and been answered by
 * all. "big" waits for the answers in the order of the pings, as the program of that name in OTP's own suite does;
 * "big_counted" only counts them. */
#define PIDS(F) F(list(pid), of)
DREAM_TYPE(pids, PIDS);

static int32_t is_pids(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return dream_msg_has_tag(msg, "pids");
}

static int receive_pids(pids_t *ret_pids)
{
	dream_msg_t *msg;
	int r = dream_receive(is_pids, NULL, DREAM_INFINITY, &msg);
	if (r < 0)
		return r;
	r = dream_msg_decode(msg, "pids", &pids_type, ret_pids);
	dream_msg_unref(msg);
	return r;
}

static int answer(const dream_msg_t *ping)
{
	const bench_pid_t me = {dream_self()};
	bench_pid_t from;
	int r = dream_msg_decode(ping, "ping", &bench_pid_type, &from);
	return r < 0 ? r : dream_send(dream_to(from.pid), "pong", &bench_pid_type, &me);
}

static int ping_all(const pids_t *pids)
{
	const bench_pid_t me = {dream_self()};
	dream_msg_t *ping;
	int r = dream_msg_encode("ping", &bench_pid_type, &me, &ping);
	if (r < 0)
		return r;
	for (uint64_t i = 0; i < pids->of.count && r == DREAM_OK; i++)
		if (!dream_pid_equal(pids->of.items[i], me.pid))
			r = dream_send_take(dream_to(pids->of.items[i]), dream_msg_ref(ping));
	dream_msg_unref(ping);
	return r;
}

static int await_all(const pids_t *pids)
{
	int r = DREAM_OK;
	for (uint64_t left = 2 * (pids->of.count - 1); left > 0 && r == DREAM_OK; left--) {
		dream_msg_t *msg;
		r = dream_receive(NULL, NULL, DREAM_INFINITY, &msg);
		if (r < 0)
			return r;
		if (!dream_msg_has_tag(msg, "pong"))
			r = answer(msg);
		dream_msg_unref(msg);
	}
	return r;
}

static int32_t is_ping(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return dream_msg_has_tag(msg, "ping");
}

/* A ping of anybody, or that pong: the same bytes. */
static int32_t is_ping_or(void *arg, const dream_msg_t *msg)
{
	const dream_msg_t *pong = arg;
	uint64_t size = dream_msg_size_bytes(pong);
	if (dream_msg_size_bytes(msg) == size &&
		memcmp(dream_msg_data_borrow(msg), dream_msg_data_borrow(pong), size) == 0)
		return 1;
	return is_ping(NULL, msg);
}

/* Takes what is there, or waits for one; a ping is answered. */
static int take_one(int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg, int64_t timeout_ms,
	uint64_t *pings, bool *ret_ping)
{
	dream_msg_t *msg;
	int r = dream_receive(match, arg, timeout_ms, &msg);
	if (r < 0)
		return r;
	*ret_ping = is_ping(NULL, msg);
	if (*ret_ping) {
		r = answer(msg);
		++*pings;
	}
	dream_msg_unref(msg);
	return r;
}

static int await_pong(dream_pid_t from, uint64_t *pings)
{
	const bench_pid_t pid = {from};
	dream_msg_t *pong;
	bool ping = true;
	int r = dream_msg_encode("pong", &bench_pid_type, &pid, &pong);
	if (r < 0)
		return r;
	while (ping && r == DREAM_OK)
		r = take_one(is_ping_or, pong, DREAM_INFINITY, pings, &ping);
	dream_msg_unref(pong);
	return r;
}

/* Before each ping of its own it answers those that have come. */
static int ping_between(const pids_t *pids, uint64_t *pings)
{
	const bench_pid_t me = {dream_self()};
	bool ping;
	int r = DREAM_OK;
	for (uint64_t i = 0; i < pids->of.count && r == DREAM_OK; i++) {
		if (dream_pid_equal(pids->of.items[i], me.pid))
			continue;
		while ((r = take_one(is_ping, NULL, 0, pings, &ping)) == DREAM_OK)
			;
		if (r == DREAM_ETIMEDOUT)
			r = dream_send(dream_to(pids->of.items[i]), "ping", &bench_pid_type, &me);
	}
	return r;
}

static int big_in_order(const pids_t *pids)
{
	uint64_t pings = 0;
	bool ping;
	int r = ping_between(pids, &pings);
	for (uint64_t i = 0; i < pids->of.count && r == DREAM_OK; i++)
		if (!dream_pid_equal(pids->of.items[i], dream_self()))
			r = await_pong(pids->of.items[i], &pings);
	while (r == DREAM_OK && pings < pids->of.count - 1)
		r = take_one(is_ping, NULL, DREAM_INFINITY, &pings, &ping);
	return r;
}

static int big_counted(const pids_t *pids)
{
	int r = ping_all(pids);
	return r < 0 ? r : await_all(pids);
}

static int pinger(const dream_msg_t *args, int (*round)(const pids_t *pids))
{
	bench_member_t me;
	pids_t pids;
	uint64_t count;
	int r = dream_msg_decode(args, NULL, &bench_member_type, &me);
	if (r == DREAM_OK)
		r = receive_pids(&pids);
	while (r == DREAM_OK && (r = bench_await_go(&count)) == DREAM_OK)
		if ((r = round(&pids)) == DREAM_OK)
			r = bench_done(me.boss);
	return r;
}

static int ordered_main(const dream_msg_t *args)
{
	return pinger(args, big_in_order);
}
DREAM_PROCESS(ordered, ordered_main);

static int counted_main(const dream_msg_t *args)
{
	return pinger(args, big_counted);
}
DREAM_PROCESS(counted, counted_main);

static int64_t big_round(void *arg)
{
	const pids_t *pids = arg;
	int64_t ns;
	int r = bench_go(pids->of.items, pids->of.count, 1, &ns);
	return r < 0 ? r : (int64_t) (2 * pids->of.count * (pids->of.count - 1));
}

static int big(const bench_t *b, const char *kind, const char *figure)
{
	dream_pid_t pingers[RING];
	pids_t pids = {{pingers, bench_at_most(b, RING)}};
	double rate = 0;
	int r = bench_team(kind, pids.of.count, NULL, 0, pingers);
	for (uint32_t i = 0; i < pids.of.count && r == DREAM_OK; i++)
		r = dream_send(dream_to(pingers[i]), "pids", &pids_type, &pids);
	if (r == DREAM_OK)
		r = bench_rate(b, big_round, &pids, &rate);
	if (r == DREAM_OK)
		bench_print(figure, rate, "messages/s");
	return r;
}

static int big_1000(const bench_t *b)
{
	return big(b, "ordered", "big_1000");
}

static int big_1000_counted(const bench_t *b)
{
	return big(b, "counted", "big_1000_counted");
}

const bench_case_t bench_cases[] = {
	{"pingpong", pingpong},
	{"cast_100_to_1", cast_100_to_1},
	{"send_100_to_1", send_100_to_1},
	{"send_1_to_1", send_1_to_1},
	{"ring_1000", ring},
	{"big_1000", big_1000},
	{"big_1000_counted", big_1000_counted},
	{"send_64k", send_64k},
	{"send_1m", send_1m},
	{NULL, NULL},
};

BENCH_MODULE(bench_send, &counter_kind, &echo_kind, &sink_kind, &sender_kind, &caster_kind, &link_kind,
	&reader_kind, &ordered_kind, &counted_kind);
