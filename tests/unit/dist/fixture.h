// SPDX-License-Identifier: MIT
// fixture.h: nodes without threads of their own scheduler, for the tests of this room.
#ifndef TESTS_UNIT_DIST_FIXTURE_H
#define TESTS_UNIT_DIST_FIXTURE_H
#include <gtest/gtest.h>
#include <string>
#include "base/clock.h"
#include "base/ctx.h"
#include "base/log.h"
#include "dist/dist.h"
#include "proc/proc.h"
#include "sched/sched.h"
#include "term/cbor.h"

// A node that a test drives; opens no network by itself.
struct TestNode {
	node_t node = {};
	explicit TestNode(const char *name, uint32_t creation = 7,
		node_clock_t *clock = node_clock_system_borrow(), uint32_t n_threads = 0)
	{
		snprintf(node.name, sizeof(node.name), "%s", name);
		node.creation = creation;
		node.clock = clock;
		node_ctx_borrow()->tag = NODE_CTX_BOOT;
		node_log_t *log;
		node_sched_options_t sched = {};
		sched.n_threads = n_threads;
		EXPECT_EQ(node_log_open(&node, -1, DREAM_LOG_DEBUG, &log), DREAM_OK);
		EXPECT_EQ(node_proctab_open(&node, 1000), DREAM_OK);
		EXPECT_EQ(node_sched_open(&node, &sched), DREAM_OK);
		if (n_threads > 0) {
			EXPECT_EQ(node_sched_start(&node), DREAM_OK);
		}
	}
	~TestNode()
	{
		node_dist_close(&node);
		node_sched_stop(&node);
		node_proctab_close(&node);
		node_sched_close(&node);
		node_log_close(node.log);
	}
	TestNode(const TestNode &) = delete;
	std::string log() const
	{
		static node_log_line_t lines[200];
		std::string all;
		uint32_t n = node_log_tail(node.log, 0, DREAM_LOG_DEBUG, lines, 200);
		for (uint32_t i = 0; i < n; i++)
			all += std::string(lines[i].text) + "\n";
		return all;
	}
};
#endif
