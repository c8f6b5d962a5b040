// SPDX-License-Identifier: MIT
// Real packets on 127.0.0.1: a node at one end, the shell's client at the other.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>
#include "certs.h"
#include "dist/client.h"
#include "fixture.h"

namespace
{

dream_msg_t *text_msg(const std::string &text)
{
	node_cbor_writer_t w;
	dream_msg_t *msg = nullptr;
	node_cbor_init(&w);
	node_cbor_put_text_n(&w, text.data(), text.size());
	EXPECT_EQ(node_cbor_finish(&w, &msg), DREAM_OK);
	return msg;
}

// What the console of the node under test does; on its loop.
struct Console {
	std::mutex lock;
	std::condition_variable changed;
	std::vector<std::string> lines;
	std::string who;
	int cancels = 0;
	template <class F> bool wait(F until)
	{
		std::unique_lock<std::mutex> l(lock);
		return changed.wait_for(l, std::chrono::seconds(20), until);
	}
};
Console *console;

void on_command(node_t *node, uint64_t session, uint64_t id, const char *operator_name, const char *line)
{
	std::string text = line;
	{
		std::lock_guard<std::mutex> l(console->lock);
		console->lines.push_back(text);
		console->who = operator_name;
	}
	console->changed.notify_all();
	if (text == "hang")
		return;
	for (int i = 0; text == "items" && i < 100; i++) {
		EXPECT_EQ(node_dist_console_item_take(node, session, id, text_msg(std::to_string(i))),
			DREAM_OK);
	}
	if (text == "large") {
		EXPECT_EQ(node_dist_console_item_take(node, session, id, text_msg(std::string(5000000, 'x'))),
			DREAM_OK);
	}
	bool bad = text == "bad";
	EXPECT_EQ(node_dist_console_done(
			  node, session, id, bad ? DREAM_ENOENT : 0, bad ? "no such thing" : nullptr),
		DREAM_OK);
}

void on_cancel(node_t *node, uint64_t session, uint64_t id)
{
	{
		std::lock_guard<std::mutex> l(console->lock);
		console->cancels++;
	}
	console->changed.notify_all();
	(void) node_dist_console_done(node, session, id, DREAM_ETIMEDOUT, "cancelled");
}

class Client : public testing::Test
{
      protected:
	Certs &certs = Certs::get();
	Console mine;
	TestNode a{"a@test"};
	node_diag_t diag = {};
	node_client_t *client = nullptr;

	void start(int64_t handshake_ms = 0)
	{
		console = &mine;
		a.node.hooks.console_command = on_command;
		a.node.hooks.console_cancel = on_cancel;
		std::string authority = certs.ours.path(), crt = certs.file("a.crt"),
			    key = certs.file("a.key");
		node_dist_options_t o = {};
		o.host = "127.0.0.1";
		o.authority = authority.c_str();
		o.certificate = crt.c_str();
		o.key = key.c_str();
		o.handshake_ms = handshake_ms;
		ASSERT_EQ(node_dist_open(&a.node, &o, &diag), DREAM_OK) << diag.text;
		ASSERT_EQ(node_dist_start(&a.node), DREAM_OK);
	}
	int open(const std::string &cert = "op", const char *name = "a@test", const char *authority = nullptr,
		int64_t timeout_ms = 10000, uint16_t port = 0)
	{
		std::string crt = certs.file(cert + ".crt"), key = certs.file(cert + ".key");
		node_client_options_t o = {};
		o.host = "127.0.0.1";
		o.port = port != 0 ? port : node_dist_port(&a.node);
		o.node_name = name;
		o.authority = authority != nullptr ? authority : certs.ours.path();
		o.certificate = crt.c_str();
		o.key = key.c_str();
		o.timeout_ms = timeout_ms;
		return node_client_open(&o, &client, &diag);
	}
	void TearDown() override
	{
		node_client_close(client);
		node_dist_close(&a.node);
	}
};

void collect(void *data, const uint8_t *item, uint64_t size_bytes)
{
	node_cbor_reader_t r = node_cbor_read(item, size_bytes);
	const char *text = "";
	uint64_t size = 0;
	EXPECT_EQ(node_cbor_get_text(&r, &text, &size), DREAM_OK);
	static_cast<std::vector<std::string> *>(data)->emplace_back(text, size);
}

} // namespace

TEST_F(Client, ConnectsAndHearsTheNameOfTheNode)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	EXPECT_STREQ(node_client_node_name_borrow(client), "a@test");
}

TEST_F(Client, AnyNodeOfTheAuthorityWillDoWithoutAName)
{
	start();
	ASSERT_EQ(open("op", nullptr), DREAM_OK) << diag.text;
	EXPECT_STREQ(node_client_node_name_borrow(client), "a@test");
}

TEST_F(Client, CommandBringsItsItemsInOrder)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	std::vector<std::string> items;
	ASSERT_EQ(node_client_command(client, "items", 10000, collect, &items, nullptr, &diag), DREAM_OK)
		<< diag.text;
	ASSERT_EQ(items.size(), 100u);
	for (int i = 0; i < 100; i++)
		EXPECT_EQ(items[(size_t) i], std::to_string(i));
	EXPECT_EQ(mine.who, "alice");
}

TEST_F(Client, CommandBringsItsOwnCodeAndText)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	EXPECT_EQ(node_client_command(client, "bad", 10000, nullptr, nullptr, nullptr, &diag), DREAM_ENOENT);
	EXPECT_STREQ(diag.text, "no such thing");
	EXPECT_EQ(node_client_command(client, "good", 10000, nullptr, nullptr, nullptr, &diag), DREAM_OK);
}

TEST_F(Client, LargeItemArrivesWhole)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	std::vector<std::string> items;
	ASSERT_EQ(node_client_command(client, "large", 20000, collect, &items, nullptr, &diag), DREAM_OK)
		<< diag.text;
	ASSERT_EQ(items.size(), 1u);
	EXPECT_EQ(items[0], std::string(5000000, 'x'));
}

TEST_F(Client, InterruptCancelsTheCommandAtTheNode)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	volatile int cancelled = 1;
	EXPECT_EQ(node_client_command(client, "hang", 20000, nullptr, nullptr, &cancelled, &diag),
		DREAM_ETIMEDOUT);
	EXPECT_STREQ(diag.text, "cancelled");
	EXPECT_EQ(mine.cancels, 1);
}

TEST_F(Client, TimeLimitEndsTheWaitAndCancels)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	EXPECT_EQ(node_client_command(client, "hang", 50, nullptr, nullptr, nullptr, &diag), DREAM_ETIMEDOUT);
	EXPECT_EQ(node_client_command(client, "good", 10000, nullptr, nullptr, nullptr, &diag), DREAM_OK);
	EXPECT_TRUE(mine.wait([&] { return mine.cancels == 1; }));
}

TEST_F(Client, LostConnectionEndsTheCommandWithNoconnection)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	std::thread stopper([&] {
		EXPECT_TRUE(mine.wait([&] { return mine.lines.size() == 1; }));
		node_ctx_borrow()->tag = NODE_CTX_BOOT;
		node_dist_stop(&a.node);
	});
	EXPECT_EQ(node_client_command(client, "hang", 20000, nullptr, nullptr, nullptr, &diag),
		DREAM_ENOCONNECTION);
	EXPECT_NE(strstr(diag.text, "the node stops"), nullptr) << diag.text;
	stopper.join();
}

TEST_F(Client, ItsEndCancelsWhatStillRuns)
{
	start();
	ASSERT_EQ(open(), DREAM_OK) << diag.text;
	EXPECT_EQ(node_client_command(client, "hang", 1, nullptr, nullptr, nullptr, &diag), DREAM_ETIMEDOUT);
	node_client_close(client);
	client = nullptr;
	SUCCEED();
}

TEST_F(Client, NobodyAtThePortIsATimeout)
{
	start();
	uint16_t port = node_dist_port(&a.node);
	node_dist_stop(&a.node);
	EXPECT_EQ(open("op", "a@test", nullptr, 200, port), DREAM_ETIMEDOUT);
	EXPECT_NE(strstr(diag.text, "within 200 ms"), nullptr) << diag.text;
}

TEST_F(Client, MissingFileIsNamed)
{
	start();
	EXPECT_EQ(open("nothere"), DREAM_ECERT);
	EXPECT_NE(strstr(diag.text, "nothere.crt"), nullptr) << diag.text;
}

TEST_F(Client, KeyOfAnotherCertificateIsRefused)
{
	start();
	std::string crt = certs.file("op.crt"), key = certs.file("a.key");
	node_client_options_t o = {};
	o.host = "127.0.0.1";
	o.port = node_dist_port(&a.node);
	o.authority = certs.ours.path();
	o.certificate = crt.c_str();
	o.key = key.c_str();
	o.timeout_ms = 1000;
	EXPECT_EQ(node_client_open(&o, &client, &diag), DREAM_ECERT);
	EXPECT_NE(strstr(diag.text, "does not belong"), nullptr) << diag.text;
}

TEST_F(Client, OwnCertificateOfARoleOfNodesIsRefusedAtOnce)
{
	start();
	EXPECT_EQ(open("b"), DREAM_ECERT);
	EXPECT_NE(strstr(diag.text, "our own: certificate of \"b@test\" has the wrong role"), nullptr)
		<< diag.text;
}

TEST_F(Client, NodeOfAnotherNameIsRefused)
{
	start();
	EXPECT_EQ(open("op", "z@test"), DREAM_ECERT);
	EXPECT_NE(strstr(diag.text, "wrong name: \"a@test\" where \"z@test\" was expected"), nullptr)
		<< diag.text;
}
