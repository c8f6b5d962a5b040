// SPDX-License-Identifier: MIT
// Times are places in the history. A signal is sent between the begin and the end of its operation; it is handled
// some time after that, and for certain
//   - when its receiver is seen to have handled a later signal of the same sender (SIG-1),
//   - when nobody has anything to do.
// handled_upto() is what follows from that.
#include "sim/model.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/node.h"

namespace sim
{

namespace
{

const int never = -1;
const std::string normal = "\"normal\"", killed = "\"killed\"", noproc = "\"noproc\"";

struct Process {
	bool started = false;
	int died = never;
	int gone = never;   // when it was over for certain
	std::string reason; // of its end
	std::vector<std::pair<int, bool>> traps = {{0, false}};
	std::map<int, int> handled;                           // sender -> its signals up to then
	std::map<int, int> at_death;                          // the same, frozen
	const Op *leaving = nullptr;                          // it ends itself
	std::set<int> link_exits;                             // peers whose end came as a message over a link
	std::map<std::pair<int, std::string>, int> exits_got; // messages, by sender and reason
	std::map<int, int> last_exit;                         // by sender
};

// A message, a call or a timer.
struct Mail {
	const Op *op;
	int to; // never: whoever has the name when the timer expires
	int b, e = never;
	int64_t b_ns, e_ns = 0;
	int code = 0;
	bool received = false;
	bool cancelled = false;
	bool far = false; // to another node; a name is looked up there when it arrives (REG-2)
};

struct ExitSignal {
	const Op *op;
	int b, e = never;
	std::string reason;
	bool taken = false;
	bool flushed = false; // perhaps

	bool is_kill() const
	{
		return op->reason == KILL;
	}
	bool is_harmless() const // X1; X8 is the exception
	{
		return op->reason == NORMAL && op->actor != op->other;
	}
};

struct LinkOp {
	int actor;
	int peer;
	bool is_link;
	bool spawned;
	bool flush;
	int b, e = never;
	int code = 0;
	int knew;           // the peer's signals up to then had been handled
	bool spent = false; // its "noproc" has come, or was flushed
};

struct Watch {
	const Op *op;
	int owner;
	int target; // never: nobody had the name
	bool spawned;
	int b, e = never;
	bool fired = false;
	bool removed = false;
	bool pending = false; // demonitor said that DOWN is in the mailbox
};

struct Holding {
	int actor;
	int from;
	int to; // never: still
};

class Model
{
      public:
	Model(const Program &program, const History &history) : history_(history), node_of_(program.node_of)
	{
		by_id_.resize((size_t) program.n_ids);
		for (const Op &op : program.ops)
			by_id_[(size_t) op.id] = &op;
		processes_.resize((size_t) program.n_actors);
	}

	Violation check()
	{
		for (now_ = 0; now_ < (int) history_.size() && ok(); now_++)
			step(history_[(size_t) now_]);
		if (ok())
			check_end();
		return found_;
	}

      private:
	// ---- verdicts

	bool ok() const
	{
		return found_.rule.empty();
	}

	void fail(const std::string &rule, const std::string &text)
	{
		if (!ok())
			return;
		found_.at = (size_t) now_;
		found_.rule = rule;
		found_.text = text;
	}

	void expect(bool allowed, const std::string &rule, const std::string &text)
	{
		if (!allowed)
			fail(rule, text);
	}

	// ---- what is known

	Process &process(int actor)
	{
		return processes_[(size_t) actor];
	}
	bool dead(int actor)
	{
		return process(actor).died != never;
	}
	bool surely_gone(int actor, int when)
	{
		return process(actor).gone != never && process(actor).gone <= when;
	}
	// Somebody has heard of its end.
	void heard(int actor)
	{
		if (dead(actor) && process(actor).gone == never)
			process(actor).gone = now_;
	}
	int64_t ns(int when) const
	{
		return history_[(size_t) when].ns;
	}

	int handled_upto(int actor, int sender)
	{
		if (actor == sender)
			return now_;
		auto it = process(actor).handled.find(sender);
		return std::max(quiet_, it == process(actor).handled.end() ? never : it->second);
	}
	void handled(int actor, int sender, int upto)
	{
		int &known = process(actor).handled.emplace(sender, never).first->second;
		known = std::max(known, upto);
	}
	int handled_at_death(int actor, int sender)
	{
		auto it = process(actor).at_death.find(sender);
		return it == process(actor).at_death.end() ? never : it->second;
	}

	// Whether the flag may have been @on at some time from @from until now.
	bool may_trap(int actor, bool on, int from)
	{
		const auto &traps = process(actor).traps;
		for (size_t i = 0; i < traps.size(); i++) {
			bool over = i + 1 < traps.size() && traps[i + 1].first <= from;
			if (!over && traps[i].second == on)
				return true;
		}
		return false;
	}

	// ---- links

	std::vector<LinkOp> &links_of(int a, int b)
	{
		return links_[{std::min(a, b), std::max(a, b)}];
	}

	// @link was in place on the side of @unlink's process when that one began.
	static bool came_before(const LinkOp &link, const LinkOp &unlink)
	{
		if (link.spawned)
			return link.b < unlink.b;
		if (link.e == never)
			return false;
		return link.actor == unlink.actor ? link.e <= unlink.b : link.e <= unlink.knew;
	}

	// Whether the exit of @peer may act on @actor over a link. An EXIT that became a message before an unlink was
	// over stays (LNK-2), unless it was flushed.
	bool may_be_linked(int actor, int peer, bool as_message)
	{
		for (const LinkOp &link : links_of(actor, peer)) {
			if (!link.is_link || link.code < 0)
				continue;
			bool ended = false;
			for (const LinkOp &unlink : links_of(actor, peer)) {
				if (unlink.is_link || unlink.e == never || !came_before(link, unlink))
					continue;
				bool late = dead(peer) && process(peer).died < unlink.e &&
					    unlink.actor == actor && !(as_message && unlink.flush);
				ended |= !late;
			}
			if (!ended)
				return true;
		}
		return false;
	}

	// Whether the link was in place for certain when @until came.
	bool must_be_linked(int a, int b, int until)
	{
		for (const LinkOp &link : links_of(a, b)) {
			if (!link.is_link || link.code < 0 || link.e == never || link.e >= until)
				continue;
			bool sure = true;
			for (const LinkOp &unlink : links_of(a, b)) {
				if (unlink.is_link || unlink.b >= until)
					continue;
				bool settled = unlink.b < link.b && !link.spawned &&
					       (unlink.actor == link.actor ||
						       (unlink.e != never && unlink.e <= link.knew));
				sure &= settled;
			}
			if (sure)
				return true;
		}
		return false;
	}

	// A link that may have come too late for @peer, which was ending; none: NULL.
	LinkOp *link_to_dead(int actor, int peer, bool as_message)
	{
		if (!dead(peer))
			return nullptr;
		for (LinkOp &link : links_of(actor, peer))
			if (link.is_link && !link.spawned && link.actor == actor && link.code == 0 &&
				!(as_message && link.spent) &&
				(link.e == never || link.e > handled_at_death(peer, actor)))
				return &link;
		return nullptr;
	}

	// ---- names

	// Who has a name; never: nobody. A process that is ending may still have it.
	int holder(int name)
	{
		int actor = names_.count(name) ? names_[name] : never;
		return actor != never && surely_gone(actor, now_) ? never : actor;
	}
	bool holder_may_be_gone(int name)
	{
		return holder(name) == never || dead(holder(name));
	}
	void take_name(int name, int actor)
	{
		drop_name(name);
		names_[name] = actor;
		holdings_[name].push_back({actor, now_, never});
	}
	void drop_name(int name)
	{
		names_.erase(name);
		if (!holdings_[name].empty() && holdings_[name].back().to == never)
			holdings_[name].back().to = now_;
	}
	int name_of(int actor)
	{
		for (auto &one : names_)
			if (one.second == actor)
				return one.first;
		return never;
	}
	int resolve(const Op &op)
	{
		return op.name >= 0 ? holder(op.name) : op.other;
	}

	// ---- the order of one sender's signals, SIG-1

	static bool picks(int pick, int pick_other, const Mail &mail)
	{
		return pick == PICK_ANY || (pick == PICK_FROM && mail.op->actor == pick_other);
	}

	// Nothing that @sender sent before @upto may be missing when @actor has handled a signal of that time.
	void check_pending(int actor, int sender, int upto, int pick, int pick_other, const std::string &rule)
	{
		for (auto &one : mails_) {
			const Mail &mail = one.second;
			bool due = mail.op->actor == sender && mail.to == actor &&
				   mail.op->what != Do::Timer && mail.e != never && mail.e <= upto &&
				   mail.code >= 0 && !mail.received && picks(pick, pick_other, mail) &&
				   !(mail.far && cut_);
			expect(!due, rule,
				"#" + std::to_string(mail.op->id) + " of " + actor_text(sender) +
					" was sent before and is missing");
		}
		check_pending_exits(actor, sender, upto, pick);
	}

	void check_pending_exits(int actor, int sender, int upto, int pick)
	{
		std::map<std::string, int> must;
		for (auto &one : exits_) {
			const ExitSignal &exit = one.second;
			if (exit.op->actor != sender || exit.op->other != actor || exit.e == never ||
				exit.e > upto)
				continue;
			const std::string what = "#" + std::to_string(exit.op->id);
			expect(!exit.is_kill(), "X2", what + " must have killed " + actor_text(actor));
			expect(exit.is_harmless() || may_trap(actor, true, exit.b), "X3",
				what + " must have ended " + actor_text(actor));
			if (!exit.flushed && (!exit.is_harmless() || !may_trap(actor, false, exit.b)))
				must[exit.reason]++;
		}
		for (auto &one : must)
			expect(pick == PICK_FROM || exits_got(actor, sender, one.first) >= one.second,
				"SIG-1",
				"an exit signal of " + actor_text(sender) + " with " + one.first +
					" was sent before and is missing");
	}

	int exits_got(int actor, int sender, const std::string &reason)
	{
		auto &got = process(actor).exits_got;
		auto it = got.find({sender, reason});
		return it == got.end() ? 0 : it->second;
	}

	// ---- one event

	void step(const Event &e)
	{
		if (e.actor >= 0 && dead(e.actor) && e.what != What::Gone)
			fail("EXIT-2", actor_text(e.actor) + " does something after its end");
		switch (e.what) {
		case What::Started:
			expect(!process(e.actor).started, "SPN-1", "it starts twice");
			process(e.actor).started = true;
			break;
		case What::Begin:
			begin(e, *by_id_[(size_t) e.op]);
			break;
		case What::End:
			end(e, *by_id_[(size_t) e.op]);
			break;
		case What::Message:
			on_message(e);
			break;
		case What::Called:
			on_mail(e, mails_.find(e.id));
			break;
		case What::Answered:
			answered_[e.id] = e.actor;
			break;
		case What::Exit:
			on_exit(e);
			break;
		case What::Down:
			on_down(e);
			break;
		case What::Found:
			expect(holder(e.id) == e.other, "EXIT-4",
				"the name must be free before anybody hears of the end");
			break;
		case What::Strange:
			fail("RCV-1", "nobody sent this");
			break;
		case What::Died:
			on_death(e);
			break;
		case What::Gone:
			heard(e.actor);
			break;
		case What::Cut:
			cut_ = true;
			break;
		case What::Quiet:
			quiet_ = now_;
			break;
		default:
			in_the_end_[{e.actor, e.other}] = e.flag;
		}
	}

	// ---- operations begin

	void begin(const Event &e, const Op &op)
	{
		begun_[op.id] = now_;
		switch (op.what) {
		case Do::Send:
		case Do::Call:
			begin_mail(e, op);
			break;
		case Do::Timer:
			mails_[op.id] = {&op, op.other, now_, never, e.ns};
			break;
		case Do::Link:
		case Do::Unlink:
			begin_link(op, op.what == Do::Link, false);
			break;
		case Do::Monitor:
			watches_[op.id] = {&op, op.actor, resolve(op), false, now_};
			break;
		case Do::Spawn:
			begin_spawn(op);
			break;
		case Do::Exit:
			exits_[op.id] = {&op, now_, never, reason_text(op)};
			break;
		case Do::Leave:
			process(op.actor).leaving = &op;
			break;
		default:
			break;
		}
	}

	void begin_mail(const Event &e, const Op &op)
	{
		int node = op.name >= 0 ? node_of_name(op.name) : node_of_[(size_t) op.other];
		bool far = node != node_of_[(size_t) op.actor];
		mails_[op.id] = {&op, far && op.name >= 0 ? never : resolve(op), now_, never, e.ns};
		mails_[op.id].far = far;
	}

	void begin_link(const Op &op, bool is_link, bool spawned)
	{
		if (op.actor == op.other)
			return;
		LinkOp link = {};
		link.actor = op.actor;
		link.peer = op.other;
		link.is_link = is_link;
		link.spawned = spawned;
		link.flush = op.what == Do::Unlink && (op.flags & FLUSH) != 0;
		link.b = now_;
		link.e = spawned ? now_ : never;
		link.knew = handled_upto(op.actor, op.other);
		links_of(op.actor, op.other).push_back(link);
	}

	// SPN-1: all of it is in place before the child's first instruction. If the name was taken none of it is.
	void begin_spawn(const Op &op)
	{
		if (op.name >= 0 && holder(op.name) != never) {
			may_refuse_.insert(op.id);
			if (!dead(holder(op.name))) {
				refused_.insert(op.id);
				return;
			}
			if (result_of(op) < 0) /* its last one was still ending */
				return;
		}
		if (op.name >= 0)
			take_name(op.name, op.other);
		if (op.flags & SPAWN_LINK)
			begin_link(op, true, true);
		if (op.flags & SPAWN_MONITOR)
			watches_[op.id] = {&op, op.actor, op.other, true, now_, now_};
	}

	// What an operation that has just begun is going to give.
	int result_of(const Op &op)
	{
		for (size_t at = (size_t) now_ + 1; at < history_.size(); at++)
			if (history_[at].what == What::End && history_[at].op == op.id)
				return history_[at].code;
		return DREAM_OK;
	}

	// ---- operations end

	void end(const Event &e, const Op &op)
	{
		switch (op.what) {
		case Do::Send:
		case Do::Timer:
			end_send(e, op);
			break;
		case Do::Call:
			end_call(e, op);
			break;
		case Do::Link:
		case Do::Unlink:
			end_link(e, op);
			break;
		case Do::Monitor:
			expect(e.code == DREAM_OK, "MON-3", "monitoring a process never fails");
			watches_[op.id].e = now_;
			break;
		case Do::Demonitor:
			end_demonitor(e, op);
			break;
		case Do::Spawn:
			end_spawn(e, op);
			break;
		case Do::Exit:
			exits_[op.id].e = now_;
			expect(e.code == DREAM_OK, "SIG-5", "sending never fails");
			break;
		case Do::Trap:
			expect((e.code != 0) == process(op.actor).traps.back().second, "EXIT-3",
				"the former setting was another");
			process(op.actor).traps.push_back({now_, op.flags != 0});
			break;
		case Do::Register:
		case Do::Unregister:
		case Do::Whereis:
			end_name(e, op);
			break;
		case Do::Cancel:
			end_cancel(e, op);
			break;
		case Do::Receive:
			end_receive(e, op);
			break;
		default:
			break;
		}
	}

	void end_send(const Event &e, const Op &op)
	{
		Mail &mail = mails_[op.id];
		mail.e = now_;
		mail.e_ns = e.ns;
		mail.code = e.code;
		if (mail.far) {
			expect(e.code == DREAM_OK || (e.code == DREAM_ENOCONNECTION && cut_), "SIG-5",
				"sending to a connected node never fails");
			return;
		}
		if (op.what == Do::Timer || op.name < 0) {
			expect(e.code == DREAM_OK, "SIG-5", "sending to a pid never fails");
			return;
		}
		bool may_fail = mail.to == never || dead(mail.to);
		expect(e.code == DREAM_OK || (e.code == DREAM_ENOENT && may_fail), "SIG-5",
			"the name is somebody's");
		expect(e.code == DREAM_ENOENT || mail.to != never, "REG-1", "the name is nobody's");
	}

	void end_link(const Event &e, const Op &op)
	{
		if (op.what == Do::Unlink && (op.flags & FLUSH))
			flush_exits(op.actor, op.other);
		if (op.actor == op.other) {
			expect(e.code == DREAM_OK, "LNK-1", "linking oneself does nothing");
			return;
		}
		LinkOp *mine = nullptr;
		for (LinkOp &link : links_of(op.actor, op.other))
			if (link.actor == op.actor && link.e == never)
				mine = &link;
		mine->e = now_;
		mine->code = e.code;
		if (op.what == Do::Unlink) {
			expect(e.code == DREAM_OK, "LNK-2", "unlink never fails");
			return;
		}
		bool traps = process(op.actor).traps.back().second;
		bool must_fail = surely_gone(op.other, mine->b) && !traps;
		expect(e.code == DREAM_OK ? !must_fail : e.code == DREAM_ENOPROC && dead(op.other) && !traps,
			"X11", "linking a process that does not exist, or that does, gives another result");
		if (e.code == DREAM_ENOPROC)
			heard(op.other);
	}

	// Perhaps: they were in the mailbox, or were not.
	void flush_exits(int actor, int peer)
	{
		for (auto &one : exits_)
			if (one.second.op->actor == peer && one.second.op->other == actor)
				one.second.flushed = true;
		for (LinkOp &link : links_of(actor, peer))
			link.spent |= link.actor == actor;
	}

	void end_spawn(const Event &e, const Op &op)
	{
		if (e.code == DREAM_OK)
			expect(refused_.count(op.id) == 0, "REG-1", "somebody else has the name");
		else
			expect(e.code == DREAM_EEXIST && may_refuse_.count(op.id) != 0, "REG-1",
				"nobody has the name");
	}

	void end_name(const Event &e, const Op &op)
	{
		int has = holder(op.name);
		bool may_be_free = holder_may_be_gone(op.name), is_free = has == never;
		if (op.what == Do::Whereis) {
			expect(e.code == DREAM_OK ? e.other == has && has != never : may_be_free,
				dead_rule(op.name), "whereis tells of somebody else");
			return;
		}
		if (op.what == Do::Unregister) {
			expect(e.code == DREAM_OK ? !is_free : e.code == DREAM_ENOENT && may_be_free, "REG-1",
				"whether anybody has the name is known");
			if (e.code == DREAM_OK)
				drop_name(op.name);
			return;
		}
		bool named = name_of(op.other) != never, gone = surely_gone(op.other, begun_[op.id]);
		expect(e.code == DREAM_OK        ? may_be_free && !named && !gone
			: e.code == DREAM_EEXIST ? named || !is_free
						 : e.code == DREAM_ENOPROC && dead(op.other),
			dead_rule(op.name), "who has which name is known");
		if (e.code == DREAM_OK)
			take_name(op.name, op.other);
		if (e.code == DREAM_ENOPROC)
			heard(op.other);
	}
	// A name that was a dead process's is EXIT-4's business.
	std::string dead_rule(int name)
	{
		return names_.count(name) && dead(names_[name]) ? "EXIT-4" : "REG-1";
	}

	void end_cancel(const Event &e, const Op &op)
	{
		Mail &mail = mails_[op.item];
		int64_t due_ns = mail.b_ns + mail.op->ms * NODE_MS;
		if (e.code == DREAM_OK) {
			expect(!mail.received && !mail.cancelled, "TMR-2",
				"a timer that expired or was cancelled cannot be cancelled");
			expect(e.number == 0 || e.number * NODE_MS <=
							mail.e_ns + mail.op->ms * NODE_MS - ns(begun_[op.id]),
				"TMR-2", "more time was left than there was");
			mail.cancelled = true;
			return;
		}
		bool lost = mail.to != never && dead(mail.to);
		expect(mail.cancelled || lost || e.ns >= due_ns, "TMR-2", "the timer has not expired yet");
	}

	void end_receive(const Event &e, const Op &op)
	{
		if (e.code != DREAM_ETIMEDOUT)
			return;
		expect(e.ns - ns(begun_[op.id]) >= op.ms * NODE_MS, "RCV-1", "the time was not over");
		for (size_t sender = 0; sender < processes_.size(); sender++)
			check_pending(op.actor, (int) sender, handled_upto(op.actor, (int) sender), op.flags,
				op.other, "RCV-1");
	}

	// ---- calls

	void end_call(const Event &e, const Op &op)
	{
		Mail &mail = mails_[op.id];
		mail.e = now_;
		mail.code = e.code;
		if (mail.far && mail.to == never && e.code != DREAM_ETIMEDOUT) {
			end_far_named_call(e, op);
			return;
		}
		switch (e.code) {
		case DREAM_OK:
			expect(answered_.count(op.id) && answered_[op.id] == mail.to &&
					e.text == "\"r" + std::to_string(op.id) + "\"",
				"GS-7", "this answer was not given");
			break;
		case DREAM_ETIMEDOUT:
			expect(e.ns - mail.b_ns >= op.ms * NODE_MS, "GS-7", "the time was not over");
			break;
		case DREAM_ENOPROC:
			expect(mail.to == never || dead(mail.to), "GS-7", "whom it called lives");
			break;
		case DREAM_EDOWN:
			expect(mail.to != never && dead(mail.to) && process(mail.to).reason == e.text, "GS-7",
				"whom it called did not end with this reason");
			break;
		case DREAM_ESELF:
			expect(mail.to == op.actor, "GS-7", "it did not call itself");
			break;
		case DREAM_ENOCONNECTION:
			expect(mail.far && cut_, "GS-7", "the node is connected");
			break;
		default:
			fail("GS-7", "a call cannot end so");
		}
		if ((e.code == DREAM_EDOWN || e.code == DREAM_ENOPROC) && mail.to != never)
			heard(mail.to);
	}

	// Whoever had the name when the call came there.
	void end_far_named_call(const Event &e, const Op &op)
	{
		bool answered = answered_.count(op.id) && e.text == "\"r" + std::to_string(op.id) + "\"";
		bool ended = false;
		for (const Process &p : processes_)
			ended |= p.died != never && p.reason == e.text;
		expect(e.code == DREAM_OK ? answered
			: e.code == DREAM_EDOWN
				? ended
				: e.code == DREAM_ENOPROC || (e.code == DREAM_ENOCONNECTION && cut_),
			"GS-7", "a call to a name at another node cannot end so");
	}

	// ---- messages

	void on_message(const Event &e)
	{
		auto it = mails_.find(e.id);
		if (it == mails_.end() || it->second.op->what != Do::Timer) {
			on_mail(e, it);
			return;
		}
		Mail &mail = it->second;
		int64_t due_ns = mail.b_ns + mail.op->ms * NODE_MS;
		expect(!mail.received, "TMR-1", "the timer's message came twice");
		expect(!mail.cancelled, "TMR-2", "the timer was cancelled");
		expect(e.ns >= due_ns, "TMR-4", "the timer is early");
		expect(mail.op->name < 0 ? mail.to == e.actor : may_have_had(mail.op->name, e.actor, due_ns),
			"TMR-1", "the timer's message is somebody else's");
		if (e.pick == PICK_ANY)
			check_earlier_timers(e, mail);
		mail.received = true;
	}

	bool may_have_had(int name, int actor, int64_t from_ns)
	{
		for (const Holding &h : holdings_[name])
			if (h.actor == actor && (h.to == never || ns(h.to) >= from_ns))
				return true;
		return false;
	}

	void check_earlier_timers(const Event &e, const Mail &mail)
	{
		int64_t tick = (mail.b_ns + mail.op->ms * NODE_MS + NODE_MS - 1) / NODE_MS;
		for (auto &one : mails_) {
			const Mail &other = one.second;
			if (other.op->what != Do::Timer || other.op->name >= 0 || mail.op->name >= 0 ||
				other.to != e.actor || other.received || other.cancelled || other.e == never)
				continue;
			int64_t other_tick = (other.e_ns + other.op->ms * NODE_MS + NODE_MS - 1) / NODE_MS;
			/* one that is due at once may take a tick */
			expect(other_tick + 1 >= tick, "TMR-4",
				"timer #" + std::to_string(other.op->id) + " was due before");
		}
	}

	void on_mail(const Event &e, std::map<int, Mail>::iterator it)
	{
		if (it == mails_.end()) {
			fail("SIG-1", "it was not sent");
			return;
		}
		Mail &mail = it->second;
		int sender = mail.op->actor;
		bool named = mail.far && mail.op->name >= 0;
		expect(named ? may_have_had(mail.op->name, e.actor, mail.b_ns) : mail.to == e.actor, "SIG-1",
			"it was sent to somebody else");
		expect(!mail.received, "SIG-1", "it comes twice");
		mail.received = true;
		/* whoever accepts one message of a process accepts each of them */
		int &last = last_mail_.emplace(std::make_pair(e.actor, sender), never).first->second;
		expect(last < mail.b, "SIG-1", "a later one of the same sender came before");
		last = mail.b;
		check_pending(e.actor, sender, mail.b, e.pick, e.pick_other, "SIG-1");
		handled(e.actor, sender, mail.b);
	}

	// ---- EXIT messages

	void on_exit(const Event &e)
	{
		int sender = e.other, actor = e.actor;
		if (sender < 0) {
			fail("X5", "an exit signal of nobody");
			return;
		}
		process(actor).exits_got[{sender, e.text}]++;
		process(actor).last_exit[sender] = now_;
		if (took_exit_signal(e) || took_link_exit(e) || took_noproc(e))
			return;
		bool unlinked = false;
		for (const LinkOp &link : links_of(actor, sender))
			unlinked |= !link.is_link && link.actor == actor;
		fail(unlinked              ? "LNK-2"
			: e.text == normal ? "X4"
					   : "X5",
			"no signal can have become this message");
	}

	bool took_exit_signal(const Event &e)
	{
		for (auto &one : exits_) {
			ExitSignal &exit = one.second;
			if (exit.taken || exit.op->actor != e.other || exit.op->other != e.actor ||
				exit.reason != e.text || exit.is_kill() || !may_trap(e.actor, true, exit.b))
				continue;
			exit.taken = true;
			check_pending(e.actor, e.other, exit.b, e.pick, e.pick_other, "SIG-1");
			handled(e.actor, e.other, exit.b);
			return true;
		}
		return false;
	}

	bool took_link_exit(const Event &e)
	{
		Process &peer = process(e.other);
		if (!dead(e.other) || peer.reason != e.text || e.other == e.actor ||
			!may_be_linked(e.actor, e.other, true) || !may_trap(e.actor, true, peer.died) ||
			!process(e.actor).link_exits.insert(e.other).second)
			return false;
		heard_last_of(e);
		return true;
	}

	bool took_noproc(const Event &e)
	{
		LinkOp *link = e.text == noproc ? link_to_dead(e.actor, e.other, true) : nullptr;
		if (link == nullptr)
			return false;
		link->spent = true;
		heard_last_of(e);
		return true;
	}

	// All that the other sent in its life comes before this.
	void heard_last_of(const Event &e)
	{
		heard(e.other);
		check_pending(e.actor, e.other, process(e.other).died, e.pick, e.pick_other, "SIG-1");
		handled(e.actor, e.other, process(e.other).died);
	}

	// ---- DOWN

	void on_down(const Event &e)
	{
		auto it = watches_.find(e.id);
		if (it == watches_.end() || it->second.owner != e.actor) {
			fail("MON-1", "it has no such monitor");
			return;
		}
		Watch &watch = it->second;
		expect(!watch.fired, "MON-1", "a monitor fires once");
		expect(!watch.removed, "MON-4", "the monitor was removed");
		watch.fired = true;
		watch.pending = false;
		const Op &op = *watch.op;
		expect(e.object == (op.what == Do::Monitor && op.name >= 0 ? "\"" + plain_name(op.name) + "\""
									   : actor_text(op.other)),
			"MON-2", "the monitor was of something else");
		if (watch.target == never) {
			expect(e.text == noproc, "MON-3", "nobody had the name");
			return;
		}
		check_down_reason(e, watch);
		heard(watch.target);
		check_pending(
			e.actor, watch.target, process(watch.target).died, e.pick, e.pick_other, "MON-6");
		handled(e.actor, watch.target, process(watch.target).died);
	}

	void check_down_reason(const Event &e, const Watch &watch)
	{
		const Process &target = process(watch.target);
		expect(dead(watch.target), "MON-1", "it is told of the end of a process that lives");
		bool too_late = !watch.spawned && watch.e > handled_at_death(watch.target, watch.owner);
		bool in_time = target.gone == never || watch.b < target.gone;
		expect((e.text == target.reason && in_time) || (e.text == noproc && too_late),
			watch.spawned ? "SPN-1" : "MON-3", "it did not end with this reason");
	}

	// DOWN comes, or came, exactly if the monitor was not active any more.
	void end_demonitor(const Event &e, const Op &op)
	{
		Watch &watch = watches_[op.item];
		bool flush = (op.flags & FLUSH) != 0;
		bool target_dead = watch.target == never || dead(watch.target);
		if (e.code != 0) {
			expect(!watch.fired && !watch.removed && !watch.pending, "MON-4",
				"the monitor was not active any more");
			watch.removed = true;
			return;
		}
		expect(watch.fired || watch.removed || target_dead, "MON-4", "the monitor is active");
		if (flush) {
			watch.removed = true;
			watch.pending = false;
		} else if (!watch.fired && !watch.removed)
			watch.pending = true;
	}

	// ---- ends

	void on_death(const Event &e)
	{
		Process &p = process(e.actor);
		for (size_t sender = 0; sender < processes_.size(); sender++)
			p.at_death[(int) sender] = handled_upto(e.actor, (int) sender);
		bool allowed = (p.leaving != nullptr && e.text == reason_text(*p.leaving)) ||
			       may_die_of_signal(e) || may_die_of_link(e);
		p.died = now_;
		p.reason = e.text;
		expect(allowed,
			e.text == normal              ? "X1"
			: e.text == killed            ? "X2"
			: e.text == "\"kill\""        ? "X6"
			: may_trap(e.actor, false, 0) ? "X3"
						      : "X5",
			"nothing can have ended it with this reason");
	}

	bool may_die_of_signal(const Event &e)
	{
		for (auto &one : exits_) {
			const ExitSignal &exit = one.second;
			bool kills = exit.is_kill() && e.text == killed;
			bool ends = !exit.is_kill() && !exit.is_harmless() && exit.reason == e.text &&
				    !exit.taken && may_trap(e.actor, false, exit.b);
			if (exit.op->other != e.actor || !(kills || ends))
				continue;
			if (!overtook(exit))
				return true;
		}
		return false;
	}

	// EXIT-2: one sender's signals come in order, so the first that must end it does.
	bool overtook(const ExitSignal &exit)
	{
		for (auto &one : exits_) {
			const ExitSignal &first = one.second;
			if (first.op->actor == exit.op->actor && first.op->other == exit.op->other &&
				first.b < exit.b && first.reason != exit.reason &&
				(first.is_kill() ||
					(!first.is_harmless() && !may_trap(exit.op->other, true, first.b))))
				return true;
		}
		return false;
	}

	bool may_die_of_link(const Event &e)
	{
		for (size_t i = 0; i < processes_.size(); i++) {
			int peer = (int) i;
			if (peer == e.actor || !dead(peer) || !may_trap(e.actor, false, process(peer).died))
				continue;
			if (process(peer).reason == e.text && e.text != normal &&
				process(e.actor).link_exits.count(peer) == 0 &&
				may_be_linked(e.actor, peer, false))
				return true;
			if (e.text == noproc && link_to_dead(e.actor, peer, false) != nullptr)
				return true;
		}
		return false;
	}

	// ---- the end of the run: what must have happened by then

	void check_end()
	{
		if (history_.empty() || history_.back().what != What::Quiet) {
			fail("SIG-1", "it does not come to rest");
			return;
		}
		for (size_t i = 0; i < processes_.size() && ok(); i++)
			if (process((int) i).started && !dead((int) i))
				check_survivor((int) i);
		for (auto &one : in_the_end_)
			check_link_entry(one.first.first, one.first.second, one.second);
		for (auto &one : links_)
			check_pair(one.first.first, one.first.second);
	}

	void check_survivor(int actor)
	{
		for (size_t sender = 0; sender < processes_.size(); sender++) {
			check_pending(actor, (int) sender, now_, PICK_ANY, -1, "SIG-1");
			check_link_effect(actor, (int) sender);
			check_noproc(actor, (int) sender);
		}
		for (auto &one : watches_) {
			const Watch &watch = one.second;
			bool due = watch.owner == actor && !watch.removed && !watch.fired &&
				   (watch.target == never || dead(watch.target));
			expect(!due, "MON-1", "DOWN of #" + std::to_string(one.first) + " never came");
			expect(!watch.pending || watch.owner != actor, "MON-4",
				"DOWN of #" + std::to_string(one.first) +
					" is not in the mailbox though its monitor was not active");
		}
		for (auto &one : mails_) {
			check_timer(actor, one.second);
			check_far_named(actor, one.second);
		}
	}

	void check_timer(int actor, const Mail &mail)
	{
		if (mail.op->what != Do::Timer || mail.e == never || mail.cancelled || mail.received)
			return;
		bool due = mail.to == actor;
		if (mail.op->name >= 0)
			for (const Holding &h : holdings_[mail.op->name])
				due |= h.actor == actor && h.to == never &&
				       ns(h.from) <= mail.b_ns + mail.op->ms * NODE_MS;
		expect(!due, "TMR-1", "the message of timer #" + std::to_string(mail.op->id) + " never came");
	}

	// REG-2: who had the name all the time has the message.
	void check_far_named(int actor, const Mail &mail)
	{
		if (!mail.far || mail.to != never || mail.e == never || mail.code < 0 || mail.received ||
			cut_)
			return;
		for (const Holding &h : holdings_[mail.op->name])
			expect(h.actor != actor || h.to != never || h.from > mail.b, "REG-2",
				"#" + std::to_string(mail.op->id) + " never came to who has the name");
	}

	void check_link_effect(int actor, int peer)
	{
		if (peer == actor || !dead(peer) || !must_be_linked(actor, peer, process(peer).died))
			return;
		for (const LinkOp &unlink : links_of(actor, peer))
			if (!unlink.is_link && unlink.b > process(peer).died)
				return; /* that decides, whatever came first */
		bool ignored = process(peer).reason == normal && may_trap(actor, false, process(peer).died);
		auto it = process(actor).last_exit.find(peer);
		bool told = it != process(actor).last_exit.end() && it->second > process(peer).died;
		expect(ignored || told, process(peer).reason == normal ? "X4" : "X5",
			actor_text(actor) + " was linked to " + actor_text(peer) +
				" and did not hear of its end");
	}

	// X11: a link to a dead process by one that traps exits.
	void check_noproc(int actor, int peer)
	{
		for (const LinkOp &link : links_of(actor, peer)) {
			if (!link.is_link || link.actor != actor || link.spawned || link.code < 0 ||
				!surely_gone(peer, link.b))
				continue;
			bool unlinked = false;
			for (const LinkOp &unlink : links_of(actor, peer))
				unlinked |= !unlink.is_link && unlink.actor == actor && unlink.b > link.b;
			auto it = process(actor).last_exit.find(peer);
			bool told = it != process(actor).last_exit.end() && it->second > link.b;
			expect(unlinked || told, "X11",
				actor_text(actor) + " linked " + actor_text(peer) + ", which was dead");
		}
	}

	void check_link_entry(int actor, int peer, bool inactive)
	{
		expect(!inactive, "LNK-3",
			"the unlink of " + actor_text(actor) + " from " + actor_text(peer) +
				" is never acknowledged");
		expect(!dead(peer), "LNK-3",
			actor_text(actor) + " is linked to " + actor_text(peer) + ", which is dead");
		expect(may_be_linked(actor, peer, false), "LNK-1",
			actor_text(actor) + " is linked to " + actor_text(peer) + " without a reason");
		bool mutual = in_the_end_.count({peer, actor}) != 0;
		expect(mutual || dead(peer), "LNK-3",
			"only " + actor_text(actor) + " thinks that it is linked to " + actor_text(peer));
	}

	void check_pair(int a, int b)
	{
		if (dead(a) || dead(b) || !process(a).started || !process(b).started)
			return;
		expect(in_the_end_.count({a, b}) != 0 || !must_be_linked(a, b, now_), "LNK-1",
			"the link of " + actor_text(a) + " and " + actor_text(b) + " is lost");
	}

	const History &history_;
	const std::vector<int> &node_of_;
	Violation found_;
	std::vector<const Op *> by_id_;
	std::vector<Process> processes_;
	std::map<int, int> begun_;
	std::map<std::pair<int, int>, int> last_mail_; // receiver and sender -> the last that came
	bool cut_ = false;
	std::set<int> refused_;    // spawns whose name somebody has
	std::set<int> may_refuse_; // or may have
	std::map<int, Mail> mails_;
	std::map<int, ExitSignal> exits_;
	std::map<int, Watch> watches_;
	std::map<int, int> answered_;
	std::map<std::pair<int, int>, std::vector<LinkOp>> links_;
	std::map<int, int> names_;
	std::map<int, std::vector<Holding>> holdings_;
	std::map<std::pair<int, int>, bool> in_the_end_;
	int now_ = 0;
	int quiet_ = never;
};

} // namespace

Violation check(const Program &program, const History &history)
{
	return Model(program, history).check();
}

} // namespace sim
