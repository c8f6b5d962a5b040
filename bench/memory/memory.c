/* SPDX-License-Identifier: MIT */
/* memory.c: what processes cost in memory: `bench_memory CASE COUNT` prints "NAME VALUE UNIT" lines. The node runs two
 * schedulers. Resident bytes are all of the program's, page tables besides, since the kernel keeps those for it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/app.h"
#include "app/host.h"
#include "base/clock.h"
#include "base/log.h"
#include "otp/call.h"
#include "otp/start.h"
#include "sched/sched.h"

typedef struct {
	const char *name;
	int (*run)(node_proc_t *proc, uint32_t count);
} case_t;

static const case_t *chosen;
static uint32_t count;
static GMutex done_lock;
static GCond done_cond;
static int done = 1; /* 1: running; else the outcome */

static void print(const char *what, double value, const char *unit)
{
	printf("%s_%s %.1f %s\n", chosen->name, what, value, unit);
	fflush(stdout);
}

/* ---- what the kernel says ---- */

static double status_bytes(const char *key)
{
	char line[128];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtol(line + strlen(key), NULL, 10);
	if (f != NULL)
		fclose(f);
	return (double) kib * 1024;
}

typedef struct {
	double resident;
	double tables;
	int64_t ns;
} point_t;

static point_t now(node_proc_t *proc)
{
	return (point_t){status_bytes("VmRSS:"), status_bytes("VmPTE:"), node_clock_now(proc->node)};
}

static void print_since(node_proc_t *proc, point_t before, uint32_t n)
{
	point_t after = now(proc);
	print("bytes", (after.resident - before.resident) / n, "bytes");
	print("page_tables", (after.tables - before.tables) / n, "bytes");
	print("start", (double) (after.ns - before.ns) / n, "ns");
}

static double cpu_ms(void)
{
	struct timespec used;
	(void) clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (double) used.tv_sec * 1e3 + (double) used.tv_nsec / 1e6;
}

static void rest_ms(node_proc_t *proc, int64_t ms)
{
	(void) node_proc_wait(proc, node_clock_now(proc->node) + ms * NODE_MS);
}

/* What the node takes of the processor when nobody has anything to do. */
static void print_rest(node_proc_t *proc)
{
	rest_ms(proc, 1000); /* until the watchdog has fallen asleep */
	double before_ms = cpu_ms();
	rest_ms(proc, 10000);
	print("cpu_in_10_s", cpu_ms() - before_ms, "ms");
}

/* ---- cases ---- */

static int start(node_proc_t *proc, const char *kind, dream_pid_t *ret_pid)
{
	node_start_t how = {.module = "memory", .kind = kind};
	return node_start_kind(proc, &how, ret_pid);
}

static int run_idle(node_proc_t *proc, uint32_t n)
{
	int r = start(proc, "counter", NULL);
	point_t before = now(proc);
	for (uint32_t i = 0; i < n && r == DREAM_OK; i++)
		r = start(proc, "counter", NULL);
	print_since(proc, before, n);
	print_rest(proc);
	return r;
}

static bool is_blocked(node_t *node, dream_pid_t pid)
{
	const node_proc_t *proc = node_proctab_find(node, pid.id);
	return proc != NULL && __atomic_load_n(&proc->run_state, __ATOMIC_RELAXED) == NODE_PROC_IDLE &&
	       (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_BLOCKED) != 0;
}

static void send_all(node_proc_t *proc, const dream_pid_t *pids, uint32_t n, const char *text)
{
	for (uint32_t i = 0; i < n; i++) {
		dream_dest_t to = {pids[i], NULL, NULL};
		(void) node_call_send_take(proc->node, proc, &to, node_msg_text(text));
		if (i % 64 == 63)
			node_sched_yield(proc);
	}
}

/* Processes that wait for a message, then each of them woken once, then told to end. */
static int run_blocked(node_proc_t *proc, uint32_t n)
{
	dream_pid_t *pids = g_new0(dream_pid_t, n);
	memset(pids, 1, n * sizeof(*pids)); /* its pages are not the processes' */
	uint32_t others = node_proctab_count(proc->node);
	point_t before = now(proc);
	int r = DREAM_OK;
	for (uint32_t i = 0; i < n && r == DREAM_OK; i++) {
		r = start(proc, "waiter", &pids[i]);
		if (i % 64 == 63)
			node_sched_yield(proc);
	}
	for (uint32_t i = 0; i < n && r == DREAM_OK; i++)
		while (!is_blocked(proc->node, pids[i]))
			node_sched_yield(proc);
	print_since(proc, before, n);
	rest_ms(proc, 3000);
	point_t rested = now(proc);
	print("rested_bytes", (rested.resident - before.resident) / n, "bytes");
	print("rested_page_tables", (rested.tables - before.tables) / n, "bytes");
	print_rest(proc);
	rested = now(proc);
	send_all(proc, pids, n, "again");
	for (uint32_t i = 0; i < n && r == DREAM_OK; i++)
		while (!is_blocked(proc->node, pids[i]))
			node_sched_yield(proc);
	print("wake", (double) (now(proc).ns - rested.ns) / n, "ns");
	send_all(proc, pids, n, "stop");
	while (node_proctab_count(proc->node) > others)
		node_sched_yield(proc);
	return r;
}

static const case_t cases[] = {
	{"idle", run_idle},
	{"blocked", run_blocked},
};

/* ---- the node around them ---- */

static int driver_run(node_proc_t *proc)
{
	node_diag_t diag = {.text = ""};
	int r = node_app_load(proc, DREAM_MEMORY_MODULE, &diag);
	if (r == DREAM_OK)
		r = chosen->run(proc, count);
	if (r < 0)
		fprintf(stderr, "bench_memory %s: %s %s\n", chosen->name, node_diag_code_name(r), diag.text);
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
	for (size_t i = 0; argc == 3 && i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, argv[1]) == 0)
			chosen = &cases[i];
	count = argc == 3 ? (uint32_t) strtoul(argv[2], NULL, 10) : 0;
	if (chosen == NULL || count == 0) {
		fprintf(stderr, "usage: bench_memory CASE COUNT, CASE one of:");
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
			fprintf(stderr, " %s", cases[i].name);
		fprintf(stderr, "\n");
		return 2;
	}
	int r = run_node(&node);
	fflush(NULL);
	_exit(r < 0 ? 1 : 0); /* a million processes need no tidy end */
}
