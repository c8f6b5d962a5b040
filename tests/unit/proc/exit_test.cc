// SPDX-License-Identifier: MIT
// The exit table of semantics 1.2, EXIT-2, EXIT-4 and SIG-9.
#include "support/node.h"

namespace
{

// A process that waits and says in `saw` what it got, and in `ended` why it ended, by way of a watcher.
struct Subject {
	std::string saw, ended;
	dream_pid_t pid;

	Subject(SimNode &node, bool traps, dream_pid_t linked = {0, 0, 0})
	{
		pid = node.go([this, traps, linked](node_proc_t *proc) {
			node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, traps);
			if (linked.id != 0) {
				EXPECT_EQ(node_proc_link(proc, linked), DREAM_OK);
			}
			saw = receive(proc, DREAM_INFINITY);
			wait_forever(proc);
		});
		node.go([this](node_proc_t *proc) {
			uint64_t ref;
			dream_msg_t *why;
			EXPECT_EQ(node_proc_monitor(proc, pid, nullptr, &ref), DREAM_OK);
			if (node_call_await_down(proc, ref, NODE_FOREVER, &why) == DREAM_OK)
				ended = text_take(why);
		});
	}
};

dream_pid_t exits_with(SimNode &node, const std::string &reason)
{
	return node.spawn([reason](node_proc_t *proc) {
		(void) receive(proc, DREAM_INFINITY);
		node_proc_exit_take(proc, term("\"" + reason + "\""));
	});
}

std::string exit_message(const node_t *node, dream_pid_t from, const std::string &reason)
{
	return "[\"EXIT\", " + text_of(node, from) + ", \"" + reason + "\"]";
}

std::string signalled(bool traps, const std::string &reason)
{
	SimNode node;
	Subject b(node, traps);
	dream_pid_t a =
		node.go([&](node_proc_t *proc) { exit_signal(node, proc, b.pid, "\"" + reason + "\""); });
	if (!b.ended.empty())
		return "ended " + b.ended;
	if (b.saw.empty())
		return "ignored";
	EXPECT_EQ(b.saw, exit_message(node, a, reason));
	return "message";
}

std::string linked_peer_exits(bool traps, const std::string &reason)
{
	SimNode node;
	dream_pid_t a = exits_with(node, reason);
	Subject b(node, traps, a);
	send(node, nullptr, a, "\"go\"");
	node.run();
	if (!b.ended.empty())
		return "ended " + b.ended;
	if (b.saw.empty())
		return "ignored";
	EXPECT_EQ(b.saw, exit_message(node, a, reason));
	return "message";
}

} // namespace

TEST(ExitSignal, NormalFromAnotherIsIgnored) // X1
{
	EXPECT_EQ(signalled(false, "normal"), "ignored");
}

TEST(ExitSignal, NormalFromAnotherIsAMessageToATrappingProcess) // X1
{
	EXPECT_EQ(signalled(true, "normal"), "message");
}

TEST(ExitSignal, KillIsSeenAsKilled) // X2
{
	EXPECT_EQ(signalled(false, "kill"), "ended \"killed\"");
}

TEST(ExitSignal, KillCannotBeTrapped) // X2
{
	EXPECT_EQ(signalled(true, "kill"), "ended \"killed\"");
}

TEST(ExitSignal, AnyOtherReasonEndsWithThatReason) // X3
{
	for (const char *reason : {"killed", "shutdown", "noproc", "boom"})
		EXPECT_EQ(signalled(false, reason), std::string("ended \"") + reason + "\"");
}

TEST(ExitSignal, AnyOtherReasonIsAMessageToATrappingProcess) // X3
{
	for (const char *reason : {"killed", "shutdown", "noproc", "boom"})
		EXPECT_EQ(signalled(true, reason), "message");
}

TEST(ExitLink, NormalEndOfAPeerIsIgnored) // X4
{
	EXPECT_EQ(linked_peer_exits(false, "normal"), "ignored");
}

TEST(ExitLink, NormalEndOfAPeerRemovesTheLink) // X4
{
	SimNode node;
	dream_pid_t a = node.go([](node_proc_t *proc) { (void) receive(proc, DREAM_INFINITY); });
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, a), DREAM_OK);
		send(node, proc, a, "1");
		(void) receive(proc, 5);
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
	});
	node.advance(5);
}

TEST(ExitLink, NormalEndOfAPeerIsAMessageToATrappingProcess) // X4
{
	EXPECT_EQ(linked_peer_exits(true, "normal"), "message");
}

TEST(ExitLink, PeerEndingBadlyTakesTheOtherAlong) // X5
{
	EXPECT_EQ(linked_peer_exits(false, "boom"), "ended \"boom\"");
	EXPECT_EQ(linked_peer_exits(true, "boom"), "message");
}

TEST(ExitLink, KillAsAnOwnReasonIsNotSpecial) // X6
{
	EXPECT_EQ(linked_peer_exits(false, "kill"), "ended \"kill\"");
	EXPECT_EQ(linked_peer_exits(true, "kill"), "message");
}

TEST(ExitLink, PeerThatWasKilledIsSeenAsKilled) // X7
{
	SimNode node;
	dream_pid_t a = node.spawn(wait_forever);
	Subject plain(node, false, a), traps(node, true, a);
	exit_signal(node, nullptr, a, "\"kill\"");
	node.run();
	EXPECT_EQ(plain.ended, "\"killed\"");
	EXPECT_EQ(traps.saw, exit_message(node, a, "killed"));
	EXPECT_EQ(traps.ended, "");
}

static std::string signals_itself(bool traps, const std::string &reason)
{
	SimNode node;
	std::string saw, ended;
	dream_pid_t self = {0, 0, 0};
	node.go([&](node_proc_t *watcher) {
		uint64_t ref = node_proc_new_ref(node);
		Spawn how;
		how.parent = watcher;
		how.monitor_ref = ref;
		self = node.spawn(
			[&](node_proc_t *proc) {
				node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, traps);
				exit_signal(node, proc, node_proc_pid(proc), reason);
				saw = receive(proc, 10);
			},
			how);
		dream_msg_t *why;
		EXPECT_EQ(node_call_await_down(watcher, ref, NODE_FOREVER, &why), DREAM_OK);
		ended = text_take(why);
	});
	node.advance(20);
	if (saw.empty())
		return "ended " + ended;
	EXPECT_EQ(saw, "[\"EXIT\", " + text_of(node, self) + ", " + reason + "]");
	return "message";
}

TEST(ExitSelf, NormalToOneselfEnds) // X8
{
	EXPECT_EQ(signals_itself(false, "\"normal\""), "ended \"normal\"");
	EXPECT_EQ(signals_itself(true, "\"normal\""), "message");
}

TEST(ExitSelf, OtherReasonToOneselfEnds) // X9
{
	EXPECT_EQ(signals_itself(false, "\"boom\""), "ended \"boom\"");
	EXPECT_EQ(signals_itself(true, "\"boom\""), "message");
	std::string large = "\"" + std::string(8192, 'x') + "\"";
	EXPECT_EQ(signals_itself(false, large), "ended " + large);
}

TEST(ExitSelf, KillToOneselfIsKilled) // X2
{
	EXPECT_EQ(signals_itself(true, "\"kill\""), "ended \"killed\"");
}

TEST(Link, DeadPeerIsRefusedAtOnce) // X11
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_proc_link(proc, dead), DREAM_ENOPROC);
		EXPECT_EQ(text(node_proc_reason_borrow(proc)), "\"noproc\"");
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
		EXPECT_EQ(receive(proc), "(timeout)");
	});
}

TEST(Link, DeadPeerIsAMessageToATrappingProcess) // X11
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	node.go([&](node_proc_t *proc) {
		node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
		EXPECT_EQ(node_proc_link(proc, dead), DREAM_OK);
		EXPECT_EQ(receive(proc), exit_message(node, dead, "noproc"));
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
	});
}

TEST(Link, PeerOfAnEarlierIncarnationIsDead) // LNK-4
{
	SimNode node;
	dream_pid_t other = node.go(wait_forever);
	other.creation++;
	node.go([&](node_proc_t *proc) { EXPECT_EQ(node_proc_link(proc, other), DREAM_ENOPROC); });
}

TEST(Exit, FirstReasonWins) // EXIT-2
{
	SimNode node;
	Subject b(node, false);
	node.go([&](node_proc_t *proc) {
		exit_signal(node, proc, b.pid, "\"first\"");
		exit_signal(node, proc, b.pid, "\"second\"");
		exit_signal(node, proc, b.pid, "\"kill\"");
	});
	EXPECT_EQ(b.ended, "\"first\"");
}

TEST(Exit, NameIsFreeForWhoSeesTheDown) // EXIT-4
{
	SimNode node;
	int again = -1;
	node.go([&](node_proc_t *watcher) {
		Spawn how;
		how.name = "one";
		how.parent = watcher;
		how.monitor_ref = node_proc_new_ref(node);
		node.spawn([](node_proc_t *) {}, how);
		dream_msg_t *why;
		EXPECT_EQ(node_call_await_down(watcher, how.monitor_ref, NODE_FOREVER, &why), DREAM_OK);
		node_msg_unref(why);
		again = node_names_register(node, "one", node_proc_pid(watcher));
	});
	EXPECT_EQ(again, DREAM_OK);
}

TEST(Exit, NameIsFreeForWhoSeesTheExit) // EXIT-4
{
	SimNode node;
	int again = -1;
	node.go([&](node_proc_t *parent) {
		node_proc_set_flag(parent, NODE_PROC_TRAP_EXIT, true);
		Spawn how;
		how.name = "one";
		how.parent = parent;
		how.link = true;
		dream_pid_t child = node.spawn([](node_proc_t *) {}, how);
		EXPECT_EQ(receive(parent, DREAM_INFINITY), exit_message(node, child, "normal"));
		again = node_names_register(node, "one", node_proc_pid(parent));
	});
	EXPECT_EQ(again, DREAM_OK);
}

TEST(Exit, RequestsAlreadyQueuedAreAnswered) // SIG-9
{
	SimNode node;
	dream_pid_t b = node.go(wait_forever);
	std::string down, exit, reply;
	exit_signal(node, nullptr, b, "\"kill\""); // not handled yet: b does not run
	node.spawn([&](node_proc_t *proc) {
		uint64_t ref;
		dream_msg_t *why;
		EXPECT_EQ(node_proc_monitor(proc, b, nullptr, &ref), DREAM_OK);
		EXPECT_EQ(node_call_await_down(proc, ref, NODE_FOREVER, &why), DREAM_OK);
		down = text_take(why);
	});
	node.spawn([&](node_proc_t *proc) {
		node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
		EXPECT_EQ(node_proc_link(proc, b), DREAM_OK);
		exit = receive(proc, DREAM_INFINITY);
	});
	node.spawn([&](node_proc_t *proc) { reply = call(proc, b, "\"hello\""); });
	node.run();
	EXPECT_FALSE(down.empty());
	EXPECT_FALSE(exit.empty());
	EXPECT_EQ(reply.substr(0, 5), "error");
}

TEST(Exit, ReportsABadEndAndNoOther) // PL-3, EXIT-6
{
	SimNode node;
	for (const char *reason : {"\"normal\"", "\"shutdown\"", "[\"shutdown\", 1]", "\"boom\""})
		node.go([&](node_proc_t *proc) { node_proc_exit_take(proc, term(reason)); });
	EXPECT_EQ(node.logged("ended:"), 1u);
	EXPECT_EQ(node.logged("ended: \"boom\""), 1u);
}

TEST(Exit, ReportShowsTheBeginningOfALongMailboxAlone) // PL-3
{
	SimNode node;
	dream_pid_t b = node.go([](node_proc_t *proc) {
		(void) node_proc_wait(proc, NODE_FOREVER);
		wait_forever(proc);
	});
	const std::string rest(1000, 'x');
	for (int i = 0; i < 1000; i++)
		send(node, nullptr, b, "\"" + std::to_string(i) + rest + "\"");
	exit_signal(node, nullptr, b, "\"boom\"");
	node.run();
	EXPECT_EQ(node.logged("\"9xxx"), 1u);
	EXPECT_EQ(node.logged("\"10xxx"), 0u);
	EXPECT_EQ(node.logged(rest.substr(0, 100)), 0u);
	EXPECT_EQ(node.logged("1000 messages unread"), 1u);
}

TEST(Exit, ReasonNobodyGaveIsNormal)
{
	SimNode node;
	Subject b(node, false);
	send(node, nullptr, b.pid, "1");
	exit_signal(node, nullptr, b.pid, "\"x\"");
	node.run();
	EXPECT_EQ(b.ended, "\"x\"");
	EXPECT_TRUE(node_proc_reason_is_normal_class(nullptr));
}
