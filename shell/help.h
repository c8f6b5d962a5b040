/* SPDX-License-Identifier: MIT */
/* help.h: what `dream` says about itself. */
#ifndef SHELL_HELP_H
#define SHELL_HELP_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

/** The text about "shell", "cert", or NULL for the overview; static. NULL: there is no such topic. [any] */
const char *shell_help_text(const char *topic);

DREAM_END_DECLS
#endif
