// SPDX-License-Identifier: MIT
// Debug information has no macros, so tools/dream-gdb.py repeats a few numbers: they must be those of the sources.
#include <gtest/gtest.h>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace fs = std::filesystem;
using Numbers = std::map<std::string, unsigned long>;

// "#define NAME 4u" as @before is "#define" and @between nothing; "NAME = 4" the other way round.
static void add_numbers(
	const fs::path &file, const std::string &before, const std::string &between, Numbers *numbers)
{
	std::ifstream in(file);
	for (std::string line; std::getline(in, line);) {
		std::istringstream words(line);
		std::string word, name, number;
		if ((!before.empty() && !(words >> word && word == before)) || !(words >> name))
			continue;
		if ((!between.empty() && !(words >> word && word == between)) || !(words >> number))
			continue;
		if (std::isupper((unsigned char) name[0]) && std::isdigit((unsigned char) number[0]))
			numbers->emplace(name, std::strtoul(number.c_str(), nullptr, 0));
	}
}

TEST(ToolsNumbers, AreThoseOfTheNode)
{
	static const char *const its_own[] = {"SIGNALS_MAX", "BLOCK", "PAGE"};
	Numbers node, tool;
	for (const auto &entry : fs::recursive_directory_iterator(fs::path(DREAM_SOURCE) / "node"))
		if (entry.path().extension() == ".c" || entry.path().extension() == ".h")
			add_numbers(entry.path(), "#define", "", &node);
	add_numbers(fs::path(DREAM_SOURCE) / "tools/dream-gdb.py", "", "=", &tool);
	for (const char *name : its_own)
		EXPECT_EQ(tool.erase(name), 1u) << name;
	EXPECT_GT(tool.size(), 6u);
	for (const auto &[name, value] : tool) {
		ASSERT_TRUE(node.count(name))
			<< name << " of tools/dream-gdb.py is no macro of the node any more";
		EXPECT_EQ(node.at(name), value) << name << ": mend tools/dream-gdb.py";
	}
}
