/* SPDX-License-Identifier: MIT */
/* main.c: `dream`: from arguments to one of its verbs, and to an exit status. */
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "shell/certcmd.h"
#include "shell/exit.h"
#include "shell/help.h"
#include "shell/interactive.h"
#include "shell/interrupt.h"
#include "shell/options.h"
#include "shell/script.h"
#include "shell/session.h"

static int run_commands(shell_session_t *session, char *const *commands)
{
	int status = shell_session_connect(session);
	shell_interrupt_catch(
		true); /* only now: until there is a command to cancel, ^C just ends the program */
	for (; status == SHELL_EXIT_OK && *commands != NULL; commands++)
		status = shell_session_run(session, *commands, NULL);
	return status;
}

static int run_script_line(shell_session_t *session, const char *line, uint64_t number)
{
	g_autofree char *where = g_strdup_printf("line %llu", (unsigned long long) number);
	return shell_session_run(session, line, where);
}

static int run_script(shell_session_t *session)
{
	g_autoptr(GString) line = g_string_new(NULL);
	node_diag_t diag = {0};
	uint64_t number = 0;
	int status = shell_session_connect(session);
	int r = 0;
	shell_interrupt_catch(true);
	while (status == SHELL_EXIT_OK && (r = shell_script_next(stdin, line, &number, &diag)) > 0) {
		if (shell_script_is_quit(line->str))
			return status;
		status = run_script_line(session, line->str, number);
	}
	if (r < 0) {
		g_autofree char *where = g_strdup_printf("line %llu", (unsigned long long) number);
		shell_exit_report(where, r, diag.text, "write one command per line");
		status = shell_exit_of_command(r);
	}
	return status;
}

static int run_session(const shell_options_t *options, shell_session_t *session, const char *node_name)
{
	if (options->verb == SHELL_VERB_COMMANDS)
		return run_commands(session, options->commands);
	if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
		return shell_interactive_run(session, node_name);
	return run_script(session);
}

static int connect_and_run(const shell_options_t *options)
{
	node_diag_t diag = {0};
	shell_address_t address;
	shell_credentials_t credentials;
	int r = shell_address_parse(options->address, &address, &diag);
	if (r < 0) {
		shell_exit_report(options->address, r, diag.text, NULL);
		return SHELL_EXIT_USAGE;
	}
	r = shell_credentials_find(options, &credentials, &diag);
	if (r < 0) {
		shell_exit_report("certificates", r, diag.text, NULL);
		return SHELL_EXIT_CERTIFICATE;
	}
	shell_session_t *session = shell_session_new(options, &address, &credentials);
	int status = run_session(options, session, address.node_name);
	shell_session_free(session);
	shell_credentials_fini(&credentials);
	return status;
}

static int show_help(const char *topic)
{
	const char *text = shell_help_text(topic);
	if (text == NULL) {
		shell_exit_report(topic, DREAM_EINVAL, "there is no help about that",
			"use dream help, help shell or help cert");
		return SHELL_EXIT_USAGE;
	}
	fputs(text, stdout);
	return SHELL_EXIT_OK;
}

static int run(const shell_options_t *options)
{
	switch (options->verb) {
	case SHELL_VERB_HELP:
		return show_help(options->topic);
	case SHELL_VERB_VERSION:
		printf("dream %s\n", DREAM_VERSION);
		return SHELL_EXIT_OK;
	case SHELL_VERB_COMMANDS:
	case SHELL_VERB_SHELL:
		return connect_and_run(options);
	default:
		return shell_certcmd_run(options);
	}
}

/* Output that cannot be written, a full disk, must not look like success. */
static int close_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	shell_exit_report("output", DREAM_EIO, "cannot be written", NULL);
	return status != SHELL_EXIT_OK ? status : SHELL_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	setlocale(LC_ALL, "");
	node_diag_t diag = {0};
	shell_options_t options;
	if (shell_options_parse(argc, (const char *const *) argv, &options, &diag) < 0) {
		fprintf(stderr, "dream: %s\n", diag.text);
		return SHELL_EXIT_USAGE;
	}
	int status = close_output(run(&options));
	shell_options_fini(&options);
	if (*shell_interrupt_flag_borrow() != 0)
		shell_interrupt_die();
	return status;
}
