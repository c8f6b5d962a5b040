/* SPDX-License-Identifier: MIT */
#include "console/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "console/suggest.h"
#include "proc/names.h"
#include "sched/sched.h"
#include "term/notation.h"

#define REPORT_MS 200 /* kept for saying that the time is over, before the process is killed */

/* ---- the table ---- */

static const node_command_t *const groups[] = {node_about_commands, node_apps_commands, node_tree_commands,
	node_inspect_commands, node_schedulers_commands, node_talk_commands};

const node_command_t *node_command_at(size_t index)
{
	for (size_t g = 0; g < G_N_ELEMENTS(groups); g++)
		for (const node_command_t *c = groups[g]; c->name != NULL; c++)
			if (index-- == 0)
				return c;
	return NULL;
}

const node_command_t *node_command_find(const char *name)
{
	const node_command_t *c;
	for (size_t i = 0; (c = node_command_at(i)) != NULL; i++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

int node_command_unknown(const char *name, node_diag_t *diag)
{
	const char *names[64];
	size_t count = 0;
	const node_command_t *c;
	while (count < G_N_ELEMENTS(names) && (c = node_command_at(count)) != NULL)
		names[count++] = c->name;
	const char *nearest = node_suggest_nearest(name, names, count);
	if (nearest != NULL)
		return node_diag_set(diag, DREAM_ESYNTAX, "there is no command \"%.64s\"; did you mean '%s'?",
			name, nearest);
	return node_diag_set(diag, DREAM_ESYNTAX, "there is no command \"%.64s\"; 'help' lists all", name);
}

/* ---- words ---- */

char *node_cmd_word(node_cmd_t *cmd)
{
	char *word = cmd->rest;
	if (*word == '\0')
		return NULL;
	char *end = word + strcspn(word, " \t");
	cmd->rest = end + strspn(end, " \t");
	*end = '\0';
	return word;
}

static int missing(node_cmd_t *cmd, const char *what)
{
	return node_cmd_fail(cmd, DREAM_ESYNTAX, "%s is missing; write: %s %s, as in: %s", what,
		cmd->what->name, cmd->what->args, cmd->what->example);
}

int node_cmd_need_word(node_cmd_t *cmd, const char *what, char **ret_word)
{
	char *word = node_cmd_word(cmd);
	if (word == NULL)
		return missing(cmd, what);
	*ret_word = word;
	return DREAM_OK;
}

int node_cmd_need_rest(node_cmd_t *cmd, const char *what, char **ret_rest)
{
	if (*cmd->rest == '\0')
		return missing(cmd, what);
	*ret_rest = cmd->rest;
	cmd->rest += strlen(cmd->rest);
	return DREAM_OK;
}

int node_cmd_need_end(node_cmd_t *cmd)
{
	if (*cmd->rest == '\0')
		return DREAM_OK;
	return node_cmd_fail(cmd, DREAM_ESYNTAX, "\"%.64s\" is too much; write: %s %s", cmd->rest,
		cmd->what->name, cmd->what->args);
}

int node_cmd_need_term(node_cmd_t *cmd, dream_msg_t **ret_msg)
{
	char *text;
	node_diag_t why = {0, ""};
	int r = node_cmd_need_rest(cmd, "the TERM", &text);
	if (r < 0)
		return r;
	r = node_notation_parse(text, strlen(text), ret_msg, &why);
	return r < 0 ? node_cmd_fail(cmd, r, "the term: %s", why.text) : DREAM_OK;
}

/* ---- whom a command speaks of ---- */

static int find_pid(node_cmd_t *cmd, const char *word, dream_pid_t *ret_pid)
{
	if (node_proc_pid_parse(cmd->node, word, ret_pid) < 0)
		return node_cmd_fail(cmd, DREAM_ESYNTAX, "\"%.64s\" is no pid; pids look like <12.3>", word);
	if (node_proctab_find(cmd->node, ret_pid->id) == NULL)
		return node_cmd_fail(cmd, DREAM_ENOPROC,
			"process %.64s has ended or never was; 'procs' lists what runs", word);
	return DREAM_OK;
}

static int find_name(node_cmd_t *cmd, const char *name, dream_pid_t *ret_pid)
{
	if (node_names_whereis(cmd->node, name, ret_pid) == DREAM_OK)
		return DREAM_OK;
	return node_cmd_fail(
		cmd, DREAM_ENOPROC, "nobody is registered as \"%.128s\"; 'procs' lists the names", name);
}

static bool is_pid(const char *word)
{
	return word[0] == '<' || g_ascii_isdigit(word[0]);
}

int node_cmd_dest(node_cmd_t *cmd, char *word, dream_dest_t *ret_to)
{
	dream_pid_t pid = {0, 0, 0};
	*ret_to = (dream_dest_t){pid, NULL, NULL};
	if (is_pid(word))
		return find_pid(cmd, word, &ret_to->pid);
	char *at = strchr(word, '@');
	if (at != NULL) {
		*at = '\0';
		ret_to->node = strcmp(at + 1, cmd->node->name) != 0 ? at + 1 : NULL;
	}
	ret_to->name = word;
	return ret_to->node != NULL ? DREAM_OK : find_name(cmd, word, &pid);
}

int node_cmd_proc(node_cmd_t *cmd, char *word, node_proc_t **ret_proc, dream_pid_t *ret_pid)
{
	dream_dest_t to;
	int r = node_cmd_dest(cmd, word, &to);
	if (r == DREAM_OK && to.node != NULL)
		return node_cmd_fail(cmd, DREAM_EINVAL, "\"%.64s\" is of another node; ask there", to.name);
	if (r == DREAM_OK && to.name != NULL)
		r = find_name(cmd, to.name, &to.pid);
	node_proc_t *proc = r == DREAM_OK ? node_proctab_find(cmd->node, to.pid.id) : NULL;
	if (r == DREAM_OK && proc == NULL)
		return node_cmd_fail(cmd, DREAM_ENOPROC, "\"%.64s\" has just ended; try again", word);
	if (r < 0)
		return r;
	*ret_proc = proc;
	*ret_pid = to.pid;
	return DREAM_OK;
}

/* ---- what the command owns ---- */

typedef struct {
	void *data;
	void (*free)(void *data);
} kept_t;

static void free_kept(gpointer data)
{
	kept_t *kept = data;
	kept->free(kept->data);
	g_free(kept);
}

void *node_cmd_keep(node_cmd_t *cmd, void *data, void (*free)(void *data))
{
	kept_t *kept = g_new(kept_t, 1);
	*kept = (kept_t){data, free};
	if (cmd->kept == NULL)
		cmd->kept = g_ptr_array_new_with_free_func(free_kept);
	g_ptr_array_add(cmd->kept, kept);
	return data;
}

static void unref_msg(void *data)
{
	node_msg_unref(data);
}

dream_msg_t *node_cmd_keep_msg(node_cmd_t *cmd, dream_msg_t *msg)
{
	return node_cmd_keep(cmd, msg, unref_msg);
}

/* ---- time and failures ---- */

int node_cmd_breathe(node_cmd_t *cmd)
{
	node_sched_yield(cmd->proc);
	node_proc_drain(cmd->proc);
	if (node_proc_exiting(cmd->proc) || node_clock_now(cmd->node) >= cmd->deadline_ns)
		return node_cmd_fail(cmd, DREAM_ETIMEDOUT, "it took too long");
	return DREAM_OK;
}

int64_t node_cmd_left_ms(const node_cmd_t *cmd)
{
	int64_t left_ms = (cmd->deadline_ns - node_clock_now(cmd->node)) / NODE_MS - REPORT_MS;
	return left_ms > 0 ? left_ms : 1;
}

int node_cmd_fail(node_cmd_t *cmd, int code, const char *format, ...)
{
	char text[NODE_DIAG_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return node_diag_set(&cmd->diag, code, "%s", text);
}

char *node_cmd_reason(const node_cmd_t *cmd, int code, char *buffer)
{
	const dream_msg_t *reason = node_proc_reason_borrow(cmd->proc);
	if (reason == NULL) {
		g_strlcpy(buffer, node_diag_code_text(code), NODE_DIAG_MAX);
		return buffer;
	}
	node_cbor_reader_t r = node_cbor_read_msg(reason);
	const char *text;
	uint64_t size;
	if (node_cbor_get_text(&r, &text, &size) == DREAM_OK) {
		snprintf(buffer, NODE_DIAG_MAX, "%.*s", (int) MIN(size, 600), text);
		return buffer;
	}
	GString *out = g_string_new(NULL);
	node_notation_print(out, reason->data, reason->size_bytes, 600);
	g_strlcpy(buffer, out->str, NODE_DIAG_MAX);
	g_string_free(out, TRUE);
	return buffer;
}
