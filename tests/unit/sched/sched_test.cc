// SPDX-License-Identifier: MIT
// Run queues, turns, stacks and timers on the virtual clock.
#include "support/node.h"
#include "sched/runq.h"
#include "sched/stack.h"
#include <algorithm>
#include <cfenv>

TEST(Runq, FirstInFirstOutAndFullIsRefused)
{
	node_runq_t q = {};
	std::vector<node_proc_t> procs(NODE_RUNQ_CAP + 1);
	for (int round = 0; round < 3; round++) {
		EXPECT_TRUE(node_runq_is_empty(&q));
		for (uint32_t i = 0; i < NODE_RUNQ_CAP; i++)
			ASSERT_TRUE(node_runq_push(&q, &procs[i]));
		EXPECT_FALSE(node_runq_push(&q, &procs[NODE_RUNQ_CAP]));
		EXPECT_EQ(node_runq_count(&q), NODE_RUNQ_CAP);
		for (uint32_t i = 0; i < NODE_RUNQ_CAP; i++)
			ASSERT_EQ(node_runq_pop(&q), &procs[i]);
		EXPECT_EQ(node_runq_pop(&q), nullptr);
	}
}

TEST(Runq, ThiefGetsTheOlderHalf)
{
	node_runq_t from = {}, to = {};
	std::vector<node_proc_t> procs(7);
	for (node_proc_t &p : procs)
		ASSERT_TRUE(node_runq_push(&from, &p));
	EXPECT_EQ(node_runq_steal(&to, &from), &procs[0]);
	EXPECT_EQ(node_runq_count(&to), 3u);
	EXPECT_EQ(node_runq_count(&from), 3u);
	EXPECT_EQ(node_runq_pop(&to), &procs[1]);
	EXPECT_EQ(node_runq_pop(&from), &procs[4]);
	node_runq_t empty = {};
	EXPECT_EQ(node_runq_steal(&to, &empty), nullptr);
}

TEST(Sched, TwoNodesInOneTestDoNotMix)
{
	SimNode a(1, "a@test"), b(2, "b@test");
	std::string got_a, got_b;
	dream_pid_t pa = a.go([&](node_proc_t *proc) { got_a = receive(proc, DREAM_INFINITY); });
	dream_pid_t pb = b.go([&](node_proc_t *proc) { got_b = receive(proc, DREAM_INFINITY); });
	send(a, nullptr, pa, "\"for a\"");
	send(b, nullptr, pb, "\"for b\"");
	b.run();
	EXPECT_EQ(got_a, "");
	a.run();
	EXPECT_EQ(got_a, "\"for a\"");
	EXPECT_EQ(got_b, "\"for b\"");
}

TEST(Sched, SameSeedGivesTheSameRun)
{
	auto run = [](uint64_t seed) {
		SimNode node(seed);
		std::string log;
		for (int i = 0; i < 3; i++)
			node.spawn([&, i](node_proc_t *proc) {
				log += std::to_string(i) + ":" + std::to_string(node_proc_new_ref(node)) +
				       " ";
				(void) receive(proc, 3 - i);
				log += std::to_string(i) + " ";
			});
		node.advance(10);
		return log;
	};
	EXPECT_EQ(run(7), run(7));
	EXPECT_NE(run(7), run(8));
}

TEST(Sched, MoreThanAQueueHoldsRunInTheOrderInWhichTheyBecameReady)
{
	SimNode node;
	const int n = 5 * (int) NODE_RUNQ_CAP;
	std::vector<int> expected, order;
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < n; i++) {
			node.spawn([&order, i](node_proc_t *) { order.push_back(i); });
			expected.push_back(i);
			if (i == n / 2)
				node_sched_yield(proc); // some have had their turn, others wait
		}
	});
	node.run();
	EXPECT_EQ(order, expected);
}

TEST(Sched, YieldLetsOthersRunAndGoesOnWithoutTime) // it slept until the next tick
{
	SimNode node;
	std::string order;
	node.spawn([&](node_proc_t *) {
		for (char c : {'a', 'b', 'c'})
			node.spawn([&, c](node_proc_t *proc) {
				for (int i = 0; i < 3; i++) {
					order += c;
					node_sched_yield(proc);
				}
			});
	});
	int64_t before = node.now_ms();
	node.run();
	EXPECT_EQ(node.now_ms(), before);
	EXPECT_EQ(std::count(order.begin(), order.end(), 'a'), 3);
	EXPECT_EQ(order.find("aaa"), std::string::npos) << order;
	EXPECT_EQ(order.find("bbb"), std::string::npos) << order;
}

TEST(Sched, PingPongStarvesNobody)
{
	SimNode node;
	bool other_ran = false;
	uint64_t rounds = 0;
	dream_pid_t pong = node.go([&](node_proc_t *proc) {
		for (;;) {
			dream_msg_t *msg = nullptr;
			if (node_call_receive(proc, nullptr, nullptr, DREAM_INFINITY, &msg) < 0)
				return;
			dream_pid_t from;
			EXPECT_EQ(node_names_whereis(node, "ping", &from), DREAM_OK);
			dream_dest_t to = dream_to(from);
			(void) node_call_send_take(node, proc, &to, msg);
		}
	});
	Spawn how;
	how.name = "ping";
	node.spawn(
		[&](node_proc_t *proc) {
			while (!other_ran && rounds < 100000) {
				send(node, proc, pong, "1");
				(void) receive(proc, DREAM_INFINITY);
				rounds++;
			}
		},
		how);
	node.spawn([&](node_proc_t *proc) {
		node_sched_yield(proc);
		other_ran = true;
	});
	node.run();
	EXPECT_TRUE(other_ran);
	EXPECT_LT(rounds, 1000u);
}

// ---- blocking and stacks

TEST(Stack, ManyProcessesBlockAtOnce)
{
	SimNode node;
	int woken = 0;
	std::vector<dream_pid_t> pids;
	for (int i = 0; i < 1000; i++)
		pids.push_back(node.spawn([&](node_proc_t *proc) {
			EXPECT_EQ(receive(proc, DREAM_INFINITY), "1");
			woken++;
		}));
	node.run();
	for (dream_pid_t pid : pids)
		send(node, nullptr, pid, "1");
	node.run();
	EXPECT_EQ(woken, 1000);
	EXPECT_EQ(node_proctab_count(node), 0u);
}

TEST(Stack, StackOfAProcessKilledWhileBlockedIsUsedAgain)
{
	SimNode node(1, "sim@test", 4);
	for (int i = 0; i < 100; i++) {
		dream_pid_t pid = node.go([](node_proc_t *proc) {
			char frame[2000]; // left behind, red zones and all
			frame[0] = (char) proc->id;
			__asm__ volatile("" : : "r"(frame) : "memory");
			wait_forever(proc);
		});
		exit_signal(node, nullptr, pid, "\"kill\"");
		node.run();
		EXPECT_FALSE(node.alive(pid));
	}
	EXPECT_EQ(node.logged("no stack"), 0u);
}

TEST(Stack, LimitEndsTheProcessThatGetsNoneAndNoOther)
{
	SimNode node(1, "sim@test", 3);
	for (int i = 0; i < 4; i++)
		node.spawn(wait_forever);
	node.run();
	EXPECT_EQ(node.logged("no stack for a process"), 1u);
	EXPECT_EQ(node_proctab_count(node), 3u);
}

TEST(Stack, ProcessLeavesFromTheMiddle)
{
	SimNode node;
	bool after = false;
	node.go([&](node_proc_t *proc) {
		node_proc_exit_take(proc, term("\"done\""));
		after = true;
	});
	EXPECT_FALSE(after);
	EXPECT_EQ(node_proctab_count(node), 0u);
	EXPECT_EQ(node.logged("\"done\""), 1u);
}

TEST(Stack, KeepsFloatingPointControlWordsPerProcess)
{
	SimNode node;
	int before = fegetround();
	int kept = 0;
	for (int mode : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST})
		node.spawn([&, mode](node_proc_t *proc) {
			fesetround(mode);
			for (int k = 0; k < 10; k++) {
				node_sched_yield(proc);
				kept += fegetround() == mode;
			}
			fesetround(FE_TONEAREST);
		});
	node.run();
	EXPECT_EQ(kept, 40);
	EXPECT_EQ(fegetround(), before);
}

// ---- waiting

TEST(Wait, TimesOutNeverEarly) // TMR-4
{
	SimNode node;
	int64_t waited_ns = 0;
	std::string got;
	node.go([&](node_proc_t *proc) {
		int64_t from = node_clock_now(node);
		got = receive(proc, 25);
		waited_ns = node_clock_now(node) - from;
	});
	node.advance(100);
	EXPECT_EQ(got, "(timeout)");
	EXPECT_GE(waited_ns, 25 * NODE_MS);
	EXPECT_LE(waited_ns, 27 * NODE_MS);
}

// Its timer was fired in vain, and it slept for ever, when another thread fired it between its arming and the sleep.
TEST(Wait, TimeThatIsOverBeforeTheSleepIsNotMissed)
{
	SimNode node;
	int waited = DREAM_EIO;
	node.go([&](node_proc_t *proc) {
		node_proc_alarm(proc);
		waited = node_proc_wait(proc, NODE_FOREVER);
	});
	EXPECT_EQ(waited, DREAM_OK);
}

TEST(Wait, AlarmWakesWhoSleepsAndIsNoMessage)
{
	SimNode node;
	int waited = DREAM_EIO;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		waited = node_proc_wait(proc, NODE_FOREVER);
		EXPECT_EQ(receive(proc), "(timeout)");
	});
	EXPECT_EQ(waited, DREAM_EIO);
	node_proc_t *proc = node_proctab_find(node, pid.id);
	node_proc_alarm(proc);
	node_proc_alarm(proc);
	node.run();
	EXPECT_EQ(waited, DREAM_OK);
	node_proc_alarm(proc); // it has ended
}

TEST(Wait, MessageInTimeCancelsTheTimer)
{
	SimNode node;
	std::string got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) { got = receive(proc, 25); });
	node.advance(10);
	send(node, nullptr, pid, "1");
	node.run();
	EXPECT_EQ(got, "1");
	node.advance(100);
	EXPECT_EQ(node_sched_next_timer_ns(node), NODE_FOREVER);
}

TEST(Wait, FloodOfOtherMessagesDoesNotPutOffTheTimeout) // it was looked at only while nothing came
{
	SimNode node;
	bool timed_out = false;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		dream_msg_t *msg;
		int r = node_call_receive(
			proc, [](void *, const dream_msg_t *) -> int32_t { return 0; }, nullptr, 10, &msg);
		timed_out = r == DREAM_ETIMEDOUT;
	});
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 100 && !timed_out; i++) {
			send(node, proc, pid, "1");
			(void) receive(proc, 1);
			send(node, proc, pid, "2");
		}
	});
	node.advance(50);
	EXPECT_TRUE(timed_out);
}

// ---- timers that send

static node_sig_t *message(dream_pid_t to, const char *text)
{
	return node_sig_new_take(NODE_SIG_MSG, to, dream_pid_t{0, 0, 0}, 0, term(text));
}

TEST(Timer, SendsOnceAfterItsTime) // TMR-1, TMR-4
{
	SimNode node;
	std::vector<std::string> got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 2; i++)
			got.push_back(receive(proc, 1000));
	});
	ASSERT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, 50, nullptr), DREAM_OK);
	EXPECT_EQ(node_timer_count(node), 1u);
	node.advance(49);
	EXPECT_TRUE(got.empty());
	node.advance(2);
	EXPECT_EQ(got, std::vector<std::string>{"1"});
	EXPECT_EQ(node_timer_count(node), 0u);
	node.advance(2000);
	EXPECT_EQ(got.back(), "(timeout)");
}

TEST(Timer, NameIsLookedUpWhenItExpires) // TMR-1
{
	SimNode node;
	std::string got;
	ASSERT_EQ(node_timer_start_take(node, message(dream_pid_t{0, 0, 0}, "1"), "late", 50, nullptr),
		DREAM_OK);
	ASSERT_EQ(node_timer_start_take(node, message(dream_pid_t{0, 0, 0}, "2"), "never", 50, nullptr),
		DREAM_OK);
	node.advance(20);
	Spawn how;
	how.name = "late";
	node.go([&](node_proc_t *proc) { got = receive(proc, 100); }, how);
	node.advance(40);
	EXPECT_EQ(got, "1");
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, DeadDestinationIsSilent) // TMR-1
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	ASSERT_EQ(node_timer_start_take(node, message(dead, "1"), nullptr, 5, nullptr), DREAM_OK);
	node.advance(10);
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, EndOfTheDestinationEndsItsTimersAtOnce) // TMR-1, TMR-5
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) { wait_forever(proc); });
	dream_pid_t other = node.go([](node_proc_t *proc) { wait_forever(proc); });
	for (int i = 0; i < 100; i++)
		ASSERT_EQ(
			node_timer_start_take(node, message(pid, "1"), nullptr, 1000 + i, nullptr), DREAM_OK);
	ASSERT_EQ(node_timer_start_take(node, message(other, "1"), nullptr, 1000, nullptr), DREAM_OK);
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
	EXPECT_EQ(node_timer_count(node), 1u);
}

TEST(Timer, OfANameOutlivesTheProcessThatHadIt) // TMR-1
{
	SimNode node;
	Spawn how;
	how.name = "named";
	dream_pid_t pid = node.go([](node_proc_t *proc) { wait_forever(proc); }, how);
	ASSERT_EQ(node_timer_start_take(node, message(pid, "1"), "named", 50, nullptr), DREAM_OK);
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
	std::string got;
	node.go([&](node_proc_t *proc) { got = receive(proc, 100); }, how);
	node.advance(60);
	EXPECT_EQ(got, "1");
}

TEST(Timer, CancelTellsWhatWasLeftAndThenItNeverComes) // TMR-2
{
	SimNode node;
	uint64_t ref = 0;
	std::string got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) { got = receive(proc, 1000); });
	ASSERT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, 50, &ref), DREAM_OK);
	node.advance(20);
	EXPECT_EQ(node_timer_cancel(node, ref), 30);
	EXPECT_EQ(node_timer_cancel(node, ref), DREAM_ENOENT);
	node.advance(2000);
	EXPECT_EQ(got, "(timeout)");
	EXPECT_EQ(node_timer_cancel(node, 999), DREAM_ENOENT);
}

TEST(Timer, ZeroIsAllowedAndAsynchronous) // TMR-3
{
	SimNode node;
	std::string got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) { got = receive(proc, 1000); });
	ASSERT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, 0, nullptr), DREAM_OK);
	node.run();
	node.advance(2);
	EXPECT_EQ(got, "1");
}

TEST(Timer, DelaysOutsideTheRangeAreRefused) // TMR-3; the largest overflowed its nanoseconds
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	uint64_t ref;
	EXPECT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, -1, nullptr), DREAM_EINVAL);
	EXPECT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, NODE_TIMER_MAX_MS + 1, nullptr),
		DREAM_EINVAL);
	ASSERT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, NODE_TIMER_MAX_MS, &ref), DREAM_OK);
	node.advance(1000);
	EXPECT_EQ(node_timer_count(node), 1u);
	EXPECT_GT(node_timer_cancel(node, ref), 0);
}

TEST(Timer, DifferentTicksFireInOrder) // TMR-4
{
	SimNode node;
	std::vector<std::string> got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 200; i++)
			got.push_back(receive(proc, DREAM_INFINITY));
	});
	for (int i = 199; i >= 0; i--)
		ASSERT_EQ(node_timer_start_take(
				  node, message(pid, std::to_string(i).c_str()), nullptr, 10 + i, nullptr),
			DREAM_OK);
	node.advance(500);
	ASSERT_EQ(got.size(), 200u);
	for (int i = 0; i < 200; i++)
		EXPECT_EQ(got[i], std::to_string(i));
}

TEST(Timer, HundredThousandAtOneTickAllCome) // TMR-5, timer_bif_SUITE:same_time_yielding
{
	SimNode node;
	int got = 0;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		for (; got < 100000; got++)
			if (receive(proc, 5000) != "1")
				return;
	});
	for (int i = 0; i < 100000; i++)
		ASSERT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, 640, nullptr), DREAM_OK);
	node.advance(1000);
	EXPECT_EQ(got, 100000);
}
