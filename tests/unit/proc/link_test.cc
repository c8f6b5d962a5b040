// SPDX-License-Identifier: MIT
// Links, monitors and the order of signals (LNK, MON, SIG, SPN).
#include "support/node.h"

namespace
{

// Waits for a go, then ends with the reason.
dream_pid_t mortal(SimNode &node, const std::string &reason = "\"gone\"")
{
	return node.go([reason](node_proc_t *proc) {
		(void) receive(proc, DREAM_INFINITY);
		node_proc_exit_take(proc, term(reason));
	});
}

void trap(node_proc_t *proc)
{
	node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
}

void end(SimNode &node, dream_pid_t pid)
{
	send(node, nullptr, pid, "\"go\"");
}

std::string exit_of(const node_t *node, dream_pid_t pid, const std::string &reason)
{
	return "[\"EXIT\", " + text_of(node, pid) + ", " + reason + "]";
}

// True if `text` is the DOWN of `pid` with `reason`; the reference is not looked at.
::testing::AssertionResult is_down(
	const node_t *node, const std::string &text, dream_pid_t pid, const std::string &reason)
{
	std::string tail = "\"process\", " + text_of(node, pid) + ", " + reason + "]";
	bool fits = text.rfind("[\"DOWN\", ", 0) == 0 && text.size() > tail.size() &&
		    text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
	return (fits ? ::testing::AssertionSuccess() : ::testing::AssertionFailure())
	       << text << " is not the end of " << tail;
}

} // namespace

// ---- links

TEST(Link, LinkingTwiceMakesOneLink) // LNK-1
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string first, second;
	node.go([&](node_proc_t *proc) {
		trap(proc);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		first = receive(proc, 10);
		second = receive(proc, 10);
	});
	end(node, b);
	node.advance(20);
	EXPECT_EQ(first, exit_of(node, b, "\"gone\""));
	EXPECT_EQ(second, "(timeout)");
}

TEST(Link, OneUnlinkUndoesTwoLinks) // LNK-1
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	node.go([&](node_proc_t *proc) {
		trap(proc);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		got = receive(proc, 10);
	});
	end(node, b);
	node.advance(20);
	EXPECT_EQ(got, "(timeout)");
}

TEST(Link, LinkingOneselfDoesNothing) // LNK-1
{
	SimNode node;
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, node_proc_pid(proc)), DREAM_OK);
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
	});
}

TEST(Link, WorksInBothDirections) // LNK-1
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	dream_pid_t a = node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		wait_forever(proc);
	});
	exit_signal(node, nullptr, a, "\"kill\"");
	node.run();
	EXPECT_FALSE(node.alive(b));
}

TEST(Unlink, ExitAlreadyInTheMailboxStays) // LNK-2
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	node.go([&](node_proc_t *proc) {
		trap(proc);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		end(node, b);
		EXPECT_EQ(node_proc_wait(proc, NODE_FOREVER), DREAM_OK);
		EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		got = receive(proc, 0);
	});
	EXPECT_EQ(got, exit_of(node, b, "\"gone\""));
}

TEST(Unlink, LaterEndOfThePeerHasNoEffect) // LNK-2
{
	SimNode node;
	dream_pid_t b = mortal(node);
	bool survived = false;
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		end(node, b);
		(void) receive(proc, 10);
		survived = true;
	});
	node.advance(20);
	EXPECT_TRUE(survived);
}

TEST(Unlink, EndOfAPeerThatHasNotSeenItHasNoEffect) // EXIT-3, LNK-2
{
	SimNode node;
	bool linked = false, unlinked = false;
	std::string got;
	dream_pid_t b = node.spawn([&](node_proc_t *proc) {
		for (; !linked; node_sched_yield(proc)) {
			node_proc_drain(proc);
			linked = node_reftab_count(proc->links) == 1;
		}
		while (!unlinked)
			node_sched_yield(proc);
		EXPECT_EQ(node_reftab_count(proc->links), 1u); // so it tells the other of its end
		node_proc_exit_take(proc, term("\"boom\""));
	});
	node.spawn([&](node_proc_t *proc) {
		trap(proc);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		while (!linked)
			node_sched_yield(proc);
		EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		unlinked = true;
		got = receive(proc, 10);
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
	});
	node.advance(20);
	EXPECT_EQ(got, "(timeout)");
	EXPECT_FALSE(node.alive(b));
}

TEST(Unlink, FromTheOtherSideHoldsToo) // LNK-3
{
	SimNode node;
	bool survived = false;
	dream_pid_t a = node.go([&](node_proc_t *proc) {
		(void) receive(proc, DREAM_INFINITY);
		survived = true;
	});
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, a), DREAM_OK);
		EXPECT_EQ(node_proc_unlink(proc, a), DREAM_OK);
		node_proc_exit_take(proc, term("\"boom\""));
	});
	send(node, nullptr, a, "1");
	node.run();
	EXPECT_TRUE(survived);
}

TEST(Unlink, AcknowledgedLinksLeaveNoEntry) // LNK-3
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 100; i++) {
			EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
			EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		}
		(void) receive(proc, 5);
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
	});
	node.advance(5);
	EXPECT_EQ(node_reftab_count(node_proctab_find(node, b.id)->links), 0u);
}

TEST(Unlink, LinkingAgainBeforeTheAcknowledgementHolds) // LNK-3 (e)
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	node.go([&](node_proc_t *proc) {
		trap(proc);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		(void) receive(proc, 5); // the acknowledgement comes and must not end the new link
		end(node, b);
		got = receive(proc, 5);
	});
	node.advance(20);
	EXPECT_EQ(got, exit_of(node, b, "\"gone\""));
}

TEST(Unlink, NewLinkToThePeerThatDiedMeanwhileIsNoproc) // LNK-3, signal_SUITE:unlink_exit
{
	SimNode node;
	std::string got, more;
	dream_pid_t b = node.go([&](node_proc_t *proc) {
		(void) receive(proc, DREAM_INFINITY);
		node_sched_yield(proc); // the unlink comes now, and is never handled
		node_proc_exit_take(proc, term("\"gone\""));
	});
	node.go([&](node_proc_t *proc) {
		trap(proc);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		end(node, b);
		node_sched_yield(proc);
		EXPECT_TRUE(node.alive(b));
		EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		node_sched_yield(proc); // b ends; its exit waits in our queue, of a link that we gave up
		EXPECT_FALSE(node.alive(b));
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		got = receive(proc, 5);
		more = receive(proc, 5);
	});
	node.advance(50);
	EXPECT_EQ(got, exit_of(node, b, "\"noproc\""));
	EXPECT_EQ(more, "(timeout)");
}

TEST(Link, BothSidesAgreeAfterAnythingAtRandom) // LNK-3, erl_link_SUITE:otp_17127
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		SimNode node(seed);
		dream_pid_t pids[2] = {};
		auto body = [&](int me) {
			return [&, me](node_proc_t *proc) {
				uint64_t bits;
				node->clock->random(node->clock, &bits, sizeof(bits));
				(void) receive(proc, DREAM_INFINITY);
				for (int i = 0; i < 60; i++, bits >>= 1) {
					int r = (bits & 1) ? node_proc_link(proc, pids[1 - me])
							   : node_proc_unlink(proc, pids[1 - me]);
					EXPECT_EQ(r, DREAM_OK);
					if (bits & 4)
						node_sched_yield(proc);
				}
				wait_forever(proc);
			};
		};
		pids[0] = node.go(body(0));
		pids[1] = node.go(body(1));
		send(node, nullptr, pids[0], "1");
		send(node, nullptr, pids[1], "1");
		node.run();
		uint32_t n[2];
		for (int i = 0; i < 2; i++)
			n[i] = node_reftab_count(node_proctab_find(node, pids[i].id)->links);
		EXPECT_EQ(n[0], n[1]) << "seed " << seed;
	}
}

// ---- monitors

TEST(Monitor, EachFiresOnce) // MON-1
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		uint64_t one, two;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &one), DREAM_OK);
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &two), DREAM_OK);
		EXPECT_NE(one, two);
		for (int i = 0; i < 3; i++)
			got.push_back(receive(proc, 5));
	});
	end(node, b);
	node.advance(20);
	ASSERT_EQ(got.size(), 3u);
	EXPECT_TRUE(is_down(node, got[0], b, "\"gone\""));
	EXPECT_TRUE(is_down(node, got[1], b, "\"gone\""));
	EXPECT_NE(got[0], got[1]);
	EXPECT_EQ(got[2], "(timeout)");
}

TEST(Monitor, EndOfTheWatcherHurtsNobody) // MON-1
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		node_proc_exit_take(proc, term("\"boom\""));
	});
	ASSERT_TRUE(node.alive(b));
	EXPECT_EQ(node_reftab_count(node_proc_extra(node_proctab_find(node, b.id))->watchers), 0u);
}

TEST(Monitor, ByNameShowsTheName) // MON-2
{
	SimNode node;
	Spawn how;
	how.name = "bob";
	dream_pid_t b = node.go(
		[](node_proc_t *proc) {
			(void) receive(proc, DREAM_INFINITY);
			node_proc_exit_take(proc, term("\"gone\""));
		},
		how);
	std::string got;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, "bob", &ref), DREAM_OK);
		got = receive(proc, DREAM_INFINITY);
	});
	end(node, b);
	node.run();
	EXPECT_NE(got.find("\"process\", \"bob\", \"gone\"]"), std::string::npos) << got;
}

TEST(Monitor, DeadTargetIsNoproc) // MON-3
{
	SimNode node;
	dream_pid_t b = node.go([](node_proc_t *) {});
	std::string got, named;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		got = receive(proc);
		EXPECT_EQ(node_proc_monitor(proc, dream_pid_t{0, 0, 0}, "nobody", &ref), DREAM_OK);
		named = receive(proc);
	});
	EXPECT_TRUE(is_down(node, got, b, "\"noproc\""));
	EXPECT_NE(named.find("\"nobody\", \"noproc\"]"), std::string::npos) << named;
}

TEST(Monitor, OtherIncarnationIsNoproc) // MON-3, monitor_SUITE:otp_5827
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	b.creation++;
	std::string got;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		got = receive(proc);
	});
	EXPECT_NE(got.find("\"noproc\"]"), std::string::npos) << got;
}

TEST(Monitor, UnreachableNodeIsNoconnection) // MON-3
{
	SimNode node;
	std::string got;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, dream_pid_t{5, 1, 3}, nullptr, &ref), DREAM_OK);
		got = receive(proc);
	});
	EXPECT_NE(got.find("\"noconnection\"]"), std::string::npos) << got;
}

TEST(Demonitor, NoDownComesLater) // MON-4
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	bool active = false;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		active = node_proc_demonitor(proc, ref, false);
		end(node, b);
		got = receive(proc, 10);
	});
	node.advance(20);
	EXPECT_TRUE(active);
	EXPECT_EQ(got, "(timeout)");
}

TEST(Demonitor, DownInTheQueueButNotYetHandledIsDropped) // MON-4
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	bool active = false;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		end(node, b);
		node_sched_yield(proc);
		EXPECT_FALSE(node.alive(b));
		active = node_proc_demonitor(proc, ref, false);
		got = receive(proc, 10);
	});
	node.advance(20);
	EXPECT_EQ(active, got == "(timeout)"); // info true exactly if no DOWN comes
}

TEST(Demonitor, AfterTheDownItSaysFalseAndLeavesTheMessage) // MON-4
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::string got;
	bool active = true;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		end(node, b);
		(void) node_proc_wait(proc, NODE_FOREVER);
		active = node_proc_demonitor(proc, ref, false);
		got = receive(proc);
	});
	EXPECT_FALSE(active);
	EXPECT_TRUE(is_down(node, got, b, "\"gone\""));
}

TEST(Demonitor, FlushRemovesTheDownAndNothingElse) // MON-4
{
	SimNode node;
	dream_pid_t b = mortal(node);
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		send(node, proc, node_proc_pid(proc), "1");
		end(node, b);
		node_sched_yield(proc);
		node_proc_drain(proc);
		send(node, proc, node_proc_pid(proc), "2");
		node_proc_drain(proc);
		EXPECT_EQ(proc->n_inbox, 3u);
		EXPECT_FALSE(node_proc_demonitor(proc, ref, true));
		EXPECT_EQ(proc->n_inbox, 2u);
		send(node, proc, node_proc_pid(proc), "3");
		for (int i = 0; i < 4; i++)
			got.push_back(receive(proc));
	});
	EXPECT_EQ(got, (std::vector<std::string>{"1", "2", "3", "(timeout)"}));
}

TEST(Demonitor, ByAnotherProcessDoesNothing) // MON-5
{
	SimNode node;
	dream_pid_t b = mortal(node);
	uint64_t ref = 0;
	std::string got;
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		got = receive(proc, DREAM_INFINITY);
	});
	node.go([&](node_proc_t *proc) { EXPECT_FALSE(node_proc_demonitor(proc, ref, true)); });
	end(node, b);
	node.run();
	EXPECT_TRUE(is_down(node, got, b, "\"gone\""));
}

TEST(Demonitor, UnknownReferenceIsFalse) // MON-5
{
	SimNode node;
	node.go([&](node_proc_t *proc) { EXPECT_FALSE(node_proc_demonitor(proc, 12345, true)); });
}

TEST(Monitor, DownComesAfterAllTheTargetSent) // MON-6, SIG-1
{
	SimNode node;
	std::vector<std::string> got;
	Spawn named;
	named.name = "watcher";
	dream_pid_t a = node.go(
		[&](node_proc_t *proc) {
			uint64_t ref;
			(void) receive(proc, DREAM_INFINITY);
			dream_pid_t b = node.spawn([&](node_proc_t *target) {
				dream_dest_t by_name = dream_to_name("watcher");
				(void) receive(target, DREAM_INFINITY);
				for (int i = 0; i < 10; i++) // SIG-1: one order whether by name or by pid
					EXPECT_EQ(node_call_send_take(node, target, &by_name, term("1")),
						DREAM_OK);
				dream_pid_t watcher;
				EXPECT_EQ(node_names_whereis(node, "watcher", &watcher), DREAM_OK);
				send(node, target, watcher, "2");
			});
			EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
			end(node, b);
			for (int i = 0; i < 12; i++)
				got.push_back(receive(proc, DREAM_INFINITY));
		},
		named);
	send(node, nullptr, a, "1");
	node.run();
	ASSERT_EQ(got.size(), 12u);
	for (int i = 0; i < 10; i++)
		EXPECT_EQ(got[i], "1");
	EXPECT_EQ(got[10], "2");
	EXPECT_EQ(got[11].rfind("[\"DOWN\"", 0), 0u);
}

// ---- order and loss

TEST(Signal, MessageSentBeforeAnExitSignalComesFirst) // SIG-1, signal_SUITE:xm_sig_order
{
	SimNode node;
	std::vector<std::string> got;
	dream_pid_t b = node.go([&](node_proc_t *proc) {
		trap(proc);
		for (int i = 0; i < 2000; i++)
			got.push_back(receive(proc, DREAM_INFINITY));
	});
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 1000; i++) {
			send(node, proc, b, std::to_string(i));
			exit_signal(node, proc, b, std::to_string(i));
		}
	});
	ASSERT_EQ(got.size(), 2000u);
	for (int i = 0; i < 1000; i++) {
		EXPECT_EQ(got[2 * i], std::to_string(i));
		EXPECT_EQ(got[2 * i + 1].rfind("[\"EXIT\"", 0), 0u);
	}
}

TEST(Signal, MessageBeforeTheEndIsReceivedEvenIfTheExitIsAlreadyThere) // SIG-1
{
	SimNode node;
	std::string got;
	Spawn how;
	dream_pid_t b = node.go([&](node_proc_t *proc) {
		trap(proc);
		got = receive(proc, DREAM_INFINITY);
		wait_forever(proc);
	});
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		send(node, proc, b, "\"last\"");
		node_proc_exit_take(proc, term("\"boom\""));
	});
	EXPECT_EQ(got, "\"last\"");
}

TEST(Send, DeadProcessSwallowsTheMessage) // SIG-5
{
	SimNode node;
	dream_pid_t b = node.go([](node_proc_t *) {});
	node.go([&](node_proc_t *proc) { EXPECT_EQ(send(node, proc, b, "1"), DREAM_OK); });
}

TEST(Send, UnknownNameOfThisNodeIsAnError) // SIG-5
{
	SimNode node;
	dream_dest_t to = dream_to_name("nobody");
	EXPECT_EQ(node_call_send_take(node, nullptr, &to, term("1")), DREAM_ENOENT);
}

TEST(Pid, SignalToAnOldPidNeverReachesTheNewProcessInItsSlot)
{
	SimNode node;
	dream_pid_t old = node.go([](node_proc_t *) {});
	std::string got;
	dream_pid_t fresh = node.go([&](node_proc_t *proc) { got = receive(proc, 10); });
	ASSERT_EQ((uint32_t) old.id, (uint32_t) fresh.id) << "the slot is used again";
	ASSERT_NE(old.id, fresh.id);
	send(node, nullptr, old, "\"stray\"");
	exit_signal(node, nullptr, old, "\"kill\"");
	node.advance(20);
	EXPECT_EQ(got, "(timeout)");
}

// ---- spawn

TEST(Spawn, LinkedChildThatDiesAtOnceTellsItsRealReason) // SPN-1
{
	SimNode node;
	std::string got;
	dream_pid_t child = {0, 0, 0};
	node.go([&](node_proc_t *proc) {
		trap(proc);
		Spawn how;
		how.parent = proc;
		how.link = true;
		child = node.spawn([](node_proc_t *c) { node_proc_exit_take(c, term("\"first\"")); }, how);
		got = receive(proc, DREAM_INFINITY);
	});
	EXPECT_EQ(got, exit_of(node, child, "\"first\""));
}

TEST(Spawn, MonitoredChildThatDiesAtOnceTellsItsRealReason) // SPN-1
{
	SimNode node;
	std::string got;
	dream_pid_t child = {0, 0, 0};
	node.go([&](node_proc_t *proc) {
		Spawn how;
		how.parent = proc;
		how.monitor_ref = node_proc_new_ref(node);
		child = node.spawn([](node_proc_t *c) { node_proc_exit_take(c, term("\"first\"")); }, how);
		got = receive(proc, DREAM_INFINITY);
	});
	EXPECT_TRUE(is_down(node, got, child, "\"first\""));
}

TEST(Spawn, ParentsEndTakesALinkedChildAlongBeforeItsFirstInstruction) // SPN-1
{
	SimNode node;
	bool ran = false;
	node.go([&](node_proc_t *proc) {
		Spawn how;
		how.parent = proc;
		how.link = true;
		node.spawn([&](node_proc_t *) { ran = true; }, how);
		node_proc_exit_take(proc, term("\"boom\""));
	});
	EXPECT_EQ(node_proctab_count(node), 0u);
	EXPECT_FALSE(ran);
}

TEST(Spawn, TakenNameLeavesNothingBehind)
{
	SimNode node;
	Spawn how;
	how.name = "one";
	node.go(wait_forever, how);
	uint32_t before = node_proctab_count(node);
	int r = 0;
	node.go([&](node_proc_t *proc) {
		Spawn second = how;
		second.parent = proc;
		second.link = true;
		second.monitor_ref = node_proc_new_ref(node);
		second.result = &r;
		node.spawn([](node_proc_t *) {}, second);
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
		EXPECT_EQ(node_reftab_count(node_proc_extra(proc)->monitors), 0u);
	});
	EXPECT_EQ(r, DREAM_EEXIST);
	EXPECT_EQ(node_proctab_count(node), before);
	EXPECT_EQ(node.go([](node_proc_t *) {}).creation, 1u);
}
