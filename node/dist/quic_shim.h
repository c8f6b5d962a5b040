/* SPDX-License-Identifier: MIT */
/* quic_shim.h: ngtcp2's names of Debian 12 (0.12) and Debian 13 (1.11) under one name each; the one place that
 * knows of both. */
#ifndef NODE_DIST_QUIC_SHIM_H
#define NODE_DIST_QUIC_SHIM_H
#include <stdbool.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>

#if NGTCP2_VERSION_NUM >= 0x010000
#define SHIM_BBR NGTCP2_CC_ALGO_BBR
typedef ngtcp2_ccerr shim_close_t;
#else
#define SHIM_BBR NGTCP2_CC_ALGO_BBR2
typedef ngtcp2_connection_close_error shim_close_t;
#endif

static inline void shim_close_app(shim_close_t *e, uint64_t code, const char *reason, size_t size)
{
#if NGTCP2_VERSION_NUM >= 0x010000
	ngtcp2_ccerr_set_application_error(e, code, (const uint8_t *) reason, size);
#else
	ngtcp2_connection_close_error_set_application_error(
		e, code, (const uint8_t *) (uintptr_t) reason, size);
#endif
}

static inline void shim_close_alert(shim_close_t *e, uint8_t alert, const char *reason, size_t size)
{
#if NGTCP2_VERSION_NUM >= 0x010000
	ngtcp2_ccerr_set_tls_alert(e, alert, (const uint8_t *) reason, size);
#else
	ngtcp2_connection_close_error_set_transport_error_tls_alert(
		e, alert, (const uint8_t *) (uintptr_t) reason, size);
#endif
}

static inline void shim_close_lib(shim_close_t *e, int liberr, const char *reason, size_t size)
{
#if NGTCP2_VERSION_NUM >= 0x010000
	ngtcp2_ccerr_set_liberr(e, liberr, (const uint8_t *) reason, size);
#else
	ngtcp2_connection_close_error_set_transport_error_liberr(
		e, liberr, (const uint8_t *) (uintptr_t) reason, size);
#endif
}

/* What the peer closed with. */
static inline void shim_peer_close(ngtcp2_conn *conn, shim_close_t *ret)
{
#if NGTCP2_VERSION_NUM >= 0x010000
	*ret = *ngtcp2_conn_get_ccerr(conn);
#else
	ngtcp2_conn_get_connection_close_error(conn, ret);
#endif
}

static inline bool shim_close_is_app(const shim_close_t *e)
{
#if NGTCP2_VERSION_NUM >= 0x010000
	return e->type == NGTCP2_CCERR_TYPE_APPLICATION;
#else
	return e->type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION;
#endif
}

static inline uint64_t shim_rtt_ns(ngtcp2_conn *conn)
{
#if NGTCP2_VERSION_NUM >= 0x010000
	ngtcp2_conn_info info;
	ngtcp2_conn_get_conn_info(conn, &info);
#else
	ngtcp2_conn_stat info;
	ngtcp2_conn_get_conn_stat(conn, &info);
#endif
	return info.smoothed_rtt;
}

static inline void shim_set_original_dcid(ngtcp2_transport_params *params, const ngtcp2_cid *dcid)
{
	params->original_dcid = *dcid;
#if NGTCP2_VERSION_NUM >= 0x010000
	params->original_dcid_present = 1;
#endif
}

#endif
