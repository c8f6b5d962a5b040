/* SPDX-License-Identifier: MIT */
/* cbor.h: writing and reading CBOR items (RFC 8949) one head at a time, without allocating. */
#ifndef NODE_TERM_CBOR_H
#define NODE_TERM_CBOR_H
#include <string.h>
#include "base/mem.h"
#include "term/msg.h"

DREAM_BEGIN_DECLS

/* Our tags (RFC 8949 section 3.4): ["name@host", creation, id]. Unassigned in IANA's registry. */
#define NODE_CBOR_TAG_PID 26101u
#define NODE_CBOR_TAG_REF 26102u

/* ---- writing ---- */

/* Writes into a message, which is the result itself: small at first, grown as needed. A failure sticks and is told by
 * node_cbor_finish(). To be ended by node_cbor_finish() or node_cbor_fini(). */
typedef struct node_cbor_writer {
	uint8_t *data; /* of msg */
	uint64_t size_bytes;
	uint64_t cap_bytes;
	int error;
	dream_msg_t *msg; /* NULL: no memory yet */
} node_cbor_writer_t;

static inline void node_cbor_init(node_cbor_writer_t *w)
{
	w->msg = node_msg_alloc(NODE_MSG_SMALL_BYTES);
	w->data = w->msg != NULL ? w->msg->data : NULL;
	w->size_bytes = 0;
	w->cap_bytes = w->msg != NULL ? NODE_MSG_SMALL_BYTES : 0;
	w->error = 0;
}

/** Releases the buffer; a writer that was finished has none. */
static inline void node_cbor_fini(node_cbor_writer_t *w)
{
	node_msg_unref(w->msg);
	w->msg = NULL;
	w->data = NULL;
	w->size_bytes = w->cap_bytes = 0;
}

/** Room for @size_bytes more, so that what is known to follow needs one allocation; no more than a hint. */
void node_cbor_reserve(node_cbor_writer_t *w, uint64_t size_bytes);

/** Makes a message of what was written and releases the writer. Errors DREAM_ENOMEM, DREAM_ELIMIT. */
int node_cbor_finish(node_cbor_writer_t *w, dream_msg_t **ret_msg);

void node_cbor_put_uint(node_cbor_writer_t *w, uint64_t value);
void node_cbor_put_int(node_cbor_writer_t *w, int64_t value);
void node_cbor_put_f64(node_cbor_writer_t *w, double value);
void node_cbor_put_bool(node_cbor_writer_t *w, bool value);
void node_cbor_put_null(node_cbor_writer_t *w);
void node_cbor_put_text(node_cbor_writer_t *w, const char *text); /* NUL-terminated UTF-8 */
void node_cbor_put_text_n(node_cbor_writer_t *w, const char *text, uint64_t size_bytes);
void node_cbor_put_bytes(node_cbor_writer_t *w, const void *data, uint64_t size_bytes);
void node_cbor_put_array(node_cbor_writer_t *w, uint64_t count); /* `count` items follow */
void node_cbor_put_map(node_cbor_writer_t *w, uint64_t count);   /* `count` pairs follow */
void node_cbor_put_tag(node_cbor_writer_t *w, uint64_t tag);     /* one item follows */
/** One item that is encoded already. */
void node_cbor_put_item(node_cbor_writer_t *w, const void *data, uint64_t size_bytes);
/** One item, or null for NULL. */
void node_cbor_put_msg(node_cbor_writer_t *w, const dream_msg_t *msg);
/** Indefinite-length array or map (section 3.2.2) and its end. */
void node_cbor_put_array_start(node_cbor_writer_t *w);
void node_cbor_put_map_start(node_cbor_writer_t *w);
void node_cbor_put_break(node_cbor_writer_t *w);
/** A pid or a reference, with the node's name spelt out through node->hooks. */
void node_cbor_put_pid(node_cbor_writer_t *w, const node_t *node, dream_pid_t pid);
void node_cbor_put_ref(node_cbor_writer_t *w, const node_t *node, dream_ref_t ref);

/* ---- reading ---- */

#define NODE_CBOR_UINT 0u
#define NODE_CBOR_NINT 1u /* the value is -1 - head.value */
#define NODE_CBOR_BYTES 2u
#define NODE_CBOR_TEXT 3u
#define NODE_CBOR_ARRAY 4u
#define NODE_CBOR_MAP 5u
#define NODE_CBOR_TAG 6u
#define NODE_CBOR_SIMPLE 7u /* false 20, true 21, null 22, undefined 23; floats: head.is_float */

typedef struct node_cbor_reader {
	const uint8_t *at;
	const uint8_t *end;
} node_cbor_reader_t;

typedef struct node_cbor_head {
	uint8_t major;
	bool indefinite;
	bool is_float;  /* then `number` holds it, whatever its width was */
	uint64_t value; /* number, length, count, tag or simple value */
	double number;
} node_cbor_head_t;

static inline node_cbor_reader_t node_cbor_read(const void *data, uint64_t size_bytes)
{
	node_cbor_reader_t r = {(const uint8_t *) data, (const uint8_t *) data + size_bytes};
	return r;
}

static inline node_cbor_reader_t node_cbor_read_msg(const dream_msg_t *msg)
{
	return node_cbor_read(msg->data, msg->size_bytes);
}

/** Checks that the bytes are exactly one well-formed item within the caps of msg.h, with valid UTF-8 texts.
 *  Everything below may rely on it having passed, but never reads outside the buffer if it has not.
 *  Errors    DREAM_EDECODE, DREAM_ELIMIT */
int node_cbor_check(const void *data, uint64_t size_bytes, node_diag_t *diag);

/** The same for the first item of a longer buffer. @ret_size_bytes its length. */
int node_cbor_check_first(const void *data, uint64_t size_bytes, uint64_t *ret_size_bytes, node_diag_t *diag);

/** Reads one head; the content of a text or bytes is not skipped. Errors DREAM_EDECODE (ended, reserved). */
int node_cbor_next(node_cbor_reader_t *r, node_cbor_head_t *ret_head);
/** Skips one whole item. Errors DREAM_EDECODE. */
int node_cbor_skip(node_cbor_reader_t *r);
/** True, and consumed, if the next byte is a break. */
bool node_cbor_take_break(node_cbor_reader_t *r);

/* Each reads one item of its kind, or fails with DREAM_EDECODE and leaves the reader where it was. */
int node_cbor_get_uint(node_cbor_reader_t *r, uint64_t *ret_value);
int node_cbor_get_int(node_cbor_reader_t *r, int64_t *ret_value); /* DREAM_ERANGE beyond int64 */
int node_cbor_get_f64(node_cbor_reader_t *r, double *ret_value);  /* integers too */
int node_cbor_get_bool(node_cbor_reader_t *r, bool *ret_value);
int node_cbor_get_null(node_cbor_reader_t *r);
/** Borrowed from the buffer; definite length only, as all our writers write. */
int node_cbor_get_text(node_cbor_reader_t *r, const char **ret_text, uint64_t *ret_size_bytes);
int node_cbor_get_bytes(node_cbor_reader_t *r, const uint8_t **ret_data, uint64_t *ret_size_bytes);
/** Definite or not: *ret_count is UINT64_MAX for an indefinite one, ended by node_cbor_take_break(). */
int node_cbor_get_array(node_cbor_reader_t *r, uint64_t *ret_count);
int node_cbor_get_map(node_cbor_reader_t *r, uint64_t *ret_count);
int node_cbor_get_pid(node_cbor_reader_t *r, node_t *node, dream_pid_t *ret_pid);
int node_cbor_get_ref(node_cbor_reader_t *r, node_t *node, dream_ref_t *ret_ref);
/** The bytes of the next item, borrowed, and skips it. */
int node_cbor_get_item(node_cbor_reader_t *r, const uint8_t **ret_data, uint64_t *ret_size_bytes);

/** The value of a text key in a map, borrowed. Errors DREAM_EDECODE no map, DREAM_ENOENT no such key. */
int node_cbor_map_find(const void *map, uint64_t size_bytes, const char *key, const uint8_t **ret_data,
	uint64_t *ret_size_bytes);

DREAM_END_DECLS
#endif
