/* SPDX-License-Identifier: MIT */
/* io.h: what a node does with the world outside without holding up its schedulers: sockets and other descriptors
 * on one poller thread, blocking functions on a pool of threads. Both begin their threads when they are first needed.
 *
 * A process that waits here waits as for the answer of a call: who answers sends it one signal with the wait's
 * reference (await.h). So being killed, being late and being answered at the same time need no rules of their own. */
#ifndef NODE_IO_IO_H
#define NODE_IO_IO_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

#define NODE_IO_BLOCKING_THREADS 16u
#define NODE_IO_BLOCKING_QUEUE 1024u
#define NODE_IO_BLOCKING_IDLE_S 10u
#define NODE_IO_SOCKETS 65536u
#define NODE_IO_SOCKETS_PER_PROCESS 16384u
#define NODE_IO_BUFFERS_MIB 256u

/* 0 in any member: the default. */
typedef struct node_io_options {
	uint32_t blocking_threads; /* at most */
	uint32_t blocking_queue;   /* functions that wait for a thread, at most */
	int64_t blocking_idle_ms;  /* after which a thread without work ends */
	int64_t stop_ms;           /* how long node_io_stop() waits for functions that run; 0: 5,000 */
	uint32_t max_sockets;
	uint32_t max_sockets_per_process;
	uint64_t max_buffer_bytes; /* of all sockets together, for frames that are not whole yet */
	bool driven;               /* no poller thread: a test calls node_poller_turn() */
} node_io_options_t;

typedef struct node_io node_io_t;

/** Makes the room and installs hooks.drop_owned; no thread runs yet. Errors DREAM_ENOMEM. [boot] */
int node_io_open(node_t *node, const node_io_options_t *options);
/** Ends the poller and the pool. Functions that go on running after stop_ms are named in the log and left behind:
 *  what they need of this room stays. After the schedulers have stopped, before the process table is closed. [boot] */
void node_io_stop(node_t *node);
/** Frees everything; after the process table is closed. A node without the room is fine. [boot] */
void node_io_close(node_t *node);

/** Handles what is ready, on the calling thread; waits at most @timeout_ms for something to be. Returns the number of
 *  events. Only for driven nodes. [boot] */
int node_poller_turn(node_t *node, int timeout_ms);

DREAM_END_DECLS
#endif
