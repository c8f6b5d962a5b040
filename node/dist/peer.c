/* SPDX-License-Identifier: MIT */
#include "dist/peer.h"

#include <string.h>

#include "base/log.h"

/* ---- life ---- */

node_peer_t *node_peer_ref(node_peer_t *peer)
{
	__atomic_fetch_add(&peer->refs, 1, __ATOMIC_RELAXED);
	return peer;
}

void node_peer_unref(node_peer_t *peer)
{
	if (peer == NULL || __atomic_fetch_sub(&peer->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++)
		node_inlane_fini(&peer->in[i]);
	g_hash_table_destroy(peer->calls);
	g_hash_table_destroy(peer->commands);
	pthread_mutex_destroy(&peer->lock);
	node_carrier_unref(peer->carrier);
	g_free(peer);
}

static GHashTable *new_calls(void)
{
	return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, node_remote_call_free);
}

static GHashTable *new_commands(void)
{
	return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

node_peer_t *node_peer_new(node_dist_t *dist, const char *name, bool dialled)
{
	node_peer_t *peer = g_try_new0(node_peer_t, 1);
	if (peer == NULL)
		return NULL;
	peer->refs = 1;
	peer->dist = dist;
	peer->dialled = dialled;
	peer->deadline_ns = NODE_FOREVER;
	peer->since_wall_ns = dist->node->clock->wall_ns(dist->node->clock);
	peer->calls = new_calls();
	peer->commands = new_commands();
	g_strlcpy(peer->name, name, sizeof(peer->name));
	pthread_mutex_init(&peer->lock, NULL);
	pthread_mutex_lock(&dist->lock);
	g_ptr_array_add(dist->peers, peer);
	pthread_mutex_unlock(&dist->lock);
	return peer;
}

/* The loop alone changes the array, so it may read it without the lock. */
node_peer_t *node_peer_find(node_dist_t *dist, const char *name, uint32_t state, const node_peer_t *but)
{
	for (guint i = 0; i < dist->peers->len; i++) {
		node_peer_t *peer = g_ptr_array_index(dist->peers, i);
		if (peer == but || peer->role == NODE_ROLE_OPERATOR || strcmp(peer->name, name) != 0)
			continue;
		if (peer->state == state || state == NODE_PEER_DOWN)
			return peer;
	}
	return NULL;
}

/* ---- the end ---- */

static void leave_tables(node_peer_t *peer)
{
	node_dist_t *dist = peer->dist;
	pthread_mutex_lock(&dist->lock);
	peer->state = NODE_PEER_DOWN;
	if (dist->by_number[peer->number] == peer)
		dist->by_number[peer->number] = NULL;
	if (peer->session != 0)
		g_hash_table_remove(dist->sessions, &peer->session);
	g_ptr_array_remove_fast(dist->peers, peer);
	pthread_mutex_unlock(&dist->lock);
}

static void log_down(node_peer_t *peer, uint32_t state, int code, const char *reason)
{
	node_t *node = peer->dist->node;
	const char *what = peer->role == NODE_ROLE_OPERATOR ? "operator" : "node";
	if (state == NODE_PEER_UP)
		node_log(node,
			code == 0 || peer->role == NODE_ROLE_OPERATOR ? DREAM_LOG_INFO : DREAM_LOG_WARNING,
			"dist: %s %s is down: %s", what, peer->name, reason);
	else
		node_log(node, DREAM_LOG_WARNING, "dist: no connection with %s %s: %s", what, peer->name,
			reason);
}

void node_peer_down(node_peer_t *peer, int code, const char *reason)
{
	node_dist_t *dist = peer->dist;
	uint32_t state = peer->state;
	if (state == NODE_PEER_DOWN)
		return;
	leave_tables(peer);
	pthread_mutex_lock(&peer->lock);
	GHashTable *calls = peer->calls, *commands = peer->commands;
	peer->up = false;
	peer->calls = new_calls();
	peer->commands = new_commands();
	pthread_mutex_unlock(&peer->lock);
	log_down(peer, state, code, reason);
	node_remote_fail_calls(dist->node, peer, calls);
	node_operator_cancel_all(peer, commands);
	g_hash_table_destroy(calls);
	g_hash_table_destroy(commands);
	if (peer->on_done != NULL)
		peer->on_done(peer->on_done_data, code < 0 ? code : DREAM_ENOCONNECTION, reason);
	peer->on_done = NULL;
	if (peer->carrier != NULL) {
		peer->carrier->user = NULL;
		peer->carrier->ops->close(peer->carrier, code, reason);
	}
	if (!__atomic_load_n(&dist->stopped, __ATOMIC_ACQUIRE))
		node_greet_settle(dist, peer->name);
	node_peer_unref(peer);
}

/* ---- frames ---- */

static int refuse(node_peer_t *peer, const node_diag_t *diag)
{
	node_log(peer->dist->node, DREAM_LOG_ERROR, "dist: %s at %s: %s", peer->name, peer->carrier->address,
		diag->text);
	node_peer_down(peer, diag->code, diag->text);
	return diag->code;
}

static int on_frame(void *user, const uint8_t *data, uint64_t size_bytes)
{
	node_peer_t *peer = user;
	node_frame_t frame;
	node_diag_t diag;
	if (peer->state == NODE_PEER_DOWN)
		return DREAM_ENOCONNECTION;
	int r = node_frame_read(data, size_bytes, &frame, &diag);
	if (r < 0)
		return refuse(peer, &diag);
	if (peer->state == NODE_PEER_GREETING) {
		if (frame.type == NODE_FRAME_HELLO)
			return node_greet_on_hello(peer, &frame);
		node_diag_set(&diag, DREAM_EPROTO, "frame %s before HELLO", node_frame_name(frame.type));
		return refuse(peer, &diag);
	}
	if (frame.type == NODE_FRAME_HELLO)
		r = node_diag_set(&diag, DREAM_EPROTO, "frame HELLO came twice");
	else if (peer->role == NODE_ROLE_OPERATOR)
		r = node_operator_on_frame(peer, &frame, &diag);
	else
		r = node_remote_on_frame(peer, &frame, &diag);
	return r < 0 ? refuse(peer, &diag) : DREAM_OK;
}

/* Nothing of a node is delivered before it is up (DIST-O2); its other lanes may be faster than its HELLO. */
static bool must_wait(const node_peer_t *peer, uint32_t lane)
{
	return peer->state == NODE_PEER_WAITING || (peer->state == NODE_PEER_GREETING && lane != 0);
}

static void work_off(node_peer_t *peer, uint32_t lane, const uint8_t *data, uint64_t size)
{
	node_diag_t diag = {0};
	node_carrier_t *carrier = node_carrier_ref(peer->carrier);
	bool wait = must_wait(peer, lane);
	node_peer_ref(peer);
	peer->held[lane] += size;
	int r = node_inlane_push(&peer->in[lane], data, size, wait ? NULL : on_frame, peer, &diag);
	if (r < 0 && peer->state != NODE_PEER_DOWN) {
		if (diag.code == 0)
			node_diag_set(&diag, r, "lane %u cannot be read: %s", lane, node_diag_code_text(r));
		(void) refuse(peer, &diag);
	}
	/* What waits is not reported, so a peer that is not up yet can send no more than the first windows. */
	if (!wait && peer->state == NODE_PEER_UP) {
		carrier->ops->consumed(carrier, lane, peer->held[lane]);
		peer->held[lane] = 0;
	}
	node_peer_unref(peer);
	node_carrier_unref(carrier);
}

void node_peer_replay(node_peer_t *peer)
{
	for (uint32_t lane = 0; lane < NODE_CARRIER_LANES && peer->state == NODE_PEER_UP; lane++)
		if (peer->held[lane] > 0)
			work_off(peer, lane, NULL, 0);
}

static void on_bytes(
	void *owner, node_carrier_t *carrier, uint32_t lane, const uint8_t *data, uint64_t size_bytes)
{
	node_peer_t *peer = carrier->user;
	if (peer == NULL)
		return;
	node_peer_ref(peer);
	uint32_t before = peer->state;
	work_off(peer, lane, data, size_bytes);
	if (before == NODE_PEER_GREETING && peer->state == NODE_PEER_UP)
		node_peer_replay(peer);
	node_peer_unref(peer);
}

/* ---- the network's other events ---- */

static void set_greeting(node_peer_t *peer, node_carrier_t *carrier)
{
	node_dist_t *dist = peer->dist;
	int64_t deadline = node_clock_now(dist->node) + dist->hello_ns;
	pthread_mutex_lock(&dist->lock);
	if (peer->carrier == NULL)
		peer->carrier = node_carrier_ref(carrier);
	peer->state = NODE_PEER_GREETING;
	peer->role = carrier->peer_role;
	peer->since_wall_ns = dist->node->clock->wall_ns(dist->node->clock);
	pthread_mutex_unlock(&dist->lock);
	peer->deadline_ns = MIN(peer->deadline_ns, deadline);
}

static void on_up(void *owner, node_carrier_t *carrier)
{
	node_dist_t *dist = owner;
	node_peer_t *peer = carrier->user;
	if (carrier->dialled && peer == NULL)
		return; /* given up meanwhile */
	if (peer == NULL)
		peer = node_peer_new(dist, carrier->peer_name, false);
	if (peer == NULL) {
		carrier->ops->close(carrier, DREAM_ENOMEM, "out of memory");
		return;
	}
	carrier->user = peer;
	set_greeting(peer, carrier);
	if (carrier->dialled)
		node_greet_send(peer);
}

static void on_down(void *owner, node_carrier_t *carrier, int code, const char *reason)
{
	node_peer_t *peer = carrier->user;
	if (peer != NULL)
		node_peer_down(peer, code, reason);
}

static int64_t on_time(void *owner, int64_t now_ns)
{
	node_dist_t *dist = owner;
	int64_t next = NODE_FOREVER;
	for (guint i = 0; i < dist->peers->len; i++) {
		node_peer_t *peer = g_ptr_array_index(dist->peers, i);
		if (peer->state == NODE_PEER_UP)
			continue;
		if (now_ns < peer->deadline_ns) {
			next = MIN(next, peer->deadline_ns);
			continue;
		}
		node_peer_down(peer, DREAM_ETIMEDOUT,
			peer->state == NODE_PEER_DIALLING ? "no answer in time" : "no HELLO in time");
		i = (guint) -1; /* the array has changed: from the start */
		next = NODE_FOREVER;
	}
	return next;
}

const node_carrier_events_t node_peer_events = {
	.on_up = on_up, .on_bytes = on_bytes, .on_down = on_down, .on_time = on_time};
