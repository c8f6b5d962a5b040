/* SPDX-License-Identifier: MIT */
/* A command is a process, so it can wait for other processes without holding a thread, be cancelled by
 * an exit signal, and be bounded by a timer that sends one. What it owns hangs at its node_cmd_t; fini
 * frees that and makes sure that the end is reported, once, whichever way it came. */
#include "console/console.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "console/command.h"
#include "sched/sched.h"

#define OPERATOR_MAX 64
#define AUDIT_MAX 400

struct node_console {
	node_t *node;
	const node_console_out_t *out;
	pthread_mutex_t lock;
	GHashTable *running; /* running_t * (owned) -> itself */
	bool closing;
};

typedef struct {
	uint64_t session;
	uint64_t id;
	dream_pid_t pid;
} running_t;

static guint hash_running(gconstpointer key)
{
	const running_t *r = key;
	return (guint) (r->session * UINT64_C(0x9e3779b97f4a7c15) >> 32) ^ (guint) r->id;
}

static gboolean equal_running(gconstpointer a, gconstpointer b)
{
	const running_t *x = a, *y = b;
	return x->session == y->session && x->id == y->id;
}

/* ---- the end of a command ---- */

static void free_cmd(node_cmd_t *cmd)
{
	if (cmd->kept != NULL)
		g_ptr_array_unref(cmd->kept);
	g_free(cmd->operator_name);
	g_free(cmd->line);
	g_free(cmd->words);
	g_free(cmd);
}

/* The place is free before the end is known: who waits for it may send the next line at once. */
static void report(node_cmd_t *cmd, int code, const char *text)
{
	node_console_t *console = cmd->node->console;
	running_t key = {cmd->session, cmd->id, {0, 0, 0}};
	if (cmd->done)
		return;
	cmd->done = true;
	pthread_mutex_lock(&console->lock);
	g_hash_table_remove(console->running, &key);
	pthread_mutex_unlock(&console->lock);
	(void) cmd->out->done(cmd->node, cmd->session, cmd->id, code, text);
}

static int64_t timeout_ms(const node_cmd_t *cmd)
{
	return cmd->what->timeout_ms != 0 ? cmd->what->timeout_ms : NODE_CONSOLE_TIMEOUT_MS;
}

static void report_cut_short(node_cmd_t *cmd)
{
	node_diag_t diag = {0, ""};
	if (node_clock_now(cmd->node) >= cmd->deadline_ns)
		node_diag_set(&diag, DREAM_ETIMEDOUT, "%s: no end within %d s; the node goes on",
			cmd->what->name, (int) (timeout_ms(cmd) / 1000));
	else
		node_diag_set(&diag, NODE_CONSOLE_ECANCELLED, "%s: cancelled", cmd->what->name);
	report(cmd, diag.code, diag.text);
}

static void fini(node_proc_t *proc)
{
	node_cmd_t *cmd = proc->self;
	if (cmd->timer_ref != 0)
		(void) node_timer_cancel(cmd->node, cmd->timer_ref);
	if (!cmd->done)
		report_cut_short(cmd);
	free_cmd(cmd);
}

/* ---- its run ---- */

static void arm_deadline(node_cmd_t *cmd)
{
	dream_pid_t self = node_proc_pid(cmd->proc);
	node_sig_t *kill = node_sig_new_take(NODE_SIG_EXIT, self, self, 0, node_msg_text("kill"));
	if (kill == NULL)
		return;
	kill->flags |= NODE_SIG_F_KILL;
	(void) node_timer_start_take(cmd->node, kill, NULL, timeout_ms(cmd), &cmd->timer_ref);
}

static void audit(const node_cmd_t *cmd)
{
	if (cmd->what->changes)
		node_log(cmd->node, DREAM_LOG_NOTICE, "console: operator %s runs: %.*s", cmd->operator_name,
			AUDIT_MAX, cmd->line);
}

static int run(node_proc_t *proc)
{
	node_cmd_t *cmd = proc->self;
	cmd->proc = proc;
	arm_deadline(cmd);
	audit(cmd);
	int r = cmd->what->run(cmd);
	if (r < 0 && cmd->diag.code == 0)
		node_diag_set(&cmd->diag, r, "%s", node_diag_code_text(r));
	if (r < 0)
		node_diag_prefix(&cmd->diag, "%s", cmd->what->name);
	report(cmd, r < 0 ? r : DREAM_OK, r < 0 ? cmd->diag.text : NULL);
	return NODE_RUN_EXIT;
}

static const node_proc_ops_t command_ops = {.what = "console", .run = run, .fini = fini};

/* ---- the door ---- */

static int cut_line(node_cmd_t *cmd, node_diag_t *diag)
{
	cmd->rest = cmd->words + strspn(cmd->words, " \t");
	const char *name = node_cmd_word(cmd);
	if (name == NULL)
		return node_diag_set(diag, DREAM_ESYNTAX, "the line is empty; 'help' lists what can be said");
	cmd->what = node_command_find(name);
	if (cmd->what == NULL)
		return node_command_unknown(name, diag);
	return DREAM_OK;
}

static int make_cmd(node_console_t *console, running_t key, const char *operator_name, const char *line,
	node_cmd_t **ret_cmd, node_diag_t *diag)
{
	size_t size = strnlen(line, NODE_CONSOLE_LINE_MAX + 1);
	if (size > NODE_CONSOLE_LINE_MAX)
		return node_diag_set(diag, DREAM_ELIMIT, "the line is longer than %u bytes; send less",
			NODE_CONSOLE_LINE_MAX);
	if (!g_utf8_validate(line, (gssize) size, NULL))
		return node_diag_set(diag, DREAM_ESYNTAX, "the line is not UTF-8; set the terminal to it");
	node_cmd_t *cmd = g_new0(node_cmd_t, 1);
	cmd->node = console->node;
	cmd->out = console->out;
	cmd->session = key.session;
	cmd->id = key.id;
	cmd->operator_name = g_strndup(operator_name, OPERATOR_MAX);
	cmd->line = g_strstrip(g_strdup(line));
	cmd->words = g_strdup(cmd->line);
	int r = cut_line(cmd, diag);
	if (r < 0) {
		free_cmd(cmd);
		return r;
	}
	cmd->deadline_ns = node_clock_now(cmd->node) + timeout_ms(cmd) * NODE_MS;
	*ret_cmd = cmd;
	return DREAM_OK;
}

/* Under the lock, so that the process cannot end before it is noted. */
static int start_locked(node_console_t *console, running_t key, node_cmd_t *cmd, node_diag_t *diag)
{
	if (console->closing)
		return node_diag_set(
			diag, DREAM_EBUSY, "the node is stopping; connect again when it is back");
	if (g_hash_table_size(console->running) >= NODE_CONSOLE_COMMANDS_MAX)
		return node_diag_set(diag, DREAM_EBUSY,
			"%u commands are running already; wait for one to end", NODE_CONSOLE_COMMANDS_MAX);
	if (g_hash_table_contains(console->running, &key))
		return node_diag_set(diag, DREAM_EALREADY, "a command with this number is running");
	node_spawn_t how = {.ops = &command_ops, .self = cmd, .label = "console", .flags = NODE_PROC_SYSTEM};
	int r = node_proc_spawn(console->node, &how, &key.pid);
	if (r < 0)
		return node_diag_set(diag, r, "no process for the command: %s", node_diag_code_text(r));
	running_t *running = g_memdup2(&key, sizeof(key));
	g_hash_table_add(console->running, running);
	return DREAM_OK;
}

void node_console_command(
	node_t *node, uint64_t session, uint64_t id, const char *operator_name, const char *line)
{
	node_console_t *console = node->console;
	running_t key = {session, id, {0, 0, 0}};
	node_diag_t diag = {0, ""};
	node_cmd_t *cmd = NULL;
	int r = make_cmd(console, key, operator_name, line, &cmd, &diag);
	if (r == DREAM_OK) {
		pthread_mutex_lock(&console->lock);
		r = start_locked(console, key, cmd, &diag);
		pthread_mutex_unlock(&console->lock);
		if (r < 0)
			free_cmd(cmd);
	}
	if (r < 0)
		(void) console->out->done(node, session, id, r, diag.text);
}

static void kill_command(node_t *node, dream_pid_t pid)
{
	dream_msg_t *kill = node_msg_text("kill");
	if (kill != NULL)
		node_proc_exit_signal(node, NULL, pid, kill);
	node_msg_unref(kill);
}

void node_console_cancel(node_t *node, uint64_t session, uint64_t id)
{
	node_console_t *console = node->console;
	running_t key = {session, id, {0, 0, 0}};
	pthread_mutex_lock(&console->lock);
	const running_t *running = g_hash_table_lookup(console->running, &key);
	dream_pid_t pid = running != NULL ? running->pid : key.pid;
	pthread_mutex_unlock(&console->lock);
	if (pid.id != 0)
		kill_command(node, pid);
}

void node_console_quiesce(node_t *node)
{
	node_console_t *console = node->console;
	g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(dream_pid_t));
	GHashTableIter iter;
	gpointer running;
	pthread_mutex_lock(&console->lock);
	console->closing = true;
	g_hash_table_iter_init(&iter, console->running);
	while (g_hash_table_iter_next(&iter, &running, NULL))
		g_array_append_val(pids, ((running_t *) running)->pid);
	pthread_mutex_unlock(&console->lock);
	for (guint i = 0; i < pids->len; i++)
		kill_command(node, g_array_index(pids, dream_pid_t, i));
}

int node_console_open(node_t *node, const node_console_out_t *out)
{
	node_console_t *console = g_try_new0(node_console_t, 1);
	if (console == NULL)
		return DREAM_ENOMEM;
	console->node = node;
	console->out = out;
	pthread_mutex_init(&console->lock, NULL);
	console->running = g_hash_table_new_full(hash_running, equal_running, g_free, NULL);
	node->console = console;
	node->hooks.console_command = node_console_command;
	node->hooks.console_cancel = node_console_cancel;
	return DREAM_OK;
}

void node_console_close(node_t *node)
{
	node_console_t *console = node->console;
	if (console == NULL)
		return;
	g_hash_table_destroy(console->running);
	pthread_mutex_destroy(&console->lock);
	g_free(console);
	node->console = NULL;
}
