/* SPDX-License-Identifier: MIT */
/* quic.h: one UDP socket with all its QUIC connections, inbound and dialled. It has no thread: its owner, the node's
 * loop or the blocking client, waits for the descriptor and calls. Unless said otherwise all is for that one thread. */
#ifndef NODE_DIST_QUIC_H
#define NODE_DIST_QUIC_H
#include "base/clock.h"
#include "dist/carrier.h"
#include "dist/tls.h"

DREAM_BEGIN_DECLS

typedef struct node_quic node_quic_t;

#define NODE_QUIC_HANDSHAKE_MS_DEFAULT 10000
#define NODE_QUIC_IDLE_MS_DEFAULT 30000
#define NODE_QUIC_HALF_OPEN_DEFAULT 256u

typedef struct node_quic_options {
	node_t *node; /* for the log; NULL: says nothing */
	node_clock_t *clock;
	const node_tls_t *tls; /* lent, outlives the endpoint */
	const char *host;      /* address to bind; NULL: all, IPv6 and IPv4 */
	uint16_t port;         /* 0: any */
	bool listen;           /* takes inbound connections */
	int64_t handshake_ms;  /* 0: defaults above */
	int64_t idle_ms; /* silence after which a connection is lost; a PING goes out every third of it */
	uint32_t max_half_open;
	const node_carrier_events_t *events;
	void *owner;
	void (*wake)(void *data); /* called by other threads: node_quic_step() is due */
	void *wake_data;
} node_quic_options_t;

/** Errors DREAM_EINVAL the address, DREAM_EEXIST the port is taken, DREAM_EPERM, DREAM_EIO, DREAM_ENOMEM */
int node_quic_open(const node_quic_options_t *options, node_quic_t **ret_quic, node_diag_t *diag);

/** Says who hears of events, if that was not known when it was opened. */
void node_quic_set_owner(node_quic_t *quic, const node_carrier_events_t *events, void *owner);

int node_quic_fd(const node_quic_t *quic);
uint16_t node_quic_port(const node_quic_t *quic);

/** True while the socket did not take a datagram: wait until it is writable too. */
bool node_quic_wants_write(const node_quic_t *quic);

/** See node_network_ops_t.dial. @role: what the peer must be, NODE_ROLE_*; @name NULL: any. Name look-up happens on a
 *  thread of its own. */
int node_quic_dial(node_quic_t *quic, const char *name, uint32_t role, const char *host, uint16_t port,
	void *user, node_carrier_t **ret_carrier, node_diag_t *diag);

/** Works off what came in (@readable), what was sent from other threads, and timers; returns when to call again at the
 *  latest, by options->clock. */
int64_t node_quic_step(node_quic_t *quic, bool readable);

/** Closes all connections: CONNECTION_CLOSE to each peer, on_down for each. */
void node_quic_shutdown(node_quic_t *quic, int code, const char *reason);

/** Carriers that others still hold stay valid, but dead. NULL is allowed. */
void node_quic_close(node_quic_t *quic);

typedef struct node_quic_stats {
	uint64_t garbage; /* datagrams that were nothing of ours */
	uint64_t refused; /* handshakes beyond max_half_open */
	uint64_t failed;  /* handshakes that did not come to an end */
	uint32_t half_open;
	uint32_t connections;
} node_quic_stats_t;
void node_quic_stats(const node_quic_t *quic, node_quic_stats_t *ret_stats);

DREAM_END_DECLS
#endif
