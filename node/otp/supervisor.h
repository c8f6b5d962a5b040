/* SPDX-License-Identifier: MIT */
/* supervisor.h: supervisors: start children, restart them, stop them in order (semantics SUP). */
#ifndef NODE_OTP_SUPERVISOR_H
#define NODE_OTP_SUPERVISOR_H
#include "code/code.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_sup node_sup_t;

extern const node_proc_ops_t node_sup_ops;

/** A supervisor with copies of the kind's child specifications; none is started yet. Owned by the process it is spawned with.
 *  Errors    DREAM_EMODULE a bad specification (SUP-16, SUP-17), DREAM_ENOMEM. [any] */
int node_sup_new(const node_kind_t *kind, node_sup_t **ret_sup, node_diag_t *diag);
void node_sup_free(node_sup_t *sup);

DREAM_END_DECLS
#endif
