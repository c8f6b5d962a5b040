/* SPDX-License-Identifier: MIT */
/* heap.h: memory that belongs to a process: each block is linked to its owner and goes with it. */
#ifndef NODE_PROC_HEAP_H
#define NODE_PROC_HEAP_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/** Of a process with NODE_PROC_HEAP_LIMIT: whether it may have @more_bytes. If not it is exiting, with ["limit", "memory"]: it
 *  ends as soon as its code returns or blocks, since what that code holds must not be lost in the middle. [process] */
bool node_heap_check(node_proc_t *proc, uint64_t more_bytes);

/** A zeroed block, 16-byte aligned. NULL: out of memory or beyond the process's limit, or size 0 or beyond 2^40. [process] */
void *node_heap_alloc(node_proc_t *proc, uint64_t size_bytes);
/** The same with any content, for what is written over at once. [process] */
void *node_heap_alloc_raw(node_proc_t *proc, uint64_t size_bytes);
/** Added bytes are zero; NULL: the old block stays. [process] */
void *node_heap_resize(node_proc_t *proc, void *block, uint64_t size_bytes);
/** NULL is allowed. A block of another process, or freed before, ends the caller with ["badfree"] rather than corrupt
 *  memory where that can be seen. [process] */
void node_heap_free(node_proc_t *proc, void *block);
/** A point in time: what is allocated later can be given back as a whole. [process] */
struct node_heap_block *node_heap_mark(const node_proc_t *proc);
/** Frees every block allocated since @mark; none from before may have been freed meanwhile. [process] */
void node_heap_release_since(node_proc_t *proc, struct node_heap_block *mark);

/** The same across code of a module, which may free what it likes: the mark is a block of its own, of which only the
 *  caller knows. NULL: out of memory. Give it back with one of the next two. [process] */
void *node_heap_fence(node_proc_t *proc);
/** Frees every block allocated since @fence that is still there, and @fence. [process] */
void node_heap_release_fence(node_proc_t *proc, void *fence);
/** Frees @fence alone. [process] */
void node_heap_keep_fence(node_proc_t *proc, void *fence);

/** Takes all blocks from a process that ends; free them with the next. [sched] */
struct node_heap_block *node_heap_take(node_proc_t *proc);
/** Frees as many as *@budget says and counts it down; returns the rest. [any] */
struct node_heap_block *node_heap_free_some(struct node_heap_block *blocks, uint32_t *budget);

DREAM_END_DECLS
#endif
