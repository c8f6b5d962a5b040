/* SPDX-License-Identifier: MIT */
/* frame.h: what peers say to each other: on each lane a sequence of frames, each its length (4 bytes, big endian)
 * and a CBOR array [type, …]. docs/dist-protocol.md lists them. */
#ifndef NODE_DIST_FRAME_H
#define NODE_DIST_FRAME_H
#include "dist/carrier.h"
#include "term/msg.h"

DREAM_BEGIN_DECLS

#define NODE_FRAME_VERSION 1u
#define NODE_FRAME_MAX (NODE_MSG_SIZE_MAX + 4096) /* bytes of one frame without its length */

#define NODE_FRAME_HELLO 0u
#define NODE_FRAME_SEND 1u
#define NODE_FRAME_SEND_NAME 2u
#define NODE_FRAME_CAST 3u
#define NODE_FRAME_CAST_NAME 4u
#define NODE_FRAME_CALL 5u
#define NODE_FRAME_CALL_NAME 6u
#define NODE_FRAME_REPLY 7u
#define NODE_FRAME_CANCEL 8u
#define NODE_FRAME_CANCEL_NAME 9u
#define NODE_FRAME_COMMAND 16u
#define NODE_FRAME_ITEM 17u
#define NODE_FRAME_DONE 18u
#define NODE_FRAME_CANCEL_COMMAND 19u

/* A frame taken apart; which members count depends on the type. Texts and the item are lent. */
typedef struct node_frame {
	uint32_t type;
	int32_t code;
	uint64_t ref;  /* of a call; the id of a command */
	uint64_t from; /* process ids */
	uint64_t to;
	uint32_t to_creation;
	const char *text; /* a name, a command line, a text for people; not terminated */
	uint64_t text_size;
	const uint8_t *item; /* one CBOR item, not checked yet */
	uint64_t item_size;
	/* HELLO */
	uint32_t version_min;
	uint32_t version_max;
	uint32_t creation;
	uint32_t role;
} node_frame_t;

/** "CALL_NAME"; "frame" for an unknown type. [any] */
const char *node_frame_name(uint32_t type);

/** Takes the bytes of one frame apart.
 *  Errors    DREAM_EPROTO naming the frame and what is wrong
 *  Thread    [any] */
int node_frame_read(const uint8_t *data, uint64_t size_bytes, node_frame_t *ret_frame, node_diag_t *diag);

/** Puts a frame on a lane. @flags of carrier.h. Errors as node_carrier_ops_t.send, DREAM_ELIMIT too long. [any] */
int node_frame_send(node_carrier_t *carrier, uint32_t lane, const node_frame_t *frame, uint32_t flags);

/** The lane of everything that a process sends (DIST-O1): by its id alone. [any] */
static inline uint32_t node_frame_lane(uint64_t process_id)
{
	return 1 + (uint32_t) ((process_id * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % (NODE_CARRIER_LANES - 1);
}

/* ---- a lane that is read ---- */

typedef struct node_inlane {
	uint8_t *data; /* a frame that is not complete yet, or frames that have to wait */
	uint64_t size_bytes;
	uint64_t cap_bytes;
} node_inlane_t;

/** 0: go on; positive: leave the frames behind this one for later; negative: the connection is over. */
typedef int (*node_inlane_on_frame_t)(void *user, const uint8_t *data, uint64_t size_bytes);

/** Appends bytes and calls @on_frame for each complete frame; with @on_frame NULL they only wait.
 *  Memory grows with what came, not with what a length promises.
 *  Errors    DREAM_EPROTO a frame longer than NODE_FRAME_MAX, DREAM_ENOMEM, what @on_frame returns */
int node_inlane_push(node_inlane_t *lane, const uint8_t *data, uint64_t size_bytes,
	node_inlane_on_frame_t on_frame, void *user, node_diag_t *diag);

void node_inlane_fini(node_inlane_t *lane);

DREAM_END_DECLS
#endif
