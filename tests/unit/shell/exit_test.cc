// SPDX-License-Identifier: MIT
#include <glib.h>
#include <gtest/gtest.h>
#include <string>
#include "shell/exit.h"

namespace
{

std::string line(const char *what, int code, const char *why, const char *remedy)
{
	g_autofree char *text = shell_exit_line_new(what, code, why, remedy);
	return text;
}

} // namespace

TEST(ExitOfCommand, EveryClassOfFailureHasItsOwnStatus)
{
	EXPECT_EQ(shell_exit_of_command(DREAM_OK), 0);
	EXPECT_EQ(shell_exit_of_command(DREAM_EBUSY), 1);
	EXPECT_EQ(shell_exit_of_command(DREAM_ECODECHANGE), 1);
	EXPECT_EQ(shell_exit_of_command(-9999), 1);
	EXPECT_EQ(shell_exit_of_command(DREAM_ENOCONNECTION), 3);
	EXPECT_EQ(shell_exit_of_command(DREAM_ECERT), 4);
	EXPECT_EQ(shell_exit_of_command(DREAM_ESYNTAX), 5);
	EXPECT_EQ(shell_exit_of_command(DREAM_ENOPROC), 6);
	EXPECT_EQ(shell_exit_of_command(DREAM_ENOENT), 6);
	EXPECT_EQ(shell_exit_of_command(DREAM_ETIMEDOUT), 7);
}

TEST(ExitOfConnect, OnlyCertificatesAreToldFromAMissingConnection)
{
	EXPECT_EQ(shell_exit_of_connect(DREAM_OK), 0);
	EXPECT_EQ(shell_exit_of_connect(DREAM_ETIMEDOUT), 3);
	EXPECT_EQ(shell_exit_of_connect(DREAM_ENOCONNECTION), 3);
	EXPECT_EQ(shell_exit_of_connect(DREAM_EPROTO), 3);
	EXPECT_EQ(shell_exit_of_connect(DREAM_ECERT), 4);
}

TEST(ExitLine, SaysWhatWhyAndRemedy)
{
	EXPECT_EQ(line("info x", DREAM_ENOPROC, "no process x", "`procs` lists them"),
		"dream: info x: no process x; `procs` lists them\n");
}

TEST(ExitLine, ATextWithItsOwnRemedyGetsNoSecond)
{
	EXPECT_EQ(line("a", DREAM_EIO, "broken; repair it", "do something else"),
		"dream: a: broken; repair it\n");
}

TEST(ExitLine, TheCodeSpeaksWhenNoTextCame)
{
	EXPECT_EQ(line("a", DREAM_ENOPROC, "", nullptr), "dream: a: no such process\n");
	EXPECT_EQ(line("a", DREAM_ENOPROC, nullptr, nullptr), "dream: a: no such process\n");
}

TEST(ExitLine, TextOfTheNodeCannotForgeLinesOrColours)
{
	EXPECT_EQ(line("a\nb", DREAM_EIO, "x\n\x1b[31mdream: ok", nullptr),
		"dream: a\\nb: x\\n\\x1b[31mdream: ok\n");
}

TEST(ExitLine, ALongCommandIsCut)
{
	EXPECT_LT(line(std::string(100000, 'x').c_str(), DREAM_EIO, "why", nullptr).size(), 100u);
}
