// SPDX-License-Identifier: MIT
// Timers and the processes they are for (TMR).
#include "support/node.h"

TEST(Timer, OfAProcessEndsWithIt) // TMR-1, TMR-5; it stayed in the table until it expired
{
	SimNode node;
	node.go([&](node_proc_t *) {
		for (int i = 0; i < 100; i++)
			EXPECT_EQ(dream_send_after_take(
					  dream_to(dream_self()), owned("1"), 3600000 + i, nullptr),
				DREAM_OK);
		EXPECT_EQ(node_timer_count(node), 100u);
	});
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, ThatAnotherStartedEndsWithItsReceiver) // TMR-1
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	node.go([&](node_proc_t *) {
		EXPECT_EQ(dream_send_after_take(dream_to(pid), owned("1"), 3600000, nullptr), DREAM_OK);
	});
	EXPECT_EQ(node_timer_count(node), 1u);
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, OutlivesWhoStartedIt) // TMR-1
{
	SimNode node;
	std::string got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) { got = receive(proc, DREAM_INFINITY); });
	node.go([&](node_proc_t *) {
		EXPECT_EQ(dream_send_after_take(dream_to(pid), owned("1"), 1000, nullptr), DREAM_OK);
	});
	node.advance(1001);
	EXPECT_EQ(got, "1");
}

TEST(Timer, ForANameEndsWithNobody) // TMR-1: who has the name is asked when it expires
{
	SimNode node;
	node.go([&](node_proc_t *) {
		EXPECT_EQ(dream_send_after_take(dream_to_name("later"), owned("1"), 1000, nullptr), DREAM_OK);
	});
	std::string got;
	Spawn how;
	how.name = "later";
	node.go([&](node_proc_t *proc) { got = receive(proc, DREAM_INFINITY); }, how);
	node.advance(1001);
	EXPECT_EQ(got, "1");
}

TEST(Timer, ForADeadProcessIsNotKept)
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *) {});
	node.go([&](node_proc_t *) {
		EXPECT_EQ(dream_send_after_take(dream_to(pid), owned("1"), 3600000, nullptr), DREAM_OK);
	});
	EXPECT_EQ(node_timer_count(node), 0u);
}
