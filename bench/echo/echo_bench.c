/* SPDX-License-Identifier: MIT */
/* echo_bench: an echo server in a node, and the load for it and for others.
 *
 *   echo_bench serve MODULE         starts apps/echo, prints its port, ends with its standard input
 *   echo_bench load PORT CONNS S    so many connections send 64 bytes and wait for them, again and again, for S
 *                                   seconds; prints round trips per second
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "boot.h"

#define MESSAGE_BYTES 64
#define MAX_CONNS 10000

static int fail(const char *what)
{
	fprintf(stderr, "echo_bench: %s: %s\n", what, strerror(errno));
	return 1;
}

/* ---- the server ---- */

/* A port that was free just now. */
static int free_port(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int port = bind(fd, (struct sockaddr *) &at, size) == 0 &&
				   getsockname(fd, (struct sockaddr *) &at, &size) == 0
			   ? ntohs(at.sin_port)
			   : 0;
	close(fd);
	return port;
}

static int serve(const char *module)
{
	char text[2000];
	node_diag_t diag = {0, ""};
	node_config_t *config;
	node_boot_t *boot;
	int port = free_port();
	snprintf(text, sizeof(text),
		"[node]\nname=bench@127.0.0.1\nauthority=-\ncertificate=-\nkey=-\napplications=echo\nlog_"
		"level=warning\n"
		"schedulers=2\n[application.echo]\nfile=%s\n[env.echo]\nport=%d\n",
		module, port);
	if (node_config_parse("echo_bench", text, strlen(text), &config, &diag) < 0) {
		fprintf(stderr, "echo_bench: %s\n", diag.text);
		return 1;
	}
	node_boot_options_t options = {.config = config, .log_fd = STDERR_FILENO};
	if (node_boot_open(&options, &boot, &diag) < 0 ||
		node_boot_run(boot, NODE_BOOT_START, 10000, &diag) < 0) {
		fprintf(stderr, "echo_bench: %s\n", diag.text);
		return 1;
	}
	printf("%d\n", port);
	fflush(stdout);
	while (getchar() != EOF)
		;
	(void) node_boot_run(boot, NODE_BOOT_STOP, 10000, &diag);
	node_boot_close(boot);
	node_config_free(config);
	return 0;
}

/* ---- the load ---- */

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static int open_conn(int epoll_fd, uint16_t port)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int one = 1;
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	if (fd < 0 || connect(fd, (struct sockaddr *) &to, sizeof(to)) < 0 ||
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0 ||
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -1;
	return fd;
}

/* On loopback so small a message comes whole. */
static int answer(int fd)
{
	char message[MESSAGE_BYTES];
	ssize_t n = recv(fd, message, sizeof(message), MSG_WAITALL);
	return n == MESSAGE_BYTES && send(fd, message, sizeof(message), MSG_NOSIGNAL) == MESSAGE_BYTES ? 0
												       : -1;
}

static int load(uint16_t port, int n_conns, double seconds)
{
	struct epoll_event events[256];
	const char message[MESSAGE_BYTES] = {0};
	int epoll_fd = epoll_create1(0);
	uint64_t trips = 0;
	for (int i = 0; i < n_conns; i++) {
		int fd = open_conn(epoll_fd, port);
		if (fd < 0 || send(fd, message, sizeof(message), MSG_NOSIGNAL) != MESSAGE_BYTES)
			return fail("connect");
	}
	double begin = now_s(), end = begin + seconds, now;
	while ((now = now_s()) < end) {
		int n = epoll_wait(epoll_fd, events, 256, 1000);
		if (n <= 0)
			return fail("no answer within a second");
		for (int i = 0; i < n; i++)
			if (answer(events[i].data.fd) < 0)
				return fail("answer");
		trips += (uint64_t) n;
	}
	printf("%.0f\n", (double) trips / (now - begin));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 5 && strcmp(argv[1], "load") == 0 && atoi(argv[3]) > 0 && atoi(argv[3]) <= MAX_CONNS)
		return load((uint16_t) atoi(argv[2]), atoi(argv[3]), atof(argv[4]));
	fprintf(stderr, "usage: echo_bench serve MODULE | load PORT CONNECTIONS SECONDS\n");
	return 2;
}
