/* SPDX-License-Identifier: MIT */
#include "proc/reftab.h"

#include <string.h>

struct node_reftab {
	uint32_t cap; /* a power of two */
	uint32_t count;
	node_refent_t slots[];
};

#define FIRST_CAP 2u /* one entry: most have a link to their parent and no other */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= 0xff51afd7ed558ccdu;
	x ^= x >> 33;
	x *= 0xc4ceb9fe1a85ec53u;
	return x ^ (x >> 33);
}

uint64_t node_reftab_pid_key(dream_pid_t pid)
{
	uint64_t key = mix(pid.id ^ ((uint64_t) pid.node << 32 | pid.creation) * 0x9e3779b97f4a7c15u);
	return key == 0 ? 1 : key;
}

static node_reftab_t *new_table(uint32_t cap)
{
	node_reftab_t *tab = node_mem_zalloc(sizeof(*tab) + cap * sizeof(node_refent_t));
	if (tab != NULL)
		tab->cap = cap;
	return tab;
}

static node_refent_t *free_slot(node_reftab_t *tab, uint64_t key)
{
	uint32_t i = (uint32_t) mix(key) & (tab->cap - 1);
	while (tab->slots[i].key != 0)
		i = (i + 1) & (tab->cap - 1);
	return &tab->slots[i];
}

static int grow(node_reftab_t **tab)
{
	node_reftab_t *bigger = new_table((*tab)->cap * 2);
	if (bigger == NULL)
		return DREAM_ENOMEM;
	for (uint32_t i = 0; i < (*tab)->cap; i++)
		if ((*tab)->slots[i].key != 0)
			*free_slot(bigger, (*tab)->slots[i].key) = (*tab)->slots[i];
	bigger->count = (*tab)->count;
	node_mem_free(*tab);
	*tab = bigger;
	return DREAM_OK;
}

int node_reftab_add(node_reftab_t **tab, uint64_t key, dream_pid_t pid, node_refent_t **ret_entry)
{
	if (*tab == NULL && (*tab = new_table(FIRST_CAP)) == NULL)
		return DREAM_ENOMEM;
	if (((*tab)->count + 1) * 4 > (*tab)->cap * 3) {
		int r = grow(tab);
		if (r < 0)
			return r;
	}
	node_refent_t *entry = free_slot(*tab, key);
	*entry = (node_refent_t){.key = key, .pid = pid};
	(*tab)->count++;
	*ret_entry = entry;
	return DREAM_OK;
}

node_refent_t *node_reftab_find(node_reftab_t *tab, uint64_t key, const dream_pid_t *pid)
{
	if (tab == NULL || tab->count == 0)
		return NULL;
	uint32_t i = (uint32_t) mix(key) & (tab->cap - 1);
	for (; tab->slots[i].key != 0; i = (i + 1) & (tab->cap - 1))
		if (tab->slots[i].key == key && (pid == NULL || dream_pid_equal(tab->slots[i].pid, *pid)))
			return &tab->slots[i];
	return NULL;
}

/* Backward shift: later entries of the run move up, so that no tombstones are needed. */
void node_reftab_remove(node_reftab_t *tab, node_refent_t *entry)
{
	uint32_t mask = tab->cap - 1;
	uint32_t hole = (uint32_t) (entry - tab->slots);
	for (uint32_t i = (hole + 1) & mask; tab->slots[i].key != 0; i = (i + 1) & mask) {
		uint32_t home = (uint32_t) mix(tab->slots[i].key) & mask;
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			tab->slots[hole] = tab->slots[i];
			hole = i;
		}
	}
	memset(&tab->slots[hole], 0, sizeof(node_refent_t));
	tab->count--;
}

uint32_t node_reftab_count(const node_reftab_t *tab)
{
	return tab == NULL ? 0 : tab->count;
}

node_refent_t *node_reftab_next(node_reftab_t *tab, uint32_t *pos)
{
	while (tab != NULL && *pos < tab->cap) {
		node_refent_t *entry = &tab->slots[(*pos)++];
		if (entry->key != 0)
			return entry;
	}
	return NULL;
}

void node_reftab_clear(node_reftab_t **tab)
{
	node_mem_free(*tab);
	*tab = NULL;
}
