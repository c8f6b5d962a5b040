/* SPDX-License-Identifier: MIT */
/* Keys are Ed25519: small, fast, without parameters to get wrong, and usable for TLS 1.3 in every GnuTLS
 * since 3.6. Every step of building a certificate can fail in GnuTLS; the builder below remembers the first
 * failure, so that the steps read as a list. */
#include "shell/certificate.h"

#include <glib.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

#include "shell/address.h"
#include "shell/pemfile.h"

#define DAY_S 86400
#define SERIAL_BYTES 16
#define KEY_ID_BYTES 20

typedef struct identity {
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
} identity_t;

static void identity_fini(identity_t *identity)
{
	if (identity->crt != NULL)
		gnutls_x509_crt_deinit(identity->crt);
	if (identity->key != NULL)
		gnutls_x509_privkey_deinit(identity->key);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(identity_t, identity_fini)

static int fail(node_diag_t *diag, const char *what, int gnutls_code)
{
	return node_diag_set(diag, DREAM_ECERT, "%s: %s", what, gnutls_strerror(gnutls_code));
}

static int identity_init(identity_t *identity, node_diag_t *diag)
{
	int r = gnutls_x509_crt_init(&identity->crt);
	if (r >= 0)
		r = gnutls_x509_privkey_init(&identity->key);
	return r < 0 ? fail(diag, "certificate", r) : DREAM_OK;
}

/* Runs a step unless an earlier one failed. */
#define STEP(r, call) ((r) = (r) < 0 ? (r) : (call))

static int set_serial(gnutls_x509_crt_t crt)
{
	uint8_t serial[SERIAL_BYTES];
	int r = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
	if (r < 0)
		return r;
	serial[0] = (serial[0] & 0x7f) | 0x40; /* positive and without a leading zero, as DER wants it */
	return gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
}

static int set_name(gnutls_x509_crt_t crt, const char *name, const char *unit)
{
	int r = gnutls_x509_crt_set_dn_by_oid(
		crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, 0, unit, (unsigned) strlen(unit));
	return STEP(r, gnutls_x509_crt_set_dn_by_oid(
			       crt, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned) strlen(name)));
}

static int set_validity(gnutls_x509_crt_t crt, int64_t lifetime_s)
{
	time_t now = time(NULL);
	time_t end = now + (time_t) lifetime_s;
	time_t begin = now - SHELL_CERTIFICATE_BACKDATE_S;
	if (begin >= end)
		begin = end - DAY_S; /* a certificate made expired, for tests, was still valid once */
	int r = gnutls_x509_crt_set_activation_time(crt, begin);
	return STEP(r, gnutls_x509_crt_set_expiration_time(crt, end));
}

/* What authorities and others have in common. */
static int set_common(const identity_t *identity, const char *name, const char *unit, int64_t lifetime_s)
{
	int r = gnutls_x509_privkey_generate(identity->key, GNUTLS_PK_EDDSA_ED25519, 256, 0);
	STEP(r, gnutls_x509_crt_set_key(identity->crt, identity->key));
	STEP(r, gnutls_x509_crt_set_version(identity->crt, 3));
	STEP(r, set_serial(identity->crt));
	STEP(r, set_name(identity->crt, name, unit));
	STEP(r, set_validity(identity->crt, lifetime_s));

	uint8_t id[64];
	size_t size = sizeof(id);
	STEP(r, gnutls_x509_crt_get_key_id(identity->crt, 0, id, &size));
	return STEP(r, gnutls_x509_crt_set_subject_key_id(identity->crt, id, KEY_ID_BYTES));
}

static int sign(const identity_t *identity, const identity_t *authority)
{
	uint8_t id[64];
	size_t size = sizeof(id);
	int r = gnutls_x509_crt_get_subject_key_id(authority->crt, id, &size, NULL);
	STEP(r, gnutls_x509_crt_set_authority_key_id(identity->crt, id, size));
	return STEP(r,
		gnutls_x509_crt_sign2(identity->crt, authority->crt, authority->key, GNUTLS_DIG_SHA512, 0));
}

static int build_authority(const identity_t *authority)
{
	uint8_t salt[4];
	char name[32];
	int r = gnutls_rnd(GNUTLS_RND_NONCE, salt, sizeof(salt));
	/* Two authorities never share a name, so that a foreign certificate is told from a forged one. */
	g_snprintf(
		name, sizeof(name), "dream authority %02x%02x%02x%02x", salt[0], salt[1], salt[2], salt[3]);
	STEP(r, set_common(authority, name, "authority", (int64_t) SHELL_CERTIFICATE_DAYS_MAX * DAY_S));
	STEP(r, gnutls_x509_crt_set_basic_constraints(authority->crt, 1, 0));
	STEP(r, gnutls_x509_crt_set_key_usage(
			authority->crt, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN));
	return STEP(r, sign(authority, authority));
}

static int build_leaf(const identity_t *leaf, const char *name, const char *role, int64_t lifetime_s)
{
	g_autofree char *uri = g_strdup_printf("dream://%s", name);
	int r = set_common(leaf, name, role, lifetime_s);
	STEP(r, gnutls_x509_crt_set_basic_constraints(leaf->crt, 0, -1));
	STEP(r, gnutls_x509_crt_set_key_usage(leaf->crt, GNUTLS_KEY_DIGITAL_SIGNATURE));
	STEP(r, gnutls_x509_crt_set_key_purpose_oid(leaf->crt, GNUTLS_KP_TLS_WWW_SERVER, 0));
	STEP(r, gnutls_x509_crt_set_key_purpose_oid(leaf->crt, GNUTLS_KP_TLS_WWW_CLIENT, 0));
	return STEP(r, gnutls_x509_crt_set_subject_alt_name(
			       leaf->crt, GNUTLS_SAN_URI, uri, (unsigned) strlen(uri), GNUTLS_FSAN_SET));
}

static int write_key(const identity_t *identity, const char *path, node_diag_t *diag)
{
	gnutls_datum_t pem;
	int r = gnutls_x509_privkey_export2_pkcs8(
		identity->key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &pem);
	if (r < 0)
		return fail(diag, path, r);
	r = shell_pemfile_create(path, pem.data, pem.size, diag);
	gnutls_memset(pem.data, 0, pem.size);
	gnutls_free(pem.data);
	return r;
}

static int write_certificate(const identity_t *identity, const char *path, node_diag_t *diag)
{
	gnutls_datum_t pem;
	int r = gnutls_x509_crt_export2(identity->crt, GNUTLS_X509_FMT_PEM, &pem);
	if (r < 0)
		return fail(diag, path, r);
	r = shell_pemfile_create(path, pem.data, pem.size, diag);
	gnutls_free(pem.data);
	return r;
}

typedef struct paths {
	char *certificate, *key;
} paths_t;

static paths_t paths_new(const char *dir, const char *name)
{
	return (paths_t){
		g_strdup_printf("%s/%s.pem", dir, name), g_strdup_printf("%s/%s-key.pem", dir, name)};
}

static void paths_fini(paths_t *paths)
{
	g_free(paths->certificate);
	g_free(paths->key);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(paths_t, paths_fini)

/* Both files or neither, short of a crash; after one, the key alone is harmless and the message names it. */
static int write_both(const identity_t *identity, const paths_t *paths, node_diag_t *diag)
{
	int r = shell_pemfile_check_absent(paths->certificate, diag);
	if (r == DREAM_OK)
		r = write_key(identity, paths->key, diag);
	if (r < 0)
		return r;
	r = write_certificate(identity, paths->certificate, diag);
	if (r < 0)
		remove(paths->key);
	return r;
}

int shell_certificate_make_authority(const char *dir, node_diag_t *diag)
{
	g_auto(paths_t) paths = paths_new(dir, "authority");
	g_auto(identity_t) authority = {NULL, NULL};
	int r = shell_pemfile_make_dir(dir, diag);
	if (r == DREAM_OK)
		r = shell_pemfile_check_absent(paths.certificate, diag);
	if (r == DREAM_OK)
		r = identity_init(&authority, diag);
	if (r < 0)
		return r;
	int built = build_authority(&authority);
	return built < 0 ? fail(diag, paths.certificate, built) : write_both(&authority, &paths, diag);
}

static int load_datum(const char *path, gnutls_datum_t *ret_pem, node_diag_t *diag)
{
	char *data;
	size_t size;
	int r = shell_pemfile_read(path, &data, &size, diag);
	if (r == DREAM_OK)
		*ret_pem = (gnutls_datum_t){(unsigned char *) data, (unsigned) size};
	return r;
}

static int load_certificate(const char *path, gnutls_x509_crt_t crt, node_diag_t *diag)
{
	gnutls_datum_t pem;
	int r = load_datum(path, &pem, diag);
	if (r < 0)
		return r;
	r = gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM);
	g_free(pem.data);
	return r < 0 ? fail(diag, path, r) : DREAM_OK;
}

static int load_key(const char *path, gnutls_x509_privkey_t key, node_diag_t *diag)
{
	gnutls_datum_t pem;
	int r = load_datum(path, &pem, diag);
	if (r < 0)
		return r;
	r = gnutls_x509_privkey_import2(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(pem.data, 0, pem.size);
	g_free(pem.data);
	return r < 0 ? fail(diag, path, r) : DREAM_OK;
}

static bool key_fits(const identity_t *identity)
{
	uint8_t of_crt[64], of_key[64];
	size_t crt_size = sizeof(of_crt), key_size = sizeof(of_key);
	return gnutls_x509_crt_get_key_id(identity->crt, 0, of_crt, &crt_size) >= 0 &&
	       gnutls_x509_privkey_get_key_id(identity->key, 0, of_key, &key_size) >= 0 &&
	       crt_size == key_size && memcmp(of_crt, of_key, crt_size) == 0;
}

static int load_authority(const char *dir, identity_t *authority, node_diag_t *diag)
{
	g_auto(paths_t) paths = paths_new(dir, "authority");
	int r = load_certificate(paths.certificate, authority->crt, diag);
	if (r == DREAM_OK)
		r = load_key(paths.key, authority->key, diag);
	if (r < 0)
		return r;
	if (gnutls_x509_crt_get_ca_status(authority->crt, NULL) <= 0)
		return node_diag_set(
			diag, DREAM_ECERT, "%s: not the certificate of an authority", paths.certificate);
	if (!key_fits(authority))
		return node_diag_set(
			diag, DREAM_ECERT, "%s: not the key of %s", paths.key, paths.certificate);
	if (gnutls_x509_crt_get_expiration_time(authority->crt) <= time(NULL))
		return node_diag_set(
			diag, DREAM_ECERT, "%s: expired; make a new authority", paths.certificate);
	return DREAM_OK;
}

static int check_request(const char *name, const char *role, node_diag_t *diag)
{
	int r = shell_address_check_name(name, diag);
	if (r < 0)
		return r;
	if (strcmp(name, "authority") == 0)
		return node_diag_set(diag, DREAM_EINVAL, "that name is the authority's own; choose another");
	if (strcmp(role, SHELL_CERTIFICATE_NODE) != 0 && strcmp(role, SHELL_CERTIFICATE_OPERATOR) != 0)
		return node_diag_set(diag, DREAM_EINVAL, "no role \"%s\"; use node or operator", role);
	return DREAM_OK;
}

int shell_certificate_issue(
	const char *dir, const char *name, const char *role, int64_t lifetime_s, node_diag_t *diag)
{
	int r = check_request(name, role, diag);
	if (r < 0)
		return r;
	g_auto(identity_t) authority = {NULL, NULL};
	g_auto(identity_t) leaf = {NULL, NULL};
	r = identity_init(&authority, diag);
	if (r == DREAM_OK)
		r = identity_init(&leaf, diag);
	if (r == DREAM_OK)
		r = load_authority(dir, &authority, diag);
	if (r < 0)
		return r;
	int built = build_leaf(&leaf, name, role, lifetime_s);
	STEP(built, sign(&leaf, &authority));
	if (built < 0)
		return fail(diag, name, built);
	g_auto(paths_t) paths = paths_new(dir, name);
	return write_both(&leaf, &paths, diag);
}

static void show_name(GString *out, const char *key, gnutls_x509_crt_t crt, const char *oid)
{
	char value[256];
	size_t size = sizeof(value);
	int r = gnutls_x509_crt_get_dn_by_oid(crt, oid, 0, 0, value, &size);
	g_autofree char *safe = g_strescape(r >= 0 ? value : "-", NULL);
	g_string_append_printf(out, "%-11s %s\n", key, safe);
}

static void show_issuer(GString *out, gnutls_x509_crt_t crt)
{
	char value[256];
	size_t size = sizeof(value);
	int r = gnutls_x509_crt_get_issuer_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, value, &size);
	g_autofree char *safe = g_strescape(r >= 0 ? value : "-", NULL);
	g_string_append_printf(out, "%-11s %s\n", "issuer", safe);
}

static void show_time(GString *out, const char *key, time_t when)
{
	struct tm utc;
	char text[32] = "-";
	if (gmtime_r(&when, &utc) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	g_string_append_printf(out, "%-11s %s\n", key, text);
}

static const char *state_of(time_t begin, time_t end)
{
	time_t now = time(NULL);
	if (now < begin)
		return "not yet valid";
	return now >= end ? "expired" : "valid";
}

int shell_certificate_show(const char *path, char **ret_text, node_diag_t *diag)
{
	g_auto(identity_t) shown = {NULL, NULL};
	int r = identity_init(&shown, diag);
	if (r == DREAM_OK)
		r = load_certificate(path, shown.crt, diag);
	if (r < 0)
		return r;
	time_t begin = gnutls_x509_crt_get_activation_time(shown.crt);
	time_t end = gnutls_x509_crt_get_expiration_time(shown.crt);
	GString *out = g_string_new(NULL);
	show_name(out, "subject", shown.crt, GNUTLS_OID_X520_COMMON_NAME);
	show_name(out, "role", shown.crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME);
	show_issuer(out, shown.crt);
	show_time(out, "valid-from", begin);
	show_time(out, "valid-until", end);
	g_string_append_printf(out, "%-11s %s\n", "state", state_of(begin, end));
	*ret_text = g_string_free(out, FALSE);
	return DREAM_OK;
}
