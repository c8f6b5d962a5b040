// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include "shell/credentials.h"
#include "tempdir.h"

namespace
{

void fill(const std::string &dir)
{
	std::filesystem::create_directories(dir);
	for (const char *name : {"authority.pem", "operator.pem", "operator-key.pem"})
		spill(dir + "/" + name, "x");
}

struct Credentials {
	shell_credentials_t c = {};
	node_diag_t diag = {};
	int code;

	explicit Credentials(const shell_options_t &options)
	{
		code = shell_credentials_find(&options, &c, &diag);
	}
	~Credentials()
	{
		shell_credentials_fini(&c);
	}
	Credentials(const Credentials &) = delete;
};

} // namespace

TEST(CredentialsFind, TheDirectoryOfTheEnvironmentIsUsed)
{
	TempDir dir;
	fill(dir.path);
	Env env("DREAM_CERTS", dir.path.c_str());
	Credentials found(shell_options_t{});
	ASSERT_EQ(found.code, DREAM_OK) << found.diag.text;
	EXPECT_EQ(found.c.authority, dir / "authority.pem");
	EXPECT_EQ(found.c.certificate, dir / "operator.pem");
	EXPECT_EQ(found.c.key, dir / "operator-key.pem");
}

TEST(CredentialsFind, TheConfigurationDirectoryIsTheLastResort)
{
	TempDir dir;
	fill(dir / "dream");
	Env none("DREAM_CERTS", nullptr);
	Env config("XDG_CONFIG_HOME", dir.path.c_str());
	std::filesystem::path before = std::filesystem::current_path();
	std::filesystem::current_path(dir.path);
	Credentials found(shell_options_t{});
	std::filesystem::current_path(before);
	ASSERT_EQ(found.code, DREAM_OK) << found.diag.text;
	EXPECT_EQ(found.c.key, dir / "dream/operator-key.pem");
}

TEST(CredentialsFind, AFileThatWasNamedReplacesItsDefaultOnly)
{
	TempDir dir;
	fill(dir.path);
	spill(dir / "mine", "x");
	Env env("DREAM_CERTS", dir.path.c_str());
	std::string mine = dir / "mine";
	shell_options_t options = {};
	options.certificate = mine.data();
	Credentials found(options);
	ASSERT_EQ(found.code, DREAM_OK) << found.diag.text;
	EXPECT_EQ(found.c.certificate, mine);
	EXPECT_EQ(found.c.key, dir / "operator-key.pem");
}

TEST(CredentialsFind, AMissingFileIsNamedWithARemedy)
{
	TempDir dir;
	fill(dir.path);
	std::filesystem::remove(dir / "operator.pem");
	Env env("DREAM_CERTS", dir.path.c_str());
	Credentials found(shell_options_t{});
	EXPECT_EQ(found.code, DREAM_ECERT);
	EXPECT_NE(std::string(found.diag.text).find(dir / "operator.pem"), std::string::npos);
	EXPECT_NE(std::string(found.diag.text).find("dream help cert"), std::string::npos);
}
