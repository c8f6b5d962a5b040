/* SPDX-License-Identifier: MIT */
/* change.h: carrying one server to another generation of its module and back (semantics SYS-7, UP). */
#ifndef NODE_OTP_CHANGE_H
#define NODE_OTP_CHANGE_H
#include "otp/server.h"

DREAM_BEGIN_DECLS

/** Tries to carry the state to @gen and throws the result away. Errors DREAM_ECODECHANGE, DREAM_ENOMEM, in @diag why. [process] */
int node_change_check(node_proc_t *proc, node_server_t *server, const node_gen_t *gen, node_diag_t *diag);
/** Goes over to the module's current generation; the old state and code are kept. On failure nothing has changed. [process] */
int node_change_over(node_proc_t *proc, node_server_t *server, node_diag_t *diag);
/** Gives up what was kept. [process] */
void node_change_commit(node_proc_t *proc, node_server_t *server);
/** Goes back: by field names where both states are described, so that what happened since is kept; else to the kept state. A server
 *  that was started on the newer code has nothing to go back to: DREAM_ECODECHANGE. [process] */
int node_change_back(node_proc_t *proc, node_server_t *server, node_diag_t *diag);
/** The state as a term: described, or null with its size unknown. NULL: out of memory. [process] */
dream_msg_t *node_change_state_term(node_proc_t *proc, const node_server_t *server);

DREAM_END_DECLS
#endif
