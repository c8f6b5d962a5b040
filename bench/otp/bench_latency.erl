%% SPDX-License-Identifier: MIT
%% bench_latency: how long a call takes, made a thousand times a second, beside processes that are never done.
-module(bench_latency).
-export([run/1, hold_ms/1]).

-define(BUSY, 4).
-define(HOLD_MS, 20).
-define(RUN_TIMES, 3).
-define(PAUSE_MS, 1).
-define(GRAIN_US, 2000).

run(spin) -> latency("spin", fun spin/0);
run(hold) ->
	ok = erlang:load_nif(filename:join(filename:dirname(code:which(?MODULE)), "hold_nif"), 0),
	latency("hold", fun hold/0).

%% Replaced by otp/hold_nif.c: computes without a thought for others.
hold_ms(_Ms) -> erlang:nif_error(not_loaded).

spin() -> spin().

hold() ->
	hold_ms(?HOLD_MS),
	hold().

latency(Name, Busy) ->
	[Server] = bench:servers(idle, 1),
	[spawn(Busy) || _ <- lists:seq(1, ?BUSY)],
	End = erlang:monotonic_time(millisecond) + bench:run_ms() * ?RUN_TIMES,
	Sorted = list_to_tuple(lists:sort(samples(Server, End, []))),
	[bench:print(Name ++ Part, part(Sorted, Share), "us")
		|| {Part, Share} <- [{"_p50", 0.5}, {"_p99", 0.99}, {"_p999", 0.999}]].

part(Sorted, Share) -> element(1 + trunc((tuple_size(Sorted) - 1) * Share), Sorted).

samples(Server, End, Samples) ->
	case Samples =:= [] orelse erlang:monotonic_time(millisecond) < End of
		true -> samples(Server, End, [sample(Server) | Samples]);
		false -> Samples
	end.

%% A caller that is woken later than its timer's grain explains has waited as much as one whose call took long.
sample(Server) ->
	Begin = erlang:monotonic_time(),
	receive after ?PAUSE_MS -> ok end,
	Woken = erlang:monotonic_time(),
	_ = gen_server:call(Server, {add, 1}, infinity),
	End = erlang:monotonic_time(),
	us(End - Woken) + max(0, us(Woken - Begin) - ?PAUSE_MS * 1000 - ?GRAIN_US).

us(Native) -> erlang:convert_time_unit(Native, native, nanosecond) / 1000.
