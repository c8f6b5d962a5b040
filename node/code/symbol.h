/* SPDX-License-Identifier: MIT */
/* symbol.h: what stands at an address of a mapped file: function, source file and line, for crash reports. */
#ifndef NODE_CODE_SYMBOL_H
#define NODE_CODE_SYMBOL_H
#include "code/code.h"

DREAM_BEGIN_DECLS

typedef struct node_symbol_lines
	node_symbol_lines_t; /* the debug information of a node's modules, as far as it was read */

/** NULL is allowed for free. [any] */
node_symbol_lines_t *node_symbol_lines_new(void);
void node_symbol_lines_free(node_symbol_lines_t *lines);

/** "counter.so(on_add+0x12) counter.c:41"; without debug information the line is missing, without symbols the function.
 *  @at      the address of the instruction in memory
 *  @base    where the file lies in memory
 *  Thread   [any] but a signal handler: reads the file, once */
void node_symbol_describe(node_symbol_lines_t *lines, const node_gen_t *gen, uintptr_t at, uintptr_t base,
	char *buffer, size_t size_bytes);

/** The function at @vaddr of the ELF file @path, by its symbol table.
 *  @ret_offset  how far @vaddr is from its start
 *  Returns  false: unknown; @buffer is untouched
 *  Thread   [any]; async-signal-safe */
bool node_symbol_find(
	const char *path, uint64_t vaddr, char *buffer, size_t size_bytes, uint64_t *ret_offset);

DREAM_END_DECLS
#endif
