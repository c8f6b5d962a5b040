// SPDX-License-Identifier: MIT
#include "support/node.h"

#include <cstdlib>
#include <cstring>

#include "app/app.h"
#include "app/host.h"
#include "term/cbor.h"
#include "term/notation.h"

// The SDK's wrappers, used by lambdas, find the node's table here.
extern "C" {
const dream_host_t *dream_host = node_host_table_borrow();
}

// Abandoned stacks and fake frames do not go together.
extern "C" const char *__asan_default_options()
{
	return "detect_stack_use_after_return=0";
}

// ---- processes

struct TestBody {
	TestNode *node;
	Body body;

	TestBody(TestNode *owner, Body what) : node(owner), body(std::move(what))
	{
		std::lock_guard<std::mutex> hold(node->lock_);
		node->n_bodies_++;
	}
	~TestBody()
	{
		std::lock_guard<std::mutex> hold(node->lock_);
		if (--node->n_bodies_ == 0)
			node->ended_.notify_all();
	}
};

static int run_body(node_proc_t *proc)
{
	node_proc_drain(proc);
	if (node_proc_exiting(proc))
		return NODE_RUN_EXIT;
	static_cast<TestBody *>(proc->self)->body(proc);
	return NODE_RUN_EXIT;
}

static void free_body(node_proc_t *proc)
{
	delete static_cast<TestBody *>(proc->self);
	proc->self = nullptr;
}

static const node_proc_ops_t body_ops = {"lambda", run_body, free_body};

dream_pid_t TestNode::spawn(Body body, const Spawn &how)
{
	node_spawn_t spawn = {};
	dream_pid_t pid = {0, 0, 0};
	TestBody *mine = new TestBody(this, std::move(body));
	spawn.ops = &body_ops;
	spawn.self = mine;
	spawn.label = "lambda";
	spawn.name = how.name;
	spawn.parent = how.parent;
	spawn.link = how.link;
	spawn.monitor_ref = how.monitor_ref;
	spawn.flags = how.flags;
	spawn.limits = how.limits;
	int r = node_proc_spawn(&node_, &spawn, &pid);
	if (r < 0)
		delete mine;
	if (how.result != nullptr) {
		*how.result = r;
	} else {
		EXPECT_EQ(r, DREAM_OK);
	}
	return pid;
}

// ---- nodes

static int no_remote_take(node_t *node, struct node_sig *sig)
{
	node_proc_bounce_take(node, sig, "noconnection");
	return DREAM_ENOCONNECTION;
}

static int no_number(node_t *, const char *, uint64_t, uint32_t *)
{
	return DREAM_ENOCONNECTION;
}

static const char *any_name(node_t *, uint32_t)
{
	return "far@test";
}

TestNode::TestNode(const char *name, node_clock_t *clock, const node_sched_options_t &options)
{
	node_log_t *log;
	snprintf(node_.name, sizeof(node_.name), "%s", name);
	node_.creation = 1;
	node_.clock = clock;
	node_.host = node_host_table_borrow();
	node_.hooks.send_remote_take = no_remote_take;
	node_.hooks.node_number = no_number;
	node_.hooks.node_name_borrow = any_name;
	EXPECT_EQ(node_log_open(&node_, -1, DREAM_LOG_DEBUG, &log), DREAM_OK);
	EXPECT_EQ(node_proctab_open(&node_, 1u << 20), DREAM_OK);
	EXPECT_EQ(node_sched_open(&node_, &options), DREAM_OK);
	node_io_options_t io = {};
	io.driven = options.n_threads == 0;
	EXPECT_EQ(node_io_open(&node_, &io), DREAM_OK);
	EXPECT_EQ(node_sched_start(&node_), DREAM_OK);
}

void TestNode::close()
{
	if (!open_)
		return;
	open_ = false;
	EXPECT_TRUE(node_sched_stop(&node_)) << "a turn does not end";
	node_io_stop(&node_);
	node_proctab_close(&node_);
	node_io_close(&node_);
	node_app_close(&node_);
	for (node_gen_t *gen : loaded_)
		node_code_unref(gen);
	node_code_close(node_.code, true);
	node_.code = nullptr;
	node_sched_close(&node_);
	node_log_close(node_.log);
}

node_gen_t *TestNode::load(int version, bool current)
{
	node_diag_t diag = {};
	node_gen_t *gen = nullptr;
	if (node_.code == nullptr) {
		EXPECT_EQ(node_code_open(&node_, nullptr, &diag), DREAM_OK) << diag.text;
	}
	std::string path = std::string(DREAM_FIXTURES "/scripted_") + std::to_string(version) + ".so";
	EXPECT_EQ(node_code_load(node_.code, path.c_str(), &gen, &diag), DREAM_OK) << diag.text;
	if (gen == nullptr)
		return nullptr;
	loaded_.push_back(gen);
	if (current)
		node_code_unref(node_code_make_current(node_.code, gen));
	return gen;
}

unsigned TestNode::logged(const std::string &part)
{
	std::vector<node_log_line_t> lines(NODE_LOG_RING);
	uint32_t n = node_log_tail(node_.log, 0, DREAM_LOG_DEBUG, lines.data(), NODE_LOG_RING);
	unsigned hits = 0;
	for (uint32_t i = 0; i < n; i++)
		hits += std::string(lines[i].text).find(part) != std::string::npos;
	return hits;
}

// ---- the virtual clock

static int64_t virtual_now(node_clock_t *clock)
{
	return static_cast<VirtualClock *>(clock->data)->now_ns;
}

static int64_t virtual_wall(node_clock_t *clock)
{
	return virtual_now(clock) + INT64_C(1700000000) * 1000 * NODE_MS;
}

static void virtual_random(node_clock_t *clock, void *ret_bytes, size_t size_bytes)
{
	VirtualClock *self = static_cast<VirtualClock *>(clock->data);
	for (size_t i = 0; i < size_bytes; i++) {
		self->random = self->random * 6364136223846793005u + 1442695040888963407u;
		static_cast<uint8_t *>(ret_bytes)[i] = static_cast<uint8_t>(self->random >> 56);
	}
}

VirtualClock::VirtualClock(uint64_t seed)
    : clock{virtual_now, virtual_wall, virtual_random, this, nullptr}, now_ns(1000 * NODE_MS), random(seed)
{
}

static node_sched_options_t options(uint32_t n_threads, uint32_t max_stacks)
{
	node_sched_options_t o = {};
	o.n_threads = n_threads;
	o.max_stacks = max_stacks;
	return o;
}

SimNode::SimNode(uint64_t seed, const char *name, uint32_t max_stacks)
    : VirtualClock(seed), TestNode(name, &clock, options(0, max_stacks))
{
}

void SimNode::run()
{
	const uint64_t most = 10000000;
	EXPECT_LT(node_sched_drive(&node_, most), most) << "something is ready for ever";
}

void SimNode::advance(int64_t ms)
{
	int64_t end_ns = now_ns + ms * NODE_MS;
	run();
	for (int64_t next_ns; (next_ns = node_sched_next_timer_ns(&node_)) <= end_ns;) {
		now_ns = next_ns > now_ns ? next_ns : now_ns;
		run();
	}
	now_ns = end_ns;
	run();
}

dream_pid_t SimNode::go(Body body, const Spawn &how)
{
	dream_pid_t pid = spawn(std::move(body), how);
	run();
	return pid;
}

// ---- threads

ThreadNode::ThreadNode(uint32_t n_threads)
    : TestNode("threads@test", node_clock_system_borrow(), options(n_threads, 0))
{
}

bool TestNode::wait_bodies()
{
	std::unique_lock<std::mutex> hold(lock_);
	return ended_.wait_for(hold, std::chrono::seconds(10), [this] { return n_bodies_ == 0; });
}

void Latch::hit()
{
	std::lock_guard<std::mutex> hold(lock_);
	if (--n_ <= 0)
		zero_.notify_all();
}

bool Latch::wait()
{
	std::unique_lock<std::mutex> hold(lock_);
	bool done = zero_.wait_for(hold, std::chrono::seconds(10), [this] { return n_ <= 0; });
	EXPECT_TRUE(done) << n_ << " events did not come";
	return done;
}

// ---- terms and messages

dream_msg_t *term(const std::string &text)
{
	node_diag_t diag = {};
	dream_msg_t *msg = nullptr;
	EXPECT_EQ(node_notation_parse(text.data(), text.size(), &msg, &diag), DREAM_OK)
		<< text << ": " << diag.text;
	return msg;
}

std::string text(const dream_msg_t *msg)
{
	if (msg == nullptr)
		return "(none)";
	GString *out = g_string_new(nullptr);
	node_notation_print(out, msg->data, msg->size_bytes, 0);
	std::string s(out->str, out->len);
	g_string_free(out, TRUE);
	return s;
}

std::string text_take(dream_msg_t *msg)
{
	std::string s = text(msg);
	node_msg_unref(msg);
	return s;
}

std::string text_of(const node_t *node, dream_pid_t pid)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = nullptr;
	node_cbor_init(&w);
	node_cbor_put_pid(&w, node, pid);
	EXPECT_EQ(node_cbor_finish(&w, &msg), DREAM_OK);
	return text_take(msg);
}

int send(node_t *node, node_proc_t *proc, dream_pid_t to, const std::string &text)
{
	dream_dest_t dest = dream_to(to);
	return node_call_send_take(node, proc, &dest, term(text));
}

std::string receive(node_proc_t *proc, int64_t timeout_ms)
{
	dream_msg_t *msg = nullptr;
	int r = node_call_receive(proc, nullptr, nullptr, timeout_ms, &msg);
	return r == DREAM_ETIMEDOUT ? "(timeout)" : text_take(msg);
}

void exit_signal(node_t *node, node_proc_t *from, dream_pid_t to, const std::string &reason)
{
	dream_msg_t *msg = term(reason);
	node_proc_exit_signal(node, from, to, msg);
	node_msg_unref(msg);
}

void wait_forever(node_proc_t *proc)
{
	for (;;)
		(void) node_proc_wait(proc, NODE_FOREVER);
}

static std::string outcome(node_proc_t *proc, int r, dream_msg_t *reply)
{
	if (r >= 0)
		return text_take(reply);
	return "error " + std::to_string(r) + " " + text(node_proc_reason_borrow(proc));
}

std::string call(node_proc_t *proc, dream_pid_t to, const std::string &request, int64_t timeout_ms)
{
	dream_dest_t dest = dream_to(to);
	dream_msg_t *reply = nullptr;
	int r = node_call_take(proc, &dest, term(request), timeout_ms, &reply);
	return outcome(proc, r, reply);
}

std::string sys(node_proc_t *proc, dream_pid_t to, int32_t op, void *data)
{
	dream_msg_t *reply = nullptr;
	int r = node_call_sys_take(proc, to, op, nullptr, data, DREAM_INFINITY, &reply);
	return outcome(proc, r, reply);
}

// ---- servers

static Script *mine(script_t *script)
{
	return static_cast<Script *>(script);
}

static int script_init(script_t *s)
{
	return mine(s)->on_init ? mine(s)->on_init() : DREAM_OK;
}

static dream_next_t script_call(script_t *s, const dream_msg_t *request, dream_msg_t **ret_reply)
{
	return mine(s)->on_call ? mine(s)->on_call(request, ret_reply) : DREAM_NOREPLY;
}

static dream_next_t script_cast(script_t *s, const dream_msg_t *msg)
{
	return mine(s)->on_cast ? mine(s)->on_cast(msg) : DREAM_NOREPLY;
}

static dream_next_t script_info(script_t *s, const dream_msg_t *msg)
{
	return mine(s)->on_info ? mine(s)->on_info(msg) : DREAM_NOREPLY;
}

static dream_next_t script_continue(script_t *s, const dream_msg_t *arg)
{
	return mine(s)->on_continue ? mine(s)->on_continue(arg) : DREAM_NOREPLY;
}

static void script_terminate(script_t *s, const dream_msg_t *reason)
{
	if (mine(s)->on_terminate)
		mine(s)->on_terminate(reason);
}

static int script_code_change(script_t *s, uint32_t from_vsn)
{
	return mine(s)->on_code_change ? mine(s)->on_code_change(from_vsn) : DREAM_OK;
}

static int script_main(script_t *s)
{
	return mine(s)->on_main ? mine(s)->on_main() : DREAM_OK;
}

Script::Script()
    : script_t{script_init, script_call, script_cast, script_info, script_continue, script_terminate,
	      script_code_change, script_main}
{
}

std::string Script::args() const
{
	return std::to_string(reinterpret_cast<uintptr_t>(static_cast<const script_t *>(this)));
}

dream_pid_t start(node_proc_t *parent, const Script &script, const Start &how)
{
	dream_pid_t pid = {0, 0, 0};
	dream_msg_t *args = term(script.args());
	node_start_t s = {};
	s.module = "scripted";
	s.kind = how.kind;
	s.args = args;
	s.name = how.name;
	s.link = how.link;
	s.timeout_ms = how.timeout_ms;
	EXPECT_EQ(node_proc_hold(parent, args), DREAM_OK); // it may end in there
	int r = node_start_kind(parent, &s, &pid);
	EXPECT_TRUE(node_proc_unhold(parent, args));
	node_msg_unref(args);
	if (how.result != nullptr) {
		*how.result = r;
	} else {
		EXPECT_EQ(r, DREAM_OK) << text(node_proc_reason_borrow(parent));
	}
	return pid;
}

dream_msg_t *owned(const std::string &text)
{
	dream_msg_t *msg = nullptr;
	EXPECT_EQ(dream_msg_parse(text.c_str(), &msg), DREAM_OK);
	return msg;
}
