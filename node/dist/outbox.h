/* SPDX-License-Identifier: MIT */
/* outbox.h: bytes on their way from any thread to the loop that sends them, per lane. */
/* Locks in this room are pthread's, not GLib's: ThreadSanitizer sees the former only. */
#ifndef NODE_DIST_OUTBOX_H
#define NODE_DIST_OUTBOX_H
#include <pthread.h>
#include <glib.h>
#include "dist/carrier.h"

DREAM_BEGIN_DECLS

typedef struct node_chunk {
	struct node_chunk *next;
	uint32_t size_bytes;
	uint32_t cap_bytes;
	uint8_t data[];
} node_chunk_t;

typedef struct node_chunks {
	node_chunk_t *head;
	node_chunk_t *tail;
} node_chunks_t;

typedef struct node_outbox {
	pthread_mutex_t lock;
	node_chunks_t lanes[NODE_CARRIER_LANES];
	uint32_t opened; /* bit per lane whose naming byte was written */
	bool closed;
	bool signalled;         /* the loop was told since it last took */
	uint64_t waiting_bytes; /* put and not acknowledged */
} node_outbox_t;

void node_outbox_init(node_outbox_t *box);
void node_outbox_fini(node_outbox_t *box);

/** Appends to a lane, all or nothing; the lane's first byte is its number.
 *  @ret_wake  the loop must be told: it was not since it last took
 *  Errors     DREAM_EBUSY  NODE_CARRIER_CAP_BYTES wait and @exempt is not set
 *             DREAM_ELIMIT NODE_CARRIER_HARD_CAP_BYTES wait: close the connection
 *             DREAM_ENOCONNECTION closed, DREAM_ENOMEM
 *  Thread     [any] */
int node_outbox_put(node_outbox_t *box, uint32_t lane, const node_carrier_part_t *parts, uint32_t n_parts,
	bool exempt, bool *ret_wake);

/** Moves what is there behind @lanes (NODE_CARRIER_LANES of them). [loop] */
void node_outbox_take(node_outbox_t *box, node_chunks_t *lanes);

/** Makes room for @size_bytes that the peer has. [loop] */
void node_outbox_acked(node_outbox_t *box, uint64_t size_bytes);

/** Later puts fail. [any] */
void node_outbox_shut(node_outbox_t *box);

uint64_t node_outbox_waiting(node_outbox_t *box);

void node_chunks_free(node_chunks_t *chunks);

DREAM_END_DECLS
#endif
