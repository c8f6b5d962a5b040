// SPDX-License-Identifier: MIT
// What the built files contain: modules export their descriptor alone, and the node keeps nothing in variables.
#include <elf.h>
#include <gtest/gtest.h>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

template <typename T> static T get(const std::string &bytes, uint64_t at)
{
	T value = {};
	if (at <= bytes.size() && bytes.size() - at >= sizeof(value))
		memcpy(&value, bytes.data() + at, sizeof(value));
	return value;
}

// Names of the defined symbols of .dynsym.
static std::set<std::string> exports_of(const fs::path &file)
{
	std::ifstream in(file, std::ios::binary);
	const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
	const auto header = get<Elf64_Ehdr>(bytes, 0);
	std::set<std::string> names;
	for (unsigned i = 0; i < header.e_shnum; i++) {
		const auto section = get<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr));
		if (section.sh_type != SHT_DYNSYM)
			continue;
		const auto strings =
			get<Elf64_Shdr>(bytes, header.e_shoff + section.sh_link * sizeof(Elf64_Shdr));
		for (uint64_t at = 0; at < section.sh_size; at += sizeof(Elf64_Sym)) {
			const auto symbol = get<Elf64_Sym>(bytes, section.sh_offset + at);
			if (symbol.st_shndx != SHN_UNDEF && strings.sh_offset + symbol.st_name < bytes.size())
				names.insert(bytes.c_str() + strings.sh_offset + symbol.st_name);
		}
	}
	names.erase("__odr_asan.dream_module"); // made by the address sanitizer
	return names;
}

static std::vector<fs::path> modules_in(const char *folder)
{
	std::vector<fs::path> found;
	if (fs::exists(folder))
		for (const auto &entry : fs::directory_iterator(folder))
			if (entry.path().extension() == ".so")
				found.push_back(entry.path());
	return found;
}

TEST(ModuleExports, AreTheDescriptorAndNothingElse)
{
	// Wrong on purpose: what they test is this.
	static const std::set<std::string> exempt = {"no_descriptor", "with_unique"};
	unsigned seen = 0;
	for (const char *folder : {DREAM_FIXTURES, DREAM_MODULES})
		for (const fs::path &file : modules_in(folder)) {
			seen++;
			if (exempt.count(file.stem().string()) == 0) {
				EXPECT_EQ(exports_of(file), std::set<std::string>{"dream_module"}) << file;
			}
		}
	EXPECT_GT(seen, 10u) << "the modules were not found";
}

struct Variable {
	std::string object;
	std::string name;
	std::string section;
};

// Columns of `nm --format=sysv`: name|value|class|type|size|line|section.
static std::vector<Variable> symbols_of(const std::string &archive)
{
	std::vector<Variable> found;
	// Without a plugin: it would show what link-time optimisation knows instead of what was compiled.
	const std::string command = "nm --plugin=/dev/null --format=sysv --defined-only '" + archive + "'";
	FILE *pipe = popen(command.c_str(), "r");
	if (pipe == nullptr)
		return found;
	char line[4096];
	std::string object;
	while (fgets(line, sizeof(line), pipe) != nullptr) {
		std::string text = line;
		text.erase(text.find_last_not_of(" \n") + 1);
		if (text.rfind("Symbols from ", 0) == 0 || (!text.empty() && text.back() == ':'))
			object = text;
		std::vector<std::string> columns;
		std::stringstream stream(text);
		for (std::string column; std::getline(stream, column, '|');)
			columns.push_back(column.substr(0, column.find_last_not_of(' ') + 1));
		if (columns.size() == 7)
			found.push_back({object, columns[0], columns[6]});
	}
	EXPECT_EQ(pclose(pipe), 0) << command;
	return found;
}

// Several nodes live in one process, so all they know hangs off node_t. Constant tables with addresses in them
// (.data.rel.ro) are read-only once they are relocated.
TEST(NodeVariables, DoNotExist)
{
	static const std::set<std::string> allowed = {
		"thread_ctx", // what the calling thread is doing: a fact about the thread
	};
	static const std::set<std::string> writable = {".data", ".bss", ".tdata", ".tbss", "*COM*"};
	const std::string archive = fs::path(DREAM_MODULES).parent_path() / "node/libdream_node.a";
	const std::vector<Variable> symbols = symbols_of(archive);
	EXPECT_GT(symbols.size(), 50u) << "no symbols in " << archive;
	for (const Variable &v : symbols) {
		const bool relro = v.section.rfind(".data.rel.ro", 0) == 0;
		const bool by_section = writable.count(v.section) != 0 || v.section.rfind(".data.", 0) == 0 ||
					v.section.rfind(".bss.", 0) == 0;
		const bool made_by_sanitizer =
			v.name.rfind("__", 0) == 0 && v.name.find("san") != std::string::npos;
		if (relro || !by_section || made_by_sanitizer || allowed.count(v.name) != 0)
			continue;
		ADD_FAILURE() << v.object << " " << v.name << " lies in " << v.section
			      << ": hang it off node_t, or make it const";
	}
}
