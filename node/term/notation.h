/* SPDX-License-Identifier: MIT */
/* notation.h: CBOR diagnostic notation (RFC 8949 section 8): how people write and read terms. */
#ifndef NODE_TERM_NOTATION_H
#define NODE_TERM_NOTATION_H
#include <glib.h>
#include "term/cbor.h"

DREAM_BEGIN_DECLS

/** Parses one term; JSON is accepted as it is; also h'..' b64'..' bytes, tags 1(…), indefinite (_ …), floats
 *  with NaN and Infinity, null, undefined, simple(n), and comments between slashes as in the RFC.
 *  @text     lent, @size_bytes of it; only white space may follow the term
 *  @ret_msg  yours
 *  Errors    DREAM_ESYNTAX with the column in @diag, DREAM_ELIMIT, DREAM_ENOMEM
 *  Thread    [any]
 */
int node_notation_parse(const char *text, uint64_t size_bytes, dream_msg_t **ret_msg, node_diag_t *diag);

/** The same for the first term of a longer text: @ret_used says where it ended (after white space). */
int node_notation_parse_first(
	const char *text, uint64_t size_bytes, uint64_t *ret_used, dream_msg_t **ret_msg, node_diag_t *diag);

/** Appends the notation of one item, cut with "…" after @max_bytes (0: no limit). Malformed bytes are shown
 *  as h'…'. [any] */
void node_notation_print(GString *out, const void *data, uint64_t size_bytes, uint64_t max_bytes);

/** Appends JSON (RFC 8259): bytes become base64url texts, pids and other tags their content, keys that are
 *  not texts their notation, NaN and infinities null (RFC 8949 section 6.1). [any] */
void node_notation_print_json(GString *out, const void *data, uint64_t size_bytes);

DREAM_END_DECLS
#endif
