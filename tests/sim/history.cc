// SPDX-License-Identifier: MIT
#include "sim/history.h"

#include <cinttypes>
#include <cstdio>

namespace sim
{

static const Op *find(const Program &program, int id)
{
	for (const Op &op : program.ops)
		if (op.id == id)
			return &op;
	return nullptr;
}

static std::string end_text(const Op &op, const Event &e)
{
	std::string text = "  done: ";
	switch (op.what) {
	case Do::Demonitor:
		return text + (e.code ? "was active" : "was not active");
	case Do::Trap:
		return text + "before: " + (e.code ? "on" : "off");
	case Do::Whereis:
		return text + (e.code < 0 ? "nobody" : actor_text(e.other));
	case Do::Cancel:
		return text + (e.code < 0 ? "no such timer" : std::to_string(e.number) + " ms were left");
	default:
		return text + std::to_string(e.code) + (e.text.empty() ? "" : " " + e.text);
	}
}

std::string event_text(const Program &program, const Event &e)
{
	const Op *op = find(program, e.what == What::Message || e.what == What::Called ? e.id : e.op);
	switch (e.what) {
	case What::Started:
		return "starts";
	case What::Begin:
		return "#" + std::to_string(e.op) + " " + (op != nullptr ? op_text(*op) : "");
	case What::End:
		return op != nullptr ? end_text(*op, e) : "  done";
	case What::Message:
		return "  gets m" + std::to_string(e.id) + " of " +
		       actor_text(op != nullptr ? op->actor : -1);
	case What::Called:
		return "  gets call c" + std::to_string(e.id) + " of " +
		       actor_text(op != nullptr ? op->actor : -1);
	case What::Answered:
		return "  answers c" + std::to_string(e.id);
	case What::Exit:
		return "  gets EXIT of " + actor_text(e.other) + " with " + e.text;
	case What::Down:
		return "  gets DOWN of monitor #" + std::to_string(e.id) + ": " + e.object + " with " +
		       e.text;
	case What::Found:
		return "  finds that " + name_text(e.id) + " still belongs to " + actor_text(e.other);
	case What::Strange:
		return "  gets what nobody sent: " + e.text;
	case What::Died:
		return "ends with " + e.text;
	case What::Gone:
		return "is gone";
	case What::Cut:
		return "-- the connection is lost";
	case What::Quiet:
		return "-- nobody is ready";
	default:
		return "in the end is linked to " + actor_text(e.other) +
		       (e.flag ? ", being unlinked for ever" : "");
	}
}

std::string trace(const Program &program, const History &history)
{
	std::string all;
	for (size_t i = 0; i < history.size(); i++) {
		const Event &e = history[i];
		char head[64];
		snprintf(head, sizeof(head), "%5zu %10.3f ms  %s  ", i, (double) (e.ns - history[0].ns) / 1e6,
			e.actor < 0 ? " " : actor_text(e.actor).c_str());
		all += head + event_text(program, e) + "\n";
	}
	return all;
}

} // namespace sim
