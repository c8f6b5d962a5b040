/* SPDX-License-Identifier: MIT */
/* image.h: a mapped module as memory: tells whether a pointer found in it stays in it, so that a damaged
 * descriptor is an error and not a crash. */
#ifndef NODE_CODE_IMAGE_H
#define NODE_CODE_IMAGE_H
#include "code/elf.h"

DREAM_BEGIN_DECLS

typedef struct node_image {
	uintptr_t base;
	node_elf_t elf;
} node_image_t;

/** True if @size_bytes from @at, aligned to @align, lie in one segment. [any] */
bool node_image_holds(const node_image_t *image, const void *at, uint64_t size_bytes, uint64_t align);
/** The same, for memory that may be written. [any] */
bool node_image_holds_writable(
	const node_image_t *image, const void *at, uint64_t size_bytes, uint64_t align);
/** True if @code lies in executable memory. [any] */
bool node_image_holds_code(const node_image_t *image, uintptr_t code);
/** True if a text begins at @text and ends, with its NUL, at most @max_bytes later in the same segment.
 *  [any] */
bool node_image_holds_text(const node_image_t *image, const char *text, uint64_t max_bytes);

DREAM_END_DECLS
#endif
