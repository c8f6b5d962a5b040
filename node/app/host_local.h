/* SPDX-License-Identifier: MIT */
/* host_local.h: what the files behind the host table share. All [process]. */
#ifndef NODE_APP_HOST_LOCAL_H
#define NODE_APP_HOST_LOCAL_H
#include <dream/process.h>

#include "otp/start.h"
#include "term/cbor.h"

DREAM_BEGIN_DECLS

/** The calling process. */
node_proc_t *node_host_me(void);
/** The same, for what it could do for ever without waiting: others may have a turn first. */
node_proc_t *node_host_me_charged(void);

/** Gives a message (taken) to the module. Errors DREAM_ENOMEM. */
int node_host_give_take(node_proc_t *proc, dream_msg_t *msg, dream_msg_t **ret_msg);

/** Takes a message back from the module, a reference of yours then; NULL for NULL. One that was lent to the module comes back
 *  as a further reference. Anything else ends the process: it is no message, or somebody else's. */
dream_msg_t *node_host_take_back(node_proc_t *proc, dream_msg_t *msg);

/** Encodes as dream_msg_encode() does; *ret_msg is yours. Errors as there; the process knows why. */
int node_host_encode(node_proc_t *proc, const char *tag, const dream_type_t *type, const void *value,
	dream_msg_t **ret_msg);

/** Decodes one item, or what node_codec_split_tag() left, into the process's memory; a failure leaves @ret_value as it was. */
int node_host_decode(
	node_proc_t *proc, node_cbor_reader_t *r, bool payload, const dream_type_t *type, void *ret_value);

/** Where a monitor of @target goes; the pid is zero if nobody has the name. Errors DREAM_ENOCONNECTION, DREAM_EINVAL. */
int node_host_target(node_proc_t *proc, const dream_dest_t *target, dream_pid_t *ret_pid);

/** The caller broke the contract: ends it with ["badarg", @what], and nobody else. Does not return. */
DREAM_NORETURN void node_host_badarg(node_proc_t *proc, const char *what);

static inline dream_ref_t node_host_ref(const node_proc_t *proc, uint64_t id)
{
	dream_ref_t ref = {id, proc->node->creation, 0};
	return ref;
}

/** True if @ref was made by this incarnation of this node. */
static inline bool node_host_ref_is_ours(const node_proc_t *proc, dream_ref_t ref)
{
	return ref.id != 0 && ref.node == 0 && ref.creation == proc->node->creation;
}

/** What a spawn asks for: @how, whose flags may be those in @flags. Errors DREAM_EINVAL. */
int node_host_read_spawn(
	node_proc_t *proc, const dream_spawn_t *how, uint32_t flags, node_start_t *ret_start);

DREAM_END_DECLS
#endif
