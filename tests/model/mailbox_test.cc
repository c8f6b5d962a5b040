// SPDX-License-Identifier: MIT
// The mailbox and the sleep of its process as one word (node/proc/proctab.c): push, rest, rouse, take_signals, and the call
// that claims a sleeping server (node_proc_claim). Senders, the scheduler that runs the process, one that may steal it,
// and a timer, in every order of their atomic steps.
#include <gtest/gtest.h>
#include <cstdint>

#include "model/explore.h"

namespace
{

// What is done wrong on purpose.
enum Mutation {
	NONE,
	REST_STORES,       // rest overwrites the word without looking
	REST_LOOKS_FIRST,  // rest looks, then writes
	PUSH_STORES,       // push writes what it has read before
	PUSH_WAKES_NOBODY, // push forgets the sleeper
	PUSH_WAKES_ALWAYS, // push wakes a process that is awake
	ROUSE_STORES,      // a timer writes without looking
	ALARM_GIVES_UP,    // a timer that finds the process awake leaves it at that
	TAKE_READS_THEN_CLEARS,
	TAKE_KEEPS_ORDER,  // newest first
	CLAIM_LOOKS_FIRST, // a caller looks whether the server sleeps, then takes it
	CLOSE_DROPS,       // the end of a process forgets what has just come
};

const uint8_t EMPTY = 0, CLOSED = 1, ASLEEP = 2, FIRST_NODE = 3; // values of the word
const int SENDERS = 2, EACH = 2, SCHEDULERS = 2;
const int TIMER = SENDERS + SCHEDULERS;
const uint8_t REMINDER = FIRST_NODE + SENDERS * EACH; // the node of the timer

class Mailbox
{
      public:
	// A signal lies in a node of its sender's memory; once handled the node is free and used again, so that the
	// word may have the same value with another meaning.
	struct Node {
		uint8_t next;
		uint8_t number; // of the sender's signals, from 1
		uint8_t used;
	};
	struct Sender {
		uint8_t pc;
		uint8_t old;
		uint8_t node;
		uint8_t sent;
	};
	struct Scheduler {
		uint8_t pc;
		uint8_t old;
	};
	struct State {
		uint8_t word;
		uint8_t queued; // times in run queues
		uint8_t running;
		Node nodes[SENDERS * EACH + 1];
		Sender senders[SENDERS];
		Scheduler schedulers[SCHEDULERS];
		uint8_t timer_pc;
		uint8_t timer_old;
		uint8_t fired;
		uint8_t noticed; // in a turn that began later
		uint8_t handled[SENDERS];
		uint8_t bounced[SENDERS];
		uint8_t disorder;
		uint8_t dead;
	};

	Mailbox(Mutation mutation, bool dies) : mutation_(mutation), dies_(dies) {}

	static State first()
	{
		State s;
		memset(&s, 0, sizeof(s));
		s.word = ASLEEP;
		return s;
	}
	int n_threads() const
	{
		return TIMER + 1;
	}
	int choices() const
	{
		return 2;
	}

	const char *broken(const State &s) const
	{
		if (s.queued + s.running > 1)
			return "a process is in a queue or running twice";
		if (s.disorder)
			return "signals of one sender are out of order";
		return nullptr;
	}

	static std::string text(const State &s)
	{
		std::string all = "word " + std::to_string(s.word) + ", queued " + std::to_string(s.queued) +
				  ", running " + std::to_string(s.running);
		for (const Sender &sender : s.senders)
			all += ", sender at " + std::to_string(sender.pc) + " sent " +
			       std::to_string(sender.sent);
		for (const Scheduler &scheduler : s.schedulers)
			all += ", scheduler at " + std::to_string(scheduler.pc);
		return all + ", timer at " + std::to_string(s.timer_pc);
	}

	bool finished(const State &s) const
	{
		for (int i = 0; i < SENDERS; i++)
			if (s.senders[i].sent < EACH || s.handled[i] + s.bounced[i] < EACH)
				return false;
		if (s.fired && !s.noticed && !s.dead)
			return false;
		return s.queued == 0 && s.running == 0 && s.word == (s.dead ? CLOSED : ASLEEP);
	}

	bool step(State *s, int thread, int choice) const
	{
		if (thread < SENDERS)
			return step_sender(s, thread, choice == 1);
		if (choice > 0)
			return false;
		if (thread < TIMER)
			return step_scheduler(s, &s->schedulers[thread - SENDERS]);
		return step_timer(s);
	}

      private:
	static int sender_of(uint8_t node)
	{
		return (node - FIRST_NODE) / EACH;
	}
	static Node &node_at(State *s, uint8_t node)
	{
		return s->nodes[node - FIRST_NODE];
	}

	// node_proctab_push(), or as a call
	bool step_sender(State *s, int me, bool calls) const
	{
		Sender &p = s->senders[me];
		if (p.pc == 0 && calls)
			return begin_claim(s, &p);
		if (calls)
			return false;
		switch (p.pc) {
		case 0: /* load */
			if (p.sent == EACH)
				return false;
			p.node = (uint8_t) (FIRST_NODE + me * EACH);
			while (node_at(s, p.node).used)
				p.node++;
			node_at(s, p.node) = {0, ++p.sent, 1};
			p.old = s->word;
			p.pc = 1;
			return true;
		case 3: /* the second half of a broken claim */
			s->word = EMPTY;
			s->running++;
			p.pc = 4;
			return true;
		case 4: /* the process is the caller's now: the call goes where a handled signal goes */
			s->disorder |= p.sent != s->handled[me];
			s->handled[me]++;
			p.sent++;
			s->running--;
			s->queued++;
			p.pc = 0;
			return true;
		case 1: /* compare and exchange, again with what was found */
			return push(s, &p, me);
		default: /* hooks.wake */
			s->queued++;
			p.pc = 0;
			return true;
		}
	}

	// node_proc_claim()
	bool begin_claim(State *s, Sender *p) const
	{
		if (p->sent == EACH || s->word != ASLEEP)
			return false;
		if (mutation_ == CLAIM_LOOKS_FIRST) {
			p->pc = 3;
			return true;
		}
		s->word = EMPTY;
		s->running++;
		p->pc = 4;
		return true;
	}

	bool push(State *s, Sender *p, int me) const
	{
		if (p->old == CLOSED) {
			node_at(s, p->node).used = 0;
			s->bounced[me]++;
			p->pc = 0;
			return true;
		}
		if (s->word != p->old && mutation_ != PUSH_STORES) {
			p->old = s->word;
			return true;
		}
		node_at(s, p->node).next = p->old == ASLEEP ? EMPTY : p->old;
		s->word = p->node;
		bool wakes = p->old == ASLEEP || mutation_ == PUSH_WAKES_ALWAYS;
		p->pc = wakes && mutation_ != PUSH_WAKES_NOBODY ? 2 : 0;
		return true;
	}

	// One turn: node_sched's run(), with node_proc_drain() and node_proc_rest().
	bool step_scheduler(State *s, Scheduler *p) const
	{
		switch (p->pc) {
		case 0: /* from its queue, or stolen */
			if (s->queued == 0)
				return false;
			s->queued--;
			s->running++;
			p->pc = 1;
			return true;
		case 1:
			take(s, p);
			return true;
		case 2: /* the second half of a broken exchange */
			handle(s, p->old);
			s->word = EMPTY;
			p->pc = 3;
			return true;
		case 3:
			rest(s, p);
			return true;
		case 4: /* the second half of a broken rest */
			s->word = ASLEEP;
			s->running--;
			p->pc = 0;
			return true;
		case 5: /* requeue */
			s->running--;
			s->queued++;
			p->pc = 0;
			return true;
		default: /* node_proc_die(): the queue is closed by the same exchange that empties it */
			bounce(s, s->word);
			s->word = CLOSED;
			s->dead = 1;
			s->running--;
			p->pc = 0;
			return true;
		}
	}

	// node_proctab_take_signals()
	void take(State *s, Scheduler *p) const
	{
		s->noticed = s->fired;
		if (mutation_ == TAKE_READS_THEN_CLEARS) {
			p->old = s->word;
			p->pc = 2;
			return;
		}
		handle(s, s->word);
		s->word = EMPTY;
		p->pc = dies_ && s->handled[0] > 0 ? 6 : 3;
	}

	void handle(State *s, uint8_t word) const
	{
		uint8_t reversed[SENDERS * EACH + 1], n = 0;
		for (; word >= FIRST_NODE; word = node_at(s, word).next)
			reversed[n++] = word;
		for (uint8_t i = 0; i < n; i++) {
			uint8_t at = reversed[mutation_ == TAKE_KEEPS_ORDER ? i : n - 1 - i];
			int sender = sender_of(at);
			if (at == REMINDER)
				continue;
			s->disorder |= node_at(s, at).number != s->handled[sender] + 1;
			s->handled[sender]++;
			node_at(s, at) = {0, 0, 0};
		}
	}

	void bounce(State *s, uint8_t word) const
	{
		for (uint8_t next; word >= FIRST_NODE && mutation_ != CLOSE_DROPS; word = next) {
			next = node_at(s, word).next;
			if (word == REMINDER)
				continue;
			s->bounced[sender_of(word)]++;
			node_at(s, word) = {0, 0, 0};
		}
	}

	// node_proc_rest()
	void rest(State *s, Scheduler *p) const
	{
		if (mutation_ == REST_STORES) {
			s->word = ASLEEP;
		} else if (s->word != EMPTY) {
			p->pc = 5;
			return;
		} else if (mutation_ == REST_LOOKS_FIRST) {
			p->pc = 4;
			return;
		} else {
			s->word = ASLEEP;
		}
		s->running--;
		p->pc = 0;
	}

	// A deadline passes: node_proc_alarm(), with node_proc_rouse() and node_proctab_push().
	bool step_timer(State *s) const
	{
		bool asleep = s->word == ASLEEP;
		switch (s->timer_pc) {
		case 0:
			s->fired = 1;
			if (asleep || mutation_ == ROUSE_STORES)
				s->word = EMPTY;
			s->timer_pc = asleep || mutation_ == ROUSE_STORES ? 1
				      : mutation_ == ALARM_GIVES_UP       ? 2
									  : 3;
			return true;
		case 1: /* hooks.wake */
			s->queued++;
			s->timer_pc = 2;
			return true;
		case 3: /* load */
			s->timer_old = s->word;
			s->timer_pc = s->word == CLOSED ? 2 : 4;
			return true;
		case 4: /* compare and exchange */
			if (s->word != s->timer_old) {
				s->timer_pc = 3;
				return true;
			}
			node_at(s, REMINDER).next = asleep ? EMPTY : s->word;
			s->word = REMINDER;
			s->timer_pc = asleep ? 1 : 2;
			return true;
		default:
			return false;
		}
	}

	Mutation mutation_;
	bool dies_;
};

Verdict explore(Mutation mutation, bool dies)
{
	Mailbox model(mutation, dies);
	return Explorer<Mailbox>(model).explore(Mailbox::first());
}

} // namespace

// SIG-1, and that nothing is overlooked: at the end of every interleaving all is handled and the process sleeps.
TEST(MailboxModel, EverySignalIsHandledInOrderByAProcessThatIsNeverRunTwiceAtOnce)
{
	Verdict verdict = explore(NONE, false);
	EXPECT_EQ(verdict.fault, "") << verdict.path;
	EXPECT_GT(verdict.n_states, 1000u);
}

// SIG-9: what comes too late is answered.
TEST(MailboxModel, EverySignalToAProcessThatEndsIsHandledOrBounced)
{
	Verdict verdict = explore(NONE, true);
	EXPECT_EQ(verdict.fault, "") << verdict.path;
	EXPECT_GT(verdict.n_states, 1000u);
}

TEST(MailboxModel, EachBrokenStepIsFound)
{
	for (Mutation mutation : {REST_STORES, REST_LOOKS_FIRST, PUSH_STORES, PUSH_WAKES_NOBODY,
		     PUSH_WAKES_ALWAYS, ROUSE_STORES, ALARM_GIVES_UP, TAKE_READS_THEN_CLEARS,
		     TAKE_KEEPS_ORDER, CLAIM_LOOKS_FIRST})
		EXPECT_NE(explore(mutation, false).fault, "") << "mutation " << mutation;
	EXPECT_NE(explore(CLOSE_DROPS, true).fault, "");
}
