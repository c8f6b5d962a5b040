/* SPDX-License-Identifier: MIT */
/* futex.h: sleeping until a word changes; for the threads of this room. */
#ifndef NODE_SCHED_FUTEX_H
#define NODE_SCHED_FUTEX_H
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/node.h"

DREAM_BEGIN_DECLS

/** Sleeps while *word is @seen, at most @timeout_ns (NODE_FOREVER: no limit). May return early. */
static inline void node_futex_wait(uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
	struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, timeout_ns == NODE_FOREVER ? NULL : &t, NULL, 0);
}

/** Changes the word and wakes who sleeps on it. Async-signal-safe. */
static inline void node_futex_wake(uint32_t *word)
{
	__atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

DREAM_END_DECLS
#endif
