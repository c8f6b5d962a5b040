/* SPDX-License-Identifier: MIT */
/* client.h: the shell's end of a connection: one node, one command at a time, no threads of its own. */
#ifndef NODE_DIST_CLIENT_H
#define NODE_DIST_CLIENT_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

typedef struct node_client node_client_t;

typedef struct node_client_options {
	const char *host; /* address or host name */
	uint16_t port;
	const char *
		node_name; /* "counter@host": must be in the node's certificate; NULL: any node of our authority */
	const char *authority;   /* PEM files */
	const char *certificate; /* with the role operator */
	const char *key;
	int64_t timeout_ms; /* for name look-up and handshake together */
} node_client_options_t;

/** Connects: UDP, QUIC v1, TLS 1.3, certificates demanded and verified on both sides.
 *  Errors    DREAM_ECERT  ours or theirs: missing, expired, foreign, of another name or role; @diag says which
 *            DREAM_ETIMEDOUT nobody answers, DREAM_ENOCONNECTION refused or lost, DREAM_EPROTO, DREAM_ENOMEM */
int node_client_open(const node_client_options_t *options, node_client_t **ret_client, node_diag_t *diag);

/** The name that the node has told; dies with the client. */
const char *node_client_node_name_borrow(const node_client_t *client);

/** One result item of a command (see docs/console.md for the forms); lent for the call. */
typedef void (*node_client_on_item_t)(void *data, const uint8_t *item, uint64_t size_bytes);

/** Runs one command line and waits for its end.
 *  @on_item   called for each result, in order
 *  @cancelled polled at least every 100 ms if not NULL; non-zero cancels the command at the node (^C)
 *  Returns    the command's own code: DREAM_OK or what the node says, with its text in @diag
 *  Errors     DREAM_ENOCONNECTION the connection was lost, DREAM_ETIMEDOUT */
int node_client_command(node_client_t *client, const char *line, int64_t timeout_ms,
	node_client_on_item_t on_item, void *data, const volatile int *cancelled, node_diag_t *diag);

/** Closes gracefully, waiting at most 200 ms; NULL is allowed. */
void node_client_close(node_client_t *client);

DREAM_END_DECLS
#endif
