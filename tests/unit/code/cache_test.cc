// SPDX-License-Identifier: MIT
#include "room.h"
#include <sys/stat.h>

TEST(CacheOpen, FolderOthersMayWriteIsRefused)
{
	Folder folder;
	node_cache_t *cache = nullptr;
	node_diag_t diag = {};
	ASSERT_EQ(chmod(folder.path().c_str(), 0777), 0);
	EXPECT_EQ(node_cache_open(folder.path().c_str(), &cache, &diag), DREAM_EIO);
	EXPECT_TRUE(contains(diag.text, folder.path())) << diag.text;
	EXPECT_TRUE(contains(diag.text, "chmod 0700")) << diag.text;
	EXPECT_EQ(cache, nullptr);
}

TEST(CacheOpen, FileInsteadOfAFolderIsRefused)
{
	Folder folder;
	node_cache_t *cache = nullptr;
	node_diag_t diag = {};
	write_file(folder.file("cache"), "x");
	EXPECT_EQ(node_cache_open(folder.file("cache").c_str(), &cache, &diag), DREAM_EIO);
	EXPECT_TRUE(contains(diag.text, folder.file("cache"))) << diag.text;
}

TEST(CacheOpen, MakesMissingFolders)
{
	Folder folder;
	node_cache_t *cache = nullptr;
	node_diag_t diag = {};
	ASSERT_EQ(node_cache_open(folder.file("a/b").c_str(), &cache, &diag), DREAM_OK) << diag.text;
	node_cache_close(cache);
	EXPECT_EQ(Folder::count(folder.file("a/b")), 1u);
}

TEST(CacheOpen, KeepsOnlyTheNewestFoldersOfEndedNodes)
{
	Folder folder;
	node_diag_t diag = {};
	for (int i = 0; i < NODE_CACHE_FORMER_KEPT + 5; i++) {
		node_cache_t *cache = nullptr;
		ASSERT_EQ(node_cache_open(folder.path().c_str(), &cache, &diag), DREAM_OK) << diag.text;
		node_cache_close(cache);
	}
	EXPECT_EQ(Folder::count(folder.path()), NODE_CACHE_FORMER_KEPT + 1u);
}

TEST(CacheOpen, LeavesFoldersOfLivingNodesAndOtherFilesAlone)
{
	Folder folder;
	node_diag_t diag = {};
	node_cache_t *caches[NODE_CACHE_FORMER_KEPT + 3] = {};
	write_file(folder.file("dream-code-mine"), "not the cache's");
	for (node_cache_t *&cache : caches)
		ASSERT_EQ(node_cache_open(folder.path().c_str(), &cache, &diag), DREAM_OK) << diag.text;
	EXPECT_EQ(Folder::count(folder.path()), NODE_CACHE_FORMER_KEPT + 4u);
	for (node_cache_t *cache : caches)
		node_cache_close(cache);
}

TEST(CacheAdd, NamesTheCopyByHashStemAndNumber)
{
	Folder folder;
	node_cache_t *cache = nullptr;
	node_diag_t diag = {};
	node_cache_copy_t copy = {};
	write_file(folder.file("my file (2).so"), "bytes");
	ASSERT_EQ(node_cache_open(nullptr, &cache, &diag), DREAM_OK) << diag.text;
	ASSERT_EQ(node_cache_add(cache, folder.file("my file (2).so").c_str(), 7, &copy, &diag), DREAM_OK)
		<< diag.text;
	g_autofree char *name = g_path_get_basename(copy.path);
	EXPECT_EQ(std::string(name), "my-file--2--7-" + std::string(copy.sha256).substr(0, 12) + ".so");
	EXPECT_EQ(std::string((const char *) copy.data, copy.size_bytes), "bytes");
	std::string path = copy.path;
	node_cache_copy_fini(&copy);
	EXPECT_FALSE(g_file_test(path.c_str(), G_FILE_TEST_EXISTS));
	node_cache_close(cache);
}

TEST(CacheAdd, SecondUseOfANumberIsRefused)
{
	node_cache_t *cache = nullptr;
	node_diag_t diag = {};
	ASSERT_EQ(node_cache_open(nullptr, &cache, &diag), DREAM_OK) << diag.text;
	node_cache_copy_t copies[2] = {};
	ASSERT_EQ(node_cache_add(cache, fixture("good_1").c_str(), 1, &copies[0], &diag), DREAM_OK);
	EXPECT_EQ(node_cache_add(cache, fixture("good_1").c_str(), 1, &copies[1], &diag), DREAM_EIO);
	EXPECT_TRUE(g_file_test(copies[0].path, G_FILE_TEST_EXISTS));
	node_cache_copy_fini(&copies[0]);
	node_cache_close(cache);
}
