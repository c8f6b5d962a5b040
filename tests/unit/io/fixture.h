// SPDX-License-Identifier: MIT
// fixture.h: nodes whose sockets and blocking functions a test can take apart. IoNode has a virtual clock and is driven by
// the test, its poller too: sockets are the machine's, and nothing happens unless the test runs it.
#ifndef TESTS_UNIT_IO_FIXTURE_H
#define TESTS_UNIT_IO_FIXTURE_H
#include <arpa/inet.h>
#include <dream/dream.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/fd.h"
#include "io/local.h"
#include "io/pool.h"
#include "support/node.h"

inline node_io_options_t io_options()
{
	node_io_options_t options = {};
	options.blocking_idle_ms = 60000;
	return options;
}

class IoNode : public SimNode
{
      public:
	explicit IoNode(node_io_options_t options = io_options())
	{
		options.driven = true;
		node_io_close(*this);
		EXPECT_EQ(node_io_open(*this, &options), DREAM_OK);
	}
	~IoNode()
	{
		close(); // the processes' lambdas use what the test has
	}
	// Runs processes and handles events until @done; an event that does not come within 10 s fails the test.
	template <typename Done> void until(Done done)
	{
		run();
		while (!done()) {
			if (node_poller_turn(*this, 10000) == 0) {
				ADD_FAILURE() << "nothing happens any more";
				return;
			}
			run();
		}
	}
	// Handles what is ready, and nothing more.
	void settle()
	{
		do
			run();
		while (node_poller_turn(*this, 0) > 0);
		run();
	}
	void kill(dream_pid_t pid)
	{
		exit_signal(*this, nullptr, pid, "\"kill\"");
		run();
		EXPECT_FALSE(alive(pid));
	}
	uint32_t n_sockets()
	{
		return __atomic_load_n(&(*this)->io->n_sockets, __ATOMIC_RELAXED);
	}
	uint64_t buffer_bytes()
	{
		return __atomic_load_n(&(*this)->io->buffer_bytes, __ATOMIC_RELAXED);
	}
};

// Until another thread has done what it is about to do.
template <typename Done> inline bool soon(Done done)
{
	for (int64_t end = node_clock_system_borrow()->now_ns(nullptr) + 10000 * NODE_MS; !done();) {
		if (node_clock_system_borrow()->now_ns(nullptr) > end)
			return false;
		sched_yield();
	}
	return true;
}

class IoThreads : public ThreadNode
{
      public:
	explicit IoThreads(uint32_t n_threads = 2, node_io_options_t options = io_options())
	    : ThreadNode(n_threads)
	{
		node_io_close(*this);
		EXPECT_EQ(node_io_open(*this, &options), DREAM_OK);
	}
	~IoThreads()
	{
		close();
	}
};

// ---- the SDK in few words; to be called in processes

inline dream_ref_t listen_here(uint16_t *ret_port, const dream_tcp_options_t *options = nullptr)
{
	dream_tcp_listen_t how = {};
	dream_tcp_info_t info = {};
	dream_ref_t listener = {0, 0, 0};
	how.struct_size = sizeof(how);
	how.options = options;
	info.struct_size = sizeof(info);
	EXPECT_EQ(dream_tcp_listen(&how, &listener), DREAM_OK);
	EXPECT_EQ(dream_tcp_info(listener, &info), DREAM_OK);
	*ret_port = info.local_port;
	return listener;
}

inline int connect_to(uint16_t port, dream_ref_t *ret_socket, int64_t timeout_ms = 10000,
	const dream_tcp_options_t *options = nullptr, const char *host = "127.0.0.1")
{
	dream_tcp_connect_t how = {};
	how.struct_size = sizeof(how);
	how.host = host;
	how.port = port;
	how.timeout_ms = timeout_ms;
	how.options = options;
	return dream_tcp_connect(&how, ret_socket);
}

inline dream_tcp_options_t packets(uint32_t packet, uint32_t frame_bytes = 0)
{
	dream_tcp_options_t options = {};
	options.struct_size = sizeof(options);
	options.packet = packet;
	options.frame_bytes = frame_bytes;
	return options;
}

// A result and what came; on the process's stack.
struct Got {
	int r;
	uint64_t size;
	char data[64];
	std::string text() const
	{
		return std::string(data, size < sizeof(data) ? size : sizeof(data));
	}
};

inline Got recv_some(dream_ref_t socket, uint64_t least = 1, int64_t timeout_ms = 10000)
{
	Got got = {};
	got.r = dream_tcp_recv(socket, got.data, sizeof(got.data), least, timeout_ms, &got.size);
	return got;
}

inline int send_text(dream_ref_t socket, const char *text, int64_t timeout_ms = 10000)
{
	return dream_tcp_send(socket, text, strlen(text), timeout_ms, nullptr);
}

// ---- peers that are no processes

class Peer
{
      public:
	explicit Peer(uint16_t port) : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
	{
		struct sockaddr_in to = {};
		to.sin_family = AF_INET;
		to.sin_port = htons(port);
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		EXPECT_EQ(::connect(fd, (struct sockaddr *) &to, sizeof(to)), 0) << strerror(errno);
		struct timeval limit = {10, 0};
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	}
	~Peer()
	{
		if (fd >= 0)
			::close(fd);
	}
	Peer(const Peer &) = delete;
	void write(const std::string &text) const
	{
		EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), (ssize_t) text.size());
	}
	// What comes, at most @cap bytes; "" at the end of the stream, "(ECODE)" for an error.
	std::string read(size_t cap = 100) const
	{
		std::string text(cap, '\0');
		ssize_t n = ::recv(fd, &text[0], cap, 0);
		if (n < 0)
			return "(" + std::string(strerrorname_np(errno)) + ")";
		text.resize((size_t) n);
		return text;
	}
	void reset()
	{
		struct linger now = {1, 0};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		::close(fd);
		fd = -1;
	}
	int fd;
};

// A process that listens, accepts one connection, and does what the test says with it.
class Served
{
      public:
	explicit Served(IoNode &node, std::function<void(dream_ref_t)> what,
		const dream_tcp_options_t *options = nullptr)
	{
		pid = node.spawn([this, what, options](node_proc_t *) {
			dream_ref_t conn;
			dream_ref_t listener = listen_here(&port, options);
			if (dream_tcp_accept(listener, DREAM_INFINITY, &conn) != DREAM_OK)
				return;
			EXPECT_EQ(dream_tcp_close(listener), DREAM_OK);
			what(conn);
			over = true;
		});
		node.run();
	}
	dream_pid_t pid = {0, 0, 0};
	uint16_t port = 0;
	bool over = false;
};
#endif
