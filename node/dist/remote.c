/* SPDX-License-Identifier: MIT */
/* Signals between processes of different nodes. */
#include <string.h>

#include "base/log.h"
#include "dist/peer.h"
#include "proc/names.h"
#include "proc/planted.h"
#include "proc/proc.h"

static const uint8_t null_item[] = {0xf6};

void node_remote_call_free(gpointer data)
{
	node_remote_call_t *call = data;
	g_free(call->name);
	g_free(call);
}

static void answer_local(
	node_t *node, const dream_pid_t *caller, dream_pid_t from, uint64_t ref, int code, dream_msg_t *msg)
{
	node_sig_t *sig = node_sig_new_take(NODE_SIG_REPLY, *caller, from, ref, msg);
	if (sig == NULL)
		return;
	sig->code = code;
	(void) node_proc_deliver_take(node, sig);
}

void node_remote_fail_calls(node_t *node, node_peer_t *peer, GHashTable *calls)
{
	GHashTableIter iter;
	gpointer key, value;
	g_hash_table_iter_init(&iter, calls);
	while (g_hash_table_iter_next(&iter, &key, &value)) {
		const node_remote_call_t *call = value;
		dream_pid_t caller = {call->caller, node->creation, 0};
		answer_local(node, &caller, call->to, *(uint64_t *) key, DREAM_ENOCONNECTION,
			node_msg_text("noconnection"));
	}
}

/* ---- out ---- */

static node_peer_t *peer_by_number(node_dist_t *dist, uint32_t number)
{
	if (dist == NULL || number > NODE_DIST_NAMES_MAX)
		return NULL;
	pthread_mutex_lock(&dist->lock);
	node_peer_t *peer = dist->by_number[number];
	if (peer != NULL)
		node_peer_ref(peer);
	pthread_mutex_unlock(&dist->lock);
	return peer;
}

/* Every signal of a process on its lane. An answer by value does not name its sender: then it is who runs here. */
static uint32_t lane_of(const node_t *node, const node_sig_t *sig)
{
	uint64_t id = sig->from.id;
	const node_ctx_t *ctx = node_ctx_borrow();
	if (id == 0 && ctx->node == node && ctx->proc != NULL)
		id = node_proc_pid(ctx->proc).id;
	if (NODE_PLANTED(NODE_PLANTED_LANE_BY_NAME))
		id = sig->to.id;
	return node_frame_lane(id);
}

static node_frame_t frame_of(const node_sig_t *sig, uint32_t type, uint32_t type_name)
{
	node_frame_t f = {.type = sig->to.id == 0 ? type_name : type,
		.code = sig->code,
		.ref = sig->ref,
		.from = sig->from.id,
		.to = sig->to.id,
		.to_creation = sig->to.creation,
		.item = sig->msg != NULL ? sig->msg->data : null_item,
		.item_size = sig->msg != NULL ? sig->msg->size_bytes : sizeof(null_item)};
	if (sig->to.id == 0) {
		f.text = sig->data;
		f.text_size = strlen(sig->data);
	}
	return f;
}

/* Before its frame can be answered. */
static int remember_call(node_peer_t *peer, const node_sig_t *sig)
{
	node_remote_call_t *call = g_new0(node_remote_call_t, 1);
	uint64_t *key = g_new(uint64_t, 1);
	int r = DREAM_OK;
	*key = sig->ref;
	call->caller = sig->from.id;
	call->to = sig->to;
	call->name = sig->to.id == 0 ? g_strdup(sig->data) : NULL;
	pthread_mutex_lock(&peer->lock);
	if (!peer->up)
		r = DREAM_ENOCONNECTION;
	else if (g_hash_table_size(peer->calls) >= NODE_PEER_CALLS_MAX)
		r = DREAM_EBUSY;
	else
		g_hash_table_replace(peer->calls, key, call);
	pthread_mutex_unlock(&peer->lock);
	if (r < 0) {
		g_free(key);
		node_remote_call_free(call);
	}
	return r;
}

/* The open call, which is yours then; NULL if it is over. */
static node_remote_call_t *forget_call(node_peer_t *peer, uint64_t ref)
{
	gpointer key, value;
	pthread_mutex_lock(&peer->lock);
	bool found = g_hash_table_steal_extended(peer->calls, &ref, &key, &value);
	pthread_mutex_unlock(&peer->lock);
	if (!found)
		return NULL;
	g_free(key);
	return value;
}

static int send_call(node_peer_t *peer, uint32_t lane, const node_sig_t *sig)
{
	int r = remember_call(peer, sig);
	if (r < 0)
		return r;
	node_frame_t f = frame_of(sig, NODE_FRAME_CALL, NODE_FRAME_CALL_NAME);
	r = node_frame_send(peer->carrier, lane, &f, 0);
	if (r == DREAM_OK)
		return r;
	node_remote_call_t *call = forget_call(peer, sig->ref);
	if (call == NULL) /* the connection ended meanwhile, and the caller has its answer */
		return DREAM_OK;
	node_remote_call_free(call);
	return r;
}

/* To whom the call went, however the cancellation is addressed. */
static int cancel_call(node_peer_t *peer, uint32_t lane, const node_remote_call_t *call, uint64_t ref)
{
	node_frame_t f = {.type = call->name != NULL ? NODE_FRAME_CANCEL_NAME : NODE_FRAME_CANCEL,
		.ref = ref,
		.from = call->caller,
		.to = call->to.id,
		.to_creation = call->to.creation,
		.text = call->name,
		.text_size = call->name != NULL ? strlen(call->name) : 0};
	return node_frame_send(peer->carrier, lane, &f, NODE_CARRIER_EXEMPT);
}

static int send_cancel(node_peer_t *peer, uint32_t lane, const node_sig_t *sig)
{
	node_remote_call_t *call = forget_call(peer, sig->ref);
	if (call == NULL)
		return DREAM_OK;
	int r = cancel_call(peer, lane, call, sig->ref);
	node_remote_call_free(call);
	return r;
}

static int send_signal(node_peer_t *peer, uint32_t lane, const node_sig_t *sig)
{
	node_frame_t f;
	switch (sig->kind) {
	case NODE_SIG_MSG:
		f = frame_of(sig, NODE_FRAME_SEND, NODE_FRAME_SEND_NAME);
		break;
	case NODE_SIG_CAST:
		f = frame_of(sig, NODE_FRAME_CAST, NODE_FRAME_CAST_NAME);
		break;
	case NODE_SIG_CALL:
		return send_call(peer, lane, sig);
	case NODE_SIG_CANCEL:
		return send_cancel(peer, lane, sig);
	default:
		f = frame_of(sig, NODE_FRAME_REPLY, NODE_FRAME_REPLY);
		break;
	}
	return node_frame_send(
		peer->carrier, lane, &f, sig->kind == NODE_SIG_REPLY ? NODE_CARRIER_EXEMPT : 0);
}

static bool is_carried(const node_sig_t *sig)
{
	switch (sig->kind) {
	case NODE_SIG_MSG:
	case NODE_SIG_CAST:
	case NODE_SIG_CALL:
		return sig->to.id != 0 || sig->data != NULL;
	case NODE_SIG_REPLY:
		return sig->to.id != 0;
	case NODE_SIG_CANCEL:
		return true;
	default:
		return false; /* links, monitors, exits: later */
	}
}

/* A call hears why, everything else is silent or has its own way to be turned down. */
static int fail_take(node_t *node, node_sig_t *sig, int code)
{
	if (sig->kind == NODE_SIG_CALL) {
		dream_msg_t *reason = code == DREAM_ENOCONNECTION ? node_msg_text("noconnection")
				      : code == DREAM_ENOPROC     ? node_msg_text("noproc")
								  : node_msg_text(node_diag_code_text(code));
		answer_local(node, &sig->from, sig->to, sig->ref, code, reason);
		node_sig_free(sig);
		return code;
	}
	node_proc_bounce_take(node, sig, code == DREAM_ENOPROC ? "noproc" : "noconnection");
	return code;
}

int node_remote_send_take(node_t *node, node_sig_t *sig)
{
	node_peer_t *peer = peer_by_number(node->dist, sig->to.node);
	if (peer == NULL)
		return fail_take(node, sig, DREAM_ENOCONNECTION);
	int r = DREAM_ENOCONNECTION;
	if (is_carried(sig)) {
		bool other_life = sig->to.id != 0 && sig->to.creation != peer->creation; /* DIST-1 */
		r = other_life ? DREAM_ENOPROC : send_signal(peer, lane_of(node, sig), sig);
	}
	node_peer_unref(peer);
	if (r < 0)
		return fail_take(node, sig, r);
	node_sig_free(sig);
	return DREAM_OK;
}

/* ---- in ---- */

static int find_target(node_t *node, const node_frame_t *f, dream_pid_t *ret_to)
{
	char name[NODE_NAME_MAX + 1];
	if (f->text == NULL) {
		*ret_to = (dream_pid_t){f->to, f->to_creation, 0};
		return DREAM_OK;
	}
	if (f->text_size > NODE_NAME_MAX)
		return DREAM_ENOENT;
	memcpy(name, f->text, f->text_size);
	name[f->text_size] = '\0';
	return node_names_whereis(node, name, ret_to);
}

static int get_item(const node_frame_t *f, dream_msg_t **ret_msg, node_diag_t *diag)
{
	if (f->item == NULL) {
		*ret_msg = NULL;
		return DREAM_OK;
	}
	int r = node_msg_new(f->item, f->item_size, ret_msg);
	if (r == DREAM_EDECODE)
		r = DREAM_EPROTO;
	return r < 0 ? node_diag_set(diag, r, "frame %s: its message cannot be taken: %s",
			       node_frame_name(f->type), node_diag_code_text(r))
		     : DREAM_OK;
}

static void answer_noproc(node_peer_t *peer, const node_frame_t *f)
{
	static const uint8_t noproc[] = {0x66, 'n', 'o', 'p', 'r', 'o', 'c'};
	node_frame_t reply = {.type = NODE_FRAME_REPLY,
		.ref = f->ref,
		.to = f->from,
		.to_creation = peer->creation,
		.code = DREAM_ENOPROC,
		.item = noproc,
		.item_size = sizeof(noproc)};
	(void) node_frame_send(peer->carrier, node_frame_lane(f->from), &reply, NODE_CARRIER_EXEMPT);
}

static int on_signal(node_peer_t *peer, const node_frame_t *f, uint8_t kind, node_diag_t *diag)
{
	node_t *node = peer->dist->node;
	dream_pid_t to, from = {f->from, peer->creation, peer->number};
	dream_msg_t *msg;
	int r = get_item(f, &msg, diag);
	if (r < 0)
		return r;
	if (find_target(node, f, &to) < 0) { /* REG-2: names are looked up when the signal arrives */
		if (kind == NODE_SIG_CALL)
			answer_noproc(peer, f);
		node_msg_unref(msg);
		return DREAM_OK;
	}
	node_sig_t *sig = node_sig_new_take(kind, to, from, f->ref, msg);
	if (sig == NULL)
		return node_diag_set(
			diag, DREAM_ENOMEM, "out of memory for frame %s", node_frame_name(f->type));
	(void) node_proc_deliver_take(node, sig);
	return DREAM_OK;
}

/* An answer counts only for a call that this peer owes it for. */
static int on_reply(node_peer_t *peer, const node_frame_t *f, node_diag_t *diag)
{
	node_t *node = peer->dist->node;
	dream_msg_t *msg;
	int r = get_item(f, &msg, diag);
	if (r < 0)
		return r;
	node_remote_call_t *call = forget_call(peer, f->ref);
	if (call == NULL) { /* cancelled meanwhile */
		node_msg_unref(msg);
		return DREAM_OK;
	}
	dream_pid_t caller = {call->caller, node->creation, 0},
		    from = {f->from, peer->creation, peer->number};
	answer_local(node, &caller, from, f->ref, f->code, msg);
	if (f->from == 0 &&
		f->code >= 0) /* another process answered by value: the server still holds the call */
		(void) cancel_call(peer, node_frame_lane(call->caller), call, f->ref);
	node_remote_call_free(call);
	return DREAM_OK;
}

int node_remote_on_frame(node_peer_t *peer, const node_frame_t *f, node_diag_t *diag)
{
	switch (f->type) {
	case NODE_FRAME_SEND:
	case NODE_FRAME_SEND_NAME:
		return on_signal(peer, f, NODE_SIG_MSG, diag);
	case NODE_FRAME_CAST:
	case NODE_FRAME_CAST_NAME:
		return on_signal(peer, f, NODE_SIG_CAST, diag);
	case NODE_FRAME_CALL:
	case NODE_FRAME_CALL_NAME:
		return on_signal(peer, f, NODE_SIG_CALL, diag);
	case NODE_FRAME_CANCEL:
	case NODE_FRAME_CANCEL_NAME:
		return on_signal(peer, f, NODE_SIG_CANCEL, diag);
	case NODE_FRAME_REPLY:
		return on_reply(peer, f, diag);
	default:
		return node_diag_set(diag, DREAM_EPERM,
			"frame %s is not for nodes; commands need the role operator",
			node_frame_name(f->type));
	}
}
