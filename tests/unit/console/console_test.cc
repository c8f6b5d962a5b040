// SPDX-License-Identifier: MIT
#include "console/console.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "console/command.h"
#include "proc/names.h"
#include "support/whole_node.h"

namespace
{

const std::string counter_1 =
	"applications=counter\n[application.counter]\nfile=" DREAM_MODULES "/counter-1.0.0.so\n";
const std::string counter_2_file = DREAM_MODULES "/counter-2.0.0.so";

class Console : public testing::Test
{
      protected:
	Console() : whole(counter_1) {}
	void SetUp() override
	{
		ASSERT_EQ(whole.failure, "");
		ASSERT_EQ(whole.start(), DREAM_OK) << whole.failure;
	}
	// The results of a line that must succeed.
	std::string ok(const std::string &line)
	{
		Answer answer = whole.run(line);
		EXPECT_TRUE(answer.over) << line;
		EXPECT_EQ(answer.code, DREAM_OK) << line << ": " << answer.text;
		return answer.all();
	}
	// A line fails with a code and a text that has all of @parts in it.
	void fails(const std::string &line, int code, const std::vector<std::string> &parts)
	{
		Answer answer = whole.run(line);
		EXPECT_EQ(answer.code, code) << line << ": " << answer.text;
		for (const std::string &part : parts)
			EXPECT_NE(answer.text.find(part), std::string::npos)
				<< part << " is not in: " << answer.text;
	}
	WholeNode whole;
};

bool has(const std::string &text, const std::string &part)
{
	return text.find(part) != std::string::npos;
}

} // namespace

#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << (part) << " is not in: " << (text)

/* ---- the table and words ---- */

TEST(CommandTable, EveryCommandIsDocumented)
{
	const node_command_t *c;
	size_t n = 0;
	for (; (c = node_command_at(n)) != nullptr; n++) {
		EXPECT_GT(strlen(c->help), 5u) << c->name;
		EXPECT_EQ(strncmp(c->example, c->name, strlen(c->name)), 0) << c->name;
		EXPECT_EQ(node_command_find(c->name), c) << c->name;
		EXPECT_NE(c->run, nullptr) << c->name;
	}
	EXPECT_EQ(n, 20u);
}

TEST_F(Console, HelpListsAllCommandsWithTheNameFirst)
{
	std::string help = ok("help");
	EXPECT_HAS(help, "\"form\": \"table\"");
	const node_command_t *c;
	for (size_t i = 0; (c = node_command_at(i)) != nullptr; i++)
		EXPECT_HAS(help, std::string("[\"") + c->name + "\", ");
}

TEST_F(Console, HelpOnOneCommandShowsAnExample)
{
	EXPECT_HAS(ok("help call"), "call counter [\\\"add\\\", {\\\"by\\\": 1}]");
}

TEST_F(Console, UnknownCommandIsLikenedToAKnownOne)
{
	fails("tere", DREAM_ESYNTAX, {"\"tere\"", "did you mean 'tree'?"});
	fails("xyzzy", DREAM_ESYNTAX, {"'help' lists all"});
}

TEST_F(Console, EmptyLineIsExplained)
{
	fails("   ", DREAM_ESYNTAX, {"empty"});
}

TEST_F(Console, LineBeyondTheCapIsRefused)
{
	fails(std::string(NODE_CONSOLE_LINE_MAX + 1, 'a'), DREAM_ELIMIT, {"longer than 65536 bytes"});
}

TEST_F(Console, LineThatIsNotUtf8IsRefused)
{
	fails("call \xff 1", DREAM_ESYNTAX, {"UTF-8"});
}

TEST_F(Console, MissingArgumentShowsTheUsage)
{
	fails("call", DREAM_ESYNTAX, {"call: ", "missing", "call NAME|PID TERM", "as in: call counter"});
	fails("call counter", DREAM_ESYNTAX, {"the TERM is missing"});
	fails("info", DREAM_ESYNTAX, {"PID|NAME"});
}

TEST_F(Console, TooManyArgumentsAreRefused)
{
	fails("apps now", DREAM_ESYNTAX, {"\"now\" is too much"});
}

TEST_F(Console, BadTermIsRefusedWithItsColumn)
{
	fails("call counter [\"add\", {\"by\": }]", DREAM_ESYNTAX, {"call: the term", "column"});
}

/* ---- applications ---- */

TEST_F(Console, AppsShowsStateAndVersion)
{
	std::string apps = ok("apps");
	EXPECT_HAS(apps, "[\"counter\", \"1.0.0\", \"running\", \"permanent\"");
	EXPECT_HAS(apps, "adds up");
}

TEST_F(Console, StopAndStartAnApplication)
{
	ok("stop counter");
	EXPECT_HAS(ok("apps"), "\"loaded\"");
	fails("call counter \"get\"", DREAM_ENOPROC, {"nobody is registered as \"counter\""});
	ok("start counter");
	EXPECT_HAS(ok("call counter \"get\""), "\"value\": 0");
	fails("start counter", DREAM_EALREADY, {"start: "});
}

TEST_F(Console, UnknownApplicationIsLikenedToAKnownOne)
{
	fails("start conter", DREAM_ENOENT, {"no application \"conter\"", "did you mean 'counter'?"});
	fails("stop nothing", DREAM_ENOENT, {"'apps' lists"});
	fails("env nothing", DREAM_ENOENT, {"no application"});
	fails("tree nothing", DREAM_ENOENT, {"no application"});
}

TEST_F(Console, LoadOfAMissingFileIsExplained)
{
	fails("load /nonexistent/a.so", DREAM_ENOENT, {"load: ", "/nonexistent/a.so"});
}

TEST_F(Console, EnvShowsTheWholeMap)
{
	EXPECT_HAS(ok("env counter"), "\"start\": 0}");
}

TEST_F(Console, TreeShowsSupervisorAndWorker)
{
	std::string tree = ok("tree counter");
	EXPECT_HAS(tree, "\"form\": \"tree\"");
	EXPECT_HAS(tree, "\"label\": \"counter 1.0.0\"");
	EXPECT_HAS(tree, "\"label\": \"counter\"");
	EXPECT_HAS(tree, whole.pid_of("counter"));
	EXPECT_HAS(tree, "\"restarts\": 0");
	EXPECT_HAS(ok("tree"), "\"label\": \"test@127.0.0.1\"");
}

TEST_F(Console, UpgradeKeepsTheValueAndReports)
{
	ok("call counter [\"add\", {\"by\": 41}]");
	std::string report = ok("upgrade counter " + counter_2_file);
	EXPECT_HAS(report, "\"from\": \"1.0.0\"");
	EXPECT_HAS(report, "\"to\": \"2.0.0\"");
	EXPECT_HAS(report, "\"processes carried over\": ");
	std::string state = ok("state counter");
	EXPECT_HAS(state, "\"value\": 41");
	EXPECT_HAS(state, "\"changes\": 0");
	EXPECT_HAS(ok("info counter"), "\"module\": \"counter 2.0.0\"");
}

/* ---- processes ---- */

TEST_F(Console, ProcsListsNamesAndCapsRows)
{
	EXPECT_HAS(ok("procs"), "\"" + whole.pid_of("counter") + "\", \"counter\", \"counter\", \"counter\"");
	EXPECT_HAS(ok("procs 1"), "\"more\": ");
}

TEST_F(Console, SchedulersShowWhatTheyDidSinceTheStartOrInAWindow)
{
	EXPECT_HAS(ok("schedulers"), "\"busy %\"");
	std::string window = ok("schedulers 20");
	EXPECT_HAS(window, "\"migrations\"");
	fails("schedulers 0", DREAM_ESYNTAX, {"0", "milliseconds", "10000"});
	fails("schedulers soon", DREAM_ESYNTAX, {"soon"});
}

TEST_F(Console, ProcsSortedByTurnsHasTheBusiestFirst)
{
	for (int i = 0; i < 50; i++)
		ok("call counter \"get\"");
	std::string procs = ok("procs --sort=turns 1");
	EXPECT_HAS(procs, "\"" + whole.pid_of("counter") + "\"");
	EXPECT_HAS(ok("procs --sort=memory"), "\"form\": \"table\"");
	EXPECT_HAS(ok("procs --sort=mailbox"), "\"form\": \"table\"");
}

TEST_F(Console, ProcsRefusesWhatItCannotSortBy)
{
	fails("procs --sort=age", DREAM_ESYNTAX, {"mailbox, memory or turns"});
	fails("procs many", DREAM_ESYNTAX, {"\"many\"", "10000"});
}

TEST_F(Console, InfoByNameAndByPid)
{
	std::string pid = whole.pid_of("counter");
	for (const std::string &who : {std::string("counter"), pid}) {
		std::string info = ok("info " + who);
		EXPECT_HAS(info, "\"pid\": \"" + pid + "\"");
		EXPECT_HAS(info, "\"module\": \"counter 1.0.0\"");
		EXPECT_HAS(info, "\"application\": \"counter\"");
		EXPECT_HAS(info, "\"status\": \"idle\"");
	}
}

TEST_F(Console, PidsThatAreNoneAreExplained)
{
	fails("info <99999.1>", DREAM_ENOPROC, {"<99999.1>", "'procs' lists"});
	fails("info <x>", DREAM_ESYNTAX, {"<12.3>"});
}

TEST_F(Console, StateIsATerm)
{
	EXPECT_EQ(ok("state counter"), "{\"form\": \"term\", \"term\": {\"value\": 0}}\n");
}

TEST_F(Console, CallToAMissingNameTellsWhereToLook)
{
	fails("call x \"get\"", DREAM_ENOPROC,
		{"call: nobody is registered as \"x\"; 'procs' lists the names"});
}

TEST_F(Console, CallByNameAtThisNode)
{
	EXPECT_HAS(ok("call counter@test@127.0.0.1 \"get\""), "\"value\": 0");
}

TEST_F(Console, CallAtAStrangeNodeSaysItIsNotConnected)
{
	fails("call counter@other@127.0.0.1 \"get\"", DREAM_ENOCONNECTION, {"'nodes' lists"});
}

TEST_F(Console, RequestThatTheServerDoesNotKnowIsExplained)
{
	fails("call counter \"dance\"", DREAM_EREQUEST, {"counter does not understand"});
	EXPECT_HAS(ok("call counter \"get\""), "\"value\": 0");
}

TEST_F(Console, CastIsHandledBeforeALaterCall)
{
	ok("cast counter [\"add\", {\"by\": 3}]");
	EXPECT_TRUE(whole.eventually("call counter \"get\"", "\"value\": 3"));
}

TEST_F(Console, SendOfAnythingLeavesTheServerRunning)
{
	ok("send counter [1, 2, {\"a\": null}]");
	EXPECT_HAS(ok("call counter \"get\""), "\"value\": 0");
}

TEST_F(Console, KilledServerIsRestartedUnderAnotherPid)
{
	std::string pid = whole.pid_of("counter");
	ok("kill counter");
	EXPECT_TRUE(whole.eventually("tree counter", "\"restarts\": 1"));
	EXPECT_NE(whole.pid_of("counter"), pid);
	EXPECT_HAS(ok("call counter \"get\""), "\"value\": 0");
}

TEST_F(Console, NodesOwnProcessesAreNotKilled)
{
	Answer procs = whole.run("procs");
	size_t at = procs.all().find("\", null, \"console\"");
	ASSERT_NE(at, std::string::npos) << procs.all();
	/* the controller is the first process of the node and lives as long */
	fails("kill <0.1>", DREAM_EPERM, {"node's own"});
}

/* ---- the rest ---- */

TEST_F(Console, LogShowsTheNewestLines)
{
	ok("cast counter [\"add\", {\"by\": 3}]");
	std::string log = ok("log 1 --level=notice");
	EXPECT_HAS(log, "operator tester runs: cast counter");
	fails("log zero", DREAM_ESYNTAX, {"no number"});
	fails("log --level=loud", DREAM_ESYNTAX, {"debug, info"});
}

TEST_F(Console, NodesBeginsWithThisOne)
{
	EXPECT_HAS(ok("nodes"), "[\"test@127.0.0.1\", \"this one\"");
	fails("connect a@b:1", DREAM_ENOCONNECTION, {"no network"});
}

TEST_F(Console, QuitLeavesTheNodeAlone)
{
	EXPECT_HAS(ok("quit"), "the node goes on");
	EXPECT_HAS(ok("call counter \"get\""), "\"value\": 0");
}
