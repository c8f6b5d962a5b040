/* SPDX-License-Identifier: MIT */
#include "fuzz.h"
#include "term/notation.h"

static void print_and_parse(const dream_msg_t *msg)
{
	g_autoptr(GString) text = g_string_new(NULL);
	node_notation_print(text, msg->data, msg->size_bytes, 0);
	dream_msg_t *again = NULL;
	DREAM_FUZZ_MUST(node_notation_parse(text->str, text->len, &again, NULL) == 0);
	DREAM_FUZZ_MUST(again->size_bytes == msg->size_bytes);
	DREAM_FUZZ_MUST(memcmp(again->data, msg->data, msg->size_bytes) == 0);
	node_msg_unref(again);
}

int dream_fuzz_notation(const uint8_t *data, size_t size_bytes)
{
	node_diag_t diag;
	uint64_t used = 0;
	dream_msg_t *msg = NULL;
	if (node_notation_parse_first((const char *) data, size_bytes, &used, &msg, &diag) < 0)
		return 0;
	DREAM_FUZZ_MUST(used <= size_bytes);
	DREAM_FUZZ_MUST(node_cbor_check(msg->data, msg->size_bytes, NULL) == 0);
	print_and_parse(msg);
	node_msg_unref(msg);
	return 0;
}
