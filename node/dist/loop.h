/* SPDX-License-Identifier: MIT */
/* loop.h: the node's I/O thread: the QUIC endpoint as a network that runs by itself. */
#ifndef NODE_DIST_LOOP_H
#define NODE_DIST_LOOP_H
#include "dist/quic.h"

DREAM_BEGIN_DECLS

/** Binds the socket; nothing runs before start.
 *  @options  events, owner and wake are set by us
 *  Errors    as node_quic_open(); DREAM_ELIMIT no descriptors left
 *  Thread    [boot] */
int node_loop_open(
	node_t *node, const node_quic_options_t *options, node_network_t **ret_net, node_diag_t *diag);

DREAM_END_DECLS
#endif
