/* SPDX-License-Identifier: MIT */
/* fd.h: waiting for a descriptor that a module brings along. */
#ifndef NODE_IO_FD_H
#define NODE_IO_FD_H
#include "io/io.h"

DREAM_BEGIN_DECLS

/** dream_fd_wait(). [process] */
int node_fd_wait(node_proc_t *proc, int fd, uint32_t events, int64_t timeout_ms, uint32_t *ret_events);
/** dream_fd_close(). [any] */
int node_fd_close(node_t *node, int fd);
/** Answers the waits whose descriptor was closed without us with DREAM_ECLOSED. False: nobody waits. [loop] */
bool node_fd_check(node_io_t *io);
/** How many wait; for tests. [any] */
uint32_t node_fd_count(node_t *node);

DREAM_END_DECLS
#endif
