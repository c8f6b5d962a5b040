/* SPDX-License-Identifier: MIT */
#include "otp/callback.h"

#include <string.h>

#include "base/log.h"
#include "base/short.h"
#include "proc/heap.h"
#include "term/codec.h"
#include "term/notation.h"

/* Decoded requests live in process memory, so that a process which ends inside a callback leaves nothing
 * behind; the first bytes on the stack. */
typedef struct {
	node_codec_mem_t mem;
	node_proc_t *proc;
	void *blocks; /* each begins with the address of the one before */
} scratch_t;

static void *keep(scratch_t *scratch, void **block)
{
	if (block == NULL)
		return NULL;
	*block = scratch->blocks;
	scratch->blocks = block;
	return block + 2;
}

static void *scratch_alloc(node_codec_mem_t *mem, uint64_t size_bytes)
{
	scratch_t *scratch = (scratch_t *) mem;
	return keep(scratch, node_heap_alloc(scratch->proc, size_bytes + 16));
}

static void *scratch_alloc_raw(node_codec_mem_t *mem, uint64_t size_bytes)
{
	scratch_t *scratch = (scratch_t *) mem;
	return keep(scratch, node_heap_alloc_raw(scratch->proc, size_bytes + 16));
}

static void scratch_init(scratch_t *scratch, node_proc_t *proc)
{
	*scratch = (scratch_t){.mem = {scratch_alloc, scratch_alloc_raw, true}, .proc = proc};
}

static void scratch_fini(scratch_t *scratch)
{
	while (scratch->blocks != NULL) {
		void *next = *(void **) scratch->blocks;
		node_heap_free(scratch->proc, scratch->blocks);
		scratch->blocks = next;
	}
}

static void enter(node_server_t *server)
{
	server->flags |= NODE_SERVER_CALLBACK;
}

static void exit_callback(node_server_t *server)
{
	server->flags &= ~NODE_SERVER_CALLBACK;
}

int node_callback_init(node_proc_t *proc, node_server_t *server)
{
	const dream_gen_server_ops_t *ops = &server->kind->ops.server;
	if (ops->state != NULL && (server->state = node_heap_alloc(proc, ops->state->size)) == NULL)
		return DREAM_ENOMEM;
	if (ops->init == NULL)
		return DREAM_OK;
	enter(server);
	int r = ops->init(server->args, &server->state);
	exit_callback(server);
	return r;
}

static const dream_handler_t *find(const dream_handler_t *const *handlers, const char *tag, uint64_t size)
{
	for (; handlers != NULL && *handlers != NULL; handlers++)
		if ((*handlers)->tag_size == size && node_short_equal((*handlers)->tag, tag, size))
			return *handlers;
	return NULL;
}

/* ---- typed ---- */

/* The values lie on the process's stack up to this size each, in process memory beyond. */
#define ON_STACK 512u

typedef struct {
	_Alignas(16) uint8_t bytes[ON_STACK];
} small_t;

static void *place(scratch_t *scratch, small_t *small, const dream_type_t *type)
{
	if (type->size > sizeof(small->bytes))
		return scratch_alloc(&scratch->mem, type->size);
	return small->bytes;
}

static void *place_zeroed(scratch_t *scratch, small_t *small, const dream_type_t *type)
{
	void *at = place(scratch, small, type);
	if (at == small->bytes)
		node_short_zero(at, type->size);
	return at;
}

static int refuse(node_proc_t *proc, int code, const char *text)
{
	node_sig_t *call = proc->current;
	if (call != NULL && call->kind == NODE_SIG_CALL) {
		proc->current = NULL;
		node_proc_answer_take(proc->node, call, code, node_msg_text(text));
	} else {
		node_log(proc->node, DREAM_LOG_WARNING, "%s: message dropped: %s", proc->label, text);
	}
	return DREAM_NEXT_NOREPLY;
}

static int encode_reply(
	node_proc_t *proc, const dream_handler_t *handler, const void *reply, dream_msg_t **ret_reply)
{
	node_cbor_writer_t w;
	node_diag_t diag;
	node_cbor_init(&w);
	int r = node_codec_encode(&w, proc->node, handler->reply, reply, &diag);
	if (r == DREAM_OK)
		return node_cbor_finish(&w, ret_reply);
	node_cbor_fini(&w);
	node_log(proc->node, DREAM_LOG_ERROR, "%s: the reply to \"%s\" cannot be encoded: %s", proc->label,
		handler->tag, diag.text);
	return r;
}

static dream_next_t run_typed(node_proc_t *proc, node_server_t *server, const dream_handler_t *handler,
	node_cbor_reader_t *payload, dream_msg_t **ret_reply)
{
	scratch_t scratch;
	small_t request_small, reply_small;
	node_diag_t diag;
	scratch_init(&scratch, proc);
	void *request = place(&scratch, &request_small, handler->request); /* decoding zeroes it */
	void *reply = handler->reply != NULL ? place_zeroed(&scratch, &reply_small, handler->reply) : NULL;
	dream_next_t next = DREAM_ENOMEM;
	if (request != NULL && (reply != NULL || handler->reply == NULL)) {
		int r = node_codec_decode_payload(
			payload, proc->node, handler->request, &scratch.mem, request, &diag);
		if (r < 0) {
			next = refuse(proc, DREAM_EREQUEST, diag.text);
		} else {
			enter(server);
			next = handler->fn(server->state, request, reply);
			exit_callback(server);
			if (reply != NULL && (next == DREAM_NEXT_REPLY || next == DREAM_NEXT_STOP_REPLY)) {
				r = encode_reply(proc, handler, reply, ret_reply);
				next = r < 0 ? r : next;
			}
		}
	}
	scratch_fini(&scratch);
	return next;
}

/* ---- which one ---- */

static void append_tags(GString *text, const dream_handler_t *const *handlers)
{
	for (; handlers != NULL && *handlers != NULL; handlers++)
		g_string_append_printf(text, " \"%s\"", (*handlers)->tag);
}

static dream_next_t refuse_unknown(
	node_proc_t *proc, const dream_msg_t *msg, const char *what, const dream_handler_t *const *handlers)
{
	GString *text = g_string_new(NULL);
	g_string_append_printf(text, "%s understands no %s ", proc->label, what);
	node_notation_print(text, msg->data, msg->size_bytes, 100);
	if (handlers != NULL) {
		g_string_append(text, "; it has:");
		append_tags(text, handlers);
	}
	dream_next_t next = refuse(proc, DREAM_EREQUEST, text->str);
	g_string_free(text, TRUE);
	return next;
}

static const dream_handler_t *typed_for(
	const dream_handler_t *const *handlers, const dream_msg_t *msg, node_cbor_reader_t *payload)
{
	const char *tag;
	uint64_t tag_size;
	if (handlers == NULL || node_codec_split_tag(msg, &tag, &tag_size, payload) < 0)
		return NULL;
	return find(handlers, tag, tag_size);
}

dream_next_t node_callback_call(
	node_proc_t *proc, node_server_t *server, const node_sig_t *call, dream_msg_t **ret_reply)
{
	const dream_gen_server_ops_t *ops = &server->kind->ops.server;
	node_cbor_reader_t payload;
	const dream_handler_t *handler = typed_for(ops->calls, call->msg, &payload);
	if (handler != NULL)
		return run_typed(proc, server, handler, &payload, ret_reply);
	if (ops->handle_call == NULL)
		return refuse_unknown(proc, call->msg, "call", ops->calls);
	dream_msg_t *reply = NULL;
	enter(server);
	dream_next_t next = ops->handle_call(server->state, call->msg, &reply);
	exit_callback(server);
	if (reply != NULL && node_proc_unhold(proc, reply))
		*ret_reply = reply;
	return next;
}

typedef dream_next_t (*raw_fn_t)(void *state, const dream_msg_t *msg);

static dream_next_t run_raw(node_server_t *server, raw_fn_t fn, const dream_msg_t *msg)
{
	enter(server);
	dream_next_t next = fn(server->state, msg);
	exit_callback(server);
	return next;
}

/* By the typed handler for its tag, or else the raw one. */
static dream_next_t run_one_way(node_proc_t *proc, node_server_t *server,
	const dream_handler_t *const *handlers, raw_fn_t raw, const dream_msg_t *msg, const char *what)
{
	node_cbor_reader_t payload;
	const dream_handler_t *handler = typed_for(handlers, msg, &payload);
	if (handler != NULL)
		return run_typed(proc, server, handler, &payload, NULL);
	return raw != NULL ? run_raw(server, raw, msg) : refuse_unknown(proc, msg, what, handlers);
}

dream_next_t node_callback_cast(node_proc_t *proc, node_server_t *server, const dream_msg_t *msg)
{
	const dream_gen_server_ops_t *ops = &server->kind->ops.server;
	return run_one_way(proc, server, ops->casts, ops->handle_cast, msg, "cast");
}

/* GS-14: without a handler it is reported and dropped. */
dream_next_t node_callback_info(node_proc_t *proc, node_server_t *server, const dream_msg_t *msg)
{
	const dream_gen_server_ops_t *ops = &server->kind->ops.server;
	return run_one_way(proc, server, ops->infos, ops->handle_info, msg, "message");
}

dream_next_t node_callback_continue(node_proc_t *proc, node_server_t *server, const dream_msg_t *arg)
{
	const dream_gen_server_ops_t *ops = &server->kind->ops.server;
	if (ops->handle_continue == NULL) {
		node_log(proc->node, DREAM_LOG_ERROR,
			"%s: continue asked for, but there is no handle_continue", proc->label);
		return DREAM_EINVAL;
	}
	return run_raw(server, ops->handle_continue, arg);
}

void node_callback_terminate(node_proc_t *proc, node_server_t *server, const dream_msg_t *reason)
{
	const dream_gen_server_ops_t *ops = &server->kind->ops.server;
	if (ops->terminate == NULL)
		return;
	node_proc_set_flag(proc, NODE_PROC_STOPPING, true);
	enter(server);
	ops->terminate(server->state, reason);
	exit_callback(server);
}
