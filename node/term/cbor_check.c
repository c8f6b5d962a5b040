/* SPDX-License-Identifier: MIT */
/* One walk over nested items serves checking and skipping. It keeps its own small stack instead of
 * recursing: what it reads comes from strangers, and it runs on the small stacks of processes. */
#include "term/cbor_typed.h"
#include "term/utf8.h"

#define ENDLESS UINT64_MAX

typedef struct frame {
	uint64_t left; /* items; ENDLESS until the break of an indefinite one */
	bool is_map;
	bool odd; /* an indefinite map holds a key without its value */
} frame_t;

typedef struct walk {
	node_cbor_reader_t r;
	const uint8_t *start;
	node_diag_t *diag;
	bool check_text;
	unsigned depth;
	unsigned depth_max;
	frame_t frames[NODE_MSG_DEPTH_MAX];
} walk_t;

static int bad(const walk_t *w, int code, const char *what)
{
	return node_diag_set(w->diag, code, "byte %zu: %s", (size_t) (w->r.at - w->start), what);
}

static int push(walk_t *w, uint64_t left, bool is_map)
{
	if (w->depth == w->depth_max)
		return node_diag_set(w->diag, DREAM_ELIMIT,
			"byte %zu: nested deeper than %u; send it in flatter parts",
			(size_t) (w->r.at - w->start), NODE_MSG_DEPTH_MAX);
	frame_t *frame = &w->frames[w->depth++];
	frame->left = left;
	frame->is_map = is_map;
	frame->odd = false;
	return DREAM_OK;
}

static int pass_string(walk_t *w, unsigned major, uint64_t size)
{
	if (size > node_cbor_left(&w->r))
		return bad(w, DREAM_EDECODE, "a string is longer than what is left");
	if (w->check_text && major == NODE_CBOR_TEXT && !node_utf8_valid(w->r.at, size))
		return bad(w, DREAM_EDECODE, "a text is not UTF-8");
	w->r.at += size;
	return DREAM_OK;
}

/* The chunks of an indefinite string: definite ones of its own kind (section 3.2.3). */
static int pass_chunks(walk_t *w, unsigned major)
{
	while (!node_cbor_take_break(&w->r)) {
		uint8_t initial;
		uint64_t size;
		if (!node_cbor_take_head(&w->r, &initial, &size) || NODE_CBOR_MAJOR(initial) != major ||
			NODE_CBOR_INFO(initial) == NODE_CBOR_INDEFINITE)
			return bad(w, DREAM_EDECODE, "a string's chunk is no definite string of its kind");
		int r = pass_string(w, major, size);
		if (r < 0)
			return r;
	}
	return DREAM_OK;
}

static int enter(walk_t *w, unsigned major, uint64_t count, bool endless)
{
	bool is_map = major == NODE_CBOR_MAP;
	if (endless)
		return push(w, ENDLESS, is_map);
	if (count > node_cbor_left(&w->r) / (is_map ? 2 : 1))
		return bad(w, DREAM_EDECODE, "more items are announced than bytes are left");
	return push(w, is_map ? 2 * count : count, is_map);
}

/* A typed array counts as one level of nesting, as the array that it stands for. */
static int pass_tag(walk_t *w, uint64_t tag)
{
	int r = push(w, 1, false);
	if (r < 0 || !node_cbor_is_typed(tag))
		return r;
	node_cbor_typed_t typed;
	if (!node_cbor_take_typed_content(&w->r, tag, &typed))
		return bad(w, DREAM_EDECODE,
			"a typed array is no byte string in one piece whose length is a multiple of its "
			"items'");
	w->frames[w->depth - 1].left = 0;
	return DREAM_OK;
}

static int pass_head(walk_t *w)
{
	uint8_t initial;
	uint64_t value;
	if (!node_cbor_take_head(&w->r, &initial, &value))
		return bad(
			w, DREAM_EDECODE, w->r.at >= w->r.end ? "it ends too early" : "no item begins here");
	unsigned major = NODE_CBOR_MAJOR(initial);
	bool endless = NODE_CBOR_INFO(initial) == NODE_CBOR_INDEFINITE;
	switch (major) {
	case NODE_CBOR_BYTES:
	case NODE_CBOR_TEXT:
		return endless ? pass_chunks(w, major) : pass_string(w, major, value);
	case NODE_CBOR_ARRAY:
	case NODE_CBOR_MAP:
		return enter(w, major, value, endless);
	case NODE_CBOR_TAG:
		return pass_tag(w, value);
	default:
		return DREAM_OK;
	}
}

/* Numbers below 24, simple values and short strings: most of what is passed. What it does not know, or does
 * not like, it leaves to pass_head(). */
static inline bool pass_leaf(node_cbor_reader_t *r, bool check_text)
{
	if (r->at >= r->end)
		return false;
	unsigned major = NODE_CBOR_MAJOR(*r->at);
	uint64_t info = NODE_CBOR_INFO(*r->at);
	if (info >= 24 || (major >= NODE_CBOR_ARRAY && major != NODE_CBOR_SIMPLE))
		return false;
	uint64_t size = 1 + (major == NODE_CBOR_BYTES || major == NODE_CBOR_TEXT ? info : 0);
	if (size > node_cbor_left(r))
		return false;
	if (check_text && major == NODE_CBOR_TEXT && !node_utf8_valid(r->at + 1, info))
		return false;
	r->at += size;
	return true;
}

/* Some leaves and one head, or the break of the innermost container. */
static int step(walk_t *w)
{
	frame_t *top = w->depth > 0 ? &w->frames[w->depth - 1] : NULL;
	if (top == NULL)
		return pass_head(w);
	if (top->left != ENDLESS) {
		uint64_t more = top->left;
		while (more > 0 && pass_leaf(&w->r, w->check_text))
			more--;
		top->left = more > 0 ? more - 1 : 0;
		return more > 0 ? pass_head(w) : DREAM_OK;
	}
	if (!node_cbor_take_break(&w->r)) {
		top->odd = !top->odd;
		return pass_head(w);
	}
	if (top->is_map && top->odd)
		return bad(w, DREAM_EDECODE, "a map ends with a key without a value");
	top->left = 0;
	return DREAM_OK;
}

static int walk(walk_t *w)
{
	do {
		int r = step(w);
		if (r < 0)
			return r;
		while (w->depth > 0 && w->frames[w->depth - 1].left == 0)
			w->depth--;
	} while (w->depth > 0);
	return DREAM_OK;
}

static void begin(walk_t *w, node_cbor_reader_t r, unsigned depth_max, bool check_text, node_diag_t *diag)
{
	w->r = r;
	w->start = r.at;
	w->diag = diag;
	w->check_text = check_text;
	w->depth = 0;
	w->depth_max = depth_max < NODE_MSG_DEPTH_MAX ? depth_max : NODE_MSG_DEPTH_MAX;
}

int node_cbor_check_within(const void *data, uint64_t size_bytes, unsigned depth_max,
	uint64_t *ret_size_bytes, node_diag_t *diag)
{
	walk_t w;
	begin(&w, node_cbor_read(data, size_bytes), depth_max, true, diag);
	int r = walk(&w);
	if (r < 0)
		return r;
	uint64_t used = (uint64_t) (w.r.at - w.start);
	if (used > NODE_MSG_SIZE_MAX)
		return node_diag_set(diag, DREAM_ELIMIT, "the item is larger than %u MiB; send it in parts",
			(unsigned) (NODE_MSG_SIZE_MAX >> 20));
	*ret_size_bytes = used;
	return DREAM_OK;
}

int node_cbor_check_first(const void *data, uint64_t size_bytes, uint64_t *ret_size_bytes, node_diag_t *diag)
{
	return node_cbor_check_within(data, size_bytes, NODE_MSG_DEPTH_MAX, ret_size_bytes, diag);
}

int node_cbor_check(const void *data, uint64_t size_bytes, node_diag_t *diag)
{
	uint64_t used = 0;
	int r = node_cbor_check_first(data, size_bytes, &used, diag);
	if (r < 0)
		return r;
	if (used != size_bytes)
		return node_diag_set(
			diag, DREAM_EDECODE, "byte %zu: more follows after the item", (size_t) used);
	return DREAM_OK;
}

int node_cbor_skip(node_cbor_reader_t *r)
{
	if (pass_leaf(r, false))
		return DREAM_OK;
	walk_t w;
	begin(&w, *r, NODE_MSG_DEPTH_MAX, false, NULL);
	if (walk(&w) < 0)
		return DREAM_EDECODE;
	r->at = w.r.at;
	return DREAM_OK;
}
