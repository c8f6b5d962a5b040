/* SPDX-License-Identifier: MIT */
#include "proc/sig.h"

#include "term/cbor.h"

_Static_assert(sizeof(node_sig_t) <= sizeof(((dream_msg_t *) 0)->envelope), "a signal fits the envelope");

node_sig_t *node_sig_new_take(uint8_t kind, dream_pid_t to, dream_pid_t from, uint64_t ref, dream_msg_t *msg)
{
	bool own = msg != NULL && __atomic_load_n(&msg->refs, __ATOMIC_ACQUIRE) == 1;
	node_sig_t *sig = own ? (node_sig_t *) (void *) msg->envelope : node_mem_alloc(sizeof(*sig));
	if (sig == NULL) {
		node_msg_unref(msg);
		return NULL;
	}
	*sig = (node_sig_t){.kind = kind,
		.flags = own ? NODE_SIG_F_INLINE : 0,
		.to = to,
		.from = from,
		.ref = ref,
		.msg = msg};
	return sig;
}

static bool owns_name(const node_sig_t *sig)
{
	return sig->data != NULL && sig->kind != NODE_SIG_SYS && sig->kind != NODE_SIG_TIMER;
}

dream_msg_t *node_sig_steal_msg(node_sig_t *sig)
{
	dream_msg_t *msg = sig->msg;
	if (owns_name(sig))
		node_mem_free(sig->data);
	if (!(sig->flags & NODE_SIG_F_INLINE))
		node_mem_free(sig);
	return msg;
}

void node_sig_free(node_sig_t *sig)
{
	if (sig != NULL)
		node_msg_unref(node_sig_steal_msg(sig));
}

static void write_exit(node_cbor_writer_t *w, const node_t *node, const node_sig_t *sig)
{
	node_cbor_put_array(w, 3);
	node_cbor_put_text(w, "EXIT");
	node_cbor_put_pid(w, node, sig->from);
	node_cbor_put_msg(w, sig->msg);
}

/* @tag NULL: the text DOWN */
static void write_down(
	node_cbor_writer_t *w, const node_t *node, const node_sig_t *sig, const dream_msg_t *tag)
{
	dream_ref_t ref = {sig->ref, node->creation, 0};
	node_cbor_put_array(w, 5);
	if (tag != NULL)
		node_cbor_put_msg(w, tag);
	else
		node_cbor_put_text(w, "DOWN");
	node_cbor_put_ref(w, node, ref);
	node_cbor_put_text(w, "process");
	if (sig->data != NULL)
		node_cbor_put_text(w, sig->data);
	else
		node_cbor_put_pid(w, node, sig->from);
	node_cbor_put_msg(w, sig->msg);
}

static void write_call(node_cbor_writer_t *w, const node_t *node, const node_sig_t *sig)
{
	dream_ref_t ref = {sig->ref, sig->from.creation, sig->from.node};
	node_cbor_put_array(w, 3);
	node_cbor_put_text(w, "$gen_call");
	node_cbor_put_array(w, 2);
	node_cbor_put_pid(w, node, sig->from);
	node_cbor_put_ref(w, node, ref);
	node_cbor_put_msg(w, sig->msg);
}

static void write_cast(node_cbor_writer_t *w, const node_sig_t *sig)
{
	node_cbor_put_array(w, 2);
	node_cbor_put_text(w, "$gen_cast");
	node_cbor_put_msg(w, sig->msg);
}

dream_msg_t *node_sig_to_msg_take(const node_t *node, node_sig_t *sig)
{
	if (sig->kind == NODE_SIG_MSG)
		return node_sig_steal_msg(sig);
	node_cbor_writer_t w;
	dream_msg_t *msg = NULL;
	node_cbor_init(&w);
	if (sig->kind == NODE_SIG_EXIT)
		write_exit(&w, node, sig);
	else if (sig->kind == NODE_SIG_DOWN)
		write_down(&w, node, sig, NULL);
	else if (sig->kind == NODE_SIG_CALL)
		write_call(&w, node, sig);
	else
		write_cast(&w, sig);
	(void) node_cbor_finish(&w, &msg);
	node_sig_free(sig);
	return msg;
}

dream_msg_t *node_sig_tagged_down(const node_t *node, const node_sig_t *sig, const dream_msg_t *tag)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = NULL;
	node_cbor_init(&w);
	write_down(&w, node, sig, tag);
	(void) node_cbor_finish(&w, &msg);
	return msg;
}
