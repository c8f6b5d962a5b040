/* SPDX-License-Identifier: MIT */
/* The distance is that of optimal string alignment: Levenshtein's, with a swap of neighbours as one step. */
#include "console/suggest.h"

#include <string.h>

static unsigned min2(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

unsigned node_suggest_distance(const char *a, const char *b)
{
	size_t a_size = strlen(a), b_size = strlen(b);
	if (a_size > NODE_SUGGEST_WORD_MAX || b_size > NODE_SUGGEST_WORD_MAX)
		return NODE_SUGGEST_WORD_MAX;

	unsigned rows[3][NODE_SUGGEST_WORD_MAX + 1];
	for (size_t j = 0; j <= b_size; j++)
		rows[0][j] = (unsigned) j;
	for (size_t i = 1; i <= a_size; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
		row[0] = (unsigned) i;
		for (size_t j = 1; j <= b_size; j++) {
			row[j] = min2(min2(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min2(row[j], two_above[j - 2] + 1);
		}
	}
	return rows[a_size % 3][b_size];
}

const char *node_suggest_nearest(const char *word, const char *const *words, size_t count)
{
	unsigned allowed = (unsigned) (strlen(word) + 2) / 3;
	unsigned best = allowed + 1;
	const char *nearest = NULL;
	for (size_t i = 0; i < count; i++) {
		unsigned distance = node_suggest_distance(word, words[i]);
		if (distance < best) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}
