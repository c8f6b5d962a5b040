// SPDX-License-Identifier: MIT
// Aliases, and the options of monitors (ALS, MON-4, MON-5, MON-7).
#include <atomic>
#include <set>

#include "proc/alias.h"
#include "support/node.h"

namespace
{

dream_ref_t alias(uint32_t flags = 0)
{
	dream_ref_t ref = {0, 0, 0};
	EXPECT_EQ(dream_alias(flags, &ref), DREAM_OK);
	return ref;
}

int send_to(dream_ref_t ref, const char *text)
{
	return dream_send_take(dream_to_alias(ref), owned(text));
}

dream_ref_t monitor_as(dream_pid_t pid, uint32_t kind, const char *tag = nullptr)
{
	dream_ref_t ref = {0, 0, 0};
	dream_msg_t *msg = tag != nullptr ? owned(tag) : nullptr;
	dream_monitor_t how = {DREAM_SIZED(dream_monitor_t), kind, msg};
	EXPECT_EQ(dream_monitor_as(dream_to(pid), &how, &ref), DREAM_OK);
	dream_msg_unref(msg);
	return ref;
}

// Waits for a go, then ends.
dream_pid_t mortal(SimNode &node)
{
	return node.go([](node_proc_t *proc) { (void) receive(proc, DREAM_INFINITY); });
}

void end(SimNode &node, dream_pid_t pid)
{
	send(node, nullptr, pid, "\"go\"");
}

} // namespace

TEST(Alias, MessageToItIsReceivedUntilItEnds) // ALS-1, ALS-3
{
	SimNode node;
	std::vector<std::string> got;
	bool active = false, again = true;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = alias();
		EXPECT_EQ(send_to(ref, "1"), DREAM_OK);
		EXPECT_EQ(send_to(ref, "2"), DREAM_OK);
		got.push_back(receive(proc));
		got.push_back(receive(proc));
		active = dream_unalias(ref);
		again = dream_unalias(ref);
		EXPECT_EQ(send_to(ref, "3"), DREAM_OK);
		got.push_back(receive(proc));
	});
	EXPECT_TRUE(active);
	EXPECT_FALSE(again);
	EXPECT_EQ(got, (std::vector<std::string>{"1", "2", "(timeout)"}));
}

TEST(Alias, WhatIsInTheMailboxStaysAndWhatIsOnItsWayDoesNot) // ALS-1, ALS-3
{
	SimNode node;
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = alias();
		send_to(ref, "1");
		node_proc_drain(proc);
		send_to(ref, "2");
		EXPECT_TRUE(dream_unalias(ref));
		got.push_back(receive(proc));
		got.push_back(receive(proc));
	});
	EXPECT_EQ(got, (std::vector<std::string>{"1", "(timeout)"}));
}

TEST(Alias, OfOneReplyEndsWithTheFirstMessage) // ALS-2: alias([reply])
{
	SimNode node;
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = alias(DREAM_ALIAS_REPLY);
		send_to(ref, "1");
		send_to(ref, "2");
		got.push_back(receive(proc));
		got.push_back(receive(proc));
		EXPECT_FALSE(dream_unalias(ref));
	});
	EXPECT_EQ(got, (std::vector<std::string>{"1", "(timeout)"}));
}

TEST(Alias, TravelsByValueAndIsSilentWhenItsOwnerIsDead) // ALS-5
{
	SimNode node;
	dream_ref_t ref = {0, 0, 0};
	std::string got;
	dream_pid_t owner = node.go([&](node_proc_t *proc) {
		ref = alias();
		got = receive(proc, DREAM_INFINITY);
	});
	node.go([&](node_proc_t *) { EXPECT_EQ(send_to(ref, "\"hello\""), DREAM_OK); });
	EXPECT_EQ(got, "\"hello\"");
	EXPECT_FALSE(node.alive(owner));
	node.go([&](node_proc_t *) { EXPECT_EQ(send_to(ref, "\"late\""), DREAM_OK); });
}

TEST(Alias, NeverReachesTheNextProcessInTheSlot) // ALS-5
{
	SimNode node;
	dream_ref_t ref = {0, 0, 0};
	dream_pid_t owner = node.go([&](node_proc_t *) { ref = alias(); });
	std::string got;
	dream_pid_t next = node.go([&](node_proc_t *proc) {
		(void) alias();
		got = receive(proc, 10);
	});
	ASSERT_EQ((uint32_t) owner.id, (uint32_t) next.id);
	node.go([&](node_proc_t *) { EXPECT_EQ(send_to(ref, "1"), DREAM_OK); });
	node.advance(20);
	EXPECT_EQ(got, "(timeout)");
}

TEST(Alias, KeepsTheOrderOfItsSender) // SIG-1: by alias and by pid
{
	SimNode node;
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = alias();
		dream_pid_t me = node_proc_pid(proc);
		node.spawn([=](node_proc_t *sender) {
			for (int i = 0; i < 10; i++) {
				if (i % 2 == 0)
					send_to(ref, std::to_string(i).c_str());
				else
					send(sender->node, sender, me, std::to_string(i));
			}
		});
		for (int i = 0; i < 10; i++)
			got.push_back(receive(proc, DREAM_INFINITY));
	});
	ASSERT_EQ(got.size(), 10u);
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(got[i], std::to_string(i));
}

TEST(Alias, EndedByAnotherProcessIsNotEnded) // ALS-3
{
	SimNode node;
	dream_ref_t ref = {0, 0, 0};
	std::string got;
	node.go([&](node_proc_t *proc) {
		ref = alias();
		got = receive(proc, DREAM_INFINITY);
	});
	node.go([&](node_proc_t *) {
		EXPECT_FALSE(dream_unalias(ref));
		send_to(ref, "1");
	});
	EXPECT_EQ(got, "1");
}

TEST(Alias, OfAnEarlierIncarnationIsDropped) // ALS-5
{
	SimNode node;
	std::string got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = alias();
		ref.creation++;
		EXPECT_EQ(send_to(ref, "1"), DREAM_OK);
		EXPECT_FALSE(dream_unalias(ref));
		got = receive(proc);
	});
	EXPECT_EQ(got, "(timeout)");
}

TEST(Alias, NumbersAreNeitherPidsNorOtherReferences)
{
	SimNode node;
	node.go([&](node_proc_t *proc) {
		std::set<uint64_t> seen;
		for (int i = 0; i < 10000; i++) {
			EXPECT_FALSE(node_alias_is(node_proc_new_ref(node)));
			uint64_t ref = node_alias_new_ref(proc);
			EXPECT_TRUE(node_alias_is(ref));
			EXPECT_TRUE(seen.insert(ref).second);
		}
		EXPECT_FALSE(node_alias_is(proc->id));
	});
}

TEST(Alias, UnknownFlagsAreRefused)
{
	SimNode node;
	node.go([&](node_proc_t *) {
		dream_ref_t ref;
		EXPECT_EQ(dream_alias(2, &ref), DREAM_EINVAL);
		dream_monitor_t how = {DREAM_SIZED(dream_monitor_t), 4, nullptr};
		EXPECT_EQ(dream_monitor_as(dream_to(dream_self()), &how, &ref), DREAM_EINVAL);
		EXPECT_EQ(dream_monitor_as(dream_to(dream_self()), nullptr, &ref), DREAM_EINVAL);
	});
}

// ---- monitors with an alias

TEST(MonitorAlias, ExplicitOneOutlivesTheMonitor) // ALS-2
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = monitor_as(b, DREAM_MONITOR_ALIAS_EXPLICIT);
		EXPECT_TRUE(dream_demonitor(ref, 0));
		send_to(ref, "1");
		got.push_back(receive(proc));
		EXPECT_TRUE(dream_unalias(ref));
		ref = monitor_as(b, DREAM_MONITOR_ALIAS_EXPLICIT);
		end(node, b);
		got.push_back(receive(proc, DREAM_INFINITY).substr(0, 7));
		send_to(ref, "2");
		got.push_back(receive(proc));
	});
	EXPECT_EQ(got, (std::vector<std::string>{"1", "[\"DOWN\"", "2"}));
}

TEST(MonitorAlias, EndsWithTheMonitor) // ALS-2, MON-7, monitor_SUITE:gh_5225_demonitor_alias
{
	for (uint32_t kind : {DREAM_MONITOR_ALIAS_DEMONITOR, DREAM_MONITOR_ALIAS_REPLY_DEMONITOR}) {
		SimNode node;
		dream_pid_t b = mortal(node);
		std::string got;
		node.go([&](node_proc_t *proc) {
			dream_ref_t ref = monitor_as(b, kind);
			EXPECT_TRUE(dream_demonitor(ref, 0));
			EXPECT_FALSE(dream_demonitor(ref, DREAM_DEMONITOR_FLUSH));
			send_to(ref, "1");
			got = receive(proc);
			EXPECT_FALSE(dream_unalias(ref));
		});
		EXPECT_EQ(got, "(timeout)");
	}
}

TEST(MonitorAlias, EndsWithTheDown) // MON-7, monitor_SUITE:down_on_alias_gh5310
{
	for (uint32_t kind : {DREAM_MONITOR_ALIAS_DEMONITOR, DREAM_MONITOR_ALIAS_REPLY_DEMONITOR}) {
		SimNode node;
		dream_pid_t b = mortal(node);
		std::string got;
		node.go([&](node_proc_t *proc) {
			dream_ref_t ref = monitor_as(b, kind);
			end(node, b);
			EXPECT_EQ(receive(proc, DREAM_INFINITY).substr(0, 7), "[\"DOWN\"");
			send_to(ref, "1");
			got = receive(proc);
			EXPECT_FALSE(dream_unalias(ref));
		});
		EXPECT_EQ(got, "(timeout)");
	}
}

TEST(MonitorAlias, FirstReplyEndsTheMonitorToo) // ALS-2: reply_demonitor
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = monitor_as(b, DREAM_MONITOR_ALIAS_REPLY_DEMONITOR);
		send_to(ref, "1");
		send_to(ref, "2");
		got.push_back(receive(proc));
		got.push_back(receive(proc));
		EXPECT_FALSE(dream_demonitor(ref, 0));
		end(node, b);
		got.push_back(receive(proc, 10));
		EXPECT_EQ(node_reftab_count(node_proc_extra(proc)->monitors), 0u);
	});
	node.advance(20);
	EXPECT_EQ(got, (std::vector<std::string>{"1", "(timeout)", "(timeout)"}));
}

TEST(MonitorAlias, UnaliasLeavesTheMonitor) // ALS-3
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = monitor_as(b, DREAM_MONITOR_ALIAS_DEMONITOR);
		EXPECT_TRUE(dream_unalias(ref));
		send_to(ref, "1");
		end(node, b);
		got = receive(proc, DREAM_INFINITY);
	});
	EXPECT_EQ(got.substr(0, 7), "[\"DOWN\"");
}

TEST(MonitorTag, BeginsTheMessageInsteadOfDown) // MON-1
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		(void) monitor_as(b, 0, "[\"mine\", 7]");
		(void) monitor_as(b, 0);
		end(node, b);
		got.push_back(receive(proc, DREAM_INFINITY));
		got.push_back(receive(proc, DREAM_INFINITY));
	});
	ASSERT_EQ(got.size(), 2u);
	EXPECT_EQ(got[0].substr(0, 13), "[[\"mine\", 7],") << got[0];
	EXPECT_NE(got[0].find("\"process\", " + text_of(node, b) + ", \"normal\"]"), std::string::npos)
		<< got[0];
	EXPECT_EQ(got[1].substr(0, 7), "[\"DOWN\"");
}

TEST(MonitorTag, FlushKnowsTheTaggedDownToo) // MON-4
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref = monitor_as(b, 0, "\"mine\"");
		end(node, b);
		(void) node_proc_wait(proc, NODE_FOREVER);
		EXPECT_EQ(proc->n_inbox, 1u);
		EXPECT_FALSE(dream_demonitor(ref, DREAM_DEMONITOR_FLUSH));
		EXPECT_EQ(proc->n_inbox, 0u);
		got = receive(proc);
	});
	EXPECT_EQ(got, "(timeout)");
}

TEST(MonitorTag, GoesWithAMonitorThatIsEnded) // the leak check is the judge
{
	SimNode node;
	dream_pid_t b = mortal(node);
	node.go([&](node_proc_t *) { EXPECT_TRUE(dream_demonitor(monitor_as(b, 0, "\"mine\""), 0)); });
	node.go([&](node_proc_t *) { (void) monitor_as(b, DREAM_MONITOR_ALIAS_EXPLICIT, "\"mine\""); });
}

// ---- races

TEST(AliasStorm,
	NothingComesAfterUnaliasReturned) // ALS-3, monitor_SUITE:unexpected_alias_at_demonitor_gh5310
{
	ThreadNode node;
	std::atomic<int> late{0};
	for (int i = 0; i < 200; i++)
		node.spawn([&](node_proc_t *proc) {
			dream_ref_t ref = {0, 0, 0};
			dream_pid_t me = node_proc_pid(proc);
			dream_pid_t target = node.spawn([me](node_proc_t *t) {
				(void) receive(t, 1);
				send(t->node, t, me, "\"bye\"");
			});
			dream_monitor_t how = {
				DREAM_SIZED(dream_monitor_t), DREAM_MONITOR_ALIAS_DEMONITOR, nullptr};
			EXPECT_EQ(dream_monitor_as(dream_to(target), &how, &ref), DREAM_OK);
			node.spawn([ref](node_proc_t *) {
				for (int n = 0; n < 20; n++)
					send_to(ref, "\"alias\"");
			});
			(void) receive(proc, 1);
			bool active = dream_demonitor(ref, DREAM_DEMONITOR_FLUSH);
			(void) active;
			while (receive(proc) == "\"alias\"") // what was there
				;
			for (std::string got = receive(proc, 3); got != "(timeout)"; got = receive(proc, 3))
				late += got == "\"alias\"" || got.substr(0, 7) == "[\"DOWN\"";
		});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(late, 0);
}
