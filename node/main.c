/* SPDX-License-Identifier: MIT */
/* dreamd: arguments, configuration, boot, then waiting: for signals, and for what the node itself reports. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "boot.h"
#include "sched/fault.h"

#define VERSION "0.1.0"

/* Exit codes; docs/configuration.md. */
#define EXIT_OK 0
#define EXIT_START 1 /* could not start, or did not stop in time */
#define EXIT_USAGE 2
#define EXIT_PORT 3 /* the address is taken */
#define EXIT_CERT 4
#define EXIT_CONFIG 5
#define EXIT_APP 6 /* a module could not be loaded or an application not started */
#define EXIT_INTERNAL 70

typedef struct {
	const char *config_path;
	bool check;
	int ready_fd; /* -1: none */
} arguments_t;

typedef struct {
	const arguments_t *arguments;
	node_config_t *config;
	node_boot_t *boot;
	int signal_fd;
	bool stopping;
	int64_t stop_by_us; /* valid while stopping */
	int exit_code;
} daemon_t;

static const char usage[] =
	"dreamd: a DREAM node, which runs applications until it is told to stop\n"
	"\n"
	"  dreamd --config FILE [--check] [--ready-fd N]\n"
	"\n"
	"  -c, --config FILE   what the node is and runs (docs/dreamd.conf.sample)\n"
	"      --check         read the file, say whether it is right, and end\n"
	"      --ready-fd N    write \"ready NAME@HOST:PORT\" to descriptor N once the applications run\n"
	"  -h, --help          this text\n"
	"  -V, --version       the version\n"
	"\n"
	"SIGTERM and SIGINT stop the applications in reverse order, then the node; a second one ends it at\n"
	"once. SIGHUP reads the environment of the applications and the log's level anew.\n"
	"\n"
	"Exit status: 0 stopped as told, 1 could not start or stop, 2 wrong arguments, 3 the address is in "
	"use,\n"
	"4 a certificate, 5 the configuration, 6 a module or an application, 70 a bug in dreamd.\n";

/* One line: "dreamd: WHAT: WHY; REMEDY"; the first two are in @format, as a diag has them. */
DREAM_PRINTF(2, 3) static int fail(int exit_code, const char *format, ...)
{
	node_diag_t line;
	char text[NODE_DIAG_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	node_diag_set(&line, 0, "%s", text);
	fprintf(stderr, "dreamd: %s\n", line.text);
	return exit_code;
}

/* ---- arguments ---- */

static int parse_ready_fd(const char *text, int *ret_fd)
{
	guint64 fd;
	if (!g_ascii_string_to_unsigned(text, 10, 0, 65535, &fd, NULL) || fcntl((int) fd, F_GETFD) < 0)
		return fail(EXIT_USAGE,
			"--ready-fd %s: no open descriptor; open one for writing, as in --ready-fd 3 3>FILE",
			text);
	*ret_fd = (int) fd;
	return EXIT_OK;
}

/* Returns an exit code, or -1 to go on. */
static int parse_arguments(int argc, char **argv, arguments_t *ret)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'}, {"ready-fd", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	int option;
	*ret = (arguments_t){NULL, false, -1};
	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:hV", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			ret->config_path = optarg;
			break;
		case 'k':
			ret->check = true;
			break;
		case 'r':
			if (parse_ready_fd(optarg, &ret->ready_fd) != EXIT_OK)
				return EXIT_USAGE;
			break;
		case 'h':
			fputs(usage, stdout);
			return EXIT_OK;
		case 'V':
			puts("dreamd " VERSION);
			return EXIT_OK;
		case ':':
			return fail(
				EXIT_USAGE, "%s: its value is missing; see dreamd --help", argv[optind - 1]);
		default:
			return fail(EXIT_USAGE, "%s: unknown option; see dreamd --help", argv[optind - 1]);
		}
	}
	if (optind < argc)
		return fail(EXIT_USAGE, "%s: not expected; the configuration is named by --config FILE",
			argv[optind]);
	if (ret->config_path == NULL)
		return fail(EXIT_USAGE, "--config FILE is missing; a sample is docs/dreamd.conf.sample");
	return -1;
}

/* ---- failures ---- */

static int exit_code_of(int code)
{
	switch (code) {
	case DREAM_ECERT:
		return EXIT_CERT;
	case DREAM_ECONFIG:
		return EXIT_CONFIG;
	case DREAM_EEXIST:
		return EXIT_PORT;
	default:
		return EXIT_START;
	}
}

/* ---- signals ---- */

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread: all inherit it */
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Leaves without closing anything: some process does not come back, and closing would wait for it. */
G_GNUC_NORETURN static void leave_now(const char *why)
{
	fprintf(stderr, "dreamd: stopping: %s\n", why);
	_exit(EXIT_START);
}

static void begin_stop(daemon_t *d, int exit_code, const char *why)
{
	if (d->stopping)
		return;
	d->stopping = true;
	d->exit_code = exit_code;
	d->stop_by_us = g_get_monotonic_time() + (int64_t) d->config->shutdown_timeout_s * G_USEC_PER_SEC;
	node_log(node_boot_node_borrow(d->boot), DREAM_LOG_NOTICE, "stopping: %s", why);
	if (node_boot_begin(d->boot, NODE_BOOT_STOP) < 0)
		leave_now("no process is left to stop the applications");
}

/* An error keeps the old environment. */
static void reload(daemon_t *d)
{
	node_t *node = node_boot_node_borrow(d->boot);
	node_config_t *fresh;
	node_diag_t diag = {0, ""};
	int r = node_config_load(d->config->path, &fresh, &diag);
	if (r == DREAM_OK) {
		r = node_boot_set_env(d->boot, fresh);
		node_config_free(fresh);
	}
	if (r == DREAM_OK)
		r = node_boot_begin(d->boot, NODE_BOOT_RELOAD);
	if (r == DREAM_OK)
		node_log(node, DREAM_LOG_NOTICE, "SIGHUP: %s is read again", d->config->path);
	else
		node_log(node, DREAM_LOG_ERROR, "SIGHUP: %s; what was read before stays",
			diag.code != 0 ? diag.text : node_diag_code_text(r));
}

static void on_signals(daemon_t *d)
{
	struct signalfd_siginfo info;
	while (read(d->signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			reload(d);
		else if (d->stopping)
			leave_now("told so a second time; the applications had no time to end");
		else
			begin_stop(d, EXIT_OK, info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
	}
}

/* Each socket is an open file; the soft limit is often low only for the sake of select(2). */
static void raise_file_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void) setrlimit(
		RLIMIT_NOFILE, &limit); /* if not, max_sockets cannot be reached, and accept says so */
}

/* ---- running ---- */

static void announce(const daemon_t *d)
{
	const node_config_t *config = d->config;
	char line[NODE_NAME_MAX + 32];
	int size = snprintf(line, sizeof(line), "ready %s:%u\n", config->name, node_boot_port(d->boot));
	int fd = d->arguments->ready_fd;
	if (fd < 0)
		return;
	if (write(fd, line, (size_t) size) != size)
		node_log(node_boot_node_borrow(d->boot), DREAM_LOG_WARNING, "--ready-fd %d: %s", fd,
			strerror(errno));
	close(fd);
}

static void on_started(daemon_t *d, int code, const node_diag_t *diag)
{
	if (code < 0) {
		if (!d->stopping)
			(void) fail(EXIT_APP, "%s", diag->text);
		begin_stop(d, EXIT_APP, "not everything could be started");
		return;
	}
	node_log(node_boot_node_borrow(d->boot), DREAM_LOG_NOTICE, "ready: %s, port %u", d->config->name,
		node_boot_port(d->boot));
	if (!d->stopping)
		announce(d);
}

/* True when the node may be closed. */
static bool on_node(daemon_t *d)
{
	node_t *node = node_boot_node_borrow(d->boot);
	node_diag_t diag = {0, ""};
	int code;
	node_boot_clear_fd(d->boot);
	if (node_boot_ended(d->boot, NODE_BOOT_START, &code, &diag))
		on_started(d, code, &diag);
	if (node_boot_ended(d->boot, NODE_BOOT_RELOAD, &code, &diag) && code < 0)
		node_log(node, DREAM_LOG_ERROR, "SIGHUP: %s", diag.text);
	if (!d->stopping && node_boot_shutdown_asked(d->boot, &code, &diag)) {
		(void) fail(code, "%s", diag.text);
		begin_stop(d, code, diag.text);
	}
	if (!node_boot_ended(d->boot, NODE_BOOT_STOP, &code, &diag))
		return false;
	if (code < 0)
		node_log(node, DREAM_LOG_ERROR, "stopping: %s", diag.text);
	return true;
}

static int poll_timeout_ms(const daemon_t *d)
{
	if (!d->stopping)
		return -1;
	int64_t left_ms = (d->stop_by_us - g_get_monotonic_time()) / 1000;
	return left_ms > 0 ? (int) left_ms + 1 : 0;
}

static void wait_for_end(daemon_t *d)
{
	for (;;) {
		struct pollfd fds[] = {{d->signal_fd, POLLIN, 0}, {node_boot_fd(d->boot), POLLIN, 0}};
		int n = poll(fds, 2, poll_timeout_ms(d));
		if (n < 0 && errno != EINTR)
			leave_now(strerror(errno));
		if (n == 0)
			leave_now("shutdown_timeout_s has passed; some application does not end");
		if (n > 0 && fds[0].revents != 0)
			on_signals(d);
		if (n > 0 && fds[1].revents != 0 && on_node(d))
			return;
	}
}

/* Only async-signal-safe calls. */
static void on_alarm(int signal_number)
{
	static const char text[] =
		"dreamd: stopping: a process does not come back from a callback; it ends with the node\n";
	ssize_t n = write(STDERR_FILENO, text, sizeof(text) - 1);
	(void) n;
	(void) signal_number;
	_exit(EXIT_START);
}

static void close_within_limits(daemon_t *d)
{
	signal(SIGALRM, on_alarm);
	alarm(d->config->shutdown_timeout_s);
	node_ctx_borrow()->node = NULL;
	node_boot_close(d->boot);
	alarm(0);
}

static int run(const arguments_t *arguments, node_config_t *config)
{
	daemon_t d = {.arguments = arguments, .config = config, .signal_fd = open_signals()};
	node_boot_options_t options = {.config = config, .net = &node_boot_quic, .log_fd = STDERR_FILENO};
	node_diag_t diag = {0, ""};
	raise_file_limit();
	if (d.signal_fd < 0)
		return fail(EXIT_INTERNAL, "signalfd: %s", strerror(errno));
	node_fault_install(NULL);
	int r = node_boot_open(&options, &d.boot, &diag);
	if (r < 0)
		return fail(exit_code_of(r), "%s", diag.text);
	node_ctx_borrow()->node =
		node_boot_node_borrow(d.boot); /* a fault in this thread is told of that node */
	if (node_boot_begin(d.boot, NODE_BOOT_START) < 0)
		begin_stop(&d, EXIT_START, "no process for the start");
	wait_for_end(&d);
	close_within_limits(&d);
	close(d.signal_fd);
	return d.exit_code;
}

int main(int argc, char **argv)
{
	arguments_t arguments;
	node_diag_t diag = {0, ""};
	node_config_t *config = NULL;
	int exit_code = parse_arguments(argc, argv, &arguments);
	if (exit_code >= 0)
		return exit_code;
	if (node_config_load(arguments.config_path, &config, &diag) < 0)
		return fail(EXIT_CONFIG, "%s", diag.text);
	if (arguments.check)
		printf("%s: correct; node %s, %u applications\n", config->path, config->name,
			config->apps->len);
	else
		exit_code = run(&arguments, config);
	node_config_free(config);
	return arguments.check ? EXIT_OK : exit_code;
}
