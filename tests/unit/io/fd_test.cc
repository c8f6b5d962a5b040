// SPDX-License-Identifier: MIT
// Waiting for descriptors of a module's own.
#include "unit/io/fixture.h"

namespace
{

class Pair
{
      public:
	Pair()
	{
		EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	}
	~Pair()
	{
		for (int f : fd)
			if (f >= 0)
				::close(f);
	}
	void write()
	{
		EXPECT_EQ(::write(fd[1], "x", 1), 1);
	}
	int fd[2];
};

struct Wait {
	int r = 1;
	uint32_t events = 0;
};

dream_pid_t wait_in(IoNode &node, Wait *wait, int fd, uint32_t events = DREAM_FD_READ,
	int64_t timeout_ms = DREAM_INFINITY)
{
	return node.go(
		[=](node_proc_t *) { wait->r = dream_fd_wait(fd, events, timeout_ms, &wait->events); });
}

} // namespace

TEST(FdWait, ReadyDescriptorIsToldAtOnce)
{
	IoNode node;
	Pair pair;
	Wait both;
	pair.write();
	wait_in(node, &both, pair.fd[0], DREAM_FD_READ | DREAM_FD_WRITE);
	EXPECT_EQ(both.r, DREAM_OK);
	EXPECT_EQ(both.events, DREAM_FD_READ | DREAM_FD_WRITE);
}

TEST(FdWait, ProcessWaitsUntilSomethingCanBeRead)
{
	IoNode node;
	Pair pair;
	Wait wait;
	wait_in(node, &wait, pair.fd[0]);
	node.settle();
	EXPECT_EQ(wait.r, 1);
	pair.write();
	node.until([&] { return wait.r != 1; });
	EXPECT_EQ(wait.r, DREAM_OK);
	EXPECT_EQ(wait.events, DREAM_FD_READ);
	EXPECT_EQ(node_fd_count(node), 0u);
	EXPECT_EQ(node_source_count(node->io), 0u);
}

TEST(FdWait, ProcessWaitsUntilThereIsRoom)
{
	IoNode node;
	Pair pair;
	Wait wait;
	char block[4096] = {};
	while (::write(pair.fd[0], block, sizeof(block)) > 0)
		;
	wait_in(node, &wait, pair.fd[0], DREAM_FD_WRITE);
	node.settle();
	EXPECT_EQ(wait.r, 1);
	while (::read(pair.fd[1], block, sizeof(block)) > 0)
		;
	node.until([&] { return wait.r != 1; });
	EXPECT_EQ(wait.events, DREAM_FD_WRITE);
}

TEST(FdWait, EndOfTheOtherSideIsReadiness)
{
	IoNode node;
	Pair pair;
	Wait wait;
	wait_in(node, &wait, pair.fd[0]);
	::close(pair.fd[1]);
	pair.fd[1] = -1;
	node.until([&] { return wait.r != 1; });
	EXPECT_EQ(wait.events, DREAM_FD_READ | DREAM_FD_HANGUP);
}

TEST(FdWait, TimePassesByTheNodesClock)
{
	IoNode node;
	Pair pair;
	Wait wait, look;
	wait_in(node, &wait, pair.fd[0], DREAM_FD_READ, 5000);
	node.advance(4999);
	EXPECT_EQ(wait.r, 1);
	node.advance(1);
	EXPECT_EQ(wait.r, DREAM_ETIMEDOUT);
	EXPECT_EQ(node_fd_count(node), 0u);
	wait_in(node, &look, pair.fd[0], DREAM_FD_READ, 0);
	EXPECT_EQ(look.r, DREAM_ETIMEDOUT);
}

TEST(FdWait, MessagesThatComeMeanwhileStayInTheMailbox)
{
	IoNode node;
	Pair pair;
	Wait wait;
	std::string message;
	dream_pid_t pid = node.go([&](node_proc_t *proc) {
		wait.r = dream_fd_wait(pair.fd[0], DREAM_FD_READ, DREAM_INFINITY, &wait.events);
		message = receive(proc);
	});
	send(node, nullptr, pid, "\"hello\"");
	node.run();
	EXPECT_EQ(wait.r, 1);
	pair.write();
	node.until([&] { return wait.r != 1; });
	EXPECT_EQ(wait.r, DREAM_OK);
	EXPECT_EQ(message, "\"hello\"");
}

TEST(FdWait, KilledProcessLeavesNoRegistration)
{
	IoNode node;
	Pair pair;
	Wait wait, again;
	dream_pid_t pid = wait_in(node, &wait, pair.fd[0]);
	node.settle();
	EXPECT_EQ(node_fd_count(node), 1u);
	node.kill(pid);
	EXPECT_EQ(node_fd_count(node), 0u);
	EXPECT_EQ(node_source_count(node->io), 0u);
	pair.write();
	EXPECT_EQ(node_poller_turn(node, 0), 0) << "the kernel still reports it";
	wait_in(node, &again, pair.fd[0]);
	EXPECT_EQ(again.r, DREAM_OK);
}

TEST(FdWait, ProcessKilledAfterTheEventIsNoHarm)
{
	IoNode node;
	Pair pair;
	Wait wait;
	dream_pid_t pid = wait_in(node, &wait, pair.fd[0]);
	pair.write();
	EXPECT_GT(node_poller_turn(node, 10000), 0); // the answer is on its way
	node.kill(pid);
	EXPECT_EQ(wait.r, 1);
	EXPECT_EQ(node_source_count(node->io), 0u);
}

TEST(FdWait, OneProcessAtATime)
{
	IoNode node;
	Pair pair;
	Wait first, second;
	wait_in(node, &first, pair.fd[0]);
	wait_in(node, &second, pair.fd[0]);
	EXPECT_EQ(second.r, DREAM_EBUSY);
	pair.write();
	node.until([&] { return first.r != 1; });
	EXPECT_EQ(first.r, DREAM_OK);
}

TEST(FdWait, CloseTellsWhoWaits)
{
	IoNode node;
	Pair pair;
	Wait wait;
	int r = 1, twice = 1;
	wait_in(node, &wait, pair.fd[0]);
	node.go([&](node_proc_t *) {
		r = dream_fd_close(pair.fd[0]);
		twice = dream_fd_close(pair.fd[0]);
	});
	pair.fd[0] = -1;
	EXPECT_EQ(r, DREAM_OK);
	EXPECT_EQ(twice, DREAM_ECLOSED);
	EXPECT_EQ(wait.r, DREAM_ECLOSED);
}

TEST(FdWait, CloseBehindTheNodesBackIsNoticed)
{
	IoNode node;
	Pair pair, other;
	Wait wait, unhurt;
	wait_in(node, &wait, pair.fd[0]);
	wait_in(node, &unhurt, other.fd[0]);
	EXPECT_TRUE(node_fd_check(node->io));
	node.run();
	EXPECT_EQ(wait.r, 1);
	::close(pair.fd[0]);
	pair.fd[0] = -1;
	EXPECT_TRUE(node_fd_check(node->io)) << "the other one is still waited for";
	node.run();
	EXPECT_EQ(wait.r, DREAM_ECLOSED);
	EXPECT_EQ(unhurt.r, 1);
	other.write();
	node.until([&] { return unhurt.r != 1; });
	EXPECT_FALSE(node_fd_check(node->io));
}

TEST(FdWait, PollerNoticesItByItself)
{
	IoThreads node;
	Pair pair;
	int r = 1;
	Latch waiting(1);
	node.spawn([&](node_proc_t *) {
		uint32_t events;
		waiting.hit();
		r = dream_fd_wait(pair.fd[0], DREAM_FD_READ, DREAM_INFINITY, &events);
	});
	ASSERT_TRUE(waiting.wait());
	while (node_fd_count(node) == 0)
		sched_yield();
	::close(pair.fd[0]);
	pair.fd[0] = -1;
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(r, DREAM_ECLOSED);
}

TEST(FdWait, NextWaitForAReusedNumberEndsTheFormer)
{
	IoNode node;
	Pair pair, fresh;
	Wait wait, next;
	wait_in(node, &wait, pair.fd[0]);
	EXPECT_EQ(dup3(fresh.fd[0], pair.fd[0], O_CLOEXEC), pair.fd[0]); // closes it and takes the number
	wait_in(node, &next, pair.fd[0]);
	EXPECT_EQ(wait.r, DREAM_ECLOSED);
	EXPECT_EQ(next.r, 1);
	fresh.write();
	node.until([&] { return next.r != 1; });
	EXPECT_EQ(next.r, DREAM_OK);
}

TEST(FdWait, FileOnADiskIsAlwaysReady)
{
	IoNode node;
	Wait wait;
	int fd = open(DREAM_SOURCE "/LICENSE", O_RDONLY | O_CLOEXEC);
	wait_in(node, &wait, fd);
	EXPECT_EQ(wait.r, DREAM_OK);
	::close(fd);
}

TEST(FdWait, WrongArgumentsAreRefused)
{
	IoNode node;
	Pair pair;
	Wait negative, none, unknown, closed;
	wait_in(node, &negative, -1);
	wait_in(node, &none, pair.fd[0], 0);
	wait_in(node, &unknown, pair.fd[0], DREAM_FD_HANGUP);
	int fd = dup(pair.fd[0]);
	::close(fd);
	wait_in(node, &closed, fd);
	EXPECT_EQ(negative.r, DREAM_EINVAL);
	EXPECT_EQ(none.r, DREAM_EINVAL);
	EXPECT_EQ(unknown.r, DREAM_EINVAL);
	EXPECT_EQ(closed.r, DREAM_ECLOSED);
}

TEST(FdWait, ManyProcessesOnThreadsAreAllWoken)
{
	static const int n = 100;
	std::vector<Pair> pairs(n);
	IoThreads node;
	std::vector<int> r(n, 1);
	for (int i = 0; i < n; i++)
		node.spawn([&, i](node_proc_t *) {
			uint32_t events;
			char byte;
			r[i] = DREAM_OK;
			for (int k = 0; k < 10 && r[i] == DREAM_OK; k++) {
				r[i] = dream_fd_wait(pairs[i].fd[0], DREAM_FD_READ, 60000, &events);
				EXPECT_EQ(read(pairs[i].fd[0], &byte, 1), 1);
				EXPECT_EQ(write(pairs[i].fd[0], &byte, 1), 1);
			}
		});
	for (int i = 0; i < n; i++)
		node.spawn([&, i](node_proc_t *) {
			uint32_t events;
			char byte = 'x';
			for (int k = 0; k < 10; k++) {
				EXPECT_EQ(write(pairs[i].fd[1], &byte, 1), 1);
				EXPECT_EQ(dream_fd_wait(pairs[i].fd[1], DREAM_FD_READ, 60000, &events),
					DREAM_OK);
				EXPECT_EQ(read(pairs[i].fd[1], &byte, 1), 1);
			}
		});
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(r, std::vector<int>(n, DREAM_OK));
}
