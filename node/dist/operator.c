/* SPDX-License-Identifier: MIT */
/* Operators: commands in, items and ends out. */
#include <string.h>

#include "dist/peer.h"

/* The answers to a command share a lane, so that they keep their order, and have it to themselves. */
static uint32_t lane_of(uint64_t id)
{
	return 1 + (uint32_t) (id % (NODE_CARRIER_LANES - 1));
}

static int send_done(node_peer_t *peer, uint64_t id, int code, const char *text)
{
	node_frame_t f = {
		.type = NODE_FRAME_DONE, .ref = id, .code = code, .text = text, .text_size = strlen(text)};
	return node_frame_send(peer->carrier, lane_of(id), &f, NODE_CARRIER_EXEMPT);
}

/* ---- in ---- */

static int add_command(node_peer_t *peer, uint64_t id)
{
	int r = DREAM_OK;
	pthread_mutex_lock(&peer->lock);
	if (g_hash_table_contains(peer->commands, &id))
		r = DREAM_EEXIST;
	else if (g_hash_table_size(peer->commands) >= NODE_PEER_COMMANDS_MAX)
		r = DREAM_ELIMIT;
	else
		g_hash_table_add(peer->commands, g_memdup2(&id, sizeof(id)));
	pthread_mutex_unlock(&peer->lock);
	return r;
}

static bool remove_command(node_peer_t *peer, uint64_t id)
{
	pthread_mutex_lock(&peer->lock);
	bool had = g_hash_table_remove(peer->commands, &id);
	pthread_mutex_unlock(&peer->lock);
	return had;
}

static bool has_command(node_peer_t *peer, uint64_t id)
{
	pthread_mutex_lock(&peer->lock);
	bool has = g_hash_table_contains(peer->commands, &id);
	pthread_mutex_unlock(&peer->lock);
	return has;
}

static int on_command(node_peer_t *peer, const node_frame_t *f, node_diag_t *diag)
{
	node_t *node = peer->dist->node;
	if (!g_utf8_validate(f->text, (gssize) f->text_size, NULL))
		return node_diag_set(diag, DREAM_EPROTO, "frame COMMAND: its line is no UTF-8");
	int r = add_command(peer, f->ref);
	if (r == DREAM_EEXIST)
		return node_diag_set(diag, DREAM_EPROTO, "frame COMMAND: its id is in use");
	if (r < 0) {
		(void) send_done(
			peer, f->ref, DREAM_ELIMIT, "too many commands at once; wait for one to end");
		return DREAM_OK;
	}
	if (node->hooks.console_command == NULL) {
		remove_command(peer, f->ref);
		(void) send_done(peer, f->ref, DREAM_ENOTSTARTED, "this node has no console");
		return DREAM_OK;
	}
	char *line = g_strndup(f->text, f->text_size);
	node->hooks.console_command(node, peer->session, f->ref, peer->name, line);
	g_free(line);
	return DREAM_OK;
}

static void cancel(node_peer_t *peer, uint64_t id)
{
	node_t *node = peer->dist->node;
	if (node->hooks.console_cancel != NULL)
		node->hooks.console_cancel(node, peer->session, id);
}

int node_operator_on_frame(node_peer_t *peer, const node_frame_t *f, node_diag_t *diag)
{
	if (f->type == NODE_FRAME_COMMAND)
		return on_command(peer, f, diag);
	if (f->type != NODE_FRAME_CANCEL_COMMAND)
		return node_diag_set(diag, DREAM_EPERM, "frame %s: operators may send commands only",
			node_frame_name(f->type));
	if (has_command(peer, f->ref))
		cancel(peer, f->ref);
	return DREAM_OK;
}

void node_operator_cancel_all(node_peer_t *peer, GHashTable *commands)
{
	GHashTableIter iter;
	gpointer key;
	g_hash_table_iter_init(&iter, commands);
	while (g_hash_table_iter_next(&iter, &key, NULL))
		cancel(peer, *(uint64_t *) key);
}

/* ---- out ---- */

static node_peer_t *peer_by_session(node_t *node, uint64_t session)
{
	node_dist_t *dist = node->dist;
	if (dist == NULL)
		return NULL;
	pthread_mutex_lock(&dist->lock);
	node_peer_t *peer = g_hash_table_lookup(dist->sessions, &session);
	if (peer != NULL)
		node_peer_ref(peer);
	pthread_mutex_unlock(&dist->lock);
	return peer;
}

int node_dist_console_item_take(node_t *node, uint64_t session, uint64_t id, dream_msg_t *item)
{
	node_peer_t *peer = peer_by_session(node, session);
	int r = DREAM_ENOCONNECTION;
	if (peer != NULL && !has_command(peer, id)) {
		r = DREAM_ENOENT;
	} else if (peer != NULL) {
		node_frame_t f = {.type = NODE_FRAME_ITEM,
			.ref = id,
			.item = item->data,
			.item_size = item->size_bytes};
		r = node_frame_send(peer->carrier, lane_of(id), &f, 0);
	}
	node_peer_unref(peer);
	node_msg_unref(item);
	return r;
}

int node_dist_console_done(node_t *node, uint64_t session, uint64_t id, int code, const char *text)
{
	node_peer_t *peer = peer_by_session(node, session);
	int r = DREAM_ENOCONNECTION;
	if (peer != NULL)
		r = remove_command(peer, id) ? send_done(peer, id, code, text != NULL ? text : "")
					     : DREAM_ENOENT;
	node_peer_unref(peer);
	return r;
}
