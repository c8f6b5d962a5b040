// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "app/app.h"
#include "config.h"

namespace
{

const char base[] = "[node]\nname=a@h\nauthority=x\ncertificate=y\nkey=z\n";

struct Parsed {
	node_config_t *config = nullptr;
	int code;
	std::string why;
	explicit Parsed(const std::string &text, const char *path = "dir/test.conf")
	{
		node_diag_t diag = {0, ""};
		code = node_config_parse(path, text.data(), text.size(), &config, &diag);
		why = diag.text;
	}
	~Parsed()
	{
		node_config_free(config);
	}
};

std::string more(const std::string &text)
{
	return base + text;
}

} // namespace

TEST(Config, DefaultsNeedANameAndThreeFiles)
{
	Parsed p(base);
	ASSERT_EQ(p.code, DREAM_OK) << p.why;
	EXPECT_STREQ(p.config->name, "a@h");
	EXPECT_STREQ(p.config->listen_host, "127.0.0.1");
	EXPECT_EQ(p.config->listen_port, 0);
	EXPECT_EQ(p.config->log_level, DREAM_LOG_NOTICE);
	EXPECT_EQ(p.config->shutdown_timeout_s, 30u);
	EXPECT_EQ(p.config->apps->len, 0u);
}

TEST(Config, PathsAreRelativeToTheFile)
{
	Parsed p(more("module_path = m:/abs\n"));
	ASSERT_EQ(p.code, DREAM_OK) << p.why;
	EXPECT_STREQ(p.config->authority, "dir/x");
	EXPECT_STREQ((char *) p.config->module_path->pdata[0], "dir/m");
	EXPECT_STREQ((char *) p.config->module_path->pdata[1], "/abs");
}

TEST(Config, ListenTakesIpv6InBrackets)
{
	Parsed p(more("listen=[::1]:9100\n"));
	ASSERT_EQ(p.code, DREAM_OK) << p.why;
	EXPECT_STREQ(p.config->listen_host, "::1");
	EXPECT_EQ(p.config->listen_port, 9100);
}

TEST(Config, EnvironmentValuesAreTerms)
{
	Parsed p(more("[env.counter]\nstart = [1, {\"a\": \"b\\nc\"}]\n"));
	ASSERT_EQ(p.code, DREAM_OK) << p.why;
	ASSERT_EQ(p.config->envs->len, 1u);
	auto *env = static_cast<node_config_env_t *>(p.config->envs->pdata[0]);
	EXPECT_STREQ(env->app, "counter");
	EXPECT_STREQ(env->key, "start");
	EXPECT_EQ(env->value->data[0], 0x82);
}

TEST(Config, ApplicationGroupMayStandBeforeTheListThatNamesIt)
{
	Parsed p("[application.counter]\nfile=c.so\ntype=temporary\n" + more("applications=counter\n"));
	ASSERT_EQ(p.code, DREAM_OK) << p.why;
	auto *app = static_cast<node_config_app_t *>(p.config->apps->pdata[0]);
	EXPECT_STREQ(app->file, "dir/c.so");
	EXPECT_EQ(app->type, NODE_APP_TEMPORARY);
}

TEST(Config, HighestVersionOfAModuleIsFound)
{
	char *dir = g_dir_make_tmp("dream-XXXXXX", nullptr);
	for (const char *file : {"a-1.9.0.so", "a-1.10.0.so", "ab-7.0.0.so", "a-2.0.0.txt"})
		std::ofstream(std::string(dir) + "/" + file) << "x";
	Parsed p(more("applications=a\nmodule_path=" + std::string(dir) + "\n"));
	ASSERT_EQ(p.code, DREAM_OK) << p.why;
	auto *app = static_cast<node_config_app_t *>(p.config->apps->pdata[0]);
	EXPECT_EQ(std::string(app->file), std::string(dir) + "/a-1.10.0.so");
	for (const char *file : {"a-1.9.0.so", "a-1.10.0.so", "ab-7.0.0.so", "a-2.0.0.txt"})
		remove((std::string(dir) + "/" + file).c_str());
	remove(dir);
	g_free(dir);
}

struct Refusal {
	const char *name;
	std::string text;
	std::vector<const char *> parts; // all of them must be in the message
};

class ConfigRefuses : public testing::TestWithParam<Refusal>
{
};

TEST_P(ConfigRefuses, NamingLineKeyAndRemedy)
{
	Parsed p(GetParam().text);
	EXPECT_EQ(p.code, DREAM_ECONFIG);
	for (const char *part : GetParam().parts)
		EXPECT_NE(p.why.find(part), std::string::npos) << part << " is not in: " << p.why;
}

INSTANTIATE_TEST_SUITE_P(Each, ConfigRefuses,
	testing::Values(Refusal{"UnknownKey", more("schedulrs=2\n"),
				{"test.conf:6:", "schedulrs", "did you mean schedulers?"}},
		Refusal{"UnlikeAnyKey", more("zzzzzz=2\n"),
			{":6:", "unknown key", "allowed are name, listen"}},
		Refusal{"UnknownGroup", more("[nodes]\na=1\n"),
			{":7:", "[nodes]", "unknown group", "[env.NAME]"}},
		Refusal{"NumberTooLarge", more("schedulers=65\n"), {":6:", "schedulers=65", "1 to 64"}},
		Refusal{"NumberThatIsNone", more("stack_kib=many\n"),
			{":6:", "stack_kib=many", "64 to 65536"}},
		Refusal{"BadLevel", more("log_level=loud\n"),
			{":6:", "loud", "debug, info, notice, warning, error"}},
		Refusal{"BadName", "[node]\nname=counter\n", {":2:", "name=counter", "NAME@HOST"}},
		Refusal{"BadListen", more("listen=127.0.0.1\n"), {":6:", "HOST:PORT"}},
		Refusal{"PortTooLarge", more("listen=h:65536\n"), {":6:", "HOST:PORT"}},
		Refusal{"BadTerm", more("[env.a]\nk = [1, \n"), {":7:", "[env.a] k=[1,", "write a term"}},
		Refusal{"BadPeer", more("connect=b@h\n"), {":6:", "NAME@HOST:PORT"}},
		Refusal{"BadType", more("applications=a\n[application.a]\nfile=a.so\ntype=eternal\n"),
			{":9:", "eternal", "permanent"}},
		Refusal{"UnlistedApplication", more("[application.a]\nfile=a.so\n"),
			{":7:", "application.a", "add it to applications"}},
		Refusal{"SameAppTwice", more("applications=a a\n"), {":6:", "twice"}},
		Refusal{"KeyTwice", more("name=b@h\n"), {":6:", "line 2 already"}},
		Refusal{"NotALine", more("hello\n"), {":6:", "\"hello\"", "KEY = VALUE"}},
		Refusal{"ValueBeforeAnyGroup", "name=a@h\n", {":1:", "[GROUP]"}},
		Refusal{"NoName", "[node]\nauthority=x\n", {"name", "missing", "NAME@HOST"}},
		Refusal{"NoKeyFile", "[node]\nname=a@h\nauthority=x\ncertificate=y\n",
			{"[node] key: missing", "dream cert"}},
		Refusal{"NoModule", more("applications=nowhere\nmodule_path=/nonexistent\n"),
			{"nowhere-VERSION.so", "/nonexistent"}},
		Refusal{"NotUtf8", more("# \xff\n"), {"UTF-8"}}),
	[](const auto &info) { return std::string(info.param.name); });

TEST(ConfigLoad, MissingFileIsNamedWithTheReason)
{
	node_config_t *config = nullptr;
	node_diag_t diag = {0, ""};
	EXPECT_EQ(node_config_load("/nonexistent/x.conf", &config, &diag), DREAM_ECONFIG);
	EXPECT_NE(strstr(diag.text, "/nonexistent/x.conf: No such file"), nullptr) << diag.text;
}

TEST(ConfigLoad, DirectoryIsRefused)
{
	node_config_t *config = nullptr;
	node_diag_t diag = {0, ""};
	EXPECT_EQ(node_config_load("/tmp", &config, &diag), DREAM_ECONFIG);
	EXPECT_NE(strstr(diag.text, "/tmp: not a file"), nullptr) << diag.text;
}

TEST(ConfigSample, IsCorrectAndNamesEveryKey)
{
	node_config_t *config = nullptr;
	node_diag_t diag = {0, ""};
	std::string path = DREAM_SOURCE "/docs/dreamd.conf.sample";
	ASSERT_EQ(node_config_load(path.c_str(), &config, &diag), DREAM_OK) << diag.text;
	node_config_free(config);
	std::ifstream file(path);
	std::stringstream text;
	text << file.rdbuf();
	for (size_t i = 0; node_config_node_key(i) != nullptr; i++)
		EXPECT_NE(text.str().find(std::string("\n") + node_config_node_key(i) + " = "),
			std::string::npos)
			<< node_config_node_key(i);
	for (size_t i = 0; node_config_app_key(i) != nullptr; i++)
		EXPECT_NE(text.str().find(std::string("\n") + node_config_app_key(i) + " = "),
			std::string::npos)
			<< node_config_app_key(i);
}
