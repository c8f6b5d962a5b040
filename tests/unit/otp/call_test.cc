// SPDX-License-Identifier: MIT
// What a server keeps of calls that it has not answered, and for how long.
#include "proc/reftab.h"
#include "support/node.h"

namespace
{

// A server that answers no call by itself.
struct Deferring {
	SimNode node;
	Script script;
	dream_from_t kept = {};
	dream_pid_t pid = {0, 0, 0};

	Deferring()
	{
		node.load();
		script.on_call = [this](const dream_msg_t *, dream_msg_t **) {
			return kept = dream_from(), DREAM_NOREPLY;
		};
		node.go([this](node_proc_t *proc) { pid = start(proc, script); });
	}
	uint32_t open_calls()
	{
		return node_reftab_count(node_proctab_find(node, pid.id)->calls);
	}
};

} // namespace

TEST(DeferredCall, AnsweredByAnotherProcessIsNotKept) // GS-11; each one stayed until the server ended
{
	Deferring d;
	std::string got;
	d.node.go([&](node_proc_t *proc) { got = call(proc, d.pid, "1"); });
	EXPECT_EQ(d.open_calls(), 1u);
	d.node.go([&](node_proc_t *) { EXPECT_EQ(dream_reply_take(d.kept, owned("2")), DREAM_OK); });
	EXPECT_EQ(got, "2");
	EXPECT_EQ(d.open_calls(), 0u);
}

TEST(DeferredCall, GivenUpWhileItWaitsIsNotKept)
{
	Deferring d;
	d.node.go([&](node_proc_t *proc) { (void) call(proc, d.pid, "1", 50); });
	EXPECT_EQ(d.open_calls(), 1u);
	d.node.advance(51);
	EXPECT_EQ(d.open_calls(), 0u);
}

TEST(DeferredCall, GivenUpBeforeTheServerCameToItIsNotKept) // the cancellation overtook the call and was lost
{
	Deferring d;
	d.node.go([&](node_proc_t *proc) {
		EXPECT_EQ(sys(proc, d.pid, NODE_SYS_SUSPEND), "null");
		(void) call(proc, d.pid, "1", 50);
		EXPECT_EQ(sys(proc, d.pid, NODE_SYS_RESUME), "null");
	});
	d.node.advance(51);
	EXPECT_NE(d.kept.ref.id, 0u) << "GS-9: it is handled all the same";
	EXPECT_EQ(d.open_calls(), 0u);
}

TEST(DeferredCall, GivenUpBeforeAProcessReceivesItIsNotKept)
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		dream_msg_t *none;
		(void) node_call_await_down(proc, 1, node_call_deadline(proc->node, 100), &none);
		EXPECT_EQ(receive(proc).substr(0, 13), "[\"$gen_call\",");
		EXPECT_EQ(receive(proc), "(timeout)");
		wait_forever(proc);
	});
	node.go([&](node_proc_t *proc) { (void) call(proc, pid, "1", 50); });
	node.advance(200);
	EXPECT_EQ(node_reftab_count(node_proctab_find(node, pid.id)->calls), 0u);
}
