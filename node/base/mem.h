/* SPDX-License-Identifier: MIT */
/* mem.h: the one door to the allocator on hot paths: mimalloc, or libc's malloc under sanitizers, which must
 * see every block. GLib's allocations go to libc either way. */
#ifndef NODE_BASE_MEM_H
#define NODE_BASE_MEM_H
#include <stddef.h>
#include "base/node.h"

DREAM_BEGIN_DECLS

/** All return NULL when out of memory; 16-byte aligned; release with node_mem_free. [any] */
void *node_mem_alloc(size_t size_bytes);
void *node_mem_zalloc(size_t size_bytes);
void *node_mem_realloc(void *block, size_t size_bytes);
/** Zeroed, and beginning at a pair of cache lines, for what one core writes and others should not be slowed down by: the size
 *  must be a multiple of NODE_MEM_LINES. Freed by node_mem_free(). [any] */
void *node_mem_zalloc_lines(size_t size_bytes);
#define NODE_MEM_LINES 128u
#define NODE_MEM_ALIGNED __attribute__((aligned(128)))
/** NULL is allowed; any thread may free what another allocated. [any] */
void node_mem_free(void *block);

/** Zeroed pages that take memory only when they are touched, for what is large and may never be used whole; NULL: none can be had.
 *  Freed by node_mem_unmap(), with the same size. [any] */
void *node_mem_map(size_t size_bytes);
void node_mem_unmap(void *pages, size_t size_bytes);

DREAM_END_DECLS
#endif
