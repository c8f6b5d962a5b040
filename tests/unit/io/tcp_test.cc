// SPDX-License-Identifier: MIT
// Listeners and passive streams: what each function does, and what it leaves behind.
#include <netdb.h>

#include "unit/io/fixture.h"

// ---- listening and accepting

TEST(TcpListen, PortZeroIsAnyAndTold)
{
	IoNode node;
	uint16_t port = 0;
	dream_tcp_info_t info = {};
	node.go([&](node_proc_t *) {
		dream_ref_t listener = listen_here(&port);
		info.struct_size = sizeof(info);
		EXPECT_EQ(dream_tcp_info(listener, &info), DREAM_OK);
	});
	EXPECT_NE(port, 0);
	EXPECT_EQ(info.listening, 1u);
	EXPECT_STREQ(info.local_host, "127.0.0.1");
	EXPECT_EQ(info.peer_port, 0);
}

TEST(TcpListen, TakenPortIsAnErrorOfItsOwn)
{
	IoNode node;
	int r = 1;
	node.go([&](node_proc_t *) {
		dream_tcp_listen_t how = {};
		dream_ref_t second;
		how.struct_size = sizeof(how);
		(void) listen_here(&how.port);
		r = dream_tcp_listen(&how, &second);
	});
	EXPECT_EQ(r, DREAM_EADDRINUSE);
}

TEST(TcpListen, SharedPortTakesSeveralListeners)
{
	IoNode node;
	int r = 1;
	node.go([&](node_proc_t *) {
		dream_tcp_listen_t how = {};
		dream_tcp_info_t info = {};
		dream_ref_t first, second;
		how.struct_size = sizeof(how);
		info.struct_size = sizeof(info);
		how.flags = DREAM_TCP_SHARE_PORT;
		EXPECT_EQ(dream_tcp_listen(&how, &first), DREAM_OK);
		EXPECT_EQ(dream_tcp_info(first, &info), DREAM_OK);
		how.port = info.local_port;
		r = dream_tcp_listen(&how, &second);
	});
	EXPECT_EQ(r, DREAM_OK);
}

TEST(TcpListen, WrongArgumentsAreRefused)
{
	IoNode node;
	std::vector<int> r;
	node.go([&](node_proc_t *) {
		dream_tcp_options_t options = packets(77);
		dream_ref_t listener;
		const auto attempt = [&](const char *host, uint32_t flags, const dream_tcp_options_t *o) {
			dream_tcp_listen_t how = {};
			how.struct_size = sizeof(how);
			how.host = host;
			how.flags = flags;
			how.options = o;
			return dream_tcp_listen(&how, &listener);
		};
		r = {attempt("localhost", 0, nullptr), attempt("", 0, nullptr),
			attempt("127.0.0.1", 64, nullptr), attempt("127.0.0.1", 0, &options),
			attempt("203.0.113.7", 0, nullptr)};
	});
	EXPECT_EQ(r, (std::vector<int>{
			     DREAM_EINVAL, DREAM_EINVAL, DREAM_EINVAL, DREAM_EINVAL, DREAM_EADDRNOTAVAIL}));
	EXPECT_EQ(node.n_sockets(), 0u);
}

TEST(TcpAccept, TimePassesByTheNodesClock)
{
	IoNode node;
	int r = 1;
	node.go([&](node_proc_t *) {
		uint16_t port;
		dream_ref_t conn;
		dream_ref_t listener = listen_here(&port);
		r = dream_tcp_accept(listener, 3000, &conn);
	});
	node.advance(2999);
	EXPECT_EQ(r, 1);
	node.advance(1);
	EXPECT_EQ(r, DREAM_ETIMEDOUT);
}

TEST(TcpAccept, WaitEndsWhenTheListenerIsClosed)
{
	IoNode node;
	dream_ref_t listener = {0, 0, 0};
	std::vector<int> r(3, 1);
	uint16_t port;
	node.go([&](node_proc_t *proc) {
		listener = listen_here(&port);
		wait_forever(proc);
	});
	for (int i = 0; i < 3; i++)
		node.go([&, i](node_proc_t *) {
			dream_ref_t conn;
			r[i] = dream_tcp_accept(listener, DREAM_INFINITY, &conn);
		});
	node.go([&](node_proc_t *) { EXPECT_EQ(dream_tcp_close(listener), DREAM_OK); });
	EXPECT_EQ(r, std::vector<int>(3, DREAM_ECLOSED));
}

TEST(TcpAccept, WaitEndsWhenTheListenersOwnerEnds)
{
	IoNode node;
	dream_ref_t listener = {0, 0, 0};
	int r = 1;
	uint16_t port;
	dream_pid_t owner = node.go([&](node_proc_t *proc) {
		listener = listen_here(&port);
		wait_forever(proc);
	});
	node.go([&](node_proc_t *) {
		dream_ref_t conn;
		r = dream_tcp_accept(listener, DREAM_INFINITY, &conn);
	});
	node.kill(owner);
	EXPECT_EQ(r, DREAM_ECLOSED);
}

// One event of the kernel may stand for several connections.
TEST(TcpAccept, SeveralAcceptorsShareWhatComesAtOnce)
{
	static const int n = 5;
	IoNode node;
	dream_ref_t listener = {0, 0, 0};
	uint16_t port = 0;
	int accepted = 0;
	node.go([&](node_proc_t *proc) {
		listener = listen_here(&port);
		wait_forever(proc);
	});
	for (int i = 0; i < n; i++)
		node.go([&](node_proc_t *) {
			dream_ref_t conn;
			EXPECT_EQ(dream_tcp_accept(listener, DREAM_INFINITY, &conn), DREAM_OK);
			accepted++;
		});
	std::vector<std::unique_ptr<Peer>> peers;
	for (int i = 0; i < n; i++)
		peers.emplace_back(new Peer(port));
	node.until([&] { return accepted == n; });
}

TEST(TcpAccept, AcceptorKilledAfterItWasWokenPassesTheConnectionOn)
{
	IoNode node;
	dream_ref_t listener = {0, 0, 0};
	uint16_t port = 0;
	int who = 0;
	node.go([&](node_proc_t *proc) {
		listener = listen_here(&port);
		wait_forever(proc);
	});
	const auto acceptor = [&](int number) {
		return node.go([&, number](node_proc_t *) {
			dream_ref_t conn;
			EXPECT_EQ(dream_tcp_accept(listener, DREAM_INFINITY, &conn), DREAM_OK);
			who = number;
		});
	};
	dream_pid_t first = acceptor(1);
	acceptor(2);
	Peer peer(port);
	EXPECT_GT(node_poller_turn(node, 10000), 0);
	node.kill(first);
	node.until([&] { return who != 0; });
	EXPECT_EQ(who, 2);
}

// EXIT-4: whoever hears of the end finds what belonged to the process free.
TEST(TcpOwner, PortIsFreeBeforeAnybodyHearsOfTheEnd)
{
	IoNode node;
	uint16_t port = 0;
	int r = 1;
	node.go([&](node_proc_t *proc) {
		uint64_t ref = node_proc_new_ref(node);
		Spawn how;
		how.parent = proc;
		how.monitor_ref = ref;
		dream_pid_t owner = node.spawn(
			[&](node_proc_t *p) {
				listen_here(&port);
				wait_forever(p);
			},
			how);
		EXPECT_EQ(receive(proc, 1), "(timeout)");
		exit_signal(node, proc, owner, "\"kill\"");
		receive(proc, DREAM_INFINITY); // DOWN
		dream_tcp_listen_t again = {};
		dream_ref_t listener;
		again.struct_size = sizeof(again);
		again.port = port;
		again.flags = DREAM_TCP_EXCLUSIVE;
		r = dream_tcp_listen(&again, &listener);
	});
	node.advance(1);
	EXPECT_EQ(r, DREAM_OK);
}

TEST(TcpOwner, SocketIsClosedWithItsProcess)
{
	IoNode node;
	dream_ref_t stale = {0, 0, 0};
	Got got = {};
	Served served(node, [&](dream_ref_t conn) {
		stale = conn;
		recv_some(conn);
	});
	Peer peer(served.port);
	node.until([&] { return stale.id != 0; });
	node.kill(served.pid);
	EXPECT_EQ(peer.read(), "");
	EXPECT_EQ(node.n_sockets(), 0u);
	node.go([&](node_proc_t *) { got = recv_some(stale); });
	EXPECT_EQ(got.r, DREAM_ECLOSED);
}

TEST(TcpOwner, GivenSocketOutlivesItsFormerOwner)
{
	IoNode node;
	std::string heard;
	dream_ref_t conn = {0, 0, 0};
	dream_pid_t heir = node.go([&](node_proc_t *proc) {
		receive(proc, DREAM_INFINITY);
		heard = recv_some(conn).text();
	});
	Served served(node, [&](dream_ref_t socket) {
		dream_tcp_info_t info = {};
		info.struct_size = sizeof(info);
		conn = socket;
		EXPECT_EQ(dream_tcp_give(socket, heir), DREAM_OK);
		EXPECT_EQ(dream_tcp_info(socket, &info), DREAM_OK);
		EXPECT_TRUE(dream_pid_equal(info.owner, heir));
		EXPECT_EQ(dream_tcp_give(socket, heir), DREAM_EPERM) << "not ours any more";
	});
	Peer peer(served.port);
	node.until([&] { return served.over; });
	EXPECT_FALSE(node.alive(served.pid));
	peer.write("hello");
	send(node, nullptr, heir, "\"go\"");
	node.until([&] { return !heard.empty(); });
	EXPECT_EQ(heard, "hello");
	EXPECT_EQ(peer.read(), "") << "closed with the heir";
}

TEST(TcpOwner, GivingToTheDeadIsRefusedAndChangesNothing)
{
	IoNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	int r = 1, far = 1;
	std::string heard;
	Served served(node, [&](dream_ref_t conn) {
		dream_pid_t elsewhere = {1, 1, 1};
		r = dream_tcp_give(conn, dead);
		far = dream_tcp_give(conn, elsewhere);
		heard = recv_some(conn).text();
	});
	Peer peer(served.port);
	peer.write("x");
	node.until([&] { return served.over; });
	EXPECT_EQ(r, DREAM_ENOPROC);
	EXPECT_EQ(far, DREAM_EINVAL);
	EXPECT_EQ(heard, "x");
	EXPECT_EQ(node.n_sockets(), 0u);
}

TEST(TcpOwner, MadeUpHandlesAreErrors)
{
	IoNode node;
	std::vector<int> r;
	node.go([&](node_proc_t *) {
		uint64_t size;
		char byte;
		dream_ref_t refs[] = {{0, 0, 0}, {12345, 1, 0}, {12345, 2, 0}, {12345, 1, 3}};
		for (dream_ref_t ref : refs) {
			r.push_back(dream_tcp_recv(ref, &byte, 1, 1, 0, &size));
			r.push_back(dream_tcp_send(ref, "x", 1, 0, nullptr));
			r.push_back(dream_tcp_close(ref));
			r.push_back(dream_tcp_active(ref, 1));
			r.push_back(dream_tcp_accept(ref, 0, &ref));
		}
	});
	EXPECT_EQ(r, std::vector<int>(20, DREAM_ECLOSED));
}

// ---- streams

TEST(TcpStream, ProcessesTalkToEachOther)
{
	IoNode node;
	uint16_t port = 0;
	std::string asked, answered;
	node.go([&](node_proc_t *) {
		dream_ref_t conn;
		dream_ref_t listener = listen_here(&port);
		EXPECT_EQ(dream_tcp_accept(listener, DREAM_INFINITY, &conn), DREAM_OK);
		asked = recv_some(conn, 4).text();
		EXPECT_EQ(send_text(conn, "pong"), DREAM_OK);
	});
	node.go([&](node_proc_t *) {
		dream_ref_t conn;
		EXPECT_EQ(connect_to(port, &conn), DREAM_OK);
		EXPECT_EQ(send_text(conn, "ping"), DREAM_OK);
		answered = recv_some(conn, 4).text();
	});
	node.until([&] { return !answered.empty(); });
	EXPECT_EQ(asked, "ping");
	EXPECT_EQ(answered, "pong");
	EXPECT_EQ(node.n_sockets(), 0u);
	EXPECT_EQ(node_source_count(node->io), 0u);
}

TEST(TcpStream, TheyTalkOverIpv6)
{
	IoNode node;
	std::string answered;
	uint16_t port = 0;
	int r = 1;
	node.go([&](node_proc_t *) {
		dream_tcp_listen_t how = {};
		dream_tcp_info_t info = {};
		dream_ref_t listener, conn;
		how.struct_size = sizeof(how);
		info.struct_size = sizeof(info);
		how.host = "::1";
		r = dream_tcp_listen(&how, &listener);
		if (r < 0)
			return;
		EXPECT_EQ(dream_tcp_info(listener, &info), DREAM_OK);
		port = info.local_port;
		EXPECT_EQ(dream_tcp_accept(listener, DREAM_INFINITY, &conn), DREAM_OK);
		EXPECT_EQ(dream_tcp_info(conn, &info), DREAM_OK);
		EXPECT_STREQ(info.peer_host, "::1");
		EXPECT_EQ(send_text(conn, "six"), DREAM_OK);
	});
	if (r == DREAM_EADDRNOTAVAIL)
		GTEST_SKIP() << "this machine has no IPv6";
	node.go([&](node_proc_t *) {
		dream_ref_t conn;
		EXPECT_EQ(connect_to(port, &conn, 10000, nullptr, "::1"), DREAM_OK);
		answered = recv_some(conn, 3).text();
	});
	node.until([&] { return !answered.empty(); });
	EXPECT_EQ(answered, "six");
}

// A bare chroot of Debian 12 has no /etc/hosts.
static bool localhost_is_known()
{
	addrinfo *found = nullptr;
	bool known = getaddrinfo("localhost", nullptr, nullptr, &found) == 0;
	if (known)
		freeaddrinfo(found);
	return known;
}

TEST(TcpStream, NamesAreLookedUpOnThePool)
{
	if (!localhost_is_known())
		GTEST_SKIP() << "this machine does not know localhost; it wants a line in /etc/hosts";
	IoThreads node;
	uint16_t port = 0;
	Latch listening(1);
	int r = 1, unknown = 1;
	node.spawn([&](node_proc_t *) {
		dream_ref_t conn;
		dream_ref_t listener = listen_here(&port);
		listening.hit();
		EXPECT_EQ(dream_tcp_accept(listener, 10000, &conn), DREAM_OK);
	});
	ASSERT_TRUE(listening.wait());
	node.spawn([&](node_proc_t *) {
		dream_ref_t conn;
		r = connect_to(port, &conn, 10000, nullptr, "localhost");
		unknown = connect_to(port, &conn, 10000, nullptr, "no host has blanks");
	});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(r, DREAM_OK);
	EXPECT_EQ(unknown, DREAM_ENOHOST);
}

TEST(TcpConnect, PortWhereNobodyListensRefuses)
{
	IoNode node;
	uint16_t port = 0;
	int r = 1;
	node.go([&](node_proc_t *) { listen_here(&port); }); // and ends
	node.go([&](node_proc_t *) {
		dream_ref_t conn;
		r = connect_to(port, &conn);
	});
	node.until([&] { return r != 1; });
	EXPECT_EQ(r, DREAM_ECONNREFUSED);
	EXPECT_EQ(node.n_sockets(), 0u);
}

// A listener whose backlog is full does not answer further ones.
TEST(TcpConnect, TimePassesByTheNodesClockAndNothingStays)
{
	IoNode node;
	int full = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {};
	socklen_t size = sizeof(at);
	at.sin_family = AF_INET;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(bind(full, (struct sockaddr *) &at, size), 0);
	ASSERT_EQ(listen(full, 0), 0);
	ASSERT_EQ(getsockname(full, (struct sockaddr *) &at, &size), 0);
	const uint16_t port = ntohs(at.sin_port);
	Peer fills(port);
	int late = 1, killed = 1;
	node.go([&](node_proc_t *) {
		dream_ref_t conn;
		late = connect_to(port, &conn, 2000);
	});
	dream_pid_t pid = node.go([&](node_proc_t *) {
		dream_ref_t conn;
		killed = connect_to(port, &conn, DREAM_INFINITY);
	});
	EXPECT_EQ(node.n_sockets(), 2u);
	node.kill(pid);
	node.advance(1999);
	EXPECT_EQ(late, 1);
	node.advance(1);
	EXPECT_EQ(late, DREAM_ETIMEDOUT);
	EXPECT_EQ(killed, 1);
	EXPECT_EQ(node.n_sockets(), 0u);
	EXPECT_EQ(node_source_count(node->io), 0u);
	::close(full);
}

TEST(TcpRecv, WaitsForAsManyBytesAsAreWanted)
{
	IoNode node;
	std::string heard;
	Served served(node, [&](dream_ref_t conn) { heard = recv_some(conn, 6).text(); });
	Peer peer(served.port);
	peer.write("abc");
	node.settle();
	EXPECT_EQ(heard, "");
	peer.write("def");
	node.until([&] { return served.over; });
	EXPECT_EQ(heard, "abcdef");
}

TEST(TcpRecv, BytesThatHadComeAreThereWhenTheTimePasses)
{
	IoNode node;
	Got got = {};
	Served served(node, [&](dream_ref_t conn) { got = recv_some(conn, 6, 1000); });
	Peer peer(served.port);
	peer.write("abc");
	node.settle();
	node.advance(1000);
	EXPECT_TRUE(served.over);
	EXPECT_EQ(got.r, DREAM_ETIMEDOUT);
	EXPECT_EQ(got.text(), "abc");
}

TEST(TcpRecv, EndOfTheStreamComesAfterItsBytes)
{
	IoNode node;
	Got got = {}, last = {};
	Served served(node, [&](dream_ref_t conn) {
		got = recv_some(conn, 6);
		last = recv_some(conn);
	});
	{
		Peer peer(served.port);
		peer.write("abc");
	}
	node.until([&] { return served.over; });
	EXPECT_EQ(got.r, DREAM_ECLOSED);
	EXPECT_EQ(got.text(), "abc");
	EXPECT_EQ(last.r, DREAM_ECLOSED);
	EXPECT_EQ(last.size, 0u);
}

TEST(TcpRecv, ResetOfThePeerIsAnErrorOfItsOwn)
{
	IoNode node;
	Got got = {};
	Served served(node, [&](dream_ref_t conn) { got = recv_some(conn); });
	Peer peer(served.port);
	node.settle();
	peer.reset();
	node.until([&] { return served.over; });
	EXPECT_EQ(got.r, DREAM_ECONNRESET);
}

TEST(TcpRecv, CloseByAnotherProcessEndsTheWait)
{
	IoNode node;
	Got got = {};
	dream_ref_t conn = {0, 0, 0};
	Served served(node, [&](dream_ref_t socket) {
		conn = socket;
		got = recv_some(socket);
	});
	Peer peer(served.port);
	node.until([&] { return conn.id != 0; });
	node.go([&](node_proc_t *) { EXPECT_EQ(dream_tcp_close(conn), DREAM_OK); });
	EXPECT_EQ(got.r, DREAM_ECLOSED);
}

TEST(TcpRecv, OneProcessAtATime)
{
	IoNode node;
	Got first = {}, second = {};
	dream_ref_t conn = {0, 0, 0};
	Served served(node, [&](dream_ref_t socket) {
		conn = socket;
		first = recv_some(socket);
	});
	Peer peer(served.port);
	node.until([&] { return conn.id != 0; });
	node.go([&](node_proc_t *) { second = recv_some(conn); });
	EXPECT_EQ(second.r, DREAM_EBUSY);
	peer.write("x");
	node.until([&] { return served.over; });
	EXPECT_EQ(first.text(), "x");
}

TEST(TcpRecv, KilledReceiverThatOwnsNothingLeavesTheSocketAsItWas)
{
	IoNode node;
	dream_ref_t conn = {0, 0, 0};
	std::string heard;
	Served served(node, [&](dream_ref_t socket) {
		dream_msg_t *msg;
		conn = socket;
		EXPECT_EQ(dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg), DREAM_OK);
		heard = recv_some(socket).text();
	});
	Peer peer(served.port);
	node.until([&] { return conn.id != 0; });
	dream_pid_t guest = node.go([&](node_proc_t *) { recv_some(conn); });
	node.kill(guest);
	peer.write("mine");
	send(node, nullptr, served.pid, "\"go\"");
	node.until([&] { return served.over; });
	EXPECT_EQ(heard, "mine");
}

TEST(TcpShutdown, HalfClosedStreamStillReceives)
{
	IoNode node;
	std::string heard;
	int after = 1;
	Served served(node, [&](dream_ref_t conn) {
		EXPECT_EQ(send_text(conn, "bye"), DREAM_OK);
		EXPECT_EQ(dream_tcp_shutdown(conn, DREAM_TCP_WRITE), DREAM_OK);
		after = send_text(conn, "more");
		heard = recv_some(conn, 3).text();
	});
	Peer peer(served.port);
	node.settle();
	EXPECT_EQ(peer.read(), "bye");
	EXPECT_EQ(peer.read(), "");
	peer.write("yes");
	node.until([&] { return served.over; });
	EXPECT_EQ(heard, "yes");
	EXPECT_EQ(after, DREAM_ECLOSED);
}

TEST(TcpShutdown, PeersHalfCloseStillLetsUsSend)
{
	IoNode node;
	Got got = {};
	Served served(node, [&](dream_ref_t conn) {
		got = recv_some(conn);
		EXPECT_EQ(send_text(conn, "still here"), DREAM_OK);
	});
	Peer peer(served.port);
	shutdown(peer.fd, SHUT_WR);
	node.until([&] { return served.over; });
	EXPECT_EQ(got.r, DREAM_ECLOSED);
	EXPECT_EQ(peer.read(), "still here");
}

// ---- sending against a peer that does not read

namespace
{

constexpr uint64_t much = 64 << 20;

struct Flood {
	dream_ref_t conn = {0, 0, 0};
	int r = 1;
	uint64_t sent = 0;
	std::vector<uint8_t> data = std::vector<uint8_t>(much);
	void send(dream_ref_t socket, int64_t timeout_ms)
	{
		conn = socket;
		r = dream_tcp_send(socket, data.data(), data.size(), timeout_ms, &sent);
	}
};

} // namespace

TEST(TcpSend, SlowReaderSuspendsItsWriterAndTheNodeBuffersNothing)
{
	IoNode node;
	Flood flood;
	uint64_t seen = 0;
	Served served(node, [&](dream_ref_t conn) { flood.send(conn, DREAM_INFINITY); });
	Peer peer(served.port);
	node.until([&] { return flood.conn.id != 0; });
	node.settle();
	EXPECT_EQ(flood.r, 1) << "a send of 64 MiB to nobody came to an end";
	EXPECT_EQ(node.buffer_bytes(), 0u);
	std::string block;
	while (seen < much && !(block = peer.read(1 << 20)).empty()) {
		seen += block.size();
		node.settle();
	}
	node.run();
	EXPECT_EQ(seen, much);
	EXPECT_EQ(flood.r, DREAM_OK);
	EXPECT_EQ(flood.sent, much);
}

TEST(TcpSend, TimePassesAndWhatFollowsIsRefused)
{
	IoNode node;
	Flood flood;
	int after = 1;
	Served served(node, [&](dream_ref_t conn) {
		flood.send(conn, 5000);
		after = send_text(conn, "x");
	});
	Peer peer(served.port);
	node.until([&] { return flood.conn.id != 0; });
	node.settle();
	node.advance(5000);
	EXPECT_EQ(flood.r, DREAM_ETIMEDOUT);
	EXPECT_GT(flood.sent, 0u);
	EXPECT_LT(flood.sent, much);
	EXPECT_EQ(after, DREAM_ECONNRESET) << "the peer could not tell what it gets";
}

TEST(TcpSend, HighWaterMarkSaysHowMuchMayWait)
{
	IoNode node;
	Flood flood, narrow;
	dream_tcp_options_t options = packets(DREAM_TCP_RAW);
	options.high_water_bytes = 16384;
	Served wide(node, [&](dream_ref_t conn) { flood.send(conn, 10); });
	Served small(
		node, [&](dream_ref_t conn) { narrow.send(conn, 10); }, &options);
	Peer one(wide.port), two(small.port);
	node.settle();
	node.advance(10);
	EXPECT_EQ(narrow.r, DREAM_ETIMEDOUT);
	EXPECT_LT(narrow.sent, flood.sent);
}

TEST(TcpSend, MessagesOfSeveralProcessesDoNotMingle)
{
	static const int n = 4;
	static const size_t size = 3 << 20; // more than sockets take at once
	IoNode node;
	dream_ref_t conn = {0, 0, 0};
	int done = 0;
	Served served(node, [&](dream_ref_t socket) {
		conn = socket;
		dream_msg_t *msg;
		(void) dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
	});
	Peer peer(served.port);
	node.until([&] { return conn.id != 0; });
	std::vector<std::string> data;
	for (int i = 0; i < n; i++)
		data.emplace_back(size, (char) ('a' + i));
	for (int i = 0; i < n; i++)
		node.go([&, i](node_proc_t *) {
			EXPECT_EQ(dream_tcp_send(conn, data[i].data(), size, DREAM_INFINITY, nullptr),
				DREAM_OK);
			done++;
		});
	std::string all, block;
	while (all.size() < n * size && !(block = peer.read(1 << 20)).empty()) {
		all += block;
		node.settle();
	}
	node.run();
	EXPECT_EQ(done, n);
	EXPECT_TRUE(all == data[0] + data[1] + data[2] + data[3]) << "in the order in which they came";
}

TEST(TcpSend, KilledSenderLetsTheNextKnowThatTheStreamIsBroken)
{
	IoNode node;
	Flood flood;
	dream_ref_t conn = {0, 0, 0};
	int next = 1;
	Served served(node, [&](dream_ref_t socket) {
		dream_msg_t *msg;
		conn = socket;
		(void) dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
	});
	Peer peer(served.port);
	node.until([&] { return conn.id != 0; });
	dream_pid_t guest = node.go([&](node_proc_t *) { flood.send(conn, DREAM_INFINITY); });
	node.settle();
	node.go([&](node_proc_t *) { next = send_text(conn, "x", DREAM_INFINITY); });
	EXPECT_EQ(next, 1) << "it waits for its turn";
	node.kill(guest);
	EXPECT_EQ(next, DREAM_ECONNRESET);
}

TEST(TcpSend, KilledProcessInTheQueueIsPassedOver)
{
	IoNode node;
	Flood flood;
	int last = 1;
	Served served(node, [&](dream_ref_t conn) {
		flood.send(conn, DREAM_INFINITY);
		dream_msg_t *msg;
		(void) dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg);
	});
	Peer peer(served.port);
	node.until([&] { return flood.conn.id != 0; });
	dream_pid_t second = node.go([&](node_proc_t *) { send_text(flood.conn, "2", DREAM_INFINITY); });
	node.go([&](node_proc_t *) { last = send_text(flood.conn, "3", DREAM_INFINITY); });
	node.kill(second);
	std::string block, tail;
	for (uint64_t seen = 0; seen <= much && !(block = peer.read(1 << 20)).empty(); seen += block.size()) {
		tail = block;
		node.settle();
	}
	EXPECT_EQ(last, DREAM_OK);
	EXPECT_EQ(tail.back(), '3');
}

TEST(TcpSend, ResetPeerEndsTheWait)
{
	IoNode node;
	Flood flood;
	Served served(node, [&](dream_ref_t conn) { flood.send(conn, DREAM_INFINITY); });
	Peer peer(served.port);
	node.until([&] { return flood.conn.id != 0; });
	node.settle();
	peer.reset();
	node.until([&] { return served.over; });
	EXPECT_EQ(flood.r, DREAM_ECONNRESET);
}

// ---- limits

TEST(TcpLimits, ProcessMayHaveSoManySockets)
{
	node_io_options_t options = io_options();
	options.max_sockets_per_process = 2;
	IoNode node(options);
	int r = 1, elsewhere = 1;
	dream_tcp_listen_t how = {};
	how.struct_size = sizeof(how);
	node.go([&](node_proc_t *) {
		uint16_t port;
		dream_ref_t conn;
		dream_ref_t listener = listen_here(&port);
		listen_here(&port);
		r = dream_tcp_listen(&how, &conn);
		EXPECT_EQ(dream_tcp_accept(listener, 0, &conn), DREAM_ELIMIT);
		EXPECT_EQ(dream_tcp_close(listener), DREAM_OK);
		EXPECT_EQ(dream_tcp_listen(&how, &conn), DREAM_OK) << "a closed one does not count";
	});
	node.go([&](node_proc_t *) {
		dream_ref_t listener;
		elsewhere = dream_tcp_listen(&how, &listener);
	});
	EXPECT_EQ(r, DREAM_ELIMIT);
	EXPECT_EQ(elsewhere, DREAM_OK);
}

TEST(TcpLimits, NodeMayHaveSoManySocketsAndConnectionsWaitMeanwhile)
{
	node_io_options_t options = io_options();
	options.max_sockets = 1;
	IoNode node(options);
	uint16_t port = 0;
	int r = 1, later = 1;
	node.go([&](node_proc_t *) {
		dream_ref_t conn;
		dream_ref_t listener = listen_here(&port);
		Peer peer(port);
		r = dream_tcp_accept(listener, 0, &conn);
		(*node).io->options.max_sockets = 2;
		later = dream_tcp_accept(listener, 0, &conn);
	});
	EXPECT_EQ(r, DREAM_ELIMIT);
	EXPECT_EQ(later, DREAM_OK) << "it stayed in the backlog";
	EXPECT_EQ(node.n_sockets(), 0u);
}
