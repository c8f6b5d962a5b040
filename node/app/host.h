/* SPDX-License-Identifier: MIT */
/* host.h: the function table that modules call. */
#ifndef NODE_APP_HOST_H
#define NODE_APP_HOST_H
#include "base/node.h"

DREAM_BEGIN_DECLS

/** The table; constant, the same for all nodes: its functions find theirs by the calling thread. [any] */
const dream_host_t *node_host_table_borrow(void);

DREAM_END_DECLS
#endif
