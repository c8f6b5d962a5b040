// SPDX-License-Identifier: MIT
#include "types.h"

TEST(Msg, AMalformedItemMakesNoMessage)
{
	dream_msg_t *msg = nullptr;
	EXPECT_EQ(node_msg_new("\x81", 1, &msg), DREAM_EDECODE);
	EXPECT_EQ(msg, nullptr);
}

TEST(Msg, LargerThanTheCapIsRefused)
{
	EXPECT_EQ(node_msg_alloc(NODE_MSG_SIZE_MAX + 1), nullptr);
	dream_msg_t *msg = nullptr;
	EXPECT_EQ(node_msg_copy("", NODE_MSG_SIZE_MAX + 1, &msg), DREAM_ELIMIT);
}

TEST(Msg, LivesUntilItsLastReferenceGoes)
{
	dream_msg_t *msg = node_msg_text("hello");
	dream_msg_t *second = node_msg_ref(msg);
	node_msg_unref(msg);
	EXPECT_TRUE(node_msg_is_text(second, "hello"));
	node_msg_unref(second);
}

TEST(Msg, TagIsATextOrTheFirstOfAnArray)
{
	for (const char *text : {"\"add\"", "[\"add\"]", "[\"add\", {\"by\": 1}]", "[_ \"add\", 1]"}) {
		std::vector<uint8_t> item = term::parse(text);
		dream_msg_t *msg = nullptr;
		ASSERT_EQ(node_msg_new(item.data(), item.size(), &msg), 0);
		EXPECT_TRUE(node_msg_has_tag(msg, "add")) << text;
		EXPECT_FALSE(node_msg_has_tag(msg, "ad")) << text;
		EXPECT_FALSE(node_msg_has_tag(msg, "addd")) << text;
		node_msg_unref(msg);
	}
}

TEST(Msg, NothingHasNoTagAndIsNoText)
{
	EXPECT_FALSE(node_msg_has_tag(nullptr, "a"));
	EXPECT_FALSE(node_msg_is_text(nullptr, "a"));
}

TEST(Msg, PrintfMakesATerm)
{
	dream_msg_t *msg = node_msg_printf("[\"crash\", {\"signal\": %d}]", 11);
	ASSERT_NE(msg, nullptr);
	EXPECT_EQ(term::hex(msg->data, msg->size_bytes), "82656372617368a1667369676e616c0b");
	node_msg_unref(msg);
}

TEST(MsgDeathTest, PrintfWithASyntaxErrorOfOurOwnAborts)
{
	EXPECT_DEATH(node_msg_unref(node_msg_printf("[%d", 1)), "column 3");
}
