// SPDX-License-Identifier: MIT
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <set>
#include <string>
#include <thread>
#include "shell/certificate.h"
#include "shell/certcmd.h"
#include "tempdir.h"

namespace
{

struct Crt {
	gnutls_x509_crt_t crt = nullptr;

	explicit Crt(const std::string &path)
	{
		std::string pem = slurp(path);
		gnutls_datum_t datum = {(unsigned char *) pem.data(), (unsigned) pem.size()};
		gnutls_x509_crt_init(&crt);
		EXPECT_GE(gnutls_x509_crt_import(crt, &datum, GNUTLS_X509_FMT_PEM), 0) << path;
	}
	~Crt()
	{
		gnutls_x509_crt_deinit(crt);
	}
	Crt(const Crt &) = delete;

	std::string dn(const char *oid) const
	{
		char text[256];
		size_t size = sizeof(text);
		return gnutls_x509_crt_get_dn_by_oid(crt, oid, 0, 0, text, &size) >= 0 ? text : "";
	}

	unsigned verify(const Crt &authority) const
	{
		unsigned status = ~0u;
		gnutls_x509_crt_t leaf = crt, ca = authority.crt;
		EXPECT_GE(gnutls_x509_crt_list_verify(&leaf, 1, &ca, 1, nullptr, 0, 0, &status), 0);
		return status;
	}

	std::string serial() const
	{
		char bytes[64];
		size_t size = sizeof(bytes);
		EXPECT_GE(gnutls_x509_crt_get_serial(crt, bytes, &size), 0);
		return std::string(bytes, size);
	}
};

const int64_t day = 86400;

class Certificate : public testing::Test
{
      protected:
	TempDir dir;
	node_diag_t diag = {};

	void SetUp() override
	{
		ASSERT_EQ(shell_certificate_make_authority(dir.path.c_str(), &diag), DREAM_OK) << diag.text;
	}
	int issue(const char *name, const char *role, int64_t lifetime_s = day)
	{
		return shell_certificate_issue(dir.path.c_str(), name, role, lifetime_s, &diag);
	}
	std::string show(const std::string &file)
	{
		char *text = nullptr;
		EXPECT_EQ(shell_certificate_show((dir / file).c_str(), &text, &diag), DREAM_OK) << diag.text;
		std::string all = text != nullptr ? text : "";
		free(text);
		return all;
	}
};

/* One end of a TLS 1.3 session that demands and verifies the other's certificate. */
struct End {
	gnutls_certificate_credentials_t credentials = nullptr;
	gnutls_session_t session = nullptr;
	int code = -1;

	End(unsigned flags, int fd, const std::string &authority, const std::string &crt,
		const std::string &key)
	{
		gnutls_certificate_allocate_credentials(&credentials);
		gnutls_certificate_set_x509_trust_file(credentials, authority.c_str(), GNUTLS_X509_FMT_PEM);
		EXPECT_GE(gnutls_certificate_set_x509_key_file(
				  credentials, crt.c_str(), key.c_str(), GNUTLS_X509_FMT_PEM),
			0);
		gnutls_init(&session, flags);
		gnutls_priority_set_direct(session, "NORMAL:-VERS-ALL:+VERS-TLS1.3", nullptr);
		gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
		if ((flags & GNUTLS_SERVER) != 0)
			gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(session, nullptr, 0);
		gnutls_handshake_set_timeout(session, 10000);
		gnutls_transport_set_int(session, fd);
	}
	~End()
	{
		gnutls_deinit(session);
		gnutls_certificate_free_credentials(credentials);
	}
	End(const End &) = delete;
	void shake()
	{
		do
			code = gnutls_handshake(session);
		while (code < 0 && gnutls_error_is_fatal(code) == 0);
	}
};

} // namespace

TEST_F(Certificate, FilesAreTheirOwnersAlone)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK) << diag.text;
	for (const char *name :
		{"authority.pem", "authority-key.pem", "counter@host.pem", "counter@host-key.pem"})
		EXPECT_EQ(mode_of(dir / name), 0600u) << name;
}

TEST_F(Certificate, ANewDirectoryIsItsOwnersAlone)
{
	ASSERT_EQ(shell_certificate_make_authority((dir / "new").c_str(), &diag), DREAM_OK);
	EXPECT_EQ(mode_of(dir / "new"), 0700u);
}

TEST_F(Certificate, AnIssuedOneVerifiesAgainstItsAuthority)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK) << diag.text;
	EXPECT_EQ(Crt(dir / "counter@host.pem").verify(Crt(dir / "authority.pem")), 0u);
}

TEST_F(Certificate, AForeignAuthorityDoesNotVouchForIt)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK);
	ASSERT_EQ(shell_certificate_make_authority((dir / "other").c_str(), &diag), DREAM_OK);
	EXPECT_NE(Crt(dir / "counter@host.pem").verify(Crt(dir / "other/authority.pem")), 0u);
}

TEST_F(Certificate, NameAndRoleAreInTheSubject)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK);
	ASSERT_EQ(issue("operator", "operator"), DREAM_OK);
	Crt node(dir / "counter@host.pem"), person(dir / "operator.pem");
	EXPECT_EQ(node.dn(GNUTLS_OID_X520_COMMON_NAME), "counter@host");
	EXPECT_EQ(node.dn(GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME), "node");
	EXPECT_EQ(person.dn(GNUTLS_OID_X520_COMMON_NAME), "operator");
	EXPECT_EQ(person.dn(GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME), "operator");
}

TEST_F(Certificate, TheNodesUriIsASubjectAlternativeName)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK);
	Crt node(dir / "counter@host.pem");
	char name[256];
	size_t size = sizeof(name);
	EXPECT_EQ(gnutls_x509_crt_get_subject_alt_name(node.crt, 0, name, &size, nullptr), GNUTLS_SAN_URI);
	EXPECT_EQ(std::string(name, size), "dream://counter@host");
}

TEST_F(Certificate, AnIssuedOneIsNoAuthorityAndServesBothEnds)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK);
	Crt node(dir / "counter@host.pem");
	unsigned usage = 0;
	EXPECT_EQ(gnutls_x509_crt_get_ca_status(node.crt, nullptr), 0);
	EXPECT_GE(gnutls_x509_crt_get_key_usage(node.crt, &usage, nullptr), 0);
	EXPECT_EQ(usage, (unsigned) GNUTLS_KEY_DIGITAL_SIGNATURE);
	EXPECT_NE(gnutls_x509_crt_check_key_purpose(node.crt, GNUTLS_KP_TLS_WWW_SERVER, 0), 0u);
	EXPECT_NE(gnutls_x509_crt_check_key_purpose(node.crt, GNUTLS_KP_TLS_WWW_CLIENT, 0), 0u);
	EXPECT_EQ(gnutls_x509_crt_check_key_purpose(node.crt, GNUTLS_KP_CODE_SIGNING, 0), 0u);
}

TEST_F(Certificate, ValidityBeginsFiveMinutesAgoAndEndsAsAsked)
{
	time_t before = time(nullptr);
	ASSERT_EQ(issue("counter@host", "node", 30 * day), DREAM_OK);
	Crt node(dir / "counter@host.pem");
	EXPECT_NEAR((double) gnutls_x509_crt_get_activation_time(node.crt), (double) before - 300, 60);
	EXPECT_NEAR((double) gnutls_x509_crt_get_expiration_time(node.crt), (double) before + 30.0 * day, 60);
}

TEST_F(Certificate, SerialsAreSixteenBytesAndDiffer)
{
	std::set<std::string> serials;
	for (const char *name : {"a@h", "b@h", "c@h"}) {
		ASSERT_EQ(issue(name, "node"), DREAM_OK);
		std::string serial = Crt(dir / (std::string(name) + ".pem")).serial();
		EXPECT_EQ(serial.size(), 16u);
		EXPECT_EQ(serial[0] & 0x80, 0);
		serials.insert(serial);
	}
	EXPECT_EQ(serials.size(), 3u);
}

TEST_F(Certificate, AnExpiredOneCanBeMadeForTests)
{
	ASSERT_EQ(issue("old@host", "node", -3600), DREAM_OK);
	Crt old(dir / "old@host.pem");
	EXPECT_NE(old.verify(Crt(dir / "authority.pem")) & GNUTLS_CERT_EXPIRED, 0u);
	EXPECT_NE(show("old@host.pem").find("state       expired"), std::string::npos);
}

TEST_F(Certificate, NothingIsOverwritten)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK);
	std::string before = slurp(dir / "counter@host.pem"), key = slurp(dir / "counter@host-key.pem");
	EXPECT_EQ(issue("counter@host", "node"), DREAM_EEXIST);
	EXPECT_NE(std::string(diag.text).find("counter@host.pem"), std::string::npos);
	EXPECT_EQ(slurp(dir / "counter@host.pem"), before);
	EXPECT_EQ(slurp(dir / "counter@host-key.pem"), key);
	std::string authority = slurp(dir / "authority-key.pem");
	EXPECT_EQ(shell_certificate_make_authority(dir.path.c_str(), &diag), DREAM_EEXIST);
	EXPECT_EQ(slurp(dir / "authority-key.pem"), authority);
}

TEST_F(Certificate, AKeyInTheWayLeavesNoCertificateBehind)
{
	spill(dir / "counter@host-key.pem", "somebody's");
	EXPECT_EQ(issue("counter@host", "node"), DREAM_EEXIST);
	EXPECT_FALSE(std::filesystem::exists(dir / "counter@host.pem"));
	EXPECT_EQ(slurp(dir / "counter@host-key.pem"), "somebody's");
}

TEST_F(Certificate, NamesThatAreNoNamesAreRefused)
{
	for (const char *name : {"../evil", "a/b", "", "A@h", "a@h/../x", "a b", "authority"})
		EXPECT_EQ(issue(name, "node"), DREAM_EINVAL) << name;
}

TEST_F(Certificate, OtherRolesAreRefused)
{
	EXPECT_EQ(issue("a@h", "root"), DREAM_EINVAL);
	EXPECT_EQ(issue("a@h", "authority"), DREAM_EINVAL);
}

TEST_F(Certificate, WithoutAnAuthorityNothingIsIssued)
{
	EXPECT_EQ(shell_certificate_issue((dir / "empty").c_str(), "a@h", "node", day, &diag), DREAM_ECERT);
	EXPECT_NE(std::string(diag.text).find("authority.pem"), std::string::npos);
}

TEST_F(Certificate, AnAuthorityWithAnotherKeyIsRefused)
{
	ASSERT_EQ(shell_certificate_make_authority((dir / "other").c_str(), &diag), DREAM_OK);
	std::filesystem::copy_file(dir / "other/authority-key.pem", dir / "authority-key.pem",
		std::filesystem::copy_options::overwrite_existing);
	EXPECT_EQ(issue("a@h", "node"), DREAM_ECERT);
	EXPECT_NE(std::string(diag.text).find("not the key"), std::string::npos);
}

TEST_F(Certificate, AnIssuedOneCannotIssue)
{
	ASSERT_EQ(issue("a@h", "node"), DREAM_OK);
	std::filesystem::create_directory(dir / "sub");
	std::filesystem::copy_file(dir / "a@h.pem", dir / "sub/authority.pem");
	std::filesystem::copy_file(dir / "a@h-key.pem", dir / "sub/authority-key.pem");
	EXPECT_EQ(shell_certificate_issue((dir / "sub").c_str(), "b@h", "node", day, &diag), DREAM_ECERT);
}

TEST_F(Certificate, GarbageIsRefusedNotBelieved)
{
	spill(dir / "authority.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	EXPECT_EQ(issue("a@h", "node"), DREAM_ECERT);
	char *text = nullptr;
	EXPECT_EQ(shell_certificate_show((dir / "authority.pem").c_str(), &text, &diag), DREAM_ECERT);
	EXPECT_EQ(text, nullptr);
}

TEST_F(Certificate, ShowSaysWhoInWhichRoleUntilWhenAndByWhom)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK);
	std::string text = show("counter@host.pem");
	EXPECT_NE(text.find("subject     counter@host\n"), std::string::npos) << text;
	EXPECT_NE(text.find("role        node\n"), std::string::npos);
	EXPECT_NE(text.find("issuer      dream authority "), std::string::npos);
	EXPECT_NE(text.find("valid-from  20"), std::string::npos);
	EXPECT_NE(text.find("valid-until 20"), std::string::npos);
	EXPECT_NE(text.find("state       valid\n"), std::string::npos);
}

TEST_F(Certificate, BothEndsOfATls13SessionAcceptEachOther)
{
	ASSERT_EQ(issue("counter@host", "node"), DREAM_OK);
	ASSERT_EQ(issue("operator", "operator"), DREAM_OK);
	int fds[2];
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	{
		End server(GNUTLS_SERVER, fds[0], dir / "authority.pem", dir / "counter@host.pem",
			dir / "counter@host-key.pem");
		End client(GNUTLS_CLIENT, fds[1], dir / "authority.pem", dir / "operator.pem",
			dir / "operator-key.pem");
		std::thread other([&] { server.shake(); });
		client.shake();
		other.join();
		EXPECT_EQ(client.code, 0) << gnutls_strerror(client.code);
		EXPECT_EQ(server.code, 0) << gnutls_strerror(server.code);
	}
	close(fds[0]);
	close(fds[1]);
}

TEST_F(Certificate, TheCommandLineTellsUsageFromCertificateProblems)
{
	std::string name = "Bad Name", role = "node", where = dir.path, file = dir / "none.pem";
	shell_options_t options = {};
	options.verb = SHELL_VERB_CERT_ISSUE;
	options.name = name.data();
	options.role = role.data();
	options.dir = where.data();
	options.lifetime_s = day;
	EXPECT_EQ(shell_certcmd_run(&options), 2);
	name = "good@host";
	options.name = name.data();
	EXPECT_EQ(shell_certcmd_run(&options), 0);
	EXPECT_EQ(shell_certcmd_run(&options), 4);
	options.verb = SHELL_VERB_CERT_SHOW;
	options.file = file.data();
	EXPECT_EQ(shell_certcmd_run(&options), 4);
}
