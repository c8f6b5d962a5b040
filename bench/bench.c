/* SPDX-License-Identifier: MIT */
/* bench.c: measures one case in a node of this process and prints "NAME VALUE UNIT"; bench/run sets it beside
 * Erlang/OTP. The node runs 2 schedulers, as OTP does there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"
#include "app/host.h"
#include "base/clock.h"
#include "base/log.h"
#include "otp/call.h"
#include "otp/start.h"
#include "sched/sched.h"
#include "term/cbor.h"

#define WARM_MS 200
#define RUN_MS 1000
#define CLIENTS 1000u
#define IDLE 1000000u
#define BURST 1000u

typedef struct {
	const char *name;
	int (*run)(node_proc_t *proc);
} case_t;

static const case_t *chosen;
static GMutex done_lock;
static GCond done_cond;
static int done = 1; /* 1: running; else the outcome */

static void print(double value, const char *unit)
{
	printf("%s %.1f %s\n", chosen->name, value, unit);
	fflush(stdout);
}

/* ---- orders and results ---- */

static dream_msg_t *order(
	node_proc_t *proc, dream_pid_t server, uint64_t count, int64_t ms, int64_t timeout_ms)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = NULL;
	node_cbor_init(&w);
	node_cbor_put_map(&w, 5);
	node_cbor_put_text(&w, "server");
	node_cbor_put_pid(&w, proc->node, server);
	node_cbor_put_text(&w, "report_to");
	node_cbor_put_pid(&w, proc->node, node_proc_pid(proc));
	node_cbor_put_text(&w, "count");
	node_cbor_put_uint(&w, count);
	node_cbor_put_text(&w, "ms");
	node_cbor_put_int(&w, ms);
	node_cbor_put_text(&w, "timeout_ms");
	node_cbor_put_int(&w, timeout_ms);
	(void) node_cbor_finish(&w, &msg);
	return msg;
}

static int start(
	node_proc_t *proc, const char *kind, dream_msg_t *args, uint64_t monitor, dream_pid_t *ret_pid)
{
	node_start_t how = {.module = "bench", .kind = kind, .args = args, .monitor_ref = monitor};
	int r = node_start_kind(proc, &how, ret_pid);
	node_msg_unref(args);
	return r;
}

static int read_result(const dream_msg_t *msg, uint64_t *ret_count, int64_t *ret_ns)
{
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	const char *text;
	uint64_t n, size;
	if (node_cbor_get_array(&r, &n) < 0 || node_cbor_get_text(&r, &text, &size) < 0 ||
		node_cbor_get_map(&r, &n) < 0)
		return DREAM_EDECODE;
	if (node_cbor_get_text(&r, &text, &size) < 0 || node_cbor_get_uint(&r, ret_count) < 0 ||
		node_cbor_get_text(&r, &text, &size) < 0)
		return DREAM_EDECODE;
	return node_cbor_get_int(&r, ret_ns);
}

/* Runs a process that counts for @ms and says what it reached. */
static int measure(node_proc_t *proc, const char *kind, dream_pid_t server, int64_t ms, int64_t timeout_ms,
	double *ret_rate)
{
	dream_msg_t *msg;
	uint64_t count = 0;
	int64_t ns = 1;
	int r = start(proc, kind, order(proc, server, 0, ms, timeout_ms), 0, NULL);
	if (r == DREAM_OK)
		r = node_call_receive(proc, NULL, NULL, ms * 10 + 10000, &msg);
	if (r < 0)
		return r;
	r = read_result(msg, &count, &ns);
	node_msg_unref(msg);
	*ret_rate = (double) count * 1e9 / (double) ns;
	return r;
}

/* ---- calls ---- */

static int call_one(node_proc_t *proc, int64_t timeout_ms)
{
	dream_pid_t server;
	double rate = 0;
	int r = start(proc, "counter", NULL, 0, &server);
	if (r == DREAM_OK)
		r = measure(proc, "caller", server, WARM_MS, timeout_ms, &rate);
	if (r == DREAM_OK)
		r = measure(proc, "caller", server, RUN_MS, timeout_ms, &rate);
	if (r == DREAM_OK)
		print(rate, "calls/s");
	return r;
}

static int run_call_1(node_proc_t *proc)
{
	return call_one(proc, DREAM_INFINITY);
}

static int run_call_1_5s(node_proc_t *proc)
{
	return call_one(proc, 5000);
}

static int await_all(node_proc_t *proc, const uint64_t *monitors)
{
	int r = DREAM_OK;
	for (uint32_t i = 0; i < CLIENTS && r == DREAM_OK; i++) {
		dream_msg_t *reason;
		r = node_call_await_down(proc, monitors[i], node_call_deadline(proc->node, 60000), &reason);
		if (r == DREAM_OK && !node_msg_is_text(reason, "normal"))
			r = DREAM_EDOWN;
		if (r == DREAM_OK)
			node_msg_unref(reason);
	}
	return r;
}

/* Each client has a server of its own and calls it equally often; the last one to end stops the clock. */
static int call_round(
	node_proc_t *proc, const dream_pid_t *servers, uint64_t each, int64_t timeout_ms, double *ret_rate)
{
	dream_pid_t clients[CLIENTS];
	uint64_t monitors[CLIENTS];
	int r = DREAM_OK;
	for (uint32_t i = 0; i < CLIENTS && r == DREAM_OK; i++) {
		monitors[i] = node_proc_new_ref(proc->node);
		r = start(proc, "caller", order(proc, servers[i], each, 0, timeout_ms), monitors[i],
			&clients[i]);
	}
	int64_t begin_ns = node_clock_now(proc->node);
	for (uint32_t i = 0; i < CLIENTS && r == DREAM_OK; i++) {
		dream_dest_t to = {clients[i], NULL, NULL};
		r = node_call_send_take(proc->node, proc, &to, node_msg_text("go"));
	}
	if (r == DREAM_OK)
		r = await_all(proc, monitors);
	*ret_rate = (double) (CLIENTS * each) * 1e9 / (double) (node_clock_now(proc->node) - begin_ns);
	return r;
}

static int call_many(node_proc_t *proc, int64_t timeout_ms)
{
	dream_pid_t servers[CLIENTS];
	double rate = 0;
	int r = DREAM_OK;
	for (uint32_t i = 0; i < CLIENTS && r == DREAM_OK; i++)
		r = start(proc, "counter", NULL, 0, &servers[i]);
	if (r == DREAM_OK)
		r = call_round(proc, servers, 200, timeout_ms, &rate);
	uint64_t each = (uint64_t) (rate * RUN_MS / 1000 / CLIENTS);
	if (r == DREAM_OK)
		r = call_round(proc, servers, each > 100 ? each : 100, timeout_ms, &rate);
	if (r == DREAM_OK)
		print(rate, "calls/s");
	return r;
}

static int run_call_1000(node_proc_t *proc)
{
	return call_many(proc, DREAM_INFINITY);
}

static int run_call_1000_5s(node_proc_t *proc)
{
	return call_many(proc, 5000);
}

/* ---- memory ---- */

static int64_t resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return (int64_t) pages * sysconf(_SC_PAGESIZE);
}

static int run_idle_bytes(node_proc_t *proc)
{
	dream_pid_t none = {0, 0, 0};
	dream_msg_t *msg;
	int r = start(proc, "counter", NULL, 0, NULL);
	int64_t before = resident_bytes();
	if (r == DREAM_OK)
		r = start(proc, "starter", order(proc, none, IDLE, 0, 0), 0, NULL);
	if (r == DREAM_OK)
		r = node_call_receive(proc, NULL, NULL, 120000, &msg);
	if (r < 0)
		return r;
	node_msg_unref(msg);
	print((double) (resident_bytes() - before) / IDLE, "bytes");
	return DREAM_OK;
}

/* ---- processes that come and go ---- */

/* A burst has ended when its processes are gone, not when they were asked for. */
static int spawn_bursts(node_proc_t *proc, int64_t ms, double *ret_rate)
{
	dream_pid_t none = {0, 0, 0};
	uint32_t before = node_proctab_count(proc->node);
	int64_t begin_ns = node_clock_now(proc->node);
	uint64_t count = 0;
	while (node_clock_now(proc->node) - begin_ns < ms * NODE_MS) {
		int r = start(proc, "spawner", order(proc, none, BURST, 0, 0), 0, NULL);
		if (r < 0)
			return r;
		while (node_proctab_count(proc->node) > before)
			node_sched_yield(proc);
		count += BURST;
	}
	*ret_rate = (double) count * 1e9 / (double) (node_clock_now(proc->node) - begin_ns);
	return DREAM_OK;
}

static int run_spawn_exit(node_proc_t *proc)
{
	double rate = 0;
	int r = spawn_bursts(proc, WARM_MS, &rate);
	if (r == DREAM_OK)
		r = spawn_bursts(proc, RUN_MS, &rate);
	if (r == DREAM_OK)
		print(rate, "processes/s");
	return r;
}

static int run_spawn_monitor(node_proc_t *proc)
{
	dream_pid_t none = {0, 0, 0};
	double rate = 0;
	int r = measure(proc, "monitorer", none, WARM_MS, 0, &rate);
	if (r == DREAM_OK)
		r = measure(proc, "monitorer", none, RUN_MS, 0, &rate);
	if (r == DREAM_OK)
		print(rate, "processes/s");
	return r;
}

/* ---- the node around them ---- */

static const case_t cases[] = {
	{"call_1", run_call_1},
	{"call_1_5s", run_call_1_5s},
	{"call_1000", run_call_1000},
	{"call_1000_5s", run_call_1000_5s},
	{"idle_bytes", run_idle_bytes},
	{"spawn_exit", run_spawn_exit},
	{"spawn_monitor", run_spawn_monitor},
};

static int driver_run(node_proc_t *proc)
{
	node_diag_t diag = {.text = ""};
	int r = node_app_load(proc, DREAM_BENCH_MODULE, &diag);
	if (r == DREAM_OK)
		r = chosen->run(proc);
	if (r < 0)
		fprintf(stderr, "bench %s: %s %s\n", chosen->name, node_diag_code_name(r), diag.text);
	g_mutex_lock(&done_lock);
	done = r;
	g_cond_signal(&done_cond);
	g_mutex_unlock(&done_lock);
	return NODE_RUN_EXIT;
}

static const node_proc_ops_t driver_ops = {"driver", driver_run, NULL};

static int run_node(node_t *node)
{
	node_log_t *log;
	node_diag_t diag;
	node_sched_options_t options = {.n_threads = 2};
	node_spawn_t driver = {.ops = &driver_ops, .label = "driver", .flags = NODE_PROC_SYSTEM};
	snprintf(node->name, sizeof(node->name), "bench@localhost");
	node->creation = 1;
	node->clock = node_clock_system_borrow();
	node->host = node_host_table_borrow();
	if (node_log_open(node, STDERR_FILENO, DREAM_LOG_WARNING, &log) < 0 ||
		node_proctab_open(node, NODE_PROC_MAX_DEFAULT) < 0 || node_sched_open(node, &options) < 0 ||
		node_code_open(node, NULL, &diag) < 0 || node_app_open(node) < 0)
		return DREAM_ENOMEM;
	int r = node_proc_spawn(node, &driver, NULL);
	if (r == DREAM_OK)
		r = node_sched_start(node);
	g_mutex_lock(&done_lock);
	while (r == DREAM_OK && done == 1)
		g_cond_wait(&done_cond, &done_lock);
	g_mutex_unlock(&done_lock);
	node_sched_stop(node);
	return r < 0 ? r : done;
}

int main(int argc, char **argv)
{
	static node_t node;
	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, argv[1]) == 0)
			chosen = &cases[i];
	if (chosen == NULL) {
		fprintf(stderr, "usage: bench CASE, one of:");
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			fprintf(stderr, " %s", cases[i].name);
		fprintf(stderr, "\n");
		return 2;
	}
	int r = run_node(&node);
	fflush(NULL);
	_exit(r < 0 ? 1 : 0); /* a million processes need no tidy end */
}
