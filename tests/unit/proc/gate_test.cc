// SPDX-License-Identifier: MIT
// Limits of a process: its mailbox, with what becomes of messages that find it full, and its memory.
#include "support/node.h"
#include <algorithm>
#include <atomic>
#include "proc/gate.h"
#include "proc/heap.h"

static node_limits_t mailbox(uint64_t msgs, uint32_t when_full, uint32_t suspend_ms = 0, uint64_t bytes = 0)
{
	node_limits_t limits = {};
	limits.max_mailbox_msgs = msgs;
	limits.max_mailbox_bytes = bytes;
	limits.when_full = when_full;
	limits.suspend_ms = suspend_ms;
	return limits;
}

static Spawn with(const node_limits_t &limits)
{
	Spawn how;
	how.limits = &limits;
	return how;
}

static int cast(node_proc_t *proc, dream_pid_t to, const std::string &text)
{
	dream_dest_t dest = {to, nullptr, nullptr};
	return node_call_cast_take(proc->node, proc, &dest, term(text));
}

// Takes everything there is, for ever.
static void collect(node_proc_t *proc, std::string *got)
{
	for (;;)
		*got += receive(proc, DREAM_INFINITY);
}

TEST(Mailbox, FullOneRefusesAndTheSenderHearsOfIt)
{
	SimNode node;
	std::string got;
	node_limits_t limits = mailbox(2, DREAM_FULL_REFUSE);
	dream_pid_t to = node.go([&](node_proc_t *proc) { collect(proc, &got); }, with(limits));
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(send(node, proc, to, "1"), DREAM_OK);
		EXPECT_EQ(cast(proc, to, "2"), DREAM_OK);
		EXPECT_EQ(send(node, proc, to, "3"), DREAM_EBUSY);
		EXPECT_EQ(cast(proc, to, "4"), DREAM_EBUSY);
	});
	EXPECT_EQ(got, "1[\"$gen_cast\", 2]");
	EXPECT_EQ(node_gate_refused(node_proctab_find(node, to.id)), 2u);
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(send(node, proc, to, "5"), DREAM_OK) << "there is room again";
	});
}

TEST(Mailbox, LimitOfBytesCountsWhatWaits)
{
	SimNode node;
	std::string got;
	node_limits_t limits = mailbox(0, DREAM_FULL_REFUSE, 0, 20); // a text of 9 characters takes 10 bytes
	dream_pid_t to = node.go([&](node_proc_t *proc) { collect(proc, &got); }, with(limits));
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(send(node, proc, to, "\"123456789\""), DREAM_OK);
		EXPECT_EQ(send(node, proc, to, "\"123456789\""), DREAM_OK);
		EXPECT_EQ(send(node, proc, to, "1"), DREAM_EBUSY);
	});
	EXPECT_EQ(got, "\"123456789\"\"123456789\"");
}

TEST(Mailbox, DroppedMessagesVanishAndAreCounted)
{
	SimNode node;
	std::string got;
	node_limits_t limits = mailbox(1, DREAM_FULL_DROP);
	dream_pid_t to = node.go([&](node_proc_t *proc) { collect(proc, &got); }, with(limits));
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 5; i++)
			EXPECT_EQ(send(node, proc, to, std::to_string(i)), DREAM_OK);
	});
	EXPECT_EQ(got, "0");
	EXPECT_EQ(node_gate_refused(node_proctab_find(node, to.id)), 4u);
}

TEST(Mailbox, OverflowKillsWhereTheLimitsSaySo) // also who traps exits
{
	SimNode node;
	node_limits_t limits = mailbox(3, DREAM_FULL_KILL);
	dream_pid_t to = node.go(
		[](node_proc_t *proc) {
			node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
			wait_forever(proc);
		},
		with(limits));
	std::string down;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, to, nullptr, &ref), DREAM_OK);
		for (int i = 0; i < 10; i++)
			EXPECT_EQ(send(node, proc, to, "1"), DREAM_OK);
		down = receive(proc, DREAM_INFINITY);
	});
	EXPECT_NE(down.find("[\"limit\", \"mailbox\"]"), std::string::npos) << down;
	EXPECT_FALSE(node.alive(to));
}

TEST(Mailbox, ExitsMonitorsAndAnswersAlwaysComeThrough)
{
	SimNode node;
	node_limits_t limits = mailbox(1, DREAM_FULL_REFUSE);
	std::string got;
	dream_pid_t server = node.go([&](node_proc_t *proc) {
		node_sig_t *call;
		while ((call = node_proc_next_take(proc)) == nullptr)
			(void) node_proc_wait(proc, NODE_FOREVER);
		node_proc_answer_take(node, call, DREAM_OK, term("42"));
		wait_forever(proc);
	});
	dream_pid_t to = node.go(
		[&](node_proc_t *proc) {
			uint64_t ref;
			node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
			(void) node_proc_monitor(proc, server, nullptr, &ref);
			EXPECT_EQ(receive(proc, DREAM_INFINITY), "\"go\"");
			EXPECT_EQ(send(node, proc, node_proc_pid(proc), "1"), DREAM_OK);
			EXPECT_EQ(send(node, proc, node_proc_pid(proc), "2"), DREAM_EBUSY);
			EXPECT_EQ(call(proc, server, "0"), "42") << "an answer, though the mailbox is full";
			exit_signal(node, proc, server, "\"bye\"");
			for (int i = 0; i < 3; i++)
				got += receive(proc, 1000) + ";";
		},
		with(limits));
	send(node, nullptr, to, "\"go\"");
	exit_signal(node, nullptr, to, "\"first\"");
	node.advance(10000);
	EXPECT_NE(got.find("DOWN"), std::string::npos) << got;
	EXPECT_NE(got.find("EXIT"), std::string::npos) << got;
}

TEST(Mailbox, CallThatIsNotLetInFailsAtOnceWhateverThePolicy)
{
	for (uint32_t when_full : {DREAM_FULL_REFUSE, DREAM_FULL_DROP}) {
		SimNode node;
		node_limits_t limits = mailbox(1, when_full);
		dream_pid_t to = node.go(
			[](node_proc_t *proc) {
				(void) node_proc_wait(proc, NODE_FOREVER);
				wait_forever(proc);
			},
			with(limits));
		node.go([&](node_proc_t *proc) {
			EXPECT_EQ(send(node, proc, to, "1"), DREAM_OK);
			EXPECT_EQ(call(proc, to, "2"), "error " + std::to_string(DREAM_EBUSY) + " \"busy\"");
		});
	}
}

TEST(Mailbox, SuspendedSendersWaitForRoomAndKeepTheirOrder) // SIG-1
{
	SimNode node;
	std::string got;
	uint32_t most = 0;
	node_limits_t limits = mailbox(4, DREAM_FULL_SUSPEND);
	dream_pid_t to = node.spawn(
		[&](node_proc_t *proc) {
			for (int i = 0; i < 100; i++) {
				node_proc_drain(proc);
				most = std::max(most, proc->n_inbox);
				got += receive(proc, DREAM_INFINITY) + " ";
			}
		},
		with(limits));
	std::string expected;
	for (int i = 0; i < 100; i++)
		expected += std::to_string(i) + " ";
	int n_sent = 0;
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 100; i++)
			n_sent += send(node, proc, to, std::to_string(i)) == DREAM_OK;
	});
	node.run();
	EXPECT_EQ(n_sent, 100);
	EXPECT_EQ(got, expected);
	EXPECT_LE(most, 4u);
	EXPECT_GE(most, 2u);
}

TEST(Mailbox, SuspensionEndsAfterItsTime)
{
	SimNode node;
	node_limits_t limits = mailbox(1, DREAM_FULL_SUSPEND, 300);
	dream_pid_t to = node.go(
		[](node_proc_t *proc) {
			(void) node_proc_wait(proc, NODE_FOREVER);
			wait_forever(proc);
		},
		with(limits));
	int first = 1, second = 1;
	int64_t begin_ms = node.now_ms(), end_ms = 0;
	node.go([&](node_proc_t *proc) {
		first = send(node, proc, to, "1");
		second = send(node, proc, to, "2");
		end_ms = node.now_ms();
	});
	node.advance(1000);
	EXPECT_EQ(first, DREAM_OK);
	EXPECT_EQ(second, DREAM_EBUSY);
	EXPECT_NEAR((double) (end_ms - begin_ms), 300, 2);
}

TEST(Mailbox, CallOutsideAFullMailboxKeepsItsOwnTimeout)
{
	SimNode node;
	node_limits_t limits = mailbox(1, DREAM_FULL_SUSPEND, 5000);
	dream_pid_t to = node.go(
		[](node_proc_t *proc) {
			(void) node_proc_wait(proc, NODE_FOREVER);
			wait_forever(proc);
		},
		with(limits));
	int64_t begin_ms = node.now_ms(), end_ms = 0;
	node.go([&](node_proc_t *proc) {
		(void) send(node, proc, to, "1");
		EXPECT_NE(call(proc, to, "2", 100).find("error"), std::string::npos);
		end_ms = node.now_ms();
	});
	node.advance(6000);
	EXPECT_NEAR((double) (end_ms - begin_ms), 100, 2);
}

TEST(Mailbox, WhoSendsToItselfIsRefusedAtOnce)
{
	SimNode node;
	node_limits_t limits = mailbox(1, DREAM_FULL_SUSPEND);
	node.go(
		[&](node_proc_t *proc) {
			EXPECT_EQ(send(node, proc, node_proc_pid(proc), "1"), DREAM_OK);
			EXPECT_EQ(send(node, proc, node_proc_pid(proc), "2"), DREAM_EBUSY);
		},
		with(limits));
	EXPECT_EQ(node_proctab_count(node), 0u) << "it did not wait";
}

TEST(Mailbox, TwoThatWaitForEachOtherGoOnAfterTheirTime)
{
	SimNode node;
	node_limits_t limits = mailbox(1, DREAM_FULL_SUSPEND, 200);
	dream_pid_t pids[2];
	int busy = 0;
	for (int me = 0; me < 2; me++)
		pids[me] = node.spawn(
			[&, me](node_proc_t *proc) {
				EXPECT_EQ(send(node, proc, pids[1 - me], "1"), DREAM_OK);
				busy += send(node, proc, pids[1 - me], "2") == DREAM_EBUSY;
			},
			with(limits));
	node.advance(1000);
	EXPECT_GE(busy, 1);
	EXPECT_EQ(node_proctab_count(node), 0u);
}

TEST(Mailbox, EndOfTheReceiverReleasesWhoWaitsOutside)
{
	SimNode node;
	node_limits_t limits = mailbox(1, DREAM_FULL_SUSPEND, 60000);
	dream_pid_t to = node.go(
		[](node_proc_t *proc) {
			(void) node_proc_wait(proc, NODE_FOREVER);
			wait_forever(proc);
		},
		with(limits));
	int ended = 0;
	for (int i = 0; i < 50; i++)
		node.spawn([&](node_proc_t *proc) {
			(void) send(node, proc, to, "1");
			EXPECT_EQ(send(node, proc, to, "2"), DREAM_OK) << "the dead swallow messages";
			ended++;
		});
	node.run();
	EXPECT_EQ(ended, 0);
	exit_signal(node, nullptr, to, "\"kill\"");
	node.run();
	EXPECT_EQ(ended, 50);
}

TEST(Mailbox, KilledWhileSuspendedLeavesNothingBehind) // the leak check is the judge
{
	SimNode node;
	std::string got;
	bool take = false;
	node_limits_t limits = mailbox(1, DREAM_FULL_SUSPEND, 60000);
	dream_pid_t to = node.go(
		[&](node_proc_t *proc) {
			while (!take)
				(void) node_proc_wait(proc, NODE_FOREVER);
			collect(proc, &got);
		},
		with(limits));
	dream_pid_t sender = node.go([&](node_proc_t *proc) {
		(void) send(node, proc, to, "1");
		(void) send(node, proc, to, "2");
	});
	exit_signal(node, nullptr, sender, "\"kill\"");
	node.run();
	EXPECT_FALSE(node.alive(sender));
	take = true;
	node.go([&](node_proc_t *proc) {
		exit_signal(node, proc, to, "\"normal\""); // wakes it
		EXPECT_EQ(send(node, proc, to, "3"), DREAM_OK) << "the dead one does not stand before it";
	});
	node.run();
	EXPECT_EQ(got, "13");
}

TEST(Mailbox, MessageLargerThanTheLimitIsNeverLetIn)
{
	SimNode node;
	std::string got;
	node_limits_t limits = mailbox(0, DREAM_FULL_SUSPEND, 60000, 8);
	dream_pid_t to = node.go([&](node_proc_t *proc) { collect(proc, &got); }, with(limits));
	bool done = false;
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(send(node, proc, to, "\"0123456789\""), DREAM_EBUSY);
		done = true;
	});
	EXPECT_TRUE(done) << "it did not wait for what cannot come";
}

TEST(Mailbox, NextProcessInTheSlotHasNoneOfItsLimits)
{
	SimNode node;
	node_limits_t limits = mailbox(1, DREAM_FULL_REFUSE);
	dream_pid_t first = node.go([](node_proc_t *) {}, with(limits));
	dream_pid_t second = node.go([](node_proc_t *proc) {
		(void) node_proc_wait(proc, NODE_FOREVER);
		wait_forever(proc);
	});
	ASSERT_EQ((uint32_t) first.id, (uint32_t) second.id);
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 10; i++)
			EXPECT_EQ(send(node, proc, second, "1"), DREAM_OK);
	});
}

TEST(Mailbox, BytesThatWaitAreCounted)
{
	SimNode node;
	dream_pid_t to = node.go([&](node_proc_t *proc) {
		EXPECT_EQ(receive(proc, DREAM_INFINITY), "\"go\"");
		EXPECT_EQ(proc->n_inbox, 2u);
		EXPECT_EQ(proc->inbox_bytes, 20u);
		(void) receive(proc);
		EXPECT_EQ(proc->inbox_bytes, 10u);
		(void) receive(proc);
		EXPECT_EQ(proc->inbox_bytes, 0u);
	});
	for (const char *text : {"\"go\"", "\"123456789\"", "\"123456789\""})
		send(node, nullptr, to, text);
	node.run();
	EXPECT_FALSE(node.alive(to));
}

// Many senders on real threads outside one small mailbox: all that was let in arrives, and nobody is forgotten.
TEST(Mailbox, SuspendedSendersOnThreadsAllGetIn)
{
	const unsigned n_senders = 20, n_each = 200;
	std::atomic<unsigned> sent{0};
	unsigned received = 0;
	ThreadNode node(3);
	node_limits_t limits = mailbox(8, DREAM_FULL_SUSPEND, 60000);
	dream_pid_t to = node.spawn(
		[&](node_proc_t *proc) {
			for (; received < n_senders * n_each; received++)
				if (receive(proc, 20000) == "(timeout)")
					return;
		},
		with(limits));
	for (unsigned i = 0; i < n_senders; i++)
		node.spawn([&](node_proc_t *proc) {
			for (unsigned k = 0; k < n_each; k++)
				sent += send(node, proc, to, "1") == DREAM_OK;
		});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(sent, n_senders * n_each);
	EXPECT_EQ(received, n_senders * n_each);
}

// ---- memory

static node_limits_t heap_limit(uint64_t bytes)
{
	node_limits_t limits = {};
	limits.max_heap_bytes = bytes;
	return limits;
}

TEST(MemoryLimit, AllocationBeyondItFailsAndTheProcessEnds) // RCV-4
{
	SimNode node;
	node_limits_t limits = heap_limit(10000);
	std::string down;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		dream_pid_t pid = node.spawn(
			[](node_proc_t *child) {
				node_proc_set_flag(child, NODE_PROC_TRAP_EXIT, true);
				void *block = node_heap_alloc(child, 9000);
				EXPECT_NE(block, nullptr);
				EXPECT_EQ(node_heap_alloc(child, 1001), nullptr);
				EXPECT_TRUE(node_proc_exiting(child));
				wait_forever(child);
			},
			with(limits));
		(void) node_proc_monitor(proc, pid, nullptr, &ref);
		down = receive(proc, DREAM_INFINITY);
	});
	EXPECT_NE(down.find("[\"limit\", \"memory\"]"), std::string::npos) << down;
}

TEST(MemoryLimit, WhatWasFreedDoesNotCount)
{
	SimNode node;
	node_limits_t limits = heap_limit(10000);
	node.go(
		[](node_proc_t *proc) {
			for (int i = 0; i < 100; i++) {
				void *block = node_heap_alloc(proc, 9000);
				ASSERT_NE(block, nullptr);
				node_heap_free(proc, block);
			}
		},
		with(limits));
}

TEST(MemoryLimit, MessagesThatWaitCount)
{
	SimNode node;
	node_limits_t limits = heap_limit(10000);
	dream_pid_t to = node.go(
		[](node_proc_t *proc) {
			(void) node_proc_wait(proc, NODE_FOREVER);
			wait_forever(proc);
		},
		with(limits));
	std::string text = "\"" + std::string(1000, 'x') + "\"";
	for (int i = 0; i < 9; i++)
		send(node, nullptr, to, text);
	node.run();
	EXPECT_TRUE(node.alive(to));
	send(node, nullptr, to, text);
	node.run();
	EXPECT_FALSE(node.alive(to));
	EXPECT_EQ(node.logged("[\"limit\", \"memory\"]"), 1u);
}

// ---- as modules ask for them

TEST(Limits, NonsenseIsRefusedAndSaysWhy)
{
	SimNode node;
	node.load();
	node.go([](node_proc_t *proc) {
		struct {
			void (*spoil)(dream_limits_t *limits);
			const char *part;
		} cases[] = {
			{[](dream_limits_t *l) { l->stack_bytes = (uint64_t) 1 << 40; }, "64 MiB"},
			{[](dream_limits_t *l) { l->max_heap_bytes = 1; }, "max_heap_bytes"},
			{[](dream_limits_t *l) { l->max_mailbox_msgs = UINT64_MAX; }, "mailbox"},
			{[](dream_limits_t *l) { l->when_full = 4; }, "when_full"},
			{[](dream_limits_t *l) { l->suspend_ms = 3600001; }, "suspend_ms"},
		};
		for (auto &c : cases) {
			dream_limits_t limits = {};
			node_start_t how = {};
			c.spoil(&limits);
			how.module = "scripted";
			how.kind = "plain";
			how.limits = &limits;
			EXPECT_EQ(node_start_kind(proc, &how, nullptr), DREAM_EINVAL);
			EXPECT_NE(text(node_proc_reason_borrow(proc)).find(c.part), std::string::npos)
				<< c.part;
		}
	});
}

TEST(Limits, NodesDefaultsCountWhereNothingIsAsked)
{
	SimNode node;
	node.load();
	node_limits_t defaults = mailbox(3, DREAM_FULL_DROP);
	defaults.max_heap_bytes = 1 << 20;
	node_proctab_set_defaults(node, &defaults);
	Script script;
	node.go([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		const node_proc_t *server = node_proctab_find(node, pid.id);
		EXPECT_EQ(server->gate->max_msgs, 3u);
		EXPECT_EQ(node_proc_extra(server)->max_heap_bytes, 1u << 20);
	});
}
