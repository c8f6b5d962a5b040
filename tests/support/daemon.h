// SPDX-License-Identifier: MIT
// daemon.h: real programs in a test: dreamd on a port of its own, and dream talking to it.
#ifndef TESTS_SUPPORT_DAEMON_H
#define TESTS_SUPPORT_DAEMON_H
#include <sys/types.h>

#include <string>
#include <vector>

// What a program did.
struct Outcome {
	int status = -1; // exit status; -1: killed by a signal or by the deadline
	std::string out;
	std::string err;
};

// Runs a program to its end, at most a minute, with @input on its stdin.
Outcome run_program(const std::vector<std::string> &argv, const std::string &input = "");

// A folder that goes with the test.
class Scratch
{
      public:
	Scratch();
	~Scratch();
	Scratch(const Scratch &) = delete;
	std::string path(const std::string &name) const
	{
		return path_ + "/" + name;
	}
	// Writes a file and returns its path.
	std::string write(const std::string &name, const std::string &content) const;

      private:
	std::string path_;
};

// One authority with a node's and an operator's certificate, made by `dream cert` once per test program.
const std::string &certificates();

// The required keys of a configuration for the node counter@127.0.0.1; what follows is up to the test.
std::string base_config(const std::string &certs = certificates());

class Daemon
{
      public:
	// Starts dreamd with a configuration; waits until it is ready or has ended.
	explicit Daemon(const std::string &config);
	~Daemon();
	Daemon(const Daemon &) = delete;

	bool ready() const
	{
		return !address_.empty();
	}
	const std::string &address() const
	{
		return address_;
	} // NAME@HOST:PORT
	int port() const;
	// One command through `dream`, which waits that many seconds for its end: "1"; empty: as it likes.
	Outcome command(const std::string &line, const std::string &timeout = "") const;
	// Runs a command until its output has @part in it; false after a minute.
	bool eventually(const std::string &line, const std::string &part) const;
	void signal(int number) const;
	// Waits, at most a minute, for its end. Returns the exit status, -1 if a signal ended it.
	int wait();
	// The same for one that a signal is to end: which one, 0 if it ended by itself.
	int wait_signal();
	pid_t pid() const
	{
		return pid_;
	}
	// Replaces the configuration file.
	void configure(const std::string &config) const;
	// What it wrote on stderr so far.
	std::string log() const;

      private:
	Scratch scratch_;
	pid_t pid_ = -1;
	std::string address_;
};

#endif
