// SPDX-License-Identifier: MIT
// world.h: runs a program on a node and writes down what happened. One thread, a virtual clock, one seed.
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H
#include "sim/history.h"

namespace sim
{

// Runs @program; ends when nothing will ever happen any more. The last event is Quiet unless it did not come to rest.
History run(const Program &program);

} // namespace sim
#endif
