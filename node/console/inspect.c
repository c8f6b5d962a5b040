/* SPDX-License-Identifier: MIT */
/* Commands that look at processes from outside: procs, info. They read the relaxed atomics of the
 * control blocks and disturb nobody; what they show may have changed meanwhile. */
#include <stdlib.h>
#include <string.h>

#include "app/app.h"
#include "code/code.h"
#include "console/output.h"
#include "proc/gate.h"

#define PROCS_DEFAULT 50u
#define BREATHE_EVERY 4096u /* processes looked at in one turn */

static const char *status_of(const node_proc_t *proc)
{
	static const char *const names[] = {"idle", "ready", "running"};
	uint32_t flags = __atomic_load_n(&proc->flags, __ATOMIC_RELAXED);
	uint32_t state = __atomic_load_n(&proc->run_state, __ATOMIC_RELAXED);
	if (flags & NODE_PROC_EXITING)
		return "ending";
	if (state == NODE_PROC_IDLE && (flags & NODE_PROC_BLOCKED))
		return "blocked";
	return state < G_N_ELEMENTS(names) ? names[state] : "unknown";
}

static const char *label_of(const node_proc_t *proc)
{
	const char *label = __atomic_load_n(&proc->label, __ATOMIC_RELAXED);
	return label != NULL ? label : "?";
}

/* ---- names by pid, once for a whole table ---- */

static void note_name(void *data, const char *name, dream_pid_t pid)
{
	g_hash_table_insert(data, g_memdup2(&pid.id, sizeof(pid.id)), g_strdup(name));
}

static GHashTable *names_by_id_new(node_t *node)
{
	GHashTable *names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
	node_names_each(node, note_name, names);
	return names;
}

/* ---- procs ---- */

typedef struct {
	node_proc_t *proc;
	uint64_t id;
	uint64_t key;
} pick_t;

typedef uint64_t (*key_fn_t)(const node_proc_t *proc);

static uint64_t by_mailbox(const node_proc_t *proc)
{
	return __atomic_load_n(&proc->n_inbox, __ATOMIC_RELAXED);
}
static uint64_t by_memory(const node_proc_t *proc)
{
	return __atomic_load_n(&proc->heap_bytes, __ATOMIC_RELAXED) +
	       __atomic_load_n(&proc->inbox_bytes, __ATOMIC_RELAXED);
}
static uint64_t by_turns(const node_proc_t *proc)
{
	return __atomic_load_n(&proc->turns, __ATOMIC_RELAXED);
}

static const struct {
	const char *name;
	key_fn_t key;
} sorts[] = {{"mailbox", by_mailbox}, {"memory", by_memory}, {"turns", by_turns}};

static int parse_sort(node_cmd_t *cmd, const char *name, key_fn_t *ret_key)
{
	for (size_t i = 0; i < G_N_ELEMENTS(sorts); i++)
		if (strcmp(sorts[i].name, name) == 0) {
			*ret_key = sorts[i].key;
			return DREAM_OK;
		}
	return node_cmd_fail(
		cmd, DREAM_ESYNTAX, "--sort=%.64s: sorted can be by mailbox, memory or turns", name);
}

/* --sort=KEY and N in any order. */
static int parse_procs(node_cmd_t *cmd, key_fn_t *ret_key, uint32_t *ret_count)
{
	const char *word;
	int r = DREAM_OK;
	*ret_key = NULL;
	*ret_count = PROCS_DEFAULT;
	while (r == DREAM_OK && (word = node_cmd_word(cmd)) != NULL) {
		guint64 count;
		if (g_str_has_prefix(word, "--sort="))
			r = parse_sort(cmd, word + strlen("--sort="), ret_key);
		else if (g_ascii_string_to_unsigned(word, 10, 1, NODE_CONSOLE_ROWS_MAX, &count, NULL))
			*ret_count = (uint32_t) count;
		else
			r = node_cmd_fail(cmd, DREAM_ESYNTAX,
				"\"%.64s\" is no number of processes from 1 to %u", word,
				NODE_CONSOLE_ROWS_MAX);
	}
	return r;
}

static int compare_picks(gconstpointer a, gconstpointer b)
{
	const pick_t *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? 1 : -1;
	return (uint32_t) x->id < (uint32_t) y->id ? -1 : (uint32_t) x->id > (uint32_t) y->id;
}

/* Keeps at most twice @count candidates: when that many are there, the lesser half goes. So the best
 * @count of any number of processes cost little memory and one sort per @count of them. */
static void add_pick(GArray *picks, uint32_t count, pick_t pick)
{
	g_array_append_val(picks, pick);
	if (picks->len < 2 * count)
		return;
	g_array_sort(picks, compare_picks);
	g_array_set_size(picks, count);
}

static int pick_procs(node_cmd_t *cmd, key_fn_t key, uint32_t count, GArray *picks, uint64_t *ret_total)
{
	uint32_t pos = 0;
	node_proc_t *proc;
	int r = DREAM_OK;
	*ret_total = 0;
	while (r == DREAM_OK && (proc = node_proctab_next(cmd->node, &pos)) != NULL) {
		pick_t pick = {
			proc, __atomic_load_n(&proc->id, __ATOMIC_RELAXED), key != NULL ? key(proc) : 0};
		if (++*ret_total % BREATHE_EVERY == 0)
			r = node_cmd_breathe(cmd);
		if (key != NULL || picks->len < count)
			add_pick(picks, count, pick);
	}
	g_array_sort(picks, compare_picks);
	if (picks->len > count)
		g_array_set_size(picks, count);
	return r;
}

static void put_proc(node_cmd_t *cmd, node_output_table_t *table, const pick_t *pick, GHashTable *names)
{
	const node_proc_t *proc = pick->proc;
	dream_pid_t pid = {pick->id, cmd->node->creation, 0};
	char text[300], label[NODE_NAME_MAX + 1];
	bool labelled = node_names_label_of(cmd->node, pid, label)[0] != '\0';
	node_output_cell_text(table, node_proc_pid_text(cmd->node, pid, text));
	node_output_cell_text(table, g_hash_table_lookup(names, &pick->id));
	node_output_cell_text(table, label_of(proc));
	node_output_cell_text(table, node_app_of_borrow(proc));
	node_output_cell_text(table, status_of(proc));
	node_output_cell_int(table, (int64_t) by_mailbox(proc));
	node_output_cell_int(table, (int64_t) by_memory(proc));
	node_output_cell_int(table, (int64_t) by_turns(proc));
	node_output_cell_text(table, labelled ? label : NULL);
}

static void free_array(void *array)
{
	g_array_unref(array);
}

static int run_procs(node_cmd_t *cmd)
{
	static const char *const columns[] = {
		"pid", "name", "kind", "application", "status", "mailbox", "memory", "turns", "label", NULL};
	key_fn_t key;
	uint32_t count;
	uint64_t total;
	int r = parse_procs(cmd, &key, &count);
	if (r < 0)
		return r;
	GArray *picks = node_cmd_keep(cmd, g_array_new(FALSE, FALSE, sizeof(pick_t)), free_array);
	r = pick_procs(cmd, key, count, picks, &total);
	if (r < 0)
		return r;
	g_autoptr(GHashTable) names = names_by_id_new(cmd->node);
	node_output_table_t table;
	node_output_table_start(&table, columns);
	for (guint i = 0; i < picks->len; i++)
		if (node_output_row(&table))
			put_proc(cmd, &table, &g_array_index(picks, pick_t, i), names);
	table.n_more += total > picks->len ? total - picks->len : 0;
	return node_output_table_end(cmd, &table);
}

/* ---- info ---- */

static void put_code(node_output_facts_t *facts, const node_proc_t *proc)
{
	const node_gen_t *gen =
		__atomic_load_n(&proc->gen, __ATOMIC_ACQUIRE); /* stays mapped while the node lives */
	uint64_t crashes = gen != NULL ? node_code_crashes(gen) : 0;
	if (crashes > 0)
		node_output_fact_printf(facts, "module", "%s %s, tainted by %" G_GUINT64_FORMAT " crashes",
			gen->name, gen->vsn, crashes);
	else if (gen != NULL)
		node_output_fact_printf(facts, "module", "%s %s", gen->name, gen->vsn);
	else
		node_output_fact_text(facts, "module", NULL);
}

static int show_info(node_cmd_t *cmd, const node_proc_t *proc, dream_pid_t pid)
{
	char text[300], name[NODE_NAME_MAX + 1];
	uint32_t flags = __atomic_load_n(&proc->flags, __ATOMIC_RELAXED);
	node_output_facts_t facts;
	node_output_facts_start(&facts);
	node_output_fact_text(&facts, "pid", node_proc_pid_text(cmd->node, pid, text));
	node_names_of(cmd->node, pid, name);
	node_output_fact_text(&facts, "name", name[0] != '\0' ? name : NULL);
	node_output_fact_text(&facts, "kind", label_of(proc));
	node_names_label_of(cmd->node, pid, name);
	node_output_fact_text(&facts, "label", name[0] != '\0' ? name : NULL);
	const node_proc_ops_t *ops = __atomic_load_n(&proc->ops, __ATOMIC_RELAXED);
	node_output_fact_text(
		&facts, "behaviour", ops != NULL ? ops->what : NULL); /* NULL: it has just ended */
	put_code(&facts, proc);
	node_output_fact_text(&facts, "application", node_app_of_borrow(proc));
	dream_pid_t parent = node_proc_parent(proc);
	node_output_fact_text(
		&facts, "parent", parent.id != 0 ? node_proc_pid_text(cmd->node, parent, text) : NULL);
	node_output_fact_text(&facts, "status", status_of(proc));
	node_output_fact_int(&facts, "mailbox", (int64_t) by_mailbox(proc));
	node_output_fact_int(
		&facts, "mailbox bytes", (int64_t) __atomic_load_n(&proc->inbox_bytes, __ATOMIC_RELAXED));
	if (flags & NODE_PROC_GATED)
		node_output_fact_int(&facts, "messages refused", (int64_t) node_gate_refused(proc));
	node_output_fact_int(&facts, "memory bytes", (int64_t) by_memory(proc));
	node_output_fact_int(&facts, "turns", (int64_t) by_turns(proc));
	node_output_fact_int(&facts, "scheduler", __atomic_load_n(&proc->last_sched, __ATOMIC_RELAXED));
	node_output_fact_bool(&facts, "traps exits", (flags & NODE_PROC_TRAP_EXIT) != 0);
	return node_output_facts_end(cmd, &facts);
}

static int run_info(node_cmd_t *cmd)
{
	char *word;
	node_proc_t *proc;
	dream_pid_t pid;
	int r = node_cmd_need_word(cmd, "the PID or NAME", &word);
	if (r == DREAM_OK)
		r = node_cmd_need_end(cmd);
	if (r == DREAM_OK)
		r = node_cmd_proc(cmd, word, &proc, &pid);
	return r < 0 ? r : show_info(cmd, proc, pid);
}

const node_command_t node_inspect_commands[] = {
	{.name = "procs",
		.args = "[--sort=mailbox|memory|turns] [N]",
		.help = "the processes, or the N that have most of something",
		.example = "procs --sort=memory 10",
		.run = run_procs},
	{.name = "info",
		.args = "PID|NAME",
		.help = "all about one process",
		.example = "info counter",
		.run = run_info},
	{.name = NULL}};
