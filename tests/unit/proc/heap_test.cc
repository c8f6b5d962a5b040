// SPDX-License-Identifier: MIT
// Memory, messages and tables that belong to a process.
#include "support/node.h"
#include <cstring>
#include <map>
#include <random>
#include "proc/heap.h"

TEST(Heap, BlocksAreZeroedAlignedAndCounted)
{
	SimNode node;
	node.go([](node_proc_t *proc) {
		for (uint64_t size : {1, 15, 16, 17, 1000}) {
			auto *block = static_cast<unsigned char *>(node_heap_alloc(proc, size));
			ASSERT_NE(block, nullptr);
			EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u);
			for (uint64_t i = 0; i < size; i++)
				EXPECT_EQ(block[i], 0);
		}
		EXPECT_EQ(proc->heap_bytes, 1u + 15 + 16 + 17 + 1000);
	});
}

TEST(Heap, RefusesNothingAndTooMuch)
{
	SimNode node;
	node.go([](node_proc_t *proc) {
		EXPECT_EQ(node_heap_alloc(proc, 0), nullptr);
		EXPECT_EQ(node_heap_alloc(proc, UINT64_MAX), nullptr);
		EXPECT_EQ(node_heap_alloc(proc, ((uint64_t) 1 << 40) + 1), nullptr);
		EXPECT_EQ(proc->heap_bytes, 0u);
	});
}

TEST(Heap, ResizeKeepsTheContentAndZeroesTheRest)
{
	SimNode node;
	node.go([](node_proc_t *proc) {
		auto *block = static_cast<char *>(node_heap_resize(proc, nullptr, 4));
		memcpy(block, "abcd", 4);
		block = static_cast<char *>(node_heap_resize(proc, block, 8));
		EXPECT_EQ(memcmp(block, "abcd\0\0\0\0", 8), 0);
		block = static_cast<char *>(node_heap_resize(proc, block, 2));
		EXPECT_EQ(memcmp(block, "ab", 2), 0);
		EXPECT_EQ(proc->heap_bytes, 2u);
		EXPECT_EQ(node_heap_resize(proc, block, 0), nullptr);
		EXPECT_EQ(memcmp(block, "ab", 2), 0) << "the old block stays";
		node_heap_free(proc, block);
		node_heap_free(proc, nullptr);
		EXPECT_EQ(proc->heap_bytes, 0u);
	});
}

TEST(Heap, GoesWithTheProcessHoweverItEnds) // the leak check is the judge
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		for (int i = 0; i < 100; i++)
			(void) node_heap_alloc(proc, 100);
		wait_forever(proc);
	});
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
	EXPECT_FALSE(node.alive(pid));
}

TEST(Heap, FreeingAnothersBlockEndsTheCallerAlone)
{
	SimNode node;
	void *block = nullptr;
	dream_pid_t owner = node.go([&](node_proc_t *proc) {
		block = node_heap_alloc(proc, 10);
		wait_forever(proc);
	});
	dream_pid_t thief = node.go([&](node_proc_t *proc) { node_heap_free(proc, block); });
	EXPECT_FALSE(node.alive(thief));
	EXPECT_TRUE(node.alive(owner));
	EXPECT_EQ(node.logged("ended: \"badfree\""), 1u);
}

TEST(Heap, ReleaseGivesBackWhatCameAfterTheMark)
{
	SimNode node;
	node.go([](node_proc_t *proc) {
		void *before = node_heap_alloc(proc, 10);
		struct node_heap_block *mark = node_heap_mark(proc);
		for (int i = 0; i < 5; i++)
			(void) node_heap_alloc(proc, 100);
		node_heap_release_since(proc, mark);
		EXPECT_EQ(proc->heap_bytes, 10u);
		node_heap_free(proc, before);
	});
}

TEST(Held, MessagesGoWithTheProcess) // the leak check is the judge
{
	SimNode node;
	dream_pid_t pid = node.go([](node_proc_t *proc) {
		dream_msg_t *msg = term("[1, 2]");
		EXPECT_EQ(node_proc_hold(proc, msg), DREAM_OK);
		EXPECT_EQ(node_proc_hold(proc, node_msg_ref(msg)), DREAM_OK);
		wait_forever(proc);
	});
	exit_signal(node, nullptr, pid, "\"kill\"");
	node.run();
}

TEST(Held, ReferencesAreCountedPerProcess)
{
	SimNode node;
	dream_msg_t *msg = term("1");
	node.go([&](node_proc_t *proc) {
		EXPECT_FALSE(node_proc_unhold(proc, msg));
		EXPECT_EQ(node_proc_hold(proc, msg), DREAM_OK);
		EXPECT_EQ(node_proc_hold(proc, msg), DREAM_OK);
		EXPECT_TRUE(node_proc_unhold(proc, msg));
		EXPECT_TRUE(node_proc_unhold(proc, msg));
		EXPECT_FALSE(node_proc_unhold(proc, msg));
		EXPECT_EQ(node_reftab_count(proc->held), 0u);
	});
	node_msg_unref(msg);
}

TEST(Reftab, AgreesWithAMapWhateverIsDone)
{
	std::mt19937_64 random(1);
	node_reftab_t *tab = nullptr;
	std::multimap<uint64_t, uint64_t> model; // key -> pid.id
	for (int step = 0; step < 20000; step++) {
		uint64_t key = 1 + random() % 64;
		dream_pid_t pid = {1 + random() % 4, 1, 0};
		node_refent_t *entry = node_reftab_find(tab, key, &pid);
		bool known = false;
		for (auto range = model.equal_range(key); range.first != range.second; ++range.first)
			known = known || range.first->second == pid.id;
		ASSERT_EQ(entry != nullptr, known);
		ASSERT_EQ(node_reftab_find(tab, key, nullptr) != nullptr, model.count(key) > 0);
		if (entry == nullptr && random() % 2 == 0) {
			ASSERT_EQ(node_reftab_add(&tab, key, pid, &entry), DREAM_OK);
			model.emplace(key, pid.id);
		} else if (entry != nullptr && random() % 2 == 0) {
			node_reftab_remove(tab, entry);
			for (auto at = model.find(key); at != model.end() && at->first == key; ++at)
				if (at->second == pid.id) {
					model.erase(at);
					break;
				}
		}
		ASSERT_EQ(node_reftab_count(tab), model.size());
	}
	uint32_t pos = 0, n = 0;
	while (node_reftab_next(tab, &pos) != nullptr)
		n++;
	EXPECT_EQ(n, model.size());
	node_reftab_clear(&tab);
	EXPECT_EQ(tab, nullptr);
	EXPECT_EQ(node_reftab_count(nullptr), 0u);
}

TEST(Names, OneNamePerProcessAndOneProcessPerName) // REG-1
{
	SimNode node;
	node.go([&](node_proc_t *proc) {
		dream_pid_t me = node_proc_pid(proc), found;
		EXPECT_EQ(node_names_whereis(node, "one", &found), DREAM_ENOENT);
		EXPECT_EQ(node_names_register(node, "one", me), DREAM_OK);
		EXPECT_EQ(node_names_register(node, "two", me), DREAM_EEXIST);
		ASSERT_EQ(node_names_whereis(node, "one", &found), DREAM_OK);
		EXPECT_TRUE(dream_pid_equal(found, me));
		char buffer[256];
		EXPECT_STREQ(node_names_of(node, me, buffer), "one");
		node.spawn([&](node_proc_t *other) {
			EXPECT_EQ(node_names_register(node, "one", node_proc_pid(other)), DREAM_EEXIST);
			EXPECT_EQ(node_names_register(node, "three", me), DREAM_EEXIST);
		});
		(void) receive(proc, 5);
		EXPECT_EQ(node_names_unregister(node, "one"), DREAM_OK);
		EXPECT_EQ(node_names_unregister(node, "one"), DREAM_ENOENT);
		EXPECT_EQ(node_names_register(node, "two", me), DREAM_OK);
	});
	node.advance(10);
}

TEST(Names, BadNamesAndDeadProcessesAreRefused) // REG-1
{
	SimNode node;
	dream_pid_t dead = node.go([](node_proc_t *) {});
	EXPECT_EQ(node_names_register(node, "one", dead), DREAM_ENOPROC);
	node.go([&](node_proc_t *proc) {
		dream_pid_t me = node_proc_pid(proc);
		EXPECT_EQ(node_names_register(node, "", me), DREAM_EINVAL);
		EXPECT_EQ(node_names_register(node, "\xff", me), DREAM_EINVAL);
		EXPECT_EQ(node_names_register(node, std::string(256, 'x').c_str(), me), DREAM_EINVAL);
		EXPECT_EQ(node_names_register(node, std::string(255, 'x').c_str(), me), DREAM_OK);
	});
}

TEST(Mailbox, SelectiveReceiveLeavesTheRestInOrder) // RCV-1
{
	SimNode node;
	std::vector<std::string> got;
	node.go([&](node_proc_t *proc) {
		for (const char *text : {"1", "2", "3", "2"})
			send(node, proc, node_proc_pid(proc), text);
		auto is = [](void *arg, const dream_msg_t *msg) -> int32_t {
			return text(msg) == (const char *) arg;
		};
		dream_msg_t *msg;
		EXPECT_EQ(node_call_receive(proc, is, (void *) "9", 0, &msg), DREAM_ETIMEDOUT);
		EXPECT_EQ(node_call_receive(proc, is, (void *) "2", 0, &msg), DREAM_OK);
		got.push_back(text_take(msg));
		for (int i = 0; i < 4; i++)
			got.push_back(receive(proc));
	});
	EXPECT_EQ(got, (std::vector<std::string>{"2", "1", "3", "2", "(timeout)"}));
}

static int spawn_idle(node_t *node)
{
	static const node_proc_ops_t ops = {"nothing", [](node_proc_t *) { return NODE_RUN_EXIT; }, nullptr};
	node_spawn_t how = {};
	how.ops = &ops;
	return node_proc_spawn(node, &how, nullptr);
}

static void open_small(node_t *small, SimNode &node, uint32_t max_procs)
{
	small->clock = node->clock;
	ASSERT_EQ(node_proctab_open(small, max_procs), DREAM_OK);
	small->hooks = node->hooks;
	small->hooks.wake = [](node_t *, struct node_proc *) {};
}

TEST(Proctab, LimitIsExact) // it was rounded up to whole chunks
{
	SimNode node;
	node_t small = {};
	open_small(&small, node, 3);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(spawn_idle(&small), DREAM_OK);
	EXPECT_EQ(spawn_idle(&small), DREAM_ELIMIT);
	EXPECT_EQ(node_proctab_count(&small), 3u);
	node_proctab_close(&small);
}

TEST(Proctab, WhatASchedulerKeepsIsForOthersWhenFewAreLeft)
{
	SimNode node;
	node_t small = {};
	const uint32_t most = 20000;
	node_keep_t first = {}, second = {};
	open_small(&small, node, most);
	node_ctx_t *ctx = node_ctx_borrow();
	node_ctx_t saved = *ctx;
	ctx->node = &small;
	ctx->keep = &first;
	EXPECT_EQ(spawn_idle(&small), DREAM_OK);
	EXPECT_GT(first.n_slots, 0u);
	ctx->keep = &second;
	uint32_t n = 1;
	while (spawn_idle(&small) == DREAM_OK)
		n++;
	EXPECT_EQ(n + first.n_slots, most);
	node_proctab_settle(&small, &first);
	while (spawn_idle(&small) == DREAM_OK)
		n++;
	EXPECT_EQ(n, most);
	ctx->keep = nullptr;
	ctx->node = saved.node;
	node_proctab_close(&small);
}

TEST(Pid, TextIsParsedBack)
{
	SimNode node;
	dream_pid_t pid = node.go(wait_forever), back;
	char buffer[300];
	ASSERT_EQ(node_proc_pid_parse(node, node_proc_pid_text(node, pid, buffer), &back), DREAM_OK);
	EXPECT_TRUE(dream_pid_equal(pid, back));
	for (const char *bad :
		{"", "<", "<1.2", "1.2>", "<1>", "<-1.2>", "<1.2>x", "<99999999999.1>", "<1 .2>"})
		EXPECT_EQ(node_proc_pid_parse(node, bad, &back), DREAM_ESYNTAX) << bad;
}
