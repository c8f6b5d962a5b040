// SPDX-License-Identifier: MIT
// certs.h: an authority and certificates of every kind, good and bad, in a directory of their own.
#ifndef TESTS_UNIT_DIST_CERTS_H
#define TESTS_UNIT_DIST_CERTS_H
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <time.h>
#include <filesystem>
#include <fstream>
#include <string>

struct CertSpec {
	std::string name;
	std::string unit = "node";
	std::string uri = ""; // empty: dream://name
	long from_s = -3600;
	long until_s = 3600;
};

class Authority
{
      public:
	explicit Authority(const std::string &dir, const std::string &file)
	    : dir_(dir), path_(dir + "/" + file)
	{
		gnutls_x509_crt_init(&crt_);
		key_ = new_key();
		fill(crt_, key_, "authority", "authority", -7200, 7200);
		gnutls_x509_crt_set_basic_constraints(crt_, 1, -1);
		gnutls_x509_crt_set_key_usage(crt_, GNUTLS_KEY_KEY_CERT_SIGN);
		gnutls_x509_crt_sign2(crt_, crt_, key_, GNUTLS_DIG_SHA256, 0);
		write_crt(path_, crt_);
	}
	~Authority()
	{
		gnutls_x509_crt_deinit(crt_);
		gnutls_x509_privkey_deinit(key_);
	}
	const char *path() const
	{
		return path_.c_str();
	}

	// Writes FILE.crt and FILE.key.
	void issue(const std::string &file, const CertSpec &spec)
	{
		gnutls_x509_crt_t crt;
		gnutls_x509_privkey_t key = new_key();
		std::string uri = spec.uri.empty() ? "dream://" + spec.name : spec.uri;
		gnutls_x509_crt_init(&crt);
		fill(crt, key, spec.name, spec.unit, spec.from_s, spec.until_s);
		gnutls_x509_crt_set_subject_alt_name(
			crt, GNUTLS_SAN_URI, uri.data(), (unsigned) uri.size(), GNUTLS_FSAN_SET);
		gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
		gnutls_x509_crt_sign2(crt, crt_, key_, GNUTLS_DIG_SHA256, 0);
		write_crt(dir_ + "/" + file + ".crt", crt);
		write_key(dir_ + "/" + file + ".key", key);
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
	void fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const std::string &name,
		const std::string &unit, long from_s, long until_s)
	{
		unsigned char serial[2] = {1, ++serial_};
		gnutls_x509_crt_set_version(crt, 3);
		gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
		gnutls_x509_crt_set_dn_by_oid(
			crt, GNUTLS_OID_X520_COMMON_NAME, 0, name.data(), (unsigned) name.size());
		gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, 0, unit.data(),
			(unsigned) unit.size());
		gnutls_x509_crt_set_activation_time(crt, time(nullptr) + from_s);
		gnutls_x509_crt_set_expiration_time(crt, time(nullptr) + until_s);
		gnutls_x509_crt_set_key(crt, key);
	}
	static void write_crt(const std::string &path, gnutls_x509_crt_t crt)
	{
		gnutls_datum_t out;
		gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &out);
		std::ofstream(path).write((const char *) out.data, out.size);
		gnutls_free(out.data);
	}
	static void write_key(const std::string &path, gnutls_x509_privkey_t key)
	{
		gnutls_datum_t out;
		gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &out);
		std::ofstream(path).write((const char *) out.data, out.size);
		gnutls_free(out.data);
	}
	std::string dir_, path_;
	gnutls_x509_crt_t crt_;
	gnutls_x509_privkey_t key_;
	unsigned char serial_ = 0;
};

class TempDir
{
      public:
	TempDir()
	{
		char pattern[] = "/tmp/dream-dist-XXXXXX";
		path_ = mkdtemp(pattern);
	}
	~TempDir()
	{
		std::filesystem::remove_all(path_);
	}
	const std::string &path() const
	{
		return path_;
	}

      private:
	std::string path_;
};

// Made once for all tests of the room: keys take time.
struct Certs {
	TempDir dir;
	Authority ours{dir.path(), "authority.crt"};
	Authority foreign{dir.path(), "foreign.crt"};
	Certs()
	{
		ours.issue("a", {"a@test"});
		ours.issue("b", {"b@test"});
		ours.issue("op", {"alice", "operator"});
		ours.issue("expired", {"a@test", "node", "", -7000, -10});
		ours.issue("early", {"a@test", "node", "", 1000, 3600});
		ours.issue("guest", {"a@test", "guest"});
		ours.issue("nouri", {"a@test", "node", "dream://other@test"});
		foreign.issue("stranger", {"a@test"});
	}
	std::string file(const std::string &name) const
	{
		return dir.path() + "/" + name;
	}
	static Certs &get()
	{
		static Certs certs;
		return certs;
	}
};
#endif
