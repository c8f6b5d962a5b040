/* SPDX-License-Identifier: MIT */
/* Data as messages. Whoever finds that there is something to read, the poller or the process that makes its socket active,
 * reads it under the socket's lock and sends it to the owner; so the messages of a socket are in order. */
#include <string.h>

#include "base/diag.h"
#include "base/mem.h"
#include "io/local.h"
#include "io/socket.h"
#include "term/cbor.h"

#define CHUNK_BYTES 65536u
#define TURNS 8u /* reads until others have one */

/* ---- messages ---- */

static void begin(node_cbor_writer_t *w, const node_socket_t *sock, const char *tag, uint64_t count)
{
	node_cbor_init(w);
	node_cbor_put_array(w, count);
	node_cbor_put_text(w, tag);
	node_cbor_put_ref(w, sock->node, node_socket_ref_of(sock));
}

/* False: out of memory, or the mailbox has a limit and is full. */
static bool finish(node_cbor_writer_t *w, const node_socket_t *sock)
{
	static const dream_pid_t nobody = {0, 0, 0};
	dream_msg_t *msg;
	if (node_cbor_finish(w, &msg) < 0)
		return false;
	node_sig_t *sig = node_sig_new_take(NODE_SIG_MSG, sock->owner, nobody, 0, msg);
	return sig != NULL && node_proc_deliver_take(sock->node, sig) != DREAM_EBUSY;
}

static bool tell(const node_socket_t *sock, const char *tag)
{
	node_cbor_writer_t w;
	begin(&w, sock, tag, 2);
	return finish(&w, sock);
}

static bool tell_data(const node_socket_t *sock, const void *data, uint64_t size_bytes)
{
	node_cbor_writer_t w;
	begin(&w, sock, "tcp", 3);
	node_cbor_put_bytes(&w, data, size_bytes);
	return finish(&w, sock);
}

static void tell_error(node_socket_t *sock, int code)
{
	node_cbor_writer_t w;
	begin(&w, sock, "tcp_error", 3);
	node_cbor_put_text(&w, node_diag_code_name(code));
	(void) finish(&w, sock);
}

/* ---- reading ---- */

static void end_active(node_socket_t *sock, int code)
{
	sock->active = DREAM_TCP_PASSIVE;
	if (code != DREAM_OK)
		tell_error(sock, code);
	(void) tell(sock, "tcp_closed");
}

static void count_down(node_socket_t *sock)
{
	if (sock->active == DREAM_TCP_ONCE) {
		sock->active = DREAM_TCP_PASSIVE;
	} else if (sock->active > 0 && --sock->active == 0) {
		(void) tell(sock, "tcp_passive");
	}
}

/* Reads and sends once. False: nothing more for now. */
static bool pump_once(node_socket_t *sock, uint8_t *chunk)
{
	const uint8_t *data = chunk;
	uint32_t size = 0;
	int64_t r;
	bool raw = sock->options.packet == DREAM_TCP_RAW;
	if (raw) {
		r = node_packet_take_rest(sock, chunk, CHUNK_BYTES);
		if (r == 0)
			r = node_socket_read(sock, chunk, CHUNK_BYTES);
		size = r > 0 ? (uint32_t) r : 0;
	} else {
		r = node_packet_next(sock, &data, &size);
	}
	if (r == NODE_SOCKET_AGAIN)
		return false;
	bool sent = r > 0 && tell_data(sock, data, size);
	if (!sent) {
		if (r > 0) /* without these bytes the rest means nothing */
			sock->error = DREAM_ENOMEM;
		end_active(sock, r > 0 ? DREAM_ENOMEM : (int) r);
		return false;
	}
	if (!raw)
		node_packet_consume(sock);
	count_down(sock);
	return sock->active != DREAM_TCP_PASSIVE;
}

void node_active_pump(node_socket_t *sock)
{
	uint8_t *chunk = node_mem_alloc(CHUNK_BYTES);
	if (chunk == NULL) {
		end_active(sock, DREAM_ENOMEM);
		return;
	}
	bool more = true;
	for (unsigned i = 0; i < TURNS && more; i++)
		more = pump_once(sock, chunk);
	node_mem_free(chunk);
	if (more)
		node_poller_again(&sock->source);
}

/* ---- for modules ---- */

static int set_count(node_socket_t *sock, int32_t count)
{
	if (count > 0 && sock->active > 0) {
		if (sock->active + count > DREAM_TCP_ACTIVE_MAX)
			return DREAM_EINVAL;
		count += sock->active;
	}
	if (count != DREAM_TCP_PASSIVE) {
		int r = node_socket_watch(sock);
		if (r < 0)
			return r;
	}
	sock->active = count;
	return DREAM_OK;
}

int node_active_set(node_proc_t *proc, dream_ref_t socket, int32_t count)
{
	node_sockop_t op;
	if (count < DREAM_TCP_ALWAYS || count > DREAM_TCP_ACTIVE_MAX)
		return DREAM_EINVAL;
	int r = node_sockop_begin(&op, proc, socket, 0);
	if (r < 0)
		return r;
	if (op.sock->listener)
		r = DREAM_EINVAL;
	else if (!dream_pid_equal(op.sock->owner, node_proc_pid(proc)))
		r = DREAM_EPERM;
	else if (op.sock->readers.first != NULL)
		r = DREAM_EBUSY;
	else
		r = set_count(op.sock, count);
	if (r == DREAM_OK && op.sock->active != DREAM_TCP_PASSIVE)
		node_active_pump(op.sock);
	node_sockop_end(&op);
	return r;
}

static int code_of(const char *name, uint64_t size_bytes)
{
	static const int codes[] = {
		DREAM_ECONNRESET, DREAM_EPROTO, DREAM_ELIMIT, DREAM_ENOMEM, DREAM_ECERT, DREAM_EHOSTUNREACH};
	for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
		const char *known = node_diag_code_name(codes[i]);
		if (strlen(known) == size_bytes && memcmp(known, name, size_bytes) == 0)
			return codes[i];
	}
	return DREAM_EIO;
}

static uint32_t kind_of(const dream_msg_t *msg, uint64_t count)
{
	static const char *const tags[] = {"tcp", "tcp_closed", "tcp_error", "tcp_passive"};
	static const uint64_t counts[] = {3, 2, 3, 2};
	for (uint32_t i = 0; i < G_N_ELEMENTS(tags); i++)
		if (counts[i] == count && node_msg_has_tag(msg, tags[i]))
			return DREAM_TCP_DATA + i;
	return 0;
}

int node_active_event(const node_t *node, const dream_msg_t *msg, dream_tcp_event_t *ret_event)
{
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	dream_tcp_event_t event = {0};
	uint64_t count, size;
	const char *text;
	if (node_cbor_get_array(&r, &count) != 0 || (event.kind = kind_of(msg, count)) == 0)
		return DREAM_EDECODE;
	if (node_cbor_get_text(&r, &text, &size) < 0 ||
		node_cbor_get_ref(&r, (node_t *) (uintptr_t) node, &event.socket) < 0)
		return DREAM_EDECODE;
	if (event.kind == DREAM_TCP_ERROR) {
		if (node_cbor_get_text(&r, &text, &size) < 0)
			return DREAM_EDECODE;
		event.error = code_of(text, size);
	} else if (event.kind == DREAM_TCP_DATA) {
		if (node_cbor_get_bytes(&r, &event.data, &event.size_bytes) < 0)
			return DREAM_EDECODE;
	}
	*ret_event = event;
	return DREAM_OK;
}
