/* SPDX-License-Identifier: MIT */
/* pool.h: threads for functions that block. There are none until a function needs one, at most so many as the
 * options say, and each ends when it had nothing to do for a while. */
#ifndef NODE_IO_POOL_H
#define NODE_IO_POOL_H
#include "io/io.h"

DREAM_BEGIN_DECLS

#define NODE_POOL_ARG_MAX ((uint64_t) 64 << 20) /* bytes */

typedef struct node_pool_call {
	int32_t (*fn)(void *arg); /* gets a copy of @arg, 16-byte aligned */
	void (*drop)(void *arg);  /* NULL; for a copy whose result nobody takes; on any thread */
	void *arg;                /* lent; receives the copy back. NULL with 0 */
	uint64_t arg_bytes;
	const char *what; /* for the log; lent */
	void *keep;       /* what @fn needs: taken on every path, given to @release when it is over */
	void (*release)(void *keep); /* NULL */
} node_pool_call_t;

/** Runs a function on a thread of the pool; the process waits. If the process is killed meanwhile or the time passes, a function
 *  that has not begun never will, one that runs goes on and its result is dropped.
 *  @ret_result  what the function returned; may be NULL
 *  Errors    DREAM_EBUSY the queue is full, DREAM_ETIMEDOUT, DREAM_ELIMIT no thread can be made, DREAM_ECLOSED the node stops,
 *            DREAM_EINVAL @arg_bytes above the maximum, DREAM_ENOMEM
 *  Thread    [process] */
int node_pool_run(node_proc_t *proc, const node_pool_call_t *call, int64_t timeout_ms, int32_t *ret_result);

/* ---- within such a function ---- */

/** Ends the function of the calling thread with DREAM_EPERM as its result. NODE_CTX_BLOCKING */
DREAM_NORETURN void node_pool_leave(void);
/** One line to the log of the node, if there still is one. NODE_CTX_BLOCKING */
void node_pool_log(int32_t level, const char *text);
/** The node's clock; 0 if there is no node any more. NODE_CTX_BLOCKING */
int64_t node_pool_now_ns(void);

typedef struct node_pool_counts {
	uint32_t threads;
	uint32_t idle; /* of these */
	uint32_t queued;
} node_pool_counts_t;

/** [any] */
node_pool_counts_t node_pool_counts(node_t *node);

int node_pool_open(node_io_t *io);
void node_pool_stop(node_io_t *io);
void node_pool_close(node_io_t *io);

DREAM_END_DECLS
#endif
