/* SPDX-License-Identifier: MIT */
/* callback.h: one call into a module: decoding for typed handlers, the raw callbacks otherwise. */
#ifndef NODE_OTP_CALLBACK_H
#define NODE_OTP_CALLBACK_H
#include "otp/server.h"

DREAM_BEGIN_DECLS

/** Runs init. Returns what it returned. [process] */
int node_callback_init(node_proc_t *proc, node_server_t *server);
/** @call lent, is proc->current. The reply, if any, in *ret_reply, yours; negative: an error that ends the server. A request that nobody
 *  understands is answered with DREAM_EREQUEST and gives DREAM_NEXT_NOREPLY. [process] */
dream_next_t node_callback_call(
	node_proc_t *proc, node_server_t *server, const node_sig_t *call, dream_msg_t **ret_reply);
dream_next_t node_callback_cast(node_proc_t *proc, node_server_t *server, const dream_msg_t *msg);
dream_next_t node_callback_info(node_proc_t *proc, node_server_t *server, const dream_msg_t *msg);
dream_next_t node_callback_continue(node_proc_t *proc, node_server_t *server, const dream_msg_t *arg);
void node_callback_terminate(node_proc_t *proc, node_server_t *server, const dream_msg_t *reason);

DREAM_END_DECLS
#endif
