// SPDX-License-Identifier: MIT
// The end of a process that has much: in slices, between which others have turns.
#include "support/node.h"
#include "proc/heap.h"

// Turns until nothing is ready; with others that yield all the time, how many turns they had.
static uint64_t turns_to_end(SimNode &node)
{
	return node_sched_drive(node, 1000000);
}

TEST(Reap, HundredThousandBlocksAreFreedInManyTurns)
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		for (int i = 0; i < 100000; i++)
			(void) node_heap_alloc(proc, 16);
		wait_forever(proc);
	});
	exit_signal(node, nullptr, pid, "\"kill\"");
	EXPECT_EQ(node_sched_drive(node, 1), 1u);
	EXPECT_FALSE(node.alive(pid)) << "it is dead at once";
	EXPECT_EQ(node_proctab_count(node), 1u) << "somebody frees what it had";
	EXPECT_GE(turns_to_end(node), 100000u / 2048 - 1);
	EXPECT_EQ(node_proctab_count(node), 0u);
}

TEST(Reap, OthersHaveTurnsMeanwhile)
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		for (int i = 0; i < 50000; i++)
			(void) node_heap_alloc(proc, 16);
		wait_forever(proc);
	});
	int turns = 0;
	bool over = false;
	node.spawn([&](node_proc_t *proc) {
		exit_signal(node, proc, pid, "\"kill\"");
		node_sched_yield(proc);
		for (; node_proctab_count(node) > 1; turns++)
			node_sched_yield(proc);
		over = true;
	});
	node.run();
	EXPECT_TRUE(over);
	EXPECT_GE(turns, 50000 / 2048 - 1);
}

TEST(Reap, CallersInAHugeMailboxHearTheReason)
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		(void) node_proc_wait(proc, NODE_FOREVER);
		(void) node_proc_wait(proc, NODE_FOREVER); // has taken all into its inbox
		wait_forever(proc);
	});
	std::string first, last;
	node.spawn([&](node_proc_t *proc) { first = call(proc, pid, "0"); });
	node.run();
	for (int i = 0; i < 20000; i++)
		send(node, nullptr, pid, "1");
	node.spawn([&](node_proc_t *proc) { last = call(proc, pid, "0"); });
	node.run();
	exit_signal(node, nullptr, pid, "\"kill\"");
	EXPECT_EQ(node_sched_drive(node, 1), 1u);
	EXPECT_EQ(last, "");
	node.run();
	EXPECT_EQ(first, "error " + std::to_string(DREAM_EDOWN) + " \"killed\"");
	EXPECT_EQ(last, first);
}

TEST(Reap, SignalsOnTheirWayToADeadProcessAreAnswered) // SIG-9
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) { wait_forever(proc); });
	std::string got;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		exit_signal(node, proc, pid, "\"kill\"");
		for (int i = 0; i < 10000; i++)
			send(node, proc, pid, "1");
		(void) node_proc_monitor(proc, pid, nullptr, &ref);
		got = receive(proc, DREAM_INFINITY);
	});
	EXPECT_NE(got.find("DOWN"), std::string::npos) << got;
}

TEST(Reap, HeldMessagesGoInSlicesToo) // the leak check is the judge
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		for (int i = 0; i < 10000; i++)
			(void) node_proc_hold(proc, node_msg_text("x"));
		dream_msg_t *often = node_msg_text("often");
		for (int i = 0; i < 5000; i++)
			(void) node_proc_hold(proc, i == 0 ? often : node_msg_ref(often));
		wait_forever(proc);
	});
	exit_signal(node, nullptr, pid, "\"kill\"");
	EXPECT_GE(turns_to_end(node), 15000u / 2048);
	EXPECT_EQ(node_proctab_count(node), 0u);
}

TEST(Reap, NodeThatClosesMeanwhileKeepsNothing)
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		for (int i = 0; i < 20000; i++)
			(void) node_heap_alloc(proc, 16);
		wait_forever(proc);
	});
	node.go([](node_proc_t *proc) {
		for (int i = 0; i < 20000; i++)
			(void) node_heap_alloc(proc, 16);
		wait_forever(proc);
	});
	exit_signal(node, nullptr, pid, "\"kill\"");
	EXPECT_EQ(node_sched_drive(node, 2), 2u);
	node.close(); // a reaper and a process with much are still there
}
