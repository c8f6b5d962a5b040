// SPDX-License-Identifier: MIT
// Priorities and the budget of a turn.
#include "support/node.h"

namespace
{

// A process that waits for a message, then notes its letter and gives way, for so many turns.
dream_pid_t spinner(SimNode &node, std::string &order, char letter, int32_t priority, int turns)
{
	return node.go([&order, letter, priority, turns](node_proc_t *proc) {
		(void) node_sched_set_priority(proc, priority);
		(void) receive(proc, DREAM_INFINITY);
		for (int i = 0; i < turns; i++) {
			order += letter;
			node_sched_yield(proc);
		}
	});
}

void run(SimNode &node, const std::vector<dream_pid_t> &spinners)
{
	for (dream_pid_t pid : spinners)
		send(node, nullptr, pid, "0");
	node.run();
}

int count(const std::string &text, char letter)
{
	return (int) std::count(text.begin(), text.end(), letter);
}

} // namespace

TEST(Priority, HigherGoesFirst)
{
	SimNode node;
	std::string order;
	run(node, {spinner(node, order, 'l', DREAM_PRIORITY_LOW, 1),
			  spinner(node, order, 'n', DREAM_PRIORITY_NORMAL, 1),
			  spinner(node, order, 'h', DREAM_PRIORITY_HIGH, 1),
			  spinner(node, order, 'm', DREAM_PRIORITY_MAX, 1)});
	EXPECT_EQ(order, "mhnl");
}

TEST(Priority, LowerIsNotStarved)
{
	SimNode node;
	std::string order;
	run(node, {spinner(node, order, 'm', DREAM_PRIORITY_MAX, 1000),
			  spinner(node, order, 'n', DREAM_PRIORITY_NORMAL, 50),
			  spinner(node, order, 'l', DREAM_PRIORITY_LOW, 5)});
	std::string begin = order.substr(0, 450);
	EXPECT_GE(count(begin, 'n'), 40) << begin;
	EXPECT_EQ(count(begin, 'l'), 5) << begin;
	EXPECT_GT(count(begin, 'm'), 8 * count(begin, 'n') - 16) << begin;
}

TEST(Priority, SetReturnsTheOneBefore)
{
	SimNode node;
	node.go([&](node_proc_t *proc) {
		EXPECT_EQ(node_sched_set_priority(proc, DREAM_PRIORITY_HIGH), DREAM_PRIORITY_NORMAL);
		EXPECT_EQ(node_sched_set_priority(proc, DREAM_PRIORITY_MAX), DREAM_PRIORITY_HIGH);
		EXPECT_EQ(node_sched_set_priority(proc, DREAM_PRIORITY_NORMAL), DREAM_PRIORITY_MAX);
	});
}

TEST(Priority, DirectCallDoesNotOvertakeAnUrgentProcess)
{
	SimNode node;
	node.load();
	std::string order;
	Script script;
	dream_pid_t urgent = node.go([&](node_proc_t *proc) {
		(void) node_sched_set_priority(proc, DREAM_PRIORITY_HIGH);
		(void) receive(proc, DREAM_INFINITY);
		order += "urgent ";
	});
	script.on_call = [&](const dream_msg_t *request, dream_msg_t **ret_reply) {
		order += "server ";
		*ret_reply = dream_msg_ref(request);
		return DREAM_REPLY;
	};
	node.go([&](node_proc_t *proc) {
		dream_pid_t server = start(proc, script);
		send(node, proc, urgent, "0");
		EXPECT_EQ(call(proc, server, "1"), "1");
	});
	EXPECT_EQ(order, "urgent server ");
}

TEST(Budget, ProcessThatNeverWaitsGivesWay)
{
	SimNode node;
	int asked = 0, others_ran_after = -1;
	bool others_ran = false;
	node.go([&](node_proc_t *proc) {
		node.spawn([&](node_proc_t *) { others_ran = true; });
		for (; asked < 5000; asked++) {
			node_sched_charge(proc, node_ctx_borrow());
			if (others_ran && others_ran_after < 0)
				others_ran_after = asked;
		}
	});
	EXPECT_GE(others_ran_after, 0);
	EXPECT_LE(others_ran_after, (int) NODE_SCHED_BUDGET);
}
