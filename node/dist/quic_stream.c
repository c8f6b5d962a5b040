/* SPDX-License-Identifier: MIT */
/* Lanes over streams: each lane is one unidirectional stream whose first byte is the lane's number. */
#include "dist/quic_conn.h"

#include "base/mem.h"

/* ---- in ---- */

static quic_in_t *find_in(quic_conn_t *conn, int64_t id)
{
	for (uint32_t i = 0; i < conn->n_ins; i++)
		if (conn->ins[i].stream_id == id)
			return &conn->ins[i];
	if (conn->n_ins == NODE_CARRIER_LANES)
		return NULL;
	quic_in_t *in = &conn->ins[conn->n_ins++];
	*in = (quic_in_t){.stream_id = id, .lane = -1};
	return in;
}

static bool name_lane(quic_conn_t *conn, quic_in_t *in, uint8_t lane)
{
	if (lane >= NODE_CARRIER_LANES)
		return false;
	for (uint32_t i = 0; i < conn->n_ins; i++)
		if (conn->ins[i].lane == lane)
			return false;
	in->lane = lane;
	return true;
}

static void extend(quic_conn_t *conn, int64_t id, uint64_t size)
{
	ngtcp2_conn_extend_max_stream_offset(conn->ngtcp2, id, size);
	ngtcp2_conn_extend_max_offset(conn->ngtcp2, size);
}

int node_quic_stream_on_data(ngtcp2_conn *ngtcp2, uint32_t flags, int64_t id, uint64_t offset,
	const uint8_t *data, size_t size, void *user_data, void *stream_data)
{
	quic_conn_t *conn = user_data;
	node_carrier_t *carrier = &conn->carrier;
	if (conn->state != QUIC_UP || size == 0)
		return 0;
	quic_in_t *in = find_in(conn, id);
	if (in == NULL || ngtcp2_is_bidi_stream(id)) {
		carrier->ops->close(carrier, DREAM_EPROTO, "more streams than lanes");
		return 0;
	}
	if (in->lane < 0) {
		if (!name_lane(conn, in, data[0])) {
			carrier->ops->close(
				carrier, DREAM_EPROTO, "a stream names no lane, or one that is taken");
			return 0;
		}
		extend(conn, id, 1);
		data++;
		size--;
	}
	if (size > 0)
		conn->quic->options.events->on_bytes(
			conn->quic->options.owner, carrier, (uint32_t) in->lane, data, size);
	return 0;
}

void node_quic_stream_consumed(quic_conn_t *conn, uint32_t lane, uint64_t size)
{
	for (uint32_t i = 0; i < conn->n_ins; i++)
		if (conn->ins[i].lane == (int32_t) lane)
			extend(conn, conn->ins[i].stream_id, size);
}

/* ---- out ---- */

void node_quic_stream_collect(quic_conn_t *conn)
{
	node_chunks_t fresh[NODE_CARRIER_LANES] = {{NULL, NULL}};
	node_outbox_take(&conn->outbox, fresh);
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++) {
		quic_out_t *out = &conn->outs[i];
		if (fresh[i].head == NULL)
			continue;
		if (out->chunks.tail != NULL)
			out->chunks.tail->next = fresh[i].head;
		else
			out->chunks.head = fresh[i].head;
		out->chunks.tail = fresh[i].tail;
		if (out->unsent == NULL) {
			out->unsent = fresh[i].head;
			out->unsent_offset = 0;
		}
	}
}

static quic_out_t *find_out(quic_conn_t *conn, int64_t id)
{
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++)
		if (conn->outs[i].stream_id == id)
			return &conn->outs[i];
	return NULL;
}

int node_quic_stream_on_acked(
	ngtcp2_conn *ngtcp2, int64_t id, uint64_t offset, uint64_t size, void *user_data, void *stream_data)
{
	quic_conn_t *conn = user_data;
	quic_out_t *out = find_out(conn, id);
	uint64_t left = size;
	while (out != NULL && left > 0 && out->chunks.head != NULL) {
		node_chunk_t *head = out->chunks.head;
		uint64_t part = MIN(left, head->size_bytes - out->acked_offset);
		left -= part;
		out->acked_offset += (uint32_t) part;
		if (out->acked_offset < head->size_bytes)
			break;
		out->acked_offset = 0;
		out->chunks.head = head->next;
		if (head->next == NULL)
			out->chunks.tail = NULL;
		node_mem_free(head);
	}
	node_outbox_acked(&conn->outbox, size);
	return 0;
}

/* Lanes last as long as their connection. */
int node_quic_stream_on_close(
	ngtcp2_conn *ngtcp2, uint32_t flags, int64_t id, uint64_t error, void *user_data, void *stream_data)
{
	quic_conn_t *conn = user_data;
	conn->carrier.ops->close(&conn->carrier, DREAM_EPROTO, "a lane was ended");
	return 0;
}

void node_quic_stream_free_all(quic_conn_t *conn)
{
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++)
		node_chunks_free(&conn->outs[i].chunks);
}
