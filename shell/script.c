/* SPDX-License-Identifier: MIT */
#include "shell/script.h"

#include <errno.h>
#include <string.h>

#define BLANKS " \t\r"

/* Returns 1 with a line, 0 at the end. */
static int read_line(FILE *in, GString *line, node_diag_t *diag)
{
	int c;
	g_string_truncate(line, 0);
	while ((c = getc_unlocked(in)) != EOF && c != '\n') {
		if (line->len >= SHELL_SCRIPT_LINE_MAX)
			return node_diag_set(
				diag, DREAM_ESYNTAX, "longer than %d bytes", SHELL_SCRIPT_LINE_MAX);
		g_string_append_c(line, (char) c);
	}
	if (c == EOF && ferror(in))
		return node_diag_set(diag, DREAM_EIO, "cannot be read: %s", strerror(errno));
	if (!g_utf8_validate(line->str, (gssize) line->len, NULL))
		return node_diag_set(diag, DREAM_ESYNTAX, "not UTF-8 text");
	return c != EOF || line->len > 0 ? 1 : 0;
}

static void trim(GString *line)
{
	while (line->len > 0 && strchr(BLANKS, line->str[line->len - 1]) != NULL)
		g_string_truncate(line, line->len - 1);
	g_string_erase(line, 0, (gssize) strspn(line->str, BLANKS));
}

int shell_script_next(FILE *in, GString *line, uint64_t *line_number, node_diag_t *diag)
{
	for (;;) {
		int r = read_line(in, line, diag);
		if (r == 0)
			return 0;
		(*line_number)++;
		if (r < 0)
			return r;
		trim(line);
		if (line->len > 0 && line->str[0] != '#')
			return 1;
	}
}

bool shell_script_is_quit(const char *line)
{
	return strcmp(line, "quit") == 0 || strcmp(line, "exit") == 0;
}
