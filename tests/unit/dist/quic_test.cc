// SPDX-License-Identifier: MIT
// Real packets between two endpoints of one thread: handshakes, good and bad, and strangers at the port.
#include <arpa/inet.h>
#include <algorithm>
#include <poll.h>
#include <unistd.h>
#include <memory>
#include <vector>
#include "certs.h"
#include "dist/quic.h"
#include "fixture.h"

namespace
{

struct Endpoint {
	node_tls_t *tls = nullptr;
	node_quic_t *quic = nullptr;
	node_diag_t diag = {};
	int ups = 0, downs = 0, code = 0;
	std::string reason, peer, got;
	uint32_t role = 0;
	node_carrier_t *carrier = nullptr;
	int64_t next_ns = 0;

	Endpoint(const char *cert, bool listen, int64_t handshake_ms = 5000, uint32_t max_half_open = 0,
		const char *authority = nullptr)
	{
		Certs &certs = Certs::get();
		std::string crt = certs.file(std::string(cert ? cert : "") + ".crt"),
			    key = certs.file(std::string(cert ? cert : "") + ".key");
		EXPECT_EQ(node_tls_open(authority ? authority : certs.ours.path(),
				  cert ? crt.c_str() : nullptr, cert ? key.c_str() : nullptr, &tls, &diag),
			DREAM_OK)
			<< diag.text;
		static const node_carrier_events_t events = {on_up, on_bytes, on_down, nullptr};
		node_quic_options_t o = {};
		o.clock = node_clock_system_borrow();
		o.tls = tls;
		o.host = "127.0.0.1";
		o.listen = listen;
		o.handshake_ms = handshake_ms;
		o.max_half_open = max_half_open;
		o.events = &events;
		o.owner = this;
		EXPECT_EQ(node_quic_open(&o, &quic, &diag), DREAM_OK) << diag.text;
	}
	~Endpoint()
	{
		node_quic_close(quic);
		node_tls_close(tls);
	}
	void dial(uint16_t port, const char *name = nullptr)
	{
		ASSERT_EQ(
			node_quic_dial(quic, name, 0, "127.0.0.1", port, nullptr, &carrier, &diag), DREAM_OK)
			<< diag.text;
	}
	node_quic_stats_t stats() const
	{
		node_quic_stats_t s;
		node_quic_stats(quic, &s);
		return s;
	}
	static void on_up(void *owner, node_carrier_t *c)
	{
		auto *me = static_cast<Endpoint *>(owner);
		me->ups++;
		me->peer = c->peer_name;
		me->role = c->peer_role;
		me->carrier = c;
	}
	static void on_bytes(
		void *owner, node_carrier_t *c, uint32_t lane, const uint8_t *data, uint64_t size)
	{
		static_cast<Endpoint *>(owner)->got.append((const char *) data, size);
		c->ops->consumed(c, lane, size);
	}
	static void on_down(void *owner, node_carrier_t *, int code, const char *reason)
	{
		auto *me = static_cast<Endpoint *>(owner);
		me->downs++;
		me->code = code;
		me->reason = reason;
	}
};

// Runs the endpoints until it is so, ten seconds at most.
template <class F> bool run(std::vector<Endpoint *> all, F until)
{
	node_clock_t *clock = node_clock_system_borrow();
	int64_t end = clock->now_ns(clock) + 10000 * NODE_MS;
	for (Endpoint *e : all)
		e->next_ns = node_quic_step(e->quic, true);
	while (!until()) {
		int64_t now = clock->now_ns(clock), next = end;
		if (now >= end)
			return false;
		std::vector<pollfd> fds;
		for (Endpoint *e : all) {
			fds.push_back({node_quic_fd(e->quic), POLLIN, 0});
			next = std::min(next, e->next_ns);
		}
		int64_t left = std::max<int64_t>(next - now, 0);
		timespec wait = {left / 1000000000, left % 1000000000};
		(void) ppoll(fds.data(), fds.size(), &wait, nullptr);
		for (Endpoint *e : all)
			e->next_ns = node_quic_step(e->quic, true);
	}
	return true;
}

std::string refusal(const char *cert)
{
	Endpoint server("a", true), client(cert, false);
	client.dial(node_quic_port(server.quic));
	EXPECT_TRUE(run({&server, &client}, [&] { return client.downs == 1; }));
	EXPECT_EQ(client.code, DREAM_ECERT);
	EXPECT_EQ(server.ups, 0);
	EXPECT_EQ(server.downs, 0);
	EXPECT_EQ(server.stats().failed, 1u);
	return client.reason;
}

// A client that says its first word and then nothing more.
std::unique_ptr<Endpoint> silent(const Endpoint &server)
{
	auto client = std::make_unique<Endpoint>("b", false);
	client->dial(node_quic_port(server.quic));
	node_quic_step(client->quic, false);
	return client;
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

} // namespace

TEST(QuicHandshake, ProvesNameAndRoleToBothSides)
{
	Endpoint server("a", true), client("op", false);
	client.dial(node_quic_port(server.quic), "a@test");
	ASSERT_TRUE(run({&server, &client}, [&] { return server.ups == 1 && client.ups == 1; }));
	EXPECT_EQ(server.peer, "alice");
	EXPECT_EQ(server.role, NODE_ROLE_OPERATOR);
	EXPECT_EQ(client.peer, "a@test");
	EXPECT_EQ(client.role, NODE_ROLE_NODE);
}

TEST(QuicHandshake, ForeignAuthorityIsRefused)
{
	EXPECT_HAS(refusal("stranger"), "foreign authority");
}

TEST(QuicHandshake, ExpiredCertificateIsRefused)
{
	EXPECT_HAS(refusal("expired"), "has expired");
}

TEST(QuicHandshake, CertificateOfTheFutureIsRefused)
{
	EXPECT_HAS(refusal("early"), "not yet valid");
}

TEST(QuicHandshake, UnknownRoleIsRefused)
{
	EXPECT_HAS(refusal("guest"), "wrong role \"guest\"");
}

TEST(QuicHandshake, NameWithoutItsUriIsRefused)
{
	EXPECT_HAS(refusal("nouri"), "dream://a@test is not among");
}

TEST(QuicHandshake, NoCertificateIsRefused)
{
	EXPECT_HAS(refusal(nullptr), "no certificate was sent");
}

TEST(QuicHandshake, DiallerRefusesAnotherName)
{
	Endpoint server("a", true), client("b", false);
	client.dial(node_quic_port(server.quic), "z@test");
	ASSERT_TRUE(run({&server, &client}, [&] { return client.downs == 1; }));
	EXPECT_EQ(client.code, DREAM_ECERT);
	EXPECT_HAS(client.reason, "wrong name: \"a@test\" where \"z@test\" was expected");
}

TEST(QuicStrangers, GarbageIsCountedAndHurtsNobody)
{
	Endpoint server("a", true), client("b", false);
	sockaddr_in to = {};
	to.sin_family = AF_INET;
	to.sin_port = htons(node_quic_port(server.quic));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint32_t x = 1;
	for (int i = 0; i < 200; i++) {
		uint8_t junk[300];
		for (uint8_t &byte : junk)
			byte = (uint8_t) ((x = x * 1664525 + 1013904223) >> 24);
		ASSERT_GT(sendto(fd, junk, 1 + (x >> 8) % sizeof(junk), 0, (sockaddr *) &to, sizeof(to)), 0);
	}
	close(fd);
	client.dial(node_quic_port(server.quic));
	ASSERT_TRUE(run({&server, &client}, [&] { return server.ups == 1; }));
	EXPECT_GT(server.stats().garbage, 100u);
	EXPECT_EQ(server.stats().connections, 1u);
}

TEST(QuicStrangers, SilenceInTheHandshakeEndsAtItsDeadline)
{
	Endpoint server("a", true, 200);
	auto client = silent(server);
	ASSERT_TRUE(run({&server}, [&] { return server.stats().half_open == 1; }));
	ASSERT_TRUE(run({&server}, [&] { return server.stats().connections == 0; }));
	EXPECT_EQ(server.stats().half_open, 0u);
	EXPECT_EQ(server.stats().failed, 1u);
	EXPECT_EQ(server.downs, 0);
}

TEST(QuicStrangers, HandshakesAtOnceAreBounded)
{
	Endpoint server("a", true, 200, 2);
	std::vector<std::unique_ptr<Endpoint>> clients;
	for (int i = 0; i < 5; i++)
		clients.push_back(silent(server));
	ASSERT_TRUE(run({&server}, [&] { return server.stats().refused == 3; }));
	EXPECT_EQ(server.stats().half_open, 2u);
	Endpoint late("b", false);
	late.dial(node_quic_port(server.quic));
	EXPECT_TRUE(run({&server, &late}, [&] { return late.ups == 1; }));
}

TEST(QuicCarrier, LanesCarryMoreThanTheirWindows)
{
	Endpoint server("a", true), client("b", false);
	client.dial(node_quic_port(server.quic));
	ASSERT_TRUE(run({&server, &client}, [&] { return server.ups == 1 && client.ups == 1; }));
	std::string big(60 << 20, 'x');
	node_carrier_part_t part = {big.data(), big.size()};
	ASSERT_EQ(client.carrier->ops->send(client.carrier, 3, &part, 1, 0), DREAM_OK);
	EXPECT_EQ(client.carrier->ops->send(client.carrier, 4, &part, 1, 0), DREAM_EBUSY);
	ASSERT_TRUE(run({&server, &client}, [&] { return server.got.size() == big.size(); }));
	EXPECT_TRUE(server.got == big);
}

TEST(QuicCarrier, CloseTellsThePeerCodeAndReason)
{
	Endpoint server("a", true), client("b", false);
	client.dial(node_quic_port(server.quic));
	ASSERT_TRUE(run({&server, &client}, [&] { return server.ups == 1 && client.ups == 1; }));
	client.carrier->ops->close(client.carrier, DREAM_EPERM, "because");
	ASSERT_TRUE(run({&server, &client}, [&] { return server.downs == 1 && client.downs == 1; }));
	EXPECT_EQ(server.code, DREAM_EPERM);
	EXPECT_EQ(server.reason, "closed by the peer: because");
}
