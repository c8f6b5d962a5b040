// SPDX-License-Identifier: MIT
#include "types.h"

#include <cmath>

using term::hex;
using term::unhex;

namespace
{

struct vector_t {
	const char *bytes;
	const char *text;
};

/* RFC 8949 appendix A: those whose bytes are also what a preferred encoder writes. */
const vector_t both_ways[] = {
	{"00", "0"},
	{"01", "1"},
	{"0a", "10"},
	{"17", "23"},
	{"1818", "24"},
	{"1819", "25"},
	{"1864", "100"},
	{"1903e8", "1000"},
	{"1a000f4240", "1000000"},
	{"1b000000e8d4a51000", "1000000000000"},
	{"1bffffffffffffffff", "18446744073709551615"},
	{"3bffffffffffffffff", "-18446744073709551616"},
	{"20", "-1"},
	{"29", "-10"},
	{"3863", "-100"},
	{"3903e7", "-1000"},
	{"f90000", "0.0"},
	{"f98000", "-0.0"},
	{"f93c00", "1.0"},
	{"fb3ff199999999999a", "1.1"},
	{"f93e00", "1.5"},
	{"f97bff", "65504.0"},
	{"fa47c35000", "100000.0"},
	{"fa7f7fffff", "3.4028234663852886e+38"},
	{"fb7e37e43c8800759c", "1.0e+300"},
	{"f90001", "5.9604644775390625e-8"},
	{"f9c400", "-4.0"},
	{"fbc010666666666666", "-4.1"},
	{"f97c00", "Infinity"},
	{"f97e00", "NaN"},
	{"f9fc00", "-Infinity"},
	{"f4", "false"},
	{"f5", "true"},
	{"f6", "null"},
	{"f7", "undefined"},
	{"f0", "simple(16)"},
	{"f8ff", "simple(255)"},
	{"c074323031332d30332d32315432303a30343a30305a", "0(\"2013-03-21T20:04:00Z\")"},
	{"c11a514b67b0", "1(1363896240)"},
	{"c1fb41d452d9ec200000", "1(1363896240.5)"},
	{"c249010000000000000000", "2(h'010000000000000000')"},
	{"d74401020304", "23(h'01020304')"},
	{"d818456449455446", "24(h'6449455446')"},
	{"d82076687474703a2f2f7777772e6578616d706c652e636f6d", "32(\"http://www.example.com\")"},
	{"40", "h''"},
	{"4401020304", "h'01020304'"},
	{"60", "\"\""},
	{"6161", "\"a\""},
	{"6449455446", "\"IETF\""},
	{"62225c", "\"\\\"\\\\\""},
	{"62c3bc", "\"\u00fc\""},
	{"63e6b0b4", "\"\u6c34\""},
	{"64f0908591", "\"\U00010151\""},
	{"80", "[]"},
	{"83010203", "[1, 2, 3]"},
	{"8301820203820405", "[1, [2, 3], [4, 5]]"},
	{"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
		"[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
		"25]"},
	{"a0", "{}"},
	{"a201020304", "{1: 2, 3: 4}"},
	{"a26161016162820203", "{\"a\": 1, \"b\": [2, 3]}"},
	{"826161a161626163", "[\"a\", {\"b\": \"c\"}]"},
	{"a56161614161626142616361436164614461656145",
		"{\"a\": \"A\", \"b\": \"B\", \"c\": \"C\", \"d\": \"D\", \"e\": \"E\"}"},
	{"5f42010243030405ff", "(_ h'0102', h'030405')"},
	{"7f657374726561646d696e67ff", "(_ \"strea\", \"ming\")"},
	{"9fff", "[_ ]"},
	{"9f018202039f0405ffff", "[_ 1, [2, 3], [_ 4, 5]]"},
	{"9f01820203820405ff", "[_ 1, [2, 3], [4, 5]]"},
	{"83018202039f0405ff", "[1, [2, 3], [_ 4, 5]]"},
	{"83019f0203ff820405", "[1, [_ 2, 3], [4, 5]]"},
	{"bf61610161629f0203ffff", "{_ \"a\": 1, \"b\": [_ 2, 3]}"},
	{"826161bf61626163ff", "[\"a\", {_ \"b\": \"c\"}]"},
	{"bf6346756ef563416d7421ff", "{_ \"Fun\": true, \"Amt\": -2}"},
};

/* Wider forms of what has a shorter one, read only. */
const vector_t read_only[] = {{"fa7f800000", "Infinity"}, {"fa7fc00000", "NaN"}, {"faff800000", "-Infinity"},
	{"fb7ff0000000000000", "Infinity"}, {"fb7ff8000000000000", "NaN"},
	{"fbfff0000000000000", "-Infinity"}, {"1800", "0"}, {"1b0000000000000001", "1"},
	{"fb3ff8000000000000", "1.5"}};

int check(const std::vector<uint8_t> &bytes, node_diag_t *diag = nullptr)
{
	return node_cbor_check(bytes.data(), bytes.size(), diag);
}

std::vector<uint8_t> nested(unsigned depth, uint8_t opener)
{
	std::vector<uint8_t> out(depth, opener);
	out.push_back(0);
	return out;
}

} // namespace

TEST(CborAppendixA, EveryVectorPassesTheCheck)
{
	for (const vector_t &v : both_ways)
		EXPECT_EQ(check(unhex(v.bytes)), 0) << v.bytes;
	for (const vector_t &v : read_only)
		EXPECT_EQ(check(unhex(v.bytes)), 0) << v.bytes;
}

TEST(CborAppendixA, EveryVectorPrintsAsTheRfcSays)
{
	for (const vector_t &v : both_ways)
		EXPECT_EQ(term::print(unhex(v.bytes)), v.text) << v.bytes;
	for (const vector_t &v : read_only)
		EXPECT_EQ(term::print(unhex(v.bytes)), v.text) << v.bytes;
}

TEST(CborAppendixA, EveryNotationParsesToTheRfcsBytes)
{
	for (const vector_t &v : both_ways) {
		std::vector<uint8_t> item = term::parse(v.text);
		EXPECT_EQ(hex(item.data(), item.size()), v.bytes) << v.text;
	}
}

TEST(CborAppendixA, EveryVectorCutAtAnyByteIsRefused)
{
	for (const vector_t &v : both_ways) {
		std::vector<uint8_t> item = unhex(v.bytes);
		for (size_t size = 0; size < item.size(); size++) {
			std::vector<uint8_t> cut(item.begin(), item.begin() + static_cast<long>(size));
			EXPECT_EQ(check(cut), DREAM_EDECODE) << v.bytes << " at " << size;
			node_cbor_reader_t r = node_cbor_read(cut.data(), cut.size());
			EXPECT_EQ(node_cbor_skip(&r), DREAM_EDECODE);
		}
	}
}

TEST(CborCheck, MalformedItemsAreRefused)
{
	for (const char *bytes : {"1c", "1d", "1e", "3c", "5c", "7c", "9c", "bc", "dc", "fc", "1f", "3f",
		     "df", "ff", "f800", "f81f", "f818", "81ff", "bf01ff", "bf0102ff01", "5f6161ff",
		     "7f4161ff", "5f5f4101ffff", "0000", "61c3", "62c328", "63eda080", "64f8808080", "62c080",
		     "a1ff00"})
		EXPECT_EQ(check(unhex(bytes)), DREAM_EDECODE) << bytes;
}

TEST(CborCheck, HugeLengthsAndCountsAreRefusedWithoutWork)
{
	for (const char *bytes :
		{"5bffffffffffffffff", "7b7fffffffffffffff", "9bffffffffffffffff", "bbffffffffffffffff",
			"bb8000000000000000", "9b8000000000000000ff", "5affffffff00", "d9ffff"})
		EXPECT_EQ(check(unhex(bytes)), DREAM_EDECODE) << bytes;
}

TEST(CborCheck, NestingUpToTheCapPassesAndOneMoreDoesNot)
{
	for (uint8_t opener : {0x81, 0xc1}) {
		EXPECT_EQ(check(nested(NODE_MSG_DEPTH_MAX, opener)), 0);
		EXPECT_EQ(check(nested(NODE_MSG_DEPTH_MAX + 1, opener)), DREAM_ELIMIT);
		EXPECT_EQ(check(nested(1000000, opener)), DREAM_ELIMIT);
	}
}

TEST(CborCheck, TheDiagnosticNamesTheByte)
{
	node_diag_t diag = {};
	EXPECT_EQ(check(unhex("820161ff"), &diag), DREAM_EDECODE);
	EXPECT_STREQ(diag.text, "byte 3: a text is not UTF-8");
}

TEST(CborCheck, FirstItemOfALongerBufferIsMeasured)
{
	std::vector<uint8_t> bytes = unhex("8201020304");
	uint64_t used = 0;
	EXPECT_EQ(node_cbor_check_first(bytes.data(), bytes.size(), &used, nullptr), 0);
	EXPECT_EQ(used, 3u);
}

TEST(CborReader, AGetterOfAnotherKindLeavesTheReaderWhereItWas)
{
	std::vector<uint8_t> text = unhex("6161");
	node_cbor_reader_t r = node_cbor_read(text.data(), text.size());
	uint64_t u;
	int64_t i;
	double d;
	bool b;
	const uint8_t *data;
	EXPECT_EQ(node_cbor_get_uint(&r, &u), DREAM_EDECODE);
	EXPECT_EQ(node_cbor_get_int(&r, &i), DREAM_EDECODE);
	EXPECT_EQ(node_cbor_get_f64(&r, &d), DREAM_EDECODE);
	EXPECT_EQ(node_cbor_get_bool(&r, &b), DREAM_EDECODE);
	EXPECT_EQ(node_cbor_get_null(&r), DREAM_EDECODE);
	EXPECT_EQ(node_cbor_get_array(&r, &u), DREAM_EDECODE);
	EXPECT_EQ(node_cbor_get_map(&r, &u), DREAM_EDECODE);
	EXPECT_EQ(node_cbor_get_bytes(&r, &data, &u), DREAM_EDECODE);
	EXPECT_EQ(r.at, text.data());
	const char *found;
	EXPECT_EQ(node_cbor_get_text(&r, &found, &u), 0);
	EXPECT_EQ(std::string(found, u), "a");
}

TEST(CborReader, IntegersBeyondInt64AreOutOfRange)
{
	std::vector<uint8_t> large = unhex("1b8000000000000000"), least = unhex("3b7fffffffffffffff");
	node_cbor_reader_t r = node_cbor_read(large.data(), large.size());
	int64_t value = 0;
	EXPECT_EQ(node_cbor_get_int(&r, &value), DREAM_ERANGE);
	r = node_cbor_read(least.data(), least.size());
	EXPECT_EQ(node_cbor_get_int(&r, &value), 0);
	EXPECT_EQ(value, INT64_MIN);
}

TEST(CborReader, OfEqualKeysTheLastIsFound)
{
	std::vector<uint8_t> map = term::parse("{\"a\": 1, \"b\": [2], \"a\": 3}");
	const uint8_t *value;
	uint64_t size;
	EXPECT_EQ(node_cbor_map_find(map.data(), map.size(), "a", &value, &size), 0);
	EXPECT_EQ(hex(value, size), "03");
	EXPECT_EQ(node_cbor_map_find(map.data(), map.size(), "c", &value, &size), DREAM_ENOENT);
	EXPECT_EQ(node_cbor_map_find(map.data() + 1, 1, "c", &value, &size), DREAM_EDECODE);
}

TEST(CborWriter, GrowsBeyondItsStackBuffer)
{
	node_cbor_writer_t w;
	node_cbor_init(&w);
	node_cbor_put_array(&w, 1000);
	for (int i = 0; i < 1000; i++)
		node_cbor_put_text(&w, "0123456789");
	std::vector<uint8_t> item = term::finish(&w);
	EXPECT_EQ(item.size(), 3 + 11000u);
	EXPECT_EQ(check(item), 0);
}

TEST(CborWriter, TooLargeAnItemFailsAndTheFailureSticks)
{
	node_cbor_writer_t w;
	node_cbor_init(&w);
	std::vector<char> large(40 << 20, 'x');
	node_cbor_put_array(&w, 2);
	node_cbor_put_text_n(&w, large.data(), large.size());
	node_cbor_put_text_n(&w, large.data(), large.size());
	node_cbor_put_uint(&w, 1);
	dream_msg_t *msg = nullptr;
	EXPECT_EQ(node_cbor_finish(&w, &msg), DREAM_ELIMIT);
	EXPECT_EQ(msg, nullptr);
}

TEST(CborFloats, EveryHalfPrecisionNumberSurvives)
{
	for (uint32_t bits = 0; bits < 0x10000; bits++) {
		uint8_t bytes[3] = {0xf9, static_cast<uint8_t>(bits >> 8), static_cast<uint8_t>(bits)};
		node_cbor_reader_t r = node_cbor_read(bytes, 3);
		double value = 0;
		ASSERT_EQ(node_cbor_get_f64(&r, &value), 0);
		if (std::isnan(value))
			continue;
		node_cbor_writer_t w;
		node_cbor_init(&w);
		node_cbor_put_f64(&w, value);
		ASSERT_EQ(hex(w.data, w.size_bytes), hex(bytes, 3));
		node_cbor_fini(&w);
	}
}
