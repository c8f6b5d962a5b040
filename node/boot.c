/* SPDX-License-Identifier: MIT */
#include "boot.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "app/app.h"
#include "app/host.h"
#include "base/log.h"
#include "code/code.h"
#include "console/outlet.h"
#include "dist/dist.h"
#include "io/io.h"
#include "sched/sched.h"
#include "term/notation.h"

#define TASK_IDLE 0u
#define TASK_RUNNING 1u
#define TASK_OVER 2u

typedef struct {
	node_boot_t *boot;
	uint32_t kind;
	uint32_t state; /* with code and diag under the lock */
	int code;
	node_diag_t diag;
	node_diag_t work; /* the process's own, until it is over */
} task_t;

struct node_boot {
	node_t node; /* first: hooks get it back by a cast */
	node_boot_options_t options;
	node_log_t *log;
	int event_fd;
	uint16_t port;
	bool net_open;
	pthread_mutex_t lock;
	task_t tasks[NODE_BOOT_TASKS];
	bool shutdown_asked;
	int shutdown_code;
	node_diag_t shutdown_why;
};

static void notify(node_boot_t *boot)
{
	uint64_t one = 1;
	ssize_t n = write(boot->event_fd, &one, sizeof(one));
	(void) n; /* a full counter is readable too */
}

/* ---- hooks ---- */

static void on_shutdown(node_t *node, int exit_code, const char *why)
{
	node_boot_t *boot = (node_boot_t *) node;
	pthread_mutex_lock(&boot->lock);
	if (!boot->shutdown_asked) { /* the first reason counts */
		boot->shutdown_asked = true;
		boot->shutdown_code = exit_code;
		node_diag_set(&boot->shutdown_why, DREAM_OK, "%s", why);
	}
	pthread_mutex_unlock(&boot->lock);
	notify(boot);
}

/* A node without a network is one that is connected to nobody. */
static int send_nowhere_take(node_t *node, node_sig_t *sig)
{
	node_proc_bounce_take(node, sig, "noconnection");
	return DREAM_ENOCONNECTION;
}

static int number_nobody(node_t *node, const char *name, uint64_t name_size, uint32_t *ret_number)
{
	if (strlen(node->name) != name_size || memcmp(node->name, name, name_size) != 0)
		return DREAM_ENOCONNECTION;
	*ret_number = 0;
	return DREAM_OK;
}

static const char *name_nobody_borrow(node_t *node, uint32_t number)
{
	return number == 0 ? node->name : NULL;
}

static void install_offline(node_t *node)
{
	node->hooks.send_remote_take = send_nowhere_take;
	node->hooks.node_number = number_nobody;
	node->hooks.node_name_borrow = name_nobody_borrow;
}

/* ---- tasks ---- */

static bool is_loaded(node_t *node, const char *name)
{
	g_autoptr(GArray) apps = node_app_list(node);
	for (guint i = 0; i < apps->len; i++)
		if (strcmp(g_array_index(apps, node_app_info_t, i).name, name) == 0)
			return true;
	return false;
}

static int load_all(node_proc_t *proc, const node_config_t *config, node_diag_t *diag)
{
	for (guint i = 0; i < config->apps->len; i++) {
		const node_config_app_t *app = config->apps->pdata[i];
		if (is_loaded(proc->node, app->name)) /* with another one, from the same module */
			continue;
		int r = node_app_load(proc, app->file, diag);
		if (r < 0)
			return r;
		if (!is_loaded(proc->node, app->name))
			return node_diag_set(diag, DREAM_EMODULE,
				"%s: the module has no application \"%s\"; correct "
				"applications, or file in [application.%s]",
				app->file, app->name, app->name);
	}
	return DREAM_OK;
}

static int start_all(node_proc_t *proc, const node_config_t *config, node_diag_t *diag)
{
	int r = load_all(proc, config, diag);
	for (guint i = 0; i < config->apps->len && r == DREAM_OK; i++) {
		const node_config_app_t *app = config->apps->pdata[i];
		r = node_app_start(proc, app->name, app->type, diag);
		if (r == DREAM_EALREADY) /* one before depends on it */
			r = DREAM_OK;
	}
	return r;
}

static void connect_all(node_boot_t *boot)
{
	const node_boot_net_t *net = boot->options.net;
	const GPtrArray *peers = boot->options.config->connect;
	for (guint i = 0; i < peers->len && net != NULL && net->connect != NULL; i++)
		net->connect(&boot->node, peers->pdata[i]);
}

static int start_node(node_proc_t *proc, node_boot_t *boot, node_diag_t *diag)
{
	int r = start_all(proc, boot->options.config, diag);
	if (r == DREAM_OK)
		connect_all(boot);
	return r;
}

static int do_task(node_proc_t *proc, task_t *task)
{
	switch (task->kind) {
	case NODE_BOOT_START:
		return start_node(proc, task->boot, &task->work);
	case NODE_BOOT_STOP:
		return node_app_stop_all(proc, &task->work);
	default:
		return node_app_config_changed(proc, &task->work);
	}
}

static void end_task(task_t *task, int code)
{
	node_boot_t *boot = task->boot;
	pthread_mutex_lock(&boot->lock);
	bool first = task->state == TASK_RUNNING;
	if (first) {
		task->state = TASK_OVER;
		task->code = code;
		task->diag = task->work;
	}
	pthread_mutex_unlock(&boot->lock);
	if (first)
		notify(boot);
}

static int run_task(node_proc_t *proc)
{
	task_t *task = proc->self;
	int r = do_task(proc, task);
	if (r < 0 && task->work.code == 0)
		node_diag_set(&task->work, r, "%s", node_diag_code_text(r));
	end_task(task, r < 0 ? r : DREAM_OK);
	return NODE_RUN_EXIT;
}

/* Also when the process was killed in the middle, so that nobody waits for ever. */
static void fini_task(node_proc_t *proc)
{
	task_t *task = proc->self;
	if (task->work.code == 0) {
		GString *why = g_string_new(NULL);
		if (proc->exit_reason != NULL)
			node_notation_print(why, proc->exit_reason->data, proc->exit_reason->size_bytes, 400);
		node_diag_set(&task->work, DREAM_EDOWN, "a process of the node ended: %s; the log tells more",
			why->str);
		g_string_free(why, TRUE);
	}
	end_task(task, DREAM_EDOWN);
}

static const node_proc_ops_t task_ops = {.what = "boot", .run = run_task, .fini = fini_task};

int node_boot_begin(node_boot_t *boot, uint32_t kind)
{
	task_t *task = &boot->tasks[kind];
	pthread_mutex_lock(&boot->lock);
	bool running = task->state == TASK_RUNNING;
	if (!running) {
		task->state = TASK_RUNNING;
		task->work = (node_diag_t){0, ""};
	}
	pthread_mutex_unlock(&boot->lock);
	if (running)
		return DREAM_EALREADY;
	node_spawn_t how = {.ops = &task_ops, .self = task, .label = "boot", .flags = NODE_PROC_SYSTEM};
	int r = node_proc_spawn(&boot->node, &how, NULL);
	if (r < 0)
		end_task(task, r);
	return r;
}

bool node_boot_ended(node_boot_t *boot, uint32_t kind, int *ret_code, node_diag_t *diag)
{
	task_t *task = &boot->tasks[kind];
	pthread_mutex_lock(&boot->lock);
	bool over = task->state == TASK_OVER;
	if (over) {
		task->state = TASK_IDLE;
		*ret_code = task->code;
		if (diag != NULL)
			*diag = task->diag;
	}
	pthread_mutex_unlock(&boot->lock);
	return over;
}

int node_boot_run(node_boot_t *boot, uint32_t kind, int64_t timeout_ms, node_diag_t *diag)
{
	int64_t end_us = g_get_monotonic_time() + timeout_ms * 1000;
	int code = DREAM_OK;
	int r = node_boot_begin(boot, kind);
	if (r < 0 && r != DREAM_EALREADY)
		return node_diag_set(diag, r, "no process for the boot: %s", node_diag_code_text(r));
	while (!node_boot_ended(boot, kind, &code, diag)) {
		struct pollfd p = {boot->event_fd, POLLIN, 0};
		int64_t left_ms = (end_us - g_get_monotonic_time()) / 1000;
		if (left_ms < 0 || (poll(&p, 1, (int) MIN(left_ms + 1, INT32_MAX)) < 0 && errno != EINTR))
			return node_diag_set(
				diag, DREAM_ETIMEDOUT, "not done within %d s", (int) (timeout_ms / 1000));
		node_boot_clear_fd(boot);
	}
	return code;
}

/* ---- environment ---- */

int node_boot_set_env(node_boot_t *boot, const node_config_t *config)
{
	node_app_env_reset(&boot->node);
	int r = DREAM_OK;
	for (guint i = 0; i < config->envs->len && r == DREAM_OK; i++) {
		const node_config_env_t *env = config->envs->pdata[i];
		r = node_app_env_set_take(&boot->node, env->app, env->key, node_msg_ref(env->value));
	}
	node_log_set_level(boot->log, config->log_level);
	return r;
}

/* ---- events ---- */

int node_boot_fd(const node_boot_t *boot)
{
	return boot->event_fd;
}

void node_boot_clear_fd(node_boot_t *boot)
{
	uint64_t count;
	ssize_t n = read(boot->event_fd, &count, sizeof(count));
	(void) n; /* nothing to clear is fine */
}

bool node_boot_shutdown_asked(node_boot_t *boot, int *ret_code, node_diag_t *diag)
{
	pthread_mutex_lock(&boot->lock);
	bool asked = boot->shutdown_asked;
	if (asked) {
		*ret_code = boot->shutdown_code;
		if (diag != NULL)
			*diag = boot->shutdown_why;
	}
	pthread_mutex_unlock(&boot->lock);
	return asked;
}

/* ---- the network over QUIC ---- */

static int open_quic(node_t *node, const node_config_t *config, uint16_t *ret_port, node_diag_t *diag)
{
	node_dist_options_t options = {.host = config->listen_host,
		.port = config->listen_port,
		.authority = config->authority,
		.certificate = config->certificate,
		.key = config->key};
	int r = node_dist_open(node, &options, diag);
	if (r < 0)
		return r;
	r = node_dist_start(node);
	if (r < 0) {
		node_dist_close(node);
		return node_diag_set(diag, r, "network: %s", node_diag_code_text(r));
	}
	*ret_port = node_dist_port(node);
	return DREAM_OK;
}

/* A peer that cannot be reached is no failure: it connects to us when it comes, if it names us. */
static void connect_quic(node_t *node, const char *peer)
{
	node_diag_t diag = {0, ""};
	int r = node_outlet_connect(node, peer, &diag);
	if (r < 0)
		node_log(node, DREAM_LOG_WARNING, "connect %s: %s", peer, diag.text);
}

const node_boot_net_t node_boot_quic = {.open = open_quic,
	.connect = connect_quic,
	.stop = node_dist_stop,
	.close = node_dist_close,
	.console = &node_outlet_dist};

/* ---- the rooms ---- */

static uint32_t count_cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n < 1 ? 1 : n > 64 ? 64 : (uint32_t) n;
}

static int open_log(node_boot_t *boot, node_diag_t *diag)
{
	int r = node_log_open(&boot->node, boot->options.log_fd, boot->options.config->log_level, &boot->log);
	return r < 0 ? node_diag_set(diag, r, "log: %s", node_diag_code_text(r)) : DREAM_OK;
}

static int open_procs(node_boot_t *boot, node_diag_t *diag)
{
	const node_config_t *config = boot->options.config;
	node_sched_options_t sched = {
		.n_threads = config->n_schedulers != 0 ? config->n_schedulers : count_cpus(),
		.stack_bytes = (size_t) config->stack_kib << 10,
		.crash_dir = config->crash_dir,
		.slow_callback_ms = config->slow_callback_ms};
	int r = node_proctab_open(&boot->node, config->max_processes);
	if (r == DREAM_OK) {
		node_limits_t limits = {.max_heap_bytes = (uint64_t) config->max_heap_kib << 10,
			.max_mailbox_msgs = config->max_mailbox,
			.max_mailbox_bytes = (uint64_t) config->max_mailbox_kib << 10,
			.when_full = config->when_full,
			.suspend_ms = config->suspend_ms};
		node_proctab_set_defaults(&boot->node, &limits);
		r = node_sched_open(&boot->node, &sched);
	}
	return r < 0 ? node_diag_set(diag, r, "processes: %s", node_diag_code_text(r)) : DREAM_OK;
}

static int open_io(node_boot_t *boot, node_diag_t *diag)
{
	const node_config_t *config = boot->options.config;
	node_io_options_t io = {.blocking_threads = config->blocking_threads,
		.blocking_queue = config->blocking_queue,
		.blocking_idle_ms = (int64_t) config->blocking_idle_s * 1000,
		.max_sockets = config->max_sockets,
		.max_sockets_per_process = config->max_sockets_per_process,
		.max_buffer_bytes = (uint64_t) config->socket_buffers_mib << 20};
	int r = node_io_open(&boot->node, &io);
	return r < 0 ? node_diag_set(diag, r, "sockets: %s", node_diag_code_text(r)) : DREAM_OK;
}

static int open_code(node_boot_t *boot, node_diag_t *diag)
{
	int r = node_code_open(&boot->node, boot->options.config->cache_dir, diag);
	if (r < 0)
		node_diag_prefix(diag, "cache_dir");
	return r;
}

static int open_apps(node_boot_t *boot, node_diag_t *diag)
{
	int r = node_app_open(&boot->node);
	if (r == DREAM_OK)
		r = node_boot_set_env(boot, boot->options.config);
	return r < 0 ? node_diag_set(diag, r, "applications: %s", node_diag_code_text(r)) : DREAM_OK;
}

static int open_console(node_boot_t *boot, node_diag_t *diag)
{
	if (boot->options.net == NULL)
		return DREAM_OK;
	int r = node_console_open(&boot->node, boot->options.net->console);
	return r < 0 ? node_diag_set(diag, r, "console: %s", node_diag_code_text(r)) : DREAM_OK;
}

static int start_threads(node_boot_t *boot, node_diag_t *diag)
{
	int r = node_sched_start(&boot->node);
	return r < 0 ? node_diag_set(diag, r,
			       "schedulers: no more threads; raise the limit of processes of this user")
		     : DREAM_OK;
}

static int open_net(node_boot_t *boot, node_diag_t *diag)
{
	if (boot->options.net == NULL)
		return DREAM_OK;
	int r = boot->options.net->open(&boot->node, boot->options.config, &boot->port, diag);
	boot->net_open = r == DREAM_OK;
	return r;
}

/* From the lowest room to the highest; the network is last, so that whoever gets in finds everything
 * there. */
static int open_rooms(node_boot_t *boot, node_diag_t *diag)
{
	static int (*const rooms[])(node_boot_t * boot, node_diag_t * diag) = {
		open_log, open_procs, open_io, open_code, open_apps, open_console, start_threads, open_net};
	int r = DREAM_OK;
	for (size_t i = 0; i < G_N_ELEMENTS(rooms) && r == DREAM_OK; i++)
		r = rooms[i](boot, diag);
	return r;
}

static void init_node(node_boot_t *boot)
{
	node_t *node = &boot->node;
	const node_boot_options_t *options = &boot->options;
	g_strlcpy(node->name, options->config->name, sizeof(node->name));
	node->clock = options->clock != NULL ? options->clock : node_clock_system_borrow();
	node->creation = options->creation != 0 ? options->creation
						: (uint32_t) (node->clock->wall_ns(node->clock) / 1000000000);
	node->host = node_host_table_borrow();
	node->hooks.shutdown = on_shutdown;
	install_offline(node);
	for (uint32_t i = 0; i < NODE_BOOT_TASKS; i++)
		boot->tasks[i] = (task_t){.boot = boot, .kind = i};
}

int node_boot_open(const node_boot_options_t *options, node_boot_t **ret_boot, node_diag_t *diag)
{
	node_boot_t *boot = g_try_new0(node_boot_t, 1);
	if (boot == NULL)
		return node_diag_set(diag, DREAM_ENOMEM, "out of memory");
	boot->options = *options;
	pthread_mutex_init(&boot->lock, NULL);
	boot->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int r = boot->event_fd < 0 ? node_diag_set(diag, DREAM_EIO, "eventfd: %s", strerror(errno))
				   : DREAM_OK;
	init_node(boot);
	if (r == DREAM_OK)
		r = open_rooms(boot, diag);
	if (r < 0) {
		node_boot_close(boot);
		return r;
	}
	*ret_boot = boot;
	return DREAM_OK;
}

node_t *node_boot_node_borrow(node_boot_t *boot)
{
	return &boot->node;
}

uint16_t node_boot_port(const node_boot_t *boot)
{
	return boot->port;
}

/* A thread is left that may touch anything: only the system can clear up behind it. */
DREAM_NORETURN static void leave_at_once(node_t *node)
{
	node_log(node, DREAM_LOG_ERROR,
		"a callback did not end within 5 s of the node's stop; leaving without it");
	_exit(1);
}

/* Also of a node that is only half open: each room looks whether it is there. The processes go after
 * the schedulers and before what their ends refer to: other nodes, code, applications, console. */
void node_boot_close(node_boot_t *boot)
{
	if (boot == NULL)
		return;
	node_t *node = &boot->node;
	if (node->console != NULL)
		node_console_quiesce(node);
	if (boot->net_open)
		boot->options.net->stop(node);
	if (node->sched != NULL && !node_sched_stop(node))
		leave_at_once(node);
	node_io_stop(node);
	node_proctab_close(node);
	node_io_close(node);
	if (boot->net_open)
		boot->options.net->close(node);
	install_offline(node);
	node_console_close(node);
	node_app_close(node);
	node_code_close(node->code, false);
	node_sched_close(node);
	node_log_close(boot->log);
	if (boot->event_fd >= 0)
		close(boot->event_fd);
	pthread_mutex_destroy(&boot->lock);
	g_free(boot);
}
