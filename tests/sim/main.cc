// SPDX-License-Identifier: MIT
// sim SEED              replays one seed and prints what happened
// sim --seeds N [--from S]   runs N seeds; the first that breaks a rule is made small and printed
// sim --minutes N [--from S] the same until the time is over
// sim --find N          the other way round: fails unless a rule is broken within N seeds (planted faults)
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "sim/shrink.h"
#include "sim/world.h"

namespace
{

using Clock = std::chrono::steady_clock;

struct Options {
	uint64_t from = 0;
	uint64_t seeds = 0;
	double minutes = 0;
	bool find = false;
	bool replay = false;
};

int usage()
{
	fprintf(stderr,
		"usage: sim SEED | --seeds N [--from S] | --minutes N [--from S] | --find N [--from S]\n"
		"all numbers are whole and not negative\n");
	return 2;
}

bool parse_number(const char *text, uint64_t *ret)
{
	char *end;
	if (text == nullptr || text[0] < '0' || text[0] > '9')
		return false;
	*ret = strtoull(text, &end, 10);
	return *end == '\0';
}

bool parse(int argc, char **argv, Options *options)
{
	for (int i = 1; i < argc; i++) {
		uint64_t number;
		const std::string what = argv[i];
		bool option = what.compare(0, 2, "--") == 0;
		if (!parse_number(option ? argv[++i < argc ? i : 0] : argv[i], &number))
			return false;
		if (!option) {
			options->replay = true;
			options->from = number;
		} else if (what == "--from") {
			options->from = number;
		} else if (what == "--seeds" || what == "--find") {
			options->seeds = number;
			options->find = what == "--find";
		} else if (what == "--minutes") {
			options->minutes = (double) number;
		} else {
			return false;
		}
	}
	return options->replay || options->seeds > 0 || options->minutes > 0;
}

void print_verdict(const sim::Program &program, const sim::History &history, const sim::Violation &v)
{
	fputs(sim::trace(program, history).c_str(), stdout);
	if (v.rule.empty()) {
		printf("seed %llu: no rule is broken\n", (unsigned long long) program.seed);
		return;
	}
	std::string where = v.at < history.size() ? "at " + std::to_string(v.at) : "in the end";
	std::string who = v.at < history.size() && history[v.at].actor >= 0
				  ? sim::actor_text(history[v.at].actor) + ": "
				  : "";
	printf("rule %s is broken %s: %s%s\n", v.rule.c_str(), where.c_str(), who.c_str(), v.text.c_str());
}

int replay(uint64_t seed)
{
	const sim::Program program = sim::make_program(seed);
	const sim::History history = sim::run(program);
	const sim::Violation violation = sim::check(program, history);
	print_verdict(program, history, violation);
	return violation.rule.empty() ? 0 : 1;
}

void report(const sim::Program &program, const sim::Violation &violation)
{
	const sim::Program small = sim::shrink(program);
	const sim::History history = sim::run(small);
	printf("seed %llu breaks rule %s: %s\n", (unsigned long long) program.seed, violation.rule.c_str(),
		violation.text.c_str());
	printf("made small, %zu of %zu operations are left:\n", small.ops.size(), program.ops.size());
	print_verdict(small, history, sim::check(small, history));
	printf("the whole of it: ./dev sim %llu\n", (unsigned long long) program.seed);
}

int hunt(const Options &options)
{
	const Clock::time_point start = Clock::now();
	const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
	uint64_t n = 0;
	for (; options.minutes > 0 ? seconds() < options.minutes * 60 : n < options.seeds; n++) {
		const sim::Program program = sim::make_program(options.from + n);
		const sim::Violation violation = sim::check(program, sim::run(program));
		if (violation.rule.empty())
			continue;
		report(program, violation);
		printf("found after %llu seeds\n", (unsigned long long) (n + 1));
		return options.find ? 0 : 1;
	}
	printf("%llu seeds from %llu, %.0f a second: no rule is broken\n", (unsigned long long) n,
		(unsigned long long) options.from, (double) n / seconds());
	return options.find ? 1 : 0;
}

} // namespace

int main(int argc, char **argv)
{
	Options options;
	if (!parse(argc, argv, &options))
		return usage();
	return options.replay ? replay(options.from) : hunt(options);
}
