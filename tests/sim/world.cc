// SPDX-License-Identifier: MIT
#include "sim/world.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>

#include "app/host.h"
#include "base/clock.h"
#include "base/ctx.h"
#include "dist/dist.h"
#include "proc/proc.h"
#include "sched/sched.h"
#include "sim/random.h"
#include "support/simnet.h"
#include "term/notation.h"

// The SDK's wrappers find the node's table here.
extern "C" {
const dream_host_t *dream_host = node_host_table_borrow();
}

// Processes that are killed while they wait leave stacks and fake frames behind.
extern "C" const char *__asan_default_options()
{
	return "detect_stack_use_after_return=0";
}

namespace sim
{

namespace
{

const uint64_t most_turns = 20000;

struct OpenCall {
	int id;
	dream_from_t from;
};

class World;

// A process of the program. What it knows lies here and not on its stack, which may be left without unwinding.
struct Actor {
	World *world = nullptr;
	int id = -1;
	dream_pid_t pid = {0, 0, 0};
	bool dying = false;
	std::vector<const Op *> ops;
	std::deque<OpenCall> owed;
	const Op *doing = nullptr;
};

// What one message says.
struct Seen {
	What what = What::Strange;
	int id = -1;
	int other = -1;
	std::string text;
	std::string object;
	dream_from_t from = {};
};

struct Pick {
	World *world;
	int pick;
	int other;
};

class World
{
      public:
	explicit World(const Program &program);
	~World();
	World(const World &) = delete;
	History run();
	void live(Actor &actor);
	void died(Actor &actor, const node_proc_t *proc);
	bool accepts(const Pick &pick, const dream_msg_t *msg);

      private:
	Event &record(What what, int actor);
	Event &record_end(Actor &actor, int code);
	dream_dest_t dest(const Op &op);
	bool possible(const Actor &actor, const Op &op);
	void perform(Actor &actor, const Op &op);
	void spawn(Actor *parent, int child, const Op *op);
	int perform_signal(const Op &op);
	void perform_name(Actor &actor, const Op &op);
	void perform_timer(Actor &actor, const Op &op);
	void perform_call(Actor &actor, const Op &op);
	void monitor(Actor &actor, const Op &op);
	void receive(Actor &actor, const Op *op);
	void received(Actor &actor, const Op *op, dream_msg_t *msg);
	void look_for_names(Actor &actor, const Seen &seen);
	void answer(Actor &actor, const OpenCall &call);
	dream_msg_t *text_msg(char prefix, int id);
	Seen decode(const dream_msg_t *msg);
	bool decode_array(node_cbor_reader_t r, Seen *seen);
	void decode_text(node_cbor_reader_t r, char prefix, What what, Seen *seen);
	int actor_of(dream_pid_t pid);
	std::string notation(const void *data, uint64_t size);
	void open(int index);
	void connect();
	bool take_turn();
	bool pass_time();
	void note_gone();
	void note_links();
	node_t *node_of(int actor)
	{
		return &nodes_[program_.node_of[(size_t) actor]];
	}

	static uint32_t choose(node_sched_director_t *director, node_proc_t *const *ready, uint32_t n);
	static bool split(node_sched_director_t *director);

	const Program &program_;
	Random random_;
	std::vector<const Op *> by_id_;
	std::vector<uint64_t> refs_; // of monitors and timers, by the id of their operation
	std::vector<Actor> actors_;
	History history_;
	SimNet net_;
	int64_t &now_ns_ = net_.now_ns;
	int splits_; // one wake-up in so many is split
	int delays_; // one turn in so many comes late
	uint64_t turns_ = 0;
	bool is_cut_ = false;
	bool closing_ = false;
	node_t nodes_[MOST_NODES] = {};
	uint32_t numbers_[MOST_NODES] = {}; // of the other node, at each
	int connected_ = 1;
	node_clock_t clock_ = {};
	node_sched_director_t director_ = {};
};

// ---- the node

int no_remote_take(node_t *node, struct node_sig *sig)
{
	node_proc_bounce_take(node, sig, "noconnection");
	return DREAM_ENOCONNECTION;
}

int no_number(node_t *, const char *, uint64_t, uint32_t *)
{
	return DREAM_ENOCONNECTION;
}

const char *no_name(node_t *, uint32_t)
{
	return "far@sim";
}

int run_actor(node_proc_t *proc)
{
	auto *actor = static_cast<Actor *>(proc->self);
	node_proc_drain(proc);
	if (!node_proc_exiting(proc))
		actor->world->live(*actor);
	return NODE_RUN_EXIT;
}

void end_actor(node_proc_t *proc)
{
	auto *actor = static_cast<Actor *>(proc->self);
	actor->world->died(*actor, proc);
}

const node_proc_ops_t actor_ops = {"actor", run_actor, end_actor};

World::World(const Program &program)
    : program_(program), random_(program.schedule ^ UINT64_C(0x5eed)), by_id_((size_t) program.n_ids),
      refs_((size_t) program.n_ids), actors_((size_t) program.n_actors), net_(program.schedule)
{
	static const int often[] = {1, 2, 4, 16};
	splits_ = often[random_.below(4)];
	delays_ = 4 << random_.below(4);
	for (const Op &op : program.ops)
		by_id_[(size_t) op.id] = &op;
	for (int i = 0; i < program.n_actors; i++) {
		Actor &actor = actors_[(size_t) i];
		actor.world = this;
		actor.id = i;
		for (const Op &op : program.ops)
			if (op.actor == i)
				actor.ops.push_back(&op);
	}
	clock_.data = this;
	/* looking at the clock takes time, so no two looks need see the same */
	clock_.now_ns = [](node_clock_t *clock) {
		auto *world = static_cast<World *>(clock->data);
		return world->now_ns_ += world->random_.below(2000);
	};
	clock_.wall_ns = [](node_clock_t *clock) { return static_cast<World *>(clock->data)->now_ns_; };
	clock_.random = [](node_clock_t *clock, void *bytes, size_t size) {
		for (size_t i = 0; i < size; i++)
			static_cast<uint8_t *>(bytes)[i] =
				(uint8_t) static_cast<World *>(clock->data)->random_.next();
	};
	director_ = {choose, split, this};
	for (int i = 0; i < program.n_nodes; i++)
		open(i);
	if (program.n_nodes > 1)
		connect();
}

void World::open(int index)
{
	node_t *node = &nodes_[index];
	snprintf(node->name, sizeof(node->name), "%c@sim", 'a' + index);
	node->creation = (uint32_t) index + 1;
	node->clock = &clock_;
	node->host = node_host_table_borrow();
	node->hooks.send_remote_take = no_remote_take;
	node->hooks.node_number = no_number;
	node->hooks.node_name_borrow = no_name;
	node_sched_options_t options = {};
	options.max_stacks = 16;
	options.stack_bytes = 256 << 10;
	if (node_proctab_open(node, 1024) < 0 || node_sched_open(node, &options) < 0)
		abort();
	node_sched_set_director(node, &director_);
	if (node_sched_start(node) < 0)
		abort();
}

// The program begins when both know of each other.
void World::connect()
{
	net_.set_delay(random_.below(2000000), 1 + random_.below(3000000));
	for (node_t &node : nodes_) {
		node_diag_t why = {};
		node_dist_options_t options = {};
		options.network = net_.end(node.name);
		if (node_dist_open(&node, &options, &why) < 0 || node_dist_start(&node) < 0)
			abort();
	}
	node_dist_on_connect_t done = [](void *data, int code, const char *) {
		*static_cast<int *>(data) = code;
	};
	node_diag_t why = {};
	if (node_dist_connect(&nodes_[0], nodes_[1].name, "b", 1, 0, done, &connected_, &why) < 0)
		abort();
	while (net_.step(1000 * NODE_MS))
		;
	for (int i = 0; i < MOST_NODES; i++) {
		const char *other = nodes_[1 - i].name;
		if (connected_ != DREAM_OK ||
			nodes_[i].hooks.node_number(&nodes_[i], other, strlen(other), &numbers_[i]) < 0)
			abort();
	}
}

World::~World()
{
	closing_ = true;
	for (int i = 0; i < program_.n_nodes; i++)
		node_dist_close(&nodes_[i]);
	for (int i = 0; i < program_.n_nodes; i++) {
		node_sched_stop(&nodes_[i]);
		node_proctab_close(&nodes_[i]);
		node_sched_close(&nodes_[i]);
	}
}

uint32_t World::choose(node_sched_director_t *director, node_proc_t *const *, uint32_t n)
{
	auto *world = static_cast<World *>(director->data);
	if (world->random_.one_in(world->delays_))
		world->now_ns_ += world->random_.below(3 * (int) NODE_MS);
	return (uint32_t) world->random_.below((int) n);
}

bool World::split(node_sched_director_t *director)
{
	auto *world = static_cast<World *>(director->data);
	return !world->closing_ && world->random_.one_in(world->splits_ + 1);
}

// ---- the run

History World::run()
{
	for (int i = 0; i < program_.n_roots; i++)
		spawn(nullptr, i, nullptr);
	while (turns_ < most_turns && (take_turn() || pass_time()))
		;
	note_links();
	if (turns_ < most_turns)
		record(What::Quiet, -1);
	return std::move(history_);
}

// False: nobody is ready.
bool World::take_turn()
{
	if (program_.n_nodes > 1 && random_.one_in(4))
		(void) net_.step(0);
	if (program_.cuts && !is_cut_ && random_.one_in(20)) {
		is_cut_ = true;
		record(What::Cut, -1);
		net_.cut();
	}
	int first = random_.below(program_.n_nodes);
	for (int i = 0; i < program_.n_nodes; i++)
		if (node_sched_drive(&nodes_[(first + i) % program_.n_nodes], 1) > 0) {
			turns_++;
			note_gone();
			return true;
		}
	return false;
}

// To what happens next; false: nothing will.
bool World::pass_time()
{
	const int64_t patience_ns = 60000 * NODE_MS;
	int64_t next_ns = NODE_FOREVER;
	for (int i = 0; i < program_.n_nodes; i++)
		next_ns = std::min(next_ns, node_sched_next_timer_ns(&nodes_[i]));
	int64_t wait_ns = next_ns == NODE_FOREVER ? patience_ns : std::max(next_ns - now_ns_, INT64_C(0));
	if (program_.n_nodes > 1 && net_.step(wait_ns))
		return true;
	if (program_.n_nodes == 1) /* else something may be on its way */
		record(What::Quiet, -1);
	if (next_ns == NODE_FOREVER)
		return false;
	now_ns_ = std::max(now_ns_, next_ns);
	if (random_.one_in(4))
		now_ns_ += random_.below(4 * (int) NODE_MS);
	return true;
}

Event &World::record(What what, int actor)
{
	Event event;
	event.what = what;
	event.actor = actor;
	event.ns = now_ns_;
	if (actor >= 0 && actors_[(size_t) actor].doing != nullptr)
		event.op = actors_[(size_t) actor].doing->id;
	history_.push_back(event);
	return history_.back();
}

Event &World::record_end(Actor &actor, int code)
{
	Event &event = record(What::End, actor.id);
	event.code = code;
	actor.doing = nullptr;
	return event;
}

void World::note_gone()
{
	for (Actor &actor : actors_)
		if (actor.dying) {
			actor.dying = false;
			record(What::Gone, actor.id);
		}
}

void World::note_links()
{
	for (Actor &actor : actors_) {
		node_proc_t *proc = node_proctab_find(node_of(actor.id), actor.pid.id);
		uint32_t pos = 0;
		node_refent_t *link;
		while (proc != nullptr && (link = node_reftab_next(proc->links, &pos)) != nullptr) {
			Event &event = record(What::Linked, actor.id);
			event.other = actor_of(link->pid);
			event.flag = link->aux != 0;
		}
	}
}

void World::died(Actor &actor, const node_proc_t *proc)
{
	if (closing_)
		return;
	actor.dying = true;
	record(What::Died, actor.id).text = notation(proc->exit_reason->data, proc->exit_reason->size_bytes);
	actor.doing = nullptr;
}

// ---- one process

void World::live(Actor &actor)
{
	record(What::Started, actor.id);
	for (const Op *op : actor.ops) {
		if (random_.one_in(3))
			node_sched_yield(node_ctx_borrow()->proc);
		if (possible(actor, *op))
			perform(actor, *op);
	}
	for (;;)
		receive(actor, nullptr);
}

bool World::possible(const Actor &actor, const Op &op)
{
	bool has_item = op.item < 0 || refs_[(size_t) op.item] != 0;
	bool has_other = op.what == Do::Spawn || op.other < 0 || actors_[(size_t) op.other].pid.id != 0;
	return has_item && has_other && (op.what != Do::Reply || !actor.owed.empty());
}

static const char *name_of(int name)
{
	static const char *const texts[] = {"name0", "name1", "name2"};
	static_assert(sizeof(texts) / sizeof(texts[0]) == N_NAMES, "each has a text");
	return texts[name % N_NAMES];
}

dream_dest_t World::dest(const Op &op)
{
	int here = program_.node_of[(size_t) op.actor];
	if (op.name >= 0)
		return node_of_name(op.name) == here
			       ? dream_to_name(name_of(op.name))
			       : dream_to_node(name_of(op.name), nodes_[node_of_name(op.name)].name);
	dream_pid_t pid = actors_[(size_t) op.other].pid;
	if (program_.node_of[(size_t) op.other] != here)
		pid.node = numbers_[here];
	return dream_to(pid);
}

dream_msg_t *World::text_msg(char prefix, int id)
{
	char text[24];
	dream_msg_t *msg = nullptr;
	snprintf(text, sizeof(text), "\"%c%d\"", prefix, id);
	if (dream_msg_parse(text, &msg) < 0)
		abort();
	return msg;
}

static dream_msg_t *reason_msg(const Op &op)
{
	dream_msg_t *msg = nullptr;
	if (dream_msg_parse(reason_text(op).c_str(), &msg) < 0)
		abort();
	return msg;
}

void World::perform(Actor &actor, const Op &op)
{
	actor.doing = &op;
	record(What::Begin, actor.id);
	switch (op.what) {
	case Do::Spawn:
		spawn(&actor, op.other, &op);
		return;
	case Do::Monitor:
		monitor(actor, op);
		return;
	case Do::Leave:
		dream_exit(reason_msg(op));
	case Do::Register:
	case Do::Unregister:
	case Do::Whereis:
		perform_name(actor, op);
		return;
	case Do::Timer:
	case Do::Cancel:
		perform_timer(actor, op);
		return;
	case Do::Call:
		perform_call(actor, op);
		return;
	case Do::Reply:
		answer(actor, actor.owed.front());
		actor.owed.pop_front();
		record_end(actor, DREAM_OK);
		return;
	case Do::Receive:
		receive(actor, &op);
		return;
	case Do::Pause:
		node_sched_yield(node_ctx_borrow()->proc);
		record_end(actor, DREAM_OK);
		return;
	default:
		record_end(actor, perform_signal(op));
	}
}

int World::perform_signal(const Op &op)
{
	dream_ref_t ref = {op.item >= 0 ? refs_[(size_t) op.item] : 0, node_of(op.actor)->creation, 0};
	dream_msg_t *reason;
	switch (op.what) {
	case Do::Send:
		return dream_send_take(dest(op), text_msg('m', op.id));
	case Do::Link:
		return dream_link(dest(op).pid);
	case Do::Unlink: {
		int r = dream_unlink(dest(op).pid);
		if (op.flags & FLUSH)
			node_msg_unref(node_proc_flush_exit(node_ctx_borrow()->proc, dest(op).pid));
		return r;
	}
	case Do::Demonitor:
		return dream_demonitor(ref, (op.flags & FLUSH) ? DREAM_DEMONITOR_FLUSH : 0);
	case Do::Exit: {
		reason = reason_msg(op);
		int r = dream_exit_signal(dest(op).pid, reason);
		dream_msg_unref(reason);
		return r;
	}
	default: /* Trap */
		return dream_trap_exit(op.flags != 0);
	}
}

void World::spawn(Actor *parent, int child, const Op *op)
{
	Actor &actor = actors_[(size_t) child];
	node_spawn_t how = {};
	how.ops = &actor_ops;
	how.self = &actor;
	how.label = "actor";
	how.flags = NODE_PROC_SYSTEM; /* no report of its end */
	if (op != nullptr) {
		how.parent = node_ctx_borrow()->proc;
		how.name = dest(*op).name;
		how.link = (op->flags & SPAWN_LINK) != 0;
		how.monitor_ref = (op->flags & SPAWN_MONITOR) ? node_proc_new_ref(node_of(child)) : 0;
	}
	/* The child may run before this returns, and whoever has the pid may use it. */
	uint64_t *ref = op != nullptr ? &refs_[(size_t) op->id] : nullptr;
	if (ref != nullptr)
		*ref = how.monitor_ref;
	int r = node_proc_spawn(node_of(child), &how, &actor.pid);
	if (r < 0 && ref != nullptr)
		*ref = 0;
	if (parent != nullptr)
		record_end(*parent, r);
}

void World::monitor(Actor &actor, const Op &op)
{
	dream_ref_t ref = {};
	int r = dream_monitor(dest(op), &ref);
	refs_[(size_t) op.id] = ref.id;
	record_end(actor, r);
}

void World::perform_name(Actor &actor, const Op &op)
{
	dream_pid_t pid = {0, 0, 0};
	const char *name = dest(op).name;
	int r = op.what == Do::Register     ? dream_register(name, actors_[(size_t) op.other].pid)
		: op.what == Do::Unregister ? dream_unregister(name)
					    : dream_whereis(name, &pid);
	record_end(actor, r).other = actor_of(pid);
}

void World::perform_timer(Actor &actor, const Op &op)
{
	dream_ref_t ref = {};
	if (op.what == Do::Timer) {
		int r = dream_send_after_take(dest(op), text_msg('m', op.id), op.ms, &ref);
		refs_[(size_t) op.id] = ref.id;
		record_end(actor, r);
		return;
	}
	ref = {refs_[(size_t) op.item], node_of(op.actor)->creation, 0};
	int64_t left = dream_cancel_timer(ref);
	Event &event = record_end(actor, left < 0 ? (int) left : DREAM_OK);
	event.number = left;
}

void World::perform_call(Actor &actor, const Op &op)
{
	dream_msg_t *request = text_msg('c', op.id), *reply = nullptr;
	int r = dream_call_raw(dest(op), request, op.ms, &reply);
	const dream_msg_t *what = r == DREAM_OK ? reply : dream_reason_borrow();
	record_end(actor, r).text = what != nullptr ? notation(what->data, what->size_bytes) : "";
	dream_msg_unref(reply);
	dream_msg_unref(request);
}

// ---- receiving

static int32_t match(void *arg, const dream_msg_t *msg)
{
	auto *pick = static_cast<Pick *>(arg);
	return pick->world->accepts(*pick, msg);
}

bool World::accepts(const Pick &pick, const dream_msg_t *msg)
{
	Seen seen = decode(msg);
	if (pick.pick == PICK_ENDS)
		return seen.what == What::Exit || seen.what == What::Down;
	return (seen.what == What::Message || seen.what == What::Called) &&
	       by_id_[(size_t) seen.id]->actor == pick.other;
}

// Without an operation, as long as it lives.
void World::receive(Actor &actor, const Op *op)
{
	dream_msg_t *msg = nullptr;
	Pick pick = {this, op != nullptr ? op->flags : PICK_ANY, op != nullptr ? op->other : -1};
	int r = dream_receive(pick.pick != PICK_ANY ? match : nullptr, &pick,
		op != nullptr ? op->ms : DREAM_INFINITY, &msg);
	if (r == DREAM_OK)
		received(actor, op, msg);
	dream_msg_unref(msg);
	if (op != nullptr)
		record_end(actor, r);
}

void World::received(Actor &actor, const Op *op, dream_msg_t *msg)
{
	Seen seen = decode(msg);
	Event &event = record(seen.what, actor.id);
	event.id = seen.id;
	event.other = seen.other;
	event.text = seen.text;
	event.object = seen.object;
	event.pick = op != nullptr ? op->flags : PICK_ANY;
	event.pick_other = op != nullptr ? op->other : -1;
	if (seen.what == What::Exit || seen.what == What::Down)
		look_for_names(actor, seen);
	if (seen.what != What::Called)
		return;
	OpenCall call = {seen.id, seen.from};
	Answer how = answer_to(program_, seen.id);
	if (how == Answer::Now)
		answer(actor, call);
	else if (how == Answer::Later)
		actor.owed.push_back(call);
}

// Whoever hears of an end looks whether the name is free.
void World::look_for_names(Actor &actor, const Seen &seen)
{
	int dead = seen.other;
	for (int i = 0; i < N_NAMES; i++) {
		dream_pid_t pid = {0, 0, 0};
		if (dead < 0 || dream_whereis(name_of(i), &pid) < 0 || actor_of(pid) != dead)
			continue;
		Event &event = record(What::Found, actor.id);
		event.id = program_.node_of[(size_t) actor.id] * N_NAMES + i;
		event.other = dead;
	}
}

void World::answer(Actor &actor, const OpenCall &call)
{
	record(What::Answered, actor.id).id = call.id;
	(void) dream_reply_take(call.from, text_msg('r', call.id));
}

std::string World::notation(const void *data, uint64_t size)
{
	GString *out = g_string_new(nullptr);
	node_notation_print(out, data, size, 0);
	std::string text(out->str, out->len);
	g_string_free(out, TRUE);
	return text;
}

int World::actor_of(dream_pid_t pid)
{
	for (const Actor &actor : actors_)
		if (pid.id != 0 && dream_pid_equal(actor.pid, pid))
			return actor.id;
	return -1;
}

// "m12": the message of operation 12. Anything else stays strange.
void World::decode_text(node_cbor_reader_t r, char prefix, What what, Seen *seen)
{
	const char *text;
	uint64_t size;
	if (node_cbor_get_text(&r, &text, &size) < 0 || size < 2 || text[0] != prefix)
		return;
	int id = std::stoi(std::string(text + 1, size - 1));
	if (id < 0 || id >= program_.n_ids || by_id_[(size_t) id] == nullptr)
		return;
	seen->id = id;
	seen->what = what;
}

bool World::decode_array(node_cbor_reader_t r, Seen *seen)
{
	uint64_t count, size;
	const char *tag;
	const uint8_t *item;
	dream_pid_t pid;
	if (node_cbor_get_array(&r, &count) < 0 || node_cbor_get_text(&r, &tag, &size) < 0)
		return false;
	std::string head(tag, size);
	node_t *node = node_ctx_borrow()->node;
	if (head == "EXIT" && node_cbor_get_pid(&r, node, &pid) == DREAM_OK) {
		seen->what = What::Exit;
		seen->other = actor_of(pid);
	} else if (head == "DOWN") {
		dream_ref_t ref;
		if (node_cbor_get_ref(&r, node, &ref) < 0 || node_cbor_skip(&r) < 0 ||
			node_cbor_get_item(&r, &item, &size) < 0)
			return false;
		seen->what = What::Down;
		for (size_t id = 0; id < refs_.size(); id++)
			if (refs_[id] == ref.id)
				seen->id = (int) id;
		node_cbor_reader_t object = node_cbor_read(item, size);
		seen->other = node_cbor_get_pid(&object, node, &pid) == DREAM_OK ? actor_of(pid) : -1;
		seen->object = seen->other >= 0 ? actor_text(seen->other) : notation(item, size);
	} else if (head == "$gen_call") {
		if (node_cbor_get_array(&r, &count) < 0 || node_cbor_get_pid(&r, node, &seen->from.pid) < 0 ||
			node_cbor_get_ref(&r, node, &seen->from.ref) < 0)
			return false;
		decode_text(r, 'c', What::Called, seen);
		return true;
	}
	if (node_cbor_get_item(&r, &item, &size) == DREAM_OK)
		seen->text = notation(item, size);
	return true;
}

Seen World::decode(const dream_msg_t *msg)
{
	Seen seen;
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	if (!decode_array(r, &seen))
		decode_text(r, 'm', What::Message, &seen);
	if (seen.what == What::Strange)
		seen.text = notation(msg->data, msg->size_bytes);
	return seen;
}

} // namespace

History run(const Program &program)
{
	World world(program);
	return world.run();
}

} // namespace sim
