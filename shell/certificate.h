/* SPDX-License-Identifier: MIT */
/* certificate.h: the authority of a cluster and the certificates it gives to nodes and operators.
 *
 * A certificate says who (common name and the URI dream://NAME) and in which role (organizational unit): a
 * node accepts nodes as peers and operators as shells, never one for the other. */
#ifndef SHELL_CERTIFICATE_H
#define SHELL_CERTIFICATE_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define SHELL_CERTIFICATE_NODE "node"
#define SHELL_CERTIFICATE_OPERATOR "operator"

#define SHELL_CERTIFICATE_DAYS 825            /* validity unless told */
#define SHELL_CERTIFICATE_DAYS_MAX 3650       /* also the authority's own */
#define SHELL_CERTIFICATE_BACKDATE_S (5 * 60) /* for clocks that are a little behind */

/** Makes DIR/authority.pem and DIR/authority-key.pem, and DIR if need be.
 *  Errors    DREAM_EEXIST, DREAM_EIO, DREAM_ECERT (GnuTLS refused; @diag says why)
 *  Thread    [any]
 */
int shell_certificate_make_authority(const char *dir, node_diag_t *diag);

/** Makes DIR/NAME.pem and DIR/NAME-key.pem, signed by the authority in DIR.
 *  @role         SHELL_CERTIFICATE_NODE or _OPERATOR
 *  @lifetime_s   from now; negative: expired already, for tests
 *  Errors    DREAM_EINVAL  the name or the role
 *            DREAM_ECERT   no authority there, or it is broken or expired
 *            DREAM_EEXIST, DREAM_EIO
 *  Thread    [any]
 */
int shell_certificate_issue(
	const char *dir, const char *name, const char *role, int64_t lifetime_s, node_diag_t *diag);

/** What the first certificate of a PEM file says, as lines "key value".
 *  @ret_text  yours, g_free(); safe to print
 *  Errors    DREAM_ECERT
 *  Thread    [any]
 */
int shell_certificate_show(const char *path, char **ret_text, node_diag_t *diag);

DREAM_END_DECLS
#endif
