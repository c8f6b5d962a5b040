/* SPDX-License-Identifier: MIT */
/* notation_lex.h: characters, numbers and strings of diagnostic notation. Of the room term only. */
#ifndef NODE_TERM_NOTATION_LEX_H
#define NODE_TERM_NOTATION_LEX_H
#include "term/cbor_head.h"

DREAM_BEGIN_DECLS

typedef struct node_notation_lex {
	const char *start;
	const char *at;
	const char *end;
	node_cbor_writer_t *w;
	node_diag_t *diag;
	unsigned depth; /* of open brackets */
} node_notation_lex_t;

/** DREAM_ESYNTAX with the column of what comes next and @what. */
int node_notation_fail(const node_notation_lex_t *lex, const char *what);

/** Skips white space and comments between slashes. */
int node_notation_skip_space(node_notation_lex_t *lex);

/** True, and consumed, if exactly this comes next. */
bool node_notation_take(node_notation_lex_t *lex, const char *word);

/** Like take, but the word must end there: "nullify" is not "null". */
bool node_notation_take_word(node_notation_lex_t *lex, const char *word);

/** True if the next character may go on a number or a word. */
bool node_notation_in_word(const node_notation_lex_t *lex);

/* Each parses one item of its kind and writes it; the caller saw that it begins here. */
int node_notation_text(node_notation_lex_t *lex);  /* at its quote */
int node_notation_bytes(node_notation_lex_t *lex); /* at h' or b64' */
/** At a digit or a minus; @ret_tag set, and nothing written, if a plain integer is followed by a "(". */
int node_notation_number(node_notation_lex_t *lex, bool *ret_is_tag, uint64_t *ret_tag);

DREAM_END_DECLS
#endif
