// SPDX-License-Identifier: MIT
// Many connections on real threads; for ThreadSanitizer too.
#include <sys/resource.h>
#include <atomic>

#include "term/cbor.h"
#include "unit/io/fixture.h"

namespace
{

void raise_file_limit()
{
	struct rlimit limit;
	ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ASSERT_GE(limit.rlim_cur, 2200u) << "ulimit -Hn is too low for this test";
}

bool echo(dream_ref_t conn)
{
	Got got = recv_some(conn, 4, 60000);
	return got.r == DREAM_OK && dream_tcp_send(conn, got.data, got.size, 60000, nullptr) == DREAM_OK;
}

bool ask(dream_ref_t conn, int number)
{
	char text[8];
	snprintf(text, sizeof(text), "%04d", number % 10000);
	return send_text(conn, text, 60000) == DREAM_OK && recv_some(conn, 4, 60000).text() == text;
}

// A process has not quite ended yet when its lambda has.
bool nothing_is_left(IoThreads &node)
{
	return soon([&] {
		return __atomic_load_n(&node->io->n_sockets, __ATOMIC_RELAXED) == 0 &&
		       node_source_count(node->io) == 0;
	});
}

} // namespace

TEST(TcpStorm, ThousandConnectionsAreServedByProcessesOnTwoSchedulers)
{
	static const int n = 1000, rounds = 3;
	raise_file_limit();
	IoThreads node(2);
	Latch listening(1);
	uint16_t port = 0;
	std::atomic<int> good{0}, together{0};
	node.spawn([&](node_proc_t *proc) {
		dream_ref_t listener = listen_here(&port);
		listening.hit();
		for (int i = 0; i < n; i++) {
			dream_ref_t conn;
			ASSERT_EQ(dream_tcp_accept(listener, 60000, &conn), DREAM_OK);
			dream_pid_t server = node.spawn([](node_proc_t *p) {
				dream_msg_t *msg;
				dream_tcp_event_t e = {};
				if (node_call_receive(p, nullptr, nullptr, 60000, &msg) < 0)
					return;
				// the socket comes in a message of its own kind
				node_cbor_reader_t r = node_cbor_read_msg(msg);
				EXPECT_EQ(node_cbor_get_ref(&r, p->node, &e.socket), DREAM_OK);
				node_msg_unref(msg);
				while (echo(e.socket))
					;
			});
			ASSERT_EQ(dream_tcp_give(conn, server), DREAM_OK);
			node_cbor_writer_t w;
			dream_msg_t *msg;
			dream_dest_t to = dream_to(server);
			node_cbor_init(&w);
			node_cbor_put_ref(&w, node, conn);
			ASSERT_EQ(node_cbor_finish(&w, &msg), DREAM_OK);
			ASSERT_EQ(node_call_send_take(node, proc, &to, msg), DREAM_OK);
		}
	});
	ASSERT_TRUE(listening.wait());
	for (int i = 0; i < n; i++)
		node.spawn([&, i](node_proc_t *) {
			dream_ref_t conn;
			ASSERT_EQ(connect_to(port, &conn, 60000), DREAM_OK);
			bool well = ask(conn, i);
			together++;
			for (int k = 1; k < rounds && well; k++)
				well = ask(conn, i + k);
			good += well;
		});
	for (int i = 0; i < 12 && !node.wait_bodies(); i++)
		;
	EXPECT_EQ(good, n);
	EXPECT_TRUE(nothing_is_left(node));
}

TEST(TcpStorm, KilledInTheMiddleOfAnythingLeavesNothing)
{
	static const int n = 200;
	IoThreads node(2);
	Latch listening(1);
	uint16_t port = 0;
	std::atomic<bool> stop{false};
	dream_pid_t acceptor = node.spawn([&](node_proc_t *) {
		dream_ref_t conn;
		dream_ref_t listener = listen_here(&port);
		listening.hit();
		while (!stop && dream_tcp_accept(listener, 60000, &conn) == DREAM_OK)
			if (!echo(conn) || dream_tcp_close(conn) < 0)
				(void) dream_tcp_close(conn);
	});
	ASSERT_TRUE(listening.wait());
	std::vector<dream_pid_t> clients;
	for (int i = 0; i < n; i++)
		clients.push_back(node.spawn([&, i](node_proc_t *) {
			for (;;) {
				dream_ref_t conn;
				if (connect_to(port, &conn, 60000) == DREAM_OK) {
					(void) ask(conn, i);
					(void) dream_tcp_close(conn);
				}
			}
		}));
	for (const dream_pid_t &pid : clients) {
		exit_signal(node, nullptr, pid, "\"kill\"");
		sched_yield();
	}
	stop = true;
	exit_signal(node, nullptr, acceptor, "\"kill\"");
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_TRUE(nothing_is_left(node));
}

TEST(TcpStorm, ActiveStreamsInBothDirectionsLoseNothing)
{
	static const int n = 20;
	static const uint64_t bytes = 300000;
	IoThreads node(2);
	std::atomic<int> whole{0};
	const auto drain = [](dream_ref_t conn, uint64_t want) {
		uint64_t seen = 0;
		while (seen < want) {
			dream_msg_t *msg;
			dream_tcp_event_t e = {};
			if (dream_receive([](void *, const dream_msg_t *m)
						  -> int32_t { return !dream_msg_has_tag(m, "poured"); },
				    nullptr, 60000, &msg) < 0)
				return false;
			EXPECT_EQ(dream_tcp_event(msg, &e), DREAM_OK);
			if (e.kind == DREAM_TCP_NOW_PASSIVE) {
				EXPECT_EQ(dream_tcp_active(conn, 3), DREAM_OK);
			}
			seen += e.size_bytes;
			dream_msg_unref(msg);
			if (e.kind == DREAM_TCP_CLOSED || e.kind == DREAM_TCP_ERROR)
				return false;
		}
		return seen == want;
	};
	static const char block[1000] = {};
	const auto pour = [](dream_ref_t conn) {
		for (uint64_t i = 0; i < bytes; i += sizeof(block))
			if (dream_tcp_send(conn, block, sizeof(block), 60000, nullptr) < 0)
				return false;
		return dream_tcp_shutdown(conn, DREAM_TCP_WRITE) == DREAM_OK;
	};
	const auto talk = [&](dream_ref_t conn) {
		dream_pid_t self = dream_self();
		EXPECT_EQ(dream_tcp_active(conn, 3), DREAM_OK);
		node.spawn([&, conn, self](node_proc_t *proc) {
			EXPECT_TRUE(pour(conn));
			send(node, proc, self, "\"poured\"");
		});
		whole += drain(conn, bytes);
		dream_msg_t *msg; // the socket must outlive what is poured into it
		EXPECT_EQ(dream_receive([](void *, const dream_msg_t *m)
						-> int32_t { return dream_msg_has_tag(m, "poured"); },
				  nullptr, 60000, &msg),
			DREAM_OK);
		dream_msg_unref(msg);
	};
	for (int i = 0; i < n; i++)
		node.spawn([&](node_proc_t *) {
			uint16_t at = 0;
			dream_ref_t conn;
			dream_ref_t listener = listen_here(&at);
			node.spawn([&, at](node_proc_t *) {
				dream_ref_t mine;
				ASSERT_EQ(connect_to(at, &mine, 60000), DREAM_OK);
				talk(mine);
			});
			ASSERT_EQ(dream_tcp_accept(listener, 60000, &conn), DREAM_OK);
			talk(conn);
		});
	for (int i = 0; i < 12 && !node.wait_bodies(); i++)
		;
	EXPECT_EQ(whole, 2 * n);
}
