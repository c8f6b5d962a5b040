/* SPDX-License-Identifier: MIT */
#include "code/image.h"

#include <string.h>

static const node_elf_segment_t *find(const node_image_t *image, uintptr_t at)
{
	if (at < image->base)
		return NULL;
	uint64_t offset = at - image->base;
	for (uint32_t i = 0; i < image->elf.n_segments; i++)
		if (offset >= image->elf.segments[i].start && offset < image->elf.segments[i].end)
			return &image->elf.segments[i];
	return NULL;
}

static const node_elf_segment_t *find_all(
	const node_image_t *image, const void *at, uint64_t size_bytes, uint64_t align)
{
	uintptr_t start = (uintptr_t) at;
	const node_elf_segment_t *s = find(image, start);
	if (s == NULL || start % align != 0 || size_bytes > s->end - (start - image->base))
		return NULL;
	return s;
}

bool node_image_holds(const node_image_t *image, const void *at, uint64_t size_bytes, uint64_t align)
{
	return find_all(image, at, size_bytes, align) != NULL;
}

bool node_image_holds_writable(const node_image_t *image, const void *at, uint64_t size_bytes, uint64_t align)
{
	const node_elf_segment_t *s = find_all(image, at, size_bytes, align);
	return s != NULL && s->writable;
}

bool node_image_holds_code(const node_image_t *image, uintptr_t code)
{
	const node_elf_segment_t *s = find(image, code);
	return s != NULL && s->executable;
}

bool node_image_holds_text(const node_image_t *image, const char *text, uint64_t max_bytes)
{
	const node_elf_segment_t *s = find(image, (uintptr_t) text);
	if (s == NULL)
		return false;
	uint64_t left = s->end - ((uintptr_t) text - image->base);
	return memchr(text, '\0', left < max_bytes ? left : max_bytes) != NULL;
}
