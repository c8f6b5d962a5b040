// SPDX-License-Identifier: MIT
// Which way includes may go: each folder sees only what stands below it.
#include <gtest/gtest.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;
using Rooms = std::set<std::string>;

static const std::map<std::string, Rooms> &may_see()
{
	static const Rooms low = {"base", "term", "proc", "sched"};
	static const auto with = [](Rooms rooms, const Rooms &more) {
		rooms.insert(more.begin(), more.end());
		return rooms;
	};
	static const std::map<std::string, Rooms> rules = {
		{"base", {}}, {"term", {"base"}}, {"proc", {"base", "term"}},
		{"sched", {"base", "term", "proc"}}, {"io", low}, {"code", {"base", "term"}},
		{"otp", with(low, {"code"})}, {"app", with(low, {"io", "code", "otp"})},
		{"release", with(low, {"code", "otp", "app"})}, {"dist", with(low, {})},
		{"console", with(low, {"code", "otp", "app", "release", "dist"})},
		{"", with(low, {"io", "code", "otp", "app", "release", "dist",
				       "console"})}, // boot.c, main.c, config.c
	};
	return rules;
}

struct Include {
	fs::path file; // from the source's top
	std::string name;
	bool angled;
};

// Fills name and angled if @line is an #include.
static bool parse_include(const std::string &line, Include *ret)
{
	size_t at = line.find_first_not_of(" \t");
	if (at == std::string::npos || line[at] != '#')
		return false;
	at = line.find_first_not_of(" \t", at + 1);
	if (at == std::string::npos || line.compare(at, 7, "include") != 0)
		return false;
	at = line.find_first_of("<\"", at);
	const size_t end = at == std::string::npos ? at : line.find_first_of(">\"", at + 1);
	if (end == std::string::npos)
		return false;
	ret->angled = line[at] == '<';
	ret->name = line.substr(at + 1, end - at - 1);
	return true;
}

static std::vector<Include> includes_below(const std::string &folder)
{
	const fs::path top = DREAM_SOURCE;
	std::vector<Include> found;
	if (!fs::exists(top / folder))
		return found;
	for (const auto &entry : fs::recursive_directory_iterator(top / folder)) {
		const std::string extension = entry.path().extension().string();
		if (extension != ".c" && extension != ".h")
			continue;
		std::ifstream in(entry.path());
		Include include = {entry.path().lexically_relative(top), "", false};
		for (std::string line; std::getline(in, line);)
			if (parse_include(line, &include))
				found.push_back(include);
	}
	return found;
}

// "proc" of node/proc/mbox.c or of "proc/mbox.h"; "" of node/boot.c.
static std::string room_of(const fs::path &path)
{
	return path.has_parent_path() ? path.begin()->string() : "";
}

TEST(NodeIncludes, GoDownwardsOnly)
{
	unsigned seen = 0;
	for (const Include &i : includes_below("node")) {
		if (i.angled)
			continue;
		const std::string from = room_of(i.file.lexically_relative("node"));
		const std::string to = room_of(i.name);
		seen++;
		ASSERT_TRUE(may_see().count(from))
			<< i.file << " is in a room this test does not know: add it to may_see()";
		EXPECT_TRUE(from == to || may_see().at(from).count(to))
			<< i.file << " includes \"" << i.name << "\": " << from << " may not see " << to
			<< "; install a function pointer in node_hooks_t instead";
	}
	EXPECT_GT(seen, 20u) << "the sources were not found";
}

TEST(NodeIncludes, AreNamedFromOneRoot)
{
	for (const Include &i : includes_below("node"))
		if (!i.angled && i.file.parent_path() != "node") {
			EXPECT_NE(i.name.find('/'), std::string::npos)
				<< i.file << " includes \"" << i.name << "\": write \"room/" << i.name
				<< "\"";
		}
}

TEST(NodeIncludes, OnlyDistSeesQuicAndOneFileBesideItTls)
{
	for (const Include &i : includes_below("node")) {
		const bool tls = i.name.rfind("gnutls/", 0) == 0;
		if (!tls && i.name.rfind("ngtcp2/", 0) != 0)
			continue;
		if (tls && i.file == "node/io/secure.c")
			continue;
		EXPECT_EQ(room_of(i.file.lexically_relative("node")), "dist")
			<< i.file << " includes " << i.name;
	}
}

TEST(NodeIncludes, SdkIsIncludedInAngles)
{
	for (const Include &i : includes_below("node"))
		if (i.name.rfind("dream/", 0) == 0) {
			EXPECT_TRUE(i.angled)
				<< i.file << " includes \"" << i.name << "\": write <" << i.name << ">";
		}
}

TEST(ShellIncludes, SeeOfTheNodeOnlyBaseTermAndTheClient)
{
	for (const Include &i : includes_below("shell")) {
		const std::string room = room_of(i.name);
		if (i.angled || room.empty() || room == "shell" || room == "base" || room == "term")
			continue;
		EXPECT_EQ(i.name, "dist/client.h")
			<< i.file << ": the shell is a peer like others; ask through the client";
	}
}

TEST(ShellIncludes, SeeGnutlsForCertificatesAndNeverNgtcp2)
{
	for (const Include &i : includes_below("shell"))
		EXPECT_NE(i.name.rfind("ngtcp2/", 0), 0u) << i.file << " includes " << i.name;
}

// GLib or a node's header in a module would tie it to one node's build.
TEST(ModuleIncludes, AreTheSdkAndLibcAlone)
{
	static const std::set<std::string> libc = {"assert.h", "ctype.h", "errno.h", "float.h", "inttypes.h",
		"limits.h", "locale.h", "math.h", "setjmp.h", "signal.h", "stdarg.h", "stdbool.h", "stddef.h",
		"stdint.h", "stdio.h", "stdlib.h", "string.h", "strings.h", "time.h", "unistd.h"};
	unsigned seen = 0;
	for (const char *folder : {"sdk/include", "apps", "plugins"})
		for (const Include &i : includes_below(folder)) {
			const bool sdk = i.angled && i.name.rfind("dream/", 0) == 0;
			const bool own = !i.angled && std::string(folder) != "sdk/include" &&
					 i.name.rfind("..", 0) != 0 &&
					 fs::exists(fs::path(DREAM_SOURCE) / i.file.parent_path() / i.name);
			seen++;
			EXPECT_TRUE(sdk || own || libc.count(i.name)) << i.file << " includes " << i.name;
		}
	EXPECT_GT(seen, 5u) << "the sources were not found";
}
