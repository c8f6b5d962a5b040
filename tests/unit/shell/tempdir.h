/* SPDX-License-Identifier: MIT */
/* tempdir.h: a directory of a test's own, gone afterwards with all that is in it. */
#ifndef TESTS_UNIT_SHELL_TEMPDIR_H
#define TESTS_UNIT_SHELL_TEMPDIR_H
#include <stdlib.h>
#include <sys/stat.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

struct TempDir {
	std::string path;

	TempDir()
	{
		std::string name = (std::filesystem::temp_directory_path() / "dream-shell-XXXXXX").string();
		path = mkdtemp(name.data()) != nullptr ? name : "";
	}
	~TempDir()
	{
		std::filesystem::remove_all(path);
	}
	TempDir(const TempDir &) = delete;
	std::string operator/(const std::string &name) const
	{
		return path + "/" + name;
	}
};

inline unsigned mode_of(const std::string &path)
{
	struct stat st;
	return stat(path.c_str(), &st) == 0 ? st.st_mode & 07777 : 0;
}

inline std::string slurp(const std::string &path)
{
	std::ifstream in(path, std::ios::binary);
	std::stringstream all;
	all << in.rdbuf();
	return all.str();
}

inline void spill(const std::string &path, const std::string &text)
{
	std::ofstream(path, std::ios::binary) << text;
}

/* An environment variable for the length of a test. */
struct Env {
	std::string name, old;
	bool had;

	Env(const char *variable, const char *value) : name(variable)
	{
		const char *before = getenv(variable);
		had = before != nullptr;
		old = had ? before : "";
		if (value != nullptr)
			setenv(variable, value, 1);
		else
			unsetenv(variable);
	}
	~Env()
	{
		if (had)
			setenv(name.c_str(), old.c_str(), 1);
		else
			unsetenv(name.c_str());
	}
	Env(const Env &) = delete;
};
#endif
