/* SPDX-License-Identifier: MIT */
/* Writers list the fields in the type's order, so the field that is due is compared first: for values of
 * the same version of a type nothing is searched. A search goes forward from there and wraps round. */
#include <endian.h>
#include "base/short.h"
#include "term/cbor_head.h"
#include "term/codec_walk.h"

typedef struct decoder {
	node_cbor_reader_t *r;
	node_t *node;
	node_codec_mem_t *mem;
	node_diag_t *diag;
} decoder_t;

/* The field that is due. */
typedef struct cursor {
	const dream_type_t *type;
	uint32_t index;
	uint64_t offset;   /* where the field before it ended */
	bool out_of_order; /* a field may come twice; until then each is met once, in fresh zeroes */
} cursor_t;

static int decode_field(decoder_t *d, const dream_field_t *field, uint8_t *slot);
static int decode_struct(decoder_t *d, const dream_type_t *type, uint8_t *at);

static int mismatch(const decoder_t *d, const char *wanted)
{
	return node_diag_set(
		d->diag, DREAM_EDECODE, ": expected %s, found %s", wanted, node_cbor_kind_name(d->r));
}

static int no_memory(const decoder_t *d, int code)
{
	return node_diag_set(d->diag, code, ": %s",
		code == DREAM_ELIMIT ? "decoding it takes more than 256 MiB" : "out of memory");
}

/* ---- plain values ---- */

static int store_integer(decoder_t *d, uint32_t kind, bool negative, uint64_t value, void *slot)
{
	if (value > node_codec_int_max(kind) || (negative && !node_codec_is_signed(kind))) {
		char text[24];
		dream_field_t field = {.kind = kind};
		return node_diag_set(d->diag, DREAM_ERANGE, ": %s does not fit %s",
			node_cbor_int_text(text, negative, value), node_codec_kind_name(&field, NULL, 0));
	}
	node_codec_store_int(kind, slot, negative ? ~value : value);
	return DREAM_OK;
}

static int decode_integer(decoder_t *d, uint32_t kind, void *slot)
{
	const uint8_t *start = d->r->at;
	uint8_t initial;
	uint64_t value;
	if (!node_cbor_take_head(d->r, &initial, &value) || NODE_CBOR_MAJOR(initial) > NODE_CBOR_NINT) {
		d->r->at = start;
		return mismatch(d, "an integer");
	}
	return store_integer(d, kind, NODE_CBOR_MAJOR(initial) == NODE_CBOR_NINT, value, slot);
}

static int store_float(decoder_t *d, uint32_t kind, double value, void *slot)
{
	if (kind == DREAM_TYPE_F64) {
		*(double *) slot = value;
		return DREAM_OK;
	}
	bool finite = value - value == 0;
	if (finite && (value > (double) __FLT_MAX__ || value < -(double) __FLT_MAX__))
		return node_diag_set(d->diag, DREAM_ERANGE, ": %g does not fit f32", value);
	*(float *) slot = (float) value;
	return DREAM_OK;
}

static int decode_float(decoder_t *d, uint32_t kind, void *slot)
{
	double value;
	if (node_cbor_get_f64(d->r, &value) < 0)
		return mismatch(d, "a number");
	return store_float(d, kind, value, slot);
}

/* ---- strings ---- */

static int keep(decoder_t *d, const void *data, uint64_t size_bytes, dream_bytes_t *slot)
{
	int code = DREAM_OK;
	const void *kept = d->mem->borrow_bytes ? data : node_codec_dup(d->mem, data, size_bytes, &code);
	if (code < 0)
		return no_memory(d, code);
	slot->data = kept;
	slot->size_bytes = size_bytes;
	return DREAM_OK;
}

/* Adds the chunks of an indefinite string up at @to, or only their sizes for NULL. */
static bool gather(node_cbor_reader_t *r, uint8_t *to, uint64_t *ret_size_bytes)
{
	uint64_t sum = 0;
	while (!node_cbor_take_break(r)) {
		uint8_t initial;
		uint64_t size;
		if (!node_cbor_take_head(r, &initial, &size) || size > node_cbor_left(r))
			return false;
		if (to != NULL)
			memcpy(to + sum, r->at, size);
		sum += size;
		r->at += size;
	}
	*ret_size_bytes = sum;
	return true;
}

/* Chunks have to be put together, so these are copied even where others are borrowed. */
static int decode_chunks(decoder_t *d, const char *wanted, dream_bytes_t *slot)
{
	node_cbor_reader_t r = *d->r;
	uint64_t size;
	if (!gather(&r, NULL, &size))
		return mismatch(d, wanted);
	int code = DREAM_OK;
	uint8_t *data = size == 0 ? NULL : node_codec_alloc(d->mem, size, &code);
	if (code < 0)
		return no_memory(d, code);
	(void) gather(d->r, data, &size);
	slot->data = data;
	slot->size_bytes = size;
	return DREAM_OK;
}

/* Text and bytes have the same members. */
static int decode_string(decoder_t *d, unsigned major, const char *wanted, dream_bytes_t *slot)
{
	const uint8_t *start = d->r->at;
	uint8_t initial;
	uint64_t size;
	if (!node_cbor_take_head(d->r, &initial, &size) || NODE_CBOR_MAJOR(initial) != major ||
		size > node_cbor_left(d->r)) {
		d->r->at = start;
		return mismatch(d, wanted);
	}
	if (NODE_CBOR_INFO(initial) == NODE_CBOR_INDEFINITE)
		return decode_chunks(d, wanted, slot);
	const uint8_t *data = d->r->at;
	d->r->at += size;
	return keep(d, data, size, slot);
}

static int decode_term(decoder_t *d, dream_bytes_t *slot)
{
	const uint8_t *data;
	uint64_t size;
	if (node_cbor_get_item(d->r, &data, &size) < 0)
		return mismatch(d, "an item");
	return keep(d, data, size, slot);
}

/* ---- what holds others ---- */

/* An indefinite list is walked twice: once to count. */
static bool count_items(const decoder_t *d, uint64_t *ret_count)
{
	node_cbor_reader_t r = *d->r;
	uint64_t count = 0;
	for (; !node_cbor_take_break(&r); count++)
		if (node_cbor_skip(&r) < 0)
			return false;
	*ret_count = count;
	return true;
}

static int decode_items(decoder_t *d, const dream_field_t *elem, uint8_t *items, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		int r = decode_field(d, elem, items + i * elem->size);
		if (r < 0)
			return node_codec_path(d->diag, r, "[%zu]", (size_t) i);
	}
	return DREAM_OK;
}

static int convert_item(decoder_t *d, uint32_t kind, const node_cbor_head_t *head, void *slot)
{
	if (node_codec_is_integer(kind)) {
		if (head->is_float)
			return node_diag_set(d->diag, DREAM_EDECODE, ": expected an integer, found a float");
		return store_integer(d, kind, head->major == NODE_CBOR_NINT, head->value, slot);
	}
	double value = head->is_float                  ? head->number
		       : head->major == NODE_CBOR_UINT ? (double) head->value
						       : -1.0 - (double) head->value;
	return store_float(d, kind, value, slot);
}

/* Another width, sign or byte order than this machine has for the kind. */
static int convert_items(
	decoder_t *d, const dream_field_t *field, const node_cbor_typed_t *typed, uint8_t *items)
{
	for (uint64_t i = 0; i < typed->count; i++) {
		node_cbor_head_t head;
		node_cbor_typed_item(typed, i, &head);
		int r = convert_item(d, field->elem_kind, &head, items + i * field->elem_size);
		if (r < 0)
			return node_codec_path(d->diag, r, "[%zu]", (size_t) i);
	}
	return DREAM_OK;
}

/* Lists are the callback's to change, so not even where bytes are borrowed do they point into the message. */
static int decode_typed(
	decoder_t *d, const dream_field_t *field, const node_cbor_typed_t *typed, dream_list_t *list)
{
	uint64_t size = typed->count * field->elem_size; /* at most 2^26 items of 8 bytes */
	int r = DREAM_OK;
	uint8_t *items = size == 0 ? NULL : node_codec_alloc_raw(d->mem, size, &r);
	if (r < 0)
		return no_memory(d, r);
	if (typed->tag != node_codec_typed_tag(field->elem_kind))
		r = convert_items(d, field, typed, items);
	else if (size > 0)
		memcpy(items, typed->data, size);
	if (r < 0)
		return r;
	list->items = items;
	list->count = typed->count;
	return DREAM_OK;
}

static int decode_list(decoder_t *d, const dream_field_t *field, dream_list_t *list)
{
	uint64_t count;
	node_cbor_typed_t typed;
	if (node_cbor_get_array(d->r, &count) < 0) { /* refuses more items than bytes are left */
		if (node_codec_is_number(field->elem_kind) && node_cbor_take_typed(d->r, &typed))
			return decode_typed(d, field, &typed, list);
		return mismatch(d, "an array");
	}
	bool endless = count == UINT64_MAX;
	if (endless && !count_items(d, &count))
		return mismatch(d, "an array");
	dream_field_t elem = node_codec_elem(field);
	int r = DREAM_OK;
	/* No overflow: at most 2^26 items of at most 2^20 bytes. */
	uint64_t size = count * elem.size;
	void *items = size == 0 ? NULL : node_codec_alloc(d->mem, size, &r);
	if (r < 0)
		return no_memory(d, r);
	r = decode_items(d, &elem, items, count);
	if (r < 0)
		return r;
	if (endless)
		(void) node_cbor_take_break(d->r);
	list->items = items;
	list->count = count;
	return DREAM_OK;
}

static int decode_opt(decoder_t *d, const dream_field_t *field, uint8_t *slot)
{
	*slot = 0;
	if (node_cbor_get_null(d->r) == 0)
		return DREAM_OK;
	dream_field_t elem = node_codec_elem(field);
	*slot = 1;
	return decode_field(d, &elem, slot + node_codec_opt_offset(field));
}

static int decode_identity(decoder_t *d, uint32_t kind, void *slot)
{
	int r = kind == DREAM_TYPE_PID ? node_cbor_get_pid(d->r, d->node, slot)
				       : node_cbor_get_ref(d->r, d->node, slot);
	if (r == DREAM_ELIMIT)
		return node_diag_set(d->diag, r, ": its node is unknown and no more nodes can be known");
	if (r < 0)
		return mismatch(d, kind == DREAM_TYPE_PID ? "a pid" : "a ref");
	return DREAM_OK;
}

static int decode_other(decoder_t *d, const dream_field_t *field, void *slot)
{
	switch (field->kind) {
	case DREAM_TYPE_F32:
	case DREAM_TYPE_F64:
		return decode_float(d, field->kind, slot);
	case DREAM_TYPE_BOOL:
		return node_cbor_get_bool(d->r, slot) < 0 ? mismatch(d, "a bool") : DREAM_OK;
	case DREAM_TYPE_PID:
	case DREAM_TYPE_REF:
		return decode_identity(d, field->kind, slot);
	case DREAM_TYPE_TERM:
		return decode_term(d, slot);
	case DREAM_TYPE_OPT:
		return decode_opt(d, field, slot);
	case DREAM_TYPE_LIST:
		return decode_list(d, field, slot);
	default:
		return node_diag_set(d->diag, DREAM_ETYPE, ": the field's kind %u is unknown", field->kind);
	}
}

static int decode_field(decoder_t *d, const dream_field_t *field, uint8_t *slot)
{
	if (node_codec_is_integer(field->kind))
		return decode_integer(d, field->kind, slot);
	void *at = slot;
	switch (field->kind) {
	case DREAM_TYPE_TEXT:
		return decode_string(d, NODE_CBOR_TEXT, "a text", at);
	case DREAM_TYPE_BYTES:
		return decode_string(d, NODE_CBOR_BYTES, "bytes", at);
	case DREAM_TYPE_STRUCT:
		return decode_struct(d, field->sub, slot);
	default:
		return decode_other(d, field, at);
	}
}

/* ---- structs and variants ---- */

static inline bool name_is(const dream_field_t *field, const uint8_t *key, uint64_t size)
{
	return field->name_size == size && node_short_equal(field->name, key, size);
}

/* Moves on over one field; returns where it lies. */
static inline uint64_t pass_field(cursor_t *c)
{
	const dream_field_t *field = &c->type->fields[c->index++];
	uint64_t offset = node_codec_align(c->offset, field->align);
	c->offset = offset + field->size;
	return offset;
}

static const dream_field_t *search(cursor_t *c, const uint8_t *key, uint64_t size, uint64_t *ret_offset)
{
	cursor_t ahead = *c;
	for (uint32_t tried = 0; tried < c->type->n_fields; tried++) {
		if (ahead.index == c->type->n_fields)
			ahead = (cursor_t){c->type, 0, 0, true};
		const dream_field_t *field = &c->type->fields[ahead.index];
		*ret_offset = pass_field(&ahead);
		if (!name_is(field, key, size))
			continue;
		*c = ahead;
		return field;
	}
	return NULL;
}

static inline const dream_field_t *find_field(
	cursor_t *c, const uint8_t *key, uint64_t size, uint64_t *ret_offset)
{
	if (c->index < c->type->n_fields && name_is(&c->type->fields[c->index], key, size)) {
		const dream_field_t *field = &c->type->fields[c->index];
		*ret_offset = pass_field(c);
		return field;
	}
	return search(c, key, size, ret_offset);
}

static int skip_unknown(decoder_t *d)
{
	return node_cbor_skip(d->r) < 0 ? mismatch(d, "an item") : DREAM_OK;
}

static int decode_pair(decoder_t *d, cursor_t *c, uint8_t *at)
{
	const uint8_t *start = d->r->at;
	uint8_t initial;
	uint64_t size, offset = 0;
	const dream_field_t *field = NULL;
	if (node_cbor_take_head(d->r, &initial, &size) && NODE_CBOR_MAJOR(initial) == NODE_CBOR_TEXT &&
		NODE_CBOR_INFO(initial) != NODE_CBOR_INDEFINITE && size <= node_cbor_left(d->r)) {
		field = find_field(c, d->r->at, size, &offset);
		d->r->at += size;
	} else {
		d->r->at = start; /* a key of another kind is unknown as well */
		int r = skip_unknown(d);
		if (r < 0)
			return r;
	}
	if (field == NULL)
		return skip_unknown(d);
	if (c->out_of_order)
		memset(at + offset, 0, field->size);
	int r = decode_field(d, field, at + offset);
	return r < 0 ? node_codec_path(d->diag, r, ".%s", field->name) : DREAM_OK;
}

/* The argument behind @at, which has info 24 or more; NULL: not there, or no argument. */
static inline const uint8_t *long_argument(const uint8_t *at, const uint8_t *end, uint64_t *ret_value)
{
	unsigned size = 1u << (NODE_CBOR_INFO(*at) - 24);
	if (end - at <= (ptrdiff_t) size)
		return NULL;
	uint16_t two;
	uint32_t four;
	uint64_t eight;
	switch (NODE_CBOR_INFO(*at)) {
	case 24:
		*ret_value = at[1];
		return at + 2;
	case 25:
		memcpy(&two, at + 1, sizeof(two));
		*ret_value = be16toh(two);
		return at + 3;
	case 26:
		memcpy(&four, at + 1, sizeof(four));
		*ret_value = be32toh(four);
		return at + 5;
	case 27:
		memcpy(&eight, at + 1, sizeof(eight));
		*ret_value = be64toh(eight);
		return at + 9;
	default:
		return NULL;
	}
}

/* The end of a plain value that was stored, or NULL: not a value for this way, and nothing stored.
 * @at has a byte. */
static inline const uint8_t *plain_value(
	bool borrow, const dream_field_t *field, const uint8_t *at, const uint8_t *end, uint8_t *slot)
{
	unsigned major = NODE_CBOR_MAJOR(*at);
	uint64_t value = NODE_CBOR_INFO(*at);
	if (node_codec_is_integer(field->kind) && major == NODE_CBOR_UINT) {
		const uint8_t *next = value < 24 ? at + 1 : long_argument(at, end, &value);
		if (next == NULL || value > node_codec_int_max(field->kind))
			return NULL;
		node_codec_store_int(field->kind, slot, value);
		return next;
	}
	if (field->kind == DREAM_TYPE_TEXT && major == NODE_CBOR_TEXT && borrow && value < 24 &&
		value < (uint64_t) (end - at)) {
		*(dream_text_t *) (void *) slot = (dream_text_t){(const char *) at + 1, value};
		return at + 1 + value;
	}
	if (field->kind == DREAM_TYPE_BOOL && (*at == 0xf4 || *at == 0xf5)) {
		*slot = *at == 0xf5;
		return at + 1;
	}
	return NULL;
}

/* The fields that come in order with plain values, which is most of most messages. The general way goes
 * through d->r for every head, and waiting for those stores was half of the time of a small struct. */
static inline const uint8_t *decode_run(
	bool borrow, cursor_t *c, uint64_t *left, const uint8_t *at, const uint8_t *end, uint8_t *base)
{
	const dream_type_t *type = c->type;
	uint64_t offset = c->offset;
	uint32_t i = c->index;
	for (; *left > 0 && i < type->n_fields && at < end; --*left, i++) {
		const dream_field_t *field = &type->fields[i];
		uint64_t size = field->name_size;
		if (size >= 24 || *at != (NODE_CBOR_TEXT << 5 | size) || 1 + size >= (uint64_t) (end - at) ||
			!node_short_equal(field->name, at + 1, size))
			break;
		uint64_t begin = node_codec_align(offset, field->align);
		const uint8_t *next = plain_value(borrow, field, at + 1 + size, end, base + begin);
		if (next == NULL)
			break;
		at = next;
		offset = begin + field->size;
	}
	c->index = i;
	c->offset = offset;
	return at;
}

/* @count items before the case's name was read; UINT64_MAX: until the break. */
static int decode_case(decoder_t *d, const dream_field_t *chosen, uint64_t count, uint8_t *at)
{
	bool endless = count == UINT64_MAX;
	if (count == 1 || (endless && node_cbor_take_break(d->r)))
		return DREAM_OK; /* the payload stays zero, like any other thing that is missing */
	if (count != 2 && !endless)
		return node_diag_set(
			d->diag, DREAM_EDECODE, ": a case has one value, not %zu", (size_t) count - 1);
	int r = decode_struct(d, chosen->sub, at);
	if (r < 0)
		return r;
	return !endless || node_cbor_take_break(d->r) ? DREAM_OK : mismatch(d, "the end of the case");
}

static int decode_variant(decoder_t *d, const dream_type_t *type, uint8_t *at)
{
	uint64_t count = 1;
	const char *name;
	uint64_t size;
	(void) node_cbor_get_array(d->r, &count);
	if (node_cbor_get_text(d->r, &name, &size) < 0)
		return mismatch(d, "the name of a case");
	for (uint32_t i = 0; i < type->n_fields; i++) {
		if (!name_is(&type->fields[i], (const uint8_t *) name, size))
			continue;
		*(uint32_t *) (void *) at = i + 1;
		int r = decode_case(d, &type->fields[i], count, at + node_codec_union_offset(type));
		return r < 0 ? node_codec_path(d->diag, r, ".%s", type->fields[i].name) : DREAM_OK;
	}
	return node_diag_set(d->diag, DREAM_EDECODE, ": %s has no case \"%.*s\"", type->name,
		(int) (size < 64 ? size : 64), name);
}

/* @left pairs, or those until the break. */
static __attribute__((noinline)) int decode_pairs(
	decoder_t *d, cursor_t *c, uint64_t left, bool endless, uint8_t *at)
{
	while (left > 0 && !(endless && node_cbor_take_break(d->r))) {
		int r = decode_pair(d, c, at);
		if (r < 0)
			return r;
		left--;
		if (!endless && !c->out_of_order)
			d->r->at = decode_run(d->mem->borrow_bytes, c, &left, d->r->at, d->r->end, at);
	}
	return DREAM_OK;
}

static __attribute__((noinline)) int decode_other_map(decoder_t *d, const dream_type_t *type, uint8_t *at)
{
	uint64_t left;
	if (node_cbor_get_map(d->r, &left) < 0)
		return mismatch(d, "a map");
	cursor_t c = {type, 0, 0, false};
	return decode_pairs(d, &c, left, left == UINT64_MAX, at);
}

/* The plain fields at the beginning of a struct whose map has a head of one byte. False: none such is next. */
static inline bool begin_struct(node_cbor_reader_t *r, bool borrow, const dream_type_t *type, uint8_t *at,
	cursor_t *ret_c, uint64_t *ret_left)
{
	const uint8_t *p = r->at, *end = r->end;
	uint64_t left = p < end ? (uint64_t) *p - (NODE_CBOR_MAP << 5) : UINT64_MAX;
	if (type->form != DREAM_FORM_STRUCT || left >= 24 || 2 * left >= (uint64_t) (end - p))
		return false;
	*ret_c = (cursor_t){type, 0, 0, false};
	r->at = decode_run(borrow, ret_c, &left, p + 1, end, at);
	*ret_left = left;
	return true;
}

static int decode_struct(decoder_t *d, const dream_type_t *type, uint8_t *at)
{
	cursor_t c;
	uint64_t left;
	if (type->form == DREAM_FORM_VARIANT)
		return decode_variant(d, type, at);
	if (!begin_struct(d->r, d->mem->borrow_bytes, type, at, &c, &left))
		return decode_other_map(d, type, at);
	return left == 0 ? DREAM_OK : decode_pairs(d, &c, left, false, at);
}

/* What begin_struct() left, or all of it. */
static __attribute__((noinline)) int decode_generally(
	decoder_t d, const dream_type_t *type, void *ret_value, const cursor_t *begun, uint64_t left)
{
	cursor_t c = *begun;
	int r = c.type != NULL ? decode_pairs(&d, &c, left, false, ret_value)
			       : decode_struct(&d, type, ret_value);
	return r < 0 ? node_codec_path(d.diag, r, "%s", type->name) : DREAM_OK;
}

int node_codec_decode(node_cbor_reader_t *r, node_t *node, const dream_type_t *type, node_codec_mem_t *mem,
	void *ret_value, node_diag_t *diag)
{
	cursor_t c;
	uint64_t left = 0;
	node_short_zero(ret_value, type->size);
	if (!begin_struct(r, mem->borrow_bytes, type, ret_value, &c, &left))
		c.type = NULL;
	else if (__builtin_expect(left == 0, 1))
		return DREAM_OK;
	return decode_generally((decoder_t){r, node, mem, diag}, type, ret_value, &c, left);
}
