/* SPDX-License-Identifier: MIT */
/* type.h: described types: a C struct whose fields are listed once.
 *
 *     #define POINT(F) F(i64, x) F(i64, y)
 *     DREAM_TYPE(point, POINT)          // point_t and point_type
 *
 * The node walks the table to encode, decode, print and migrate values; a module carries no codec.
 *
 * Kinds: i8 i16 i32 i64, u8 u16 u32 u64, f32 f64, bool, text, bytes, pid, ref, term (any CBOR item),
 * opt(K), list(K) and struct(NAME), where NAME is another described type, variants included.
 *
 * A struct is a CBOR map from field name to value, a variant case the array ["case", value], a case
 * without a payload the text "case", an absent optional null, a list an array (RFC 8949 section 3.1).
 * Decoding ignores unknown names and leaves missing ones zero, so a struct may gain fields freely. */
#ifndef DREAM_TYPE_H
#define DREAM_TYPE_H
#include <stdbool.h>
#include <dream/abi.h>

DREAM_BEGIN_DECLS

/* A process. `node` 0 is the node one runs on; other values are given out by the node and mean nothing
 * outside it. `creation` is the incarnation of that node. Compare with dream_pid_equal(). */
typedef struct dream_pid {
	uint64_t id;
	uint32_t creation;
	uint32_t node;
} dream_pid_t;

/* A reference: unique among all nodes and their incarnations. */
typedef struct dream_ref {
	uint64_t id;
	uint32_t creation;
	uint32_t node;
} dream_ref_t;

/* UTF-8, not terminated. In a request it is lent for the callback; in a state set it with
 * dream_text_set(), which copies into the process's memory. */
typedef struct dream_text {
	const char *data;
	uint64_t size_bytes;
} dream_text_t;

typedef struct dream_bytes {
	const uint8_t *data;
	uint64_t size_bytes;
} dream_bytes_t;

/* The layout shared by every list(K): `items` points to `count` values of K. */
typedef struct dream_list {
	void *items;
	uint64_t count;
} dream_list_t;

/* dream_field_t.kind; the values are part of the ABI. */
#define DREAM_TYPE_NONE 0u
#define DREAM_TYPE_I8 1u
#define DREAM_TYPE_I16 2u
#define DREAM_TYPE_I32 3u
#define DREAM_TYPE_I64 4u
#define DREAM_TYPE_U8 5u
#define DREAM_TYPE_U16 6u
#define DREAM_TYPE_U32 7u
#define DREAM_TYPE_U64 8u
#define DREAM_TYPE_F32 9u
#define DREAM_TYPE_F64 10u
#define DREAM_TYPE_BOOL 11u
#define DREAM_TYPE_TEXT 12u
#define DREAM_TYPE_BYTES 13u
#define DREAM_TYPE_PID 14u
#define DREAM_TYPE_REF 15u
#define DREAM_TYPE_TERM 16u   /* dream_bytes_t holding one encoded CBOR item */
#define DREAM_TYPE_STRUCT 17u /* `sub` says which; a variant too */
#define DREAM_TYPE_OPT 18u    /* struct { bool has; T value; } */
#define DREAM_TYPE_LIST 19u   /* struct { T *items; uint64_t count; } */

/* One field. Fields lie in the struct in this order, each at the next multiple of its alignment, as the
 * C ABI lays them out; the node checks the sum against dream_type_t.size before it trusts a table. */
typedef struct dream_field {
	const char *name;
	uint32_t kind;
	uint32_t size; /* of the field in the struct */
	uint32_t align;
	uint32_t elem_kind; /* of an opt or a list, else DREAM_TYPE_NONE */
	uint32_t elem_size;
	uint32_t elem_align;
	const struct dream_type *sub; /* of a struct, or of an opt's or list's struct element */
	uint64_t name_size;           /* bytes of `name`, so that nobody has to count them for each message */
} dream_field_t;

#define DREAM_FORM_STRUCT 0u
#define DREAM_FORM_VARIANT 1u /* { uint32_t which; union as; }; `which` counts the cases from 1, 0 is unset */

typedef struct dream_type {
	uint32_t struct_size; /* sizeof(dream_type_t) */
	uint32_t form;
	const char *name;
	uint32_t vsn; /* of a state: +1 whenever its meaning changes; 0 elsewhere */
	uint32_t n_fields;
	uint32_t size; /* sizeof the C struct */
	uint32_t align;
	const dream_field_t *fields;
} dream_type_t;

/* ---- the macros that make both from one list ---- */

#define DREAM_C_i8 int8_t
#define DREAM_C_i16 int16_t
#define DREAM_C_i32 int32_t
#define DREAM_C_i64 int64_t
#define DREAM_C_u8 uint8_t
#define DREAM_C_u16 uint16_t
#define DREAM_C_u32 uint32_t
#define DREAM_C_u64 uint64_t
#define DREAM_C_f32 float
#define DREAM_C_f64 double
#define DREAM_C_bool bool
#define DREAM_C_text dream_text_t
#define DREAM_C_bytes dream_bytes_t
#define DREAM_C_pid dream_pid_t
#define DREAM_C_ref dream_ref_t
#define DREAM_C_term dream_bytes_t
#define DREAM_C_struct(type_name) type_name##_t
#define DREAM_C_opt(kind)                                                                                    \
	struct {                                                                                             \
		bool has;                                                                                    \
		DREAM_C_##kind value;                                                                        \
	}
#define DREAM_C_list(kind)                                                                                   \
	struct {                                                                                             \
		DREAM_C_##kind *items;                                                                       \
		uint64_t count;                                                                              \
	}

/* kind, size, align */
#define DREAM_K_i8 DREAM_TYPE_I8, sizeof(int8_t), _Alignof(int8_t)
#define DREAM_K_i16 DREAM_TYPE_I16, sizeof(int16_t), _Alignof(int16_t)
#define DREAM_K_i32 DREAM_TYPE_I32, sizeof(int32_t), _Alignof(int32_t)
#define DREAM_K_i64 DREAM_TYPE_I64, sizeof(int64_t), _Alignof(int64_t)
#define DREAM_K_u8 DREAM_TYPE_U8, sizeof(uint8_t), _Alignof(uint8_t)
#define DREAM_K_u16 DREAM_TYPE_U16, sizeof(uint16_t), _Alignof(uint16_t)
#define DREAM_K_u32 DREAM_TYPE_U32, sizeof(uint32_t), _Alignof(uint32_t)
#define DREAM_K_u64 DREAM_TYPE_U64, sizeof(uint64_t), _Alignof(uint64_t)
#define DREAM_K_f32 DREAM_TYPE_F32, sizeof(float), _Alignof(float)
#define DREAM_K_f64 DREAM_TYPE_F64, sizeof(double), _Alignof(double)
#define DREAM_K_bool DREAM_TYPE_BOOL, sizeof(bool), _Alignof(bool)
#define DREAM_K_text DREAM_TYPE_TEXT, sizeof(dream_text_t), _Alignof(dream_text_t)
#define DREAM_K_bytes DREAM_TYPE_BYTES, sizeof(dream_bytes_t), _Alignof(dream_bytes_t)
#define DREAM_K_pid DREAM_TYPE_PID, sizeof(dream_pid_t), _Alignof(dream_pid_t)
#define DREAM_K_ref DREAM_TYPE_REF, sizeof(dream_ref_t), _Alignof(dream_ref_t)
#define DREAM_K_term DREAM_TYPE_TERM, sizeof(dream_bytes_t), _Alignof(dream_bytes_t)
#define DREAM_K_struct(type_name) DREAM_TYPE_STRUCT, sizeof(type_name##_t), _Alignof(type_name##_t)

#define DREAM_SUB_i8 NULL
#define DREAM_SUB_i16 NULL
#define DREAM_SUB_i32 NULL
#define DREAM_SUB_i64 NULL
#define DREAM_SUB_u8 NULL
#define DREAM_SUB_u16 NULL
#define DREAM_SUB_u32 NULL
#define DREAM_SUB_u64 NULL
#define DREAM_SUB_f32 NULL
#define DREAM_SUB_f64 NULL
#define DREAM_SUB_bool NULL
#define DREAM_SUB_text NULL
#define DREAM_SUB_bytes NULL
#define DREAM_SUB_pid NULL
#define DREAM_SUB_ref NULL
#define DREAM_SUB_term NULL
#define DREAM_SUB_struct(type_name) &type_name##_type

/* kind, size, align, elem_kind, elem_size, elem_align, sub */
#define DREAM_D_i8 DREAM_K_i8, 0, 0, 0, NULL
#define DREAM_D_i16 DREAM_K_i16, 0, 0, 0, NULL
#define DREAM_D_i32 DREAM_K_i32, 0, 0, 0, NULL
#define DREAM_D_i64 DREAM_K_i64, 0, 0, 0, NULL
#define DREAM_D_u8 DREAM_K_u8, 0, 0, 0, NULL
#define DREAM_D_u16 DREAM_K_u16, 0, 0, 0, NULL
#define DREAM_D_u32 DREAM_K_u32, 0, 0, 0, NULL
#define DREAM_D_u64 DREAM_K_u64, 0, 0, 0, NULL
#define DREAM_D_f32 DREAM_K_f32, 0, 0, 0, NULL
#define DREAM_D_f64 DREAM_K_f64, 0, 0, 0, NULL
#define DREAM_D_bool DREAM_K_bool, 0, 0, 0, NULL
#define DREAM_D_text DREAM_K_text, 0, 0, 0, NULL
#define DREAM_D_bytes DREAM_K_bytes, 0, 0, 0, NULL
#define DREAM_D_pid DREAM_K_pid, 0, 0, 0, NULL
#define DREAM_D_ref DREAM_K_ref, 0, 0, 0, NULL
#define DREAM_D_term DREAM_K_term, 0, 0, 0, NULL
#define DREAM_D_struct(type_name) DREAM_K_struct(type_name), 0, 0, 0, &type_name##_type
#define DREAM_D_opt(kind)                                                                                    \
	DREAM_TYPE_OPT, sizeof(DREAM_C_opt(kind)), _Alignof(DREAM_C_opt(kind)), DREAM_K_##kind,              \
		DREAM_SUB_##kind
#define DREAM_D_list(kind)                                                                                   \
	DREAM_TYPE_LIST, sizeof(dream_list_t), _Alignof(dream_list_t), DREAM_K_##kind, DREAM_SUB_##kind

#define DREAM_DECLARE_FIELD(kind, name) DREAM_C_##kind name;
#define DREAM_DESCRIBE_FIELD(kind, name) {#name, DREAM_D_##kind, sizeof(#name) - 1},
#define DREAM_COUNT(array) (uint32_t)(sizeof(array) / sizeof((array)[0]))

/** Defines name##_t, a struct with the fields of FIELDS, and name##_type, its description. */
#define DREAM_TYPE(name, FIELDS) DREAM_STATE(name, FIELDS, 0)

/** The same for the state of a server, with the version `state_vsn` of its layout and meaning (from 1). */
#define DREAM_STATE(name, FIELDS, state_vsn)                                                                 \
	typedef struct name {                                                                                \
		FIELDS(DREAM_DECLARE_FIELD)                                                                  \
	} name##_t;                                                                                          \
	static const dream_field_t name##_fields[] = {FIELDS(DREAM_DESCRIBE_FIELD)};                         \
	DREAM_UNUSED static const dream_type_t name##_type = {sizeof(dream_type_t), DREAM_FORM_STRUCT,       \
		#name, (state_vsn), DREAM_COUNT(name##_fields), sizeof(name##_t), _Alignof(name##_t),        \
		name##_fields}

#define DREAM_DECLARE_CASE(name, type_name) type_name##_t name;
#define DREAM_DESCRIBE_CASE(name, type_name) {#name, DREAM_D_struct(type_name), sizeof(#name) - 1},

/** Defines name##_t, { uint32_t which; union { … } as; }, from CASES(V) V(case, type) …; name##_which_t
 *  numbers the cases in order from 1 by way of CASES. A case without a payload has type dream_unit. */
#define DREAM_VARIANT(name, CASES)                                                                           \
	typedef struct name {                                                                                \
		uint32_t which;                                                                              \
		union {                                                                                      \
			CASES(DREAM_DECLARE_CASE)                                                            \
		} as;                                                                                        \
	} name##_t;                                                                                          \
	static const dream_field_t name##_fields[] = {CASES(DREAM_DESCRIBE_CASE)};                           \
	DREAM_UNUSED static const dream_type_t name##_type = {sizeof(dream_type_t), DREAM_FORM_VARIANT,      \
		#name, 0, DREAM_COUNT(name##_fields), sizeof(name##_t), _Alignof(name##_t), name##_fields}

/* The payload of a case or a message that carries nothing. */
typedef struct dream_unit {
	uint8_t nothing;
} dream_unit_t;
DREAM_UNUSED static const dream_type_t dream_unit_type = {
	sizeof(dream_type_t), DREAM_FORM_STRUCT, "unit", 0, 0, sizeof(dream_unit_t), 1, NULL};

static inline bool dream_pid_equal(dream_pid_t a, dream_pid_t b)
{
	return a.id == b.id && a.node == b.node && a.creation == b.creation;
}

static inline bool dream_ref_equal(dream_ref_t a, dream_ref_t b)
{
	return a.id == b.id && a.node == b.node && a.creation == b.creation;
}

DREAM_END_DECLS
#endif
