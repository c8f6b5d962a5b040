/* SPDX-License-Identifier: MIT */
/* local.h: the room's state, for its files. */
#ifndef NODE_IO_LOCAL_H
#define NODE_IO_LOCAL_H
#include <glib.h>
#include <pthread.h>
#include "io/io.h"
#include "io/source.h"

DREAM_BEGIN_DECLS

struct node_io {
	node_t *node;
	node_io_options_t options;
	node_sourcetab_t *sources;
	struct node_poller *poller;
	struct node_fds *fds;
	struct node_pool *pool;
	struct node_owners *owners;
	struct node_secure *secure;
	uint32_t n_sockets;    /* atomic */
	uint64_t buffer_bytes; /* atomic: of all sockets, for frames */
};

/* poller.c */
int node_poller_open(node_io_t *io);
void node_poller_stop(node_io_t *io);
void node_poller_close(node_io_t *io);
/** Puts a descriptor under the poller's eyes: its events come to @source. @events: of epoll.
 *  Errors    DREAM_EINVAL it is of a kind that cannot be waited for, DREAM_EEXIST it is there already,
 *            DREAM_ELIMIT, DREAM_ENOMEM. [any] */
int node_poller_add(node_source_t *source, int fd, uint32_t events);
/** For foreign descriptors. False: it is not there (any more): it was closed, or the number is another file's. [any] */
bool node_poller_rearm(node_source_t *source, int fd, uint32_t events);
/** For foreign descriptors; others are closed by us, which takes them out. [any] */
void node_poller_remove(node_io_t *io, int fd);
/** Lets source->on_ready run once more, after others. [any] */
void node_poller_again(node_source_t *source);
/** Makes the poller look at node_fd_check() once a second, until that returns false. [any] */
void node_poller_watch_fds(node_io_t *io);

/* fd.c */
int node_fds_open(node_io_t *io);
void node_fds_close(node_io_t *io);

/* owner.c */
int node_owners_open(node_io_t *io);
void node_owners_close(node_io_t *io);

/* secure.c */
int node_secure_open(node_io_t *io);
void node_secure_close(node_io_t *io);

DREAM_END_DECLS
#endif
