// SPDX-License-Identifier: MIT
// Stacks of processes that wait: their memory goes and comes back, and the process notices nothing. Driven by hand on a
// virtual clock unless a test is about threads.
#include <gtest/gtest.h>
#include <atomic>
#include <cstring>
#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "proc/proc.h"
#include "sched/local.h"
#include "sched/sched.h"
#include "term/msg.h"

using Body = std::function<void(node_proc_t *)>;

extern "C" {
const dream_host_t *dream_host = nullptr; // no module runs here
}

static int64_t virtual_now(node_clock_t *clock)
{
	return *static_cast<int64_t *>(clock->data);
}

static void no_random(node_clock_t *, void *ret_bytes, size_t size_bytes)
{
	memset(ret_bytes, 7, size_bytes);
}

static int run_body(node_proc_t *proc)
{
	node_proc_drain(proc);
	if (!node_proc_exiting(proc))
		(*static_cast<Body *>(proc->self))(proc);
	return NODE_RUN_EXIT;
}

static void free_body(node_proc_t *proc)
{
	delete static_cast<Body *>(proc->self);
	proc->self = nullptr;
}

static const node_proc_ops_t body_ops = {"lambda", run_body, free_body};

class PlainNode
{
      public:
	// `keep`: how many stacks may have memory before any is stowed.
	explicit PlainNode(uint32_t keep, uint32_t n_threads = 0)
	{
		node_log_t *log;
		node_sched_options_t options = {};
		options.n_threads = n_threads;
		options.keep_warm = keep;
		snprintf(node.name, sizeof(node.name), "plain@test");
		node.creation = 1;
		node.clock = n_threads > 0 ? node_clock_system_borrow() : &clock;
		EXPECT_EQ(node_log_open(&node, -1, DREAM_LOG_DEBUG, &log), DREAM_OK);
		EXPECT_EQ(node_proctab_open(&node, 1u << 20), DREAM_OK);
		EXPECT_EQ(node_sched_open(&node, &options), DREAM_OK);
		if (n_threads > 0) {
			EXPECT_EQ(node_sched_start(&node), DREAM_OK);
		}
	}
	~PlainNode()
	{
		node_sched_stop(&node);
		node_proctab_close(&node);
		node_sched_close(&node);
		node_log_close(node.log);
	}
	dream_pid_t spawn(Body body, uint32_t stack_class = 0)
	{
		dream_pid_t pid = {};
		node_spawn_t how = {};
		how.ops = &body_ops;
		how.self = new Body(std::move(body));
		how.label = "lambda";
		node_limits_t limits = {};
		limits.stack_class = stack_class;
		how.limits = &limits;
		EXPECT_EQ(node_proc_spawn(&node, &how, &pid), DREAM_OK);
		return pid;
	}
	void run()
	{
		node_sched_drive(&node, UINT64_MAX);
	}
	void advance(int64_t ms)
	{
		int64_t end_ns = now_ns + ms * NODE_MS;
		run();
		for (int64_t next_ns; (next_ns = node_sched_next_timer_ns(&node)) <= end_ns;) {
			now_ns = next_ns > now_ns ? next_ns : now_ns;
			run();
		}
		now_ns = end_ns;
		run();
	}
	void send(dream_pid_t to, const char *text)
	{
		node_sig_t *sig = node_sig_new_take(NODE_SIG_MSG, to, {}, 0, node_msg_text(text));
		(void) node_proc_deliver_take(&node, sig);
	}
	void kill(dream_pid_t to)
	{
		dream_msg_t *reason = node_msg_text("kill");
		node_proc_exit_signal(&node, nullptr, to, reason);
		node_msg_unref(reason);
	}
	bool alive(dream_pid_t pid)
	{
		return node_proctab_find(&node, pid.id) != nullptr;
	}
	uint32_t warm()
	{
		return __atomic_load_n(&node.sched->stacks[0].n_warm, __ATOMIC_RELAXED);
	}
	bool stowed(dream_pid_t pid)
	{
		auto stack = static_cast<node_stack_t *>(node_proctab_find(&node, pid.id)->stack);
		return stack != nullptr && (stack->state & NODE_STACK_STOWED) != 0;
	}
	node_t node = {};

      private:
	int64_t now_ns = 1000 * NODE_MS;
	node_clock_t clock = {virtual_now, virtual_now, no_random, &now_ns, nullptr};
};

// The text of the next message; waits as a receive does.
static std::string next_text(node_proc_t *proc, int64_t deadline_ns = NODE_FOREVER)
{
	for (;;) {
		node_sig_t *sig = node_proc_next_take(proc);
		if (sig != nullptr) {
			std::string text(
				reinterpret_cast<const char *>(sig->msg->data) + 1, sig->msg->size_bytes - 1);
			node_sig_free(sig);
			return text;
		}
		if (node_proc_wait_movable(proc, deadline_ns) < 0)
			return "(timeout)";
	}
}

// Waits for "stop" with a pattern below it on the stack, which has to be the same after each message.
static void wait_with_pattern(node_proc_t *proc, unsigned seed, std::atomic<int> *broken)
{
	volatile uint32_t pattern[100];
	for (unsigned i = 0; i < 100; i++)
		pattern[i] = seed * 2654435761u + i;
	volatile uint32_t *where = pattern; // addresses on the stack stay good
	while (next_text(proc) != "stop")
		for (unsigned i = 0; i < 100; i++)
			*broken += where[i] != seed * 2654435761u + i;
}

TEST(Stow, ManyThatWaitKeepTheirStacksContentButNotItsMemory)
{
	const unsigned n = 500;
	PlainNode node(16);
	std::atomic<int> broken{0};
	std::vector<dream_pid_t> pids;
	for (unsigned i = 0; i < n; i++)
		pids.push_back(
			node.spawn([i, &broken](node_proc_t *proc) { wait_with_pattern(proc, i, &broken); }));
	node.run();
	node.advance(2000);
	EXPECT_LE(node.warm(), 17u);
	for (int round = 0; round < 3; round++) {
		for (dream_pid_t pid : pids)
			node.send(pid, "again");
		node.advance(2000);
		EXPECT_LE(node.warm(), 17u);
	}
	for (dream_pid_t pid : pids)
		node.send(pid, "stop");
	node.run();
	EXPECT_EQ(broken, 0);
	EXPECT_EQ(node_proctab_count(&node.node), 0u);
}

TEST(Stow, BelowTheLimitNothingIsTouched)
{
	PlainNode node(16);
	std::vector<dream_pid_t> pids;
	for (unsigned i = 0; i < 10; i++)
		pids.push_back(node.spawn([](node_proc_t *proc) { next_text(proc); }));
	node.advance(10000);
	for (dream_pid_t pid : pids)
		EXPECT_FALSE(node.stowed(pid));
	EXPECT_EQ(node_sched_next_timer_ns(&node.node), NODE_FOREVER) << "an idle node has no timer";
}

TEST(Stow, BurstStowsBeforeItTakesMore)
{
	PlainNode node(8); // the most is 32 times as much
	for (unsigned i = 0; i < 5000; i++)
		node.spawn([](node_proc_t *proc) { next_text(proc); });
	node.run();
	EXPECT_LE(node.warm(), 8u * 32 + NODE_STACK_REGION_MAX);
}

// Others may have addresses on the stack of a process that waits for something else than a message.
TEST(Stow, WhoDoesNotSayThatItIsMovableKeepsItsStack)
{
	PlainNode node(4);
	std::vector<dream_pid_t> pids;
	for (unsigned i = 0; i < 50; i++)
		pids.push_back(
			node.spawn([](node_proc_t *proc) { (void) node_proc_wait(proc, NODE_FOREVER); }));
	node.advance(5000);
	for (dream_pid_t pid : pids)
		EXPECT_FALSE(node.stowed(pid));
	EXPECT_EQ(node_sched_next_timer_ns(&node.node), NODE_FOREVER) << "passes that find nothing cease";
}

TEST(Stow, PassesBeginAgainWhenSomethingBlocks)
{
	PlainNode node(4);
	std::vector<dream_pid_t> pids;
	for (unsigned i = 0; i < 50; i++)
		pids.push_back(node.spawn([](node_proc_t *proc) {
			(void) node_proc_wait(proc, NODE_FOREVER);
			next_text(proc); // the first message ended the wait before
			next_text(proc);
		}));
	node.advance(5000);
	ASSERT_FALSE(node.stowed(pids[0]));
	for (dream_pid_t pid : pids)
		node.send(pid, "again");
	node.advance(5000);
	EXPECT_LE(node.warm(), 5u);
}

TEST(Stow, TimeoutOfAStowedProcessComesInTime) // TMR-4
{
	PlainNode node(4);
	unsigned late = 0, n_timeouts = 0;
	for (unsigned i = 0; i < 100; i++)
		node.spawn([&](node_proc_t *proc) {
			int64_t deadline_ns = node_clock_now(proc->node) + 5000 * NODE_MS;
			n_timeouts += next_text(proc, deadline_ns) == "(timeout)";
			int64_t over_ns = node_clock_now(proc->node) - deadline_ns;
			late += over_ns < 0 || over_ns > 2 * NODE_MS;
		});
	node.advance(4000);
	EXPECT_LE(node.warm(), 5u);
	EXPECT_EQ(n_timeouts, 0u);
	node.advance(1002);
	EXPECT_EQ(n_timeouts, 100u);
	EXPECT_EQ(late, 0u);
}

TEST(Stow, KilledWhileStowedEndsAndItsStackServesAgain)
{
	PlainNode node(4);
	std::vector<dream_pid_t> pids;
	for (unsigned i = 0; i < 64; i++)
		pids.push_back(node.spawn([](node_proc_t *proc) { next_text(proc); }));
	node.advance(2000);
	uint32_t n_stacks = node.node.sched->stacks[0].n_stacks;
	for (dream_pid_t pid : pids)
		node.kill(pid);
	node.advance(2000);
	for (dream_pid_t pid : pids)
		EXPECT_FALSE(node.alive(pid));
	std::string got;
	for (unsigned i = 0; i < 64; i++)
		pids[i] = node.spawn([&got](node_proc_t *proc) { got += next_text(proc); });
	node.run();
	EXPECT_EQ(node.node.sched->stacks[0].n_stacks, n_stacks);
	for (unsigned i = 0; i < 64; i++)
		node.send(pids[i], "x");
	node.run();
	EXPECT_EQ(got, std::string(64, 'x'));
}

TEST(Stow, FreeStacksOfABurstGiveTheirMemoryBack)
{
	PlainNode node(8);
	std::vector<dream_pid_t> pids;
	for (unsigned i = 0; i < 200; i++)
		pids.push_back(node.spawn([](node_proc_t *proc) { next_text(proc); }));
	node.run();
	for (dream_pid_t pid : pids)
		node.send(pid, "end");
	node.advance(2000);
	EXPECT_EQ(node_proctab_count(&node.node), 0u);
	EXPECT_LE(node.warm(), 9u);
}

TEST(Stow, NodeClosesWithStowedProcesses) // valgrind sees what is left
{
	PlainNode node(4);
	for (unsigned i = 0; i < 64; i++)
		node.spawn([](node_proc_t *proc) { next_text(proc); });
	node.advance(2000);
	EXPECT_LE(node.warm(), 5u);
}

// Signals, timeouts and stowing at once on real threads: nothing is lost, nobody's stack is another's.
TEST(Stow, RacesWithMessagesOnThreads)
{
	const unsigned n = 300, rounds = 200;
	std::atomic<int> broken{0}, ended{0};
	std::atomic<unsigned> received{0};
	{
		PlainNode node(4, 3); // more than 128 with memory stow at once
		std::vector<dream_pid_t> pids;
		for (unsigned i = 0; i < n; i++)
			pids.push_back(node.spawn([i, &broken, &received, &ended](node_proc_t *proc) {
				volatile unsigned mark[64];
				for (unsigned k = 0; k < 64; k++)
					mark[k] = i * 64 + k;
				for (unsigned got = 0; got < rounds;) {
					int64_t soon_ns = node_clock_now(proc->node) + (i % 3 + 1) * NODE_MS;
					bool message = next_text(proc, i % 2 ? soon_ns : NODE_FOREVER) !=
						       "(timeout)";
					got += message;
					received += message;
					for (unsigned k = 0; k < 64; k++)
						broken += mark[k] != i * 64 + k;
				}
				ended++;
			}));
		for (unsigned r = 0; r < rounds; r++)
			for (dream_pid_t pid : pids)
				node.send(pid, "go");
		int64_t end_ns = node_clock_now(&node.node) + 60000 * NODE_MS;
		while (ended < (int) n && node_clock_now(&node.node) < end_ns)
			std::this_thread::yield();
	}
	EXPECT_EQ(received, n * rounds);
	EXPECT_EQ(broken, 0);
}

// The timer of the passes stood in the wheel of the first scheduler, which looks at no timers then.
TEST(Stow, GoesOnBesideACallbackThatDoesNotEnd)
{
	PlainNode node(4, 2);
	std::atomic<bool> spins{false}, over{false};
	auto until = [&](const std::function<bool()> &holds) {
		int64_t end_ns = node_clock_now(&node.node) + 10000 * NODE_MS;
		while (!holds() && node_clock_now(&node.node) < end_ns)
			std::this_thread::yield();
		return holds();
	};
	const auto spin_on_the_first = [&](node_proc_t *) {
		if (node_ctx_borrow()->sched != &node.node.sched->locals[0])
			return;
		spins = true;
		while (!over)
			;
	};
	ASSERT_TRUE(until([&] {
		node.spawn(spin_on_the_first);
		return spins.load();
	}));
	node_stow_again(node.node.sched);
	std::atomic<unsigned> waiting{0};
	for (unsigned i = 0; i < 64; i++)
		node.spawn([&](node_proc_t *proc) {
			waiting++;
			next_text(proc);
		});
	EXPECT_TRUE(until([&] { return waiting == 64 && node.warm() <= 6; })) << node.warm();
	over = true;
}

// ---- sizes

static unsigned use_stack(unsigned kib)
{
	volatile char here[1024];
	here[0] = (char) kib;
	return kib == 0 ? (unsigned) here[0] : use_stack(kib - 1) + (unsigned) (here[0] == (char) kib);
}

TEST(StackSize, ProcessWithALargeStackMayUseIt)
{
	PlainNode node(8);
	unsigned depth = 0;
	node.spawn([&](node_proc_t *) { depth = use_stack(1500); }, node_stack_class(4 << 20));
	node.run();
	EXPECT_EQ(depth, 1500u);
}

TEST(StackSize, LeastClassThatHoldsIt)
{
	EXPECT_EQ(node_stack_class(0), 0u);
	EXPECT_EQ(node_stack_class(1), 1u);
	EXPECT_EQ(node_stack_class(32 << 10), 1u);
	EXPECT_EQ(node_stack_class((32 << 10) + 1), 2u);
	EXPECT_EQ(node_stack_class(64 << 20), NODE_STACK_CLASSES - 1);
	EXPECT_EQ(node_stack_class((64 << 20) + 1), 0u);
	EXPECT_EQ(node_stack_class_bytes(node_stack_class(1 << 20)), (size_t) 1 << 20);
}

// Kernels before 6.13: a guard takes two mappings of vm.max_map_count, so there are only so many.
TEST(Guards, BeyondTheMappingsStacksGoWithoutAndStowedOnesGiveTheirsBack)
{
	PlainNode node(4);
	node_stack_pool_t *pool = &node.node.sched->stacks[0];
	pool->mprotect_guards = true;
	pool->max_guards = 20;
	std::vector<dream_pid_t> pids;
	for (unsigned i = 0; i < 64; i++)
		pids.push_back(node.spawn([](node_proc_t *proc) { next_text(proc); }));
	node.run();
	EXPECT_EQ(pool->n_guards, 20u);
	node.advance(2000);
	EXPECT_LE(pool->n_guards, 4u);
	for (dream_pid_t pid : pids)
		node.send(pid, "end");
	node.run();
	EXPECT_EQ(node_proctab_count(&node.node), 0u);
}

TEST(GuardsDeathTest, OverflowOfAProcessesStackIsAFault)
{
	EXPECT_DEATH(
		{
			PlainNode node(4);
			node.spawn([](node_proc_t *) { use_stack(1 << 20); });
			node.run();
		},
		"");
}
