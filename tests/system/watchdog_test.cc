// SPDX-License-Identifier: MIT
// Callbacks that do not come back, in a real node with two schedulers. The module is tests/fixtures/spinner.c.
#include <gtest/gtest.h>
#include <signal.h>

#include "support/daemon.h"

namespace
{

const char *const spin_for_ever = "cast first [\"spin\", {\"ms\": -1}]";
const char *const spin_too = "cast second [\"spin\", {\"ms\": -1}]";

class Watchdog : public testing::Test
{
      protected:
	Watchdog()
	    : node(base_config() + "slow_callback_ms=20\napplications=spinner\n"
				   "[application.spinner]\nfile=" DREAM_FIXTURES "/spinner.so\n")
	{
	}
	void SetUp() override
	{
		ASSERT_TRUE(node.ready()) << node.log();
	}
	void ok(const std::string &line)
	{
		Outcome o = node.command(line);
		EXPECT_EQ(o.status, 0) << line << ": " << o.err;
	}
	size_t reports() const
	{
		size_t n = 0;
		std::string log = node.log();
		for (size_t at = 0; (at = log.find("slow callback", at)) != std::string::npos; at++)
			n++;
		return n;
	}
	Daemon node;
};

} // namespace

TEST_F(Watchdog, OthersAreServedBesideACallbackThatSpins)
{
	ok(spin_for_ever);
	ok(spin_too);
	for (int i = 0; i < 20; i++)
		ok("call third \"ping\"");
	ok("kill first");
	ok("kill second");
}

TEST_F(Watchdog, OthersAreServedBesideCallbacksThatAreAlwaysInsideTheNode)
{
	ok("cast first [\"ask\", {\"ms\": -1}]");
	ok("cast second [\"ask\", {\"ms\": -1}]");
	for (int i = 0; i < 5; i++)
		ok("call third \"ping\"");
}

TEST_F(Watchdog, SchedulersTakenAwayAtTheSameTimeAllGoOn)
{
	for (int i = 0; i < 10; i++) {
		ok("cast first [\"spin\", {\"ms\": 60}]");
		ok("cast second [\"spin\", {\"ms\": 60}]");
		ok("call third \"ping\"");
	}
	ok("call first \"ping\"");
	ok("call second \"ping\"");
}

TEST_F(Watchdog, SpinningProcessIsKilledAndRestarted)
{
	ok(spin_for_ever);
	ok("kill first");
	EXPECT_TRUE(node.eventually("call first \"ping\"", "true")) << node.log();
	EXPECT_NE(node.log().find("\"killed\""), std::string::npos) << node.log();
}

// On a busy machine what was taken from its scheduler runs seldom: it spins until it was seen.
TEST_F(Watchdog, SlowCallbackIsReportedOnceWithItsStack)
{
	ok(spin_for_ever);
	for (int i = 0; i < 500 && reports() == 0; i++)
		ok("call third \"ping\"");
	EXPECT_NE(node.log().find("spin_here"), std::string::npos) << node.log();
	for (int i = 0; i < 10; i++)
		ok("call third \"ping\"");
	EXPECT_EQ(reports(), 1u) << node.log();
	ok("kill first");
}

TEST_F(Watchdog, NodeStopsAlthoughACallbackDoesNot)
{
	ok(spin_for_ever);
	ok("call third \"ping\"");
	node.signal(SIGTERM);
	EXPECT_NE(node.wait(), -1) << node.log();
}
