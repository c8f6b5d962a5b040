/* SPDX-License-Identifier: MIT */
/* elf.h: reads a module file's bytes before the dynamic linker does, so that a damaged, foreign or hazardous
 * file is refused with a reason before any of its code can run. */
#ifndef NODE_CODE_ELF_H
#define NODE_CODE_ELF_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define NODE_ELF_SEGMENTS_MAX 16

/* Where the file will lie in memory, as offsets from its load address. */
typedef struct node_elf_segment {
	uint64_t start;
	uint64_t end;
	bool writable; /* after relocation: what becomes read-only then is cut off at the start */
	bool executable;
} node_elf_segment_t;

typedef struct node_elf {
	uint32_t n_segments;
	node_elf_segment_t segments[NODE_ELF_SEGMENTS_MAX];
} node_elf_t;

/** Checks a whole file: an ELF64 shared object for this machine with every header, segment, section and
 *  relocation inside the file; the DREAM note; `dream_module` exported; nothing that could not be unloaded,
 *  or that two versions would share. docs/modules.md lists the checks in order.
 *  @data     lent, @size_bytes of it
 *  @ret_elf  the segments
 *  Errors    DREAM_ELOAD    empty, cut off, damaged, no shared object, another machine
 *            DREAM_EABI     no module, or one for another ABI
 *            DREAM_EMODULE  a module with a hazard; @diag says which and what to do, but not the file's name
 *  Thread    [any]; O(symbols + relocations) */
int node_elf_scan(const void *data, uint64_t size_bytes, node_elf_t *ret_elf, node_diag_t *diag);

DREAM_END_DECLS
#endif
