// SPDX-License-Identifier: MIT
// docs/rules.md and the tests know of each other: each rule has a test that names it, and no test names one that is not there.
#include <gtest/gtest.h>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace
{

const fs::path top = DREAM_SOURCE;

struct Rules {
	std::set<std::string> held; // under a heading that does not say otherwise
	std::set<std::string> open; // no promise, or not yet
	std::set<std::string> groups;
	std::vector<std::string> twice;
};

// "SIG" of SIG-1, "X" of X1.
std::string group_of(const std::string &rule)
{
	return rule.substr(0, rule.find_first_of("-0123456789"));
}

bool is_digits(const std::string &text)
{
	return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// SIG-1, X1; not X509, UTF-8 or a-1.
bool is_rule(const std::string &word)
{
	const std::string group = group_of(word);
	if (group.empty() || group.size() == word.size())
		return false;
	for (char c : group)
		if (!std::isupper(static_cast<unsigned char>(c)))
			return false;
	const std::string rest = word.substr(group.size());
	return rest[0] == '-' ? is_digits(rest.substr(1))
			      : group == "X" && rest.size() <= 2 && is_digits(rest);
}

std::vector<std::string> rules_in(const std::string &text)
{
	std::vector<std::string> found;
	std::string word;
	for (char c : text + " ") {
		if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_') {
			word += c;
			continue;
		}
		if (is_rule(word))
			found.push_back(word);
		word.clear();
	}
	return found;
}

Rules read_rules()
{
	std::ifstream in(top / "docs/rules.md");
	Rules rules;
	bool held = true;
	for (std::string line; std::getline(in, line);) {
		if (line.rfind("## ", 0) == 0)
			held = line != "## No promises" && line != "## Not yet";
		const std::string rule =
			line.rfind("| ", 0) == 0 ? line.substr(2, line.find(" |", 2) - 2) : "";
		if (!is_rule(rule))
			continue;
		if (rules.held.count(rule) || rules.open.count(rule))
			rules.twice.push_back(rule);
		(held ? rules.held : rules.open).insert(rule);
		rules.groups.insert(group_of(rule));
	}
	return rules;
}

// The rules that comments of unit tests name, each with a file that does.
std::map<std::string, fs::path> named_in_tests()
{
	std::map<std::string, fs::path> named;
	for (const auto &entry : fs::recursive_directory_iterator(top / "tests/unit")) {
		if (entry.path().extension() != ".cc" || entry.path().parent_path().filename() == "house")
			continue;
		std::ifstream in(entry.path());
		for (std::string line; std::getline(in, line);) {
			const size_t comment = line.find("// ");
			if (comment == std::string::npos)
				continue;
			for (const std::string &rule : rules_in(line.substr(comment)))
				named.emplace(rule, entry.path().lexically_relative(top));
		}
	}
	return named;
}

} // namespace

TEST(Rules, EachHasATestThatNamesIt)
{
	const Rules rules = read_rules();
	const auto named = named_in_tests();
	EXPECT_GT(rules.held.size(), 40u) << "the tables of docs/rules.md were not found";
	for (const std::string &rule : rules.held)
		EXPECT_TRUE(named.count(rule))
			<< rule << " has no test: write one in tests/unit and name the rule in a comment, // "
			<< rule;
}

TEST(Rules, NamedInTestsAreThoseOfThePage)
{
	const Rules rules = read_rules();
	for (const auto &[rule, file] : named_in_tests())
		if (rules.groups.count(group_of(rule))) {
			EXPECT_TRUE(rules.held.count(rule) || rules.open.count(rule))
				<< file << " names " << rule << ", which docs/rules.md does not have";
		}
}

TEST(Rules, StandOnThePageOnce)
{
	for (const std::string &rule : read_rules().twice)
		ADD_FAILURE() << rule << " is in docs/rules.md twice";
}
