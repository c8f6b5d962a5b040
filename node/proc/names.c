/* SPDX-License-Identifier: MIT */
#include <glib.h>
#include <pthread.h>
#include <string.h>

#include "proc/names.h"

struct node_names {
	pthread_rwlock_t lock;
	GHashTable *by_name; /* char * (owned) -> dream_pid_t * (owned) */
};

int node_names_open(node_t *node)
{
	node_names_t *names = g_try_new0(node_names_t, 1);
	if (names == NULL)
		return DREAM_ENOMEM;
	pthread_rwlock_init(&names->lock, NULL);
	names->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	node->names = names;
	return DREAM_OK;
}

void node_names_close(node_t *node)
{
	node_names_t *names = node->names;
	if (names == NULL)
		return;
	g_hash_table_destroy(names->by_name);
	pthread_rwlock_destroy(&names->lock);
	g_free(names);
	node->names = NULL;
}

static bool valid(const char *name)
{
	size_t size = strnlen(name, NODE_NAME_MAX + 1);
	return size > 0 && size <= NODE_NAME_MAX && g_utf8_validate(name, (gssize) size, NULL);
}

int node_names_add(node_t *node, const char *name, dream_pid_t pid)
{
	if (!valid(name))
		return DREAM_EINVAL;
	node_names_t *names = node->names;
	int r = DREAM_EEXIST;
	pthread_rwlock_wrlock(&names->lock);
	if (!g_hash_table_contains(names->by_name, name)) {
		g_hash_table_insert(names->by_name, g_strdup(name), g_memdup2(&pid, sizeof(pid)));
		r = DREAM_OK;
	}
	pthread_rwlock_unlock(&names->lock);
	return r;
}

void node_names_drop(node_t *node, const char *name)
{
	pthread_rwlock_wrlock(&node->names->lock);
	g_hash_table_remove(node->names->by_name, name);
	pthread_rwlock_unlock(&node->names->lock);
}

int node_names_whereis(node_t *node, const char *name, dream_pid_t *ret_pid)
{
	pthread_rwlock_rdlock(&node->names->lock);
	const dream_pid_t *pid = g_hash_table_lookup(node->names->by_name, name);
	if (pid != NULL)
		*ret_pid = *pid;
	pthread_rwlock_unlock(&node->names->lock);
	return pid != NULL ? DREAM_OK : DREAM_ENOENT;
}

void node_names_each(node_t *node, void (*each)(void *data, const char *name, dream_pid_t pid), void *data)
{
	GHashTableIter iter;
	gpointer name, pid;
	pthread_rwlock_rdlock(&node->names->lock);
	g_hash_table_iter_init(&iter, node->names->by_name);
	while (g_hash_table_iter_next(&iter, &name, &pid))
		each(data, name, *(const dream_pid_t *) pid);
	pthread_rwlock_unlock(&node->names->lock);
}

typedef struct {
	dream_pid_t pid;
	char *buffer;
} search_t;

static void match(void *data, const char *name, dream_pid_t pid)
{
	search_t *search = data;
	if (dream_pid_equal(pid, search->pid))
		g_strlcpy(search->buffer, name, NODE_NAME_MAX + 1);
}

char *node_names_of(node_t *node, dream_pid_t pid, char *buffer)
{
	search_t search = {pid, buffer};
	buffer[0] = '\0';
	node_names_each(node, match, &search);
	return buffer;
}
