/* SPDX-License-Identifier: MIT */
/* cache.h: the private folder of copies that a node maps. A file an operator may overwrite is never mapped,
 * and no name is ever used twice, since dlopen() would give the old code for it. */
#ifndef NODE_CODE_CACHE_H
#define NODE_CODE_CACHE_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define NODE_CACHE_FILE_MAX ((uint64_t) 256 << 20) /* bytes of one module file */
#define NODE_CACHE_FORMER_KEPT 4                   /* folders of ended nodes left for reading their cores */

typedef struct node_cache node_cache_t;

/* A verified copy: read-only bytes, mapped until node_cache_copy_fini(). */
typedef struct node_cache_copy {
	const void *data;
	uint64_t size_bytes;
	char sha256[65]; /* of the copy, in hex */
	char *path;      /* heap */
	bool keep;       /* else the file is removed by fini */
} node_cache_copy_t;

/** Makes a folder of its own, 0700, for this node.
 *  @parent   lent: where; made if missing, must not be writable by others. The folder stays after close for
 *            cores; all but the newest NODE_CACHE_FORMER_KEPT folders that ended nodes left are removed now.
 *            NULL: in $XDG_RUNTIME_DIR or /tmp, removed by close
 *  Errors    DREAM_EIO, DREAM_ENOMEM
 *  Thread    [any] */
int node_cache_open(const char *parent, node_cache_t **ret_cache, node_diag_t *diag);
/** NULL is allowed. [any] */
void node_cache_close(node_cache_t *cache);

/** Copies a regular file as <stem>-<number>-<begin of its SHA-256>.so, 0400, and hashes the copy.
 *  @number   makes the name unique: never given twice to one cache
 *  @ret_copy yours: node_cache_copy_fini()
 *  Errors    DREAM_ENOENT, DREAM_ELOAD (no regular file, empty, too large), DREAM_EIO, DREAM_ENOMEM; @diag
 *            begins with @path
 *  Thread    [any] */
int node_cache_add(node_cache_t *cache, const char *path, uint64_t number, node_cache_copy_t *ret_copy,
	node_diag_t *diag);
void node_cache_copy_fini(node_cache_copy_t *copy);

DREAM_END_DECLS
#endif
