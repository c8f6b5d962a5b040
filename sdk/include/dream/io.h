/* SPDX-License-Identifier: MIT */
/* io.h: waiting for descriptors of one's own: pipes, sockets of a library, timerfd, inotify. For TCP there is tcp.h. */
#ifndef DREAM_IO_H
#define DREAM_IO_H
#include <dream/process.h>

DREAM_BEGIN_DECLS

#define DREAM_FD_READ 1u  /* a read would not block: data, a connection, or the end */
#define DREAM_FD_WRITE 2u /* a write would not block */
#define DREAM_FD_HANGUP                                                                                      \
	4u /* only as an answer, beside the others: the other end is gone, or the descriptor failed */

/** Waits until a descriptor is ready; the process waits, its scheduler serves others. A file on a disk is always ready:
 *  use dream_blocking() for it. The descriptor should be non-blocking, since a process that is quicker may take what
 *  was there. Nothing is left behind if the caller is killed meanwhile; the descriptor stays open.
 *  @events      DREAM_FD_READ, DREAM_FD_WRITE or both
 *  @timeout_ms  0 looks without waiting; DREAM_INFINITY
 *  @ret_events  what it is ready for: some of @events, and DREAM_FD_HANGUP
 *  Errors    DREAM_ETIMEDOUT
 *            DREAM_EBUSY     another process waits for it: one at a time
 *            DREAM_ECLOSED   it is not open, or was closed meanwhile: at once by dream_fd_close(), otherwise noticed
 *                            within about a second, or with the next wait for that number
 *            DREAM_EINVAL    a negative number, no or unknown events, or a kind of file that cannot be waited for
 *            DREAM_ELIMIT, DREAM_ENOMEM  the system's limits
 *            DREAM_EPERM     not called by a process
 *  Thread    [process] */
static inline int dream_fd_wait(int32_t fd, uint32_t events, int64_t timeout_ms, uint32_t *ret_events)
{
	return dream_host->fd_wait(fd, events, timeout_ms, ret_events);
}

/** Closes a descriptor for which somebody may be waiting: that wait ends with DREAM_ECLOSED.
 *  Errors    DREAM_ECLOSED  it is not open
 *            DREAM_EPERM    not called by a process
 *  Thread    [process] */
static inline int dream_fd_close(int32_t fd)
{
	return dream_host->fd_close(fd);
}

DREAM_END_DECLS
#endif
