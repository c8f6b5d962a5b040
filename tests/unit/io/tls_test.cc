// SPDX-License-Identifier: MIT
// TLS between two processes: certificates good and bad, and the stream functions above it.
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <time.h>
#include <filesystem>
#include <fstream>

#include "io/secure.h"
#include "unit/io/fixture.h"

namespace
{

struct Spec {
	const char *host = "server.test"; // its alternative name
	long until_s = 3600;
	const char *purpose = nullptr;
};

// An authority and certificates in a folder of their own.
class Certs
{
      public:
	Certs()
	{
		char name[] = "/tmp/dream-tls-XXXXXX";
		dir_ = mkdtemp(name);
		ca_key_ = new_key();
		gnutls_x509_crt_init(&ca_);
		fill(ca_, ca_key_, "authority", 7200);
		gnutls_x509_crt_set_basic_constraints(ca_, 1, -1);
		gnutls_x509_crt_set_key_usage(ca_, GNUTLS_KEY_KEY_CERT_SIGN);
		gnutls_x509_crt_sign2(ca_, ca_, ca_key_, GNUTLS_DIG_SHA256, 0);
		write(ca_, "authority.pem");
	}
	~Certs()
	{
		gnutls_x509_crt_deinit(ca_);
		gnutls_x509_privkey_deinit(ca_key_);
		std::filesystem::remove_all(dir_);
	}
	Certs(const Certs &) = delete;
	std::string path(const std::string &file) const
	{
		return dir_ + "/" + file;
	}
	// FILE and FILE.key
	void issue(const std::string &file, const Spec &spec) const
	{
		gnutls_x509_crt_t crt;
		gnutls_x509_privkey_t key = new_key();
		gnutls_x509_crt_init(&crt);
		fill(crt, key, "somebody", spec.until_s);
		gnutls_x509_crt_set_subject_alt_name(
			crt, GNUTLS_SAN_DNSNAME, spec.host, (unsigned) strlen(spec.host), GNUTLS_FSAN_SET);
		gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
		if (spec.purpose != nullptr)
			gnutls_x509_crt_set_key_purpose_oid(crt, spec.purpose, 0);
		gnutls_x509_crt_sign2(crt, ca_, ca_key_, GNUTLS_DIG_SHA256, 0);
		write(crt, file);
		gnutls_datum_t pem;
		gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem);
		std::ofstream(path(file + ".key")) << std::string((char *) pem.data, pem.size);
		gnutls_free(pem.data);
		gnutls_x509_crt_deinit(crt);
		gnutls_x509_privkey_deinit(key);
	}

      private:
	static gnutls_x509_privkey_t new_key()
	{
		gnutls_x509_privkey_t key;
		gnutls_x509_privkey_init(&key);
		gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
		return key;
	}
	static void fill(
		gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const std::string &name, long until_s)
	{
		unsigned char serial[8];
		for (unsigned char &byte : serial)
			byte = (unsigned char) (random() & 0x7f);
		gnutls_x509_crt_set_version(crt, 3);
		gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
		gnutls_x509_crt_set_key(crt, key);
		gnutls_x509_crt_set_activation_time(crt, time(nullptr) - 7200);
		gnutls_x509_crt_set_expiration_time(crt, time(nullptr) + until_s);
		gnutls_x509_crt_set_dn_by_oid(
			crt, GNUTLS_OID_X520_COMMON_NAME, 0, name.data(), (unsigned) name.size());
	}
	void write(gnutls_x509_crt_t crt, const std::string &file) const
	{
		gnutls_datum_t pem;
		gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem);
		std::ofstream(path(file)) << std::string((char *) pem.data, pem.size);
		gnutls_free(pem.data);
	}
	std::string dir_;
	gnutls_x509_crt_t ca_;
	gnutls_x509_privkey_t ca_key_;
};

// What one side does; texts live as long as the test.
struct Side {
	std::string authority, certificate, key, server_name, alpn;
	uint32_t flags = 0;
	int r = 1;
	std::string reason, protocol;

	int start(node_proc_t *proc, dream_ref_t conn, int64_t timeout_ms = 10000)
	{
		const auto text = [](const std::string &s) { return s.empty() ? nullptr : s.c_str(); };
		dream_tls_t how = {};
		dream_tcp_info_t info = {};
		how.struct_size = sizeof(how);
		info.struct_size = sizeof(info);
		how.flags = flags;
		how.authority = text(authority);
		how.certificate = text(certificate);
		how.key = text(key);
		how.server_name = text(server_name);
		how.alpn = text(alpn);
		how.timeout_ms = timeout_ms;
		r = dream_tls_start(conn, &how);
		if (r < 0 && node_proc_reason_borrow(proc) != nullptr)
			reason = text_of_reason(proc);
		if (r == DREAM_OK && dream_tcp_info(conn, &info) == DREAM_OK)
			protocol = info.protocol;
		return r;
	}
	static std::string text_of_reason(node_proc_t *proc)
	{
		return ::text(node_proc_reason_borrow(proc));
	}
};

class Tls : public testing::Test
{
      protected:
	Tls()
	{
		certs.issue("server.pem", {});
		server.flags = DREAM_TLS_SERVER | DREAM_TLS_UNVERIFIED;
		use(server, "server.pem");
		client.authority = certs.path("authority.pem");
		client.server_name = "server.test";
	}
	void use(Side &side, const std::string &file)
	{
		side.certificate = certs.path(file);
		side.key = certs.path(file + ".key");
	}
	// Both shake hands; then the client says a word and hears it again.
	void talk(const std::function<void(dream_ref_t)> &more = nullptr)
	{
		IoThreads node;
		Latch listening(1);
		uint16_t port = 0;
		node.spawn([&](node_proc_t *proc) {
			dream_ref_t conn;
			dream_ref_t listener = listen_here(&port);
			listening.hit();
			if (dream_tcp_accept(listener, 10000, &conn) < 0 || server.start(proc, conn) < 0)
				return;
			for (Got got; (got = recv_some(conn)).r == DREAM_OK;)
				EXPECT_EQ(dream_tcp_send(conn, got.data, got.size, 10000, nullptr), DREAM_OK);
		});
		ASSERT_TRUE(listening.wait());
		node.spawn([&](node_proc_t *proc) {
			dream_ref_t conn;
			EXPECT_EQ(connect_to(port, &conn), DREAM_OK);
			if (client.start(proc, conn) < 0)
				return;
			(void) send_text(
				conn, "hello"); // a client of TLS 1.3 may hear only now that it is refused
			Got got = recv_some(conn, 5);
			heard = got.r == DREAM_OK ? got.text() : "error " + std::to_string(got.r);
			if (more)
				more(conn);
		});
		EXPECT_TRUE(node.wait_bodies());
	}
	Certs certs;
	Side server, client;
	std::string heard;
};

} // namespace

TEST_F(Tls, GoodCertificateIsBelievedAndTheStreamWorks)
{
	talk();
	EXPECT_EQ(server.r, DREAM_OK) << server.reason;
	EXPECT_EQ(client.r, DREAM_OK) << client.reason;
	EXPECT_EQ(heard, "hello");
}

TEST_F(Tls, ForeignAuthorityIsRefused)
{
	Certs foreign;
	client.authority = foreign.path("authority.pem");
	talk();
	EXPECT_EQ(client.r, DREAM_ECERT);
	EXPECT_NE(client.reason.find("certificate"), std::string::npos) << client.reason;
	EXPECT_EQ(heard, "");
}

TEST_F(Tls, ExpiredCertificateIsRefused)
{
	certs.issue("old.pem", {"server.test", -60});
	use(server, "old.pem");
	talk();
	EXPECT_EQ(client.r, DREAM_ECERT);
	EXPECT_NE(client.reason.find("expired"), std::string::npos) << client.reason;
}

TEST_F(Tls, CertificateOfAnotherHostIsRefused)
{
	certs.issue("other.pem", {"other.test"});
	use(server, "other.pem");
	talk();
	EXPECT_EQ(client.r, DREAM_ECERT);
	EXPECT_NE(client.reason.find("name"), std::string::npos) << client.reason;
}

TEST_F(Tls, CertificateForAnotherPurposeIsRefused)
{
	certs.issue("client.pem", {"server.test", 3600, GNUTLS_KP_TLS_WWW_CLIENT});
	use(server, "client.pem");
	talk();
	EXPECT_EQ(client.r, DREAM_ECERT);
}

TEST_F(Tls, UnverifiedClientTakesAnything)
{
	certs.issue("old.pem", {"other.test", -60});
	use(server, "old.pem");
	client.flags = DREAM_TLS_UNVERIFIED;
	client.authority = client.server_name = "";
	talk();
	EXPECT_EQ(client.r, DREAM_OK) << client.reason;
	EXPECT_EQ(heard, "hello");
}

TEST_F(Tls, ServerDemandsACertificateUnlessToldOtherwise)
{
	server.flags = DREAM_TLS_SERVER;
	server.authority = certs.path("authority.pem");
	talk();
	EXPECT_LT(server.r, 0);
	EXPECT_EQ(server.r, DREAM_ECERT) << server.reason;
	EXPECT_NE(heard, "hello");
}

TEST_F(Tls, ClientWithACertificateIsTakenIn)
{
	server.flags = DREAM_TLS_SERVER;
	server.authority = certs.path("authority.pem");
	certs.issue("client.pem", {"client.test", 3600, GNUTLS_KP_TLS_WWW_CLIENT});
	use(client, "client.pem");
	talk();
	EXPECT_EQ(server.r, DREAM_OK) << server.reason;
	EXPECT_EQ(heard, "hello");
}

TEST_F(Tls, ForeignClientIsRefused)
{
	Certs foreign;
	foreign.issue("client.pem", {"client.test"});
	server.flags = DREAM_TLS_SERVER;
	server.authority = certs.path("authority.pem");
	client.certificate = foreign.path("client.pem");
	client.key = foreign.path("client.pem.key");
	talk();
	EXPECT_EQ(server.r, DREAM_ECERT) << server.reason;
	EXPECT_NE(heard, "hello");
}

TEST_F(Tls, ProtocolIsAgreedUpon)
{
	server.alpn = "http/1.1,h2";
	client.alpn = "h2";
	talk();
	EXPECT_EQ(client.protocol, "h2");
	EXPECT_EQ(server.protocol, "h2");
}

TEST_F(Tls, NoCommonProtocolIsAViolation)
{
	server.alpn = "http/1.1";
	client.alpn = "h2";
	talk();
	EXPECT_EQ(server.r, DREAM_EPROTO) << server.reason;
	EXPECT_EQ(client.r, DREAM_EPROTO) << client.reason;
}

TEST_F(Tls, MuchDataComesWholeInFramesAndActive)
{
	static const size_t size = 300000;
	const std::string block(size, 'x');
	uint64_t seen = 0;
	talk([&](dream_ref_t conn) {
		EXPECT_EQ(dream_tcp_active(conn, DREAM_TCP_ALWAYS), DREAM_OK);
		for (size_t at = 0; at < size; at += 100000)
			EXPECT_EQ(dream_tcp_send(conn, block.data() + at, 100000, 10000, nullptr), DREAM_OK);
		while (seen < size) {
			dream_msg_t *msg;
			dream_tcp_event_t e = {};
			ASSERT_EQ(dream_receive(nullptr, nullptr, 10000, &msg), DREAM_OK);
			ASSERT_EQ(dream_tcp_event(msg, &e), DREAM_OK);
			seen += e.size_bytes;
			dream_msg_unref(msg);
		}
	});
	EXPECT_EQ(seen, size);
}

TEST_F(Tls, FilesAreReadAgainWhenTheyChange)
{
	talk();
	EXPECT_EQ(client.r, DREAM_OK);
	certs.issue("server.pem", {"server.test", -60});
	talk();
	EXPECT_EQ(client.r, DREAM_ECERT);
}

TEST_F(Tls, WrongFilesAreNamed)
{
	server.certificate = certs.path("missing.pem");
	talk();
	EXPECT_EQ(server.r, DREAM_ECERT);
	EXPECT_NE(server.reason.find("missing.pem"), std::string::npos) << server.reason;
	EXPECT_NE(client.r, DREAM_OK);
	use(server, "server.pem");
	certs.issue("second.pem", {});
	server.key = certs.path("second.pem.key");
	talk();
	EXPECT_EQ(server.r, DREAM_ECERT);
	EXPECT_NE(server.reason.find("belong"), std::string::npos) << server.reason;
}

TEST_F(Tls, WhomToBelieveMustBeSaid)
{
	client.server_name = "";
	talk();
	EXPECT_EQ(client.r, DREAM_ECERT);
	EXPECT_NE(client.reason.find("server_name"), std::string::npos) << client.reason;
	client.server_name = "server.test";
	server.flags = DREAM_TLS_SERVER;
	talk();
	EXPECT_EQ(server.r, DREAM_ECERT);
	EXPECT_NE(server.reason.find("DREAM_TLS_UNVERIFIED"), std::string::npos) << server.reason;
}

// The certificates are read by a thread of the pool, so these wait for it before time passes.
TEST_F(Tls, SilentPeerEndsTheHandshakeByTheNodesClock)
{
	IoNode node;
	Side again = server;
	bool shaking = false;
	Served served(node, [&](dream_ref_t conn) {
		shaking = true;
		(void) again.start(node_ctx_borrow()->proc, conn, 3000);
	});
	Peer peer(served.port);
	node.until([&] { return shaking; });
	const auto waits = [&] {
		node.settle();
		node_pool_counts_t counts = node_pool_counts(node);
		return counts.idle == counts.threads && counts.threads > 0;
	};
	ASSERT_TRUE(soon(waits));
	node.settle();
	node.advance(2999);
	EXPECT_EQ(again.r, 1);
	node.advance(1);
	EXPECT_EQ(again.r, DREAM_ETIMEDOUT);
	EXPECT_EQ(node.n_sockets(), 0u) << "closed";
}

TEST_F(Tls, PeerThatSpeaksNoTlsIsAViolation)
{
	IoThreads node;
	Latch listening(1);
	uint16_t port = 0;
	node.spawn([&](node_proc_t *proc) {
		dream_ref_t conn;
		dream_ref_t listener = listen_here(&port);
		listening.hit();
		EXPECT_EQ(dream_tcp_accept(listener, 10000, &conn), DREAM_OK);
		(void) server.start(proc, conn);
	});
	ASSERT_TRUE(listening.wait());
	Peer peer(port);
	peer.write("GET / HTTP/1.1\r\n\r\n");
	ASSERT_TRUE(node.wait_bodies());
	EXPECT_EQ(server.r, DREAM_EPROTO) << server.reason;
}

TEST_F(Tls, ProcessKilledInTheHandshakeLeavesNothing)
{
	IoNode node;
	bool shaking = false;
	Served served(node, [&](dream_ref_t conn) {
		shaking = true;
		(void) server.start(node_ctx_borrow()->proc, conn, DREAM_INFINITY);
	});
	Peer peer(served.port);
	node.until([&] { return shaking; });
	ASSERT_TRUE(soon([&] {
		node.settle();
		node_pool_counts_t counts = node_pool_counts(node);
		return counts.idle == counts.threads && counts.threads > 0;
	}));
	node.settle();
	node.kill(served.pid);
	EXPECT_EQ(node.n_sockets(), 0u);
	EXPECT_EQ(node_source_count(node->io), 0u);
}

TEST_F(Tls, SecondStartIsRefused)
{
	int twice = 1;
	talk([&](dream_ref_t conn) {
		Side again = client;
		twice = again.start(node_ctx_borrow()->proc, conn);
	});
	EXPECT_EQ(twice, DREAM_EALREADY);
}
