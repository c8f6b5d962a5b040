/* SPDX-License-Identifier: MIT */
/* types.h: described types in C++: the SDK's macros are C, which can define a struct inside sizeof. */
#ifndef TESTS_UNIT_TERM_TYPES_H
#define TESTS_UNIT_TERM_TYPES_H
#define _Alignof alignof
#include <gtest/gtest.h>
#include <string>
#include <vector>
/* C may call a function like a struct's tag, and the SDK does: dream_spawn(). g++ sees a constructor hidden. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "term/codec.h"
#include "term/notation.h"
#pragma GCC diagnostic pop

template <class T> struct term_opt {
	bool has;
	T value;
};
#undef DREAM_C_opt
#undef DREAM_D_opt
#define DREAM_C_opt(kind) term_opt<DREAM_C_##kind>
#define DREAM_D_opt(kind)                                                                                    \
	DREAM_TYPE_OPT, sizeof(term_opt<DREAM_C_##kind>), alignof(term_opt<DREAM_C_##kind>), DREAM_K_##kind, \
		DREAM_SUB_##kind

namespace term
{

inline std::string hex(const void *data, uint64_t size)
{
	static const char digits[] = "0123456789abcdef";
	std::string out;
	for (uint64_t i = 0; i < size; i++) {
		uint8_t byte = static_cast<const uint8_t *>(data)[i];
		out += digits[byte >> 4];
		out += digits[byte & 15];
	}
	return out;
}

inline std::vector<uint8_t> unhex(const std::string &text)
{
	std::vector<uint8_t> out;
	for (size_t i = 0; i + 1 < text.size(); i += 2)
		out.push_back(static_cast<uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
	return out;
}

/* The bytes of a term, or the diagnostic. */
inline std::vector<uint8_t> parse(const std::string &text)
{
	node_diag_t diag = {};
	dream_msg_t *msg = nullptr;
	int r = node_notation_parse(text.data(), text.size(), &msg, &diag);
	EXPECT_EQ(r, 0) << text << ": " << diag.text;
	if (r < 0)
		return {};
	std::vector<uint8_t> out(msg->data, msg->data + msg->size_bytes);
	node_msg_unref(msg);
	return out;
}

inline std::string print(const std::vector<uint8_t> &item, uint64_t max_bytes = 0)
{
	GString *text = g_string_new(nullptr);
	node_notation_print(text, item.data(), item.size(), max_bytes);
	std::string out(text->str, text->len);
	g_string_free(text, TRUE);
	return out;
}

inline std::string json(const std::vector<uint8_t> &item)
{
	GString *text = g_string_new(nullptr);
	node_notation_print_json(text, item.data(), item.size());
	std::string out(text->str, text->len);
	g_string_free(text, TRUE);
	return out;
}

inline std::vector<uint8_t> finish(node_cbor_writer_t *w)
{
	dream_msg_t *msg = nullptr;
	int r = node_cbor_finish(w, &msg);
	EXPECT_EQ(r, 0);
	if (r < 0)
		return {};
	std::vector<uint8_t> out(msg->data, msg->data + msg->size_bytes);
	node_msg_unref(msg);
	return out;
}

} // namespace term
#endif
