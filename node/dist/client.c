/* SPDX-License-Identifier: MIT */
#include "dist/client.h"

#include <glib.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dist/frame.h"
#include "dist/quic.h"
#include "term/cbor.h"

#define CANCEL_POLL_NS ((int64_t) 100 * NODE_MS)
#define CANCEL_GRACE_NS ((int64_t) 2000 * NODE_MS) /* what a cancelled command gets to end by itself */

struct node_client {
	node_clock_t *clock;
	node_tls_t *tls;
	node_quic_t *quic;
	node_carrier_t *carrier;
	int64_t next_ns; /* when the endpoint is due; 0: at once */
	int wake_fd;     /* written by the thread that looks up a name */
	bool up;
	bool greeted;
	bool down;
	node_diag_t end; /* why it is down */
	char node_name[NODE_NAME_MAX + 1];
	node_inlane_t in[NODE_CARRIER_LANES];
	/* the command that runs */
	uint64_t id;
	bool done;
	node_diag_t result;
	node_client_on_item_t on_item;
	void *data;
};

/* ---- events ---- */

static void send_hello(node_client_t *client)
{
	const char *name = node_tls_name_borrow(client->tls);
	node_frame_t hello = {.type = NODE_FRAME_HELLO,
		.version_min = NODE_FRAME_VERSION,
		.version_max = NODE_FRAME_VERSION,
		.text = name,
		.text_size = strlen(name),
		.role = NODE_ROLE_OPERATOR};
	(void) node_frame_send(client->carrier, 0, &hello, NODE_CARRIER_EXEMPT);
}

static void on_up(void *owner, node_carrier_t *carrier)
{
	node_client_t *client = owner;
	client->up = true;
	send_hello(client);
}

static int on_hello(node_client_t *client, const node_frame_t *f, node_diag_t *diag)
{
	if (f->version_min > NODE_FRAME_VERSION || f->version_max < NODE_FRAME_VERSION)
		return node_diag_set(diag, DREAM_EPROTO,
			"the node speaks versions %u to %u of the protocol, we %u; upgrade one side",
			f->version_min, f->version_max, NODE_FRAME_VERSION);
	if (f->text_size != strlen(client->carrier->peer_name) ||
		memcmp(f->text, client->carrier->peer_name, f->text_size) != 0)
		return node_diag_set(diag, DREAM_EPROTO, "HELLO names another node than the certificate");
	memcpy(client->node_name, f->text, f->text_size);
	client->greeted = true;
	return DREAM_OK;
}

static void on_done(node_client_t *client, const node_frame_t *f)
{
	client->done = true;
	node_diag_set(&client->result, f->code, "%.*s", (int) MIN(f->text_size, NODE_DIAG_MAX), f->text);
}

static int handle(node_client_t *client, const node_frame_t *f, node_diag_t *diag)
{
	if (f->type == NODE_FRAME_HELLO && !client->greeted)
		return on_hello(client, f, diag);
	if (f->type != NODE_FRAME_ITEM && f->type != NODE_FRAME_DONE)
		return node_diag_set(
			diag, DREAM_EPROTO, "frame %s is not for operators", node_frame_name(f->type));
	if (f->ref != client->id || client->done) /* the rest of a command that was given up */
		return DREAM_OK;
	if (f->type == NODE_FRAME_DONE)
		on_done(client, f);
	else if (node_cbor_check(f->item, f->item_size, NULL) < 0)
		return node_diag_set(diag, DREAM_EPROTO, "frame ITEM holds no item");
	else if (client->on_item != NULL)
		client->on_item(client->data, f->item, f->item_size);
	return DREAM_OK;
}

static void fail(node_client_t *client, const node_diag_t *diag)
{
	if (!client->down)
		client->end = *diag;
	client->down = true;
	client->carrier->ops->close(client->carrier, diag->code, diag->text);
}

static int on_frame(void *user, const uint8_t *data, uint64_t size_bytes)
{
	node_client_t *client = user;
	node_frame_t frame;
	node_diag_t diag;
	int r = node_frame_read(data, size_bytes, &frame, &diag);
	if (r == DREAM_OK)
		r = handle(client, &frame, &diag);
	if (r < 0)
		fail(client, &diag);
	return r;
}

static void on_bytes(
	void *owner, node_carrier_t *carrier, uint32_t lane, const uint8_t *data, uint64_t size_bytes)
{
	node_client_t *client = owner;
	node_diag_t diag = {0};
	if (client->down)
		return;
	int r = node_inlane_push(&client->in[lane], data, size_bytes, on_frame, client, &diag);
	if (r < 0 && !client->down) {
		if (diag.code == 0)
			node_diag_set(&diag, r, "lane %u cannot be read: %s", lane, node_diag_code_text(r));
		fail(client, &diag);
	}
	carrier->ops->consumed(carrier, lane, size_bytes);
}

static void on_down(void *owner, node_carrier_t *carrier, int code, const char *reason)
{
	node_client_t *client = owner;
	client->up = false;
	if (!client->down)
		node_diag_set(&client->end, code < 0 ? code : DREAM_ENOCONNECTION, "%s", reason);
	client->down = true;
}

static const node_carrier_events_t client_events = {.on_up = on_up, .on_bytes = on_bytes, .on_down = on_down};

/* ---- waiting ---- */

static void wake(void *data)
{
	uint64_t one = 1;
	(void) !write(((node_client_t *) data)->wake_fd, &one, sizeof(one));
}

/* One round: sleeps until something happens, is due, or @until_ns, and works it off. What we send wakes us too. */
static void turn(node_client_t *client, int64_t until_ns)
{
	struct pollfd fds[2] = {{.fd = node_quic_fd(client->quic), .events = POLLIN},
		{.fd = client->wake_fd, .events = POLLIN}};
	uint64_t count;
	if (node_quic_wants_write(client->quic))
		fds[0].events |= POLLOUT;
	int64_t left = MAX(MIN(client->next_ns, until_ns) - client->clock->now_ns(client->clock), 0);
	struct timespec wait = {left / (1000 * NODE_MS), left % (1000 * NODE_MS)};
	bool ready = ppoll(fds, 2, &wait, NULL) > 0;
	if (ready && (fds[1].revents & POLLIN) != 0)
		(void) !read(client->wake_fd, &count, sizeof(count));
	client->next_ns = node_quic_step(client->quic, ready && (fds[0].revents & (POLLIN | POLLERR)) != 0);
}

static int fail_end(const node_client_t *client, node_diag_t *diag)
{
	return node_diag_set(diag, client->end.code, "%s", client->end.text);
}

/* ---- opening ---- */

static int wait_greeting(node_client_t *client, const node_client_options_t *o, node_diag_t *diag)
{
	int64_t deadline = client->clock->now_ns(client->clock) + o->timeout_ms * NODE_MS;
	while (!client->greeted && !client->down && client->clock->now_ns(client->clock) < deadline)
		turn(client, deadline);
	if (client->greeted)
		return DREAM_OK;
	if (client->down)
		return fail_end(client, diag);
	return node_diag_set(diag, DREAM_ETIMEDOUT,
		"%s within %lld ms at %s port %u; is the node running there?",
		client->up ? "the node did not greet" : "no answer", (long long) o->timeout_ms, o->host,
		o->port);
}

static int connect_to(node_client_t *client, const node_client_options_t *o, node_diag_t *diag)
{
	node_quic_options_t quic = {.clock = client->clock,
		.tls = client->tls,
		.handshake_ms = o->timeout_ms,
		.events = &client_events,
		.owner = client,
		.wake = wake,
		.wake_data = client};
	int r = node_quic_open(&quic, &client->quic, diag);
	node_carrier_t *carrier = NULL;
	if (r == DREAM_OK)
		r = node_quic_dial(
			client->quic, o->node_name, NODE_ROLE_NODE, o->host, o->port, NULL, &carrier, diag);
	if (r < 0)
		return r;
	client->carrier = node_carrier_ref(carrier);
	return wait_greeting(client, o, diag);
}

int node_client_open(const node_client_options_t *o, node_client_t **ret_client, node_diag_t *diag)
{
	if (o->timeout_ms <= 0 || o->timeout_ms > INT64_MAX / NODE_MS / 2)
		return node_diag_set(diag, DREAM_EINVAL, "a time limit in milliseconds is needed");
	node_client_t *client = g_try_new0(node_client_t, 1);
	if (client == NULL)
		return DREAM_ENOMEM;
	client->clock = node_clock_system_borrow();
	client->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = client->wake_fd < 0
			? node_diag_set(diag, DREAM_EIO, "no event descriptor: %s", g_strerror(errno))
			: DREAM_OK;
	if (r == DREAM_OK && (o->certificate == NULL || o->key == NULL))
		r = node_diag_set(
			diag, DREAM_ECERT, "no certificate or no key given; make them with `dream cert`");
	if (r == DREAM_OK)
		r = node_tls_open(o->authority, o->certificate, o->key, &client->tls, diag);
	if (r == DREAM_OK)
		r = node_tls_check_own(client->tls, NODE_ROLE_OPERATOR, NULL, diag);
	if (r == DREAM_OK)
		r = connect_to(client, o, diag);
	if (r < 0) {
		node_client_close(client);
		return r;
	}
	*ret_client = client;
	return DREAM_OK;
}

const char *node_client_node_name_borrow(const node_client_t *client)
{
	return client->node_name;
}

/* ---- a command ---- */

static int send_line(node_client_t *client, const char *line, node_diag_t *diag)
{
	if (!g_utf8_validate(line, -1, NULL))
		return node_diag_set(diag, DREAM_EINVAL, "the line is no UTF-8");
	node_frame_t f = {
		.type = NODE_FRAME_COMMAND, .ref = client->id, .text = line, .text_size = strlen(line)};
	int r = node_frame_send(client->carrier, 0, &f, NODE_CARRIER_EXEMPT);
	return r < 0 ? node_diag_set(diag, r, "the line cannot be sent: %s", node_diag_code_text(r))
		     : DREAM_OK;
}

static void send_cancel(node_client_t *client)
{
	node_frame_t f = {.type = NODE_FRAME_CANCEL_COMMAND, .ref = client->id};
	(void) node_frame_send(client->carrier, 0, &f, NODE_CARRIER_EXEMPT);
}

/* The deadline moves closer when the command is cancelled: it should end, but need not. */
static void wait_done(
	node_client_t *client, int64_t *deadline, const volatile int *cancelled, bool *ret_cancelled)
{
	int64_t now;
	while (!client->done && !client->down && (now = client->clock->now_ns(client->clock)) < *deadline) {
		if (!*ret_cancelled && cancelled != NULL && *cancelled != 0) {
			*ret_cancelled = true;
			send_cancel(client);
			*deadline = MIN(*deadline, now + CANCEL_GRACE_NS);
		}
		turn(client, cancelled != NULL ? MIN(*deadline, now + CANCEL_POLL_NS) : *deadline);
	}
}

int node_client_command(node_client_t *client, const char *line, int64_t timeout_ms,
	node_client_on_item_t on_item, void *data, const volatile int *cancelled, node_diag_t *diag)
{
	bool was_cancelled = false;
	if (client->down)
		return fail_end(client, diag);
	client->id++;
	client->done = false;
	client->on_item = on_item;
	client->data = data;
	int r = send_line(client, line, diag);
	if (r < 0)
		return r;
	int64_t now = client->clock->now_ns(client->clock);
	int64_t deadline =
		timeout_ms < (NODE_FOREVER - now) / NODE_MS ? now + timeout_ms * NODE_MS : NODE_FOREVER;
	wait_done(client, &deadline, cancelled, &was_cancelled);
	client->on_item = NULL;
	if (client->done)
		return node_diag_set(diag, client->result.code, "%s", client->result.text);
	if (client->down) {
		(void) fail_end(client, diag);
		return node_diag_set(
			diag, DREAM_ENOCONNECTION, "the connection was lost: %s", client->end.text);
	}
	if (!was_cancelled)
		send_cancel(client);
	if (was_cancelled)
		return node_diag_set(diag, DREAM_ETIMEDOUT, "cancelled, but the node did not confirm it");
	return node_diag_set(
		diag, DREAM_ETIMEDOUT, "the command did not end within %lld ms", (long long) timeout_ms);
}

/* ---- closing ---- */

void node_client_close(node_client_t *client)
{
	if (client == NULL)
		return;
	if (client->quic != NULL)
		node_quic_shutdown(client->quic, 0, "the operator leaves");
	node_quic_close(client->quic);
	node_carrier_unref(client->carrier);
	node_tls_close(client->tls);
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++)
		node_inlane_fini(&client->in[i]);
	if (client->wake_fd >= 0)
		close(client->wake_fd);
	g_free(client);
}
