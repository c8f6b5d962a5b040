// SPDX-License-Identifier: MIT
#include "sched/fault.h"
#include "support/app_node.h"

static const std::string v1 = DREAM_MODULES "/counter-1.0.0.so";
static const std::string v2 = DREAM_MODULES "/counter-2.0.0.so";
static const std::string fails = DREAM_FIXTURES "/counter_fails.so";
static const std::string adds = DREAM_FIXTURES "/counter_adds.so";
static const std::string without = DREAM_FIXTURES "/counter_without.so";
static const std::string waits = DREAM_FIXTURES "/counter_waits.so";

// A node whose counter runs `file` and holds 5.
class Upgrade : public ::testing::Test
{
      protected:
	void run_counter(const std::string &file = v1)
	{
		ASSERT_EQ(node.load(file), DREAM_OK) << node.diag.text;
		ASSERT_EQ(node.start("counter"), DREAM_OK) << node.diag.text;
		if (file == v1) {
			ASSERT_EQ(node.call("counter", "[\"add\", {\"by\": 5}]"), "{\"value\": 5}");
		}
	}
	std::string current()
	{
		node_gen_t *gen = node_code_current_ref(node->code, "counter");
		std::string vsn = gen->vsn;
		node_code_unref(gen);
		return vsn;
	}
	AppNode node;
};

TEST_F(Upgrade, CarriesTheStateOverByFieldNames)
{
	run_counter();
	EXPECT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 5, \"changes\": 0}");
	EXPECT_STREQ(node.report.from_vsn, "1.0.0");
	EXPECT_STREQ(node.report.to_vsn, "2.0.0");
	EXPECT_EQ(node.report.n_changed, 3u); // server, supervisor, application master
}

TEST_F(Upgrade, KeepsTheProcessesAndTheirNames)
{
	run_counter();
	dream_pid_t before = {0, 0, 0}, after = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &before), DREAM_OK);
	ASSERT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
	ASSERT_EQ(node_names_whereis(node, "counter", &after), DREAM_OK);
	EXPECT_TRUE(dream_pid_equal(before, after));
}

TEST_F(Upgrade, WhatIsStartedLaterRunsTheNewVersion)
{
	run_counter();
	ASSERT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
	dream_pid_t pid = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &pid), DREAM_OK);
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 0, \"changes\": 0}");
}

TEST_F(Upgrade, CodeChangeCorrectsWhatTheNamesGave)
{
	run_counter();
	EXPECT_EQ(node.upgrade("counter", adds), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"doubled\": 10, \"from\": 1}");
}

// SYS-7
TEST_F(Upgrade, FailedCodeChangeLeavesOldStateAndOldCodeRunning)
{
	run_counter();
	EXPECT_EQ(node.upgrade("counter", fails), DREAM_ECODECHANGE);
	EXPECT_NE(strstr(node.diag.text, "counter"), nullptr);
	EXPECT_NE(strstr(node.diag.text, "ERANGE"), nullptr) << node.diag.text;
	EXPECT_EQ(current(), "1.0.0");
	EXPECT_EQ(node.call("counter", "[\"add\", {\"by\": 1}]"), "{\"value\": 6}");
}

TEST_F(Upgrade, CrashInCodeChangeEndsTheProcessAndRefusesTheUpgrade)
{
	run_counter();
	node_fault_before_t before;
	node_fault_install(&before);
	EXPECT_EQ(node.upgrade("counter", DREAM_FIXTURES "/counter_crashes.so"), DREAM_ECODECHANGE);
	node_fault_uninstall(&before);
	EXPECT_NE(strstr(node.diag.text, "[\"crash\", \"SIGSEGV\", \"counter_crashes.so(change+0x"), nullptr)
		<< node.diag.text;
	EXPECT_EQ(current(), "1.0.0");
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 0}"); // started anew, on the old code
	EXPECT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
}

TEST_F(Upgrade, CrashInLoadRefusesTheUpgrade)
{
	run_counter();
	node_fault_before_t before;
	node_fault_install(&before);
	EXPECT_LT(node.upgrade("counter", DREAM_FIXTURES "/load_crashes.so"), 0);
	node_fault_uninstall(&before);
	EXPECT_NE(strstr(node.diag.text, "[\"crash\", \"SIGSEGV\", \"load_crashes.so(loaded+0x"), nullptr)
		<< node.diag.text;
	EXPECT_EQ(current(), "1.0.0");
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 5}");
}

TEST_F(Upgrade, AfterAFailedOneTheNextSucceeds)
{
	run_counter();
	ASSERT_EQ(node.upgrade("counter", fails), DREAM_ECODECHANGE);
	EXPECT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 5, \"changes\": 0}");
}

TEST_F(Upgrade, GoesBackToAnOlderVersionTheSameWay)
{
	run_counter();
	ASSERT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
	ASSERT_EQ(node.call("counter", "[\"add\", {\"by\": 2}]"), "{\"value\": 7}");
	EXPECT_EQ(node.upgrade("counter", v1), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 7}");
}

TEST_F(Upgrade, IsRefusedWhenAKindInUseIsGone)
{
	run_counter();
	EXPECT_EQ(node.upgrade("counter", without), DREAM_ECODECHANGE);
	EXPECT_NE(strstr(node.diag.text, "no gen_server \"counter\""), nullptr) << node.diag.text;
	EXPECT_EQ(current(), "1.0.0");
}

TEST_F(Upgrade, ToWhatRunsAlreadyIsRefused)
{
	run_counter();
	EXPECT_EQ(node.upgrade("counter", v1), DREAM_EALREADY);
}

TEST_F(Upgrade, OfAnotherModulesFileIsRefused)
{
	run_counter();
	EXPECT_EQ(node.upgrade("counter", DREAM_FIXTURES "/apps.so"), DREAM_EMODULE);
	EXPECT_NE(strstr(node.diag.text, "apps"), nullptr) << node.diag.text;
}

TEST_F(Upgrade, OfAModuleThatIsNotLoadedIsNotFound)
{
	EXPECT_EQ(node.upgrade("ghost", v1), DREAM_ENOENT);
	EXPECT_NE(strstr(node.diag.text, "ghost"), nullptr);
}

TEST_F(Upgrade, OfAMissingFileNamesTheFile)
{
	run_counter();
	EXPECT_EQ(node.upgrade("counter", "/nowhere/counter-2.0.0.so"), DREAM_ENOENT);
	EXPECT_NE(strstr(node.diag.text, "/nowhere/counter-2.0.0.so"), nullptr) << node.diag.text;
}

// A callback that does not return keeps its process from changing: named, and nothing has changed.
TEST_F(Upgrade, ProcessInsideACallbackIsNamedAfterTheDeadline)
{
	run_counter(waits);
	dream_pid_t server = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
	std::string reply;
	node.go([&](node_proc_t *proc) { reply = call(proc, server, "\"wait\""); });
	int result = 1;
	node_diag_t diag = {};
	node_upgrade_report_t report = {};
	node.go([&](node_proc_t *proc) {
		result = node_upgrade_module(proc, "counter", v2.c_str(), 1000, &report, &diag);
	});
	EXPECT_EQ(result, 1);
	node.advance(1001);
	EXPECT_EQ(result, DREAM_ETIMEDOUT);
	char name[300];
	EXPECT_NE(strstr(diag.text, node_proc_pid_text(node, server, name)), nullptr) << diag.text;
	EXPECT_EQ(current(), "0.9.0");
	send(node, nullptr, server, "\"go\"");
	node.run();
	EXPECT_EQ(reply, "{\"value\": 0}");
}

// The same wait, shorter than the deadline: the upgrade waits for the message boundary.
TEST_F(Upgrade, WaitsForACallbackToReturn)
{
	run_counter(waits);
	dream_pid_t server = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
	std::string reply;
	node.go([&](node_proc_t *proc) { reply = call(proc, server, "\"wait\""); });
	int result = 1;
	node_diag_t diag = {};
	node_upgrade_report_t report = {};
	node.go([&](node_proc_t *proc) {
		result = node_upgrade_module(proc, "counter", v2.c_str(), 1000, &report, &diag);
	});
	send(node, nullptr, server, "\"go\"");
	node.run();
	EXPECT_EQ(reply, "{\"value\": 0}");
	EXPECT_EQ(result, DREAM_OK) << diag.text;
	EXPECT_EQ(current(), "2.0.0");
}

TEST_F(Upgrade, IsOneAtATime)
{
	run_counter(waits);
	dream_pid_t server = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
	node.go([&](node_proc_t *proc) { call(proc, server, "\"wait\""); });
	node_diag_t diag = {};
	node_upgrade_report_t report = {};
	node.go([&](node_proc_t *proc) {
		node_upgrade_module(proc, "counter", v2.c_str(), 1000, &report, &diag);
	});
	EXPECT_EQ(node.upgrade("counter", v2), DREAM_EBUSY);
}

// Who asked for it may go away: an upgrade is never left half done.
TEST_F(Upgrade, GoesOnWhenItsCallerIsKilled)
{
	run_counter(waits);
	dream_pid_t server = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
	node.go([&](node_proc_t *proc) { call(proc, server, "\"wait\""); });
	node_diag_t diag = {};
	node_upgrade_report_t report = {};
	dream_pid_t caller = node.go([&](node_proc_t *proc) {
		node_upgrade_module(proc, "counter", v2.c_str(), 1000, &report, &diag);
	});
	exit_signal(node, nullptr, caller, "\"kill\"");
	node.run();
	send(node, nullptr, server, "\"go\"");
	node.run();
	EXPECT_EQ(current(), "2.0.0");
}

// Calls that came while the old version was busy are answered by the new one, in order; none is lost.
TEST_F(Upgrade, CallsThatWaitedAreAnsweredByTheNewVersion)
{
	run_counter(waits);
	dream_pid_t server = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
	std::vector<std::string> replies;
	node.go([&](node_proc_t *proc) { replies.push_back(call(proc, server, "\"wait\"")); });
	node_diag_t diag = {};
	node_upgrade_report_t report = {};
	int result = 1;
	node.go([&](node_proc_t *proc) {
		result = node_upgrade_module(proc, "counter", v2.c_str(), 5000, &report, &diag);
	});
	// the check is queued; this call is behind it, and the upgrade request will be behind this call
	node.go([&](node_proc_t *proc) { replies.push_back(call(proc, server, "\"wait\"")); });
	send(node, nullptr, server, "\"go\"");
	node.run();
	send(node, nullptr, server, "\"go\"");
	node.run();
	EXPECT_EQ(result, DREAM_OK) << diag.text;
	ASSERT_EQ(replies.size(), 2u);
	EXPECT_EQ(node.call("counter", "[\"add\", {\"by\": 1}]"), "{\"value\": 1}");
}

TEST_F(Upgrade, ApplicationFollowsWithItsDescription)
{
	run_counter();
	ASSERT_EQ(node.upgrade("counter", adds), DREAM_OK) << node.diag.text;
	GArray *list = node_app_list(node);
	ASSERT_EQ(list->len, 1u);
	const node_app_info_t *info = &g_array_index(list, node_app_info_t, 0);
	EXPECT_STREQ(info->vsn, "4.0.0");
	EXPECT_STREQ(info->description, "doubles");
	g_array_free(list, TRUE);
}

TEST_F(Upgrade, OfAStoppedApplicationStartsInTheNewVersion)
{
	run_counter();
	ASSERT_EQ(node.stop("counter"), DREAM_OK);
	ASSERT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.report.n_changed, 0u);
	ASSERT_EQ(node.start("counter"), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 0, \"changes\": 0}");
}

TEST_F(Upgrade, BackAndForthManyTimesKeepsTheValueAndTheMemory)
{
	run_counter();
	dream_pid_t server = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
	node_proc_t *proc = node_proctab_find(node, server.id);
	uint64_t before = proc->heap_bytes;
	for (int i = 0; i < 25; i++) {
		ASSERT_EQ(node.upgrade("counter", v2), DREAM_OK) << node.diag.text;
		ASSERT_EQ(node.upgrade("counter", v1), DREAM_OK) << node.diag.text;
	}
	EXPECT_EQ(node.call("counter", "\"get\""), "{\"value\": 5}");
	EXPECT_EQ(proc->heap_bytes, before);
}

// A code_change that the check did not see fail, and one that is still at it when the time is up.
class UpgradeBack : public Upgrade
{
      protected:
	void begin()
	{
		run_counter();
		node.go([this](node_proc_t *proc) {
			result = node_upgrade_module(proc, "counter", second.c_str(), 1000, &report, &diag);
		});
		EXPECT_EQ(result, 1);
	}
	void order(const char *what)
	{
		dream_pid_t server = {0, 0, 0};
		ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
		send(node, nullptr, server, what);
		node.run();
	}
	// Every process of the module, the application too, is where it was.
	void expect_nothing_changed()
	{
		uint32_t pos = 0;
		node_proc_t *proc;
		EXPECT_EQ(current(), "1.0.0");
		while ((proc = node_proctab_next(node, &pos)) != nullptr)
			if (proc->gen != nullptr) {
				EXPECT_STREQ(proc->gen->vsn, "1.0.0") << proc->label;
			}
		EXPECT_EQ(node.call("counter", "[\"add\", {\"by\": 1}]"), "{\"value\": 6}");
	}
	const std::string second = DREAM_FIXTURES "/counter_second.so";
	int result = 1;
	node_diag_t diag = {};
	node_upgrade_report_t report = {};
};

TEST_F(UpgradeBack, FailureAfterTheFlipTakesEverybodyBack)
{
	begin();
	order("\"fail\"");
	EXPECT_EQ(result, DREAM_ECODECHANGE);
	EXPECT_NE(strstr(diag.text, "ERANGE"), nullptr) << diag.text;
	expect_nothing_changed();
}

// It went over after it had been counted as one that stayed, and was alone in the version that was given up.
TEST_F(UpgradeBack, StragglerThatArrivesLateGoesBackToo)
{
	begin();
	node.advance(1001);
	node.advance(NODE_UPGRADE_DEADLINE_MS + 1);
	EXPECT_EQ(result, DREAM_ETIMEDOUT);
	order("\"go\"");
	expect_nothing_changed();
}

// Its request leaked, and the upgrade waited for it until the deadline.
TEST_F(UpgradeBack, ProcessKilledInItsCodeChangeIsWaitedForNoLonger)
{
	begin();
	dream_pid_t server = {0, 0, 0};
	ASSERT_EQ(node_names_whereis(node, "counter", &server), DREAM_OK);
	exit_signal(node, nullptr, server, "\"kill\"");
	node.run();
	EXPECT_EQ(result, DREAM_OK) << diag.text;
	EXPECT_EQ(current(), "5.0.0");
}

TEST_F(UpgradeBack, ProcessThatRunsTheUpgradeCanBeClosedInTheMiddle) // the round's table leaked
{
	begin();
	node.close();
}
