/* SPDX-License-Identifier: MIT */
/* One thread waits for all descriptors. It begins with the first that somebody waits for.
 *
 * Descriptors of modules are in a set of their own within the set of sockets: one that was closed and became the number
 * of a socket must not take that socket's place. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/ctx.h"
#include "io/fd.h"
#include "io/local.h"

#define EVENTS 128
#define OWN_EVENT UINT64_C(0)  /* no source has this number */
#define FOREIGN_SET UINT64_MAX /* nor, before 2^64 references, this one */
#define CHECK_MS 1000          /* between two looks for descriptors that were closed behind our back */

typedef struct node_poller {
	node_io_t *io;
	int epoll_fd;
	int foreign_fd; /* an epoll in that one */
	int event_fd;
	pthread_mutex_t lock; /* all below */
	pthread_t thread;
	bool started;
	bool stopping;
	bool woken;
	bool watches_fds;
	GArray *again; /* uint64_t: sources that asked for another turn */
} node_poller_t;

static void wake(node_poller_t *p)
{
	uint64_t one = 1;
	pthread_mutex_lock(&p->lock);
	bool first = !p->woken;
	p->woken = true;
	pthread_mutex_unlock(&p->lock);
	if (first)
		(void) !write(p->event_fd, &one, sizeof(one));
}

/* ---- one turn ---- */

static void call(node_io_t *io, uint64_t id, uint32_t events)
{
	node_source_t *source = node_source_find_ref(io, id);
	if (source == NULL)
		return;
	source->on_ready(source, events);
	node_source_unref(source);
}

static void clear_event(node_poller_t *p)
{
	uint64_t count;
	(void) !read(p->event_fd, &count, sizeof(count));
	pthread_mutex_lock(&p->lock);
	p->woken = false; /* before the work is looked at: what comes later wakes again */
	pthread_mutex_unlock(&p->lock);
}

static void run_again(node_poller_t *p)
{
	GArray *ids = NULL;
	pthread_mutex_lock(&p->lock);
	if (p->again->len > 0) {
		ids = p->again;
		p->again = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	}
	pthread_mutex_unlock(&p->lock);
	for (guint i = 0; ids != NULL && i < ids->len; i++)
		call(p->io, g_array_index(ids, uint64_t, i), 0);
	if (ids != NULL)
		g_array_free(ids, TRUE);
}

static void call_foreign(node_poller_t *p)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(p->foreign_fd, events, EVENTS, 0);
	for (int i = 0; i < n; i++)
		call(p->io, events[i].data.u64, events[i].events);
}

static int turn(node_poller_t *p, int timeout_ms)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(p->epoll_fd, events, EVENTS, timeout_ms);
	for (int i = 0; i < n; i++)
		if (events[i].data.u64 == OWN_EVENT)
			clear_event(p);
		else if (events[i].data.u64 == FOREIGN_SET)
			call_foreign(p);
		else
			call(p->io, events[i].data.u64, events[i].events);
	run_again(p);
	return n > 0 ? n : 0;
}

int node_poller_turn(node_t *node, int timeout_ms)
{
	return turn(node->io->poller, timeout_ms);
}

/* ---- the thread ---- */

/* How long it may wait; -2: it has to end. */
static int next_timeout(node_poller_t *p)
{
	pthread_mutex_lock(&p->lock);
	int timeout_ms = p->stopping ? -2 : p->again->len > 0 ? 0 : p->watches_fds ? CHECK_MS : -1;
	pthread_mutex_unlock(&p->lock);
	return timeout_ms;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t) t.tv_sec * 1000 + t.tv_nsec / NODE_MS;
}

static void check_fds(node_poller_t *p)
{
	bool more = node_fd_check(p->io);
	pthread_mutex_lock(&p->lock);
	p->watches_fds = more;
	pthread_mutex_unlock(&p->lock);
}

static void *run(void *arg)
{
	node_poller_t *p = arg;
	node_ctx_t *ctx = node_ctx_borrow();
	int64_t checked_ms = now_ms();
	ctx->node = p->io->node;
	ctx->tag = NODE_CTX_LOOP;
	for (int timeout_ms; (timeout_ms = next_timeout(p)) != -2;) {
		(void) turn(p, timeout_ms);
		if (timeout_ms == CHECK_MS && now_ms() - checked_ms >= CHECK_MS) {
			check_fds(p);
			checked_ms = now_ms();
		}
	}
	node_msg_drop_cache();
	ctx->tag = NODE_CTX_NONE;
	ctx->node = NULL;
	return NULL;
}

static int start(node_poller_t *p)
{
	pthread_mutex_lock(&p->lock);
	int r = DREAM_OK;
	if (!p->started && !p->stopping && !p->io->options.driven) {
		p->started = pthread_create(&p->thread, NULL, run, p) == 0;
		r = p->started ? DREAM_OK : DREAM_ELIMIT;
		if (p->started)
			pthread_setname_np(p->thread, "poller");
	}
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* ---- what others ask of it ---- */

static int code_of(int error)
{
	switch (error) {
	case EPERM: /* a file on a disk, which is always ready */
		return DREAM_EINVAL;
	case EBADF:
		return DREAM_ECLOSED;
	case EEXIST:
		return DREAM_EEXIST;
	case ENOMEM:
		return DREAM_ENOMEM;
	default:
		return DREAM_ELIMIT;
	}
}

int node_poller_add(node_source_t *source, int fd, uint32_t events)
{
	node_poller_t *p = source->io->poller;
	struct epoll_event event = {.events = events, .data.u64 = source->id};
	int r = start(p);
	if (r == DREAM_OK &&
		epoll_ctl(source->foreign ? p->foreign_fd : p->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		r = code_of(errno);
	return r;
}

bool node_poller_rearm(node_source_t *source, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = source->id};
	return epoll_ctl(source->io->poller->foreign_fd, EPOLL_CTL_MOD, fd, &event) == 0;
}

void node_poller_remove(node_io_t *io, int fd)
{
	(void) epoll_ctl(io->poller->foreign_fd, EPOLL_CTL_DEL, fd, NULL);
}

void node_poller_again(node_source_t *source)
{
	node_poller_t *p = source->io->poller;
	pthread_mutex_lock(&p->lock);
	g_array_append_val(p->again, source->id);
	pthread_mutex_unlock(&p->lock);
	wake(p);
}

void node_poller_watch_fds(node_io_t *io)
{
	node_poller_t *p = io->poller;
	pthread_mutex_lock(&p->lock);
	bool first = !p->watches_fds;
	p->watches_fds = true;
	pthread_mutex_unlock(&p->lock);
	if (first)
		wake(p);
}

/* ---- life ---- */

static bool add_own(node_poller_t *p, int fd, uint64_t id)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = id};
	return fd >= 0 && epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

int node_poller_open(node_io_t *io)
{
	node_poller_t *p = g_try_new0(node_poller_t, 1);
	if (p == NULL)
		return DREAM_ENOMEM;
	io->poller = p;
	p->io = io;
	pthread_mutex_init(&p->lock, NULL);
	p->again = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->foreign_fd = epoll_create1(EPOLL_CLOEXEC);
	bool whole = add_own(p, p->event_fd, OWN_EVENT) && add_own(p, p->foreign_fd, FOREIGN_SET);
	return whole ? DREAM_OK : DREAM_ELIMIT;
}

void node_poller_stop(node_io_t *io)
{
	node_poller_t *p = io->poller;
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	bool running = p->started;
	p->stopping = true;
	p->started = false;
	pthread_mutex_unlock(&p->lock);
	if (!running)
		return;
	wake(p);
	pthread_join(p->thread, NULL);
}

void node_poller_close(node_io_t *io)
{
	node_poller_t *p = io->poller;
	if (p == NULL)
		return;
	int fds[] = {p->foreign_fd, p->epoll_fd, p->event_fd};
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	g_array_free(p->again, TRUE);
	pthread_mutex_destroy(&p->lock);
	g_free(p);
	io->poller = NULL;
}
