// SPDX-License-Identifier: MIT
#include "support/whole_node.h"

#include <chrono>

#include "proc/names.h"
#include "term/notation.h"

namespace
{

// Callbacks get a node; this finds the test's object behind it.
std::mutex registry_lock;
std::map<node_t *, WholeNode *> registry;

WholeNode *find(node_t *node)
{
	std::lock_guard<std::mutex> hold(registry_lock);
	auto it = registry.find(node);
	return it == registry.end() ? nullptr : it->second;
}

std::string notation(const dream_msg_t *msg)
{
	GString *out = g_string_new(nullptr);
	node_notation_print(out, msg->data, msg->size_bytes, 0);
	std::string text(out->str, out->len);
	g_string_free(out, TRUE);
	return text;
}

const std::chrono::seconds patience(60);

} // namespace

struct WholeNodeAccess {
	static int item_take(node_t *node, uint64_t, uint64_t id, dream_msg_t *item)
	{
		WholeNode *whole = find(node);
		std::string text = notation(item);
		node_msg_unref(item);
		if (whole == nullptr)
			return DREAM_ENOCONNECTION;
		std::lock_guard<std::mutex> hold(whole->lock_);
		whole->answers_[id].items.push_back(text);
		return DREAM_OK;
	}

	static int done(node_t *node, uint64_t, uint64_t id, int code, const char *text)
	{
		WholeNode *whole = find(node);
		if (whole == nullptr)
			return DREAM_ENOCONNECTION;
		std::lock_guard<std::mutex> hold(whole->lock_);
		Answer &answer = whole->answers_[id];
		answer.over = true;
		answer.code = code;
		answer.text = text != nullptr ? text : "";
		whole->more_.notify_all();
		return DREAM_OK;
	}

	static int open(node_t *, const node_config_t *, uint16_t *ret_port, node_diag_t *)
	{
		*ret_port = 0;
		return DREAM_OK;
	}
	static void close(node_t *) {}
};

static const node_console_out_t recorder = {
	WholeNodeAccess::item_take, WholeNodeAccess::done, nullptr, nullptr};
static const node_boot_net_t no_net = {
	WholeNodeAccess::open, nullptr, WholeNodeAccess::close, WholeNodeAccess::close, &recorder};

std::string Answer::all() const
{
	std::string whole;
	for (const std::string &item : items)
		whole += item + "\n";
	return whole;
}

WholeNode::WholeNode(const std::string &config, const std::string &name, node_clock_t *clock)
{
	node_diag_t diag = {0, ""};
	std::string text = "[node]\nname=" + name + "\nauthority=a\ncertificate=b\nkey=c\nschedulers=" +
			   (clock != nullptr ? "1" : "2") + "\nmax_processes=100000\n" + config;
	int r = node_config_parse("test.conf", text.data(), text.size(), &config_, &diag);
	node_boot_options_t options = {config_, &no_net, clock, -1, 0};
	if (r == DREAM_OK)
		r = node_boot_open(&options, &boot_, &diag);
	if (r < 0) {
		failure = diag.text;
		return;
	}
	std::lock_guard<std::mutex> hold(registry_lock);
	registry[node()] = this;
}

WholeNode::~WholeNode()
{
	if (boot_ != nullptr) {
		node_t *mine = node();
		node_diag_t diag = {0, ""};
		(void) node_boot_run(boot_, NODE_BOOT_STOP, 60000, &diag);
		node_boot_close(boot_);
		std::lock_guard<std::mutex> hold(registry_lock);
		registry.erase(mine);
	}
	node_config_free(config_);
}

int WholeNode::start()
{
	node_diag_t diag = {0, ""};
	int r = node_boot_run(boot_, NODE_BOOT_START, 60000, &diag);
	failure = r < 0 ? diag.text : "";
	return r;
}

uint64_t WholeNode::type(const std::string &line)
{
	uint64_t id;
	{
		std::lock_guard<std::mutex> hold(lock_);
		id = ++last_id_;
	}
	node_console_command(node(), 1, id, "tester", line.c_str());
	return id;
}

Answer WholeNode::wait(uint64_t id)
{
	std::unique_lock<std::mutex> hold(lock_);
	more_.wait_for(hold, patience, [&] { return answers_[id].over; });
	Answer answer = answers_[id];
	answers_.erase(id);
	return answer;
}

Answer WholeNode::run(const std::string &line)
{
	return wait(type(line));
}

bool WholeNode::eventually(const std::string &line, const std::string &part)
{
	auto until = std::chrono::steady_clock::now() + patience;
	while (std::chrono::steady_clock::now() < until)
		if (run(line).all().find(part) != std::string::npos)
			return true;
	return false;
}

std::string WholeNode::pid_of(const std::string &name)
{
	dream_pid_t pid;
	char buffer[300];
	if (node_names_whereis(node(), name.c_str(), &pid) < 0)
		return "";
	return node_proc_pid_text(node(), pid, buffer);
}
