/* SPDX-License-Identifier: MIT */
/* credentials.h: which certificate files a connection uses. */
#ifndef SHELL_CREDENTIALS_H
#define SHELL_CREDENTIALS_H
#include "shell/options.h"

DREAM_BEGIN_DECLS

typedef struct shell_credentials {
	char *authority, *certificate, *key;
} shell_credentials_t;

/** Takes the files that the options name; the rest are authority.pem, operator.pem and operator-key.pem in
 *  $DREAM_CERTS, or if that is not set in the first of ./certs and ~/.config/dream that has an authority.pem.
 *  Errors    DREAM_ECERT  a file is missing or unreadable; @diag names it and what to do
 *  Thread    [any]
 */
int shell_credentials_find(const shell_options_t *options, shell_credentials_t *ret_found, node_diag_t *diag);

void shell_credentials_fini(shell_credentials_t *credentials);

/** The directory for new certificates: $DREAM_CERTS, or "certs". Lives as long as the environment. [any] */
const char *shell_credentials_new_dir_borrow(void);

DREAM_END_DECLS
#endif
