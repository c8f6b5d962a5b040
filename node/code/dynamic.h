/* SPDX-License-Identifier: MIT */
/* dynamic.h: the part of a module file that the dynamic linker acts on: needed libraries, flags, symbols,
 * relocations. The second half of elf.h's scan. */
#ifndef NODE_CODE_DYNAMIC_H
#define NODE_CODE_DYNAMIC_H
#include "code/elf.h"

DREAM_BEGIN_DECLS

/* sizeof(dream_module_t) of ABI 1.0, and the most any struct of a module may claim. */
#define NODE_ELF_MODULE_SIZE_1_0 ((uint32_t) (offsetof(dream_module_t, unload) + sizeof(void (*)(void))))
#define NODE_ELF_STRUCT_MAX 65536u

typedef struct node_elf_load {
	uint64_t vaddr;
	uint64_t offset;
	uint64_t size; /* in the file */
} node_elf_load_t;

/* A file that is being scanned. */
typedef struct node_elf_file {
	const uint8_t *data;
	uint64_t size;
	const char
		*hazard; /* the last one seen in the headers; told after the note says that it is a module */
	bool has_stack;
	uint32_t n_loads;
	node_elf_load_t loads[NODE_ELF_SEGMENTS_MAX];
	uint64_t relro_end;
	uint64_t dynamic_offset;
	uint64_t dynamic_size;
	uint64_t symbols_offset;
	uint64_t n_symbols;
} node_elf_file_t;

/** Copies bytes out of the file; false if they are not all there. [any] */
bool node_elf_get(const node_elf_file_t *file, uint64_t offset, void *ret, uint64_t size_bytes);
/** DREAM_ELOAD with the usual remedy. [any] */
int node_elf_damaged(node_diag_t *diag, const char *what);

/** Checks what the dynamic section asks for. Errors as node_elf_scan(). [any] */
int node_dynamic_check(const node_elf_file_t *file, node_diag_t *diag);

DREAM_END_DECLS
#endif
