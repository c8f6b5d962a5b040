/* SPDX-License-Identifier: MIT */
/* The endpoint: the socket, who a datagram is for, and what is due when. */
#include "dist/quic.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "dist/quic_conn.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#define DATAGRAM_BYTES 65536u
#define READS_PER_STEP 64u
#define ATTEMPT_NS                                                                                           \
	((int64_t) 1000 * NODE_MS) /* what one of several addresses gets before the next is tried */

void node_quic_address_text(const struct sockaddr *addr, char *text, size_t cap)
{
	char host[INET6_ADDRSTRLEN] = "?";
	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *) addr;
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, cap, "%s:%u", host, ntohs(in->sin_port));
		return;
	}
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *) addr;
	bool mapped = IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
	inet_ntop(
		mapped ? AF_INET : AF_INET6, six->sin6_addr.s6_addr + (mapped ? 12 : 0), host, sizeof(host));
	snprintf(text, cap, mapped ? "%s:%u" : "[%s]:%u", host, ntohs(six->sin6_port));
}

/* A line a second at most, however many strangers there are. */
void node_quic_strangers_log(node_quic_t *quic, const struct sockaddr *from, const char *what)
{
	char text[72];
	int64_t now = node_quic_now(quic);
	if (quic->options.node == NULL)
		return;
	if (quic->logged_ns != 0 && now - quic->logged_ns < 1000 * NODE_MS) {
		quic->unlogged++;
		return;
	}
	node_quic_address_text(from, text, sizeof(text));
	node_log(quic->options.node, DREAM_LOG_WARNING,
		"dist: from %s: %s (%llu more such since the last line)", text, what,
		(unsigned long long) quic->unlogged);
	quic->logged_ns = now;
	quic->unlogged = 0;
}

/* ---- opening ---- */

static guint hash_cid(gconstpointer key)
{
	const quic_cid_t *cid = key;
	guint hash = 2166136261u;
	for (uint8_t i = 0; i < cid->size; i++)
		hash = (hash ^ cid->data[i]) * 16777619u;
	return hash;
}

static gboolean equal_cid(gconstpointer a, gconstpointer b)
{
	const quic_cid_t *x = a, *y = b;
	return x->size == y->size && memcmp(x->data, y->data, x->size) == 0;
}

static int parse_bind(node_quic_t *quic, node_diag_t *diag)
{
	const node_quic_options_t *o = &quic->options;
	struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *list = NULL;
	char port[8];
	snprintf(port, sizeof(port), "%u", o->port);
	int r = getaddrinfo(o->host != NULL ? o->host : "::", port, &hints, &list);
	if (r != 0)
		return node_diag_set(diag, DREAM_EINVAL,
			"listen address \"%s\": %s; give an address of this machine", o->host,
			gai_strerror(r));
	memcpy(&quic->local, list->ai_addr, list->ai_addrlen);
	quic->local_size = list->ai_addrlen;
	freeaddrinfo(list);
	return DREAM_OK;
}

static void bind_any_v4(node_quic_t *quic)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(quic->options.port)};
	memcpy(&quic->local, &any, sizeof(any));
	quic->local_size = sizeof(any);
}

static void set_socket_options(node_quic_t *quic)
{
	int on = 1, off = 0, bytes = 4 << 20, probe4 = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE;
	/* All of them only make things faster or more exact; without one the rest still works. */
	(void) setsockopt(quic->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	(void) setsockopt(quic->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	(void) setsockopt(quic->fd, SOL_UDP, UDP_GRO, &on, sizeof(on));
	if (quic->local.ss_family == AF_INET6) {
		(void) setsockopt(quic->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		(void) setsockopt(quic->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6, sizeof(probe6));
	}
	(void) setsockopt(quic->fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof(probe4));
}

static int fail_bind(node_quic_t *quic, int error, node_diag_t *diag)
{
	char text[72];
	int code = error == EADDRINUSE      ? DREAM_EEXIST
		   : error == EACCES        ? DREAM_EPERM
		   : error == EADDRNOTAVAIL ? DREAM_EINVAL
					    : DREAM_EIO;
	node_quic_address_text((struct sockaddr *) &quic->local, text, sizeof(text));
	return node_diag_set(
		diag, code, "UDP %s: %s; choose another address or port", text, g_strerror(error));
}

static int open_socket(node_quic_t *quic, node_diag_t *diag)
{
	int r = parse_bind(quic, diag);
	if (r < 0)
		return r;
	quic->fd = socket(quic->local.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (quic->fd < 0 && errno == EAFNOSUPPORT &&
		quic->options.host == NULL) { /* a machine without IPv6 */
		bind_any_v4(quic);
		quic->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	}
	if (quic->fd < 0)
		return node_diag_set(diag, DREAM_EIO, "no UDP socket: %s", g_strerror(errno));
	set_socket_options(quic);
	if (bind(quic->fd, (struct sockaddr *) &quic->local, quic->local_size) != 0)
		return fail_bind(quic, errno, diag);
	quic->local_size = sizeof(quic->local);
	if (getsockname(quic->fd, (struct sockaddr *) &quic->local, &quic->local_size) != 0)
		return node_diag_set(diag, DREAM_EIO, "getsockname: %s", g_strerror(errno));
	return DREAM_OK;
}

static void set_defaults(node_quic_options_t *o)
{
	o->handshake_ms = o->handshake_ms > 0 ? o->handshake_ms : NODE_QUIC_HANDSHAKE_MS_DEFAULT;
	o->idle_ms = o->idle_ms > 0 ? o->idle_ms : NODE_QUIC_IDLE_MS_DEFAULT;
	o->max_half_open = o->max_half_open > 0 ? o->max_half_open : NODE_QUIC_HALF_OPEN_DEFAULT;
}

int node_quic_open(const node_quic_options_t *options, node_quic_t **ret_quic, node_diag_t *diag)
{
	node_quic_t *quic = g_try_new0(node_quic_t, 1);
	if (quic == NULL)
		return DREAM_ENOMEM;
	quic->options = *options;
	set_defaults(&quic->options);
	quic->fd = -1;
	quic->gso = true;
	quic->next_ns = NODE_FOREVER;
	quic->by_cid = g_hash_table_new(hash_cid, equal_cid);
	quic->ready = g_ptr_array_new();
	quic->dead = g_ptr_array_new();
	pthread_mutex_init(&quic->lock, NULL);
	quic->batch = g_try_malloc(QUIC_BATCH_BYTES + DATAGRAM_BYTES);
	quic->datagram = g_try_malloc(DATAGRAM_BYTES);
	int r = quic->batch == NULL || quic->datagram == NULL ? DREAM_ENOMEM : open_socket(quic, diag);
	if (r < 0) {
		node_quic_close(quic);
		return r;
	}
	*ret_quic = quic;
	return DREAM_OK;
}

void node_quic_set_owner(node_quic_t *quic, const node_carrier_events_t *events, void *owner)
{
	quic->options.events = events;
	quic->options.owner = owner;
}

int node_quic_fd(const node_quic_t *quic)
{
	return quic->fd;
}

uint16_t node_quic_port(const node_quic_t *quic)
{
	return quic->local.ss_family == AF_INET
		       ? ntohs(((const struct sockaddr_in *) &quic->local)->sin_port)
		       : ntohs(((const struct sockaddr_in6 *) &quic->local)->sin6_port);
}

bool node_quic_wants_write(const node_quic_t *quic)
{
	return quic->blocked;
}

void node_quic_stats(const node_quic_t *quic, node_quic_stats_t *ret_stats)
{
	*ret_stats = quic->stats;
}

/* ---- dialling ---- */

static void on_resolved(void *data)
{
	node_quic_t *quic = data;
	if (quic->options.wake != NULL)
		quic->options.wake(quic->options.wake_data);
}

static int start_attempt(quic_conn_t *conn)
{
	node_diag_t diag = {0};
	int count = node_resolve_count(conn->resolve, &diag);
	if (count < 0) {
		node_quic_conn_drop(conn, DREAM_ENOCONNECTION, diag.text);
		return count;
	}
	socklen_t size;
	const struct sockaddr *to = node_resolve_address_borrow(conn->resolve, conn->address_index, &size);
	int r = node_quic_conn_start_client(conn, to, size);
	if (r < 0) {
		node_quic_conn_drop(conn, r, "out of memory");
		return r;
	}
	bool last = ++conn->address_index >= (uint32_t) count;
	conn->attempt_ns = last ? NODE_FOREVER : node_quic_now(conn->quic) + ATTEMPT_NS;
	node_quic_conn_update_expiry(conn);
	return DREAM_OK;
}

int node_quic_dial(node_quic_t *quic, const char *name, uint32_t role, const char *host, uint16_t port,
	void *user, node_carrier_t **ret_carrier, node_diag_t *diag)
{
	node_resolve_t *resolve;
	int r = node_resolve_start(host, port, quic->local.ss_family, on_resolved, quic, &resolve, diag);
	if (r < 0)
		return r;
	quic_conn_t *conn = node_quic_conn_new(quic, true);
	if (conn == NULL) {
		node_resolve_free(resolve);
		return DREAM_ENOMEM;
	}
	conn->resolve = resolve;
	conn->role = role;
	conn->port = port;
	conn->any_name = name == NULL;
	conn->carrier.user = user;
	g_strlcpy(conn->carrier.peer_name, name != NULL ? name : "", sizeof(conn->carrier.peer_name));
	snprintf(conn->carrier.address, sizeof(conn->carrier.address), "%.60s:%u", host, port);
	*ret_carrier = &conn->carrier;
	quic->next_ns =
		0; /* the next step looks whether it is resolved, so on_down never comes before our return */
	return DREAM_OK;
}

/* ---- datagrams ---- */

static void send_version_negotiation(
	node_quic_t *quic, const ngtcp2_version_cid *vc, const struct sockaddr *to, socklen_t to_size)
{
	static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1};
	uint8_t out[128], random = 0;
	quic->options.clock->random(quic->options.clock, &random, 1);
	ngtcp2_ssize n = ngtcp2_pkt_write_version_negotiation(
		out, sizeof(out), random, vc->scid, vc->scidlen, vc->dcid, vc->dcidlen, versions, 1);
	if (n > 0)
		node_quic_write_datagram(quic, out, (size_t) n, to, to_size);
}

static void on_garbage(node_quic_t *quic, const struct sockaddr *from)
{
	quic->stats.garbage++;
	node_quic_strangers_log(quic, from, "a datagram that is nothing of ours");
}

static quic_conn_t *accept_conn(
	node_quic_t *quic, const uint8_t *data, size_t size, const struct sockaddr *from, socklen_t from_size)
{
	ngtcp2_pkt_hd hd;
	if (!quic->options.listen || ngtcp2_accept(&hd, data, size) != 0) {
		on_garbage(quic, from);
		return NULL;
	}
	if (quic->stats.half_open >= quic->options.max_half_open) {
		quic->stats.refused++;
		node_quic_strangers_log(quic, from, "too many handshakes at once; this one is ignored");
		return NULL;
	}
	quic_conn_t *conn = node_quic_conn_new(quic, false);
	if (conn != NULL && node_quic_conn_start_server(conn, &hd, from, from_size) < 0) {
		node_quic_conn_drop(conn, DREAM_ENOMEM, "out of memory");
		return NULL;
	}
	return conn;
}

static void on_packet(
	node_quic_t *quic, const uint8_t *data, size_t size, const struct sockaddr *from, socklen_t from_size)
{
	ngtcp2_version_cid vc;
	int r = ngtcp2_pkt_decode_version_cid(&vc, data, size, QUIC_CID_SIZE);
	if (r == NGTCP2_ERR_VERSION_NEGOTIATION && quic->options.listen && size >= 1200) {
		send_version_negotiation(quic, &vc, from, from_size);
		return;
	}
	if (r != 0 || vc.dcidlen > NGTCP2_MAX_CIDLEN) {
		on_garbage(quic, from);
		return;
	}
	quic_cid_t cid = {.size = (uint8_t) vc.dcidlen};
	memcpy(cid.data, vc.dcid, vc.dcidlen);
	quic_conn_t *conn = g_hash_table_lookup(quic->by_cid, &cid);
	if (conn == NULL)
		conn = accept_conn(quic, data, size, from, from_size);
	if (conn != NULL)
		node_quic_conn_read(conn, data, size, from, from_size);
}

static size_t segment_size(struct msghdr *msg, size_t size)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			int value;
			memcpy(&value, CMSG_DATA(c), sizeof(value));
			return value > 0 ? (size_t) value : size;
		}
	return size;
}

/* One receive, perhaps of many packets; false: there is nothing left. */
static bool receive(node_quic_t *quic)
{
	struct sockaddr_storage from;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {quic->datagram, DATAGRAM_BYTES};
	struct msghdr msg = {.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(quic->fd, &msg, MSG_DONTWAIT);
	if (n < 0)
		return errno == EINTR || errno == ECONNREFUSED;
	size_t segment = segment_size(&msg, (size_t) n);
	for (size_t at = 0; at < (size_t) n; at += segment)
		on_packet(quic, quic->datagram + at, MIN(segment, (size_t) n - at), (struct sockaddr *) &from,
			msg.msg_namelen);
	return true;
}

/* ---- a step ---- */

static void on_dirty(quic_conn_t *conn)
{
	char reason[sizeof(conn->close_reason)];
	pthread_mutex_lock(&conn->close_lock);
	bool close = conn->close_asked;
	int code = conn->close_code;
	memcpy(reason, conn->close_reason, sizeof(reason));
	pthread_mutex_unlock(&conn->close_lock);
	node_quic_stream_collect(conn);
	if (close)
		node_quic_conn_close(conn, code, reason);
	else
		node_quic_conn_mark_ready(conn);
}

static void take_dirty(node_quic_t *quic)
{
	for (;;) {
		pthread_mutex_lock(&quic->lock);
		quic_conn_t *conn = quic->dirty;
		if (conn != NULL) {
			quic->dirty = conn->next_dirty;
			conn->dirty = false;
		}
		pthread_mutex_unlock(&quic->lock);
		if (conn == NULL)
			return;
		on_dirty(conn);
	}
}

static void on_deadline(quic_conn_t *conn)
{
	char text[160];
	if (conn->state == QUIC_CLOSING) {
		node_quic_conn_drop(conn, 0, "");
		return;
	}
	snprintf(text, sizeof(text),
		conn->heard ? "the handshake with %s did not end within %lld ms"
			    : "no answer from %s within %lld ms",
		conn->carrier.address, (long long) conn->quic->options.handshake_ms);
	node_quic_conn_drop(conn, DREAM_ETIMEDOUT, text);
}

static void on_time(quic_conn_t *conn, int64_t now)
{
	if (conn->state == QUIC_DEAD)
		return;
	if (conn->state == QUIC_RESOLVING && conn->resolve != NULL && node_resolve_done(conn->resolve) &&
		start_attempt(conn) < 0)
		return;
	if (conn->state != QUIC_UP && now >= conn->deadline_ns) {
		on_deadline(conn);
		return;
	}
	if (now >= conn->attempt_ns) {
		conn->attempt_ns = NODE_FOREVER;
		if (!conn->heard && conn->state == QUIC_HANDSHAKE) {
			node_quic_conn_reset(conn);
			if (start_attempt(conn) < 0)
				return;
		}
	}
	if (now >= conn->expiry_ns) {
		int r = ngtcp2_conn_handle_expiry(conn->ngtcp2, (ngtcp2_tstamp) now);
		if (r != 0) {
			node_quic_conn_fail(conn, r);
			return;
		}
		node_quic_conn_mark_ready(conn);
	}
	node_quic_conn_update_expiry(conn);
}

/* next_ns is a lower bound: it may be reached in vain, and is exact again after a look at all. */
static void on_timers(node_quic_t *quic)
{
	int64_t now = node_quic_now(quic);
	if (now < quic->next_ns)
		return;
	quic->next_ns = NODE_FOREVER;
	for (quic_conn_t *conn = quic->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		on_time(conn, now);
	}
}

static void write_ready(node_quic_t *quic)
{
	guint kept = 0;
	if (quic->blocked && !node_quic_write_flush(quic))
		return;
	for (guint i = 0; i < quic->ready->len; i++) {
		quic_conn_t *conn = g_ptr_array_index(quic->ready, i);
		if (conn->state < QUIC_CLOSING && !quic->blocked)
			node_quic_write(conn);
		conn->ready = conn->state < QUIC_CLOSING && (conn->more || quic->blocked);
		if (conn->ready)
			g_ptr_array_index(quic->ready, kept++) = conn;
	}
	g_ptr_array_set_size(quic->ready, (gint) kept);
}

static void bury(node_quic_t *quic)
{
	if (quic->dead->len == 0)
		return;
	guint kept = 0;
	for (guint i = 0; i < quic->ready->len; i++) {
		quic_conn_t *conn = g_ptr_array_index(quic->ready, i);
		if (conn->state != QUIC_DEAD)
			g_ptr_array_index(quic->ready, kept++) = conn;
	}
	g_ptr_array_set_size(quic->ready, (gint) kept);
	for (guint i = 0; i < quic->dead->len; i++)
		node_quic_conn_remove(g_ptr_array_index(quic->dead, i));
	g_ptr_array_set_size(quic->dead, 0);
}

int64_t node_quic_step(node_quic_t *quic, bool readable)
{
	const node_carrier_events_t *events = quic->options.events;
	uint32_t reads = 0;
	while (readable && reads < READS_PER_STEP && receive(quic))
		reads++;
	int64_t owner_next = events->on_time != NULL
				     ? events->on_time(quic->options.owner, node_quic_now(quic))
				     : NODE_FOREVER;
	take_dirty(quic);
	on_timers(quic);
	write_ready(quic);
	take_dirty(quic); /* ends that were found while writing */
	bury(quic);
	bool again = quic->ready->len > 0 && !quic->blocked;
	return again ? 0 : MIN(owner_next, quic->next_ns);
}

/* ---- the end ---- */

void node_quic_shutdown(node_quic_t *quic, int code, const char *reason)
{
	take_dirty(quic);
	write_ready(quic);
	for (quic_conn_t *conn = quic->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		node_quic_conn_close(conn, code, reason);
		node_quic_conn_drop(conn, code, reason);
	}
	bury(quic);
}

void node_quic_close(node_quic_t *quic)
{
	if (quic == NULL)
		return;
	for (quic_conn_t *conn = quic->conns, *next; conn != NULL; conn = next) {
		next = conn->next;
		node_outbox_shut(&conn->outbox);
		node_quic_conn_remove(conn);
	}
	if (quic->fd >= 0)
		close(quic->fd);
	g_hash_table_destroy(quic->by_cid);
	g_ptr_array_free(quic->ready, TRUE);
	g_ptr_array_free(quic->dead, TRUE);
	pthread_mutex_destroy(&quic->lock);
	g_free(quic->batch);
	g_free(quic->datagram);
	g_free(quic);
}
