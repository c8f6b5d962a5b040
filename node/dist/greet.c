/* SPDX-License-Identifier: MIT */
/* HELLO, and which of several connections between two nodes stays. */
#include <string.h>

#include "base/log.h"
#include "dist/peer.h"

void node_greet_send(node_peer_t *peer)
{
	node_t *node = peer->dist->node;
	node_frame_t hello = {.type = NODE_FRAME_HELLO,
		.version_min = NODE_FRAME_VERSION,
		.version_max = NODE_FRAME_VERSION,
		.text = node->name,
		.text_size = strlen(node->name),
		.creation = node->creation,
		.role = NODE_ROLE_NODE};
	(void) node_frame_send(peer->carrier, 0, &hello, NODE_CARRIER_EXEMPT);
}

/* ---- acceptance ---- */

static void finish_dial(node_peer_t *peer)
{
	node_dist_on_connect_t on_done = peer->on_done;
	peer->on_done = NULL;
	if (on_done != NULL)
		on_done(peer->on_done_data, DREAM_OK, "connected");
}

static void enter_tables(node_peer_t *peer)
{
	node_dist_t *dist = peer->dist;
	pthread_mutex_lock(&dist->lock);
	if (peer->role == NODE_ROLE_OPERATOR) {
		peer->session = ++dist->last_session;
		g_hash_table_insert(dist->sessions, &peer->session, peer);
	} else {
		dist->by_number[peer->number] = peer;
	}
	peer->state = NODE_PEER_UP;
	peer->since_wall_ns = dist->node->clock->wall_ns(dist->node->clock);
	pthread_mutex_unlock(&dist->lock);
	pthread_mutex_lock(&peer->lock);
	peer->up = true;
	pthread_mutex_unlock(&peer->lock);
}

/* Others of the same name that are still on their way have lost; our own attempt among them has reached its end. */
static void end_rivals(node_peer_t *peer)
{
	node_peer_t *rival;
	while ((rival = node_peer_find(peer->dist, peer->name, NODE_PEER_DOWN, peer)) != NULL) {
		finish_dial(rival);
		node_peer_down(rival, DREAM_EEXIST, "duplicate connection");
	}
}

/* Our HELLO goes out before anything else can: processes see the peer only after enter_tables(). */
static void accept_peer(node_peer_t *peer)
{
	if (!peer->dialled)
		node_greet_send(peer);
	enter_tables(peer);
	node_log(peer->dist->node, DREAM_LOG_INFO, "dist: %s %s is up, at %s",
		peer->role == NODE_ROLE_OPERATOR ? "operator" : "node", peer->name, peer->carrier->address);
	finish_dial(peer);
	if (peer->role == NODE_ROLE_NODE)
		end_rivals(peer);
}

static bool dialled_by_smaller(const node_peer_t *peer)
{
	int order = strcmp(peer->dist->node->name, peer->name);
	return peer->dialled ? order < 0 : order > 0;
}

/* True if the connection that is up stays. A new incarnation, or the same dialler again, knows that the old is dead. */
static bool keeps_old(const node_peer_t *old, const node_peer_t *fresh)
{
	return old->creation == fresh->creation && old->dialled != fresh->dialled && dialled_by_smaller(old);
}

/* 0 accept now, positive wait, negative it is down. */
static int decide(node_peer_t *peer)
{
	node_dist_t *dist = peer->dist;
	node_peer_t *old = node_peer_find(dist, peer->name, NODE_PEER_UP, peer);
	if (old != NULL && keeps_old(old, peer)) {
		finish_dial(peer);
		node_peer_down(peer, DREAM_EEXIST, "duplicate connection");
		return DREAM_EEXIST;
	}
	if (old != NULL)
		node_peer_down(old, DREAM_EEXIST, "replaced by a newer connection");
	if (peer->dialled || dialled_by_smaller(peer))
		return 0;
	node_peer_t *own = node_peer_find(dist, peer->name, NODE_PEER_DIALLING, peer);
	if (own == NULL || !own->dialled)
		own = node_peer_find(dist, peer->name, NODE_PEER_GREETING, peer);
	return own != NULL && own->dialled ? 1 : 0;
}

void node_greet_settle(node_dist_t *dist, const char *name)
{
	char key[NODE_NAME_MAX + 1];
	g_strlcpy(key, name, sizeof(key));
	node_peer_t *peer = node_peer_find(dist, key, NODE_PEER_WAITING, NULL);
	if (peer == NULL || decide(peer) != 0)
		return;
	accept_peer(peer);
	node_peer_replay(peer);
}

/* ---- HELLO has come ---- */

static int check_hello(node_peer_t *peer, const node_frame_t *f, node_diag_t *diag)
{
	node_t *node = peer->dist->node;
	if (f->version_min > NODE_FRAME_VERSION || f->version_max < NODE_FRAME_VERSION)
		return node_diag_set(diag, DREAM_EPROTO,
			"it speaks versions %u to %u of the protocol, we %u; upgrade one side",
			f->version_min, f->version_max, NODE_FRAME_VERSION);
	if (f->text_size != strlen(peer->carrier->peer_name) ||
		memcmp(f->text, peer->carrier->peer_name, f->text_size) != 0)
		return node_diag_set(diag, DREAM_EPROTO, "HELLO names \"%.*s\", its certificate \"%s\"",
			(int) MIN(f->text_size, NODE_NAME_MAX), f->text, peer->carrier->peer_name);
	if (f->role != peer->carrier->peer_role)
		return node_diag_set(diag, DREAM_EPROTO, "HELLO claims another role than its certificate");
	if (f->role == NODE_ROLE_NODE && strcmp(peer->name, node->name) == 0)
		return node_diag_set(diag, DREAM_ESELF, "this node has our own name \"%s\"", node->name);
	return DREAM_OK;
}

int node_greet_on_hello(node_peer_t *peer, const node_frame_t *frame)
{
	node_dist_t *dist = peer->dist;
	node_diag_t diag;
	int r = check_hello(peer, frame, &diag);
	if (r == DREAM_OK && peer->role == NODE_ROLE_NODE) {
		r = node_nodetab_add(&dist->names, peer->name, &peer->number);
		if (r < 0)
			node_diag_set(&diag, r, "more than %u names of nodes", NODE_DIST_NAMES_MAX);
	}
	if (r < 0) {
		node_log(dist->node, DREAM_LOG_ERROR, "dist: %s at %s: frame HELLO: %s", peer->name,
			peer->carrier->address, diag.text);
		node_peer_down(peer, r, diag.text);
		return r;
	}
	peer->creation = frame->creation;
	r = peer->role == NODE_ROLE_OPERATOR ? 0 : decide(peer);
	if (r == 0) {
		accept_peer(peer);
	} else if (r > 0) {
		pthread_mutex_lock(&dist->lock);
		peer->state = NODE_PEER_WAITING;
		pthread_mutex_unlock(&dist->lock);
		peer->deadline_ns = node_clock_now(dist->node) + 4 * dist->hello_ns;
	}
	return r;
}
