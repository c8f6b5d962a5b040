/* SPDX-License-Identifier: MIT */
/* names.h: the tables of registered names and of labels; what processes do with names is in proc.h.
 *
 * The tables alone know the texts. A process knows from proc->named whether it stands in them, so that the end of one
 * that does not costs no lock. */
#ifndef NODE_PROC_NAMES_H
#define NODE_PROC_NAMES_H
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_names node_names_t;

/* node_proc_t.named */
#define NODE_NAMED_NAME 1u
#define NODE_NAMED_LABEL 2u

/** Errors DREAM_ENOMEM. [boot] */
int node_names_open(node_t *node);
/** [boot] */
void node_names_close(node_t *node);

/** Takes a name for a process that is being made: nobody else gets it, and nobody finds it before node_names_show().
 *  Errors DREAM_EEXIST, DREAM_EINVAL (empty, longer than 255 bytes, not UTF-8). [any] */
int node_names_reserve(node_t *node, const char *name, node_proc_t *proc, uint64_t id);
/** The process can be found by its id now, so it may be by its name. [any] */
void node_names_show(node_t *node, uint64_t id);
/** Who has a name, or is being made under it. Errors DREAM_ENOENT. [any] */
int node_names_owner(node_t *node, const char *name, dream_pid_t *ret_pid);

/** Forgets name and label of the process that had @id. [any] */
void node_names_drop(node_t *node, node_proc_t *proc, uint64_t id);

DREAM_END_DECLS
#endif
