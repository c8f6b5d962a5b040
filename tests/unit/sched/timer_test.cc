// SPDX-License-Identifier: MIT
// Timers and the processes they are for (TMR).
#include "support/node.h"

#include <algorithm>
#include <atomic>
#include <cstdio>

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

// ---- start_timer, read_timer, options (TMR-1 to TMR-5)

TEST(StartTimer, SendsTimeoutWithItsReference) // TMR-1, timer_bif_SUITE:start_timer_1
{
	SimNode node;
	std::string got, ref_is;
	int64_t at = 0, start = node.now_ms();
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref;
		ASSERT_EQ(
			dream_start_timer_take(dream_to(dream_self()), owned("[1]"), 30, 0, &ref), DREAM_OK);
		EXPECT_EQ(dream_read_timer(ref, 0), 30);
		got = receive(proc, DREAM_INFINITY);
		at = node.now_ms();
		EXPECT_EQ(dream_read_timer(ref, 0), DREAM_ENOENT);
		EXPECT_EQ(dream_cancel_timer(ref), DREAM_ENOENT);
		char number[32];
		snprintf(number, sizeof(number), "%llu", static_cast<unsigned long long>(ref.id));
		ref_is = number;
	});
	node.advance(100);
	EXPECT_EQ(got.rfind("[\"timeout\", ", 0), 0u) << got;
	EXPECT_NE(got.find(ref_is), std::string::npos) << got;
	EXPECT_EQ(got.substr(got.size() - 6), ", [1]]") << got;
	EXPECT_EQ(at, start + 30);
}

TEST(StartTimer, AbsoluteTimesAreOfTheClockAndMayHavePassed) // TMR-3
{
	SimNode node;
	std::vector<int64_t> at;
	int64_t start = node.now_ms();
	node.go([&](node_proc_t *proc) {
		dream_dest_t me = dream_to(dream_self());
		int64_t now_ms = dream_now_ns() / 1000000;
		ASSERT_EQ(dream_send_at_take(me, owned("1"), now_ms + 20, nullptr), DREAM_OK);
		ASSERT_EQ(dream_start_timer_take(me, owned("2"), now_ms + 10, DREAM_TIMER_ABS, nullptr),
			DREAM_OK);
		ASSERT_EQ(dream_send_at_take(me, owned("3"), now_ms - 500, nullptr), DREAM_OK);
		ASSERT_EQ(dream_send_at_take(me, owned("4"), -5, nullptr), DREAM_OK);
		EXPECT_EQ(dream_send_at_take(me, owned("5"), INT64_MAX, nullptr), DREAM_EINVAL);
		EXPECT_EQ(dream_start_timer_take(me, owned("6"), -1, 0, nullptr), DREAM_EINVAL);
		EXPECT_EQ(dream_start_timer_take(me, owned("7"), 1, 64, nullptr), DREAM_EINVAL);
		for (int i = 0; i < 4; i++) {
			(void) receive(proc, DREAM_INFINITY);
			at.push_back(node.now_ms() - start);
		}
	});
	node.advance(100);
	ASSERT_EQ(at.size(), 4u);
	EXPECT_LE(at[1], 1); // those that have passed: with the next tick
	EXPECT_EQ(at[2], 10);
	EXPECT_EQ(at[3], 20);
}

TEST(StartTimer, CancelAndReadCanAnswerByMessageOrNotAtAll) // TMR-2
{
	SimNode node;
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		dream_ref_t ref, other;
		dream_dest_t me = dream_to(dream_self());
		ASSERT_EQ(dream_send_after_take(me, owned("1"), 50, &ref), DREAM_OK);
		ASSERT_EQ(dream_send_after_take(me, owned("2"), 50, &other), DREAM_OK);
		EXPECT_EQ(dream_read_timer(ref, DREAM_TIMER_ASYNC), DREAM_OK);
		EXPECT_EQ(dream_cancel_timer_as(ref, DREAM_TIMER_ASYNC), DREAM_OK);
		EXPECT_EQ(dream_cancel_timer_as(ref, DREAM_TIMER_ASYNC), DREAM_OK);
		EXPECT_EQ(dream_cancel_timer_as(other, DREAM_TIMER_NO_INFO), DREAM_OK);
		for (int i = 0; i < 4; i++)
			got.push_back(receive(proc, 100));
	});
	node.advance(500);
	ASSERT_EQ(got.size(), 4u);
	EXPECT_EQ(got[0].rfind("[\"read_timer\", ", 0), 0u);
	EXPECT_NE(got[0].find(", 50]"), std::string::npos) << got[0];
	EXPECT_EQ(got[1].rfind("[\"cancel_timer\", ", 0), 0u);
	EXPECT_NE(got[1].find(", 50]"), std::string::npos) << got[1];
	EXPECT_NE(got[2].find(", false]"), std::string::npos) << got[2];
	EXPECT_EQ(got[3], "(timeout)");
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(StartTimer, UnknownFlagsChangeNothing) // TMR-2
{
	SimNode node;
	node.go([&](node_proc_t *) {
		dream_ref_t ref;
		ASSERT_EQ(dream_send_after_take(dream_to(dream_self()), owned("1"), 50, &ref), DREAM_OK);
		EXPECT_EQ(dream_cancel_timer_as(ref, DREAM_TIMER_ABS), DREAM_EINVAL);
		EXPECT_EQ(dream_read_timer(ref, DREAM_TIMER_NO_INFO), DREAM_EINVAL);
		EXPECT_EQ(dream_read_timer(ref, 0), 50);
	});
}

TEST(StartTimer, AnybodyCanAskAndCancel) // TMR-2
{
	SimNode node;
	dream_ref_t timer = {0, 0, 0};
	std::string got;
	node.go([&](node_proc_t *proc) {
		ASSERT_EQ(dream_send_after_take(dream_to(dream_self()), owned("1"), 50, &timer), DREAM_OK);
		got = receive(proc, 100);
	});
	node.go([&](node_proc_t *) {
		EXPECT_EQ(dream_read_timer(timer, 0), 50);
		EXPECT_EQ(dream_cancel_timer(timer), 50);
		EXPECT_EQ(dream_read_timer(timer, 0), DREAM_ENOENT);
	});
	node.advance(200);
	EXPECT_EQ(got, "(timeout)");
}

TEST(StartTimer, AliasIsNoDestination) // TMR-1: a pid or a name
{
	SimNode node;
	node.go([&](node_proc_t *) {
		dream_ref_t alias;
		ASSERT_EQ(dream_alias(0, &alias), DREAM_OK);
		EXPECT_EQ(dream_send_after_take(dream_to_alias(alias), owned("1"), 1, nullptr), DREAM_EINVAL);
	});
}

TEST(TimerMass, OneTickOfAHundredThousandLetsOthersRun) // TMR-5, timer_bif_SUITE:same_time_yielding
{
	SimNode node;
	const int n = 100000;
	int got = 0;
	uint32_t most_between = 0;
	dream_pid_t receiver = node.go([&](node_proc_t *proc) {
		for (; got < n; got++)
			(void) receive(proc, DREAM_INFINITY);
	});
	for (int i = 0; i < n; i++) {
		node_sig_t *sig = node_sig_new_take(NODE_SIG_MSG, receiver, receiver, 0, term("1"));
		ASSERT_EQ(node_timer_start_take(node, sig, nullptr, 100, nullptr), DREAM_OK);
	}
	auto *clock = static_cast<VirtualClock *>(node->clock->data);
	node.go([&](node_proc_t *proc) { // how many fire between two of its turns
		uint32_t before = node_timer_count(node);
		clock->now_ns += 200 * NODE_MS;
		while (got < n) {
			node_sched_yield(proc);
			uint32_t left = node_timer_count(node);
			most_between = std::max(most_between, before - left);
			before = left;
		}
	});
	EXPECT_EQ(got, n);
	EXPECT_GT(most_between, 0u);
	EXPECT_LE(most_between, 20000u); // 64 hand-offs of some 256
}

TEST(TimerMass, HundredThousandOfADeadOwnerAreFreedBitByBit) // TMR-5, timer_bif_SUITE:auto_cancel_yielding
{
	SimNode node;
	const uint32_t n = 100000;
	uint32_t most_between = 0;
	bool seen = false;
	dream_pid_t owner = node.go([&](node_proc_t *proc) {
		for (uint32_t i = 0; i < n; i++)
			ASSERT_EQ(dream_send_after_take(
					  dream_to(dream_self()), owned("1"), 100000 + i, nullptr),
				DREAM_OK);
		wait_forever(proc);
	});
	node.spawn([&](node_proc_t *proc) {
		uint32_t before = node_timer_count(node);
		EXPECT_EQ(before, n);
		exit_signal(node, proc, owner, "\"kill\"");
		EXPECT_EQ(dream_is_process_alive(owner), 0);
		while (before > 0) {
			node_sched_yield(proc);
			uint32_t left = node_timer_count(node);
			most_between = std::max(most_between, before - left);
			seen |= left > 0 && left < n;
			before = left;
		}
	});
	node.run();
	EXPECT_EQ(node_timer_count(node), 0u);
	EXPECT_TRUE(seen);
	EXPECT_LE(most_between, 4096u);
}

TEST(TimerMass, OfTheDeadCountNoMore) // TMR-2, TMR-5
{
	SimNode node;
	std::vector<dream_ref_t> refs(1000);
	dream_pid_t owner = node.go([&](node_proc_t *proc) {
		for (dream_ref_t &ref : refs)
			ASSERT_EQ(dream_send_after_take(dream_to(dream_self()), owned("1"), 1000, &ref),
				DREAM_OK);
		wait_forever(proc);
	});
	node.go([&](node_proc_t *proc) {
		exit_signal(node, proc, owner, "\"kill\"");
		EXPECT_EQ(dream_is_process_alive(owner), 0);
		for (dream_ref_t ref : refs) {
			EXPECT_EQ(dream_read_timer(ref, 0), DREAM_ENOENT);
			EXPECT_EQ(dream_cancel_timer(ref), DREAM_ENOENT);
		}
	});
}

TEST(TimerMass,
	EvilOnesAcrossThreadsComeOrAreCancelledAndNothingStays) // timer_bif_SUITE:{evil_timers,cleanup}
{
	ThreadNode node;
	std::atomic<int> wrong{0};
	std::vector<std::vector<dream_ref_t>> all(8, std::vector<dream_ref_t>(500));
	for (int k = 0; k < 8; k++)
		node.spawn([&, k](node_proc_t *proc) {
			std::vector<dream_ref_t> &refs = all[k];
			int expected = 0, got = 0;
			for (size_t i = 0; i < refs.size(); i++)
				EXPECT_EQ(dream_start_timer_take(dream_to(dream_self()), owned("1"),
						  static_cast<int64_t>(i % 7), 0, &refs[i]),
					DREAM_OK);
			for (size_t i = 0; i < refs.size(); i += 2)
				expected -= dream_cancel_timer(refs[i]) >= 0;
			expected += static_cast<int>(refs.size());
			if (k % 4 == 3) // and dies with the rest
				node_proc_exit_take(proc, nullptr);
			for (; got < expected; got++)
				if (receive(proc, 5000) == "(timeout)")
					break;
			wrong += got != expected || receive(proc, 20) != "(timeout)";
		});
	EXPECT_TRUE(node.wait_bodies());
	EXPECT_EQ(wrong, 0);
	Latch freed(1);
	node.spawn([&](node_proc_t *proc) {
		while (node_timer_count(node) > 0)
			node_sched_yield(proc);
		freed.hit();
	});
	EXPECT_TRUE(freed.wait());
}

static node_sig_t *message(dream_pid_t to, const std::string &notation)
{
	return node_sig_new_take(NODE_SIG_MSG, to, dream_pid_t{0, 0, 0}, 0, term(notation));
}

static uint64_t start(node_t *node, dream_pid_t to, int64_t delay_ms, const std::string &notation = "1")
{
	uint64_t ref = 0;
	EXPECT_EQ(node_timer_start_take(node, message(to, notation), nullptr, delay_ms, &ref), DREAM_OK);
	return ref;
}

TEST(Timer, MessagesOfAnySizeArriveAsTheyWere) // small ones lie in the timer, others beside it
{
	SimNode node;
	std::vector<std::string> sent, got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 40; i++)
			got.push_back(receive(proc, DREAM_INFINITY));
	});
	for (size_t i = 0; i < 40; i++) {
		sent.push_back("\"" + std::string(i, 'x') + "\"");
		start(node, pid, (int64_t) (i + 1), sent.back());
	}
	node.advance(41);
	EXPECT_EQ(got, sent);
}

TEST(Timer, ReferenceIsNotThatOfTheNextInItsPlace) // TMR-2: it would end somebody else's
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	uint64_t before = start(node, pid, 1000);
	EXPECT_EQ(node_timer_cancel(node, before), 1000);
	uint64_t after = start(node, pid, 1000);
	EXPECT_NE(before, after);
	EXPECT_EQ(node_timer_cancel(node, before), DREAM_ENOENT);
	EXPECT_EQ(node_timer_count(node), 1u);
	EXPECT_EQ(node_timer_cancel(node, after), 1000);
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, ReferencesThatNeverWereAreNoTimers)
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	uint64_t ref = start(node, pid, 1000);
	const uint64_t others[] = {0, 1, ref + 1, ref + (1u << 25), ref ^ (UINT64_C(1) << 63),
		ref ^ (UINT64_C(1) << 62), UINT64_MAX, node_proc_new_ref(node)};
	for (uint64_t other : others) {
		EXPECT_EQ(node_timer_read(node, other), DREAM_ENOENT) << other;
		EXPECT_EQ(node_timer_cancel(node, other), DREAM_ENOENT) << other;
	}
	EXPECT_EQ(node_timer_read(node, ref), 1000);
}

TEST(Timer, NoOtherReferenceIsATimers)
{
	SimNode node;
	for (int i = 0; i < 10000; i++)
		EXPECT_EQ(node_proc_new_ref(node) >> 62, 0u);
	EXPECT_EQ(start(node, node.go(wait_forever), 1) >> 62, 1u);
}

TEST(Timer, TellsWhatIsLeftUntilItHasCome) // TMR-2: read_timer
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	uint64_t ref = start(node, pid, 1000);
	node.advance(400);
	EXPECT_EQ(node_timer_read(node, ref), 600);
	node.advance(601);
	EXPECT_EQ(node_timer_read(node, ref), DREAM_ENOENT);
}

TEST(Timer, NeverTellsMoreThanIsLeft) // TMR-2: the wheel's millisecond ends later than what was asked for
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	node.pass(1000);
	uint64_t ref = start(node, pid, 7);
	EXPECT_EQ(node_timer_read(node, ref), 7);
	node.pass(1000);
	EXPECT_EQ(node_timer_read(node, ref), 6);
	node.pass(6 * NODE_MS - 1000);
	EXPECT_EQ(node_timer_read(node, ref), 1);
	EXPECT_EQ(node_timer_cancel(node, ref), 1);
}

TEST(Timer, OfAReferenceWhoseProcessEndsBeforeItStartsDoesNotStart) // TMR-1
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) { (void) receive(proc, DREAM_INFINITY); });
	uint64_t ref = node_timer_new_ref(node, pid);
	uint64_t other = start(node, pid, 1000);
	send(node, nullptr, pid, "1");
	node.run();
	EXPECT_EQ(node_timer_read(node, other), DREAM_ENOENT);
	EXPECT_EQ(node_timer_start_ref_take(node, message(pid, "1"), nullptr, 5, false, &ref), DREAM_OK);
	ref = node_timer_new_ref(node, pid); // dead already
	EXPECT_EQ(node_timer_start_ref_take(node, message(pid, "1"), nullptr, 5, false, &ref), DREAM_OK);
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, ManyMoreThanOneSlabHoldsAllCome)
{
	SimNode node;
	const int n = 20000;
	int got = 0;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		while (receive(proc, DREAM_INFINITY) == "1")
			got++;
	});
	for (int i = 0; i < n; i++)
		start(node, pid, 1 + i % 500);
	EXPECT_EQ(node_timer_count(node), (uint32_t) n);
	node.advance(501);
	EXPECT_EQ(got, n);
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, ManyOfAProcessThatEndsAreEndedBetweenTheTurnsOfOthers) // TMR-5
{
	SimNode node;
	const uint32_t n = 10000;
	uint32_t seen_by_next = 0;
	int64_t cancelled = 0;
	uint64_t last = 0;
	node.spawn([&](node_proc_t *proc) {
		for (uint32_t i = 0; i < n; i++)
			last = start(node, node_proc_pid(proc), 3600000);
	});
	node.spawn([&](node_proc_t *) {
		seen_by_next = node_timer_count(node);
		cancelled = node_timer_cancel(node, last);
	});
	node.run();
	EXPECT_GT(seen_by_next, 0u);
	EXPECT_LT(seen_by_next, n);
	EXPECT_EQ(cancelled, DREAM_ENOENT); // its process is gone, and so is it for everybody
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, OfANewProcessStaysWhileThoseOfAnEndedOneGo) // TMR-1
{
	SimNode node;
	uint64_t ref = 0;
	node.spawn([&](node_proc_t *proc) {
		for (int i = 0; i < 1000; i++)
			start(node, node_proc_pid(proc), 3600000);
	});
	node.spawn([&](node_proc_t *) { ref = start(node, node.spawn(wait_forever), 1000); });
	node.run();
	EXPECT_EQ(node_timer_count(node), 1u);
	EXPECT_EQ(node_timer_read(node, ref), 1000);
}

TEST(Timer, StartsWithAReferenceMadeBefore) // for the message to contain it (TMR-1)
{
	SimNode node;
	std::string got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) { got = receive(proc, DREAM_INFINITY); });
	uint64_t ref = node_timer_new_ref(node, pid);
	EXPECT_EQ(node_timer_read(node, ref), DREAM_ENOENT);
	EXPECT_EQ(node_timer_start_ref_take(node, message(pid, "7"), nullptr, 50, false, &ref), DREAM_OK);
	EXPECT_EQ(node_timer_read(node, ref), 50);
	node.advance(51);
	EXPECT_EQ(got, "7");
	EXPECT_EQ(node_timer_cancel(node, ref), DREAM_ENOENT);
}

TEST(Timer, WhoseReferenceWasGivenUpDoesNotStart)
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	uint64_t ref = node_timer_new_ref(node, pid);
	EXPECT_EQ(node_timer_cancel(node, ref), DREAM_ENOENT);
	EXPECT_EQ(node_timer_start_ref_take(node, message(pid, "7"), nullptr, 50, false, &ref), DREAM_OK);
	EXPECT_EQ(node_timer_count(node), 0u);
}

TEST(Timer, AbsoluteTimeIsOfTheClock) // TMR-3
{
	SimNode node;
	std::vector<std::string> got;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		for (int i = 0; i < 2; i++)
			got.push_back(receive(proc, DREAM_INFINITY));
	});
	uint64_t then = 0, past = node_timer_new_ref(node, pid);
	EXPECT_EQ(node_timer_start_ref_take(
			  node, message(pid, "\"then\""), nullptr, node.now_ms() + 100, true, &then),
		DREAM_OK);
	EXPECT_EQ(node_timer_start_ref_take(node, message(pid, "\"past\""), nullptr, -5, true, &past),
		DREAM_OK);
	node.advance(2);
	EXPECT_EQ(got, std::vector<std::string>{"\"past\""});
	node.advance(99);
	EXPECT_EQ(got.back(), "\"then\"");
}

TEST(Timer, TimesOutsideTheirBoundsAreRefused) // TMR-3
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever);
	EXPECT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, -1, nullptr), DREAM_EINVAL);
	EXPECT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, NODE_TIMER_MAX_MS + 1, nullptr),
		DREAM_EINVAL);
	uint64_t ref = node_timer_new_ref(node, pid);
	EXPECT_EQ(node_timer_start_ref_take(node, message(pid, "1"), nullptr, -1, false, &ref), DREAM_EINVAL);
	EXPECT_EQ(node_timer_start_take(node, message(pid, "1"), nullptr, NODE_TIMER_MAX_MS, nullptr),
		DREAM_OK);
	EXPECT_EQ(node_timer_count(node), 1u);
}
