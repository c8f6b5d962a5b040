/* SPDX-License-Identifier: MIT */
/* certcmd.h: `dream cert`: certificates from the command line. */
#ifndef SHELL_CERTCMD_H
#define SHELL_CERTCMD_H
#include "shell/options.h"

DREAM_BEGIN_DECLS

/** Does what one of the SHELL_VERB_CERT_… asks for; prints the files made, or a report. Returns an exit
 * status. [any] */
int shell_certcmd_run(const shell_options_t *options);

DREAM_END_DECLS
#endif
