/* SPDX-License-Identifier: MIT */
/* Stacks are cut from arenas of addresses. An arena has regions of 2 MiB, which one page of page tables maps, so that a
 * region without a warm stack costs nothing: it is mapped anew, and page tables and guards go with its pages.
 *
 * Guards: MADV_GUARD_INSTALL (Linux 6.13) marks a page without splitting the mapping. Older kernels need mprotect(2), which
 * takes two of the vm.max_map_count mappings for each stack in use; half of those are left to the rest of the node, and
 * stacks beyond that go without a guard. Stowed stacks need none. */
#include "sched/stack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

#define TABLE_BYTES ((size_t) 2 << 20) /* what one page of page tables maps */
#define ARENA_REGIONS 32u
#define STOW_MAX_BYTES ((size_t) 16 << 10) /* who uses more saves little by a copy */
#define GUARDED 8u                         /* node_stack_t.state: has a guard just now */

typedef struct node_stack_region {
	node_stack_pool_t *pool;
	char *low;
	uint32_t n_warm; /* under the pool's lock */
	node_stack_t stacks[];
} region_t;

static size_t page_bytes(void)
{
	return (size_t) sysconf(_SC_PAGESIZE);
}

static uint32_t most_guards(void)
{
	unsigned mappings = 65530;
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	if (f != NULL && fscanf(f, "%u", &mappings) != 1)
		mappings = 65530;
	if (f != NULL)
		fclose(f);
	return mappings / 4;
}

/* ---- a region's place ---- */

static size_t region_size(const node_stack_pool_t *pool)
{
	return sizeof(region_t) + pool->per_region * sizeof(node_stack_t);
}

static size_t arena_size(const node_stack_pool_t *pool)
{
	return (ARENA_REGIONS * region_size(pool) + page_bytes() - 1) / page_bytes() * page_bytes();
}

static region_t *region_at(const node_stack_pool_t *pool, uint32_t index)
{
	char *arena = pool->arenas[index / ARENA_REGIONS];
	return (region_t *) (void *) (arena + index % ARENA_REGIONS * region_size(pool));
}

static char *low_of(const node_stack_t *stack)
{
	const region_t *region = stack->region;
	return region->low + (size_t) (stack - region->stacks) * region->pool->stack_bytes;
}

uint32_t node_stack_region(const node_stack_pool_t *pool, uint32_t index, node_stack_t **ret_first)
{
	uint32_t n_stacks = __atomic_load_n(&pool->n_stacks, __ATOMIC_ACQUIRE);
	if (index >= (n_stacks + pool->per_region - 1) / pool->per_region)
		return 0;
	*ret_first = region_at(pool, index)->stacks;
	return MIN(pool->per_region, n_stacks - index * pool->per_region);
}

static void *map(void *where, size_t size, int flags)
{
	return mmap(where, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags,
		-1, 0);
}

/* ---- the pool ---- */

static size_t arenas_size(const node_stack_pool_t *pool)
{
	return (pool->max_stacks / pool->per_region / ARENA_REGIONS + 1) * sizeof(void *);
}

int node_stack_pool_init(node_stack_pool_t *pool, size_t stack_bytes, uint32_t max_stacks)
{
	*pool = (node_stack_pool_t){
		.stack_bytes = stack_bytes, .max_stacks = max_stacks, .max_guards = most_guards()};
	pool->region_bytes = (stack_bytes + TABLE_BYTES - 1) / TABLE_BYTES * TABLE_BYTES;
	pool->per_region = (uint32_t) (pool->region_bytes / stack_bytes);
	/* Megabytes for the many stacks that there may be one day: mapped, so that what is not used takes no memory. */
	void *arenas = map(NULL, arenas_size(pool), 0);
	if (arenas == MAP_FAILED)
		return DREAM_ENOMEM;
	pool->arenas = arenas;
	pthread_mutex_init(&pool->lock, NULL);
	return DREAM_OK;
}

static void fini_stack(node_stack_t *stack)
{
	if (stack->state & NODE_STACK_STOWED)
		node_mem_free(stack->stowed);
	node_switch_fini(&stack->fiber);
}

void node_stack_pool_fini(node_stack_pool_t *pool)
{
	node_stack_t *stacks;
	uint32_t n;
	for (uint32_t i = 0; (n = node_stack_region(pool, i, &stacks)) > 0; i++)
		for (uint32_t k = 0; k < n; k++)
			fini_stack(&stacks[k]);
	for (uint32_t i = 0; i < pool->n_arenas; i++) {
		munmap(region_at(pool, i * ARENA_REGIONS)->low, ARENA_REGIONS * pool->region_bytes);
		munmap(pool->arenas[i], arena_size(pool));
	}
	munmap(pool->arenas, arenas_size(pool));
	pthread_mutex_destroy(&pool->lock);
}

/* What runs on every stack for ever: one turn of a process, then back to the scheduler. */
static void stack_main(void *arg)
{
	node_stack_t *stack = arg;
	node_switch_entered(&stack->fiber);
	for (;;) {
		stack->outcome = (int16_t) stack->proc->ops->run(stack->proc);
		node_switch_to(&stack->fiber, stack->back);
	}
}

static void set_state(node_stack_t *stack, uint8_t bits, bool on)
{
	uint8_t state = on ? stack->state | bits : stack->state & (uint8_t) ~bits;
	__atomic_store_n(&stack->state, state, __ATOMIC_RELAXED);
}

/* ---- mappings; with the lock held ---- */

/* Addresses of regions, each with a table of pages to itself. */
static char *map_stacks(const node_stack_pool_t *pool)
{
	size_t size = ARENA_REGIONS * pool->region_bytes;
	char *wide = map(NULL, size + TABLE_BYTES, MAP_STACK);
	if (wide == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t) wide % TABLE_BYTES;
	if (before > 0)
		munmap(wide, before);
	if (before < TABLE_BYTES)
		munmap(wide + before + size, TABLE_BYTES - before);
	(void) madvise(
		wide + before, size, MADV_NOHUGEPAGE); /* a huge page would make each stack cost 2 MB */
	return wide + before;
}

static bool add_arena(node_stack_pool_t *pool)
{
	char *arena = map(NULL, arena_size(pool), 0);
	char *low = arena != MAP_FAILED ? map_stacks(pool) : NULL;
	if (low == NULL) {
		if (arena != MAP_FAILED)
			munmap(arena, arena_size(pool));
		return false;
	}
	pool->arenas[pool->n_arenas] = arena;
	for (uint32_t i = 0; i < ARENA_REGIONS; i++)
		*region_at(pool, pool->n_arenas * ARENA_REGIONS + i) =
			(region_t){.pool = pool, .low = low + i * pool->region_bytes};
	pool->n_arenas++;
	return true;
}

/* Pages, page tables and guards of a region in which no stack is in use. */
static void renew(region_t *region)
{
	node_stack_pool_t *pool = region->pool;
	for (uint32_t i = 0; i < pool->per_region; i++) {
		if (pool->mprotect_guards && (region->stacks[i].state & GUARDED))
			pool->n_guards--;
		set_state(&region->stacks[i], GUARDED, false);
	}
	(void) map(region->low, pool->region_bytes, MAP_FIXED | MAP_STACK);
	(void) madvise(region->low, pool->region_bytes, MADV_NOHUGEPAGE);
}

static bool protect(node_stack_pool_t *pool, char *low)
{
	if (pool->n_guards >= pool->max_guards || mprotect(low, page_bytes(), PROT_NONE) < 0)
		return false;
	pool->n_guards++;
	return true;
}

static bool guard(node_stack_pool_t *pool, char *low)
{
	if (!pool->mprotect_guards && madvise(low, page_bytes(), MADV_GUARD_INSTALL) == 0)
		return true;
	pool->mprotect_guards = true;
	return protect(pool, low);
}

static void warm_up(node_stack_t *stack)
{
	node_stack_pool_t *pool = stack->region->pool;
	__atomic_store_n(&pool->n_warm, pool->n_warm + 1, __ATOMIC_RELAXED);
	stack->region->n_warm++;
	if (!(stack->state & GUARDED) && guard(pool, low_of(stack)))
		set_state(stack, GUARDED, true);
}

static node_stack_t *cut(node_stack_pool_t *pool)
{
	uint32_t region = pool->n_stacks / pool->per_region;
	if (pool->n_stacks == pool->max_stacks ||
		(region == pool->n_arenas * ARENA_REGIONS && !add_arena(pool)))
		return NULL;
	node_stack_t *stack = &region_at(pool, region)->stacks[pool->n_stacks % pool->per_region];
	stack->region = region_at(pool, region);
	stack->state = pool->state | NODE_STACK_COLD;
	__atomic_store_n(&pool->n_stacks, pool->n_stacks + 1, __ATOMIC_RELEASE);
	return stack;
}

/* ---- taking and giving ---- */

/* Stacks lie at multiples of their size. Did they all begin at the top, what is used of each would fall into the same few
 * sets of the caches: a thousand processes in turns would miss at every step. */
#define COLOURS 32u
#define COLOUR_BYTES 64u

static size_t colour_of(const char *low, size_t stack_bytes)
{
	return (uintptr_t) low / stack_bytes * 11 % COLOURS * COLOUR_BYTES;
}

static void prepare(node_stack_t *stack)
{
	size_t stack_bytes = stack->region->pool->stack_bytes;
	char *low = low_of(stack) + page_bytes();
	size_t size = stack_bytes - page_bytes() - colour_of(low, stack_bytes);
	if (stack->fiber.low == NULL)
		node_switch_init(&stack->fiber, low, size, stack_main, stack);
	else
		node_stack_reset(stack);
	set_state(stack, NODE_STACK_COLD, false);
}

static node_stack_t *pop(node_stack_t **list)
{
	node_stack_t *stack = *list;
	if (stack != NULL)
		*list = stack->next;
	return stack;
}

node_stack_t *node_stack_take(node_stack_pool_t *pool)
{
	pthread_mutex_lock(&pool->lock);
	node_stack_t *stack = pop(&pool->free_list);
	if (stack != NULL)
		pool->n_free--;
	else if ((stack = pop(&pool->cold_list)) != NULL || (stack = cut(pool)) != NULL)
		warm_up(stack);
	pthread_mutex_unlock(&pool->lock);
	if (stack != NULL && (stack->state & NODE_STACK_COLD))
		prepare(stack);
	return stack;
}

void node_stack_give(node_stack_t *stack)
{
	node_stack_pool_t *pool = stack->region->pool;
	pthread_mutex_lock(&pool->lock);
	stack->next = pool->free_list;
	pool->free_list = stack;
	pool->n_free++;
	pthread_mutex_unlock(&pool->lock);
}

void node_stack_reset(node_stack_t *stack)
{
	node_switch_reset(&stack->fiber, stack_main, stack);
}

node_stack_pool_t *node_stack_pool_of(const node_stack_t *stack)
{
	return stack->region->pool;
}

/* ---- memory ---- */

static size_t used_bytes(const node_stack_t *stack)
{
	const char *top = (const char *) stack->fiber.low + stack->fiber.size_bytes;
	return (size_t) (top - (const char *) stack->fiber.sp);
}

bool node_stack_stow(node_stack_t *stack)
{
	size_t used = used_bytes(stack);
	void *copy = used <= STOW_MAX_BYTES ? node_mem_alloc(used) : NULL;
	if (copy == NULL)
		return false;
	memcpy(copy, stack->fiber.sp, used);
	stack->stowed = copy;
	set_state(stack, NODE_STACK_STOWED, true);
	return true;
}

void node_stack_unstow(node_stack_t *stack)
{
	node_stack_pool_t *pool = stack->region->pool;
	pthread_mutex_lock(&pool->lock);
	warm_up(stack);
	pthread_mutex_unlock(&pool->lock);
	memcpy(stack->fiber.sp, stack->stowed, used_bytes(stack));
	node_mem_free(stack->stowed);
	stack->stowed = NULL;
	set_state(stack, NODE_STACK_STOWED, false);
}

/* The pages of a region that others still use go one stack at a time. Meanwhile the region may become free of them and be
 * renewed; ours are not taken yet, so that this does no harm. */
void node_stack_cool(node_stack_t *const *stacks, uint32_t n)
{
	region_t *region = stacks[0]->region;
	node_stack_pool_t *pool = region->pool;
	pthread_mutex_lock(&pool->lock);
	__atomic_store_n(&pool->n_warm, pool->n_warm - n, __ATOMIC_RELAXED);
	region->n_warm -= n;
	bool last = region->n_warm == 0;
	if (last)
		renew(region);
	pthread_mutex_unlock(&pool->lock);
	for (uint32_t i = 0; i < n && !last; i++)
		(void) madvise((void *) (uintptr_t) stacks[i]->fiber.low, stacks[i]->fiber.size_bytes,
			MADV_DONTNEED);
}

uint32_t node_stack_trim(node_stack_pool_t *pool, uint32_t keep, uint32_t max)
{
	uint32_t n = 0;
	for (; n < max; n++) {
		pthread_mutex_lock(&pool->lock);
		node_stack_t *stack = pool->n_free > keep ? pop(&pool->free_list) : NULL;
		pool->n_free -= stack != NULL;
		pthread_mutex_unlock(&pool->lock);
		if (stack == NULL)
			break;
		node_stack_cool(&stack, 1);
		set_state(stack, NODE_STACK_COLD, true);
		pthread_mutex_lock(&pool->lock);
		stack->next = pool->cold_list;
		pool->cold_list = stack;
		pthread_mutex_unlock(&pool->lock);
	}
	return n;
}

/* ---- sizes ---- */

#define LEAST_BYTES ((uint64_t) 32 << 10)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WIDER 8u
#else
#define WIDER 1u
#endif

uint32_t node_stack_class(uint64_t stack_bytes)
{
	for (uint32_t i = 1; i < NODE_STACK_CLASSES && stack_bytes > 0; i++)
		if (stack_bytes <= LEAST_BYTES << (i - 1))
			return i;
	return 0;
}

size_t node_stack_class_bytes(uint32_t size_class)
{
	return (size_t) (LEAST_BYTES << (size_class - 1)) * WIDER;
}
