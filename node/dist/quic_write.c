/* SPDX-License-Identifier: MIT */
/* What goes out: packets of one connection gathered into one send, as the kernel's segmentation is worth six times. */
#include "dist/quic_conn.h"

#include <netinet/udp.h>
#include <string.h>
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

#define VEC_MAX 16u

/* ---- the socket ---- */

static ssize_t send_segments(node_quic_t *quic, const uint8_t *data, size_t size, size_t segment,
	const struct sockaddr *to, socklen_t to_size)
{
	char control[CMSG_SPACE(sizeof(uint16_t))] = {0};
	struct iovec iov = {(void *) (uintptr_t) data, size};
	struct msghdr msg = {.msg_name = (void *) (uintptr_t) to,
		.msg_namelen = to_size,
		.msg_iov = &iov,
		.msg_iovlen = 1};
	if (segment > 0 && segment < size) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		uint16_t value = (uint16_t) segment;
		c->cmsg_level = SOL_UDP;
		c->cmsg_type = UDP_SEGMENT;
		c->cmsg_len = CMSG_LEN(sizeof(value));
		memcpy(CMSG_DATA(c), &value, sizeof(value));
	}
	ssize_t n;
	do
		n = sendmsg(quic->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n;
}

void node_quic_write_datagram(
	node_quic_t *quic, const void *data, size_t size, const struct sockaddr *to, socklen_t to_size)
{
	(void) send_segments(quic, data, size, 0, to, to_size);
}

static bool would_block(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS);
}

/* A driver without segmentation answers EIO or EINVAL: then packet by packet, for good. What fails otherwise is lost,
 * as packets may be. */
static bool send_batch(node_quic_t *quic)
{
	const struct sockaddr *to = (struct sockaddr *) &quic->batch_to;
	if (quic->gso || quic->batch_size <= quic->batch_segment) {
		ssize_t n = send_segments(
			quic, quic->batch, quic->batch_size, quic->batch_segment, to, quic->batch_to_size);
		if (would_block(n))
			return false;
		if (n >= 0 || !quic->gso || quic->batch_size <= quic->batch_segment ||
			(errno != EIO && errno != EINVAL))
			return true;
		quic->gso = false;
	}
	for (uint32_t at = 0; at < quic->batch_size; at += quic->batch_segment)
		node_quic_write_datagram(quic, quic->batch + at,
			MIN(quic->batch_segment, quic->batch_size - at), to, quic->batch_to_size);
	return true;
}

bool node_quic_write_flush(node_quic_t *quic)
{
	if (quic->batch_size > 0 && !send_batch(quic)) {
		quic->blocked = true;
		return false;
	}
	quic->batch_size = 0;
	quic->blocked = false;
	return true;
}

/* ---- one connection's turn ---- */

static quic_out_t *next_out(quic_conn_t *conn)
{
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++) {
		uint32_t lane = (conn->next_lane + i) % NODE_CARRIER_LANES;
		quic_out_t *out = &conn->outs[lane];
		if (out->unsent == NULL || out->blocked)
			continue;
		if (out->stream_id < 0 &&
			ngtcp2_conn_open_uni_stream(conn->ngtcp2, &out->stream_id, NULL) != 0) {
			out->stream_id = -1;
			continue;
		}
		conn->next_lane = lane + 1;
		return out;
	}
	return NULL;
}

static size_t gather(const quic_out_t *out, ngtcp2_vec *vec)
{
	size_t n = 0, offset = out->unsent_offset;
	for (node_chunk_t *chunk = out->unsent; chunk != NULL && n < VEC_MAX; chunk = chunk->next) {
		vec[n].base = chunk->data + offset;
		vec[n++].len = chunk->size_bytes - offset;
		offset = 0;
	}
	return n;
}

static void advance(quic_out_t *out, uint64_t size)
{
	while (size > 0 && out->unsent != NULL) {
		uint64_t part = MIN(size, out->unsent->size_bytes - out->unsent_offset);
		size -= part;
		out->unsent_offset += (uint32_t) part;
		if (out->unsent_offset == out->unsent->size_bytes) {
			out->unsent = out->unsent->next;
			out->unsent_offset = 0;
		}
	}
}

/* One packet, filled from as many lanes as it takes. 0: nothing may be sent now; negative: the connection's end. */
static ngtcp2_ssize write_packet(
	quic_conn_t *conn, ngtcp2_path *path, uint8_t *dest, size_t cap, ngtcp2_tstamp now)
{
	for (;;) {
		ngtcp2_vec vec[VEC_MAX];
		ngtcp2_pkt_info pi;
		ngtcp2_ssize taken = -1;
		quic_out_t *out = conn->state == QUIC_UP ? next_out(conn) : NULL;
		size_t n_vec = out != NULL ? gather(out, vec) : 0;
		ngtcp2_ssize n = ngtcp2_conn_writev_stream(conn->ngtcp2, path, &pi, dest, cap, &taken,
			out != NULL ? NGTCP2_WRITE_STREAM_FLAG_MORE : 0, out != NULL ? out->stream_id : -1,
			vec, n_vec, now);
		if (out != NULL && taken > 0)
			advance(out, (uint64_t) taken);
		if (n == NGTCP2_ERR_WRITE_MORE)
			continue;
		if (out != NULL && (n == NGTCP2_ERR_STREAM_DATA_BLOCKED || n == NGTCP2_ERR_STREAM_SHUT_WR)) {
			out->blocked = true;
			continue;
		}
		return n;
	}
}

static void begin_batch(node_quic_t *quic, const ngtcp2_path *path, size_t size)
{
	memcpy(&quic->batch_to, path->remote.addr, path->remote.addrlen);
	quic->batch_to_size = path->remote.addrlen;
	quic->batch_segment = (uint32_t) size;
}

static bool fits_batch(const node_quic_t *quic, const ngtcp2_path *path, size_t size)
{
	return size <= quic->batch_segment && quic->batch_to_size == path->remote.addrlen &&
	       memcmp(&quic->batch_to, path->remote.addr, path->remote.addrlen) == 0;
}

/* The packet lies behind the batch; one that does not belong goes alone after it. False: the socket is full. */
static bool add_packet(node_quic_t *quic, const ngtcp2_path *path, size_t size)
{
	uint32_t at = quic->batch_size;
	if (at > 0 && !fits_batch(quic, path, size)) {
		if (!node_quic_write_flush(quic))
			return false; /* this packet is lost; the network may do that too */
		memmove(quic->batch, quic->batch + at, size);
	}
	if (quic->batch_size == 0)
		begin_batch(quic, path, size);
	quic->batch_size += (uint32_t) size;
	bool last = size < quic->batch_segment || quic->batch_size + quic->batch_segment > QUIC_BATCH_BYTES ||
		    quic->batch_size >= QUIC_BATCH_SEGMENTS * quic->batch_segment;
	return !last || node_quic_write_flush(quic);
}

static void write_turn(quic_conn_t *conn, ngtcp2_tstamp now)
{
	node_quic_t *quic = conn->quic;
	ngtcp2_path_storage ps;
	size_t cap = ngtcp2_conn_get_max_tx_udp_payload_size(conn->ngtcp2);
	uint64_t quantum = MAX(ngtcp2_conn_get_send_quantum(conn->ngtcp2), QUIC_BATCH_BYTES), sent = 0;
	bool room = true;
	while (room && sent < quantum) {
		ngtcp2_path_storage_zero(&ps);
		ngtcp2_ssize n = write_packet(conn, &ps.path, quic->batch + quic->batch_size, cap, now);
		if (n < 0) {
			(void) node_quic_write_flush(quic);
			node_quic_conn_fail(conn, (int) n);
			return;
		}
		if (n == 0)
			break;
		sent += (uint64_t) n;
		room = add_packet(quic, &ps.path, (size_t) n);
	}
	conn->more = sent >= quantum || !room;
	(void) node_quic_write_flush(quic);
	__atomic_fetch_add(&conn->bytes_out, sent, __ATOMIC_RELAXED);
	ngtcp2_conn_update_pkt_tx_time(conn->ngtcp2, now);
}

void node_quic_write(quic_conn_t *conn)
{
	conn->more = false;
	if (conn->ngtcp2 == NULL || conn->state >= QUIC_CLOSING)
		return;
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++)
		conn->outs[i].blocked = false;
	write_turn(conn, (ngtcp2_tstamp) node_quic_now(conn->quic));
	if (conn->state >= QUIC_CLOSING)
		return;
	__atomic_store_n(&conn->rtt_ns, (int64_t) shim_rtt_ns(conn->ngtcp2), __ATOMIC_RELAXED);
	node_quic_conn_update_expiry(conn);
}
