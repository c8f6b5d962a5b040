/* SPDX-License-Identifier: MIT */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void bench_print(const char *name, double value, const char *unit)
{
	printf("%s %.4g %s\n", name, value, unit);
	fflush(stdout);
}

int64_t bench_resident_bytes(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
		pages = 0;
	if (f != NULL)
		fclose(f);
	return (int64_t) pages * sysconf(_SC_PAGESIZE);
}

/* ---- one process that works for a time ---- */

static int run_for(int64_t ms, int64_t (*burst)(void *arg), void *arg, double *ret_rate)
{
	int64_t begin_ns = dream_now_ns(), ns;
	int64_t count = 0;
	do {
		int64_t n = burst(arg);
		if (n < 0)
			return (int) n;
		count += n;
		ns = dream_now_ns() - begin_ns;
	} while (ns < ms * 1000000);
	*ret_rate = (double) count * 1e9 / (double) ns;
	return DREAM_OK;
}

int bench_rate(const bench_t *b, int64_t (*burst)(void *arg), void *arg, double *ret_rate)
{
	int r = run_for(b->warm_ms, burst, arg, ret_rate);
	return r < 0 ? r : run_for(b->run_ms, burst, arg, ret_rate);
}

/* ---- teams ---- */

int bench_team(
	const char *kind, uint64_t n, const dream_pid_t *peers, uint64_t n_peers, dream_pid_t *ret_pids)
{
	dream_spawn_t how = {DREAM_SIZED(dream_spawn_t), .flags = DREAM_SPAWN_LINK, .kind = kind};
	bench_member_t member = {.boss = dream_self()};
	int r = DREAM_OK;
	for (uint64_t i = 0; i < n && r == DREAM_OK; i++) {
		dream_msg_t *args;
		member.index = i;
		if (n_peers > 0)
			member.peer = peers[i % n_peers];
		r = dream_msg_encode(NULL, &bench_member_type, &member, &args);
		if (r < 0)
			return r;
		how.args = args;
		r = dream_spawn(&how, &ret_pids[i], NULL);
		dream_msg_unref(args);
	}
	return r;
}

static int32_t is_done(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return dream_msg_has_tag(msg, "done");
}

int bench_send_go(dream_pid_t pid, uint64_t count)
{
	const bench_go_t go = {count};
	return dream_send(dream_to(pid), "go", &bench_go_type, &go);
}

int bench_await_done(uint64_t n)
{
	int r = DREAM_OK;
	for (uint64_t i = 0; i < n && r == DREAM_OK; i++) {
		dream_msg_t *done;
		r = dream_receive(is_done, NULL, DREAM_INFINITY, &done);
		if (r == DREAM_OK)
			dream_msg_unref(done);
	}
	return r;
}

int bench_go(const dream_pid_t *pids, uint64_t n, uint64_t count, int64_t *ret_ns)
{
	int64_t begin_ns = dream_now_ns();
	int r = DREAM_OK;
	for (uint64_t i = 0; i < n && r == DREAM_OK; i++)
		r = bench_send_go(pids[i], count);
	if (r == DREAM_OK)
		r = bench_await_done(n);
	*ret_ns = dream_now_ns() - begin_ns;
	return r;
}

int bench_team_rate(const bench_t *b, const dream_pid_t *pids, uint64_t n, uint64_t first, double per_count,
	double *ret_rate)
{
	int64_t ns = 1;
	int r = bench_go(pids, n, first, &ns);
	uint64_t count = (uint64_t) ((double) first * (double) b->run_ms * 1e6 / (double) ns);
	if (count < first)
		count = first;
	if (r == DREAM_OK)
		r = bench_go(pids, n, count, &ns);
	*ret_rate = (double) n * (double) count * per_count * 1e9 / (double) ns;
	return r;
}

static int32_t is_go(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return dream_msg_has_tag(msg, "go");
}

int bench_await_go(uint64_t *ret_count)
{
	bench_go_t go;
	dream_msg_t *msg;
	int r = dream_receive(is_go, NULL, DREAM_INFINITY, &msg);
	if (r < 0)
		return r;
	r = dream_msg_decode(msg, "go", &bench_go_type, &go);
	dream_msg_unref(msg);
	if (r == DREAM_OK)
		*ret_count = go.count;
	return r;
}

int bench_done(dream_pid_t boss)
{
	dream_unit_t nothing = {0};
	return dream_send(dream_to(boss), "done", &dream_unit_type, &nothing);
}

int bench_drop(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		dream_msg_t *msg;
		int r = dream_receive(NULL, NULL, DREAM_INFINITY, &msg);
		if (r < 0)
			return r;
		dream_msg_unref(msg);
	}
	return DREAM_OK;
}

int bench_servers(const char *kind, uint64_t n, dream_pid_t *ret_pids)
{
	const dream_start_t how = {DREAM_SIZED(dream_start_t), .kind = kind};
	int r = DREAM_OK;
	for (uint64_t i = 0; i < n && r == DREAM_OK; i++)
		r = dream_start(&how, &ret_pids[i]);
	return r;
}

/* ---- the one that runs the case ---- */

#define ENV(F)                                                                                               \
	F(text, case_name) F(i64, warm_ms) F(i64, run_ms) F(u64, large) F(i64, timeout_ms) F(bool, tidy)
DREAM_TYPE(env, ENV);

int64_t bench_timeout_ms(void)
{
	env_t env;
	return dream_env(&env_type, &env) < 0 ? DREAM_CALL_TIMEOUT_MS : env.timeout_ms;
}

static int run_case(const env_t *env)
{
	const bench_t b = {env->warm_ms, env->run_ms, env->large};
	for (const bench_case_t *c = bench_cases; c->name != NULL; c++)
		if (strlen(c->name) == env->case_name.size_bytes &&
			memcmp(c->name, env->case_name.data, env->case_name.size_bytes) == 0)
			return c->run(&b);
	return DREAM_ENOENT;
}

/* A million processes need no tidy end; where leaks are looked for the node is stopped as an operator does. */
static void end_node(bool tidy, int code)
{
	fflush(NULL);
	if (!tidy || code < 0)
		syscall(SYS_exit_group,
			code < 0 ? 1 : 0); /* _exit() would end the process alone: docs/containment.md */
	kill(getpid(), SIGTERM);
}

int bench_conduct(const dream_msg_t *args)
{
	env_t env = {.tidy = false};
	(void) args;
	int r = dream_env(&env_type, &env);
	if (r == DREAM_OK)
		r = run_case(&env);
	if (r < 0)
		fprintf(stderr, "bench: %.*s: error %d\n", (int) env.case_name.size_bytes, env.case_name.data,
			r);
	end_node(env.tidy, r);
	return DREAM_OK;
}
