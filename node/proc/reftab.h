/* SPDX-License-Identifier: MIT */
/* reftab.h: small tables of one process: its links by pid, its monitors and open calls by reference. */
#ifndef NODE_PROC_REFTAB_H
#define NODE_PROC_REFTAB_H
#include "base/mem.h"

DREAM_BEGIN_DECLS

typedef struct node_refent {
	uint64_t key; /* 0: free */
	dream_pid_t pid;
	uint64_t aux;
	void *data;
} node_refent_t;

/* NULL is an empty table; made at the first insertion. Open addressing with linear probing. */
typedef struct node_reftab node_reftab_t;

/** A key for a pid. Never 0. */
uint64_t node_reftab_pid_key(dream_pid_t pid);

/** Adds an entry; several may share key and pid. The entry is valid until the next insertion or removal.
 *  Errors DREAM_ENOMEM. O(1) */
int node_reftab_add(node_reftab_t **tab, uint64_t key, dream_pid_t pid, node_refent_t **ret_entry);

/** An entry with this key and, unless NULL, this pid; or NULL. O(1) */
node_refent_t *node_reftab_find(node_reftab_t *tab, uint64_t key, const dream_pid_t *pid);

/** Removes an entry that find or add returned. O(1) */
void node_reftab_remove(node_reftab_t *tab, node_refent_t *entry);

uint32_t node_reftab_count(const node_reftab_t *tab);

/** Iterates: start with *pos 0; NULL at the end. No insertion or removal in between. */
node_refent_t *node_reftab_next(node_reftab_t *tab, uint32_t *pos);

/** Frees the table and sets it to NULL. */
void node_reftab_clear(node_reftab_t **tab);

DREAM_END_DECLS
#endif
