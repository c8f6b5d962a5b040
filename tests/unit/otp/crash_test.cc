// SPDX-License-Identifier: MIT
// A module's fault ends its process as any other end does: docs/containment.md. The module is tests/fixtures/crasher.c.
#include "sched/fault.h"
#include "support/node.h"

namespace
{

const char *const null_write = "[\"crash\", {\"way\": \"null_write\"}]";

class Crash : public testing::Test
{
      protected:
	Crash()
	{
		node_diag_t diag = {};
		node_fault_install(&before_);
		EXPECT_EQ(node_code_open(node, nullptr, &diag), DREAM_OK) << diag.text;
		EXPECT_EQ(node_code_load(node->code, DREAM_FIXTURES "/crasher.so", &gen, &diag), DREAM_OK)
			<< diag.text;
		node_code_unref(node_code_make_current(node->code, gen));
	}
	~Crash()
	{
		node_code_unref(gen);
		node.close();
		node_fault_uninstall(&before_);
	}
	void SetUp() override
	{
#if defined(__SANITIZE_THREAD__)
		GTEST_SKIP() << "ThreadSanitizer's own state does not survive a signal that leaves a fiber";
#endif
	}
	// Starts a kind of the module from `parent`; a code.
	int start(node_proc_t *parent, const char *kind, const std::string &args, dream_pid_t *ret_pid,
		const char *name = nullptr, bool link = false)
	{
		dream_msg_t *term_args = term(args);
		node_start_t how = {};
		how.module = "crasher";
		how.kind = kind;
		how.args = term_args;
		how.name = name;
		how.link = link;
		int r = node_start_kind(parent, &how, ret_pid);
		node_msg_unref(term_args);
		return r;
	}
	// A server, started by nobody in particular.
	dream_pid_t victim(const char *name = nullptr)
	{
		dream_pid_t pid = {0, 0, 0};
		node.go([&](node_proc_t *proc) {
			EXPECT_EQ(start(proc, "victim", "null", &pid, name), DREAM_OK);
		});
		return pid;
	}
	// What is said about it in an exit reason or a log line.
	static bool is_crash(const std::string &text)
	{
		return text.find("[\"crash\", \"SIGSEGV\", \"crasher.so(crash_null_write+0x") !=
		       std::string::npos;
	}

      private:
	node_fault_before_t before_;

      protected:
	SimNode node;
	node_gen_t *gen = nullptr;
};

} // namespace

TEST_F(Crash, CallerHearsSignalAndPlace) // GS-9
{
	dream_pid_t pid = victim();
	std::string answer;
	node.go([&](node_proc_t *proc) { answer = call(proc, pid, null_write); });
	EXPECT_TRUE(is_crash(answer)) << answer;
	EXPECT_EQ(answer.substr(0, 11), "error -4003");
	EXPECT_FALSE(node.alive(pid));
}

TEST_F(Crash, CallersThatWaitedInTheMailboxHearTheReasonToo)
{
	dream_pid_t pid = victim();
	std::string answers[3];
	node.go([&](node_proc_t *proc) { (void) sys(proc, pid, NODE_SYS_SUSPEND); });
	for (std::string &answer : answers)
		node.go([&](node_proc_t *proc) { answer = call(proc, pid, null_write); });
	node.go([&](node_proc_t *proc) { (void) sys(proc, pid, NODE_SYS_RESUME); });
	for (const std::string &answer : answers)
		EXPECT_TRUE(is_crash(answer)) << answer;
}

TEST_F(Crash, LinksAndMonitorsHearTheReason) // EXIT-4
{
	std::string exit, down;
	node.go([&](node_proc_t *proc) {
		dream_pid_t pid;
		uint64_t ref;
		node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
		ASSERT_EQ(start(proc, "victim", "null", &pid, nullptr, true), DREAM_OK);
		ASSERT_EQ(node_proc_monitor(proc, pid, nullptr, &ref), DREAM_OK);
		(void) call(proc, pid, null_write);
		exit = receive(proc);
		down = receive(proc);
	});
	EXPECT_TRUE(is_crash(exit)) << exit;
	EXPECT_TRUE(is_crash(down)) << down;
}

TEST_F(Crash, NameIsFreeWhenTheCallerHears) // EXIT-4
{
	dream_pid_t pid = victim("somebody");
	int again = -1;
	node.go([&](node_proc_t *proc) {
		dream_pid_t second;
		(void) call(proc, pid, null_write);
		again = start(proc, "victim", "null", &second, "somebody");
	});
	EXPECT_EQ(again, DREAM_OK);
}

TEST_F(Crash, InInitFailsTheStart) // GS-4
{
	dream_pid_t pid = {0, 0, 0};
	int r = DREAM_OK;
	std::string reason;
	node.go([&](node_proc_t *proc) {
		r = start(proc, "victim", "\"in_init\"", &pid, "nobody");
		reason = text(node_proc_reason_borrow(proc));
	});
	EXPECT_EQ(r, DREAM_EINIT);
	EXPECT_TRUE(is_crash(reason)) << reason;
	EXPECT_EQ(node_names_whereis(node, "nobody", &pid), DREAM_ENOENT);
}

TEST_F(Crash, InTerminateReplacesTheReason)
{
	std::string down;
	node.go([&](node_proc_t *proc) {
		dream_pid_t pid;
		uint64_t ref;
		dream_msg_t *reason;
		ASSERT_EQ(start(proc, "bad_end", "null", &pid), DREAM_OK);
		ASSERT_EQ(node_proc_monitor(proc, pid, nullptr, &ref), DREAM_OK);
		(void) sys(proc, pid, NODE_SYS_TERMINATE);
		ASSERT_EQ(node_call_await_down(proc, ref, NODE_FOREVER, &reason), DREAM_OK);
		down = text_take(reason);
	});
	EXPECT_TRUE(is_crash(down)) << down;
}

// The node is then in the middle of its own function, which must leave nothing behind.
TEST_F(Crash, InAFunctionThatPicksMessagesEndsTheReceiver)
{
	std::string down;
	node.go(
		[&](node_proc_t *proc) {
			dream_pid_t pid;
			uint64_t ref;
			dream_msg_t *reason;
			ASSERT_EQ(start(proc, "picky", "null", &pid), DREAM_OK);
			ASSERT_EQ(node_proc_monitor(proc, pid, nullptr, &ref), DREAM_OK);
			(void) node_proc_link(
				proc, pid); /* a kind of message that is made for the function */
			dream_dest_t to = {pid, nullptr, nullptr};
			dream_msg_t *reply;
			EXPECT_EQ(node_call_take(proc, &to, term("[1, 2]"), DREAM_INFINITY, &reply),
				DREAM_EDOWN);
			ASSERT_EQ(node_call_await_down(proc, ref, NODE_FOREVER, &reason), DREAM_OK);
			down = text_take(reason);
		},
		{.flags = NODE_PROC_TRAP_EXIT});
	EXPECT_TRUE(is_crash(down)) << down;
}

TEST_F(Crash, EndsAProcessWithoutABehaviourToo)
{
	std::string down;
	node.go([&](node_proc_t *proc) {
		dream_pid_t pid;
		uint64_t ref;
		dream_msg_t *reason;
		ASSERT_EQ(start(proc, "doomed", "null", &pid), DREAM_OK);
		ASSERT_EQ(node_proc_monitor(proc, pid, nullptr, &ref), DREAM_OK);
		ASSERT_EQ(node_call_await_down(proc, ref, NODE_FOREVER, &reason), DREAM_OK);
		down = text_take(reason);
	});
	EXPECT_TRUE(is_crash(down) || down == "\"noproc\"") << down;
	EXPECT_EQ(node_code_crashes(gen), 1u);
}

TEST_F(Crash, TaintsTheGenerationAndSaysSo)
{
	EXPECT_EQ(node_code_crashes(gen), 0u);
	for (int i = 0; i < 2; i++) {
		dream_pid_t pid = victim();
		node.go([&](node_proc_t *proc) { (void) call(proc, pid, null_write); });
	}
	EXPECT_EQ(node_code_crashes(gen), 2u);
	EXPECT_EQ(node.logged("address 0x0 is not mapped; its module is tainted, crash 2"), 1u);
	EXPECT_EQ(node.logged("crasher.so(crash_null_write+0x"),
		4u); // where it was, and why it ended, each time
}

TEST_F(Crash, OfAProcessThatIsAboutToDieKeepsTheFirstReason) // EXIT-2
{
	dream_pid_t pid = victim();
	std::string down;
	node.go([&](node_proc_t *proc) {
		uint64_t ref;
		dream_msg_t *reason;
		ASSERT_EQ(node_proc_monitor(proc, pid, nullptr, &ref), DREAM_OK);
		exit_signal(node, proc, pid, "\"kill\"");
		(void) send(node, proc, pid, null_write);
		ASSERT_EQ(node_call_await_down(proc, ref, NODE_FOREVER, &reason), DREAM_OK);
		down = text_take(reason);
	});
	EXPECT_EQ(down, "\"killed\"");
	EXPECT_EQ(node_code_crashes(gen), 0u);
}

TEST_F(Crash, SchedulerGoesOnWithTheSameStack)
{
	for (int i = 0; i < 100; i++) {
		dream_pid_t pid = victim();
		std::string answer;
		node.go([&](node_proc_t *proc) {
			answer = call(proc, pid, "[\"crash\", {\"way\": \"overflow\"}]");
		});
		ASSERT_NE(answer.find("\"SIGSEGV\", \"crasher.so(deeper+0x"), std::string::npos) << answer;
	}
	dream_pid_t pid = victim();
	std::string answer;
	node.go([&](node_proc_t *proc) { answer = call(proc, pid, "[\"work\", {\"count\": 1}]"); });
	EXPECT_EQ(answer, "{\"count\": 2}");
}

TEST_F(Crash, LeavesTheControlWordsOfFloatingPointAsTheyWere)
{
	dream_pid_t pid = victim();
	double third = 0;
	node.go([&](node_proc_t *proc) {
		(void) call(proc, pid, "[\"crash\", {\"way\": \"rounding\"}]");
		volatile double one = 1, three = 3;
		third = one / three;
	});
	EXPECT_EQ(third, 1.0 / 3.0);
	EXPECT_EQ(node_code_crashes(gen), 1u);
}
