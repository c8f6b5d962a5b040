// SPDX-License-Identifier: MIT
#include "sim/program.h"

#include <algorithm>

#include "sim/random.h"

namespace sim
{

namespace
{

// How often each operation is drawn, in proportion.
struct Weight {
	Do what;
	int weight;
};
const Weight weights[] = {{Do::Send, 20}, {Do::Link, 14}, {Do::Unlink, 10}, {Do::Monitor, 10},
	{Do::Demonitor, 6}, {Do::Exit, 6}, {Do::Leave, 2}, {Do::Trap, 6}, {Do::Register, 5},
	{Do::Unregister, 2}, {Do::Whereis, 3}, {Do::Timer, 6}, {Do::Cancel, 4}, {Do::Call, 6}, {Do::Reply, 3},
	{Do::Receive, 18}, {Do::Pause, 6}};

class Maker
{
      public:
	explicit Maker(uint64_t seed) : random_(seed * 2 + 1)
	{
		made_.seed = made_.schedule = seed;
		made_.n_roots = 2 + random_.below(2);
		made_.n_actors = made_.n_roots + random_.below(5);
		made_.n_nodes = random_.one_in(4) ? 2 : 1;
		made_.cuts = made_.n_nodes > 1 && random_.one_in(3);
		for (int actor = 0; actor < made_.n_actors; actor++) {
			/* parents come before their children in number */
			parents_.push_back(actor < made_.n_roots ? -1 : random_.below(actor));
			made_.node_of.push_back(
				actor < made_.n_roots ? actor % made_.n_nodes : node_of(parents_.back()));
		}
		n_ops_ = 10 + random_.below(random_.one_in(4) ? 150 : 60);
		/* each program likes some operations and does without others: rare ones meet more often so */
		static const int likes[] = {0, 1, 1, 1, 4};
		for (const Weight &w : weights) {
			weights_.push_back({w.what, w.weight * likes[random_.below(5)]});
			sum_ += weights_.back().weight;
		}
	}

	Program make()
	{
		// Who starts whom; the rest of the operations stand before and behind.
		for (int child = made_.n_roots; child < made_.n_actors; child++)
			spawns_.push_back(child);
		for (int actor = 0; actor < made_.n_roots; actor++)
			if (random_.one_in(2))
				add(actor, Do::Trap).flags = 1;
		while ((int) made_.ops.size() < n_ops_ || !spawns_.empty()) {
			if (!spawns_.empty() && random_.one_in(6))
				add_spawn();
			else
				add_random(random_.below(made_.n_actors - (int) spawns_.size()));
		}
		made_.n_ids = (int) made_.ops.size();
		return made_;
	}

      private:
	Op &add(int actor, Do what)
	{
		Op op;
		op.id = (int) made_.ops.size();
		op.actor = actor;
		op.what = what;
		made_.ops.push_back(op);
		return made_.ops.back();
	}

	void add_spawn()
	{
		int child = spawns_.front();
		spawns_.erase(spawns_.begin());
		Op &op = add(parents_[(size_t) child], Do::Spawn);
		op.other = child;
		op.flags = random_.below(4);
		op.name = random_.one_in(3) ? name_near(op.actor) : -1;
	}

	int node_of(int actor) const
	{
		return made_.node_of[(size_t) actor];
	}

	int anybody()
	{
		return random_.below(made_.n_actors);
	}

	// Of the same node.
	int anybody_near(int actor)
	{
		int other = anybody();
		while (node_of(other) != node_of(actor))
			other = anybody();
		return other;
	}

	int name_near(int actor)
	{
		return node_of(actor) * N_NAMES + random_.below(N_NAMES);
	}

	// An operation of @actor, or of any process of its node.
	int earlier(bool (*is)(const Op &), int actor, bool of_any)
	{
		std::vector<int> found;
		for (const Op &op : made_.ops)
			if (is(op) && (of_any ? node_of(op.actor) == node_of(actor) : op.actor == actor))
				found.push_back(op.id);
		return found.empty() ? -1 : found[(size_t) random_.below((int) found.size())];
	}

	int any_reason()
	{
		static const int often[] = {
			NORMAL, KILL, KILLED, SHUTDOWN, NOPROC, OWN, OWN, OWN, OWN_SHUTDOWN};
		return often[random_.below((int) (sizeof(often) / sizeof(often[0])))];
	}

	Do draw()
	{
		int at = random_.below(sum_ + 1);
		for (const Weight &w : weights_)
			if ((at -= w.weight) < 0)
				return w.what;
		return Do::Pause;
	}

	void to_somebody(Op &op, bool near)
	{
		if (random_.one_in(4))
			op.name = near ? name_near(op.actor) : random_.below(N_NAMES * made_.n_nodes);
		else
			op.other = near ? anybody_near(op.actor) : anybody();
	}

	void add_random(int actor)
	{
		Do what = draw();
		int monitor = earlier(
			[](const Op &o) {
				return o.what == Do::Monitor ||
				       (o.what == Do::Spawn && (o.flags & SPAWN_MONITOR) != 0);
			},
			actor, false);
		int timer = earlier([](const Op &o) { return o.what == Do::Timer; }, actor, true);
		if ((what == Do::Demonitor && monitor < 0) || (what == Do::Cancel && timer < 0))
			what = Do::Send;
		fill(add(actor, what), monitor, timer);
	}

	void fill(Op &op, int monitor, int timer)
	{
		switch (op.what) {
		case Do::Send:
			to_somebody(op, false);
			break;
		case Do::Monitor:
			to_somebody(op, true);
			break;
		case Do::Call:
			to_somebody(op, false);
			op.ms = 1 + random_.below(20);
			break;
		case Do::Timer:
			to_somebody(op, true);
			op.ms = random_.below(12);
			break;
		case Do::Link:
			op.other = anybody_near(op.actor);
			break;
		case Do::Unlink:
			op.other = anybody_near(op.actor);
			op.flags = random_.below(2);
			break;
		case Do::Demonitor:
			op.item = monitor;
			op.flags = random_.below(2);
			break;
		case Do::Cancel:
			op.item = timer;
			break;
		case Do::Exit:
			op.other = anybody_near(op.actor);
			op.reason = any_reason();
			break;
		case Do::Leave:
			op.reason = any_reason();
			break;
		case Do::Trap:
			op.flags = random_.below(3) > 0;
			break;
		case Do::Register:
			op.other = random_.one_in(2) ? op.actor : anybody_near(op.actor);
			op.name = name_near(op.actor);
			break;
		case Do::Unregister:
		case Do::Whereis:
			op.name = name_near(op.actor);
			break;
		case Do::Receive:
			op.flags = random_.one_in(2) ? PICK_ANY : random_.below(3);
			op.other = anybody();
			op.ms = random_.one_in(2) ? 0 : random_.below(10);
			break;
		default:
			break;
		}
	}

	Random random_;
	Program made_;
	int n_ops_;
	int sum_ = 0;
	std::vector<Weight> weights_;
	std::vector<int> parents_;
	std::vector<int> spawns_;
};

} // namespace

Program make_program(uint64_t seed)
{
	return Maker(seed).make();
}

Answer answer_to(const Program &program, int call_id)
{
	Random random(program.seed + (uint64_t) call_id * 7919);
	int n = random.below(4);
	return n < 2 ? Answer::Now : n == 2 ? Answer::Later : Answer::Never;
}

std::string reason_text(const Op &op)
{
	switch (op.reason) {
	case KILL:
		return "\"kill\"";
	case KILLED:
		return "\"killed\"";
	case SHUTDOWN:
		return "\"shutdown\"";
	case NOPROC:
		return "\"noproc\"";
	case OWN:
		return "\"r" + std::to_string(op.id) + "\"";
	case OWN_SHUTDOWN:
		return "[\"shutdown\", " + std::to_string(op.id) + "]";
	default:
		return "\"normal\"";
	}
}

std::string actor_text(int actor)
{
	return actor < 0 ? "?" : std::string(1, (char) ('A' + actor));
}

std::string plain_name(int name)
{
	return "name" + std::to_string(name % N_NAMES);
}

std::string name_text(int name)
{
	return plain_name(name) + (node_of_name(name) > 0 ? "@b" : "");
}

static std::string target_text(const Op &op)
{
	return op.name >= 0 ? name_text(op.name) : actor_text(op.other);
}

static std::string spawn_text(const Op &op)
{
	std::string text = "spawn ";
	if (op.flags & SPAWN_LINK)
		text += "linked ";
	if (op.flags & SPAWN_MONITOR)
		text += "monitored ";
	return text + actor_text(op.other) + (op.name >= 0 ? " as " + name_text(op.name) : "");
}

static std::string receive_text(const Op &op)
{
	static const char *const picks[] = {"anything", "messages of ", "EXIT or DOWN"};
	return std::string("receive ") + picks[op.flags] +
	       (op.flags == PICK_FROM ? actor_text(op.other) : "") + ", " + std::to_string(op.ms) + " ms";
}

std::string op_text(const Op &op)
{
	const std::string id = std::to_string(op.id), flush = (op.flags & FLUSH) ? ", flush" : "";
	switch (op.what) {
	case Do::Spawn:
		return spawn_text(op);
	case Do::Send:
		return "send m" + id + " to " + target_text(op);
	case Do::Link:
		return "link " + target_text(op);
	case Do::Unlink:
		return "unlink " + target_text(op) + flush;
	case Do::Monitor:
		return "monitor " + target_text(op);
	case Do::Demonitor:
		return "demonitor #" + std::to_string(op.item) + flush;
	case Do::Exit:
		return "exit " + target_text(op) + " with " + reason_text(op);
	case Do::Leave:
		return "end with " + reason_text(op);
	case Do::Trap:
		return std::string("trap exits ") + (op.flags ? "on" : "off");
	case Do::Register:
		return "register " + actor_text(op.other) + " as " + target_text(op);
	case Do::Unregister:
		return "unregister " + target_text(op);
	case Do::Whereis:
		return "whereis " + target_text(op);
	case Do::Timer:
		return "timer m" + id + " to " + target_text(op) + ", " + std::to_string(op.ms) + " ms";
	case Do::Cancel:
		return "cancel timer #" + std::to_string(op.item);
	case Do::Call:
		return "call c" + id + " to " + target_text(op) + ", " + std::to_string(op.ms) + " ms";
	case Do::Reply:
		return "reply to the oldest open call";
	case Do::Receive:
		return receive_text(op);
	default:
		return "pause";
	}
}

} // namespace sim
