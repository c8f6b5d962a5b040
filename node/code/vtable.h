/* SPDX-License-Identifier: MIT */
/* vtable.h: the vtables of the four types of kinds: what each must hold, and its copy. */
#ifndef NODE_CODE_VTABLE_H
#define NODE_CODE_VTABLE_H
#include "code/adopt.h"

DREAM_BEGIN_DECLS

/** Copies and checks the vtable of @kind, whose name and type are set. Lists are copied too, into the
 *  generation's memory, so that none of their structs keeps the module's size.
 *  Errors    DREAM_EMODULE, DREAM_ETYPE, DREAM_ENOMEM. [any] */
int node_vtable_copy(node_adopt_t *a, node_kind_t *kind, const void *ops);

/** Checks what kinds say about each other, once all are copied: roots and children that lie in this module.
 *  Errors    DREAM_EMODULE. [any] */
int node_vtable_check_references(node_adopt_t *a);

DREAM_END_DECLS
#endif
