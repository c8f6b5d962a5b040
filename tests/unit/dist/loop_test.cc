// SPDX-License-Identifier: MIT
// Two nodes with threads of their own and real packets between them.
#include <condition_variable>
#include <mutex>
#include "certs.h"
#include "fixture.h"

namespace
{

struct Seen {
	std::mutex lock;
	std::condition_variable changed;
	int code = 1;
	uint64_t next = 0;
	bool ordered = true;
	template <class F> bool wait(F until)
	{
		std::unique_lock<std::mutex> l(lock);
		return changed.wait_for(l, std::chrono::seconds(30), until);
	}
};

int run_sink(node_proc_t *proc)
{
	auto *seen = static_cast<Seen *>(proc->self);
	while (node_sig_t *sig = node_proc_next_take(proc)) {
		node_cbor_reader_t r = node_cbor_read_msg(sig->msg);
		uint64_t value = 0;
		(void) node_cbor_get_uint(&r, &value);
		node_sig_free(sig);
		std::lock_guard<std::mutex> l(seen->lock);
		seen->ordered = seen->ordered && value == seen->next;
		seen->next++;
	}
	seen->changed.notify_all();
	return NODE_RUN_IDLE;
}
const node_proc_ops_t sink_ops = {"sink", run_sink, nullptr};

void on_done(void *data, int code, const char *)
{
	auto *seen = static_cast<Seen *>(data);
	{
		std::lock_guard<std::mutex> l(seen->lock);
		seen->code = code;
	}
	seen->changed.notify_all();
}

void open_dist(node_t *node, const char *cert)
{
	Certs &certs = Certs::get();
	node_diag_t diag = {};
	std::string authority = certs.ours.path(), crt = certs.file(std::string(cert) + ".crt"),
		    key = certs.file(std::string(cert) + ".key");
	node_dist_options_t o = {};
	o.host = "127.0.0.1";
	o.authority = authority.c_str();
	o.certificate = crt.c_str();
	o.key = key.c_str();
	ASSERT_EQ(node_dist_open(node, &o, &diag), DREAM_OK) << diag.text;
	ASSERT_EQ(node_dist_start(node), DREAM_OK);
}

} // namespace

TEST(Loop, TwoNodesExchangeTenThousandMessagesInOrder)
{
	Seen seen;
	TestNode a("a@test", 7), b("b@test", 9, node_clock_system_borrow(), 1);
	node_diag_t diag = {};
	open_dist(&a.node, "a");
	open_dist(&b.node, "b");
	node_spawn_t how = {};
	how.ops = &sink_ops;
	how.self = &seen;
	how.label = how.name = "sink";
	ASSERT_EQ(node_proc_spawn(&b.node, &how, nullptr), DREAM_OK);
	ASSERT_EQ(node_dist_connect(
			  &a.node, "b@test", "127.0.0.1", node_dist_port(&b.node), 0, on_done, &seen, &diag),
		DREAM_OK);
	ASSERT_TRUE(seen.wait([&] { return seen.code != 1; }));
	ASSERT_EQ(seen.code, DREAM_OK);
	uint32_t number = 0;
	ASSERT_EQ(a.node.hooks.node_number(&a.node, "b@test", 6, &number), DREAM_OK);
	for (uint64_t i = 0; i < 10000; i++) {
		node_cbor_writer_t w;
		dream_msg_t *msg = nullptr;
		node_cbor_init(&w);
		node_cbor_put_uint(&w, i);
		ASSERT_EQ(node_cbor_finish(&w, &msg), DREAM_OK);
		node_sig_t *sig = node_sig_new_take(NODE_SIG_MSG, {0, 0, number}, {5, 7, 0}, 0, msg);
		sig->data = node_mem_alloc(5);
		memcpy(sig->data, "sink", 5);
		ASSERT_EQ(node_proc_deliver_take(&a.node, sig), DREAM_OK);
	}
	EXPECT_TRUE(seen.wait([&] { return seen.next == 10000; }));
	EXPECT_TRUE(seen.ordered);
	node_dist_stop(&a.node);
	node_dist_stop(&b.node);
}
