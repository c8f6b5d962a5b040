/* SPDX-License-Identifier: MIT */
#include "dist/tls.h"

#include <glib.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_AES
#define HWCAP_AES (1 << 3)
#endif
#endif

#define CHAIN_MAX 8u

struct node_tls {
	gnutls_certificate_credentials_t cred;
	gnutls_x509_trust_list_t trust;
	gnutls_x509_crt_t *own;
	unsigned n_own;
	char own_name[NODE_NAME_MAX + 1];
};

/* ---- reading files ---- */

static int check_file(const char *what, const char *path, node_diag_t *diag)
{
	if (path == NULL)
		return node_diag_set(
			diag, DREAM_ECERT, "no %s file given; name one, or make one with `dream cert`", what);
	if (access(path, R_OK) == 0)
		return DREAM_OK;
	return node_diag_set(diag, DREAM_ECERT,
		"%s file %s: %s; make one with `dream cert`, or name another file", what, path,
		g_strerror(errno));
}

static int load_trust(node_tls_t *tls, const char *authority, node_diag_t *diag)
{
	int r = check_file("authority", authority, diag);
	if (r < 0)
		return r;
	r = gnutls_x509_trust_list_add_trust_file(tls->trust, authority, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	if (r <= 0)
		return node_diag_set(diag, DREAM_ECERT, "authority file %s holds no certificate: %s",
			authority, r < 0 ? gnutls_strerror(r) : "it is empty");
	/* Not told to the credentials: a server would list it in its request, and a client with a foreign certificate
	 * would then show none, which says less. */
	return DREAM_OK;
}

static int load_own(node_tls_t *tls, const char *certificate, const char *key, node_diag_t *diag)
{
	int r = check_file("certificate", certificate, diag);
	if (r == DREAM_OK)
		r = check_file("key", key, diag);
	if (r < 0)
		return r;
	r = gnutls_certificate_set_x509_key_file(tls->cred, certificate, key, GNUTLS_X509_FMT_PEM);
	if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return node_diag_set(diag, DREAM_ECERT, "key file %s does not belong to certificate file %s",
			key, certificate);
	if (r < 0)
		return node_diag_set(diag, DREAM_ECERT, "certificate file %s with key file %s: %s",
			certificate, key, gnutls_strerror(r));
	r = gnutls_certificate_get_x509_crt(tls->cred, (unsigned) r, &tls->own, &tls->n_own);
	return r < 0 ? node_diag_set(
			       diag, DREAM_ECERT, "certificate file %s: %s", certificate, gnutls_strerror(r))
		     : DREAM_OK;
}

int node_tls_open(const char *authority, const char *certificate, const char *key, node_tls_t **ret_tls,
	node_diag_t *diag)
{
	node_tls_t *tls = g_try_new0(node_tls_t, 1);
	if (tls == NULL)
		return DREAM_ENOMEM;
	int r = DREAM_OK;
	if (gnutls_certificate_allocate_credentials(&tls->cred) < 0 ||
		gnutls_x509_trust_list_init(&tls->trust, 0) < 0)
		r = node_diag_set(diag, DREAM_ENOMEM, "out of memory for certificates");
	if (r == DREAM_OK)
		r = load_trust(tls, authority, diag);
	if (r == DREAM_OK && (certificate != NULL || key != NULL))
		r = load_own(tls, certificate, key, diag);
	if (r < 0) {
		node_tls_close(tls);
		return r;
	}
	*ret_tls = tls;
	return DREAM_OK;
}

static void free_crts(gnutls_x509_crt_t *crts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(crts[i]);
}

void node_tls_close(node_tls_t *tls)
{
	if (tls == NULL)
		return;
	free_crts(tls->own, tls->n_own);
	gnutls_free(tls->own);
	if (tls->trust != NULL)
		gnutls_x509_trust_list_deinit(tls->trust, 1);
	if (tls->cred != NULL)
		gnutls_certificate_free_credentials(tls->cred);
	g_free(tls);
}

/* ---- sessions ---- */

static bool cpu_has_aes(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
	return (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#else
	return false;
#endif
}

/* Measured: AES-256-GCM moves 1,816 MB/s where the CPU has it, ChaCha20 275. */
static const char *priorities(void)
{
#define GROUPS ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:%DISABLE_TLS13_COMPAT_MODE"
	return cpu_has_aes() ? "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+"
			       "CHACHA20-POLY1305" GROUPS
			     : "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM:+"
			       "AES-256-GCM" GROUPS;
#undef GROUPS
}

int node_tls_session_new(const node_tls_t *tls, bool server, gnutls_certificate_verify_function *verify,
	gnutls_session_t *ret_session)
{
	static const gnutls_datum_t alpn = {(unsigned char *) (uintptr_t) "dream/1", 7};
	gnutls_session_t session;
	/* No tickets: a resumed session would skip the check of the certificate. */
	unsigned flags = (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS;
	if (gnutls_init(&session, flags) < 0)
		return DREAM_ENOMEM;
	if (gnutls_priority_set_direct(session, priorities(), NULL) < 0 ||
		gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->cred) < 0 ||
		gnutls_alpn_set_protocols(session, &alpn, 1, GNUTLS_ALPN_MANDATORY) < 0) {
		gnutls_deinit(session);
		return DREAM_ENOMEM;
	}
	if (server)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_function(session, verify);
	*ret_session = session;
	return DREAM_OK;
}

/* ---- checks ---- */

/* One text of the subject; "" if it is missing, too long, or holds a NUL, with which one name could pass as another. */
static void subject_text(gnutls_x509_crt_t crt, const char *oid, char *ret_text, size_t cap)
{
	size_t size = cap;
	if (gnutls_x509_crt_get_dn_by_oid(crt, oid, 0, 0, ret_text, &size) < 0 || strlen(ret_text) != size)
		ret_text[0] = '\0';
}

static bool has_uri(gnutls_x509_crt_t crt, const char *name)
{
	char want[NODE_NAME_MAX + 16], uri[NODE_NAME_MAX + 16];
	snprintf(want, sizeof(want), "dream://%s", name);
	for (unsigned i = 0; i < 16; i++) {
		size_t size = sizeof(uri);
		unsigned type, critical;
		int r = gnutls_x509_crt_get_subject_alt_name2(crt, i, uri, &size, &type, &critical);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		if (r < 0 || type != GNUTLS_SAN_URI)
			continue;
		if (size == strlen(want) && memcmp(uri, want, size) == 0)
			return true;
	}
	return false;
}

static void day_text(time_t when, char *text, size_t cap)
{
	struct tm tm;
	if (gmtime_r(&when, &tm) == NULL || strftime(text, cap, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(text, cap, "an unknown time");
}

static int check_chain(
	const node_tls_t *tls, gnutls_x509_crt_t *chain, unsigned n, const char *name, node_diag_t *diag)
{
	char day[64];
	unsigned status = 0;
	int r = gnutls_x509_trust_list_verify_crt(tls->trust, chain, n, 0, &status, NULL);
	if (r < 0)
		return node_diag_set(diag, DREAM_ECERT, "certificate of \"%s\" cannot be checked: %s", name,
			gnutls_strerror(r));
	if (status &
		(GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_CA))
		return node_diag_set(diag, DREAM_ECERT,
			"certificate of \"%s\" is of a foreign authority; both sides need certificates of "
			"the same one",
			name);
	if (status & GNUTLS_CERT_EXPIRED) {
		day_text(gnutls_x509_crt_get_expiration_time(chain[0]), day, sizeof(day));
		return node_diag_set(diag, DREAM_ECERT,
			"certificate of \"%s\" has expired (%s); issue a new one", name, day);
	}
	if (status & GNUTLS_CERT_NOT_ACTIVATED) {
		day_text(gnutls_x509_crt_get_activation_time(chain[0]), day, sizeof(day));
		return node_diag_set(diag, DREAM_ECERT,
			"certificate of \"%s\" is not yet valid (from %s); compare the clocks", name, day);
	}
	if (status != 0)
		return node_diag_set(diag, DREAM_ECERT,
			"certificate of \"%s\" is not acceptable (status 0x%x)", name, status);
	return DREAM_OK;
}

static const char *role_name(uint32_t role)
{
	return role == NODE_ROLE_OPERATOR ? "operator" : "node";
}

static int check_role(
	gnutls_x509_crt_t crt, const char *name, uint32_t expect, uint32_t *ret_role, node_diag_t *diag)
{
	char unit[64];
	subject_text(crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, unit, sizeof(unit));
	uint32_t role = strcmp(unit, "node") == 0       ? NODE_ROLE_NODE
			: strcmp(unit, "operator") == 0 ? NODE_ROLE_OPERATOR
							: 0;
	if (role == 0)
		return node_diag_set(diag, DREAM_ECERT,
			"certificate of \"%s\" has the wrong role \"%s\"; it must be node or operator", name,
			unit);
	if (expect != 0 && role != expect)
		return node_diag_set(diag, DREAM_ECERT,
			"certificate of \"%s\" has the wrong role: it is %s's, %s is needed", name,
			role_name(role), role_name(expect));
	*ret_role = role;
	return DREAM_OK;
}

static int check_name(gnutls_x509_crt_t crt, const char *name, const char *expect, node_diag_t *diag)
{
	if (name[0] == '\0')
		return node_diag_set(
			diag, DREAM_ECERT, "certificate has the wrong name: its subject has no usable CN");
	if (expect != NULL && strcmp(name, expect) != 0)
		return node_diag_set(diag, DREAM_ECERT,
			"certificate has the wrong name: \"%s\" where \"%s\" was expected", name, expect);
	if (!has_uri(crt, name))
		return node_diag_set(diag, DREAM_ECERT,
			"certificate of \"%s\" has the wrong name: dream://%s is not among its alternative "
			"names",
			name, name);
	return DREAM_OK;
}

static int check_all(const node_tls_t *tls, gnutls_x509_crt_t *chain, unsigned n, const char *expect_name,
	uint32_t expect_role, char *ret_name, uint32_t *ret_role, node_diag_t *diag)
{
	char name[NODE_NAME_MAX + 1];
	subject_text(chain[0], GNUTLS_OID_X520_COMMON_NAME, name, sizeof(name));
	int r = check_chain(tls, chain, n, name, diag);
	if (r == DREAM_OK)
		r = check_role(chain[0], name, expect_role, ret_role, diag);
	if (r == DREAM_OK)
		r = check_name(chain[0], name, expect_name, diag);
	if (r == DREAM_OK)
		memcpy(ret_name, name, sizeof(name));
	return r;
}

int node_tls_check_own(node_tls_t *tls, uint32_t role, const char *name, node_diag_t *diag)
{
	char found[NODE_NAME_MAX + 1];
	uint32_t found_role;
	if (tls->n_own == 0)
		return node_diag_set(diag, DREAM_ECERT, "no certificate of our own; name its file");
	int r = check_all(tls, tls->own, tls->n_own, name, role, found, &found_role, diag);
	if (r < 0)
		node_diag_prefix(diag, "our own");
	else
		memcpy(tls->own_name, found, sizeof(found));
	return r;
}

const char *node_tls_name_borrow(const node_tls_t *tls)
{
	return tls->own_name;
}

int node_tls_verify(const node_tls_t *tls, gnutls_session_t session, const char *expect_name,
	uint32_t expect_role, char *ret_name, uint32_t *ret_role, node_diag_t *diag)
{
	unsigned n_raw = 0, n = 0;
	gnutls_x509_crt_t chain[CHAIN_MAX];
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &n_raw);
	if (raw == NULL || n_raw == 0)
		return node_diag_set(diag, DREAM_ECERT, "no certificate was sent");
	for (int r = 0; n < MIN(n_raw, CHAIN_MAX); n++) {
		r = gnutls_x509_crt_init(&chain[n]);
		if (r < 0)
			break;
		if (gnutls_x509_crt_import(chain[n], &raw[n], GNUTLS_X509_FMT_DER) < 0) {
			gnutls_x509_crt_deinit(chain[n]);
			break;
		}
	}
	int r = n == 0 ? node_diag_set(diag, DREAM_ECERT, "the certificate that was sent cannot be read")
		       : check_all(tls, chain, n, expect_name, expect_role, ret_name, ret_role, diag);
	free_crts(chain, n);
	return r;
}
