// SPDX-License-Identifier: MIT
// shrink.h: makes a failing program as small as it can while it still fails.
#ifndef TESTS_SIM_SHRINK_H
#define TESTS_SIM_SHRINK_H
#include "sim/model.h"

namespace sim
{

// @program fails; the result fails too, not always by the same rule.
Program shrink(const Program &program);

} // namespace sim
#endif
