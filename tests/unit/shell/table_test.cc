// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <sstream>
#include <string>
#include <vector>
#include "item.h"
#include "shell/table.h"

namespace
{

std::string table(const std::string &columns, const std::string &rows, const std::string &more = "")
{
	return "{\"form\": \"table\", \"columns\": " + columns + ", \"rows\": " + rows +
	       (more.empty() ? "" : ", \"more\": " + more) + "}";
}

std::vector<std::string> lines(const std::string &text)
{
	std::vector<std::string> all;
	std::istringstream in(text);
	for (std::string line; std::getline(in, line);)
		all.push_back(line);
	return all;
}

} // namespace

TEST(TablePut, ColumnsAreAlignedAndNumbersStandToTheRight)
{
	EXPECT_EQ(as_text(table(R"(["pid", "name", "messages"])",
			  R"([["<0.1>", "counter", 7], ["<0.23>", "db", 1200]])")),
		"pid     name     messages\n"
		"<0.1>   counter         7\n"
		"<0.23>  db           1200\n");
}

TEST(TablePut, NullIsADashAndDoesNotTurnAColumnOfNumbers)
{
	EXPECT_EQ(
		as_text(table(R"(["n", "x"])", R"([[100, "a"], [null, "b"]])")), "  n  x\n100  a\n  -  b\n");
}

TEST(TablePut, AMixedColumnStandsToTheLeft)
{
	EXPECT_EQ(as_text(table(R"(["value"])", R"([[100], ["a"]])")), "value\n100\na\n");
}

TEST(TablePut, NoLineEndsInBlanks)
{
	for (const std::string &line :
		lines(as_text(table(R"(["a", "long name"])", R"([["x", "y"], ["z", ""], ["w"]])"))))
		EXPECT_TRUE(line.empty() || line.back() != ' ') << line;
}

TEST(TablePut, ShortRowsArePaddedAndLongOnesCut)
{
	EXPECT_EQ(as_text(table(R"(["a", "b", "c"])", R"([["1", "2"], ["1", "2", "3", "4"], []])")),
		"a  b  c\n1  2\n1  2  3\n\n");
}

TEST(TablePut, TheWidestColumnIsCutToFitTheTerminal)
{
	std::string item = table(R"(["name", "state"])", R"([["counter", "abcdefghijklmnopqrstuvwxyz"]])");
	EXPECT_EQ(as_text(item, to_terminal(20)), "name     state\ncounter  abcdefghij\xe2\x80\xa6\n");
	EXPECT_EQ(as_text(item, to_ascii_terminal(20)), "name     state\ncounter  abcdefgh...\n");
}

TEST(TablePut, EveryLineFitsTheTerminalAsLongAsColumnsMayShrink)
{
	std::string item = table(R"(["first", "second", "third"])",
		R"([["aaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbb", "中文中文中文中文中文"]])");
	for (uint32_t width = 16; width < 80; width++)
		for (const std::string &line : lines(as_text(item, to_terminal(width))))
			EXPECT_LE(shell_text_width(line.c_str()), width) << line;
}

TEST(TablePut, ATableInAFileIsNotCut)
{
	EXPECT_NE(as_text(table(R"(["a"])", "[[\"" + std::string(500, 'x') + "\"]]"))
			  .find(std::string(500, 'x')),
		std::string::npos);
}

TEST(TablePut, WideCharactersKeepTheColumnsAligned)
{
	EXPECT_EQ(as_text(table(R"(["a", "b"])", R"([["中文", "x"], ["y", "z"]])")),
		"a     b\n\xe4\xb8\xad\xe6\x96\x87  x\ny     z\n");
}

TEST(TablePut, RowsThatTheNodeLeftOutAreTold)
{
	EXPECT_EQ(as_text(table(R"(["a"])", R"([["x"]])", "41")), "a\nx\n\xe2\x80\xa6 and 41 more rows\n");
	EXPECT_EQ(as_text(table(R"(["a"])", R"([["x"]])", "1")), "a\nx\n\xe2\x80\xa6 and 1 more row\n");
	EXPECT_EQ(as_text(table(R"(["a"])", R"([["x"]])", "0")), "a\nx\n");
}

TEST(TablePut, TheHeaderIsBoldWithColoursOnly)
{
	shell_style_t style = to_terminal(80);
	style.colour = true;
	EXPECT_EQ(as_text(table(R"(["a"])", R"([["x"]])"), style), "\x1b[1ma\x1b[0m\nx\n");
	EXPECT_EQ(as_text(table(R"(["a"])", R"([["x"]])")).find('\x1b'), std::string::npos);
}

TEST(TablePut, CellsAndHeadersCannotControlTheTerminal)
{
	EXPECT_EQ(as_text(table(R"(["a\u001b[7m"])", R"([["x\ny\u001b]0;t\u0007"]])")),
		"a\\x1b[7m\nx\\ny\\x1b]0;t\\x07\n");
}

TEST(TablePut, AnEmptyTableIsItsHeader)
{
	EXPECT_EQ(as_text(table(R"(["a", "b"])", "[]")), "a  b\n");
	EXPECT_EQ(as_text(table("[]", "[]")), "\n");
}

TEST(TablePut, ALongCellIsBounded)
{
	std::string text = as_text(table(R"(["a"])", "[[\"" + std::string(100000, 'x') + "\"]]"));
	EXPECT_LT(text.size(), SHELL_TABLE_CELL_MAX + 100u);
}

TEST(TablePut, MoreColumnsThanWeShowAreLeftOut)
{
	std::string columns = "[\"c\"";
	for (int i = 0; i < 200; i++)
		columns += ", \"c\"";
	EXPECT_EQ(lines(as_text(table(columns + "]", "[]")))[0].size(), SHELL_TABLE_COLUMNS_MAX * 3u - 2);
}

TEST(TablePut, MoreRowsThanWeShowAreCounted)
{
	std::string rows = "[[1]";
	for (int i = 0; i < SHELL_TABLE_ROWS_MAX + 4; i++)
		rows += ",[1]";
	std::string text = as_text(table(R"(["a"])", rows + "]", "10"));
	EXPECT_NE(text.find("and 15 more rows"), std::string::npos) << text.substr(text.size() - 60);
}

TEST(TableJson, RowsAreMapsByColumn)
{
	EXPECT_EQ(without_blanks(as_json(table(R"(["a", "b"])", R"([[1, "x"], [null, [2]]])"))),
		R"([{"a":1,"b":"x"},{"a":null,"b":[2]}])");
	EXPECT_EQ(as_json(table(R"(["a"])", "[]")), "[]\n");
}

TEST(TableJson, CellsAreNeitherCutNorEscapedTwice)
{
	std::string json = as_json(table(R"(["a"])", "[[\"\\n" + std::string(5000, 'x') + "\"]]"));
	EXPECT_NE(json.find("\"\\n" + std::string(5000, 'x') + "\""), std::string::npos);
}

TEST(TableLeftOut, TellsTheNodesNumber)
{
	Item some(table(R"(["a"])", "[]", "3")), none(table(R"(["a"])", "[]")),
		odd(table(R"(["a"])", "[]", "\"x\""));
	EXPECT_EQ(shell_table_left_out(some.value()), 3u);
	EXPECT_EQ(shell_table_left_out(none.value()), 0u);
	EXPECT_EQ(shell_table_left_out(odd.value()), 0u);
}
