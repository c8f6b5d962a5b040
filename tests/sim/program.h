// SPDX-License-Identifier: MIT
// program.h: a random program: what some processes do, one operation after the other. Who runs when is not in it.
#ifndef TESTS_SIM_PROGRAM_H
#define TESTS_SIM_PROGRAM_H
#include <stdint.h>
#include <string>
#include <vector>

namespace sim
{

enum class Do {
	Spawn,      // other; flags: SPAWN_*; name or -1
	Send,       // to other, or to whom has the name
	Link,       // other
	Unlink,     // other; flags: FLUSH
	Monitor,    // other, or name
	Demonitor,  // item: the Monitor or Spawn; flags: FLUSH
	Exit,       // other, reason: exit/2
	Leave,      // reason: ends itself
	Trap,       // flags: 1 on
	Register,   // other, name
	Unregister, // name
	Whereis,    // name
	Timer,      // to other, or name; ms
	Cancel,     // item: the Timer, of any process
	Call,       // other, or name; ms
	Reply,      // to the oldest call that it has not answered
	Receive,    // flags: PICK_*; other; ms
	Pause,      // others have a turn
};

const int N_NAMES = 3; // of each node
const int MOST_NODES = 2;
enum { SPAWN_LINK = 1, SPAWN_MONITOR = 2 };
enum { FLUSH = 1 };
enum {
	PICK_ANY = 0,
	PICK_FROM = 1,
	PICK_ENDS = 2
}; // any message; messages of one process; EXIT and DOWN only

enum Reason { NORMAL, KILL, KILLED, SHUTDOWN, NOPROC, OWN, OWN_SHUTDOWN, N_REASONS };

struct Op {
	int id; // also of the message that it sends; never changes, whatever becomes of the others
	int actor;
	Do what;
	int other = -1;
	int name = -1; // those of node 0 come first
	int item = -1;
	int flags = 0;
	int reason = NORMAL;
	int64_t ms = 0;
};

struct Program {
	uint64_t seed = 0;     // of the operations
	uint64_t schedule = 0; // seed of who runs when
	int n_actors = 0;
	int n_nodes = 1;
	bool cuts = false;        // the connection is lost at some time
	std::vector<int> node_of; // of each process
	int n_roots = 0;          // started by nobody; the others by Spawn
	int n_ids = 0;
	std::vector<Op> ops; // in the order of their ids; a process does its own in this order
};

// What process @actor does to a call: answers at once, keeps it for a Reply, or never answers.
enum class Answer { Now, Later, Never };
Answer answer_to(const Program &program, int call_id);

Program make_program(uint64_t seed);
// A reason in diagnostic notation; those of OWN and OWN_SHUTDOWN are told apart by the operation's id.
std::string reason_text(const Op &op);
std::string op_text(const Op &op);
std::string actor_text(int actor);
std::string name_text(int name);
std::string plain_name(int name); // as its node calls it

inline int node_of_name(int name)
{
	return name / N_NAMES;
}

} // namespace sim
#endif
