/* SPDX-License-Identifier: MIT */
#include "shell/session.h"

#include <inttypes.h>
#include <stdio.h>

#include "dist/client.h"
#include "shell/exit.h"
#include "shell/interrupt.h"
#include "shell/render.h"
#include "shell/table.h"

struct shell_session {
	const shell_options_t *options;
	const shell_address_t *address;
	const shell_credentials_t *credentials;
	node_client_t *client; /* NULL: not connected */
	bool interactive;
	/* of the running command */
	shell_style_t style;
	GString *out;
	int item_error;
	node_diag_t item_diag;
	uint64_t left_out; /* rows; JSON has no place for the number */
};

shell_session_t *shell_session_new(const shell_options_t *options, const shell_address_t *address,
	const shell_credentials_t *credentials)
{
	shell_session_t *session = g_new0(shell_session_t, 1);
	session->options = options;
	session->address = address;
	session->credentials = credentials;
	session->out = g_string_new(NULL);
	return session;
}

void shell_session_set_interactive(shell_session_t *session)
{
	session->interactive = true;
}

static int open_client(shell_session_t *session, node_diag_t *diag)
{
	const node_client_options_t options = {
		.host = session->address->host,
		.port = session->address->port,
		.node_name = session->address->node_name,
		.authority = session->credentials->authority,
		.certificate = session->credentials->certificate,
		.key = session->credentials->key,
		.timeout_ms = shell_options_timeout_ms(session->options, ""),
	};
	return node_client_open(&options, &session->client, diag);
}

int shell_session_connect(shell_session_t *session)
{
	if (session->client != NULL)
		return SHELL_EXIT_OK;
	node_diag_t diag = {0};
	int r = open_client(session, &diag);
	if (r < 0)
		shell_exit_report(session->options->address, r, diag.text, shell_exit_remedy_connect(r));
	return shell_exit_of_connect(r);
}

/* The first item that cannot be shown is reported after the command's end; the others are shown. */
static void on_item(void *data, const uint8_t *item, uint64_t size_bytes)
{
	shell_session_t *session = data;
	shell_value_t value = {item, size_bytes};
	node_diag_t diag = {0};
	g_string_truncate(session->out, 0);
	int r = session->options->json ? shell_render_json(session->out, value, &session->style, &diag)
				       : shell_render_text(session->out, value, &session->style, &diag);
	if (r < 0 && session->item_error == DREAM_OK) {
		session->item_error = r;
		session->item_diag = diag;
	}
	if (r == DREAM_OK && session->options->json)
		session->left_out += shell_table_left_out(value);
	fwrite(session->out->str, 1, session->out->len, stdout);
	fflush(stdout);
}

/* After a timeout too: closing ends the command at the node, and nothing that it says later can be taken for
 * the answer to the next one. */
static void end_connection_if_lost(shell_session_t *session, int code)
{
	if (code == DREAM_ENOCONNECTION || code == DREAM_EPROTO || code == DREAM_ETIMEDOUT)
		g_clear_pointer(&session->client, node_client_close);
}

static void report(
	const shell_session_t *session, const char *line, const char *where, int code, const char *why)
{
	g_autofree char *what = where != NULL ? g_strdup_printf("%s: %s", where, line) : g_strdup(line);
	const char *remedy = shell_exit_remedy_command(code);
	if (code == DREAM_ENOCONNECTION && !session->interactive)
		remedy = shell_exit_remedy_connect(code);
	if (code == DREAM_ENOCONNECTION && why[0] == '\0')
		why = "the connection to the node is lost";
	shell_exit_report(what, code, why, remedy);
}

static int finish(
	shell_session_t *session, const char *line, const char *where, int code, const node_diag_t *diag)
{
	if (session->left_out > 0) {
		g_autofree char *why =
			g_strdup_printf("%" PRIu64 " rows were left out by the node", session->left_out);
		shell_exit_report(line, DREAM_ELIMIT, why, "ask for less");
	}
	if (*shell_interrupt_flag_borrow() != 0) {
		if (session->interactive)
			fputc('\n', stderr); /* the terminal has shown ^C */
		shell_exit_report(line, code, "cancelled", NULL);
		return MAX(shell_exit_of_command(code), SHELL_EXIT_FAILED);
	}
	if (code == DREAM_OK && session->item_error != DREAM_OK) {
		code = session->item_error;
		diag = &session->item_diag;
	}
	if (code != DREAM_OK)
		report(session, line, where, code, diag->text);
	return shell_exit_of_command(code);
}

int shell_session_run(shell_session_t *session, const char *line, const char *where)
{
	int status = shell_session_connect(session);
	if (status != SHELL_EXIT_OK)
		return status;
	node_diag_t diag = {0};
	session->style = shell_text_style();
	session->item_error = DREAM_OK;
	session->left_out = 0;
	int r = node_client_command(session->client, line, shell_options_timeout_ms(session->options, line),
		on_item, session, shell_interrupt_flag_borrow(), &diag);
	end_connection_if_lost(session, r);
	return finish(session, line, where, r, &diag);
}

static void on_help_item(void *data, const uint8_t *item, uint64_t size_bytes)
{
	shell_words_learn(data, (shell_value_t){item, size_bytes});
}

void shell_session_learn(shell_session_t *session, shell_words_t *words)
{
	if (session->client == NULL)
		return;
	int r = node_client_command(session->client, "help",
		shell_options_timeout_ms(session->options, "help"), on_help_item, words,
		shell_interrupt_flag_borrow(), NULL);
	end_connection_if_lost(session, r);
}

void shell_session_free(shell_session_t *session)
{
	if (session == NULL)
		return;
	node_client_close(session->client);
	g_string_free(session->out, TRUE);
	g_free(session);
}
