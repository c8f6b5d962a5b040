// SPDX-License-Identifier: MIT
// Blocking functions: on their threads, with their limits, and without their callers.
#include <pthread.h>
#include <atomic>

#include "unit/io/fixture.h"

namespace
{

// What functions of these tests share with the test. Where a function finds it is all that its argument says.
struct Gate {
	Latch begun{1}, open{1}, dropped{1};
	std::atomic<int> runs{0};
};

struct Job {
	Gate *gate;
	int64_t number;
};

int32_t pass(void *arg)
{
	Job *job = static_cast<Job *>(arg);
	job->gate->runs++;
	job->gate->begun.hit();
	job->gate->open.wait();
	job->number *= 2;
	return 7;
}

void on_drop(void *arg)
{
	static_cast<Job *>(arg)->gate->dropped.hit();
}

int run_gate(Gate *gate, int64_t timeout_ms, Job *job, int32_t *ret_result)
{
	dream_blocking_t how = {};
	*job = {gate, 21};
	how.struct_size = sizeof(how);
	how.fn = pass;
	how.drop = on_drop;
	how.arg = job;
	how.arg_bytes = sizeof(*job);
	how.timeout_ms = timeout_ms;
	return dream_blocking_run(&how, ret_result);
}

node_io_options_t narrow(uint32_t threads, uint32_t queue)
{
	node_io_options_t options = io_options();
	options.blocking_threads = threads;
	options.blocking_queue = queue;
	return options;
}

} // namespace

TEST(Blocking, FunctionRunsOnAThreadOfItsOwnAndItsCopyComesBack)
{
	Gate gate;
	int r = 1;
	int32_t result = 0;
	int64_t number = 0;
	gate.open.hit();
	IoThreads node;
	node.spawn([&](node_proc_t *) {
		Job job;
		r = run_gate(&gate, 10000, &job, &result);
		number = job.number;
	});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(r, DREAM_OK);
	EXPECT_EQ(result, 7);
	EXPECT_EQ(number, 42);
}

TEST(Blocking, SchedulerServesOthersMeanwhile)
{
	Gate gate;
	IoThreads node(1);
	int r = 1;
	node.spawn([&](node_proc_t *) {
		Job job;
		r = run_gate(&gate, 10000, &job, nullptr);
	});
	ASSERT_TRUE(gate.begun.wait());
	node.spawn([&](node_proc_t *) { gate.open.hit(); });
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(r, DREAM_OK);
}

TEST(Blocking, PoolGrowsToItsLimitAndQueuesBeyond)
{
	static const int n_threads = 4, n_jobs = 9;
	struct Meet {
		Latch together{n_threads};
		std::atomic<int> inside{0}, most{0};
	} meet;
	Meet *where = &meet;
	IoThreads node(2, narrow(n_threads, 100));
	for (int i = 0; i < n_jobs; i++)
		node.spawn([where](node_proc_t *) {
			Meet *arg = where;
			EXPECT_EQ(dream_blocking(
					  [](void *at) -> int32_t {
						  Meet *m = *static_cast<Meet **>(at);
						  int now = ++m->inside;
						  for (int most = m->most; most < now;)
							  m->most.compare_exchange_weak(most, now);
						  m->together.hit();
						  m->together.wait(); // only passes with four threads
						  m->inside--;
						  return 0;
					  },
					  &arg, sizeof(arg), 10000, nullptr),
				DREAM_OK);
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(meet.most, n_threads);
	EXPECT_EQ(node_pool_counts(node).threads, (uint32_t) n_threads);
}

TEST(Blocking, FullQueueRefuses)
{
	Gate gate;
	IoNode node(narrow(1, 1));
	Job jobs[3];
	int r[3] = {1, 1, 1};
	for (int i = 0; i < 3; i++) {
		node.go([&, i](node_proc_t *) { r[i] = run_gate(&gate, 10000, &jobs[i], nullptr); });
		if (i == 0) {
			ASSERT_TRUE(gate.begun.wait());
		}
	}
	EXPECT_EQ(r[2], DREAM_EBUSY);
	EXPECT_EQ(node_pool_counts(node).queued, 1u);
	gate.open.hit();
	ASSERT_TRUE(soon([&] {
		node.run();
		return r[0] != 1 && r[1] != 1;
	}));
	EXPECT_EQ(r[0], DREAM_OK);
	EXPECT_EQ(r[1], DREAM_OK);
	EXPECT_EQ(gate.runs, 2);
}

TEST(Blocking, CallerThatGivesUpLeavesTheResultToDrop)
{
	Gate gate;
	IoNode node;
	Job job;
	int r = 1;
	node.go([&](node_proc_t *) { r = run_gate(&gate, 5000, &job, nullptr); });
	ASSERT_TRUE(gate.begun.wait());
	node.advance(4999);
	EXPECT_EQ(r, 1);
	node.advance(1);
	EXPECT_EQ(r, DREAM_ETIMEDOUT);
	gate.open.hit();
	EXPECT_TRUE(gate.dropped.wait());
	EXPECT_EQ(job.number, 21) << "the caller's own is not touched any more";
}

TEST(Blocking, FunctionWhoseCallerGaveUpInTheQueueNeverRuns)
{
	Gate gate;
	IoNode node(narrow(1, 1));
	Job first, second;
	int r = 1;
	node.go([&](node_proc_t *) { (void) run_gate(&gate, 60000, &first, nullptr); });
	ASSERT_TRUE(gate.begun.wait());
	node.go([&](node_proc_t *) { r = run_gate(&gate, 10, &second, nullptr); });
	node.advance(10);
	EXPECT_EQ(r, DREAM_ETIMEDOUT);
	EXPECT_EQ(node_pool_counts(node).queued, 0u);
	gate.open.hit();
	ASSERT_TRUE(soon([&] { return node_pool_counts(node).idle == 1; }));
	EXPECT_EQ(gate.runs, 1);
}

TEST(Blocking, KilledCallerInTheQueueNeverRuns)
{
	Gate gate;
	IoNode node(narrow(1, 1));
	Job first, second;
	node.go([&](node_proc_t *) { (void) run_gate(&gate, 60000, &first, nullptr); });
	ASSERT_TRUE(gate.begun.wait());
	dream_pid_t pid = node.go([&](node_proc_t *) { (void) run_gate(&gate, 60000, &second, nullptr); });
	node.kill(pid);
	EXPECT_EQ(node_pool_counts(node).queued, 0u);
	gate.open.hit();
	ASSERT_TRUE(soon([&] { return node_pool_counts(node).idle == 1; }));
	EXPECT_EQ(gate.runs, 1);
}

TEST(Blocking, GenerationOfAKilledCallerStaysInUseUntilItsFunctionEnds)
{
	Gate gate;
	IoNode node;
	Script script;
	Job job;
	node_gen_t *gen = node.load();
	ASSERT_NE(gen, nullptr);
	const auto refs = [gen] { return __atomic_load_n(&gen->refs, __ATOMIC_ACQUIRE); };
	const uint32_t before = refs();
	dream_pid_t pid = {0, 0, 0};
	script.on_main = [&] {
		(void) run_gate(&gate, DREAM_INFINITY, &job, nullptr);
		return DREAM_OK;
	};
	node.go([&](node_proc_t *proc) {
		Start how;
		how.kind = "plain";
		pid = start(proc, script, how);
	});
	ASSERT_TRUE(gate.begun.wait());
	node.kill(pid);
	EXPECT_EQ(refs(), before + 1) << "the function's own";
	gate.open.hit();
	EXPECT_TRUE(gate.dropped.wait());
	EXPECT_TRUE(soon([&] { return refs() == before; }));
}

TEST(Blocking, ThreadsEndWhenTheyHadNothingToDo)
{
	Gate gate;
	gate.open.hit();
	node_io_options_t options = narrow(4, 4);
	options.blocking_idle_ms = 1;
	IoThreads node(1, options);
	node.spawn([&](node_proc_t *) {
		Job job;
		EXPECT_EQ(run_gate(&gate, 10000, &job, nullptr), DREAM_OK);
	});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_TRUE(soon([&] { return node_pool_counts(node).threads == 0; }));
}

TEST(Blocking, FunctionIsRefusedWhatNeedsAProcess)
{
	struct Seen {
		IoThreads *node;
		int send, receive, listen, log_after;
		bool memory, pid, now;
	} seen = {};
	IoThreads node;
	seen.node = &node;
	node.spawn([&](node_proc_t *) {
		EXPECT_EQ(dream_blocking(
				  [](void *arg) -> int32_t {
					  Seen *s = static_cast<Seen *>(arg);
					  dream_tcp_listen_t how = {};
					  dream_ref_t ref;
					  dream_msg_t *msg = nullptr;
					  how.struct_size = sizeof(how);
					  s->send = dream_send(dream_to_name("x"), "t", &dream_unit_type, "");
					  s->receive = dream_receive(nullptr, nullptr, 0, &msg);
					  s->listen = dream_tcp_listen(&how, &ref);
					  s->memory = dream_alloc(16) != nullptr;
					  s->pid = dream_self().id != 0;
					  s->now = dream_now_ns() > 0;
					  dream_log(DREAM_LOG_NOTICE, "hello from %s", "below");
					  return 1;
				  },
				  &seen, sizeof(seen), 10000, nullptr),
			DREAM_OK);
	});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(seen.send, DREAM_EPERM);
	EXPECT_EQ(seen.receive, DREAM_EPERM);
	EXPECT_EQ(seen.listen, DREAM_EPERM);
	EXPECT_FALSE(seen.memory);
	EXPECT_FALSE(seen.pid);
	EXPECT_TRUE(seen.now);
	EXPECT_EQ(node.logged("hello from below"), 1u);
}

TEST(Blocking, ExitEndsTheFunctionAlone)
{
	IoThreads node;
	int32_t result = 0;
	int r = 1;
	node.spawn([&](node_proc_t *) {
		r = dream_blocking(
			[](void *) -> int32_t { dream_exit(nullptr); }, nullptr, 0, 10000, &result);
	});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(r, DREAM_OK);
	EXPECT_EQ(result, DREAM_EPERM);
}

TEST(Blocking, WrongArgumentsAreRefused)
{
	IoNode node;
	int none = 1, huge = 1, missing = 1;
	node.go([&](node_proc_t *) {
		const auto fn = [](void *) -> int32_t { return 0; };
		char byte = 0;
		none = dream_blocking(nullptr, nullptr, 0, 1000, nullptr);
		huge = dream_blocking(fn, &byte, NODE_POOL_ARG_MAX + 1, 1000, nullptr);
		missing = dream_blocking(fn, nullptr, 1, 1000, nullptr);
	});
	EXPECT_EQ(none, DREAM_EINVAL);
	EXPECT_EQ(huge, DREAM_EINVAL);
	EXPECT_EQ(missing, DREAM_EINVAL);
}

TEST(Blocking, StopNamesWhatItLeavesBehind)
{
	Gate gate;
	node_io_options_t options = io_options();
	options.stop_ms = 1;
	IoNode node(options);
	Job job;
	node.go([&](node_proc_t *) { (void) run_gate(&gate, DREAM_INFINITY, &job, nullptr); });
	ASSERT_TRUE(gate.begun.wait());
	node_io_stop(node);
	EXPECT_EQ(node.logged("stopping: the blocking function dreamd"), 1u);
	gate.open.hit();
	EXPECT_TRUE(soon([&] { return node_pool_counts(node).threads == 0; }));
}

TEST(Blocking, FunctionThatOutlivesItsNodeTouchesNothingOfIt)
{
	struct Late {
		Gate gate;
		Latch out{1};
		std::atomic<int64_t> now{1};
	} late;
	Late *where = &late;
	{
		node_io_options_t options = io_options();
		options.stop_ms = 1;
		IoNode node(options);
		node.go([&](node_proc_t *) {
			(void) dream_blocking(
				[](void *arg) -> int32_t {
					Late *l = *static_cast<Late **>(arg);
					l->gate.begun.hit();
					l->gate.open.wait();
					dream_log(DREAM_LOG_ERROR, "to nobody");
					l->now = dream_now_ns();
					l->out.hit();
					return 0;
				},
				&where, sizeof(where), DREAM_INFINITY, nullptr);
		});
		ASSERT_TRUE(late.gate.begun.wait());
	}
	late.gate.open.hit();
	EXPECT_TRUE(late.out.wait());
	EXPECT_EQ(late.now, 0);
}
