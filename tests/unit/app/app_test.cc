// SPDX-License-Identifier: MIT
#include "support/app_node.h"

static const std::string apps = DREAM_FIXTURES "/apps.so";

static std::string env(AppNode &node, const char *app, const char *key)
{
	dream_msg_t *value;
	int r = node_app_env_get(node, app, key, &value);
	return r < 0 ? node_diag_code_name(r) : text_take(value);
}

TEST(AppLoad, NotesTheApplicationsOfAModule)
{
	AppNode node;
	EXPECT_EQ(node.load(apps), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.state("base"), NODE_APP_LOADED);
}

TEST(AppLoad, RefusesAModuleThatIsLoaded)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	EXPECT_EQ(node.load(apps), DREAM_EALREADY);
	EXPECT_NE(strstr(node.diag.text, "upgrade"), nullptr) << node.diag.text;
}

// APP-3
TEST(AppStart, StartsWhatItDependsOnFirst)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	EXPECT_EQ(node.start("web"), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.state("base"), NODE_APP_RUNNING);
	auto started = node.lines("started");
	ASSERT_EQ(started.size(), 2u);
	EXPECT_NE(started[0].find("base"), std::string::npos);
	EXPECT_NE(started[1].find("web"), std::string::npos);
}

// APP-3
TEST(AppStart, StopsWhatItStartedWhenOneFails)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	EXPECT_EQ(node.start("broken"), DREAM_EINIT);
	EXPECT_NE(strstr(node.diag.text, "broken"), nullptr) << node.diag.text;
	EXPECT_EQ(node.state("broken"), NODE_APP_LOADED);
	EXPECT_EQ(node.state("base"), NODE_APP_LOADED);
}

TEST(AppStart, LeavesRunningWhatRanBeforeWhenOneFails)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("base"), DREAM_OK);
	EXPECT_EQ(node.start("broken"), DREAM_EINIT);
	EXPECT_EQ(node.state("base"), NODE_APP_RUNNING);
}

TEST(AppStart, CircularDependencyIsNamed)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	EXPECT_EQ(node.start("ring_a"), DREAM_ELIMIT);
	EXPECT_NE(strstr(node.diag.text, "ring_"), nullptr) << node.diag.text;
}

TEST(AppStart, MissingDependencyIsNamed)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	EXPECT_EQ(node.start("lonely"), DREAM_ENOTSTARTED);
	EXPECT_NE(strstr(node.diag.text, "nobody"), nullptr) << node.diag.text;
}

TEST(AppStart, UnknownApplicationIsNotFound)
{
	AppNode node;
	EXPECT_EQ(node.start("ghost"), DREAM_ENOENT);
	EXPECT_NE(strstr(node.diag.text, "ghost"), nullptr);
}

// APP-2
TEST(AppStart, RunningApplicationIsAlreadyStarted)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("base"), DREAM_OK);
	EXPECT_EQ(node.start("base"), DREAM_EALREADY);
}

TEST(AppStop, CallsStopAfterTheTreeAndKeepsItLoaded)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("base"), DREAM_OK);
	uint32_t running = node_proctab_count(node);
	EXPECT_EQ(node.stop("base"), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.state("base"), NODE_APP_LOADED);
	EXPECT_EQ(node.lines(": stop").size(), 1u);
	EXPECT_LT(node_proctab_count(node), running);
	EXPECT_EQ(node.start("base"), DREAM_OK);
}

// APP-6
TEST(AppStop, EndsProcessesThatBelongToNoSupervisor)
{
	AppNode node;
	dream_pid_t pid;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("messy"), DREAM_OK);
	ASSERT_EQ(node_names_whereis(node, "stray", &pid), DREAM_OK);
	EXPECT_EQ(node.stop("messy"), DREAM_OK);
	EXPECT_FALSE(node.alive(pid));
}

TEST(AppStop, IsRefusedWhileAnotherNeedsIt)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("web"), DREAM_OK);
	EXPECT_EQ(node.stop("base"), DREAM_EBUSY);
	EXPECT_NE(strstr(node.diag.text, "web"), nullptr) << node.diag.text;
	EXPECT_EQ(node.state("base"), NODE_APP_RUNNING);
}

TEST(AppStop, OfWhatDoesNotRunSaysSo)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	EXPECT_EQ(node.stop("base"), DREAM_ENOTSTARTED);
}

// APP-8
TEST(AppStopAll, GoesBackwards)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("web"), DREAM_OK);
	EXPECT_EQ(node.ask(node_app_stop_all), DREAM_OK);
	auto stopped = node.lines("stopped");
	ASSERT_EQ(stopped.size(), 2u);
	EXPECT_NE(stopped[0].find("web"), std::string::npos);
	EXPECT_NE(stopped[1].find("base"), std::string::npos);
}

static int shutdown_code;
static void note_shutdown(node_t *, int code, const char *)
{
	shutdown_code = code;
}

// APP-7
TEST(AppEnd, OfAPermanentApplicationStopsTheNode)
{
	AppNode node;
	shutdown_code = 0;
	node->hooks.shutdown = note_shutdown;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("mortal", NODE_APP_PERMANENT), DREAM_OK) << node.diag.text;
	node.go([&](node_proc_t *proc) {
		dream_dest_t to = dream_to_name("worker");
		node_call_cast_take(node, proc, &to, term("\"die\""));
	});
	EXPECT_EQ(shutdown_code, 1);
	EXPECT_EQ(node.state("mortal"), NODE_APP_LOADED);
}

// APP-7
TEST(AppEnd, OfATemporaryApplicationIsLoggedAndItsStopRuns)
{
	AppNode node;
	shutdown_code = 0;
	node->hooks.shutdown = note_shutdown;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("mortal"), DREAM_OK);
	node.go([&](node_proc_t *proc) {
		dream_dest_t to = dream_to_name("worker");
		node_call_cast_take(node, proc, &to, term("\"die\""));
	});
	EXPECT_EQ(shutdown_code, 0);
	EXPECT_EQ(node.lines("application mortal ended").size(), 1u);
	EXPECT_EQ(node.lines(": stop").size(), 1u);
}

// APP-1
TEST(AppEnv, ConfigurationGoesBeforeTheModulesDefaults)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	EXPECT_EQ(env(node, "base", "size"), "1");
	node_app_env_set_take(node, "base", "size", term("2"));
	EXPECT_EQ(env(node, "base", "size"), "2");
	EXPECT_EQ(env(node, "base", "colour"), "\"red\"");
	EXPECT_EQ(env(node, "base", "none"), "ENOENT");
}

// APP-10
TEST(AppEnv, AProcessReadsItsOwnApplications)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("mortal"), DREAM_OK);
	EXPECT_EQ(node.call("worker", "\"size\""), "{\"size\": 7}");
}

TEST(AppEnv, AValueOfAnotherKindFailsTheStart)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	node_app_env_set_take(node, "mortal", "size", term("\"big\""));
	EXPECT_EQ(node.start("mortal"), DREAM_EINIT);
	EXPECT_NE(strstr(node.diag.text, "EDECODE"), nullptr) << node.diag.text;
}

// APP-9
TEST(AppEnv, ChangeIsToldToRunningApplicationsOnlyWhenThereIsOne)
{
	AppNode node;
	ASSERT_EQ(node.load(apps), DREAM_OK);
	ASSERT_EQ(node.start("base"), DREAM_OK);
	EXPECT_EQ(node.ask(node_app_config_changed), DREAM_OK);
	EXPECT_EQ(node.lines("config changed").size(), 0u);
	node_app_env_set_take(node, "base", "size", term("5"));
	EXPECT_EQ(node.ask(node_app_config_changed), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.ask(node_app_config_changed), DREAM_OK);
	EXPECT_EQ(node.lines("config changed").size(), 1u);
}

// Applications whose starts do not end; before, the controller waited with them and could stop nothing any more.
class HangingStart : public ::testing::Test
{
      protected:
	void SetUp() override
	{
		ASSERT_EQ(node.load(DREAM_FIXTURES "/hanging.so"), DREAM_OK) << node.diag.text;
	}
	void begin(const char *name)
	{
		node.go([this, name](node_proc_t *proc) {
			result = node_app_start(proc, name, NODE_APP_TEMPORARY, &diag);
		});
		ASSERT_EQ(result, 1);
		ASSERT_EQ(node.state(name), NODE_APP_STARTING);
	}
	uint32_t members(const char *name)
	{
		uint32_t pos = 0, n = 0;
		node_proc_t *proc;
		while ((proc = node_proctab_next(node, &pos)) != nullptr) {
			const char *app = node_app_of_borrow(proc);
			n += app != nullptr && strcmp(app, name) == 0;
		}
		return n;
	}
	AppNode node;
	int result = 1;
	node_diag_t diag = {};
};

TEST_F(HangingStart, IsGivenUpWhenTheApplicationIsStopped)
{
	begin("stuck_child");
	EXPECT_EQ(node.stop("stuck_child"), DREAM_OK) << node.diag.text;
	EXPECT_EQ(result, DREAM_EINIT);
	EXPECT_NE(strstr(diag.text, "told to stop"), nullptr) << diag.text;
	EXPECT_EQ(node.state("stuck_child"), NODE_APP_LOADED);
	EXPECT_EQ(node.state("healthy"), NODE_APP_LOADED) << "APP-3: this start had started it";
	EXPECT_EQ(members("stuck_child"), 0u);
}

TEST_F(HangingStart, OfTheApplicationsOwnFunctionIsGivenUpToo)
{
	begin("stuck_start");
	EXPECT_EQ(node.stop("stuck_start"), DREAM_OK) << node.diag.text;
	EXPECT_EQ(result, DREAM_EINIT);
	EXPECT_EQ(members("stuck_start"), 0u);
}

TEST_F(HangingStart, DoesNotKeepOthersFromBeingStopped) // APP-8
{
	ASSERT_EQ(node.start("healthy"), DREAM_OK) << node.diag.text;
	begin("stuck_start");
	EXPECT_EQ(node.ask(node_app_stop_all), DREAM_OK) << node.diag.text;
	EXPECT_EQ(node.state("healthy"), NODE_APP_LOADED);
	EXPECT_EQ(node.start("healthy"), DREAM_EBUSY) << "who starts one after the other must not go on";
}

TEST_F(HangingStart, GoesOnWhenAnotherIsStopped)
{
	ASSERT_EQ(node.start("healthy"), DREAM_OK);
	begin("stuck_start");
	int stopped = 1;
	node_diag_t why = {};
	node.go([&](node_proc_t *proc) { stopped = node_app_stop(proc, "healthy", &why); });
	EXPECT_EQ(stopped, 1) << "one after the other";
	EXPECT_EQ(node.state("stuck_start"), NODE_APP_STARTING);
	EXPECT_EQ(node.stop("stuck_start"), DREAM_OK);
	EXPECT_EQ(stopped, DREAM_OK);
}

TEST_F(HangingStart, LeavesNothingBehindWhenTheNodeIsClosed)
{
	begin("stuck_child");
	node.close();
}

TEST_F(HangingStart, CanBeTriedAgain)
{
	begin("stuck_start");
	ASSERT_EQ(node.stop("stuck_start"), DREAM_OK);
	EXPECT_EQ(node.stop("stuck_start"), DREAM_ENOTSTARTED);
	result = 1;
	begin("stuck_start");
	EXPECT_EQ(node.stop("stuck_start"), DREAM_OK);
}
