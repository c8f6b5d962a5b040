// SPDX-License-Identifier: MIT
// Calls that run their server at once (sched/direct.c): what the short way must not change.
#include "support/node.h"
#include <atomic>

namespace
{

struct Echo : Script {
	Echo()
	{
		on_call = [](const dream_msg_t *request, dream_msg_t **ret_reply) {
			*ret_reply = dream_msg_ref(request);
			return DREAM_REPLY;
		};
	}
};

uint64_t turns(node_t *node)
{
	node_sched_stats_t stats;
	node_sched_stats(node, 0, &stats);
	return stats.turns;
}

} // namespace

TEST(DirectCall, TakesOneTurnOfTheServerAndOneOfTheCaller)
{
	SimNode node;
	node.load();
	Echo echo;
	uint64_t before = 0, after = 0;
	node.go([&](node_proc_t *proc) {
		dream_pid_t server = start(proc, echo);
		EXPECT_EQ(call(proc, server, "1"), "1");
		before = turns(node);
		EXPECT_EQ(call(proc, server, "2", 5000), "2");
		after = turns(node);
	});
	EXPECT_EQ(after - before, 2u);
	EXPECT_EQ(node_sched_next_timer_ns(node), NODE_FOREVER); // nothing was armed
}

TEST(DirectCall, MessagesOfTheServerBeforeItsReplyAreThereAfterIt) // SIG-1
{
	SimNode node;
	node.load();
	Script script;
	dream_pid_t client = {0, 0, 0};
	script.on_call = [&](const dream_msg_t *, dream_msg_t **ret_reply) {
		EXPECT_EQ(dream_send_take(dream_to(client), owned("\"before\"")), DREAM_OK);
		*ret_reply = owned("\"reply\"");
		return DREAM_REPLY;
	};
	std::string reply, message;
	node.go([&](node_proc_t *proc) {
		client = node_proc_pid(proc);
		reply = call(proc, start(proc, script), "0");
		message = receive(proc);
	});
	EXPECT_EQ(reply, "\"reply\"");
	EXPECT_EQ(message, "\"before\"");
}

TEST(DirectCall, ExitSignalOfTheServerBeforeItsReplyEndsTheCaller) // SIG-1, X3
{
	SimNode node;
	node.load();
	Script script;
	dream_pid_t client = {0, 0, 0};
	script.on_call = [&](const dream_msg_t *, dream_msg_t **ret_reply) {
		dream_msg_t *why = owned("\"enough\"");
		EXPECT_EQ(dream_exit_signal(client, why), DREAM_OK);
		dream_msg_unref(why);
		*ret_reply = owned("\"reply\"");
		return DREAM_REPLY;
	};
	bool went_on = false;
	client = node.go([&](node_proc_t *proc) {
		client = node_proc_pid(proc);
		(void) call(proc, start(proc, script), "0");
		went_on = true;
	});
	EXPECT_FALSE(went_on);
	EXPECT_FALSE(node.alive(client));
}

TEST(DirectCall, ServerThatCallsOnInTurnAnswersAllTheWayBack)
{
	SimNode node;
	node.load();
	Echo last;
	Script middle, first;
	dream_pid_t to_last, to_middle;
	auto forward = [](const dream_pid_t &to) {
		return [&to](const dream_msg_t *request, dream_msg_t **ret_reply) {
			dream_msg_t *mine = dream_msg_ref(request);
			int r = dream_call_raw(dream_to(to), mine, 5000, ret_reply);
			dream_msg_unref(mine);
			return r == DREAM_OK ? DREAM_REPLY : DREAM_STOP;
		};
	};
	middle.on_call = forward(to_last);
	first.on_call = forward(to_middle);
	std::string reply;
	node.go([&](node_proc_t *proc) {
		to_last = start(proc, last);
		to_middle = start(proc, middle);
		reply = call(proc, start(proc, first), "[1, 2]", 5000);
	});
	EXPECT_EQ(reply, "[1, 2]");
}

TEST(DirectCall, ServerThatAnswersLaterLeavesTheCallerParked) // GS-11
{
	SimNode node;
	node.load();
	Script script;
	dream_from_t from;
	script.on_call = [&](const dream_msg_t *, dream_msg_t **) {
		from = dream_from();
		return DREAM_NOREPLY;
	};
	script.on_cast = [&](const dream_msg_t *) {
		EXPECT_EQ(dream_reply_take(from, owned("\"late\"")), DREAM_OK);
		return DREAM_NOREPLY;
	};
	std::string reply;
	dream_pid_t server = {0, 0, 0};
	node.go([&](node_proc_t *proc) {
		server = start(proc, script);
		reply = call(proc, server, "0", 5000);
	});
	EXPECT_EQ(reply, "");
	node.go([&](node_proc_t *proc) {
		dream_dest_t to = dream_to(server);
		EXPECT_EQ(node_call_cast_take(node, proc, &to, term("0")), DREAM_OK);
	});
	EXPECT_EQ(reply, "\"late\"");
}

TEST(DirectCall, UnansweredOneTimesOutWhenItsTimeIsOverAndNotBefore) // GS-7
{
	SimNode node;
	node.load();
	Script script;
	script.on_call = [&](const dream_msg_t *, dream_msg_t **) { return DREAM_NOREPLY; };
	std::string reply;
	node.go([&](node_proc_t *proc) { reply = call(proc, start(proc, script), "0", 50); });
	node.advance(49);
	EXPECT_EQ(reply, "");
	node.advance(2);
	EXPECT_EQ(reply, "error " + std::to_string(DREAM_ETIMEDOUT) + " \"timeout\"");
}

TEST(DirectCall, ServerThatEndsInsteadOfAnsweringIsNoticed) // GS-7
{
	SimNode node;
	node.load();
	Script script;
	script.on_call = [&](const dream_msg_t *, dream_msg_t **) { return DREAM_STOP; };
	std::string reply;
	node.go([&](node_proc_t *proc) { reply = call(proc, start(proc, script), "0", 50); });
	EXPECT_EQ(reply, "error " + std::to_string(DREAM_EDOWN) + " \"normal\"");
}

TEST(DirectCall, StarvesNobody)
{
	SimNode node;
	node.load();
	Echo echo;
	bool ran = false;
	int calls_before = -1;
	node.go([&](node_proc_t *proc) {
		dream_pid_t server = start(proc, echo);
		node.spawn([&](node_proc_t *) { ran = true; });
		for (int i = 0; i < 1000; i++) {
			EXPECT_EQ(call(proc, server, "0"), "0");
			if (ran && calls_before < 0)
				calls_before = i;
		}
	});
	EXPECT_GE(calls_before, 0);
	EXPECT_LE(calls_before, 64);
}

TEST(DirectCall, CallerIsKilledAlthoughTheServerKeepsItsScheduler)
{
	ThreadNode node;
	node.load();
	std::atomic<bool> release(false);
	Latch inside(1), ended(1);
	Script script;
	script.on_call = [&](const dream_msg_t *request, dream_msg_t **ret_reply) {
		inside.hit();
		while (!release) // the scheduler is ours until somebody lets go
			;
		*ret_reply = dream_msg_ref(request);
		return DREAM_REPLY;
	};
	node.spawn([&](node_proc_t *proc) {
		dream_pid_t server = start(proc, script);
		uint64_t monitor = node_proc_new_ref(node);
		Spawn how;
		how.parent = proc;
		how.monitor_ref = monitor;
		dream_pid_t client = node.spawn(
			[&, server](node_proc_t *me) { (void) call(me, server, "0", 60000); }, how);
		node_proc_wait(proc, node_clock_now(node) + NODE_MS); // lets the client run
		EXPECT_TRUE(inside.wait());
		exit_signal(node, proc, client, "\"kill\"");
		dream_msg_t *reason = nullptr;
		EXPECT_EQ(node_call_await_down(proc, monitor, NODE_FOREVER, &reason), DREAM_OK);
		EXPECT_EQ(text_take(reason), "\"killed\"");
		release = true;
		EXPECT_EQ(call(proc, server, "7"), "7"); // the answer to the dead goes nowhere
		ended.hit();
	});
	EXPECT_TRUE(ended.wait());
	EXPECT_TRUE(node.wait_bodies());
}

TEST(DirectCall, CallerTimesOutAlthoughTheServerKeepsItsScheduler)
{
	ThreadNode node;
	node.load();
	std::atomic<bool> release(false);
	Script script;
	script.on_call = [&](const dream_msg_t *request, dream_msg_t **ret_reply) {
		while (!release)
			;
		*ret_reply = dream_msg_ref(request);
		return DREAM_REPLY;
	};
	std::string reply;
	node.spawn([&](node_proc_t *proc) {
		dream_pid_t server = start(proc, script);
		reply = call(proc, server, "0", 10);
		release = true;
		EXPECT_EQ(call(proc, server, "1"), "1");
	});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(reply, "error " + std::to_string(DREAM_ETIMEDOUT) + " \"timeout\"");
}
