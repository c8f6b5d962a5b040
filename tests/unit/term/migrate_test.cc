// SPDX-License-Identifier: MIT
#include "types.h"

#include <cstring>

/* Two versions of one state, as two generations of a module would bring them. */
#define PART_1(F) F(text, name) F(u8, count)
DREAM_TYPE(part_1, PART_1);
#define PART_2(F) F(u32, count) F(text, name) F(bool, fresh)
DREAM_TYPE(part_2, PART_2);
#define MODE_1(V) V(idle, dream_unit) V(busy, part_1)
DREAM_VARIANT(mode_1, MODE_1);
#define MODE_2(V) V(broken, part_2) V(busy, part_2) V(idle, dream_unit)
DREAM_VARIANT(mode_2, MODE_2);
#define MODE_3(V) V(idle, dream_unit)
DREAM_VARIANT(mode_3, MODE_3);
#define STATE_1(F)                                                                                           \
	F(i32, value)                                                                                        \
	F(text, gone) F(list(struct(part_1)), parts) F(struct(mode_1), mode) F(pid, owner) F(i64, limit)
DREAM_STATE(state_1, STATE_1, 1);
#define STATE_2(F)                                                                                           \
	F(f64, added)                                                                                        \
	F(list(struct(part_2)), parts) F(struct(mode_2), mode) F(opt(i16), limit) F(i64, value) F(pid, owner)
DREAM_STATE(state_2, STATE_2, 2);
#define NUM_I64(F) F(i64, n)
DREAM_TYPE(num_i64, NUM_I64);
#define NUM_U64(F) F(u64, n)
DREAM_TYPE(num_u64, NUM_U64);
#define NUM_I8(F) F(i8, n)
DREAM_TYPE(num_i8, NUM_I8);
#define NUM_F32(F) F(f32, n)
DREAM_TYPE(num_f32, NUM_F32);
#define NUM_F64(F) F(f64, n)
DREAM_TYPE(num_f64, NUM_F64);
#define NUM_TEXT(F) F(text, n)
DREAM_TYPE(num_text, NUM_TEXT);
#define NUM_OPT(F) F(opt(i64), n)
DREAM_TYPE(num_opt, NUM_OPT);
#define NUM_LIST(F) F(list(i64), n)
DREAM_TYPE(num_list, NUM_LIST);
#define NUM_LIST_8(F) F(list(i8), n)
DREAM_TYPE(num_list_8, NUM_LIST_8);
#define NUM_MODE(F) F(struct(mode_1), n)
DREAM_TYPE(num_mode, NUM_MODE);
#define NUM_PART(F) F(struct(part_1), n)
DREAM_TYPE(num_part, NUM_PART);

namespace
{

class Migrate : public testing::Test
{
      protected:
	void SetUp() override
	{
		node_codec_arena_init(&arena, true);
	}
	void TearDown() override
	{
		node_codec_arena_fini(&arena);
	}
	int migrate(const dream_type_t *from, const void *old, const dream_type_t *to, void *ret)
	{
		return node_codec_migrate(from, old, to, &arena.mem, ret, &diag);
	}
	node_codec_arena_t arena;
	node_diag_t diag = {};
};

} // namespace

TEST_F(Migrate, CarriesEqualNamesDropsOldOnesAndZeroesNewOnes)
{
	part_1_t parts[2] = {{{"nut", 3}, 7}, {{"bolt", 4}, 8}};
	state_1_t old = {-5, {"gone", 4}, {parts, 2}, {}, {1, 2, 3}, 99};
	old.mode.which = 2;
	old.mode.as.busy = parts[1];
	state_2_t now;
	ASSERT_EQ(migrate(&state_1_type, &old, &state_2_type, &now), 0) << diag.text;
	EXPECT_EQ(now.value, -5);
	EXPECT_EQ(now.added, 0.0);
	EXPECT_TRUE(now.limit.has);
	EXPECT_EQ(now.limit.value, 99);
	EXPECT_TRUE(dream_pid_equal(now.owner, old.owner));
	ASSERT_EQ(now.parts.count, 2u);
	EXPECT_EQ(now.parts.items[1].count, 8u);
	EXPECT_FALSE(now.parts.items[1].fresh);
	EXPECT_EQ(now.mode.which, 2u);
	EXPECT_EQ(now.mode.as.busy.count, 8u);
}

TEST_F(Migrate, TextsAreCopiesEvenForABorrowingMemory)
{
	num_text_t old = {{"abc", 3}}, now;
	ASSERT_EQ(migrate(&num_text_type, &old, &num_text_type, &now), 0);
	EXPECT_NE(now.n.data, old.n.data);
	EXPECT_EQ(memcmp(now.n.data, "abc", 3), 0);
}

TEST_F(Migrate, CasesFollowTheirNamesNotTheirNumbers)
{
	mode_1_t old = {};
	old.which = 1;
	mode_2_t now;
	ASSERT_EQ(migrate(&mode_1_type, &old, &mode_2_type, &now), 0);
	EXPECT_EQ(now.which, 3u);
	old.which = 0;
	ASSERT_EQ(migrate(&mode_1_type, &old, &mode_2_type, &now), 0);
	EXPECT_EQ(now.which, 0u);
}

TEST_F(Migrate, ACaseThatIsGoneEndsTheMigration)
{
	mode_1_t old = {};
	old.which = 2;
	mode_3_t now;
	EXPECT_EQ(migrate(&mode_1_type, &old, &mode_3_type, &now), DREAM_ECODECHANGE);
	EXPECT_STREQ(diag.text, "mode_3: the case busy is gone from mode_3; keep it or write code_change");
}

TEST_F(Migrate, ANumberThatDoesNotFitEndsTheMigration)
{
	num_i64_t old = {128};
	num_i8_t now;
	EXPECT_EQ(migrate(&num_i64_type, &old, &num_i8_type, &now), DREAM_ECODECHANGE);
	EXPECT_STREQ(diag.text, "num_i8.n: the i64 128 does not fit i8; write code_change");
	old.n = -128;
	EXPECT_EQ(migrate(&num_i64_type, &old, &num_i8_type, &now), 0);
	EXPECT_EQ(now.n, -128);
	num_u64_t wide;
	EXPECT_EQ(migrate(&num_i64_type, &old, &num_u64_type, &wide), DREAM_ECODECHANGE);
}

TEST_F(Migrate, IntegersBecomeFloatsOnlyIfExact)
{
	num_i64_t old = {(INT64_C(1) << 53) + 1};
	num_f64_t now;
	EXPECT_EQ(migrate(&num_i64_type, &old, &num_f64_type, &now), DREAM_ECODECHANGE);
	old.n = INT64_MIN;
	EXPECT_EQ(migrate(&num_i64_type, &old, &num_f64_type, &now), 0);
	EXPECT_EQ(now.n, -9223372036854775808.0);
	num_u64_t top = {UINT64_MAX};
	EXPECT_EQ(migrate(&num_u64_type, &top, &num_f64_type, &now), DREAM_ECODECHANGE);
	num_f32_t narrow;
	old.n = (1 << 24) + 1;
	EXPECT_EQ(migrate(&num_i64_type, &old, &num_f32_type, &narrow), DREAM_ECODECHANGE);
}

TEST_F(Migrate, FloatsBecomeIntegersOnlyIfWhole)
{
	num_f64_t old = {7.0};
	num_i8_t now;
	EXPECT_EQ(migrate(&num_f64_type, &old, &num_i8_type, &now), 0);
	EXPECT_EQ(now.n, 7);
	for (double bad : {7.5, 128.0, 1e300, -129.0, __builtin_nan(""), __builtin_inf()}) {
		old.n = bad;
		EXPECT_EQ(migrate(&num_f64_type, &old, &num_i8_type, &now), DREAM_ECODECHANGE) << bad;
	}
	old.n = 1e39;
	num_f32_t narrow;
	EXPECT_EQ(migrate(&num_f64_type, &old, &num_f32_type, &narrow), DREAM_ECODECHANGE);
}

TEST_F(Migrate, AnotherKindEndsTheMigrationNamingFieldAndKinds)
{
	num_i64_t old = {1};
	num_text_t now;
	EXPECT_EQ(migrate(&num_i64_type, &old, &num_text_type, &now), DREAM_ECODECHANGE);
	EXPECT_STREQ(diag.text,
		"num_text.n: i64 cannot become text; give the field another name or write code_change");
	num_opt_t maybe = {{true, 1}};
	EXPECT_EQ(migrate(&num_opt_type, &maybe, &num_i64_type, &old), DREAM_ECODECHANGE);
	num_mode_t mode = {};
	num_part_t part;
	EXPECT_EQ(migrate(&num_mode_type, &mode, &num_part_type, &part), DREAM_ECODECHANGE);
	EXPECT_NE(strstr(diag.text, "struct(mode_1) cannot become struct(part_1)"), nullptr);
}

TEST_F(Migrate, AnItemOfAListThatDoesNotFitIsNamed)
{
	int64_t items[3] = {1, 2, 300};
	num_list_t old = {{items, 3}};
	num_list_8_t now;
	EXPECT_EQ(migrate(&num_list_type, &old, &num_list_8_type, &now), DREAM_ECODECHANGE);
	EXPECT_STREQ(diag.text, "num_list_8.n[2]: the i64 300 does not fit i8; write code_change");
}

TEST_F(Migrate, AnAbsentOptionalStaysAbsent)
{
	num_opt_t old = {{false, 5}}, now;
	EXPECT_EQ(migrate(&num_opt_type, &old, &num_opt_type, &now), 0);
	EXPECT_FALSE(now.n.has);
	EXPECT_EQ(now.n.value, 0);
}
