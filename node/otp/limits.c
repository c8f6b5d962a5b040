/* SPDX-License-Identifier: MIT */
#include "otp/limits.h"

#include <inttypes.h>
#include "sched/stack.h"

#define LEAST_HEAP_BYTES 4096u
#define STACK_MAX_BYTES ((uint64_t) 64 << 20)
#define SUSPEND_MAX_MS 3600000u

static int check(const dream_limits_t *asked, node_diag_t *diag)
{
	if (asked->stack_bytes > STACK_MAX_BYTES)
		return node_diag_set(diag, DREAM_EINVAL, "a stack of %" PRIu64 " bytes; at most 64 MiB",
			asked->stack_bytes);
	if (asked->max_heap_bytes != 0 && asked->max_heap_bytes < LEAST_HEAP_BYTES)
		return node_diag_set(diag, DREAM_EINVAL, "max_heap_bytes of %" PRIu64 "; at least %u",
			asked->max_heap_bytes, LEAST_HEAP_BYTES);
	if (asked->max_mailbox_msgs > INT64_MAX || asked->max_mailbox_bytes > INT64_MAX)
		return node_diag_set(diag, DREAM_EINVAL, "a mailbox limit beyond 2^63; 0 is none");
	if (asked->when_full > DREAM_FULL_SUSPEND)
		return node_diag_set(diag, DREAM_EINVAL,
			"when_full of %u is none of refuse, drop, kill, suspend", asked->when_full);
	if (asked->suspend_ms > SUSPEND_MAX_MS)
		return node_diag_set(diag, DREAM_EINVAL, "suspend_ms of %u; at most %u", asked->suspend_ms,
			SUSPEND_MAX_MS);
	if (asked->reserved[0] != 0 || asked->reserved[1] != 0)
		return node_diag_set(diag, DREAM_EINVAL, "limits that this node does not know");
	return DREAM_OK;
}

int node_limits_read(
	const node_t *node, const dream_limits_t *asked, node_limits_t *ret_limits, node_diag_t *diag)
{
	node_limits_t limits = *node_proctab_defaults(node);
	int r = asked != NULL ? check(asked, diag) : DREAM_OK;
	if (r < 0)
		return r;
	if (asked != NULL && asked->stack_bytes != 0)
		limits.stack_class = node_stack_class(asked->stack_bytes);
	if (asked != NULL && asked->max_heap_bytes != 0)
		limits.max_heap_bytes = asked->max_heap_bytes;
	if (asked != NULL && (asked->max_mailbox_msgs != 0 || asked->max_mailbox_bytes != 0)) {
		limits.max_mailbox_msgs = asked->max_mailbox_msgs;
		limits.max_mailbox_bytes = asked->max_mailbox_bytes;
		limits.when_full = asked->when_full;
		limits.suspend_ms = asked->suspend_ms;
	}
	*ret_limits = limits;
	return DREAM_OK;
}
