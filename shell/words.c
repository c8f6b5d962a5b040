/* SPDX-License-Identifier: MIT */
#include "shell/words.h"

#include <string.h>

#include "term/cbor.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_-"

static void add(shell_words_t *words, const char *name, size_t size)
{
	char word[SHELL_WORDS_SIZE_MAX + 1];
	if (size == 0 || size > SHELL_WORDS_SIZE_MAX || words->names->len >= SHELL_WORDS_MAX)
		return;
	memcpy(word, name, size);
	word[size] = '\0';
	guint at = 0;
	while (at < words->names->len && strcmp(words->names->pdata[at], word) < 0)
		at++;
	if (at == words->names->len || strcmp(words->names->pdata[at], word) != 0)
		g_ptr_array_insert(words->names, (gint) at, g_strdup(word));
}

void shell_words_init(shell_words_t *words)
{
	words->names = g_ptr_array_new_with_free_func(g_free);
	add(words, "exit", 4);
	add(words, "quit", 4);
}

void shell_words_fini(shell_words_t *words)
{
	g_ptr_array_free(words->names, TRUE);
	words->names = NULL;
}

/* The first word of each line, if a blank or the line's end follows it. */
static void learn_text(shell_words_t *words, shell_value_t value)
{
	node_cbor_reader_t reader = node_cbor_read(value.data, value.size_bytes);
	const char *text;
	uint64_t size;
	if (node_cbor_get_text(&reader, &text, &size) < 0)
		return;
	const char *end = text + size;
	while (text < end && words->names->len < SHELL_WORDS_MAX) {
		const char *stop = memchr(text, '\n', (size_t) (end - text));
		stop = stop != NULL ? stop : end;
		while (text < stop && *text == ' ')
			text++;
		const char *word = text;
		while (text < stop && *text != '\0' && strchr(NAME_CHARS, *text) != NULL)
			text++;
		if (text == stop || *text == ' ')
			add(words, word, (size_t) (text - word));
		text = stop + 1;
	}
}

static void learn_rows(shell_words_t *words, shell_value_iter_t rows)
{
	shell_value_t row, cell;
	shell_value_iter_t cells;
	while (shell_value_next(&rows, &row))
		if (shell_value_array(row, &cells) && shell_value_next(&cells, &cell))
			learn_text(words, cell);
}

void shell_words_learn(shell_words_t *words, shell_value_t item)
{
	shell_value_t found, key, value;
	shell_value_iter_t iter;
	if (node_cbor_check(item.data, item.size_bytes, NULL) < 0)
		return;
	if (shell_value_find(item, "rows", &found) && shell_value_array(found, &iter))
		learn_rows(words, iter);
	if (shell_value_find(item, "facts", &found) && shell_value_map(found, &iter))
		while (shell_value_next_pair(&iter, &key, &value))
			learn_text(words, key);
	if (shell_value_find(item, "text", &found))
		learn_text(words, found);
}

static size_t common(const char *a, const char *b)
{
	size_t n = 0;
	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

uint32_t shell_words_complete(
	const shell_words_t *words, const char *prefix, GString *ret_more, GString *ret_matches)
{
	const char *first = NULL;
	size_t shared = 0;
	uint32_t count = 0;
	g_string_truncate(ret_matches, 0);
	for (guint i = 0; i < words->names->len; i++) {
		const char *name = words->names->pdata[i];
		if (!g_str_has_prefix(name, prefix))
			continue;
		shared = first == NULL ? strlen(name) : MIN(shared, common(first, name));
		first = first == NULL ? name : first;
		g_string_append_printf(ret_matches, count > 0 ? "  %s" : "%s", name);
		count++;
	}
	if (count > 0)
		g_string_append_len(ret_more, first + strlen(prefix), (gssize) (shared - strlen(prefix)));
	if (count == 1)
		g_string_append_c(ret_more, ' ');
	return count;
}
