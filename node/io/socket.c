/* SPDX-License-Identifier: MIT */
#include "io/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/local.h"
#include "io/secure.h"

int node_socket_code(int error)
{
	switch (error) {
	case EAGAIN:
		return NODE_SOCKET_AGAIN;
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case ECONNREFUSED:
	case EINVAL:
	case EPERM:
	case ENOMEM:
		return -error;
	case EACCES:
		return DREAM_EPERM;
	case EPIPE:
	case ECONNRESET:
	case ETIMEDOUT: /* the kernel gave the peer up; it is not our time that has passed */
		return DREAM_ECONNRESET;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
		return DREAM_EHOSTUNREACH;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOSPC:
		return DREAM_ELIMIT;
	default:
		return DREAM_EIO;
	}
}

/* ---- lists of those who wait ---- */

static void append(node_sockops_t *list, node_sockop_t *op)
{
	op->list = list;
	op->next = NULL;
	op->prev = list->last;
	if (list->last != NULL)
		list->last->next = op;
	else
		list->first = op;
	list->last = op;
}

static void take_out(node_sockop_t *op)
{
	node_sockops_t *list = op->list;
	if (op->prev != NULL)
		op->prev->next = op->next;
	else
		list->first = op->next;
	if (op->next != NULL)
		op->next->prev = op->prev;
	else
		list->last = op->prev;
	op->list = NULL;
}

void node_sockop_wake(node_socket_t *sock, node_sockops_t *list)
{
	node_sockop_t *op = list->first;
	if (op == NULL)
		return;
	take_out(op);
	(void) node_proc_deliver_take(sock->node, node_await_take(&op->await, DREAM_OK));
}

static void wake_all(node_socket_t *sock, node_sockops_t *list)
{
	while (list->first != NULL)
		node_sockop_wake(sock, list);
}

/* ---- operations ---- */

static node_sockops_t *list_that_passes_on(node_socket_t *sock)
{
	return sock->listener ? &sock->readers : NULL;
}

/* The process ends while it waits, without the lock. What it was woken for, another may do. */
static void on_drop(node_await_t *await)
{
	node_sockop_t *op = (node_sockop_t *) await;
	node_socket_t *sock = op->sock;
	pthread_mutex_lock(&sock->lock);
	if (op->list != NULL)
		take_out(op);
	else if (list_that_passes_on(sock) != NULL)
		node_sockop_wake(sock, list_that_passes_on(sock));
	node_await_end(&op->await);
	node_sockop_end_turn(op);
	node_sockop_end(op);
}

int node_sockop_begin_take(node_sockop_t *op, node_proc_t *proc, node_socket_t *sock, int64_t timeout_ms)
{
	*op = (node_sockop_t){.sock = sock, .deadline_ns = node_await_deadline(proc->node, timeout_ms)};
	op->await.proc = proc;
	pthread_mutex_lock(&sock->lock);
	if (sock->source.fd >= 0)
		return DREAM_OK;
	node_sockop_end(op);
	return DREAM_ECLOSED;
}

int node_sockop_begin(node_sockop_t *op, node_proc_t *proc, dream_ref_t ref, int64_t timeout_ms)
{
	node_socket_t *sock = node_socket_find_ref(proc->node, ref);
	return sock == NULL ? DREAM_ECLOSED : node_sockop_begin_take(op, proc, sock, timeout_ms);
}

void node_sockop_end(node_sockop_t *op)
{
	pthread_mutex_unlock(&op->sock->lock);
	node_socket_unref(op->sock);
}

int node_sockop_wait(node_sockop_t *op, node_sockops_t *list)
{
	node_socket_t *sock = op->sock;
	node_proc_t *proc = op->await.proc;
	if (op->deadline_ns != NODE_FOREVER && node_clock_now(proc->node) >= op->deadline_ns)
		return DREAM_ETIMEDOUT;
	int r = node_socket_watch(sock);
	if (r == DREAM_OK)
		r = node_await_begin(&op->await, proc, on_drop);
	if (r < 0)
		return r;
	append(list, op);
	pthread_mutex_unlock(&sock->lock);
	r = node_await_run(&op->await, op->deadline_ns);
	pthread_mutex_lock(&sock->lock);
	if (op->list != NULL)
		take_out(op);
	else
		r = DREAM_OK; /* woken in the last moment */
	node_await_end(&op->await);
	return sock->source.fd >= 0 ? r : DREAM_ECLOSED;
}

int node_sockop_take_turn(node_sockop_t *op)
{
	node_socket_t *sock = op->sock;
	if (sock->sender == NULL) {
		sock->sender = op;
		return DREAM_OK;
	}
	int r = DREAM_OK;
	while (r == DREAM_OK && sock->sender != op)
		r = node_sockop_wait(op, &sock->turns);
	if (r < 0)
		node_sockop_end_turn(op);
	return r;
}

void node_sockop_end_turn(node_sockop_t *op)
{
	node_socket_t *sock = op->sock;
	if (sock->sender != op)
		return;
	sock->broken |= op->partial;
	sock->sender = sock->turns.first;
	node_sockop_wake(sock, &sock->turns);
}

/* ---- bytes; apart, since errno is of the thread, and a process may go on on another ---- */

static __attribute__((noinline)) int64_t read_fd(int fd, void *buffer, uint64_t cap_bytes)
{
	ssize_t n;
	do
		n = recv(fd, buffer, cap_bytes, 0);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? n : node_socket_code(errno);
}

#define WRITE_MOST (UINT64_C(256) << 10) /* bytes at once, since the lock is held */

static __attribute__((noinline)) int64_t write_fd(
	int fd, const void *head, uint64_t head_bytes, const void *data, uint64_t data_bytes)
{
	struct iovec parts[2] = {{(void *) (uintptr_t) head, head_bytes},
		{(void *) (uintptr_t) data, data_bytes < WRITE_MOST ? data_bytes : WRITE_MOST}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = 2};
	ssize_t n;
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 ? n : node_socket_code(errno);
}

int64_t node_socket_read(node_socket_t *sock, void *buffer, uint64_t cap_bytes)
{
	if (sock->error != 0)
		return sock->error;
	return sock->tls != NULL ? node_secure_read(sock, buffer, cap_bytes)
				 : read_fd(sock->source.fd, buffer, cap_bytes);
}

int64_t node_socket_write(
	node_socket_t *sock, const void *head, uint64_t head_bytes, const void *data, uint64_t data_bytes)
{
	if (sock->error != 0)
		return sock->error;
	if (sock->tls == NULL)
		return write_fd(sock->source.fd, head, head_bytes, data, data_bytes);
	return head_bytes > 0 ? node_secure_write(sock, head, head_bytes)
			      : node_secure_write(sock, data, data_bytes);
}

int node_socket_watch(node_socket_t *sock)
{
	if (sock->polled)
		return DREAM_OK;
	uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET | (sock->listener ? 0 : EPOLLOUT);
	int r = node_poller_add(&sock->source, sock->source.fd, events);
	sock->polled = r == DREAM_OK;
	return r;
}

static void on_ready(node_source_t *source, uint32_t events)
{
	node_socket_t *sock = (node_socket_t *) source;
	pthread_mutex_lock(&sock->lock);
	bool open = source->fd >= 0;
	if (open && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)))
		node_sockop_wake(sock, &sock->writers);
	if (open && sock->active != DREAM_TCP_PASSIVE)
		node_active_pump(sock);
	else if (open && (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)))
		node_sockop_wake(sock, &sock->readers);
	pthread_mutex_unlock(&sock->lock);
}

/* ---- options ---- */

static bool are_usable(const dream_tcp_options_t *o)
{
	return o->packet <= DREAM_TCP_LINE && (o->flags & ~(DREAM_TCP_DELAY | DREAM_TCP_KEEPALIVE)) == 0 &&
	       o->frame_bytes <= DREAM_TCP_FRAME_BYTES_MAX && o->high_water_bytes <= INT32_MAX;
}

static void set_flag(int fd, int level, int option, int value)
{
	(void) setsockopt(fd, level, option, &value, sizeof(value)); /* a wish */
}

static void apply_options(int fd, const dream_tcp_options_t *o)
{
	set_flag(fd, IPPROTO_TCP, TCP_NODELAY, !(o->flags & DREAM_TCP_DELAY));
	set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, (o->flags & DREAM_TCP_KEEPALIVE) != 0);
	if (o->high_water_bytes != 0) /* the kernel doubles it for its own needs */
		set_flag(fd, SOL_SOCKET, SO_SNDBUF, (int) o->high_water_bytes / 2);
}

static dream_tcp_options_t completed(const dream_tcp_options_t *given)
{
	dream_tcp_options_t o = {DREAM_SIZED(dream_tcp_options_t)};
	if (given != NULL)
		o = *given;
	if (o.frame_bytes == 0)
		o.frame_bytes = DREAM_TCP_FRAME_BYTES;
	return o;
}

int node_socket_set_options(node_proc_t *proc, dream_ref_t socket, const dream_tcp_options_t *options)
{
	node_sockop_t op;
	if (!are_usable(options))
		return DREAM_EINVAL;
	int r = node_sockop_begin(&op, proc, socket, 0);
	if (r < 0)
		return r;
	if (op.sock->listener) {
		r = DREAM_EINVAL;
	} else {
		op.sock->options = completed(options);
		op.sock->rx_seen = 0;
		apply_options(op.sock->source.fd, options);
	}
	if (r == DREAM_OK && op.sock->active != DREAM_TCP_PASSIVE)
		node_active_pump(op.sock);
	node_sockop_end(&op);
	return r;
}

/* ---- life ---- */

static void free_socket(node_source_t *source)
{
	node_socket_t *sock = (node_socket_t *) source;
	__atomic_fetch_sub(&source->io->n_sockets, 1, __ATOMIC_RELAXED);
	pthread_mutex_destroy(&sock->lock);
	node_mem_free(sock);
}

static node_socket_t *socket_new(node_proc_t *proc, int fd, bool listener, const dream_tcp_options_t *options)
{
	node_io_t *io = proc->node->io;
	node_socket_t *sock = node_mem_zalloc(sizeof(*sock));
	if (sock == NULL)
		return NULL;
	sock->source = (node_source_t){.id = node_proc_new_ref(proc->node),
		.refs = 1,
		.fd = fd,
		.io = io,
		.on_ready = on_ready,
		.free = free_socket};
	sock->node = proc->node;
	sock->listener = listener;
	sock->options = completed(options);
	pthread_mutex_init(&sock->lock, NULL);
	return sock;
}

int node_socket_new_take(node_proc_t *proc, int fd, bool listener, const dream_tcp_options_t *options,
	node_socket_t **ret_sock)
{
	node_io_t *io = proc->node->io;
	bool room = __atomic_add_fetch(&io->n_sockets, 1, __ATOMIC_RELAXED) <= io->options.max_sockets;
	bool usable = options == NULL || are_usable(options);
	node_socket_t *sock = room && usable ? socket_new(proc, fd, listener, options) : NULL;
	if (sock == NULL) {
		close(fd);
		__atomic_fetch_sub(&io->n_sockets, 1, __ATOMIC_RELAXED);
		return !usable ? DREAM_EINVAL : room ? DREAM_ENOMEM : DREAM_ELIMIT;
	}
	if (!listener)
		apply_options(fd, &sock->options);
	int r = node_owner_add(sock, node_proc_pid(proc));
	if (r < 0) {
		close(fd);
		node_socket_unref(sock);
		return r;
	}
	node_source_add(&sock->source);
	*ret_sock = sock;
	return DREAM_OK;
}

int node_socket_close(node_socket_t *sock)
{
	pthread_mutex_lock(&sock->lock);
	int fd = sock->source.fd;
	if (fd >= 0) {
		node_owner_remove(sock);
		node_secure_end(sock);
		sock->source.fd = -1;
		sock->active = DREAM_TCP_PASSIVE;
		close(fd);
		node_packet_fini(sock);
		wake_all(sock, &sock->readers);
		wake_all(sock, &sock->writers);
		wake_all(sock, &sock->turns);
	}
	pthread_mutex_unlock(&sock->lock);
	if (fd >= 0)
		node_source_remove(&sock->source);
	return fd >= 0 ? DREAM_OK : DREAM_ECLOSED;
}

node_socket_t *node_socket_find_ref(node_t *node, dream_ref_t ref)
{
	if (ref.node != 0 || ref.creation != node->creation)
		return NULL;
	node_source_t *source = node_source_find_ref(node->io, ref.id);
	if (source == NULL || source->on_ready == on_ready)
		return (node_socket_t *) source;
	node_source_unref(source); /* a wait for a descriptor */
	return NULL;
}

void node_socket_unref(node_socket_t *sock)
{
	node_source_unref(&sock->source);
}

dream_ref_t node_socket_ref_of(const node_socket_t *sock)
{
	return (dream_ref_t){sock->source.id, sock->node->creation, 0};
}

/* ---- owner and description ---- */

int node_socket_give(node_proc_t *proc, dream_ref_t socket, dream_pid_t to)
{
	node_sockop_t op;
	if (to.node != 0)
		return DREAM_EINVAL;
	int r = node_sockop_begin(&op, proc, socket, 0);
	if (r < 0)
		return r;
	if (!dream_pid_equal(op.sock->owner, node_proc_pid(proc)))
		r = DREAM_EPERM;
	else if (op.sock->active != DREAM_TCP_PASSIVE)
		r = DREAM_EBUSY;
	else
		r = node_owner_move(op.sock, to);
	node_sockop_end(&op);
	return r;
}

static void describe(const struct sockaddr_storage *from, char *ret_host, uint16_t *ret_port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *) (const void *) from;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *) (const void *) from;
	bool is_v6 = from->ss_family == AF_INET6;
	(void) inet_ntop(from->ss_family,
		is_v6 ? (const void *) &v6->sin6_addr : (const void *) &v4->sin_addr, ret_host,
		DREAM_TCP_HOST_BYTES);
	*ret_port = ntohs(is_v6 ? v6->sin6_port : v4->sin_port);
}

static void fill_info(const node_socket_t *sock, dream_tcp_info_t *info)
{
	struct sockaddr_storage address;
	socklen_t size = sizeof(address);
	info->listening = sock->listener;
	info->owner = sock->owner;
	if (getsockname(sock->source.fd, (struct sockaddr *) &address, &size) == 0)
		describe(&address, info->local_host, &info->local_port);
	size = sizeof(address);
	if (!sock->listener && getpeername(sock->source.fd, (struct sockaddr *) &address, &size) == 0)
		describe(&address, info->peer_host, &info->peer_port);
	node_secure_protocol(sock, info->protocol, sizeof(info->protocol));
}

int node_socket_info(node_proc_t *proc, dream_ref_t socket, dream_tcp_info_t *ret_info)
{
	node_sockop_t op;
	dream_tcp_info_t info = {DREAM_SIZED(dream_tcp_info_t)};
	uint32_t size = ret_info->struct_size;
	if (size < offsetof(dream_tcp_info_t, protocol) || size > sizeof(info))
		return DREAM_EINVAL;
	int r = node_sockop_begin(&op, proc, socket, 0);
	if (r < 0)
		return r;
	fill_info(op.sock, &info);
	node_sockop_end(&op);
	info.struct_size = size;
	memcpy(ret_info, &info, size);
	return DREAM_OK;
}
