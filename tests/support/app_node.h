// SPDX-License-Identifier: MIT
// app_node.h: a SimNode with an application controller, and the requests of an operator as plain functions.
#ifndef TESTS_SUPPORT_APP_NODE_H
#define TESTS_SUPPORT_APP_NODE_H
#include "app/app.h"
#include "release/upgrade.h"
#include "support/node.h"

class AppNode : public SimNode
{
      public:
	AppNode()
	{
		node_diag_t why = {};
		EXPECT_EQ(node_code_open(*this, nullptr, &why), DREAM_OK) << why.text;
		EXPECT_EQ(node_app_open(*this), DREAM_OK);
		run();
	}
	~AppNode()
	{
		close();
	}

	// Runs `what` in a process until it is over; its result.
	int ask(const std::function<int(node_proc_t *, node_diag_t *)> &what)
	{
		int result = 1;
		diag = {};
		go([&](node_proc_t *proc) { result = what(proc, &diag); }, {.flags = NODE_PROC_SYSTEM});
		EXPECT_NE(result, 1) << "the request did not come to an end";
		return result;
	}
	int load(const std::string &path)
	{
		return ask([&](node_proc_t *p, node_diag_t *d) { return node_app_load(p, path.c_str(), d); });
	}
	int start(const char *name, int32_t type = NODE_APP_TEMPORARY)
	{
		return ask([&](node_proc_t *p, node_diag_t *d) { return node_app_start(p, name, type, d); });
	}
	int stop(const char *name)
	{
		return ask([&](node_proc_t *p, node_diag_t *d) { return node_app_stop(p, name, d); });
	}
	int upgrade(const char *module, const std::string &path)
	{
		return ask([&](node_proc_t *p, node_diag_t *d) {
			return node_upgrade_module(
				p, module, path.c_str(), NODE_UPGRADE_DEADLINE_MS, &report, d);
		});
	}
	// The reply of a registered server, in notation.
	std::string call(const char *name, const std::string &request)
	{
		std::string reply;
		dream_pid_t pid = {0, 0, 0};
		if (node_names_whereis(*this, name, &pid) < 0)
			return "nobody";
		go([&](node_proc_t *proc) { reply = ::call(proc, pid, request, 1000); });
		return reply;
	}
	int32_t state(const char *name)
	{
		GArray *list = node_app_list(*this);
		int32_t found = -1;
		for (guint i = 0; i < list->len; i++) {
			const node_app_info_t *info = &g_array_index(list, node_app_info_t, i);
			if (std::string(info->name) == name)
				found = info->state;
		}
		g_array_free(list, TRUE);
		return found;
	}
	// The log's lines that contain `part`, oldest first.
	std::vector<std::string> lines(const std::string &part)
	{
		std::vector<node_log_line_t> all(NODE_LOG_RING);
		uint32_t n = node_log_tail((*this)->log, 0, DREAM_LOG_DEBUG, all.data(), NODE_LOG_RING);
		std::vector<std::string> found;
		for (uint32_t i = 0; i < n; i++)
			if (strstr(all[i].text, part.c_str()) != nullptr)
				found.push_back(all[i].text);
		return found;
	}

	node_diag_t diag = {};
	node_upgrade_report_t report = {};
};

#endif
