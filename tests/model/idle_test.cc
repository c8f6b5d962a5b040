// SPDX-License-Identifier: MIT
// Sleeping and waking of schedulers (node/sched/idle.c) and of the watchdog (node/sched/watch.c), step by step as written
// there, in every order. The property is that of their first comments: no work is left in the common queue or a hand-off
// slot while somebody could do it, and with no work everybody sleeps for good. What schedulers take from each other's
// own queues (node/sched/steal.c) is not in it.
#include <gtest/gtest.h>
#include <cstdint>

#include "model/explore.h"

namespace
{

// What is done wrong on purpose.
enum Mutation {
	NONE,
	SLEEPER_LOOKS_FIRST,    // and says then that it sleeps
	STOP_WAKES_NOBODY,      // who found work does not look whether there is more
	WAKER_GIVES_UP,         // when it found nobody to wake, without looking again
	WAKER_DOES_NOT_COUNT,   // whom it wakes as searching
	SLEEPER_DOES_NOT_COUNT, // itself, when nobody woke it
	GIVER_LOOKS_FIRST,      // whether anybody sleeps, and queues its work then
	WATCHDOG_LOOKS_FIRST,   // whether all sleep, and says then that it is dormant
	NOBODY_WAKES_WATCHDOG,
	RESCUE_WAKES_NOBODY, // what was taken out of a slot is queued without a word
};

const int MOST = 2; // schedulers; three have too many states

// What the processes do that are given from outside.
enum Work {
	SHORT,    // each is one short turn
	LONG,     // the first runs until all the others have run
	HANDS_OFF // the first wakes another one by a message, and runs until that one has run
};

struct Setup {
	int schedulers;
	int items; // given from outside, one by one
	Work work;
	Mutation mutation;
	int givers = 1; // threads that do
};

class Idle
{
      public:
	// node_idle_wake_one(), called from several places
	struct Waker {
		uint8_t pc;
		uint8_t mask;
		uint8_t bit;
		uint8_t back; // where its caller goes on
	};
	struct Scheduler {
		uint8_t pc;
		uint8_t kind;  // of the work in hand
		uint8_t woken; // the wake word is another than it saw
		uint8_t searching;
		uint8_t was_in; // its bit was still set
		Waker waker;
	};
	struct Watchdog {
		uint8_t pc;
		uint8_t at;     // whom it looks at
		uint8_t turned; // bitmap: who has begun a turn since the last look
		uint8_t awake;  // bitmap: who was awake at the last look
		uint8_t same;   // no turn has begun there since the last look
		uint8_t woken;
		Waker waker;
	};
	struct State {
		int8_t n_searching;
		uint8_t queue; // n_global
		uint8_t first_taken;
		uint8_t done;
		uint8_t sleepers;
		uint8_t dormant;
		uint8_t given;
		uint8_t giver_pc[MOST];
		uint8_t handoff[MOST];
		Waker givers[MOST];
		Watchdog dog;
		Scheduler s[MOST];
	};

	explicit Idle(const Setup &setup) : setup_(setup) {}

	static State first()
	{
		State state;
		memset(&state, 0, sizeof(state));
		return state;
	}
	int n_threads() const
	{
		return setup_.schedulers + setup_.givers + is_watched();
	}
	int choices() const
	{
		return 1;
	}

	const char *broken(const State &st) const
	{
		return st.n_searching < 0 ? "fewer than none search" : nullptr;
	}

	std::string text(const State &st) const
	{
		static const char *const places[] = {"FIND", "GLOBAL", "STOP", "STOP_WORK", "RUN", "HAND",
			"LONG_TURN", "TO_SLEEP", "SEEN", "BIT", "HAS_WORK", "WAIT", "LEAVE", "COUNT",
			"DORMANT", "WAKE_DOG"};
		std::string all = "queue " + std::to_string(st.queue) + ", sleepers " +
				  std::to_string(st.sleepers) + ", searching " +
				  std::to_string(st.n_searching) + ", dormant " + std::to_string(st.dormant) +
				  "; givers at " + std::to_string(st.givers[0].pc) + " and " +
				  std::to_string(st.givers[1].pc) + "; watchdog at " +
				  std::to_string(st.dog.pc) + "/" + std::to_string(st.dog.waker.pc);
		for (int i = 0; i < setup_.schedulers; i++)
			all += std::string("; ") + places[st.s[i].pc] + "/" +
			       std::to_string(st.s[i].waker.pc) + (st.handoff[i] ? " handed off" : "");
		return all;
	}

	bool finished(const State &st) const
	{
		int all = setup_.items + (setup_.work == HANDS_OFF);
		if (st.done < all || st.n_searching != 0)
			return false;
		if (is_watched() && (st.dog.pc != DOG_SLEEPS || st.dog.woken))
			return false;
		for (int i = 0; i < setup_.schedulers; i++)
			if (st.s[i].pc != WAIT || st.s[i].woken)
				return false;
		return true;
	}

	bool step(State *st, int thread, int) const
	{
		int giver = thread - setup_.schedulers;
		if (giver >= setup_.givers)
			return step_dog(st, &st->dog);
		if (giver >= 0)
			return step_giver(st, &st->givers[giver], &st->giver_pc[giver]);
		Scheduler *s = &st->s[thread];
		if (!step_waker(st, &s->waker, &s->pc))
			return step_scheduler(st, s, thread);
		return true;
	}

      private:
	enum {
		FIND,
		GLOBAL,
		STOP,
		STOP_WORK,
		RUN,
		HAND,
		LONG_TURN,
		TO_SLEEP,
		SEEN,
		BIT,
		HAS_WORK,
		WAIT,
		LEAVE,
		COUNT,
		DORMANT,
		WAKE_DOG
	};
	enum {
		DOG_LOOKS,
		DOG_TURNS,
		DOG_RESCUES,
		DOG_QUEUES,
		DOG_SEEN,
		DOG_DORMANT,
		DOG_ALL_SLEEP,
		DOG_SLEEPS,
		DOG_UP
	};

	// Without hand-off slots the watchdog has nothing to do; its steps would only multiply the states.
	bool is_watched() const
	{
		return setup_.work == HANDS_OFF;
	}

	// ---- node_idle_wake_one(), force_wake(), claim_sleeper()

	static void call_waker(Waker *w, int back)
	{
		*w = {1, 0, 0, (uint8_t) back};
	}

	// False: it is not at work. When it is done, *pc is where it was called to go on.
	bool step_waker(State *st, Waker *w, uint8_t *pc) const
	{
		if (w->pc == 0)
			return false;
		step_wake(st, w);
		if (w->pc == 0) {
			*pc = w->back;
			*w = {};
		}
		return true;
	}

	void step_wake(State *st, Waker *w) const
	{
		switch (w->pc) {
		case 1:
			w->pc = st->sleepers != 0 ? 2 : 0;
			return;
		case 2:
			w->pc = st->n_searching == 0 ? 3 : 0;
			return;
		case 3:
			if (setup_.mutation != WAKER_DOES_NOT_COUNT)
				st->n_searching++;
			w->pc = 4;
			return;
		case 4:
			w->mask = st->sleepers;
			w->bit = (uint8_t) (w->mask & -w->mask);
			w->pc = w->mask != 0 ? 5 : 6;
			return;
		case 5:
			claim(st, w);
			return;
		case 6:
			if (setup_.mutation != WAKER_DOES_NOT_COUNT)
				st->n_searching--;
			w->pc = st->n_searching == 0 && setup_.mutation != WAKER_GIVES_UP ? 7 : 0;
			return;
		case 7:
			w->pc = st->queue > 0 ? 8 : 0;
			return;
		case 8:
			w->pc = st->sleepers != 0 ? 3 : 0;
			return;
		default: /* node_idle_wake() */
			for (int i = 0; i < MOST; i++)
				if (w->bit == 1u << i)
					st->s[i].woken = 1;
			w->pc = 0;
		}
	}

	static void claim(State *st, Waker *w)
	{
		uint8_t before = st->sleepers;
		st->sleepers &= (uint8_t) ~w->bit;
		if (before & w->bit) {
			w->pc = 9;
			return;
		}
		w->mask = before;
		w->bit = (uint8_t) (before & -before);
		w->pc = before != 0 ? 5 : 6;
	}

	// ---- a thread that is no scheduler: wake_proc()

	bool step_giver(State *st, Waker *waker, uint8_t *pc) const
	{
		bool looks_first = setup_.mutation == GIVER_LOOKS_FIRST;
		if (step_waker(st, waker, pc))
			return true;
		if (st->given == setup_.items)
			return false;
		if (*pc == 0 && looks_first) {
			call_waker(waker, 1);
			return true;
		}
		st->queue++;
		st->given++;
		*pc = 0;
		if (!looks_first)
			call_waker(waker, 0);
		return true;
	}

	// ---- serve()

	bool step_scheduler(State *st, Scheduler *s, int me) const
	{
		switch (s->pc) {
		case FIND: /* find_work() */
			if (st->handoff[me])
				take_handed(st, s, me);
			else
				s->pc = GLOBAL;
			return true;
		case GLOBAL:
			take_global(st, s);
			return true;
		case STOP: /* stop_searching() */
			st->n_searching = (int8_t) (st->n_searching - s->searching);
			s->pc = s->searching && st->n_searching == 0 && setup_.mutation != STOP_WAKES_NOBODY
					? STOP_WORK
					: RUN;
			s->searching = 0;
			return true;
		case STOP_WORK:
			s->pc = RUN;
			if (st->queue > 0)
				call_waker(&s->waker, RUN);
			return true;
		default:
			return s->pc <= LONG_TURN ? step_run(st, s, me) : step_sleep(st, s, me);
		}
	}

	static void take_handed(State *st, Scheduler *s, int from)
	{
		st->handoff[from] = 0;
		s->kind = SHORT;
		s->pc = STOP;
	}

	void take_global(State *st, Scheduler *s) const
	{
		s->pc = TO_SLEEP;
		if (st->queue == 0)
			return;
		st->queue--;
		s->kind = (uint8_t) (st->first_taken ? SHORT : setup_.work);
		st->first_taken = 1;
		s->pc = STOP;
	}

	// node_run_turn(); what a process does in its turn
	bool step_run(State *st, Scheduler *s, int me) const
	{
		switch (s->pc) {
		case RUN:
			if (is_watched())
				st->dog.turned |= (uint8_t) (1u << me);
			s->pc = s->kind == HANDS_OFF ? HAND : s->kind == LONG ? LONG_TURN : FIND;
			if (s->pc == FIND)
				end_turn(st, s);
			return true;
		case HAND: /* node_queue_hand_off() */
			st->handoff[me] = 1;
			s->pc = LONG_TURN;
			return true;
		default: /* as long as what it waits for has not run */
			if (st->done < (s->kind == HANDS_OFF ? 1 : setup_.items - 1))
				return false;
			end_turn(st, s);
			return true;
		}
	}

	static void end_turn(State *st, Scheduler *s)
	{
		st->done++;
		s->kind = 0;
		s->pc = FIND;
	}

	// go_to_sleep(), node_idle_sleep(), sleep_until_reason(), node_watch_scheduler_woke()
	bool step_sleep(State *st, Scheduler *s, int me) const
	{
		bool looks_first = setup_.mutation == SLEEPER_LOOKS_FIRST;
		switch (s->pc) {
		case TO_SLEEP:
			st->n_searching = (int8_t) (st->n_searching - s->searching);
			s->searching = 0;
			s->pc = SEEN;
			return true;
		case SEEN:
			s->woken = 0;
			s->pc = looks_first && st->queue > 0 ? FIND : BIT;
			return true;
		case BIT:
			st->sleepers |= (uint8_t) (1u << me);
			s->pc = looks_first ? WAIT : HAS_WORK;
			return true;
		case HAS_WORK:
			s->pc = st->queue > 0 ? LEAVE : WAIT;
			return true;
		case WAIT: /* the futex */
			if (!s->woken)
				return false;
			s->pc = LEAVE;
			return true;
		case LEAVE:
			s->was_in = (st->sleepers >> me) & 1;
			st->sleepers &= (uint8_t) ~(1u << me);
			s->pc = COUNT;
			return true;
		case COUNT:
			if (s->was_in && setup_.mutation != SLEEPER_DOES_NOT_COUNT)
				st->n_searching++;
			s->searching = 1;
			s->was_in = s->woken = 0;
			s->pc = DORMANT;
			return true;
		case DORMANT:
			s->pc = st->dormant && setup_.mutation != NOBODY_WAKES_WATCHDOG ? WAKE_DOG : FIND;
			return true;
		default: /* one of those who see it wakes it */
			if (st->dormant)
				st->dog.woken = 1;
			st->dormant = 0;
			s->pc = FIND;
			return true;
		}
	}

	// ---- watch_main(); how often it looks before it goes to sleep makes no difference

	bool is_asleep(const State *st, int who) const
	{
		return (st->sleepers >> who & 1) != 0;
	}
	bool all_sleep(const State *st) const
	{
		return st->sleepers == (1u << setup_.schedulers) - 1;
	}

	bool step_dog(State *st, Watchdog *dog) const
	{
		if (step_waker(st, &dog->waker, &dog->pc))
			return true;
		switch (dog->pc) {
		case DOG_LOOKS: /* look_at(): its turns, then its bit */
			dog->same = (dog->turned >> dog->at & 1) == 0;
			dog->turned &= (uint8_t) ~(1u << dog->at);
			dog->pc = DOG_TURNS;
			return true;
		case DOG_TURNS:
			look(st, dog);
			return true;
		case DOG_RESCUES:
			dog->pc = st->handoff[dog->at] ? DOG_QUEUES : DOG_LOOKS;
			st->handoff[dog->at] = 0;
			if (dog->pc == DOG_LOOKS)
				look_at_next(dog);
			return true;
		case DOG_QUEUES: /* node_queue_push_global() */
			st->queue++;
			look_at_next(dog);
			if (setup_.mutation != RESCUE_WAKES_NOBODY)
				call_waker(&dog->waker, dog->pc);
			return true;
		default:
			return step_dog_sleep(st, dog);
		}
	}

	void look(State *st, Watchdog *dog) const
	{
		bool same = dog->same != 0, before = (dog->awake >> dog->at & 1) != 0,
		     awake = !is_asleep(st, dog->at);
		dog->awake &= (uint8_t) ~(1u << dog->at);
		dog->awake |= (uint8_t) (awake << dog->at);
		dog->same = 0;
		dog->pc = DOG_RESCUES;
		if (!(awake && before && same))
			look_at_next(dog);
	}

	// After the last one, again or to sleep.
	void look_at_next(Watchdog *dog) const
	{
		dog->at = (uint8_t) ((dog->at + 1) % setup_.schedulers);
		dog->pc = dog->at == 0 && dog->awake == 0 ? DOG_SEEN : DOG_LOOKS;
	}

	// sleep_until_woken()
	bool step_dog_sleep(State *st, Watchdog *dog) const
	{
		bool looks_first = setup_.mutation == WATCHDOG_LOOKS_FIRST;
		switch (dog->pc) {
		case DOG_SEEN:
			dog->woken = 0;
			dog->pc = looks_first && !all_sleep(st) ? DOG_LOOKS : DOG_DORMANT;
			return true;
		case DOG_DORMANT:
			st->dormant = 1;
			dog->pc = looks_first ? DOG_SLEEPS : DOG_ALL_SLEEP;
			return true;
		case DOG_ALL_SLEEP:
			dog->pc = all_sleep(st) ? DOG_SLEEPS : DOG_UP;
			return true;
		case DOG_SLEEPS:
			if (!dog->woken)
				return false;
			dog->pc = DOG_UP;
			return true;
		default:
			st->dormant = 0;
			dog->woken = 0;
			dog->pc = DOG_LOOKS;
			return true;
		}
	}

	Setup setup_;
};

// What is wrong, and how it comes to it; empty: nothing.
std::string explore(const Setup &setup)
{
	Idle model(setup);
	Verdict verdict = Explorer<Idle>(model).explore(Idle::first());
	return verdict.fault + verdict.path;
}

} // namespace

TEST(IdleModel, OneSchedulerGetsToAllItIsGivenAndSleepsThen)
{
	EXPECT_EQ(explore({1, 3, SHORT, NONE}), "");
	EXPECT_EQ(explore({1, 2, SHORT, NONE, 2}), "");
}

// Points 1 and 2 of idle.c.
TEST(IdleModel, WorkInTheQueueIsFoundThoughOneSchedulerIsBusyForLong)
{
	EXPECT_EQ(explore({2, 2, LONG, NONE}), "");
}

// Point 3 of idle.c.
TEST(IdleModel, WhatWasHandedOffInALongTurnIsTakenByAnother)
{
	EXPECT_EQ(explore({2, 1, HANDS_OFF, NONE}), "");
}

TEST(IdleModel, EachBrokenStepIsFound)
{
	EXPECT_NE(explore({1, 1, SHORT, SLEEPER_LOOKS_FIRST}), "");
	EXPECT_NE(explore({1, 1, SHORT, GIVER_LOOKS_FIRST}), "");
	EXPECT_NE(explore({2, 2, LONG, WAKER_DOES_NOT_COUNT}), "");
	EXPECT_NE(explore({2, 1, SHORT, SLEEPER_DOES_NOT_COUNT}), "");
	EXPECT_NE(explore({2, 2, LONG, STOP_WAKES_NOBODY}), "");
	EXPECT_NE(explore({1, 2, SHORT, WAKER_GIVES_UP, 2}), "");
	EXPECT_NE(explore({2, 1, HANDS_OFF, WATCHDOG_LOOKS_FIRST}), "");
	EXPECT_NE(explore({2, 1, HANDS_OFF, NOBODY_WAKES_WATCHDOG}), "");
	EXPECT_NE(explore({2, 1, HANDS_OFF, RESCUE_WAKES_NOBODY}), "");
}
