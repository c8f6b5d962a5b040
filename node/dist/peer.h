/* SPDX-License-Identifier: MIT */
/* peer.h: private to the room: one connection as the node sees it, from the handshake to its loss.
 *
 * The dialler says HELLO as soon as the transport is up; the other side answers with its own when it accepts, and may
 * let it wait before. So of two connections that cross each other one is chosen before anything was sent on it. */
#ifndef NODE_DIST_PEER_H
#define NODE_DIST_PEER_H
#include <pthread.h>
#include "base/clock.h"
#include "dist/dist.h"
#include "dist/frame.h"
#include "dist/nodetab.h"
#include "dist/tls.h"

DREAM_BEGIN_DECLS

#define NODE_PEER_CALLS_MAX 1000000u
#define NODE_PEER_COMMANDS_MAX 64u

#define NODE_PEER_DIALLING 0u
#define NODE_PEER_GREETING 1u /* the transport is up, HELLO has not come */
#define NODE_PEER_WAITING 2u  /* HELLO has come; our own connection attempt decides whether it is accepted */
#define NODE_PEER_UP 3u
#define NODE_PEER_DOWN 4u

typedef struct node_peer node_peer_t;

struct node_peer {
	uint32_t refs; /* atomic */
	node_dist_t *dist;
	/* written by the loop under dist->lock */
	node_carrier_t *carrier; /* a reference; NULL until it is dialled */
	uint32_t state;
	uint32_t role;
	bool dialled;
	char name[NODE_NAME_MAX + 1];
	int64_t since_wall_ns;
	/* constant once up */
	uint32_t number; /* of a node */
	uint32_t creation;
	uint64_t session; /* of an operator */
	/* loop only */
	int64_t deadline_ns;
	node_dist_on_connect_t on_done;
	void *on_done_data;
	node_inlane_t in[NODE_CARRIER_LANES];
	uint64_t held[NODE_CARRIER_LANES]; /* bytes that were not reported as consumed */
	/* under lock */
	pthread_mutex_t lock;
	bool up;
	GHashTable *calls;    /* ref -> node_remote_call_t: ours that the peer owes an answer */
	GHashTable *commands; /* ids that we owe an end */
};

struct node_dist {
	node_t *node;
	node_network_t *net;
	node_tls_t *tls;
	int64_t hello_ns;
	pthread_mutex_t lock;
	GPtrArray *peers;                                /* every one until it is down; each a reference */
	node_peer_t *by_number[NODE_DIST_NAMES_MAX + 1]; /* the one that is up */
	GHashTable *sessions;                            /* operators that are up */
	uint64_t last_session;
	bool started;
	bool stopped;
	node_nodetab_t names;
};

extern const node_carrier_events_t node_peer_events;

/** A peer that is dialled or has come; in dist->peers. NULL: out of memory. Caller holds no lock. */
node_peer_t *node_peer_new(node_dist_t *dist, const char *name, bool dialled);
node_peer_t *node_peer_ref(node_peer_t *peer);
void node_peer_unref(node_peer_t *peer);

/** Ends a peer, at any state, once: calls are answered, commands cancelled, its carrier closed. [loop] */
void node_peer_down(node_peer_t *peer, int code, const char *reason);

/** Finds one of this name in this state; with NODE_PEER_DOWN as state any that is not down. Borrowed. [loop] */
node_peer_t *node_peer_find(node_dist_t *dist, const char *name, uint32_t state, const node_peer_t *but);

/* ---- greet.c ---- */

/** Says HELLO. [loop] */
void node_greet_send(node_peer_t *peer);
/** HELLO has come. Negative: the peer is down now; positive: it has to wait. [loop] */
int node_greet_on_hello(node_peer_t *peer, const node_frame_t *frame);
/** One attempt has ended (@name): may another that waits for it be accepted? [loop] */
void node_greet_settle(node_dist_t *dist, const char *name);
/** Works off what came before it was up. [loop] */
void node_peer_replay(node_peer_t *peer);

/* ---- remote.c: signals ---- */

typedef struct node_remote_call {
	uint64_t caller;
	dream_pid_t to;
	char *name; /* called by name, or NULL */
} node_remote_call_t;

void node_remote_call_free(gpointer call);
int node_remote_send_take(node_t *node, node_sig_t *sig);
/** Negative: the frame was not acceptable. [loop] */
int node_remote_on_frame(node_peer_t *peer, const node_frame_t *frame, node_diag_t *diag);
/** Answers calls that the peer will not answer any more. */
void node_remote_fail_calls(node_t *node, node_peer_t *peer, GHashTable *calls);

/* ---- operator.c: commands ---- */

int node_operator_on_frame(node_peer_t *peer, const node_frame_t *frame, node_diag_t *diag);
void node_operator_cancel_all(node_peer_t *peer, GHashTable *commands);

DREAM_END_DECLS
#endif
