// SPDX-License-Identifier: MIT
// Shared byte strings: many hold them, nobody copies them.
#include "support/node.h"

namespace
{

dream_msg_t *filled(uint64_t size_bytes, uint8_t with)
{
	uint8_t *data = nullptr;
	dream_msg_t *msg = nullptr;
	EXPECT_EQ(dream_bytes_new(size_bytes, &data, &msg), DREAM_OK);
	if (data != nullptr)
		memset(data, with, size_bytes);
	return msg;
}

} // namespace

TEST(SharedBytes, AllWhoReceiveThemReadTheSameMemory)
{
	SimNode node;
	std::vector<const uint8_t *> seen;
	std::vector<dream_pid_t> readers;
	const uint8_t *own = nullptr;
	for (int i = 0; i < 3; i++)
		readers.push_back(node.go([&](node_proc_t *) {
			dream_msg_t *msg = nullptr;
			uint64_t size = 0;
			EXPECT_EQ(dream_receive(nullptr, nullptr, DREAM_INFINITY, &msg), DREAM_OK);
			seen.push_back(dream_bytes_borrow(msg, &size));
			EXPECT_EQ(size, 1u << 20);
			EXPECT_EQ(seen.back()[size - 1], 7);
			dream_msg_unref(msg);
		}));
	node.go([&](node_proc_t *) {
		dream_msg_t *msg = filled(1 << 20, 7);
		uint64_t size;
		own = dream_bytes_borrow(msg, &size);
		for (dream_pid_t pid : readers)
			EXPECT_EQ(dream_send_take(dream_to(pid), dream_msg_ref(msg)), DREAM_OK);
		dream_msg_unref(msg);
	});
	EXPECT_EQ(seen, std::vector<const uint8_t *>(3, own));
}

TEST(SharedBytes, OutliveWhoMadeThem)
{
	SimNode node;
	std::string got;
	dream_pid_t reader = node.go([&](node_proc_t *proc) { got = receive(proc, DREAM_INFINITY); });
	node.go([&](node_proc_t *) { EXPECT_EQ(dream_send_take(dream_to(reader), filled(2, 9)), DREAM_OK); });
	EXPECT_EQ(got, "h'0909'");
}

TEST(SharedBytes, EmptyOnesAndOnesBeyondTheCap)
{
	SimNode node;
	node.go([&](node_proc_t *) {
		uint8_t *data = nullptr;
		uint64_t size = 1;
		dream_msg_t *msg = filled(0, 0);
		EXPECT_NE(dream_bytes_borrow(msg, &size), nullptr);
		EXPECT_EQ(size, 0u);
		dream_msg_unref(msg);
		EXPECT_EQ(dream_bytes_new(NODE_MSG_SIZE_MAX, &data, &msg), DREAM_ELIMIT);
		EXPECT_EQ(dream_bytes_new(UINT64_MAX, &data, &msg), DREAM_ELIMIT);
	});
}

TEST(SharedBytes, OtherMessagesAreNone)
{
	SimNode node;
	node.go([&](node_proc_t *) {
		dream_msg_t *msg = nullptr;
		uint64_t size = 1;
		EXPECT_EQ(dream_msg_parse("[h'00']", &msg), DREAM_OK);
		EXPECT_EQ(dream_bytes_borrow(msg, &size), nullptr);
		EXPECT_EQ(size, 0u);
		dream_msg_unref(msg);
	});
}
