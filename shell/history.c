/* SPDX-License-Identifier: MIT */
#include "shell/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *shell_history_path_new(void)
{
	const char *state = getenv("XDG_STATE_HOME");
	if (state != NULL && state[0] == '/')
		return g_build_filename(state, "dream", "history", NULL);
	return g_build_filename(g_get_home_dir(), ".local", "state", "dream", "history", NULL);
}

static int fail(const char *path, node_diag_t *diag)
{
	return node_diag_set(diag, DREAM_EIO, "%s: %s; the history is not kept", path, strerror(errno));
}

static bool is_typed(const char *line)
{
	if (line[0] == '\0' || !g_utf8_validate(line, -1, NULL))
		return false;
	for (; *line != '\0'; line = g_utf8_next_char(line))
		if (g_unichar_iscntrl(g_utf8_get_char(line)))
			return false;
	return true;
}

/* The file's last SHELL_HISTORY_SIZE_MAX bytes; *ret_cut says that there were more. */
static int read_tail(int fd, char **ret_text, bool *ret_cut)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	*ret_cut = st.st_size > SHELL_HISTORY_SIZE_MAX;
	off_t from = *ret_cut ? st.st_size - SHELL_HISTORY_SIZE_MAX : 0;
	g_autofree char *text = g_malloc(SHELL_HISTORY_SIZE_MAX + 1);
	ssize_t size = pread(fd, text, SHELL_HISTORY_SIZE_MAX, from);
	if (size < 0)
		return -1;
	text[size] = '\0';
	*ret_text = g_steal_pointer(&text);
	return 0;
}

static GPtrArray *split(const char *text, bool first_is_torn)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) parts = g_strsplit(text, "\n", -1);
	guint count = g_strv_length(parts);
	guint from = first_is_torn && count > 0 ? 1 : 0;
	if (count - from > SHELL_HISTORY_LINES_MAX)
		from = count - SHELL_HISTORY_LINES_MAX;
	for (guint i = from; i < count; i++)
		if (is_typed(parts[i]))
			g_ptr_array_add(lines, g_strdup(parts[i]));
	return lines;
}

/* Best effort: a file that stays long is read the same way next time. GLib 2.84 gives the new file the old one's mode
 * and not the one that it is told, so the old one is closed to others first. */
static void shorten(const char *path, const GPtrArray *lines)
{
	g_autoptr(GString) text = g_string_new(NULL);
	for (guint i = 0; i < lines->len; i++)
		g_string_append_printf(text, "%s\n", (const char *) lines->pdata[i]);
	if (chmod(path, 0600) != 0)
		return;
	g_file_set_contents_full(
		path, text->str, (gssize) text->len, G_FILE_SET_CONTENTS_CONSISTENT, 0600, NULL);
}

int shell_history_load(const char *path, GPtrArray **ret_lines, node_diag_t *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno != ENOENT)
		return fail(path, diag);
	g_autofree char *text = NULL;
	bool cut = false;
	if (fd >= 0) {
		int r = read_tail(fd, &text, &cut);
		close(fd);
		if (r < 0)
			return fail(path, diag);
	}
	*ret_lines = split(text != NULL ? text : "", cut);
	if (cut)
		shorten(path, *ret_lines);
	return DREAM_OK;
}

int shell_history_append(const char *path, const char *line, node_diag_t *diag)
{
	if (!is_typed(line))
		return node_diag_set(diag, DREAM_EINVAL, "not a line of text");
	g_autofree char *dir = g_path_get_dirname(path);
	if (g_mkdir_with_parents(dir, 0700) < 0)
		return fail(dir, diag);
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0600);
	if (fd < 0)
		return fail(path, diag);
	/* One write of the whole line, so that the lines of two shells do not mix. */
	g_autofree char *text = g_strdup_printf("%s\n", line);
	ssize_t n = write(fd, text, strlen(text));
	int r = n == (ssize_t) strlen(text) ? DREAM_OK : fail(path, diag);
	close(fd);
	return r;
}
