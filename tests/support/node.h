// SPDX-License-Identifier: MIT
// node.h: nodes for tests. A SimNode has a virtual clock and one scheduler that the test drives; a ThreadNode has
// the machine's clock and real scheduler threads. Processes are C++ lambdas.
//
// A lambda that is killed while it waits leaves its stack without unwinding: what it holds on the heap then
// must belong to the process or to the test.
#ifndef TESTS_SUPPORT_NODE_H
#define TESTS_SUPPORT_NODE_H
#include <gtest/gtest.h>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <vector>
#include "base/clock.h"
#include "base/log.h"
#include "code/code.h"
#include "io/io.h"
#include "otp/call.h"
#include "otp/server.h"
#include "otp/start.h"
#include "proc/proc.h"
#include "sched/sched.h"
#include "support/script.h"
#include "term/msg.h"

using Body = std::function<void(node_proc_t *)>;

// What to do at spawn; members as in node_spawn_t.
struct Spawn {
	const char *name = nullptr;
	node_proc_t *parent = nullptr;
	bool link = false;
	uint64_t monitor_ref = 0;
	uint32_t flags = 0;
	int *result = nullptr; // instead of expecting success
	const node_limits_t *limits = nullptr;
};

class TestNode
{
      public:
	TestNode(const TestNode &) = delete;
	TestNode &operator=(const TestNode &) = delete;

	operator node_t *()
	{
		return &node_;
	}
	node_t *operator->()
	{
		return &node_;
	}

	// A process that runs `body` and ends normal when it returns.
	dream_pid_t spawn(Body body, const Spawn &how = {});
	// Loads a version of the module `scripted` and makes it current; opens the code room first.
	node_gen_t *load(int version = 1, bool current = true);
	bool alive(dream_pid_t pid)
	{
		return node_proctab_find(&node_, pid.id) != nullptr;
	}
	// The log's lines that contain `part`.
	unsigned logged(const std::string &part);
	// True once all lambdas have ended; waits 10 s at most. For nodes with threads.
	bool wait_bodies();
	// Ends the node before the destructor does.
	void close();

      protected:
	TestNode(const char *name, node_clock_t *clock, const node_sched_options_t &options);
	~TestNode()
	{
		close();
	}
	node_t node_ = {};

      private:
	friend struct TestBody;
	bool open_ = true;
	std::mutex lock_;
	std::condition_variable ended_;
	uint64_t n_bodies_ = 0;
	std::vector<node_gen_t *> loaded_;
};

struct VirtualClock {
	VirtualClock(uint64_t seed);
	node_clock_t clock;
	int64_t now_ns;
	uint64_t random;
};

class SimNode : private VirtualClock, public TestNode
{
      public:
	explicit SimNode(uint64_t seed = 1, const char *name = "sim@test", uint32_t max_stacks = 0);
	// Runs what is ready until nothing is; fails the test if that does not come to an end.
	void run();
	// Moves the clock by steps to each timer that becomes due, running everything in between.
	void advance(int64_t ms);
	int64_t now_ms() const
	{
		return now_ns / NODE_MS;
	}
	// Moves the clock under a process that computes.
	void pass(int64_t ns)
	{
		now_ns += ns;
	}
	// Spawns and runs until nothing is ready.
	dream_pid_t go(Body body, const Spawn &how = {});
};

class ThreadNode : public TestNode
{
      public:
	explicit ThreadNode(uint32_t n_threads = 2);
};

// Counts down to zero; whoever waits gives up after 10 s and fails the test.
class Latch
{
      public:
	explicit Latch(int n) : n_(n) {}
	void hit();
	bool wait();

      private:
	std::mutex lock_;
	std::condition_variable zero_;
	int n_;
};

// ---- terms and messages

// Diagnostic notation, the message is yours.
dream_msg_t *term(const std::string &text);
// Notation of a message; "(none)" for NULL.
std::string text(const dream_msg_t *msg);
// The same, and gives the message up.
std::string text_take(dream_msg_t *msg);
std::string text_of(const node_t *node, dream_pid_t pid);

// Sends `text` in notation from `proc` (may be NULL).
int send(node_t *node, node_proc_t *proc, dream_pid_t to, const std::string &text);
// The next message of any kind as notation, or "(timeout)".
std::string receive(node_proc_t *proc, int64_t timeout_ms = 0);
// exit/2
void exit_signal(node_t *node, node_proc_t *from, dream_pid_t to, const std::string &reason);
// Waits without an end; returns only by being killed.
void wait_forever(node_proc_t *proc);
// A call, the reply as notation, or "error -4003 reason".
std::string call(
	node_proc_t *proc, dream_pid_t to, const std::string &request, int64_t timeout_ms = DREAM_INFINITY);
std::string sys(node_proc_t *proc, dream_pid_t to, int32_t op, void *data = nullptr);

// ---- servers

// Callbacks of a server of the module `scripted`. Must outlive it.
class Script : public script_t
{
      public:
	Script();
	std::function<int()> on_init;
	std::function<dream_next_t(const dream_msg_t *, dream_msg_t **)> on_call;
	std::function<dream_next_t(const dream_msg_t *)> on_cast;
	std::function<dream_next_t(const dream_msg_t *)> on_info;
	std::function<dream_next_t(const dream_msg_t *)> on_continue;
	std::function<void(const dream_msg_t *)> on_terminate;
	std::function<int(uint32_t)> on_code_change;
	std::function<int()> on_main;

	// Its address in notation: the args of its server.
	std::string args() const;
};

// Starts a server of module `scripted`; EXPECTs DREAM_OK unless `result` is given.
struct Start {
	const char *kind = "server";
	const char *name = nullptr;
	bool link = false;
	int64_t timeout_ms = 0;
	int *result = nullptr;
};
dream_pid_t start(node_proc_t *parent, const Script &script, const Start &how = {});
// A message that the calling server owns, for replies and sends through the SDK.
dream_msg_t *owned(const std::string &text);

#endif
