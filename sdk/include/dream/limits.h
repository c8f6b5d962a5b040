/* SPDX-License-Identifier: MIT */
/* limits.h: what one process may take: stack, memory, and messages that wait for it. */
#ifndef DREAM_LIMITS_H
#define DREAM_LIMITS_H
#include <dream/abi.h>

DREAM_BEGIN_DECLS

/* dream_limits_t.when_full: what becomes of a message to a full mailbox. Only messages, casts and calls count and are held
 * up; exits, DOWNs, answers and requests of the system always come through. A call that is not let in fails with
 * DREAM_EBUSY, whatever the policy. */
#define DREAM_FULL_REFUSE 0u  /* its sender gets DREAM_EBUSY */
#define DREAM_FULL_DROP 1u    /* it vanishes, and is counted; its sender does not notice */
#define DREAM_FULL_KILL 2u    /* it vanishes, and the receiver ends with ["limit", "mailbox"] */
#define DREAM_FULL_SUSPEND 3u /* its sender waits for room, `suspend_ms` at most, then gets DREAM_EBUSY */

/* Zero is the node's default ([node] in its configuration), which is no limit unless it says so. By value in
 * dream_spawn_t, dream_start_t and dream_child_t. */
typedef struct dream_limits {
	uint64_t stack_bytes; /* up to 64 MiB; rounded up to a power of two, at least 32 KiB */
	uint64_t
		max_heap_bytes; /* memory from dream_alloc() and for texts and lists, plus messages that wait; beyond it
	                             * allocations fail with DREAM_ENOMEM and the process ends with ["limit", "memory"] as
	                             * soon as its code returns or waits; at least 4 KiB */
	uint64_t max_mailbox_msgs;  /* messages that wait */
	uint64_t max_mailbox_bytes; /* their sizes; a message larger than this is never let in */
	uint32_t when_full;         /* DREAM_FULL_* */
	uint32_t suspend_ms;  /* up to 3,600,000; 0: 5,000. A call waits no longer than its own timeout */
	uint64_t reserved[2]; /* 0 */
} dream_limits_t;

DREAM_END_DECLS
#endif
