/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/lookup.h"
#include "io/socket.h"

static bool set_on(int fd, int level, int option)
{
	int one = 1;
	return setsockopt(fd, level, option, &one, sizeof(one)) == 0;
}

static int bind_and_listen(int fd, const dream_tcp_listen_t *how, const node_address_in_t *at)
{
	bool v6 = at->any.sa_family == AF_INET6;
	if ((v6 && !set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY)) ||
		(!(how->flags & DREAM_TCP_EXCLUSIVE) && !set_on(fd, SOL_SOCKET, SO_REUSEADDR)) ||
		((how->flags & DREAM_TCP_SHARE_PORT) && !set_on(fd, SOL_SOCKET, SO_REUSEPORT)) ||
		bind(fd, &at->any, node_lookup_size(at)) < 0 ||
		listen(fd, (int) (how->backlog != 0 ? how->backlog : DREAM_TCP_BACKLOG)) < 0)
		return node_socket_code(errno);
	return DREAM_OK;
}

static __attribute__((noinline)) int open_listener(const dream_tcp_listen_t *how, int *ret_fd)
{
	node_address_in_t at;
	if (!node_lookup_literal(how->host != NULL ? how->host : "127.0.0.1", how->port, &at))
		return DREAM_EINVAL;
	int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno == EAFNOSUPPORT ? DREAM_EADDRNOTAVAIL : node_socket_code(errno);
	int r = bind_and_listen(fd, how, &at);
	if (r < 0)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

int node_listen(node_proc_t *proc, const dream_tcp_listen_t *how, dream_ref_t *ret_listener)
{
	int fd;
	node_socket_t *sock;
	if ((how->flags & ~(DREAM_TCP_EXCLUSIVE | DREAM_TCP_SHARE_PORT)) != 0 || how->backlog > INT32_MAX)
		return DREAM_EINVAL;
	int r = open_listener(how, &fd);
	if (r == DREAM_OK)
		r = node_socket_new_take(proc, fd, true, how->options, &sock);
	if (r < 0)
		return r;
	*ret_listener = node_socket_ref_of(sock);
	node_socket_unref(sock);
	return DREAM_OK;
}

/* ---- accepting ---- */

/* Errors of the connection that was waiting are not ours: the next one may be well. */
static __attribute__((noinline)) int accept_fd(int listener)
{
	int fd;
	do
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	while (fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO || errno == ENETDOWN ||
				 errno == EHOSTDOWN || errno == ENONET || errno == EHOSTUNREACH ||
				 errno == ENETUNREACH || errno == ENOPROTOOPT));
	return fd >= 0 ? fd : node_socket_code(errno);
}

/* Looked at before a connection is taken out of the backlog, so that it stays there. */
static int wait_for_fd(node_sockop_t *op, node_proc_t *proc, int *ret_fd)
{
	node_socket_t *sock = op->sock;
	int r = DREAM_OK;
	while (r == DREAM_OK) {
		r = node_owner_may_add(proc);
		int fd = r == DREAM_OK ? accept_fd(sock->source.fd) : r;
		if (fd >= 0) {
			*ret_fd = fd;
			break;
		}
		r = fd == NODE_SOCKET_AGAIN ? node_sockop_wait(op, &sock->readers) : fd;
	}
	/* One event may stand for several connections: who took one, or cannot take it, lets the next one look. */
	if (r != DREAM_ETIMEDOUT)
		node_sockop_wake(sock, &sock->readers);
	return r;
}

int node_listen_accept(node_proc_t *proc, dream_ref_t listener, int64_t timeout_ms, dream_ref_t *ret_socket)
{
	node_sockop_t op;
	node_socket_t *sock;
	int fd = -1;
	int r = node_sockop_begin(&op, proc, listener, timeout_ms);
	if (r < 0)
		return r;
	r = op.sock->listener ? wait_for_fd(&op, proc, &fd) : DREAM_EINVAL;
	dream_tcp_options_t options = op.sock->options;
	node_sockop_end(&op);
	if (r == DREAM_OK)
		r = node_socket_new_take(proc, fd, false, &options, &sock);
	if (r < 0)
		return r;
	*ret_socket = node_socket_ref_of(sock);
	node_socket_unref(sock);
	return DREAM_OK;
}
