// SPDX-License-Identifier: MIT
// Typed arrays (RFC 8746): long lists of numbers as they lie in memory.
#include "types.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>

#define NUMBERS(F)                                                                                           \
	F(list(i8), i8s)                                                                                     \
	F(list(i16), i16s)                                                                                   \
	F(list(i32), i32s)                                                                                   \
	F(list(i64), i64s)                                                                                   \
	F(list(u8), u8s)                                                                                     \
	F(list(u16), u16s) F(list(u32), u32s) F(list(u64), u64s) F(list(f32), f32s) F(list(f64), f64s)
DREAM_TYPE(numbers, NUMBERS);
#define LONG(F) F(list(i64), of)
DREAM_TYPE(long_list, LONG);
#define NARROW(F) F(list(i8), of)
DREAM_TYPE(narrow, NARROW);
#define WORDS(F) F(list(u16), of)
DREAM_TYPE(words, WORDS);
#define FLOATS(F) F(list(f64), of)
DREAM_TYPE(floats, FLOATS);
#define SINGLES(F) F(list(f32), of)
DREAM_TYPE(singles, SINGLES);
#define TEXTS(F) F(list(text), of)
DREAM_TYPE(texts, TEXTS);
#define AFTER(F) F(bool, after)
DREAM_TYPE(after_list, AFTER);

namespace
{

class Typed : public testing::Test
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
	template <class T> int decode(const std::vector<uint8_t> &item, const dream_type_t *type, T *ret)
	{
		exact.reset(new uint8_t[item.size()]); /* so that ASan sees every overrun */
		std::copy(item.begin(), item.end(), exact.get());
		node_cbor_reader_t r = node_cbor_read(exact.get(), item.size());
		return node_codec_decode(&r, &node, type, &arena.mem, ret, &diag);
	}
	/* {"of": …} */
	template <class T> int decode_of(const std::string &list, const dream_type_t *type, T *ret)
	{
		return decode(term::unhex("a1626f66" + list), type, ret);
	}
	std::vector<uint8_t> encode(const dream_type_t *type, const void *value)
	{
		node_cbor_writer_t w;
		node_cbor_init(&w);
		EXPECT_EQ(node_codec_encode(&w, &node, type, value, &diag), 0) << diag.text;
		return term::finish(&w);
	}

	node_t node = {};
	node_codec_arena_t arena;
	node_diag_t diag = {};
	std::unique_ptr<uint8_t[]> exact;
};

int check(const std::string &item, std::string *ret_text = nullptr)
{
	node_diag_t diag = {};
	std::vector<uint8_t> bytes = term::unhex(item);
	int r = node_cbor_check(bytes.data(), bytes.size(), &diag);
	if (ret_text != nullptr)
		*ret_text = diag.text;
	return r;
}

template <class T> std::vector<T> ramp(size_t count)
{
	std::vector<T> out;
	for (size_t i = 0; i < count; i++)
		out.push_back(static_cast<T>(i * 3));
	out[0] = std::numeric_limits<T>::max();
	out[1] = std::numeric_limits<T>::lowest();
	return out;
}

template <class T, class L> void fill(L *list, std::vector<T> &items)
{
	list->items = items.data();
	list->count = items.size();
}

template <class T, class L> std::vector<T> items_of(const L &list)
{
	return std::vector<T>(list.items, list.items + list.count);
}

std::vector<int64_t> up_to(int64_t count)
{
	std::vector<int64_t> out;
	for (int64_t i = 1; i <= count; i++)
		out.push_back(i);
	return out;
}

constexpr bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;

} // namespace

TEST_F(Typed, LongListsOfEveryKindOfNumberComeBack)
{
	auto i8s = ramp<int8_t>(20);
	auto i16s = ramp<int16_t>(20);
	auto i32s = ramp<int32_t>(20);
	auto i64s = ramp<int64_t>(20);
	auto u8s = ramp<uint8_t>(20);
	auto u16s = ramp<uint16_t>(20);
	auto u32s = ramp<uint32_t>(20);
	auto u64s = ramp<uint64_t>(20);
	auto f32s = ramp<float>(20);
	auto f64s = ramp<double>(20);
	numbers_t in = {}, out;
	fill(&in.i8s, i8s);
	fill(&in.i16s, i16s);
	fill(&in.i32s, i32s);
	fill(&in.i64s, i64s);
	fill(&in.u8s, u8s);
	fill(&in.u16s, u16s);
	fill(&in.u32s, u32s);
	fill(&in.u64s, u64s);
	fill(&in.f32s, f32s);
	fill(&in.f64s, f64s);
	std::vector<uint8_t> item = encode(&numbers_type, &in);
	ASSERT_EQ(node_cbor_check(item.data(), item.size(), nullptr), 0);
	ASSERT_EQ(decode(item, &numbers_type, &out), 0) << diag.text;
	EXPECT_EQ(items_of<int8_t>(out.i8s), i8s);
	EXPECT_EQ(items_of<int16_t>(out.i16s), i16s);
	EXPECT_EQ(items_of<int32_t>(out.i32s), i32s);
	EXPECT_EQ(items_of<int64_t>(out.i64s), i64s);
	EXPECT_EQ(items_of<uint8_t>(out.u8s), u8s);
	EXPECT_EQ(items_of<uint16_t>(out.u16s), u16s);
	EXPECT_EQ(items_of<uint32_t>(out.u32s), u32s);
	EXPECT_EQ(items_of<uint64_t>(out.u64s), u64s);
	EXPECT_EQ(items_of<float>(out.f32s), f32s);
	EXPECT_EQ(items_of<double>(out.f64s), f64s);
	/* And they read as the same list as if each number had its own head. */
	std::string printed = term::print(item);
	EXPECT_EQ(term::print(term::parse(printed)), printed);
	ASSERT_EQ(decode(term::parse(printed), &numbers_type, &out), 0) << diag.text;
	EXPECT_EQ(items_of<uint64_t>(out.u64s), u64s);
	EXPECT_EQ(items_of<double>(out.f64s), f64s);
}

TEST_F(Typed, SixteenNumbersAreATypedArrayAndFifteenAPlainOne)
{
	auto numbers = up_to(16);
	long_list_t value = {{numbers.data(), 16}};
	std::vector<uint8_t> item = encode(&long_list_type, &value);
	EXPECT_EQ(term::hex(item.data(), 8), little ? "a1626f66d84f5880" : "a1626f66d84b5880");
	EXPECT_EQ(item.size(), 8u + 128);
	value.of.count = 15;
	item = encode(&long_list_type, &value);
	EXPECT_EQ(term::hex(item.data(), item.size()), "a1626f668f0102030405060708090a0b0c0d0e0f");
}

TEST_F(Typed, ALongPlainArrayIsReadAsBefore)
{
	long_list_t value;
	std::string text = "{\"of\": [1";
	for (int i = 2; i <= 100; i++)
		text += ", " + std::to_string(i);
	ASSERT_EQ(decode(term::parse(text + "]}"), &long_list_type, &value), 0) << diag.text;
	EXPECT_EQ(items_of<int64_t>(value.of), up_to(100));
}

TEST_F(Typed, IntegersOfAnyWidthAndByteOrderAreRead)
{
	const struct {
		const char *item;
		std::vector<int64_t> numbers;
	} cases[] = {{"d8404301ff7f", {1, 255, 127}}, {"d8444201ff", {1, 255}}, {"d8484201ff", {1, -1}},
		{"d841440102ffff", {0x0102, 65535}}, {"d845440102ffff", {0x0201, 65535}},
		{"d849440102fffe", {0x0102, -2}}, {"d84d440102feff", {0x0201, -2}},
		{"d8424401020304", {0x01020304}}, {"d8464401020304", {0x04030201}}, {"d84a44fffffffe", {-2}},
		{"d84e44feffffff", {-2}}, {"d843480000000000000102", {0x0102}},
		{"d847480201000000000000", {0x0102}}, {"d84b48fffffffffffffffe", {-2}},
		{"d84f48feffffffffffffff", {-2}}, {"d84f40", {}}};
	for (const auto &c : cases) {
		long_list_t value;
		ASSERT_EQ(check(c.item), 0) << c.item;
		ASSERT_EQ(decode_of(c.item, &long_list_type, &value), 0) << c.item << diag.text;
		EXPECT_EQ(items_of<int64_t>(value.of), c.numbers) << c.item;
	}
}

TEST_F(Typed, FloatsOfAnyWidthAndByteOrderAndIntegersAreReadAsFloats)
{
	const struct {
		const char *item;
		std::vector<double> numbers;
	} cases[] = {{"d850443e00c000", {1.5, -2}}, {"d85444003e00c0", {1.5, -2}}, {"d851443fc00000", {1.5}},
		{"d855440000c03f", {1.5}}, {"d852483ff8000000000000", {1.5}},
		{"d85648000000000000f83f", {1.5}}, {"d8484201ff", {1, -1}}, {"d841440102ffff", {258, 65535}}};
	for (const auto &c : cases) {
		floats_t value;
		singles_t narrow;
		ASSERT_EQ(decode_of(c.item, &floats_type, &value), 0) << c.item << diag.text;
		EXPECT_EQ(items_of<double>(value.of), c.numbers) << c.item;
		ASSERT_EQ(decode_of(c.item, &singles_type, &narrow), 0) << c.item << diag.text;
		EXPECT_EQ(items_of<double>(narrow.of), c.numbers) << c.item;
	}
}

TEST_F(Typed, NumbersThatDoNotFitAreNamedByTheirPlace)
{
	narrow_t narrow;
	EXPECT_EQ(decode_of("d8454401008000", &narrow_type, &narrow), DREAM_ERANGE);
	EXPECT_STREQ(diag.text, "narrow.of[1]: 128 does not fit i8");
	words_t words;
	EXPECT_EQ(decode_of("d8484201ff", &words_type, &words), DREAM_ERANGE);
	EXPECT_STREQ(diag.text, "words.of[1]: -1 does not fit u16");
	long_list_t wide;
	EXPECT_EQ(decode_of("d84348ffffffffffffffff", &long_list_type, &wide), DREAM_ERANGE);
	EXPECT_STREQ(diag.text, "long_list.of[0]: 18446744073709551615 does not fit i64");
	singles_t singles;
	EXPECT_EQ(decode_of("d852487fefffffffffffff", &singles_type, &singles), DREAM_ERANGE);
	EXPECT_STREQ(diag.text, "singles.of[0]: 1.79769e+308 does not fit f32");
}

TEST_F(Typed, FloatsAreNoIntegersAndNumbersAreNoTexts)
{
	long_list_t wide;
	EXPECT_EQ(decode_of("d850423e00", &long_list_type, &wide), DREAM_EDECODE);
	EXPECT_STREQ(diag.text, "long_list.of[0]: expected an integer, found a float");
	texts_t texts;
	EXPECT_EQ(decode_of("d8404161", &texts_type, &texts), DREAM_EDECODE);
	EXPECT_STREQ(diag.text, "texts.of: expected an array, found a tag");
	EXPECT_EQ(decode_of("d85750000102030405060708090a0b0c0d0e0f", &long_list_type, &wide), DREAM_EDECODE);
	EXPECT_STREQ(diag.text, "long_list.of: expected an array, found a tag");
}

/* A request may sort its list, and the message may be somebody else's as well. */
TEST_F(Typed, AListIsACopyEvenWhereBytesAreBorrowed)
{
	long_list_t value;
	ASSERT_EQ(decode_of(little ? "d84f480100000000000000" : "d84b480000000000000001", &long_list_type,
			  &value),
		0);
	value.of.items[0] = 99;
	EXPECT_EQ(exact[7] + exact[14], 1);
}

TEST_F(Typed, AnUnknownFieldWithATypedArrayIsSkipped)
{
	after_list_t value;
	ASSERT_EQ(
		decode(term::unhex("a2626f66d84f480100000000000000656166746572f5"), &after_list_type, &value),
		0)
		<< diag.text;
	EXPECT_TRUE(value.after);
}

TEST_F(Typed, AListLargerThanAMessageIsRefused)
{
	int64_t one = 1;
	for (uint64_t count : {(NODE_MSG_SIZE_MAX / 8) + 1, UINT64_MAX / 8, UINT64_MAX}) {
		long_list_t value = {{&one, count}};
		node_cbor_writer_t w;
		node_cbor_init(&w);
		EXPECT_EQ(node_codec_encode(&w, &node, &long_list_type, &value, &diag), DREAM_ELIMIT);
		node_cbor_fini(&w);
	}
}

TEST_F(Typed, ALongListIsWrittenIntoAMessageOfItsSize)
{
	auto numbers = up_to(8192);
	long_list_t value = {{numbers.data(), numbers.size()}};
	node_cbor_writer_t w;
	node_cbor_init(&w);
	ASSERT_EQ(node_codec_encode_tagged(&w, &node, "numbers", &long_list_type, &value, &diag), 0);
	EXPECT_LE(w.cap_bytes, w.size_bytes + w.size_bytes / 64);
	const dream_msg_t *written = w.msg;
	dream_msg_t *msg = nullptr;
	ASSERT_EQ(node_cbor_finish(&w, &msg), 0);
	EXPECT_EQ(msg, written);
	EXPECT_EQ(msg->size_bytes, 8192u * 8 + 20);
	node_msg_unref(msg);
}

TEST(TypedCheck, TheLengthIsAMultipleOfTheItems)
{
	std::string text;
	EXPECT_EQ(check("d84e480102030405060708"), 0);
	EXPECT_EQ(check("d84e4701020304050607", &text), DREAM_EDECODE);
	EXPECT_EQ(text, "byte 2: a typed array is no byte string in one piece whose length is a multiple of "
			"its items'");
	EXPECT_EQ(check("d8504101"), DREAM_EDECODE);
	EXPECT_EQ(check("d84043010203"), 0);
}

TEST(TypedCheck, TheContentIsOneByteStringThatIsThere)
{
	EXPECT_EQ(check("d84e00"), DREAM_EDECODE);
	EXPECT_EQ(check("d84e6101"), DREAM_EDECODE);
	EXPECT_EQ(check("d84e8101"), DREAM_EDECODE);
	EXPECT_EQ(check("d84e5f4401020304ff"), DREAM_EDECODE);
	EXPECT_EQ(check("d84e48010203"), DREAM_EDECODE);
	EXPECT_EQ(check("d84e"), DREAM_EDECODE);
}

TEST(TypedCheck, ReservedAndWiderTagsAreTagsLikeOthers)
{
	for (const char *item : {"d84c01", "d85301", "d85741ff", "d83f01", "d85801"})
		EXPECT_EQ(check(item), 0) << item;
	EXPECT_EQ(term::print(term::unhex("d85741ff")), "87(h'ff')");
}

TEST(TypedCheck, ATypedArrayNestsAsDeepAsAPlainOne)
{
	std::string nested;
	for (unsigned i = 1; i < NODE_MSG_DEPTH_MAX; i++)
		nested += "81";
	EXPECT_EQ(check(nested + "80"), 0);
	EXPECT_EQ(check(nested + "d84041ff"), 0);
	EXPECT_EQ(check(nested + "8180"), DREAM_ELIMIT);
	EXPECT_EQ(check(nested + "81d84041ff"), DREAM_ELIMIT);
}

TEST(TypedNotation, TypedArraysReadAsLists)
{
	EXPECT_EQ(term::print(term::unhex("82d8484301ff80d84546010002000300")), "[[1, -1, -128], [1, 2, 3]]");
	EXPECT_EQ(term::print(term::unhex("d850483e007c00fc007e00")), "[1.5, Infinity, -Infinity, NaN]");
	EXPECT_EQ(term::print(term::unhex("a16161d84f40")), "{\"a\": []}");
	EXPECT_EQ(term::json(term::unhex("a16161d8484301ff80")), "{\"a\": [1, -1, -128]}");
	EXPECT_EQ(term::json(term::unhex("d850443e007c00")), "[1.5, null]");
}

TEST(TypedNotation, ALongOneIsCutLikeAList)
{
	std::vector<uint8_t> item = term::unhex("d8405903e8");
	item.resize(item.size() + 1000, 7);
	EXPECT_EQ(term::print(item, 10), "[7, 7, 7, …");
}

TEST(TypedNotation, AMalformedOneIsShownAsWhatItIs)
{
	EXPECT_EQ(term::print(term::unhex("d84e4101")), "78(h'01')");
	EXPECT_EQ(term::json(term::unhex("d84e01")), "1");
}

TEST(TypedNotation, PeopleWriteLists)
{
	node_diag_t diag = {};
	dream_msg_t *msg = nullptr;
	for (const char *text : {"78(h'01000000')", "64(1)"}) {
		EXPECT_EQ(node_notation_parse(text, strlen(text), &msg, &diag), DREAM_ESYNTAX);
		EXPECT_NE(strstr(diag.text, "a typed array is written as a list: [1, 2, 3]"), nullptr)
			<< diag.text;
	}
}

TEST_F(Typed, MigrationCarriesLongListsAndChecksTheirRange)
{
	auto numbers = up_to(100);
	long_list_t old = {{numbers.data(), numbers.size()}}, same;
	narrow_t narrow;
	floats_t floats;
	ASSERT_EQ(node_codec_migrate(&long_list_type, &old, &long_list_type, &arena.mem, &same, &diag), 0);
	EXPECT_NE(same.of.items, old.of.items);
	EXPECT_EQ(items_of<int64_t>(same.of), numbers);
	ASSERT_EQ(node_codec_migrate(&long_list_type, &old, &narrow_type, &arena.mem, &narrow, &diag), 0);
	EXPECT_EQ(narrow.of.items[99], 100);
	ASSERT_EQ(node_codec_migrate(&long_list_type, &old, &floats_type, &arena.mem, &floats, &diag), 0);
	EXPECT_EQ(floats.of.items[99], 100.0);
	numbers[7] = 128;
	EXPECT_EQ(node_codec_migrate(&long_list_type, &old, &narrow_type, &arena.mem, &narrow, &diag),
		DREAM_ECODECHANGE);
	EXPECT_STREQ(diag.text, "narrow.of[7]: the i64 128 does not fit i8; write code_change");
}
