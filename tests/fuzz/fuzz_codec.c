/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "term/codec.h"

#define ITEM(F) F(text, name) F(u16, count) F(list(f32), prices)
DREAM_TYPE(item, ITEM);
#define SHAPE(V) V(none, dream_unit) V(one, item)
DREAM_VARIANT(shape, SHAPE);
#define PLAIN(F) F(i8, a) F(i64, b) F(u64, c) F(f32, d) F(f64, e) F(bool, f)
#define STRINGS(F) F(text, g) F(bytes, h) F(pid, i) F(ref, j) F(term, k)
#define OPTS(F) F(opt(i32), l) F(opt(struct(item)), m)
#define LISTS(F) F(list(struct(item)), n) F(list(struct(shape)), o) F(list(term), p)
#define NUMBERS(F) F(list(i32), q) F(list(u64), r)
#define EVERY(F) PLAIN(F) STRINGS(F) OPTS(F) LISTS(F) NUMBERS(F)
DREAM_TYPE(every, EVERY);

static int number(node_t *node, const char *name, uint64_t name_size, uint32_t *ret_number)
{
	(void) node;
	if (name_size != 3 || memcmp(name, "b@h", 3) != 0)
		return DREAM_ENOENT;
	*ret_number = 1;
	return DREAM_OK;
}

static const char *name_borrow(node_t *node, uint32_t number_of)
{
	(void) node;
	return number_of == 1 ? "b@h" : NULL;
}

static int encode(const node_t *node, const every_t *value, dream_msg_t **ret_msg)
{
	node_cbor_writer_t w;
	node_cbor_init(&w);
	int r = node_codec_encode(&w, node, &every_type, value, NULL);
	if (r == 0)
		r = node_cbor_finish(&w, ret_msg);
	node_cbor_fini(&w);
	return r;
}

/* False if the value cannot be encoded: a variant that the bytes left unset. */
static bool round_trip(node_t *node, const every_t *value)
{
	dream_msg_t *first = NULL, *second = NULL;
	int r = encode(node, value, &first);
	if (r < 0)
		return r == DREAM_EINVAL || r == DREAM_ELIMIT;
	DREAM_FUZZ_MUST(node_cbor_check(first->data, first->size_bytes, NULL) == 0);
	node_codec_arena_t arena;
	node_codec_arena_init(&arena, false);
	every_t again;
	node_cbor_reader_t reader = node_cbor_read_msg(first);
	DREAM_FUZZ_MUST(node_codec_decode(&reader, node, &every_type, &arena.mem, &again, NULL) == 0);
	DREAM_FUZZ_MUST(encode(node, &again, &second) == 0);
	DREAM_FUZZ_MUST(first->size_bytes == second->size_bytes);
	DREAM_FUZZ_MUST(memcmp(first->data, second->data, first->size_bytes) == 0);
	node_codec_arena_fini(&arena);
	node_msg_unref(first);
	node_msg_unref(second);
	return true;
}

int dream_fuzz_codec(const uint8_t *data, size_t size_bytes)
{
	node_t node = {.name = "a@h", .creation = 7};
	node.hooks.node_number = number;
	node.hooks.node_name_borrow = name_borrow;
	node_diag_t diag;
	node_codec_arena_t arena;
	node_codec_arena_init(&arena, size_bytes % 2 == 0);
	every_t value;
	node_cbor_reader_t reader = node_cbor_read(data, size_bytes);
	/* Unchecked bytes must not be read beyond; only checked ones promise to encode again. */
	int r = node_codec_decode(&reader, &node, &every_type, &arena.mem, &value, &diag);
	if (r == 0 && node_cbor_check(data, size_bytes, NULL) == 0)
		DREAM_FUZZ_MUST(round_trip(&node, &value));
	node_codec_arena_fini(&arena);
	return 0;
}
