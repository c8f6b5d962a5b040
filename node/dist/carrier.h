/* SPDX-License-Identifier: MIT */
/* carrier.h: a connection to one peer that carries ordered lanes of bytes, and the network that makes such
 * connections. QUIC is one; the tests have another, in memory, that they drive step by step. */
#ifndef NODE_DIST_CARRIER_H
#define NODE_DIST_CARRIER_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

/* Lane 0 is for the connection itself, the others for processes (DIST-O1). Between lanes there is no order. */
#define NODE_CARRIER_LANES 16u

#define NODE_ROLE_NODE 1u
#define NODE_ROLE_OPERATOR 2u

/* A message is refused while this much waits for the peer's acknowledgement. */
#define NODE_CARRIER_CAP_BYTES ((uint64_t) 8 << 20)
/* What must not be lost is let in beyond it; above this sum (the cap, the largest message that passed below it,
 * and 64 MiB of such) the connection is closed. */
#define NODE_CARRIER_HARD_CAP_BYTES ((uint64_t) 136 << 20)

#define NODE_CARRIER_EXEMPT 1u /* flag of send: answers and control */

typedef struct node_carrier node_carrier_t;
typedef struct node_network node_network_t;

typedef struct node_carrier_part {
	const void *data;
	uint64_t size_bytes;
} node_carrier_part_t;

typedef struct node_carrier_stats {
	int64_t rtt_ns; /* 0: not known yet */
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t waiting_bytes; /* handed over and not acknowledged */
} node_carrier_stats_t;

typedef struct node_carrier_ops {
	/** Appends the parts, copied, to a lane, all or nothing.
	 *  Errors DREAM_EBUSY, DREAM_ENOCONNECTION closed, DREAM_ENOMEM. [any] */
	int (*send)(node_carrier_t *carrier, uint32_t lane, const node_carrier_part_t *parts,
		uint32_t n_parts, uint32_t flags);
	/** Tells that bytes given to on_bytes were worked off, so that the peer may send as many again. [loop] */
	void (*consumed)(node_carrier_t *carrier, uint32_t lane, uint64_t size_bytes);
	/** Ends the connection and tells the peer; on_down comes later, on the loop, with @code and @reason. [any] */
	void (*close)(node_carrier_t *carrier, int code, const char *reason);
	/** [any] */
	void (*stats)(node_carrier_t *carrier, node_carrier_stats_t *ret_stats);
	/** The last reference is gone. */
	void (*free)(node_carrier_t *carrier);
} node_carrier_ops_t;

/* The part that every network's connection begins with. */
struct node_carrier {
	const node_carrier_ops_t *ops;
	uint32_t refs;      /* atomic */
	bool dialled;       /* by us */
	uint32_t peer_role; /* proven by its certificate; from on_up */
	void *user;         /* of the owner; loop only */
	char peer_name[NODE_NAME_MAX + 1];
	char address[72]; /* "127.0.0.1:4711" */
};

static inline node_carrier_t *node_carrier_ref(node_carrier_t *carrier)
{
	__atomic_fetch_add(&carrier->refs, 1, __ATOMIC_RELAXED);
	return carrier;
}

static inline void node_carrier_unref(node_carrier_t *carrier)
{
	if (carrier != NULL && __atomic_fetch_sub(&carrier->refs, 1, __ATOMIC_ACQ_REL) == 1)
		carrier->ops->free(carrier);
}

/* What a network tells the owner of its connections; all on the loop. */
typedef struct node_carrier_events {
	/** The peer has proven name and role. A carrier that was not dialled is new: user is NULL. */
	void (*on_up)(void *owner, node_carrier_t *carrier);
	/** Bytes of a lane, in order; lent. */
	void (*on_bytes)(void *owner, node_carrier_t *carrier, uint32_t lane, const uint8_t *data,
		uint64_t size_bytes);
	/** The end, once, after on_up or instead of it (of a dialled one); never for an inbound one that was not up. */
	void (*on_down)(void *owner, node_carrier_t *carrier, int code, const char *reason);
	/** Something may be due; returns when the next thing will be, NODE_FOREVER for none. NULL: nothing ever is. */
	int64_t (*on_time)(void *owner, int64_t now_ns);
} node_carrier_events_t;

typedef struct node_network_ops {
	/** Begins to deliver events. Errors DREAM_ENOMEM. [boot] */
	int (*start)(node_network_t *net, const node_carrier_events_t *events, void *owner);
	/** Begins a connection to @name at host and port; on_up or on_down follows. A reference of the carrier is the
	 *  network's until on_down has returned.
	 *  Errors DREAM_ENOMEM, DREAM_ELIMIT, DREAM_EINVAL. [loop] */
	int (*dial)(node_network_t *net, const char *name, const char *host, uint16_t port, void *user,
		node_carrier_t **ret_carrier, node_diag_t *diag);
	/** Runs @run(@data) on the loop soon; false: it has ended, nothing will run. [any] */
	bool (*post)(node_network_t *net, void (*run)(void *data), void *data);
	/** The UDP port. [any] */
	uint16_t (*port)(const node_network_t *net);
	/** Closes all connections with @reason (on_down for each), then ends the loop. [boot] */
	void (*stop)(node_network_t *net, const char *reason);
	/** [boot] */
	void (*close)(node_network_t *net);
} node_network_ops_t;

struct node_network {
	const node_network_ops_t *ops;
};

DREAM_END_DECLS
#endif
