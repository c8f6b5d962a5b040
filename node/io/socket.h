/* SPDX-License-Identifier: MIT */
/* socket.h: one socket: a listener or a stream. Its number is what modules hold. It belongs to a process, with whose
 * end it is closed.
 *
 * All system calls on it are made under its lock and never block; so it can be closed at any time, and its descriptor
 * is never another file's. Who cannot go on waits in one of its lists, and tries again when woken. The poller is told of
 * a socket once, when somebody first waits for it, and reports changes only (EPOLLET). */
#ifndef NODE_IO_SOCKET_H
#define NODE_IO_SOCKET_H
#include <dream/tcp.h>
#include <pthread.h>
#include "io/await.h"
#include "io/source.h"

DREAM_BEGIN_DECLS

#define NODE_SOCKET_AGAIN (-11) /* -EAGAIN: nothing can be done now */

struct node_sockop;

typedef struct node_sockops {
	struct node_sockop *first, *last;
} node_sockops_t;

typedef struct node_socket {
	node_source_t source; /* first; its fd is -1 once closed */
	node_t *node;
	pthread_mutex_t lock; /* all below */
	bool listener;
	bool polled;            /* the poller knows it */
	bool write_ended;       /* we have ended ours */
	bool broken;            /* part of a message was sent: nothing sensible can follow */
	int32_t active;         /* DREAM_TCP_PASSIVE, _ALWAYS, _ONCE, or how many messages are still wanted */
	int32_t error;          /* of TLS, for ever */
	node_sockops_t readers; /* or those who accept */
	node_sockops_t writers; /* at most one, or who connects */
	node_sockops_t turns;   /* who wants to send after `sender` */
	struct node_sockop *sender;
	struct node_secure_session *tls; /* NULL: none */
	dream_tcp_options_t options;
	/* bytes read for a frame that was not whole */
	uint8_t *rx;
	uint32_t rx_start, rx_end, rx_cap;
	uint32_t rx_seen;  /* from rx_start on: without an end of line */
	dream_pid_t owner; /* under the owners' lock too, as these */
	struct node_socket *next, *prev;
} node_socket_t;

/* What one process does with a socket; lies on its stack. */
typedef struct node_sockop {
	node_await_t await; /* first */
	node_socket_t *sock;
	int64_t deadline_ns;
	node_sockops_t *list; /* it waits in; NULL: none */
	struct node_sockop *next, *prev;
	bool partial; /* as sender: some of the message is gone */
} node_sockop_t;

/* ---- life ---- */

/** Makes a socket of @fd (taken on every path), which does not block, for the calling process.
 *  @ret_sock  a reference
 *  Errors    DREAM_ELIMIT as many sockets as the node or the process may have, DREAM_ENOMEM. [process] */
int node_socket_new_take(node_proc_t *proc, int fd, bool listener, const dream_tcp_options_t *options,
	node_socket_t **ret_sock);

/** Closes it; whoever waits is told DREAM_ECLOSED. Errors DREAM_ECLOSED it is already. [any] */
int node_socket_close(node_socket_t *sock);

/** The socket with this number and a reference, or NULL. [any] */
node_socket_t *node_socket_find_ref(node_t *node, dream_ref_t ref);
void node_socket_unref(node_socket_t *sock);
dream_ref_t node_socket_ref_of(const node_socket_t *sock);

/** Our code for a value of errno. [any] */
int node_socket_code(int error);

/* ---- operations: begin, with the lock held on success; end ---- */

/** Finds the socket and locks it; @op need not be zeroed. Errors DREAM_ECLOSED there is none. [process] */
int node_sockop_begin(node_sockop_t *op, node_proc_t *proc, dream_ref_t ref, int64_t timeout_ms);
/** The same with a reference that one has; taken on every path. Errors DREAM_ECLOSED */
int node_sockop_begin_take(node_sockop_t *op, node_proc_t *proc, node_socket_t *sock, int64_t timeout_ms);
/** Waits at the end of @list, without the lock.
 *  Returns   DREAM_OK: try again. Errors DREAM_ETIMEDOUT, DREAM_ECLOSED, DREAM_ELIMIT, DREAM_ENOMEM. [process] */
int node_sockop_wait(node_sockop_t *op, node_sockops_t *list);
/** Unlocks and drops the reference. [process] */
void node_sockop_end(node_sockop_t *op);

/** With the lock held: lets the first of a list try again; all of it. [any] */
void node_sockop_wake(node_socket_t *sock, node_sockops_t *list);
/** With the lock held: @op has the right to send, or gets it when its turn comes. Errors as of node_sockop_wait(). */
int node_sockop_take_turn(node_sockop_t *op);
/** With the lock held: the next in turn. Nothing happens if it is not @op's turn. */
void node_sockop_end_turn(node_sockop_t *op);

/* ---- bytes, with the lock held; all return NODE_SOCKET_AGAIN or an error, too ---- */

/** Returns how many; 0: the end of the stream. */
int64_t node_socket_read(node_socket_t *sock, void *buffer, uint64_t cap_bytes);
/** Returns how many were written of @head and then @data. With TLS the same is to be written after AGAIN. */
int64_t node_socket_write(
	node_socket_t *sock, const void *head, uint64_t head_bytes, const void *data, uint64_t data_bytes);
/** Tells the poller of the socket if that was not done yet. Errors DREAM_ELIMIT, DREAM_ENOMEM */
int node_socket_watch(node_socket_t *sock);

/* ---- frames (packet.c), with the lock held ---- */

/** Looks for a whole frame, reading what it needs.
 *  Returns   1: *ret_data and *ret_size, valid until the next call; 0: the end of the stream
 *  Errors    NODE_SOCKET_AGAIN, DREAM_ELIMIT larger than allowed, or no room for buffers, DREAM_EPROTO the stream ended
 *            within a frame, and those of reading */
int node_packet_next(node_socket_t *sock, const uint8_t **ret_data, uint32_t *ret_size);
/** The frame found last is done with. */
void node_packet_consume(node_socket_t *sock);
/** Takes bytes that were read already. Returns how many. */
uint32_t node_packet_take_rest(node_socket_t *sock, void *buffer, uint64_t cap_bytes);
/** Frees the buffer. */
void node_packet_fini(node_socket_t *sock);

/* ---- active mode (active.c) ---- */

/** Sends what is there to the owner as messages, as many as it wants. With the lock held. [any] */
void node_active_pump(node_socket_t *sock);

/* ---- owners (owner.c) ---- */

/** Errors DREAM_ELIMIT, DREAM_ENOMEM, DREAM_ENOPROC the process has ended. [any] */
int node_owner_add(node_socket_t *sock, dream_pid_t owner);
/** Whether @proc could be given a socket just now. Errors DREAM_ELIMIT. [process] */
int node_owner_may_add(node_proc_t *proc);
/** With the socket's lock held. [any] */
void node_owner_remove(node_socket_t *sock);
/** With the socket's lock held. Errors as of node_owner_add(); the socket keeps its owner then, or is closed soon, if @to ends. */
int node_owner_move(node_socket_t *sock, dream_pid_t to);

/* ---- what modules ask for: sdk/include/dream/tcp.h has the contracts. [process] ---- */

int node_listen(node_proc_t *proc, const dream_tcp_listen_t *how, dream_ref_t *ret_listener);
int node_listen_accept(node_proc_t *proc, dream_ref_t listener, int64_t timeout_ms, dream_ref_t *ret_socket);
int node_connect(node_proc_t *proc, const dream_tcp_connect_t *how, dream_ref_t *ret_socket);
int node_stream_recv(node_proc_t *proc, dream_ref_t socket, void *buffer, uint64_t cap_bytes,
	uint64_t least_bytes, int64_t timeout_ms, uint64_t *ret_size);
int node_stream_send(node_proc_t *proc, dream_ref_t socket, const void *data, uint64_t size_bytes,
	int64_t timeout_ms, uint64_t *ret_sent);
int node_stream_shutdown(node_proc_t *proc, dream_ref_t socket, uint32_t how);
int node_active_set(node_proc_t *proc, dream_ref_t socket, int32_t count);
int node_socket_give(node_proc_t *proc, dream_ref_t socket, dream_pid_t to);
int node_socket_set_options(node_proc_t *proc, dream_ref_t socket, const dream_tcp_options_t *options);
int node_socket_info(node_proc_t *proc, dream_ref_t socket, dream_tcp_info_t *ret_info);
int node_active_event(const node_t *node, const dream_msg_t *msg, dream_tcp_event_t *ret_event);

DREAM_END_DECLS
#endif
