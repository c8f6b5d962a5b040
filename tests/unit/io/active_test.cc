// SPDX-License-Identifier: MIT
// Active mode: data as messages, as many as are wanted.
#include "unit/io/fixture.h"

namespace
{

// The next message as "KIND data", or "(timeout)".
std::string event(int64_t timeout_ms = 10000)
{
	static const char *const kinds[] = {"?", "data ", "closed", "error ", "passive"};
	dream_msg_t *msg = nullptr;
	dream_tcp_event_t e = {};
	if (dream_receive(nullptr, nullptr, timeout_ms, &msg) < 0)
		return "(timeout)";
	EXPECT_EQ(dream_tcp_event(msg, &e), DREAM_OK) << text(msg);
	std::string s = kinds[e.kind];
	if (e.kind == DREAM_TCP_DATA)
		s += std::string((const char *) e.data, e.size_bytes);
	if (e.kind == DREAM_TCP_ERROR)
		s += std::to_string(e.error);
	dream_msg_unref(msg);
	return s;
}

using Events = std::vector<std::string>;

} // namespace

TEST(TcpActive, OneMessageThenPassive)
{
	IoNode node;
	Events seen;
	std::string rest;
	Served served(node, [&](dream_ref_t conn) {
		EXPECT_EQ(dream_tcp_active(conn, DREAM_TCP_ONCE), DREAM_OK);
		seen.push_back(event());
		rest = recv_some(conn).text();
	});
	Peer peer(served.port);
	peer.write("first");
	node.until([&] { return !seen.empty(); });
	peer.write("second");
	node.until([&] { return served.over; });
	EXPECT_EQ(seen, (Events{"data first"}));
	EXPECT_EQ(rest, "second");
}

TEST(TcpActive, WhatHadComeBeforeIsSentAtOnce)
{
	IoNode node;
	std::string first;
	Served served(node, [&](dream_ref_t conn) {
		recv_some(conn, 1);
		EXPECT_EQ(dream_tcp_active(conn, DREAM_TCP_ONCE), DREAM_OK);
		first = event(0);
	});
	Peer peer(served.port);
	peer.write("x");
	peer.write(std::string(100, 'y'));
	node.until([&] { return served.over; });
	EXPECT_EQ(first.substr(0, 6), "data y");
}

TEST(TcpActive, CountGoesDownToPassiveAndHoldsThePeerBack)
{
	IoNode node;
	dream_tcp_options_t lines = packets(DREAM_TCP_LINE);
	Events seen;
	std::string more;
	Served served(
		node,
		[&](dream_ref_t conn) {
			EXPECT_EQ(dream_tcp_active(conn, 2), DREAM_OK);
			for (int i = 0; i < 3; i++)
				seen.push_back(event());
			more = event(0);
			EXPECT_EQ(dream_tcp_active(conn, 1), DREAM_OK);
			seen.push_back(event());
			seen.push_back(event());
		},
		&lines);
	Peer peer(served.port);
	peer.write("1\n2\n3\n4\n");
	node.until([&] { return served.over; });
	EXPECT_EQ(seen, (Events{"data 1\n", "data 2\n", "passive", "data 3\n", "passive"}));
	EXPECT_EQ(more, "(timeout)");
}

TEST(TcpActive, CountsAddUp)
{
	IoNode node;
	dream_tcp_options_t lines = packets(DREAM_TCP_LINE);
	Events seen;
	int most = 1;
	Served served(
		node,
		[&](dream_ref_t conn) {
			EXPECT_EQ(dream_tcp_active(conn, 1), DREAM_OK);
			EXPECT_EQ(dream_tcp_active(conn, 2), DREAM_OK);
			most = dream_tcp_active(conn, DREAM_TCP_ACTIVE_MAX);
			for (int i = 0; i < 4; i++)
				seen.push_back(event());
		},
		&lines);
	Peer peer(served.port);
	node.settle();
	peer.write("1\n2\n3\n4\n");
	node.until([&] { return served.over; });
	EXPECT_EQ(seen, (Events{"data 1\n", "data 2\n", "data 3\n", "passive"}));
	EXPECT_EQ(most, DREAM_EINVAL);
}

TEST(TcpActive, EndComesAfterTheData)
{
	IoNode node;
	Events seen;
	int send_after = 1;
	Served served(node, [&](dream_ref_t conn) {
		EXPECT_EQ(dream_tcp_active(conn, DREAM_TCP_ALWAYS), DREAM_OK);
		seen.push_back(event());
		seen.push_back(event());
		send_after = send_text(conn, "bye");
	});
	Peer peer(served.port);
	peer.write("last words");
	node.until([&] { return !seen.empty(); });
	shutdown(peer.fd, SHUT_WR);
	node.until([&] { return served.over; });
	EXPECT_EQ(seen, (Events{"data last words", "closed"}));
	EXPECT_EQ(send_after, DREAM_OK);
	EXPECT_EQ(peer.read(), "bye");
}

TEST(TcpActive, ResetIsAnErrorAndThenTheEnd)
{
	IoNode node;
	Events seen;
	dream_ref_t conn = {0, 0, 0};
	Served served(node, [&](dream_ref_t socket) {
		EXPECT_EQ(dream_tcp_active(socket, 5), DREAM_OK);
		conn = socket;
		seen.push_back(event());
		seen.push_back(event());
	});
	Peer peer(served.port);
	node.until([&] { return conn.id != 0; });
	peer.reset();
	node.until([&] { return served.over; });
	EXPECT_EQ(seen, (Events{"error " + std::to_string(DREAM_ECONNRESET), "closed"}));
}

TEST(TcpActive, FrameThatIsTooLargeIsAnError)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_PACKET4, 10);
	Events seen;
	Served served(
		node,
		[&](dream_ref_t conn) {
			EXPECT_EQ(dream_tcp_active(conn, 5), DREAM_OK);
			seen.push_back(event());
			seen.push_back(event());
		},
		&options);
	Peer peer(served.port);
	peer.write(std::string("\0\0\0\x0b", 4));
	node.until([&] { return served.over; });
	EXPECT_EQ(seen, (Events{"error " + std::to_string(DREAM_ELIMIT), "closed"}));
}

TEST(TcpActive, MessagesAreAsDocumented)
{
	IoNode node;
	std::string data, closed;
	dream_ref_t conn = {0, 0, 0};
	Served served(node, [&](dream_ref_t socket) {
		conn = socket;
		EXPECT_EQ(dream_tcp_active(socket, DREAM_TCP_ALWAYS), DREAM_OK);
		dream_msg_t *msg = nullptr;
		EXPECT_EQ(dream_receive(nullptr, nullptr, 10000, &msg), DREAM_OK);
		data = text(msg);
		dream_msg_unref(msg);
		EXPECT_EQ(dream_receive(nullptr, nullptr, 10000, &msg), DREAM_OK);
		closed = text(msg);
		dream_msg_unref(msg);
	});
	{
		Peer peer(served.port);
		peer.write("\x01\xff");
		node.until([&] { return !data.empty(); });
	}
	node.until([&] { return served.over; });
	const std::string ref = "[\"sim@test\", 1, " + std::to_string(conn.id) + "]";
	EXPECT_NE(data.find(ref), std::string::npos) << data;
	EXPECT_EQ(data.rfind("[\"tcp\", ", 0), 0u) << data;
	EXPECT_NE(data.find("h'01ff'"), std::string::npos) << data;
	EXPECT_EQ(closed.rfind("[\"tcp_closed\", ", 0), 0u) << closed;
}

TEST(TcpActive, OtherMessagesAreNoEvents)
{
	IoNode node;
	node.go([](node_proc_t *) {
		for (const char *text : {"\"tcp\"", "1", "[\"tcp\"]", "[\"tcp\", 1, h'00']",
			     "[\"tcp_closed\", 1]", "[\"other\", 1, 2]", "[\"tcp_error\", 1, 2]", "[]"}) {
			dream_tcp_event_t e;
			dream_msg_t *msg = owned(text);
			EXPECT_EQ(dream_tcp_event(msg, &e), DREAM_EDECODE) << text;
			dream_msg_unref(msg);
		}
	});
}

TEST(TcpActive, OnlyItsOwnerMayAndNotWhileSomebodyReceives)
{
	IoNode node;
	dream_ref_t conn = {0, 0, 0};
	dream_pid_t guest = {0, 0, 0};
	int foreign = 1, busy = 1, recv_active = 1, give = 1, range = 1, listener_active = 1;
	Served served(node, [&](dream_ref_t socket) {
		uint16_t port;
		dream_msg_t *msg;
		conn = socket;
		(void) dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
		busy = dream_tcp_active(socket, 1);
		(void) dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
		EXPECT_EQ(dream_tcp_active(socket, 1), DREAM_OK);
		recv_active = recv_some(socket).r;
		give = dream_tcp_give(socket, dream_self());
		range = dream_tcp_active(socket, -3);
		listener_active = dream_tcp_active(listen_here(&port), 1);
	});
	Peer peer(served.port);
	node.until([&] { return conn.id != 0; });
	node.go([&](node_proc_t *) { foreign = dream_tcp_active(conn, 1); });
	guest = node.go([&](node_proc_t *) { recv_some(conn); });
	send(node, nullptr, served.pid, "1");
	node.run();
	node.kill(guest);
	send(node, nullptr, served.pid, "2");
	node.until([&] { return served.over; });
	EXPECT_EQ(foreign, DREAM_EPERM);
	EXPECT_EQ(busy, DREAM_EBUSY);
	EXPECT_EQ(recv_active, DREAM_EBUSY);
	EXPECT_EQ(give, DREAM_EBUSY);
	EXPECT_EQ(range, DREAM_EINVAL);
	EXPECT_EQ(listener_active, DREAM_EINVAL);
}

TEST(TcpActive, FloodOfOneSocketLetsOthersHaveTheirTurns)
{
	IoNode node;
	uint64_t seen = 0;
	std::string other;
	Served flooded(node, [&](dream_ref_t conn) {
		EXPECT_EQ(dream_tcp_active(conn, DREAM_TCP_ALWAYS), DREAM_OK);
		for (dream_msg_t *msg; seen < (4 << 20);) {
			dream_tcp_event_t e = {};
			if (dream_receive(nullptr, nullptr, 10000, &msg) < 0)
				return;
			EXPECT_EQ(dream_tcp_event(msg, &e), DREAM_OK);
			seen += e.size_bytes;
			dream_msg_unref(msg);
		}
	});
	Served quiet(node, [&](dream_ref_t conn) { other = recv_some(conn).text(); });
	Peer loud(flooded.port), soft(quiet.port);
	node.settle();
	fcntl(loud.fd, F_SETFL, O_NONBLOCK);
	const std::string block(1 << 20, 'x');
	uint64_t left = 4 << 20;
	soft.write("psst");
	while (left > 0) {
		ssize_t n = ::send(
			loud.fd, block.data(), left < block.size() ? left : block.size(), MSG_NOSIGNAL);
		left -= n > 0 ? (uint64_t) n : 0;
		(void) node_poller_turn(node, 0);
		node.run();
	}
	node.until([&] { return flooded.over; });
	EXPECT_EQ(other, "psst");
	EXPECT_EQ(seen, 4u << 20);
}
