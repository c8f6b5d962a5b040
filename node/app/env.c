/* SPDX-License-Identifier: MIT */
/* The environment of applications: what the configuration says goes before what the module says (APP-1). */
#include <string.h>

#include "app/local.h"
#include "term/cbor.h"
#include "term/notation.h"

int node_env_parse_defaults(const dream_application_ops_t *ops, dream_msg_t **ret_map, node_diag_t *diag)
{
	const char *text = ops->env != NULL ? ops->env : "{}";
	dream_msg_t *map;
	int r = node_notation_parse(text, strlen(text), &map, diag);
	if (r < 0)
		return r;
	node_cbor_reader_t reader = node_cbor_read_msg(map);
	uint64_t count;
	if (node_cbor_get_map(&reader, &count) < 0) {
		node_msg_unref(map);
		return node_diag_set(diag, DREAM_ESYNTAX, "env is not a map");
	}
	*ret_map = map;
	return DREAM_OK;
}

static void unref_msg(gpointer msg)
{
	node_msg_unref(msg);
}

static GHashTable *layer_of(node_apps_t *apps, const char *app)
{
	GHashTable *layer = g_hash_table_lookup(apps->config, app);
	if (layer == NULL) {
		layer = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_msg);
		g_hash_table_insert(apps->config, g_strdup(app), layer);
	}
	return layer;
}

int node_app_env_set_take(node_t *node, const char *app, const char *key, dream_msg_t *value)
{
	node_apps_t *apps = node->apps;
	pthread_mutex_lock(&apps->lock);
	g_hash_table_replace(layer_of(apps, app), g_strdup(key), value);
	pthread_mutex_unlock(&apps->lock);
	return DREAM_OK;
}

void node_app_env_reset(node_t *node)
{
	pthread_mutex_lock(&node->apps->lock);
	g_hash_table_remove_all(node->apps->config);
	pthread_mutex_unlock(&node->apps->lock);
}

static dream_msg_t *configured(node_apps_t *apps, const char *app, const char *key)
{
	GHashTable *layer = g_hash_table_lookup(apps->config, app);
	dream_msg_t *value = layer != NULL ? g_hash_table_lookup(layer, key) : NULL;
	return node_msg_ref(value);
}

static dream_msg_t *built_in(node_apps_t *apps, const char *name, const char *key)
{
	const uint8_t *data;
	uint64_t size;
	dream_msg_t *value = NULL;
	const node_app_t *app = node_app_find_locked(apps, name);
	if (app != NULL && node_cbor_map_find(app->defaults->data, app->defaults->size_bytes, key, &data,
				   &size) == DREAM_OK)
		(void) node_msg_copy(data, size, &value);
	return value;
}

int node_app_env_get(node_t *node, const char *app, const char *key, dream_msg_t **ret_value)
{
	node_apps_t *apps = node->apps;
	pthread_mutex_lock(&apps->lock);
	dream_msg_t *value = configured(apps, app, key);
	if (value == NULL)
		value = built_in(apps, app, key);
	pthread_mutex_unlock(&apps->lock);
	if (value == NULL)
		return DREAM_ENOENT;
	*ret_value = value;
	return DREAM_OK;
}

/* The defaults that no configured key hides. */
static void put_defaults(node_cbor_writer_t *w, const node_app_t *app, GHashTable *layer)
{
	node_cbor_reader_t r = node_cbor_read_msg(app->defaults);
	uint64_t count;
	if (node_cbor_get_map(&r, &count) < 0)
		return;
	for (uint64_t i = 0; i < count; i++) {
		const char *key;
		const uint8_t *data;
		uint64_t key_size, size;
		if (count == UINT64_MAX && node_cbor_take_break(&r))
			return;
		if (node_cbor_get_text(&r, &key, &key_size) < 0 || node_cbor_get_item(&r, &data, &size) < 0)
			return;
		g_autofree char *name = g_strndup(key, key_size);
		if (layer != NULL && g_hash_table_contains(layer, name))
			continue;
		node_cbor_put_text_n(w, key, key_size);
		node_cbor_put_item(w, data, size);
	}
}

static gint by_text(gconstpointer a, gconstpointer b)
{
	return strcmp(a, b);
}

static void put_layer(node_cbor_writer_t *w, GHashTable *layer)
{
	GList *keys = layer != NULL ? g_list_sort(g_hash_table_get_keys(layer), by_text) : NULL;
	for (GList *at = keys; at != NULL; at = at->next) {
		node_cbor_put_text(w, at->data);
		node_cbor_put_msg(w, g_hash_table_lookup(layer, at->data));
	}
	g_list_free(keys);
}

int node_app_env_map(node_t *node, const char *name, dream_msg_t **ret_map)
{
	node_apps_t *apps = node->apps;
	node_cbor_writer_t w;
	node_cbor_init(&w);
	pthread_mutex_lock(&apps->lock);
	const node_app_t *app = node_app_find_locked(apps, name);
	GHashTable *layer = g_hash_table_lookup(apps->config, name);
	if (app != NULL) {
		node_cbor_put_map_start(&w);
		put_layer(&w, layer);
		put_defaults(&w, app, layer);
		node_cbor_put_break(&w);
	}
	pthread_mutex_unlock(&apps->lock);
	if (app != NULL)
		return node_cbor_finish(&w, ret_map);
	node_cbor_fini(&w);
	return DREAM_ENOENT;
}
