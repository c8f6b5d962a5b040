/* SPDX-License-Identifier: MIT */
/* exit.h: what the program's exit status tells a script, and what a person can do about a failure. */
#ifndef SHELL_EXIT_H
#define SHELL_EXIT_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define SHELL_EXIT_OK 0
#define SHELL_EXIT_FAILED 1      /* the command failed at the node */
#define SHELL_EXIT_USAGE 2       /* the arguments of this program are wrong */
#define SHELL_EXIT_CONNECTION 3  /* nobody answers, refused, or the connection was lost */
#define SHELL_EXIT_CERTIFICATE 4 /* a certificate, ours or theirs */
#define SHELL_EXIT_SYNTAX 5      /* the line is not a command, or a term in it is none */
#define SHELL_EXIT_ABSENT 6      /* the process or name it speaks of is not there */
#define SHELL_EXIT_TIMEOUT 7     /* connected, but the command did not end in time */

/** The status for the code of a command. [any] */
int shell_exit_of_command(int code);

/** The status for the code of a failed connection attempt: a timeout is one of the connection here. [any] */
int shell_exit_of_connect(int code);

/** What to do about a code, in the imperative, for commands and for connecting; static. NULL: nothing
 *  to say. [any] */
const char *shell_exit_remedy_command(int code);
const char *shell_exit_remedy_connect(int code);

/** Prints "dream: WHAT: WHY; REMEDY" on stderr as one line, without control characters.
 *  @what     the command, file or address at fault; cut when long
 *  @why      NULL: the text of @code
 *  @remedy   NULL: none; left out too if @why brings one of its own ("…; do this")
 *  Thread    [any]
 */
void shell_exit_report(const char *what, int code, const char *why, const char *remedy);

/** The line that shell_exit_report() prints, with its newline; yours, g_free(). [any] */
char *shell_exit_line_new(const char *what, int code, const char *why, const char *remedy);

DREAM_END_DECLS
#endif
