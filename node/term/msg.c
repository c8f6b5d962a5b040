/* SPDX-License-Identifier: MIT */
#include "term/msg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/ctx.h"
#include "term/cbor_head.h"
#include "term/notation.h"

/* A call makes and frees two small messages, so a scheduler keeps some blocks: a list through the envelopes, in
 * the thread's context. The allocator takes 9 ns for a pair. Sanitizers have to see every block. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEP_BLOCKS false
#else
#define KEEP_BLOCKS true
#endif
#define CACHE_MAX 256u
#define SMALL_BLOCK (offsetof(dream_msg_t, data) + NODE_MSG_SMALL_BYTES)

static dream_msg_t *take_small(void)
{
	node_ctx_t *ctx = node_ctx_borrow();
	dream_msg_t *msg = ctx->msgs;
	if (msg == NULL)
		return node_mem_alloc(SMALL_BLOCK);
	memcpy(&ctx->msgs, msg->envelope, sizeof(ctx->msgs));
	ctx->n_msgs--;
	return msg;
}

void node_msg_free(dream_msg_t *msg)
{
	node_ctx_t *ctx = node_ctx_borrow();
	if (!KEEP_BLOCKS || msg->size_bytes > NODE_MSG_SMALL_BYTES || ctx->sched == NULL ||
		ctx->n_msgs >= CACHE_MAX) {
		node_mem_free(msg);
		return;
	}
	memcpy(msg->envelope, &ctx->msgs, sizeof(ctx->msgs));
	ctx->msgs = msg;
	ctx->n_msgs++;
}

void node_msg_drop_cache(void)
{
	node_ctx_t *ctx = node_ctx_borrow();
	while (ctx->n_msgs > 0)
		node_mem_free(take_small());
}

dream_msg_t *node_msg_alloc(uint64_t size_bytes)
{
	return size_bytes > NODE_MSG_SIZE_MAX ? NULL : node_msg_alloc_block(size_bytes);
}

dream_msg_t *node_msg_alloc_block(uint64_t size_bytes)
{
	dream_msg_t *msg = size_bytes <= NODE_MSG_SMALL_BYTES
				   ? take_small()
				   : node_mem_alloc(offsetof(dream_msg_t, data) + size_bytes);
	if (msg == NULL)
		return NULL;
	msg->refs = 1;
	msg->size_bytes = (uint32_t) size_bytes;
	return msg;
}

int node_msg_copy(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg)
{
	if (size_bytes > NODE_MSG_SIZE_MAX)
		return DREAM_ELIMIT;
	dream_msg_t *msg = node_msg_alloc(size_bytes);
	if (msg == NULL)
		return DREAM_ENOMEM;
	memcpy(msg->data, data, size_bytes);
	*ret_msg = msg;
	return DREAM_OK;
}

int node_msg_new(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg)
{
	int r = node_cbor_check(data, size_bytes, NULL);
	return r < 0 ? r : node_msg_copy(data, size_bytes, ret_msg);
}

dream_msg_t *node_msg_text(const char *text)
{
	node_cbor_writer_t w;
	node_cbor_init(&w);
	node_cbor_put_text(&w, text);
	dream_msg_t *msg = NULL;
	return node_cbor_finish(&w, &msg) < 0 ? NULL : msg;
}

int node_msg_bytes(uint64_t size_bytes, uint8_t **ret_data, dream_msg_t **ret_msg)
{
	uint8_t head[NODE_CBOR_HEAD_MAX];
	uint64_t head_bytes = (uint64_t) (node_cbor_write_head(head, NODE_CBOR_BYTES, size_bytes) - head);
	if (size_bytes > NODE_MSG_SIZE_MAX - head_bytes)
		return DREAM_ELIMIT;
	dream_msg_t *msg = node_msg_alloc(head_bytes + size_bytes);
	if (msg == NULL)
		return DREAM_ENOMEM;
	memcpy(msg->data, head, head_bytes);
	*ret_data = msg->data + head_bytes;
	*ret_msg = msg;
	return DREAM_OK;
}

static dream_msg_t *parse_own(const char *text, uint64_t size_bytes)
{
	node_diag_t diag;
	dream_msg_t *msg = NULL;
	int r = node_notation_parse(text, size_bytes, &msg, &diag);
	if (r != DREAM_ESYNTAX)
		return r < 0 ? NULL : msg;
	fprintf(stderr, "node_msg_printf: %s in: %s\n", diag.text, text);
	abort();
}

dream_msg_t *node_msg_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		return NULL;
	dream_msg_t *msg = parse_own(text, (uint64_t) size);
	free(text);
	return msg;
}

static bool next_text_is(node_cbor_reader_t *r, const char *text)
{
	const char *found;
	uint64_t size;
	return node_cbor_get_text(r, &found, &size) == 0 && size == strlen(text) &&
	       memcmp(found, text, size) == 0;
}

bool node_msg_is_text(const dream_msg_t *msg, const char *text)
{
	if (msg == NULL)
		return false;
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	return next_text_is(&r, text);
}

bool node_msg_has_tag(const dream_msg_t *msg, const char *tag)
{
	if (msg == NULL)
		return false;
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	uint64_t count;
	(void) node_cbor_get_array(&r, &count); /* leaves the reader alone if it is none */
	return next_text_is(&r, tag);
}

dream_msg_t *node_msg_copy_null(void)
{
	static const uint8_t null_item = 0xf6;
	dream_msg_t *msg = NULL;
	(void) node_msg_copy(&null_item, 1, &msg);
	return msg;
}
