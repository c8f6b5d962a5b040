/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "proc/names.h"

typedef struct node_names_entry {
	GList link; /* of names->all */
	dream_pid_t pid;
	char *name;
	bool shown; /* false: its process is being made */
} entry_t;

typedef struct node_names_label {
	GList link; /* of names->all_labels */
	uint64_t id;
	char text[];
} label_t;

struct node_names {
	pthread_rwlock_t lock;
	GHashTable *by_name; /* char * in the entry -> entry_t * */
	GHashTable *by_id;   /* uint64_t * in the entry -> entry_t * (owned) */
	GHashTable *labels;  /* uint64_t * in the label -> label_t * (owned) */
	/* The same once more, for who reads the memory from outside (tools/): what a GHashTable looks like is GLib's secret. */
	GQueue all;
	GQueue all_labels;
};

static void free_entry(void *data)
{
	entry_t *entry = data;
	g_free(entry->name);
	g_free(entry);
}

int node_names_open(node_t *node)
{
	node_names_t *names = g_try_new0(node_names_t, 1);
	if (names == NULL)
		return DREAM_ENOMEM;
	pthread_rwlock_init(&names->lock, NULL);
	names->by_name = g_hash_table_new(g_str_hash, g_str_equal);
	names->by_id = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_entry);
	names->labels = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
	node->names = names;
	return DREAM_OK;
}

void node_names_close(node_t *node)
{
	node_names_t *names = node->names;
	if (names == NULL)
		return;
	g_hash_table_destroy(names->by_name);
	g_hash_table_destroy(names->by_id);
	g_hash_table_destroy(names->labels);
	pthread_rwlock_destroy(&names->lock);
	g_free(names);
	node->names = NULL;
}

static bool valid(const char *text)
{
	size_t size = strnlen(text, NODE_NAME_MAX + 1);
	return size > 0 && size <= NODE_NAME_MAX && g_utf8_validate(text, (gssize) size, NULL);
}

/* ---- with the lock held for writing ---- */

static uint16_t named(const node_proc_t *proc)
{
	return __atomic_load_n(&proc->named, __ATOMIC_SEQ_CST);
}

static void set_named(node_proc_t *proc, uint16_t bit, bool on)
{
	uint16_t before = named(proc);
	uint16_t value = (uint16_t) (on ? before | bit : before & ~bit);
	__atomic_store_n(&proc->named, value, __ATOMIC_SEQ_CST);
}

static void add_link(GQueue *queue, GList *link, void *data)
{
	*link = (GList){.data = data};
	g_queue_push_tail_link(queue, link);
}

static void remove_entry(node_names_t *names, entry_t *entry)
{
	g_queue_unlink(&names->all, &entry->link);
	g_hash_table_remove(names->by_name, entry->name);
	g_hash_table_remove(names->by_id, &entry->pid.id);
}

static int add_entry(node_names_t *names, const char *name, node_proc_t *proc, dream_pid_t pid, bool shown)
{
	if (g_hash_table_contains(names->by_name, name) || g_hash_table_contains(names->by_id, &pid.id))
		return DREAM_EEXIST;
	entry_t *entry = g_new(entry_t, 1);
	*entry = (entry_t){.pid = pid, .name = g_strdup(name), .shown = shown};
	add_link(&names->all, &entry->link, entry);
	g_hash_table_insert(names->by_name, entry->name, entry);
	g_hash_table_insert(names->by_id, &entry->pid.id, entry);
	set_named(proc, NODE_NAMED_NAME, true);
	return DREAM_OK;
}

/* A process that ends hides its id first and looks at `named` then; we wrote that first and look at the id now, all of it
 * in sequentially consistent order: one of us sees the other. */
static bool has_ended(const node_proc_t *proc, uint64_t id)
{
	return __atomic_load_n(&proc->id, __ATOMIC_SEQ_CST) != id;
}

/* ---- names ---- */

int node_names_reserve(node_t *node, const char *name, node_proc_t *proc, uint64_t id)
{
	if (!valid(name))
		return DREAM_EINVAL;
	node_names_t *names = node->names;
	pthread_rwlock_wrlock(&names->lock);
	int r = add_entry(names, name, proc, (dream_pid_t){id, node->creation, 0}, false);
	pthread_rwlock_unlock(&names->lock);
	return r;
}

void node_names_show(node_t *node, uint64_t id)
{
	node_names_t *names = node->names;
	pthread_rwlock_wrlock(&names->lock);
	entry_t *entry = g_hash_table_lookup(names->by_id, &id);
	if (entry != NULL)
		entry->shown = true;
	pthread_rwlock_unlock(&names->lock);
}

int node_names_register(node_t *node, const char *name, dream_pid_t pid)
{
	if (!valid(name))
		return DREAM_EINVAL;
	node_names_t *names = node->names;
	node_proc_t *proc =
		pid.node == 0 && pid.creation == node->creation ? node_proctab_find(node, pid.id) : NULL;
	if (proc == NULL)
		return DREAM_ENOPROC;
	pthread_rwlock_wrlock(&names->lock);
	int r = add_entry(names, name, proc, pid, true);
	if (r == DREAM_OK && has_ended(proc, pid.id)) {
		/* The bit stays: the slot may be another's now, who has a name. */
		remove_entry(names, g_hash_table_lookup(names->by_name, name));
		r = DREAM_ENOPROC;
	}
	pthread_rwlock_unlock(&names->lock);
	return r;
}

int node_names_unregister(node_t *node, const char *name)
{
	node_names_t *names = node->names;
	int r = DREAM_ENOENT;
	pthread_rwlock_wrlock(&names->lock);
	entry_t *entry = g_hash_table_lookup(names->by_name, name);
	if (entry != NULL && entry->shown) {
		node_proc_t *proc = node_proctab_find(node, entry->pid.id);
		if (proc != NULL)
			set_named(proc, NODE_NAMED_NAME, false);
		remove_entry(names, entry);
		r = DREAM_OK;
	}
	pthread_rwlock_unlock(&names->lock);
	return r;
}

static void remove_label(node_names_t *names, uint64_t id)
{
	label_t *label = g_hash_table_lookup(names->labels, &id);
	if (label == NULL)
		return;
	g_queue_unlink(&names->all_labels, &label->link);
	g_hash_table_remove(names->labels, &id);
}

void node_names_drop(node_t *node, node_proc_t *proc, uint64_t id)
{
	node_names_t *names = node->names;
	if (named(proc) == 0)
		return;
	pthread_rwlock_wrlock(&names->lock);
	entry_t *entry = g_hash_table_lookup(names->by_id, &id);
	if (entry != NULL)
		remove_entry(names, entry);
	remove_label(names, id);
	__atomic_store_n(&proc->named, 0, __ATOMIC_SEQ_CST);
	pthread_rwlock_unlock(&names->lock);
}

static int find(node_t *node, const char *name, bool shown, dream_pid_t *ret_pid)
{
	pthread_rwlock_rdlock(&node->names->lock);
	const entry_t *entry = g_hash_table_lookup(node->names->by_name, name);
	bool found = entry != NULL && (entry->shown || !shown);
	if (found)
		*ret_pid = entry->pid;
	pthread_rwlock_unlock(&node->names->lock);
	return found ? DREAM_OK : DREAM_ENOENT;
}

int node_names_whereis(node_t *node, const char *name, dream_pid_t *ret_pid)
{
	return find(node, name, true, ret_pid);
}

int node_names_owner(node_t *node, const char *name, dream_pid_t *ret_pid)
{
	return find(node, name, false, ret_pid);
}

void node_names_each(node_t *node, void (*each)(void *data, const char *name, dream_pid_t pid), void *data)
{
	GHashTableIter iter;
	gpointer value;
	pthread_rwlock_rdlock(&node->names->lock);
	g_hash_table_iter_init(&iter, node->names->by_name);
	while (g_hash_table_iter_next(&iter, NULL, &value)) {
		const entry_t *entry = value;
		if (entry->shown)
			each(data, entry->name, entry->pid);
	}
	pthread_rwlock_unlock(&node->names->lock);
}

char *node_names_of(node_t *node, dream_pid_t pid, char *buffer)
{
	buffer[0] = '\0';
	if (pid.node != 0 || pid.creation != node->creation)
		return buffer;
	pthread_rwlock_rdlock(&node->names->lock);
	const entry_t *entry = g_hash_table_lookup(node->names->by_id, &pid.id);
	if (entry != NULL && entry->shown)
		g_strlcpy(buffer, entry->name, NODE_NAME_MAX + 1);
	pthread_rwlock_unlock(&node->names->lock);
	return buffer;
}

/* ---- labels ---- */

static void add_label(node_names_t *names, uint64_t id, const char *text)
{
	label_t *label = g_malloc(sizeof(*label) + strlen(text) + 1);
	label->id = id;
	strcpy(label->text, text);
	add_link(&names->all_labels, &label->link, label);
	g_hash_table_insert(names->labels, &label->id, label);
}

int node_names_set_label(node_proc_t *proc, const char *label)
{
	node_names_t *names = proc->node->names;
	uint64_t id = proc->id;
	if (label != NULL && !valid(label))
		return DREAM_EINVAL;
	pthread_rwlock_wrlock(&names->lock);
	remove_label(names, id);
	if (label != NULL)
		add_label(names, id, label);
	set_named(proc, NODE_NAMED_LABEL, label != NULL);
	pthread_rwlock_unlock(&names->lock);
	return DREAM_OK;
}

char *node_names_label_of(node_t *node, dream_pid_t pid, char *buffer)
{
	buffer[0] = '\0';
	pthread_rwlock_rdlock(&node->names->lock);
	const label_t *label = g_hash_table_lookup(node->names->labels, &pid.id);
	if (label != NULL)
		g_strlcpy(buffer, label->text, NODE_NAME_MAX + 1);
	pthread_rwlock_unlock(&node->names->lock);
	return buffer;
}
