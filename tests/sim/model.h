// SPDX-License-Identifier: MIT
// model.h: says of a history whether the rules allow it. It knows the rules (semantics, by number) and nothing of the
// node: only what processes did and what they saw.
//
// Where the rules leave something open (which of two senders came first, whether a signal was handled before or
// after a flag changed) every outcome is allowed; "may" and "must" below are those two bounds.
#ifndef TESTS_SIM_MODEL_H
#define TESTS_SIM_MODEL_H
#include "sim/history.h"

namespace sim
{

struct Violation {
	size_t at = 0; // the event that is not allowed; the history's length: something is missing at its end
	std::string rule; // empty: all is well
	std::string text;
};

// The first event that breaks a rule.
Violation check(const Program &program, const History &history);

} // namespace sim
#endif
