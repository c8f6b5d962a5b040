/* SPDX-License-Identifier: MIT */
/* pemfile.h: key and certificate files on disk: whole or not there, for their owner only, never replaced. */
#ifndef SHELL_PEMFILE_H
#define SHELL_PEMFILE_H
#include <stddef.h>
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define SHELL_PEMFILE_MAX 65536 /* bytes */

/** Makes a directory, and those above it, with mode 0700; one that exists stays as it is.
 *  Errors    DREAM_EIO
 *  Thread    [any]
 */
int shell_pemfile_make_dir(const char *dir, node_diag_t *diag);

/** Writes a new file with mode 0600: after a crash at any instant it is there whole or not at all.
 *  Errors    DREAM_EEXIST  something has that name; it is untouched
 *            DREAM_EIO
 *  Thread    [any]
 */
int shell_pemfile_create(const char *path, const void *data, size_t size_bytes, node_diag_t *diag);

/** Fails if something has that name. Errors DREAM_EEXIST. [any] */
int shell_pemfile_check_absent(const char *path, node_diag_t *diag);

/** Reads a whole file, followed by a NUL that is not counted.
 *  @ret_data  yours, g_free()
 *  Errors    DREAM_ECERT   cannot be read, or larger than SHELL_PEMFILE_MAX
 *  Thread    [any]
 */
int shell_pemfile_read(const char *path, char **ret_data, size_t *ret_size_bytes, node_diag_t *diag);

DREAM_END_DECLS
#endif
