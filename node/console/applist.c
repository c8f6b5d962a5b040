/* SPDX-License-Identifier: MIT */
/* Commands about applications and the modules they come from: apps, start, stop, load, env, upgrade. */
#include "app/app.h"
#include "base/clock.h"
#include "base/log.h"
#include "console/output.h"
#include "console/suggest.h"
#include "release/upgrade.h"

static const char *state_name(int32_t state)
{
	static const char *const names[] = {"loaded", "starting", "running", "stopping"};
	return state >= 0 && state < (int32_t) G_N_ELEMENTS(names) ? names[state] : "unknown";
}

static int run_apps(node_cmd_t *cmd)
{
	static const char *const columns[] = {"application", "version", "state", "type", "processes", "up s",
		"crashes", "description", NULL};
	int r = node_cmd_need_end(cmd);
	if (r < 0)
		return r;
	g_autoptr(GArray) apps = node_app_list(cmd->node);
	int64_t now_ns = node_clock_now(cmd->node);
	node_output_table_t table;
	node_output_table_start(&table, columns);
	for (guint i = 0; i < apps->len; i++) {
		const node_app_info_t *app = &g_array_index(apps, node_app_info_t, i);
		bool running = app->state == NODE_APP_RUNNING;
		if (!node_output_row(&table))
			continue;
		node_output_cell_text(&table, app->name);
		node_output_cell_text(&table, app->vsn);
		node_output_cell_text(&table, state_name(app->state));
		node_output_cell_text(&table, !running                          ? NULL
					      : app->type == NODE_APP_PERMANENT ? "permanent"
										: "temporary");
		node_output_cell_int(&table, app->n_procs);
		node_output_cell_int(&table, running ? (now_ns - app->started_ns) / 1000000000 : 0);
		node_output_cell_int(&table, (int64_t) app->n_crashes);
		node_output_cell_text(&table, app->description);
	}
	return node_output_table_end(cmd, &table);
}

/* "…; did you mean counter?" behind what the controller says about a name it does not know. */
static void suggest_app(node_cmd_t *cmd, const char *name)
{
	g_autoptr(GArray) apps = node_app_list(cmd->node);
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	for (guint i = 0; i < apps->len; i++)
		g_ptr_array_add(names, g_array_index(apps, node_app_info_t, i).name);
	const char *nearest = node_suggest_nearest(name, (const char *const *) names->pdata, names->len);
	if (nearest != NULL)
		(void) node_cmd_fail(cmd, DREAM_ENOENT,
			"there is no application \"%.64s\"; did you mean '%s'?", name, nearest);
	else
		(void) node_cmd_fail(cmd, DREAM_ENOENT,
			"there is no application \"%.64s\"; 'apps' lists those that are loaded, "
			"'load FILE' adds more",
			name);
}

static bool is_loaded(node_t *node, const char *name)
{
	g_autoptr(GArray) apps = node_app_list(node);
	for (guint i = 0; i < apps->len; i++)
		if (g_strcmp0(g_array_index(apps, node_app_info_t, i).name, name) == 0)
			return true;
	return false;
}

static int need_app(node_cmd_t *cmd, char **ret_name)
{
	int r = node_cmd_need_word(cmd, "the application", ret_name);
	if (r == DREAM_OK)
		r = node_cmd_need_end(cmd);
	if (r < 0 || is_loaded(cmd->node, *ret_name))
		return r;
	suggest_app(cmd, *ret_name);
	return cmd->diag.code;
}

static int run_start(node_cmd_t *cmd)
{
	char *name;
	int r = need_app(cmd, &name);
	if (r == DREAM_OK)
		r = node_app_start(cmd->proc, name, NODE_APP_TEMPORARY, &cmd->diag);
	return r < 0 ? r : node_output_text(cmd, "%s is running", name);
}

static int run_stop(node_cmd_t *cmd)
{
	char *name;
	int r = need_app(cmd, &name);
	if (r == DREAM_OK)
		r = node_app_stop(cmd->proc, name, &cmd->diag);
	return r < 0 ? r : node_output_text(cmd, "%s is stopped; it stays loaded", name);
}

static int run_load(node_cmd_t *cmd)
{
	char *file;
	int r = node_cmd_need_rest(cmd, "the FILE", &file);
	if (r == DREAM_OK)
		r = node_app_load(cmd->proc, file, &cmd->diag);
	return r < 0 ? r : node_output_text(cmd, "%s is loaded; 'apps' shows what can be started", file);
}

static int run_env(node_cmd_t *cmd)
{
	char *name;
	dream_msg_t *map = NULL;
	int r = need_app(cmd, &name);
	if (r == DREAM_OK)
		r = node_app_env_map(cmd->node, name, &map);
	if (r < 0)
		return r;
	r = node_output_term(cmd, map);
	node_msg_unref(map);
	return r;
}

/* ---- upgrade ---- */

static int show_report(node_cmd_t *cmd, const node_upgrade_report_t *report)
{
	node_output_facts_t facts;
	node_output_facts_start(&facts);
	node_output_fact_text(&facts, "module", report->module);
	node_output_fact_text(&facts, "from", report->from_vsn);
	node_output_fact_text(&facts, "to", report->to_vsn);
	node_output_fact_int(&facts, "processes carried over", report->n_changed);
	node_output_fact_int(&facts, "ending on the old one", report->n_staying);
	node_output_fact_int(&facts, "checked in us", report->check_ns / 1000);
	node_output_fact_int(&facts, "switched in us", report->switch_ns / 1000);
	return node_output_facts_end(cmd, &facts);
}

static int run_upgrade(node_cmd_t *cmd)
{
	char *module, *file;
	node_upgrade_report_t report = {.n_changed = 0};
	int r = node_cmd_need_word(cmd, "the MODULE", &module);
	if (r == DREAM_OK)
		r = node_cmd_need_rest(cmd, "the FILE", &file);
	if (r == DREAM_OK)
		r = node_upgrade_module(
			cmd->proc, module, file, NODE_UPGRADE_DEADLINE_MS, &report, &cmd->diag);
	if (r < 0)
		return r;
	node_log(cmd->node, DREAM_LOG_NOTICE, "console: upgraded %s from %s to %s, %u processes",
		report.module, report.from_vsn, report.to_vsn, report.n_changed);
	return show_report(cmd, &report);
}

const node_command_t node_apps_commands[] = {
	{.name = "apps",
		.args = "",
		.help = "the applications that are loaded, and which run",
		.example = "apps",
		.run = run_apps},
	{.name = "start",
		.args = "APP",
		.help = "start an application and those it depends on",
		.example = "start counter",
		.changes = true,
		.timeout_ms = NODE_CONSOLE_TIMEOUT_LONG_MS,
		.run = run_start},
	{.name = "stop",
		.args = "APP",
		.help = "stop an application; it stays loaded",
		.example = "stop counter",
		.changes = true,
		.timeout_ms = NODE_CONSOLE_TIMEOUT_LONG_MS,
		.run = run_stop},
	{.name = "load",
		.args = "FILE",
		.help = "load a module that is not loaded yet",
		.example = "load /srv/modules/counter-1.0.0.so",
		.changes = true,
		.timeout_ms = NODE_CONSOLE_TIMEOUT_LONG_MS,
		.run = run_load},
	{.name = "env",
		.args = "APP",
		.help = "the environment of an application",
		.example = "env counter",
		.run = run_env},
	{.name = "upgrade",
		.args = "MODULE FILE",
		.help = "carry a module's processes over to another version while they serve",
		.example = "upgrade counter /srv/modules/counter-2.0.0.so",
		.changes = true,
		.timeout_ms = NODE_CONSOLE_TIMEOUT_LONG_MS,
		.run = run_upgrade},
	{.name = NULL}};
