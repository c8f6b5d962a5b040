// SPDX-License-Identifier: MIT
#include "support/daemon.h"

#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

extern char **environ;

namespace
{

using Clock = std::chrono::steady_clock;
const std::chrono::seconds patience(60);

// The programs lie in bin/ of the build directory, as the tests lie in tests/.
std::string program(const std::string &name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	std::string path(self, n > 0 ? (size_t) n : 0);
	path = path.substr(0, path.rfind('/'));
	return path.substr(0, path.rfind('/')) + "/bin/" + name;
}

int left_ms(Clock::time_point until)
{
	auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
	return left > 0 ? (int) left : 0;
}

// @fds: what becomes the child's 0, 1, 2, 3; -1: /dev/null, or nothing for 3.
pid_t spawn(const std::vector<std::string> &argv, const int fds[4])
{
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < 4; i++) {
		if (fds[i] >= 0)
			posix_spawn_file_actions_adddup2(&actions, fds[i], i);
		else if (i < 3)
			posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
	}
	std::vector<char *> args;
	for (const std::string &arg : argv)
		args.push_back(const_cast<char *>(arg.c_str()));
	args.push_back(nullptr);
	pid_t pid = -1;
	if (posix_spawn(&pid, args[0], &actions, nullptr, args.data(), environ) != 0)
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

// Waits for the end of a child until a deadline, then kills it. Returns what waitpid() says.
int reap_raw(pid_t pid, Clock::time_point until)
{
	int fd = (int) syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {fd, POLLIN, 0};
	if (fd >= 0 && poll(&p, 1, left_ms(until)) <= 0)
		kill(pid, SIGKILL);
	if (fd >= 0)
		close(fd);
	int status = 0;
	waitpid(pid, &status, 0);
	return status;
}

int reap(pid_t pid, Clock::time_point until)
{
	int status = reap_raw(pid, until);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

// Reads what there is; closes at the end.
void take(int *fd, std::string *text)
{
	char block[4096];
	ssize_t n = read(*fd, block, sizeof(block));
	if (n > 0)
		text->append(block, (size_t) n);
	else
		close_fd(fd);
}

void give(int *fd, const std::string &input, size_t *done)
{
	ssize_t n = *done < input.size() ? write(*fd, input.data() + *done, input.size() - *done) : -1;
	if (n <= 0)
		close_fd(fd);
	else
		*done += (size_t) n;
}

} // namespace

Outcome run_program(const std::vector<std::string> &argv, const std::string &input)
{
	signal(SIGPIPE, SIG_IGN);
	int in[2], out[2], err[2];
	Outcome outcome;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		return outcome;
	const int fds[4] = {in[0], out[1], err[1], -1};
	pid_t pid = spawn(argv, fds);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	size_t done = 0;
	auto until = Clock::now() + patience;
	if (input.empty())
		close_fd(&in[1]);
	while ((out[0] >= 0 || err[0] >= 0) && left_ms(until) > 0) {
		struct pollfd p[3] = {{out[0], POLLIN, 0}, {err[0], POLLIN, 0}, {in[1], POLLOUT, 0}};
		if (poll(p, 3, left_ms(until)) <= 0)
			break;
		if (p[0].revents != 0)
			take(&out[0], &outcome.out);
		if (p[1].revents != 0)
			take(&err[0], &outcome.err);
		if (p[2].revents != 0)
			give(&in[1], input, &done);
	}
	close_fd(&in[1]);
	close_fd(&out[0]);
	close_fd(&err[0]);
	outcome.status = pid > 0 ? reap(pid, until) : -1;
	return outcome;
}

/* ---- folders and certificates ---- */

Scratch::Scratch()
{
	char *made = g_dir_make_tmp("dream-system-XXXXXX", nullptr);
	path_ = made != nullptr ? made : "";
	g_free(made);
}

Scratch::~Scratch()
{
	if (!path_.empty())
		run_program({"/bin/rm", "-rf", path_});
}

std::string Scratch::write(const std::string &name, const std::string &content) const
{
	std::ofstream(path(name), std::ios::binary) << content;
	return path(name);
}

const std::string &certificates()
{
	static Scratch scratch;
	static const std::string dir = [] {
		std::string made = scratch.path("certs"), dream = program("dream");
		run_program({dream, "cert", "init", made});
		run_program({dream, "cert", "issue", "counter@127.0.0.1", made});
		run_program({dream, "cert", "issue", "--role", "operator", "operator", made});
		return made;
	}();
	return dir;
}

std::string base_config(const std::string &certs)
{
	return "[node]\nname=counter@127.0.0.1\nschedulers=2\nmax_processes=100000\nauthority=" + certs +
	       "/authority.pem\ncertificate=" + certs + "/counter@127.0.0.1.pem\nkey=" + certs +
	       "/counter@127.0.0.1-key.pem\n";
}

/* ---- dreamd ---- */

Daemon::Daemon(const std::string &config)
{
	configure(config);
	// A node that is killed leaves its copies of modules behind; these go with the test.
	setenv("XDG_RUNTIME_DIR", scratch_.path(".").c_str(), 1);
	int ready[2];
	if (pipe2(ready, O_CLOEXEC) < 0)
		return;
	int log = open(scratch_.path("log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	const int fds[4] = {-1, log, log, ready[1]};
	pid_ = spawn({program("dreamd"), "--config", scratch_.path("dreamd.conf"), "--ready-fd", "3"}, fds);
	close(log);
	close(ready[1]);
	std::string line;
	auto until = Clock::now() + patience;
	while (ready[0] >= 0 && line.find('\n') == std::string::npos) {
		struct pollfd p = {ready[0], POLLIN, 0};
		if (poll(&p, 1, left_ms(until)) <= 0)
			break;
		take(&ready[0], &line);
	}
	close_fd(&ready[0]);
	if (line.compare(0, 6, "ready ") == 0)
		address_ = line.substr(6, line.find('\n') - 6);
}

Daemon::~Daemon()
{
	if (pid_ > 0) {
		kill(pid_, SIGKILL);
		wait();
	}
}

int Daemon::port() const
{
	return atoi(address_.substr(address_.rfind(':') + 1).c_str());
}

Outcome Daemon::command(const std::string &line, const std::string &timeout) const
{
	setenv("DREAM_CERTS", certificates().c_str(), 1);
	std::vector<std::string> argv = {program("dream"), "-c", line, address_};
	if (!timeout.empty())
		argv.insert(argv.begin() + 1, "--timeout=" + timeout);
	return run_program(argv);
}

bool Daemon::eventually(const std::string &line, const std::string &part) const
{
	auto until = Clock::now() + patience;
	while (left_ms(until) > 0)
		if (command(line).out.find(part) != std::string::npos)
			return true;
	return false;
}

void Daemon::signal(int number) const
{
	kill(pid_, number);
}

int Daemon::wait()
{
	if (pid_ <= 0)
		return -1;
	int status = reap(pid_, Clock::now() + patience);
	pid_ = -1;
	return status;
}

int Daemon::wait_signal()
{
	if (pid_ <= 0)
		return -1;
	int status = reap_raw(pid_, Clock::now() + patience);
	pid_ = -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

void Daemon::configure(const std::string &config) const
{
	scratch_.write("dreamd.conf", config);
}

std::string Daemon::log() const
{
	std::ifstream file(scratch_.path("log"));
	std::stringstream text;
	text << file.rdbuf();
	return text.str();
}
