/* SPDX-License-Identifier: MIT */
#include "dist/outbox.h"

#include <string.h>

#include "base/mem.h"

/* A lone small message should not cost a page, a stream of them not a block each. */
#define FIRST_CHUNK_BYTES 1000u
#define NEXT_CHUNK_BYTES 16000u

void node_outbox_init(node_outbox_t *box)
{
	memset(box, 0, sizeof(*box));
	pthread_mutex_init(&box->lock, NULL);
}

void node_chunks_free(node_chunks_t *chunks)
{
	while (chunks->head != NULL) {
		node_chunk_t *next = chunks->head->next;
		node_mem_free(chunks->head);
		chunks->head = next;
	}
	chunks->tail = NULL;
}

void node_outbox_fini(node_outbox_t *box)
{
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++)
		node_chunks_free(&box->lanes[i]);
	pthread_mutex_destroy(&box->lock);
}

static void link_chunk(node_chunks_t *chunks, node_chunk_t *chunk)
{
	if (chunks->tail != NULL)
		chunks->tail->next = chunk;
	else
		chunks->head = chunk;
	chunks->tail = chunk;
}

/* Room for all of it in one chunk, so that a failure leaves nothing half written. */
static node_chunk_t *reserve(node_chunks_t *chunks, uint64_t size_bytes)
{
	node_chunk_t *tail = chunks->tail;
	if (tail != NULL && tail->cap_bytes - tail->size_bytes >= size_bytes)
		return tail;
	uint64_t cap = MAX(size_bytes, tail == NULL ? FIRST_CHUNK_BYTES : NEXT_CHUNK_BYTES);
	node_chunk_t *chunk = cap > UINT32_MAX ? NULL : node_mem_alloc(sizeof(*chunk) + cap);
	if (chunk == NULL)
		return NULL;
	chunk->next = NULL;
	chunk->size_bytes = 0;
	chunk->cap_bytes = (uint32_t) cap;
	link_chunk(chunks, chunk);
	return chunk;
}

static int append(node_outbox_t *box, uint32_t lane, const node_carrier_part_t *parts, uint32_t n_parts)
{
	bool naming = (box->opened & (1u << lane)) == 0;
	uint64_t total = naming;
	for (uint32_t i = 0; i < n_parts; i++)
		total += parts[i].size_bytes;
	node_chunk_t *chunk = reserve(&box->lanes[lane], total);
	if (chunk == NULL)
		return DREAM_ENOMEM;
	if (naming)
		chunk->data[chunk->size_bytes++] = (uint8_t) lane;
	box->opened |= 1u << lane;
	for (uint32_t i = 0; i < n_parts; i++) {
		if (parts[i].size_bytes > 0)
			memcpy(chunk->data + chunk->size_bytes, parts[i].data, parts[i].size_bytes);
		chunk->size_bytes += (uint32_t) parts[i].size_bytes;
	}
	box->waiting_bytes += total;
	return DREAM_OK;
}

int node_outbox_put(node_outbox_t *box, uint32_t lane, const node_carrier_part_t *parts, uint32_t n_parts,
	bool exempt, bool *ret_wake)
{
	int r;
	*ret_wake = false;
	pthread_mutex_lock(&box->lock);
	if (box->closed)
		r = DREAM_ENOCONNECTION;
	else if (!exempt && box->waiting_bytes >= NODE_CARRIER_CAP_BYTES)
		r = DREAM_EBUSY;
	else if (box->waiting_bytes >= NODE_CARRIER_HARD_CAP_BYTES)
		r = DREAM_ELIMIT;
	else
		r = append(box, lane, parts, n_parts);
	if (r == DREAM_OK && !box->signalled)
		*ret_wake = box->signalled = true;
	pthread_mutex_unlock(&box->lock);
	return r;
}

void node_outbox_take(node_outbox_t *box, node_chunks_t *lanes)
{
	pthread_mutex_lock(&box->lock);
	box->signalled = false;
	for (uint32_t i = 0; i < NODE_CARRIER_LANES; i++) {
		node_chunks_t *from = &box->lanes[i];
		if (from->head == NULL)
			continue;
		link_chunk(&lanes[i], from->head);
		lanes[i].tail = from->tail;
		*from = (node_chunks_t){NULL, NULL};
	}
	pthread_mutex_unlock(&box->lock);
}

void node_outbox_acked(node_outbox_t *box, uint64_t size_bytes)
{
	pthread_mutex_lock(&box->lock);
	box->waiting_bytes -= MIN(size_bytes, box->waiting_bytes);
	pthread_mutex_unlock(&box->lock);
}

void node_outbox_shut(node_outbox_t *box)
{
	pthread_mutex_lock(&box->lock);
	box->closed = true;
	pthread_mutex_unlock(&box->lock);
}

uint64_t node_outbox_waiting(node_outbox_t *box)
{
	pthread_mutex_lock(&box->lock);
	uint64_t waiting = box->waiting_bytes;
	pthread_mutex_unlock(&box->lock);
	return waiting;
}
