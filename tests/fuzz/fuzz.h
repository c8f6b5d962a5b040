/* SPDX-License-Identifier: MIT */
/* fuzz.h: entry points in libFuzzer's form: they abort on a broken promise and return 0 otherwise. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <dream/abi.h>

DREAM_BEGIN_DECLS

/** What passes the check prints as notation that parses back to an item that prints the same. */
int dream_fuzz_cbor(const uint8_t *data, size_t size_bytes);
/** What parses is well-formed, prints, and parses again to the same bytes. */
int dream_fuzz_notation(const uint8_t *data, size_t size_bytes);
/** What decodes into a described type encodes, and decodes again to equal bytes. */
int dream_fuzz_codec(const uint8_t *data, size_t size_bytes);

/* Stays in release builds, unlike assert. */
#define DREAM_FUZZ_MUST(condition)                                                                           \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			__builtin_trap();                                                                    \
	} while (0)

DREAM_END_DECLS
#endif
