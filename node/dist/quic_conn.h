/* SPDX-License-Identifier: MIT */
/* quic_conn.h: private to the quic files: the endpoint, and one connection as ngtcp2 sees it. */
#ifndef NODE_DIST_QUIC_CONN_H
#define NODE_DIST_QUIC_CONN_H
#include <pthread.h>
#include <netinet/in.h>
#include "dist/outbox.h"
#include "dist/quic.h"
#include "dist/quic_shim.h"
#include "dist/resolve.h"

DREAM_BEGIN_DECLS

#define QUIC_CID_SIZE 16u
#define QUIC_BATCH_BYTES 65000u /* of one sendmsg with segmentation */
#define QUIC_BATCH_SEGMENTS 60u
#define QUIC_LANE_WINDOW ((uint64_t) 4 << 20)
#define QUIC_CONN_WINDOW ((uint64_t) 16 << 20)
#define QUIC_CLOSE_BYTES 1200u

typedef struct quic_conn quic_conn_t;

/* A lane that we send on. Chunks stay until acknowledged, as ngtcp2 keeps pointers into them. */
typedef struct quic_out {
	int64_t stream_id; /* -1: not opened yet */
	node_chunks_t chunks;
	node_chunk_t *unsent;   /* the first with bytes that were never sent; NULL: none */
	uint32_t unsent_offset; /* into it */
	uint32_t acked_offset;  /* of the head */
	bool blocked;           /* by flow control, for this turn */
} quic_out_t;

/* A lane that the peer sends on. */
typedef struct quic_in {
	int64_t stream_id;
	int32_t lane; /* -1: its naming byte has not come yet */
} quic_in_t;

#define QUIC_RESOLVING 0u
#define QUIC_HANDSHAKE 1u
#define QUIC_UP 2u
#define QUIC_CLOSING 3u /* on_down was told; answers stragglers with the same CONNECTION_CLOSE for a while */
#define QUIC_DEAD 4u

struct quic_conn {
	node_carrier_t carrier; /* first */
	node_quic_t *quic;
	quic_conn_t *prev, *next; /* in quic->conns */
	quic_conn_t *next_dirty;  /* under quic->lock */
	bool dirty;               /* under quic->lock */
	bool ready;               /* in quic->ready */
	bool more;                /* its turn was over before its bytes were */
	bool told_down;
	bool half_open; /* counted in stats */
	uint32_t state; /* QUIC_* */
	uint32_t role;  /* what the peer must be; 0: either */
	bool any_name;
	uint16_t port;
	ngtcp2_conn *ngtcp2;
	gnutls_session_t tls;
	ngtcp2_crypto_conn_ref ref;
	struct sockaddr_storage remote;
	socklen_t remote_size;
	int64_t expiry_ns;
	int64_t deadline_ns; /* of the handshake, or of closing */
	int64_t attempt_ns;  /* when the next address is tried */
	node_resolve_t *resolve;
	uint32_t address_index;
	bool heard;      /* the peer has answered anything */
	GPtrArray *cids; /* of quic_cid_t, ours in quic->by_cid */
	quic_out_t outs[NODE_CARRIER_LANES];
	quic_in_t ins[NODE_CARRIER_LANES];
	uint32_t n_ins;
	uint32_t next_lane;
	node_diag_t diag; /* why the handshake failed */
	uint8_t close_packet[QUIC_CLOSE_BYTES];
	uint32_t close_size;
	uint32_t close_resent;
	/* shared with other threads */
	node_outbox_t outbox;
	pthread_mutex_t close_lock;
	node_quic_t *shared; /* the endpoint for other threads; NULL once it is gone */
	bool close_asked;
	int close_code;
	char close_reason[256];
	int64_t rtt_ns; /* relaxed atomics */
	uint64_t bytes_in;
	uint64_t bytes_out;
};

typedef struct quic_cid {
	uint8_t size;
	uint8_t data[NGTCP2_MAX_CIDLEN];
} quic_cid_t;

struct node_quic {
	node_quic_options_t options;
	int fd;
	struct sockaddr_storage local;
	socklen_t local_size;
	GHashTable *by_cid; /* quic_cid_t -> quic_conn_t */
	quic_conn_t *conns;
	GPtrArray *ready; /* have something to write, or may have */
	GPtrArray *dead;  /* to be removed at the end of the step */
	int64_t next_ns;  /* no connection has anything due before */
	bool gso;
	bool blocked; /* `batch` waits for the socket */
	uint8_t *batch;
	uint32_t batch_size;
	uint32_t batch_segment;
	struct sockaddr_storage batch_to;
	socklen_t batch_to_size;
	uint8_t *datagram; /* received */
	node_quic_stats_t stats;
	int64_t logged_ns; /* the last complaint about strangers */
	uint64_t unlogged;
	pthread_mutex_t lock;
	quic_conn_t *dirty;
};

/* ---- quic_conn.c ---- */

quic_conn_t *node_quic_conn_new(node_quic_t *quic, bool dialled);
void node_quic_conn_mark_ready(quic_conn_t *conn);
/** Takes it out of the endpoint and drops the network's reference. */
void node_quic_conn_remove(quic_conn_t *conn);
int node_quic_conn_start_client(quic_conn_t *conn, const struct sockaddr *to, socklen_t size);
int node_quic_conn_start_server(
	quic_conn_t *conn, const ngtcp2_pkt_hd *hd, const struct sockaddr *from, socklen_t size);
/** Forgets an attempt that was not answered, to start another. */
void node_quic_conn_reset(quic_conn_t *conn);
void node_quic_conn_read(quic_conn_t *conn, const uint8_t *data, size_t size, const struct sockaddr *from,
	socklen_t from_size);
/** The end for a reason of ours: tells the peer, then on_down. */
void node_quic_conn_close(quic_conn_t *conn, int code, const char *reason);
/** The end as ngtcp2 sees it. */
void node_quic_conn_fail(quic_conn_t *conn, int liberr);
/** The end without telling the peer. */
void node_quic_conn_drop(quic_conn_t *conn, int code, const char *reason);
void node_quic_conn_update_expiry(quic_conn_t *conn);

/* ---- quic_write.c ---- */

/** Sends what may be sent now, at most a turn's worth. */
void node_quic_write(quic_conn_t *conn);
/** Sends one datagram, or loses it. */
void node_quic_write_datagram(
	node_quic_t *quic, const void *data, size_t size, const struct sockaddr *to, socklen_t to_size);
/** True if the waiting batch, if any, is gone. */
bool node_quic_write_flush(node_quic_t *quic);

/* ---- quic_stream.c ---- */

int node_quic_stream_on_data(ngtcp2_conn *ngtcp2, uint32_t flags, int64_t id, uint64_t offset,
	const uint8_t *data, size_t size, void *user_data, void *stream_data);
int node_quic_stream_on_acked(
	ngtcp2_conn *ngtcp2, int64_t id, uint64_t offset, uint64_t size, void *user_data, void *stream_data);
int node_quic_stream_on_close(
	ngtcp2_conn *ngtcp2, uint32_t flags, int64_t id, uint64_t error, void *user_data, void *stream_data);
void node_quic_stream_consumed(quic_conn_t *conn, uint32_t lane, uint64_t size);
/** Takes from the outbox what other threads put there. */
void node_quic_stream_collect(quic_conn_t *conn);
void node_quic_stream_free_all(quic_conn_t *conn);

/* ---- quic.c ---- */

void node_quic_strangers_log(node_quic_t *quic, const struct sockaddr *from, const char *what);
void node_quic_address_text(const struct sockaddr *addr, char *text, size_t cap);

static inline int64_t node_quic_now(const node_quic_t *quic)
{
	return quic->options.clock->now_ns(quic->options.clock);
}

DREAM_END_DECLS
#endif
