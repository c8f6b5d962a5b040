/* SPDX-License-Identifier: MIT */
#include "term/cbor_head.h"
#include "term/codec_walk.h"
#include "term/utf8.h"

typedef struct encoder {
	node_cbor_writer_t *w;
	const node_t *node;
	node_diag_t *diag;
	unsigned depth; /* of the item being written, against the cap on messages */
} encoder_t;

static int encode_struct(encoder_t *e, const dream_type_t *type, const uint8_t *at);
static int encode_field(encoder_t *e, const dream_field_t *field, const uint8_t *at);

/* Names are short: one loop measures and copies them, where strlen and memcpy would be two calls. */
static inline void put_name(node_cbor_writer_t *w, const char *name)
{
	uint8_t *p = node_cbor_room(w, 24);
	if (p == NULL)
		return;
	unsigned size = 0;
	for (; size < 23 && name[size] != '\0'; size++)
		p[1 + size] = (uint8_t) name[size];
	if (name[size] != '\0') {
		node_cbor_put_text(w, name);
		return;
	}
	p[0] = (uint8_t) (NODE_CBOR_TEXT << 5 | size);
	w->size_bytes += 1 + size;
}

static void put_integer(node_cbor_writer_t *w, uint32_t kind, const void *at)
{
	uint64_t bits = node_codec_load_int(kind, at);
	if (node_codec_is_signed(kind) && (int64_t) bits < 0)
		node_cbor_put_head(w, NODE_CBOR_NINT, ~bits);
	else
		node_cbor_put_head(w, NODE_CBOR_UINT, bits);
}

static int encode_text(encoder_t *e, const dream_text_t *text)
{
	if (!node_utf8_valid(text->data, text->size_bytes))
		return node_diag_set(
			e->diag, DREAM_EINVAL, ": the text is not UTF-8; use bytes for other data");
	node_cbor_put_text_n(e->w, text->data, text->size_bytes);
	return DREAM_OK;
}

static int encode_term(encoder_t *e, const dream_bytes_t *term)
{
	if (term->size_bytes == 0) {
		node_cbor_put_null(e->w); /* a zeroed struct has an encoding */
		return DREAM_OK;
	}
	uint64_t used = 0;
	int r = node_cbor_check_within(
		term->data, term->size_bytes, NODE_MSG_DEPTH_MAX - e->depth, &used, NULL);
	if (r == DREAM_ELIMIT)
		return node_diag_set(e->diag, DREAM_ELIMIT, ": the term nests too deeply or is too large");
	if (r < 0 || used != term->size_bytes)
		return node_diag_set(e->diag, DREAM_EINVAL, ": the term is not one well-formed CBOR item");
	node_cbor_put_item(e->w, term->data, term->size_bytes);
	return DREAM_OK;
}

static int encode_list(encoder_t *e, const dream_field_t *field, const dream_list_t *list)
{
	dream_field_t elem = node_codec_elem(field);
	const uint8_t *item = list->items;
	node_cbor_put_array(e->w, list->count);
	e->depth++;
	for (uint64_t i = 0; i < list->count && e->w->error == 0; i++, item += elem.size) {
		int r = encode_field(e, &elem, item);
		if (r < 0)
			return node_codec_path(e->diag, r, "[%zu]", (size_t) i);
	}
	e->depth--;
	return DREAM_OK;
}

static int encode_opt(encoder_t *e, const dream_field_t *field, const uint8_t *at)
{
	if (*at == 0) {
		node_cbor_put_null(e->w);
		return DREAM_OK;
	}
	dream_field_t elem = node_codec_elem(field);
	return encode_field(e, &elem, at + node_codec_opt_offset(field));
}

static int encode_variant(encoder_t *e, const dream_type_t *type, const uint8_t *at)
{
	uint32_t which = *(const uint32_t *) (const void *) at;
	if (which == 0 || which > type->n_fields)
		return node_diag_set(e->diag, DREAM_EINVAL, ": the variant %s is %s; set `which`", type->name,
			which == 0 ? "unset" : "set to a case it does not have");
	const dream_field_t *chosen = &type->fields[which - 1];
	if (node_codec_is_unit(chosen->sub)) {
		put_name(e->w, chosen->name);
		return DREAM_OK;
	}
	node_cbor_put_array(e->w, 2);
	put_name(e->w, chosen->name);
	e->depth++;
	int r = encode_struct(e, chosen->sub, at + node_codec_union_offset(type));
	e->depth--;
	return r < 0 ? node_codec_path(e->diag, r, ".%s", chosen->name) : DREAM_OK;
}

static int encode_identity(encoder_t *e, const dream_field_t *field, const void *at)
{
	if (field->kind == DREAM_TYPE_PID)
		node_cbor_put_pid(e->w, e->node, *(const dream_pid_t *) at);
	else
		node_cbor_put_ref(e->w, e->node, *(const dream_ref_t *) at);
	if (e->w->error != DREAM_EINVAL)
		return DREAM_OK;
	return node_diag_set(e->diag, DREAM_EINVAL, ": the %s is of a node number this node never gave out",
		field->kind == DREAM_TYPE_PID ? "pid" : "ref");
}

/* The kinds that can fail. */
static int encode_other(encoder_t *e, const dream_field_t *field, const void *at)
{
	switch (field->kind) {
	case DREAM_TYPE_TEXT:
		return encode_text(e, at);
	case DREAM_TYPE_TERM:
		return encode_term(e, at);
	case DREAM_TYPE_PID:
	case DREAM_TYPE_REF:
		return encode_identity(e, field, at);
	case DREAM_TYPE_STRUCT:
		return encode_struct(e, field->sub, at);
	case DREAM_TYPE_OPT:
		return encode_opt(e, field, at);
	case DREAM_TYPE_LIST:
		return encode_list(e, field, at);
	default:
		return node_diag_set(e->diag, DREAM_ETYPE, ": the field's kind %u is unknown", field->kind);
	}
}

static int encode_field(encoder_t *e, const dream_field_t *field, const uint8_t *at)
{
	if (node_codec_is_integer(field->kind)) {
		put_integer(e->w, field->kind, at);
		return DREAM_OK;
	}
	const dream_bytes_t *bytes = (const void *) at;
	switch (field->kind) {
	case DREAM_TYPE_F32:
		node_cbor_put_f64(e->w, (double) *(const float *) (const void *) at);
		return DREAM_OK;
	case DREAM_TYPE_F64:
		node_cbor_put_f64(e->w, *(const double *) (const void *) at);
		return DREAM_OK;
	case DREAM_TYPE_BOOL:
		node_cbor_put_bool(
			e->w, *at != 0); /* as a byte: a stray value in a bool is no undefined behaviour */
		return DREAM_OK;
	case DREAM_TYPE_BYTES:
		node_cbor_put_bytes(e->w, bytes->data, bytes->size_bytes);
		return DREAM_OK;
	default:
		return encode_other(e, field, at);
	}
}

static int encode_struct(encoder_t *e, const dream_type_t *type, const uint8_t *at)
{
	if (type->form == DREAM_FORM_VARIANT)
		return encode_variant(e, type, at);
	if (e->depth >= NODE_MSG_DEPTH_MAX)
		return node_diag_set(e->diag, DREAM_ELIMIT, ": nested deeper than %u", NODE_MSG_DEPTH_MAX);
	node_cbor_put_map(e->w, type->n_fields);
	e->depth++;
	uint64_t offset = 0;
	for (uint32_t i = 0; i < type->n_fields; i++) {
		const dream_field_t *field = &type->fields[i];
		offset = node_codec_align(offset, field->align);
		put_name(e->w, field->name);
		int r = encode_field(e, field, at + offset);
		if (r < 0)
			return node_codec_path(e->diag, r, ".%s", field->name);
		offset += field->size;
	}
	e->depth--;
	return DREAM_OK;
}

static int encode_at_depth(node_cbor_writer_t *w, const node_t *node, const dream_type_t *type,
	const void *value, unsigned depth, node_diag_t *diag)
{
	encoder_t e = {w, node, diag, depth};
	int r = encode_struct(&e, type, value);
	if (r < 0) {
		node_cbor_fail(w, r); /* half an item must not be finished */
		return node_codec_path(diag, r, "%s", type->name);
	}
	if (w->error < 0)
		return node_diag_set(diag, w->error, "%s: %s", type->name, node_diag_code_text(w->error));
	return DREAM_OK;
}

int node_codec_encode(node_cbor_writer_t *w, const node_t *node, const dream_type_t *type, const void *value,
	node_diag_t *diag)
{
	return encode_at_depth(w, node, type, value, 0, diag);
}

int node_codec_encode_tagged(node_cbor_writer_t *w, const node_t *node, const char *tag,
	const dream_type_t *type, const void *value, node_diag_t *diag)
{
	if (tag == NULL)
		return encode_at_depth(w, node, type, value, 0, diag);
	if (!node_utf8_valid(tag, strlen(tag)))
		return node_diag_set(diag, DREAM_EINVAL, "the tag is not UTF-8");
	bool alone = node_codec_is_unit(type);
	if (!alone)
		node_cbor_put_array(w, 2);
	put_name(w, tag);
	if (alone)
		return w->error;
	return encode_at_depth(w, node, type, value, 1, diag);
}
