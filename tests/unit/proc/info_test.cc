// SPDX-License-Identifier: MIT
// What processes tell about themselves: alive, information, dictionary, label (SIG-6, PD-1, PL-1).
#include <atomic>

#include "support/node.h"

namespace
{

std::string info(dream_pid_t pid, std::vector<const char *> items)
{
	items.push_back(nullptr);
	dream_msg_t *msg = nullptr;
	int r = dream_process_info(pid, items.data(), &msg);
	if (r < 0)
		return "error " + std::to_string(r);
	std::string s = text(msg);
	dream_msg_unref(msg);
	return s;
}

} // namespace

TEST(Alive, NeverAfterAKill) // SIG-6, process_SUITE: is_process_alive
{
	SimNode node;
	for (int i = 0; i < 100; i++) {
		dream_pid_t b = node.go(wait_forever);
		node.go([&](node_proc_t *proc) {
			EXPECT_EQ(dream_is_process_alive(b), 1);
			exit_signal(node, proc, b, "\"kill\"");
			EXPECT_EQ(dream_is_process_alive(b), 0);
		});
	}
}

TEST(Alive, NeverAfterAKillWhileTheTargetRunsElsewhere) // SIG-6
{
	ThreadNode node;
	std::atomic<int> wrong{0};
	for (int i = 0; i < 200; i++)
		node.spawn([&](node_proc_t *proc) {
			dream_pid_t b = node.spawn([](node_proc_t *target) {
				for (;;)
					node_sched_yield(target), node_proc_drain(target), [&] {
						if (node_proc_exiting(target))
							node_proc_leave(target);
					}();
			});
			exit_signal(node, proc, b, "\"kill\"");
			wrong += dream_is_process_alive(b) != 0;
		});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(Alive, TellsSelfDeadAndForeign) // SIG-6, SIG-9
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(dream_is_process_alive(node_proc_pid(proc)), 1);
		EXPECT_EQ(dream_is_process_alive(dead), 0);
		EXPECT_EQ(dream_is_process_alive(dream_pid_t{1, 1, 3}), DREAM_EINVAL);
		EXPECT_EQ(dream_is_process_alive(dream_pid_t{0, 0, 0}), 0);
	});
}

TEST(Alive, GivesUpOnOneThatHandlesNoSignals) // a bound on every wait
{
	SimNode node;
	int r = 1;
	auto *clock = static_cast<VirtualClock *>(node->clock->data);
	dream_pid_t busy = node.spawn([&](node_proc_t *proc) { // lets others run, and looks at nothing
		for (int i = 0; i < 200; i++)
			node_sched_yield(proc);
		clock->now_ns += 6000 * NODE_MS;
		for (int i = 0; i < 200; i++)
			node_sched_yield(proc);
	});
	node.spawn([&](node_proc_t *) { r = dream_is_process_alive(busy); });
	node.run();
	EXPECT_EQ(r, DREAM_ETIMEDOUT);
	EXPECT_FALSE(node.alive(busy));
}

TEST(Info, ShowsWhatTheCallerSentBefore) // SIG-6, SIG-1
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	std::string got;
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 7; i++)
			send(node, proc, b, "1");
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		got = info(b, {"message_queue_len", "links"});
		EXPECT_EQ(node_proc_unlink(proc, b), DREAM_OK);
		EXPECT_EQ(info(b, {"links"}), "{\"links\": [_ ]}");
	});
	EXPECT_NE(got.find("\"message_queue_len\": 7"), std::string::npos) << got;
	EXPECT_EQ(got.find("\"links\": [_ ]"), std::string::npos) << got;
}

TEST(Info, HasEachItem)
{
	SimNode node;
	Spawn how;
	how.name = "bob";
	dream_pid_t b = node.go(
		[&](node_proc_t *proc) {
			node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
			dream_msg_t *value = owned("[1, 2]");
			EXPECT_EQ(dream_put("key", value), DREAM_OK);
			dream_msg_unref(value);
			EXPECT_EQ(dream_set_label("a label"), DREAM_OK);
			wait_forever(proc);
		},
		how);
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		std::string me = text_of(node, node_proc_pid(proc));
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		EXPECT_EQ(info(b, {"registered_name"}), "{\"registered_name\": \"bob\"}");
		EXPECT_EQ(info(b, {"label"}), "{\"label\": \"a label\"}");
		EXPECT_EQ(info(b, {"initial_call"}), "{\"initial_call\": [\"lambda\"]}");
		EXPECT_EQ(info(b, {"parent"}), "{\"parent\": null}");
		EXPECT_EQ(info(b, {"status"}), "{\"status\": \"waiting\"}");
		EXPECT_EQ(info(b, {"monitored_by"}), "{\"monitored_by\": [_ " + me + "]}");
		EXPECT_EQ(info(b, {"trap_exit"}), "{\"trap_exit\": true}");
		EXPECT_EQ(info(b, {"dictionary"}), "{\"dictionary\": {_ \"key\": [1, 2]}}");
		EXPECT_EQ(info(b, {"reductions"}), "{\"reductions\": 0}");
		EXPECT_NE(info(b, {"memory"}), "{\"memory\": 0}");
		EXPECT_EQ(info(node_proc_pid(proc), {"status", "monitors"}),
			"{\"status\": \"running\", \"monitors\": [_ [\"process\", " + text_of(node, b) +
				"]]}");
		std::string all;
		dream_msg_t *msg = nullptr;
		EXPECT_EQ(dream_process_info(b, nullptr, &msg), DREAM_OK);
		all = text(msg);
		dream_msg_unref(msg);
		for (const char *item : {"registered_name", "label", "initial_call", "parent", "ancestors",
			     "status", "links", "monitors", "monitored_by", "message_queue_len", "memory",
			     "reductions", "trap_exit", "dictionary"})
			EXPECT_NE(all.find(item), std::string::npos) << item;
	});
}

TEST(Info, OfTheDeadAndOfNothingIsAnError)
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(info(dead, {"links"}), "error " + std::to_string(DREAM_ENOPROC));
		EXPECT_EQ(info(node_proc_pid(proc), {"messages"}), "error " + std::to_string(DREAM_EINVAL));
		EXPECT_EQ(info(dream_pid_t{1, 1, 3}, {"links"}), "error " + std::to_string(DREAM_EINVAL));
	});
}

TEST(Info, ListsAreCut) // every allocation has a cap
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		for (int i = 0; i < 5000; i++)
			EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		std::string all = info(b, {"monitored_by"});
		size_t n = 0;
		for (size_t at = 0; (at = all.find("sim@test", at)) != std::string::npos; at++)
			n++;
		EXPECT_EQ(n, 4096u);
	});
}

TEST(Ancestors, AreParentsByNameOrPid) // PL-1
{
	SimNode node;
	Spawn top;
	top.name = "top";
	std::string got, middle_name;
	node.go(
		[&](node_proc_t *grandparent) {
			Spawn middle;
			middle.parent = grandparent;
			node.spawn(
				[&](node_proc_t *parent) {
					Spawn child;
					child.parent = parent;
					middle_name = text_of(node, node_proc_pid(parent));
					node.spawn(
						[&](node_proc_t *c) {
							got = info(node_proc_pid(c), {"ancestors"});
						},
						child);
					wait_forever(parent);
				},
				middle);
			wait_forever(grandparent);
		},
		top);
	EXPECT_EQ(got, "{\"ancestors\": [_ " + middle_name + ", \"top\"]}");
}

TEST(Dictionary, KeepsTermsByNameForOneProcess) // PD-1
{
	SimNode node;
	node.go([&](node_proc_t *) {
		dream_msg_t *value = owned("{\"a\": 1}"), *other = owned("2"), *got = nullptr;
		EXPECT_EQ(dream_get("key", &got), DREAM_ENOENT);
		EXPECT_EQ(got, nullptr);
		EXPECT_EQ(dream_put("key", value), DREAM_OK);
		ASSERT_EQ(dream_get("key", &got), DREAM_OK);
		EXPECT_EQ(text(got), "{\"a\": 1}");
		dream_msg_unref(got);
		EXPECT_EQ(dream_put("key", other), DREAM_OK);
		ASSERT_EQ(dream_get("key", &got), DREAM_OK);
		EXPECT_EQ(text(got), "2");
		dream_msg_unref(got);
		EXPECT_EQ(dream_erase("key"), DREAM_OK);
		EXPECT_EQ(dream_erase("key"), DREAM_ENOENT);
		EXPECT_EQ(dream_put("left", value), DREAM_OK); // goes with the process
		for (const char *bad : {"", "\xff"})
			EXPECT_EQ(dream_put(bad, value), DREAM_EINVAL);
		EXPECT_EQ(dream_put("key", nullptr), DREAM_EINVAL);
		dream_msg_unref(value);
		dream_msg_unref(other);
	});
	node.go([&](node_proc_t *) {
		dream_msg_t *got = nullptr;
		EXPECT_EQ(dream_get("left", &got), DREAM_ENOENT);
	});
}

TEST(Label, IsShownAndGoesWithTheProcess) // PD-1
{
	SimNode node;
	char buffer[256];
	dream_pid_t b = node.go([&](node_proc_t *proc) {
		EXPECT_EQ(dream_set_label(""), DREAM_EINVAL);
		EXPECT_EQ(dream_set_label("worker of table 7"), DREAM_OK);
		(void) receive(proc, DREAM_INFINITY);
		EXPECT_EQ(dream_set_label(nullptr), DREAM_OK);
		EXPECT_STREQ(node_names_label_of(node, node_proc_pid(proc), buffer), "");
		EXPECT_EQ(dream_set_label("again"), DREAM_OK);
	});
	EXPECT_STREQ(node_names_label_of(node, b, buffer), "worker of table 7");
	send(node, nullptr, b, "1");
	node.run();
	EXPECT_STREQ(node_names_label_of(node, b, buffer), "");
}

// ---- crash reports

TEST(Report, TellsWhatIsNeeded) // PL-3
{
	SimNode node;
	Spawn how;
	how.name = "bob";
	dream_pid_t peer = node.go(wait_forever);
	dream_pid_t b = node.go(
		[&](node_proc_t *proc) {
			dream_msg_t *value = owned("\"the value\"");
			EXPECT_EQ(dream_put("the key", value), DREAM_OK);
			dream_msg_unref(value);
			EXPECT_EQ(dream_set_label("the label"), DREAM_OK);
			EXPECT_EQ(node_proc_link(proc, peer), DREAM_OK);
			wait_forever(proc);
		},
		how);
	std::string pid = text_of(node, b), other = text_of(node, peer);
	for (int i = 0; i < 30; i++)
		send(node, nullptr, b, "\"message " + std::to_string(i) + "\"");
	exit_signal(node, nullptr, b, "[\"boom\", 1]");
	node.run();
	EXPECT_EQ(node.logged("(lambda, bob) ended: [\"boom\", 1]; 30 messages unread"), 1u);
	EXPECT_EQ(node.logged("\"label\": \"the label\""), 1u);
	EXPECT_EQ(node.logged("\"initial_call\": [\"lambda\"]"), 2u);
	EXPECT_EQ(node.logged("\"trap_exit\": false"), 2u) << "the peer went along";
	EXPECT_EQ(node.logged("\"message_queue_len\": 30"), 1u);
	EXPECT_EQ(node.logged("{\"links\": [_ " + other + "]}"), 1u);
	EXPECT_EQ(node.logged("\"the key\": \"the value\""), 1u);
	EXPECT_EQ(node.logged("messages, the first 10 of 30: message \"message 0\""), 1u);
	EXPECT_EQ(node.logged("\"message 9\""), 1u);
	EXPECT_EQ(node.logged("\"message 10\""), 0u);
	EXPECT_EQ(node.logged("neighbours [{_ \"pid\": " + other), 1u);
}

TEST(Report, NeighboursAreLinkedBreadthFirstAndDoNotTrap) // PL-3
{
	SimNode node;
	Spawn named;
	dream_pid_t first = {0, 0, 0};
	named.name = "trapping";
	dream_pid_t trapping = node.go(
		[&](node_proc_t *proc) {
			node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
			for (;;)
				(void) receive(proc, DREAM_INFINITY);
		},
		named);
	named.name = "far";
	dream_pid_t far = node.go(wait_forever, named);
	named.name = "near";
	dream_pid_t near = node.go(
		[&](node_proc_t *proc) {
			EXPECT_EQ(node_proc_link(proc, far), DREAM_OK);
			wait_forever(proc);
		},
		named);
	first = node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, near), DREAM_OK);
		EXPECT_EQ(node_proc_link(proc, trapping), DREAM_OK);
		wait_forever(proc);
	});
	char pid[300];
	std::string of_first =
		std::string("crash of ") + node_proc_pid_text(node, first, pid) + ": neighbours";
	exit_signal(node, nullptr, first, "\"boom\"");
	node.run();
	std::vector<node_log_line_t> lines(NODE_LOG_RING);
	uint32_t n = node_log_tail(node->log, 0, DREAM_LOG_DEBUG, lines.data(), NODE_LOG_RING);
	std::string report;
	for (uint32_t i = 0; i < n; i++)
		if (strstr(lines[i].text, of_first.c_str()) != nullptr)
			report = lines[i].text;
	EXPECT_NE(report.find("\"near\""), std::string::npos) << report;
	EXPECT_NE(report.find("\"far\""), std::string::npos) << report;
	EXPECT_EQ(report.find("\"trapping\""), std::string::npos) << report;
	EXPECT_TRUE(node.alive(trapping));
	EXPECT_FALSE(node.alive(far));
}

TEST(Report, OfManyAtOnceIsOneLineEach) // PL-3
{
	SimNode node;
	for (int i = 0; i < 200; i++)
		node.go([](node_proc_t *proc) { node_proc_exit_take(proc, term("\"boom\"")); });
	EXPECT_EQ(node.logged("ended: \"boom\""), 200u);
	EXPECT_EQ(node.logged(": process {"), 50u);
	node.advance(1000);
	node.go([](node_proc_t *proc) { node_proc_exit_take(proc, term("\"boom\"")); });
	EXPECT_EQ(node.logged(": process {"), 51u);
}
