/* SPDX-License-Identifier: MIT */
#include "dist/frame.h"

#include "term/cbor.h"

/* The fields of each type in order, a letter each; both directions walk them.
 * r ref, f from, t to, c to_creation, e code, n text, m item (last); v V versions, k creation, o role. */
static const struct {
	const char *name;
	const char *fields;
} types[] = {
	[NODE_FRAME_HELLO] = {"HELLO", "vVnko"},
	[NODE_FRAME_SEND] = {"SEND", "ftcm"},
	[NODE_FRAME_SEND_NAME] = {"SEND_NAME", "fnm"},
	[NODE_FRAME_CAST] = {"CAST", "ftcm"},
	[NODE_FRAME_CAST_NAME] = {"CAST_NAME", "fnm"},
	[NODE_FRAME_CALL] = {"CALL", "rftcm"},
	[NODE_FRAME_CALL_NAME] = {"CALL_NAME", "rfnm"},
	[NODE_FRAME_REPLY] = {"REPLY", "rftcem"},
	[NODE_FRAME_CANCEL] = {"CANCEL", "rftc"},
	[NODE_FRAME_CANCEL_NAME] = {"CANCEL_NAME", "rfn"},
	[NODE_FRAME_COMMAND] = {"COMMAND", "rn"},
	[NODE_FRAME_ITEM] = {"ITEM", "rm"},
	[NODE_FRAME_DONE] = {"DONE", "ren"},
	[NODE_FRAME_CANCEL_COMMAND] = {"CANCEL_COMMAND", "r"},
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

const char *node_frame_name(uint32_t type)
{
	return type < N_TYPES && types[type].name != NULL ? types[type].name : "frame";
}

/* ---- reading ---- */

static int get_u32(node_cbor_reader_t *r, uint32_t *ret)
{
	uint64_t value;
	if (node_cbor_get_uint(r, &value) < 0 || value > UINT32_MAX)
		return DREAM_EDECODE;
	*ret = (uint32_t) value;
	return DREAM_OK;
}

static int get_code(node_cbor_reader_t *r, int32_t *ret)
{
	int64_t value;
	if (node_cbor_get_int(r, &value) < 0 || value > INT32_MAX || value < INT32_MIN)
		return DREAM_EDECODE;
	*ret = (int32_t) value;
	return DREAM_OK;
}

static int get_rest(node_cbor_reader_t *r, node_frame_t *f)
{
	f->item = r->at;
	f->item_size = (uint64_t) (r->end - r->at);
	r->at = r->end;
	return f->item_size > 0 ? DREAM_OK : DREAM_EDECODE;
}

static int read_field(node_cbor_reader_t *r, char field, node_frame_t *f)
{
	switch (field) {
	case 'r':
		return node_cbor_get_uint(r, &f->ref);
	case 'f':
		return node_cbor_get_uint(r, &f->from);
	case 't':
		return node_cbor_get_uint(r, &f->to);
	case 'c':
		return get_u32(r, &f->to_creation);
	case 'e':
		return get_code(r, &f->code);
	case 'n':
		return node_cbor_get_text(r, &f->text, &f->text_size);
	case 'm':
		return get_rest(r, f);
	case 'v':
		return get_u32(r, &f->version_min);
	case 'V':
		return get_u32(r, &f->version_max);
	case 'k':
		return get_u32(r, &f->creation);
	default:
		return get_u32(r, &f->role);
	}
}

int node_frame_read(const uint8_t *data, uint64_t size_bytes, node_frame_t *ret_frame, node_diag_t *diag)
{
	node_cbor_reader_t r = node_cbor_read(data, size_bytes);
	node_frame_t f = {0};
	uint64_t count, type;
	if (node_cbor_get_array(&r, &count) < 0 || node_cbor_get_uint(&r, &type) < 0)
		return node_diag_set(diag, DREAM_EPROTO, "a frame is no array that begins with a number");
	if (type >= N_TYPES || types[type].name == NULL)
		return node_diag_set(
			diag, DREAM_EPROTO, "frame type %llu is unknown", (unsigned long long) type);
	f.type = (uint32_t) type;
	const char *fields = types[type].fields;
	bool extensible = type == NODE_FRAME_HELLO; /* it is read before a version is agreed on */
	if (extensible ? count < 1 + strlen(fields) : count != 1 + strlen(fields))
		return node_diag_set(diag, DREAM_EPROTO, "frame %s has %llu elements, not %zu",
			types[type].name, (unsigned long long) count, 1 + strlen(fields));
	for (const char *field = fields; *field != '\0'; field++)
		if (read_field(&r, *field, &f) < 0)
			return node_diag_set(diag, DREAM_EPROTO, "frame %s: element %d is not of its kind",
				types[type].name, (int) (field - fields) + 1);
	if (r.at != r.end && !extensible)
		return node_diag_set(
			diag, DREAM_EPROTO, "frame %s has bytes behind its end", types[type].name);
	*ret_frame = f;
	return DREAM_OK;
}

/* ---- writing ---- */

static void write_field(node_cbor_writer_t *w, char field, const node_frame_t *f)
{
	switch (field) {
	case 'r':
		node_cbor_put_uint(w, f->ref);
		return;
	case 'f':
		node_cbor_put_uint(w, f->from);
		return;
	case 't':
		node_cbor_put_uint(w, f->to);
		return;
	case 'c':
		node_cbor_put_uint(w, f->to_creation);
		return;
	case 'e':
		node_cbor_put_int(w, f->code);
		return;
	case 'n':
		node_cbor_put_text_n(w, f->text, f->text_size);
		return;
	case 'v':
		node_cbor_put_uint(w, f->version_min);
		return;
	case 'V':
		node_cbor_put_uint(w, f->version_max);
		return;
	case 'k':
		node_cbor_put_uint(w, f->creation);
		return;
	case 'o':
		node_cbor_put_uint(w, f->role);
		return;
	default:
		return; /* the item is sent from where it lies */
	}
}

static int send_parts(node_carrier_t *carrier, uint32_t lane, const node_cbor_writer_t *w,
	const node_frame_t *frame, uint32_t flags)
{
	uint64_t total = w->size_bytes + frame->item_size;
	uint8_t length[4] = {
		(uint8_t) (total >> 24), (uint8_t) (total >> 16), (uint8_t) (total >> 8), (uint8_t) total};
	node_carrier_part_t parts[] = {
		{length, 4}, {w->data, w->size_bytes}, {frame->item, frame->item_size}};
	if (total > NODE_FRAME_MAX)
		return DREAM_ELIMIT;
	return carrier->ops->send(carrier, lane, parts, 3, flags);
}

int node_frame_send(node_carrier_t *carrier, uint32_t lane, const node_frame_t *frame, uint32_t flags)
{
	const char *fields = types[frame->type].fields;
	node_cbor_writer_t w;
	node_cbor_init(&w);
	node_cbor_put_array(&w, 1 + strlen(fields));
	node_cbor_put_uint(&w, frame->type);
	for (const char *field = fields; *field != '\0'; field++)
		write_field(&w, *field, frame);
	int r = w.error < 0 ? w.error : send_parts(carrier, lane, &w, frame, flags);
	node_cbor_fini(&w);
	return r;
}
