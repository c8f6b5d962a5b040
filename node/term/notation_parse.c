/* SPDX-License-Identifier: MIT */
/* A recursive descent that writes CBOR as it goes. The head of an array or map is put in front once its
 * items are counted, which moves them; with nesting capped at 128 that stays linear enough for what people
 * type. */
#include "term/cbor_typed.h"
#include "term/notation.h"

#include "term/notation_lex.h"

typedef node_notation_lex_t lex_t;

static int parse_item(lex_t *lex);

static int open_bracket(lex_t *lex)
{
	if (++lex->depth > NODE_MSG_DEPTH_MAX)
		return node_diag_set(
			lex->diag, DREAM_ELIMIT, "the term is nested deeper than %u", NODE_MSG_DEPTH_MAX);
	return node_notation_skip_space(lex);
}

static int insert_head(lex_t *lex, unsigned major, uint64_t start, uint64_t count)
{
	node_cbor_writer_t *w = lex->w;
	if (node_cbor_room(w, NODE_CBOR_HEAD_MAX) == NULL)
		return w->error;
	uint8_t head[NODE_CBOR_HEAD_MAX];
	uint64_t size = (uint64_t) (node_cbor_write_head(head, major, count) - head);
	memmove(w->data + start + size, w->data + start, w->size_bytes - start);
	memcpy(w->data + start, head, size);
	w->size_bytes += size;
	return DREAM_OK;
}

/* One array item, or one key with its value; white space after it is consumed. */
static int parse_element(lex_t *lex, bool is_map)
{
	int r = parse_item(lex);
	if (r == 0)
		r = node_notation_skip_space(lex);
	if (r < 0 || !is_map)
		return r;
	if (!node_notation_take(lex, ":"))
		return node_notation_fail(lex, "expected ':' and a value after the key");
	r = parse_item(lex);
	return r < 0 ? r : node_notation_skip_space(lex);
}

static int parse_elements(lex_t *lex, bool is_map, const char *close, uint64_t *ret_count)
{
	uint64_t count = 0;
	if (node_notation_take(lex, close)) {
		*ret_count = 0;
		return DREAM_OK;
	}
	do {
		int r = parse_element(lex, is_map);
		if (r < 0)
			return r;
		count++;
	} while (node_notation_take(lex, ","));
	if (!node_notation_take(lex, close))
		return node_notation_fail(lex, is_map ? "expected ',' or '}'" : "expected ',' or ']'");
	*ret_count = count;
	return DREAM_OK;
}

/* After the opening bracket. */
static int parse_container(lex_t *lex, bool is_map)
{
	bool endless = node_notation_take(lex, "_");
	uint64_t start = lex->w->size_bytes, count = 0;
	if (endless && is_map)
		node_cbor_put_map_start(lex->w);
	else if (endless)
		node_cbor_put_array_start(lex->w);
	int r = open_bracket(lex);
	if (r == 0)
		r = parse_elements(lex, is_map, is_map ? "}" : "]", &count);
	if (r < 0)
		return r;
	lex->depth--;
	if (!endless)
		return insert_head(lex, is_map ? NODE_CBOR_MAP : NODE_CBOR_ARRAY, start, count);
	node_cbor_put_break(lex->w);
	return DREAM_OK;
}

static bool at_bytes(const lex_t *lex)
{
	lex_t ahead = *lex;
	return node_notation_take(&ahead, "h'") || node_notation_take(&ahead, "b64'");
}

static void put_chunks_start(lex_t *lex, unsigned major)
{
	uint8_t initial = (uint8_t) (major << 5 | NODE_CBOR_INDEFINITE);
	node_cbor_put_item(lex->w, &initial, 1);
}

/* After "(_". */
static int parse_chunks(lex_t *lex)
{
	int r = node_notation_skip_space(lex);
	if (r < 0)
		return r;
	bool is_text = lex->at < lex->end && *lex->at == '"';
	put_chunks_start(lex, is_text ? NODE_CBOR_TEXT : NODE_CBOR_BYTES);
	do {
		r = node_notation_skip_space(lex);
		if (r == 0 && is_text != (lex->at < lex->end && *lex->at == '"'))
			return node_notation_fail(lex, "the chunks of a string are of one kind");
		if (r == 0 && !is_text && !at_bytes(lex))
			return node_notation_fail(lex, "expected a chunk, text or bytes");
		if (r == 0)
			r = is_text ? node_notation_text(lex) : node_notation_bytes(lex);
		if (r == 0)
			r = node_notation_skip_space(lex);
		if (r < 0)
			return r;
	} while (node_notation_take(lex, ","));
	if (!node_notation_take(lex, ")"))
		return node_notation_fail(lex, "expected ',' or ')'");
	node_cbor_put_break(lex->w);
	return DREAM_OK;
}

/* After "number(". */
static int parse_tagged(lex_t *lex, uint64_t tag)
{
	if (node_cbor_is_typed(tag))
		return node_notation_fail(lex, "a typed array is written as a list: [1, 2, 3]");
	node_cbor_put_tag(lex->w, tag);
	int r = open_bracket(lex);
	if (r == 0)
		r = parse_item(lex);
	if (r == 0)
		r = node_notation_skip_space(lex);
	if (r < 0)
		return r;
	lex->depth--;
	return node_notation_take(lex, ")") ? DREAM_OK
					    : node_notation_fail(lex, "expected ')' after the tagged item");
}

static int parse_number(lex_t *lex)
{
	bool is_tag;
	uint64_t tag;
	int r = node_notation_number(lex, &is_tag, &tag);
	return r == 0 && is_tag ? parse_tagged(lex, tag) : r;
}

/* After "simple(". */
static int parse_simple(lex_t *lex)
{
	unsigned value = 0;
	const char *digits = lex->at;
	while (lex->at < lex->end && *lex->at >= '0' && *lex->at <= '9' && value <= 255)
		value = value * 10 + (unsigned) (*lex->at++ - '0');
	if (lex->at == digits || value > 255 || (value >= 24 && value < 32) || !node_notation_take(lex, ")"))
		return node_notation_fail(lex, "expected 0 to 23 or 32 to 255 and ')'");
	node_cbor_put_head(lex->w, NODE_CBOR_SIMPLE, value);
	return DREAM_OK;
}

static int parse_word(lex_t *lex)
{
	static const struct {
		const char *word;
		uint8_t simple;
	} words[] = {{"false", 20}, {"true", 21}, {"null", 22}, {"undefined", 23}};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (node_notation_take_word(lex, words[i].word)) {
			node_cbor_put_head(lex->w, NODE_CBOR_SIMPLE, words[i].simple);
			return DREAM_OK;
		}
	double number = 0;
	if (node_notation_take_word(lex, "NaN"))
		number = __builtin_nan("");
	else if (node_notation_take_word(lex, "Infinity"))
		number = __builtin_inf();
	else if (node_notation_take_word(lex, "-Infinity"))
		number = -__builtin_inf();
	else
		return node_notation_fail(
			lex, "expected a term: a number, a \"text\", h'bytes', [ ], { }, true, null …");
	node_cbor_put_f64(lex->w, number);
	return DREAM_OK;
}

static bool at_number(const lex_t *lex)
{
	const char *at = lex->at;
	if (*at == '-')
		at++;
	return at < lex->end && *at >= '0' && *at <= '9';
}

static int parse_other(lex_t *lex)
{
	bool is_text = node_notation_take(lex, "\"\"_");
	if (is_text || node_notation_take(lex, "''_")) { /* an indefinite string without chunks */
		put_chunks_start(lex, is_text ? NODE_CBOR_TEXT : NODE_CBOR_BYTES);
		node_cbor_put_break(lex->w);
		return DREAM_OK;
	}
	if (*lex->at == '"')
		return node_notation_text(lex);
	if (at_bytes(lex))
		return node_notation_bytes(lex);
	if (node_notation_take(lex, "simple("))
		return parse_simple(lex);
	return parse_word(lex);
}

static int parse_item(lex_t *lex)
{
	int r = node_notation_skip_space(lex);
	if (r < 0)
		return r;
	if (lex->at >= lex->end)
		return node_notation_fail(lex, "a term is missing here");
	if (lex->w->error < 0)
		return lex->w->error;
	if (node_notation_take(lex, "["))
		return parse_container(lex, false);
	if (node_notation_take(lex, "{"))
		return parse_container(lex, true);
	if (node_notation_take(lex, "(_"))
		return parse_chunks(lex);
	return at_number(lex) ? parse_number(lex) : parse_other(lex);
}

static int parse_and_finish(lex_t *lex, bool whole, dream_msg_t **ret_msg)
{
	int r = parse_item(lex);
	if (r == 0)
		r = node_notation_skip_space(lex);
	if (r == 0 && whole && lex->at < lex->end)
		r = node_notation_fail(lex, "something follows after the term");
	if (r == 0)
		r = node_cbor_finish(lex->w, ret_msg);
	if (r < 0 && r != DREAM_ESYNTAX)
		node_diag_set(lex->diag, r, "the term cannot be kept: %s", node_diag_code_text(r));
	return r;
}

static int parse(const char *text, uint64_t size_bytes, bool whole, uint64_t *ret_used, dream_msg_t **ret_msg,
	node_diag_t *diag)
{
	node_cbor_writer_t w;
	node_cbor_init(&w);
	lex_t lex = {text, text, text + size_bytes, &w, diag, 0};
	int r = parse_and_finish(&lex, whole, ret_msg);
	node_cbor_fini(&w);
	if (r == 0)
		*ret_used = (uint64_t) (lex.at - text);
	return r;
}

int node_notation_parse(const char *text, uint64_t size_bytes, dream_msg_t **ret_msg, node_diag_t *diag)
{
	uint64_t used;
	return parse(text, size_bytes, true, &used, ret_msg, diag);
}

int node_notation_parse_first(
	const char *text, uint64_t size_bytes, uint64_t *ret_used, dream_msg_t **ret_msg, node_diag_t *diag)
{
	return parse(text, size_bytes, false, ret_used, ret_msg, diag);
}
