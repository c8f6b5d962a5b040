// SPDX-License-Identifier: MIT
// Crashes of modules in a real node: docs/containment.md. The module is tests/fixtures/crasher.c.
#include <glib.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "support/daemon.h"

namespace
{

// A sanitizer's own memory must not hide what a crash leaves behind; the signals are the node's anyway.
struct Environment : testing::Environment {
	void SetUp() override
	{
		std::string before = getenv("ASAN_OPTIONS") != nullptr ? getenv("ASAN_OPTIONS") : "";
		setenv("ASAN_OPTIONS",
			(before + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=16:malloc_context_"
				  "size=1")
				.c_str(),
			1);
	}
};
const testing::Environment *const environment = testing::AddGlobalTestEnvironment(new Environment);

bool has(const std::string &text, const std::string &part)
{
	return text.find(part) != std::string::npos;
}

bool matches(const std::string &text, const char *pattern)
{
	return g_regex_match_simple(pattern, text.c_str(), (GRegexCompileFlags) 0, (GRegexMatchFlags) 0);
}

testing::AssertionResult holds(const std::string &text, const std::string &part)
{
	return has(text, part) ? testing::AssertionSuccess()
			       : testing::AssertionFailure() << part << " is not in: " << text;
}

#define EXPECT_HAS(text, part) EXPECT_TRUE(holds(text, part))

std::string config(const Scratch &scratch)
{
	return base_config() + "crash_dir=" + scratch.path(".") +
	       "\napplications=crasher\n[application.crasher]\nfile=" DREAM_FIXTURES "/crasher.so\n";
}

class Containment : public testing::Test
{
      protected:
	Containment() : node(config(scratch)) {}
	void SetUp() override
	{
		ASSERT_TRUE(node.ready()) << node.log();
	}
	std::string ok(const std::string &line)
	{
		Outcome o = node.command(line);
		EXPECT_EQ(o.status, 0) << line << ": " << o.err;
		return o.out;
	}
	// What the caller of a server hears that crashes so.
	std::string crash(const std::string &way)
	{
		Outcome o = node.command("call victim_0 [\"crash\", {\"way\": \"" + way + "\"}]");
		EXPECT_NE(o.status, 0) << way << " did not crash: " << o.out;
		return o.err;
	}
	void end_by(const std::string &way)
	{
		(void) node.command("call victim_0 [\"crash\", {\"way\": \"" + way + "\"}]", "1");
	}
	// It ended by that signal, and wrote a report.
	void expect_end(int number, const std::string &why)
	{
		std::string file = scratch.path("dreamd-crash-" + std::to_string(node.pid()) + ".txt");
		EXPECT_EQ(node.wait_signal(), number) << node.log();
		std::ifstream stream(file);
		std::stringstream report;
		report << stream.rdbuf();
		EXPECT_HAS(report.str(), "dreamd: crash: ");
		EXPECT_HAS(report.str(), why);
		EXPECT_HAS(report.str(), "counter@127.0.0.1");
		EXPECT_HAS(node.log(), report.str());
		EXPECT_HAS(node.log(), "the report is in " + file);
	}
	Scratch scratch;
	Daemon node;
};

struct Way {
	const char *way;
	const char *reason; // its beginning
};

// GoogleTest prints it.
void PrintTo(const Way &way, std::ostream *out)
{
	*out << way.way;
}

class ContainmentOf : public Containment, public testing::WithParamInterface<Way>
{
};

} // namespace

// B: the server ends with signal and place, is started anew, and its module is marked.
TEST_P(ContainmentOf, EndsTheServerAlone)
{
	EXPECT_HAS(crash(GetParam().way), GetParam().reason);
	EXPECT_TRUE(node.eventually("call victim_0 [\"work\", {\"count\": 1}]", "{\"count\": 2}"));
	EXPECT_HAS(ok("call worker_0 [\"work\", {\"count\": 1}]"), "{\"count\": 2}");
	EXPECT_HAS(ok("info victim_0"), "tainted by 1 crashes");
	EXPECT_HAS(node.log(), "crash of process <");
	node.signal(SIGTERM);
	EXPECT_EQ(node.wait(), 0) << node.log();
}

INSTANTIATE_TEST_SUITE_P(Faults, ContainmentOf,
	testing::Values(Way{"null_write", "[\"crash\", \"SIGSEGV\", \"crasher.so(crash_null_write+0x"},
		Way{"wild_read", "\"SIGSEGV\", \"crasher.so(crash_wild_read+0x"},
		Way{"jump", "\"SIGSEGV\", \"crasher.so(crash_jump+0x"},
		Way{"null_call", "\"SIGSEGV\", \"crasher.so(crash_null_call+0x"},
		Way{"division", "\"SIGFPE\", \"crasher.so(crash_division+0x"},
		Way{"illegal", "\"SIGILL\", \"crasher.so(crash_illegal+0x"},
		Way{"trap", "\"SIGTRAP\", \"crasher.so(crash_trap+0x"},
		Way{"abort", "\"SIGABRT\", \"crasher.so(crash_abort+0x"},
		Way{"assert", "\"SIGABRT\", \"crasher.so(crash_assert"}, // or crash_assert.cold, with gcc 14
		Way{"overflow", "\"SIGSEGV\", \"crasher.so(deeper+0x"},
		Way{"overflow_in_call", "\"SIGSEGV\", \"crasher.so(deeper_with_calls+0x"},
		Way{"overflow_in_text", "\"SIGSEGV\", \"crasher.so(deeper_with_text+0x"},
		Way{"bus", "\"SIGBUS\", \"crasher.so(crash_bus+0x"},
		Way{"read_only", "\"SIGSEGV\", \"crasher.so(crash_read_only+0x"},
		Way{"strlen", "\"SIGSEGV\", \"crasher.so(crash_strlen+0x"},
		Way{"memcpy", "\"SIGSEGV\", \"crasher.so(crash_memcpy+0x"},
		Way{"large_memmove", "\"SIGSEGV\", \"crasher.so(crash_large_memmove+0x"},
		Way{"memset", "\"SIGSEGV\", \"crasher.so(crash_memset+0x"},
		Way{"snprintf", "\"SIGSEGV\", \"crasher.so(crash_snprintf+0x"},
		Way{"in_qsort", "\"SIGSEGV\", \"crasher.so(crash_null_write+0x"},
		Way{"exit", "\"exit\", \"crasher.so(crash_exit+0x"},
		Way{"_exit", "\"exit\", \"crasher.so(crash_in_quick_exit+0x"}),
	[](const testing::TestParamInfo<Way> &info) {
		std::string name = info.param.way;
		return name[0] == '_' ? "System" + name.substr(1) : name;
	});

TEST_F(Containment, NamesTheLineOfTheCrash)
{
	EXPECT_TRUE(matches(crash("null_write"),
		"\"crasher\\.so\\(crash_null_write\\+0x[0-9a-f]+\\) crasher\\.c:[0-9]+\""));
	EXPECT_HAS(node.log(), "address 0x0 is not mapped");
	EXPECT_HAS(node.log(), " < crasher.so(on_crash");
}

TEST_F(Containment, ShowsHowOftenAModuleCrashed)
{
	EXPECT_TRUE(matches(ok("apps"), "crasher .* 0  crashes on request"));
	crash("trap");
	EXPECT_TRUE(node.eventually("call victim_0 [\"work\", {\"count\": 1}]", "{\"count\": 2}"));
	crash("trap");
	EXPECT_TRUE(matches(ok("apps"), "crasher .* 2  crashes on request"));
}

// C: nobody can say what the node's own functions were in the middle of.
TEST_F(Containment, FaultInTheNodeEndsItWithAReport)
{
	end_by("wild_argument");
	expect_end(SIGSEGV, "the node's own code");
	EXPECT_HAS(node.log(), "stack_main+0x");
	EXPECT_HAS(node.log(), "process <");
}

TEST_F(Containment, FaultInTheLibraryUnderALockEndsTheNode)
{
	end_by("stream");
	expect_end(SIGSEGV, "in a library function that may hold a lock");
}

TEST_F(Containment, FaultInWhatIsDoneOnceEndsTheNode)
{
	end_by("once");
	expect_end(SIGSEGV, ", in "); // whose frame is seen depends on how the library was compiled
}

TEST_F(Containment, SignalFromOutsideIsNobodysFault)
{
	node.signal(SIGSEGV);
	expect_end(SIGSEGV, "sent by process " + std::to_string(getpid()));
}

TEST_F(Containment, SignalThatAModuleSendsToTheProcessEndsTheNode)
{
	end_by("kill");
	expect_end(SIGSEGV, "sent by process ");
}

namespace
{

long resident_pages(int pid)
{
	std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
	long size = 0, resident = 0;
	file >> size >> resident;
	return resident;
}

uint64_t number(const std::string &text, const std::string &name)
{
	size_t at = text.find("\"" + name + "\": ");
	return at == std::string::npos ? ~0ull : std::stoull(text.substr(at + name.size() + 4));
}

class ContainmentUnderLoad : public Containment
{
      protected:
	std::string run(unsigned crashes)
	{
		EXPECT_EQ(ok("call lab [\"run\", {\"crashes\": " + std::to_string(crashes) +
				  ", \"n_ways\": 10, \"seed\": 88172645463325252, \"first_victim\": 0, "
				  "\"clients\": 8}]"),
			"{\"count\": 0}\n");
		EXPECT_TRUE(node.eventually("call lab \"report\"", "\"busy\": 0"));
		return ok("call lab \"report\"");
	}
};

} // namespace

// Ten ways at random, each in a server that others call meanwhile.
TEST_F(ContainmentUnderLoad, SurvivesTenThousandCrashesAndKeepsNothing)
{
	run(20000); // until what grows once has grown
	long before = resident_pages(node.pid());
	std::string report = run(10000);
	long after = resident_pages(node.pid());
	printf("resident KiB %ld, after 10,000 crashes %ld; %s", before * 4, after * 4, report.c_str());
	EXPECT_EQ(number(report, "crashed"), 30000u) << report;
	EXPECT_EQ(number(report, "wrong"), 0u) << report;
	EXPECT_EQ(number(report, "lost"), 0u) << report;
	EXPECT_GT(number(report, "answered"), 10000u) << report;
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	EXPECT_LE(after, before + before / 50) << report;
#else // its allocator keeps what is free for itself; that nothing is left behind it looks for itself, at the end
	EXPECT_LE(after, before + before / 5) << report;
#endif
	EXPECT_EQ(ok("call lab \"stop\""), "{\"count\": 0}\n");
	EXPECT_HAS(ok("info victim_0"), "tainted by 30000 crashes");
	node.signal(SIGTERM);
	EXPECT_EQ(node.wait(), 0) << node.log().substr(node.log().size() - 2000);
}
