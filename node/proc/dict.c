/* SPDX-License-Identifier: MIT */
#include "proc/dict.h"

#include <glib.h>

static void unref_msg(void *msg)
{
	node_msg_unref(msg);
}

static bool valid(const char *key)
{
	size_t size = strnlen(key, NODE_NAME_MAX + 1);
	return size > 0 && size <= NODE_NAME_MAX && g_utf8_validate(key, (gssize) size, NULL);
}

int node_dict_set(node_proc_t *proc, const char *key, const dream_msg_t *value)
{
	node_proc_extra_t *extra = node_proc_extra_make(proc);
	if (!valid(key))
		return DREAM_EINVAL;
	if (extra == NULL)
		return DREAM_ENOMEM;
	if (extra->dict == NULL)
		extra->dict = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_msg);
	if (g_hash_table_size(extra->dict) >= NODE_DICT_KEYS_MAX && !g_hash_table_contains(extra->dict, key))
		return DREAM_ELIMIT;
	g_hash_table_replace(extra->dict, g_strdup(key), node_msg_ref(value));
	return DREAM_OK;
}

static GHashTable *dict_of(const node_proc_t *proc)
{
	return proc->extra != NULL ? proc->extra->dict : NULL;
}

const dream_msg_t *node_dict_get_borrow(const node_proc_t *proc, const char *key)
{
	GHashTable *dict = dict_of(proc);
	return dict != NULL ? g_hash_table_lookup(dict, key) : NULL;
}

bool node_dict_erase(node_proc_t *proc, const char *key)
{
	GHashTable *dict = dict_of(proc);
	return dict != NULL && g_hash_table_remove(dict, key);
}

void node_dict_put(node_cbor_writer_t *w, const node_proc_t *proc, uint64_t max_bytes)
{
	GHashTable *dict = dict_of(proc);
	GHashTableIter iter;
	gpointer key, value;
	uint64_t bytes = 0;
	node_cbor_put_map_start(w);
	if (dict != NULL) {
		g_hash_table_iter_init(&iter, dict);
		while (g_hash_table_iter_next(&iter, &key, &value)) {
			uint64_t size = strlen(key) + ((const dream_msg_t *) value)->size_bytes;
			if (bytes + size > max_bytes)
				continue;
			bytes += size;
			node_cbor_put_text(w, key);
			node_cbor_put_msg(w, value);
		}
	}
	node_cbor_put_break(w);
}
