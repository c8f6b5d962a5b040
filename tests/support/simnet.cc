// SPDX-License-Identifier: MIT
#include "support/simnet.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

struct SimCarrier {
	node_carrier_t base; // first
	SimEnd *end;
	SimCarrier *other; // no reference; NULL once that end is down
	bool up;
	bool closed;
	uint64_t waiting;
	int64_t lane_ns[NODE_CARRIER_LANES];
};

struct SimOps {
	static SimCarrier *of(node_carrier_t *c)
	{
		return reinterpret_cast<SimCarrier *>(c);
	}

	// The network's part in a carrier ends here.
	static void down(SimCarrier *c, int code, const std::string &reason)
	{
		if (c->closed)
			return;
		c->closed = true;
		if (c->other != nullptr)
			c->other->other = nullptr;
		c->other = nullptr;
		auto &all = c->end->carriers;
		all.erase(std::remove(all.begin(), all.end(), c), all.end());
		if (c->up || c->base.dialled)
			c->end->events->on_down(c->end->owner, &c->base, code, reason.c_str());
		node_carrier_unref(&c->base);
	}

	static int send(node_carrier_t *carrier, uint32_t lane, const node_carrier_part_t *parts, uint32_t n,
		uint32_t flags)
	{
		SimCarrier *c = of(carrier);
		SimNet *sim = c->end->sim;
		if (c->closed || c->other == nullptr)
			return DREAM_ENOCONNECTION;
		uint64_t cap = sim->cap_ != 0 ? sim->cap_ : NODE_CARRIER_CAP_BYTES;
		if (!(flags & NODE_CARRIER_EXEMPT) && c->waiting >= cap)
			return DREAM_EBUSY;
		std::string bytes;
		for (uint32_t i = 0; i < n; i++)
			bytes.append(static_cast<const char *>(parts[i].data), parts[i].size_bytes);
		c->waiting += bytes.size();
		c->lane_ns[lane] = std::max(c->lane_ns[lane], sim->now_ns + sim->travel());
		node_carrier_ref(carrier);
		sim->at(c->lane_ns[lane], [c, lane, bytes] {
			c->waiting -= bytes.size();
			SimCarrier *to = c->other;
			if (to != nullptr && !to->closed)
				to->end->events->on_bytes(to->end->owner, &to->base, lane,
					reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
			node_carrier_unref(&c->base);
		});
		return DREAM_OK;
	}

	static void consumed(node_carrier_t *, uint32_t, uint64_t) {}

	static void close(node_carrier_t *carrier, int code, const char *text)
	{
		SimCarrier *c = of(carrier);
		SimCarrier *other = c->other;
		std::string reason = text;
		if (c->closed)
			return;
		node_carrier_ref(carrier);
		c->end->sim->at(c->end->sim->now_ns, [c, code, reason] {
			down(c, code, reason);
			node_carrier_unref(&c->base);
		});
		if (other == nullptr)
			return;
		node_carrier_ref(&other->base);
		c->end->sim->at(c->end->sim->now_ns + c->end->sim->travel(), [other, code, reason] {
			down(other, code < 0 ? code : DREAM_ENOCONNECTION, "closed by the peer: " + reason);
			node_carrier_unref(&other->base);
		});
	}

	static void stats(node_carrier_t *, node_carrier_stats_t *ret)
	{
		memset(ret, 0, sizeof(*ret));
	}
	static void free(node_carrier_t *carrier)
	{
		delete of(carrier);
	}

	static SimCarrier *make(SimEnd *end, bool dialled, const std::string &peer)
	{
		static const node_carrier_ops_t ops = {send, consumed, close, stats, SimOps::free};
		auto *c = new SimCarrier();
		c->base.ops = &ops;
		c->base.refs = 1;
		c->base.dialled = dialled;
		c->end = end;
		snprintf(c->base.peer_name, sizeof(c->base.peer_name), "%s", peer.c_str());
		snprintf(c->base.address, sizeof(c->base.address), "sim:1");
		end->carriers.push_back(c);
		return c;
	}

	static void rise(SimCarrier *c)
	{
		c->up = true;
		c->base.peer_role = NODE_ROLE_NODE;
		c->end->events->on_up(c->end->owner, &c->base);
	}

	// The dialler is up a trip before the other side, as with TLS 1.3.
	static int dial(node_network_t *net, const char *name, const char *, uint16_t, void *user,
		node_carrier_t **ret, node_diag_t *)
	{
		auto *end = reinterpret_cast<SimEnd *>(net);
		SimNet *sim = end->sim;
		SimCarrier *mine = make(end, true, name);
		mine->base.user = user;
		*ret = &mine->base;
		auto it = sim->ends_.find(name);
		if (it == sim->ends_.end() || it->second->ended || sim->unreachable_[name])
			return DREAM_OK; /* silence */
		SimCarrier *theirs = make(it->second, false, end->name);
		mine->other = theirs;
		theirs->other = mine;
		node_carrier_ref(&mine->base);
		node_carrier_ref(&theirs->base);
		int64_t up = sim->now_ns + sim->travel();
		int64_t there = up + sim->delay_;
		for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++)
			mine->lane_ns[i] = there;
		sim->at(up, [mine] {
			if (!mine->closed)
				rise(mine);
			node_carrier_unref(&mine->base);
		});
		sim->at(there, [theirs] {
			if (!theirs->closed)
				rise(theirs);
			node_carrier_unref(&theirs->base);
		});
		return DREAM_OK;
	}

	static int start(node_network_t *net, const node_carrier_events_t *events, void *owner)
	{
		auto *end = reinterpret_cast<SimEnd *>(net);
		end->events = events;
		end->owner = owner;
		return DREAM_OK;
	}

	static bool post(node_network_t *net, void (*run)(void *), void *data)
	{
		auto *end = reinterpret_cast<SimEnd *>(net);
		if (end->ended)
			return false;
		end->sim->at(end->sim->now_ns, [run, data] { run(data); });
		return true;
	}

	static uint16_t port(const node_network_t *)
	{
		return 1;
	}

	static void stop(node_network_t *net, const char *reason)
	{
		auto *end = reinterpret_cast<SimEnd *>(net);
		while (!end->carriers.empty()) {
			SimCarrier *c = end->carriers.front();
			close(&c->base, 0, reason);
			down(c, 0, reason);
		}
		end->ended = true;
	}

	static void close_net(node_network_t *net)
	{
		auto *end = reinterpret_cast<SimEnd *>(net);
		end->sim->ends_.erase(end->name);
		delete end;
	}
};

static SimNet *sim_of(node_clock_t *clock)
{
	return static_cast<SimNet *>(clock->data);
}

SimNet::SimNet(uint64_t seed) : state_(seed * 2 + 1)
{
	clock_.data = this;
	clock_.now_ns = [](node_clock_t *c) { return sim_of(c)->now_ns; };
	clock_.wall_ns = [](node_clock_t *c) { return INT64_C(1700000000000000000) + sim_of(c)->now_ns; };
	clock_.random = [](node_clock_t *c, void *out, size_t size) {
		for (size_t i = 0; i < size; i++)
			static_cast<uint8_t *>(out)[i] = (uint8_t) sim_of(c)->random();
	};
}

SimNet::~SimNet()
{
	while (step(NODE_FOREVER - now_ns))
		;
}

uint64_t SimNet::random()
{
	state_ ^= state_ << 13;
	state_ ^= state_ >> 7;
	state_ ^= state_ << 17;
	return state_;
}

int64_t SimNet::travel()
{
	return delay_ + (jitter_ > 0 ? (int64_t) (random() % (uint64_t) jitter_) : 0);
}

void SimNet::set_delay(int64_t delay_ns, int64_t jitter_ns)
{
	delay_ = delay_ns;
	jitter_ = jitter_ns;
}

void SimNet::at(int64_t when, std::function<void()> what)
{
	queue_[{when, seq_++}] = std::move(what);
}

node_network_t *SimNet::end(const std::string &name)
{
	static const node_network_ops_t ops = {
		SimOps::start, SimOps::dial, SimOps::post, SimOps::port, SimOps::stop, SimOps::close_net};
	auto *end = new SimEnd();
	end->net.ops = &ops;
	end->sim = this;
	end->name = name;
	ends_[name] = end;
	return &end->net;
}

void SimNet::cut()
{
	for (auto &one : ends_)
		while (!one.second->carriers.empty())
			SimOps::down(one.second->carriers.front(), DREAM_ETIMEDOUT,
				"nothing was heard from the peer for too long");
}

bool SimNet::step(int64_t horizon_ns)
{
	int64_t next = queue_.empty() ? NODE_FOREVER : queue_.begin()->first.first;
	for (auto &one : ends_)
		next = std::min(next, one.second->next_ns);
	if (next == NODE_FOREVER || next - now_ns > horizon_ns)
		return false;
	now_ns = std::max(now_ns, next);
	if (!queue_.empty() && queue_.begin()->first.first <= now_ns) {
		auto what = std::move(queue_.begin()->second);
		queue_.erase(queue_.begin());
		what();
	}
	for (auto &one : ends_)
		if (one.second->events != nullptr && !one.second->ended)
			one.second->next_ns = one.second->events->on_time(one.second->owner, now_ns);
		else
			one.second->next_ns = NODE_FOREVER;
	return true;
}
