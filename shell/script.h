/* SPDX-License-Identifier: MIT */
/* script.h: commands from a file or a pipe, one per line. */
#ifndef SHELL_SCRIPT_H
#define SHELL_SCRIPT_H
#include <glib.h>
#include <stdio.h>
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define SHELL_SCRIPT_LINE_MAX 65536 /* bytes */

/** Reads the next command: without its newline and surrounding blanks; empty lines and lines that begin with
 * # are passed over.
 *  @line       replaced
 *  @line_number  counts every line read, from 1
 *  Returns   1: a command; 0: the end
 *  Errors    DREAM_ESYNTAX  longer than SHELL_SCRIPT_LINE_MAX, a NUL, or not UTF-8
 *            DREAM_EIO
 *  Thread    [any]
 */
int shell_script_next(FILE *in, GString *line, uint64_t *line_number, node_diag_t *diag);

/** True for `quit` and `exit`, which leave the shell and never reach the node. [any] */
bool shell_script_is_quit(const char *line);

DREAM_END_DECLS
#endif
