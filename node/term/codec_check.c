/* SPDX-License-Identifier: MIT */
/* A module's tables are code, so they are not hostile; but one that was made by hand or by another compiler
 * may be wrong, and everything else here trusts sizes and alignments blindly after this check. */
#include "term/codec_walk.h"

#include "term/utf8.h"

#define FIELDS_MAX 1024u
#define STRUCT_MAX_BYTES (1u << 20)
#define VISITS_MAX 65536u /* fields looked at in all, so that types sharing types stay cheap to check */

typedef struct checker {
	node_diag_t *diag;
	unsigned depth;
	unsigned visits;
} checker_t;

typedef struct layout {
	uint32_t size;
	uint32_t align;
} layout_t;

static int check_type(checker_t *c, const dream_type_t *type);

static int wrong(const checker_t *c, const dream_type_t *type, const dream_field_t *field, const char *what)
{
	if (field == NULL)
		return node_diag_set(c->diag, DREAM_ETYPE, "type %s: %s", type->name, what);
	return node_diag_set(c->diag, DREAM_ETYPE, "type %s, field %s: %s; describe it with DREAM_TYPE",
		type->name, field->name, what);
}

static bool is_name(const char *name)
{
	if (name == NULL || name[0] == '\0')
		return false;
	size_t size = strnlen(name, NODE_NAME_MAX + 1);
	return size <= NODE_NAME_MAX && node_utf8_valid(name, size);
}

/* Size and alignment of what a kind, other than a struct, an opt or a list, looks like in C. */
static layout_t plain_layout(uint32_t kind)
{
	static const layout_t layouts[] = {
		[DREAM_TYPE_I8] = {1, 1},
		[DREAM_TYPE_I16] = {2, _Alignof(int16_t)},
		[DREAM_TYPE_I32] = {4, _Alignof(int32_t)},
		[DREAM_TYPE_I64] = {8, _Alignof(int64_t)},
		[DREAM_TYPE_U8] = {1, 1},
		[DREAM_TYPE_U16] = {2, _Alignof(uint16_t)},
		[DREAM_TYPE_U32] = {4, _Alignof(uint32_t)},
		[DREAM_TYPE_U64] = {8, _Alignof(uint64_t)},
		[DREAM_TYPE_F32] = {4, _Alignof(float)},
		[DREAM_TYPE_F64] = {8, _Alignof(double)},
		[DREAM_TYPE_BOOL] = {sizeof(bool), _Alignof(bool)},
		[DREAM_TYPE_TEXT] = {sizeof(dream_text_t), _Alignof(dream_text_t)},
		[DREAM_TYPE_BYTES] = {sizeof(dream_bytes_t), _Alignof(dream_bytes_t)},
		[DREAM_TYPE_PID] = {sizeof(dream_pid_t), _Alignof(dream_pid_t)},
		[DREAM_TYPE_REF] = {sizeof(dream_ref_t), _Alignof(dream_ref_t)},
		[DREAM_TYPE_TERM] = {sizeof(dream_bytes_t), _Alignof(dream_bytes_t)},
	};
	return kind < DREAM_COUNT(layouts) ? layouts[kind] : (layout_t){0, 0};
}

static int check_element(
	checker_t *c, const dream_type_t *type, const dream_field_t *field, uint32_t kind, layout_t told)
{
	layout_t real = plain_layout(kind);
	if (kind == DREAM_TYPE_STRUCT) {
		if (field->sub == NULL)
			return wrong(c, type, field, "it names no type");
		int r = check_type(c, field->sub);
		if (r < 0)
			return r;
		real = (layout_t){field->sub->size, field->sub->align};
	}
	if (real.align == 0)
		return wrong(c, type, field, "its kind is unknown");
	if (told.size != real.size || told.align != real.align)
		return wrong(c, type, field, "its size or alignment is not its kind's");
	return DREAM_OK;
}

static int check_opt(checker_t *c, const dream_type_t *type, const dream_field_t *field)
{
	int r = check_element(
		c, type, field, field->elem_kind, (layout_t){field->elem_size, field->elem_align});
	if (r < 0)
		return r;
	uint64_t size = node_codec_align((uint64_t) field->elem_align + field->elem_size, field->elem_align);
	if (field->size != size || field->align != field->elem_align)
		return wrong(c, type, field, "its size or alignment is not that of { bool has; T value; }");
	return DREAM_OK;
}

static int check_list(checker_t *c, const dream_type_t *type, const dream_field_t *field)
{
	if (field->size != sizeof(dream_list_t) || field->align != _Alignof(dream_list_t))
		return wrong(c, type, field, "its size or alignment is not that of dream_list_t");
	return check_element(
		c, type, field, field->elem_kind, (layout_t){field->elem_size, field->elem_align});
}

static int check_field(checker_t *c, const dream_type_t *type, const dream_field_t *field)
{
	if (++c->visits > VISITS_MAX)
		return wrong(c, type, NULL, "its parts have too many fields in all; use a term for some");
	if (!is_name(field->name))
		return wrong(c, type, NULL, "a field's name is missing, too long or not UTF-8");
	if (field->name_size != strlen(field->name))
		return wrong(c, type, field, "its name_size is not the length of its name");
	if (field->kind == DREAM_TYPE_OPT)
		return check_opt(c, type, field);
	if (field->kind == DREAM_TYPE_LIST)
		return check_list(c, type, field);
	return check_element(c, type, field, field->kind, (layout_t){field->size, field->align});
}

static int check_unique(checker_t *c, const dream_type_t *type, uint32_t index)
{
	for (uint32_t i = 0; i < index; i++)
		if (strcmp(type->fields[i].name, type->fields[index].name) == 0)
			return wrong(c, type, &type->fields[index], "another field has this name");
	return DREAM_OK;
}

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static int check_struct_sum(checker_t *c, const dream_type_t *type)
{
	uint64_t offset = 0;
	uint32_t align = 1;
	for (uint32_t i = 0; i < type->n_fields; i++) {
		offset = node_codec_align(offset, type->fields[i].align) + type->fields[i].size;
		align = larger(align, type->fields[i].align);
	}
	/* C gives a struct without members no size, C++ and dream_unit_t one byte. */
	if (type->n_fields == 0 && type->size <= 1 && type->align == 1)
		return DREAM_OK;
	if (type->align != align || type->size != node_codec_align(offset, align))
		return wrong(c, type, NULL,
			"its fields do not add up to its size; were fields left out of the list?");
	return DREAM_OK;
}

static int check_variant_sum(checker_t *c, const dream_type_t *type)
{
	uint32_t size = 0, align = _Alignof(uint32_t);
	for (uint32_t i = 0; i < type->n_fields; i++) {
		if (type->fields[i].kind != DREAM_TYPE_STRUCT)
			return wrong(c, type, &type->fields[i], "a case must be a struct");
		size = larger(size, type->fields[i].size);
		align = larger(align, type->fields[i].align);
	}
	if (type->align != align || type->size != node_codec_align((uint64_t) align + size, align))
		return wrong(c, type, NULL, "its cases do not add up to its size");
	return DREAM_OK;
}

static int check_fields(checker_t *c, const dream_type_t *type)
{
	for (uint32_t i = 0; i < type->n_fields; i++) {
		int r = check_field(c, type, &type->fields[i]);
		if (r == 0)
			r = check_unique(c, type, i);
		if (r < 0)
			return r;
	}
	return type->form == DREAM_FORM_STRUCT ? check_struct_sum(c, type) : check_variant_sum(c, type);
}

static int check_type(checker_t *c, const dream_type_t *type)
{
	if (type->struct_size < sizeof(dream_type_t))
		return node_diag_set(
			c->diag, DREAM_ETYPE, "a type's description is too short; build it with this SDK");
	if (!is_name(type->name))
		return node_diag_set(c->diag, DREAM_ETYPE, "a type's name is missing, too long or not UTF-8");
	if (type->form > DREAM_FORM_VARIANT)
		return wrong(c, type, NULL, "it is neither struct nor variant");
	if (type->n_fields > FIELDS_MAX)
		return wrong(c, type, NULL, "it has more than 1,024 fields; group some in a struct");
	if (type->n_fields > 0 && type->fields == NULL)
		return wrong(c, type, NULL, "its fields are missing");
	if (type->size > STRUCT_MAX_BYTES)
		return wrong(c, type, NULL, "it is larger than 1 MiB; use a list");
	if (c->depth == NODE_CODEC_NEST_MAX)
		return wrong(c, type, NULL, "types nest deeper than 32 or contain themselves; use a term");
	c->depth++;
	int r = check_fields(c, type);
	c->depth--;
	return r;
}

int node_codec_check_type(const dream_type_t *type, node_diag_t *diag)
{
	checker_t c = {diag, 0, 0};
	if (type == NULL)
		return node_diag_set(diag, DREAM_ETYPE, "a type is missing");
	return check_type(&c, type);
}
