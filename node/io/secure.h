/* SPDX-License-Identifier: MIT */
/* secure.h: TLS on a stream. Nothing of GnuTLS is seen outside of secure.c. */
#ifndef NODE_IO_SECURE_H
#define NODE_IO_SECURE_H
#include "io/socket.h"

DREAM_BEGIN_DECLS

/** dream_tls_start(). [process] */
int node_secure_start(node_proc_t *proc, dream_ref_t socket, const dream_tls_t *how);

/* With the socket's lock held; it has TLS for the first two. As node_socket_read() and node_socket_write(). */
int64_t node_secure_read(node_socket_t *sock, void *buffer, uint64_t cap_bytes);
int64_t node_secure_write(node_socket_t *sock, const void *data, uint64_t size_bytes);
/** Tells the peer that nothing follows, if that can be done at once; nothing happens without TLS. */
void node_secure_bye(node_socket_t *sock);
/** The same, and frees the session. */
void node_secure_end(node_socket_t *sock);
/** What was agreed upon, or "". */
void node_secure_protocol(const node_socket_t *sock, char *ret_text, size_t cap_bytes);

DREAM_END_DECLS
#endif
