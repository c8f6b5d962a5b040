/* SPDX-License-Identifier: MIT */
#include "io/source.h"

#include <glib.h>
#include <pthread.h>

#include "io/local.h"

#define SHARDS 16u /* so that schedulers seldom wait for each other here */

typedef struct {
	pthread_mutex_t lock;
	GHashTable *by_id; /* guint64 * in the source -> node_source_t * */
} shard_t;

struct node_sourcetab {
	shard_t shards[SHARDS];
};

node_sourcetab_t *node_source_tab_new(void)
{
	node_sourcetab_t *tab = g_try_new0(node_sourcetab_t, 1);
	for (uint32_t i = 0; i < SHARDS && tab != NULL; i++) {
		pthread_mutex_init(&tab->shards[i].lock, NULL);
		tab->shards[i].by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
	}
	return tab;
}

void node_source_tab_free(node_sourcetab_t *tab)
{
	for (uint32_t i = 0; i < SHARDS; i++) {
		g_hash_table_destroy(tab->shards[i].by_id);
		pthread_mutex_destroy(&tab->shards[i].lock);
	}
	g_free(tab);
}

static shard_t *shard_of(node_io_t *io, uint64_t id)
{
	return &io->sources->shards[id % SHARDS];
}

void node_source_add(node_source_t *source)
{
	shard_t *shard = shard_of(source->io, source->id);
	node_source_ref(source);
	pthread_mutex_lock(&shard->lock);
	g_hash_table_insert(shard->by_id, &source->id, source);
	pthread_mutex_unlock(&shard->lock);
}

void node_source_remove(node_source_t *source)
{
	shard_t *shard = shard_of(source->io, source->id);
	pthread_mutex_lock(&shard->lock);
	bool found = g_hash_table_remove(shard->by_id, &source->id);
	pthread_mutex_unlock(&shard->lock);
	if (found)
		node_source_unref(source);
}

node_source_t *node_source_find_ref(node_io_t *io, uint64_t id)
{
	shard_t *shard = shard_of(io, id);
	pthread_mutex_lock(&shard->lock);
	node_source_t *source = g_hash_table_lookup(shard->by_id, &id);
	if (source != NULL)
		node_source_ref(source);
	pthread_mutex_unlock(&shard->lock);
	return source;
}

node_source_t *node_source_ref(node_source_t *source)
{
	__atomic_fetch_add(&source->refs, 1, __ATOMIC_RELAXED);
	return source;
}

void node_source_unref(node_source_t *source)
{
	if (source != NULL && __atomic_fetch_sub(&source->refs, 1, __ATOMIC_ACQ_REL) == 1)
		source->free(source);
}

uint32_t node_source_count(node_io_t *io)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < SHARDS; i++) {
		shard_t *shard = &io->sources->shards[i];
		pthread_mutex_lock(&shard->lock);
		count += g_hash_table_size(shard->by_id);
		pthread_mutex_unlock(&shard->lock);
	}
	return count;
}
