/* SPDX-License-Identifier: MIT */
/* resolve.h: host names to addresses without waiting: a name is looked up by a short-lived thread, because libc
 * offers no other way and may take long. */
#ifndef NODE_DIST_RESOLVE_H
#define NODE_DIST_RESOLVE_H
#include <netinet/in.h>
#include <sys/socket.h>
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define NODE_RESOLVE_MAX 8u

typedef struct node_resolve node_resolve_t;

/** Begins. An address is done at once, without a thread.
 *  @family   AF_INET or AF_INET6 (then IPv4 comes as mapped addresses)
 *  @wake     called by the thread when it is done, never after node_resolve_free() has returned
 *  Errors    DREAM_EINVAL, DREAM_ENOMEM, DREAM_ELIMIT no thread to be had */
int node_resolve_start(const char *host, uint16_t port, int family, void (*wake)(void *data), void *data,
	node_resolve_t **ret_resolve, node_diag_t *diag);

bool node_resolve_done(node_resolve_t *resolve);

/** After done: how many addresses; negative: DREAM_ENOENT with the reason in @diag. */
int node_resolve_count(node_resolve_t *resolve, node_diag_t *diag);

/** Address @index; dies with @resolve. */
const struct sockaddr *node_resolve_address_borrow(
	node_resolve_t *resolve, uint32_t index, socklen_t *ret_size);

/** A look-up that still runs is left to itself. NULL is allowed. */
void node_resolve_free(node_resolve_t *resolve);

DREAM_END_DECLS
#endif
