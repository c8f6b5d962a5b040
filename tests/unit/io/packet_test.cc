// SPDX-License-Identifier: MIT
// Frames: four bytes of size, and lines.
#include "unit/io/fixture.h"

namespace
{

std::string frame(const std::string &data)
{
	const uint32_t n = (uint32_t) data.size();
	const char head[] = {(char) (n >> 24), (char) (n >> 16), (char) (n >> 8), (char) n};
	return std::string(head, 4) + data;
}

} // namespace

TEST(TcpPacket, FramesAreCutWhereverTheirBytesWereSplit)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_PACKET4);
	std::vector<std::string> heard;
	Served served(
		node,
		[&](dream_ref_t conn) {
			for (Got got; (got = recv_some(conn)).r == DREAM_OK;)
				heard.push_back(got.text());
		},
		&options);
	{
		Peer peer(served.port);
		for (char byte : frame("one") + frame("") + frame("three")) {
			peer.write(std::string(1, byte));
			node.settle();
		}
		peer.write(frame("four") + frame("five"));
	}
	node.until([&] { return served.over; });
	EXPECT_EQ(heard, (std::vector<std::string>{"one", "", "three", "four", "five"}));
	EXPECT_EQ(node.buffer_bytes(), 0u);
}

TEST(TcpPacket, SizeIsPutBeforeWhatIsSent)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_PACKET4, 10);
	int long_one = 1;
	Served served(
		node,
		[&](dream_ref_t conn) {
			EXPECT_EQ(send_text(conn, "hello"), DREAM_OK);
			EXPECT_EQ(send_text(conn, ""), DREAM_OK);
			long_one = send_text(conn, "elevenbytes");
		},
		&options);
	Peer peer(served.port);
	node.until([&] { return served.over; });
	std::string all, block;
	while (!(block = peer.read()).empty())
		all += block;
	EXPECT_EQ(all, frame("hello") + frame(""));
	EXPECT_EQ(long_one, DREAM_ELIMIT);
}

TEST(TcpPacket, FrameLargerThanAllowedIsRefusedBeforeItComes)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_PACKET4, 1000);
	Got got = {};
	uint64_t held = 0;
	Served served(
		node,
		[&](dream_ref_t conn) {
			got = recv_some(conn);
			held = node.buffer_bytes();
		},
		&options);
	Peer peer(served.port);
	peer.write(std::string("\x7f\xff\xff\xff", 4));
	node.until([&] { return served.over; });
	EXPECT_EQ(got.r, DREAM_ELIMIT);
	EXPECT_LE(held, 4096u);
}

TEST(TcpPacket, PromisedSizeReservesNothing)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_PACKET4, DREAM_TCP_FRAME_BYTES_MAX);
	Served served(
		node, [&](dream_ref_t conn) { recv_some(conn); }, &options);
	Peer peer(served.port);
	peer.write(std::string("\x03\xff\xff\xff"
			       "abc",
		7));
	node.settle();
	EXPECT_LE(node.buffer_bytes(), 4096u);
}

TEST(TcpPacket, BuffersOfAllSocketsTogetherAreLimited)
{
	node_io_options_t limits = io_options();
	limits.max_buffer_bytes = 10000;
	IoNode node(limits);
	dream_tcp_options_t options = packets(DREAM_TCP_LINE);
	Got got = {};
	Served served(
		node, [&](dream_ref_t conn) { got = recv_some(conn); }, &options);
	Peer peer(served.port);
	peer.write(std::string(20000, 'x'));
	node.until([&] { return served.over; });
	EXPECT_EQ(got.r, DREAM_ELIMIT);
	EXPECT_EQ(node.buffer_bytes(), 0u) << "given back with the socket";
}

TEST(TcpPacket, FrameThatDoesNotFitStaysAndTellsItsSize)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_PACKET4);
	Got got = {}, again = {};
	std::string rest(100, 'x');
	Served served(
		node,
		[&](dream_ref_t conn) {
			char large[200];
			got = recv_some(conn);
			again.r = dream_tcp_recv(conn, large, sizeof(large), 1, 0, &again.size);
			EXPECT_EQ(std::string(large, again.size), rest);
		},
		&options);
	Peer peer(served.port);
	peer.write(frame(rest));
	node.until([&] { return served.over; });
	EXPECT_EQ(got.r, DREAM_ERANGE);
	EXPECT_EQ(got.size, 100u);
	EXPECT_EQ(again.r, DREAM_OK);
}

TEST(TcpPacket, EndWithinAFrameIsAViolation)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_PACKET4);
	Got got = {};
	Served served(
		node, [&](dream_ref_t conn) { got = recv_some(conn); }, &options);
	{
		Peer peer(served.port);
		peer.write(frame("whole").substr(0, 6));
	}
	node.until([&] { return served.over; });
	EXPECT_EQ(got.r, DREAM_EPROTO);
}

TEST(TcpPacket, LinesComeOneByOneAndTheLastMayLackItsEnd)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_LINE);
	std::vector<std::string> heard;
	Served served(
		node,
		[&](dream_ref_t conn) {
			for (Got got; (got = recv_some(conn)).r == DREAM_OK;)
				heard.push_back(got.text());
		},
		&options);
	{
		Peer peer(served.port);
		peer.write("GET / HT");
		node.settle();
		peer.write("TP\r\n\nrest");
	}
	node.until([&] { return served.over; });
	EXPECT_EQ(heard, (std::vector<std::string>{"GET / HTTP\r\n", "\n", "rest"}));
}

TEST(TcpPacket, LineLongerThanAllowedIsRefused)
{
	IoNode node;
	dream_tcp_options_t options = packets(DREAM_TCP_LINE, 10);
	Got fits = {}, got = {};
	Served served(
		node,
		[&](dream_ref_t conn) {
			fits = recv_some(conn);
			got = recv_some(conn);
		},
		&options);
	Peer peer(served.port);
	peer.write("123456789\n0123456789\n");
	node.until([&] { return served.over; });
	EXPECT_EQ(fits.text(), "123456789\n");
	EXPECT_EQ(got.r, DREAM_ELIMIT);
}

TEST(TcpPacket, ChangeOfOptionsCutsWhatWasReadAnew)
{
	IoNode node;
	dream_tcp_options_t lines = packets(DREAM_TCP_LINE), raw = packets(DREAM_TCP_RAW),
			    wrong = packets(DREAM_TCP_LINE, DREAM_TCP_FRAME_BYTES_MAX + 1);
	std::string head, body;
	int refused = 1;
	Served served(
		node,
		[&](dream_ref_t conn) {
			head = recv_some(conn).text();
			refused = dream_tcp_set_options(conn, &wrong);
			EXPECT_EQ(dream_tcp_set_options(conn, &raw), DREAM_OK);
			body = recv_some(conn, 8).text();
		},
		&lines);
	Peer peer(served.port);
	peer.write("head\nbody");
	node.settle();
	peer.write("more");
	node.until([&] { return served.over; });
	EXPECT_EQ(head, "head\n");
	EXPECT_EQ(body, "bodymore");
	EXPECT_EQ(refused, DREAM_EINVAL);
}
