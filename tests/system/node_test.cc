// SPDX-License-Identifier: MIT
// A real node and a real client: what works, and that it goes on working.
#include <gtest/gtest.h>
#include <signal.h>

#include <string>

#include "support/daemon.h"

namespace
{

std::string counter_config()
{
	return base_config() + "applications=counter\n[application.counter]\nfile=" DREAM_MODULES
			       "/counter-1.0.0.so\n";
}

class System : public testing::Test
{
      protected:
	System() : node(counter_config()) {}
	void SetUp() override
	{
		ASSERT_TRUE(node.ready()) << node.log();
	}
	// A command that must succeed; its output.
	std::string ok(const std::string &line)
	{
		Outcome o = node.command(line);
		EXPECT_EQ(o.status, 0) << line << ": " << o.err;
		return o.out;
	}
	Daemon node;
};

bool has(const std::string &text, const std::string &part)
{
	return text.find(part) != std::string::npos;
}

} // namespace

#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << (part) << " is not in: " << (text)

TEST_F(System, ShowsItsApplicationsAndTheirTree)
{
	EXPECT_HAS(ok("apps"), "counter      1.0.0    running");
	EXPECT_HAS(ok("tree"), "counter_sup");
}

TEST_F(System, AnswersCallsCastsAndShowsStates)
{
	EXPECT_EQ(ok("call counter [\"add\", {\"by\": 2}]"), "{\"value\": 2}\n");
	ok("cast counter [\"add\", {\"by\": 3}]");
	EXPECT_TRUE(node.eventually("state counter", "{\"value\": 5}"));
}

TEST_F(System, UpgradeKeepsTheValue)
{
	ok("call counter [\"add\", {\"by\": 41}]");
	EXPECT_HAS(ok("upgrade counter " DREAM_MODULES "/counter-2.0.0.so"), "2.0.0");
	EXPECT_EQ(ok("call counter [\"add\", {\"by\": 1}]"), "{\"value\": 42}\n");
	EXPECT_EQ(ok("state counter"), "{\"value\": 42, \"changes\": 1}\n");
}

TEST_F(System, FailedCodeChangeLeavesEverythingAsItWas)
{
	ok("call counter [\"add\", {\"by\": 7}]");
	Outcome o = node.command("upgrade counter " DREAM_FIXTURES "/counter_stubborn.so");
	EXPECT_EQ(o.status, 1);
	EXPECT_HAS(o.err, "upgrade");
	EXPECT_HAS(ok("info counter"), "counter 1.0.0");
	EXPECT_EQ(ok("call counter [\"add\", {\"by\": 1}]"), "{\"value\": 8}\n");
	EXPECT_HAS(ok("upgrade counter " DREAM_MODULES "/counter-2.0.0.so"), "2.0.0");
	EXPECT_EQ(ok("call counter \"get\""), "{\"value\": 8, \"changes\": 0}\n");
}

TEST_F(System, KilledServerIsRestarted)
{
	ok("call counter [\"add\", {\"by\": 9}]");
	ok("kill counter");
	EXPECT_TRUE(node.eventually("tree counter", "restarts=1"));
	EXPECT_EQ(ok("call counter \"get\""), "{\"value\": 0}\n");
}

TEST_F(System, SigtermStopsItWithStatusZero)
{
	ok("apps");
	node.signal(SIGTERM);
	EXPECT_EQ(node.wait(), 0) << node.log();
	EXPECT_HAS(node.log(), "stopping: SIGTERM");
}

TEST_F(System, SighupReadsTheEnvironmentAnew)
{
	node.configure(counter_config() + "[env.counter]\nstart = 77\n");
	node.signal(SIGHUP);
	EXPECT_TRUE(node.eventually("env counter", "77"));
	ok("kill counter");
	EXPECT_TRUE(node.eventually("call counter \"get\"", "{\"value\": 77}"));
}

TEST_F(System, SighupWithAWrongFileKeepsWhatWasRead)
{
	node.configure(counter_config() + "[env.counter]\nstart = [1,\n");
	node.signal(SIGHUP);
	EXPECT_TRUE(node.eventually("log 5 --level=error", "what was read before stays"));
	EXPECT_HAS(ok("env counter"), "\"start\": 0");
}

TEST_F(System, EndOfAPermanentApplicationEndsTheNodeWithAReason)
{
	(void) node.command("kill counter");
	(void) node.eventually("tree counter", "restarts=1");
	(void) node.command("kill counter"); // one restart more than its supervisor allows
	EXPECT_EQ(node.wait(), 1);
	EXPECT_HAS(node.log(), "dreamd: ");
	EXPECT_HAS(node.log(), "counter");
}

TEST_F(System, TheTourPasses)
{
	setenv("DREAM_ADDR", node.address().c_str(), 1);
	setenv("DREAM_CERTS", certificates().c_str(), 1);
	setenv("DREAM_BIN", DREAM_BIN, 1);
	setenv("DREAM_MODULES", DREAM_MODULES, 1);
	Outcome o = run_program({DREAM_SOURCE "/tests/system/tour"});
	EXPECT_EQ(o.status, 0) << o.out << o.err;
	EXPECT_HAS(o.out, "Nothing was lost.");
}
