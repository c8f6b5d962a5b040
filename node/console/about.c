/* SPDX-License-Identifier: MIT */
/* Commands about the console itself and the node as a whole: help, nodes, connect, log, quit. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "console/output.h"
#include "otp/call.h"

static int list_commands(node_cmd_t *cmd)
{
	static const char *const columns[] = {"command", "arguments", "what it does", NULL};
	node_output_table_t table;
	const node_command_t *c;
	node_output_table_start(&table, columns);
	for (size_t i = 0; (c = node_command_at(i)) != NULL; i++) {
		if (!node_output_row(&table))
			continue;
		node_output_cell_text(&table, c->name);
		node_output_cell_text(&table, c->args);
		node_output_cell_text(&table, c->help);
	}
	return node_output_table_end(cmd, &table);
}

static int explain(node_cmd_t *cmd, const char *name)
{
	const node_command_t *c = node_command_find(name);
	if (c == NULL)
		return node_command_unknown(name, &cmd->diag);
	node_output_facts_t facts;
	int64_t timeout_ms = c->timeout_ms != 0 ? c->timeout_ms : NODE_CONSOLE_TIMEOUT_MS;
	node_output_facts_start(&facts);
	node_output_fact_printf(&facts, "usage", "%s%s%s", c->name, c->args[0] != '\0' ? " " : "", c->args);
	node_output_fact_text(&facts, "what it does", c->help);
	node_output_fact_text(&facts, "example", c->example);
	node_output_fact_printf(&facts, "time", "at most %d s", (int) (timeout_ms / 1000));
	node_output_fact_bool(&facts, "changes something", c->changes);
	return node_output_facts_end(cmd, &facts);
}

static int run_help(node_cmd_t *cmd)
{
	const char *name = node_cmd_word(cmd);
	int r = node_cmd_need_end(cmd);
	if (r < 0)
		return r;
	return name != NULL ? explain(cmd, name) : list_commands(cmd);
}

/* ---- other nodes ---- */

static void put_cell(node_output_table_t *table, node_cbor_reader_t *r)
{
	const uint8_t *data;
	uint64_t size;
	if (node_cbor_get_item(r, &data, &size) == DREAM_OK)
		node_cbor_put_item(&table->w, data, size);
	else
		node_cbor_put_null(&table->w);
}

/* The rows come from the room below as they are to be shown; only their number and length is looked at. */
static void put_nodes(node_output_table_t *table, const dream_msg_t *nodes)
{
	node_cbor_reader_t r = node_cbor_read_msg(nodes);
	uint64_t n_rows, n_cells;
	if (node_cbor_get_array(&r, &n_rows) < 0)
		return;
	for (uint64_t i = 0; i < n_rows && node_cbor_get_array(&r, &n_cells) == DREAM_OK; i++) {
		bool shown = node_output_row(table);
		for (uint64_t c = 0; c < table->n_columns && shown; c++)
			put_cell(table, &r);
		for (uint64_t c = shown ? table->n_columns : 0; c < n_cells; c++)
			(void) node_cbor_skip(&r);
	}
}

static int run_nodes(node_cmd_t *cmd)
{
	static const char *const columns[] = {"node", "state", "role", "address", "round trip us", NULL};
	int r = node_cmd_need_end(cmd);
	if (r < 0)
		return r;
	dream_msg_t *nodes = cmd->out->nodes != NULL ? cmd->out->nodes(cmd->node) : NULL;
	node_output_table_t table;
	node_output_table_start(&table, columns);
	if (node_output_row(&table)) {
		node_output_cell_text(&table, cmd->node->name);
		node_output_cell_text(&table, "this one");
		for (int i = 0; i < 3; i++)
			node_output_cell_text(&table, NULL);
	}
	if (nodes != NULL)
		put_nodes(&table, nodes);
	node_msg_unref(nodes);
	return node_output_table_end(cmd, &table);
}

static int32_t is_outcome(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	return node_msg_has_tag(msg, NODE_CONSOLE_CONNECTED);
}

/* Reads [tag, code, text]. */
static int read_outcome(node_cmd_t *cmd, const dream_msg_t *msg)
{
	node_cbor_reader_t r = node_cbor_read_msg(msg);
	uint64_t count, size = 0;
	int64_t code = DREAM_EPROTO;
	const char *text = "";
	(void) node_cbor_get_array(&r, &count);
	(void) node_cbor_skip(&r);
	(void) node_cbor_get_int(&r, &code);
	(void) node_cbor_get_text(&r, &text, &size);
	if (code >= 0)
		return DREAM_OK;
	return node_cmd_fail(cmd, (int) code, "%.*s", (int) MIN(size, 600), size > 0 ? text : "failed");
}

static int run_connect(node_cmd_t *cmd)
{
	char *peer;
	dream_msg_t *outcome;
	int r = node_cmd_need_word(cmd, "the node, NAME@HOST:PORT,", &peer);
	if (r == DREAM_OK)
		r = node_cmd_need_end(cmd);
	if (r < 0)
		return r;
	if (cmd->out->connect == NULL)
		return node_cmd_fail(cmd, DREAM_ENOCONNECTION, "this node has no network");
	r = cmd->out->connect(cmd->node, node_proc_pid(cmd->proc), peer, &cmd->diag);
	if (r < 0)
		return r;
	r = node_call_receive(cmd->proc, is_outcome, NULL, node_cmd_left_ms(cmd), &outcome);
	if (r < 0)
		return node_cmd_fail(cmd, r, "%s: no outcome in time; 'nodes' shows how far it is", peer);
	r = read_outcome(cmd, outcome);
	node_msg_unref(outcome);
	return r < 0 ? r : node_output_text(cmd, "connected to %s", peer);
}

/* ---- the log ---- */

#define LOG_LINES_DEFAULT 50u

/* N and --level=L in any order. */
static int parse_log(node_cmd_t *cmd, uint32_t *ret_count, int32_t *ret_level)
{
	const char *word;
	*ret_count = LOG_LINES_DEFAULT;
	*ret_level = DREAM_LOG_DEBUG;
	while ((word = node_cmd_word(cmd)) != NULL) {
		guint64 count;
		if (g_str_has_prefix(word, "--level=")) {
			if (node_log_level_parse(word + strlen("--level="), ret_level) < 0)
				return node_cmd_fail(cmd, DREAM_ESYNTAX,
					"%.64s: levels are debug, info, notice, warning, error", word);
		} else if (g_ascii_string_to_unsigned(word, 10, 1, NODE_LOG_RING, &count, NULL)) {
			*ret_count = (uint32_t) count;
		} else {
			return node_cmd_fail(cmd, DREAM_ESYNTAX,
				"\"%.64s\" is no number of lines from 1 to %u", word,
				(unsigned) NODE_LOG_RING);
		}
	}
	return DREAM_OK;
}

static void put_time(node_output_table_t *table, int64_t wall_ns)
{
	time_t seconds = (time_t) (wall_ns / 1000000000);
	struct tm utc;
	char text[32], whole[48];
	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(whole, sizeof(whole), "%s.%03dZ", text, (int) (wall_ns / 1000000 % 1000));
	node_output_cell_text(table, whole);
}

static int run_log(node_cmd_t *cmd)
{
	static const char *const columns[] = {"time", "level", "line", NULL};
	uint32_t count;
	int32_t level;
	int r = parse_log(cmd, &count, &level);
	if (r < 0)
		return r;
	node_log_line_t *lines = g_try_new(node_log_line_t, count);
	if (lines == NULL)
		return DREAM_ENOMEM;
	uint32_t n = node_log_tail(cmd->node->log, 0, level, lines, count);
	node_output_table_t table;
	node_output_table_start(&table, columns);
	for (uint32_t i = 0; i < n && node_output_row(&table); i++) {
		g_autofree char *text = g_utf8_make_valid(lines[i].text, -1);
		put_time(&table, lines[i].wall_ns);
		node_output_cell_text(&table, node_log_level_name(lines[i].level));
		node_output_cell_text(&table, text);
	}
	g_free(lines);
	return node_output_table_end(cmd, &table);
}

static int run_quit(node_cmd_t *cmd)
{
	return node_output_text(cmd, "quit, exit and ^D leave the shell by themselves; the node goes on");
}

const node_command_t node_about_commands[] = {
	{.name = "help",
		.args = "[COMMAND]",
		.help = "what can be said here, or more about one command",
		.example = "help call",
		.run = run_help},
	{.name = "nodes",
		.args = "",
		.help = "this node and those it is connected to",
		.example = "nodes",
		.run = run_nodes},
	{.name = "connect",
		.args = "NAME@HOST:PORT",
		.help = "connect this node to another one",
		.example = "connect chat@127.0.0.1:9101",
		.changes = true,
		.timeout_ms = NODE_CONSOLE_TIMEOUT_LONG_MS,
		.run = run_connect},
	{.name = "log",
		.args = "[N] [--level=L]",
		.help = "the newest N lines of the log, of level L and above",
		.example = "log 20 --level=warning",
		.run = run_log},
	{.name = "quit",
		.args = "",
		.help = "leave the shell; the node goes on",
		.example = "quit",
		.run = run_quit},
	{.name = NULL}};
