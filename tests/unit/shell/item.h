/* SPDX-License-Identifier: MIT */
/* item.h: result items as a node would send them, written in diagnostic notation. */
#ifndef TESTS_UNIT_SHELL_ITEM_H
#define TESTS_UNIT_SHELL_ITEM_H
#include <gtest/gtest.h>
#include <string>
#include "shell/render.h"
#include "term/notation.h"

struct Item {
	dream_msg_t *msg = nullptr;

	explicit Item(const std::string &notation)
	{
		node_diag_t diag = {};
		EXPECT_EQ(node_notation_parse(notation.data(), notation.size(), &msg, &diag), DREAM_OK)
			<< notation << ": " << diag.text;
	}
	~Item()
	{
		node_msg_unref(msg);
	}
	Item(const Item &) = delete;
	shell_value_t value() const
	{
		return {msg->data, msg->size_bytes};
	}
};

/* A file in a UTF-8 locale, and terminals of some width. */
inline shell_style_t to_file()
{
	return {0, false, true, true};
}
inline shell_style_t to_terminal(uint32_t width)
{
	return {width, false, true, true};
}
inline shell_style_t to_ascii_terminal(uint32_t width)
{
	return {width, false, false, false};
}

inline std::string as_text(const std::string &notation, const shell_style_t &style = to_file())
{
	Item item(notation);
	node_diag_t diag = {};
	g_autoptr(GString) out = g_string_new(nullptr);
	EXPECT_EQ(shell_render_text(out, item.value(), &style, &diag), DREAM_OK)
		<< notation << ": " << diag.text;
	return std::string(out->str, out->len);
}

inline std::string as_json(const std::string &notation)
{
	Item item(notation);
	shell_style_t style = to_file();
	node_diag_t diag = {};
	g_autoptr(GString) out = g_string_new(nullptr);
	EXPECT_EQ(shell_render_json(out, item.value(), &style, &diag), DREAM_OK)
		<< notation << ": " << diag.text;
	return std::string(out->str, out->len);
}

inline std::string without_blanks(std::string json)
{
	std::string out;
	bool quoted = false;
	for (char c : json) {
		quoted ^= c == '"';
		if (quoted || (c != ' ' && c != '\n'))
			out += c;
	}
	return out;
}
#endif
