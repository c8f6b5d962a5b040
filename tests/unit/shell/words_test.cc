// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include "item.h"
#include "shell/words.h"

namespace
{

struct Words {
	shell_words_t words;

	Words()
	{
		shell_words_init(&words);
	}
	~Words()
	{
		shell_words_fini(&words);
	}
	Words(const Words &) = delete;

	void learn(const std::string &notation)
	{
		Item item(notation);
		shell_words_learn(&words, item.value());
	}
	std::string all()
	{
		more("");
		return matches;
	}
	std::string more(const char *prefix)
	{
		g_autoptr(GString) beyond = g_string_new(nullptr);
		g_autoptr(GString) found = g_string_new(nullptr);
		count = shell_words_complete(&words, prefix, beyond, found);
		matches = found->str;
		return beyond->str;
	}

	std::string matches;
	uint32_t count = 0;
};

} // namespace

TEST(WordsLearn, TheShellsOwnCommandsAreKnownFromTheStart)
{
	EXPECT_EQ(Words().all(), "exit  quit");
}

TEST(WordsLearn, TablesFactsAndTextsTeachTheirFirstWords)
{
	Words w;
	w.learn(R"({"form": "table", "columns": ["command", "does"],
		"rows": [["info PID", "x"], ["apps", "y"], ["apps", "z"]]})");
	w.learn(R"({"form": "facts", "facts": {"procs": "lists", "Not A command": 1}})");
	w.learn(R"({"form": "text", "text": "Commands:\n  kill PID   ends it\n  tree\n"})");
	EXPECT_EQ(w.all(), "apps  exit  info  kill  procs  quit  tree");
}

TEST(WordsLearn, OddAnswersTeachNothing)
{
	Words w;
	w.learn(R"({"form": "table", "rows": [[1], [], "x", [["a"]]]})");
	w.learn(R"({"form": "text", "text": "\u001b[2J evil\nwaytoolongwaytoolongwaytoolongwaytoolong x\n"})");
	w.learn("[1, 2]");
	const uint8_t broken[] = {0xbf};
	shell_words_learn(&w.words, {broken, 1});
	EXPECT_EQ(w.all(), "exit  quit");
}

TEST(WordsLearn, TheirNumberIsBounded)
{
	Words w;
	std::string text;
	for (int i = 0; i < 1000; i++)
		text += "c" + std::to_string(i) + "\\n";
	w.learn("{\"form\": \"text\", \"text\": \"" + text + "\"}");
	w.all();
	EXPECT_EQ(w.count, (uint32_t) SHELL_WORDS_MAX);
}

TEST(WordsComplete, ASingleCandidateIsCompletedWithABlank)
{
	Words w;
	EXPECT_EQ(w.more("q"), "uit ");
	EXPECT_EQ(w.count, 1u);
	EXPECT_EQ(w.more("quit"), " ");
}

TEST(WordsComplete, SeveralAreCompletedAsFarAsTheyAgree)
{
	Words w;
	w.learn(R"({"form": "text", "text": "start\nstate\nstop\n"})");
	EXPECT_EQ(w.more("s"), "t");
	EXPECT_EQ(w.matches, "start  state  stop");
	EXPECT_EQ(w.more("sta"), "");
	EXPECT_EQ(w.matches, "start  state");
}

TEST(WordsComplete, NothingFitsNothing)
{
	Words w;
	EXPECT_EQ(w.more("z"), "");
	EXPECT_EQ(w.count, 0u);
}
