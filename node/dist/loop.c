/* SPDX-License-Identifier: MIT */
#include "dist/loop.h"

#include <pthread.h>
#include <glib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/ctx.h"

typedef struct task {
	void (*run)(void *data);
	void *data;
} task_t;

typedef struct loop {
	node_network_t net; /* first */
	node_t *node;
	node_quic_options_t options;
	node_quic_t *quic;
	int epoll_fd;
	int event_fd;
	int timer_fd;
	bool watches_write;
	GThread *thread;
	bool woken; /* atomic: the eventfd is written and not yet read */
	pthread_mutex_t lock;
	GArray *tasks;
	bool ended;
	bool stop;
	char stop_reason[128];
} loop_t;

/* ---- other threads ---- */

static void wake(void *data)
{
	loop_t *loop = data;
	uint64_t one = 1;
	if (__atomic_exchange_n(&loop->woken, true, __ATOMIC_ACQ_REL))
		return;
	/* Cannot fail: the counter never comes near its end. */
	(void) !write(loop->event_fd, &one, sizeof(one));
}

static bool loop_post(node_network_t *net, void (*run)(void *data), void *data)
{
	loop_t *loop = (loop_t *) net;
	task_t task = {run, data};
	pthread_mutex_lock(&loop->lock);
	bool ok = !loop->ended;
	if (ok)
		g_array_append_val(loop->tasks, task);
	pthread_mutex_unlock(&loop->lock);
	if (ok)
		wake(loop);
	return ok;
}

static uint16_t loop_port(const node_network_t *net)
{
	return node_quic_port(((const loop_t *) net)->quic);
}

/* ---- the thread ---- */

static void run_tasks(loop_t *loop)
{
	pthread_mutex_lock(&loop->lock);
	GArray *tasks = loop->tasks;
	loop->tasks = g_array_new(FALSE, FALSE, sizeof(task_t));
	pthread_mutex_unlock(&loop->lock);
	for (guint i = 0; i < tasks->len; i++) {
		task_t *task = &g_array_index(tasks, task_t, i);
		task->run(task->data);
	}
	g_array_free(tasks, TRUE);
}

static void set_timer(loop_t *loop, int64_t next_ns)
{
	struct itimerspec spec = {{0, 0}, {0, 0}};
	if (next_ns != NODE_FOREVER) {
		int64_t left = next_ns - loop->options.clock->now_ns(loop->options.clock);
		left = left > 0 ? left : 1;
		spec.it_value.tv_sec = left / (1000 * NODE_MS);
		spec.it_value.tv_nsec = left % (1000 * NODE_MS);
	}
	(void) timerfd_settime(loop->timer_fd, 0, &spec, NULL);
}

static void watch_write(loop_t *loop)
{
	bool want = node_quic_wants_write(loop->quic);
	struct epoll_event event = {
		.events = EPOLLIN | (want ? EPOLLOUT : 0), .data.fd = node_quic_fd(loop->quic)};
	if (want == loop->watches_write)
		return;
	loop->watches_write = want;
	(void) epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, event.data.fd, &event);
}

/* Waits for something; true if the socket is readable. */
static bool wait_events(loop_t *loop, int64_t next_ns)
{
	struct epoll_event events[4];
	bool readable = false;
	uint64_t count;
	if (next_ns > 0)
		set_timer(loop, next_ns);
	int n = epoll_wait(loop->epoll_fd, events, 4, next_ns > 0 ? -1 : 0);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == node_quic_fd(loop->quic))
			readable = true;
		else
			(void) !read(events[i].data.fd, &count, sizeof(count));
		/* Cleared before the work is looked at: what comes later wakes again. */
		if (events[i].data.fd == loop->event_fd)
			__atomic_store_n(&loop->woken, false, __ATOMIC_SEQ_CST);
	}
	return readable;
}

static bool must_stop(loop_t *loop)
{
	pthread_mutex_lock(&loop->lock);
	bool stop = loop->stop;
	pthread_mutex_unlock(&loop->lock);
	return stop;
}

static gpointer run(gpointer data)
{
	loop_t *loop = data;
	node_ctx_t *ctx = node_ctx_borrow();
	ctx->node = loop->node;
	ctx->tag = NODE_CTX_LOOP;
	bool readable = false;
	while (!must_stop(loop)) {
		run_tasks(loop);
		int64_t next_ns = node_quic_step(loop->quic, readable);
		watch_write(loop);
		readable = wait_events(loop, next_ns);
	}
	run_tasks(loop);
	node_quic_shutdown(loop->quic, 0, loop->stop_reason);
	ctx->tag = NODE_CTX_NONE;
	return NULL;
}

/* ---- life ---- */

static int loop_start(node_network_t *net, const node_carrier_events_t *events, void *owner)
{
	loop_t *loop = (loop_t *) net;
	loop->options.events = events;
	loop->options.owner = owner;
	node_quic_set_owner(loop->quic, events, owner);
	loop->thread = g_thread_try_new("dream-loop", run, loop, NULL);
	return loop->thread == NULL ? DREAM_ENOMEM : DREAM_OK;
}

static int loop_dial(node_network_t *net, const char *name, const char *host, uint16_t port, void *user,
	node_carrier_t **ret_carrier, node_diag_t *diag)
{
	loop_t *loop = (loop_t *) net;
	return node_quic_dial(loop->quic, name, NODE_ROLE_NODE, host, port, user, ret_carrier, diag);
}

static void loop_stop(node_network_t *net, const char *reason)
{
	loop_t *loop = (loop_t *) net;
	pthread_mutex_lock(&loop->lock);
	loop->stop = true;
	g_strlcpy(loop->stop_reason, reason, sizeof(loop->stop_reason));
	pthread_mutex_unlock(&loop->lock);
	wake(loop);
	if (loop->thread != NULL)
		g_thread_join(loop->thread);
	loop->thread = NULL;
	pthread_mutex_lock(&loop->lock);
	loop->ended = true;
	pthread_mutex_unlock(&loop->lock);
	run_tasks(loop); /* whoever was told that it will run frees something in it */
}

static void loop_close(node_network_t *net)
{
	loop_t *loop = (loop_t *) net;
	node_quic_close(loop->quic);
	int fds[] = {loop->epoll_fd, loop->event_fd, loop->timer_fd};
	for (int i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	g_array_free(loop->tasks, TRUE);
	pthread_mutex_destroy(&loop->lock);
	g_free(loop);
}

static const node_network_ops_t loop_ops = {.start = loop_start,
	.dial = loop_dial,
	.post = loop_post,
	.port = loop_port,
	.stop = loop_stop,
	.close = loop_close};

static bool watch(loop_t *loop, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
	return fd >= 0 && epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

int node_loop_open(
	node_t *node, const node_quic_options_t *options, node_network_t **ret_net, node_diag_t *diag)
{
	loop_t *loop = g_try_new0(loop_t, 1);
	if (loop == NULL)
		return DREAM_ENOMEM;
	loop->net.ops = &loop_ops;
	loop->node = node;
	loop->options = *options;
	loop->options.wake = wake;
	loop->options.wake_data = loop;
	pthread_mutex_init(&loop->lock, NULL);
	loop->tasks = g_array_new(FALSE, FALSE, sizeof(task_t));
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	int r = node_quic_open(&loop->options, &loop->quic, diag);
	if (r == DREAM_OK && (loop->epoll_fd < 0 || !watch(loop, loop->event_fd) ||
				     !watch(loop, loop->timer_fd) || !watch(loop, node_quic_fd(loop->quic))))
		r = node_diag_set(diag, DREAM_ELIMIT,
			"no descriptors for the I/O thread: %s; raise the limit of open files",
			g_strerror(errno));
	if (r < 0) {
		loop_close(&loop->net);
		return r;
	}
	*ret_net = &loop->net;
	return DREAM_OK;
}
