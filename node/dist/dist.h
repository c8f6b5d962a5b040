/* SPDX-License-Identifier: MIT */
/* dist.h: this node among others: its peers, signals to their processes, and the operators at the door. */
#ifndef NODE_DIST_DIST_H
#define NODE_DIST_DIST_H
#include <glib.h>
#include "dist/carrier.h"
#include "proc/sig.h"

DREAM_BEGIN_DECLS

typedef struct node_dist node_dist_t;

#define NODE_DIST_NAMES_MAX 4096u /* names of nodes that this node may know in its life */

typedef struct node_dist_options {
	const char *host;      /* address to listen at; NULL: all */
	uint16_t port;         /* 0: any */
	const char *authority; /* PEM files */
	const char *certificate;
	const char *key;
	int64_t handshake_ms;    /* 0: 10 s */
	int64_t hello_ms;        /* 0: 5 s, from the end of the handshake */
	int64_t idle_ms;         /* 0: 30 s of silence lose a connection */
	uint32_t max_half_open;  /* 0: 256 handshakes at once */
	node_network_t *network; /* instead of UDP and certificates, for tests; taken */
} node_dist_options_t;

/** Reads the certificates, binds the port and installs the hooks send_remote_take, node_number, node_name_borrow.
 *  Nothing is answered yet.
 *  Errors    DREAM_ECERT, DREAM_EEXIST the port is taken, DREAM_EINVAL, DREAM_EPERM, DREAM_EIO, DREAM_ENOMEM
 *  Thread    [boot] */
int node_dist_open(node_t *node, const node_dist_options_t *options, node_diag_t *diag);
/** Starts the I/O thread. Errors DREAM_ENOMEM. [boot] */
int node_dist_start(node_t *node);
/** The UDP port that is listened at. [any] */
uint16_t node_dist_port(const node_t *node);
/** Closes all connections with a word to each peer and ends the thread. Sends fail with noconnection from then on. [boot] */
void node_dist_stop(node_t *node);
/** Forgets everything, the numbers of nodes too; nobody may hold one. [boot] */
void node_dist_close(node_t *node);

/* ---- peers ---- */

/** Called once, on the loop: DREAM_OK, or why not with a text. */
typedef void (*node_dist_on_connect_t)(void *data, int code, const char *text);

/** Connects to the node @name.
 *  @timeout_ms  for look-up, handshake and HELLO together; 0: 15 s
 *  @on_done     may be NULL; not called if this function fails
 *  Errors       DREAM_EALREADY connected, or under way; DREAM_ESELF, DREAM_EINVAL, DREAM_ELIMIT, DREAM_ENOTSTARTED,
 *               DREAM_ENOMEM
 *  Thread       [any] */
int node_dist_connect(node_t *node, const char *name, const char *host, uint16_t port, int64_t timeout_ms,
	node_dist_on_connect_t on_done, void *data, node_diag_t *diag);

/** Errors DREAM_ENOENT not connected. The end itself comes soon. [any] */
int node_dist_disconnect(node_t *node, const char *name);

typedef struct node_dist_peer {
	char name[NODE_NAME_MAX + 1];
	const char *state; /* "connecting", "greeting", "waiting", "up"; static */
	uint32_t role;     /* NODE_ROLE_*; 0: not proven yet */
	bool dialled;      /* by us */
	char address[72];
	int64_t rtt_ns;
	uint64_t bytes_in;
	uint64_t bytes_out;
	int64_t since_wall_ns; /* of this state */
} node_dist_peer_t;

/** An array of node_dist_peer_t, yours. [any] */
GArray *node_dist_list(node_t *node);

/* ---- the console's answers to operators ---- */

/** Sends a result item. @item taken.
 *  Errors    DREAM_ENOCONNECTION the operator is gone, DREAM_ENOENT no such command, DREAM_EBUSY it reads too slowly:
 *            try again later, DREAM_ENOMEM
 *  Thread    [any] */
int node_dist_console_item_take(node_t *node, uint64_t session, uint64_t id, dream_msg_t *item);

/** Ends a command. @text may be NULL. Errors DREAM_ENOCONNECTION, DREAM_ENOENT, DREAM_ENOMEM. [any] */
int node_dist_console_done(node_t *node, uint64_t session, uint64_t id, int code, const char *text);

DREAM_END_DECLS
#endif
