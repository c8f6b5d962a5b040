// SPDX-License-Identifier: MIT
#include "boot.h"

#include <gtest/gtest.h>

#include <string>

#include "app/app.h"
#include "base/log.h"
#include "proc/names.h"
#include "support/whole_node.h"

namespace
{

const std::string counter_1 =
	"applications=counter\n[application.counter]\nfile=" DREAM_MODULES "/counter-1.0.0.so\n";

std::string log_of(node_t *node)
{
	std::vector<node_log_line_t> lines(50);
	uint32_t n = node_log_tail(node->log, 0, DREAM_LOG_DEBUG, lines.data(), 50);
	std::string text;
	for (uint32_t i = 0; i < n; i++)
		text += std::string(lines[i].text) + "\n";
	return text;
}

} // namespace

TEST(Boot, OpensAndClosesWithoutApplications)
{
	WholeNode whole;
	ASSERT_EQ(whole.failure, "");
	EXPECT_EQ(whole.start(), DREAM_OK) << whole.failure;
	EXPECT_STREQ(whole.node()->name, "test@127.0.0.1");
}

TEST(Boot, StartsWhatTheConfigurationNames)
{
	WholeNode whole(counter_1);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	dream_pid_t pid;
	EXPECT_EQ(node_names_whereis(whole.node(), "counter", &pid), DREAM_OK);
}

TEST(Boot, StopEndsTheApplicationsAndFreesTheirNames)
{
	WholeNode whole(counter_1);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	node_diag_t diag = {0, ""};
	ASSERT_EQ(node_boot_run(whole.boot(), NODE_BOOT_STOP, 30000, &diag), DREAM_OK) << diag.text;
	dream_pid_t pid;
	EXPECT_EQ(node_names_whereis(whole.node(), "counter", &pid), DREAM_ENOENT);
}

TEST(Boot, TwoNodesInOneProcessKeepTheirStatesApart)
{
	WholeNode one(counter_1, "one@127.0.0.1"), two(counter_1, "two@127.0.0.1");
	ASSERT_EQ(one.start(), DREAM_OK) << one.failure;
	ASSERT_EQ(two.start(), DREAM_OK) << two.failure;
	EXPECT_EQ(one.run("call counter [\"add\", {\"by\": 5}]").code, DREAM_OK);
	EXPECT_EQ(two.run("call counter [\"add\", {\"by\": 7}]").code, DREAM_OK);
	EXPECT_NE(one.run("call counter \"get\"").all().find("\"value\": 5"), std::string::npos);
	EXPECT_NE(two.run("call counter \"get\"").all().find("\"value\": 7"), std::string::npos);
}

TEST(Boot, MissingModuleIsNamed)
{
	WholeNode whole("applications=gone\n[application.gone]\nfile=/nonexistent/gone-1.so\n");
	ASSERT_EQ(whole.failure, "");
	EXPECT_LT(whole.start(), 0);
	EXPECT_NE(whole.failure.find("/nonexistent/gone-1.so"), std::string::npos) << whole.failure;
}

TEST(Boot, ModuleWithoutTheApplicationIsRefused)
{
	WholeNode whole("applications=other\n[application.other]\nfile=" DREAM_MODULES "/counter-1.0.0.so\n");
	EXPECT_EQ(whole.start(), DREAM_EMODULE);
	EXPECT_NE(whole.failure.find("no application \"other\""), std::string::npos) << whole.failure;
}

TEST(Boot, ConfiguredEnvironmentStandsAboveTheModulesDefaults)
{
	WholeNode whole(counter_1 + "[env.counter]\nstart = 40\n");
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	EXPECT_NE(whole.run("call counter \"get\"").all().find("40"), std::string::npos);
}

TEST(Boot, SetEnvReplacesTheEnvironmentOfARunningNode)
{
	WholeNode whole(counter_1 + "[env.counter]\nstart = 1\nextra = 2\n");
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	std::string text = "[node]\nname=a@b\nauthority=a\ncertificate=b\nkey=c\n[env.counter]\nstart = 9\n";
	node_config_t *config;
	node_diag_t diag = {0, ""};
	ASSERT_EQ(node_config_parse("x.conf", text.data(), text.size(), &config, &diag), DREAM_OK)
		<< diag.text;
	EXPECT_EQ(node_boot_set_env(whole.boot(), config), DREAM_OK);
	EXPECT_EQ(node_boot_run(whole.boot(), NODE_BOOT_RELOAD, 30000, &diag), DREAM_OK) << diag.text;
	node_config_free(config);
	std::string env = whole.run("env counter").all();
	EXPECT_NE(env.find("\"start\": 9"), std::string::npos) << env;
	EXPECT_EQ(env.find("extra"), std::string::npos) << env;
}

TEST(Boot, ShutdownHookIsHeardWithItsReason)
{
	WholeNode whole;
	ASSERT_EQ(whole.failure, "");
	int code = -1;
	node_diag_t why = {0, ""};
	EXPECT_FALSE(node_boot_shutdown_asked(whole.boot(), &code, &why));
	whole.node()->hooks.shutdown(whole.node(), 3, "first");
	whole.node()->hooks.shutdown(whole.node(), 4, "second");
	ASSERT_TRUE(node_boot_shutdown_asked(whole.boot(), &code, &why));
	EXPECT_EQ(code, 3);
	EXPECT_STREQ(why.text, "first");
}

TEST(Boot, ConsoleWritesWhoChangedSomethingIntoTheLog)
{
	WholeNode whole("log_level=notice\n" + counter_1);
	ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	whole.run("call counter \"get\"");
	whole.run("procs");
	std::string log = log_of(whole.node());
	EXPECT_NE(log.find("console: operator tester runs: call counter \"get\""), std::string::npos) << log;
	EXPECT_EQ(log.find("runs: procs"), std::string::npos) << log;
}
