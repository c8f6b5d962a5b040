%% SPDX-License-Identifier: MIT
%% bench_timer: timers that are cancelled, as nearly all are, and a million that wait.
-module(bench_timer).
-export([run/1]).

-define(BURST, 1000).
-define(SHORT_MS, 5000).
-define(LONG_MS, 3600000).

run(timer_cancel) ->
	bench:print(timer_cancel, bench:rate(fun() -> cancelled(?BURST), ?BURST end, 1), "pairs/s");
run(timer_million) ->
	erlang:garbage_collect(),
	Before = bench:resident_bytes(),
	Begin = erlang:monotonic_time(),
	waiting(bench:large()),
	Seconds = bench:seconds_since(Begin),
	bench:print(timer_start, bench:large() / Seconds, "timers/s"),
	erlang:garbage_collect(),
	bench:print(timer_bytes, (bench:resident_bytes() - Before) / bench:large(), "bytes").

cancelled(0) -> ok;
cancelled(N) ->
	_ = erlang:cancel_timer(erlang:send_after(?SHORT_MS, self(), timeout)),
	cancelled(N - 1).

waiting(0) -> ok;
waiting(N) ->
	_ = erlang:send_after(?LONG_MS + N rem 1000, self(), timeout),
	waiting(N - 1).
