// SPDX-License-Identifier: MIT
#include "console/suggest.h"

#include <gtest/gtest.h>

#include <string>

TEST(SuggestDistance, CountsEachKindOfSlip)
{
	EXPECT_EQ(node_suggest_distance("tree", "tree"), 0u);
	EXPECT_EQ(node_suggest_distance("tre", "tree"), 1u);
	EXPECT_EQ(node_suggest_distance("treee", "tree"), 1u);
	EXPECT_EQ(node_suggest_distance("trez", "tree"), 1u);
	EXPECT_EQ(node_suggest_distance("rtee", "tree"), 1u);
	EXPECT_EQ(node_suggest_distance("", "tree"), 4u);
}

TEST(SuggestDistance, LongWordsAreLikeNothing)
{
	std::string word(NODE_SUGGEST_WORD_MAX + 1, 'a');
	EXPECT_EQ(node_suggest_distance(word.c_str(), "a"), NODE_SUGGEST_WORD_MAX);
}

TEST(SuggestNearest, FindsTheLikeliestAndNothingFarAway)
{
	const char *const words[] = {"tree", "start", "state", "stop"};
	EXPECT_STREQ(node_suggest_nearest("stae", words, 4), "state");
	EXPECT_STREQ(node_suggest_nearest("tere", words, 4), "tree");
	EXPECT_EQ(node_suggest_nearest("zzzz", words, 4), nullptr);
}
