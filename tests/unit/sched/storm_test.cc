// SPDX-License-Identifier: MIT
// Real threads: nothing is lost, overtaken or done twice, and who has nothing to do sleeps.
#include "sched/runq.h"
#include "support/node.h"
#include <atomic>
#include <thread>
#include <vector>

namespace
{

#if defined(__SANITIZE_THREAD__)
constexpr int scale = 3;
#elif defined(__SANITIZE_ADDRESS__)
constexpr int scale = 8;
#else
constexpr int scale = 40;
#endif

uint64_t total(node_t *node, uint64_t node_sched_stats_t::*member)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < node_sched_count(node); i++) {
		node_sched_stats_t stats;
		node_sched_stats(node, i, &stats);
		sum += stats.*member;
	}
	return sum;
}

uint64_t next(uint64_t *random)
{
	*random = *random * 6364136223846793005u + 1442695040888963407u;
	return *random >> 33;
}

// A message that is a number, without the text around it.
dream_msg_t *number(uint64_t n)
{
	uint8_t item[5] = {0x1a, (uint8_t) (n >> 24), (uint8_t) (n >> 16), (uint8_t) (n >> 8), (uint8_t) n};
	dream_msg_t *msg = nullptr;
	EXPECT_EQ(node_msg_copy(item, sizeof(item), &msg), DREAM_OK);
	return msg;
}

uint64_t value_take(dream_msg_t *msg)
{
	const uint8_t *p = msg->data + 1;
	uint64_t n = (uint64_t) p[0] << 24 | (uint64_t) p[1] << 16 | (uint64_t) p[2] << 8 | p[3];
	node_msg_unref(msg);
	return n;
}

} // namespace

TEST(Storm, ManySendersToOneReceiverKeepEachSendersOrder) // SIG-1
{
	ThreadNode node(4);
	constexpr uint64_t n_senders = 50;
	const uint64_t n_each = 300 * scale;
	Latch done(1);
	std::vector<uint64_t> seen(n_senders);
	bool ordered = true;
	dream_pid_t to = node.spawn([&](node_proc_t *proc) {
		for (uint64_t i = 0; i < n_senders * n_each; i++) {
			dream_msg_t *msg;
			if (node_call_receive(proc, nullptr, nullptr, DREAM_INFINITY, &msg) < 0)
				return;
			uint64_t value = value_take(msg);
			ordered = ordered && seen[value / n_each] == value % n_each;
			seen[value / n_each]++;
		}
		done.hit();
	});
	for (uint64_t s = 0; s < n_senders; s++)
		node.spawn([&, s](node_proc_t *proc) {
			dream_dest_t dest = dream_to(to);
			for (uint64_t i = 0; i < n_each; i++)
				(void) node_call_send_take(node, proc, &dest, number(s * n_each + i));
		});
	ASSERT_TRUE(done.wait());
	EXPECT_TRUE(ordered);
}

TEST(Storm, ThreadsThatAreNoSchedulersMaySendToo)
{
	ThreadNode node(2);
	const uint64_t n_each = 1000 * scale;
	Latch done(1);
	dream_pid_t to = node.spawn([&](node_proc_t *proc) {
		for (uint64_t i = 0; i < 3 * n_each; i++) {
			dream_msg_t *msg;
			if (node_call_receive(proc, nullptr, nullptr, DREAM_INFINITY, &msg) < 0)
				return;
			node_msg_unref(msg);
		}
		done.hit();
	});
	std::vector<std::thread> threads;
	for (int t = 0; t < 3; t++)
		threads.emplace_back([&] {
			dream_dest_t dest = dream_to(to);
			for (uint64_t i = 0; i < n_each; i++)
				(void) node_call_send_take(node, nullptr, &dest, number(i));
		});
	for (std::thread &t : threads)
		t.join();
	EXPECT_TRUE(done.wait());
}

TEST(Storm, SpawnsAndExitsTellEveryParent) // SPN-1
{
	ThreadNode node(4);
	std::atomic<int> told{0};
	const int n_parents = 20, n_each = 50 * scale;
	for (int p = 0; p < n_parents; p++)
		node.spawn([&](node_proc_t *proc) {
			for (int i = 0; i < n_each; i++) {
				Spawn how;
				how.parent = proc;
				how.monitor_ref = node_proc_new_ref(node);
				node.spawn(
					[](node_proc_t *child) {
						node_proc_exit_take(child, node_msg_text("shutdown"));
					},
					how);
				dream_msg_t *why;
				if (node_call_await_down(proc, how.monitor_ref, NODE_FOREVER, &why) < 0)
					return;
				told += node_msg_is_text(why, "shutdown");
				node_msg_unref(why);
			}
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(told, n_parents * n_each);
}

TEST(Storm, LinksAndUnlinksAtRandomAgreeAtTheEnd) // LNK-3, otp_5772_link
{
	ThreadNode node(4);
	constexpr int n = 16;
	Latch linked(n);
	dream_pid_t pids[n];
	for (int p = 0; p < n; p++)
		pids[p] = node.spawn([&, p](node_proc_t *proc) {
			uint64_t random = (uint64_t) p + 1;
			(void) receive(proc, DREAM_INFINITY);
			for (int i = 0; i < 500 * scale; i++) {
				dream_pid_t peer = pids[next(&random) % n];
				if (next(&random) % 2 == 0)
					(void) node_proc_link(proc, peer);
				else
					(void) node_proc_unlink(proc, peer);
				if (i % 50 == 0)
					node_sched_yield(proc);
			}
			linked.hit();
			for (;;)
				(void) node_proc_wait(proc, NODE_FOREVER);
		});
	for (dream_pid_t pid : pids)
		send(node, nullptr, pid, "1");
	ASSERT_TRUE(linked.wait());
	/* Each answers when all that was sent to it before is handled; then the tables are at rest. */
	Latch answered(1);
	node.spawn([&](node_proc_t *proc) {
		for (int round = 0; round < 3; round++)
			for (dream_pid_t pid : pids) {
				uint64_t ref;
				(void) node_proc_monitor(proc, pid, nullptr, &ref);
				(void) node_proc_demonitor(proc, ref, true);
			}
		answered.hit();
	});
	ASSERT_TRUE(answered.wait());
	node_sched_stop(node);
	for (dream_pid_t pid : pids) {
		node_proc_t *proc = node_proctab_find(node, pid.id);
		ASSERT_NE(proc, nullptr);
		node_proc_drain(proc);
	}
	for (dream_pid_t pid : pids) // acknowledgements of what the round before brought
		node_proc_drain(node_proctab_find(node, pid.id));
	for (int a = 0; a < n; a++)
		for (int b = 0; b < n; b++) {
			node_reftab_t *of_a = node_proctab_find(node, pids[a].id)->links;
			node_reftab_t *of_b = node_proctab_find(node, pids[b].id)->links;
			bool ab = node_reftab_find(of_a, node_reftab_pid_key(pids[b]), &pids[b]) != nullptr;
			bool ba = node_reftab_find(of_b, node_reftab_pid_key(pids[a]), &pids[a]) != nullptr;
			EXPECT_EQ(ab, ba) << a << " and " << b;
		}
}

TEST(Storm, DemonitorRacingWithTheEndTellsTheTruth) // MON-4, local_remove_monitor
{
	ThreadNode node(4);
	std::atomic<int> wrong{0};
	for (int p = 0; p < 20; p++)
		node.spawn([&, p](node_proc_t *proc) {
			uint64_t random = (uint64_t) p + 1;
			for (int i = 0; i < 100 * scale; i++) {
				Spawn how;
				how.parent = proc;
				how.monitor_ref = node_proc_new_ref(node);
				node.spawn([](node_proc_t *) {}, how);
				if (next(&random) % 2 == 0)
					node_sched_yield(proc);
				bool active = node_proc_demonitor(proc, how.monitor_ref, false);
				node_sched_yield(proc);
				dream_msg_t *msg = nullptr;
				bool down = node_call_receive(proc, nullptr, nullptr, 0, &msg) == DREAM_OK;
				node_msg_unref(msg);
				wrong += active == down;
			}
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(Storm, CallsWithAndWithoutTimeoutsAllComeToAnEnd) // GS-7, ALS-4
{
	ThreadNode node(4);
	node.load();
	Script script;
	script.on_call = [](const dream_msg_t *request, dream_msg_t **ret_reply) {
		*ret_reply = dream_msg_ref(request);
		return DREAM_REPLY;
	};
	constexpr uint64_t n = 100;
	std::vector<dream_pid_t> servers(n);
	std::atomic<int> odd{0}, late{0};
	Latch started(1);
	node.spawn([&](node_proc_t *proc) {
		for (dream_pid_t &pid : servers)
			pid = start(proc, script);
		started.hit();
	});
	ASSERT_TRUE(started.wait());
	for (uint64_t c = 0; c < n; c++)
		node.spawn([&, c](node_proc_t *proc) {
			uint64_t random = c + 1;
			for (uint64_t i = 0; i < 40 * scale; i++) {
				dream_dest_t to = dream_to(servers[next(&random) % n]);
				dream_msg_t *reply = nullptr;
				int64_t timeout_ms = next(&random) % 4 == 0 ? 1 : 5000;
				int r = node_call_take(
					proc, &to, number(c << 8 | (i & 255)), timeout_ms, &reply);
				if (r == DREAM_ETIMEDOUT)
					late++;
				else if (r < 0 || value_take(reply) != (c << 8 | (i & 255)))
					odd++;
			}
			odd += receive(proc, 0) != "(timeout)";
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(odd, 0);
	node.close();
}

TEST(Storm, CallersKilledWhileTheyWaitAndServersWhileTheyWork)
{
	ThreadNode node(4);
	node.load();
	Script script;
	script.on_call = [](const dream_msg_t *request, dream_msg_t **ret_reply) {
		*ret_reply = dream_msg_ref(request);
		return DREAM_REPLY;
	};
	Latch started(1);
	dream_pid_t server = {0, 0, 0};
	node.spawn([&](node_proc_t *proc) {
		server = start(proc, script);
		started.hit();
	});
	ASSERT_TRUE(started.wait());
	for (int k = 0; k < 10; k++)
		node.spawn([&, k](node_proc_t *proc) {
			uint64_t random = (uint64_t) k + 1;
			for (int i = 0; i < 30 * scale; i++) {
				Spawn how;
				how.parent = proc;
				how.monitor_ref = node_proc_new_ref(node);
				dream_pid_t victim = node.spawn(
					[&](node_proc_t *caller) {
						for (;;) {
							dream_dest_t to = dream_to(server);
							dream_msg_t *reply = nullptr;
							(void) node_call_take(caller, &to, number(1),
								DREAM_INFINITY, &reply);
							node_msg_unref(reply);
						}
					},
					how);
				for (uint64_t y = next(&random) % 5; y > 0; y--)
					node_sched_yield(proc);
				dream_msg_t *kill = node_msg_text("kill"), *why;
				node_proc_exit_signal(node, proc, victim, kill);
				node_msg_unref(kill);
				if (node_call_await_down(proc, how.monitor_ref, NODE_FOREVER, &why) ==
					DREAM_OK)
					node_msg_unref(why);
			}
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_TRUE(node.alive(server));
	node.close();
}

TEST(Storm, TimersStartedAndCancelledAcrossThreadsComeOnceOrNever) // TMR-2
{
	ThreadNode node(4);
	std::atomic<int> came{0}, cancelled{0}, gone{0};
	const int n_procs = 64, n_each = 5 * scale;
	std::vector<std::atomic<uint64_t>> refs(n_procs);
	for (int p = 0; p < n_procs; p++)
		node.spawn([&, p](node_proc_t *proc) {
			uint64_t random = (uint64_t) p + 1;
			for (int i = 0; i < n_each; i++) {
				uint64_t ref = 0;
				node_sig_t *sig = node_sig_new_take(
					NODE_SIG_MSG, node_proc_pid(proc), node_proc_pid(proc), 0, number(1));
				EXPECT_EQ(node_timer_start_take(
						  node, sig, nullptr, (int64_t) (next(&random) % 3), &ref),
					DREAM_OK);
				uint64_t other = refs[next(&random) % n_procs].exchange(ref);
				if (other != 0)
					(node_timer_cancel(node, other) >= 0 ? cancelled : gone)++;
				dream_msg_t *msg = nullptr;
				if (node_call_receive(proc, nullptr, nullptr, (int64_t) (next(&random) % 3),
					    &msg) == DREAM_OK)
					came++;
				node_msg_unref(msg);
			}
			for (;;) {
				dream_msg_t *msg = nullptr;
				if (node_call_receive(proc, nullptr, nullptr, 20, &msg) < 0)
					return;
				node_msg_unref(msg);
				came++;
			}
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(came + cancelled, n_procs * n_each);
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Storm, TimersOfProcessesThatEndMeanwhileAllGo) // TMR-1, TMR-5
{
	ThreadNode node(4);
	const int n_procs = 64, n_each = 5 * scale;
	std::vector<std::atomic<uint64_t>> refs(n_procs), pids(n_procs);
	for (int p = 0; p < n_procs; p++)
		node.spawn([&, p](node_proc_t *proc) {
			uint64_t random = (uint64_t) p + 1;
			for (int i = 0; i < n_each; i++) {
				uint64_t ref = 0;
				dream_pid_t pid = node.spawn([&](node_proc_t *) {});
				pids[next(&random) % n_procs].exchange(pid.id);
				for (uint64_t n = next(&random) % 300; n > 0; n--) {
					pid.id = pids[next(&random) % n_procs];
					if (pid.id == 0)
						continue;
					node_sig_t *sig = node_sig_new_take(
						NODE_SIG_MSG, pid, node_proc_pid(proc), 0, number(1));
					EXPECT_EQ(node_timer_start_take(node, sig, nullptr,
							  (int64_t) (next(&random) % 100000), &ref),
						DREAM_OK);
				}
				uint64_t other = refs[next(&random) % n_procs].exchange(ref);
				if (other != 0)
					(void) node_timer_cancel(node, other);
				if (i % 4 == 0)
					node_sched_yield(proc);
			}
		});
	ASSERT_TRUE(node.wait_bodies());
	Latch quiet(1);
	node.spawn([&](node_proc_t *proc) { // what is left of the last ends between turns
		while (node_timer_count(node) > 0)
			node_sched_yield(proc);
		quiet.hit();
	});
	EXPECT_TRUE(quiet.wait());
}

TEST(Storm, NoSlotHasTwoProcesses) // schedulers keep free ones for themselves
{
	ThreadNode node(4);
	const int n_parents = 16, n_each = 200 * scale;
	std::vector<std::atomic<int>> users(n_parents * (n_each + 1));
	std::atomic<int> doubles{0}, ran{0};
	for (int p = 0; p < n_parents; p++)
		node.spawn([&, p](node_proc_t *proc) {
			uint64_t random = (uint64_t) p + 1;
			for (int i = 0; i < n_each; i++) {
				node.spawn([&](node_proc_t *child) {
					std::atomic<int> &user = users.at((uint32_t) node_proc_pid(child).id);
					doubles += user.exchange(1) != 0;
					if (ran++ % 3 == 0)
						node_sched_yield(child); // it may end on another scheduler
					user = 0;
				});
				if (next(&random) % 50 == 0)
					node_sched_yield(proc);
			}
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(ran, n_parents * n_each);
	EXPECT_EQ(doubles, 0);
}

TEST(Idle, HandedOffProcessDoesNotWaitForALongTurn) // point 3 of idle.c
{
	ThreadNode node(2);
	std::atomic<bool> helped{false};
	Latch done(1);
	for (int round = 0; round < 5; round++) {
		helped = false;
		Latch once(1);
		node.spawn([&](node_proc_t *) {
			node.spawn([&](node_proc_t *) { helped = true; }); // lies in our hand-off slot
			int64_t end_ns = node_clock_now(node) + 5000 * NODE_MS;
			while (!helped && node_clock_now(node) < end_ns)
				; // a turn that does not end
			once.hit();
		});
		ASSERT_TRUE(once.wait());
		EXPECT_TRUE(helped) << "round " << round;
	}
}

TEST(Idle, WhatDoesNotFitIntoTheQueueOfAStuckSchedulerRunsElsewhere) // it waits in the spill (queue.c)
{
	ThreadNode node(2);
	const int n = 3 * (int) NODE_RUNQ_CAP;
	std::atomic<int> ran{0};
	Latch once(1);
	node.spawn([&](node_proc_t *) {
		for (int i = 0; i < n; i++)
			node.spawn([&](node_proc_t *) { ran++; });
		int64_t end_ns = node_clock_now(node) + 5000 * NODE_MS;
		while (ran < n && node_clock_now(node) < end_ns)
			; // a turn that does not end
		once.hit();
	});
	ASSERT_TRUE(once.wait());
	EXPECT_EQ(ran, n);
}

TEST(Idle, TimersOfASchedulerThatIsStuckFire) // they waited for the end of its turn
{
	ThreadNode node(2);
	std::atomic<bool> fired{false};
	Latch once(1);
	node.spawn([&](node_proc_t *proc) {
		dream_pid_t to = node.spawn([&](node_proc_t *waiter) {
			(void) receive(waiter, DREAM_INFINITY);
			fired = true;
		});
		node_sched_yield(proc);
		node_sig_t *sig = node_sig_new_take(NODE_SIG_MSG, to, node_proc_pid(proc), 0, number(1));
		EXPECT_EQ(node_timer_start_take(node, sig, nullptr, 5, nullptr), DREAM_OK);
		int64_t end_ns = node_clock_now(node) + 5000 * NODE_MS;
		while (!fired && node_clock_now(node) < end_ns)
			;
		once.hit();
	});
	ASSERT_TRUE(once.wait());
	EXPECT_TRUE(fired);
}

TEST(Idle, ThreadsWithNothingToDoSleepForGood)
{
	ThreadNode node(4);
	for (int i = 0; i < 20; i++) // until the last watcher has resigned
		if (total(node, &node_sched_stats_t::sleeps) >= 4) {
			Latch tick(1);
			node.spawn([&](node_proc_t *proc) {
				(void) receive(proc, 20);
				tick.hit();
			});
			ASSERT_TRUE(tick.wait());
		}
	Latch last(1);
	node.spawn([&](node_proc_t *proc) {
		(void) receive(proc, 50);
		last.hit();
	});
	ASSERT_TRUE(last.wait());
	EXPECT_GE(total(node, &node_sched_stats_t::sleeps), 4u);
	EXPECT_LT(total(node, &node_sched_stats_t::turns), 200u) << "turns are counted while nothing happens";
	EXPECT_LT(total(node, &node_sched_stats_t::sleeps), 2000u) << "they keep waking up";
}
