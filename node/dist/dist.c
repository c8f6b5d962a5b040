/* SPDX-License-Identifier: MIT */
#include "dist/dist.h"

#include <string.h>

#include "base/log.h"
#include "dist/loop.h"
#include "dist/peer.h"

#define CONNECT_MS_DEFAULT 15000
#define HELLO_MS_DEFAULT 5000

/* ---- hooks ---- */

static int hook_number(node_t *node, const char *name, uint64_t name_size, uint32_t *ret_number)
{
	return node->dist == NULL ? DREAM_ENOENT
				  : node_nodetab_find(&node->dist->names, name, name_size, ret_number);
}

static const char *hook_name(node_t *node, uint32_t number)
{
	return node->dist == NULL ? NULL : node_nodetab_name_borrow(&node->dist->names, number);
}

/* ---- life ---- */

static int open_network(node_dist_t *dist, const node_dist_options_t *o, node_diag_t *diag)
{
	if (o->network != NULL) {
		dist->net = o->network;
		return DREAM_OK;
	}
	int r = node_tls_open(o->authority, o->certificate, o->key, &dist->tls, diag);
	if (r == DREAM_OK)
		r = node_tls_check_own(dist->tls, NODE_ROLE_NODE, dist->node->name, diag);
	if (r < 0)
		return r;
	node_quic_options_t quic = {.node = dist->node,
		.clock = dist->node->clock,
		.tls = dist->tls,
		.host = o->host,
		.port = o->port,
		.listen = true,
		.handshake_ms = o->handshake_ms,
		.idle_ms = o->idle_ms,
		.max_half_open = o->max_half_open};
	return node_loop_open(dist->node, &quic, &dist->net, diag);
}

static void free_dist(node_dist_t *dist)
{
	if (dist->net != NULL)
		dist->net->ops->close(dist->net);
	node_tls_close(dist->tls);
	node_nodetab_fini(&dist->names);
	g_hash_table_destroy(dist->sessions);
	g_ptr_array_free(dist->peers, TRUE);
	pthread_mutex_destroy(&dist->lock);
	g_free(dist);
}

int node_dist_open(node_t *node, const node_dist_options_t *options, node_diag_t *diag)
{
	node_dist_t *dist = g_try_new0(node_dist_t, 1);
	if (dist == NULL)
		return DREAM_ENOMEM;
	dist->node = node;
	dist->hello_ns = (options->hello_ms > 0 ? options->hello_ms : HELLO_MS_DEFAULT) * NODE_MS;
	dist->peers = g_ptr_array_new();
	dist->sessions = g_hash_table_new(g_int64_hash, g_int64_equal);
	pthread_mutex_init(&dist->lock, NULL);
	node_nodetab_init(&dist->names, NODE_DIST_NAMES_MAX);
	int r = open_network(dist, options, diag);
	if (r < 0) {
		free_dist(dist);
		return r;
	}
	node->dist = dist;
	node->hooks.send_remote_take = node_remote_send_take;
	node->hooks.node_number = hook_number;
	node->hooks.node_name_borrow = hook_name;
	return DREAM_OK;
}

int node_dist_start(node_t *node)
{
	node_dist_t *dist = node->dist;
	int r = dist->net->ops->start(dist->net, &node_peer_events, dist);
	dist->started = r == DREAM_OK;
	return r;
}

uint16_t node_dist_port(const node_t *node)
{
	return node->dist->net->ops->port(node->dist->net);
}

void node_dist_stop(node_t *node)
{
	node_dist_t *dist = node->dist;
	if (dist == NULL || !dist->started)
		return;
	__atomic_store_n(&dist->stopped, true, __ATOMIC_RELEASE);
	dist->net->ops->stop(dist->net, "the node stops");
	/* The network has told of every carrier; what is left never had one. */
	while (dist->peers->len > 0)
		node_peer_down(g_ptr_array_index(dist->peers, 0), 0, "the node stops");
	dist->started = false;
}

void node_dist_close(node_t *node)
{
	node_dist_t *dist = node->dist;
	if (dist == NULL)
		return;
	node_dist_stop(node);
	node->dist = NULL;
	free_dist(dist);
}

/* ---- connecting ---- */

typedef struct dial {
	node_dist_t *dist;
	char *name;
	char *host;
	uint16_t port;
	int64_t timeout_ms;
	node_dist_on_connect_t on_done;
	void *data;
} dial_t;

static void free_dial(dial_t *dial)
{
	g_free(dial->name);
	g_free(dial->host);
	g_free(dial);
}

static void fail_dial(dial_t *dial, int code, const char *text)
{
	if (dial->on_done != NULL)
		dial->on_done(dial->data, code, text);
	free_dial(dial);
}

static void start_dial(dial_t *dial, node_peer_t *peer)
{
	node_dist_t *dist = dial->dist;
	node_carrier_t *carrier;
	node_diag_t diag = {0};
	int r = dist->net->ops->dial(dist->net, dial->name, dial->host, dial->port, peer, &carrier, &diag);
	if (r < 0) {
		node_peer_down(peer, r, diag.text[0] != '\0' ? diag.text : node_diag_code_text(r));
		return;
	}
	pthread_mutex_lock(&dist->lock);
	peer->carrier = node_carrier_ref(carrier);
	pthread_mutex_unlock(&dist->lock);
}

static void run_dial(void *data)
{
	dial_t *dial = data;
	node_dist_t *dist = dial->dist;
	if (__atomic_load_n(&dist->stopped, __ATOMIC_ACQUIRE)) {
		fail_dial(dial, DREAM_ENOTSTARTED, "the node stops");
		return;
	}
	if (node_peer_find(dist, dial->name, NODE_PEER_DOWN, NULL) != NULL) {
		fail_dial(dial, DREAM_EALREADY, "connected, or under way");
		return;
	}
	node_peer_t *peer = node_peer_new(dist, dial->name, true);
	if (peer == NULL) {
		fail_dial(dial, DREAM_ENOMEM, "out of memory");
		return;
	}
	peer->on_done = dial->on_done;
	peer->on_done_data = dial->data;
	peer->deadline_ns = node_clock_now(dist->node) + dial->timeout_ms * NODE_MS;
	start_dial(dial, peer);
	free_dial(dial);
}

static node_peer_t *find_locked(node_dist_t *dist, const char *name)
{
	for (guint i = 0; i < dist->peers->len; i++) {
		node_peer_t *peer = g_ptr_array_index(dist->peers, i);
		if (peer->role != NODE_ROLE_OPERATOR && strcmp(peer->name, name) == 0)
			return peer;
	}
	return NULL;
}

static int check_dial(node_t *node, const char *name, const char *host, uint16_t port, int64_t timeout_ms,
	node_diag_t *diag)
{
	const char *at = strchr(name, '@');
	uint32_t number;
	if (at == NULL || at == name || at[1] == '\0' || strlen(name) > NODE_NAME_MAX ||
		!g_utf8_validate(name, -1, NULL))
		return node_diag_set(
			diag, DREAM_EINVAL, "\"%s\" is no name of a node; write NAME@HOST", name);
	if (host == NULL || host[0] == '\0' || port == 0 || timeout_ms < 0 ||
		timeout_ms > INT64_MAX / NODE_MS / 2)
		return node_diag_set(
			diag, DREAM_EINVAL, "%s needs an address, a port and a time limit", name);
	if (strcmp(name, node->name) == 0)
		return node_diag_set(diag, DREAM_ESELF, "%s is this node", name);
	int r = node_nodetab_add(&node->dist->names, name, &number);
	if (r < 0)
		return node_diag_set(diag, r, "more than %u names of nodes", NODE_DIST_NAMES_MAX);
	pthread_mutex_lock(&node->dist->lock);
	bool there = find_locked(node->dist, name) != NULL;
	pthread_mutex_unlock(&node->dist->lock);
	return there ? node_diag_set(diag, DREAM_EALREADY, "%s is connected, or under way", name) : DREAM_OK;
}

int node_dist_connect(node_t *node, const char *name, const char *host, uint16_t port, int64_t timeout_ms,
	node_dist_on_connect_t on_done, void *data, node_diag_t *diag)
{
	node_dist_t *dist = node->dist;
	if (dist == NULL || !dist->started)
		return node_diag_set(diag, DREAM_ENOTSTARTED, "this node takes no part in distribution");
	int r = check_dial(node, name, host, port, timeout_ms, diag);
	if (r < 0)
		return r;
	dial_t *dial = g_new0(dial_t, 1);
	*dial = (dial_t){dist, g_strdup(name), g_strdup(host), port,
		timeout_ms > 0 ? timeout_ms : CONNECT_MS_DEFAULT, on_done, data};
	if (dist->net->ops->post(dist->net, run_dial, dial))
		return DREAM_OK;
	free_dial(dial);
	return node_diag_set(diag, DREAM_ENOTSTARTED, "the node stops");
}

int node_dist_disconnect(node_t *node, const char *name)
{
	node_dist_t *dist = node->dist;
	if (dist == NULL)
		return DREAM_ENOENT;
	pthread_mutex_lock(&dist->lock);
	node_peer_t *peer = find_locked(dist, name);
	node_carrier_t *carrier =
		peer != NULL && peer->carrier != NULL ? node_carrier_ref(peer->carrier) : NULL;
	pthread_mutex_unlock(&dist->lock);
	if (carrier == NULL)
		return DREAM_ENOENT;
	carrier->ops->close(carrier, 0, "disconnected by an operator");
	node_carrier_unref(carrier);
	return DREAM_OK;
}

/* ---- looking ---- */

static void describe(const node_peer_t *peer, node_dist_peer_t *ret)
{
	static const char *const states[] = {"connecting", "greeting", "waiting", "up", "down"};
	node_carrier_stats_t stats = {0};
	if (peer->carrier != NULL) {
		peer->carrier->ops->stats(peer->carrier, &stats);
		if (peer->state != NODE_PEER_DIALLING) /* constant from then on */
			memcpy(ret->address, peer->carrier->address, sizeof(ret->address));
	}
	memcpy(ret->name, peer->name, sizeof(ret->name));
	ret->state = states[peer->state];
	ret->role = peer->role;
	ret->dialled = peer->dialled;
	ret->rtt_ns = stats.rtt_ns;
	ret->bytes_in = stats.bytes_in;
	ret->bytes_out = stats.bytes_out;
	ret->since_wall_ns = peer->since_wall_ns;
}

GArray *node_dist_list(node_t *node)
{
	GArray *list = g_array_new(FALSE, TRUE, sizeof(node_dist_peer_t));
	node_dist_t *dist = node->dist;
	if (dist == NULL)
		return list;
	pthread_mutex_lock(&dist->lock);
	for (guint i = 0; i < dist->peers->len; i++) {
		node_dist_peer_t one = {0};
		describe(g_ptr_array_index(dist->peers, i), &one);
		g_array_append_val(list, one);
	}
	pthread_mutex_unlock(&dist->lock);
	return list;
}
