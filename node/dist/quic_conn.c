/* SPDX-License-Identifier: MIT */
/* One QUIC connection: its making, ngtcp2's callbacks, and its several ends. */
#include "dist/quic_conn.h"

#include <stdio.h>
#include <string.h>

static const char *const down_early = "the connection ended before it was up";

/* ---- the carrier's side: other threads ---- */

static quic_conn_t *conn_of(node_carrier_t *carrier)
{
	return (quic_conn_t *) carrier;
}

static void mark_dirty(quic_conn_t *conn)
{
	pthread_mutex_lock(&conn->close_lock);
	node_quic_t *quic = conn->shared;
	if (quic != NULL) {
		pthread_mutex_lock(&quic->lock);
		bool first = quic->dirty == NULL;
		if (!conn->dirty) {
			conn->dirty = true;
			conn->next_dirty = quic->dirty;
			quic->dirty = conn;
		}
		pthread_mutex_unlock(&quic->lock);
		if (first && quic->options.wake != NULL)
			quic->options.wake(quic->options.wake_data);
	}
	pthread_mutex_unlock(&conn->close_lock);
}

static void carrier_close(node_carrier_t *carrier, int code, const char *reason)
{
	quic_conn_t *conn = conn_of(carrier);
	pthread_mutex_lock(&conn->close_lock);
	if (!conn->close_asked) {
		conn->close_asked = true;
		conn->close_code = code;
		g_strlcpy(conn->close_reason, reason, sizeof(conn->close_reason));
	}
	pthread_mutex_unlock(&conn->close_lock);
	mark_dirty(conn);
}

static int carrier_send(node_carrier_t *carrier, uint32_t lane, const node_carrier_part_t *parts,
	uint32_t n_parts, uint32_t flags)
{
	quic_conn_t *conn = conn_of(carrier);
	bool wake;
	int r = node_outbox_put(
		&conn->outbox, lane, parts, n_parts, (flags & NODE_CARRIER_EXEMPT) != 0, &wake);
	if (wake)
		mark_dirty(conn);
	if (r == DREAM_ELIMIT) {
		carrier_close(carrier, DREAM_ELIMIT, "too many answers wait for the peer");
		r = DREAM_ENOCONNECTION;
	}
	return r;
}

static void carrier_consumed(node_carrier_t *carrier, uint32_t lane, uint64_t size)
{
	quic_conn_t *conn = conn_of(carrier);
	if (conn->state != QUIC_UP)
		return;
	node_quic_stream_consumed(conn, lane, size);
	node_quic_conn_mark_ready(conn);
}

static void carrier_stats(node_carrier_t *carrier, node_carrier_stats_t *ret)
{
	quic_conn_t *conn = conn_of(carrier);
	ret->rtt_ns = __atomic_load_n(&conn->rtt_ns, __ATOMIC_RELAXED);
	ret->bytes_in = __atomic_load_n(&conn->bytes_in, __ATOMIC_RELAXED);
	ret->bytes_out = __atomic_load_n(&conn->bytes_out, __ATOMIC_RELAXED);
	ret->waiting_bytes = node_outbox_waiting(&conn->outbox);
}

static void carrier_free(node_carrier_t *carrier)
{
	quic_conn_t *conn = conn_of(carrier);
	node_outbox_fini(&conn->outbox);
	pthread_mutex_destroy(&conn->close_lock);
	g_free(conn);
}

static const node_carrier_ops_t carrier_ops = {.send = carrier_send,
	.consumed = carrier_consumed,
	.close = carrier_close,
	.stats = carrier_stats,
	.free = carrier_free};

/* ---- identifiers ---- */

static int add_cid(quic_conn_t *conn, const uint8_t *data, size_t size)
{
	quic_cid_t *cid = g_try_new0(quic_cid_t, 1);
	if (cid == NULL || size > sizeof(cid->data)) {
		g_free(cid);
		return DREAM_ENOMEM;
	}
	cid->size = (uint8_t) size;
	memcpy(cid->data, data, size);
	g_hash_table_replace(conn->quic->by_cid, cid, conn);
	g_ptr_array_add(conn->cids, cid);
	return DREAM_OK;
}

static bool same_cid(const quic_cid_t *a, const uint8_t *data, size_t size)
{
	return a->size == size && memcmp(a->data, data, size) == 0;
}

/* The array frees the key, so the table lets go of it first; but a key may be another connection's by now. */
static void forget_cid(quic_conn_t *conn, guint index)
{
	quic_cid_t *cid = g_ptr_array_index(conn->cids, index);
	if (g_hash_table_lookup(conn->quic->by_cid, cid) == conn)
		g_hash_table_remove(conn->quic->by_cid, cid);
	g_ptr_array_remove_index_fast(conn->cids, index);
}

/* ---- ngtcp2's callbacks ---- */

static void on_rand(uint8_t *dest, size_t size, const ngtcp2_rand_ctx *ctx)
{
	node_clock_t *clock = ctx->native_handle;
	clock->random(clock, dest, size);
}

static int on_new_cid(ngtcp2_conn *ngtcp2, ngtcp2_cid *cid, uint8_t *token, size_t size, void *user_data)
{
	quic_conn_t *conn = user_data;
	node_clock_t *clock = conn->quic->options.clock;
	clock->random(clock, cid->data, size);
	cid->datalen = size;
	clock->random(clock, token, NGTCP2_STATELESS_RESET_TOKENLEN);
	return add_cid(conn, cid->data, size) < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

static int on_remove_cid(ngtcp2_conn *ngtcp2, const ngtcp2_cid *cid, void *user_data)
{
	quic_conn_t *conn = user_data;
	for (guint i = 0; i < conn->cids->len; i++)
		if (same_cid(g_ptr_array_index(conn->cids, i), cid->data, cid->datalen)) {
			forget_cid(conn, i);
			break;
		}
	return 0;
}

static void end_half_open(quic_conn_t *conn)
{
	if (conn->half_open)
		conn->quic->stats.half_open--;
	conn->half_open = false;
}

static int on_handshake_completed(ngtcp2_conn *ngtcp2, void *user_data)
{
	quic_conn_t *conn = user_data;
	if (conn->carrier.peer_role == 0) /* the check of its certificate was never called */
		return NGTCP2_ERR_CALLBACK_FAILURE;
	conn->state = QUIC_UP;
	end_half_open(conn);
	conn->quic->options.events->on_up(conn->quic->options.owner, &conn->carrier);
	return 0;
}

static int on_extend_streams(ngtcp2_conn *ngtcp2, uint64_t max, void *user_data)
{
	node_quic_conn_mark_ready(user_data);
	return 0;
}

static const ngtcp2_callbacks callbacks = {
	.client_initial = ngtcp2_crypto_client_initial_cb,
	.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
	.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
	.handshake_completed = on_handshake_completed,
	.encrypt = ngtcp2_crypto_encrypt_cb,
	.decrypt = ngtcp2_crypto_decrypt_cb,
	.hp_mask = ngtcp2_crypto_hp_mask_cb,
	.recv_stream_data = node_quic_stream_on_data,
	.acked_stream_data_offset = node_quic_stream_on_acked,
	.stream_close = node_quic_stream_on_close,
	.recv_retry = ngtcp2_crypto_recv_retry_cb,
	.extend_max_local_streams_uni = on_extend_streams,
	.rand = on_rand,
	.get_new_connection_id = on_new_cid,
	.remove_connection_id = on_remove_cid,
	.update_key = ngtcp2_crypto_update_key_cb,
	.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
	.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
	.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
	.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
};

/* ---- making ---- */

static ngtcp2_conn *get_conn(ngtcp2_crypto_conn_ref *ref)
{
	return ((quic_conn_t *) ref->user_data)->ngtcp2;
}

/* GnuTLS calls it inside the handshake; not 0 ends that with an alert, and diag tells why. */
static int verify_peer(gnutls_session_t session)
{
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);
	quic_conn_t *conn = ref->user_data;
	node_carrier_t *carrier = &conn->carrier;
	const char *expect = carrier->dialled && !conn->any_name ? carrier->peer_name : NULL;
	return node_tls_verify(conn->quic->options.tls, session, expect, conn->role, carrier->peer_name,
		&carrier->peer_role, &conn->diag);
}

static bool is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return (ntohl(((const struct sockaddr_in *) addr)->sin_addr.s_addr) >> 24) == 127;
	const struct in6_addr *six = &((const struct sockaddr_in6 *) addr)->sin6_addr;
	return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}

static void fill_settings(quic_conn_t *conn, ngtcp2_settings *settings, ngtcp2_transport_params *params)
{
	node_quic_t *quic = conn->quic;
	ngtcp2_settings_default(settings);
	settings->initial_ts = (ngtcp2_tstamp) node_quic_now(quic);
	settings->cc_algo = SHIM_BBR; /* the others sink to a tenth at 1 % loss */
	settings->rand_ctx.native_handle = quic->options.clock;
	settings->max_window = 4 * QUIC_CONN_WINDOW;
	settings->max_stream_window = 4 * QUIC_LANE_WINDOW;
	if (is_loopback(
		    (struct sockaddr *) &conn->remote)) { /* probing stops at 1,444 bytes, half the speed */
		settings->max_tx_udp_payload_size = 16000;
		settings->no_tx_udp_payload_size_shaping = 1;
	}
	ngtcp2_transport_params_default(params);
	params->initial_max_data = QUIC_CONN_WINDOW;
	params->initial_max_stream_data_uni = QUIC_LANE_WINDOW;
	params->initial_max_streams_uni = NODE_CARRIER_LANES;
	params->max_idle_timeout = (ngtcp2_duration) (quic->options.idle_ms * NODE_MS);
	params->active_connection_id_limit = 4;
	params->disable_active_migration = 1;
}

static void set_remote(quic_conn_t *conn, const struct sockaddr *addr, socklen_t size)
{
	memcpy(&conn->remote, addr, size);
	conn->remote_size = size;
	node_quic_address_text(addr, conn->carrier.address, sizeof(conn->carrier.address));
}

static ngtcp2_path path_of(quic_conn_t *conn)
{
	node_quic_t *quic = conn->quic;
	ngtcp2_path path = {.local = {(struct sockaddr *) &quic->local, quic->local_size},
		.remote = {(struct sockaddr *) &conn->remote, conn->remote_size}};
	return path;
}

static void new_cid(quic_conn_t *conn, ngtcp2_cid *cid)
{
	node_clock_t *clock = conn->quic->options.clock;
	clock->random(clock, cid->data, QUIC_CID_SIZE);
	cid->datalen = QUIC_CID_SIZE;
}

static int attach_tls(quic_conn_t *conn, bool server)
{
	int r = node_tls_session_new(conn->quic->options.tls, server, verify_peer, &conn->tls);
	if (r < 0)
		return r;
	r = server ? ngtcp2_crypto_gnutls_configure_server_session(conn->tls)
		   : ngtcp2_crypto_gnutls_configure_client_session(conn->tls);
	if (r != 0)
		return DREAM_ENOMEM;
	conn->ref.get_conn = get_conn;
	conn->ref.user_data = conn;
	gnutls_session_set_ptr(conn->tls, &conn->ref);
	ngtcp2_conn_set_tls_native_handle(conn->ngtcp2, conn->tls);
	ngtcp2_conn_set_keep_alive_timeout(
		conn->ngtcp2, (ngtcp2_duration) (conn->quic->options.idle_ms * NODE_MS / 3));
	conn->state = QUIC_HANDSHAKE;
	node_quic_conn_mark_ready(conn);
	return DREAM_OK;
}

int node_quic_conn_start_client(quic_conn_t *conn, const struct sockaddr *to, socklen_t size)
{
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid scid, dcid;
	set_remote(conn, to, size);
	fill_settings(conn, &settings, &params);
	new_cid(conn, &scid);
	new_cid(conn, &dcid);
	ngtcp2_path path = path_of(conn);
	if (ngtcp2_conn_client_new(&conn->ngtcp2, &dcid, &scid, &path, NGTCP2_PROTO_VER_V1, &callbacks,
		    &settings, &params, NULL, conn) != 0)
		return DREAM_ENOMEM;
	int r = add_cid(conn, scid.data, scid.datalen);
	return r < 0 ? r : attach_tls(conn, false);
}

int node_quic_conn_start_server(
	quic_conn_t *conn, const ngtcp2_pkt_hd *hd, const struct sockaddr *from, socklen_t size)
{
	ngtcp2_settings settings;
	ngtcp2_transport_params params;
	ngtcp2_cid scid;
	set_remote(conn, from, size);
	fill_settings(conn, &settings, &params);
	shim_set_original_dcid(&params, &hd->dcid);
	new_cid(conn, &scid);
	ngtcp2_path path = path_of(conn);
	if (ngtcp2_conn_server_new(&conn->ngtcp2, &hd->scid, &scid, &path, hd->version, &callbacks, &settings,
		    &params, NULL, conn) != 0)
		return DREAM_ENOMEM;
	int r = add_cid(conn, scid.data, scid.datalen);
	if (r == DREAM_OK) /* the client uses the one it invented until it has ours */
		r = add_cid(conn, hd->dcid.data, hd->dcid.datalen);
	return r < 0 ? r : attach_tls(conn, true);
}

static void init_streams(quic_conn_t *conn)
{
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++) {
		conn->outs[i] = (quic_out_t){.stream_id = -1};
		conn->ins[i] = (quic_in_t){.stream_id = -1, .lane = -1};
	}
	conn->n_ins = 0;
}

quic_conn_t *node_quic_conn_new(node_quic_t *quic, bool dialled)
{
	quic_conn_t *conn = g_try_new0(quic_conn_t, 1);
	if (conn == NULL)
		return NULL;
	conn->carrier = (node_carrier_t){.ops = &carrier_ops, .refs = 1, .dialled = dialled};
	conn->quic = conn->shared = quic;
	conn->expiry_ns = conn->attempt_ns = NODE_FOREVER;
	conn->deadline_ns = node_quic_now(quic) + quic->options.handshake_ms * NODE_MS;
	conn->cids = g_ptr_array_new_with_free_func(g_free);
	init_streams(conn);
	node_outbox_init(&conn->outbox);
	pthread_mutex_init(&conn->close_lock, NULL);
	conn->next = quic->conns;
	if (conn->next != NULL)
		conn->next->prev = conn;
	quic->conns = conn;
	quic->stats.connections++;
	quic->next_ns = MIN(quic->next_ns, conn->deadline_ns);
	if (!dialled) {
		conn->half_open = true;
		quic->stats.half_open++;
	}
	return conn;
}

void node_quic_conn_mark_ready(quic_conn_t *conn)
{
	if (conn->ready)
		return;
	conn->ready = true;
	g_ptr_array_add(conn->quic->ready, conn);
}

void node_quic_conn_reset(quic_conn_t *conn)
{
	while (conn->cids->len > 0)
		forget_cid(conn, 0);
	if (conn->ngtcp2 != NULL)
		ngtcp2_conn_del(conn->ngtcp2);
	if (conn->tls != NULL)
		gnutls_deinit(conn->tls);
	conn->ngtcp2 = NULL;
	conn->tls = NULL;
	node_quic_stream_free_all(conn);
	init_streams(conn);
}

static void unlink_dirty(quic_conn_t *conn)
{
	node_quic_t *quic = conn->quic;
	pthread_mutex_lock(&conn->close_lock);
	conn->shared = NULL;
	pthread_mutex_unlock(&conn->close_lock);
	pthread_mutex_lock(&quic->lock);
	for (quic_conn_t **at = &quic->dirty; *at != NULL; at = &(*at)->next_dirty)
		if (*at == conn) {
			*at = conn->next_dirty;
			break;
		}
	pthread_mutex_unlock(&quic->lock);
}

void node_quic_conn_remove(quic_conn_t *conn)
{
	node_quic_t *quic = conn->quic;
	if (conn->prev != NULL)
		conn->prev->next = conn->next;
	else
		quic->conns = conn->next;
	if (conn->next != NULL)
		conn->next->prev = conn->prev;
	quic->stats.connections--;
	unlink_dirty(conn);
	node_quic_conn_reset(conn);
	g_ptr_array_free(conn->cids, TRUE);
	node_resolve_free(conn->resolve);
	node_carrier_unref(&conn->carrier);
}

/* ---- ends ---- */

static void tell_down(quic_conn_t *conn, int code, const char *reason)
{
	node_quic_t *quic = conn->quic;
	bool known = conn->state == QUIC_UP || conn->carrier.dialled;
	end_half_open(conn);
	node_outbox_shut(&conn->outbox);
	if (conn->told_down)
		return;
	conn->told_down = true;
	if (known) {
		quic->options.events->on_down(quic->options.owner, &conn->carrier, code, reason);
		return;
	}
	quic->stats.failed++;
	node_quic_strangers_log(
		quic, (struct sockaddr *) &conn->remote, reason != NULL ? reason : down_early);
}

void node_quic_conn_drop(quic_conn_t *conn, int code, const char *reason)
{
	if (conn->state == QUIC_DEAD)
		return;
	tell_down(conn, code, reason);
	conn->state = QUIC_DEAD;
	g_ptr_array_add(conn->quic->dead, conn);
}

static void send_close(quic_conn_t *conn, shim_close_t *error)
{
	ngtcp2_path_storage ps;
	ngtcp2_pkt_info pi;
	ngtcp2_path_storage_zero(&ps);
	ngtcp2_ssize n = ngtcp2_conn_write_connection_close(conn->ngtcp2, &ps.path, &pi, conn->close_packet,
		sizeof(conn->close_packet), error, (ngtcp2_tstamp) node_quic_now(conn->quic));
	conn->close_size = n > 0 ? (uint32_t) n : 0;
	if (n > 0)
		node_quic_write_datagram(conn->quic, conn->close_packet, conn->close_size,
			(struct sockaddr *) &conn->remote, conn->remote_size);
}

static void begin_closing(quic_conn_t *conn, shim_close_t *error, int code, const char *reason)
{
	if (conn->ngtcp2 == NULL ||
		(!conn->carrier.dialled && conn->state == QUIC_HANDSHAKE && !conn->heard)) {
		node_quic_conn_drop(conn, code, reason);
		return;
	}
	send_close(conn, error);
	if (conn->close_size == 0) {
		node_quic_conn_drop(conn, code, reason);
		return;
	}
	tell_down(conn, code, reason);
	conn->state = QUIC_CLOSING;
	conn->deadline_ns = node_quic_now(conn->quic) + (int64_t) (3 * ngtcp2_conn_get_pto(conn->ngtcp2));
	node_quic_conn_update_expiry(conn);
}

void node_quic_conn_close(quic_conn_t *conn, int code, const char *reason)
{
	if (conn->state >= QUIC_CLOSING)
		return;
	shim_close_t error;
	memset(&error, 0, sizeof(error));
	shim_close_app(&error, (uint64_t) (code < 0 ? -(int64_t) code : 0), reason, strlen(reason));
	begin_closing(conn, &error, code, reason);
}

/* The alerts of a peer that does not like our certificate. */
static bool is_certificate_alert(uint64_t error)
{
	uint64_t alert = error - 0x100;
	return error >= 0x100 && error < 0x200 &&
	       ((alert >= 42 && alert <= 46) || alert == 48 || alert == 49 || alert == 116);
}

static void on_closed_by_peer(quic_conn_t *conn)
{
	shim_close_t error;
	node_diag_t diag;
	memset(&error, 0, sizeof(error));
	shim_peer_close(conn->ngtcp2, &error);
	int size = (int) MIN(error.reasonlen, 400);
	const char *reason = size > 0 ? (const char *) error.reason : "";
	if (shim_close_is_app(&error)) {
		int code = error.error_code > 0 && error.error_code < 5000 ? -(int) error.error_code
									   : DREAM_ENOCONNECTION;
		node_diag_set(&diag, code, "closed by the peer: %.*s", size, reason);
	} else if (is_certificate_alert(error.error_code)) {
		node_diag_set(&diag, DREAM_ECERT, "%s refused our certificate: %.*s", conn->carrier.address,
			size,
			size > 0 ? reason
				 : gnutls_alert_get_name(
					   (gnutls_alert_description_t) (error.error_code - 0x100)));
	} else {
		node_diag_set(&diag, DREAM_ENOCONNECTION,
			"closed by the peer's transport, error 0x%llx: %.*s",
			(unsigned long long) error.error_code, size, reason);
	}
	node_quic_conn_drop(conn, diag.code, diag.text);
}

static void fail_with_alert(quic_conn_t *conn)
{
	shim_close_t error;
	uint8_t alert = ngtcp2_conn_get_tls_alert(conn->ngtcp2);
	memset(&error, 0, sizeof(error));
	if (conn->diag.code == 0 && (alert == 116 || alert == 42))
		node_diag_set(&conn->diag, DREAM_ECERT, "no certificate was sent");
	if (conn->diag.code == 0)
		node_diag_set(&conn->diag, DREAM_EPROTO, "TLS handshake failed: %s",
			alert != 0 ? gnutls_alert_get_name((gnutls_alert_description_t) alert) : "no alert");
	if (conn->diag.code == DREAM_ECERT && alert != 116)
		alert = GNUTLS_A_BAD_CERTIFICATE; /* GnuTLS knows only that the check failed, and says "internal error" */
	shim_close_alert(&error, alert, conn->diag.text, strlen(conn->diag.text));
	begin_closing(conn, &error, conn->diag.code, conn->diag.text);
}

void node_quic_conn_fail(quic_conn_t *conn, int liberr)
{
	shim_close_t error;
	if (conn->state >= QUIC_CLOSING)
		return;
	if (liberr == NGTCP2_ERR_DRAINING) {
		on_closed_by_peer(conn);
	} else if (liberr == NGTCP2_ERR_IDLE_CLOSE) {
		node_quic_conn_drop(conn, DREAM_ETIMEDOUT, "nothing was heard from the peer for too long");
	} else if (liberr == NGTCP2_ERR_DROP_CONN || liberr == NGTCP2_ERR_RETRY) {
		node_quic_conn_drop(conn, DREAM_ENOCONNECTION, down_early);
	} else if (liberr == NGTCP2_ERR_CRYPTO) {
		fail_with_alert(conn);
	} else {
		node_diag_t diag;
		memset(&error, 0, sizeof(error));
		node_diag_set(&diag, DREAM_EPROTO, "transport: %s", ngtcp2_strerror(liberr));
		shim_close_lib(&error, liberr, diag.text, strlen(diag.text));
		begin_closing(conn, &error, diag.code, diag.text);
	}
}

/* ---- packets and time ---- */

void node_quic_conn_read(
	quic_conn_t *conn, const uint8_t *data, size_t size, const struct sockaddr *from, socklen_t from_size)
{
	node_quic_t *quic = conn->quic;
	if (conn->state == QUIC_CLOSING && conn->close_resent < 16) {
		conn->close_resent++;
		node_quic_write_datagram(quic, conn->close_packet, conn->close_size, from, from_size);
	}
	if (conn->state >= QUIC_CLOSING || conn->ngtcp2 == NULL)
		return;
	ngtcp2_path path = {.local = {(struct sockaddr *) &quic->local, quic->local_size},
		.remote = {(struct sockaddr *) (uintptr_t) from, from_size}};
	ngtcp2_pkt_info pi = {0};
	__atomic_fetch_add(&conn->bytes_in, size, __ATOMIC_RELAXED);
	int r = ngtcp2_conn_read_pkt(
		conn->ngtcp2, &path, &pi, data, size, (ngtcp2_tstamp) node_quic_now(quic));
	if (r != 0) {
		conn->heard = conn->heard || r == NGTCP2_ERR_CRYPTO || r == NGTCP2_ERR_DRAINING;
		node_quic_conn_fail(conn, r);
		return;
	}
	conn->heard = true;
	node_quic_conn_mark_ready(conn);
}

void node_quic_conn_update_expiry(quic_conn_t *conn)
{
	node_quic_t *quic = conn->quic;
	int64_t due = NODE_FOREVER;
	if (conn->ngtcp2 != NULL && conn->state < QUIC_CLOSING) {
		ngtcp2_tstamp expiry = ngtcp2_conn_get_expiry(conn->ngtcp2);
		due = expiry >= (uint64_t) INT64_MAX ? NODE_FOREVER : (int64_t) expiry;
	}
	conn->expiry_ns = due;
	due = MIN(due, conn->attempt_ns);
	if (conn->state != QUIC_UP)
		due = MIN(due, conn->deadline_ns);
	quic->next_ns = MIN(quic->next_ns, due);
}
