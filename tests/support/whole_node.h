// SPDX-License-Identifier: MIT
// whole_node.h: a whole node inside the test, all rooms but the network, with a console to type into.
#ifndef TESTS_SUPPORT_WHOLE_NODE_H
#define TESTS_SUPPORT_WHOLE_NODE_H
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "boot.h"

// What a command gave: its end, and its results in diagnostic notation.
struct Answer {
	bool over = false;
	int code = 0;
	std::string text;
	std::vector<std::string> items;
	// All results in one text, for looking things up in it.
	std::string all() const;
};

class WholeNode
{
      public:
	// @config is what follows the required keys of [node]; the node is called @name.
	explicit WholeNode(const std::string &config = "", const std::string &name = "test@127.0.0.1",
		node_clock_t *clock = nullptr);
	~WholeNode();
	WholeNode(const WholeNode &) = delete;

	node_t *node()
	{
		return node_boot_node_borrow(boot_);
	}
	node_boot_t *boot()
	{
		return boot_;
	}
	// Loads and starts what the configuration names; a code.
	int start();
	// Types a line and waits for its end.
	Answer run(const std::string &line);
	// Types a line and returns its number.
	uint64_t type(const std::string &line);
	void cancel(uint64_t id)
	{
		node_console_cancel(node(), 1, id);
	}
	// Waits, at most a minute, until command @id is over.
	Answer wait(uint64_t id);
	// Runs @line until its results contain @part; false after a minute.
	bool eventually(const std::string &line, const std::string &part);
	// The pid behind a name, "<12.3>".
	std::string pid_of(const std::string &name);

	std::string failure; // why the node did not open

      private:
	friend struct WholeNodeAccess;
	node_config_t *config_ = nullptr;
	node_boot_t *boot_ = nullptr;
	std::mutex lock_;
	std::condition_variable more_;
	std::map<uint64_t, Answer> answers_;
	uint64_t last_id_ = 0;
};

#endif
