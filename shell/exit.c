/* SPDX-License-Identifier: MIT */
#include "shell/exit.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "shell/text.h"

#define WHAT_COLUMNS 72

int shell_exit_of_command(int code)
{
	switch (code) {
	case DREAM_OK:
		return SHELL_EXIT_OK;
	case DREAM_ENOCONNECTION:
		return SHELL_EXIT_CONNECTION;
	case DREAM_ECERT:
		return SHELL_EXIT_CERTIFICATE;
	case DREAM_ESYNTAX:
		return SHELL_EXIT_SYNTAX;
	case DREAM_ENOPROC:
	case DREAM_ENOENT:
		return SHELL_EXIT_ABSENT;
	case DREAM_ETIMEDOUT:
		return SHELL_EXIT_TIMEOUT;
	default:
		return SHELL_EXIT_FAILED;
	}
}

int shell_exit_of_connect(int code)
{
	if (code == DREAM_OK)
		return SHELL_EXIT_OK;
	return code == DREAM_ECERT ? SHELL_EXIT_CERTIFICATE : SHELL_EXIT_CONNECTION;
}

const char *shell_exit_remedy_command(int code)
{
	switch (code) {
	case DREAM_ESYNTAX:
	case DREAM_EREQUEST:
		return "`help` lists what can be said";
	case DREAM_ENOPROC:
		return "`procs` lists the processes";
	case DREAM_ENOENT:
		return "`apps`, `procs` and `tree` show what is there";
	case DREAM_ETIMEDOUT:
		return "give it longer with --timeout";
	case DREAM_ENOCONNECTION:
		return "the next command connects again";
	default:
		return NULL;
	}
}

const char *shell_exit_remedy_connect(int code)
{
	switch (code) {
	case DREAM_ECERT:
		return "see `dream cert show FILE`, and `dream help cert` to make certificates";
	case DREAM_ETIMEDOUT:
	case DREAM_ENOCONNECTION:
		return "check that the node runs and listens at that address and UDP port";
	default:
		return NULL;
	}
}

char *shell_exit_line_new(const char *what, int code, const char *why, const char *remedy)
{
	const shell_style_t plain = {0, false, true, true};
	if (why == NULL || why[0] == '\0')
		why = node_diag_code_text(code);

	g_autoptr(GString) name = g_string_new(NULL);
	shell_text_put(name, what, strlen(what), &plain, SHELL_TEXT_ONE_LINE);
	shell_text_cut(name, WHAT_COLUMNS, &plain);

	GString *line = g_string_new("dream: ");
	g_string_append_printf(line, "%s: ", name->str);
	shell_text_put(line, why, strlen(why), &plain, SHELL_TEXT_ONE_LINE);
	if (remedy != NULL && strstr(why, "; ") == NULL)
		g_string_append_printf(line, "; %s", remedy);
	g_string_append_c(line, '\n');
	return g_string_free(line, FALSE);
}

void shell_exit_report(const char *what, int code, const char *why, const char *remedy)
{
	g_autofree char *line = shell_exit_line_new(what, code, why, remedy);
	fputs(line, stderr);
}
