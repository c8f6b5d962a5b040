/* SPDX-License-Identifier: MIT */
/* Certificates are read on the pool and kept until their files change or others need the place. A session is used under its
 * socket's lock only. */
#include "io/secure.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/local.h"
#include "io/lookup.h"
#include "io/pool.h"

#define CACHED 64u
#define PATH_BYTES 1024u
#define TEXT_BYTES 400u
#define ALPN_MAX 8u

/* What files gave: immutable, shared by sessions. */
typedef struct {
	uint32_t refs; /* atomic */
	char *id;      /* the files' names and states */
	gnutls_certificate_credentials_t cred;
} identity_t;

typedef struct node_secure {
	pthread_mutex_t lock;
	GPtrArray *known; /* identity_t *: oldest first, a reference each */
} node_secure_t;

typedef struct node_secure_session {
	gnutls_session_t session;
	identity_t *identity;
	bool ready; /* the handshake is over */
	gnutls_typed_vdata_st wanted[2];
	char server_name[NODE_LOOKUP_NAME_MAX + 1];
} session_t;

/* ---- identities ---- */

static void unref_identity(identity_t *identity)
{
	if (identity == NULL || __atomic_fetch_sub(&identity->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	if (identity->cred != NULL)
		gnutls_certificate_free_credentials(identity->cred);
	g_free(identity->id);
	g_free(identity);
}

typedef struct {
	char authority[PATH_BYTES];
	char certificate[PATH_BYTES];
	char key[PATH_BYTES];
	bool trust_system;
	char text[TEXT_BYTES]; /* why it failed */
	identity_t *identity;
} load_t;

static int32_t fail_load(load_t *load, const char *what, const char *path, const char *why)
{
	snprintf(load->text, sizeof(load->text), "%s file %.250s: %.100s", what, path, why);
	return DREAM_ECERT;
}

static int32_t load_trust(load_t *load, gnutls_certificate_credentials_t cred)
{
	if (load->trust_system)
		(void) gnutls_certificate_set_x509_system_trust(cred);
	if (load->authority[0] == '\0')
		return DREAM_OK;
	int n = gnutls_certificate_set_x509_trust_file(cred, load->authority, GNUTLS_X509_FMT_PEM);
	if (n > 0)
		return DREAM_OK;
	return fail_load(
		load, "authority", load->authority, n == 0 ? "holds no certificate" : gnutls_strerror(n));
}

static int32_t load_own(load_t *load, gnutls_certificate_credentials_t cred)
{
	if (load->certificate[0] == '\0')
		return DREAM_OK;
	int r = gnutls_certificate_set_x509_key_file(cred, load->certificate, load->key, GNUTLS_X509_FMT_PEM);
	if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return fail_load(load, "key", load->key, "does not belong to the certificate");
	return r < 0 ? fail_load(load, "certificate", load->certificate, gnutls_strerror(r)) : DREAM_OK;
}

/* A blocking function. */
static int32_t load_identity(void *arg)
{
	load_t *load = arg;
	identity_t *identity = g_try_new0(identity_t, 1);
	if (identity == NULL || gnutls_certificate_allocate_credentials(&identity->cred) < 0) {
		g_free(identity);
		return DREAM_ENOMEM;
	}
	identity->refs = 1;
	int32_t r = load_trust(load, identity->cred);
	if (r == DREAM_OK)
		r = load_own(load, identity->cred);
	if (r < 0)
		unref_identity(identity);
	else
		load->identity = identity;
	return r;
}

static void drop_load(void *arg)
{
	unref_identity(((load_t *) arg)->identity);
}

static void add_state(GString *id, const char *path)
{
	struct stat st;
	memset(&st, 0, sizeof(st));
	if (path[0] != '\0')
		(void) stat(path, &st); /* what is missing fails when it is read */
	g_string_append_printf(id, "%s %llu %llu %lld %lld\n", path, (unsigned long long) st.st_ino,
		(unsigned long long) st.st_size, (long long) st.st_mtim.tv_sec,
		(long long) st.st_mtim.tv_nsec);
}

static char *id_new(const load_t *load)
{
	GString *id = g_string_new(load->trust_system ? "system\n" : "");
	add_state(id, load->authority);
	add_state(id, load->certificate);
	add_state(id, load->key);
	return g_string_free(id, FALSE);
}

static identity_t *find_identity_ref(node_secure_t *secure, const char *id)
{
	identity_t *found = NULL;
	pthread_mutex_lock(&secure->lock);
	for (guint i = 0; i < secure->known->len && found == NULL; i++) {
		identity_t *identity = secure->known->pdata[i];
		if (strcmp(identity->id, id) == 0)
			found = identity;
	}
	if (found != NULL)
		__atomic_fetch_add(&found->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&secure->lock);
	return found;
}

/* @id: taken. */
static void remember(node_secure_t *secure, identity_t *identity, char *id)
{
	identity->id = id;
	__atomic_fetch_add(&identity->refs, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&secure->lock);
	g_ptr_array_add(secure->known, identity);
	identity_t *oldest = secure->known->len > CACHED ? g_ptr_array_remove_index(secure->known, 0) : NULL;
	pthread_mutex_unlock(&secure->lock);
	unref_identity(oldest);
}

static bool copy_path(char *ret_path, const char *path)
{
	return path == NULL || g_strlcpy(ret_path, path, PATH_BYTES) < PATH_BYTES;
}

/* Apart: nothing that it holds must lie on a stack that may be left while its process waits. */
static int look_for_identity(node_io_t *io, load_t *load, const dream_tls_t *how)
{
	memset(load, 0, sizeof(*load));
	load->trust_system = how->authority == NULL && !(how->flags & DREAM_TLS_UNVERIFIED);
	if (!copy_path(load->authority, how->authority) || !copy_path(load->certificate, how->certificate) ||
		!copy_path(load->key, how->key != NULL ? how->key : how->certificate))
		return DREAM_EINVAL;
	char *id = id_new(load);
	load->identity = find_identity_ref(io->secure, id);
	g_free(id);
	return DREAM_OK;
}

static int identity_ref(node_proc_t *proc, const dream_tls_t *how, identity_t **ret_identity)
{
	load_t load;
	int32_t result = DREAM_OK;
	node_io_t *io = proc->node->io;
	int r = look_for_identity(io, &load, how);
	if (r == DREAM_OK && load.identity == NULL) {
		node_pool_call_t call = {.fn = load_identity,
			.drop = drop_load,
			.arg = &load,
			.arg_bytes = sizeof(load),
			.what = "reading certificates"};
		r = node_pool_run(proc, &call, how->timeout_ms, &result);
		if (r == DREAM_OK && result == DREAM_OK)
			remember(io->secure, load.identity, id_new(&load));
	}
	if (r == DREAM_OK && result < 0)
		r = load.text[0] != '\0' ? node_proc_fail(proc, result, "%s", load.text) : result;
	if (r == DREAM_OK)
		*ret_identity = load.identity;
	return r;
}

/* ---- sessions ---- */

static void free_session(session_t *s)
{
	if (s == NULL)
		return;
	if (s->session != NULL)
		gnutls_deinit(s->session);
	unref_identity(s->identity);
	node_mem_free(s);
}

static bool set_alpn(session_t *s, const char *list)
{
	gnutls_datum_t names[ALPN_MAX];
	unsigned n = 0;
	while (list != NULL && *list != '\0' && n < ALPN_MAX) {
		size_t size = strcspn(list, ",");
		if (size == 0 || size > 255)
			return false;
		names[n++] = (gnutls_datum_t){(unsigned char *) (uintptr_t) list, (unsigned) size};
		list += size + (list[size] == ',');
	}
	return n == 0 || gnutls_alpn_set_protocols(s->session, names, n, GNUTLS_ALPN_MANDATORY) >= 0;
}

static bool set_server_name(session_t *s)
{
	node_address_in_t address;
	if (s->server_name[0] == '\0' || node_lookup_literal(s->server_name, 0, &address))
		return true; /* RFC 6066: no addresses */
	return gnutls_server_name_set(s->session, GNUTLS_NAME_DNS, s->server_name, strlen(s->server_name)) >=
	       0;
}

/* The certificate must be meant for what the peer does with it, and a server's for its name. */
static void demand_certificate(session_t *s, bool server)
{
	const char *purpose = server ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER;
	s->wanted[0] = (gnutls_typed_vdata_st){
		.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (unsigned char *) (uintptr_t) purpose};
	s->wanted[1] = (gnutls_typed_vdata_st){
		.type = GNUTLS_DT_DNS_HOSTNAME, .data = (unsigned char *) s->server_name};
	if (server)
		gnutls_certificate_server_set_request(s->session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(s->session, s->wanted, server ? 1 : 2, 0);
}

static bool prepare(session_t *s, const dream_tls_t *how, int fd)
{
	bool server = (how->flags & DREAM_TLS_SERVER) != 0;
	unsigned flags = (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL |
			 GNUTLS_NO_TICKETS;
	if (gnutls_init(&s->session, flags) < 0)
		return false;
	gnutls_transport_set_int(s->session, fd);
	if (!(how->flags & DREAM_TLS_UNVERIFIED))
		demand_certificate(s, server);
	return gnutls_priority_set_direct(s->session, "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2", NULL) >=
		       0 &&
	       gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, s->identity->cred) >= 0 &&
	       set_server_name(s) && set_alpn(s, how->alpn);
}

/* @identity: taken. */
static session_t *session_new(identity_t *identity, const dream_tls_t *how, int fd)
{
	session_t *s = node_mem_zalloc(sizeof(*s));
	if (s == NULL) {
		unref_identity(identity);
		return NULL;
	}
	s->identity = identity;
	if (how->server_name != NULL)
		g_strlcpy(s->server_name, how->server_name, sizeof(s->server_name));
	if (prepare(s, how, fd))
		return s;
	free_session(s);
	return NULL;
}

/* ---- errors ---- */

static bool is_about_certificates(gnutls_alert_description_t alert)
{
	return alert == GNUTLS_A_BAD_CERTIFICATE || alert == GNUTLS_A_UNSUPPORTED_CERTIFICATE ||
	       alert == GNUTLS_A_CERTIFICATE_REVOKED || alert == GNUTLS_A_CERTIFICATE_EXPIRED ||
	       alert == GNUTLS_A_CERTIFICATE_UNKNOWN || alert == GNUTLS_A_UNKNOWN_CA ||
	       alert == GNUTLS_A_CERTIFICATE_REQUIRED || alert == GNUTLS_A_ACCESS_DENIED;
}

static int code_of(gnutls_session_t session, int error)
{
	switch (error) {
	case GNUTLS_E_AGAIN:
	case GNUTLS_E_INTERRUPTED:
		return NODE_SOCKET_AGAIN;
	case GNUTLS_E_PUSH_ERROR:
	case GNUTLS_E_PULL_ERROR:
	case GNUTLS_E_PREMATURE_TERMINATION:
		return DREAM_ECONNRESET;
	case GNUTLS_E_MEMORY_ERROR:
		return DREAM_ENOMEM;
	case GNUTLS_E_CERTIFICATE_ERROR:
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
		return DREAM_ECERT;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		return is_about_certificates(gnutls_alert_get(session)) ? DREAM_ECERT : DREAM_EPROTO;
	default:
		return DREAM_EPROTO;
	}
}

static void explain(gnutls_session_t session, int error, char *ret_text)
{
	gnutls_datum_t why = {NULL, 0};
	if (error == GNUTLS_E_FATAL_ALERT_RECEIVED) {
		snprintf(ret_text, TEXT_BYTES, "the peer refused: %s",
			gnutls_alert_get_name(gnutls_alert_get(session)));
	} else if (error == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
		   gnutls_certificate_verification_status_print(
			   gnutls_session_get_verify_cert_status(session), GNUTLS_CRT_X509, &why, 0) >= 0) {
		snprintf(ret_text, TEXT_BYTES, "the peer's certificate: %s", (const char *) why.data);
		gnutls_free(why.data);
	} else {
		snprintf(ret_text, TEXT_BYTES, "%s", gnutls_strerror(error));
	}
}

/* ---- the handshake; with the lock held ---- */

/* One step. AGAIN: *ret_list is where to wait. The peer hears why it failed, if that can be told at once. */
static int step(node_socket_t *sock, node_sockops_t **ret_list, char *ret_text)
{
	session_t *s = sock->tls;
	int error = gnutls_handshake(s->session);
	while (error < 0 && error != GNUTLS_E_AGAIN && error != GNUTLS_E_INTERRUPTED &&
		gnutls_error_is_fatal(error) == 0)
		error = gnutls_handshake(s->session);
	s->ready = error >= 0;
	int r = error >= 0 ? DREAM_OK : code_of(s->session, error);
	*ret_list = gnutls_record_get_direction(s->session) == 1 ? &sock->writers : &sock->readers;
	if (r < 0 && r != NODE_SOCKET_AGAIN) {
		explain(s->session, error, ret_text);
		(void) gnutls_alert_send_appropriate(s->session, error);
	}
	return r;
}

static int shake_hands(node_sockop_t *op, char *ret_text)
{
	node_sockops_t *list;
	int r = node_sockop_take_turn(op);
	op->partial = true; /* whoever is killed here leaves a stream that nobody can use */
	while (r == DREAM_OK && (r = step(op->sock, &list, ret_text)) == NODE_SOCKET_AGAIN)
		r = node_sockop_wait(op, list);
	op->partial = r < 0;
	node_sockop_end_turn(op);
	return r;
}

static int check(const node_socket_t *sock)
{
	if (sock->listener || sock->options.packet != DREAM_TCP_RAW || sock->rx_end > sock->rx_start)
		return DREAM_EINVAL;
	if (sock->tls != NULL)
		return DREAM_EALREADY;
	return sock->active != DREAM_TCP_PASSIVE || sock->readers.first != NULL || sock->sender != NULL
		       ? DREAM_EBUSY
		       : DREAM_OK;
}

/* @identity: taken. */
static int start(node_proc_t *proc, dream_ref_t socket, const dream_tls_t *how, int64_t deadline_ns,
	identity_t *identity)
{
	node_sockop_t op;
	char text[TEXT_BYTES] = "";
	int r = node_sockop_begin(&op, proc, socket, 0);
	if (r == DREAM_OK && (r = check(op.sock)) < 0)
		node_sockop_end(&op);
	if (r < 0) {
		unref_identity(identity);
		return r;
	}
	op.deadline_ns = deadline_ns;
	op.sock->tls = session_new(identity, how, op.sock->source.fd);
	r = op.sock->tls != NULL ? shake_hands(&op, text) : DREAM_EINVAL;
	node_socket_t *sock = op.sock;
	node_source_ref(&sock->source);
	node_sockop_end(&op);
	if (r < 0)
		(void) node_socket_close(sock);
	node_socket_unref(sock);
	return r < 0 && text[0] != '\0' ? node_proc_fail(proc, r, "%s", text) : r;
}

static int check_how(node_proc_t *proc, const dream_tls_t *how)
{
	bool server = (how->flags & DREAM_TLS_SERVER) != 0;
	if ((how->flags & ~(DREAM_TLS_SERVER | DREAM_TLS_UNVERIFIED)) != 0 ||
		(how->server_name != NULL && strlen(how->server_name) > NODE_LOOKUP_NAME_MAX))
		return DREAM_EINVAL;
	if (server && how->certificate == NULL)
		return node_proc_fail(proc, DREAM_ECERT, "a server needs a certificate; name its file");
	if (how->flags & DREAM_TLS_UNVERIFIED)
		return DREAM_OK;
	if (server && how->authority == NULL)
		return node_proc_fail(proc, DREAM_ECERT,
			"whose clients are believed? name an authority, or serve everybody with "
			"DREAM_TLS_UNVERIFIED");
	if (!server && how->server_name == NULL)
		return node_proc_fail(
			proc, DREAM_ECERT, "whom does the client expect? name it in server_name");
	return DREAM_OK;
}

int node_secure_start(node_proc_t *proc, dream_ref_t socket, const dream_tls_t *how)
{
	identity_t *identity = NULL;
	int64_t deadline_ns = node_await_deadline(proc->node, how->timeout_ms);
	int r = check_how(proc, how);
	if (r == DREAM_OK)
		r = identity_ref(proc, how, &identity);
	if (r == DREAM_OK)
		return start(proc, socket, how, deadline_ns, identity);
	node_socket_t *sock = r != DREAM_EINVAL ? node_socket_find_ref(proc->node, socket) : NULL;
	if (sock != NULL) {
		(void) node_socket_close(sock);
		node_socket_unref(sock);
	}
	return r;
}

/* ---- bytes ---- */

static int64_t failed(node_socket_t *sock, int64_t error)
{
	int code = code_of(sock->tls->session, (int) error);
	if (code != NODE_SOCKET_AGAIN)
		sock->error = code;
	return code;
}

int64_t node_secure_read(node_socket_t *sock, void *buffer, uint64_t cap_bytes)
{
	ssize_t n;
	if (!sock->tls->ready)
		return DREAM_EBUSY;
	do /* whoever wants to negotiate anew is told nothing; it is no error here */
		n = gnutls_record_recv(sock->tls->session, buffer, cap_bytes);
	while (n < 0 && n != GNUTLS_E_AGAIN && gnutls_error_is_fatal((int) n) == 0);
	return n >= 0 ? n : failed(sock, n);
}

int64_t node_secure_write(node_socket_t *sock, const void *data, uint64_t size_bytes)
{
	if (!sock->tls->ready)
		return DREAM_EBUSY;
	ssize_t n = gnutls_record_send(sock->tls->session, data, size_bytes);
	return n >= 0 ? n : failed(sock, n);
}

void node_secure_bye(node_socket_t *sock)
{
	if (sock->tls != NULL && sock->tls->ready && !sock->write_ended && sock->error == 0)
		(void) gnutls_bye(sock->tls->session, GNUTLS_SHUT_WR);
}

void node_secure_end(node_socket_t *sock)
{
	node_secure_bye(sock);
	free_session(sock->tls);
	sock->tls = NULL;
}

void node_secure_protocol(const node_socket_t *sock, char *ret_text, size_t cap_bytes)
{
	gnutls_datum_t name;
	ret_text[0] = '\0';
	if (sock->tls != NULL && sock->tls->ready &&
		gnutls_alpn_get_selected_protocol(sock->tls->session, &name) >= 0 && name.size < cap_bytes) {
		memcpy(ret_text, name.data, name.size);
		ret_text[name.size] = '\0';
	}
}

/* ---- life ---- */

int node_secure_open(node_io_t *io)
{
	io->secure = g_try_new0(node_secure_t, 1);
	if (io->secure == NULL)
		return DREAM_ENOMEM;
	pthread_mutex_init(&io->secure->lock, NULL);
	io->secure->known = g_ptr_array_new();
	return DREAM_OK;
}

void node_secure_close(node_io_t *io)
{
	node_secure_t *secure = io->secure;
	if (secure == NULL)
		return;
	for (guint i = 0; i < secure->known->len; i++)
		unref_identity(secure->known->pdata[i]);
	g_ptr_array_unref(secure->known);
	pthread_mutex_destroy(&secure->lock);
	g_free(secure);
	io->secure = NULL;
}
