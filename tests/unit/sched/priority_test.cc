// SPDX-License-Identifier: MIT
// Priorities and the budget of a turn.
#include <algorithm>

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

// How often a process asked the node for something, each time `each_ns` after the last, until another one had a turn.
int asked_until_another_ran(SimNode &node, int64_t each_ns)
{
	int until = -1;
	node.go([&](node_proc_t *proc) {
		bool others_ran = false;
		node.spawn([&](node_proc_t *) { others_ran = true; });
		for (int asked = 0; asked < 5000 && until < 0; asked++) {
			node.pass(each_ns);
			node_sched_charge(proc, node_ctx_borrow());
			if (others_ran)
				until = asked + 1;
		}
	});
	EXPECT_GT(until, 0) << "nobody else ran";
	return until;
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

TEST(Priority, WhoAsksALowerOneIsAnswered) // SIG-6, process_SUITE:no_priority_inversion
{
	SimNode node;
	std::string order;
	size_t answered_after = 0;
	dream_pid_t low = node.go([](node_proc_t *proc) {
		(void) node_sched_set_priority(proc, DREAM_PRIORITY_LOW);
		wait_forever(proc);
	});
	dream_pid_t asker = node.go([&](node_proc_t *proc) {
		(void) node_sched_set_priority(proc, DREAM_PRIORITY_MAX);
		(void) receive(proc, DREAM_INFINITY);
		EXPECT_EQ(dream_is_process_alive(low), 1);
		answered_after = order.size();
	});
	run(node, {asker, spinner(node, order, 'm', DREAM_PRIORITY_MAX, 1000),
			  spinner(node, order, 'n', DREAM_PRIORITY_NORMAL, 1000)});
	EXPECT_EQ(order.size(), 2000u);
	EXPECT_GT(answered_after, 0u); // the others were ready before it
	EXPECT_LT(answered_after, 200u);
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
	EXPECT_LE(asked_until_another_ran(node, 0), (int) NODE_SCHED_BUDGET);
}

TEST(Budget, ProcessThatTakesLongOverEachThingGivesWaySooner)
{
	const int64_t each_ns = 5000;
	SimNode node;
	int64_t took_ns = asked_until_another_ran(node, each_ns) * each_ns;
	EXPECT_GE(took_ns, NODE_SCHED_TURN_NS / 2);
	EXPECT_LE(took_ns, NODE_SCHED_TURN_NS * 2);
}

TEST(Budget, TurnOfAQuickProcessIsNotCutShort)
{
	const int64_t each_ns = NODE_SCHED_TURN_NS / NODE_SCHED_BUDGET / 2;
	SimNode node;
	EXPECT_EQ(asked_until_another_ran(node, each_ns), (int) NODE_SCHED_BUDGET);
}

TEST(Budget, TimerThatIsDueEndsTheTurnOfAProcessThatIsAlone)
{
	SimNode node;
	int64_t begin_ns = 0, fired_ns = 0;
	node.spawn([&](node_proc_t *proc) {
		begin_ns = node_clock_now(node);
		(void) receive(proc, 1);
		fired_ns = node_clock_now(node);
	});
	node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 5000; i++) {
			node.pass(1000);
			node_sched_charge(proc, node_ctx_borrow());
		}
	});
	EXPECT_LE(fired_ns - begin_ns, 2 * NODE_MS + 2 * NODE_SCHED_TURN_NS);
}
