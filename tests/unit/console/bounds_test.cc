// SPDX-License-Identifier: MIT
// What bounds a command: cancelling, its deadline, the number of them, the end of the node.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "base/clock.h"
#include "support/whole_node.h"

namespace
{

const std::string mute = "applications=mute\n[application.mute]\nfile=" DREAM_FIXTURES "/mute.so\n";

// The machine's clock, which a test may put forward.
std::atomic<int64_t> ahead_ns{0};

int64_t now_ns(node_clock_t *)
{
	node_clock_t *system = node_clock_system_borrow();
	return system->now_ns(system) + ahead_ns;
}

int64_t wall_ns(node_clock_t *)
{
	node_clock_t *system = node_clock_system_borrow();
	return system->wall_ns(system);
}

void fill_random(node_clock_t *, void *bytes, size_t size)
{
	node_clock_t *system = node_clock_system_borrow();
	system->random(system, bytes, size);
}

node_clock_t jumpy = {now_ns, wall_ns, fill_random, nullptr, nullptr};

} // namespace

TEST(ConsoleBounds, CancelledCommandIsDoneAtOnce)
{
	WholeNode whole(mute);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	uint64_t id = whole.type("call mute 1");
	whole.cancel(id);
	Answer answer = whole.wait(id);
	EXPECT_TRUE(answer.over);
	EXPECT_EQ(answer.code, NODE_CONSOLE_ECANCELLED) << answer.text;
}

TEST(ConsoleBounds, CancelOfAnEndedCommandDoesNothing)
{
	WholeNode whole(mute);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	uint64_t id = whole.type("apps");
	EXPECT_EQ(whole.wait(id).code, DREAM_OK);
	whole.cancel(id);
	EXPECT_EQ(whole.run("apps").code, DREAM_OK);
}

TEST(ConsoleBounds, SixtyFifthCommandIsRefusedUntilOneEnds)
{
	WholeNode whole(mute);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	std::vector<uint64_t> ids;
	for (unsigned i = 0; i < NODE_CONSOLE_COMMANDS_MAX; i++)
		ids.push_back(whole.type("call mute 1"));
	Answer refused = whole.run("apps");
	EXPECT_EQ(refused.code, DREAM_EBUSY);
	EXPECT_NE(refused.text.find("64 commands are running"), std::string::npos) << refused.text;
	whole.cancel(ids[0]);
	EXPECT_EQ(whole.wait(ids[0]).code, NODE_CONSOLE_ECANCELLED);
	EXPECT_EQ(whole.run("apps").code, DREAM_OK);
	for (size_t i = 1; i < ids.size(); i++) {
		whole.cancel(ids[i]);
		EXPECT_EQ(whole.wait(ids[i]).code, NODE_CONSOLE_ECANCELLED);
	}
}

TEST(ConsoleBounds, EndOfTheNodeEndsEveryCommand)
{
	WholeNode whole(mute);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	uint64_t id = whole.type("call mute 1");
	node_console_quiesce(whole.node());
	EXPECT_EQ(whole.wait(id).code, NODE_CONSOLE_ECANCELLED);
	EXPECT_EQ(whole.run("apps").code, DREAM_EBUSY);
}

TEST(ConsoleBounds, StuckServerIsReportedAsBusy)
{
	WholeNode whole(mute);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	uint64_t caller = whole.type("call mute \"stick\"");
	EXPECT_TRUE(whole.eventually("info mute", "\"status\": \"blocked\""));
	Answer answer = whole.run("state mute"); // takes the two seconds that it gives the server
	EXPECT_EQ(answer.code, DREAM_ETIMEDOUT);
	EXPECT_NE(answer.text.find("is busy: it has been inside a callback"), std::string::npos)
		<< answer.text;
	whole.cancel(caller);
	EXPECT_EQ(whole.wait(caller).code, NODE_CONSOLE_ECANCELLED);
}

TEST(ConsoleBounds, CommandBeyondItsTimeIsEnded)
{
	WholeNode whole(mute, "test@127.0.0.1", &jumpy);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	uint64_t id = whole.type("call mute 1");
	EXPECT_TRUE(whole.eventually("procs", "\"blocked\""));
	ahead_ns += 11000 * NODE_MS;
	EXPECT_EQ(whole.run("apps").code, DREAM_OK); // wakes a scheduler, which looks at the clock
	Answer answer = whole.wait(id);
	EXPECT_EQ(answer.code, DREAM_ETIMEDOUT) << answer.text;
}
