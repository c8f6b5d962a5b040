/* SPDX-License-Identifier: MIT */
/* Messages in the hands of a module: made, read, kept and given back. */
#include "app/host_msg.h"

#include <string.h>

#include "app/host_local.h"
#include "base/short.h"
#include "otp/state.h"
#include "proc/heap.h"
#include "term/codec.h"
#include "term/notation.h"

int node_host_msg_new(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *msg;
	int r = data != NULL ? node_msg_new(data, size_bytes, &msg) : DREAM_EINVAL;
	return r < 0 ? r : node_host_give_take(proc, msg, ret_msg);
}

int node_host_msg_parse(const char *text, dream_msg_t **ret_msg)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *msg;
	node_diag_t diag;
	if (text == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "no text");
	int r = node_notation_parse(text, strlen(text), &msg, &diag);
	if (r < 0)
		return node_proc_fail(proc, r, "%s", diag.text);
	return node_host_give_take(proc, msg, ret_msg);
}

int node_host_encode(node_proc_t *proc, const char *tag, const dream_type_t *type, const void *value,
	dream_msg_t **ret_msg)
{
	node_cbor_writer_t w;
	node_diag_t diag;
	if (type == NULL || value == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "no type, or no value");
	node_cbor_init(&w);
	int r = node_codec_encode_tagged(&w, proc->node, tag, type, value, &diag);
	if (r < 0) {
		node_cbor_fini(&w);
		return node_proc_fail(proc, r, "%s", diag.text);
	}
	return node_cbor_finish(&w, ret_msg);
}

int node_host_msg_encode(const char *tag, const dream_type_t *type, const void *value, dream_msg_t **ret_msg)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *msg;
	int r = node_host_encode(proc, tag, type, value, &msg);
	return r < 0 ? r : node_host_give_take(proc, msg, ret_msg);
}

#define DECODE_ON_STACK 512u

static int decode_in_place(
	node_proc_t *proc, node_cbor_reader_t *r, bool payload, const dream_type_t *type, void *ret_value)
{
	node_diag_t diag;
	node_state_mem_t mem = node_state_mem(proc);
	struct node_heap_block *mark = node_heap_mark(proc);
	int code = payload ? node_codec_decode_payload(r, proc->node, type, &mem.mem, ret_value, &diag)
			   : node_codec_decode(r, proc->node, type, &mem.mem, ret_value, &diag);
	if (code == DREAM_OK)
		return DREAM_OK;
	node_heap_release_since(proc, mark);
	return node_proc_fail(proc, code, "%s", diag.text);
}

/* A failure leaves the caller's storage as it was: its content is put back. To decode elsewhere and copy the result would
 * wait for the stores of the fields, which are narrower than the loads of a copy. */
int node_host_decode(
	node_proc_t *proc, node_cbor_reader_t *r, bool payload, const dream_type_t *type, void *ret_value)
{
	_Alignas(16) uint8_t small[DECODE_ON_STACK];
	void *before = type->size <= sizeof(small) ? small : node_heap_alloc_raw(proc, type->size);
	if (before == NULL)
		return DREAM_ENOMEM;
	node_short_save(before, ret_value, type->size);
	int code = decode_in_place(proc, r, payload, type, ret_value);
	if (code < 0)
		memcpy(ret_value, before, type->size);
	if (before != small)
		node_heap_free(proc, before);
	return code;
}

int node_host_msg_decode(const dream_msg_t *msg, const char *tag, const dream_type_t *type, void *ret_value)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (msg == NULL || type == NULL || ret_value == NULL)
		return node_proc_fail(proc, DREAM_EINVAL, "no message, no type, or nowhere to put the value");
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	const char *actual;
	uint64_t size;
	if (tag == NULL)
		return node_host_decode(proc, &r, false, type, ret_value);
	int code = node_codec_split_tag(msg, &actual, &size, &r);
	if (code < 0 || strlen(tag) != size || memcmp(actual, tag, size) != 0)
		return node_proc_fail(proc, DREAM_EDECODE, "not a message with the tag \"%s\"", tag);
	return node_host_decode(proc, &r, true, type, ret_value);
}

int32_t node_host_msg_has_tag(const dream_msg_t *msg, const char *tag)
{
	return node_msg_has_tag(msg, tag);
}

const uint8_t *node_host_msg_data_borrow(const dream_msg_t *msg, uint64_t *ret_size_bytes)
{
	*ret_size_bytes = msg != NULL ? msg->size_bytes : 0;
	return msg != NULL ? msg->data : NULL;
}

dream_msg_t *node_host_msg_ref(const dream_msg_t *msg)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return NULL;
	dream_msg_t *mine = NULL;
	return msg == NULL ? NULL : node_host_give_take(proc, node_msg_ref(msg), &mine) < 0 ? NULL : mine;
}

void node_host_msg_unref(dream_msg_t *msg)
{
	node_proc_t *proc = node_host_me();
	if (msg == NULL || proc == NULL)
		return;
	if (!node_proc_unhold(proc, msg))
		node_host_badarg(proc, "gave back a message that it does not own");
	node_msg_unref(msg);
}

int node_host_text_set(dream_text_t *text, const char *data, uint64_t size_bytes)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	char *copy = size_bytes > 0 ? node_heap_alloc(proc, size_bytes) : NULL;
	if (size_bytes > 0 && copy == NULL)
		return DREAM_ENOMEM;
	if (size_bytes > 0)
		memcpy(copy, data, size_bytes);
	node_heap_free(proc, (void *) (uintptr_t) text->data);
	*text = (dream_text_t){copy, size_bytes};
	return DREAM_OK;
}

/* ---- shared byte strings ---- */

int node_host_bytes_new(uint64_t size_bytes, uint8_t **ret_data, dream_msg_t **ret_msg)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	dream_msg_t *msg;
	int r = node_msg_bytes(size_bytes, ret_data, &msg);
	return r < 0 ? r : node_host_give_take(proc, msg, ret_msg);
}

const uint8_t *node_host_bytes_borrow(const dream_msg_t *msg, uint64_t *ret_size_bytes)
{
	const uint8_t *data;
	*ret_size_bytes = 0;
	if (msg == NULL)
		return NULL;
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	return node_cbor_get_bytes(&r, &data, ret_size_bytes) == DREAM_OK ? data : NULL;
}
