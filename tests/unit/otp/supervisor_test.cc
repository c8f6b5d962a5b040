// SPDX-License-Identifier: MIT
// Supervisors: starts, restarts, intensity, shutdowns (SUP).
#include "support/node.h"
#include "otp/child.h"
#include "otp/supervisor.h"

namespace
{

// One child: a server of the module `scripted` whose callbacks the test sees.
struct Child {
	std::string id;
	uint32_t restart = DREAM_PERMANENT;
	int64_t shutdown_ms = DREAM_SHUTDOWN_DEFAULT;
	Script script;
	std::string args;
	int fails = 0; // so many starts fail
	int starts = 0;
	dream_pid_t pid = {0, 0, 0};
};

// A supervisor with children "a", "b", "c" …, made without a .so; `order` is what happened.
struct Tree {
	SimNode node;
	std::vector<std::unique_ptr<Child>> children;
	std::vector<dream_child_t> specs;
	std::vector<const dream_child_t *> list;
	dream_supervisor_ops_t ops = {};
	node_code_module_t module = {};
	node_gen_t gen = {};
	node_kind_t kind = {};
	std::string order;
	dream_pid_t sup = {0, 0, 0};
	dream_pid_t parent = {0, 0, 0};
	int started = 0;
	std::string reason; // of a failed start
	std::string ended;  // why the supervisor ended

	explicit Tree(int n, uint32_t strategy = DREAM_ONE_FOR_ONE)
	{
		node.load();
		ops.strategy = strategy;
		ops.intensity = 100;
		for (int i = 0; i < n; i++) {
			children.push_back(std::make_unique<Child>());
			Child *c = children.back().get();
			c->id = std::string(1, (char) ('a' + i));
			c->args = c->script.args();
			c->script.on_init = [this, c] {
				c->starts++;
				if (c->fails > 0) {
					c->fails--;
					order += "!" + c->id + " ";
					return DREAM_EIO;
				}
				(void) dream_trap_exit(true);
				c->pid = dream_self();
				order += "+" + c->id + " ";
				return DREAM_OK;
			};
			c->script.on_terminate = [this, c](
							 const dream_msg_t *) { order += "-" + c->id + " "; };
			c->script.on_info = [](const dream_msg_t *msg) {
				dream_next_reason(msg); // a message is the reason to end with
				return DREAM_STOP;
			};
		}
	}

	Child &operator[](int i)
	{
		return *children[i];
	}

	void run()
	{
		specs.resize(children.size());
		for (size_t i = 0; i < children.size(); i++) {
			dream_child_t &s = specs[i];
			s = dream_child_t{};
			s.struct_size = sizeof(s);
			s.restart = children[i]->restart;
			s.shutdown_ms = children[i]->shutdown_ms;
			s.id = children[i]->id.c_str();
			s.module = "scripted";
			s.kind = "server";
			s.args = children[i]->args.c_str();
			list.push_back(&s);
		}
		list.push_back(nullptr);
		ops.struct_size = sizeof(ops);
		ops.children = list.data();
		snprintf(gen.name, sizeof(gen.name), "tests");
		gen.node = node;
		gen.module = &module;
		module.current = &gen;
		gen.refs = 100;
		gen.n_kinds = 1;
		gen.kinds = &kind;
		snprintf(kind.name, sizeof(kind.name), "top");
		kind.type = DREAM_KIND_SUPERVISOR;
		kind.gen = &gen;
		kind.ops.supervisor = ops;
		parent = node.go([this](node_proc_t *proc) {
			node_sup_t *self = nullptr;
			node_diag_t diag = {};
			node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
			started = node_sup_new(&kind, &self, &diag);
			if (started < 0) {
				reason = diag.text;
				return;
			}
			node_spawn_t spawn = {};
			spawn.ops = &node_sup_ops;
			spawn.self = self;
			spawn.label = "top";
			spawn.gen = &gen;
			spawn.link = true;
			started = node_start_spawn(proc, &spawn, 0, &sup);
			if (started < 0)
				reason = text(node_proc_reason_borrow(proc));
			for (;;) {
				std::string got = receive(proc, DREAM_INFINITY);
				if (got == "\"end\"")
					break;
				ended = got.substr(got.rfind("), ") + 3);
			}
		});
		order += "| ";
	}

	// Sends the child the reason to end with.
	void end(int i, const std::string &why)
	{
		send(node, nullptr, children[i]->pid, why);
		node.run();
	}

	// "a:running b:stopped" …
	std::string states()
	{
		std::string out;
		node.go([&](node_proc_t *proc) {
			std::string got = sys(proc, sup, NODE_SYS_CHILDREN);
			size_t at = 0;
			while ((at = got.find("\"id\": \"", at)) != std::string::npos) {
				size_t state = got.find("\"state\": \"", at) + 10;
				out += got[at + 7] + (":" + got.substr(state, got.find('"', state) - state)) +
				       " ";
				at = state;
			}
		});
		return out;
	}
};

} // namespace

TEST(Supervisor, StartsFromLeftToRightAndStopsFromRightToLeft) // SUP-1
{
	Tree t(3);
	t.run();
	EXPECT_EQ(t.started, DREAM_OK);
	send(t.node, nullptr, t.parent, "\"end\"");
	t.node.run();
	EXPECT_EQ(t.order, "+a +b +c | -c -b -a ");
	EXPECT_EQ(node_proctab_count(t.node), 0u);
}

TEST(Supervisor, FailingChildUndoesTheStart) // SUP-2
{
	Tree t(3);
	t[2].fails = 1;
	t.run();
	EXPECT_EQ(t.started, DREAM_EINIT);
	EXPECT_EQ(t.reason, "[\"shutdown\", [\"failed_to_start_child\", \"c\", [\"error\", \"EIO\"]]]");
	EXPECT_EQ(t.order, "+a +b !c -b -a | ");
	EXPECT_EQ(node_proctab_count(t.node), 1u);
}

TEST(Supervisor, IgnoredChildIsKeptUnlessTemporary) // SUP-3
{
	Tree t(3);
	t[0].script.on_init = t[1].script.on_init = [] { return DREAM_IGNORE; };
	t[1].restart = DREAM_TEMPORARY;
	t.run();
	EXPECT_EQ(t.started, DREAM_OK);
	EXPECT_EQ(t.states(), "a:stopped c:running ");
}

TEST(Supervisor, RestartsByTheChildsOwnReason) // SUP-4
{
	struct {
		uint32_t restart;
		const char *why;
		const char *states;
	} cases[] = {
		{DREAM_PERMANENT, "\"normal\"", "a:running "},
		{DREAM_PERMANENT, "\"boom\"", "a:running "},
		{DREAM_TRANSIENT, "\"normal\"", "a:stopped "},
		{DREAM_TRANSIENT, "\"shutdown\"", "a:stopped "},
		{DREAM_TRANSIENT, "[\"shutdown\", 1]", "a:stopped "},
		{DREAM_TRANSIENT, "\"boom\"", "a:running "},
		{DREAM_TEMPORARY, "\"boom\"", ""},
		{DREAM_TEMPORARY, "\"normal\"", ""},
	};
	for (const auto &c : cases) {
		Tree t(1);
		t[0].restart = c.restart;
		t.run();
		t.end(0, c.why);
		EXPECT_EQ(t.states(), c.states) << c.restart << " " << c.why;
	}
}

TEST(Supervisor, OneForOneRestartsOnlyTheOne) // SUP-7
{
	Tree t(3);
	t.run();
	t.end(1, "\"boom\"");
	EXPECT_EQ(t.order, "+a +b +c | -b +b ");
}

TEST(Supervisor, OneForAllRestartsAllInOrder) // SUP-7
{
	Tree t(3, DREAM_ONE_FOR_ALL);
	t.run();
	t.end(1, "\"boom\"");
	EXPECT_EQ(t.order, "+a +b +c | -b -c -a +a +b +c ");
}

TEST(Supervisor, RestForOneRestartsThoseStartedAfter) // SUP-7
{
	Tree t(3, DREAM_REST_FOR_ONE);
	t.run();
	t.end(1, "\"boom\"");
	EXPECT_EQ(t.order, "+a +b +c | -b -c +b +c ");
}

TEST(Supervisor, GroupRestartDropsTemporaries) // SUP-7, temporary_bystander
{
	Tree t(3, DREAM_ONE_FOR_ALL);
	t[2].restart = DREAM_TEMPORARY;
	t.run();
	t.end(0, "\"boom\"");
	EXPECT_EQ(t.states(), "a:running b:running ");
}

TEST(Supervisor, OneForAllTriesTheWholeGroupAgain) // SUP-7
{
	Tree t(3, DREAM_ONE_FOR_ALL);
	t.run();
	t[1].fails = 2;
	t.end(0, "\"boom\"");
	EXPECT_EQ(t.order, "+a +b +c | -a -c -b +a !b -a +a !b -a +a +b +c ");
}

TEST(Supervisor, RestForOneTriesFromTheFailedOneAgain) // SUP-7
{
	Tree t(3, DREAM_REST_FOR_ONE);
	t.run();
	t[1].fails = 2;
	t.end(0, "\"boom\"");
	EXPECT_EQ(t.order, "+a +b +c | -a -c -b +a !b !b +b +c ");
}

TEST(Supervisor, GivesUpWhenRestartsExceedTheIntensity) // SUP-5
{
	Tree t(2);
	t.ops.intensity = 2;
	t.ops.period_s = 10;
	t.run();
	t.end(0, "\"boom\"");
	t.node.advance(3000);
	t.end(0, "\"boom\"");
	t.node.advance(3000);
	EXPECT_EQ(t.ended, "");
	t.end(0, "\"boom\"");
	EXPECT_EQ(t.ended, "\"shutdown\"]");
	EXPECT_EQ(t.order, "+a +b | -a +a -a +a -a -b ");
	EXPECT_EQ(t.node.logged("too many restarts"), 1u);
}

TEST(Supervisor, RestartsLongAgoDoNotCount) // SUP-5
{
	Tree t(1);
	t.ops.intensity = 1;
	t.ops.period_s = 5;
	t.run();
	for (int i = 0; i < 5; i++) {
		t.end(0, "\"boom\"");
		t.node.advance(5001);
	}
	EXPECT_EQ(t.ended, "");
	EXPECT_EQ(t[0].starts, 6);
}

TEST(Supervisor, IntensityNoneMeansTheFirstRestartIsTooMuch) // SUP-5
{
	Tree t(1);
	t.ops.intensity = DREAM_INTENSITY_NONE;
	t.run();
	t.end(0, "\"boom\"");
	EXPECT_EQ(t.ended, "\"shutdown\"]");
}

TEST(Supervisor, GroupRestartCountsOnce) // SUP-5
{
	Tree t(5, DREAM_ONE_FOR_ALL);
	t.ops.intensity = 1;
	t.run();
	t.end(0, "\"boom\"");
	EXPECT_EQ(t.ended, "");
}

TEST(Supervisor, FailedAttemptsCount) // SUP-5, SUP-6
{
	Tree t(1);
	t.ops.intensity = 3;
	t.run();
	t[0].fails = 10;
	t.end(0, "\"boom\"");
	EXPECT_EQ(t.ended, "\"shutdown\"]");
	EXPECT_EQ(t[0].starts, 4);
}

TEST(Supervisor, ChildThatDoesNotListenIsKilledAtItsDeadline) // SUP-8, sup_stop_timeout
{
	Tree t(2);
	t[1].shutdown_ms = 200;
	t[1].script.on_terminate = [](const dream_msg_t *) {
		dream_msg_t *msg;
		(void) dream_receive([](void *, const dream_msg_t *) -> int32_t { return 0; }, nullptr,
			DREAM_INFINITY, &msg);
	};
	t.run();
	send(t.node, nullptr, t.parent, "\"end\"");
	t.node.run();
	EXPECT_TRUE(t.node.alive(t[1].pid));
	t.node.advance(199);
	EXPECT_TRUE(t.node.alive(t[1].pid));
	t.node.advance(3);
	EXPECT_EQ(node_proctab_count(t.node), 0u);
	EXPECT_EQ(t.order, "+a +b | -a ");
	EXPECT_EQ(t.node.logged("child b ended badly while being stopped: \"killed\""), 1u);
}

TEST(Supervisor, BrutalKillAsksNobody) // SUP-8, sup_stop_brutal_kill
{
	Tree t(2);
	t[1].shutdown_ms = DREAM_SHUTDOWN_BRUTAL;
	t.run();
	send(t.node, nullptr, t.parent, "\"end\"");
	t.node.run();
	EXPECT_EQ(t.order, "+a +b | -a ");
	EXPECT_EQ(t.node.logged("ended badly"), 0u);
}

TEST(Supervisor, ChildThatUnlinkedItselfDoesNotHangTheShutdown) // SUP-8, child_unlink
{
	Tree t(1);
	t[0].shutdown_ms = 100;
	t[0].script.on_cast = [&](const dream_msg_t *) { return (void) dream_unlink(t.sup), DREAM_NOREPLY; };
	t.run();
	dream_dest_t to = dream_to(t[0].pid);
	EXPECT_EQ(node_call_cast_take(t.node, nullptr, &to, term("1")), DREAM_OK);
	t.node.run();
	send(t.node, nullptr, t.parent, "\"end\"");
	t.node.advance(5000);
	EXPECT_EQ(node_proctab_count(t.node), 0u);
}

TEST(Supervisor, ChildrenThatEndDuringTheShutdownDoNotDisturbIt) // SUP-8, sup_stop_race
{
	Tree t(12);
	const char *reasons[] = {"\"normal\"", "\"shutdown\"", "[\"shutdown\", 1]", "\"boom\""};
	for (int i = 0; i < 12; i++)
		t[i].restart = (uint32_t) i / 4;
	t.run();
	send(t.node, nullptr, t.parent, "\"end\"");
	for (int i = 0; i < 12; i++)
		send(t.node, nullptr, t[i].pid, reasons[i % 4]);
	t.node.advance(20000);
	EXPECT_EQ(node_proctab_count(t.node), 0u);
	for (int i = 0; i < 12; i++)
		EXPECT_EQ(t[i].starts, 1);
}

TEST(Supervisor, ReplacementStartsOnlyWhenTheOldOneIsDead) // SUP-14
{
	Tree t(2, DREAM_ONE_FOR_ALL);
	bool was_alive = false;
	t[1].script.on_terminate = [&](const dream_msg_t *) {
		dream_msg_t *msg;
		(void) dream_receive(
			[](void *, const dream_msg_t *) -> int32_t { return 0; }, nullptr, 300, &msg);
	};
	t.run();
	dream_pid_t old = t[1].pid;
	auto init = t[0].script.on_init;
	t[0].script.on_init = [&, init] {
		was_alive = t.node.alive(old);
		return init();
	};
	t.end(0, "\"boom\"");
	t.node.advance(1000);
	EXPECT_FALSE(was_alive);
	EXPECT_EQ(t.states(), "a:running b:running ");
}

TEST(Supervisor, IgnoresStrangersAndTheirMessages) // SUP-12
{
	Tree t(1);
	t.run();
	send(t.node, nullptr, t.sup, "\"odd\"");
	t.node.go([&](node_proc_t *proc) { exit_signal(t.node, proc, t.sup, "\"boom\""); });
	t.node.go([&](node_proc_t *proc) { EXPECT_EQ(call(proc, t.sup, "1").substr(0, 11), "error -4004"); });
	EXPECT_EQ(t.states(), "a:running ");
	EXPECT_EQ(t.node.logged("unexpected message"), 1u);
}

TEST(Supervisor, KilledOneTakesItsChildrenAlong)
{
	Tree t(3);
	t.run();
	exit_signal(t.node, nullptr, t.sup, "\"kill\"");
	t.node.run();
	EXPECT_EQ(t.ended, "\"killed\"]");
	EXPECT_EQ(node_proctab_count(t.node), 1u);
}

TEST(Supervisor, KilledWhileItWaitsForAChildLeavesNothingBehind)
{
	Tree t(1);
	t[0].shutdown_ms = DREAM_SHUTDOWN_INFINITY;
	t[0].script.on_terminate = [](const dream_msg_t *) {
		dream_msg_t *msg;
		(void) dream_receive(
			[](void *, const dream_msg_t *) -> int32_t { return 0; }, nullptr, 100, &msg);
	};
	t.run();
	send(t.node, nullptr, t.parent, "\"end\"");
	t.node.run();
	exit_signal(t.node, nullptr, t.sup, "\"kill\"");
	t.node.advance(1000);
	EXPECT_EQ(node_proctab_count(t.node), 0u);
}

TEST(Supervisor, RefusesBadSpecificationsByName) // SUP-16, SUP-17
{
	Tree twice(2);
	twice[1].id = "a";
	twice.run();
	EXPECT_EQ(twice.started, DREAM_EMODULE);
	EXPECT_EQ(twice.reason, "supervisor top: two children with the id \"a\"");
	Tree restart(1);
	restart[0].restart = 9;
	restart.run();
	EXPECT_EQ(restart.reason,
		"supervisor top: child server: restart 9 is none of permanent, transient, temporary");
	Tree args(1);
	args[0].args = "[1,";
	args.run();
	EXPECT_EQ(args.reason, "supervisor top: child server: args: column 4: a term is missing here");
}

// ---- upgrades of a supervisor (SUP-19)

namespace
{

// A second generation of the tests' module with other children.
struct Next {
	node_gen_t gen = {};
	node_kind_t kind = {};
	std::vector<dream_child_t> specs;
	std::vector<const dream_child_t *> list;

	Next(Tree &t, const std::vector<std::string> &ids, uint32_t strategy = DREAM_ONE_FOR_ALL)
	{
		specs.resize(ids.size());
		for (size_t i = 0; i < ids.size(); i++) {
			specs[i] = t.specs[0];
			specs[i].id = ids[i].c_str();
			specs[i].restart = DREAM_TRANSIENT;
			list.push_back(&specs[i]);
		}
		list.push_back(nullptr);
		gen = t.gen;
		gen.kinds = &kind;
		kind = t.kind;
		kind.gen = &gen;
		kind.ops.supervisor.strategy = strategy;
		kind.ops.supervisor.children = list.data();
	}
};

} // namespace

TEST(SupervisorUpgrade, KeepsPidsAndTakesNewFlags) // SUP-19
{
	Tree t(2);
	t.run();
	dream_pid_t a = t[0].pid;
	std::vector<std::string> ids = {"a", "new"};
	Next next(t, ids);
	t.module.current = &next.gen;
	t.node.go([&](node_proc_t *proc) {
		EXPECT_EQ(sys(proc, t.sup, NODE_SYS_UPGRADE_CHECK, &next.gen), "null");
		EXPECT_EQ(sys(proc, t.sup, NODE_SYS_UPGRADE), "null");
		EXPECT_EQ(sys(proc, t.sup, NODE_SYS_UPGRADE_COMMIT), "null");
	});
	EXPECT_TRUE(dream_pid_equal(t[0].pid, a));
	EXPECT_EQ(t.states(), "a:running b:running ") << "removed ones stay, new ones are not started";
	t.end(0, "\"normal\""); // transient now
	EXPECT_EQ(t.states(), "a:stopped b:running ");
	EXPECT_EQ(t.gen.refs, 99u);
	EXPECT_EQ(next.gen.refs, 101u);
}

TEST(SupervisorUpgrade, GoesBackToTheFormerSpecifications)
{
	Tree t(2);
	t.run();
	std::vector<std::string> ids = {"a", "b"};
	Next next(t, ids);
	t.module.current = &next.gen;
	t.node.go([&](node_proc_t *proc) {
		EXPECT_EQ(sys(proc, t.sup, NODE_SYS_UPGRADE), "null");
		t.module.current = &t.gen;
		EXPECT_EQ(sys(proc, t.sup, NODE_SYS_UPGRADE_BACK), "null");
	});
	t.end(0, "\"normal\""); // permanent again
	EXPECT_EQ(t.order, "+a +b | -a +a ");
	EXPECT_EQ(t.gen.refs, 100u);
	EXPECT_EQ(next.gen.refs, 100u);
}

TEST(SupervisorUpgrade, BadSpecificationLeavesTheOldOnes) // SUP-19
{
	Tree t(1);
	t.run();
	std::vector<std::string> ids = {"a", "a"};
	Next next(t, ids);
	t.module.current = &next.gen;
	t.node.go([&](node_proc_t *proc) {
		EXPECT_NE(sys(proc, t.sup, NODE_SYS_UPGRADE_CHECK, &next.gen).find("two children"),
			std::string::npos);
		EXPECT_NE(sys(proc, t.sup, NODE_SYS_UPGRADE).find("two children"), std::string::npos);
	});
	t.end(0, "\"normal\"");
	EXPECT_EQ(t.states(), "a:running ");
	EXPECT_EQ(t.gen.refs, 100u);
}
