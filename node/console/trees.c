/* SPDX-License-Identifier: MIT */
/* The command tree: applications with their supervision trees. Supervisors are asked one after the
 * other, which may block, so the tree is gathered first, in blocks that the command owns, and written
 * afterwards. */
#include <string.h>

#include "app/app.h"
#include "console/output.h"
#include "otp/call.h"

#define DEPTH_MAX 32u
#define NODES_MAX 20000u
#define ASK_TIMEOUT_MS 2000

/* One line of the tree; blocks of one GPtrArray, so that they go together. */
typedef struct {
	char label[NODE_NAME_MAX + 80];
	char kind[65];
	char state[32];
	char type[16];
	dream_pid_t pid; /* id 0: not running */
	uint64_t restarts;
	uint32_t depth;
	bool is_root; /* an application or its top supervisor: nobody counts restarts */
	char why[80]; /* why the children are not known; "" otherwise */
} line_t;

typedef struct {
	node_cmd_t *cmd;
	GArray *lines; /* line_t, in depth-first order */
	bool cut;
} gather_t;

static void take_text(const uint8_t *map, uint64_t size, const char *key, char *buffer, size_t cap)
{
	const uint8_t *item;
	uint64_t item_size, text_size;
	const char *text;
	buffer[0] = '\0';
	if (node_cbor_map_find(map, size, key, &item, &item_size) < 0)
		return;
	node_cbor_reader_t r = node_cbor_read(item, item_size);
	if (node_cbor_get_text(&r, &text, &text_size) < 0 || text_size >= cap)
		return;
	memcpy(buffer, text, text_size);
	buffer[text_size] = '\0';
}

static void take_child(node_cmd_t *cmd, const uint8_t *map, uint64_t size, line_t *line)
{
	const uint8_t *item;
	uint64_t item_size;
	take_text(map, size, "id", line->label, sizeof(line->label));
	take_text(map, size, "kind", line->kind, sizeof(line->kind));
	take_text(map, size, "type", line->type, sizeof(line->type));
	take_text(map, size, "state", line->state, sizeof(line->state));
	if (node_cbor_map_find(map, size, "pid", &item, &item_size) == DREAM_OK) {
		node_cbor_reader_t r = node_cbor_read(item, item_size);
		if (node_cbor_get_pid(&r, cmd->node, &line->pid) < 0)
			line->pid = (dream_pid_t){0, 0, 0};
	}
	if (node_cbor_map_find(map, size, "restarts", &item, &item_size) == DREAM_OK) {
		node_cbor_reader_t r = node_cbor_read(item, item_size);
		(void) node_cbor_get_uint(&r, &line->restarts);
	}
}

static int gather_below(gather_t *g, guint parent);

static int gather_child(gather_t *g, const uint8_t *map, uint64_t size, uint32_t depth)
{
	if (g->lines->len >= NODES_MAX) {
		g->cut = true;
		return DREAM_ELIMIT;
	}
	line_t line = {.depth = depth};
	take_child(g->cmd, map, size, &line);
	g_array_append_val(g->lines, line);
	return strcmp(line.type, "supervisor") == 0 && line.pid.id != 0 ? gather_below(g, g->lines->len - 1)
									: DREAM_OK;
}

/* Asks the supervisor on line @parent for its children; its silence is noted on the line and is no
 * failure. */
static int gather_below(gather_t *g, guint parent)
{
	line_t *line = &g_array_index(g->lines, line_t, parent);
	uint32_t depth = line->depth + 1;
	dream_msg_t *children = NULL;
	node_cmd_t *cmd = g->cmd;
	if (depth > DEPTH_MAX)
		return DREAM_OK;
	int64_t timeout_ms = MIN(ASK_TIMEOUT_MS, node_cmd_left_ms(cmd));
	int r = node_call_sys_take(
		cmd->proc, line->pid, NODE_SYS_CHILDREN, NULL, NULL, timeout_ms, &children);
	if (r < 0) {
		line = &g_array_index(g->lines, line_t, parent);
		g_strlcpy(line->why, r == DREAM_ETIMEDOUT ? "busy: no answer" : node_diag_code_text(r),
			sizeof(line->why));
		return DREAM_OK;
	}
	node_cmd_keep_msg(cmd, children);
	node_cbor_reader_t at = node_cbor_read_msg(children);
	uint64_t count, size;
	const uint8_t *item;
	r = node_cbor_get_array(&at, &count);
	for (uint64_t i = 0; i < count && r == DREAM_OK; i++) {
		r = node_cbor_get_item(&at, &item, &size);
		if (r == DREAM_OK)
			r = gather_child(g, item, size, depth);
	}
	return r == DREAM_ELIMIT ? r : DREAM_OK;
}

/* The top supervisor is a line of its own below the application's. */
static int gather_root(gather_t *g, const node_app_info_t *app)
{
	const node_proc_t *proc = node_proctab_find(g->cmd->node, app->root.id);
	const char *label = proc != NULL ? __atomic_load_n(&proc->label, __ATOMIC_RELAXED) : NULL;
	line_t line = {.pid = app->root, .depth = 1, .is_root = true, .type = "supervisor"};
	g_strlcpy(line.label, label != NULL ? label : "supervisor", sizeof(line.label));
	g_array_append_val(g->lines, line);
	return gather_below(g, g->lines->len - 1);
}

static int gather_app(gather_t *g, const node_app_info_t *app)
{
	static const char *const states[] = {"loaded", "starting", "running", "stopping"};
	line_t line = {.is_root = true};
	g_snprintf(line.label, sizeof(line.label), "%s %s", app->name, app->vsn);
	g_strlcpy(line.state, app->state >= 0 && app->state < 4 ? states[app->state] : "unknown",
		sizeof(line.state));
	g_array_append_val(g->lines, line);
	return app->state == NODE_APP_RUNNING ? gather_root(g, app) : DREAM_OK;
}

/* ---- writing ---- */

static void put_fact(node_cbor_writer_t *w, const char *key, const char *text)
{
	if (text[0] == '\0')
		return;
	node_cbor_put_text(w, key);
	node_cbor_put_text(w, text);
}

static void put_line_facts(node_cmd_t *cmd, node_cbor_writer_t *w, const line_t *line)
{
	char pid[300] = "";
	if (line->pid.id != 0)
		node_proc_pid_text(cmd->node, line->pid, pid);
	node_cbor_put_map_start(w);
	put_fact(w, "pid", pid);
	put_fact(w, "kind", line->kind);
	put_fact(w, "type", line->type);
	put_fact(w, "state",
		line->state[0] != '\0' ? line->state
		: line->pid.id != 0    ? "running"
				       : "not running");
	if (!line->is_root) {
		node_cbor_put_text(w, "restarts");
		node_cbor_put_uint(w, line->restarts);
	}
	put_fact(w, "children", line->why);
	node_cbor_put_break(w);
}

/* Writes line @i and everything below it; returns the line after that. Recursion is bounded by DEPTH_MAX. */
static guint put_line(node_cmd_t *cmd, node_cbor_writer_t *w, const GArray *lines, guint i)
{
	const line_t *line = &g_array_index(lines, line_t, i);
	node_cbor_put_map(w, 3);
	node_cbor_put_text(w, "label");
	node_cbor_put_text(w, line->label);
	node_cbor_put_text(w, "facts");
	put_line_facts(cmd, w, line);
	node_cbor_put_text(w, "children");
	node_cbor_put_array_start(w);
	for (i++; i < lines->len && g_array_index(lines, line_t, i).depth > line->depth;)
		i = put_line(cmd, w, lines, i);
	node_cbor_put_break(w);
	return i;
}

static void start_tree(node_cbor_writer_t *w)
{
	node_cbor_init(w);
	node_cbor_put_map(w, 2);
	node_cbor_put_text(w, "form");
	node_cbor_put_text(w, "tree");
	node_cbor_put_text(w, "root");
}

static int show_tree(node_cmd_t *cmd, const GArray *lines, bool whole_node)
{
	node_cbor_writer_t w;
	start_tree(&w);
	if (whole_node) {
		node_cbor_put_map(&w, 2);
		node_cbor_put_text(&w, "label");
		node_cbor_put_text(&w, cmd->node->name);
		node_cbor_put_text(&w, "children");
		node_cbor_put_array_start(&w);
	}
	for (guint i = 0; i < lines->len;)
		i = put_line(cmd, &w, lines, i);
	if (whole_node)
		node_cbor_put_break(&w);
	dream_msg_t *item = NULL;
	(void) node_cbor_finish(&w, &item);
	return node_output_item_take(cmd, item);
}

static void free_array(void *array)
{
	g_array_unref(array);
}

static int gather(gather_t *g, const GArray *apps, const char *only)
{
	int r = DREAM_OK;
	for (guint i = 0; i < apps->len && r == DREAM_OK; i++) {
		const node_app_info_t *app = &g_array_index(apps, node_app_info_t, i);
		if (only == NULL || strcmp(app->name, only) == 0)
			r = gather_app(g, app);
	}
	return r;
}

static int run_tree(node_cmd_t *cmd)
{
	const char *only = node_cmd_word(cmd);
	int r = node_cmd_need_end(cmd);
	if (r < 0)
		return r;
	GArray *apps = node_cmd_keep(cmd, node_app_list(cmd->node), free_array);
	gather_t g = {cmd, node_cmd_keep(cmd, g_array_new(FALSE, TRUE, sizeof(line_t)), free_array), false};
	(void) gather(&g, apps, only);
	if (only != NULL && g.lines->len == 0)
		return node_cmd_fail(
			cmd, DREAM_ENOENT, "there is no application \"%.64s\"; 'apps' lists them", only);
	r = show_tree(cmd, g.lines, only == NULL);
	return r == DREAM_OK && g.cut
		       ? node_output_text(
				 cmd, "only the first %u lines are shown; name one application", NODES_MAX)
		       : r;
}

const node_command_t node_tree_commands[] = {
	{.name = "tree",
		.args = "[APP]",
		.help = "applications with their supervisors and workers",
		.example = "tree counter",
		.run = run_tree},
	{.name = NULL}};
