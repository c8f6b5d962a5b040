// SPDX-License-Identifier: MIT
// Carrying servers to another generation of their module and back (SYS-7, SYS-8).
#include "support/node.h"

namespace
{

struct Upgrade {
	SimNode node;
	node_gen_t *one, *two;

	Upgrade() : one(node.load(1)), two(node.load(2, false)) {}
	void make_current(node_gen_t *gen)
	{
		node_code_unref(node_code_make_current(node->code, gen));
	}
	void client(std::function<void(node_proc_t *)> body)
	{
		bool done = false;
		node.go([&](node_proc_t *proc) {
			body(proc);
			done = true;
		});
		node.advance(60000);
		EXPECT_TRUE(done);
	}
	dream_pid_t counter(node_proc_t *proc)
	{
		static Script none;
		Start how;
		how.kind = "counter";
		dream_pid_t pid = start(proc, none, how);
		EXPECT_EQ(call(proc, pid, "[\"add\", {\"by\": 5}]"), "{\"value\": 5}");
		return pid;
	}
};

} // namespace

TEST(CodeChange, CarriesFieldsByNameAndThenAsksTheCallback) // SYS-7
{
	Upgrade u;
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = u.counter(proc);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE_CHECK, u.two), "null");
		EXPECT_EQ(sys(proc, pid, NODE_SYS_GET_STATE),
			"{\"value\": 5, \"note\": \"old\", \"dropped\": 7}");
		u.make_current(u.two);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE), "null");
		EXPECT_EQ(sys(proc, pid, NODE_SYS_GET_STATE),
			"{\"note\": \"old\", \"value\": 5, \"step\": 10}");
		EXPECT_EQ(call(proc, pid, "[\"add\", {\"by\": 1}]"), "{\"value\": 15}");
	});
}

TEST(CodeChange, CheckLeavesNoMemoryBehind)
{
	Upgrade u;
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = u.counter(proc);
		uint64_t before = node_proctab_find(u.node, pid.id)->heap_bytes;
		for (int i = 0; i < 10; i++)
			EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE_CHECK, u.two), "null");
		EXPECT_EQ(node_proctab_find(u.node, pid.id)->heap_bytes, before);
	});
}

TEST(CodeChange, CommitGivesUpTheOldState)
{
	Upgrade u;
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = u.counter(proc);
		u.make_current(u.two);
		uint64_t refs = u.one->refs;
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE), "null");
		uint64_t both = node_proctab_find(u.node, pid.id)->heap_bytes;
		EXPECT_EQ(u.one->refs, refs);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE_COMMIT), "null");
		EXPECT_LT(node_proctab_find(u.node, pid.id)->heap_bytes, both);
		EXPECT_EQ(u.one->refs, refs - 1);
	});
}

TEST(CodeChange, GoingBackKeepsWhatHappenedSince)
{
	Upgrade u;
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = u.counter(proc);
		u.make_current(u.two);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE), "null");
		EXPECT_EQ(call(proc, pid, "[\"add\", {\"by\": 1}]"), "{\"value\": 15}");
		u.make_current(u.one);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE_BACK), "null");
		EXPECT_EQ(call(proc, pid, "[\"add\", {\"by\": 1}]"), "{\"value\": 16}");
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE_BACK), "null") << "it never left";
	});
}

TEST(CodeChange, FailingOneLeavesEverything) // SYS-7
{
	Upgrade u;
	Script script;
	int tried = 0;
	script.on_code_change = [&](uint32_t from) {
		EXPECT_EQ(from, 1u);
		return ++tried, DREAM_EINVAL;
	};
	script.on_call = [](const dream_msg_t *request, dream_msg_t **ret_reply) {
		*ret_reply = dream_msg_ref(request);
		return DREAM_REPLY;
	};
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE_CHECK, u.two),
			"error -4010 \"code_change of server 2.0.0 returned EINVAL (invalid argument)\"");
		u.make_current(u.two);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE).substr(0, 11), "error -4010");
		u.make_current(u.one);
		EXPECT_EQ(call(proc, pid, "1"), "1");
		EXPECT_EQ(tried, 2);
	});
}

TEST(CodeChange, UndescribedStateOfTheSameVersionGoesOver)
{
	Upgrade u;
	Script script;
	Start how;
	how.kind = "steady";
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script, how);
		u.make_current(u.two);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE), "null");
		EXPECT_EQ(node_proctab_find(u.node, pid.id)->gen, u.two);
	});
}

TEST(CodeChange, UndescribedStateOfAnotherVersionNeedsTheCallback) // SYS-8
{
	Upgrade u;
	Script script;
	Start how;
	how.kind = "stubborn";
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script, how);
		EXPECT_NE(sys(proc, pid, NODE_SYS_UPGRADE_CHECK, u.two)
				  .find("stubborn 2.0.0 has no code_change"),
			std::string::npos);
	});
}

TEST(CodeChange, ServerThatWasNotSweptFollowsAtItsNextMessage)
{
	Upgrade u;
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = u.counter(proc);
		u.make_current(u.two);
		EXPECT_EQ(call(proc, pid, "[\"add\", {\"by\": 1}]"), "{\"value\": 15}");
	});
}

TEST(CodeChange, ServerThatCannotFollowEndsAtItsNextMessage)
{
	Upgrade u;
	Script script;
	Start how;
	how.kind = "stubborn";
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script, how);
		u.make_current(u.two);
		EXPECT_EQ(call(proc, pid, "1"), "error -4001 \"code_change_failed\"");
		EXPECT_FALSE(u.node.alive(pid));
	});
}

TEST(CodeChange, ServerStartedOnTheNewerCodeCannotGoBack)
{
	Upgrade u;
	Script script;
	u.make_current(u.two);
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		u.make_current(u.one);
		EXPECT_NE(sys(proc, pid, NODE_SYS_UPGRADE_BACK).find("was started on 2.0.0"),
			std::string::npos);
		EXPECT_FALSE(u.node.alive(pid)) << "its supervisor starts it anew";
	});
}

TEST(CodeChange, CheckThatReleasesOlderMemoryCostsNoOther) // the mark was gone, and with it the whole heap
{
	Upgrade u;
	Script script;
	void *kept = nullptr, *newest = nullptr;
	script.on_init = [&] {
		kept = dream_alloc(16);
		newest = dream_alloc(32);
		return DREAM_OK;
	};
	script.on_code_change = [&](uint32_t) { return dream_free(newest), DREAM_OK; };
	u.client([&](node_proc_t *proc) {
		dream_pid_t pid = start(proc, script);
		EXPECT_EQ(sys(proc, pid, NODE_SYS_UPGRADE_CHECK, u.two), "null");
		EXPECT_EQ(node_proctab_find(u.node, pid.id)->heap_bytes, 16u);
	});
}
