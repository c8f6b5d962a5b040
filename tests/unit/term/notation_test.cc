// SPDX-License-Identifier: MIT
#include <algorithm>

#include "types.h"

using term::hex;
using term::json;
using term::parse;
using term::print;
using term::unhex;

namespace
{

std::string parsed(const char *text)
{
	std::vector<uint8_t> item = parse(text);
	return hex(item.data(), item.size());
}

int fails(const std::string &text, std::string *ret_text = nullptr)
{
	node_diag_t diag = {};
	dream_msg_t *msg = nullptr;
	std::unique_ptr<char[]> exact(
		new char[text.size()]); /* not terminated, so that ASan sees an overrun */
	std::copy(text.begin(), text.end(), exact.get());
	int r = node_notation_parse(exact.get(), text.size(), &msg, &diag);
	node_msg_unref(msg);
	if (ret_text != nullptr)
		*ret_text = diag.text;
	return r;
}

} // namespace

TEST(NotationParse, JsonIsAcceptedAsItIs)
{
	EXPECT_EQ(parsed(" {\"a\" : [1, -2.5, true, null, \"x\\u00e9\\/\\n\"],\r\n\t\"b\": {} } "),
		"a261618501f9c100f5f66578c3a92f0a6162a0");
}

TEST(NotationParse, IntegersInOtherBases)
{
	EXPECT_EQ(parsed("0x1F"), "181f");
	EXPECT_EQ(parsed("0b101"), "05");
	EXPECT_EQ(parsed("0o17"), "0f");
	EXPECT_EQ(parsed("-0x10"), "2f");
	EXPECT_EQ(parsed("-0"), "00");
}

TEST(NotationParse, IntegersBeyond64BitsAreBignums)
{
	EXPECT_EQ(parsed("18446744073709551616"), "c249010000000000000000");
	EXPECT_EQ(parsed("-18446744073709551617"), "c349010000000000000000");
	EXPECT_EQ(parsed("-18446744073709551616"), "3bffffffffffffffff");
	EXPECT_EQ(fails(std::string(1025, '9')), DREAM_ESYNTAX);
}

TEST(NotationParse, BytesInHexAndBothBase64Alphabets)
{
	EXPECT_EQ(parsed("h'01 aB\n ff'"), "4301abff");
	EXPECT_EQ(parsed("b64'+/8='"), "42fbff");
	EXPECT_EQ(parsed("b64'-_8'"), "42fbff");
	EXPECT_EQ(fails("h'012'"), DREAM_ESYNTAX);
	EXPECT_EQ(fails("b64'A'"), DREAM_ESYNTAX);
}

TEST(NotationParse, CommentsStandWhereSpaceMay)
{
	EXPECT_EQ(parsed("/a/[/b/1/c/,/d/2/e/]/f/"), "820102");
	EXPECT_EQ(fails("[1 /open"), DREAM_ESYNTAX);
}

TEST(NotationParse, TagsMayBeWrittenAroundAnyItem)
{
	EXPECT_EQ(parsed("26101([\"a@b\", 1, 2])"), "d965f583636140620102");
	EXPECT_EQ(parsed("0x20( \"x\" )"), "d8206178");
}

TEST(NotationParse, SyntaxErrorsNameTheColumn)
{
	std::string text;
	EXPECT_EQ(fails("[1, 2", &text), DREAM_ESYNTAX);
	EXPECT_EQ(text, "column 6: expected ',' or ']'");
	EXPECT_EQ(fails("{\"\u00e9\" 1}", &text), DREAM_ESYNTAX);
	EXPECT_EQ(text, "column 6: expected ':' and a value after the key");
}

TEST(NotationParse, MalformedTextsAreRefused)
{
	for (const char *text : {"", " ", "[", "[1,]", "{1}", "{1:}", "{,}", "\"", "\"\\", "\"\\x\"",
		     "\"\\u12\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\n\"", "\"\xff\"",
		     "h'", "h'0", "h'zz'", "b64'*'", "01", "1.", ".5", "1e", "1e+", "+1", "--1", "-", "0x",
		     "0xg", "1e999", "1a", "truer", "nul", "NaN1", "Infinit", "simple(24)", "simple(256)",
		     "simple()", "1(", "1(2", "1()", "-1(2)", "99999999999999999999(1)", "(_", "(_ )",
		     "(_ 1)", "(_ \"a\", h'00')", "(_ \"a\"", "1 2", "[1 2]", "]", "'a'"})
		EXPECT_EQ(fails(text), DREAM_ESYNTAX) << text;
}

TEST(NotationParse, NestingHasACap)
{
	std::string at_cap = std::string(NODE_MSG_DEPTH_MAX, '[') + std::string(NODE_MSG_DEPTH_MAX, ']');
	EXPECT_EQ(fails(at_cap), 0);
	EXPECT_EQ(fails("[" + at_cap + "]"), DREAM_ELIMIT);
	EXPECT_EQ(fails(std::string(1000000, '[')), DREAM_ELIMIT);
}

TEST(NotationParseFirst, SaysWhereTheTermEnded)
{
	const std::string text = "[1, 2]  next 3";
	uint64_t used = 0;
	dream_msg_t *msg = nullptr;
	ASSERT_EQ(node_notation_parse_first(text.data(), text.size(), &used, &msg, nullptr), 0);
	EXPECT_EQ(used, 8u);
	node_msg_unref(msg);
}

TEST(NotationPrint, ControlCharactersAreEscaped)
{
	EXPECT_EQ(print(unhex("651b5b324a00")), "\"\\u001b[2J\\u0000\"");
	EXPECT_EQ(print(unhex("62c29b")), "\"\\u009b\"");
}

TEST(NotationPrint, IsCutBetweenCharacters)
{
	std::vector<uint8_t> item = parse("[\"\u00e9\u00e9\u00e9\u00e9\", 2]");
	EXPECT_EQ(print(item, 3), "[\"…");
	EXPECT_EQ(print(item, 4), "[\"\u00e9…");
	EXPECT_EQ(print(item, 100), "[\"\u00e9\u00e9\u00e9\u00e9\", 2]");
}

TEST(NotationPrint, MalformedBytesAreShownAsBytes)
{
	EXPECT_EQ(print(unhex("8201")), "h'8201'");
	EXPECT_EQ(print(unhex("0102")), "h'0102'");
	EXPECT_EQ(print(unhex("61ff")), "h'61ff'");
	EXPECT_EQ(print({}), "h''");
	EXPECT_EQ(print(std::vector<uint8_t>(10000, 0x81), 300).substr(0, 8), "h'818181");
}

TEST(NotationJson, WhatJsonLacksBecomesWhatTheRfcSays)
{
	EXPECT_EQ(json(parse("[h'fbff', NaN, Infinity, undefined, simple(99), 1.5]")),
		"[\"-_8\", null, null, null, null, 1.5]");
	EXPECT_EQ(json(parse("26101([\"a@b\", 1, 2])")), "[\"a@b\", 1, 2]");
	EXPECT_EQ(json(parse("{1: 2, [\"x\"]: true}")), "{\"1\": 2, \"[\\\"x\\\"]\": true}");
	EXPECT_EQ(json(parse("[_ (_ \"a\", \"b\"), (_ h'01', h'0203'), {_ }]")), "[\"ab\", \"AQID\", {}]");
}

TEST(NotationJson, MalformedBytesAreAText)
{
	EXPECT_EQ(json(unhex("8201")), "\"h'8201'\"");
}
