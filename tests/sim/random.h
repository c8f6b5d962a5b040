// SPDX-License-Identifier: MIT
// random.h: the same numbers for the same seed, on every machine and with every library.
#ifndef TESTS_SIM_RANDOM_H
#define TESTS_SIM_RANDOM_H
#include <stdint.h>

class Random
{
      public:
	explicit Random(uint64_t seed) : state_(seed) {}
	// splitmix64
	uint64_t next()
	{
		uint64_t z = state_ += UINT64_C(0x9e3779b97f4a7c15);
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		return z ^ (z >> 31);
	}
	// 0 to n - 1
	int below(int n)
	{
		return (int) (next() % (uint64_t) n);
	}
	bool one_in(int n)
	{
		return below(n) == 0;
	}

      private:
	uint64_t state_;
};
#endif
