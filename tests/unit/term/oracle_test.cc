// SPDX-License-Identifier: MIT
// libcbor as a second opinion: neither codec has seen the other's code.
#include "types.h"

#include <cbor.h>
#include <cstring>
#include <cstdlib>
#include <random>

#define READINGS(F) F(list(i32), of)
DREAM_TYPE(readings, READINGS);

namespace
{

/* A random item, written by both codecs at once. */
class Twins
{
      public:
	explicit Twins(unsigned seed) : random(seed)
	{
		node_cbor_init(&w);
	}
	~Twins()
	{
		node_cbor_fini(&w);
	}

	cbor_item_t *any(unsigned depth)
	{
		switch (random() % (depth > 0 ? 10 : 6)) {
		case 0:
			return integer();
		case 1:
			return number();
		case 2:
			return bytes();
		case 3:
			return text();
		case 4:
			return boolean();
		case 5:
			node_cbor_put_null(&w);
			return cbor_new_null();
		case 6:
		case 7:
			return array(depth - 1);
		case 8:
			return map(depth - 1);
		default:
			return tag(depth - 1);
		}
	}
	std::vector<uint8_t> ours()
	{
		return term::finish(&w);
	}

      private:
	uint64_t value()
	{
		return (static_cast<uint64_t>(random()) << 32 | random()) >> random() % 64;
	}

	cbor_item_t *integer()
	{
		uint64_t v = value();
		cbor_item_t *item = v <= 0xff         ? cbor_build_uint8(static_cast<uint8_t>(v))
				    : v <= 0xffff     ? cbor_build_uint16(static_cast<uint16_t>(v))
				    : v <= 0xffffffff ? cbor_build_uint32(static_cast<uint32_t>(v))
						      : cbor_build_uint64(v);
		bool negative = random() % 2 != 0 && v <= INT64_MAX;
		if (negative) {
			cbor_mark_negint(item);
			node_cbor_put_int(&w, -1 - static_cast<int64_t>(v));
		} else {
			node_cbor_put_uint(&w, v);
		}
		return item;
	}
	cbor_item_t *number()
	{
		double v = static_cast<double>(static_cast<int64_t>(value())) /
			   static_cast<double>(1 + value() % 1000);
		node_cbor_put_f64(&w, v);
		return cbor_build_float8(v);
	}
	cbor_item_t *bytes()
	{
		std::string data(value() % 70, static_cast<char>(random()));
		node_cbor_put_bytes(&w, data.data(), data.size());
		return cbor_build_bytestring(reinterpret_cast<cbor_data>(data.data()), data.size());
	}
	cbor_item_t *text()
	{
		std::string data(value() % 300, static_cast<char>('a' + random() % 26));
		node_cbor_put_text(&w, data.c_str());
		return cbor_build_stringn(data.data(), data.size());
	}
	cbor_item_t *boolean()
	{
		bool v = random() % 2 != 0;
		node_cbor_put_bool(&w, v);
		return cbor_build_bool(v);
	}
	cbor_item_t *array(unsigned depth)
	{
		size_t count = random() % 40;
		bool endless = random() % 2 != 0;
		cbor_item_t *item = endless ? cbor_new_indefinite_array() : cbor_new_definite_array(count);
		if (endless)
			node_cbor_put_array_start(&w);
		else
			node_cbor_put_array(&w, count);
		for (size_t i = 0; i < count; i++)
			EXPECT_TRUE(cbor_array_push(item, cbor_move(any(depth))));
		if (endless)
			node_cbor_put_break(&w);
		return item;
	}
	cbor_item_t *map(unsigned depth)
	{
		size_t count = random() % 30;
		bool endless = random() % 2 != 0;
		cbor_item_t *item = endless ? cbor_new_indefinite_map() : cbor_new_definite_map(count);
		if (endless)
			node_cbor_put_map_start(&w);
		else
			node_cbor_put_map(&w, count);
		for (size_t i = 0; i < count; i++) {
			cbor_item_t *key = any(0);
			cbor_item_t *content = any(depth);
			EXPECT_TRUE(cbor_map_add(item, {cbor_move(key), cbor_move(content)}));
		}
		if (endless)
			node_cbor_put_break(&w);
		return item;
	}
	cbor_item_t *tag(unsigned depth)
	{
		uint64_t number_of = value();
		if (number_of >= 6 &&
			number_of <= 20) /* libcbor 0.8 takes the unassigned ones for malformed */
			number_of += 100;
		if (number_of >= 64 && number_of <= 87) /* typed arrays, whose content is not any item */
			number_of += 100;
		node_cbor_put_tag(&w, number_of);
		cbor_item_t *item = cbor_new_tag(number_of);
		cbor_tag_set_item(item, cbor_move(any(depth)));
		return item;
	}

	std::mt19937 random;
	node_cbor_writer_t w;
};

std::vector<uint8_t> serialize(const cbor_item_t *item)
{
	unsigned char *data = nullptr;
	size_t cap = 0;
	size_t size = cbor_serialize_alloc(item, &data, &cap);
	std::vector<uint8_t> out(data, data + size);
	free(data);
	return out;
}

} // namespace

TEST(CborOracle, WhatLibcborWritesReadsLikeWhatWeWrite)
{
	for (unsigned seed = 0; seed < 300; seed++) {
		Twins twins(seed);
		cbor_item_t *item = twins.any(3);
		std::vector<uint8_t> theirs = serialize(item), ours = twins.ours();
		cbor_decref(&item);
		ASSERT_EQ(node_cbor_check(theirs.data(), theirs.size(), nullptr), 0) << seed;
		ASSERT_EQ(term::print(theirs), term::print(ours)) << seed;
	}
}

TEST(CborOracle, LibcborReadsWhatWeWriteAndWritesTheSameBytes)
{
	for (unsigned seed = 1000; seed < 1300; seed++) {
		Twins twins(seed);
		cbor_item_t *item = twins.any(3);
		cbor_decref(&item);
		std::vector<uint8_t> ours = twins.ours();
		cbor_load_result result;
		cbor_item_t *read = cbor_load(ours.data(), ours.size(), &result);
		ASSERT_NE(read, nullptr) << seed << " at byte " << result.error.position;
		EXPECT_EQ(result.read, ours.size());
		ASSERT_EQ(serialize(read), ours) << seed << " " << term::print(ours, 200);
		cbor_decref(&read);
	}
}

TEST(CborOracle, LibcborReadsALongListAsABytesOfTheNumbersBehindATag)
{
	int32_t numbers[40];
	for (int i = 0; i < 40; i++)
		numbers[i] = -1000000 * i;
	readings_t value = {{numbers, 40}};
	node_t node = {};
	node_cbor_writer_t w;
	node_cbor_init(&w);
	ASSERT_EQ(node_codec_encode(&w, &node, &readings_type, &value, nullptr), 0);
	std::vector<uint8_t> ours = term::finish(&w);
	cbor_load_result result;
	cbor_item_t *read = cbor_load(ours.data(), ours.size(), &result);
	ASSERT_NE(read, nullptr);
	ASSERT_EQ(cbor_map_size(read), 1u);
	cbor_item_t *list = cbor_map_handle(read)[0].value;
	ASSERT_TRUE(cbor_isa_tag(list));
	EXPECT_EQ(cbor_tag_value(list), __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 78u : 74u);
	cbor_item_t *content = cbor_move(cbor_tag_item(list));
	ASSERT_EQ(cbor_bytestring_length(content), sizeof(numbers));
	EXPECT_EQ(memcmp(cbor_bytestring_handle(content), numbers, sizeof(numbers)), 0);
	cbor_decref(&read);
}
