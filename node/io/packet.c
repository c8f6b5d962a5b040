/* SPDX-License-Identifier: MIT */
/* Cutting a stream into frames. Bytes that do not make a frame yet lie in a buffer that grows with what has come, never
 * with what a header promises. */
#include <string.h>

#include "base/mem.h"
#include "io/local.h"
#include "io/socket.h"

#define HEAD_BYTES 4u
#define FIRST_BYTES 4096u
#define KEEP_BYTES 65536u /* a larger buffer is given back when it is empty */

/* Bytes of all sockets; false: that would be too many. */
static bool account(node_io_t *io, int64_t bytes)
{
	uint64_t sum = __atomic_add_fetch(&io->buffer_bytes, (uint64_t) bytes, __ATOMIC_RELAXED);
	if (bytes <= 0 || sum <= io->options.max_buffer_bytes)
		return true;
	__atomic_fetch_sub(&io->buffer_bytes, (uint64_t) bytes, __ATOMIC_RELAXED);
	return false;
}

void node_packet_fini(node_socket_t *sock)
{
	(void) account(sock->source.io, -(int64_t) sock->rx_cap);
	node_mem_free(sock->rx);
	sock->rx = NULL;
	sock->rx_start = sock->rx_end = sock->rx_cap = sock->rx_seen = 0;
}

static int grow(node_socket_t *sock)
{
	uint32_t cap = sock->rx_cap == 0 ? FIRST_BYTES : sock->rx_cap * 2;
	uint32_t most = sock->options.frame_bytes + HEAD_BYTES;
	cap = cap > most && sock->rx_cap < most ? most
						: cap; /* never larger than need be, but always larger */
	uint32_t more = cap - sock->rx_cap;
	if (!account(sock->source.io, more))
		return DREAM_ELIMIT;
	uint8_t *rx = node_mem_realloc(sock->rx, cap);
	if (rx == NULL) {
		(void) account(sock->source.io, -(int64_t) more);
		return DREAM_ENOMEM;
	}
	sock->rx = rx;
	sock->rx_cap = cap;
	return DREAM_OK;
}

/* Reads once. As node_socket_read(). */
static int64_t fill(node_socket_t *sock)
{
	if (sock->rx_start > 0) {
		memmove(sock->rx, sock->rx + sock->rx_start, sock->rx_end - sock->rx_start);
		sock->rx_end -= sock->rx_start;
		sock->rx_start = 0;
	}
	int r = sock->rx_end == sock->rx_cap ? grow(sock) : DREAM_OK;
	if (r < 0)
		return r;
	int64_t n = node_socket_read(sock, sock->rx + sock->rx_end, sock->rx_cap - sock->rx_end);
	if (n > 0)
		sock->rx_end += (uint32_t) n;
	return n;
}

/* 1: *ret_head bytes, then *ret_size of data, are there; 0: not yet. */
static int find_frame(node_socket_t *sock, uint32_t *ret_head, uint32_t *ret_size)
{
	uint32_t have = sock->rx_end - sock->rx_start;
	const uint8_t *at = sock->rx + sock->rx_start;
	if (have < HEAD_BYTES)
		return 0;
	uint32_t size = (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
	if (size > sock->options.frame_bytes)
		return DREAM_ELIMIT;
	*ret_head = HEAD_BYTES;
	*ret_size = size;
	return have - HEAD_BYTES >= size;
}

static int find_line(node_socket_t *sock, uint32_t *ret_size)
{
	uint32_t have = sock->rx_end - sock->rx_start;
	const uint8_t *at = sock->rx + sock->rx_start;
	const uint8_t *end =
		have > sock->rx_seen ? memchr(at + sock->rx_seen, '\n', have - sock->rx_seen) : NULL;
	sock->rx_seen = end != NULL ? (uint32_t) (end - at) : have;
	if (sock->rx_seen >= sock->options.frame_bytes)
		return DREAM_ELIMIT;
	*ret_size = sock->rx_seen + 1;
	return end != NULL;
}

static int at_end(node_socket_t *sock, const uint8_t **ret_data, uint32_t *ret_size)
{
	uint32_t have = sock->rx_end - sock->rx_start;
	if (have == 0)
		return 0;
	if (sock->options.packet == DREAM_TCP_PACKET4)
		return DREAM_EPROTO;
	*ret_data = sock->rx + sock->rx_start; /* a last line without its end */
	*ret_size = have;
	return 1;
}

int node_packet_next(node_socket_t *sock, const uint8_t **ret_data, uint32_t *ret_size)
{
	for (;;) {
		uint32_t head = 0, size = 0;
		int r = sock->rx == NULL                            ? 0
			: sock->options.packet == DREAM_TCP_PACKET4 ? find_frame(sock, &head, &size)
								    : find_line(sock, &size);
		if (r == 1) {
			*ret_data = sock->rx + sock->rx_start + head;
			*ret_size = size;
		}
		if (r != 0)
			return r;
		int64_t n = fill(sock);
		if (n == 0)
			return at_end(sock, ret_data, ret_size);
		if (n < 0)
			return (int) n;
	}
}

static void consume(node_socket_t *sock, uint32_t bytes)
{
	sock->rx_start += bytes;
	sock->rx_seen = 0;
	if (sock->rx_start < sock->rx_end)
		return;
	sock->rx_start = sock->rx_end = 0;
	if (sock->rx_cap > KEEP_BYTES)
		node_packet_fini(sock);
}

void node_packet_consume(node_socket_t *sock)
{
	uint32_t head = 0, size = 0;
	int r = sock->options.packet == DREAM_TCP_PACKET4 ? find_frame(sock, &head, &size)
							  : find_line(sock, &size);
	consume(sock, r == 1 ? head + size : sock->rx_end - sock->rx_start);
}

uint32_t node_packet_take_rest(node_socket_t *sock, void *buffer, uint64_t cap_bytes)
{
	uint32_t have = sock->rx_end - sock->rx_start;
	uint32_t n = have < cap_bytes ? have : (uint32_t) cap_bytes;
	if (n == 0)
		return 0;
	memcpy(buffer, sock->rx + sock->rx_start, n);
	consume(sock, n);
	return n;
}
