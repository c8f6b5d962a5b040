// SPDX-License-Identifier: MIT
// Two nodes on a simulated network: signals, names, calls, order, losses, crossing connections.
#include <functional>
#include "fixture.h"
#include "support/simnet.h"

namespace
{

using Run = std::function<int(node_proc_t *)>;

int run_actor(node_proc_t *proc)
{
	return (*static_cast<Run *>(proc->self))(proc);
}
void free_actor(node_proc_t *proc)
{
	delete static_cast<Run *>(proc->self);
}
const node_proc_ops_t actor_ops = {"actor", run_actor, free_actor};

dream_pid_t spawn(node_t *node, const char *name, Run run)
{
	dream_pid_t pid = {};
	node_spawn_t how = {};
	how.ops = &actor_ops;
	how.self = new Run(std::move(run));
	how.label = "actor";
	how.name = name;
	EXPECT_EQ(node_proc_spawn(node, &how, &pid), DREAM_OK);
	return pid;
}

dream_msg_t *number_msg(uint64_t value)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = nullptr;
	node_cbor_init(&w);
	node_cbor_put_uint(&w, value);
	EXPECT_EQ(node_cbor_finish(&w, &msg), DREAM_OK);
	return msg;
}

uint64_t number_of(const dream_msg_t *msg)
{
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	uint64_t value = UINT64_MAX;
	(void) node_cbor_get_uint(&r, &value);
	return value;
}

// Remembers what it gets and answers calls with the request plus one, if it answers.
struct Sink {
	std::vector<std::pair<uint8_t, uint64_t>> got;
	dream_pid_t from = {};
	bool answers = true;
	Run run()
	{
		return [this](node_proc_t *proc) {
			while (node_sig_t *sig = node_proc_next_take(proc)) {
				got.emplace_back(sig->kind, number_of(sig->msg));
				from = sig->from;
				if (sig->kind == NODE_SIG_CALL && answers)
					node_proc_answer_take(
						proc->node, sig, DREAM_OK, number_msg(got.back().second + 1));
				else if (sig->kind == NODE_SIG_CALL)
					node_proc_defer_take(proc, sig);
				else
					node_sig_free(sig);
			}
			return NODE_RUN_IDLE;
		};
	}
};

node_sig_t *make(
	uint8_t kind, dream_pid_t to, const char *name, dream_pid_t from, uint64_t ref, dream_msg_t *msg)
{
	node_sig_t *sig = node_sig_new_take(kind, to, from, ref, msg);
	if (name != nullptr) {
		char *mine = static_cast<char *>(node_mem_alloc(strlen(name) + 1));
		strcpy(mine, name);
		sig->data = mine;
	}
	return sig;
}

// One call; result in code and value.
struct Caller {
	int32_t code = 1;
	uint64_t value = 0;
	std::string reason;
	Run run(dream_pid_t to, const char *name)
	{
		return [this, to, name](node_proc_t *proc) {
			node_call_slot_t slot = {};
			slot.ref = node_proc_new_ref(proc->node);
			proc->slot = &slot;
			(void) node_proc_deliver_take(proc->node,
				make(NODE_SIG_CALL, to, name, node_proc_pid(proc), slot.ref, number_msg(41)));
			while (!slot.done)
				(void) node_proc_wait(proc, NODE_FOREVER);
			proc->slot = nullptr;
			code = slot.code;
			value = number_of(slot.msg);
			if (node_msg_is_text(slot.msg, "noproc"))
				reason = "noproc";
			if (node_msg_is_text(slot.msg, "noconnection"))
				reason = "noconnection";
			node_msg_unref(slot.msg);
			return NODE_RUN_EXIT;
		};
	}
};

class Dist : public testing::Test
{
      protected:
	SimNet sim{1};
	TestNode a{"a@test", 7, sim.clock()};
	TestNode b{"b@test", 9, sim.clock()};
	node_diag_t diag = {};
	int connected = 1;

	void SetUp() override
	{
		for (TestNode *n : {&a, &b}) {
			node_dist_options_t o = {};
			o.network = sim.end(n->node.name);
			ASSERT_EQ(node_dist_open(&n->node, &o, &diag), DREAM_OK);
			ASSERT_EQ(node_dist_start(&n->node), DREAM_OK);
		}
	}
	void TearDown() override
	{
		node_dist_close(&a.node);
		node_dist_close(&b.node);
	}
	// Everything that happens within a minute of virtual time.
	void settle(int64_t horizon_ns = 60000 * NODE_MS)
	{
		int64_t end = sim.now_ns + horizon_ns;
		do {
			node_sched_drive(&a.node, 1000000);
			node_sched_drive(&b.node, 1000000);
		} while (sim.now_ns <= end && sim.step(end - sim.now_ns));
	}
	static void on_done(void *data, int code, const char *)
	{
		*static_cast<int *>(data) = code;
	}
	void connect()
	{
		ASSERT_EQ(
			node_dist_connect(&a.node, "b@test", "b", 1, 0, on_done, &connected, &diag), DREAM_OK)
			<< diag.text;
		settle();
		ASSERT_EQ(connected, DREAM_OK);
	}
	dream_pid_t at_b(dream_pid_t pid = {})
	{
		uint32_t number = 0;
		EXPECT_EQ(a.node.hooks.node_number(&a.node, "b@test", 6, &number), DREAM_OK);
		return {pid.id, pid.creation, number};
	}
	std::string states(TestNode &n)
	{
		GArray *list = node_dist_list(&n.node);
		std::string all;
		for (guint i = 0; i < list->len; i++) {
			auto *p = &g_array_index(list, node_dist_peer_t, i);
			all += std::string(p->name) + (p->dialled ? " out " : " in ") + p->state + ";";
		}
		g_array_free(list, TRUE);
		return all;
	}
	int send(uint8_t kind, dream_pid_t to, const char *name, uint64_t value)
	{
		return node_proc_deliver_take(&a.node, make(kind, to, name, {5, 7, 0}, 0, number_msg(value)));
	}
};

} // namespace

TEST_F(Dist, ConnectIsSeenByBothSides)
{
	connect();
	EXPECT_EQ(states(a), "b@test out up;");
	EXPECT_EQ(states(b), "a@test in up;");
}

TEST_F(Dist, MessageToANameArrivesWithTheSendersPid)
{
	Sink sink;
	spawn(&b.node, "sink", sink.run());
	connect();
	EXPECT_EQ(send(NODE_SIG_MSG, at_b(), "sink", 3), DREAM_OK);
	settle();
	ASSERT_EQ(sink.got.size(), 1u);
	EXPECT_EQ(sink.got[0], std::make_pair((uint8_t) NODE_SIG_MSG, (uint64_t) 3));
	EXPECT_EQ(sink.from.id, 5u);
	EXPECT_EQ(sink.from.creation, 7u);
	EXPECT_STREQ(b.node.hooks.node_name_borrow(&b.node, sink.from.node), "a@test");
}

TEST_F(Dist, CastToAPidArrives)
{
	Sink sink;
	dream_pid_t pid = spawn(&b.node, nullptr, sink.run());
	connect();
	EXPECT_EQ(send(NODE_SIG_CAST, at_b(pid), nullptr, 4), DREAM_OK);
	settle();
	ASSERT_EQ(sink.got.size(), 1u);
	EXPECT_EQ(sink.got[0].first, NODE_SIG_CAST);
}

TEST_F(Dist, CallIsAnswered)
{
	Sink sink;
	Caller caller;
	spawn(&b.node, "sink", sink.run());
	connect();
	spawn(&a.node, nullptr, caller.run(at_b(), "sink"));
	settle();
	EXPECT_EQ(caller.code, DREAM_OK);
	EXPECT_EQ(caller.value, 42u);
}

TEST_F(Dist, CallToAMissingNameIsNoproc)
{
	Caller caller;
	connect();
	spawn(&a.node, nullptr, caller.run(at_b(), "nobody"));
	settle();
	EXPECT_EQ(caller.code, DREAM_ENOPROC);
	EXPECT_EQ(caller.reason, "noproc");
}

TEST_F(Dist, CallToADeadPidIsNoproc)
{
	Caller caller;
	dream_pid_t pid = spawn(&b.node, nullptr, [](node_proc_t *) { return NODE_RUN_EXIT; });
	connect();
	spawn(&a.node, nullptr, caller.run(at_b(pid), nullptr));
	settle();
	EXPECT_EQ(caller.code, DREAM_ENOPROC);
}

TEST_F(Dist, CallToAnEarlierIncarnationIsNoproc) // DIST-1
{
	Caller caller;
	connect();
	dream_pid_t old = at_b({1, 3, 0});
	spawn(&a.node, nullptr, caller.run(old, nullptr));
	settle();
	EXPECT_EQ(caller.code, DREAM_ENOPROC);
}

TEST_F(Dist, CallWithoutAConnectionIsNoconnection)
{
	Caller caller;
	connect();
	dream_pid_t to = at_b();
	sim.cut();
	spawn(&a.node, nullptr, caller.run(to, "sink"));
	settle();
	EXPECT_EQ(caller.code, DREAM_ENOCONNECTION);
	EXPECT_EQ(caller.reason, "noconnection");
}

TEST_F(Dist, ConnectionLostDuringACallIsNoconnection) // DIST-8
{
	Sink sink;
	Caller caller;
	sink.answers = false;
	spawn(&b.node, "sink", sink.run());
	connect();
	spawn(&a.node, nullptr, caller.run(at_b(), "sink"));
	settle();
	ASSERT_EQ(sink.got.size(), 1u);
	EXPECT_EQ(caller.code, 1);
	sim.cut();
	settle();
	EXPECT_EQ(caller.code, DREAM_ENOCONNECTION);
	EXPECT_EQ(caller.reason, "noconnection");
	EXPECT_EQ(states(a), "");
}

TEST_F(Dist, MessagesOfOneSenderKeepTheirOrderOverNameAndPid) // SIG-1, DIST-O1
{
	Sink sink;
	dream_pid_t pid = spawn(&b.node, "sink", sink.run());
	connect();
	for (uint64_t i = 0; i < 10000; i++) {
		bool by_name = i % 3 == 0;
		ASSERT_EQ(send(i % 2 ? NODE_SIG_MSG : NODE_SIG_CAST, by_name ? at_b() : at_b(pid),
				  by_name ? "sink" : nullptr, i),
			DREAM_OK);
		if (i % 500 == 0)
			settle(NODE_MS);
	}
	settle();
	ASSERT_EQ(sink.got.size(), 10000u);
	for (uint64_t i = 0; i < 10000; i++)
		ASSERT_EQ(sink.got[i].second, i);
}

TEST_F(Dist, FullConnectionRefusesMessagesButNotAnswers) // DIST-B2
{
	connect();
	sim.set_cap(1000);
	int r = DREAM_OK;
	for (int i = 0; i < 200 && r == DREAM_OK; i++)
		r = send(NODE_SIG_MSG, at_b(), "sink", 1);
	EXPECT_EQ(r, DREAM_EBUSY);
	EXPECT_EQ(send(NODE_SIG_REPLY, at_b({1, 9, 0}), nullptr, 1), DREAM_OK);
}

TEST_F(Dist, CrossingConnectionsLeaveTheOneOfTheSmallerName)
{
	int back = 1;
	ASSERT_EQ(node_dist_connect(&a.node, "b@test", "b", 1, 0, on_done, &connected, &diag), DREAM_OK);
	ASSERT_EQ(node_dist_connect(&b.node, "a@test", "a", 1, 0, on_done, &back, &diag), DREAM_OK);
	settle();
	EXPECT_EQ(connected, DREAM_OK);
	EXPECT_EQ(back, DREAM_OK);
	EXPECT_EQ(states(a), "b@test out up;");
	EXPECT_EQ(states(b), "a@test in up;");
}

TEST_F(Dist, CrossingConnectionsWithAnyTimingLeaveOne)
{
	for (int64_t ms = 0; ms < 12; ms++) {
		int back = 1;
		connected = 1;
		(void) node_dist_connect(&b.node, "a@test", "a", 1, 0, on_done, &back, &diag);
		settle(ms * NODE_MS / 2);
		int r = node_dist_connect(&a.node, "b@test", "b", 1, 0, on_done, &connected, &diag);
		EXPECT_TRUE(r == DREAM_OK || r == DREAM_EALREADY);
		settle();
		EXPECT_EQ(back, DREAM_OK) << ms;
		GArray *list = node_dist_list(&a.node);
		EXPECT_EQ(list->len, 1u) << ms;
		g_array_free(list, TRUE);
		EXPECT_NE(states(b).find("up"), std::string::npos) << states(b) << ms;
		sim.cut();
		settle();
	}
}

TEST_F(Dist, WaitingConnectionIsTakenWhenOurOwnAttemptFails)
{
	int back = 1;
	sim.set_unreachable("b@test", true);
	ASSERT_EQ(node_dist_connect(&a.node, "b@test", "b", 1, 2000, on_done, &connected, &diag), DREAM_OK);
	settle(NODE_MS);
	ASSERT_EQ(node_dist_connect(&b.node, "a@test", "a", 1, 0, on_done, &back, &diag), DREAM_OK);
	settle();
	EXPECT_EQ(connected, DREAM_ETIMEDOUT);
	EXPECT_EQ(back, DREAM_OK);
	EXPECT_EQ(states(a), "b@test in up;");
}

TEST_F(Dist, UnreachableNodeIsATimeout)
{
	ASSERT_EQ(node_dist_connect(&a.node, "z@test", "z", 1, 500, on_done, &connected, &diag), DREAM_OK);
	settle();
	EXPECT_EQ(connected, DREAM_ETIMEDOUT);
	EXPECT_EQ(states(a), "");
}

TEST_F(Dist, OwnNameIsNotDialled)
{
	EXPECT_EQ(node_dist_connect(&a.node, "a@test", "a", 1, 0, nullptr, nullptr, &diag), DREAM_ESELF);
}

TEST_F(Dist, SecondDialIsAlready)
{
	connect();
	EXPECT_EQ(node_dist_connect(&a.node, "b@test", "b", 1, 0, nullptr, nullptr, &diag), DREAM_EALREADY);
}

TEST_F(Dist, DisconnectReachesBothSides)
{
	connect();
	EXPECT_EQ(node_dist_disconnect(&a.node, "b@test"), DREAM_OK);
	settle();
	EXPECT_EQ(states(a), "");
	EXPECT_EQ(states(b), "");
	EXPECT_EQ(node_dist_disconnect(&a.node, "b@test"), DREAM_ENOENT);
}

TEST_F(Dist, LinkToARemoteProcessBreaksWithNoconnection)
{
	dream_pid_t pid = spawn(&b.node, nullptr, [](node_proc_t *) { return NODE_RUN_IDLE; });
	std::string got;
	connect();
	dream_pid_t to = at_b(pid);
	spawn(&a.node, nullptr, [&got, to](node_proc_t *proc) {
		node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
		if (got.empty()) {
			got = "linked";
			(void) node_proc_link(proc, to);
		}
		while (node_sig_t *sig = node_proc_next_take(proc)) {
			got = sig->kind == NODE_SIG_EXIT && node_msg_is_text(sig->msg, "noconnection")
				      ? "noconnection"
				      : "other";
			node_sig_free(sig);
		}
		return NODE_RUN_IDLE;
	});
	settle();
	EXPECT_EQ(got, "noconnection");
}

TEST_F(Dist, StrangersNamesAreNotLearnt)
{
	uint32_t number;
	EXPECT_LT(a.node.hooks.node_number(&a.node, "x@y", 3, &number), 0);
}
