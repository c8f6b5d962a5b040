// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include "shell/text.h"

namespace
{

const shell_style_t utf8 = {0, false, true, true};
const shell_style_t ascii = {0, false, false, false};

std::string put(
	const std::string &text, const shell_style_t &style = utf8, unsigned flags = SHELL_TEXT_ONE_LINE)
{
	g_autoptr(GString) out = g_string_new(nullptr);
	shell_text_put(out, text.data(), text.size(), &style, flags);
	return std::string(out->str, out->len);
}

std::string put_json(const std::string &text, const shell_style_t &style = utf8)
{
	g_autoptr(GString) out = g_string_new(nullptr);
	shell_text_put_json(out, text.data(), text.size(), &style);
	return std::string(out->str, out->len);
}

std::string cut(const std::string &text, uint32_t width, const shell_style_t &style = utf8)
{
	g_autoptr(GString) out = g_string_new(text.c_str());
	shell_text_cut(out, width, &style);
	return out->str;
}

} // namespace

TEST(TextPut, OrdinaryTextPasses)
{
	EXPECT_EQ(put("gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80"),
		"gr\xc3\xbc\xc3\x9f \xe4\xb8\xad \xf0\x9f\x98\x80");
}

TEST(TextPut, EveryControlCharacterIsNeutralised)
{
	for (int c = 0; c < 0x20; c++) {
		std::string out = put(std::string(1, (char) c));
		EXPECT_EQ(out[0], '\\') << c;
		EXPECT_EQ(out.find((char) c), std::string::npos) << c;
	}
	EXPECT_EQ(put("\x1b]0;title\x07"), "\\x1b]0;title\\x07");
	EXPECT_EQ(put("\x7f"), "\\x7f");
	EXPECT_EQ(put("a\rb"), "a\\x0d"
			       "b");
}

TEST(TextPut, EightBitControlsAreNeutralisedInBothEncodings)
{
	EXPECT_EQ(put("\xc2\x9b"
		      "31m"),
		"\\x9b31m");
	EXPECT_EQ(put("\x9b"
		      "31m"),
		"\\x9b31m");
}

TEST(TextPut, CharactersThatReorderALineAreNeutralised)
{
	EXPECT_EQ(put("a\xe2\x80\xae"
		      "b"),
		"a\\u{202e}b");
	EXPECT_EQ(put("\xe2\x80\xa8"), "\\u{2028}");
}

TEST(TextPut, LinesKeepNewlinesAndTabsButNoReturns)
{
	EXPECT_EQ(put("a\tb\nc\r", utf8, SHELL_TEXT_LINES), "a\tb\nc\\x0d");
	EXPECT_EQ(put("a\nb"), "a\\nb");
}

TEST(TextPut, BytesThatAreNotUtf8AreShownInHex)
{
	EXPECT_EQ(put("\xff\xfe"
		      "a\xc3"),
		"\\xff\\xfe"
		"a\\xc3");
	EXPECT_EQ(put("\xed\xa0\x80"), "\\xed\\xa0\\x80");
	EXPECT_EQ(put(std::string("a\0b", 3)), "a\\x00b");
}

TEST(TextPut, AnAsciiTerminalGetsAsciiOnly)
{
	EXPECT_EQ(put("\xc3\xbc\xe4\xb8\xad", ascii), "\\xfc\\u{4e2d}");
}

TEST(TextPutJson, WhatJsonLetsThroughIsEscapedAsJson)
{
	EXPECT_EQ(put_json("\"a\x7f\xc2\x9b\xe2\x80\xae\""), "\"a\\u007f\\u009b\\u202e\"");
}

TEST(TextPutJson, AnAsciiTerminalGetsSurrogatePairs)
{
	EXPECT_EQ(put_json("\"\xf0\x9f\x98\x80\xc3\xbc\"", ascii), "\"\\ud83d\\ude00\\u00fc\"");
}

TEST(TextWidth, WideCountsTwoAndCombiningNone)
{
	EXPECT_EQ(shell_text_width("abc"), 3u);
	EXPECT_EQ(shell_text_width("\xe4\xb8\xad\xe6\x96\x87"), 4u);
	EXPECT_EQ(shell_text_width("e\xcc\x81"), 1u);
}

TEST(TextCut, LongTextEndsInAnEllipsis)
{
	EXPECT_EQ(cut("abcdef", 6), "abcdef");
	EXPECT_EQ(cut("abcdef", 5), "abcd\xe2\x80\xa6");
	EXPECT_EQ(cut("abcdef", 5, ascii), "ab...");
	EXPECT_EQ(cut("abcdef", 2, ascii), "..");
	EXPECT_EQ(cut("abcdef", 0), "");
}

TEST(TextCut, AWideCharacterIsNeverHalved)
{
	EXPECT_EQ(cut("\xe4\xb8\xad\xe6\x96\x87\xe4\xb8\xad", 4), "\xe4\xb8\xad\xe2\x80\xa6");
}
