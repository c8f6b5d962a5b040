/* SPDX-License-Identifier: MIT */
/* bench_module.c: the servers and clients that the benchmark measures: a module like anyone's, so that what is
 * measured is what an application gets, codec included. */
#include <dream/dream.h>

#define ADD(F) F(i64, by)
#define VALUE(F) F(i64, value)
DREAM_TYPE(add, ADD);
DREAM_TYPE(value, VALUE);
DREAM_STATE(counter, VALUE, 1);

static dream_next_t on_add(counter_t *s, const add_t *add, value_t *reply)
{
	s->value += add->by;
	reply->value = s->value;
	return DREAM_REPLY;
}
DREAM_ON_CALL(on_add, "add", counter, add, value);
DREAM_SERVER(counter, counter, .calls = DREAM_HANDLERS(&on_add_handler));

/* What a client is told: whom to call, how often (0: for `ms`), and with which timeout (-1: none). */
#define ORDER(F) F(pid, server) F(pid, report_to) F(u64, count) F(i64, ms) F(i64, timeout_ms)
DREAM_TYPE(order, ORDER);

#define RESULT(F) F(u64, count) F(i64, ns)
DREAM_TYPE(result, RESULT);

#define BURST 1000u

static int report(dream_pid_t to, uint64_t count, int64_t begin_ns)
{
	result_t result = {count, dream_now_ns() - begin_ns};
	return dream_send(dream_to(to), "result", &result_type, &result);
}

static int call_burst(const order_t *order, uint64_t count)
{
	add_t request = {1};
	value_t reply;
	int r = DREAM_OK;
	for (uint64_t i = 0; i < count && r == DREAM_OK; i++)
		r = dream_call(dream_to(order->server), "add", &add_type, &request, &value_type, &reply,
			order->timeout_ms);
	return r;
}

static int rate(const order_t *order, int (*burst)(const order_t *order, uint64_t count))
{
	int64_t begin_ns = dream_now_ns();
	uint64_t count = 0;
	while (dream_now_ns() - begin_ns < order->ms * 1000000) {
		int r = burst(order, BURST);
		if (r < 0)
			return r;
		count += BURST;
	}
	return report(order->report_to, count, begin_ns);
}

static int wait_for_go(void)
{
	dream_msg_t *go;
	int r = dream_receive(NULL, NULL, 60000, &go);
	if (r == DREAM_OK)
		dream_msg_unref(go);
	return r;
}

static int caller_main(const dream_msg_t *args)
{
	order_t order;
	int r = dream_msg_decode(args, NULL, &order_type, &order);
	if (r < 0)
		return r;
	if (order.count == 0)
		return rate(&order, call_burst);
	r = wait_for_go();
	return r < 0 ? r : call_burst(&order, order.count);
}
DREAM_PROCESS(caller, caller_main);

static int noop_main(const dream_msg_t *args)
{
	(void) args;
	return DREAM_OK;
}
DREAM_PROCESS(noop, noop_main);

static int is_down(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return dream_msg_has_tag(msg, "DOWN");
}

static int monitor_burst(const order_t *order, uint64_t count)
{
	static const dream_spawn_t how = {
		DREAM_SIZED(dream_spawn_t), .flags = DREAM_SPAWN_MONITOR, .kind = "noop"};
	(void) order;
	for (uint64_t i = 0; i < count; i++) {
		dream_ref_t monitor;
		dream_msg_t *down;
		int r = dream_spawn(&how, NULL, &monitor);
		if (r == DREAM_OK)
			r = dream_receive(is_down, NULL, DREAM_INFINITY, &down);
		if (r < 0)
			return r;
		dream_msg_unref(down);
	}
	return DREAM_OK;
}

static int monitorer_main(const dream_msg_t *args)
{
	order_t order;
	int r = dream_msg_decode(args, NULL, &order_type, &order);
	return r < 0 ? r : rate(&order, monitor_burst);
}
DREAM_PROCESS(monitorer, monitorer_main);

/* A burst has ended when its processes are gone: the last one of each burst is monitored, and since they may end
 * out of order the benchmark waits for the count besides. */
static int spawner_main(const dream_msg_t *args)
{
	static const dream_spawn_t how = {DREAM_SIZED(dream_spawn_t), .kind = "noop"};
	order_t order;
	int r = dream_msg_decode(args, NULL, &order_type, &order);
	for (uint64_t i = 0; i < order.count && r == DREAM_OK; i++)
		r = dream_spawn(&how, NULL, NULL);
	return r;
}
DREAM_PROCESS(spawner, spawner_main);

static int starter_main(const dream_msg_t *args)
{
	static const dream_start_t how = {DREAM_SIZED(dream_start_t), .kind = "counter"};
	order_t order;
	int r = dream_msg_decode(args, NULL, &order_type, &order);
	int64_t begin_ns = dream_now_ns();
	for (uint64_t i = 0; i < order.count && r == DREAM_OK; i++)
		r = dream_start(&how, NULL);
	return r < 0 ? r : report(order.report_to, order.count, begin_ns);
}
DREAM_PROCESS(starter, starter_main);

DREAM_MODULE("bench", "1.0.0", &counter_kind, &caller_kind, &noop_kind, &monitorer_kind, &spawner_kind,
	&starter_kind);
