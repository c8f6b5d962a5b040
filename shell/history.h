/* SPDX-License-Identifier: MIT */
/* history.h: the commands typed before, one per line in a file of their owner's; several shells may share it.
 */
#ifndef SHELL_HISTORY_H
#define SHELL_HISTORY_H
#include <glib.h>
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define SHELL_HISTORY_LINES_MAX 1000
#define SHELL_HISTORY_SIZE_MAX 262144 /* bytes; a longer file is shortened when it is loaded */

/** $XDG_STATE_HOME/dream/history or ~/.local/state/dream/history; yours, g_free(). [any] */
char *shell_history_path_new(void);

/** The newest lines of the file, oldest first; empty if there is no file. Lines that hold control characters,
 *  which nobody typed, are left out.
 *  @ret_lines  yours, g_ptr_array_unref()
 *  Errors    DREAM_EIO
 *  Thread    [any]
 */
int shell_history_load(const char *path, GPtrArray **ret_lines, node_diag_t *diag);

/** Appends one line; makes the file with mode 0600 and its directory with 0700.
 *  Errors    DREAM_EIO, DREAM_EINVAL (a line with control characters)
 *  Thread    [any]
 */
int shell_history_append(const char *path, const char *line, node_diag_t *diag);

DREAM_END_DECLS
#endif
