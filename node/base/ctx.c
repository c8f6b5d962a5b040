/* SPDX-License-Identifier: MIT */
#include "base/ctx.h"

/* Which node a thread serves is a fact about the thread, not shared state. */
static _Thread_local node_ctx_t thread_ctx;

__attribute__((noinline, noclone)) node_ctx_t *node_ctx_borrow(void)
{
	node_ctx_t *ctx = &thread_ctx;
	__asm__ volatile("" : "+r"(ctx)); /* keeps the call from being proved pure */
	return ctx;
}
