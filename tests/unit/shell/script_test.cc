// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include <vector>
#include "shell/script.h"

namespace
{

struct Script {
	std::vector<std::string> lines;
	uint64_t number = 0;
	int code = 0;
	node_diag_t diag = {};

	explicit Script(const std::string &text)
	{
		FILE *in = tmpfile();
		fwrite(text.data(), 1, text.size(), in);
		rewind(in);
		g_autoptr(GString) line = g_string_new(nullptr);
		while ((code = shell_script_next(in, line, &number, &diag)) > 0)
			lines.push_back(line->str);
		fclose(in);
	}
};

using Lines = std::vector<std::string>;

} // namespace

TEST(ScriptNext, EachLineIsACommand)
{
	EXPECT_EQ(Script("apps\nprocs\n").lines, (Lines{"apps", "procs"}));
}

TEST(ScriptNext, TheLastLineNeedsNoNewline)
{
	EXPECT_EQ(Script("apps\nprocs").lines, (Lines{"apps", "procs"}));
}

TEST(ScriptNext, BlanksCommentsAndEmptyLinesArePassedOver)
{
	Script s("\n# a comment\n  \t apps \t\r\n\n   # another\nprocs\r\n");
	EXPECT_EQ(s.lines, (Lines{"apps", "procs"}));
	EXPECT_EQ(s.number, 6u);
}

TEST(ScriptNext, AnEmptyScriptHasNoCommands)
{
	EXPECT_TRUE(Script("").lines.empty());
	EXPECT_EQ(Script("").code, 0);
}

TEST(ScriptNext, TooLongALineIsASyntaxErrorWithItsNumber)
{
	Script s("apps\n" + std::string(SHELL_SCRIPT_LINE_MAX + 1, 'x') + "\nprocs\n");
	EXPECT_EQ(s.code, DREAM_ESYNTAX);
	EXPECT_EQ(s.lines, (Lines{"apps"}));
	EXPECT_EQ(s.number, 2u);
	EXPECT_EQ(Script(std::string(SHELL_SCRIPT_LINE_MAX, 'x')).code, 0);
}

TEST(ScriptNext, BytesThatAreNoTextAreASyntaxError)
{
	EXPECT_EQ(Script("a\xff\n").code, DREAM_ESYNTAX);
	EXPECT_EQ(Script(std::string("a\0b\n", 4)).code, DREAM_ESYNTAX);
}

TEST(ScriptIsQuit, OnlyTheBareWordsLeave)
{
	EXPECT_TRUE(shell_script_is_quit("quit"));
	EXPECT_TRUE(shell_script_is_quit("exit"));
	EXPECT_FALSE(shell_script_is_quit("quit now"));
	EXPECT_FALSE(shell_script_is_quit("stop"));
}
