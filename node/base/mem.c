/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <string.h>
#include <sys/mman.h>

#ifdef DREAM_USE_MIMALLOC
#include <mimalloc.h>
#define DOOR(name) mi_##name
#else
#include <stdlib.h>
#define DOOR(name) name
#endif

void *node_mem_alloc(size_t size_bytes)
{
	return DOOR(malloc)(size_bytes);
}

void *node_mem_zalloc(size_t size_bytes)
{
	return DOOR(calloc)(1, size_bytes);
}

void *node_mem_realloc(void *block, size_t size_bytes)
{
	return DOOR(realloc)(block, size_bytes);
}

void *node_mem_zalloc_lines(size_t size_bytes)
{
	void *block = DOOR(aligned_alloc)(NODE_MEM_LINES, size_bytes);
	return block == NULL ? NULL : memset(block, 0, size_bytes);
}

void node_mem_free(void *block)
{
	DOOR(free)(block);
}

void *node_mem_map(size_t size_bytes)
{
	void *pages = mmap(
		NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return pages != MAP_FAILED ? pages : NULL;
}

void node_mem_unmap(void *pages, size_t size_bytes)
{
	(void) munmap(pages, size_bytes);
}
