/* SPDX-License-Identifier: MIT */
#include "term/msg.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include "term/cbor.h"
#include "term/notation.h"

dream_msg_t *node_msg_alloc(uint64_t size_bytes)
{
	if (size_bytes > NODE_MSG_SIZE_MAX)
		return NULL;
	dream_msg_t *msg = node_mem_alloc(offsetof(dream_msg_t, data) + size_bytes);
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
