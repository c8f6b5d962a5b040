/* SPDX-License-Identifier: MIT */
/* suggest.h: the word that somebody probably meant. */
#ifndef NODE_CONSOLE_SUGGEST_H
#define NODE_CONSOLE_SUGGEST_H
#include <stddef.h>
#include <dream/abi.h>

DREAM_BEGIN_DECLS

#define NODE_SUGGEST_WORD_MAX 64u /* longer words are like nothing */

/** How many letters have to be inserted, removed, replaced or swapped with their neighbour to make @b of @a;
 *  NODE_SUGGEST_WORD_MAX if either is longer than that. O(length of both, multiplied). [any] */
unsigned node_suggest_distance(const char *a, const char *b);

/** The nearest of @words to @word, or NULL if none is near: at most one letter in three differs. [any]
 *  @words     @count texts, lent */
const char *node_suggest_nearest(const char *word, const char *const *words, size_t count);

DREAM_END_DECLS
#endif
