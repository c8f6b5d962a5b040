// SPDX-License-Identifier: MIT
// gen_server: starts, calls, casts, timeouts, ends, system messages (GS, ALS, SYS).
#include "support/node.h"

namespace
{

dream_next_t echo(const dream_msg_t *request, dream_msg_t **ret_reply)
{
	*ret_reply = dream_msg_ref(request);
	return DREAM_REPLY;
}

// What a client sees, as text, of a process that runs `body`.
void client(SimNode &node, std::function<void(node_proc_t *)> body)
{
	bool done = false;
	node.go([&](node_proc_t *proc) {
		body(proc);
		done = true;
	});
	node.advance(60000);
	EXPECT_TRUE(done) << "the client did not come to its end";
}

std::string error(int code, const std::string &reason)
{
	return "error " + std::to_string(code) + " " + reason;
}

} // namespace

// ---- starts

TEST(ServerStart, RegistersBeforeInit) // GS-1
{
	SimNode node;
	node.load();
	Script script;
	std::string found;
	script.on_init = [&] {
		dream_pid_t pid;
		found = dream_whereis("one", &pid) == DREAM_OK && dream_pid_equal(pid, dream_self())
				? "self"
				: "other";
		return DREAM_OK;
	};
	Start how;
	how.name = "one";
	client(node, [&](node_proc_t *proc) { start(proc, script, how); });
	EXPECT_EQ(found, "self");
}

TEST(ServerStart, TakenNameIsRefusedWithoutRunningInit) // GS-1
{
	SimNode node;
	node.load();
	Script first, second;
	int inits = 0, r = 0;
	second.on_init = [&] { return ++inits, DREAM_OK; };
	client(node, [&](node_proc_t *proc) {
		Start how;
		how.name = "one";
		dream_pid_t pid = start(proc, first, how);
		how.result = &r;
		start(proc, second, how);
		char buffer[300];
		EXPECT_EQ(text(node_proc_reason_borrow(proc)), std::string("\"already_started: one is ") +
								       node_proc_pid_text(node, pid, buffer) +
								       "\"");
	});
	EXPECT_EQ(r, DREAM_EALREADY);
	EXPECT_EQ(inits, 0);
}

TEST(ServerStart, MessagesThatArriveDuringInitAreHandledAfterIt) // GS-1
{
	SimNode node;
	node.load();
	Script script;
	std::string order;
	script.on_init = [&] {
		dream_msg_t *msg = owned("\"early\"");
		EXPECT_EQ(dream_send_take(dream_to_name("one"), msg), DREAM_OK);
		order += "init ";
		return DREAM_OK;
	};
	script.on_info = [&](const dream_msg_t *msg) { return order += text(msg), DREAM_NOREPLY; };
	Start how;
	how.name = "one";
	client(node, [&](node_proc_t *proc) { start(proc, script, how); });
	EXPECT_EQ(order, "init \"early\"");
}

TEST(ServerStart, IgnoreSucceedsWithoutAProcess) // GS-2
{
	SimNode node;
	node.load();
	Script script;
	int r = -1;
	script.on_init = [] { return DREAM_IGNORE; };
	client(node, [&](node_proc_t *proc) {
		Start how;
		how.result = &r;
		how.link = true;
		start(proc, script, how);
		EXPECT_EQ(node_proctab_count(node), 1u);
	});
	EXPECT_EQ(r, DREAM_IGNORE);
}

TEST(ServerStart, FailureTellsTheReason) // GS-2
{
	SimNode node;
	node.load();
	Script plain, reasoned;
	plain.on_init = [] { return DREAM_EIO; };
	reasoned.on_init = [] {
		dream_msg_t *why = owned("[\"no\", 1]");
		dream_next_reason(why);
		dream_msg_unref(why);
		return DREAM_EIO;
	};
	client(node, [&](node_proc_t *proc) {
		int r = 0;
		Start how;
		how.result = &r;
		start(proc, plain, how);
		EXPECT_EQ(r, DREAM_EINIT);
		EXPECT_EQ(text(node_proc_reason_borrow(proc)), "[\"error\", \"EIO\"]");
		start(proc, reasoned, how);
		EXPECT_EQ(text(node_proc_reason_borrow(proc)), "[\"no\", 1]");
	});
}

TEST(ServerStart, FailedLinkedStartGivesATrappingCallerBoth) // GS-3
{
	SimNode node;
	node.load();
	Script script;
	script.on_init = [] { return DREAM_EIO; };
	client(node, [&](node_proc_t *proc) {
		int r = 0;
		node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
		Start how;
		how.link = true;
		how.result = &r;
		start(proc, script, how);
		EXPECT_EQ(r, DREAM_EINIT);
		EXPECT_NE(receive(proc).find("[\"error\", \"EIO\"]]"), std::string::npos);
	});
}

TEST(ServerStart, FailedLinkedStartEndsAPlainCaller) // GS-3
{
	SimNode node;
	node.load();
	Script script;
	script.on_init = [] { return DREAM_EIO; };
	bool after = false;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		int r;
		Start how;
		how.link = true;
		how.result = &r;
		start(proc, script, how);
		after = true;
	});
	EXPECT_FALSE(node.alive(pid));
	EXPECT_FALSE(after);
}

TEST(ServerStart, NameIsFreeAndTheProcessDeadWhenAFailureReturns) // GS-4
{
	SimNode node;
	node.load();
	Script bad, good;
	bad.on_init = [] { return DREAM_EIO; };
	client(node, [&](node_proc_t *proc) {
		for (int i = 0; i < 3; i++) {
			int r = 0;
			Start how;
			how.name = "one";
			how.result = &r;
			start(proc, bad, how);
			EXPECT_EQ(r, DREAM_EINIT);
			EXPECT_EQ(node_proctab_count(node), 1u);
		}
		Start how;
		how.name = "one";
		start(proc, good, how);
	});
}

TEST(ServerStart, InitThatTakesTooLongIsKilledFirst) // GS-5, PL-2
{
	SimNode node;
	node.load();
	Script script;
	script.on_init = [] {
		dream_msg_t *msg;
		return dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
	};
	client(node, [&](node_proc_t *proc) {
		int r = 0;
		node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
		Start how;
		how.link = true;
		how.timeout_ms = 100;
		how.name = "slow";
		how.result = &r;
		start(proc, script, how);
		EXPECT_EQ(r, DREAM_ETIMEDOUT);
		EXPECT_EQ(node_proctab_count(node), 1u);
		dream_pid_t pid;
		EXPECT_EQ(node_names_whereis(node, "slow", &pid), DREAM_ENOENT);
		EXPECT_EQ(receive(proc, 10), "(timeout)") << "no stray exit";
	});
}

TEST(ServerStart, InitThatEndsTheProcessNormallyDoesNotHangTheStarter) // PL-2, proc_lib_SUITE:init_dont_hang
{
	SimNode node;
	node.load();
	Script script;
	script.on_init = []() -> int { dream_exit(nullptr); };
	client(node, [&](node_proc_t *proc) {
		for (bool link : {false, true}) {
			int r = 0;
			Start how;
			how.link = link;
			how.result = &r;
			start(proc, script, how);
			EXPECT_EQ(r, DREAM_EINIT);
		}
	});
	EXPECT_EQ(node_proctab_count(node), 0u);
}

TEST(ServerStart, UnknownKindIsNamed)
{
	SimNode node;
	node.load();
	Script script;
	client(node, [&](node_proc_t *proc) {
		int r = 0;
		Start how;
		how.kind = "nothing";
		how.result = &r;
		start(proc, script, how);
		EXPECT_EQ(r, DREAM_ENOENT);
		EXPECT_EQ(text(node_proc_reason_borrow(proc)),
			"\"no kind \\\"nothing\\\" in a loaded module \\\"scripted\\\"\"");
	});
}

// ---- calls

TEST(Call, IsAnswered) // GS-7
{
	SimNode node;
	node.load();
	Script script;
	script.on_call = echo;
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(call(proc, pid, "[\"hello\", 1]"), "[\"hello\", 1]");
		EXPECT_EQ(node_reftab_count(proc->held), 0u);
	});
}

TEST(Call, DeadServerIsNoproc) // GS-7
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	client(node, [&](node_proc_t *proc) {
		EXPECT_EQ(call(proc, dead, "1"), error(DREAM_ENOPROC, "\"noproc\""));
		dream_dest_t nobody = dream_to_name("nobody");
		dream_msg_t *reply;
		EXPECT_EQ(node_call_take(proc, &nobody, term("1"), 5, &reply), DREAM_ENOPROC); // GS-8
		EXPECT_EQ(text(node_proc_reason_borrow(proc)), "\"noproc\"");
	});
}

TEST(Call, CallingOneselfIsRefused) // GS-7
{
	SimNode node;
	client(node, [&](node_proc_t *proc) {
		EXPECT_EQ(call(proc, node_proc_pid(proc), "1"), error(DREAM_ESELF, "\"calling_self\""));
	});
}

TEST(Call, UnreachableNodeIsNoconnection) // GS-8
{
	SimNode node;
	client(node, [&](node_proc_t *proc) {
		EXPECT_EQ(call(proc, dream_pid_t{9, 1, 4}, "1"),
			error(DREAM_ENOCONNECTION, "\"noconnection\""));
		dream_dest_t far = dream_to_node("one", "far@test");
		dream_msg_t *reply;
		EXPECT_EQ(node_call_take(proc, &far, term("1"), 5, &reply), DREAM_ENOCONNECTION);
	});
}

TEST(Call, TimesOutAndTheLateReplyVanishes) // GS-7, ALS-4
{
	SimNode node;
	node.load();
	Script script;
	int handled = 0;
	script.on_call = [&](const dream_msg_t *request, dream_msg_t **ret_reply) {
		dream_msg_t *msg;
		handled++;
		(void) dream_receive(nullptr, nullptr, 100, &msg); // longer than the caller waits
		return echo(request, ret_reply);
	};
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(call(proc, pid, "1", 50), error(DREAM_ETIMEDOUT, "\"timeout\""));
		EXPECT_EQ(receive(proc, 1000), "(timeout)");
		EXPECT_EQ(handled, 1); // GS-9
		EXPECT_EQ(call(proc, pid, "2", 500), "2") << "the next call gets its own answer";
	});
}

TEST(Call, ServerThatEndsNormallyBeforeAnsweringIsDown) // GS-7
{
	SimNode node;
	node.load();
	Script script;
	script.on_call = [](const dream_msg_t *, dream_msg_t **) { return DREAM_STOP; };
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(call(proc, pid, "1"), error(DREAM_EDOWN, "\"normal\""));
	});
}

TEST(Call, QueuedCallsHearOfTheEndToo) // GS-7
{
	SimNode node;
	node.load();
	Script script;
	script.on_call = [](const dream_msg_t *, dream_msg_t **) {
		dream_msg_t *msg;
		(void) dream_receive(
			[](void *, const dream_msg_t *) -> int32_t { return 0; }, nullptr, 100, &msg);
		return DREAM_STOP;
	};
	dream_pid_t pid = {0, 0, 0};
	node.go([&](node_proc_t *proc) { pid = start(proc, script); });
	std::vector<std::string> got;
	for (int i = 0; i < 3; i++)
		node.go([&](node_proc_t *proc) { got.push_back(call(proc, pid, "1")); });
	node.advance(200);
	EXPECT_EQ(got, std::vector<std::string>(3, error(DREAM_EDOWN, "\"normal\"")));
}

TEST(Call, KilledServerTellsItsCaller) // GS-7
{
	SimNode node;
	node.load();
	Script script;
	dream_pid_t pid = {0, 0, 0};
	std::string got;
	node.go([&](node_proc_t *proc) { pid = start(proc, script); });
	node.go([&](node_proc_t *proc) { got = call(proc, pid, "1"); }); // a reply is deferred for ever
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
	EXPECT_EQ(got, error(DREAM_EDOWN, "\"killed\""));
}

TEST(Call, CallerKilledWhileItWaitsLeavesNothingBehind)
{
	SimNode node;
	node.load();
	Script script;
	dream_pid_t pid = {0, 0, 0};
	node.go([&](node_proc_t *proc) { pid = start(proc, script); });
	dream_pid_t caller = node.go([&](node_proc_t *proc) {
		dream_msg_t *reply;
		dream_dest_t to = dream_to(pid);
		(void) node_call_take(proc, &to, node_msg_text("x"), 1000, &reply);
	});
	exit_signal(node, nullptr, caller, "\"kill\"");
	node.advance(5000);
	EXPECT_FALSE(node.alive(caller));
	EXPECT_TRUE(node.alive(pid));
}

TEST(Call, WhatNobodyUnderstandsIsRefusedByName) // GS-14
{
	SimNode node;
	node.load();
	client(node, [&](node_proc_t *proc) {
		Script script;
		Start how;
		how.kind = "counter";
		dream_pid_t pid = start(proc, script, how);
		std::string got = call(proc, pid, "[\"subtract\", 1]");
		EXPECT_EQ(got.substr(0, 11), "error -4004") << got;
		EXPECT_NE(got.find("it has: \\\"add\\\""), std::string::npos) << got;
		EXPECT_EQ(call(proc, pid, "[\"add\", {\"by\": \"x\"}]").substr(0, 11), "error -4004");
		EXPECT_EQ(call(proc, pid, "[\"add\", {\"by\": 2}]"), "{\"value\": 2}");
	});
}

TEST(Call, TagWithANulFindsNoHandler) // it was compared up to the NUL, and beyond the handler's own tag
{
	SimNode node;
	node.load();
	client(node, [&](node_proc_t *proc) {
		Script script;
		Start how;
		how.kind = "counter";
		dream_pid_t pid = start(proc, script, how);
		EXPECT_EQ(call(proc, pid, "[\"add\\u0000\\u0000\\u0000\", {\"by\": 2}]").substr(0, 11),
			"error -4004");
	});
}

TEST(Reply, MayBeDeferredAndGivenByAnyone) // GS-11
{
	SimNode node;
	node.load();
	Script script;
	dream_from_t kept = {};
	script.on_call = [&](const dream_msg_t *, dream_msg_t **) {
		return kept = dream_from(), DREAM_NOREPLY;
	};
	std::string got;
	dream_pid_t pid = {0, 0, 0};
	node.go([&](node_proc_t *proc) {
		pid = start(proc, script);
		got = call(proc, pid, "1");
	});
	EXPECT_EQ(got, "");
	node.go([&](node_proc_t *) {
		for (int i = 0; i < 2; i++) // answering twice is harmless
			EXPECT_EQ(dream_reply_take(kept, owned("\"late\"")), DREAM_OK);
	});
	EXPECT_EQ(got, "\"late\"");
}

// ---- casts, infos, timeouts, continue

TEST(Cast, AlwaysSucceeds) // GS-10
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	dream_dest_t pid = dream_to(dead), name = dream_to_name("nobody");
	EXPECT_EQ(node_call_cast_take(node, nullptr, &pid, term("1")), DREAM_OK);
	EXPECT_EQ(node_call_cast_take(node, nullptr, &name, term("1")), DREAM_OK);
}

TEST(Info, WithoutACallbackIsLoggedAndDropped) // GS-14
{
	SimNode node;
	node.load();
	Script script;
	client(node, [&](node_proc_t *proc) {
		Start how;
		how.kind = "bare";
		dream_pid_t pid = start(proc, script, how);
		send(node, proc, pid, "\"odd\"");
		EXPECT_EQ(sys(proc, pid, NODE_SYS_GET_STATE), "null");
		EXPECT_TRUE(node.alive(pid));
	});
	EXPECT_EQ(node.logged("odd"), 1u);
}

TEST(Timeout, ComesIfNoMessageDoes) // GS-12
{
	SimNode node;
	node.load();
	Script script;
	std::vector<std::string> got;
	script.on_init = [] { return dream_next_timeout(100), DREAM_OK; };
	script.on_info = [&](const dream_msg_t *msg) { return got.push_back(text(msg)), DREAM_NOREPLY; };
	node.go([&](node_proc_t *proc) { start(proc, script); });
	node.advance(99);
	EXPECT_TRUE(got.empty());
	node.advance(1000);
	EXPECT_EQ(got, std::vector<std::string>{"\"timeout\""});
}

TEST(Timeout, AnyMessageCancelsIt) // GS-12
{
	SimNode node;
	node.load();
	Script script;
	std::vector<std::string> got;
	dream_pid_t pid = {0, 0, 0};
	script.on_init = [] { return dream_next_timeout(100), DREAM_OK; };
	script.on_info = [&](const dream_msg_t *msg) { return got.push_back(text(msg)), DREAM_NOREPLY; };
	node.go([&](node_proc_t *proc) { pid = start(proc, script); });
	send(node, nullptr, pid, "1");
	node.advance(1000);
	EXPECT_EQ(got, std::vector<std::string>{"1"});
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timeout, SystemMessageStartsItAnew) // GS-12
{
	SimNode node;
	node.load();
	Script script;
	int64_t fired_ms = 0;
	dream_pid_t pid = {0, 0, 0};
	script.on_init = [] { return dream_next_timeout(100), DREAM_OK; };
	script.on_info = [&](const dream_msg_t *) { return fired_ms = node.now_ms(), DREAM_NOREPLY; };
	node.go([&](node_proc_t *proc) { pid = start(proc, script); });
	int64_t begin_ms = node.now_ms();
	node.advance(60);
	node.go([&](node_proc_t *proc) { EXPECT_EQ(sys(proc, pid, NODE_SYS_GET_STATE), "null"); });
	node.advance(1000);
	EXPECT_GE(fired_ms - begin_ms, 160);
	EXPECT_LE(fired_ms - begin_ms, 163);
}

TEST(Continue, PrecedesEveryMessageAndMayGoOn) // GS-6
{
	SimNode node;
	node.load();
	Script script;
	std::string order;
	script.on_init = [&] {
		EXPECT_EQ(dream_send_take(dream_to(dream_self()), owned("\"info\"")), DREAM_OK);
		dream_next_continue_take(owned("1"));
		return DREAM_OK;
	};
	script.on_continue = [&](const dream_msg_t *arg) {
		order += "c" + text(arg) + " ";
		if (text(arg) == "1")
			dream_next_continue_take(owned("2"));
		return DREAM_NOREPLY;
	};
	script.on_info = [&](const dream_msg_t *) { return order += "info", DREAM_NOREPLY; };
	client(node, [&](node_proc_t *proc) { start(proc, script); });
	EXPECT_EQ(order, "c1 c2 info");
}

TEST(Continue, ReplyIsSentFirst) // GS-6
{
	SimNode node;
	node.load();
	Script script;
	std::string order;
	script.on_call = [&](const dream_msg_t *request, dream_msg_t **ret_reply) {
		dream_next_continue_take(owned("1"));
		return echo(request, ret_reply);
	};
	script.on_continue = [&](const dream_msg_t *) {
		dream_msg_t *msg;
		(void) dream_receive(nullptr, nullptr, 50, &msg);
		order += "continued";
		return DREAM_NOREPLY;
	};
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		(void) call(proc, pid, "1");
		order += "replied ";
	});
	EXPECT_EQ(order, "replied continued");
}

TEST(Continue, EndlessOneCanBeKilled) // GS-17; it never looked at its signals
{
	SimNode node;
	node.load();
	Script script;
	dream_pid_t pid = {0, 0, 0};
	int rounds = 0;
	script.on_init = [] { return dream_next_continue_take(owned("1")), DREAM_OK; };
	script.on_continue = [&](const dream_msg_t *) {
		if (++rounds == 1000)
			exit_signal(node, nullptr, pid, "\"kill\"");
		if (rounds < 100000)
			dream_next_continue_take(owned("1"));
		return DREAM_NOREPLY;
	};
	node.go([&](node_proc_t *proc) { pid = start(proc, script); });
	EXPECT_FALSE(node.alive(pid));
	EXPECT_EQ(rounds, 1000);
}

// ---- ends

TEST(Stop, TerminateRunsBeforeTheReply) // GS-13
{
	SimNode node;
	node.load();
	Script script;
	std::string order;
	script.on_call = [&](const dream_msg_t *request, dream_msg_t **ret_reply) {
		(void) echo(request, ret_reply);
		return DREAM_NEXT_STOP_REPLY;
	};
	script.on_terminate = [&](const dream_msg_t *why) { order += "terminate " + text(why) + " "; };
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		order += "reply " + call(proc, pid, "1");
	});
	EXPECT_EQ(order, "terminate \"normal\" reply 1");
}

TEST(Stop, UnknownReturnIsABadReturnValue) // GS-14
{
	SimNode node;
	node.load();
	Script script;
	std::string why;
	script.on_call = [](const dream_msg_t *, dream_msg_t **) { return 17; };
	script.on_terminate = [&](const dream_msg_t *reason) { why = text(reason); };
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(call(proc, pid, "1"), error(DREAM_EDOWN, "[\"bad_return_value\", 17]"));
	});
	EXPECT_EQ(why, "[\"bad_return_value\", 17]");
}

static std::string terminated(bool traps, bool from_parent, const char *reason)
{
	SimNode node;
	node.load();
	Script script;
	std::string got = "no terminate";
	dream_pid_t pid = {0, 0, 0};
	script.on_init = [traps] { return (void) dream_trap_exit(traps), DREAM_OK; };
	script.on_terminate = [&](const dream_msg_t *why) { got = "terminate " + text(why); };
	script.on_info = [&](const dream_msg_t *msg) {
		return got = "info " + text(msg).substr(0, 7), DREAM_NOREPLY;
	};
	dream_pid_t parent = node.go([&](node_proc_t *proc) {
		Start how;
		how.link = true;
		pid = start(proc, script, how);
		(void) receive(proc, DREAM_INFINITY);
		node_proc_exit_take(proc, term(reason));
	});
	if (from_parent)
		send(node, nullptr, parent, "1");
	else
		node.go([&](node_proc_t *proc) { exit_signal(node, proc, pid, reason); });
	node.run();
	return got + (node.alive(pid) ? ", alive" : ", dead");
}

TEST(Terminate, RunsOnTheParentsExitWhileTrapping) // GS-16, GS-17
{
	EXPECT_EQ(terminated(true, true, "\"shutdown\""), "terminate \"shutdown\", dead");
	EXPECT_EQ(terminated(true, true, "\"normal\""), "terminate \"normal\", dead");
}

TEST(Terminate, DoesNotRunWithoutTrapping) // GS-16, X4
{
	EXPECT_EQ(terminated(false, true, "\"shutdown\""), "no terminate, dead");
	EXPECT_EQ(terminated(false, true, "\"normal\""), "no terminate, alive");
	EXPECT_EQ(terminated(false, false, "\"shutdown\""), "no terminate, dead");
}

TEST(Terminate, ExitOfAnotherIsAMessage) // GS-17
{
	EXPECT_EQ(terminated(true, false, "\"boom\""), "info [\"EXIT\", alive");
}

TEST(Terminate, DoesNotRunWhenKilled) // GS-16
{
	EXPECT_EQ(terminated(true, false, "\"kill\""), "no terminate, dead");
}

static int stop(node_proc_t *proc, dream_pid_t pid, const char *reason, int64_t timeout_ms = DREAM_INFINITY)
{
	dream_dest_t to = dream_to(pid);
	dream_msg_t *why = reason != nullptr ? term(reason) : nullptr;
	int r = node_call_stop(proc, &to, why, timeout_ms);
	node_msg_unref(why);
	return r;
}

TEST(ServerStop, WaitsForTheEnd) // GS-19, PL-4
{
	SimNode node;
	node.load();
	Script script;
	std::string why;
	script.on_terminate = [&](const dream_msg_t *reason) { why = text(reason); };
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(stop(proc, pid, nullptr), DREAM_OK);
		EXPECT_FALSE(node.alive(pid));
		EXPECT_EQ(why, "\"normal\"");
		pid = start(proc, script);
		EXPECT_EQ(stop(proc, pid, "[\"x\", 1]"), DREAM_OK);
		EXPECT_EQ(why, "[\"x\", 1]");
		EXPECT_EQ(stop(proc, pid, nullptr), DREAM_ENOPROC);
		EXPECT_EQ(stop(proc, node_proc_pid(proc), nullptr), DREAM_ESELF);
	});
}

TEST(ServerStop, TellsAnotherReason) // GS-19, PL-4
{
	SimNode node;
	node.load();
	Script script;
	script.on_terminate = [&](const dream_msg_t *) {
		dream_msg_t *why = owned("\"other\"");
		dream_exit(why);
	};
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(stop(proc, pid, nullptr), DREAM_EDOWN); // GS-18
		EXPECT_EQ(text(node_proc_reason_borrow(proc)), "\"other\"");
	});
}

TEST(ServerStop, TimesOutWhileTheServerGoesOnEnding) // GS-19, PL-4
{
	SimNode node;
	node.load();
	Script script;
	script.on_terminate = [&](const dream_msg_t *) {
		dream_msg_t *msg;
		(void) dream_receive(nullptr, nullptr, 500, &msg);
	};
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(stop(proc, pid, nullptr, 100), DREAM_ETIMEDOUT);
		EXPECT_TRUE(node.alive(pid));
		EXPECT_EQ(receive(proc, 1000), "(timeout)") << "no stray DOWN";
		EXPECT_FALSE(node.alive(pid));
	});
}

TEST(Server, KilledInsideAnyCallbackLeavesNothingBehind) // messages lent to the callback leaked
{
	SimNode node;
	node.load();
	Script script;
	auto block = [] {
		dream_msg_t *msg;
		(void) dream_receive([](void *, const dream_msg_t *) -> int32_t { return 0; }, nullptr,
			DREAM_INFINITY, &msg);
		return DREAM_NOREPLY;
	};
	script.on_cast = [&](const dream_msg_t *) { return block(); };
	script.on_info = [&](const dream_msg_t *) { return block(); };
	script.on_continue = [&](const dream_msg_t *) { return block(); };
	script.on_terminate = [&](const dream_msg_t *) { (void) block(); };
	script.on_call = [&](const dream_msg_t *request, dream_msg_t **ret_reply) {
		if (text(request) == "1")
			return block();
		if (text(request) == "2")
			return dream_next_continue_take(owned("1")), DREAM_NOREPLY;
		(void) echo(request, ret_reply);
		return DREAM_NEXT_STOP_REPLY;
	};
	for (int way = 0; way < 5; way++) {
		dream_pid_t pid = {0, 0, 0};
		node.go([&](node_proc_t *proc) { pid = start(proc, script); });
		dream_dest_t to = dream_to(pid);
		if (way == 0)
			(void) node_call_cast_take(node, nullptr, &to, term("\"cast\""));
		else if (way == 1)
			(void) send(node, nullptr, pid, "\"info\"");
		else
			node.go([&](node_proc_t *proc) {
				EXPECT_EQ(call(proc, pid, std::to_string(way - 1)),
					error(DREAM_EDOWN, "\"killed\""));
			});
		node.run();
		exit_signal(node, nullptr, pid, "\"kill\"");
		node.run();
		EXPECT_FALSE(node.alive(pid));
	}
}

TEST(ServerReport, OnlyForBadEnds) // GS-18
{
	SimNode node;
	node.load();
	Script script;
	client(node, [&](node_proc_t *proc) {
		for (const char *why : {"\"normal\"", "\"shutdown\"", "[\"shutdown\", 2]"})
			EXPECT_EQ(stop(proc, start(proc, script), why), DREAM_OK);
		EXPECT_EQ(node.logged("ended"), 0u);
		EXPECT_EQ(stop(proc, start(proc, script), "\"crash\""), DREAM_OK);
	});
	EXPECT_EQ(node.logged("ended: \"crash\""), 1u);
}

// ---- system messages

TEST(Suspend, KeepsMessagesInOrderAndLetsCallsTimeOut) // SYS-2
{
	SimNode node;
	node.load();
	Script script;
	std::vector<std::string> got;
	script.on_cast = [&](const dream_msg_t *msg) {
		return got.push_back("cast " + text(msg)), DREAM_NOREPLY;
	};
	script.on_info = [&](const dream_msg_t *msg) {
		return got.push_back("info " + text(msg)), DREAM_NOREPLY;
	};
	script.on_call = [&](const dream_msg_t *msg, dream_msg_t **ret_reply) {
		got.push_back("call " + text(msg));
		return echo(msg, ret_reply);
	};
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		dream_dest_t to = dream_to(pid);
		for (int i = 0; i < 2; i++)
			EXPECT_EQ(sys(proc, pid, NODE_SYS_SUSPEND), "null");
		EXPECT_EQ(node_call_cast_take(node, proc, &to, term("1")), DREAM_OK);
		send(node, proc, pid, "2");
		EXPECT_EQ(call(proc, pid, "3", 50), error(DREAM_ETIMEDOUT, "\"timeout\""));
		send(node, proc, pid, "4");
		EXPECT_EQ(sys(proc, pid, NODE_SYS_GET_STATE), "null");
		EXPECT_TRUE(got.empty());
		for (int i = 0; i < 2; i++)
			EXPECT_EQ(sys(proc, pid, NODE_SYS_RESUME), "null");
		EXPECT_EQ(call(proc, pid, "5"), "5");
	});
	EXPECT_EQ(got, (std::vector<std::string>{"cast 1", "info 2", "call 3", "info 4", "call 5"}));
}

TEST(Suspend, ParentsExitIsHonoured) // GS-17, SYS-1
{
	SimNode node;
	node.load();
	Script script;
	std::string why;
	dream_pid_t pid = {0, 0, 0};
	script.on_init = [] { return (void) dream_trap_exit(true), DREAM_OK; };
	script.on_terminate = [&](const dream_msg_t *reason) { why = text(reason); };
	client(node, [&](node_proc_t *proc) {
		Start how;
		how.link = true;
		pid = start(proc, script, how);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_SUSPEND), "null");
	});
	EXPECT_EQ(why, "\"normal\"");
	EXPECT_FALSE(node.alive(pid));
}

TEST(Sys, RequestThatComesInACallbacksReceiveWaits) // SYS-1; it was refused as if by a plain process
{
	SimNode node;
	node.load();
	Script script;
	script.on_cast = [&](const dream_msg_t *) {
		dream_msg_t *msg;
		(void) dream_receive(nullptr, nullptr, 100, &msg);
		return DREAM_NOREPLY;
	};
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		dream_dest_t to = dream_to(pid);
		EXPECT_EQ(node_call_cast_take(node, proc, &to, term("1")), DREAM_OK);
		(void) receive(proc, 10);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_SUSPEND), "null");
	});
}

TEST(Sys, DescribedStateIsShown) // SYS-3
{
	SimNode node;
	node.load();
	client(node, [&](node_proc_t *proc) {
		Script script;
		Start how;
		how.kind = "counter";
		dream_pid_t pid = start(proc, script, how);
		(void) call(proc, pid, "[\"add\", {\"by\": 5}]");
		EXPECT_EQ(sys(proc, pid, NODE_SYS_GET_STATE),
			"{\"value\": 5, \"note\": \"old\", \"dropped\": 7}");
	});
}

TEST(Sys, PlainProcessRefuses) // SYS-1
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		for (;;)
			(void) receive(proc, DREAM_INFINITY);
	});
	client(node, [&](node_proc_t *proc) {
		EXPECT_EQ(sys(proc, pid, NODE_SYS_SUSPEND), error(DREAM_EREQUEST, "\"not a behaviour\""));
	});
}

TEST(Suspend, KilledOneHandlesNoRequestAnyMore) // GS-16; terminate ran after the kill
{
	SimNode node;
	node.load();
	Script script;
	bool terminated = false;
	script.on_terminate = [&](const dream_msg_t *) { terminated = true; };
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_SUSPEND), "null");
		exit_signal(node, proc, pid, "\"kill\"");
		EXPECT_EQ(sys(proc, pid, NODE_SYS_TERMINATE).substr(0, 5), "error");
	});
	EXPECT_FALSE(terminated);
}

TEST(Terminate, ExitOfAStarterThatIsNotLinkedIsAMessage) // GS-17: the parent is who called start_link
{
	SimNode node;
	node.load();
	Script script;
	std::string got;
	dream_pid_t pid = {0, 0, 0};
	script.on_init = [] { return (void) dream_trap_exit(true), DREAM_OK; };
	script.on_info = [&](const dream_msg_t *msg) { return got = text(msg), DREAM_NOREPLY; };
	client(node, [&](node_proc_t *proc) {
		pid = start(proc, script);
		exit_signal(node, proc, pid, "\"later\"");
	});
	EXPECT_NE(got.find("\"later\""), std::string::npos) << got;
	EXPECT_TRUE(node.alive(pid));
}

TEST(Stop, ReplyIsSentThoughTerminateDoesNotReturn) // GS-13
{
	SimNode node;
	node.load();
	Script script;
	script.on_call = [](const dream_msg_t *request, dream_msg_t **ret_reply) {
		(void) echo(request, ret_reply);
		return DREAM_NEXT_STOP_REPLY;
	};
	script.on_terminate = [](const dream_msg_t *) { dream_exit(nullptr); };
	client(node, [&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(call(proc, pid, "1"), "1");
		EXPECT_FALSE(node.alive(pid));
	});
}
