/* SPDX-License-Identifier: MIT */
#include "proc/heap.h"

#include <string.h>

typedef struct node_heap_block {
	struct node_heap_block *next;
	struct node_heap_block *prev;
	uint64_t size_bytes;
	uintptr_t guard; /* address of the owner, mixed with our own: tells a foreign or freed block */
} block_t;

_Static_assert(sizeof(block_t) % 16 == 0, "blocks stay aligned");

#define SIZE_MAX_BYTES ((uint64_t) 1 << 40)

static uintptr_t guard_of(const node_proc_t *proc, const block_t *block)
{
	return (uintptr_t) proc ^ (uintptr_t) block ^ (uintptr_t) 0x5a5a0f0f;
}

static void account(node_proc_t *proc, uint64_t bytes)
{
	__atomic_store_n(&proc->heap_bytes, proc->heap_bytes + bytes, __ATOMIC_RELAXED);
}

static void push(node_proc_t *proc, block_t *block)
{
	block->guard = guard_of(proc, block);
	block->prev = NULL;
	block->next = proc->heap;
	if (block->next != NULL)
		block->next->prev = block;
	proc->heap = block;
}

bool node_heap_check(node_proc_t *proc, uint64_t more_bytes)
{
	if (proc->heap_bytes + proc->inbox_bytes + more_bytes <= node_proc_extra(proc)->max_heap_bytes)
		return true;
	if (!node_proc_exiting(proc))
		node_proc_set_exit_take(proc, node_msg_printf("[\"limit\", \"memory\"]"));
	return false;
}

static inline void *alloc(node_proc_t *proc, uint64_t size_bytes, void *(*from)(size_t size_bytes))
{
	if (size_bytes == 0 || size_bytes > SIZE_MAX_BYTES)
		return NULL;
	bool limited = (__atomic_load_n(&proc->flags, __ATOMIC_RELAXED) & NODE_PROC_HEAP_LIMIT) != 0;
	if (limited && !node_heap_check(proc, size_bytes))
		return NULL;
	block_t *block = from(sizeof(*block) + size_bytes);
	if (block == NULL)
		return NULL;
	block->size_bytes = size_bytes;
	push(proc, block);
	account(proc, size_bytes);
	return block + 1;
}

void *node_heap_alloc(node_proc_t *proc, uint64_t size_bytes)
{
	return alloc(proc, size_bytes, node_mem_zalloc);
}

void *node_heap_alloc_raw(node_proc_t *proc, uint64_t size_bytes)
{
	return alloc(proc, size_bytes, node_mem_alloc);
}

static void unlink_block(node_proc_t *proc, block_t *block)
{
	if (block->prev != NULL)
		block->prev->next = block->next;
	else
		proc->heap = block->next;
	if (block->next != NULL)
		block->next->prev = block->prev;
	block->guard = 0;
}

static block_t *block_of(node_proc_t *proc, void *memory)
{
	block_t *block = (block_t *) memory - 1;
	if (block->guard != guard_of(proc, block))
		node_proc_exit_take(proc, node_msg_text("badfree"));
	return block;
}

void *node_heap_resize(node_proc_t *proc, void *memory, uint64_t size_bytes)
{
	if (memory == NULL)
		return node_heap_alloc(proc, size_bytes);
	block_t *old = block_of(proc, memory);
	void *fresh = node_heap_alloc(proc, size_bytes);
	if (fresh == NULL)
		return NULL;
	memcpy(fresh, memory, old->size_bytes < size_bytes ? old->size_bytes : size_bytes);
	node_heap_free(proc, memory);
	return fresh;
}

void node_heap_free(node_proc_t *proc, void *memory)
{
	if (memory == NULL)
		return;
	block_t *block = block_of(proc, memory);
	unlink_block(proc, block);
	account(proc, -block->size_bytes);
	node_mem_free(block);
}

block_t *node_heap_mark(const node_proc_t *proc)
{
	return proc->heap;
}

void node_heap_release_since(node_proc_t *proc, block_t *mark)
{
	while (proc->heap != mark && proc->heap != NULL)
		node_heap_free(proc, proc->heap + 1);
}

#define FENCE_BYTES 16u

void *node_heap_fence(node_proc_t *proc)
{
	return node_heap_alloc(proc, FENCE_BYTES);
}

void node_heap_release_fence(node_proc_t *proc, void *fence)
{
	node_heap_release_since(proc, block_of(proc, fence));
	node_heap_free(proc, fence);
}

void node_heap_keep_fence(node_proc_t *proc, void *fence)
{
	node_heap_free(proc, fence);
}

block_t *node_heap_take(node_proc_t *proc)
{
	block_t *blocks = proc->heap;
	proc->heap = NULL;
	__atomic_store_n(&proc->heap_bytes, 0, __ATOMIC_RELAXED);
	return blocks;
}

block_t *node_heap_free_some(block_t *blocks, uint32_t *budget)
{
	for (; blocks != NULL && *budget > 0; --*budget) {
		block_t *next = blocks->next;
		node_mem_free(blocks);
		blocks = next;
	}
	return blocks;
}
