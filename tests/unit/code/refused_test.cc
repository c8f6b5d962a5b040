// SPDX-License-Identifier: MIT
// What node_code_load() refuses: each with its code and a text that names the file, the reason and the remedy.
#include "room.h"
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct Refusal {
	const char *name;
	int code;
	const char *reason;
	const char *remedy;
};

static void PrintTo(const Refusal &r, std::ostream *out)
{
	*out << r.name;
}

class CodeLoadRefuses : public testing::TestWithParam<Refusal>
{
};

TEST_P(CodeLoadRefuses, AndSaysFileReasonAndRemedy)
{
	Room room;
	const Refusal &want = GetParam();
	EXPECT_EQ(room.load(fixture(want.name)), nullptr);
	EXPECT_EQ(room.result, want.code) << room.diag.text;
	EXPECT_EQ(room.diag.code, want.code);
	EXPECT_TRUE(contains(room.diag.text, fixture(want.name) + ": ")) << room.diag.text;
	EXPECT_TRUE(contains(room.diag.text, want.reason)) << room.diag.text;
	EXPECT_TRUE(contains(room.diag.text, want.remedy)) << room.diag.text;
	g_autoptr(GPtrArray) all = node_code_list(room.code());
	EXPECT_EQ(all->len, 0u);
}

static const Refusal abi_rules[] = {
	{"note_wrong_magic", DREAM_EABI, "foreign magic number 12345678", "dream_add_module"},
	{"abi_other_major", DREAM_EABI, "built for ABI 7.x, this node implements 1.0",
		"rebuild it with this node's SDK"},
	{"abi_newer_minor", DREAM_EABI, "needs ABI 1.9, this node implements 1.0", "newer node"},
	{"note_bad_size", DREAM_EABI, "gives the descriptor 12 bytes", "dream_add_module"},
	{"no_note", DREAM_EABI, "no DREAM note", "DREAM_MODULE"},
	{"no_descriptor", DREAM_EABI, "exports no descriptor", "DREAM_MODULE"},
	{"wrong_magic", DREAM_EABI, "descriptor has a foreign magic number 7f454c46", "DREAM_MODULE"},
	{"other_major", DREAM_EABI, "descriptor is of ABI 2.x", "rebuild it with this node's SDK"},
	{"newer_minor", DREAM_EABI, "descriptor needs ABI 1.1", "newer node"},
	{"bad_size", DREAM_EABI, "says it has 16 bytes", "DREAM_MODULE"},
};

static const Refusal descriptor[] = {
	{"huge_size", DREAM_EMODULE, "its descriptor lies outside the module", "rebuild the module"},
	{"longer_used_tail", DREAM_EMODULE, "members this node does not know", "newer node"},
	{"hostile_name", DREAM_EMODULE, "\"../../etc/x\\x0a\\x1b[31mred\"", "a name is a small letter"},
	{"long_name", DREAM_EMODULE, "\"aaaaaaaaaaaa", "up to 63"},
	{"empty_name", DREAM_EMODULE, "its name is \"\"", "a name is a small letter"},
	{"null_name", DREAM_EMODULE, "its name is missing", "a name is a small letter"},
	{"hostile_version", DREAM_EMODULE, "its version is \"..\"", "as in 1.2.0"},
	{"wild_pointer", DREAM_EMODULE, "its list of kinds lies outside the module", "rebuild the module"},
	{"wild_name", DREAM_EMODULE, "its name lies outside the module", "rebuild the module"},
	{"wild_host", DREAM_EMODULE, "its host pointer is not a variable", "DREAM_MODULE"},
	{"wild_function", DREAM_EMODULE, "process data: main is no function of this module", "own sources"},
	{"wild_type", DREAM_EMODULE, "server wild: its state type lies outside the module",
		"rebuild the module"},
	{"endless_type", DREAM_ETYPE, "contains itself", "take it apart"},
	{"wrong_layout", DREAM_ETYPE, "server crooked: its state type", "crooked"},
	{"unknown_kind", DREAM_EMODULE, "kind novelty has the type 77", "newer node"},
	{"twice", DREAM_EMODULE, "two kinds named same", "rename one"},
	{"twin_tags", DREAM_EMODULE, "two of its calls have the tag \"a\"", "remove one"},
	{"orphan_child", DREAM_EMODULE, "its child missing is no", "list it in DREAM_MODULE"},
	{"bad_args", DREAM_EMODULE, "children[0] cannot be read as a term", "column"},
	{"bad_env", DREAM_EMODULE, "its env is no map", "write it as {\"key\": value}"},
	{"rootless", DREAM_EMODULE, "its root \"nobody\" is no supervisor", "list it in DREAM_MODULE"},
	{"bad_strategy", DREAM_EMODULE, "supervisor top: its strategy is 9", "use DREAM_ONE_FOR_ONE"},
	{"load_fails", DREAM_EMODULE, "load() of refuser 1.0.0 failed with -1", "documentation"},
};

static const Refusal hazards[] = {
	{"with_tls", DREAM_EMODULE, "thread-local variables", "process's state"},
	{"with_unique", DREAM_EMODULE, "unique symbol shared_by_all", "-fno-gnu-unique"},
	{"with_textrel", DREAM_EMODULE, "relocations in its code", "-fPIC"},
	{"with_library", DREAM_EMODULE, "needs the shared library libdl.so.2", "link it statically"},
	{"nodelete", DREAM_EMODULE, "-z nodelete", "DREAM_MODULE_RESIDENT"},
	{"exec_stack", DREAM_EMODULE, "executable stack", "-z noexecstack"},
	{"unresolved", DREAM_ELOAD, "undefined symbol: nobody_has_this_function", "dream_add_module"},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	{"with_constructor", DREAM_EMODULE, "has constructors", "load()"},
#endif
};

static std::string name_of(const testing::TestParamInfo<Refusal> &info)
{
	return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Abi, CodeLoadRefuses, testing::ValuesIn(abi_rules), name_of);
INSTANTIATE_TEST_SUITE_P(Descriptor, CodeLoadRefuses, testing::ValuesIn(descriptor), name_of);
INSTANTIATE_TEST_SUITE_P(Hazard, CodeLoadRefuses, testing::ValuesIn(hazards), name_of);

static void expect_refused(const std::string &path, int code, const char *reason, const char *remedy)
{
	Room room;
	EXPECT_EQ(room.load(path), nullptr);
	EXPECT_EQ(room.result, code) << room.diag.text;
	EXPECT_TRUE(contains(room.diag.text, path + ": ")) << room.diag.text;
	EXPECT_TRUE(contains(room.diag.text, reason)) << room.diag.text;
	EXPECT_TRUE(contains(room.diag.text, remedy)) << room.diag.text;
}

TEST(CodeLoadFile, MissingIsNoent)
{
	expect_refused("/nowhere/counter.so", DREAM_ENOENT, "no such file", "check the path");
}

TEST(CodeLoadFile, EmptyIsRefused)
{
	Folder folder;
	write_file(folder.file("empty.so"), "");
	expect_refused(folder.file("empty.so"), DREAM_ELOAD, "empty", "rebuild");
}

TEST(CodeLoadFile, TextNamedSoIsRefused)
{
	Folder folder;
	write_file(folder.file("text.so"), "INPUT(libcounter.so.1)\n");
	expect_refused(folder.file("text.so"), DREAM_ELOAD, "not an ELF file", "dream_add_module");
}

TEST(CodeLoadFile, FolderIsRefused)
{
	Folder folder;
	expect_refused(folder.path(), DREAM_ELOAD, "a folder", "name the .so file");
}

TEST(CodeLoadFile, PipeIsRefusedWithoutWaitingForAWriter)
{
	Folder folder;
	ASSERT_EQ(mkfifo(folder.file("pipe.so").c_str(), 0600), 0);
	expect_refused(folder.file("pipe.so"), DREAM_ELOAD, "a device or pipe", "name the .so file");
}

TEST(CodeLoadFile, ProgramIsRefused)
{
	expect_refused("/bin/true", DREAM_ELOAD, "a program", "dream_add_module");
}

TEST(CodeLoadFile, OtherSharedObjectIsNoModule)
{
	g_autofree char *libm = nullptr;
	for (const char *path : {"/lib/x86_64-linux-gnu/libm.so.6", "/lib/aarch64-linux-gnu/libm.so.6"})
		if (libm == nullptr && g_file_test(path, G_FILE_TEST_EXISTS))
			libm = g_strdup(path);
	if (libm == nullptr)
		GTEST_SKIP() << "no libm where Debian has it";
	expect_refused(libm, DREAM_EABI, "no DREAM note", "DREAM_MODULE");
}

TEST(CodeLoadFile, OtherMachineIsNamed)
{
	Folder folder;
	std::string bytes = read_file(fixture("good_1"));
	bytes[18] = 8; // e_machine: MIPS
	bytes[19] = 0;
	write_file(folder.file("mips.so"), bytes);
	expect_refused(folder.file("mips.so"), DREAM_ELOAD, "another machine (ELF machine 8", "rebuild");
}

TEST(CodeLoadFile, CutOffAnywhereIsRefused)
{
	Folder folder;
	const std::string whole = read_file(fixture("good_1"));
	Room room;
	for (size_t size :
		{size_t{1}, size_t{3}, size_t{4}, size_t{40}, size_t{64}, size_t{200}, whole.size() / 4,
			whole.size() / 2, whole.size() - 4096, whole.size() - 64, whole.size() - 1}) {
		write_file(folder.file("cut.so"), whole.substr(0, size));
		EXPECT_EQ(room.load(folder.file("cut.so")), nullptr) << size;
		EXPECT_EQ(room.result, DREAM_ELOAD) << size << room.diag.text;
	}
}

/* Whoever runs the tests as root may read everything: the child is nobody. */
TEST(CodeLoadFile, UnreadableSaysSo)
{
	Folder folder;
	std::string path = folder.file("secret.so");
	write_file(path, read_file(fixture("good_1")));
	ASSERT_EQ(chmod(path.c_str(), 0000), 0);
	ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
	pid_t child = fork();
	ASSERT_GE(child, 0);
	if (child == 0) {
		if (geteuid() == 0 &&
			(setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
			_exit(2);
		unsetenv("XDG_RUNTIME_DIR");
		Room room;
		node_gen_t *gen = room.load(path);
		bool ok = gen == nullptr && room.result == DREAM_EIO && contains(room.diag.text, path) &&
			  contains(room.diag.text, "Permission denied") &&
			  contains(room.diag.text, "read it");
		node_code_close(room.code(), true);
		_exit(ok ? 0 : 1);
	}
	int status = -1;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
}

TEST(CodeLoadFile, ControlCharactersInAPathDoNotForgeLines)
{
	Room room;
	EXPECT_EQ(room.load("/nowhere/\n2026 error node burnt\033[0m.so"), nullptr);
	EXPECT_FALSE(contains(room.diag.text, "\n"));
	EXPECT_FALSE(contains(room.diag.text, "\033"));
}

TEST(CodeLoad, WithoutADiagOnlyTheCodeIsTold)
{
	Room room;
	node_gen_t *gen = nullptr;
	EXPECT_EQ(node_code_load(room.code(), fixture("twice").c_str(), &gen, nullptr), DREAM_EMODULE);
	EXPECT_EQ(gen, nullptr);
}

TEST(CodeLoad, LongerDescriptorWithZeroTailIsTaken)
{
	Room room;
	node_gen_t *gen = room.load(fixture("longer_zero_tail"));
	ASSERT_NE(gen, nullptr) << room.diag.text;
	EXPECT_STREQ(gen->name, "longer");
	node_code_unref(gen);
}
