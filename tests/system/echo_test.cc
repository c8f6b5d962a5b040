// SPDX-License-Identifier: MIT
// apps/echo in a real node, with real clients.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "support/daemon.h"

namespace
{

class Echo : public testing::Test
{
      protected:
	Echo()
	    : node(base_config() + "applications=echo\nblocking_threads=2\nmax_sockets_per_process=8\n"
				   "[application.echo]\nfile=" DREAM_MODULES
				   "/echo-1.0.0.so\n[env.echo]\nidle_ms=60000\n")
	{
	}
	void SetUp() override
	{
		ASSERT_TRUE(node.ready()) << node.log();
		find_port();
	}
	void find_port()
	{
		const std::string info = node.command("call echo_listener \"info\"").out;
		const size_t at = info.find("\"port\": ");
		ASSERT_NE(at, std::string::npos) << info;
		port = (uint16_t) std::stoi(info.substr(at + 8));
	}
	Daemon node;
	uint16_t port = 0;
};

class Client
{
      public:
	explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
	{
		struct sockaddr_in to = {};
		struct timeval limit = {60, 0};
		to.sin_family = AF_INET;
		to.sin_port = htons(port);
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		EXPECT_EQ(connect(fd_, (struct sockaddr *) &to, sizeof(to)), 0) << strerror(errno);
	}
	~Client()
	{
		::close(fd_);
	}
	Client(const Client &) = delete;
	std::string ask(const std::string &text) const
	{
		EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), (ssize_t) text.size());
		return read(text.size());
	}
	std::string read(size_t size) const
	{
		std::string text(size, '\0');
		size_t have = 0;
		for (ssize_t n; have < size && (n = recv(fd_, &text[have], size - have, 0)) > 0;)
			have += (size_t) n;
		text.resize(have);
		return text;
	}

      private:
	int fd_;
};

} // namespace

TEST_F(Echo, GivesBackWhatItGets)
{
	Client client(port);
	EXPECT_EQ(client.ask("hello"), "hello");
	const std::string much(1000000, 'x');
	std::vector<std::string> parts;
	for (size_t at = 0; at < much.size(); at += 50000)
		ASSERT_EQ(client.ask(much.substr(at, 50000)), much.substr(at, 50000));
}

TEST_F(Echo, ManyClientsAtATimeAreServed)
{
	std::vector<std::unique_ptr<Client>> clients;
	for (int i = 0; i < 100; i++)
		clients.emplace_back(new Client(port));
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(clients[(size_t) i]->ask("client " + std::to_string(i)),
			"client " + std::to_string(i));
	EXPECT_NE(node.command("tree echo").out.find("echo_acceptor"), std::string::npos);
}

TEST_F(Echo, KilledListenerComesBackAndConnectionsStay)
{
	Client before(port);
	EXPECT_EQ(before.ask("before"), "before");
	EXPECT_EQ(node.command("kill echo_listener").status, 0);
	ASSERT_TRUE(node.eventually("call echo_listener \"info\"", "port"));
	find_port();
	Client after(port);
	EXPECT_EQ(after.ask("after"), "after");
	EXPECT_EQ(before.ask("still"), "still");
}

TEST_F(Echo, StoppedNodeClosesItsConnections)
{
	Client client(port);
	EXPECT_EQ(client.ask("hello"), "hello");
	node.signal(SIGTERM);
	EXPECT_EQ(client.read(1), "");
	EXPECT_EQ(node.wait(), 0) << node.log();
}
