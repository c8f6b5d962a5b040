/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "io/secure.h"
#include "io/socket.h"

/* ---- receiving; with the lock held ---- */

/* Raw bytes until @least. Those that have come count in any case. */
static int recv_raw(node_sockop_t *op, uint8_t *buffer, uint64_t cap, uint64_t least, uint64_t *ret_size)
{
	node_socket_t *sock = op->sock;
	uint64_t got = node_packet_take_rest(sock, buffer, cap);
	int r = DREAM_OK;
	while (got < least && r == DREAM_OK) {
		int64_t n = node_socket_read(sock, buffer + got, cap - got);
		if (n > 0)
			got += (uint64_t) n;
		else if (n == NODE_SOCKET_AGAIN)
			r = node_sockop_wait(op, &sock->readers);
		else
			r = n == 0 ? DREAM_ECLOSED : (int) n;
	}
	*ret_size = got;
	return r;
}

static int recv_frame(node_sockop_t *op, uint8_t *buffer, uint64_t cap, uint64_t *ret_size)
{
	node_socket_t *sock = op->sock;
	const uint8_t *data = NULL;
	uint32_t size = 0;
	int r;
	while ((r = node_packet_next(sock, &data, &size)) == NODE_SOCKET_AGAIN) {
		r = node_sockop_wait(op, &sock->readers);
		if (r < 0)
			return r;
	}
	if (r <= 0)
		return r == 0 ? DREAM_ECLOSED : r;
	*ret_size = size;
	if (size > cap)
		return DREAM_ERANGE;
	if (size > 0)
		memcpy(buffer, data, size);
	node_packet_consume(sock);
	return DREAM_OK;
}

int node_stream_recv(node_proc_t *proc, dream_ref_t socket, void *buffer, uint64_t cap_bytes,
	uint64_t least_bytes, int64_t timeout_ms, uint64_t *ret_size)
{
	node_sockop_t op;
	int r = node_sockop_begin(&op, proc, socket, timeout_ms);
	if (r < 0)
		return r;
	bool raw = op.sock->options.packet == DREAM_TCP_RAW;
	if (op.sock->listener || (raw && (least_bytes == 0 || least_bytes > cap_bytes)))
		r = DREAM_EINVAL;
	else if (op.sock->active != DREAM_TCP_PASSIVE || op.sock->readers.first != NULL)
		r = DREAM_EBUSY;
	else if (raw)
		r = recv_raw(&op, buffer, cap_bytes, least_bytes, ret_size);
	else
		r = recv_frame(&op, buffer, cap_bytes, ret_size);
	node_sockop_end(&op);
	return r;
}

/* ---- sending; with the lock held ---- */

typedef struct {
	uint8_t head[4];
	uint64_t head_bytes; /* still to be sent, the last of it */
	const uint8_t *data;
	uint64_t data_bytes;
	uint64_t sent; /* of the data */
} message_t;

static void advance(message_t *m, uint64_t n)
{
	uint64_t of_head = n < m->head_bytes ? n : m->head_bytes;
	m->head_bytes -= of_head;
	m->data += n - of_head;
	m->data_bytes -= n - of_head;
	m->sent += n - of_head;
}

static int send_all(node_sockop_t *op, message_t *m)
{
	node_socket_t *sock = op->sock;
	int r = DREAM_OK;
	while (m->head_bytes + m->data_bytes > 0 && r == DREAM_OK) {
		int64_t n = node_socket_write(sock, m->head + sizeof(m->head) - m->head_bytes, m->head_bytes,
			m->data, m->data_bytes);
		/* TLS: what it has taken to encrypt, it will send first of all */
		op->partial |= n > 0 || (n == NODE_SOCKET_AGAIN && sock->tls != NULL);
		if (n >= 0)
			advance(m, (uint64_t) n);
		else
			r = n == NODE_SOCKET_AGAIN ? node_sockop_wait(op, &sock->writers) : (int) n;
	}
	if (r == DREAM_OK)
		op->partial = false;
	return r;
}

static int check_send(const node_socket_t *sock, uint64_t size_bytes)
{
	if (sock->listener)
		return DREAM_EINVAL;
	if (sock->options.packet == DREAM_TCP_PACKET4 && size_bytes > sock->options.frame_bytes)
		return DREAM_ELIMIT;
	return DREAM_OK;
}

static int check_open(const node_socket_t *sock)
{
	return sock->write_ended ? DREAM_ECLOSED : sock->broken ? DREAM_ECONNRESET : DREAM_OK;
}

static void put_head(message_t *m)
{
	for (int i = 0; i < 4; i++)
		m->head[i] = (uint8_t) (m->data_bytes >> (24 - 8 * i));
	m->head_bytes = sizeof(m->head);
}

int node_stream_send(node_proc_t *proc, dream_ref_t socket, const void *data, uint64_t size_bytes,
	int64_t timeout_ms, uint64_t *ret_sent)
{
	node_sockop_t op;
	message_t m = {.data = data, .data_bytes = size_bytes};
	int r = node_sockop_begin(&op, proc, socket, timeout_ms);
	if (r < 0)
		return r;
	r = check_send(op.sock, size_bytes);
	if (r == DREAM_OK)
		r = node_sockop_take_turn(&op);
	if (r == DREAM_OK) {
		if (op.sock->options.packet == DREAM_TCP_PACKET4)
			put_head(&m);
		r = check_open(op.sock);
		if (r == DREAM_OK)
			r = send_all(&op, &m);
		node_sockop_end_turn(&op);
	}
	node_sockop_end(&op);
	if (ret_sent != NULL)
		*ret_sent = m.sent;
	return r;
}

/* ---- the end of a half ---- */

static __attribute__((noinline)) int shut(int fd, int how)
{
	return shutdown(fd, how) == 0 || errno == ENOTCONN ? DREAM_OK : node_socket_code(errno);
}

static int end_halves(node_socket_t *sock, uint32_t halves)
{
	int r = DREAM_OK;
	if (halves & DREAM_TCP_WRITE) {
		node_secure_bye(sock);
		sock->write_ended = true;
		r = shut(sock->source.fd, SHUT_WR);
	}
	if (r == DREAM_OK && (halves & DREAM_TCP_READ))
		r = shut(sock->source.fd, SHUT_RD);
	return r;
}

int node_stream_shutdown(node_proc_t *proc, dream_ref_t socket, uint32_t halves)
{
	node_sockop_t op;
	if (halves == 0 || (halves & ~(DREAM_TCP_READ | DREAM_TCP_WRITE)) != 0)
		return DREAM_EINVAL;
	int r = node_sockop_begin(&op, proc, socket, 0);
	if (r < 0)
		return r;
	if (op.sock->listener)
		r = DREAM_EINVAL;
	else if ((halves & DREAM_TCP_WRITE) && op.sock->sender != NULL)
		r = DREAM_EBUSY;
	else
		r = end_halves(op.sock, halves);
	node_sockop_end(&op);
	return r;
}
