// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>
#include <string>
#include "shell/address.h"

namespace
{

shell_address_t parsed(const char *text)
{
	shell_address_t address = {};
	node_diag_t diag = {};
	EXPECT_EQ(shell_address_parse(text, &address, &diag), DREAM_OK) << text << ": " << diag.text;
	return address;
}

std::string refusal(const char *text)
{
	shell_address_t address = {};
	node_diag_t diag = {};
	EXPECT_EQ(shell_address_parse(text, &address, &diag), DREAM_EINVAL) << text;
	return diag.text;
}

} // namespace

TEST(AddressParse, NameHostAndPortAreTakenApart)
{
	shell_address_t a = parsed("counter@127.0.0.1:9100");
	EXPECT_STREQ(a.node_name, "counter@127.0.0.1");
	EXPECT_STREQ(a.host, "127.0.0.1");
	EXPECT_EQ(a.port, 9100);
}

TEST(AddressParse, BracketsOfIpv6BelongToNeitherNameNorHost)
{
	shell_address_t a = parsed("counter@[::1]:65535");
	EXPECT_STREQ(a.node_name, "counter@::1");
	EXPECT_STREQ(a.host, "::1");
	EXPECT_EQ(a.port, 65535);
}

TEST(AddressParse, HostNamesKeepTheirCase)
{
	EXPECT_STREQ(parsed("job-queue_2@Node7.example:1").node_name, "job-queue_2@Node7.example");
}

TEST(AddressParse, MissingPartsAreNamed)
{
	EXPECT_NE(refusal("counter").find("NAME@HOST:PORT"), std::string::npos);
	EXPECT_NE(refusal("counter@host").find("port is missing"), std::string::npos);
	EXPECT_NE(refusal("counter@::1:9100").find("brackets"), std::string::npos);
	EXPECT_NE(refusal("counter@[::1]").find("unfinished"), std::string::npos);
	EXPECT_NE(refusal("counter@[::1").find("unfinished"), std::string::npos);
	refusal("");
	refusal("@host:1");
	refusal("counter@:1");
	refusal("counter@[]:1");
}

TEST(AddressParse, PortsOutsideOneTo65535AreRefused)
{
	for (const char *text :
		{"a@h:0", "a@h:65536", "a@h:-1", "a@h:", "a@h: 1", "a@h:1x", "a@h:99999999999999999999"})
		EXPECT_NE(refusal(text).find("port"), std::string::npos) << text;
}

TEST(AddressParse, FailureLeavesTheResultAlone)
{
	shell_address_t a = parsed("counter@h:7");
	EXPECT_LT(shell_address_parse("counter@h:x", &a, nullptr), 0);
	EXPECT_EQ(a.port, 7);
}

TEST(AddressParse, VeryLongTextIsRefused)
{
	std::string text = std::string(100000, 'a') + "@h:1";
	refusal(text.c_str());
}

TEST(AddressCheckName, NamesOfNodesAndOperatorsPass)
{
	for (const char *name :
		{"operator", "a", "counter@host", "counter@127.0.0.1", "counter@::1", "a.b_c-d@Host-1.x"})
		EXPECT_EQ(shell_address_check_name(name, nullptr), DREAM_OK) << name;
}

TEST(AddressCheckName, PathsAndOddCharactersAreRefused)
{
	for (const char *name : {"", ".", "..", ".hidden", "-rf", "a/b", "../a", "a@h/b", "Counter", "a b",
		     "a@", "@h", "a@b@c", "a\n", "a@h\x1b", "\xc3\xa9", "a@\xc3\xa9", "a*", "a:b"})
		EXPECT_EQ(shell_address_check_name(name, nullptr), DREAM_EINVAL) << name;
}

TEST(AddressCheckName, NamesLongerThanACertificateHoldsAreRefused)
{
	EXPECT_EQ(shell_address_check_name(std::string(64, 'a').c_str(), nullptr), DREAM_OK);
	EXPECT_EQ(shell_address_check_name(std::string(65, 'a').c_str(), nullptr), DREAM_EINVAL);
}
