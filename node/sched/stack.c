/* SPDX-License-Identifier: MIT */
#include "sched/stack.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13: a guard that does not split the mapping */
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(low, high) 0
#endif

#define CHUNK_STACKS 64u

static size_t page_bytes(void)
{
	return (size_t) sysconf(_SC_PAGESIZE);
}

int node_stack_pool_init(node_stack_pool_t *pool, size_t stack_bytes, uint32_t max_stacks)
{
	*pool = (node_stack_pool_t){.stack_bytes = stack_bytes, .max_stacks = max_stacks};
	pool->chunks = g_try_new0(void *, max_stacks / CHUNK_STACKS + 1);
	if (pool->chunks == NULL)
		return DREAM_ENOMEM;
	pthread_mutex_init(&pool->lock, NULL);
	return DREAM_OK;
}

void node_stack_pool_fini(node_stack_pool_t *pool)
{
	for (uint32_t i = 0; i < pool->n_chunks; i++) {
		uint32_t n = i + 1 < pool->n_chunks ? CHUNK_STACKS : pool->n_stacks - i * CHUNK_STACKS;
		for (uint32_t k = 0; k < n; k++) {
			char *low = (char *) pool->chunks[i] + k * pool->stack_bytes;
			node_stack_t *stack =
				(node_stack_t *) (void *) (low + pool->stack_bytes - sizeof(node_stack_t));
			node_switch_fini(&stack->fiber);
		}
		munmap(pool->chunks[i], n * pool->stack_bytes);
	}
	g_free(pool->chunks);
	pthread_mutex_destroy(&pool->lock);
}

/* What runs on every stack for ever: one turn of a process, then back to the scheduler. */
static void stack_main(void *arg)
{
	node_stack_t *stack = arg;
	node_switch_entered(&stack->fiber);
	for (;;) {
		stack->outcome = stack->proc->ops->run(stack->proc);
		node_switch_to(&stack->fiber, stack->back);
	}
}

static bool guard(node_stack_pool_t *pool, char *low)
{
	if (madvise(low, page_bytes(), MADV_GUARD_INSTALL) == 0) {
		pool->madvise_guard = true;
		return true;
	}
	return mprotect(low, page_bytes(), PROT_NONE) == 0;
}

_Static_assert(sizeof(node_stack_t) % 16 == 0, "the stack below the struct stays aligned");

static bool cut(node_stack_pool_t *pool, char *low)
{
	if (!guard(pool, low))
		return false;
	node_stack_t *stack = (node_stack_t *) (void *) (low + pool->stack_bytes - sizeof(*stack));
	stack->low = low + page_bytes();
	stack->size_bytes = (size_t) ((char *) stack - (char *) stack->low);
	node_switch_init(&stack->fiber, stack->low, stack->size_bytes, stack_main, stack);
	(void) VALGRIND_STACK_REGISTER(stack->low, stack);
	stack->next = pool->free_list;
	pool->free_list = stack;
	return true;
}

static bool add_chunk(node_stack_pool_t *pool)
{
	uint32_t n =
		MIN(CHUNK_STACKS, pool->max_stacks - pool->n_stacks); /* only the last chunk is smaller */
	if (n == 0)
		return false;
	size_t size = n * pool->stack_bytes;
	char *chunk = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (chunk == MAP_FAILED)
		return false;
	(void) madvise(chunk, size, MADV_NOHUGEPAGE); /* a huge page would make each stack cost 2 MB */
	node_stack_t *before = pool->free_list;
	for (uint32_t i = 0; i < n; i++)
		if (!cut(pool, chunk + i * pool->stack_bytes)) {
			pool->free_list = before;
			munmap(chunk, size);
			return false;
		}
	pool->chunks[pool->n_chunks++] = chunk;
	pool->n_stacks += n;
	return true;
}

node_stack_t *node_stack_take(node_stack_pool_t *pool)
{
	pthread_mutex_lock(&pool->lock);
	node_stack_t *stack = NULL;
	if (pool->free_list != NULL || add_chunk(pool)) {
		stack = pool->free_list;
		pool->free_list = stack->next;
	}
	pthread_mutex_unlock(&pool->lock);
	return stack;
}

void node_stack_give(node_stack_pool_t *pool, node_stack_t *stack)
{
	pthread_mutex_lock(&pool->lock);
	stack->next = pool->free_list;
	pool->free_list = stack;
	pthread_mutex_unlock(&pool->lock);
}

void node_stack_reset(node_stack_t *stack)
{
	node_switch_reset(&stack->fiber, stack_main, stack);
}
