/* SPDX-License-Identifier: MIT */
#include "shell/interactive.h"

#include <histedit.h>
#include <stdio.h>
#include <string.h>

#include "shell/exit.h"
#include "shell/history.h"
#include "shell/interrupt.h"
#include "shell/script.h"

typedef struct interactive {
	shell_session_t *session;
	EditLine *editor;
	History *history;
	char *history_path; /* NULL: cannot be kept */
	char *prompt;
	shell_words_t words;
	bool thrown_away; /* the line that the editor returns next */
} interactive_t;

static interactive_t *self_of(EditLine *editor)
{
	void *data = NULL;
	el_get(editor, EL_CLIENTDATA, &data);
	return data;
}

static char *prompt(EditLine *editor)
{
	return self_of(editor)->prompt;
}

/* ^C at the prompt throws the line away. It is a key here, not a signal: the terminal does not send SIGINT
 * while a line is edited. */
static unsigned char on_cancel(EditLine *editor, int key)
{
	(void) key;
	self_of(editor)->thrown_away = true;
	fputs("^C\n", stdout);
	fflush(stdout);
	el_insertstr(
		editor, "\n"); /* an empty line would be the end; one too long for this needs no newline */
	return CC_NEWLINE;
}

static void show_candidates(const char *matches)
{
	printf("\n%s\n", matches);
	fflush(stdout);
}

static unsigned char on_complete(EditLine *editor, int key)
{
	(void) key;
	interactive_t *self = self_of(editor);
	const LineInfo *line = el_line(editor);
	g_autofree char *prefix = g_strndup(line->buffer, (gsize) (line->cursor - line->buffer));
	g_autoptr(GString) more = g_string_new(NULL);
	g_autoptr(GString) matches = g_string_new(NULL);
	if (strpbrk(prefix, " \t") != NULL)
		return CC_ERROR;
	uint32_t count = shell_words_complete(&self->words, prefix, more, matches);
	if (more->len > 0 && el_insertstr(editor, more->str) == 0)
		return CC_REFRESH;
	if (count == 0)
		return CC_ERROR;
	show_candidates(matches->str);
	return CC_REDISPLAY;
}

static void remember(interactive_t *self, const char *line)
{
	HistEvent event;
	node_diag_t diag;
	history(self->history, &event, H_ENTER, line);
	if (self->history_path == NULL || shell_history_append(self->history_path, line, &diag) == DREAM_OK)
		return;
	shell_exit_report("history", diag.code, diag.text, NULL);
	g_clear_pointer(&self->history_path, g_free); /* once is enough */
}

static void load_history(interactive_t *self)
{
	HistEvent event;
	GPtrArray *lines;
	node_diag_t diag;
	history(self->history, &event, H_SETSIZE, SHELL_HISTORY_LINES_MAX);
	history(self->history, &event, H_SETUNIQUE, 1);
	if (shell_history_load(self->history_path, &lines, &diag) < 0) {
		shell_exit_report("history", diag.code, diag.text, NULL);
		g_clear_pointer(&self->history_path, g_free);
		return;
	}
	for (guint i = 0; i < lines->len; i++)
		history(self->history, &event, H_ENTER, (const char *) lines->pdata[i]);
	g_ptr_array_unref(lines);
}

static void set_up_editor(interactive_t *self)
{
	EditLine *editor = self->editor;
	el_set(editor, EL_CLIENTDATA, self);
	el_set(editor, EL_PROMPT, prompt);
	el_set(editor, EL_SIGNAL, 1); /* for the window's size */
	el_set(editor, EL_EDITOR, "emacs");
	el_set(editor, EL_HIST, history, self->history);
	/* libedit keeps these texts; from el_set it would keep copies and never free them. */
	el_wset(editor, EL_ADDFN, L"dream-cancel", L"Throw the line away", on_cancel);
	el_wset(editor, EL_ADDFN, L"dream-complete", L"Complete a command's name", on_complete);
	el_set(editor, EL_SETTY, "-d", "-isig", NULL);
	el_set(editor, EL_BIND, "^C", "dream-cancel", NULL);
	el_set(editor, EL_BIND, "^I", "dream-complete", NULL);
	el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
	el_source(editor, NULL); /* ~/.editrc has the last word */
}

static bool init(interactive_t *self, shell_session_t *session, const char *node_name)
{
	*self = (interactive_t){.session = session};
	self->editor = el_init("dream", stdin, stdout, stderr);
	self->history = history_init();
	if (self->editor == NULL || self->history == NULL)
		return false;
	self->prompt = g_strdup_printf("%s> ", node_name);
	self->history_path = shell_history_path_new();
	shell_words_init(&self->words);
	shell_session_learn(session, &self->words);
	load_history(self);
	set_up_editor(self);
	return true;
}

static void fini(interactive_t *self)
{
	if (self->editor != NULL)
		el_end(self->editor);
	if (self->history != NULL)
		history_end(self->history);
	if (self->words.names != NULL)
		shell_words_fini(&self->words);
	g_free(self->history_path);
	g_free(self->prompt);
}

/* False: leave. */
static bool run_line(interactive_t *self, const char *text)
{
	if (self->thrown_away) {
		self->thrown_away = false;
		return true;
	}
	g_autofree char *line = g_strstrip(g_strdup(text));
	if (line[0] == '\0' || line[0] == '#')
		return true;
	remember(self, line);
	if (shell_script_is_quit(line))
		return false;
	shell_interrupt_clear();
	shell_session_run(self->session, line, NULL);
	shell_interrupt_clear();
	return true;
}

int shell_interactive_run(shell_session_t *session, const char *node_name)
{
	int status = shell_session_connect(session);
	if (status != SHELL_EXIT_OK)
		return status;
	interactive_t self;
	shell_session_set_interactive(session);
	shell_interrupt_catch(false);
	bool ready = init(&self, session, node_name);
	const char *line = "";
	int size;
	while (ready && (line = el_gets(self.editor, &size)) != NULL && run_line(&self, line))
		continue;
	if (line == NULL)
		fputc('\n', stdout); /* ^D leaves the cursor behind the prompt */
	fini(&self);
	if (!ready)
		shell_exit_report(
			"terminal", DREAM_EIO, "cannot be used for line editing", "set TERM, or use -c");
	return ready ? SHELL_EXIT_OK : SHELL_EXIT_FAILED;
}
