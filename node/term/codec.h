/* SPDX-License-Identifier: MIT */
/* codec.h: described types at work: a static table walked to check, encode, decode and migrate values. */
#ifndef NODE_TERM_CODEC_H
#define NODE_TERM_CODEC_H
#include "term/cbor.h"

DREAM_BEGIN_DECLS

/* Where decoded texts, lists and nested blocks go. */
typedef struct node_codec_mem {
	/* Zeroed and 16-aligned; NULL: failed. */
	void *(*alloc)(struct node_codec_mem *mem, uint64_t size_bytes);
	/* The same, not zeroed; NULL: there is only the one above. */
	void *(*alloc_raw)(struct node_codec_mem *mem, uint64_t size_bytes);
	bool borrow_bytes; /* texts, bytes and terms point into the message instead of being copied */
} node_codec_mem_t;

/* Scratch memory of one callback: a stack buffer, then blocks; all freed at once. */
typedef struct node_codec_arena {
	node_codec_mem_t mem;
	struct node_codec_block *blocks;
	uint64_t used_bytes;
	uint64_t total_bytes; /* at most NODE_CODEC_ARENA_MAX, since a stranger's message sizes it */
	uint64_t fixed[64];
} node_codec_arena_t;
#define NODE_CODEC_ARENA_MAX ((uint64_t) 256 << 20)

void node_codec_arena_init(node_codec_arena_t *arena, bool borrow_bytes);
void node_codec_arena_fini(node_codec_arena_t *arena);

/** Checks a table that a module brought: sizes, alignments, kinds, names, the sum of the layout, nesting (at
 *  most 32, no cycles), duplicate names, at most 1,024 fields, at most 1 MiB per struct.
 *  Errors    DREAM_ETYPE naming type and field in @diag. [any] */
int node_codec_check_type(const dream_type_t *type, node_diag_t *diag);

/** Appends @value. Errors DREAM_EINVAL (unset variant, text not UTF-8, term not an item), DREAM_ENOMEM. [any]
 *  @node     for names of pids */
int node_codec_encode(node_cbor_writer_t *w, const node_t *node, const dream_type_t *type, const void *value,
	node_diag_t *diag);

/** Appends "tag" or ["tag", value]: the text alone when the type has no fields. @tag NULL: the bare value. */
int node_codec_encode_tagged(node_cbor_writer_t *w, const node_t *node, const char *tag,
	const dream_type_t *type, const void *value, node_diag_t *diag);

/** Decodes one item. Fields in the type's order are found without a search.
 *  @ret_value  type->size bytes, zeroed first; its content is undefined after a failure
 *  Errors    DREAM_EDECODE, DREAM_ERANGE: @diag names the path, "state.items[3].name"; DREAM_ENOMEM,
 *            DREAM_ELIMIT. [any] */
int node_codec_decode(node_cbor_reader_t *r, node_t *node, const dream_type_t *type, node_codec_mem_t *mem,
	void *ret_value, node_diag_t *diag);

/** Splits "tag" or ["tag", value]: the tag borrowed, and a reader on the payload, an empty one for "tag" or
 *  ["tag"].
 *  Errors    DREAM_EDECODE any other item. [any] */
int node_codec_split_tag(const dream_msg_t *msg, const char **ret_tag, uint64_t *ret_tag_size,
	node_cbor_reader_t *ret_payload);

/** Decodes a payload as node_codec_split_tag() leaves it: an empty one gives a zeroed value. */
int node_codec_decode_payload(node_cbor_reader_t *payload, node_t *node, const dream_type_t *type,
	node_codec_mem_t *mem, void *ret_value, node_diag_t *diag);

/** Carries a value to another version of its type by field names: equal names are converted (numbers as far as
 *  they fit, T to opt(T), nested types likewise), new fields are zero, dropped ones are left behind. Texts and
 *  lists are copied into @mem.
 *  Errors    DREAM_ECODECHANGE naming the field and both kinds; DREAM_ENOMEM. [any] */
int node_codec_migrate(const dream_type_t *from_type, const void *from, const dream_type_t *to_type,
	node_codec_mem_t *mem, void *ret_to, node_diag_t *diag);

/** A name for messages: "i64", "list(text)"; static or into @buffer. [any] */
const char *node_codec_kind_name(const dream_field_t *field, char *buffer, size_t cap);

DREAM_END_DECLS
#endif
