// SPDX-License-Identifier: MIT
// tools/dream-gdb.py on a living node and on its core: docs/debugging.md. The module is tests/fixtures/debuggee.c.
#include <glib.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "support/daemon.h"

namespace
{

using Names = std::vector<std::string>;

const char *const gdb_path = "/usr/bin/gdb";

// Sanitized code does not stow, and its address space is too large for a core.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
const bool sanitized = true;
const int n_sleepers = 1;
#else
const bool sanitized = false;
const int n_sleepers = 1200; // 1,024 keep their stacks
#endif

Outcome run_gdb(const Names &target, const Names &commands)
{
	Names argv = {gdb_path, "-nx", "-batch", "-iex", "set debuginfod enabled off", "-x",
		DREAM_SOURCE "/tools/dream-gdb.py"};
	for (const std::string &command : commands)
		argv.insert(argv.end(), {"-ex", command});
	argv.insert(argv.end(), target.begin(), target.end());
	return run_program(argv);
}

// What the first group of each match holds.
Names all_matches(const std::string &text, const std::string &pattern)
{
	GRegex *regex = g_regex_new(pattern.c_str(), G_REGEX_MULTILINE, (GRegexMatchFlags) 0, nullptr);
	GMatchInfo *info = nullptr;
	Names found;
	for (g_regex_match(regex, text.c_str(), (GRegexMatchFlags) 0, &info); g_match_info_matches(info);
		g_match_info_next(info, nullptr)) {
		char *group = g_match_info_fetch(info, 1);
		found.push_back(group);
		g_free(group);
	}
	g_match_info_free(info);
	g_regex_unref(regex);
	return found;
}

std::string first_match(const std::string &text, const std::string &pattern)
{
	Names found = all_matches(text, pattern);
	return found.empty() ? "" : found[0];
}

// The lines from the one that begins with "<7.1> " up to the last frame.
std::string block_of(const std::string &text, const std::string &pid)
{
	std::stringstream lines(text);
	std::string block;
	for (std::string line; std::getline(lines, line);)
		if (block.empty()
				? line.rfind("<" + pid + "> ", 0) == 0 && line.find(": ") != std::string::npos
				: line.rfind("#", 0) == 0)
			block += line + "\n";
		else if (!block.empty())
			break;
	return block;
}

// Names of functions in a backtrace, innermost first.
Names functions_of(const std::string &block)
{
	return all_matches(block, "^#[0-9]+ +(?:0x[0-9a-f]+ in )?([A-Za-z0-9_]+) \\(");
}

// Whether @wanted are among @names, in that order.
testing::AssertionResult in_order(const Names &names, const Names &wanted)
{
	auto at = names.begin();
	for (const std::string &name : wanted)
		if ((at = std::find(at, names.end(), name)) == names.end())
			return testing::AssertionFailure()
			       << name << " is not where it should be in " << testing::PrintToString(names);
		else
			++at;
	return testing::AssertionSuccess();
}

// Threads have other numbers in a core, whose first is the one that was selected.
std::string without_threads(const std::string &text)
{
	GRegex *regex =
		g_regex_new("on thread [0-9]+ *", (GRegexCompileFlags) 0, (GRegexMatchFlags) 0, nullptr);
	char *replaced = g_regex_replace_literal(
		regex, text.c_str(), -1, 0, "on a thread", (GRegexMatchFlags) 0, nullptr);
	std::string result = replaced;
	g_free(replaced);
	g_regex_unref(regex);
	return result;
}

// Whether this machine allows it; containers may not.
bool may_attach(const Names &target)
{
	static const bool may = run_gdb(target, {}).err.find("Operation not permitted") == std::string::npos;
	return may;
}

class Debugger : public testing::Test
{
      protected:
	Debugger()
	    : node(base_config() + "applications=debuggee\n[application.debuggee]\nfile=" DREAM_FIXTURES
				   "/debuggee.so\n")
	{
	}
	void SetUp() override
	{
		ASSERT_TRUE(node.ready()) << node.log();
		ASSERT_TRUE(std::filesystem::exists(gdb_path)) << "no gdb: apt-get install gdb";
		if (!may_attach(attached()))
			GTEST_SKIP() << "gdb may not attach here (docker: --cap-add SYS_PTRACE)";
		std::string n = std::to_string(n_sleepers);
		ASSERT_EQ(node.command("call starter [\"sleepers\", {\"count\": " + n + "}]").out,
			"{\"count\": " + n + "}\n");
	}
	Names attached() const
	{
		return {"-p", std::to_string(node.pid())};
	}
	// The spinner keeps a scheduler, so what is to be stowed comes first.
	void spin_and_ask()
	{
		ASSERT_EQ(node.command("cast spinner [\"spin\", {}]").status, 0);
		ASSERT_EQ(node.command("cast asker [\"ask\", {}]").status, 0);
		ASSERT_TRUE(node.eventually("info spinner", "running")) << node.log();
		ASSERT_TRUE(node.eventually("info asker", "blocked")) << node.log();
	}
	std::string pid_of(const std::string &name) const
	{
		return first_match(node.command("info " + name).out, "^pid +<([0-9.]+)>");
	}
	// A process that is stowed, "" if none will be.
	std::string stowed()
	{
		auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
		std::string pid;
		while (pid.empty() && std::chrono::steady_clock::now() < until)
			pid = first_match(run_gdb(attached(), {"dream ps"}).out,
				"^<([0-9.]+)> .* blocked in receive, stowed ");
		return pid;
	}
	Scratch scratch;
	Daemon node;
};

} // namespace

TEST_F(Debugger, ShowsEachProcessOfALivingNodeAndItsStack)
{
	spin_and_ask();
	std::string spinner = pid_of("spinner"), asker = pid_of("asker"), sleeper = pid_of("sleeper_0");
	Outcome o = run_gdb(attached(),
		{"dream ps", "dream bt " + spinner, "dream bt <" + asker + ">", "dream bt " + sleeper,
			"dream bt " + pid_of("starter"), "dream schedulers"});
	EXPECT_EQ(o.status, 0) << o.err;
	auto has = [&](const std::string &pattern) {
		return !first_match(o.out, "(" + pattern + ")").empty();
	};
	EXPECT_TRUE(
		has("^<[0-9.]+> +spinner +- +spinner +running on thread [0-9]+ +[0-9]+ +debuggee 1.0.0 #1$"))
		<< o.out;
	EXPECT_TRUE(has("^<[0-9.]+> +asker +- +asker +blocked in call +0 +debuggee 1.0.0 #1$")) << o.out;
	EXPECT_TRUE(has("^<[0-9.]+> +sleeper_0 +a light sleeper +labelled +blocked in receive +0 +debuggee "
			"1.0.0 #1$"))
		<< o.out;
	EXPECT_TRUE(has("^<[0-9.]+> +starter +- +starter +idle +0 +debuggee 1.0.0 #1$")) << o.out;
	EXPECT_TRUE(has("^counter@127.0.0.1 has [0-9]+ processes$")) << o.out;

	EXPECT_TRUE(
		in_order(functions_of(block_of(o.out, spinner)), {"spin_for_ever", "on_spin", "stack_main"}))
		<< o.out;
	EXPECT_TRUE(in_order(functions_of(block_of(o.out, asker)), {"ask_in_vain", "on_ask", "stack_main"}))
		<< o.out;
	EXPECT_TRUE(in_order(functions_of(block_of(o.out, sleeper)),
		{"wait_in_vain", "wait_in_vain", "wait_in_vain", "sleeper_main", "stack_main"}))
		<< o.out;
	EXPECT_NE(o.out.find("starter: idle\nIt has no stack"), std::string::npos) << o.out;
	EXPECT_NE(o.out.find("runs <" + spinner + "> spinner"), std::string::npos) << o.out;
}

// It was stopped for a moment, and nothing was changed: who was looked at still waits, and ends when it is told to.
TEST_F(Debugger, LeavesTheNodeAsItWas)
{
	spin_and_ask();
	Outcome o = run_gdb(attached(), {"dream bt " + pid_of("asker"), "dream bt " + pid_of("sleeper_0")});
	EXPECT_EQ(o.status, 0) << o.err;
	EXPECT_NE(node.command("info asker").out.find("blocked"), std::string::npos);
	EXPECT_EQ(node.command("kill asker").status, 0);
	EXPECT_TRUE(node.eventually("info asker", "idle")) << node.log();
	EXPECT_EQ(node.command("call starter [\"sleepers\", {\"count\": 0}]").out, "{\"count\": 0}\n");
}

// The node's own copy of the module is gone by then, as when a core is read on another day.
TEST_F(Debugger, ShowsTheSameInACore)
{
	if (sanitized)
		GTEST_SKIP() << "the core of a sanitized program has terabytes";
	std::string asleep = stowed();
	ASSERT_NE(asleep, "") << node.log();
	spin_and_ask();
	Names pids = {pid_of("spinner"), pid_of("asker"), pid_of("sleeper_0"), asleep},
	      commands = {"dream ps"};
	for (const std::string &pid : pids)
		commands.push_back("dream bt " + pid);
	std::string core = scratch.path("core");
	Names with_core = commands;
	with_core.insert(with_core.end(), {"info sharedlibrary debuggee", "dream core " + core});
	Outcome live = run_gdb(attached(), with_core);
	ASSERT_NE(live.out.find("the core is in " + core), std::string::npos) << live.out << live.err;
	std::string copies = first_match(live.out, "(/[^ \n]*)/debuggee-1-");
	ASSERT_NE(copies, "") << live.out;
	node.signal(SIGKILL);
	node.wait();
	std::filesystem::remove_all(copies);

	Outcome dead = run_gdb({std::string(DREAM_BIN) + "/dreamd", core}, commands);
	EXPECT_NE(
		dead.out.find("debuggee 1.0.0: symbols of " DREAM_FIXTURES "/debuggee.so"), std::string::npos)
		<< dead.out << dead.err;
	auto rows = [](const std::string &text) {
		return without_threads(text.substr(text.find("PID"), text.find(" has ") - text.find("PID")));
	};
	EXPECT_EQ(rows(live.out), rows(dead.out));
	for (const std::string &pid : pids)
		EXPECT_EQ(without_threads(block_of(live.out, pid)), without_threads(block_of(dead.out, pid)));
	for (const std::string &pid : {pids[2], asleep})
		EXPECT_TRUE(in_order(functions_of(block_of(dead.out, pid)),
			{"wait_in_vain", "wait_in_vain", "wait_in_vain", "sleeper_main", "stack_main"}))
			<< dead.out;
	EXPECT_TRUE(in_order(
		functions_of(block_of(dead.out, pids[0])), {"spin_for_ever", "on_spin", "stack_main"}))
		<< dead.out;
}

TEST_F(Debugger, SaysWhatIsWrong)
{
	Outcome o = run_gdb(attached(), {"dream bt", "dream bt nobody", "dream bt 4000000.1", "dream ps many",
						"dream symbols /nowhere", "dream ps 1"});
	EXPECT_NE(o.err.find("usage: dream bt [-full] PID"), std::string::npos) << o.err;
	EXPECT_NE(o.err.find("\"nobody\" is no pid"), std::string::npos) << o.err;
	EXPECT_NE(o.err.find("no process 4000000.1"), std::string::npos) << o.err;
	EXPECT_NE(o.err.find("usage: dream ps [COUNT]"), std::string::npos) << o.err;
	EXPECT_NE(o.err.find("/nowhere: no folder"), std::string::npos) << o.err;
	EXPECT_NE(o.out.find("counter@127.0.0.1 has "), std::string::npos) << o.out;
}

TEST(DebuggerAlone, SaysThatThereIsNoNode)
{
	Outcome o = run_gdb({}, {"dream ps"});
	EXPECT_NE(o.err.find("no program is running and no core is loaded"), std::string::npos) << o.err;
	o = run_gdb({std::string(DREAM_BIN) + "/dreamd"}, {"dream ps", "break main", "run", "dream ps"});
	EXPECT_NE(o.err.find("no node: none of the 1 threads"), std::string::npos) << o.out << o.err;
	o = run_gdb({"/bin/true"}, {"break exit", "run", "dream ps"});
	EXPECT_NE(o.err.find("/true: no symbol thread_ctx"), std::string::npos) << o.out << o.err;
}
