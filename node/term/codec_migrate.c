/* SPDX-License-Identifier: MIT */
/* Both values are in memory and trusted; what may not fit is the meaning. Nothing is converted with a
 * silent loss: a number that does not fit, or a fraction that would vanish, ends the upgrade of that state. */
#include "term/cbor_head.h"
#include "term/codec_walk.h"

#include <math.h>
#include <stdio.h>

typedef struct migration {
	node_codec_mem_t *mem;
	node_diag_t *diag;
} migration_t;

static int move_field(migration_t *m, const dream_field_t *from, const uint8_t *old, const dream_field_t *to,
	uint8_t *slot);
static int move_struct(migration_t *m, const dream_type_t *from_type, const uint8_t *old,
	const dream_type_t *to_type, uint8_t *at);

static int refuse(migration_t *m, const dream_field_t *from, const dream_field_t *to)
{
	char from_name[2 * NODE_NAME_MAX], to_name[2 * NODE_NAME_MAX];
	return node_diag_set(m->diag, DREAM_ECODECHANGE,
		": %s cannot become %s; give the field another name or write code_change",
		node_codec_kind_name(from, from_name, sizeof(from_name)),
		node_codec_kind_name(to, to_name, sizeof(to_name)));
}

static int does_not_fit(migration_t *m, const char *value, const dream_field_t *from, const dream_field_t *to)
{
	return node_diag_set(m->diag, DREAM_ECODECHANGE, ": the %s %s does not fit %s; write code_change",
		node_codec_kind_name(from, NULL, 0), value, node_codec_kind_name(to, NULL, 0));
}

/* ---- numbers ---- */

static bool is_float(uint32_t kind)
{
	return kind == DREAM_TYPE_F32 || kind == DREAM_TYPE_F64;
}

static double load_float(uint32_t kind, const void *at)
{
	return kind == DREAM_TYPE_F32 ? (double) *(const float *) at : *(const double *) at;
}

/* f64 to f32 rounds, which is what a narrower float is for, but does not overflow. */
static bool store_float(uint32_t kind, void *slot, double value)
{
	if (kind == DREAM_TYPE_F64) {
		*(double *) slot = value;
		return true;
	}
	if (isfinite(value) && fabs(value) > (double) __FLT_MAX__)
		return false;
	*(float *) slot = (float) value;
	return true;
}

static bool store_integer(uint32_t kind, void *slot, bool negative, uint64_t bits)
{
	uint64_t magnitude = negative ? ~bits : bits; /* as on the wire: -1 - magnitude */
	if (magnitude > node_codec_int_max(kind) || (negative && !node_codec_is_signed(kind)))
		return false;
	node_codec_store_int(kind, slot, bits);
	return true;
}

static bool integer_to_float(uint32_t kind, void *slot, bool negative, uint64_t bits)
{
	double value = negative ? (double) (int64_t) bits : (double) bits;
	if (kind == DREAM_TYPE_F32 && (double) (float) value != value)
		return false;
	/* 2^63 and 2^64 are what the largest integers round to; neither converts back. */
	bool exact = negative ? (int64_t) value == (int64_t) bits
			      : value < 18446744073709551616.0 && (uint64_t) value == bits;
	return exact && store_float(kind, slot, value);
}

static bool float_to_integer(uint32_t kind, void *slot, double value)
{
	if (!(value >= -9223372036854775808.0 && value < 18446744073709551616.0) || trunc(value) != value)
		return false;
	bool negative = value < 0;
	return store_integer(kind, slot, negative, negative ? (uint64_t) (int64_t) value : (uint64_t) value);
}

static int move_integer(
	migration_t *m, const dream_field_t *from, const void *old, const dream_field_t *to, void *slot)
{
	uint64_t bits = node_codec_load_int(from->kind, old);
	bool negative = node_codec_is_signed(from->kind) && (int64_t) bits < 0;
	bool fits = is_float(to->kind) ? integer_to_float(to->kind, slot, negative, bits)
				       : store_integer(to->kind, slot, negative, bits);
	if (fits)
		return DREAM_OK;
	char text[24];
	return does_not_fit(m, node_cbor_int_text(text, negative, negative ? ~bits : bits), from, to);
}

static int move_number(
	migration_t *m, const dream_field_t *from, const void *old, const dream_field_t *to, void *slot)
{
	if (node_codec_is_integer(from->kind))
		return move_integer(m, from, old, to, slot);
	double value = load_float(from->kind, old);
	bool fits = is_float(to->kind) ? store_float(to->kind, slot, value)
				       : float_to_integer(to->kind, slot, value);
	if (fits)
		return DREAM_OK;
	char text[40];
	snprintf(text, sizeof(text), "%.17g", value);
	return does_not_fit(m, text, from, to);
}

/* ---- the rest ---- */

static int no_memory(migration_t *m, int code)
{
	return node_diag_set(m->diag, code, ": %s", node_diag_code_text(code));
}

/* Text, bytes and term have the same members. */
static int move_string(migration_t *m, const dream_bytes_t *old, dream_bytes_t *slot)
{
	int code;
	slot->data = node_codec_dup(m->mem, old->data, old->size_bytes, &code);
	slot->size_bytes = code < 0 ? 0 : old->size_bytes;
	return code < 0 ? no_memory(m, code) : DREAM_OK;
}

static int move_list(migration_t *m, const dream_field_t *from, const dream_list_t *old,
	const dream_field_t *to, dream_list_t *slot)
{
	dream_field_t from_elem = node_codec_elem(from), to_elem = node_codec_elem(to);
	if (to_elem.size > 0 && old->count > UINT64_MAX / to_elem.size)
		return no_memory(m, DREAM_ENOMEM);
	uint64_t size = old->count * to_elem.size;
	int r = DREAM_OK;
	uint8_t *items = size == 0 ? NULL : node_codec_alloc(m->mem, size, &r);
	if (r < 0)
		return no_memory(m, r);
	bool same = from_elem.kind == to_elem.kind && node_codec_is_number(to_elem.kind);
	if (same && size > 0)
		memcpy(items, old->items, size);
	for (uint64_t i = 0; i < old->count && !same; i++) {
		const uint8_t *item = (const uint8_t *) old->items + i * from_elem.size;
		r = move_field(m, &from_elem, item, &to_elem, items + i * to_elem.size);
		if (r < 0)
			return node_codec_path(m->diag, r, "[%zu]", (size_t) i);
	}
	slot->items = items;
	slot->count = old->count;
	return DREAM_OK;
}

/* From T or from opt(T). An opt(T) never becomes a T: what absence should mean then is for the author to
 * say. */
static int move_to_opt(
	migration_t *m, const dream_field_t *from, const uint8_t *old, const dream_field_t *to, uint8_t *slot)
{
	dream_field_t from_elem = *from, to_elem = node_codec_elem(to);
	if (from->kind == DREAM_TYPE_OPT) {
		if (*old == 0)
			return DREAM_OK;
		from_elem = node_codec_elem(from);
		old += node_codec_opt_offset(from);
	}
	*slot = 1;
	return move_field(m, &from_elem, old, &to_elem, slot + node_codec_opt_offset(to));
}

static int move_same_kind(
	migration_t *m, const dream_field_t *from, const void *old, const dream_field_t *to, void *slot)
{
	switch (from->kind) {
	case DREAM_TYPE_BOOL:
		*(uint8_t *) slot = *(const uint8_t *) old != 0;
		return DREAM_OK;
	case DREAM_TYPE_PID:
	case DREAM_TYPE_REF:
		memcpy(slot, old, sizeof(dream_pid_t));
		return DREAM_OK;
	case DREAM_TYPE_TEXT:
	case DREAM_TYPE_BYTES:
	case DREAM_TYPE_TERM:
		return move_string(m, old, slot);
	case DREAM_TYPE_LIST:
		return move_list(m, from, old, to, slot);
	case DREAM_TYPE_STRUCT:
		return move_struct(m, from->sub, old, to->sub, slot);
	default:
		return refuse(m, from, to);
	}
}

static int move_field(
	migration_t *m, const dream_field_t *from, const uint8_t *old, const dream_field_t *to, uint8_t *slot)
{
	if (to->kind == DREAM_TYPE_OPT)
		return move_to_opt(m, from, old, to, slot);
	if (node_codec_is_number(from->kind) && node_codec_is_number(to->kind))
		return move_number(m, from, old, to, slot);
	if (from->kind != to->kind)
		return refuse(m, from, to);
	return move_same_kind(m, from, old, to, slot);
}

static const dream_field_t *find(const dream_type_t *type, const char *name, uint64_t *ret_offset)
{
	uint64_t offset = 0;
	for (uint32_t i = 0; i < type->n_fields; i++) {
		offset = node_codec_align(offset, type->fields[i].align);
		*ret_offset = offset;
		if (strcmp(type->fields[i].name, name) == 0)
			return &type->fields[i];
		offset += type->fields[i].size;
	}
	return NULL;
}

static int move_variant(migration_t *m, const dream_type_t *from_type, const uint8_t *old,
	const dream_type_t *to_type, uint8_t *at)
{
	uint32_t which = *(const uint32_t *) (const void *) old;
	if (which == 0)
		return DREAM_OK; /* unset stays unset */
	if (which > from_type->n_fields)
		return node_diag_set(m->diag, DREAM_ECODECHANGE,
			": the variant %s is set to a case it does not have", from_type->name);
	const dream_field_t *from = &from_type->fields[which - 1];
	uint64_t offset;
	const dream_field_t *to = find(to_type, from->name, &offset);
	if (to == NULL)
		return node_diag_set(m->diag, DREAM_ECODECHANGE,
			": the case %s is gone from %s; keep it or write code_change", from->name,
			to_type->name);
	*(uint32_t *) (void *) at = (uint32_t) (to - to_type->fields) + 1;
	int r = move_struct(m, from->sub, old + node_codec_union_offset(from_type), to->sub,
		at + node_codec_union_offset(to_type));
	return r < 0 ? node_codec_path(m->diag, r, ".%s", from->name) : DREAM_OK;
}

static int move_struct(migration_t *m, const dream_type_t *from_type, const uint8_t *old,
	const dream_type_t *to_type, uint8_t *at)
{
	if (from_type->form != to_type->form) {
		dream_field_t from = {.kind = DREAM_TYPE_STRUCT, .sub = from_type};
		dream_field_t to = {.kind = DREAM_TYPE_STRUCT, .sub = to_type};
		return refuse(m, &from, &to);
	}
	if (to_type->form == DREAM_FORM_VARIANT)
		return move_variant(m, from_type, old, to_type, at);
	uint64_t offset = 0;
	for (uint32_t i = 0; i < to_type->n_fields; i++) {
		const dream_field_t *to = &to_type->fields[i];
		offset = node_codec_align(offset, to->align);
		uint64_t old_offset;
		const dream_field_t *from = find(from_type, to->name, &old_offset);
		int r = from == NULL ? DREAM_OK : move_field(m, from, old + old_offset, to, at + offset);
		if (r < 0)
			return node_codec_path(m->diag, r, ".%s", to->name);
		offset += to->size;
	}
	return DREAM_OK;
}

int node_codec_migrate(const dream_type_t *from_type, const void *from, const dream_type_t *to_type,
	node_codec_mem_t *mem, void *ret_to, node_diag_t *diag)
{
	migration_t m = {mem, diag};
	memset(ret_to, 0, to_type->size);
	int r = move_struct(&m, from_type, from, to_type, ret_to);
	return r < 0 ? node_codec_path(diag, r, "%s", to_type->name) : DREAM_OK;
}
