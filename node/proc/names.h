/* SPDX-License-Identifier: MIT */
/* names.h: the table of registered names; what a process does with it is in proc.h. */
#ifndef NODE_PROC_NAMES_H
#define NODE_PROC_NAMES_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_names node_names_t;

/** Errors DREAM_ENOMEM. [boot] */
int node_names_open(node_t *node);
/** [boot] */
void node_names_close(node_t *node);

/** Adds an entry without looking at the process. Errors DREAM_EEXIST, DREAM_EINVAL (empty, longer than 255 bytes, not
 *  UTF-8). [any] */
int node_names_add(node_t *node, const char *name, dream_pid_t pid);
/** Removes an entry; an unknown name is no error. [any] */
void node_names_drop(node_t *node, const char *name);

DREAM_END_DECLS
#endif
