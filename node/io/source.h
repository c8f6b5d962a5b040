/* SPDX-License-Identifier: MIT */
/* source.h: what the poller may have to speak to, by number. The kernel gives back numbers, not pointers, so that an
 * event that comes after the end of what it is about finds nothing; a module's handle of a socket is such a
 * number too. */
#ifndef NODE_IO_SOURCE_H
#define NODE_IO_SOURCE_H
#include "io/io.h"

DREAM_BEGIN_DECLS

typedef struct node_source {
	uint64_t id;   /* node_proc_new_ref(); never 0 */
	uint32_t refs; /* atomic */
	int fd;        /* of the owner, under its lock */
	bool foreign;  /* a descriptor of a module's own */
	node_io_t *io;
	/** @events of epoll; 0: another turn, as node_poller_again() asked. On the poller's thread. [loop] */
	void (*on_ready)(struct node_source *source, uint32_t events);
	void (*free)(struct node_source *source);
} node_source_t;

typedef struct node_sourcetab node_sourcetab_t;

/** NULL: out of memory. [boot] */
node_sourcetab_t *node_source_tab_new(void);
/** Everything must have been removed. [boot] */
void node_source_tab_free(node_sourcetab_t *tab);

/** Makes @source findable; the table holds a reference. [any] */
void node_source_add(node_source_t *source);
/** Ends that; nothing happens if it was removed before. [any] */
void node_source_remove(node_source_t *source);
/** A reference that is yours, or NULL. [any] */
node_source_t *node_source_find_ref(node_io_t *io, uint64_t id);
node_source_t *node_source_ref(node_source_t *source);
void node_source_unref(node_source_t *source);
/** How many there are; for tests. [any] */
uint32_t node_source_count(node_io_t *io);

DREAM_END_DECLS
#endif
