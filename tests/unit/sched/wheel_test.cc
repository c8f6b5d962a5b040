// SPDX-License-Identifier: MIT
// The timer wheel against a sorted list; TMR-4: never early.
#include <gtest/gtest.h>
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <vector>
#include "sched/wheel.h"

namespace
{

struct Timer {
	node_wheel_entry_t entry = {};
	int64_t deadline_ns = 0;
	bool armed = false;
	std::vector<Timer *> *fired = nullptr;
};

void fire(void *data)
{
	Timer *timer = static_cast<Timer *>(data);
	timer->armed = false;
	timer->fired->push_back(timer);
}

struct Wheel {
	node_wheel_t wheel;
	int64_t now_ns;
	std::vector<Timer *> fired;
	std::vector<std::unique_ptr<Timer>> timers;

	explicit Wheel(int64_t start_ms = 12345) : now_ns(start_ms * NODE_MS)
	{
		node_wheel_init(&wheel, now_ns);
	}

	Timer *add(int64_t deadline_ns)
	{
		timers.push_back(std::make_unique<Timer>());
		return arm(timers.back().get(), deadline_ns);
	}
	Timer *arm(Timer *timer, int64_t deadline_ns)
	{
		timer->entry.fire = fire;
		timer->entry.data = timer;
		timer->deadline_ns = deadline_ns;
		timer->armed = true;
		timer->fired = &fired;
		node_wheel_add(&wheel, &timer->entry, deadline_ns);
		return timer;
	}
	Timer *after_ms(int64_t ms)
	{
		return add(now_ns + ms * NODE_MS);
	}
	uint32_t go_to(int64_t ns)
	{
		now_ns = ns;
		return node_wheel_advance(&wheel, ns);
	}
};

} // namespace

TEST(Wheel, FiresAtItsTickAndNotBefore) // TMR-4
{
	Wheel w;
	int64_t deadline = w.now_ns + 10 * NODE_MS + 1; // rounds up
	w.add(deadline);
	EXPECT_EQ(w.go_to(deadline - 1), 0u);
	EXPECT_EQ(w.go_to(deadline), 0u) << "in the middle of a tick";
	EXPECT_EQ(w.go_to(deadline + NODE_MS), 1u);
}

TEST(Wheel, EveryLevelCascades)
{
	for (int level = 0; level < 7; level++)
		for (int64_t extra : {0, 1, 63, 64, 65}) {
			Wheel w;
			int64_t ms = ((int64_t) 1 << (6 * level)) + extra;
			Timer *t = w.after_ms(ms);
			int64_t deadline = t->deadline_ns;
			while (w.fired.empty()) { // as a scheduler does: sleep until something may happen
				int64_t next = node_wheel_next_ns(&w.wheel);
				ASSERT_LE(next, deadline) << "level " << level << " + " << extra;
				ASSERT_GT(next, w.now_ns);
				w.go_to(next);
			}
			EXPECT_EQ(w.now_ns, deadline) << "level " << level << " + " << extra;
		}
}

TEST(Wheel, OneLeapOverEverythingFiresAllInOrder)
{
	Wheel w;
	for (int64_t ms = 1; ms < (int64_t) 1 << 40; ms = ms * 3 + 1)
		w.after_ms(ms);
	size_t n = w.timers.size();
	EXPECT_EQ(w.go_to(w.now_ns + ((int64_t) 1 << 41) * NODE_MS), n);
	for (size_t i = 1; i < n; i++)
		EXPECT_LT(w.fired[i - 1]->deadline_ns, w.fired[i]->deadline_ns);
	EXPECT_EQ(node_wheel_next_ns(&w.wheel), NODE_FOREVER);
}

TEST(Wheel, ManyAtOneTickOfAHigherLevelAllFireAtIt) // some stood behind the entries of lower levels
{
	Wheel w(0);
	int64_t tick = 64 * 5;
	for (int i = 0; i < 100; i++)
		w.add(tick * NODE_MS);
	w.add((tick + 3) * NODE_MS); // goes down to the lowest level in between
	EXPECT_EQ(w.go_to(tick * NODE_MS), 100u);
	EXPECT_EQ(w.go_to((tick + 3) * NODE_MS), 1u);
}

TEST(Wheel, DeadlineInThePastFiresAtTheNextTick)
{
	Wheel w;
	w.add(w.now_ns - 1000 * NODE_MS);
	EXPECT_EQ(w.go_to(w.now_ns), 0u);
	EXPECT_EQ(w.go_to(w.now_ns + NODE_MS), 1u);
}

TEST(Wheel, FarthestDeadlineDoesNotFireEarly)
{
	Wheel w;
	Timer *far = w.add(INT64_MAX - 2 * NODE_MS);
	w.go_to(w.now_ns + ((int64_t) 1 << 42) * NODE_MS);
	EXPECT_TRUE(far->armed);
	EXPECT_TRUE(node_wheel_cancel(&far->entry));
}

TEST(Wheel, CancelTellsWhetherItWasArmed)
{
	Wheel w;
	Timer *t = w.after_ms(10);
	EXPECT_TRUE(node_wheel_cancel(&t->entry));
	EXPECT_FALSE(node_wheel_cancel(&t->entry));
	EXPECT_EQ(w.go_to(w.now_ns + 20 * NODE_MS), 0u);
	Timer *fired = w.after_ms(1);
	w.go_to(w.now_ns + 2 * NODE_MS);
	EXPECT_FALSE(node_wheel_cancel(&fired->entry));
	node_wheel_entry_t never = {};
	EXPECT_FALSE(node_wheel_cancel(&never));
}

TEST(Wheel, NothingArmedMeansForever)
{
	Wheel w;
	EXPECT_EQ(node_wheel_next_ns(&w.wheel), NODE_FOREVER);
	Timer *t = w.after_ms(100);
	EXPECT_LE(node_wheel_next_ns(&w.wheel), t->deadline_ns);
}

TEST(Wheel, AgreesWithASortedListWhateverIsDone)
{
	for (unsigned seed = 1; seed <= 60; seed++) {
		std::mt19937_64 random(seed);
		Wheel w(static_cast<int64_t>(random() % 1000000));
		std::multimap<int64_t, Timer *> model; // by the tick at which it has to fire
		std::vector<Timer *> idle;
		auto tick_of = [&](int64_t deadline_ns) {
			int64_t tick = (deadline_ns + NODE_MS - 1) / NODE_MS;
			return std::max(tick, w.now_ns / NODE_MS + 1);
		};
		for (int step = 0; step < 400; step++) {
			unsigned what = random() % 8;
			if (what < 4) {
				int64_t span = (int64_t) 1 << (random() % 40);
				int64_t deadline =
					w.now_ns + static_cast<int64_t>(random() % (span * NODE_MS));
				unsigned copies = random() % 16 == 0 ? 70 : 1;
				for (unsigned i = 0; i < copies; i++) {
					Timer *t =
						idle.empty() ? w.add(deadline) : w.arm(idle.back(), deadline);
					if (!idle.empty())
						idle.pop_back();
					model.emplace(tick_of(deadline), t);
				}
			} else if (what < 6 && !model.empty()) {
				auto at =
					std::next(model.begin(), static_cast<long>(random() % model.size()));
				EXPECT_TRUE(node_wheel_cancel(&at->second->entry)) << "seed " << seed;
				idle.push_back(at->second);
				model.erase(at);
			} else {
				int64_t span = (int64_t) 1 << (random() % 41);
				w.fired.clear();
				w.go_to(w.now_ns + static_cast<int64_t>(random() % (span * NODE_MS)));
				std::vector<int64_t> ticks;
				for (Timer *t : w.fired) {
					EXPECT_LE(t->deadline_ns, w.now_ns) << "early; seed " << seed;
					idle.push_back(t);
				}
				auto end = model.upper_bound(w.now_ns / NODE_MS);
				EXPECT_EQ(w.fired.size(), (size_t) std::distance(model.begin(), end))
					<< "seed " << seed;
				model.erase(model.begin(), end);
				int64_t next = node_wheel_next_ns(&w.wheel);
				EXPECT_GT(next, w.now_ns / NODE_MS * NODE_MS)
					<< "would not sleep; seed " << seed;
				if (!model.empty()) {
					EXPECT_LE(next, model.begin()->first * NODE_MS)
						<< "would oversleep; seed " << seed;
				}
			}
			if (::testing::Test::HasFailure())
				return;
		}
	}
}
