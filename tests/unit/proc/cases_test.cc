// SPDX-License-Identifier: MIT
// Cases of Erlang/OTP's own test suites that concern one node and are not in the other files; each names its suite.
#include <atomic>
#include <functional>
#include <set>
#include <utility>

#include "base/clock.h"
#include "proc/names.h"
#include "support/node.h"

namespace
{

void trap(node_proc_t *proc)
{
	node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
}

bool has(const std::string &text, const std::string &part)
{
	return text.find(part) != std::string::npos;
}

} // namespace

TEST(OtpSignal, MessagesByNameAndTheExitAfterThemKeepTheirOrder) // SIG-1, signal_SUITE:xm_sig_order
{
	ThreadNode node;
	const int n = 1000;
	std::atomic<int> wrong{0};
	Latch ready(1);
	Spawn named;
	named.name = "receiver";
	node.spawn(
		[&](node_proc_t *proc) {
			trap(proc);
			ready.hit();
			for (int i = 0; i < n; i++) {
				wrong += receive(proc, DREAM_INFINITY) != std::to_string(i);
				wrong += !has(receive(proc, DREAM_INFINITY), "\"EXIT\"");
			}
		},
		named);
	ASSERT_TRUE(ready.wait());
	node.spawn([&](node_proc_t *proc) {
		dream_dest_t by_name = dream_to_name("receiver");
		dream_pid_t pid;
		EXPECT_EQ(node_names_whereis(node, "receiver", &pid), DREAM_OK);
		for (int i = 0; i < n; i++) {
			EXPECT_EQ(
				node_call_send_take(node, proc, &by_name, term(std::to_string(i))), DREAM_OK);
			exit_signal(node, proc, pid, "\"x\"");
		}
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(OtpSignal, KillIsKilledToLinksAndMonitors) // X2, X7, signal_SUITE:kill2killed
{
	SimNode node;
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		trap(proc);
		dream_pid_t b = node.spawn(wait_forever);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		exit_signal(node, proc, b, "\"kill\"");
		got.push_back(receive(proc, DREAM_INFINITY));
		got.push_back(receive(proc, DREAM_INFINITY));
	});
	ASSERT_EQ(got.size(), 2u);
	for (const std::string &text : got)
		EXPECT_TRUE(has(text, "\"killed\"]")) << text;
}

TEST(OtpSignal,
	DownOfAMonitorByNameComesAfterAllThatWasSentByName) // SIG-1, MON-6, signal_SUITE:monitor_named_order_local
{
	ThreadNode node;
	const int n = 1000;
	std::atomic<int> wrong{0};
	node.spawn(
		[&](node_proc_t *proc) {
			uint64_t ref;
			Spawn sender;
			sender.name = "sender";
			dream_pid_t b = node.spawn(
				[&](node_proc_t *s) {
					dream_dest_t to = dream_to_name("watcher");
					(void) receive(s, DREAM_INFINITY);
					for (int i = 0; i < n; i++)
						EXPECT_EQ(node_call_send_take(
								  node, s, &to, term(std::to_string(i))),
							DREAM_OK);
				},
				sender);
			EXPECT_EQ(node_proc_monitor(proc, b, "sender", &ref), DREAM_OK);
			send(node, proc, b, "\"go\"");
			for (int i = 0; i < n; i++)
				wrong += receive(proc, DREAM_INFINITY) != std::to_string(i);
			wrong += !has(receive(proc, DREAM_INFINITY), "\"sender\", \"normal\"]");
		},
		{.name = "watcher"});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(OtpSignal, LinkAnewToOneThatDiedWhileUnlinkedIsNoproc) // LNK-3, signal_SUITE:unlink_exit
{
	ThreadNode node;
	std::atomic<int> wrong{0};
	node.spawn([&](node_proc_t *proc) {
		trap(proc);
		for (int i = 0; i < 300; i++) {
			dream_pid_t b = node.spawn([](node_proc_t *mortal) {
				(void) receive(mortal, DREAM_INFINITY);
				node_proc_exit_take(mortal, term("\"old reason\""));
			});
			EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
			EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
			send(node, proc, b, "\"go\"");
			while (node.alive(b))
				(void) receive(proc, 1);
			EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
			wrong += !has(receive(proc, DREAM_INFINITY), "\"noproc\"]");
		}
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(OtpProcess, ExitNormalToAnotherDoesNothing) // X1, process_SUITE:t_exit_2_other_normal
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	for (int i = 0; i < 100; i++)
		node.go([&](node_proc_t *proc) { exit_signal(node, proc, b, "\"normal\""); });
	EXPECT_TRUE(node.alive(b));
}

TEST(OtpProcess,
	SuicideWithALargeReasonKeepsTheReason) // X8, X9, process_SUITE:{normal,abnormal}_suicide_exit
{
	SimNode node;
	const std::string large = "\"" + std::string(8000, 'r') + "\"";
	for (const std::string &reason : {std::string("\"normal\""), large}) {
		std::string got;
		node.go([&](node_proc_t *proc) {
			uint64_t ref;
			dream_pid_t b = node.spawn([&](node_proc_t *self) {
				exit_signal(node, self, node_proc_pid(self), reason);
				(void) receive(self, DREAM_INFINITY);
				ADD_FAILURE() << "it went on"; // t_exit_2_catch: nothing catches it
			});
			EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
			got = receive(proc, DREAM_INFINITY);
		});
		EXPECT_TRUE(has(got, ", " + reason + "]")) << got.size();
	}
}

TEST(OtpProcess, TrappingProcessGetsItsOwnExitAsAMessage) // X8, X9, process_SUITE:self_exit
{
	ThreadNode node;
	std::atomic<int> wrong{0};
	for (int k = 0; k < 4; k++)
		node.spawn([&](node_proc_t *proc) {
			trap(proc);
			for (int i = 0; i < 200; i++) {
				exit_signal(node, proc, node_proc_pid(proc), "\"self\"");
				wrong += !has(receive(proc, DREAM_INFINITY), "\"self\"]");
			}
		});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(OtpProcess, ExitSignalAtTheInstantOfATimeoutEndsItOnce) // EXIT-2, process_SUITE:exit_and_timeout
{
	ThreadNode node;
	std::atomic<int> downs{0};
	const int n = 300;
	node.spawn([&](node_proc_t *proc) {
		for (int i = 0; i < n; i++) {
			uint64_t ref;
			dream_pid_t b = node.spawn([](node_proc_t *target) {
				for (;;)
					(void) receive(target, 1);
			});
			EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
			(void) receive(proc, 1); // the same tick, more or less
			exit_signal(node, proc, b, "\"stop\"");
			downs += has(receive(proc, DREAM_INFINITY), "\"stop\"]");
		}
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(downs, n);
}

TEST(OtpProcess, MessageToAPidFoundWhileItIsMadeIsNotLost) // SPN-5, process_SUITE:processes_send_infant
{
	ThreadNode node;
	const int n = 2000;
	std::atomic<int> got{0}, sent{0};
	std::atomic<bool> over{false};
	node.spawn([&](node_proc_t *proc) { // sends to each new process it sees in the listing
		std::set<uint64_t> seen;
		dream_pid_t me = node_proc_pid(proc);
		while (!over) {
			uint32_t pos = 0;
			for (const node_proc_t *p; (p = node_proctab_next(node, &pos)) != nullptr;) {
				dream_pid_t pid = node_proc_pid(p);
				if (pid.id == 0 || dream_pid_equal(pid, me) || !seen.insert(pid.id).second)
					continue;
				send(node, proc, pid, "\"infant\"");
				sent++;
			}
			node_sched_yield(proc);
		}
	});
	node.spawn([&](node_proc_t *proc) {
		for (int i = 0; i < n; i++) {
			uint64_t ref;
			dream_pid_t b = node.spawn([&](node_proc_t *infant) {
				got += receive(infant, DREAM_INFINITY) == "\"infant\"";
			});
			EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
			while (!has(receive(proc, DREAM_INFINITY), "\"DOWN\"")) // it is in the listing itself
				;
		}
		over = true;
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_GE(sent, got);
	EXPECT_EQ(got, n);
}

TEST(OtpProcess, NameFoundWhileItsProcessIsMadeIsUsable) // SPN-5
{
	ThreadNode node;
	std::atomic<int> lost{0}, found{0};
	std::atomic<bool> over{false};
	node.spawn([&](node_proc_t *proc) {
		while (!over) {
			dream_pid_t pid, again;
			if (node_names_whereis(node, "infant", &pid) == DREAM_OK) {
				found++; // a process that ends gives up its name first, its pid after that
				lost += node_proctab_find(node, pid.id) == nullptr &&
					node_names_whereis(node, "infant", &again) == DREAM_OK &&
					dream_pid_equal(pid, again);
			}
			node_sched_yield(proc);
		}
	});
	node.spawn([&](node_proc_t *proc) {
		for (int i = 0; i < 2000; i++) {
			uint64_t ref = node_proc_new_ref(node);
			Spawn how;
			how.name = "infant";
			how.parent = proc;
			how.monitor_ref = ref;
			node.spawn([](node_proc_t *) {}, how);
			(void) receive(proc, DREAM_INFINITY);
		}
		over = true;
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(lost, 0);
}

TEST(OtpNames, ReservedNameIsTakenButNotFound) // SPN-5, REG-1
{
	SimNode node;
	node.go([&](node_proc_t *proc) {
		dream_pid_t pid;
		ASSERT_EQ(node_names_reserve(node, "soon", proc, proc->id), DREAM_OK);
		EXPECT_EQ(node_names_whereis(node, "soon", &pid), DREAM_ENOENT);
		EXPECT_EQ(node_names_unregister(node, "soon"), DREAM_ENOENT);
		EXPECT_EQ(node_names_register(node, "soon", node_proc_pid(proc)), DREAM_EEXIST);
		EXPECT_EQ(node_names_owner(node, "soon", &pid), DREAM_OK);
		node_names_show(node, proc->id);
		EXPECT_EQ(node_names_whereis(node, "soon", &pid), DREAM_OK);
	});
	dream_pid_t pid;
	EXPECT_EQ(node_names_owner(node, "soon", &pid), DREAM_ENOENT);
}

TEST(OtpNames, AnotherProcessCanBeNamedAndUnnamed) // REG-1
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever), dead = node.go([](node_proc_t *) {});
	node.go([&](node_proc_t *) {
		dream_pid_t found;
		EXPECT_EQ(dream_register("other", b), DREAM_OK);
		EXPECT_EQ(dream_register("other", dream_self()), DREAM_EEXIST);
		EXPECT_EQ(dream_register("second", b), DREAM_EEXIST);
		EXPECT_EQ(dream_register("dead", dead), DREAM_ENOPROC);
		EXPECT_EQ(dream_register("far", dream_pid_t{1, 1, 3}), DREAM_ENOPROC);
		ASSERT_EQ(dream_whereis("other", &found), DREAM_OK);
		EXPECT_TRUE(dream_pid_equal(found, b));
		EXPECT_EQ(dream_unregister("other"), DREAM_OK);
		EXPECT_EQ(dream_unregister("other"), DREAM_ENOENT);
		EXPECT_EQ(dream_register("other", b), DREAM_OK);
	});
	exit_signal(node, nullptr, b, "\"kill\"");
	node.run();
	dream_pid_t found;
	EXPECT_EQ(node_names_whereis(node, "other", &found), DREAM_ENOENT);
}

TEST(OtpNames, NamingOneThatEndsAtThatInstantLeavesNoName) // REG-1, EXIT-4
{
	ThreadNode node;
	std::atomic<int> stale{0};
	node.spawn([&](node_proc_t *proc) {
		for (int i = 0; i < 2000; i++) {
			uint64_t ref = node_proc_new_ref(node);
			Spawn how;
			how.parent = proc;
			how.monitor_ref = ref;
			dream_pid_t b = node.spawn([](node_proc_t *) {}, how);
			(void) dream_register("ending", b);
			(void) dream_register("ending", b);
			(void) receive(proc, DREAM_INFINITY);
			dream_pid_t found;
			stale += dream_whereis("ending", &found) ==
				 DREAM_OK; // its end was told: the name is free
		}
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(stale, 0);
}

TEST(OtpLink,
	ThousandsMadeAndRemovedAtOnceLeaveNothing) // LNK-3, MON-4, erl_link_SUITE:otp_5772_{link,monitor}
{
	ThreadNode node;
	std::vector<dream_pid_t> targets;
	for (int i = 0; i < 4; i++)
		targets.push_back(node.spawn([](node_proc_t *proc) {
			while (receive(proc, DREAM_INFINITY) != "\"end\"")
				;
			EXPECT_EQ(node_reftab_count(proc->links), 0u);
			EXPECT_EQ(node_reftab_count(node_proc_extra(proc)->watchers), 0u);
		}));
	Latch done(4);
	for (int k = 0; k < 4; k++)
		node.spawn([&](node_proc_t *proc) {
			for (int i = 0; i < 1000; i++) {
				uint64_t ref;
				dream_pid_t b = targets[i % targets.size()];
				EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
				EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
				EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
				EXPECT_TRUE(node_proc_demonitor(proc, ref, true));
			}
			for (dream_pid_t b :
				targets) // the acknowledgements of unlinks are handled after this
				EXPECT_EQ(dream_is_process_alive(b), 1);
			EXPECT_EQ(node_reftab_count(proc->links), 0u);
			EXPECT_EQ(node_reftab_count(node_proc_extra(proc)->monitors), 0u);
			done.hit();
		});
	ASSERT_TRUE(done.wait());
	for (dream_pid_t b : targets)
		send(node, nullptr, b, "\"end\"");
	EXPECT_TRUE(node.wait_bodies());
}

TEST(OtpMonitor, NameCanBeTakenAtOnceByWhoSeesTheDown) // EXIT-4, monitor_SUITE:named_down
{
	ThreadNode node;
	std::atomic<int> wrong{0};
	std::atomic<bool> over{false};
	for (int i = 0; i < 4; i++) // others that want the processor
		node.spawn([&](node_proc_t *proc) {
			while (!over)
				node_sched_yield(proc);
		});
	node.spawn([&](node_proc_t *proc) {
		for (int i = 0; i < 500; i++) {
			Spawn how;
			uint64_t ref;
			how.name = "named";
			dream_pid_t b = node.spawn(wait_forever, how);
			EXPECT_EQ(node_proc_monitor(proc, b, "named", &ref), DREAM_OK);
			exit_signal(node, proc, b, "\"kill\"");
			wrong += !has(receive(proc, DREAM_INFINITY), "\"named\", \"killed\"]");
			wrong += dream_register("named", dream_self()) != DREAM_OK;
			wrong += dream_unregister("named") != DREAM_OK;
		}
		over = true;
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(OtpMonitor, ReferenceOfAnotherIncarnationIsNone) // MON-5
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	node.go([&](node_proc_t *) {
		dream_ref_t ref;
		EXPECT_EQ(dream_monitor(dream_to(b), &ref), DREAM_OK);
		dream_ref_t foreign = ref;
		foreign.creation++;
		EXPECT_FALSE(dream_demonitor(foreign, DREAM_DEMONITOR_FLUSH));
		EXPECT_TRUE(dream_demonitor(ref, DREAM_DEMONITOR_FLUSH));
	});
}

TEST(OtpMonitor, UnknownOptionsEndTheCaller) // MON-5, monitor_SUITE:demonitor_flush
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	std::string down;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		dream_pid_t wrong = node.spawn([&](node_proc_t *) {
			dream_ref_t mine;
			EXPECT_EQ(dream_monitor(dream_to(b), &mine), DREAM_OK);
			(void) dream_demonitor(mine, 1u << 31);
			ADD_FAILURE() << "it went on";
		});
		EXPECT_EQ(node_proc_monitor(proc, wrong, nullptr, &ref), DREAM_OK);
		down = receive(proc, DREAM_INFINITY);
	});
	EXPECT_TRUE(has(down, "[\"badarg\", ")) << down;
}

TEST(OtpMonitor, NameIsLookedUpOnce) // MON-2
{
	SimNode node;
	std::vector<std::string> got;
	auto mortal = [](node_proc_t *proc) { (void) receive(proc, DREAM_INFINITY); };
	Spawn named;
	named.name = "service";
	dream_pid_t first = node.go(mortal, named), second = {0, 0, 0};
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		EXPECT_EQ(dream_monitor(dream_to_name("service"), &ref), DREAM_OK);
		for (int i = 0; i < 3; i++)
			got.push_back(receive(proc, 10));
	});
	node.go([&](node_proc_t *) { EXPECT_EQ(dream_unregister("service"), DREAM_OK); });
	second = node.go(mortal, named);
	send(node, nullptr, second, "1");
	node.advance(10);
	ASSERT_EQ(got, std::vector<std::string>{"(timeout)"}); // who has the name now is another's business
	send(node, nullptr, first, "1");
	node.advance(30);
	ASSERT_EQ(got.size(), 3u);
	EXPECT_TRUE(has(got[1], "\"process\", \"service\", \"normal\"]")) << got[1];
	EXPECT_EQ(got[2], "(timeout)");
}

TEST(OtpMonitor, NameOfNobodyIsNoproc) // MON-2, MON-3
{
	SimNode node;
	std::string got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		EXPECT_EQ(dream_monitor(dream_to_name("nobody"), &ref), DREAM_OK);
		got = receive(proc);
	});
	EXPECT_TRUE(has(got, "\"process\", \"nobody\", \"noproc\"]")) << got;
}

TEST(OtpReceive,
	CallsAreAsFastWithHalfAMillionMessagesWaiting) // RCV-2, receive_SUITE:call_with_huge_message_queue
{
	ThreadNode node(1);
	const int calls = 10000;
	int64_t empty_ns = 0, full_ns = 0;
	dream_pid_t server = node.spawn([](node_proc_t *proc) {
		for (;;) {
			node_sig_t *sig = node_proc_next_take(proc);
			if (sig == nullptr)
				(void) node_proc_wait(proc, NODE_FOREVER);
			else
				node_proc_answer_take(proc->node, sig, DREAM_OK, node_msg_copy_null());
		}
	});
	node.spawn([&](node_proc_t *proc) {
		auto measure = [&] {
			int64_t before = node_clock_now(node);
			for (int i = 0; i < calls; i++)
				EXPECT_EQ(call(proc, server, "1"), "null");
			return node_clock_now(node) - before;
		};
		empty_ns = measure();
		for (int i = 0; i < 500000; i++) {
			dream_dest_t me = dream_to(node_proc_pid(proc));
			(void) node_call_send_take(node, proc, &me, node_msg_copy_null());
		}
		full_ns = measure();
		exit_signal(node, proc, server, "\"kill\"");
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_LT(full_ns, 10 * empty_ns);
}

// ---- rules that no case names

TEST(Signal, NothingIsReceivedBeforeEarlierSignalsWereHandled) // SIG-7
{
	SimNode node;
	bool ran = false;
	dream_pid_t b = node.go([&](node_proc_t *proc) {
		for (;;)
			ran |= receive(proc, DREAM_INFINITY) == "2";
	});
	node.go([&](node_proc_t *proc) {
		send(node, proc, b, "1");
		exit_signal(node, proc, b, "\"stop\"");
		send(node, proc, b, "2");
	});
	EXPECT_FALSE(ran);
	EXPECT_FALSE(node.alive(b));
}

TEST(Signal, MessageIsNotChangedByWhatTheSenderDoesLater) // SIG-8
{
	SimNode node;
	std::string got;
	dream_pid_t b = node.go([&](node_proc_t *proc) { got = receive(proc, DREAM_INFINITY); });
	node.spawn([&](node_proc_t *) {
		uint8_t bytes[] = {0x82, 0x01, 0x02};
		dream_msg_t *msg = nullptr;
		EXPECT_EQ(dream_msg_new(bytes, sizeof(bytes), &msg), DREAM_OK);
		EXPECT_EQ(dream_send_take(dream_to(b), msg), DREAM_OK);
		bytes[1] = 0x09;
	});
	node.run();
	EXPECT_EQ(got, "[1, 2]");
}

TEST(Signal, LongQueueDoesNotHoldUpItsSender) // SIG-10, RCV-4
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	int sent = 0;
	node.go([&](node_proc_t *proc) {
		for (; sent < 100000; sent++)
			ASSERT_EQ(send(node, proc, b, "1"), DREAM_OK);
	});
	EXPECT_EQ(sent, 100000);
}

TEST(Exit, ReasonIsWhatTheProcessLeftWith) // EXIT-1
{
	SimNode node;
	node.load();
	const std::function<int()> by_exit = []() -> int {
		dream_msg_t *why = owned("[\"my\", \"reason\"]");
		dream_exit(why);
	};
	const std::vector<std::pair<std::function<int()>, std::string>> ways = {
		{[] { return DREAM_OK; }, "\"normal\""}, {[] { return DREAM_EIO; }, "[\"error\", \"EIO\"]"},
		{by_exit, "[\"my\", \"reason\"]"}, {[]() -> int { dream_exit(nullptr); }, "\"normal\""}};
	for (const auto &way : ways) {
		Script script;
		script.on_main = way.first;
		std::string link, down;
		node.go([&](node_proc_t *proc) {
			uint64_t ref;
			trap(proc);
			Start how;
			how.kind = "plain";
			how.link = true;
			dream_pid_t pid = start(proc, script, how);
			EXPECT_EQ(node_proc_monitor(proc, pid, nullptr, &ref), DREAM_OK);
			link = receive(proc, DREAM_INFINITY);
			down = receive(proc, DREAM_INFINITY);
		});
		for (const std::string &text : {link, down})
			EXPECT_TRUE(has(text, ", " + way.second + "]")) << text;
	}
}

TEST(ExitLink, UnreachableNodeIsNoconnection) // X10, X13
{
	SimNode node;
	std::string got, down;
	dream_pid_t far = {5, 1, 3};
	node.go([&](node_proc_t *proc) {
		trap(proc);
		EXPECT_EQ(node_proc_link(proc, far), DREAM_OK);
		got = receive(proc, DREAM_INFINITY);
	});
	EXPECT_TRUE(has(got, "\"noconnection\"]")) << got;
	node.go([&](node_proc_t *watcher) {
		Spawn how;
		how.parent = watcher;
		how.monitor_ref = node_proc_new_ref(node);
		node.spawn(
			[&](node_proc_t *proc) {
				EXPECT_EQ(node_proc_link(proc, far), DREAM_OK);
				(void) receive(proc, DREAM_INFINITY);
				ADD_FAILURE() << "it lived on";
			},
			how);
		down = receive(watcher, DREAM_INFINITY);
	});
	EXPECT_TRUE(has(down, "\"noconnection\"]")) << down;
}

TEST(Send, NameIsLookedUpWhenTheMessageIsSentHere) // REG-2
{
	SimNode node;
	std::vector<std::string> got;
	for (std::string who : {"first", "second"}) {
		node.go([&, who](node_proc_t *proc) {
			EXPECT_EQ(dream_register("service", dream_self()), DREAM_OK);
			got.push_back(who + " " + receive(proc, DREAM_INFINITY));
		});
		node.go([&](node_proc_t *) {
			EXPECT_EQ(
				dream_send_take(dream_to_node("service", "sim@test"), owned("1")), DREAM_OK);
		});
	}
	EXPECT_EQ(got, (std::vector<std::string>{"first 1", "second 1"}));
}
