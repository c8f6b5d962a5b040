// SPDX-License-Identifier: MIT
#include "room.h"
#include <vector>

static std::vector<char> bytes_of(const std::string &path)
{
	std::string text = read_file(path);
	return std::vector<char>(text.begin(), text.end());
}

TEST(ElfScan, GoodModuleHasReadOnlyWritableAndExecutableMemory)
{
	std::vector<char> good = bytes_of(fixture("good_1"));
	node_elf_t elf = {};
	node_diag_t diag = {};
	ASSERT_EQ(node_elf_scan(good.data(), good.size(), &elf, &diag), DREAM_OK) << diag.text;
	bool code = false;
	bool variables = false;
	bool constants = false;
	for (uint32_t i = 0; i < elf.n_segments; i++) {
		code |= elf.segments[i].executable;
		variables |= elf.segments[i].writable;
		constants |= !elf.segments[i].executable && !elf.segments[i].writable;
	}
	EXPECT_TRUE(code && variables && constants);
}

/* The bytes are in a block of exactly their size, so that the sanitizer sees a read beyond it. */
TEST(ElfScan, EveryCutIsRefused)
{
	std::vector<char> good = bytes_of(fixture("good_1"));
	for (size_t size = 0; size < good.size(); size += size < 1024 ? 1 : 97) {
		std::vector<char> cut(good.begin(), good.begin() + (long) size);
		cut.shrink_to_fit();
		node_elf_t elf = {};
		node_diag_t diag = {};
		EXPECT_EQ(node_elf_scan(cut.data(), cut.size(), &elf, &diag), DREAM_ELOAD)
			<< size << " " << diag.text;
		EXPECT_NE(diag.text[0], '\0');
	}
}

/* Any answer will do; reading outside the file, or hanging, will not. */
TEST(ElfScan, DamagedBytesNeverReadOutsideTheFile)
{
	const std::vector<char> good = bytes_of(fixture("good_1"));
	uint32_t seed = 20260101;
	for (int round = 0; round < 20000; round++) {
		std::vector<char> bad(good);
		for (int flips = 1 + round % 4; flips > 0; flips--) {
			seed = seed * 1664525u + 1013904223u;
			size_t span = round % 2 != 0 ? 1024 : bad.size(); // the headers more often
			size_t at = (seed >> 4) % span;
			seed = seed * 1664525u + 1013904223u;
			bad[at] = (char) (seed >> 24);
		}
		node_elf_t elf = {};
		(void) node_elf_scan(bad.data(), bad.size(), &elf, nullptr);
	}
}

TEST(ElfScan, RelocationOutsideTheModuleIsRefused)
{
	std::vector<char> bad = bytes_of(fixture("good_1"));
	// The first entry of the first SHT_RELA section: its r_offset.
	uint64_t section = 0;
	uint64_t relocations = 0;
	uint16_t n = 0;
	memcpy(&section, bad.data() + 40, 8);
	memcpy(&n, bad.data() + 60, 2);
	for (uint16_t i = 0; i < n && relocations == 0; i++) {
		uint32_t type = 0;
		memcpy(&type, bad.data() + section + i * 64u + 4, 4);
		if (type == 4)
			memcpy(&relocations, bad.data() + section + i * 64u + 24, 8);
	}
	ASSERT_NE(relocations, 0u);
	uint64_t wild = 0x7f0000000000;
	memcpy(bad.data() + relocations, &wild, 8);
	node_elf_t elf = {};
	node_diag_t diag = {};
	EXPECT_EQ(node_elf_scan(bad.data(), bad.size(), &elf, &diag), DREAM_ELOAD);
	EXPECT_TRUE(contains(diag.text, "relocation")) << diag.text;
}

static node_image_t small_image()
{
	node_image_t image = {};
	image.base = 0x10000;
	image.elf.n_segments = 2;
	image.elf.segments[0] = {0, 0x100, false, true};
	image.elf.segments[1] = {0x1000, 0x1100, true, false};
	return image;
}

static const void *at(uintptr_t address)
{
	return (const void *) address;
}

TEST(ImageHolds, EndsAtTheEndOfASegment)
{
	node_image_t image = small_image();
	EXPECT_TRUE(node_image_holds(&image, at(0x11000), 0x100, 8));
	EXPECT_FALSE(node_image_holds(&image, at(0x11000), 0x101, 8));
	EXPECT_FALSE(node_image_holds(&image, at(0x10100), 1, 1));
	EXPECT_FALSE(node_image_holds(&image, at(0xffff), 1, 1));
	EXPECT_FALSE(node_image_holds(&image, at(0x11000), UINT64_MAX, 8));
}

TEST(ImageHolds, AsksForAlignmentAndRights)
{
	node_image_t image = small_image();
	EXPECT_FALSE(node_image_holds(&image, at(0x11004), 8, 8));
	EXPECT_FALSE(node_image_holds_writable(&image, at(0x10000), 8, 8));
	EXPECT_TRUE(node_image_holds_writable(&image, at(0x11000), 8, 8));
	EXPECT_TRUE(node_image_holds_code(&image, 0x10010));
	EXPECT_FALSE(node_image_holds_code(&image, 0x11000));
}
