/* SPDX-License-Identifier: MIT */
#include "console/output.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"

#define RETRY_MS 20

/* Keeps a reference of its own on @item, for the tries to come. An operator who reads too slowly costs
 * this command time, which is bounded, and nobody else any. */
static int send_patiently(node_cmd_t *cmd, dream_msg_t *item)
{
	int r;
	while ((r = cmd->out->item_take(cmd->node, cmd->session, cmd->id, node_msg_ref(item))) ==
			DREAM_EBUSY &&
		node_clock_now(cmd->node) < cmd->deadline_ns)
		(void) node_proc_wait(cmd->proc, node_clock_now(cmd->node) + RETRY_MS * NODE_MS);
	return r;
}

int node_output_item_take(node_cmd_t *cmd, dream_msg_t *item)
{
	if (item == NULL)
		return node_cmd_fail(cmd, DREAM_ENOMEM, "the node is out of memory");
	if (cmd->n_bytes + item->size_bytes > NODE_CONSOLE_BYTES_MAX) {
		node_msg_unref(item);
		return node_cmd_fail(cmd, DREAM_ELIMIT, "the result is larger than %u MiB; ask for less",
			(unsigned) (NODE_CONSOLE_BYTES_MAX >> 20));
	}
	cmd->n_bytes += item->size_bytes;
	int r = send_patiently(cmd, node_cmd_keep_msg(cmd, item));
	return r < 0 ? node_cmd_fail(cmd, r, "the result could not be sent: %s", node_diag_code_text(r))
		     : DREAM_OK;
}

static int send(node_cmd_t *cmd, node_cbor_writer_t *w)
{
	dream_msg_t *item = NULL;
	(void) node_cbor_finish(w, &item);
	return node_output_item_take(cmd, item);
}

static void start_form(node_cbor_writer_t *w, const char *form, uint64_t n_others)
{
	node_cbor_init(w);
	node_cbor_put_map(w, 1 + n_others);
	node_cbor_put_text(w, "form");
	node_cbor_put_text(w, form);
}

int node_output_text(node_cmd_t *cmd, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = g_strdup_vprintf(format, args);
	va_end(args);
	node_cbor_writer_t w;
	start_form(&w, "text", 1);
	node_cbor_put_text(&w, "text");
	node_cbor_put_text(&w, text);
	g_free(text);
	return send(cmd, &w);
}

int node_output_term(node_cmd_t *cmd, const dream_msg_t *term)
{
	node_cbor_writer_t w;
	if (term != NULL && term->size_bytes > NODE_CONSOLE_BYTES_MAX)
		return node_cmd_fail(
			cmd, DREAM_ELIMIT, "the term has %u bytes, more than are shown", term->size_bytes);
	start_form(&w, "term", 1);
	node_cbor_put_text(&w, "term");
	node_cbor_put_msg(&w, term);
	return send(cmd, &w);
}

/* ---- facts ---- */

void node_output_facts_start(node_output_facts_t *facts)
{
	start_form(&facts->w, "facts", 1);
	node_cbor_put_text(&facts->w, "facts");
	node_cbor_put_map_start(&facts->w);
}

void node_output_fact_text(node_output_facts_t *facts, const char *key, const char *value)
{
	node_cbor_put_text(&facts->w, key);
	if (value != NULL)
		node_cbor_put_text(&facts->w, value);
	else
		node_cbor_put_null(&facts->w);
}

void node_output_fact_printf(node_output_facts_t *facts, const char *key, const char *format, ...)
{
	char text[NODE_DIAG_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	node_output_fact_text(facts, key, text);
}

void node_output_fact_int(node_output_facts_t *facts, const char *key, int64_t value)
{
	node_cbor_put_text(&facts->w, key);
	node_cbor_put_int(&facts->w, value);
}

void node_output_fact_bool(node_output_facts_t *facts, const char *key, bool value)
{
	node_cbor_put_text(&facts->w, key);
	node_cbor_put_bool(&facts->w, value);
}

int node_output_facts_end(node_cmd_t *cmd, node_output_facts_t *facts)
{
	node_cbor_put_break(&facts->w);
	return send(cmd, &facts->w);
}

/* ---- tables ---- */

void node_output_table_start(node_output_table_t *table, const char *const *columns)
{
	*table = (node_output_table_t){.n_columns = 0};
	while (columns[table->n_columns] != NULL)
		table->n_columns++;
	/* `more` comes last, when it is known: a map of indefinite length spares a second pass. */
	node_cbor_init(&table->w);
	node_cbor_put_map_start(&table->w);
	node_cbor_put_text(&table->w, "form");
	node_cbor_put_text(&table->w, "table");
	node_cbor_put_text(&table->w, "columns");
	node_cbor_put_array(&table->w, table->n_columns);
	for (uint32_t i = 0; i < table->n_columns; i++)
		node_cbor_put_text(&table->w, columns[i]);
	node_cbor_put_text(&table->w, "rows");
	node_cbor_put_array_start(&table->w);
}

/* Half of the bytes are kept for the last row, which may be as long as its cells' caps allow. */
bool node_output_row(node_output_table_t *table)
{
	if (table->n_rows >= NODE_CONSOLE_ROWS_MAX || table->w.size_bytes > NODE_CONSOLE_BYTES_MAX / 2) {
		table->n_more++;
		return false;
	}
	table->n_rows++;
	node_cbor_put_array(&table->w, table->n_columns);
	return true;
}

void node_output_cell_text(node_output_table_t *table, const char *text)
{
	if (text != NULL)
		node_cbor_put_text(&table->w, text);
	else
		node_cbor_put_null(&table->w);
}

void node_output_cell_int(node_output_table_t *table, int64_t value)
{
	node_cbor_put_int(&table->w, value);
}

int node_output_table_end(node_cmd_t *cmd, node_output_table_t *table)
{
	node_cbor_put_break(&table->w);
	if (table->n_more > 0) {
		node_cbor_put_text(&table->w, "more");
		node_cbor_put_uint(&table->w, table->n_more);
	}
	node_cbor_put_break(&table->w);
	return send(cmd, &table->w);
}
