/* SPDX-License-Identifier: MIT */
/* One process at a time may wait for a descriptor. The kernel forgets a descriptor that is closed without a word; so
 * that such a wait ends too, the poller asks once a second whether those it watches are still the same. */
#include "io/fd.h"

#include <dream/io.h>
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/await.h"
#include "io/local.h"

typedef struct {
	node_await_t await; /* first */
	struct fd_wait *wait;
} fd_await_t;

/* Both the table of descriptors and the poller's table refer to it. */
typedef struct fd_wait {
	node_source_t source; /* first */
	fd_await_t *waiter;   /* NULL: answered, or not interested any more */
	uint32_t events;      /* of epoll */
} fd_wait_t;

typedef struct node_fds {
	pthread_mutex_t lock;
	GHashTable *by_fd; /* descriptor -> fd_wait_t * with a waiter */
} node_fds_t;

static uint32_t to_epoll(uint32_t events)
{
	return EPOLLONESHOT | (events & DREAM_FD_READ ? EPOLLIN | EPOLLRDHUP : 0) |
	       (events & DREAM_FD_WRITE ? EPOLLOUT : 0);
}

/* A broken descriptor is ready for everything: reading or writing it will say what is wrong. */
static int32_t from_epoll(const fd_wait_t *wait, uint32_t events)
{
	bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
	int32_t ready = broken ? DREAM_FD_HANGUP : 0;
	if ((wait->events & EPOLLIN) && (broken || (events & (EPOLLIN | EPOLLRDHUP))))
		ready |= DREAM_FD_READ;
	if ((wait->events & EPOLLOUT) && (broken || (events & EPOLLOUT)))
		ready |= DREAM_FD_WRITE;
	return ready;
}

/* With the lock held. Returns the answer to be delivered, NULL if there is none. */
static node_sig_t *settle(fd_wait_t *wait, int32_t code)
{
	node_io_t *io = wait->source.io;
	if (wait->waiter == NULL)
		return NULL;
	node_sig_t *answer = node_await_take(&wait->waiter->await, code);
	wait->waiter = NULL;
	g_hash_table_remove(io->fds->by_fd, GINT_TO_POINTER(wait->source.fd));
	return answer;
}

static void deliver(node_io_t *io, node_sig_t *answer)
{
	if (answer != NULL)
		(void) node_proc_deliver_take(io->node, answer);
}

static void on_ready(node_source_t *source, uint32_t events)
{
	fd_wait_t *wait = (fd_wait_t *) source;
	node_io_t *io = source->io;
	pthread_mutex_lock(&io->fds->lock);
	if (wait->waiter != NULL)
		node_poller_remove(io, source->fd);
	node_sig_t *answer = settle(wait, from_epoll(wait, events));
	pthread_mutex_unlock(&io->fds->lock);
	deliver(io, answer);
}

static void free_wait(node_source_t *source)
{
	node_mem_free(source);
}

/* Whatever became of it, nothing of it is left afterwards. [process] */
static void finish(node_await_t *await)
{
	fd_wait_t *wait = ((fd_await_t *) await)->wait;
	node_io_t *io = wait->source.io;
	pthread_mutex_lock(&io->fds->lock);
	if (wait->waiter != NULL) {
		node_poller_remove(io, wait->source.fd);
		node_sig_free(settle(wait, 0));
	}
	node_await_end(await);
	pthread_mutex_unlock(&io->fds->lock);
	node_source_remove(&wait->source);
	node_source_unref(&wait->source);
}

/* Whether the kernel still knows the descriptor as the one that @wait is about; as a by-catch it is armed anew. */
static bool is_there(fd_wait_t *wait)
{
	return node_poller_rearm(&wait->source, wait->source.fd, wait->events);
}

/* With the lock held. */
static int enlist(fd_wait_t *wait, node_sig_t **ret_stale)
{
	node_fds_t *fds = wait->source.io->fds;
	fd_wait_t *other = g_hash_table_lookup(fds->by_fd, GINT_TO_POINTER(wait->source.fd));
	bool taken = other != NULL && is_there(other);
	if (other != NULL && !taken)
		*ret_stale = settle(other, DREAM_ECLOSED);
	int r = taken ? DREAM_EBUSY : node_poller_add(&wait->source, wait->source.fd, wait->events);
	if (r == DREAM_OK)
		g_hash_table_insert(fds->by_fd, GINT_TO_POINTER(wait->source.fd), wait);
	else
		wait->waiter = NULL;
	return r == DREAM_EEXIST ? DREAM_EBUSY : r;
}

static int begin(fd_wait_t *wait)
{
	node_io_t *io = wait->source.io;
	node_sig_t *stale = NULL;
	node_source_add(&wait->source);
	pthread_mutex_lock(&io->fds->lock);
	int r = enlist(wait, &stale);
	pthread_mutex_unlock(&io->fds->lock);
	deliver(io, stale);
	if (r == DREAM_OK)
		node_poller_watch_fds(io);
	return r;
}

static fd_wait_t *wait_new(node_proc_t *proc, int fd, uint32_t events)
{
	fd_wait_t *wait = node_mem_zalloc(sizeof(*wait));
	if (wait == NULL)
		return NULL;
	wait->source = (node_source_t){.id = node_proc_new_ref(proc->node),
		.refs = 1,
		.fd = fd,
		.foreign = true,
		.io = proc->node->io,
		.on_ready = on_ready,
		.free = free_wait};
	wait->events = to_epoll(events);
	return wait;
}

/* What is ready already, 0, or an error. */
static __attribute__((noinline)) int look(int fd, uint32_t events)
{
	struct pollfd p = {fd,
		(short) ((events & DREAM_FD_READ ? POLLIN | POLLRDHUP : 0) |
			 (events & DREAM_FD_WRITE ? POLLOUT : 0)),
		0};
	if (poll(&p, 1, 0) < 0)
		return errno == EINTR ? 0 : DREAM_ENOMEM;
	if (p.revents & POLLNVAL)
		return DREAM_ECLOSED;
	bool broken = (p.revents & (POLLERR | POLLHUP)) != 0;
	int ready = broken ? DREAM_FD_HANGUP | (int) events : 0;
	ready |= p.revents & (POLLIN | POLLRDHUP) ? DREAM_FD_READ : 0;
	ready |= p.revents & POLLOUT ? DREAM_FD_WRITE : 0;
	return ready;
}

static int wait_for(node_proc_t *proc, int fd, uint32_t events, int64_t timeout_ms)
{
	fd_await_t waiter;
	int64_t deadline_ns = node_await_deadline(proc->node, timeout_ms);
	fd_wait_t *wait = wait_new(proc, fd, events);
	if (wait == NULL)
		return DREAM_ENOMEM;
	waiter.wait = wait;
	int r = node_await_begin(&waiter.await, proc, finish);
	if (r < 0) {
		node_source_unref(&wait->source);
		return r;
	}
	wait->waiter = &waiter;
	r = begin(wait);
	if (r == DREAM_OK)
		r = node_await_run(&waiter.await, deadline_ns);
	finish(&waiter.await);
	return r;
}

int node_fd_wait(node_proc_t *proc, int fd, uint32_t events, int64_t timeout_ms, uint32_t *ret_events)
{
	if (fd < 0 || events == 0 || (events & ~(uint32_t) (DREAM_FD_READ | DREAM_FD_WRITE)) != 0)
		return DREAM_EINVAL;
	int r = look(fd, events);
	if (r == 0)
		r = timeout_ms == 0 ? DREAM_ETIMEDOUT : wait_for(proc, fd, events, timeout_ms);
	if (r < 0)
		return r;
	*ret_events = (uint32_t) r;
	return DREAM_OK;
}

int node_fd_close(node_t *node, int fd)
{
	node_fds_t *fds = node->io->fds;
	node_sig_t *answer = NULL;
	pthread_mutex_lock(&fds->lock);
	fd_wait_t *wait = g_hash_table_lookup(fds->by_fd, GINT_TO_POINTER(fd));
	if (wait != NULL) {
		node_poller_remove(node->io, fd);
		answer = settle(wait, DREAM_ECLOSED);
	}
	int r = close(fd) < 0 && errno == EBADF ? DREAM_ECLOSED : DREAM_OK;
	pthread_mutex_unlock(&fds->lock);
	deliver(node->io, answer);
	return r;
}

static GPtrArray *take_stale(node_fds_t *fds)
{
	GPtrArray *stale = g_ptr_array_new();
	GHashTableIter at;
	gpointer value;
	g_hash_table_iter_init(&at, fds->by_fd);
	while (g_hash_table_iter_next(&at, NULL, &value)) {
		fd_wait_t *wait = value;
		if (is_there(wait))
			continue;
		g_ptr_array_add(stale, node_await_take(&wait->waiter->await, DREAM_ECLOSED));
		wait->waiter = NULL;
		g_hash_table_iter_remove(&at);
	}
	return stale;
}

bool node_fd_check(node_io_t *io)
{
	pthread_mutex_lock(&io->fds->lock);
	GPtrArray *stale = take_stale(io->fds);
	bool more = g_hash_table_size(io->fds->by_fd) > 0;
	pthread_mutex_unlock(&io->fds->lock);
	for (guint i = 0; i < stale->len; i++)
		deliver(io, stale->pdata[i]);
	g_ptr_array_unref(stale);
	return more;
}

uint32_t node_fd_count(node_t *node)
{
	pthread_mutex_lock(&node->io->fds->lock);
	uint32_t count = g_hash_table_size(node->io->fds->by_fd);
	pthread_mutex_unlock(&node->io->fds->lock);
	return count;
}

int node_fds_open(node_io_t *io)
{
	io->fds = g_try_new0(node_fds_t, 1);
	if (io->fds == NULL)
		return DREAM_ENOMEM;
	pthread_mutex_init(&io->fds->lock, NULL);
	io->fds->by_fd = g_hash_table_new(g_direct_hash, g_direct_equal);
	return DREAM_OK;
}

void node_fds_close(node_io_t *io)
{
	if (io->fds == NULL)
		return;
	g_hash_table_destroy(io->fds->by_fd);
	pthread_mutex_destroy(&io->fds->lock);
	g_free(io->fds);
	io->fds = NULL;
}
