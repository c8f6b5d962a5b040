// SPDX-License-Identifier: MIT
// room.h: a node with nothing but a code room, and files to load into it.
#ifndef TESTS_UNIT_CODE_ROOM_H
#define TESTS_UNIT_CODE_ROOM_H
#include <gtest/gtest.h>
#include <glib/gstdio.h>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
/* C may call a function like a struct's tag, and the SDK does: dream_spawn(). g++ sees a constructor hidden. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#include "base/clock.h"
#include "code/cache.h"
#include "code/code.h"
#include "code/image.h"
#pragma GCC diagnostic pop

// A folder that goes with the test.
class Folder
{
      public:
	Folder()
	{
		g_autofree char *made = g_dir_make_tmp("dream-test-XXXXXX", nullptr);
		path_ = made;
	}
	~Folder()
	{
		remove_all(path_);
	}
	Folder(const Folder &) = delete;
	Folder &operator=(const Folder &) = delete;
	const std::string &path() const
	{
		return path_;
	}
	std::string file(const std::string &name) const
	{
		return path_ + "/" + name;
	}

	static unsigned count(const std::string &path)
	{
		unsigned n = 0;
		g_autoptr(GDir) dir = g_dir_open(path.c_str(), 0, nullptr);
		while (dir != nullptr && g_dir_read_name(dir) != nullptr)
			n++;
		return n;
	}

	static void remove_all(const std::string &path)
	{
		g_autoptr(GDir) dir = g_dir_open(path.c_str(), 0, nullptr);
		const char *name;
		while (dir != nullptr && (name = g_dir_read_name(dir)) != nullptr)
			remove_all(path + "/" + name);
		g_remove(path.c_str());
	}

      private:
	std::string path_;
};

inline std::string fixture(const std::string &name)
{
	return std::string(DREAM_FIXTURES) + "/" + name + ".so";
}

inline std::string read_file(const std::string &path)
{
	std::ifstream in(path, std::ios::binary);
	return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

inline void write_file(const std::string &path, const std::string &bytes)
{
	std::ofstream out(path, std::ios::binary | std::ios::trunc);
	out.write(bytes.data(), (std::streamsize) bytes.size());
}

inline int64_t now_is_one()
{
	return 1;
}

inline int64_t now_is_two()
{
	return 2;
}

// A node whose host table says `now` when a probe process asks for the time.
class Room
{
      public:
	explicit Room(const char *cache_dir = nullptr, int64_t (*now)() = now_is_one)
	{
		host_.struct_size = sizeof(host_);
		host_.now_ns = now;
		node_.clock = node_clock_system_borrow();
		node_.host = &host_;
		opened = node_code_open(&node_, cache_dir, &diag);
	}
	~Room()
	{
		node_code_close(node_.code, true);
	}
	Room(const Room &) = delete;
	Room &operator=(const Room &) = delete;

	node_code_t *code()
	{
		return node_.code;
	}
	node_t *node()
	{
		return &node_;
	}
	dream_host_t *host()
	{
		return &host_;
	}

	// NULL if it fails; result and diag say why.
	node_gen_t *load(const std::string &path)
	{
		node_gen_t *gen = nullptr;
		diag.text[0] = '\0';
		result = node_code_load(code(), path.c_str(), &gen, &diag);
		return gen;
	}

	int opened = -1;
	int result = 0;
	node_diag_t diag = {};

      private:
	node_t node_ = {};
	dream_host_t host_ = {};
};

inline int run_probe(const node_gen_t *gen)
{
	return node_code_kind_borrow(gen, "probe")->ops.process.main(nullptr);
}

inline bool contains(const std::string &text, const std::string &part)
{
	return text.find(part) != std::string::npos;
}

#endif
