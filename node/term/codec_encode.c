/* SPDX-License-Identifier: MIT */
#include "base/short.h"
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

#define SHORT_NAME 23u /* bytes of a name whose head is one byte */

static inline uint8_t *write_short_name(uint8_t *p, const dream_field_t *field)
{
	*p = (uint8_t) (NODE_CBOR_TEXT << 5 | field->name_size);
	node_short_copy(p + 1, (const uint8_t *) field->name, field->name_size);
	return p + 1 + field->name_size;
}

static inline void put_name(node_cbor_writer_t *w, const dream_field_t *field)
{
	uint8_t *p = field->name_size <= SHORT_NAME ? node_cbor_room(w, 1 + SHORT_NAME) : NULL;
	if (p == NULL)
		node_cbor_put_text_n(w, field->name, field->name_size);
	else
		node_cbor_wrote(w, write_short_name(p, field));
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

/* From this length on a list of numbers is a typed array: the writer then copies it. */
#define TYPED_LEAST 16u
#define NAME_AND_HEADS 40u /* about that, beside the content of a long field */

static int encode_typed(encoder_t *e, const dream_field_t *field, const dream_list_t *list)
{
	uint64_t items_max = NODE_MSG_SIZE_MAX / field->elem_size;
	if (e->depth >= NODE_MSG_DEPTH_MAX)
		return node_diag_set(e->diag, DREAM_ELIMIT, ": nested deeper than %u", NODE_MSG_DEPTH_MAX);
	node_cbor_put_tag(e->w, node_codec_typed_tag(field->elem_kind));
	/* A count that would overflow is refused by its size. */
	uint64_t size = list->count > items_max ? UINT64_MAX : list->count * field->elem_size;
	node_cbor_put_bytes(e->w, list->items, size);
	return DREAM_OK;
}

static int encode_list(encoder_t *e, const dream_field_t *field, const dream_list_t *list)
{
	if (list->count >= TYPED_LEAST && node_codec_is_number(field->elem_kind))
		return encode_typed(e, field, list);
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
		put_name(e->w, chosen);
		return DREAM_OK;
	}
	node_cbor_put_array(e->w, 2);
	put_name(e->w, chosen);
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

/* The end of a number or bool that was written, at most a head; NULL: another kind. */
static inline uint8_t *write_plain(uint8_t *p, uint32_t kind, const uint8_t *at)
{
	if (node_codec_is_integer(kind)) {
		uint64_t bits = node_codec_load_int(kind, at);
		bool negative = node_codec_is_signed(kind) && (int64_t) bits < 0;
		return node_cbor_write_head(
			p, negative ? NODE_CBOR_NINT : NODE_CBOR_UINT, negative ? ~bits : bits);
	}
	switch (kind) {
	case DREAM_TYPE_BOOL: /* as a byte: a stray value in a bool is no undefined behaviour */
		*p = *at != 0 ? 0xf5 : 0xf4;
		return p + 1;
	case DREAM_TYPE_F32:
		return node_cbor_write_f64(p, (double) *(const float *) (const void *) at);
	case DREAM_TYPE_F64:
		return node_cbor_write_f64(p, *(const double *) (const void *) at);
	default:
		return NULL;
	}
}

/* The first fields of a struct, while they are plain and there is room for the longest that each can become: most of most
 * messages. The position stays in a register: through the writer, each head would wait for the store of the one before. */
typedef struct run {
	uint32_t n_fields; /* how many were written */
	uint64_t offset;   /* where the last of them ended in the struct */
	uint8_t *p;        /* and in the message */
} run_t;

static inline run_t encode_run(uint8_t *p, const uint8_t *end, const dream_type_t *type, const uint8_t *at)
{
	run_t run = {0, 0, p};
	for (; run.n_fields < type->n_fields; run.n_fields++) {
		const dream_field_t *field = &type->fields[run.n_fields];
		if (field->name_size > SHORT_NAME ||
			(uint64_t) (end - run.p) < 1 + field->name_size + NODE_CBOR_HEAD_MAX)
			break;
		uint64_t begin = node_codec_align(run.offset, field->align);
		uint8_t *next = write_plain(run.p + 1 + field->name_size, field->kind, at + begin);
		if (next == NULL)
			break;
		(void) write_short_name(run.p, field);
		run.p = next;
		run.offset = begin + field->size;
	}
	return run;
}

/* The fields from @run on. */
static int encode_rest(encoder_t *e, const dream_type_t *type, const uint8_t *at, const run_t *run)
{
	uint64_t offset = run->offset;
	e->depth++;
	for (uint32_t i = run->n_fields; i < type->n_fields; i++) {
		const dream_field_t *field = &type->fields[i];
		offset = node_codec_align(offset, field->align);
		put_name(e->w, field);
		int r = encode_field(e, field, at + offset);
		if (r < 0)
			return node_codec_path(e->diag, r, ".%s", field->name);
		offset += field->size;
	}
	e->depth--;
	return DREAM_OK;
}

static int encode_struct(encoder_t *e, const dream_type_t *type, const uint8_t *at)
{
	if (type->form == DREAM_FORM_VARIANT)
		return encode_variant(e, type, at);
	if (e->depth >= NODE_MSG_DEPTH_MAX)
		return node_diag_set(e->diag, DREAM_ELIMIT, ": nested deeper than %u", NODE_MSG_DEPTH_MAX);
	node_cbor_put_map(e->w, type->n_fields);
	node_cbor_writer_t *w = e->w;
	run_t run = encode_run(w->data + w->size_bytes, w->data + w->cap_bytes, type, at);
	node_cbor_wrote(w, run.p);
	return run.n_fields == type->n_fields ? DREAM_OK : encode_rest(e, type, at, &run);
}

/* The least that a field can take beside its name, of kinds that may be long. */
static uint64_t least_size(const dream_field_t *field, const void *at)
{
	if (field->kind >= DREAM_TYPE_TEXT && field->kind <= DREAM_TYPE_TERM &&
		field->kind != DREAM_TYPE_PID && field->kind != DREAM_TYPE_REF)
		return ((const dream_bytes_t *) at)->size_bytes;
	if (field->kind != DREAM_TYPE_LIST)
		return 0;
	const dream_list_t *list = at;
	bool typed = list->count >= TYPED_LEAST && node_codec_is_number(field->elem_kind);
	return list->count > NODE_MSG_SIZE_MAX ? 0 : list->count * (typed ? field->elem_size : 1);
}

/* Room for the long parts of a value at once, before the short ones fill what there is. */
static void reserve(node_cbor_writer_t *w, const dream_type_t *type, const uint8_t *at)
{
	uint64_t sum = 0, offset = 0;
	if (type->form != DREAM_FORM_STRUCT)
		return;
	for (uint32_t i = 0; i < type->n_fields && sum <= NODE_MSG_SIZE_MAX; i++) {
		const dream_field_t *field = &type->fields[i];
		offset = node_codec_align(offset, field->align);
		sum += least_size(field, at + offset);
		offset += field->size;
	}
	if (sum > w->cap_bytes)
		node_cbor_reserve(w, sum + (uint64_t) type->n_fields * NAME_AND_HEADS);
}

/* @run NULL: from the beginning. */
static __attribute__((noinline)) int encode_whole(node_cbor_writer_t *w, const node_t *node,
	const dream_type_t *type, const void *value, unsigned depth, const run_t *run, node_diag_t *diag)
{
	encoder_t e = {w, node, diag, depth};
	reserve(w, type, value);
	int r = run == NULL ? encode_struct(&e, type, value) : encode_rest(&e, type, value, run);
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
	return node_codec_encode_tagged(w, node, NULL, type, value, diag);
}

#define SHORT_TAG 7u /* characters: with the head one word */

/* Up to seven characters of ASCII are gathered in a register: one store, and nothing to check. NULL: another tag. */
static inline uint8_t *write_short_tag(uint8_t *p, const char *tag)
{
	uint64_t word = 0;
	unsigned size = 0;
	for (; size <= SHORT_TAG && tag[size] != '\0'; size++)
		word |= (uint64_t) (uint8_t) tag[size] << (8 * size);
	if (size > SHORT_TAG || (word & 0x8080808080808080u) != 0)
		return NULL;
	word = word << 8 | NODE_CBOR_TEXT << 5 | size;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	memcpy(p, &word, sizeof(word));
	return p + 1 + size;
}

/* What nearly every message begins with, and often all of it: ["tag", {plain fields… False: nothing was written. */
static inline bool begin_short(const node_cbor_writer_t *w, const char *tag, const dream_type_t *type,
	const void *value, run_t *ret_run)
{
	uint8_t *p = w->data + w->size_bytes;
	if (w->cap_bytes - w->size_bytes < 1 + sizeof(uint64_t) + 1 || type->form != DREAM_FORM_STRUCT ||
		type->n_fields == 0 || type->n_fields >= 24)
		return false;
	if (tag != NULL) {
		*p++ = NODE_CBOR_ARRAY << 5 | 2;
		p = write_short_tag(p, tag);
	}
	if (p == NULL)
		return false;
	*p++ = (uint8_t) (NODE_CBOR_MAP << 5 | type->n_fields);
	*ret_run = encode_run(p, w->data + w->cap_bytes, type, value);
	return true;
}

static int put_tag_text(node_cbor_writer_t *w, const char *tag, node_diag_t *diag)
{
	uint64_t size = strlen(tag);
	if (!node_utf8_valid(tag, size)) {
		node_cbor_fail(w, DREAM_EINVAL);
		return node_diag_set(diag, DREAM_EINVAL, "the tag is not UTF-8");
	}
	node_cbor_put_text_n(w, tag, size);
	return DREAM_OK;
}

/* Long tags, variants, units, and where there is hardly any room. */
static __attribute__((noinline)) int encode_generally(node_cbor_writer_t *w, const node_t *node,
	const char *tag, const dream_type_t *type, const void *value, node_diag_t *diag)
{
	if (tag == NULL)
		return encode_whole(w, node, type, value, 0, NULL, diag);
	bool alone = node_codec_is_unit(type);
	if (!alone)
		node_cbor_put_array(w, 2);
	int r = put_tag_text(w, tag, diag);
	if (r < 0 || alone)
		return r < 0 ? r : w->error;
	return encode_whole(w, node, type, value, 1, NULL, diag);
}

int node_codec_encode_tagged(node_cbor_writer_t *w, const node_t *node, const char *tag,
	const dream_type_t *type, const void *value, node_diag_t *diag)
{
	run_t run;
	if (!begin_short(w, tag, type, value, &run))
		return encode_generally(w, node, tag, type, value, diag);
	node_cbor_wrote(w, run.p);
	if (__builtin_expect(run.n_fields == type->n_fields, 1))
		return DREAM_OK;
	return encode_whole(w, node, type, value, tag != NULL ? 1 : 0, &run, diag);
}
