/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/lookup.h"
#include "io/socket.h"

/* DREAM_OK with a descriptor: connected, or about to be. */
static __attribute__((noinline)) int begin_connect(const node_address_in_t *to, int *ret_fd)
{
	int fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno == EAFNOSUPPORT ? DREAM_EHOSTUNREACH : node_socket_code(errno);
	if (connect(fd, &to->any, node_lookup_size(to)) < 0 && errno != EINPROGRESS) {
		int r = node_socket_code(errno);
		close(fd);
		return r;
	}
	*ret_fd = fd;
	return DREAM_OK;
}

/* AGAIN: not yet decided. */
static __attribute__((noinline)) int outcome_of(int fd)
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(int);
	int error = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	if (error != 0)
		return error == ETIMEDOUT ? DREAM_ETIMEDOUT : node_socket_code(error);
	size = sizeof(peer);
	return getpeername(fd, (struct sockaddr *) &peer, &size) == 0 ? DREAM_OK : NODE_SOCKET_AGAIN;
}

static int wait_for_connection(node_proc_t *proc, node_socket_t *sock, int64_t deadline_ns)
{
	node_sockop_t op;
	node_source_ref(&sock->source);
	int r = node_sockop_begin_take(&op, proc, sock, DREAM_INFINITY);
	if (r < 0)
		return r;
	op.deadline_ns = deadline_ns;
	while ((r = outcome_of(sock->source.fd)) == NODE_SOCKET_AGAIN) {
		r = node_sockop_wait(&op, &sock->writers);
		if (r < 0)
			break;
	}
	node_sockop_end(&op);
	return r;
}

static int try_one(node_proc_t *proc, const dream_tcp_connect_t *how, const node_address_in_t *to,
	int64_t deadline_ns, dream_ref_t *ret_socket)
{
	int fd;
	node_socket_t *sock;
	int r = begin_connect(to, &fd);
	if (r == DREAM_OK)
		r = node_socket_new_take(proc, fd, false, how->options, &sock);
	if (r < 0)
		return r;
	dream_ref_t ref = node_socket_ref_of(sock);
	node_socket_unref(sock); /* the table has it, also when we are killed in the next line */
	r = wait_for_connection(proc, sock, deadline_ns);
	if (r < 0)
		(void) node_socket_close(sock);
	else
		*ret_socket = ref;
	return r;
}

/* Half of what is left, so that an address that does not answer leaves time for the others; all of it for the last. */
static int64_t share(const node_t *node, int64_t deadline_ns, bool last)
{
	int64_t now_ns = node_clock_now(node);
	if (last || deadline_ns == NODE_FOREVER || deadline_ns <= now_ns)
		return deadline_ns;
	return now_ns + (deadline_ns - now_ns) / 2;
}

int node_connect(node_proc_t *proc, const dream_tcp_connect_t *how, dream_ref_t *ret_socket)
{
	node_address_in_t addresses[NODE_LOOKUP_MAX];
	int64_t deadline_ns = node_await_deadline(proc->node, how->timeout_ms);
	if (how->host == NULL || how->port == 0)
		return DREAM_EINVAL;
	int n = node_lookup(proc, how->host, how->port, deadline_ns, addresses);
	int r = n;
	for (int i = 0; i < n; i++) {
		r = try_one(proc, how, &addresses[i], share(proc->node, deadline_ns, i == n - 1), ret_socket);
		if (r == DREAM_OK)
			break;
	}
	return r;
}
