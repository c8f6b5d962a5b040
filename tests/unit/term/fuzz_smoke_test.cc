// SPDX-License-Identifier: MIT
// A deterministic second of what libFuzzer does for hours: the same entries, with any compiler.
#include "types.h"

#include <random>
#include "fuzz.h"

namespace
{

using entry_t = int (*)(const uint8_t *, size_t);

/* Flips, inserts, removes, repeats; sometimes bytes that CBOR or the notation treat specially. */
void mutate(std::vector<uint8_t> &item, std::mt19937 &random)
{
	static const uint8_t special[] = {0, 0x17, 0x18, 0x1b, 0x5f, 0x7f, 0x80, 0xd8, 0x40, 0x4e, 0x56, 0x9b,
		0x9f, 0xa1, 0xbf, 0xc2, 0xf6, 0xfb, 0xff, '"', '[', '{', '(', '_', ',', '-', '/', '\\', '\''};
	size_t at = item.empty() ? 0 : random() % item.size();
	auto where = item.begin() + static_cast<long>(at);
	uint8_t byte = random() % 2 ? special[random() % sizeof(special)] : static_cast<uint8_t>(random());
	switch (random() % 4) {
	case 0:
		item.insert(where, byte);
		break;
	case 1:
		if (!item.empty())
			item.erase(where);
		break;
	case 2:
		if (!item.empty())
			item[at] = byte;
		break;
	default:
		if (item.size() < 4096) {
			std::vector<uint8_t> tail(where, item.end());
			item.insert(item.end(), tail.begin(), tail.end());
		}
	}
}

void smoke(entry_t entry, const std::vector<std::vector<uint8_t>> &corpus)
{
	std::mt19937 random(8949);
	for (int round = 0; round < 30000; round++) {
		std::vector<uint8_t> item = corpus[random() % corpus.size()];
		for (unsigned i = random() % 6; i > 0; i--)
			mutate(item, random);
		item.shrink_to_fit();
		entry(item.data(), item.size());
	}
}

const char *const texts[] = {
	"{\"a\": -5, \"b\": 9000000000, \"c\": 7, \"d\": 1.5, \"e\": 1e300, \"f\": true, \"g\": \"text\", "
	"\"h\": h'0102', \"i\": 26101([\"b@h\", 1, 2]), \"j\": null, \"k\": [1, {2: 3}], \"l\": 4}",
	"{\"m\": {\"name\": \"nut\", \"count\": 1, \"prices\": [1.5, 2]}, \"n\": [{\"name\": (_ \"a\", "
	"\"b\")}], \"p\": [1, \"x\"]}",
	"{\"o\": [\"none\", [\"one\", {\"count\": 3}], [_ \"one\", {}]], \"l\": null}",
	"[_ 1, [2, 3], {_ \"a\": (_ h'01', h'02')}]", "1(2(h'010203'))",
	"[0x1f, 0b101, 1.5e-7, -Infinity, simple(99)]",
	"[\"\\u00fc\\ud800\\udd51\\n\", b64'AQID', / comment / undefined, 18446744073709551616]"};

std::vector<std::vector<uint8_t>> items()
{
	std::vector<std::vector<uint8_t>> out;
	for (const char *text : texts)
		out.push_back(term::parse(text));
	/* Typed arrays, which have no notation of their own: "m" has prices of f32, big-endian, and "q" integers of u16
	 * where i32 are wanted; the last two are malformed. */
	for (const char *item : {"a1616da166707269636573d851483fc0000040000000", "a16171d845460100ffff0200",
		     "a16172d84f5008000000000000000900000000000000", "82d84043010203d8484180",
		     "a16171d845430100ff", "d84601"})
		out.push_back(term::unhex(item));
	return out;
}

} // namespace

TEST(FuzzSmoke, MutatedItemsKeepThePromisesOfCborAndNotation)
{
	smoke(dream_fuzz_cbor, items());
}

TEST(FuzzSmoke, MutatedNotationKeepsItsPromises)
{
	std::vector<std::vector<uint8_t>> corpus;
	for (const char *text : texts)
		corpus.emplace_back(text, text + strlen(text));
	smoke(dream_fuzz_notation, corpus);
}

TEST(FuzzSmoke, MutatedItemsKeepThePromisesOfTheCodec)
{
	smoke(dream_fuzz_codec, items());
}
