/* SPDX-License-Identifier: MIT */
/* nodetab.h: small numbers for the names of nodes, as pids carry them. A name is added only when its owner has
 * proven it or when we dial it, never because somebody's bytes mention it. */
#ifndef NODE_DIST_NODETAB_H
#define NODE_DIST_NODETAB_H
#include <pthread.h>
#include <glib.h>
#include "base/node.h"

DREAM_BEGIN_DECLS

typedef struct node_nodetab {
	pthread_rwlock_t lock;
	GHashTable *numbers; /* name -> number */
	GPtrArray *names;    /* by number; 0 is NULL */
	uint32_t cap;
} node_nodetab_t;

void node_nodetab_init(node_nodetab_t *tab, uint32_t cap);
void node_nodetab_fini(node_nodetab_t *tab);

/** The number of a name, a new one if need be. Errors DREAM_ELIMIT. [any] */
int node_nodetab_add(node_nodetab_t *tab, const char *name, uint32_t *ret_number);
/** Errors DREAM_ENOENT. [any] */
int node_nodetab_find(node_nodetab_t *tab, const char *name, uint64_t name_size, uint32_t *ret_number);
/** NULL for none; lives as long as the table. [any] */
const char *node_nodetab_name_borrow(node_nodetab_t *tab, uint32_t number);

DREAM_END_DECLS
#endif
