/* SPDX-License-Identifier: MIT */
/* outlet.h: the console's answers over the node's network, and what the console says about it. */
#ifndef NODE_CONSOLE_OUTLET_H
#define NODE_CONSOLE_OUTLET_H
#include "console/console.h"

DREAM_BEGIN_DECLS

/* For all nodes. */
extern const node_console_out_t node_outlet_dist;

/** Connects to @peer, NAME@HOST:PORT, and logs what came of it. Errors DREAM_EINVAL, those of
 *  node_dist_connect(). [any] */
int node_outlet_connect(node_t *node, const char *peer, node_diag_t *diag);

DREAM_END_DECLS
#endif
