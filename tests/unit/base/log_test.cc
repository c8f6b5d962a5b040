// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <fcntl.h>
#include <unistd.h>
#include <cstring>
#include <string>
#include <vector>
#include "base/clock.h"
#include "base/diag.h"
#include "base/log.h"

namespace
{

struct Log {
	node_t node = {};
	node_log_t *log = nullptr;

	explicit Log(int fd = -1, int32_t level = DREAM_LOG_DEBUG)
	{
		node.clock = node_clock_system_borrow();
		EXPECT_EQ(node_log_open(&node, fd, level, &log), DREAM_OK);
	}
	~Log()
	{
		close();
	}
	void close()
	{
		node_log_close(log);
		log = nullptr;
	}
	std::vector<std::string> tail(uint32_t cap, uint64_t after = 0, int32_t level = 0)
	{
		std::vector<node_log_line_t> lines(cap);
		uint32_t n = node_log_tail(log, after, level, lines.data(), cap);
		std::vector<std::string> out;
		for (uint32_t i = 0; i < n; i++)
			out.push_back(lines[i].text);
		return out;
	}
};

using Lines = std::vector<std::string>;

} // namespace

TEST(Log, KeepsTheNewestLinesOldestFirst)
{
	Log l;
	for (int i = 1; i <= 5; i++)
		node_log(&l.node, DREAM_LOG_INFO, "line %d", i);
	EXPECT_EQ(l.tail(3), (Lines{"line 3", "line 4", "line 5"}));
	EXPECT_EQ(l.tail(10, 4), (Lines{"line 5"}));
	EXPECT_EQ(l.tail(10, 5), Lines{});
}

TEST(Log, RingForgetsTheOldest)
{
	Log l;
	for (int i = 1; i <= NODE_LOG_RING + 10; i++)
		node_log(&l.node, DREAM_LOG_INFO, "%d", i);
	Lines all = l.tail(2 * NODE_LOG_RING);
	ASSERT_EQ(all.size(), (size_t) NODE_LOG_RING);
	EXPECT_EQ(all.front(), "11");
}

TEST(Log, LevelsFilterWhatIsKeptAndWhatIsShown)
{
	Log l(-1, DREAM_LOG_NOTICE);
	node_log(&l.node, DREAM_LOG_INFO, "quiet");
	node_log(&l.node, DREAM_LOG_NOTICE, "kept");
	node_log(&l.node, DREAM_LOG_ERROR, "bad");
	EXPECT_EQ(l.tail(10), (Lines{"kept", "bad"}));
	EXPECT_EQ(l.tail(10, 0, DREAM_LOG_ERROR), (Lines{"bad"}));
	node_log_set_level(l.log, DREAM_LOG_DEBUG);
	node_log(&l.node, DREAM_LOG_DEBUG, "now");
	EXPECT_EQ(l.tail(1), (Lines{"now"}));
}

TEST(Log, StrangersBytesForgeNoLines)
{
	Log l;
	node_log(&l.node, DREAM_LOG_INFO, "a%sb", "\n\x1b[31m\x7f");
	EXPECT_EQ(l.tail(1), (Lines{"a??[31m?b"}));
}

TEST(Log, LongLinesAreCut)
{
	Log l;
	node_log(&l.node, DREAM_LOG_INFO, "%s", std::string(5000, 'x').c_str());
	EXPECT_EQ(l.tail(1)[0].size(), (size_t) NODE_LOG_LINE_MAX - 1);
}

TEST(Log, CloseWritesWhatWaits)
{
	int fds[2];
	ASSERT_EQ(pipe(fds), 0);
	Log l(fds[1]);
	for (int i = 0; i < 20; i++)
		node_log(&l.node, DREAM_LOG_WARNING, "line %d", i);
	l.close();
	::close(fds[1]);
	std::string all;
	char buffer[4096];
	for (ssize_t n; (n = read(fds[0], buffer, sizeof(buffer))) > 0;)
		all.append(buffer, (size_t) n);
	::close(fds[0]);
	EXPECT_NE(all.find("Z warning line 0\n"), std::string::npos) << all;
	EXPECT_NE(all.find("line 19\n"), std::string::npos);
}

TEST(Log, CloseGivesUpOnADescriptorThatTakesNothing) // it tried every line for a second
{
	int fds[2];
	ASSERT_EQ(pipe2(fds, O_NONBLOCK), 0);
	std::string fill(65536, 'x');
	while (write(fds[1], fill.data(), fill.size()) > 0)
		;
	Log l(fds[1]);
	for (int i = 0; i < 20; i++)
		node_log(&l.node, DREAM_LOG_INFO, "line %d", i);
	int64_t before = node_clock_now(&l.node);
	l.close();
	EXPECT_LT(node_clock_now(&l.node) - before, 5000 * NODE_MS);
	::close(fds[0]);
	::close(fds[1]);
}

TEST(Log, LevelNamesAreParsedBack)
{
	for (int32_t i = 0; i <= DREAM_LOG_ERROR; i++) {
		int32_t level = -1;
		EXPECT_EQ(node_log_level_parse(node_log_level_name(i), &level), DREAM_OK);
		EXPECT_EQ(level, i);
	}
	int32_t level;
	EXPECT_EQ(node_log_level_parse("loud", &level), DREAM_EINVAL);
	EXPECT_EQ(node_log_level_name(9), nullptr);
}

TEST(Diag, HoldsCodeAndCleanText)
{
	node_diag_t diag = {};
	EXPECT_EQ(node_diag_set(&diag, DREAM_EIO, "%s: bad\nline", "file"), DREAM_EIO);
	EXPECT_EQ(diag.code, DREAM_EIO);
	EXPECT_STREQ(diag.text, "file: bad?line");
	EXPECT_EQ(node_diag_prefix(&diag, "module %d", 3), DREAM_EIO);
	EXPECT_STREQ(diag.text, "module 3: file: bad?line");
	EXPECT_EQ(node_diag_set(nullptr, DREAM_EIO, "x"), DREAM_EIO);
	EXPECT_EQ(node_diag_prefix(nullptr, "x"), 0);
}

TEST(Diag, CutsLongTexts)
{
	node_diag_t diag = {};
	std::string text(3000, 'x');
	(void) node_diag_set(&diag, DREAM_EIO, "%s", text.c_str());
	EXPECT_EQ(strlen(diag.text), (size_t) NODE_DIAG_MAX - 1);
	(void) node_diag_prefix(&diag, "%s", text.c_str());
	EXPECT_EQ(strlen(diag.text), (size_t) NODE_DIAG_MAX - 1);
}

TEST(Diag, EveryCodeHasANameAndAText)
{
	for (int code = -4019; code <= -4001; code++) {
		EXPECT_EQ(node_diag_code_name(code)[0], 'E') << code;
		EXPECT_GT(strlen(node_diag_code_text(code)), 3u) << code;
	}
	EXPECT_NE(node_diag_code_name(-99999), nullptr);
}

TEST(Clock, SystemClockNeverGoesBackAndEntropyDiffers)
{
	node_t node = {};
	node.clock = node_clock_system_borrow();
	int64_t last = node_clock_now(&node);
	for (int i = 0; i < 1000; i++) {
		int64_t now = node_clock_now(&node);
		ASSERT_GE(now, last);
		last = now;
	}
	uint8_t a[16] = {}, b[16] = {};
	node.clock->random(node.clock, a, sizeof(a));
	node.clock->random(node.clock, b, sizeof(b));
	EXPECT_NE(memcmp(a, b, sizeof(a)), 0);
}
