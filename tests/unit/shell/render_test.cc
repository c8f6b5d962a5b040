// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include <vector>
#include "item.h"

namespace
{

std::string refusal(const std::string &notation, bool json = false)
{
	Item item(notation);
	shell_style_t style = to_file();
	node_diag_t diag = {};
	g_autoptr(GString) out = g_string_new(nullptr);
	int r = json ? shell_render_json(out, item.value(), &style, &diag)
		     : shell_render_text(out, item.value(), &style, &diag);
	EXPECT_EQ(r, DREAM_EPROTO) << notation << " gave " << out->str;
	return diag.text;
}

} // namespace

TEST(RenderText, TextIsShownAsItIsAndEndsInOneNewline)
{
	EXPECT_EQ(as_text(R"({"form": "text", "text": "hello"})"), "hello\n");
	EXPECT_EQ(as_text(R"({"form": "text", "text": "two\nlines\n"})"), "two\nlines\n");
	EXPECT_EQ(as_text(R"({"form": "text", "text": ""})"), "\n");
}

TEST(RenderText, TextCannotControlTheTerminal)
{
	EXPECT_EQ(
		as_text(R"({"form": "text", "text": "a\u001b[2Jb\rc\u009bd"})"), "a\\x1b[2Jb\\x0dc\\x9bd\n");
}

TEST(RenderText, TermIsShownInDiagnosticNotation)
{
	EXPECT_EQ(as_text(R"({"form": "term", "term": ["add", {"by": -1}, h'00ff', null]})"),
		"[\"add\", {\"by\": -1}, h'00ff', null]\n");
}

TEST(RenderText, TermCannotControlTheTerminal)
{
	std::string out = as_text(R"({"form": "term", "term": {"a\u001b[2J": "\u009b\u007f\u202e\n"}})");
	for (const char *bad : {"\x1b", "\xc2\x9b", "\x7f", "\xe2\x80\xae"})
		EXPECT_EQ(out.find(bad), std::string::npos);
	EXPECT_EQ(out.find('\n'), out.size() - 1);
}

TEST(RenderText, AHugeTermIsCutOnATerminalOnly)
{
	std::string item = "{\"form\": \"term\", \"term\": \"" + std::string(200000, 'x') + "\"}";
	EXPECT_LT(as_text(item, to_terminal(80)).size(), SHELL_RENDER_TERM_MAX + 100u);
	EXPECT_GT(as_text(item).size(), 200000u);
}

TEST(RenderText, FactsAreOneAlignedLineEach)
{
	EXPECT_EQ(
		as_text(R"({"form": "facts", "facts": {"pid": "<0.1>", "messages": 3, "x": null, "links": [1, 2]}})"),
		"pid      <0.1>\nmessages 3\nx        -\nlinks    [1, 2]\n");
}

TEST(RenderText, FactsWithNewlinesStayOnOneLine)
{
	EXPECT_EQ(as_text(R"({"form": "facts", "facts": {"a\nb": "c\nd"}})"), "a\\nb c\\nd\n");
}

TEST(RenderText, AnEventIsOneLine)
{
	EXPECT_EQ(
		as_text(R"({"form": "event", "event": "exit", "data": {"pid": "<0.1>", "reason": "a\nb", "n": 2}})"),
		"exit pid=<0.1> reason=a\\nb n=2\n");
	EXPECT_EQ(as_text(R"({"form": "event", "event": "stopped", "data": {}})"), "stopped\n");
}

TEST(RenderText, IndefiniteLengthMapsAreReadToo)
{
	EXPECT_EQ(as_text(R"({_ "form": "facts", "facts": {_ "a": 1, "b": [_ 1, 2]}})"), "a 1\nb [_ 1, 2]\n");
}

TEST(RenderText, AFormOfANewerNodeIsShownAsATerm)
{
	EXPECT_EQ(as_text(R"({"form": "graph", "x": 1})"), "{\"form\": \"graph\", \"x\": 1}\n");
	EXPECT_EQ(without_blanks(as_json(R"({"form": "graph", "x": 1})")), R"({"form":"graph","x":1})");
}

TEST(RenderText, BrokenPromisesAreNamed)
{
	EXPECT_NE(refusal(R"({"form": "text"})").find("text"), std::string::npos);
	EXPECT_NE(refusal(R"({"form": "table", "rows": []})").find("columns"), std::string::npos);
	EXPECT_NE(refusal(R"({"form": "table", "columns": ["a"]})").find("rows"), std::string::npos);
	refusal(R"({"form": "text", "text": 1})");
	refusal(R"({"form": "facts", "facts": []})");
	refusal(R"({"form": "tree"})");
	refusal(R"({"form": "tree", "root": {"children": []}})");
	refusal(R"({"form": "event"})");
	refusal(R"({"text": "no form"})");
	refusal(R"(["form"])");
	refusal("1");
}

TEST(RenderText, BytesThatAreNoCborAreRefused)
{
	const uint8_t broken[] = {0xbf, 0x64, 'f', 'o', 'r'};
	shell_style_t style = to_file();
	node_diag_t diag = {};
	g_autoptr(GString) out = g_string_new(nullptr);
	EXPECT_EQ(shell_render_text(out, {broken, sizeof(broken)}, &style, &diag), DREAM_EPROTO);
	EXPECT_EQ(shell_render_text(out, {broken, 0}, &style, &diag), DREAM_EPROTO);
	EXPECT_EQ(out->len, 0u);
}

TEST(RenderText, DamagedItemsAreShownOrRefusedButNeverReadBeyond)
{
	const char *items[] = {R"({"form": "text", "text": "abc"})",
		R"({"form": "table", "columns": ["a", "b"], "rows": [[1, "x"], [null, [2]]], "more": 3})",
		R"({"form": "tree", "root": {"label": "r", "facts": {"k": 1}, "children": [_ {"label": "a"}]}})",
		R"({"form": "facts", "facts": {_ "a": h'00', "b": 1.5}})",
		R"({"form": "event", "event": "e", "data": {"a": 26101(["n@h", 1, 2])}})"};
	shell_style_t style = to_terminal(20);
	for (const char *notation : items) {
		Item item(notation);
		uint64_t size = item.value().size_bytes;
		for (uint64_t at = 0; at < size * 8; at++) {
			/* exactly as large as the item, so that the sanitizer sees every step too far */
			std::vector<uint8_t> bytes(item.value().data, item.value().data + size);
			bytes[at / 8] ^= (uint8_t) (1u << (at % 8));
			g_autoptr(GString) out = g_string_new(nullptr);
			shell_render_text(out, {bytes.data(), bytes.size()}, &style, nullptr);
			shell_render_json(out, {bytes.data(), bytes.size()}, &style, nullptr);
			for (gsize i = 0; i < out->len; i++)
				ASSERT_TRUE((unsigned char) out->str[i] >= 0x20 || out->str[i] == '\n' ||
					    out->str[i] == '\t')
					<< notation << " bit " << at;
		}
	}
}

TEST(RenderText, AnAsciiTerminalGetsAsciiOnly)
{
	std::string out = as_text(R"({"form": "term", "term": {"ü": "中"}})", to_ascii_terminal(80));
	for (char c : out)
		EXPECT_LT((unsigned char) c, 0x80);
}

TEST(RenderJson, TextTermAndFacts)
{
	EXPECT_EQ(without_blanks(as_json(R"({"form": "text", "text": "a\nb"})")), R"({"text":"a\nb"})");
	EXPECT_EQ(without_blanks(as_json(R"({"form": "term", "term": [1, "x"]})")), R"([1,"x"])");
	EXPECT_EQ(without_blanks(as_json(R"({"form": "facts", "facts": {"a": 1, "b": null}})")),
		R"({"a":1,"b":null})");
}

TEST(RenderJson, ATreeIsItsRoot)
{
	EXPECT_EQ(without_blanks(as_json(
			  R"({"form": "tree", "root": {"label": "a", "children": [{"label": "b"}]}})")),
		R"({"label":"a","children":[{"label":"b"}]})");
}

TEST(RenderJson, AnEventKeepsItsName)
{
	EXPECT_EQ(without_blanks(as_json(R"({"form": "event", "event": "exit", "data": {"pid": "x"}})")),
		R"({"event":"exit","data":{"pid":"x"}})");
}

TEST(RenderJson, EachItemIsOneLine)
{
	for (const char *item :
		{R"({"form": "text", "text": "a\nb"})", R"({"form": "term", "term": {"a\n": "\n"}})",
			R"({"form": "table", "columns": ["a\n"], "rows": [["b\n"]]})"}) {
		std::string json = as_json(item);
		EXPECT_EQ(json.find('\n'), json.size() - 1) << json;
	}
}

TEST(RenderJson, ControlCharactersAreEscaped)
{
	std::string json = as_json(R"({"form": "term", "term": "\u001b[2J\u007f\u009b\u202e"})");
	EXPECT_EQ(json, "\"\\u001b[2J\\u007f\\u009b\\u202e\"\n");
}

TEST(RenderJson, ABrokenItemLeavesNoHalfLine)
{
	Item item(R"({"form": "text"})");
	shell_style_t style = to_file();
	g_autoptr(GString) out = g_string_new("before");
	EXPECT_EQ(shell_render_json(out, item.value(), &style, nullptr), DREAM_EPROTO);
	EXPECT_STREQ(out->str, "before");
}
