/* SPDX-License-Identifier: MIT */
/* words.h: the names of the node's commands, learnt from its answer to `help`, and what completes to one. */
#ifndef SHELL_WORDS_H
#define SHELL_WORDS_H
#include "shell/value.h"

DREAM_BEGIN_DECLS

#define SHELL_WORDS_MAX 256
#define SHELL_WORDS_SIZE_MAX 32 /* bytes of one */

typedef struct shell_words {
	GPtrArray *names; /* sorted, each once */
} shell_words_t;

/** Begins with the shell's own commands. */
void shell_words_init(shell_words_t *words);
void shell_words_fini(shell_words_t *words);

/** Learns from a result item: the first word of each table row, fact key or text line, if it looks like a
 *  command's name. Anything else is ignored. [any] */
void shell_words_learn(shell_words_t *words, shell_value_t item);

/** What completes @prefix.
 *  @ret_more    appended: what all candidates have beyond the prefix; with one candidate a blank too
 *  @ret_matches the candidates, separated by two blanks; replaced
 *  Returns      their number
 *  Thread       [any]
 */
uint32_t shell_words_complete(
	const shell_words_t *words, const char *prefix, GString *ret_more, GString *ret_matches);

DREAM_END_DECLS
#endif
