/* SPDX-License-Identifier: MIT */
/* Bytes of a lane become frames. */
#include <glib.h>

#include "dist/frame.h"

#define KEEP_BYTES 65536u /* a buffer up to this size stays when it is empty */

static int keep(node_inlane_t *lane, const uint8_t *data, uint64_t size)
{
	uint64_t need = lane->size_bytes + size;
	if (need > lane->cap_bytes) {
		uint64_t cap = MAX(MAX(need, 2 * lane->cap_bytes), 1024);
		uint8_t *bigger = g_try_realloc(lane->data, cap);
		if (bigger == NULL)
			return DREAM_ENOMEM;
		lane->data = bigger;
		lane->cap_bytes = cap;
	}
	memcpy(lane->data + lane->size_bytes, data, size);
	lane->size_bytes = need;
	return DREAM_OK;
}

/* Works off complete frames; returns how many bytes they were. */
static int parse(const uint8_t *data, uint64_t size, node_inlane_on_frame_t on_frame, void *user,
	uint64_t *ret_used, node_diag_t *diag)
{
	uint64_t at = 0;
	int r = 0;
	while (r == 0 && size - at >= 4) {
		uint64_t length = (uint64_t) data[at] << 24 | (uint64_t) data[at + 1] << 16 |
				  (uint64_t) data[at + 2] << 8 | data[at + 3];
		if (length > NODE_FRAME_MAX)
			return node_diag_set(diag, DREAM_EPROTO, "a frame of %llu bytes is longer than %llu",
				(unsigned long long) length, (unsigned long long) NODE_FRAME_MAX);
		if (size - at - 4 < length)
			break;
		r = on_frame(user, data + at + 4, length);
		at += 4 + length;
	}
	*ret_used = at;
	return MIN(r, 0);
}

static void forget(node_inlane_t *lane, uint64_t used)
{
	lane->size_bytes -= used;
	if (lane->size_bytes > 0)
		memmove(lane->data, lane->data + used, lane->size_bytes);
	else if (lane->cap_bytes > KEEP_BYTES)
		node_inlane_fini(lane);
}

int node_inlane_push(node_inlane_t *lane, const uint8_t *data, uint64_t size_bytes,
	node_inlane_on_frame_t on_frame, void *user, node_diag_t *diag)
{
	uint64_t used = 0;
	bool direct = lane->size_bytes == 0 && on_frame != NULL && size_bytes > 0;
	if (direct) { /* mostly frames come whole: no copy */
		int r = parse(data, size_bytes, on_frame, user, &used, diag);
		return r < 0 || used == size_bytes ? r : keep(lane, data + used, size_bytes - used);
	}
	int r = size_bytes > 0 ? keep(lane, data, size_bytes) : DREAM_OK;
	if (r == DREAM_OK && on_frame != NULL)
		r = parse(lane->data, lane->size_bytes, on_frame, user, &used, diag);
	if (r == DREAM_OK && used > 0)
		forget(lane, used);
	return r;
}

void node_inlane_fini(node_inlane_t *lane)
{
	g_free(lane->data);
	*lane = (node_inlane_t){NULL, 0, 0};
}
