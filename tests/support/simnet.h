// SPDX-License-Identifier: MIT
// simnet.h: a network in memory on a virtual clock. Nothing happens unless a test runs it; one seed, one history.
#ifndef TESTS_SUPPORT_SIMNET_H
#define TESTS_SUPPORT_SIMNET_H
#include <stdint.h>
#include <functional>
#include <map>
#include <string>
#include <vector>
#include "base/clock.h"
#include "dist/carrier.h"

struct SimCarrier;

// One node's end of the network.
struct SimEnd {
	node_network_t net; // first
	class SimNet *sim;
	std::string name;
	const node_carrier_events_t *events = nullptr;
	void *owner = nullptr;
	bool ended = false;
	int64_t next_ns = NODE_FOREVER; // of on_time
	std::vector<SimCarrier *> carriers;
};

class SimNet
{
      public:
	explicit SimNet(uint64_t seed);
	~SimNet();
	SimNet(const SimNet &) = delete;

	node_clock_t *clock()
	{
		return &clock_;
	}
	// For node_dist_options_t.network; freed by the node.
	node_network_t *end(const std::string &name);
	// Packets take delay to delay + jitter; the lanes of a connection overtake each other, bytes of one lane never.
	void set_delay(int64_t delay_ns, int64_t jitter_ns);
	// Ends all connections at once, without a word to anybody but the two ends; what is under way is lost.
	void cut();
	// Until this many bytes are delivered, a carrier takes no more messages. 0: the usual cap.
	void set_cap(uint64_t bytes)
	{
		cap_ = bytes;
	}
	// Attempts to dial @name go nowhere.
	void set_unreachable(const std::string &name, bool on)
	{
		unreachable_[name] = on;
	}
	// The next event, if it is due within @horizon_ns from now; false: none.
	bool step(int64_t horizon_ns);

	int64_t now_ns = 1000000000;

      private:
	friend struct SimCarrier;
	friend struct SimOps;
	void at(int64_t when, std::function<void()> what);
	int64_t travel();
	uint64_t random();
	node_clock_t clock_;
	uint64_t state_;
	int64_t delay_ = NODE_MS, jitter_ = NODE_MS;
	uint64_t cap_ = 0;
	uint64_t seq_ = 0;
	std::map<std::pair<int64_t, uint64_t>, std::function<void()>> queue_;
	std::map<std::string, SimEnd *> ends_;
	std::map<std::string, bool> unreachable_;
};
#endif
