/* SPDX-License-Identifier: MIT */
/* interactive.h: the shell with a person at it: prompt, line editing, history, completion. */
#ifndef SHELL_INTERACTIVE_H
#define SHELL_INTERACTIVE_H
#include "shell/session.h"

DREAM_BEGIN_DECLS

/** Reads commands from the terminal until quit, exit or ^D. A failing command does not end it.
 *  @node_name  for the prompt
 *  Returns   an exit status
 */
int shell_interactive_run(shell_session_t *session, const char *node_name);

DREAM_END_DECLS
#endif
