/* SPDX-License-Identifier: MIT */
/* lookup.h: addresses: written out, or behind a name. */
#ifndef NODE_IO_LOOKUP_H
#define NODE_IO_LOOKUP_H
#include <netinet/in.h>
#include <sys/socket.h>
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef union node_address_in {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} node_address_in_t;

#define NODE_LOOKUP_MAX 8u        /* addresses of a name that are tried */
#define NODE_LOOKUP_NAME_MAX 255u /* bytes */

socklen_t node_lookup_size(const node_address_in_t *address);

/** Parses "127.0.0.1", "::1" or "fe80::1%eth0". False: it is none of these. [any] */
bool node_lookup_literal(const char *host, uint16_t port, node_address_in_t *ret_address);

/** All addresses of a host; a name is looked up on the pool.
 *  @ret_addresses  NODE_LOOKUP_MAX; as many as the result says
 *  Errors    DREAM_ENOHOST, DREAM_EINVAL too long or empty, and those of node_pool_run(). [process] */
int node_lookup(node_proc_t *proc, const char *host, uint16_t port, int64_t deadline_ns,
	node_address_in_t *ret_addresses);

DREAM_END_DECLS
#endif
