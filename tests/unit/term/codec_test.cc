// SPDX-License-Identifier: MIT
#include "types.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#define ITEM(F) F(text, name) F(u16, count)
DREAM_TYPE(item, ITEM);
#define SHAPE(V) V(none, dream_unit) V(one, item)
DREAM_VARIANT(shape, SHAPE);
#define ADD(F) F(i64, by)
DREAM_TYPE(add, ADD);
#define SMALL(F) F(i8, a) F(u8, b) F(f32, c) F(bool, d)
DREAM_TYPE(small, SMALL);
#define BAG(F)                                                                                               \
	F(list(struct(item)), items) F(opt(i32), limit) F(struct(shape), shape) F(term, extra) F(bytes, raw)
DREAM_TYPE(bag, BAG);
#define OWNER(F) F(pid, owner) F(ref, monitor)
DREAM_TYPE(owner, OWNER);

namespace
{

int fake_number(node_t *, const char *name, uint64_t size, uint32_t *ret_number)
{
	if (std::string(name, size) == "full@host")
		return DREAM_ELIMIT;
	if (std::string(name, size) != "other@host")
		return DREAM_ENOENT;
	*ret_number = 3;
	return 0;
}

const char *fake_name(node_t *, uint32_t number)
{
	return number == 3 ? "other@host" : nullptr;
}

class Codec : public testing::Test
{
      protected:
	void SetUp() override
	{
		strcpy(node.name, "me@host");
		node.creation = 100;
		node.hooks.node_number = fake_number;
		node.hooks.node_name_borrow = fake_name;
		node_codec_arena_init(&arena, false);
	}
	void TearDown() override
	{
		node_codec_arena_fini(&arena);
	}

	template <class T> int decode(const std::vector<uint8_t> &item, const dream_type_t *type, T *ret)
	{
		std::unique_ptr<uint8_t[]> exact(
			new uint8_t[item.size()]); /* so that ASan sees every overrun */
		std::copy(item.begin(), item.end(), exact.get());
		node_cbor_reader_t r = node_cbor_read(exact.get(), item.size());
		return node_codec_decode(&r, &node, type, &arena.mem, ret, &diag);
	}
	template <class T> int decode(const char *text, const dream_type_t *type, T *ret)
	{
		return decode(term::parse(text), type, ret);
	}
	std::string encode(const dream_type_t *type, const void *value, const char *tag = nullptr)
	{
		node_cbor_writer_t w;
		node_cbor_init(&w);
		int r = node_codec_encode_tagged(&w, &node, tag, type, value, &diag);
		if (r < 0) {
			node_cbor_fini(&w);
			return std::string("error: ") + diag.text;
		}
		return term::print(term::finish(&w));
	}

	node_t node = {};
	node_codec_arena_t arena;
	node_diag_t diag = {};
};

std::string str(dream_text_t text)
{
	return std::string(text.data == nullptr ? "" : text.data, text.size_bytes);
}

const char full_bag[] =
	"{\"items\": [{\"name\": \"nut\", \"count\": 3}, {\"name\": \"bolt\", \"count\": 65535}], "
	"\"limit\": -5, \"shape\": [\"one\", {\"name\": \"x\", \"count\": 1}], \"extra\": [1, null], "
	"\"raw\": h'00ff'}";

} // namespace

TEST_F(Codec, AStructIsAMapFromNamesToValues)
{
	add_t add = {5};
	EXPECT_EQ(encode(&add_type, &add), "{\"by\": 5}");
}

TEST_F(Codec, ATaggedStructIsAnArray)
{
	add_t add = {-5};
	EXPECT_EQ(encode(&add_type, &add, "add"), "[\"add\", {\"by\": -5}]");
	EXPECT_EQ(encode(&dream_unit_type, "", "get"), "\"get\"");
}

TEST_F(Codec, EveryPartOfANestedValueComesBack)
{
	bag_t bag;
	ASSERT_EQ(decode(full_bag, &bag_type, &bag), 0) << diag.text;
	ASSERT_EQ(bag.items.count, 2u);
	EXPECT_EQ(str(bag.items.items[1].name), "bolt");
	EXPECT_EQ(bag.items.items[1].count, 65535);
	EXPECT_TRUE(bag.limit.has);
	EXPECT_EQ(bag.limit.value, -5);
	EXPECT_EQ(bag.shape.which, 2u);
	EXPECT_EQ(encode(&bag_type, &bag), full_bag);
}

TEST_F(Codec, AMessageCutAtAnyByteDoesNotDecode)
{
	std::vector<uint8_t> item = term::parse(full_bag);
	for (size_t size = 0; size < item.size(); size++) {
		bag_t bag;
		std::vector<uint8_t> cut(item.begin(), item.begin() + static_cast<long>(size));
		EXPECT_EQ(decode(cut, &bag_type, &bag), DREAM_EDECODE) << size;
	}
}

TEST_F(Codec, UnknownKeysAreSkippedAndMissingOnesStayZero)
{
	item_t item;
	ASSERT_EQ(decode("{\"colour\": {\"r\": [1]}, 7: 8, (_ \"na\", \"me\"): 1, \"count\": 2}", &item_type,
			  &item),
		0);
	EXPECT_EQ(item.count, 2);
	EXPECT_EQ(item.name.size_bytes, 0u);
}

TEST_F(Codec, FieldsInAnyOrderAndIndefiniteMapsDecode)
{
	small_t v;
	ASSERT_EQ(decode("{_ \"d\": true, \"c\": 1.5, \"a\": -128, \"b\": 255}", &small_type, &v), 0)
		<< diag.text;
	EXPECT_EQ(v.a, -128);
	EXPECT_EQ(v.b, 255);
	EXPECT_EQ(v.c, 1.5f);
	EXPECT_TRUE(v.d);
}

TEST_F(Codec, OfDuplicateKeysTheLastWinsWhole)
{
	bag_t bag;
	ASSERT_EQ(decode("{\"shape\": [\"one\", {\"name\": \"x\", \"count\": 9}], \"limit\": 1, \"shape\": "
			 "[\"one\", {}]}",
			  &bag_type, &bag),
		0);
	EXPECT_EQ(bag.shape.as.one.count, 0);
	small_t v;
	ASSERT_EQ(decode("{\"b\": 1, \"a\": 1, \"b\": 2}", &small_type, &v), 0);
	EXPECT_EQ(v.b, 2);
}

TEST_F(Codec, IntegersAreRangeChecked)
{
	small_t v;
	EXPECT_EQ(decode("{\"a\": 128}", &small_type, &v), DREAM_ERANGE);
	EXPECT_STREQ(diag.text, "small.a: 128 does not fit i8");
	EXPECT_EQ(decode("{\"a\": -129}", &small_type, &v), DREAM_ERANGE);
	EXPECT_EQ(decode("{\"b\": 256}", &small_type, &v), DREAM_ERANGE);
	EXPECT_EQ(decode("{\"b\": -1}", &small_type, &v), DREAM_ERANGE);
	EXPECT_STREQ(diag.text, "small.b: -1 does not fit u8");
	add_t add;
	EXPECT_EQ(
		decode("{\"by\": 9223372036854775808, \"and room\": \"for the wide load\"}", &add_type, &add),
		DREAM_ERANGE);
	EXPECT_EQ(decode("{\"by\": -9223372036854775808}", &add_type, &add), 0);
	EXPECT_EQ(add.by, INT64_MIN);
}

TEST_F(Codec, FloatsAcceptIntegersButDoNotOverflow)
{
	small_t v;
	EXPECT_EQ(decode("{\"c\": 3}", &small_type, &v), 0);
	EXPECT_EQ(v.c, 3.0f);
	EXPECT_EQ(decode("{\"c\": 1e39}", &small_type, &v), DREAM_ERANGE);
	EXPECT_EQ(decode("{\"c\": Infinity}", &small_type, &v), 0);
	EXPECT_TRUE(std::isinf(v.c));
}

TEST_F(Codec, AnErrorNamesThePath)
{
	bag_t bag;
	EXPECT_EQ(decode("{\"items\": [{}, {\"name\": 5}]}", &bag_type, &bag), DREAM_EDECODE);
	EXPECT_STREQ(diag.text, "bag.items[1].name: expected a text, found an integer");
}

TEST_F(Codec, CasesWithoutPayloadAreTexts)
{
	shape_t shape;
	ASSERT_EQ(decode("\"none\"", &shape_type, &shape), 0);
	EXPECT_EQ(shape.which, 1u);
	EXPECT_EQ(encode(&shape_type, &shape), "\"none\"");
	for (const char *same : {"[\"none\"]", "[\"none\", {}]", "[_ \"none\"]", "[_ \"none\", {}]"})
		EXPECT_EQ(decode(same, &shape_type, &shape), 0) << same;
}

TEST_F(Codec, AnUnknownCaseIsRefusedByName)
{
	shape_t shape;
	EXPECT_EQ(decode("[\"two\", {}]", &shape_type, &shape), DREAM_EDECODE);
	EXPECT_STREQ(diag.text, "shape: shape has no case \"two\"");
	EXPECT_EQ(decode("[\"one\", {}, 3]", &shape_type, &shape), DREAM_EDECODE);
}

TEST_F(Codec, AnUnsetVariantDoesNotEncode)
{
	bag_t bag = {};
	EXPECT_EQ(encode(&bag_type, &bag), "error: bag.shape: the variant shape is unset; set `which`");
}

TEST_F(Codec, ATextThatIsNotUtf8DoesNotEncode)
{
	item_t item = {{"\xff", 1}, 0};
	EXPECT_EQ(encode(&item_type, &item).substr(0, 17), "error: item.name:");
}

TEST_F(Codec, ATermThatIsNoItemDoesNotEncode)
{
	bag_t bag = {};
	bag.shape.which = 1;
	bag.extra = {reinterpret_cast<const uint8_t *>("\x82\x01"), 2};
	EXPECT_EQ(encode(&bag_type, &bag), "error: bag.extra: the term is not one well-formed CBOR item");
}

TEST_F(Codec, ATermInsideMayNotBreakTheCapOnNesting)
{
	std::vector<uint8_t> deep(NODE_MSG_DEPTH_MAX, 0x81);
	deep.push_back(0);
	bag_t bag = {};
	bag.shape.which = 1;
	bag.extra = {deep.data(), deep.size()};
	EXPECT_EQ(encode(&bag_type, &bag).substr(0, 17), "error: bag.extra:");
}

TEST_F(Codec, AListCannotAnnounceMoreThanItBrings)
{
	bag_t bag;
	EXPECT_EQ(decode(term::unhex("a1656974656d739affffffffa0"), &bag_type, &bag), DREAM_EDECODE);
	EXPECT_EQ(decode(term::unhex("a1656974656d739b0fffffffffffffffa0"), &bag_type, &bag), DREAM_EDECODE);
	EXPECT_EQ(arena.total_bytes, 0u);
}

TEST_F(Codec, AListBeyondTheArenasCapIsRefused)
{
	std::vector<uint8_t> item = term::unhex("a1656974656d739a01000000"); /* 2^24 items of 24 bytes */
	item.resize(item.size() + (1 << 24), 0xa0);
	bag_t bag;
	EXPECT_EQ(decode(item, &bag_type, &bag), DREAM_ELIMIT);
}

TEST_F(Codec, IndefiniteListsAndTextsDecode)
{
	bag_t bag;
	ASSERT_EQ(decode("{\"items\": [_ {\"name\": (_ \"ab\", \"c\")}, {}]}", &bag_type, &bag), 0)
		<< diag.text;
	EXPECT_EQ(bag.items.count, 2u);
	EXPECT_EQ(str(bag.items.items[0].name), "abc");
}

TEST_F(Codec, BorrowedTextsPointIntoTheMessage)
{
	std::vector<uint8_t> item = term::parse("{\"name\": \"nut\"}");
	arena.mem.borrow_bytes = true;
	node_cbor_reader_t r = node_cbor_read(item.data(), item.size());
	item_t value;
	ASSERT_EQ(node_codec_decode(&r, &node, &item_type, &arena.mem, &value, &diag), 0);
	EXPECT_GE(reinterpret_cast<const uint8_t *>(value.name.data), item.data());
	EXPECT_LT(reinterpret_cast<const uint8_t *>(value.name.data), item.data() + item.size());
}

TEST_F(Codec, APidOfThisNodeIsNumberZeroWithItsCreation)
{
	owner_t owner = {{7, 100, 0}, {8, 1, 3}};
	const char text[] =
		"{\"owner\": 26101([\"me@host\", 100, 7]), \"monitor\": 26102([\"other@host\", 1, 8])}";
	EXPECT_EQ(encode(&owner_type, &owner), text);
	owner_t back;
	ASSERT_EQ(decode(text, &owner_type, &back), 0) << diag.text;
	EXPECT_TRUE(dream_pid_equal(back.owner, owner.owner));
	EXPECT_TRUE(dream_ref_equal(back.monitor, owner.monitor));
}

TEST_F(Codec, APidOfAnEarlierIncarnationKeepsItsCreation)
{
	owner_t owner;
	ASSERT_EQ(decode("{\"owner\": 26101([\"me@host\", 99, 7])}", &owner_type, &owner), 0);
	EXPECT_EQ(owner.owner.node, 0u);
	EXPECT_EQ(owner.owner.creation, 99u);
}

TEST_F(Codec, NoPidIsNull)
{
	owner_t owner = {};
	EXPECT_EQ(encode(&owner_type, &owner), "{\"owner\": null, \"monitor\": null}");
	owner.owner.id = 5;
	ASSERT_EQ(decode("{\"owner\": null}", &owner_type, &owner), 0);
	EXPECT_EQ(owner.owner.id, 0u);
}

TEST_F(Codec, APidOfAnUnknownNodeIsRefused)
{
	owner_t owner;
	EXPECT_EQ(decode("{\"owner\": 26101([\"nobody@host\", 1, 7])}", &owner_type, &owner), DREAM_EDECODE);
	EXPECT_EQ(decode("{\"owner\": 26101([\"full@host\", 1, 7])}", &owner_type, &owner), DREAM_ELIMIT);
	EXPECT_EQ(decode("{\"owner\": 26102([\"me@host\", 1, 7])}", &owner_type, &owner), DREAM_EDECODE);
	EXPECT_EQ(decode("{\"owner\": 26101([\"me@host\", 4294967296, 7])}", &owner_type, &owner),
		DREAM_EDECODE);
	owner = {{1, 1, 9}, {}};
	EXPECT_EQ(encode(&owner_type, &owner).substr(0, 19), "error: owner.owner:");
}

TEST_F(Codec, TagsAreSplitFromTheirPayload)
{
	struct {
		const char *text;
		uint64_t payload_size;
	} cases[] = {{"\"get\"", 0}, {"[\"get\"]", 0}, {"[_ \"get\"]", 0}, {"[\"get\", 1]", 1},
		{"[_ \"get\", [1]]", 2}, {"[\"get\", {\"by\": 5}]", 5}};
	for (auto &c : cases) {
		std::vector<uint8_t> item = term::parse(c.text);
		dream_msg_t *msg = nullptr;
		ASSERT_EQ(node_msg_new(item.data(), item.size(), &msg), 0);
		const char *tag;
		uint64_t size;
		node_cbor_reader_t payload;
		ASSERT_EQ(node_codec_split_tag(msg, &tag, &size, &payload), 0) << c.text;
		EXPECT_EQ(std::string(tag, size), "get");
		EXPECT_EQ(static_cast<uint64_t>(payload.end - payload.at), c.payload_size) << c.text;
		node_msg_unref(msg);
	}
}

TEST_F(Codec, OtherItemsHaveNoTag)
{
	for (const char *text : {"1", "[]", "[1]", "[\"a\", 1, 2]", "[_ ]", "[_ \"a\", 1, 2]", "{\"a\": 1}",
		     "[(_ \"a\"), 1]"}) {
		std::vector<uint8_t> item = term::parse(text);
		dream_msg_t *msg = nullptr;
		ASSERT_EQ(node_msg_new(item.data(), item.size(), &msg), 0);
		const char *tag;
		uint64_t size;
		node_cbor_reader_t payload;
		EXPECT_EQ(node_codec_split_tag(msg, &tag, &size, &payload), DREAM_EDECODE) << text;
		node_msg_unref(msg);
	}
}

TEST_F(Codec, AnEmptyPayloadIsAZeroedValue)
{
	node_cbor_reader_t payload = node_cbor_read("", 0);
	add_t add = {9};
	EXPECT_EQ(node_codec_decode_payload(&payload, &node, &add_type, &arena.mem, &add, &diag), 0);
	EXPECT_EQ(add.by, 0);
}

TEST(CodecArena, BlocksAreZeroedAlignedAndFreed)
{
	node_codec_arena_t arena;
	node_codec_arena_init(&arena, false);
	memset(arena.fixed, 0xff, sizeof(arena.fixed));
	for (uint64_t size : {1u, 17u, 300u, 5000u, 16u, 100000u}) {
		auto *block = static_cast<uint8_t *>(arena.mem.alloc(&arena.mem, size));
		ASSERT_NE(block, nullptr);
		EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 16, 0u);
		for (uint64_t i = 0; i < size; i++)
			ASSERT_EQ(block[i], 0);
		memset(block, 0xff, size);
	}
	node_codec_arena_fini(&arena);
}

TEST(CodecKindName, SpellsNestedKinds)
{
	char buffer[64];
	EXPECT_STREQ(node_codec_kind_name(&bag_fields[0], buffer, sizeof(buffer)), "list(struct(item))");
	EXPECT_STREQ(node_codec_kind_name(&bag_fields[1], buffer, sizeof(buffer)), "opt(i32)");
	EXPECT_STREQ(node_codec_kind_name(&add_fields[0], buffer, sizeof(buffer)), "i64");
}

// ---- tables ----

TEST(CodecCheckType, TablesOfTheMacrosPass)
{
	node_diag_t diag = {};
	for (const dream_type_t *type :
		{&item_type, &shape_type, &add_type, &small_type, &bag_type, &owner_type, &dream_unit_type})
		EXPECT_EQ(node_codec_check_type(type, &diag), 0) << diag.text;
}

namespace
{

int check_with(dream_type_t type, node_diag_t *diag = nullptr)
{
	return node_codec_check_type(&type, diag);
}

} // namespace

TEST(CodecCheckType, WrongHeadersAreRefused)
{
	dream_type_t t = item_type;
	t.struct_size = 8;
	EXPECT_EQ(check_with(t), DREAM_ETYPE);
	t = item_type;
	t.form = 2;
	EXPECT_EQ(check_with(t), DREAM_ETYPE);
	t = item_type;
	t.name = nullptr;
	EXPECT_EQ(check_with(t), DREAM_ETYPE);
	t = item_type;
	t.fields = nullptr;
	EXPECT_EQ(check_with(t), DREAM_ETYPE);
	t = item_type;
	t.n_fields = 1025;
	EXPECT_EQ(check_with(t), DREAM_ETYPE);
	t = item_type;
	t.size = (1 << 20) + 1;
	EXPECT_EQ(check_with(t), DREAM_ETYPE);
	EXPECT_EQ(node_codec_check_type(nullptr, nullptr), DREAM_ETYPE);
}

TEST(CodecCheckType, FieldsThatDoNotAddUpAreRefused)
{
	node_diag_t diag = {};
	dream_type_t t = item_type;
	t.size += 8;
	EXPECT_EQ(check_with(t, &diag), DREAM_ETYPE);
	EXPECT_STREQ(diag.text,
		"type item: its fields do not add up to its size; were fields left out of the list?");
	t = shape_type;
	t.align = 4;
	EXPECT_EQ(check_with(t), DREAM_ETYPE);
}

TEST(CodecCheckType, WrongFieldsAreRefused)
{
	const dream_field_t bad[] = {
		{"x", 99, 8, 8, 0, 0, 0, nullptr, 1},
		{"x", DREAM_TYPE_NONE, 8, 8, 0, 0, 0, nullptr, 1},
		{"x", DREAM_TYPE_I64, 4, 8, 0, 0, 0, nullptr, 1},
		{"x", DREAM_TYPE_I64, 8, 0, 0, 0, 0, nullptr, 1},
		{"x", DREAM_TYPE_I64, 8, 3, 0, 0, 0, nullptr, 1},
		{nullptr, DREAM_TYPE_I64, 8, 8, 0, 0, 0, nullptr, 0},
		{"", DREAM_TYPE_I64, 8, 8, 0, 0, 0, nullptr, 0},
		{"\xff", DREAM_TYPE_I64, 8, 8, 0, 0, 0, nullptr, 1},
		{"x", DREAM_TYPE_I64, 8, 8, 0, 0, 0, nullptr, 0},
		{"x", DREAM_TYPE_I64, 8, 8, 0, 0, 0, nullptr, 2},
		{"x", DREAM_TYPE_STRUCT, 8, 8, 0, 0, 0, nullptr, 1},
		{"x", DREAM_TYPE_STRUCT, 4, 4, 0, 0, 0, &add_type, 1},
		{"x", DREAM_TYPE_LIST, 8, 8, DREAM_TYPE_I64, 8, 8, nullptr, 1},
		{"x", DREAM_TYPE_LIST, 16, 8, DREAM_TYPE_I64, 4, 8, nullptr, 1},
		{"x", DREAM_TYPE_LIST, 16, 8, DREAM_TYPE_LIST, 16, 8, nullptr, 1},
		{"x", DREAM_TYPE_OPT, 8, 8, DREAM_TYPE_I64, 8, 8, nullptr, 1},
		{"x", DREAM_TYPE_OPT, 8, 8, DREAM_TYPE_OPT, 16, 8, nullptr, 1},
	};
	for (const dream_field_t &field : bad) {
		dream_type_t t = {sizeof(dream_type_t), DREAM_FORM_STRUCT, "t", 0, 1, field.size, 8, &field};
		EXPECT_EQ(check_with(t), DREAM_ETYPE) << field.kind;
	}
}

TEST(CodecCheckType, AWrongLengthOfANameIsNamed)
{
	dream_field_t field = add_fields[0];
	field.name_size = 3;
	dream_type_t t = {sizeof(dream_type_t), DREAM_FORM_STRUCT, "t", 0, 1, 8, 8, &field};
	node_diag_t diag = {};
	EXPECT_EQ(check_with(t, &diag), DREAM_ETYPE);
	EXPECT_STREQ(diag.text,
		"type t, field by: its name_size is not the length of its name; describe it with DREAM_TYPE");
}

TEST(CodecCheckType, DuplicateNamesAreRefused)
{
	dream_field_t fields[2] = {add_fields[0], add_fields[0]};
	dream_type_t t = {sizeof(dream_type_t), DREAM_FORM_STRUCT, "t", 0, 2, 16, 8, fields};
	node_diag_t diag = {};
	EXPECT_EQ(check_with(t, &diag), DREAM_ETYPE);
	EXPECT_NE(strstr(diag.text, "field by"), nullptr);
}

TEST(CodecCheckType, ATypeThatContainsItselfIsRefused)
{
	dream_field_t field = {"next", DREAM_TYPE_LIST, 16, 8, DREAM_TYPE_STRUCT, 16, 8, nullptr, 4};
	dream_type_t t = {sizeof(dream_type_t), DREAM_FORM_STRUCT, "node", 0, 1, 16, 8, &field};
	field.sub = &t;
	EXPECT_EQ(node_codec_check_type(&t, nullptr), DREAM_ETYPE);
}
