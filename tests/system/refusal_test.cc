// SPDX-License-Identifier: MIT
// What is wrong is said in one line with a status of its own, and a node that serves goes on serving.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "support/daemon.h"

namespace
{

const char counter_1[] = DREAM_MODULES "/counter-1.0.0.so";

std::string counter_config()
{
	return base_config() + "applications=counter\n[application.counter]\nfile=" + counter_1 + "\n";
}

bool has(const std::string &text, const std::string &part)
{
	return text.find(part) != std::string::npos;
}

#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << (part) << " is not in: " << (text)

size_t count_lines(const std::string &text)
{
	return (size_t) std::count(text.begin(), text.end(), '\n');
}

// The lines of a log that dreamd itself wrote for its operator.
std::vector<std::string> complaints(const std::string &log)
{
	std::vector<std::string> lines;
	std::istringstream in(log);
	for (std::string line; std::getline(in, line);)
		if (line.compare(0, 8, "dreamd: ") == 0)
			lines.push_back(line);
	return lines;
}

std::string read_file(const std::string &path)
{
	std::ifstream file(path, std::ios::binary);
	return std::string(std::istreambuf_iterator<char>(file), {});
}

// A UDP socket; bound to a port of 127.0.0.1 that the system chooses.
struct Socket {
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	sockaddr_in address = {};
	Socket()
	{
		socklen_t size = sizeof(address);
		address.sin_family = AF_INET;
		address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		(void) bind(fd, (sockaddr *) &address, sizeof(address));
		(void) getsockname(fd, (sockaddr *) &address, &size);
	}
	~Socket()
	{
		close(fd);
	}
	int port() const
	{
		return ntohs(address.sin_port);
	}
	void send(int to_port, const std::string &bytes)
	{
		sockaddr_in to = address;
		to.sin_port = htons((uint16_t) to_port);
		(void) sendto(fd, bytes.data(), bytes.size(), 0, (sockaddr *) &to, sizeof(to));
	}
};

// A node that cannot start: its status, and the one line why.
void cannot_start(const std::string &config, int status, const std::vector<std::string> &parts)
{
	Daemon node(config);
	EXPECT_FALSE(node.ready());
	EXPECT_EQ(node.wait(), status) << node.log();
	std::vector<std::string> lines = complaints(node.log());
	ASSERT_EQ(lines.size(), 1u) << node.log();
	for (const std::string &part : parts)
		EXPECT_HAS(lines[0], part);
}

class Serving : public testing::Test
{
      protected:
	Serving() : node(counter_config()) {}
	void SetUp() override
	{
		ASSERT_TRUE(node.ready()) << node.log();
	}
	void TearDown() override
	{
		Outcome o = node.command("call counter \"get\"");
		EXPECT_EQ(o.status, 0) << o.err << node.log();
	}
	// A command fails with one line.
	void refused(const std::string &line, int status, const std::vector<std::string> &parts)
	{
		Outcome o = node.command(line);
		EXPECT_EQ(o.status, status) << o.err;
		EXPECT_EQ(count_lines(o.err), 1u) << o.err;
		for (const std::string &part : parts)
			EXPECT_HAS(o.err, part);
	}
	Daemon node;
};

} // namespace

/* ---- files that are no modules, given to a serving node ---- */

TEST_F(Serving, MissingModule)
{
	refused("upgrade counter /nonexistent/c.so", 6, {"/nonexistent/c.so"});
	refused("load /nonexistent/c.so", 6, {"/nonexistent/c.so"});
}

TEST_F(Serving, TruncatedModule)
{
	Scratch scratch;
	std::string whole = read_file(DREAM_MODULES "/counter-2.0.0.so");
	for (size_t size : {size_t(0), size_t(40), whole.size() / 2, whole.size() - 1}) {
		std::string path = scratch.write("cut.so", whole.substr(0, size));
		refused("upgrade counter " + path, 1, {path});
	}
}

TEST_F(Serving, TextNamedAsAModule)
{
	Scratch scratch;
	std::string path = scratch.write("text.so", "This is a text and not a module.\n");
	refused("load " + path, 1, {path, "ELF"});
}

TEST_F(Serving, WrongMagic)
{
	refused("load " DREAM_FIXTURES "/note_wrong_magic.so", 1, {"note_wrong_magic.so"});
}

TEST_F(Serving, ModulesOfAnotherAbi)
{
	refused("load " DREAM_FIXTURES "/abi_newer_minor.so", 1, {"abi_newer_minor.so"});
	refused("load " DREAM_FIXTURES "/abi_other_major.so", 1, {"abi_other_major.so"});
}

/* ---- lines ---- */

TEST_F(Serving, LineThatIsNoTermOrNoCommand)
{
	refused("call counter [1,", 5, {"column"});
	refused("frobnicate", 5, {"no command"});
}

TEST_F(Serving, CallToAMissingName)
{
	refused("call nobody 1", 6, {"nobody is registered as \"nobody\"", "'procs'"});
}

TEST_F(Serving, RequestThatNobodyUnderstands)
{
	refused("call counter \"dance\"", 1, {"does not understand"});
}

/* ---- the network ---- */

TEST_F(Serving, GarbageDatagrams)
{
	Socket socket;
	std::mt19937 random(1);
	for (int i = 0; i < 2000; i++) {
		std::string bytes(random() % 1400, '\0');
		for (char &byte : bytes)
			byte = (char) random();
		socket.send(node.port(), bytes);
	}
}

TEST_F(Serving, HandshakesThatGoSilent)
{
	for (int i = 0; i < 50; i++) {
		Socket socket;
		/* a long header of QUIC 1 with identifiers, and nothing that can be read behind it */
		std::string initial("\xc3\x00\x00\x00\x01\x08", 6);
		initial += std::string(8, (char) i) + '\x08' + std::string(8, 'x');
		initial += std::string(1200 - initial.size(), '\0');
		socket.send(node.port(), initial);
	}
}

TEST_F(Serving, OperatorOfAnotherAuthority)
{
	Scratch scratch;
	std::string dir = scratch.path("foreign"), dream = DREAM_BIN "/dream";
	run_program({dream, "cert", "init", dir});
	run_program({dream, "cert", "issue", "--role", "operator", "operator", dir});
	Outcome o = run_program({dream, "-c", "apps", "--authority", certificates() + "/authority.pem",
		"--cert", dir + "/operator.pem", "--key", dir + "/operator-key.pem", node.address()});
	EXPECT_NE(o.status, 0);
	EXPECT_EQ(o.out, "");
	EXPECT_EQ(count_lines(o.err), 1u) << o.err;
}

TEST_F(Serving, OperatorWhoseCertificateHasExpired)
{
	Scratch scratch;
	std::string dir = scratch.path("old"), dream = DREAM_BIN "/dream";
	run_program({"/bin/cp", "-r", certificates(), dir});
	run_program({dream, "cert", "issue", "--role", "operator", "--not-after", "-60", "late", dir});
	Outcome o = run_program({dream, "-c", "apps", "--authority", dir + "/authority.pem", "--cert",
		dir + "/late.pem", "--key", dir + "/late-key.pem", node.address()});
	EXPECT_EQ(o.status, 4) << o.err;
	EXPECT_EQ(count_lines(o.err), 1u) << o.err;
	EXPECT_HAS(o.err, "expired");
}

/* ---- nodes that cannot start ---- */

TEST(Refused, TypoInTheConfiguration)
{
	cannot_start(base_config() + "log_levle=info\n", 5, {"dreamd.conf:8:", "did you mean log_level?"});
}

TEST(Refused, BusyPort)
{
	Socket socket;
	std::string port = std::to_string(socket.port());
	cannot_start(base_config() + "listen=127.0.0.1:" + port + "\n", 3, {port});
}

TEST(Refused, MissingCertificate)
{
	cannot_start(base_config("/nonexistent"), 4, {"/nonexistent/"});
}

TEST(Refused, ExpiredCertificate)
{
	Scratch scratch;
	std::string dir = scratch.path("old"), dream = DREAM_BIN "/dream";
	run_program({dream, "cert", "init", dir});
	run_program({dream, "cert", "issue", "--not-after", "-60", "counter@127.0.0.1", dir});
	cannot_start(base_config(dir), 4, {"expired"});
}

TEST(Refused, CertificateOfAnotherAuthority)
{
	Scratch scratch;
	std::string dir = scratch.path("mixed"), other = scratch.path("other"), dream = DREAM_BIN "/dream";
	run_program({dream, "cert", "init", dir});
	run_program({dream, "cert", "init", other});
	run_program({dream, "cert", "issue", "counter@127.0.0.1", dir});
	run_program({"/bin/cp", other + "/authority.pem", dir + "/authority.pem"});
	cannot_start(base_config(dir), 4, {"foreign authority"});
}

TEST(Refused, ModuleThatIsNone)
{
	Scratch scratch;
	std::string path = scratch.write("text.so", "no module\n");
	cannot_start(base_config() + "applications=a\n[application.a]\nfile=" + path + "\n", 6, {path});
}

TEST(Refused, ArgumentsThatAreWrong)
{
	for (const std::vector<std::string> &arguments :
		std::vector<std::vector<std::string>>{{}, {"--frob"}, {"--config"}, {"--config", "x", "y"}}) {
		std::vector<std::string> argv = {DREAM_BIN "/dreamd"};
		argv.insert(argv.end(), arguments.begin(), arguments.end());
		Outcome o = run_program(argv);
		EXPECT_EQ(o.status, 2) << o.err;
		EXPECT_EQ(count_lines(o.err), 1u) << o.err;
	}
}
