// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include "item.h"
#include "shell/tree.h"

namespace
{

const char family[] = R"({"form": "tree", "root": {"label": "root", "children": [
	{"label": "a", "children": [{"label": "a1"}, {"label": "a2"}]},
	{"label": "b", "facts": {"pid": "<0.2>", "restarts": 1}, "children": [{"label": "b1"}]}]}})";

std::string chain(int depth)
{
	std::string text = R"({"form": "tree", "root": )";
	for (int i = 0; i < depth; i++)
		text += R"({"label": "x", "children": [)";
	text += R"({"label": "end"})";
	for (int i = 0; i < depth; i++)
		text += "]}";
	return text + "}";
}

} // namespace

TEST(TreePut, ChildrenHangOnLines)
{
	EXPECT_EQ(as_text(family), "root\n"
				   "├─ a\n"
				   "│  ├─ a1\n"
				   "│  └─ a2\n"
				   "└─ b  pid=<0.2> restarts=1\n"
				   "   └─ b1\n");
}

TEST(TreePut, AsciiLinesServeOtherLocales)
{
	EXPECT_EQ(as_text(family, to_ascii_terminal(80)), "root\n"
							  "|- a\n"
							  "|  |- a1\n"
							  "|  `- a2\n"
							  "`- b  pid=<0.2> restarts=1\n"
							  "   `- b1\n");
}

TEST(TreePut, LinesAreCutToTheTerminal)
{
	EXPECT_EQ(
		as_text(R"({"form": "tree", "root": {"label": "r", "children": [{"label": "abcdefghij"}]}})",
			to_terminal(8)),
		"r\n└─ abcd…\n");
}

TEST(TreePut, LabelsCannotControlTheTerminal)
{
	EXPECT_EQ(
		as_text(R"({"form": "tree", "root": {"label": "a\n\u001b[2J", "facts": {"k\r": "\u0007"}}})"),
		"a\\n\\x1b[2J  k\\x0d=\\x07\n");
}

TEST(TreePut, IndefiniteChildrenAreShown)
{
	EXPECT_EQ(
		as_text(R"({"form": "tree", "root": {"label": "r", "children": [_ {"label": "a"}, {"label": "b"}]}})"),
		"r\n├─ a\n└─ b\n");
}

TEST(TreePut, AVeryDeepTreeIsCutNotFollowed)
{
	EXPECT_NE(as_text(chain(SHELL_TREE_DEPTH_MAX)).find("end"), std::string::npos);
	std::string text = as_text(chain(SHELL_TREE_DEPTH_MAX + 2));
	EXPECT_EQ(text.find("end"), std::string::npos);
	EXPECT_EQ(text.substr(text.size() - 4), "…\n");
}
