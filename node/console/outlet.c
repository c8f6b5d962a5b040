/* SPDX-License-Identifier: MIT */
#include "console/outlet.h"

#include <string.h>

#include "base/log.h"
#include "console/address.h"
#include "dist/dist.h"
#include "proc/proc.h"
#include "term/cbor.h"

#define CONNECT_MS 8000 /* an operator's shell waits for 10 s by itself */

/* ---- nodes ---- */

static const char *role_name(uint32_t role)
{
	return role == NODE_ROLE_NODE ? "node" : role == NODE_ROLE_OPERATOR ? "operator" : NULL;
}

static void put_text_or_null(node_cbor_writer_t *w, const char *text)
{
	if (text != NULL && text[0] != '\0')
		node_cbor_put_text(w, text);
	else
		node_cbor_put_null(w);
}

static void put_peer(node_cbor_writer_t *w, const node_dist_peer_t *peer)
{
	node_cbor_put_array(w, 5);
	put_text_or_null(w, peer->name);
	put_text_or_null(w, peer->state);
	put_text_or_null(w, role_name(peer->role));
	put_text_or_null(w, peer->address);
	node_cbor_put_int(w, peer->rtt_ns / 1000);
}

static dream_msg_t *list_nodes(node_t *node)
{
	g_autoptr(GArray) peers = node_dist_list(node);
	node_cbor_writer_t w;
	dream_msg_t *rows = NULL;
	node_cbor_init(&w);
	node_cbor_put_array(&w, peers->len);
	for (guint i = 0; i < peers->len; i++)
		put_peer(&w, &g_array_index(peers, node_dist_peer_t, i));
	(void) node_cbor_finish(&w, &rows);
	return rows;
}

/* ---- connect ---- */

/* Who hears of the end of one attempt; lives until it is called back, whoever has died meanwhile. */
typedef struct {
	node_t *node;
	dream_pid_t asker; /* id 0: nobody but the log */
	char peer[NODE_NAME_MAX + 1];
} attempt_t;

static dream_msg_t *outcome_new(int code, const char *text)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = NULL;
	node_cbor_init(&w);
	node_cbor_put_array(&w, 3);
	node_cbor_put_text(&w, NODE_CONSOLE_CONNECTED);
	node_cbor_put_int(&w, code);
	node_cbor_put_text(&w, text != NULL ? text : "");
	(void) node_cbor_finish(&w, &msg);
	return msg;
}

static void on_outcome(void *data, int code, const char *text)
{
	attempt_t *attempt = data;
	node_t *node = attempt->node;
	if (code < 0)
		node_log(node, DREAM_LOG_WARNING, "connect %s: %s", attempt->peer,
			text != NULL ? text : node_diag_code_text(code));
	else
		node_log(node, DREAM_LOG_NOTICE, "connected to %s", attempt->peer);
	dream_msg_t *msg = attempt->asker.id != 0 ? outcome_new(code, text) : NULL;
	node_sig_t *sig =
		msg != NULL ? node_sig_new_take(NODE_SIG_MSG, attempt->asker, attempt->asker, 0, msg) : NULL;
	if (sig != NULL)
		(void) node_proc_deliver_take(node, sig);
	g_free(attempt);
}

static int connect_to(node_t *node, dream_pid_t asker, const char *peer, node_diag_t *diag)
{
	node_address_t address;
	if (node_address_parse_peer(peer, &address) < 0)
		return node_diag_set(
			diag, DREAM_EINVAL, "\"%.64s\" is no address of a node; write NAME@HOST:PORT", peer);
	attempt_t *attempt = g_new0(attempt_t, 1);
	attempt->node = node;
	attempt->asker = asker;
	g_strlcpy(attempt->peer, address.name, sizeof(attempt->peer));
	int r = node_dist_connect(
		node, address.name, address.host, address.port, 0, on_outcome, attempt, diag);
	if (r < 0)
		g_free(attempt);
	return r;
}

int node_outlet_connect(node_t *node, const char *peer, node_diag_t *diag)
{
	return connect_to(node, (dream_pid_t){0, 0, 0}, peer, diag);
}

const node_console_out_t node_outlet_dist = {.item_take = node_dist_console_item_take,
	.done = node_dist_console_done,
	.nodes = list_nodes,
	.connect = connect_to};
