// SPDX-License-Identifier: MIT
// history.h: what happened in a run, in the order in which it did; what a process does or sees is an event.
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H
#include <string>
#include <vector>

#include "sim/program.h"

namespace sim
{

enum class What {
	Started,  // actor
	Begin,    // actor starts op
	End,      // op returned: code, and what it gave in other, number or text
	Message,  // actor received the message of op id
	Called,   // actor received the call of op id
	Answered, // actor is about to answer the call of op id
	Exit,     // actor received ["EXIT", other, text]
	Down,     // actor received the DOWN of op id: object, text the reason
	Found,    // actor has heard of the end of other, and name id still belongs to it
	Strange,  // actor received what nobody sent: text
	Died,     // actor begins to end: text the reason
	Gone,     // the end of actor is over
	Cut,      // the connection of the nodes is lost
	Quiet,    // nobody has anything to do until the next timer
	Linked,   // at the end of the run: actor's table has a link to other; flag: it is being removed
};

struct Event {
	What what;
	int actor = -1;
	int op = -1; // what the process is doing
	int64_t ns = 0;
	int id = -1;
	int other = -1;
	int code = 0;
	int64_t number = 0;
	bool flag = false;
	int pick = PICK_ANY; // of a received message: what the receive accepted
	int pick_other = -1;
	std::string text;
	std::string object;
};

using History = std::vector<Event>;

// The history for people, a line for each event.
std::string trace(const Program &program, const History &history);
std::string event_text(const Program &program, const Event &event);

} // namespace sim
#endif
