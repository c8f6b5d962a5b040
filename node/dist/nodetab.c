/* SPDX-License-Identifier: MIT */
#include "dist/nodetab.h"

#include <string.h>

void node_nodetab_init(node_nodetab_t *tab, uint32_t cap)
{
	pthread_rwlock_init(&tab->lock, NULL);
	tab->numbers = g_hash_table_new(g_str_hash, g_str_equal);
	tab->names = g_ptr_array_new_with_free_func(g_free);
	tab->cap = cap;
	g_ptr_array_add(tab->names, NULL);
}

void node_nodetab_fini(node_nodetab_t *tab)
{
	g_hash_table_destroy(tab->numbers);
	g_ptr_array_free(tab->names, TRUE);
	pthread_rwlock_destroy(&tab->lock);
}

int node_nodetab_add(node_nodetab_t *tab, const char *name, uint32_t *ret_number)
{
	int r = DREAM_OK;
	pthread_rwlock_wrlock(&tab->lock);
	gpointer number = g_hash_table_lookup(tab->numbers, name);
	if (number == NULL && tab->names->len > tab->cap) {
		r = DREAM_ELIMIT;
	} else if (number == NULL) {
		char *mine = g_strdup(name);
		number = GUINT_TO_POINTER(tab->names->len);
		g_ptr_array_add(tab->names, mine);
		g_hash_table_insert(tab->numbers, mine, number);
	}
	pthread_rwlock_unlock(&tab->lock);
	if (r == DREAM_OK)
		*ret_number = GPOINTER_TO_UINT(number);
	return r;
}

int node_nodetab_find(node_nodetab_t *tab, const char *name, uint64_t name_size, uint32_t *ret_number)
{
	char key[NODE_NAME_MAX + 1];
	if (name_size > NODE_NAME_MAX)
		return DREAM_ENOENT;
	memcpy(key, name, name_size);
	key[name_size] = '\0';
	pthread_rwlock_rdlock(&tab->lock);
	uint32_t number = GPOINTER_TO_UINT(g_hash_table_lookup(tab->numbers, key));
	pthread_rwlock_unlock(&tab->lock);
	if (number == 0)
		return DREAM_ENOENT;
	*ret_number = number;
	return DREAM_OK;
}

const char *node_nodetab_name_borrow(node_nodetab_t *tab, uint32_t number)
{
	pthread_rwlock_rdlock(&tab->lock);
	const char *name = number < tab->names->len ? g_ptr_array_index(tab->names, number) : NULL;
	pthread_rwlock_unlock(&tab->lock);
	return name;
}
