// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <glib.h>
#include <string>
#include "shell/pemfile.h"
#include "tempdir.h"

TEST(PemfileCreate, FileIsWholeAndItsOwnersAlone)
{
	TempDir dir;
	ASSERT_EQ(shell_pemfile_create((dir / "k").c_str(), "secret", 6, nullptr), DREAM_OK);
	EXPECT_EQ(slurp(dir / "k"), "secret");
	EXPECT_EQ(mode_of(dir / "k"), 0600u);
}

TEST(PemfileCreate, AnExistingFileIsRefusedAndUntouched)
{
	TempDir dir;
	spill(dir / "k", "old");
	node_diag_t diag = {};
	EXPECT_EQ(shell_pemfile_create((dir / "k").c_str(), "new", 3, &diag), DREAM_EEXIST);
	EXPECT_EQ(slurp(dir / "k"), "old");
	EXPECT_NE(std::string(diag.text).find("never replaced"), std::string::npos);
}

TEST(PemfileCreate, ADanglingSymlinkIsRefused)
{
	TempDir dir;
	std::filesystem::create_symlink(dir / "elsewhere", dir / "k");
	EXPECT_EQ(shell_pemfile_create((dir / "k").c_str(), "new", 3, nullptr), DREAM_EEXIST);
	EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere"));
}

TEST(PemfileCreate, NothingIsLeftBehindByAFailure)
{
	TempDir dir;
	node_diag_t diag = {};
	EXPECT_EQ(shell_pemfile_create((dir / "none/k").c_str(), "new", 3, &diag), DREAM_EIO);
	spill(dir / "k", "old");
	shell_pemfile_create((dir / "k").c_str(), "new", 3, &diag);
	int files = 0;
	for (auto &entry : std::filesystem::directory_iterator(dir.path))
		files += entry.exists() ? 1 : 0;
	EXPECT_EQ(files, 1);
}

TEST(PemfileMakeDir, NewDirectoriesAreTheirOwnersAlone)
{
	TempDir dir;
	ASSERT_EQ(shell_pemfile_make_dir((dir / "a/b").c_str(), nullptr), DREAM_OK);
	EXPECT_EQ(mode_of(dir / "a"), 0700u);
	EXPECT_EQ(mode_of(dir / "a/b"), 0700u);
}

TEST(PemfileRead, AHugeFileIsRefused)
{
	TempDir dir;
	spill(dir / "big", std::string(SHELL_PEMFILE_MAX + 1, 'x'));
	char *data = nullptr;
	size_t size = 0;
	EXPECT_EQ(shell_pemfile_read((dir / "big").c_str(), &data, &size, nullptr), DREAM_ECERT);
	EXPECT_EQ(data, nullptr);
}

TEST(PemfileRead, ADirectoryOrNothingIsRefused)
{
	TempDir dir;
	char *data = nullptr;
	size_t size = 0;
	EXPECT_EQ(shell_pemfile_read(dir.path.c_str(), &data, &size, nullptr), DREAM_ECERT);
	EXPECT_EQ(shell_pemfile_read((dir / "none").c_str(), &data, &size, nullptr), DREAM_ECERT);
}
