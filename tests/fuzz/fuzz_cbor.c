/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "term/notation.h"

/* Widths of numbers are not part of the notation, so not the bytes but their notation must be equal. */
static void reparse(const GString *text)
{
	node_diag_t diag;
	dream_msg_t *msg = NULL;
	int r = node_notation_parse(text->str, text->len, &msg, &diag);
	DREAM_FUZZ_MUST(r == 0);
	DREAM_FUZZ_MUST(node_cbor_check(msg->data, msg->size_bytes, NULL) == 0);
	g_autoptr(GString) again = g_string_new(NULL);
	node_notation_print(again, msg->data, msg->size_bytes, 0);
	DREAM_FUZZ_MUST(g_string_equal(text, again));
	node_msg_unref(msg);
}

int dream_fuzz_cbor(const uint8_t *data, size_t size_bytes)
{
	bool ok = node_cbor_check(data, size_bytes, NULL) == 0;
	g_autoptr(GString) text = g_string_new(NULL);
	node_notation_print_json(text, data, size_bytes);
	DREAM_FUZZ_MUST(g_utf8_validate(text->str, (gssize) text->len, NULL));
	g_string_truncate(text, 0);
	node_notation_print(text, data, size_bytes, 20);
	DREAM_FUZZ_MUST(
		g_utf8_validate(text->str, (gssize) text->len, NULL) && text->len <= 20 + strlen("…"));
	g_string_truncate(text, 0);
	node_notation_print(text, data, size_bytes, 0);
	DREAM_FUZZ_MUST(g_utf8_validate(text->str, (gssize) text->len, NULL));
	node_cbor_reader_t r = node_cbor_read(data, size_bytes);
	int skipped = node_cbor_skip(&r);
	DREAM_FUZZ_MUST(r.at <= r.end);
	if (!ok)
		return 0;
	DREAM_FUZZ_MUST(skipped == 0 && r.at == r.end);
	reparse(text);
	return 0;
}
