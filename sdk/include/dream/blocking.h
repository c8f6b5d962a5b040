/* SPDX-License-Identifier: MIT */
/* blocking.h: work that blocks in the system (files, a database's library, long computations) without holding up a
 * scheduler: it runs on a thread of the node's pool, and the calling process waits.
 *
 *     typedef struct { char path[200]; int64_t size; } stat_job_t;
 *
 *     static int32_t stat_file(void *arg)
 *     {
 *             stat_job_t *job = arg;
 *             struct stat st;
 *             if (stat(job->path, &st) < 0)
 *                     return -errno;
 *             job->size = st.st_size;
 *             return DREAM_OK;
 *     }
 *     …
 *     int r = dream_blocking(stat_file, &job, sizeof(job), 5000, &result);
 *
 * Such a function is on its own: it has no process. It works on a copy of its argument, which is copied back when it has
 * returned and the caller still waits; so all that it needs lies in that struct, or is constant. Memory of processes
 * (dream_alloc()) must not be reached through it: the caller may end while the function runs. Of the SDK it may call
 * dream_log() and dream_now_ns(); all else that returns a code returns DREAM_EPERM there, what returns a pointer NULL,
 * and dream_exit() ends the function with the result DREAM_EPERM. It cannot be stopped: if its caller is killed or gives up,
 * it goes on to its end and the result is dropped; until then its generation of the module counts as in use. */
#ifndef DREAM_BLOCKING_H
#define DREAM_BLOCKING_H
#include <dream/process.h>

DREAM_BEGIN_DECLS

typedef struct dream_blocking {
	uint32_t struct_size;
	uint32_t reserved;
	int32_t (*fn)(void *arg); /* gets the copy, aligned to 16; NULL if arg_bytes is 0 */
	/* Optional. Gets the copy instead of the caller if nobody takes the result: closes and frees what `fn` opened. On any
	 * thread; must not block. */
	void (*drop)(void *arg);
	void *arg; /* lent; overwritten with the copy when `fn` has returned in time, untouched otherwise */
	uint64_t arg_bytes; /* 0 to 64 MiB */
	int64_t timeout_ms; /* DREAM_INFINITY: for ever */
} dream_blocking_t;

/** Runs how->fn on a thread of the pool and waits for it. `blocking_threads` of the node's configuration says how many
 *  run at once, `blocking_queue` how many may wait for a thread.
 *  @ret_result  what `fn` returned; may be NULL; untouched on failure
 *  Errors    DREAM_EBUSY      the queue is full; try later
 *            DREAM_ETIMEDOUT  not done in time: `fn` was not begun and never will be, or goes on for nobody
 *            DREAM_EINVAL     no function, or arg_bytes out of range
 *            DREAM_ELIMIT     the system gives no thread
 *            DREAM_ECLOSED    the node stops
 *            DREAM_ENOMEM
 *            DREAM_EPERM      not called by a process
 *  Thread    [process] */
static inline int dream_blocking_run(const dream_blocking_t *how, int32_t *ret_result)
{
	return dream_host->blocking(how, ret_result);
}

/** The same with a function that leaves nothing behind. */
static inline int dream_blocking(
	int32_t (*fn)(void *arg), void *arg, uint64_t arg_bytes, int64_t timeout_ms, int32_t *ret_result)
{
	const dream_blocking_t how = {
		(uint32_t) sizeof(dream_blocking_t), 0, fn, NULL, arg, arg_bytes, timeout_ms};
	return dream_blocking_run(&how, ret_result);
}

DREAM_END_DECLS
#endif
