// SPDX-License-Identifier: MIT
#include <glib.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>
#include "shell/help.h"
#include "shell/options.h"

namespace
{

struct Options {
	shell_options_t o = {};
	node_diag_t diag = {};
	int code;

	explicit Options(std::vector<const char *> args)
	{
		args.insert(args.begin(), "dream");
		code = shell_options_parse((int) args.size(), args.data(), &o, &diag);
	}
	~Options()
	{
		shell_options_fini(&o);
	}
	Options(const Options &) = delete;
	std::string why() const
	{
		return diag.text;
	}
};

} // namespace

TEST(OptionsParse, ShellTakesAnAddress)
{
	Options p({"shell", "counter@h:1"});
	ASSERT_EQ(p.code, DREAM_OK) << p.why();
	EXPECT_EQ(p.o.verb, SHELL_VERB_SHELL);
	EXPECT_STREQ(p.o.address, "counter@h:1");
	EXPECT_EQ(p.o.commands, nullptr);
	EXPECT_FALSE(p.o.json);
}

TEST(OptionsParse, CommandsKeepTheirOrder)
{
	Options p({"-c", "apps", "counter@h:1", "--command=procs", "-c", "tree"});
	ASSERT_EQ(p.code, DREAM_OK) << p.why();
	EXPECT_EQ(p.o.verb, SHELL_VERB_COMMANDS);
	ASSERT_EQ(g_strv_length(p.o.commands), 3u);
	EXPECT_STREQ(p.o.commands[0], "apps");
	EXPECT_STREQ(p.o.commands[1], "procs");
}

TEST(OptionsParse, CommandsAreNotConvertedFromTheLocale)
{
	Options p({"-c", "call x \"\xc3\xbc\"", "a@h:1"});
	ASSERT_EQ(p.code, DREAM_OK) << p.why();
	EXPECT_STREQ(p.o.commands[0], "call x \"\xc3\xbc\"");
}

TEST(OptionsParse, ShellWithCommandsRunsThem)
{
	Options p({"shell", "-c", "apps", "a@h:1"});
	ASSERT_EQ(p.code, DREAM_OK);
	EXPECT_EQ(p.o.verb, SHELL_VERB_COMMANDS);
}

TEST(OptionsParse, FilesAndJsonAreTaken)
{
	Options p({"--json", "--authority", "A", "--cert=C", "--key", "K", "shell", "a@h:1"});
	ASSERT_EQ(p.code, DREAM_OK);
	EXPECT_TRUE(p.o.json);
	EXPECT_STREQ(p.o.authority, "A");
	EXPECT_STREQ(p.o.certificate, "C");
	EXPECT_STREQ(p.o.key, "K");
}

TEST(OptionsParse, WrongArgumentsAreNamed)
{
	EXPECT_EQ(Options({}).code, DREAM_EINVAL);
	EXPECT_NE(Options({"shel", "a@h:1"}).why().find("shel: not something dream does"), std::string::npos);
	EXPECT_NE(Options({"shell"}).why().find("no node given"), std::string::npos);
	EXPECT_NE(Options({"shell", "a@h:1", "b"}).why().find("b: one argument too many"), std::string::npos);
	EXPECT_EQ(Options({"--nonsense"}).code, DREAM_EINVAL);
	EXPECT_EQ(Options({"-c"}).code, DREAM_EINVAL);
	EXPECT_EQ(Options({"cert"}).code, DREAM_EINVAL);
	EXPECT_EQ(Options({"cert", "steal"}).code, DREAM_EINVAL);
	EXPECT_EQ(Options({"cert", "show"}).code, DREAM_EINVAL);
}

TEST(OptionsTimeout, UpgradesGetLongerUnlessTold)
{
	Options p({"shell", "a@h:1"});
	EXPECT_EQ(shell_options_timeout_ms(&p.o, "procs"), 10000);
	EXPECT_EQ(shell_options_timeout_ms(&p.o, "  upgrade counter f.so"), 120000);
	EXPECT_EQ(shell_options_timeout_ms(&p.o, "upgrades"), 10000);
	Options told({"shell", "a@h:1", "--timeout", "3"});
	EXPECT_EQ(shell_options_timeout_ms(&told.o, "upgrade counter f.so"), 3000);
	Options none({"shell", "a@h:1", "--timeout", "0"});
	EXPECT_EQ(shell_options_timeout_ms(&none.o, "procs"), 604800000);
}

TEST(OptionsTimeout, NonsenseIsRefused)
{
	for (const char *text : {"-1", "x", "", "1e9", "604801", "10s"})
		EXPECT_EQ(Options({"shell", "a@h:1", "--timeout", text}).code, DREAM_EINVAL) << text;
}

TEST(OptionsCert, IssueForANodeNeedsNoRole)
{
	Options p({"cert", "issue", "counter@host", "dir"});
	ASSERT_EQ(p.code, DREAM_OK) << p.why();
	EXPECT_EQ(p.o.verb, SHELL_VERB_CERT_ISSUE);
	EXPECT_STREQ(p.o.name, "counter@host");
	EXPECT_STREQ(p.o.role, "node");
	EXPECT_STREQ(p.o.dir, "dir");
	EXPECT_EQ(p.o.lifetime_s, 825 * 86400);
}

TEST(OptionsCert, TheOperatorIsCalledOperatorUnlessNamed)
{
	Options p({"cert", "issue", "--role", "operator"});
	ASSERT_EQ(p.code, DREAM_OK);
	EXPECT_STREQ(p.o.name, "operator");
	Options same({"cert", "issue", "operator"});
	ASSERT_EQ(same.code, DREAM_OK);
	EXPECT_STREQ(same.o.role, "operator");
}

TEST(OptionsCert, AMisspeltNodeNameGetsNoOperatorsRights)
{
	Options p({"cert", "issue", "counter"});
	EXPECT_EQ(p.code, DREAM_EINVAL);
	EXPECT_NE(p.why().find("--role"), std::string::npos);
}

TEST(OptionsCert, RolesAndDaysAreChecked)
{
	EXPECT_EQ(Options({"cert", "issue", "a@h", "--role", "root"}).code, DREAM_EINVAL);
	EXPECT_EQ(Options({"cert", "issue", "a@h", "--days", "0"}).code, DREAM_EINVAL);
	EXPECT_EQ(Options({"cert", "issue", "a@h", "--days", "3651"}).code, DREAM_EINVAL);
	Options p({"cert", "issue", "a@h", "--days", "2"});
	EXPECT_EQ(p.o.lifetime_s, 2 * 86400);
}

TEST(OptionsCert, ExpiryForTestsMayLieInThePast)
{
	Options p({"cert", "issue", "a@h", "--not-after", "-60"});
	ASSERT_EQ(p.code, DREAM_OK) << p.why();
	EXPECT_EQ(p.o.lifetime_s, -60);
}

TEST(OptionsHelp, TopicsAreThereInEverySpelling)
{
	EXPECT_EQ(Options({"help"}).o.verb, SHELL_VERB_HELP);
	EXPECT_EQ(Options({"--help"}).o.verb, SHELL_VERB_HELP);
	EXPECT_EQ(Options({"--version"}).o.verb, SHELL_VERB_VERSION);
	EXPECT_STREQ(Options({"cert", "--help"}).o.topic, "cert");
	EXPECT_STREQ(Options({"help", "shell"}).o.topic, "shell");
}

TEST(HelpText, EveryExitStatusIsDocumented)
{
	std::string text = shell_help_text(nullptr);
	for (const char *status :
		{"0 done", "1 the", "2 wrong", "3 cannot", "4 a", "5 not", "6 no", "7 timed"})
		EXPECT_NE(text.find(status), std::string::npos) << status;
}

TEST(HelpText, TopicsExistAndOthersDoNot)
{
	EXPECT_NE(shell_help_text("shell"), nullptr);
	EXPECT_NE(shell_help_text("cert"), nullptr);
	EXPECT_EQ(shell_help_text("nonsense"), nullptr);
}
