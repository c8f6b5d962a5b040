/* SPDX-License-Identifier: MIT */
/* notation_out.h: what the printers of notation and of JSON share. Of the room term only. */
#ifndef NODE_TERM_NOTATION_OUT_H
#define NODE_TERM_NOTATION_OUT_H
#include <glib.h>
#include "term/cbor_head.h"

DREAM_BEGIN_DECLS

typedef struct node_notation_out node_notation_out_t;

/* Where the two differ. Each appends one value and returns false for malformed input. */
typedef struct node_notation_form {
	bool (*string)(node_notation_out_t *out,
		const node_cbor_head_t *head);                  /* a text or bytes, perhaps in chunks */
	bool (*key)(node_notation_out_t *out);                  /* of a map */
	bool (*tagged)(node_notation_out_t *out, uint64_t tag); /* and its content; not of typed arrays */
	void (*simple)(GString *text, const node_cbor_head_t *head);
	bool shows_endless; /* that an array or a map has no count */
} node_notation_form_t;

struct node_notation_out {
	const node_notation_form_t *form;
	GString *text;
	node_cbor_reader_t r;
	gsize stop_at; /* length of the text from which on the printing may end; G_MAXSIZE: never */
	unsigned depth;
};

/** True once the limit is passed: the item is not printed to its end. */
static inline bool node_notation_is_full(const node_notation_out_t *out)
{
	return out->text->len > out->stop_at;
}

/** The next item of out->r, whole. */
bool node_notation_out_item(node_notation_out_t *out);
/** The characters of a text without its quotes, escaped as JSON does; also those that would move a
 *  terminal's cursor. */
bool node_notation_out_chars(node_notation_out_t *out, const uint8_t *data, uint64_t size_bytes);
/** Hexadecimal digits. */
void node_notation_out_hex(node_notation_out_t *out, const uint8_t *data, uint64_t size_bytes);
/** The shortest digits that read back as the same number, with a point or an exponent. */
void node_notation_out_float(GString *text, double value);
/** The definite content of a string, or a chunk. */
bool node_notation_take_string(node_cbor_reader_t *r, uint64_t size, const uint8_t **ret_data);

DREAM_END_DECLS
#endif
