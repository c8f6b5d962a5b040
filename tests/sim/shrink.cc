// SPDX-License-Identifier: MIT
#include "sim/shrink.h"

#include "sim/world.h"

namespace sim
{

static const int schedules =
	24; // tried for each smaller program: without an operation chance falls otherwise
static const int most_runs = 20000;

static bool fails(const Program &program)
{
	return !check(program, run(program)).rule.empty();
}

static bool fails_somehow(Program *program, int *runs)
{
	const uint64_t first = program->schedule;
	for (int i = 0; i < schedules && *runs < most_runs; i++) {
		++*runs;
		program->schedule = first + (uint64_t) i * UINT64_C(0x9e3779b97f4a7c15);
		if (fails(*program))
			return true;
	}
	return false;
}

Program shrink(const Program &program)
{
	Program best = program;
	int runs = 0;
	for (size_t size = best.ops.size() / 2; size > 0 && runs < most_runs;) {
		bool smaller = false;
		for (size_t at = 0; at + size <= best.ops.size();) {
			Program less = best;
			auto from = less.ops.begin() + (std::ptrdiff_t) at;
			less.ops.erase(from, from + (std::ptrdiff_t) size);
			if (fails_somehow(&less, &runs)) {
				best = less;
				smaller = true;
			} else {
				at += size;
			}
		}
		if (!smaller || size > best.ops.size())
			size /= 2;
	}
	return best;
}

} // namespace sim
