/* SPDX-License-Identifier: MIT */
#include "otp/state.h"

#include "proc/heap.h"

static void *alloc(node_codec_mem_t *mem, uint64_t size_bytes)
{
	return node_heap_alloc(((node_state_mem_t *) mem)->proc, size_bytes);
}

static void *alloc_raw(node_codec_mem_t *mem, uint64_t size_bytes)
{
	return node_heap_alloc_raw(((node_state_mem_t *) mem)->proc, size_bytes);
}

node_state_mem_t node_state_mem(node_proc_t *proc)
{
	return (node_state_mem_t){{alloc, alloc_raw, false}, proc};
}

static void free_content(node_proc_t *proc, const dream_type_t *type, char *value);

static void free_kind(node_proc_t *proc, uint32_t kind, const dream_type_t *sub, char *at)
{
	if (kind == DREAM_TYPE_TEXT || kind == DREAM_TYPE_BYTES || kind == DREAM_TYPE_TERM)
		node_heap_free(proc, (void *) (uintptr_t) ((dream_bytes_t *) (void *) at)->data);
	else if (kind == DREAM_TYPE_STRUCT)
		free_content(proc, sub, at);
}

static uint32_t round_up(uint32_t offset, uint32_t align)
{
	return (offset + align - 1) / align * align;
}

static void free_list(node_proc_t *proc, const dream_field_t *field, dream_list_t *list)
{
	for (uint64_t i = 0; i < list->count; i++)
		free_kind(proc, field->elem_kind, field->sub, (char *) list->items + i * field->elem_size);
	node_heap_free(proc, list->items);
}

static void free_field(node_proc_t *proc, const dream_field_t *field, char *at)
{
	if (field->kind == DREAM_TYPE_LIST)
		free_list(proc, field, (dream_list_t *) (void *) at);
	else if (field->kind == DREAM_TYPE_OPT && *(bool *) at)
		free_kind(proc, field->elem_kind, field->sub, at + round_up(1, field->elem_align));
	else if (field->kind != DREAM_TYPE_OPT)
		free_kind(proc, field->kind, field->sub, at);
}

static void free_variant(node_proc_t *proc, const dream_type_t *type, char *value)
{
	uint32_t which = *(uint32_t *) (void *) value;
	uint32_t align = 1;
	for (uint32_t i = 0; i < type->n_fields; i++)
		align = type->fields[i].align > align ? type->fields[i].align : align;
	if (which >= 1 && which <= type->n_fields)
		free_field(proc, &type->fields[which - 1], value + round_up(sizeof(which), align));
}

static void free_content(node_proc_t *proc, const dream_type_t *type, char *value)
{
	if (type->form == DREAM_FORM_VARIANT) {
		free_variant(proc, type, value);
		return;
	}
	uint32_t offset = 0;
	for (uint32_t i = 0; i < type->n_fields; i++) {
		offset = round_up(offset, type->fields[i].align);
		free_field(proc, &type->fields[i], value + offset);
		offset += type->fields[i].size;
	}
}

void node_state_free(node_proc_t *proc, const dream_type_t *type, void *value)
{
	if (value == NULL)
		return;
	free_content(proc, type, value);
	node_heap_free(proc, value);
}
