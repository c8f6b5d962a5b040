// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include <vector>
#include "shell/history.h"
#include "tempdir.h"

namespace
{

std::vector<std::string> load(const std::string &path)
{
	std::vector<std::string> all;
	GPtrArray *lines = nullptr;
	node_diag_t diag = {};
	EXPECT_EQ(shell_history_load(path.c_str(), &lines, &diag), DREAM_OK) << diag.text;
	for (guint i = 0; lines != nullptr && i < lines->len; i++)
		all.push_back((const char *) lines->pdata[i]);
	if (lines != nullptr)
		g_ptr_array_unref(lines);
	return all;
}

} // namespace

TEST(HistoryPath, FollowsTheStateDirectory)
{
	Env state("XDG_STATE_HOME", "/state");
	g_autofree char *path = shell_history_path_new();
	EXPECT_STREQ(path, "/state/dream/history");
}

TEST(HistoryPath, LiesInTheHomeDirectoryOtherwise)
{
	Env state("XDG_STATE_HOME", nullptr);
	g_autofree char *path = shell_history_path_new();
	EXPECT_NE(std::string(path).find("/.local/state/dream/history"), std::string::npos);
}

TEST(HistoryAppend, LinesComeBackInOrder)
{
	TempDir dir;
	std::string path = dir / "a/b/history";
	ASSERT_EQ(shell_history_append(path.c_str(), "apps", nullptr), DREAM_OK);
	ASSERT_EQ(shell_history_append(path.c_str(), "call x \"\xc3\xbc\"", nullptr), DREAM_OK);
	EXPECT_EQ(load(path), (std::vector<std::string>{"apps", "call x \"\xc3\xbc\""}));
}

TEST(HistoryAppend, FileAndDirectoryAreTheirOwnersAlone)
{
	TempDir dir;
	std::string path = dir / "dream/history";
	ASSERT_EQ(shell_history_append(path.c_str(), "apps", nullptr), DREAM_OK);
	EXPECT_EQ(mode_of(path), 0600u);
	EXPECT_EQ(mode_of(dir / "dream"), 0700u);
}

TEST(HistoryAppend, ALineWithControlCharactersIsRefused)
{
	TempDir dir;
	EXPECT_EQ(shell_history_append((dir / "h").c_str(), "a\nb", nullptr), DREAM_EINVAL);
	EXPECT_EQ(shell_history_append((dir / "h").c_str(), "\x1b[A", nullptr), DREAM_EINVAL);
}

TEST(HistoryLoad, AMissingFileIsAnEmptyHistory)
{
	TempDir dir;
	EXPECT_TRUE(load(dir / "none").empty());
}

TEST(HistoryLoad, ADirectoryInItsPlaceIsAnError)
{
	TempDir dir;
	GPtrArray *lines = nullptr;
	node_diag_t diag = {};
	EXPECT_EQ(shell_history_load(dir.path.c_str(), &lines, &diag), DREAM_EIO);
	EXPECT_NE(std::string(diag.text).find(dir.path), std::string::npos);
}

TEST(HistoryLoad, LinesNobodyTypedAreLeftOut)
{
	TempDir dir;
	spill(dir / "h", std::string("good\n\x1b]0;x\x07\n\xff\n\nlast", 20));
	EXPECT_EQ(load(dir / "h"), (std::vector<std::string>{"good", "last"}));
}

TEST(HistoryLoad, ALongFileKeepsItsNewestLinesAndIsShortened)
{
	TempDir dir;
	std::string text;
	for (int i = 0; i < 30000; i++)
		text += "command number " + std::to_string(i) + "\n";
	spill(dir / "h", text);
	std::vector<std::string> lines = load(dir / "h");
	ASSERT_EQ(lines.size(), 999u); /* the end of the file counts as one empty line */
	EXPECT_EQ(lines.back(), "command number 29999");
	EXPECT_LT(slurp(dir / "h").size(), 30000u);
	EXPECT_EQ(mode_of(dir / "h"), 0600u);
	EXPECT_EQ(load(dir / "h").back(), "command number 29999");
}
