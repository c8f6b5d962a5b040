/* SPDX-License-Identifier: MIT */
#include "base/mem.h"

#include <string.h>

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
