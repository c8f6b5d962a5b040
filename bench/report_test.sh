#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# report_test.sh: what bench/run makes of given samples: medians, ratios, bars, JSON, exit status. Nothing is timed.
set -uo pipefail
cd "$(dirname "$(readlink -f "$0")")/.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0

fail()
{
	printf 'FAILED %s: %s\n' "$current" "$1" >&2
	failures=$((failures + 1))
}

# The words of a figure's row, one space between them.
row() { grep -E "^$1 " "$scratch/out" | tr -s ' ' | sed 's/ $//'; }

expect_row() # FIGURE WORDS
{
	[ "$(row "$1")" = "$1 $2" ] || fail "the row is '$(row "$1")', not '$1 $2'"
}

expect_status() { [ "$status" -eq "$1" ] || fail "the status is $status, not $1: $(cat "$scratch/err")"; }
expect_error() { grep -qE "$1" "$scratch/err" || fail "no '$1' in: $(cat "$scratch/err")"; }

# Reports the samples of the standard input.
report() # ARGUMENT…
{
	cat >"$scratch/samples"
	bench/run "$@" --report "$scratch/samples" >"$scratch/out" 2>"$scratch/err"
	status=$?
}

json() # KEY…: what cmake's parser, the only one at hand everywhere, finds there
{
	cat >"$scratch/get.cmake" <<-END
	file(READ "$scratch/results.json" text)
	string(JSON found GET "\${text}" $*)
	file(WRITE "$scratch/found" "\${found}")
	END
	cmake -P "$scratch/get.cmake" 2>"$scratch/err" || fail "no $* in the JSON: $(cat "$scratch/err" "$scratch/results.json")"
	cat "$scratch/found"
}

expect_json() # VALUE KEY…
{
	local found
	found=$(json "${@:2}")
	[ "$found" = "$1" ] || fail "${*:2} is '$found', not '$1'"
}

test_the_ratio_is_the_median_of_the_pairs_ratios_not_the_ratio_of_the_medians()
{
	report <<-END
	otp 1 call_1 100 calls/s
	dream 1 call_1 800 calls/s
	otp 2 call_1 200 calls/s
	dream 2 call_1 1200 calls/s
	otp 3 call_1 400 calls/s
	dream 3 call_1 1000 calls/s
	END
	expect_status 0
	expect_row call_1 "200 1000 calls/s 800..1200 6 2.5..8 >= 6 x met"
}

test_of_two_pairs_the_median_lies_between()
{
	report <<-END
	otp 1 pingpong 100 messages/s
	dream 1 pingpong 300 messages/s
	otp 2 pingpong 100 messages/s
	dream 2 pingpong 400 messages/s
	END
	expect_row pingpong "100 350 messages/s 300..400 3.5 3..4 >= 4 x missed"
}

test_less_is_better_unless_it_is_per_second()
{
	report <<-END
	otp 1 call_full 900 ns
	dream 1 call_full 100 ns
	END
	expect_row call_full "900 100 ns 100..100 9 9..9 >= 6 x met"
}

test_an_absolute_bar_needs_no_otp()
{
	report --check <<-END
	dream 1 idle_server 350 bytes
	END
	expect_status 0
	expect_row idle_server "- 350 bytes 350..350 - - <= 350 met"
}

test_a_relative_bar_is_not_judged_without_otp()
{
	report --check <<-END
	dream 1 call_1 1 calls/s
	END
	expect_status 0
	expect_row call_1 "- 1 calls/s 1..1 - - >= 6 x"
}

test_check_names_each_figure_below_its_bar_and_ends_with_3()
{
	report --check <<-END
	otp 1 call_1 1000000 calls/s
	dream 1 call_1 5900000 calls/s
	otp 1 pingpong 1000000 messages/s
	dream 1 pingpong 4000000 messages/s
	dream 1 idle_server 351 bytes
	END
	expect_status 3
	expect_error '^below its bar: call_1 is 5.9 times as good as OTP, not 6$'
	expect_error '^below its bar: idle_server is 351 bytes, more than 350$'
	! grep -q pingpong "$scratch/err" || fail "pingpong meets its bar and is named"
}

test_a_case_that_failed_meets_no_bar()
{
	report --check --failed hold <<-END
	otp 1 hold_p99 400000 us
	dream 1 idle_server 350 bytes
	END
	expect_status 3
	expect_row hold_p99 "400k - us - - - <= 5000 missed"
	expect_error '^below its bar: hold_p99 has no figure, its case failed$'
}

test_without_check_a_missed_bar_is_no_failure()
{
	report <<-END
	dream 1 idle_server 351 bytes
	END
	expect_status 0
}

test_what_otp_knows_another_way_of_is_held_against_dreams_one_way()
{
	report <<-END
	dream 1 send_100_to_1 3000 messages/s
	otp 1 send_100_to_1_off_heap 1000 messages/s
	END
	expect_row send_100_to_1_off_heap "1000 3000 messages/s 3000..3000 3 3..3 >= 2.5 x met"
}

test_a_figure_that_is_not_in_the_list_is_refused()
{
	report <<-END
	dream 1 cal_1 3000 calls/s
	END
	expect_status 1
	expect_error 'cal_1 is not in bench/figures'
}

test_the_json_is_whole_and_holds_what_the_table_shows()
{
	report --json "$scratch/results.json" <<-END
	otp 1 call_1 822700 calls/s
	dream 1 call_1 1.234e+07 calls/s
	otp 2 call_1 822700 calls/s
	dream 2 call_1 8227000 calls/s
	dream 1 idle_server 417.5 bytes
	END
	expect_status 0
	expect_json 2 pairs
	expect_json call_1 results 0 name
	expect_json 822700 results 0 otp median
	expect_json 8227000 results 0 dream least
	expect_json 12340000 results 0 dream runs 0
	expect_json ON results 0 met # cmake's word for true
	expect_json '>= 6 x' results 0 bar
	expect_json "" results 1 otp
	expect_json 417.5 results 1 dream median
	expect_json OFF results 1 met
	[ -n "$(json cpu)$(json kernel)$(json commit)" ] || fail "the machine is not described"
}

test_two_builds_are_compared_without_bars()
{
	report compare old new --check --json "$scratch/results.json" <<-END
	a 1 call_1 100 calls/s
	b 1 call_1 110 calls/s
	a 1 call_full 100 ns
	b 1 call_full 80 ns
	END
	expect_status 0
	expect_row call_1 "100 110 calls/s 110..110 1.1 1.1..1.1"
	expect_row call_full "100 80 ns 80..80 1.25 1.25..1.25"
	expect_json new right
	expect_json 80 results 1 b median
}

test_wrong_arguments_are_refused_with_a_reason()
{
	report --pairs 0 </dev/null
	expect_status 1
	expect_error 'takes 1 to 99'
	report --nonsense </dev/null
	expect_error 'no option --nonsense'
	report no_such_case </dev/null
	expect_error "no case 'no_such_case'"
	report compare only_one </dev/null
	expect_error 'compare needs two'
}

test_each_figure_has_a_case_that_both_sides_know()
{
	local figure name group dream bar known
	while read -r figure name group dream bar; do
		[[ $figure != \#* && -n $figure && $group != node ]] || continue
		known=$(grep -cE "^run\($name\) ->" "bench/otp/bench_$group.erl")
		[ "$known" -eq 1 ] || fail "bench/otp/bench_$group.erl has no run($name)"
		[ "$dream" != = ] || grep -qF "{\"$name\", " "bench/core/$group.c" ||
			fail "bench/core/$group.c has no case $name"
		[[ $bar =~ ^(-|x[0-9.]+|<=[0-9.]+)$ ]] || fail "$figure has the bar '$bar'"
	done <bench/figures
}

for current in $(compgen -A function test_); do
	"$current"
done
printf '%d of %d failed\n' "$failures" "$(compgen -A function test_ | wc -l)"
[ "$failures" -eq 0 ]
