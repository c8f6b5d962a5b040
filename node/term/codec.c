/* SPDX-License-Identifier: MIT */
#include "term/codec_walk.h"

#include <stdarg.h>
#include <stdio.h>
#include "base/mem.h"
#include "base/short.h"
#include "term/cbor_head.h"

/* ---- scratch memory ---- */

typedef struct node_codec_block {
	struct node_codec_block *next;
	uint64_t cap_bytes; /* of data */
	uint8_t data[] __attribute__((aligned(16)));
} node_codec_block_t;

#define BLOCK_LEAST_BYTES ((uint64_t) 4096 - 16)

static uint8_t *open_block(node_codec_arena_t *arena, uint64_t size_bytes)
{
	uint64_t cap = size_bytes > BLOCK_LEAST_BYTES ? size_bytes : BLOCK_LEAST_BYTES;
	if (cap > NODE_CODEC_ARENA_MAX - arena->total_bytes)
		return NULL;
	/* Zeroed by the allocator: large blocks come as fresh pages, which are zero and cost nothing until
	 * used. */
	node_codec_block_t *block = node_mem_zalloc(offsetof(node_codec_block_t, data) + cap);
	if (block == NULL)
		return NULL;
	block->next = arena->blocks;
	block->cap_bytes = cap;
	arena->blocks = block;
	arena->total_bytes += cap;
	arena->used_bytes = size_bytes;
	return block->data;
}

static void *arena_alloc(node_codec_mem_t *mem, uint64_t size_bytes)
{
	node_codec_arena_t *arena = (node_codec_arena_t *) (void *) mem; /* its first member */
	if (size_bytes > NODE_CODEC_ARENA_MAX)
		return NULL;
	uint64_t size = node_codec_align(size_bytes, 16);
	if (arena->blocks != NULL) {
		if (arena->blocks->cap_bytes - arena->used_bytes < size)
			return open_block(arena, size);
		arena->used_bytes += size;
		return arena->blocks->data + arena->used_bytes - size;
	}
	uintptr_t first = node_codec_align((uintptr_t) arena->fixed, 16);
	uint64_t cap = (uintptr_t) arena->fixed + sizeof(arena->fixed) - first;
	if (cap - arena->used_bytes < size)
		return open_block(arena, size);
	void *at = (uint8_t *) first + arena->used_bytes;
	arena->used_bytes += size;
	return memset(at, 0, size);
}

void node_codec_arena_init(node_codec_arena_t *arena, bool borrow_bytes)
{
	arena->mem.alloc = arena_alloc;
	arena->mem.alloc_raw = NULL;
	arena->mem.borrow_bytes = borrow_bytes;
	arena->blocks = NULL;
	arena->used_bytes = 0;
	arena->total_bytes = 0;
}

void node_codec_arena_fini(node_codec_arena_t *arena)
{
	while (arena->blocks != NULL) {
		node_codec_block_t *block = arena->blocks;
		arena->blocks = block->next;
		node_mem_free(block);
	}
	arena->used_bytes = 0;
	arena->total_bytes = 0;
}

static bool is_at_cap(const node_codec_mem_t *mem, uint64_t size_bytes)
{
	if (size_bytes > NODE_CODEC_ARENA_MAX)
		return true;
	if (mem->alloc != arena_alloc)
		return false;
	const node_codec_arena_t *arena = (const node_codec_arena_t *) (const void *) mem;
	uint64_t least = size_bytes > BLOCK_LEAST_BYTES ? size_bytes + 16 : BLOCK_LEAST_BYTES;
	return least > NODE_CODEC_ARENA_MAX - arena->total_bytes;
}

static void *told(const node_codec_mem_t *mem, uint64_t size_bytes, void *block, int *ret_code)
{
	if (block == NULL)
		*ret_code = is_at_cap(mem, size_bytes) ? DREAM_ELIMIT : DREAM_ENOMEM;
	else
		*ret_code = DREAM_OK;
	return block;
}

void *node_codec_alloc(node_codec_mem_t *mem, uint64_t size_bytes, int *ret_code)
{
	void *block = size_bytes > NODE_CODEC_ARENA_MAX ? NULL : mem->alloc(mem, size_bytes);
	return told(mem, size_bytes, block, ret_code);
}

void *node_codec_alloc_raw(node_codec_mem_t *mem, uint64_t size_bytes, int *ret_code)
{
	if (mem->alloc_raw == NULL)
		return node_codec_alloc(mem, size_bytes, ret_code);
	void *block = size_bytes > NODE_CODEC_ARENA_MAX ? NULL : mem->alloc_raw(mem, size_bytes);
	return told(mem, size_bytes, block, ret_code);
}

void *node_codec_dup(node_codec_mem_t *mem, const void *data, uint64_t size_bytes, int *ret_code)
{
	*ret_code = DREAM_OK;
	if (size_bytes == 0)
		return NULL;
	void *copy = node_codec_alloc_raw(mem, size_bytes, ret_code);
	return copy == NULL ? NULL : memcpy(copy, data, size_bytes);
}

/* ---- texts for people ---- */

int node_codec_path(node_diag_t *diag, int code, const char *format, ...)
{
	if (diag == NULL)
		return code;
	char piece[NODE_NAME_MAX + 16];
	va_list args;
	va_start(args, format);
	int wanted = vsnprintf(piece, sizeof(piece), format, args);
	va_end(args);
	size_t size = wanted < 0 ? 0 : (size_t) wanted < sizeof(piece) ? (size_t) wanted : sizeof(piece) - 1;
	size_t old = strnlen(diag->text, NODE_DIAG_MAX - 1);
	size_t kept = old < NODE_DIAG_MAX - 1 - size ? old : NODE_DIAG_MAX - 1 - size;
	memmove(diag->text + size, diag->text, kept);
	memcpy(diag->text, piece, size);
	diag->text[size + kept] = '\0';
	diag->code = code;
	return code;
}

static const char *const plain_names[] = {"none", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32",
	"f64", "bool", "text", "bytes", "pid", "ref", "term", "struct", "opt", "list"};

const char *node_codec_kind_name(const dream_field_t *field, char *buffer, size_t cap)
{
	if (field->kind >= sizeof(plain_names) / sizeof(plain_names[0]))
		return "unknown kind";
	const char *name = plain_names[field->kind];
	if (field->kind == DREAM_TYPE_STRUCT) {
		snprintf(buffer, cap, "struct(%s)", field->sub == NULL ? "?" : field->sub->name);
		return buffer;
	}
	if (field->kind != DREAM_TYPE_OPT && field->kind != DREAM_TYPE_LIST)
		return name;
	char inner_buffer[NODE_NAME_MAX + 1];
	dream_field_t elem = node_codec_elem(field);
	if (elem.kind == DREAM_TYPE_OPT || elem.kind == DREAM_TYPE_LIST)
		return name; /* no such type; and no recursion on a table that was not checked */
	snprintf(
		buffer, cap, "%s(%s)", name, node_codec_kind_name(&elem, inner_buffer, sizeof(inner_buffer)));
	return buffer;
}

/* ---- tagged messages ---- */

/* The one item that is left of an array, without the break of an indefinite one; none at all is fine. */
static int last_item(node_cbor_reader_t *r, uint64_t count, node_cbor_reader_t *ret_payload)
{
	node_cbor_reader_t rest = *r;
	if (count == 1 || (count == UINT64_MAX && node_cbor_take_break(r))) {
		rest.end = rest.at;
	} else if (count == UINT64_MAX) {
		if (node_cbor_skip(r) < 0)
			return DREAM_EDECODE;
		rest.end = r->at;
		if (!node_cbor_take_break(r))
			return DREAM_EDECODE;
	} else if (count != 2) {
		return DREAM_EDECODE;
	}
	*ret_payload = rest;
	return DREAM_OK;
}

/* ["tag", value] with one byte for each head, as every call of a process by another has it. */
static inline bool split_short_tag(
	const dream_msg_t *msg, const char **ret_tag, uint64_t *ret_tag_size, node_cbor_reader_t *ret_payload)
{
	const uint8_t *data = msg->data;
	if (msg->size_bytes < 3 || data[0] != (NODE_CBOR_ARRAY << 5 | 2))
		return false;
	unsigned size = data[1] - (NODE_CBOR_TEXT << 5);
	if (size >= 24 || 2 + size >= msg->size_bytes)
		return false;
	*ret_tag = (const char *) data + 2;
	*ret_tag_size = size;
	*ret_payload = node_cbor_read(data + 2 + size, msg->size_bytes - 2 - size);
	return true;
}

int node_codec_split_tag(
	const dream_msg_t *msg, const char **ret_tag, uint64_t *ret_tag_size, node_cbor_reader_t *ret_payload)
{
	if (split_short_tag(msg, ret_tag, ret_tag_size, ret_payload))
		return DREAM_OK;
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	uint64_t count = 1;
	bool is_array = node_cbor_get_array(&r, &count) == 0;
	const char *tag;
	uint64_t size;
	if (node_cbor_get_text(&r, &tag, &size) < 0)
		return DREAM_EDECODE;
	int result = last_item(&r, is_array ? count : 1, ret_payload);
	if (result < 0)
		return result;
	*ret_tag = tag;
	*ret_tag_size = size;
	return DREAM_OK;
}

int node_codec_decode_payload(node_cbor_reader_t *payload, node_t *node, const dream_type_t *type,
	node_codec_mem_t *mem, void *ret_value, node_diag_t *diag)
{
	if (payload->at < payload->end)
		return node_codec_decode(payload, node, type, mem, ret_value, diag);
	node_short_zero(ret_value, type->size);
	return DREAM_OK;
}
