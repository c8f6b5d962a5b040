/* SPDX-License-Identifier: MIT */
/* codec_walk.h: where the fields of a described type lie. Of the room term only.
 *
 * Offsets are not in the table: each field begins at the next multiple of its alignment, as the C ABI has it, so
 * a walk in order needs an addition and a mask per field. node_codec_check_type() proved that they add up. */
#ifndef NODE_TERM_CODEC_WALK_H
#define NODE_TERM_CODEC_WALK_H
#include "term/cbor_typed.h"
#include "term/codec.h"

DREAM_BEGIN_DECLS

#define NODE_CODEC_NEST_MAX 32u

static inline uint64_t node_codec_align(uint64_t offset, uint32_t align)
{
	return (offset + align - 1) & ~((uint64_t) align - 1);
}

/* Of the union in { uint32_t which; union as; }: the struct's alignment is the larger of the two members',
 * and the union follows at the first multiple of it after four bytes, which is that alignment itself. */
static inline uint64_t node_codec_union_offset(const dream_type_t *type)
{
	return type->align;
}

/* Of the value in { bool has; T value; }. */
static inline uint64_t node_codec_opt_offset(const dream_field_t *field)
{
	return field->elem_align;
}

/* What an opt or a list holds, as a field of its own. */
static inline dream_field_t node_codec_elem(const dream_field_t *field)
{
	dream_field_t elem = {field->name, field->elem_kind, field->elem_size, field->elem_align,
		DREAM_TYPE_NONE, 0, 0, field->sub, field->name_size};
	return elem;
}

static inline bool node_codec_is_unit(const dream_type_t *type)
{
	return type->n_fields == 0 && type->form == DREAM_FORM_STRUCT;
}

static inline bool node_codec_is_integer(uint32_t kind)
{
	return kind >= DREAM_TYPE_I8 && kind <= DREAM_TYPE_U64;
}

static inline bool node_codec_is_number(uint32_t kind)
{
	return kind >= DREAM_TYPE_I8 && kind <= DREAM_TYPE_F64;
}

static inline bool node_codec_is_signed(uint32_t kind)
{
	return kind <= DREAM_TYPE_I64;
}

/* Bytes of an integer kind: the kinds are in order of their width. */
static inline unsigned node_codec_int_size(uint32_t kind)
{
	return 1u << ((kind - DREAM_TYPE_I8) & 3u);
}

/* The largest value of an integer kind; of a signed one the least is -1 minus it. */
static inline uint64_t node_codec_int_max(uint32_t kind)
{
	unsigned bits = 8 * node_codec_int_size(kind) - (node_codec_is_signed(kind) ? 1 : 0);
	return UINT64_MAX >> (64 - bits);
}

/* The tag of a typed array that holds numbers of a kind as this machine has them. */
static inline uint64_t node_codec_typed_tag(uint32_t kind)
{
	unsigned little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? NODE_CBOR_TYPED_LITTLE : 0;
	if (!node_codec_is_integer(kind))
		return NODE_CBOR_TYPED | NODE_CBOR_TYPED_FLOAT | little | (kind == DREAM_TYPE_F32 ? 1 : 2);
	unsigned width = (kind - DREAM_TYPE_I8) & NODE_CBOR_TYPED_WIDTH;
	return NODE_CBOR_TYPED | (node_codec_is_signed(kind) ? NODE_CBOR_TYPED_SIGNED : 0) |
	       (width > 0 ? little : 0) | width;
}

/* Stores the low bytes of @bits, which hold the value in two's complement. */
static inline void node_codec_store_int(uint32_t kind, void *slot, uint64_t bits)
{
	switch (node_codec_int_size(kind)) {
	case 1:
		*(uint8_t *) slot = (uint8_t) bits;
		break;
	case 2:
		*(uint16_t *) slot = (uint16_t) bits;
		break;
	case 4:
		*(uint32_t *) slot = (uint32_t) bits;
		break;
	default:
		*(uint64_t *) slot = bits;
	}
}

/* The value in two's complement, 64 bits wide. */
static inline uint64_t node_codec_load_int(uint32_t kind, const void *slot)
{
	switch (kind) {
	case DREAM_TYPE_I8:
		return (uint64_t) (int64_t) * (const int8_t *) slot;
	case DREAM_TYPE_I16:
		return (uint64_t) (int64_t) * (const int16_t *) slot;
	case DREAM_TYPE_I32:
		return (uint64_t) (int64_t) * (const int32_t *) slot;
	case DREAM_TYPE_U8:
		return *(const uint8_t *) slot;
	case DREAM_TYPE_U16:
		return *(const uint16_t *) slot;
	case DREAM_TYPE_U32:
		return *(const uint32_t *) slot;
	default:
		return *(const uint64_t *) slot;
	}
}

/** Puts a piece of a path before the text that is there: "[3]", ".name", the type at last. Made while a
 *  failure returns, so a success pays nothing for paths. Returns @code. */
DREAM_PRINTF(3, 4) int node_codec_path(node_diag_t *diag, int code, const char *format, ...);

/** Memory for @size_bytes (not 0) from @mem, or NULL with *ret_code DREAM_ENOMEM or, at the arena's cap,
 *  DREAM_ELIMIT. */
void *node_codec_alloc(node_codec_mem_t *mem, uint64_t size_bytes, int *ret_code);

/** The same for what is written over at once: the bytes may be anything. */
void *node_codec_alloc_raw(node_codec_mem_t *mem, uint64_t size_bytes, int *ret_code);

/** A copy of those bytes; NULL with DREAM_OK for none at all. */
void *node_codec_dup(node_codec_mem_t *mem, const void *data, uint64_t size_bytes, int *ret_code);

DREAM_END_DECLS
#endif
