/* SPDX-License-Identifier: MIT */
/* The command schedulers: how much each has to do, since the node's start or over a window. */
#include "console/output.h"
#include "otp/call.h"
#include "sched/sched.h"

#define WINDOW_MAX_MS 10000

static int parse_window(node_cmd_t *cmd, int64_t *ret_ms)
{
	const char *word = node_cmd_word(cmd);
	guint64 ms = 0;
	int r = node_cmd_need_end(cmd);
	if (r == DREAM_OK && word != NULL &&
		!g_ascii_string_to_unsigned(word, 10, 1, WINDOW_MAX_MS, &ms, NULL))
		r = node_cmd_fail(cmd, DREAM_ESYNTAX, "\"%.64s\" is no number of milliseconds from 1 to %d",
			word, WINDOW_MAX_MS);
	*ret_ms = (int64_t) ms;
	return r;
}

static int32_t is_nothing(void *arg, const dream_msg_t *msg)
{
	(void) arg;
	(void) msg;
	return 0;
}

static int wait_ms(node_cmd_t *cmd, int64_t ms)
{
	dream_msg_t *none;
	int r = node_call_receive(cmd->proc, is_nothing, NULL, ms, &none);
	return r == DREAM_ETIMEDOUT ? DREAM_OK : r;
}

static node_sched_stats_t *read_all(node_cmd_t *cmd)
{
	uint32_t n = node_sched_count(cmd->node);
	node_sched_stats_t *stats = node_cmd_keep(cmd, g_try_new0(node_sched_stats_t, n), g_free);
	for (uint32_t i = 0; i < n && stats != NULL; i++)
		node_sched_stats(cmd->node, i, &stats[i]);
	return stats;
}

static void put_cell_busy(node_output_table_t *table, uint64_t busy_ns, int64_t span_ns)
{
	char text[16];
	double share = span_ns > 0 ? 100.0 * (double) (int64_t) busy_ns / (double) span_ns : 0.0;
	g_snprintf(text, sizeof(text), "%.1f", CLAMP(share, 0.0, 100.0)); /* read while it changes */
	node_output_cell_text(table, text);
}

static void put_row(node_output_table_t *table, uint32_t index, const node_sched_stats_t *from,
	const node_sched_stats_t *to)
{
	if (!node_output_row(table))
		return;
	node_output_cell_int(table, index);
	node_output_cell_text(table, to->asleep ? "asleep" : "awake");
	put_cell_busy(table, to->busy_ns - from->busy_ns, to->age_ns - from->age_ns);
	node_output_cell_int(table, to->ready);
	node_output_cell_int(table, (int64_t) (to->turns - from->turns));
	node_output_cell_int(table, (int64_t) (to->stolen - from->stolen));
	node_output_cell_int(table, (int64_t) (to->migrations - from->migrations));
	node_output_cell_int(table, (int64_t) (to->sleeps - from->sleeps));
	node_output_cell_int(table, (int64_t) (to->taken_away - from->taken_away));
}

static int run_schedulers(node_cmd_t *cmd)
{
	static const char *const columns[] = {"scheduler", "state", "busy %", "ready", "turns", "stolen",
		"migrations", "sleeps", "taken away", NULL};
	static const node_sched_stats_t start = {0};
	const node_sched_stats_t *from = NULL;
	int64_t window_ms;
	int r = parse_window(cmd, &window_ms);
	if (r == DREAM_OK && window_ms > 0) {
		from = read_all(cmd);
		r = from != NULL ? wait_ms(cmd, window_ms) : DREAM_ENOMEM;
	}
	if (r < 0)
		return r;
	const node_sched_stats_t *to = read_all(cmd);
	if (to == NULL)
		return DREAM_ENOMEM;
	node_output_table_t table;
	node_output_table_start(&table, columns);
	for (uint32_t i = 0; i < node_sched_count(cmd->node); i++)
		put_row(&table, i, from != NULL ? &from[i] : &start, &to[i]);
	return node_output_table_end(cmd, &table);
}

const node_command_t node_schedulers_commands[] = {
	{.name = "schedulers",
		.args = "[MS]",
		.help = "what the schedulers do: since the node's start, or in the next MS milliseconds",
		.example = "schedulers 1000",
		.run = run_schedulers},
	{.name = NULL}};
