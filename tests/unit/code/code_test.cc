// SPDX-License-Identifier: MIT
#include "room.h"
#include "base/ctx.h"
#include <sys/stat.h>
#include <thread>
#include <vector>

TEST(CodeLoad, FillsTheGeneration)
{
	Room room;
	ASSERT_EQ(room.opened, DREAM_OK) << room.diag.text;
	node_gen_t *gen = room.load(fixture("good_1"));
	ASSERT_NE(gen, nullptr) << room.diag.text;
	EXPECT_STREQ(gen->name, "good");
	EXPECT_STREQ(gen->vsn, "1.0.0");
	EXPECT_EQ(gen->number, 1u);
	EXPECT_EQ(gen->source_path, fixture("good_1"));
	EXPECT_EQ(gen->refs, 1u);
	EXPECT_GT(gen->loaded_wall_ns, 0);
	EXPECT_EQ(gen->n_kinds, 2u);
	std::string bytes = read_file(fixture("good_1"));
	g_autofree char *sha =
		g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *) bytes.data(), bytes.size());
	EXPECT_STREQ(gen->sha256, sha);
	node_code_unref(gen);
}

TEST(CodeLoad, CopiesVtablesAndTheirLists)
{
	Room room;
	node_gen_t *gen = room.load(fixture("good_1"));
	ASSERT_NE(gen, nullptr) << room.diag.text;
	const node_kind_t *keeper = node_code_kind_borrow(gen, "keeper");
	ASSERT_NE(keeper, nullptr);
	EXPECT_EQ(keeper->type, DREAM_KIND_GEN_SERVER);
	EXPECT_EQ(keeper->gen, gen);
	const dream_gen_server_ops_t *ops = &keeper->ops.server;
	EXPECT_STREQ(ops->state->name, "keeper");
	ASSERT_NE(ops->calls, nullptr);
	EXPECT_STREQ(ops->calls[0]->tag, "add");
	EXPECT_EQ(ops->calls[1], nullptr);
	EXPECT_STREQ(ops->casts[0]->tag, "set");
	EXPECT_EQ(ops->infos, nullptr);
	EXPECT_EQ(ops->init, nullptr);
	node_code_unref(gen);
}

TEST(CodeLoad, CopiesSupervisorsAndApplications)
{
	Room room;
	node_gen_t *gen = room.load(fixture("good_2"));
	ASSERT_NE(gen, nullptr) << room.diag.text;
	const node_kind_t *sup = node_code_kind_borrow(gen, "good_sup");
	ASSERT_NE(sup, nullptr);
	EXPECT_EQ(sup->ops.supervisor.strategy, DREAM_ONE_FOR_ALL);
	EXPECT_STREQ(sup->ops.supervisor.children[0]->args, "[1, 2]");
	EXPECT_EQ(sup->ops.supervisor.children[1], nullptr);
	const node_kind_t *app = node_code_application_borrow(gen, "good");
	ASSERT_NE(app, nullptr);
	EXPECT_STREQ(app->ops.application.depends[0], "other");
	EXPECT_EQ(app->ops.application.depends[1], nullptr);
	node_code_unref(gen);
}

TEST(CodeKind, ServerAndApplicationMayShareAName)
{
	Room room;
	node_gen_t *gen = room.load(fixture("good_2"));
	ASSERT_NE(gen, nullptr) << room.diag.text;
	EXPECT_EQ(node_code_kind_borrow(gen, "good")->type, DREAM_KIND_GEN_SERVER);
	EXPECT_EQ(node_code_application_borrow(gen, "good")->type, DREAM_KIND_APPLICATION);
	EXPECT_EQ(node_code_kind_borrow(gen, "nothing"), nullptr);
	EXPECT_EQ(node_code_application_borrow(gen, "probe"), nullptr);
	node_code_unref(gen);
}

TEST(CodeGenerations, TwoSideBySideKeepTheirOwnHostTable)
{
	Room room;
	dream_host_t other = *room.host();
	other.now_ns = now_is_two;
	node_gen_t *one = room.load(fixture("good_1"));
	room.node()->host = &other;
	node_gen_t *two = room.load(fixture("good_2"));
	ASSERT_TRUE(one != nullptr && two != nullptr) << room.diag.text;
	EXPECT_EQ(run_probe(one), 1);
	EXPECT_EQ(run_probe(two), 2);
	EXPECT_EQ(run_probe(one), 1);
	node_code_unref(one);
	node_code_unref(two);
}

TEST(CodeGenerations, SamePathTwiceGivesTwo)
{
	Room room;
	dream_host_t other = *room.host();
	other.now_ns = now_is_two;
	node_gen_t *one = room.load(fixture("good_1"));
	room.node()->host = &other;
	node_gen_t *two = room.load(fixture("good_1"));
	ASSERT_TRUE(one != nullptr && two != nullptr) << room.diag.text;
	EXPECT_NE(one->handle, two->handle);
	EXPECT_STRNE(one->cache_path, two->cache_path);
	EXPECT_EQ(run_probe(one) * 10 + run_probe(two), 12);
	node_code_unref(one);
	node_code_unref(two);
}

TEST(CodeGenerations, TwoNodesDoNotShare)
{
	Folder folder;
	Room first(folder.path().c_str(), now_is_one);
	Room second(folder.path().c_str(), now_is_two);
	node_gen_t *one = first.load(fixture("good_1"));
	node_gen_t *two = second.load(fixture("good_1"));
	ASSERT_TRUE(one != nullptr && two != nullptr) << first.diag.text << second.diag.text;
	EXPECT_EQ(run_probe(one), 1);
	EXPECT_EQ(run_probe(two), 2);
	EXPECT_EQ(two->number, 1u);
	node_code_unref(one);
	node_code_unref(two);
}

TEST(CodeGenerations, OverwritingTheFileAfterwardsChangesNothing)
{
	Folder folder;
	std::string path = folder.file("good.so");
	write_file(path, read_file(fixture("good_1")));
	Room room;
	node_gen_t *one = room.load(path);
	ASSERT_NE(one, nullptr) << room.diag.text;
	write_file(path, std::string(100, 'x')); // same inode, shorter: a mapping of it would raise SIGBUS
	EXPECT_EQ(run_probe(one), 1);
	EXPECT_STREQ(node_code_kind_borrow(one, "keeper")->ops.server.state->name, "keeper");
	write_file(path, read_file(fixture("good_2")));
	node_gen_t *two = room.load(path);
	ASSERT_NE(two, nullptr) << room.diag.text;
	EXPECT_STREQ(one->vsn, "1.0.0");
	EXPECT_STREQ(two->vsn, "2.0.0");
	node_code_unref(one);
	node_code_unref(two);
}

TEST(CodeCurrent, LoadingMakesNothingCurrent)
{
	Room room;
	node_gen_t *gen = room.load(fixture("good_1"));
	ASSERT_NE(gen, nullptr);
	EXPECT_EQ(node_code_current_ref(room.code(), "good"), nullptr);
	EXPECT_EQ(node_code_current_of_borrow(gen), nullptr);
	EXPECT_EQ(node_code_current_ref(room.code(), "unheard_of"), nullptr);
	node_code_unref(gen);
}

TEST(CodeCurrent, EveryGenerationSeesTheSwitch)
{
	Room room;
	node_gen_t *one = room.load(fixture("good_1"));
	node_gen_t *two = room.load(fixture("good_2"));
	ASSERT_TRUE(one != nullptr && two != nullptr) << room.diag.text;
	EXPECT_EQ(node_code_make_current(room.code(), one), nullptr);
	EXPECT_EQ(node_code_current_of_borrow(two), one);
	node_gen_t *former = node_code_make_current(room.code(), two);
	EXPECT_EQ(former, one);
	EXPECT_EQ(node_code_current_of_borrow(one), two);
	node_gen_t *current = node_code_current_ref(room.code(), "good");
	EXPECT_EQ(current, two);
	EXPECT_EQ(two->refs, 3u); // ours, the module's, current_ref's
	EXPECT_EQ(one->refs, 2u); // ours and the one make_current gave back
	node_code_unref(former);
	node_code_unref(current);
	node_code_unref(one);
	node_code_unref(two);
}

TEST(CodeCurrent, FailedLoadLeavesItAlone)
{
	Room room;
	node_gen_t *one = room.load(fixture("good_1"));
	ASSERT_NE(one, nullptr);
	node_code_make_current(room.code(), one);
	EXPECT_EQ(room.load(fixture("load_fails")), nullptr);
	EXPECT_EQ(room.load(fixture("twice")), nullptr);
	EXPECT_EQ(node_code_current_of_borrow(one), one);
	node_code_unref(one);
}

TEST(CodeList, IsOldestFirstWithAReferenceEach)
{
	Room room;
	node_gen_t *one = room.load(fixture("good_1"));
	node_gen_t *two = room.load(fixture("good_2"));
	ASSERT_TRUE(one != nullptr && two != nullptr);
	g_autoptr(GPtrArray) all = node_code_list(room.code());
	ASSERT_EQ(all->len, 2u);
	EXPECT_EQ(all->pdata[0], one);
	EXPECT_EQ(all->pdata[1], two);
	EXPECT_EQ(one->refs, 2u);
	for (guint i = 0; i < all->len; i++)
		node_code_unref((node_gen_t *) all->pdata[i]);
	node_code_unref(one);
	node_code_unref(two);
}

TEST(CodeLoad, WorksFromSeveralThreadsAtOnce)
{
#if defined(__SANITIZE_THREAD__)
	GTEST_SKIP() << "TSan cannot see the dynamic linker's mmap, and takes its memory for what was there "
			"before";
#endif
	Room room;
	std::vector<std::thread> threads;
	for (int t = 0; t < 4; t++)
		threads.emplace_back([&room] {
			for (int i = 0; i < 10; i++) {
				node_gen_t *gen = nullptr;
				node_diag_t diag;
				EXPECT_EQ(node_code_load(room.code(),
						  fixture(i % 2 != 0 ? "good_1" : "good_2").c_str(), &gen,
						  &diag),
					DREAM_OK)
					<< diag.text;
				EXPECT_EQ(run_probe(gen), 1);
				node_code_unref(gen);
			}
		});
	for (std::thread &thread : threads)
		thread.join();
	g_autoptr(GPtrArray) all = node_code_list(room.code());
	EXPECT_EQ(all->len, 40u);
	for (guint i = 0; i < all->len; i++) {
		EXPECT_EQ(((node_gen_t *) all->pdata[i])->number, i + 1);
		node_code_unref((node_gen_t *) all->pdata[i]);
	}
}

TEST(CodeGenerations, ReferencesInStockAreCountedUntilTheyAreGivenBack) // else its code could never go
{
	Room room;
	node_gen_t *one = room.load(fixture("good_1"));
	node_gen_t *two = room.load(fixture("good_2"));
	ASSERT_TRUE(one != nullptr && two != nullptr) << room.diag.text;
	node_keep_t keep = {};
	node_ctx_borrow()->keep = &keep;
	for (int i = 0; i < 300; i++)
		(void) node_code_ref(one);
	EXPECT_GE(one->refs, 301u);
	(void) node_code_ref(two); // the stock is of one generation only
	EXPECT_EQ(one->refs, 301u);
	for (int i = 0; i < 300; i++)
		node_code_unref(one);
	EXPECT_EQ(one->refs, 1u);
	for (int i = 0; i < 300; i++)
		(void) node_code_ref(two);
	for (int i = 0; i < 301; i++)
		node_code_unref(two); // more than a stock holds
	EXPECT_GE(two->refs, 1u);
	node_keep_give_refs(&keep);
	node_ctx_borrow()->keep = nullptr;
	EXPECT_EQ(one->refs, 1u);
	EXPECT_EQ(two->refs, 1u);
	node_code_unref(one);
	node_code_unref(two);
}

// The hooks fixture calls log(level, text) of the host.
static int hook_calls;
static void count_hook(int32_t level, const char *text)
{
	(void) text;
	hook_calls = hook_calls * 10 + level;
}

TEST(CodeHooks, LoadRunsOnceAndUnloadAtClose)
{
	hook_calls = 0;
	{
		Room room;
		room.host()->log = count_hook;
		node_gen_t *gen = room.load(fixture("hooks"));
		ASSERT_NE(gen, nullptr) << room.diag.text;
		EXPECT_EQ(hook_calls, 1);
		node_code_unref(gen);
		EXPECT_EQ(hook_calls, 1); // the last reference does not unload
	}
	EXPECT_EQ(hook_calls, 12);
}

// The lines of this process's memory map that name files of the folder.
static std::string maps_of(const std::string &folder)
{
	std::ifstream maps("/proc/self/maps");
	std::string line;
	std::string found;
	while (std::getline(maps, line))
		if (contains(line, folder))
			found += line + "\n";
	return found;
}

TEST(CodeLoad, ThousandFailuresLeaveNoMappingAndNoFile)
{
	Folder folder;
	Room room(folder.path().c_str());
	g_autoptr(GDir) dir = g_dir_open(folder.path().c_str(), 0, nullptr);
	std::string cache = folder.file(g_dir_read_name(dir));
	const char *const bad[] = {"load_fails", "twice", "abi_other_major", "unresolved"};
	for (int i = 0; i < 1000; i++)
		ASSERT_EQ(room.load(fixture(bad[i % 4])), nullptr);
	EXPECT_EQ(maps_of("dream-code-"), "");
	EXPECT_EQ(Folder::count(cache), 0u);
}

TEST(CodeClose, TemporaryCacheGoesWithTheRoom)
{
	std::string path;
	{
		Room room;
		node_gen_t *gen = room.load(fixture("good_1"));
		ASSERT_NE(gen, nullptr);
		g_autofree char *dir = g_path_get_dirname(gen->cache_path);
		path = dir;
		struct stat st = {};
		ASSERT_EQ(stat(path.c_str(), &st), 0);
		EXPECT_EQ(st.st_mode & 0777u, 0700u);
		ASSERT_EQ(stat(gen->cache_path, &st), 0);
		EXPECT_EQ(st.st_mode & 0777u, 0400u);
		node_code_unref(gen);
	}
	EXPECT_FALSE(g_file_test(path.c_str(), G_FILE_TEST_EXISTS));
}
