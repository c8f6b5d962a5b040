/* SPDX-License-Identifier: MIT */
/* address.h: NAME@HOST:PORT, which says both how a node is called and where it listens. */
#ifndef SHELL_ADDRESS_H
#define SHELL_ADDRESS_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define SHELL_ADDRESS_NAME_MAX 64 /* a certificate's common name holds no more (RFC 5280 appendix A.1) */

typedef struct shell_address {
	char node_name[SHELL_ADDRESS_NAME_MAX + 1]; /* "counter@::1": as in the node's certificate */
	char host[SHELL_ADDRESS_NAME_MAX + 1];      /* "::1": where to connect */
	uint16_t port;
} shell_address_t;

/** Parses "counter@127.0.0.1:9100", "counter@node7.example:9100", "counter@[::1]:9100".
 *  Errors    DREAM_EINVAL  @diag says which part is wrong and how it should look
 *  Thread    [any]
 */
int shell_address_parse(const char *text, shell_address_t *ret_address, node_diag_t *diag);

/** Checks a name for a certificate: [a-z0-9._-]+(@[A-Za-z0-9.:_-]+)?, at most SHELL_ADDRESS_NAME_MAX bytes,
 * not beginning with a dot or a dash. Such a name is also safe as a file name. Errors    DREAM_EINVAL Thread
 * [any]
 */
int shell_address_check_name(const char *name, node_diag_t *diag);

DREAM_END_DECLS
#endif
