/* SPDX-License-Identifier: MIT */
/* tls.h: who we are and whom we believe: certificates, their checks, and the texts for what is wrong with them.
 *
 * A certificate's subject has OU "node" or "operator" and as CN the name; the same name stands as the URI
 * dream://NAME in its alternative names. One authority signs all of them. */
#ifndef NODE_DIST_TLS_H
#define NODE_DIST_TLS_H
#include <gnutls/gnutls.h>
#include "dist/carrier.h"

DREAM_BEGIN_DECLS

typedef struct node_tls node_tls_t;

/** Reads PEM files. @certificate and @key both NULL: we have none to show.
 *  Errors    DREAM_ECERT  a file is missing or unreadable, is not PEM, or certificate and key do not belong together
 *            DREAM_ENOMEM */
int node_tls_open(const char *authority, const char *certificate, const char *key, node_tls_t **ret_tls,
	node_diag_t *diag);

/** Checks our own certificate as a peer would: authority, time, role, name (@name NULL: any).
 *  Errors    DREAM_ECERT */
int node_tls_check_own(node_tls_t *tls, uint32_t role, const char *name, node_diag_t *diag);

/** The name in our own certificate, or "" before node_tls_check_own() has found it good. */
const char *node_tls_name_borrow(const node_tls_t *tls);

void node_tls_close(node_tls_t *tls);

/** A session for one connection; @verify is called with the peer's certificates at hand, 0 accepts them.
 *  Errors    DREAM_ENOMEM */
int node_tls_session_new(const node_tls_t *tls, bool server, gnutls_certificate_verify_function *verify,
	gnutls_session_t *ret_session);

/** Checks the certificate that the peer of @session has shown.
 *  @expect_name  what its name must be; NULL: any
 *  @expect_role  NODE_ROLE_*; 0: any of them
 *  @ret_name     NODE_NAME_MAX + 1 bytes
 *  Errors        DREAM_ECERT none shown, foreign, expired, not yet valid, of another role or name */
int node_tls_verify(const node_tls_t *tls, gnutls_session_t session, const char *expect_name,
	uint32_t expect_role, char *ret_name, uint32_t *ret_role, node_diag_t *diag);

DREAM_END_DECLS
#endif
