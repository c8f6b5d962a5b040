/* SPDX-License-Identifier: MIT */
/* bench.h: what the groups of cases share. Each group is a module with an application, like anyone's: it sees the
 * SDK and libc alone, so what is measured is what an application gets. bench/run starts a dreamd with it. */
#ifndef BENCH_CORE_BENCH_H
#define BENCH_CORE_BENCH_H
#include <dream/dream.h>

/* How long a case runs, and how large it is: bench/run --smoke asks for little of both. */
typedef struct bench {
	int64_t warm_ms;
	int64_t run_ms;
	uint64_t large; /* a million, for what is said of a million processes or timers */
} bench_t;

typedef struct bench_case {
	const char *name;
	int (*run)(const bench_t *b); /* prints its figures; [process] */
} bench_case_t;

/* The group's cases, ended by a NULL name; each group defines it. */
extern DREAM_HIDDEN const bench_case_t bench_cases[];

/** Prints a figure, "NAME VALUE UNIT", for bench/run. */
void bench_print(const char *name, double value, const char *unit);

/** @n, or fewer where the run is to be small. */
static inline uint64_t bench_at_most(const bench_t *b, uint64_t n)
{
	return n < b->large ? n : b->large;
}

/** Pages of this node in memory, in bytes. */
int64_t bench_resident_bytes(void);

/** Calls @burst again and again for warm_ms, then for run_ms.
 *  @burst    returns how many operations it did, or an error
 *  @ret_rate operations a second of the second part
 *  Errors    those of @burst */
int bench_rate(const bench_t *b, int64_t (*burst)(void *arg), void *arg, double *ret_rate);

/* ---- a team: processes that start together, work, and say when they are done ---- */

/* What a member is told at its start. */
#define BENCH_MEMBER(F) F(pid, boss) F(pid, peer) F(u64, index)
DREAM_TYPE(bench_member, BENCH_MEMBER);

/* A round: how often each works. */
#define BENCH_GO(F) F(u64, count)
DREAM_TYPE(bench_go, BENCH_GO);

#define BENCH_PID(F) F(pid, pid)
DREAM_TYPE(bench_pid, BENCH_PID);

/** Starts @n processes of @kind (lent), the i-th with peers[i % n_peers]; no peers: its peer is zero. If one of them
 *  fails, so do the case and its node. */
int bench_team(
	const char *kind, uint64_t n, const dream_pid_t *peers, uint64_t n_peers, dream_pid_t *ret_pids);
/** Lets a member work @count times; see bench_await_go(). */
int bench_send_go(dream_pid_t pid, uint64_t count);
/** Waits until @n members have said that they are done; see bench_done(). */
int bench_await_done(uint64_t n);
/** Both, for all of a team. */
int bench_go(const dream_pid_t *pids, uint64_t n, uint64_t count, int64_t *ret_ns);
/** Finds by a first round of @first how often each member works in run_ms, and measures that.
 *  @per_count  operations for one count of one member
 *  @ret_rate   operations a second of all */
int bench_team_rate(const bench_t *b, const dream_pid_t *pids, uint64_t n, uint64_t first, double per_count,
	double *ret_rate);

/** The timeout of calls: the usual five seconds, except where nothing may depend on time. */
int64_t bench_timeout_ms(void);

/** For a member: waits for the next round. */
int bench_await_go(uint64_t *ret_count);
/** For a member: the round is over for it. */
int bench_done(dream_pid_t boss);
/** Receives and drops @n messages, whatever they are. */
int bench_drop(uint64_t n);

/** Starts @n servers of @kind (lent). */
int bench_servers(const char *kind, uint64_t n, dream_pid_t *ret_pids);

int bench_conduct(const dream_msg_t *args);

/** Defines the module of a group; its kinds follow as pointers. */
#define BENCH_MODULE(group, ...)                                                                             \
	DREAM_PROCESS(conductor, bench_conduct);                                                             \
	static const dream_child_t conductor_child = {                                                       \
		DREAM_SIZED(dream_child_t), .restart = DREAM_TRANSIENT, .kind = "conductor"};                \
	DREAM_SUPERVISOR(                                                                                    \
		top, .intensity = DREAM_INTENSITY_NONE, .children = DREAM_CHILDREN(&conductor_child));       \
	DREAM_APPLICATION(group, .description = "measures the node", .root = "top",                          \
		.env = "{\"case_name\": \"\", \"warm_ms\": 200, \"run_ms\": 1000, \"large\": 1000000, "      \
		       "\"timeout_ms\": 5000, "                                                              \
		       "\"tidy\": false}");                                                                  \
	DREAM_MODULE(#group, "1.0.0", &group##_app_kind, &top_kind, &conductor_kind, ##__VA_ARGS__)

#endif
