// SPDX-License-Identifier: MIT
// Spawn requests, hibernation, and what the SDK answers to bad input (SPN, RCV-3).
#include "support/node.h"

#include <atomic>

#include "term/codec.h"

namespace
{

// A request for the plain kind of `scripted`, whose main function is the script's.
int request(const Script &script, uint32_t flags, dream_ref_t *ret_ref, const char *kind = "plain",
	const char *name = nullptr, const char *tag = nullptr)
{
	dream_msg_t *args = owned(script.args());
	dream_msg_t *tag_msg = tag != nullptr ? owned(tag) : nullptr;
	dream_spawn_t how = {};
	how.struct_size = sizeof(how);
	how.flags = flags;
	how.module = "scripted";
	how.kind = kind;
	how.args = args;
	how.name = name;
	int r = dream_spawn_request(&how, tag_msg, ret_ref);
	dream_msg_unref(args);
	dream_msg_unref(tag_msg);
	return r;
}

std::string ref_text(const node_t *node, dream_ref_t ref)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = nullptr;
	node_cbor_init(&w);
	node_cbor_put_ref(&w, node, ref);
	EXPECT_EQ(node_cbor_finish(&w, &msg), DREAM_OK);
	return text_take(msg);
}

bool begins(const std::string &text, const std::string &with)
{
	return text.rfind(with, 0) == 0;
}

} // namespace

TEST(SpawnRequest, ReplyComesBeforeAnythingOfTheChild) // SPN-2
{
	SimNode node;
	node.load();
	Script script;
	std::vector<std::string> got;
	std::string ref_is;
	dream_pid_t parent = {0, 0, 0};
	script.on_main = [&] {
		EXPECT_EQ(dream_send_take(dream_to(parent), owned("\"first words\"")), DREAM_OK);
		return DREAM_OK;
	};
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		parent = node_proc_pid(proc);
		EXPECT_EQ(request(script, DREAM_SPAWN_MONITOR, &ref), DREAM_OK);
		ref_is = ref_text(node, ref);
		for (int i = 0; i < 3; i++)
			got.push_back(receive(proc, DREAM_INFINITY));
	});
	ASSERT_EQ(got.size(), 3u);
	EXPECT_TRUE(begins(got[0], "[\"spawn_reply\", " + ref_is + ", \"ok\", ")) << got[0];
	EXPECT_EQ(got[1], "\"first words\"");
	EXPECT_TRUE(begins(got[2], "[\"DOWN\", " + ref_is)) << got[2];
}

TEST(SpawnRequest,
	ChildThatDiesAtOnceIsAnsweredOkAndThenItsTrueReason) // SPN-2, spawn_request_{monitor,link}_child_exit
{
	ThreadNode node;
	node.load();
	Script script;
	std::atomic<int> wrong{0};
	script.on_main = [] { return DREAM_EIO; };
	for (int i = 0; i < 200; i++)
		node.spawn([&](node_proc_t *proc) {
			dream_ref_t ref;
			(void) dream_trap_exit(true);
			EXPECT_EQ(request(script, DREAM_SPAWN_MONITOR | DREAM_SPAWN_LINK, &ref), DREAM_OK);
			wrong += !begins(receive(proc, DREAM_INFINITY), "[\"spawn_reply\"");
			for (int k = 0; k < 2; k++)
				wrong += receive(proc, DREAM_INFINITY).find("[\"error\", \"EIO\"]") ==
					 std::string::npos;
		});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(SpawnRequest, FailuresAreAnswersToo) // SPN-2
{
	SimNode node;
	node.load();
	Script script;
	std::vector<std::string> got;
	Spawn taken;
	taken.name = "taken";
	node.go(wait_forever, taken);
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		EXPECT_EQ(request(script, DREAM_SPAWN_MONITOR | DREAM_SPAWN_LINK, &ref, "nothing"), DREAM_OK);
		got.push_back(receive(proc));
		EXPECT_EQ(request(script, DREAM_SPAWN_MONITOR | DREAM_SPAWN_LINK, &ref, "plain", "taken"),
			DREAM_OK);
		got.push_back(receive(proc));
		got.push_back(receive(proc));
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
	});
	ASSERT_EQ(got.size(), 3u);
	EXPECT_NE(got[0].find("\"error\", \"undef\"]"), std::string::npos) << got[0];
	EXPECT_NE(got[1].find("\"error\", \"already_started\"]"), std::string::npos) << got[1];
	EXPECT_EQ(got[2], "(timeout)");
}

TEST(SpawnRequest, ReplyOptionsAndTag) // SPN-2
{
	SimNode node;
	node.load();
	Script script;
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		EXPECT_EQ(request(script, DREAM_SPAWN_NO_SUCCESS, &ref), DREAM_OK);
		got.push_back(receive(proc));
		EXPECT_EQ(request(script, DREAM_SPAWN_NO_SUCCESS, &ref, "nothing"), DREAM_OK);
		got.push_back(receive(proc).substr(0, 14));
		EXPECT_EQ(request(script, DREAM_SPAWN_NO_ERROR, &ref, "nothing"), DREAM_OK);
		got.push_back(receive(proc));
		EXPECT_EQ(request(script, DREAM_SPAWN_NO_ERROR, &ref, "plain", nullptr, "[7]"), DREAM_OK);
		got.push_back(receive(proc).substr(0, 6));
	});
	EXPECT_EQ(got, (std::vector<std::string>{"(timeout)", "[\"spawn_reply\"", "(timeout)", "[[7], "}));
}

TEST(SpawnRequest, BadOnesAreRefusedAtOnce)
{
	SimNode node;
	node.load();
	Script script;
	std::string got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		EXPECT_EQ(request(script, 0, &ref, "server"), DREAM_EINVAL);
		EXPECT_EQ(request(script, 0, &ref, nullptr), DREAM_EINVAL);
		EXPECT_EQ(request(script, DREAM_SPAWN_LINK, &ref, "plain", ""), DREAM_EINVAL);
		EXPECT_EQ(request(script, 1u << 31, &ref), DREAM_EINVAL);
		EXPECT_EQ(dream_spawn_request(nullptr, nullptr, &ref), DREAM_EINVAL);
		got = receive(proc);
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
	});
	EXPECT_EQ(got, "(timeout)");
}

TEST(SpawnRequest, TakesThePriorityAndTheLimitsOfASpawn)
{
	SimNode node;
	node.load();
	Script script;
	script.on_main = [] {
		dream_msg_t *msg = nullptr;
		(void) dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
		return DREAM_OK;
	};
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		dream_pid_t child = {0, 0, 0};
		dream_msg_t *args = owned(script.args());
		dream_spawn_t how = {};
		how.struct_size = sizeof(how);
		how.module = "scripted";
		how.kind = "plain";
		how.args = args;
		how.name = "one_at_a_time";
		how.limits.max_mailbox_msgs = 1;
		how.priority = DREAM_PRIORITY_HIGH + 1;
		EXPECT_EQ(dream_spawn_request(&how, nullptr, &ref), DREAM_EINVAL);
		how.priority = DREAM_PRIORITY_HIGH;
		EXPECT_EQ(dream_spawn_request(&how, nullptr, &ref), DREAM_OK);
		dream_msg_unref(args);
		(void) receive(proc);
		ASSERT_EQ(dream_whereis("one_at_a_time", &child), DREAM_OK);
		EXPECT_EQ(dream_send_take(dream_to(child), owned("1")), DREAM_OK);
		EXPECT_EQ(dream_send_take(dream_to(child), owned("2")), DREAM_EBUSY);
	});
}

TEST(SpawnRequest, AbandonedWithALinkEndsTheChild) // SPN-3, spawn_request_abandon_bif
{
	SimNode node;
	node.load();
	Script script;
	std::string child_got, got;
	dream_pid_t child = {0, 0, 0};
	script.on_main = [&] {
		dream_msg_t *msg = nullptr;
		child = dream_self();
		(void) dream_trap_exit(true);
		if (dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg) == DREAM_OK) {
			child_got = text(msg);
			dream_msg_unref(msg);
		}
		return DREAM_OK;
	};
	dream_pid_t parent = node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		(void) dream_trap_exit(true);
		EXPECT_EQ(request(script, DREAM_SPAWN_LINK | DREAM_SPAWN_MONITOR, &ref), DREAM_OK);
		node_sched_yield(proc); // the child is there and waits
		EXPECT_TRUE(dream_spawn_request_abandon(ref));
		EXPECT_FALSE(dream_spawn_request_abandon(ref));
		got = receive(proc, 10);
		EXPECT_EQ(node_reftab_count(proc->links), 0u);
		EXPECT_EQ(node_reftab_count(node_proc_extra(proc)->monitors), 0u);
	});
	node.advance(20);
	EXPECT_EQ(child_got, "[\"EXIT\", " + text_of(node, parent) + ", \"abandoned\"]");
	EXPECT_EQ(got, "(timeout)");
	EXPECT_FALSE(node.alive(child));
}

TEST(SpawnRequest, AbandonedWithoutALinkLetsTheChildLive) // SPN-3
{
	SimNode node;
	node.load();
	Script script;
	bool ran = false;
	script.on_main = [&] {
		ran = true;
		return DREAM_OK;
	};
	std::string got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		EXPECT_EQ(request(script, DREAM_SPAWN_MONITOR, &ref), DREAM_OK);
		EXPECT_TRUE(dream_spawn_request_abandon(ref));
		got = receive(proc, 10);
	});
	node.advance(20);
	EXPECT_TRUE(ran);
	EXPECT_EQ(got, "(timeout)");
}

TEST(SpawnRequest, AbandonedTooLateIsFalseAndTheReplyThere) // SPN-3, spawn_request_abandon_bif
{
	ThreadNode node;
	node.load();
	Script script;
	std::atomic<int> wrong{0};
	for (int i = 0; i < 500; i++)
		node.spawn([&, i](node_proc_t *proc) {
			dream_ref_t ref;
			EXPECT_EQ(request(script, i % 3 == 0 ? DREAM_SPAWN_LINK : 0, &ref), DREAM_OK);
			if (i % 2 == 0)
				node_proc_drain(proc);
			bool abandoned = dream_spawn_request_abandon(ref);
			bool replied = begins(receive(proc, 2), "[\"spawn_reply\"");
			wrong += abandoned == replied;
		});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
}

TEST(SpawnRequest, ParentThatEndsAtOnceTakesALinkedChildAlong) // SPN-3, spawn_request_link_parent_exit
{
	SimNode node;
	node.load();
	Script script;
	script.on_main = [] {
		dream_msg_t *msg = nullptr;
		return dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
	};
	for (int i = 0; i < 100; i++)
		node.go([&, i](node_proc_t *proc) {
			dream_ref_t ref;
			EXPECT_EQ(request(script, DREAM_SPAWN_LINK, &ref), DREAM_OK);
			if (i % 2 == 0)
				(void) dream_spawn_request_abandon(ref);
			node_proc_exit_take(proc, term("\"boom\""));
		});
	EXPECT_EQ(node_proctab_count(node), 0u);
}

// ---- hibernation

namespace
{

struct Sleeper {
	int woken = 0;
	std::string got;
	bool had_stack = false;
};

// Runs after the hibernation, with the address of a Sleeper in process memory.
int wake(void *arg)
{
	Sleeper *sleeper = *static_cast<Sleeper **>(arg);
	dream_msg_t *msg = nullptr;
	sleeper->woken++;
	if (dream_receive(nullptr, nullptr, 0, &msg) != DREAM_OK)
		return DREAM_EIO;
	sleeper->got += text(msg) + " ";
	bool last = text(msg) == "\"last\"";
	dream_msg_unref(msg);
	if (!last)
		(void) dream_hibernate(wake, arg);
	return DREAM_OK;
}

int sleep(Sleeper *sleeper)
{
	auto **arg = static_cast<Sleeper **>(dream_alloc(sizeof(Sleeper *)));
	*arg = sleeper;
	return dream_hibernate(wake, arg);
}

} // namespace

TEST(Hibernate, GivesUpTheStackAndGoesOnWithAMessage) // RCV-3
{
	SimNode node;
	node.load();
	Script script;
	Sleeper sleeper;
	dream_pid_t pid = {0, 0, 0};
	script.on_main = [&] { return sleep(&sleeper); };
	node.go([&](node_proc_t *proc) { pid = start(proc, script, {.kind = "plain"}); });
	const node_proc_t *proc = node_proctab_find(node, pid.id);
	ASSERT_NE(proc, nullptr);
	EXPECT_EQ(proc->stack, nullptr);
	EXPECT_EQ(proc->flags & NODE_PROC_BLOCKED, 0u);
	send(node, nullptr, pid, "1");
	node.run();
	EXPECT_EQ(sleeper.got, "1 ");
	EXPECT_EQ(proc->stack, nullptr);
	send(node, nullptr, pid, "\"last\"");
	node.run();
	EXPECT_EQ(sleeper.got, "1 \"last\" ");
	EXPECT_EQ(sleeper.woken, 2);
	EXPECT_FALSE(node.alive(pid));
}

TEST(Hibernate, WakesAtOnceIfTheMailboxIsNotEmpty) // RCV-3, hibernate_SUITE:messages_in_queue
{
	SimNode node;
	node.load();
	Script script;
	Sleeper sleeper;
	script.on_main = [&] {
		for (const char *text : {"1", "2", "\"last\""})
			EXPECT_EQ(dream_send_take(dream_to(dream_self()), owned(text)), DREAM_OK);
		dream_msg_t *msg;
		auto none = [](void *, const dream_msg_t *) -> int32_t { return 0; };
		EXPECT_EQ(dream_receive(none, nullptr, 0, &msg), DREAM_ETIMEDOUT); // all are in the inbox now
		return sleep(&sleeper);
	};
	node.go([&](node_proc_t *proc) { (void) start(proc, script, {.kind = "plain"}); });
	EXPECT_EQ(sleeper.got, "1 2 \"last\" ");
}

TEST(Hibernate, SignalsThatAreNoMessagesDoNotWakeIt) // RCV-3
{
	SimNode node;
	node.load();
	Script script;
	Sleeper sleeper;
	dream_pid_t pid = {0, 0, 0};
	script.on_main = [&] { return sleep(&sleeper); };
	node.go([&](node_proc_t *proc) {
		pid = start(proc, script, {.kind = "plain"});
		(void) receive(proc, 1);
		EXPECT_EQ(dream_link(pid), DREAM_OK);
		EXPECT_EQ(dream_is_process_alive(pid), 1);
		EXPECT_EQ(dream_unlink(pid), DREAM_OK);
	});
	node.advance(5);
	EXPECT_EQ(sleeper.woken, 0);
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
	EXPECT_EQ(sleeper.woken, 0);
	EXPECT_FALSE(node.alive(pid));
}

TEST(Hibernate, ManyHoldNoStacks) // RCV-3
{
	SimNode node(1, "sim@test", 4); // stacks
	node.load();
	Script script;
	Sleeper sleeper;
	std::vector<dream_pid_t> pids;
	script.on_main = [&] { return sleep(&sleeper); };
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 50; i++) {
			pids.push_back(start(proc, script, {.kind = "plain"}));
			(void) receive(proc, 1);
		}
	});
	node.advance(100);
	for (dream_pid_t pid : pids)
		EXPECT_TRUE(node.alive(pid));
	for (dream_pid_t pid : pids)
		send(node, nullptr, pid, "\"last\"");
	node.run();
	EXPECT_EQ(sleeper.woken, 50);
}

TEST(Hibernate, IsRefusedToOthersThanPlainProcesses)
{
	SimNode node;
	node.load();
	Script script;
	script.on_main = [&] {
		EXPECT_EQ(dream_hibernate(nullptr, nullptr), DREAM_EINVAL);
		return DREAM_OK;
	};
	node.go([&](node_proc_t *proc) {
		(void) start(proc, script, {.kind = "plain"});
		EXPECT_EQ(dream_hibernate(wake, nullptr), DREAM_EPERM);
	});
}

TEST(Hibernate, ServerGivesUpEmptyTables) // RCV-3
{
	SimNode node;
	node.load();
	Script script;
	dream_pid_t pid = {0, 0, 0};
	script.on_call = [](const dream_msg_t *, dream_msg_t **ret_reply) {
		*ret_reply = owned("1");
		dream_next_hibernate();
		return DREAM_REPLY;
	};
	node.go([&](node_proc_t *proc) {
		pid = start(proc, script);
		EXPECT_EQ(call(proc, pid, "\"x\""), "1");
		const node_proc_t *server = node_proctab_find(node, pid.id);
		(void) receive(proc, 1);
		EXPECT_EQ(server->held, nullptr);
		EXPECT_EQ(call(proc, pid, "\"x\""), "1");
	});
	node.advance(5);
}

// ---- bad input of modules: an error code, or the end of who did it

namespace
{

// How a process ended that ran `body` in a node of its own.
std::string end_of(const Body &body)
{
	SimNode node;
	std::string got;
	dream_pid_t other = node.go(wait_forever);
	node.go([&](node_proc_t *proc) {
		uint64_t ref = node_proc_new_ref(node);
		Spawn how;
		how.parent = proc;
		how.monitor_ref = ref;
		node.spawn(body, how);
		got = receive(proc, DREAM_INFINITY);
	});
	EXPECT_TRUE(node.alive(other));
	size_t at = got.find("]), \"normal\"");
	(void) at;
	return got.substr(got.rfind(", [\"badarg\"") == std::string::npos ? got.rfind(", ") + 2
									  : got.rfind("[\"badarg\""));
}

} // namespace

TEST(Contract, GivingAwayWhatIsNotOnesOwnEndsTheProcess)
{
	std::string end = end_of([](node_proc_t *proc) {
		dream_msg_t *foreign = term("1");
		EXPECT_EQ(node_proc_hold(proc, foreign), DREAM_OK);
		EXPECT_EQ(dream_send_take(dream_to(dream_self()), foreign), DREAM_OK);
		(void) dream_send_take(dream_to(dream_self()), foreign); // twice
		ADD_FAILURE() << "it went on";
	});
	EXPECT_TRUE(begins(end, "[\"badarg\", ")) << end;
	end = end_of([](node_proc_t *) {
		(void) dream_send_take(
			dream_to(dream_self()), reinterpret_cast<dream_msg_t *>(uintptr_t{0xdead0}));
	});
	EXPECT_TRUE(begins(end, "[\"badarg\", ")) << end;
}

TEST(Contract, GivingBackTwiceEndsTheProcess)
{
	std::string end = end_of([](node_proc_t *) {
		dream_msg_t *msg = owned("1");
		dream_msg_unref(msg);
		dream_msg_unref(msg);
		ADD_FAILURE() << "it went on";
	});
	EXPECT_TRUE(begins(end, "[\"badarg\", ")) << end;
	EXPECT_EQ(end_of([](node_proc_t *) { dream_msg_unref(nullptr); }), "\"normal\"]");
}

TEST(Contract, FreeingAnothersMemoryEndsTheProcess)
{
	static void *foreign;
	SimNode node;
	dream_pid_t owner = node.go([](node_proc_t *proc) {
		foreign = dream_alloc(10);
		wait_forever(proc);
	});
	dream_pid_t bad = node.go([](node_proc_t *) { dream_free(foreign); });
	EXPECT_FALSE(node.alive(bad));
	EXPECT_TRUE(node.alive(owner));
	EXPECT_EQ(node.logged("ended: \"badfree\""), 1u);
}

TEST(Contract, NothingAndNobodyAreRefused) // SIG-5
{
	EXPECT_EQ(end_of([](node_proc_t *) {
		dream_dest_t nobody = {{0, 0, 0}, nullptr, nullptr}, me = dream_to(dream_self());
		dream_msg_t *msg = nullptr;
		dream_pid_t pid;
		dream_ref_t ref;
		dream_from_t from = {};
		EXPECT_EQ(dream_send_take(nobody, owned("1")), DREAM_EINVAL);
		EXPECT_EQ(dream_send_take(me, nullptr), DREAM_EINVAL);
		EXPECT_EQ(dream_cast_take(me, nullptr), DREAM_EINVAL);
		EXPECT_EQ(dream_send_take(dream_to_name("nobody"), owned("1")), DREAM_ENOENT);
		EXPECT_EQ(dream_call_raw(me, nullptr, 10, &msg), DREAM_EINVAL);
		EXPECT_EQ(dream_exit_signal(dream_pid_t{0, 0, 0}, nullptr), DREAM_EINVAL);
		EXPECT_EQ(dream_msg_parse(nullptr, &msg), DREAM_EINVAL);
		EXPECT_EQ(dream_msg_new(nullptr, 1, &msg), DREAM_EINVAL);
		EXPECT_EQ(dream_msg_ref(nullptr), nullptr);
		EXPECT_EQ(dream_msg_encode("x", nullptr, nullptr, &msg), DREAM_EINVAL);
		EXPECT_EQ(dream_msg_decode(nullptr, "x", &dream_unit_type, &ref), DREAM_EINVAL);
		EXPECT_EQ(dream_msg_data_borrow(nullptr), nullptr);
		EXPECT_EQ(dream_msg_size_bytes(nullptr), 0u);
		EXPECT_EQ(dream_spawn(nullptr, &pid, nullptr), DREAM_EINVAL);
		EXPECT_EQ(dream_start(nullptr, &pid), DREAM_EINVAL);
		EXPECT_EQ(dream_register(nullptr, dream_self()), DREAM_EINVAL);
		EXPECT_EQ(dream_unregister(nullptr), DREAM_EINVAL);
		EXPECT_EQ(dream_whereis(nullptr, &pid), DREAM_EINVAL);
		EXPECT_EQ(dream_reply_take(from, owned("1")), DREAM_EINVAL);
		EXPECT_EQ(dream_send_after_take(nobody, owned("1"), 1, &ref), DREAM_EINVAL);
		EXPECT_EQ(dream_send_after_take(me, nullptr, 1, &ref), DREAM_EINVAL);
		EXPECT_EQ(dream_link(dream_pid_t{0, 0, 0}), DREAM_ENOPROC);
	}),
		"\"normal\"]");
}

TEST(Contract, SecondReplyAndReplyToOneselfDoNothing) // GS-11
{
	SimNode node;
	node.load();
	Script script;
	std::vector<std::string> got;
	int to_self = 0;
	script.on_call = [&](const dream_msg_t *, dream_msg_t **) {
		dream_from_t from = dream_from(), self = from;
		self.pid = dream_self();
		to_self = dream_reply_take(self, owned("\"mine\""));
		EXPECT_EQ(dream_reply_take(from, owned("1")), DREAM_OK);
		EXPECT_EQ(dream_reply_take(from, owned("2")), DREAM_OK);
		return DREAM_NOREPLY;
	};
	node.go([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		got.push_back(call(proc, pid, "\"x\""));
		got.push_back(call(proc, pid, "\"x\""));
		got.push_back(receive(proc, 5));
	});
	node.advance(10);
	EXPECT_EQ(got, (std::vector<std::string>{"1", "1", "(timeout)"}));
	EXPECT_EQ(to_self, DREAM_ESELF);
}

TEST(Contract, MessageOverTheCapIsRefused)
{
	EXPECT_EQ(end_of([](node_proc_t *) {
		const uint64_t size = (uint64_t{64} << 20) + 1;
		auto *bytes = static_cast<uint8_t *>(dream_alloc(size + 9));
		ASSERT_NE(bytes, nullptr);
		bytes[0] = 0x5b; // a byte string of as many bytes
		for (int i = 0; i < 8; i++)
			bytes[1 + i] = static_cast<uint8_t>(size >> (56 - 8 * i));
		dream_msg_t *msg = nullptr;
		EXPECT_EQ(dream_msg_new(bytes, size + 9, &msg), DREAM_ELIMIT);
		EXPECT_EQ(msg, nullptr);
		dream_free(bytes);
	}),
		"\"normal\"]");
}

TEST(Contract, LentMessageMaySentOn)
{
	SimNode node;
	node.load();
	Script script;
	std::string got;
	dream_pid_t parent = {0, 0, 0};
	script.on_cast = [&](const dream_msg_t *msg) {
		EXPECT_EQ(dream_send_take(dream_to(parent), const_cast<dream_msg_t *>(msg)), DREAM_OK);
		return DREAM_NOREPLY;
	};
	node.go([&](node_proc_t *proc) {
		parent = node_proc_pid(proc);
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(dream_cast_take(dream_to(pid), owned("[1, 2]")), DREAM_OK);
		got = receive(proc, DREAM_INFINITY);
	});
	EXPECT_EQ(got, "[1, 2]");
}

TEST(Contract, SpawnBeyondTheLimitIsAnError)
{
	SimNode node;
	node_t small = {};
	small.clock = node->clock;
	ASSERT_EQ(node_proctab_open(&small, 1), DREAM_OK);
	small.hooks = node->hooks;
	small.hooks.wake = [](node_t *, struct node_proc *) {};
	static const node_proc_ops_t ops = {"nothing", [](node_proc_t *) { return NODE_RUN_EXIT; }, nullptr};
	node_spawn_t how = {};
	dream_pid_t pid = {0, 0, 0};
	how.ops = &ops;
	EXPECT_EQ(node_proc_spawn(&small, &how, &pid), DREAM_OK);
	node_proc_t *parent = node_proctab_find(&small, pid.id);
	how.parent = parent;
	how.link = true;
	how.name = "second";
	EXPECT_EQ(node_proc_spawn(&small, &how, &pid), DREAM_ELIMIT);
	EXPECT_EQ(node_reftab_count(parent->links), 0u);
	EXPECT_EQ(node_names_whereis(&small, "second", &pid), DREAM_ENOENT);
	node_proctab_close(&small);
}

TEST(Contract, StackSizesOfNonsenseAreRefused)
{
	VirtualClock clock(1);
	for (size_t bytes : {size_t{1}, size_t{4096}, SIZE_MAX}) {
		node_t node = {};
		node.clock = &clock.clock;
		node_sched_options_t options = {};
		options.stack_bytes = bytes;
		EXPECT_LT(node_sched_open(&node, &options), 0) << bytes;
	}
}
