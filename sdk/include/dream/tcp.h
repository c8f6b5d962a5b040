/* SPDX-License-Identifier: MIT */
/* tcp.h: TCP, over IPv4 and IPv6, with or without TLS.
 *
 *     dream_ref_t listener, conn;
 *     dream_tcp_listen_t how = {DREAM_SIZED(dream_tcp_listen_t), .host = "127.0.0.1", .port = 7000};
 *     int r = dream_tcp_listen(&how, &listener);
 *     while (r == DREAM_OK && (r = dream_tcp_accept(listener, DREAM_INFINITY, &conn)) == DREAM_OK)
 *             …                                   apps/echo has it with processes and supervisors
 *
 * A socket is a reference: a plain value, to be kept in a state or sent in a message. It belongs to the process that made it
 * and is closed when that ends, before anybody hears of the end; dream_tcp_give() gives it away. Any process of the node
 * may use it as long as it is open; afterwards every use is DREAM_ECLOSED. Sockets outlive a change of code.
 *
 * Functions wait by suspending the process; a process that is killed meanwhile leaves nothing behind. All are [process]
 * and return DREAM_EPERM elsewhere. Errors that every function on a socket may return, besides those it names:
 *     DREAM_ECLOSED     no such socket (any more), closed meanwhile, or the end of the stream
 *     DREAM_ECONNRESET  the connection broke
 *     DREAM_EIO         the system refused, for a reason without a name here
 *     DREAM_ENOMEM, DREAM_ELIMIT  out of memory; the limits of sockets, descriptors or buffered bytes */
#ifndef DREAM_TCP_H
#define DREAM_TCP_H
#include <dream/process.h>

DREAM_BEGIN_DECLS

/* dream_tcp_options_t.packet: what one receive and one send are */
#define DREAM_TCP_RAW 0u /* bytes as they come */
#define DREAM_TCP_PACKET4                                                                                    \
	1u /* frames: their size in four bytes, most significant first, then so many bytes; the size is
			      * added and taken off by the node */
#define DREAM_TCP_LINE                                                                                       \
	2u /* received are lines with their '\n'; the last may lack it. Sent is what is given */

/* dream_tcp_options_t.flags */
#define DREAM_TCP_DELAY 1u     /* let the kernel gather small writes (Nagle); by default they go at once */
#define DREAM_TCP_KEEPALIVE 2u /* let the kernel ask a silent peer whether it is there */

#define DREAM_TCP_FRAME_BYTES 1048576u /* dream_tcp_options_t.frame_bytes if that is 0 */
#define DREAM_TCP_FRAME_BYTES_MAX 67108864u

typedef struct dream_tcp_options {
	uint32_t struct_size;
	uint32_t flags;
	uint32_t packet;
	uint32_t
		frame_bytes; /* the largest frame or line that is received or sent; 0: 1 MiB; at most 64 MiB */
	uint32_t
		high_water_bytes; /* sent bytes that the kernel keeps until the peer has them; a send waits while
				    * there are more. 0: the kernel's choice */
	uint32_t reserved;
} dream_tcp_options_t;

#define DREAM_TCP_BACKLOG 1024u

typedef struct dream_tcp_listen {
	uint32_t struct_size;
	uint16_t port; /* 0: any that is free; dream_tcp_info() tells */
	uint16_t reserved;
	const char
		*host; /* an address of this machine: "0.0.0.0", "::" (IPv6 only), "::1"; NULL: "127.0.0.1" */
	uint32_t backlog;                   /* connections that wait to be accepted; 0: 1,024 */
	uint32_t flags;                     /* DREAM_TCP_EXCLUSIVE, DREAM_TCP_SHARE_PORT */
	const dream_tcp_options_t *options; /* of accepted connections; NULL: the defaults */
} dream_tcp_listen_t;

#define DREAM_TCP_EXCLUSIVE 1u /* not while connections of a former listener linger (no SO_REUSEADDR) */
#define DREAM_TCP_SHARE_PORT                                                                                 \
	2u /* with other listeners of this flag, here and in other processes of the system */

/** Listens on an address.
 *  @ret_listener  belongs to the caller
 *  Errors    DREAM_EADDRINUSE, DREAM_EADDRNOTAVAIL, DREAM_EPERM a port below 1024 without the right to it,
 *            DREAM_EINVAL the host is no address, or an unknown flag or option */
static inline int dream_tcp_listen(const dream_tcp_listen_t *how, dream_ref_t *ret_listener)
{
	return dream_host->tcp_listen(how, ret_listener);
}

/** Takes the next connection; many processes may wait at one listener and are served in turn.
 *  @ret_socket  belongs to the caller; passive
 *  Errors    DREAM_ETIMEDOUT, DREAM_EINVAL not a listener. At DREAM_ELIMIT the connection stays in the backlog: wait
 *            a little before the next attempt */
static inline int dream_tcp_accept(dream_ref_t listener, int64_t timeout_ms, dream_ref_t *ret_socket)
{
	return dream_host->tcp_accept(listener, timeout_ms, ret_socket);
}

typedef struct dream_tcp_connect {
	uint32_t struct_size;
	uint16_t port;
	uint16_t reserved;
	const char *host;   /* a name or an address; names are looked up on the pool of dream_blocking() */
	int64_t timeout_ms; /* for all of it; DREAM_INFINITY: the system's */
	const dream_tcp_options_t *options; /* NULL: the defaults */
} dream_tcp_connect_t;

/** Connects; of several addresses of a name each is tried in turn.
 *  @ret_socket  belongs to the caller; passive
 *  Errors    those of the last address: DREAM_ECONNREFUSED, DREAM_EHOSTUNREACH, DREAM_ETIMEDOUT;
 *            DREAM_ENOHOST the name is unknown, DREAM_EBUSY too many lookups wait, DREAM_EINVAL */
static inline int dream_tcp_connect(const dream_tcp_connect_t *how, dream_ref_t *ret_socket)
{
	return dream_host->tcp_connect(how, ret_socket);
}

/** Receives from a passive socket, one process at a time.
 *  @buffer    of the caller; must not lie in what another process may free
 *  @least_bytes  raw: wait for so many, 1 to @cap_bytes (1: what is there). With frames it is ignored: one frame is received
 *  @ret_size  how many bytes are in @buffer now. On DREAM_ETIMEDOUT, and at the end of the stream, raw bytes that had come
 *             are there, too. DREAM_ERANGE: how large the frame is
 *  Errors    DREAM_ETIMEDOUT, DREAM_ECLOSED the peer has ended its half and all was received,
 *            DREAM_ERANGE the frame does not fit and stays, DREAM_ELIMIT it is larger than frame_bytes,
 *            DREAM_EPROTO the stream ended within a frame, or TLS was violated,
 *            DREAM_EBUSY another process receives, or the socket is active, DREAM_EINVAL */
static inline int dream_tcp_recv(dream_ref_t socket, void *buffer, uint64_t cap_bytes, uint64_t least_bytes,
	int64_t timeout_ms, uint64_t *ret_size)
{
	return dream_host->tcp_recv(socket, buffer, cap_bytes, least_bytes, timeout_ms, ret_size);
}

/** Sends all of @data (lent); waits while the peer does not take it. What several processes send does not mingle.
 *  @ret_sent  how many bytes the kernel took; may be NULL. If a send fails or its process ends after some and before all of it,
 *             every later one is DREAM_ECONNRESET: the peer could not tell what it gets
 *  Errors    DREAM_ETIMEDOUT, DREAM_ECLOSED our half was ended, DREAM_ELIMIT larger than frame_bytes (with frames) */
static inline int dream_tcp_send(
	dream_ref_t socket, const void *data, uint64_t size_bytes, int64_t timeout_ms, uint64_t *ret_sent)
{
	return dream_host->tcp_send(socket, data, size_bytes, timeout_ms, ret_sent);
}

#define DREAM_TCP_READ 1u
#define DREAM_TCP_WRITE 2u

/** Ends one half of a stream, or both: with DREAM_TCP_WRITE the peer gets the end of the stream and we can still receive.
 *  Errors    DREAM_EINVAL, DREAM_EBUSY a send is going on */
static inline int dream_tcp_shutdown(dream_ref_t socket, uint32_t halves)
{
	return dream_host->tcp_shutdown(socket, halves);
}

/** Closes a socket, of whomever. Who waits at it is told DREAM_ECLOSED. */
static inline int dream_tcp_close(dream_ref_t socket)
{
	return dream_host->tcp_close(socket);
}

/** Makes another process of this node the owner.
 *  Errors    DREAM_EPERM not the owner's call, DREAM_EBUSY active: make it passive first, DREAM_ENOPROC, DREAM_ELIMIT
 *            the other has as many as it may; DREAM_EINVAL a process of another node */
static inline int dream_tcp_give(dream_ref_t socket, dream_pid_t to)
{
	return dream_host->tcp_give(socket, to);
}

/* dream_tcp_active() */
#define DREAM_TCP_PASSIVE 0
#define DREAM_TCP_ONCE (-1)   /* one message, then passive */
#define DREAM_TCP_ALWAYS (-2) /* no end: only for peers that one trusts, since nothing slows them down */
#define DREAM_TCP_ACTIVE_MAX 32767

/** Has received data come to the owner as messages (they are lent by dream_tcp_event()):
 *
 *     ["tcp", socket, data]            bytes, a frame or a line
 *     ["tcp_closed", socket]           the end; the socket is passive then, and one can still send
 *     ["tcp_error", socket, "ECODE"]   it broke; followed by tcp_closed
 *     ["tcp_passive", socket]          as many messages have come as were asked for
 *
 *  @count     1 to 32,767: so many more messages, in addition to those that are still to come; or one of the above
 *  Errors    DREAM_EPERM not the owner's call, DREAM_EBUSY a process receives, DREAM_EINVAL out of range, or a listener */
static inline int dream_tcp_active(dream_ref_t socket, int32_t count)
{
	return dream_host->tcp_active(socket, count);
}

#define DREAM_TCP_DATA 1u
#define DREAM_TCP_CLOSED 2u
#define DREAM_TCP_ERROR 3u
#define DREAM_TCP_NOW_PASSIVE 4u

typedef struct dream_tcp_event {
	uint32_t kind;
	int32_t error; /* DREAM_TCP_ERROR: the code */
	dream_ref_t socket;
	const uint8_t *data; /* DREAM_TCP_DATA: lent by the message */
	uint64_t size_bytes;
} dream_tcp_event_t;

/** Reads one of the messages above. Errors DREAM_EDECODE it is none */
static inline int dream_tcp_event(const dream_msg_t *msg, dream_tcp_event_t *ret_event)
{
	return dream_host->tcp_event(msg, ret_event);
}

/** Changes the options of a stream. What was read already and not yet received is cut anew. Errors DREAM_EINVAL */
static inline int dream_tcp_set_options(dream_ref_t socket, const dream_tcp_options_t *options)
{
	return dream_host->tcp_set_options(socket, options);
}

#define DREAM_TCP_HOST_BYTES 46u

typedef struct dream_tcp_info {
	uint32_t struct_size; /* of the caller's: in */
	uint32_t listening;
	dream_pid_t owner;
	uint16_t local_port;
	uint16_t peer_port;                    /* 0: a listener */
	char local_host[DREAM_TCP_HOST_BYTES]; /* an address, NUL-terminated */
	char peer_host[DREAM_TCP_HOST_BYTES];
	char protocol[32]; /* what was agreed upon by ALPN; "" without */
} dream_tcp_info_t;

/** @ret_info  its struct_size must be set. Errors DREAM_EINVAL */
static inline int dream_tcp_info(dream_ref_t socket, dream_tcp_info_t *ret_info)
{
	return dream_host->tcp_info(socket, ret_info);
}

/* ---- TLS 1.2 and 1.3 ---- */

/* dream_tls_t.flags */
#define DREAM_TLS_SERVER 1u /* we accepted the connection */
#define DREAM_TLS_UNVERIFIED                                                                                 \
	2u /* take any peer: a server that serves everybody has this, a client hardly ever */

/* Files are PEM; they are read once and again when they change. */
typedef struct dream_tls {
	uint32_t struct_size;
	uint32_t flags;
	const char *authority;   /* whose certificates are believed. NULL: those the system believes */
	const char *certificate; /* ours, with its chain; a server needs one. NULL: none */
	const char *key;
	const char *
		server_name; /* a client: what the server's certificate must be made out to. A server: NULL */
	const char *alpn;    /* what we speak, best first, separated by ',': "h2,http/1.1". NULL: not said */
	int64_t timeout_ms;  /* for the handshake */
} dream_tls_t;

/** Turns a passive raw stream, on which nothing was received beyond what belongs to it, into one with TLS. The functions
 *  above work as before. On failure the socket is closed.
 *  Errors    DREAM_ECERT  ours cannot be read or used, the peer's is missing, expired, foreign or made out to another, or it
 *            does not believe ours: dream_reason_borrow() says which (TLS 1.3 tells a client that last one with the first
 *            receive, not here)
 *            DREAM_EPROTO  no TLS, or nothing in common
 *            DREAM_ETIMEDOUT, DREAM_EBUSY, DREAM_EINVAL
 *            DREAM_EALREADY  it has TLS */
static inline int dream_tls_start(dream_ref_t socket, const dream_tls_t *how)
{
	return dream_host->tls_start(socket, how);
}

DREAM_END_DECLS
#endif
