%% SPDX-License-Identifier: MIT
%% otp_bench: what Erlang/OTP does in the same cases, a line NAME VALUE UNIT for each; called by bench/run.
%%
%% Rates are counted for about a second, after a warm-up. Where OTP knows a faster way than the usual one, the usual
%% one has a second name: call_1 waits for ever (no timer), call_1_5s is gen_server:call/2 with its five seconds.
-module(otp_bench).
-export([main/1]).

-define(WARM_MS, 200).
-define(RUN_MS, 1000).
-define(CLIENTS, 1000).
-define(BURST, 1000).
-define(IDLE, 1000000).
-define(SETTLE_MS, 60000).

main([Name]) ->
	run(Name),
	halt(0).

run(call_1) -> print(call_1, call_one(infinity), 'calls/s');
run(call_1_5s) -> print(call_1_5s, call_one(5000), 'calls/s');
run(call_1000) -> print(call_1000, call_many(infinity), 'calls/s');
run(call_1000_5s) -> print(call_1000_5s, call_many(5000), 'calls/s');
run(idle_bytes) -> print(idle_bytes, idle_bytes(idle), bytes);
run(idle_bytes_hibernated) -> print(idle_bytes_hibernated, idle_bytes(hibernate), bytes);
run(spawn_exit) -> print(spawn_exit, rate(fun spawn_burst/0), 'processes/s');
run(spawn_monitor) -> print(spawn_monitor, rate(fun monitor_burst/0), 'processes/s').

print(Name, Value, Unit) -> io:format("~s ~.1f ~s~n", [Name, float(Value), Unit]).

%% ---- calls

call_one(Timeout) ->
	{ok, Server} = gen_server:start(otp_counter, idle, []),
	rate(fun() -> call(Server, Timeout, ?BURST), ?BURST end).

call(_Server, _Timeout, 0) -> ok;
call(Server, Timeout, N) ->
	_ = gen_server:call(Server, {add, 1}, Timeout),
	call(Server, Timeout, N - 1).

%% Each client has a server of its own and calls it equally often; the last one to end stops the clock.
call_many(Timeout) ->
	Servers = [Server || {ok, Server} <- [gen_server:start(otp_counter, idle, []) || _ <- lists:seq(1, ?CLIENTS)]],
	Warm = call_round(Servers, Timeout, 200),
	Each = max(100, round(Warm * ?RUN_MS / 1000 / ?CLIENTS)),
	call_round(Servers, Timeout, Each).

call_round(Servers, Timeout, Each) ->
	Clients = [spawn_monitor(fun() -> client(Server, Timeout, Each) end) || Server <- Servers],
	Begin = erlang:monotonic_time(),
	[Pid ! go || {Pid, _} <- Clients],
	[receive {'DOWN', Ref, process, _, normal} -> ok end || {_, Ref} <- Clients],
	?CLIENTS * Each / seconds_since(Begin).

client(Server, Timeout, Each) ->
	receive go -> call(Server, Timeout, Each) end.

%% ---- processes that come and go

%% A burst has ended when its processes are gone, not when they were asked for.
spawn_burst() ->
	Before = erlang:system_info(process_count),
	spawn_all(?BURST),
	wait_for_count(Before),
	?BURST.

spawn_all(0) -> ok;
spawn_all(N) ->
	spawn(fun() -> ok end),
	spawn_all(N - 1).

wait_for_count(Before) ->
	case erlang:system_info(process_count) =< Before of
		true -> ok;
		false -> erlang:yield(), wait_for_count(Before)
	end.

%% One at a time: spawn, exit, DOWN.
monitor_burst() ->
	monitor_all(?BURST),
	?BURST.

monitor_all(0) -> ok;
monitor_all(N) ->
	{_, Ref} = spawn_monitor(fun() -> ok end),
	receive {'DOWN', Ref, process, _, normal} -> ok end,
	monitor_all(N - 1).

%% ---- memory

idle_bytes(How) ->
	{ok, _} = gen_server:start(otp_counter, How, []), % its code is loaded before the count begins
	erlang:garbage_collect(),
	Before = resident_bytes(),
	start_all(?IDLE, How),
	settle(erlang:monotonic_time(millisecond) + ?SETTLE_MS),
	erlang:garbage_collect(),
	(resident_bytes() - Before) / ?IDLE.

start_all(0, _How) -> ok;
start_all(N, How) ->
	{ok, _} = gen_server:start(otp_counter, How, []),
	start_all(N - 1, How).

%% A server acknowledges its start before it sleeps: wait until this process alone is active.
settle(Deadline) ->
	case erlang:statistics(total_active_tasks_all) =< 1 of
		true -> ok;
		false ->
			true = erlang:monotonic_time(millisecond) < Deadline,
			erlang:yield(),
			settle(Deadline)
	end.

resident_bytes() ->
	{ok, File} = file:open("/proc/self/statm", [read, raw]),
	{ok, Line} = file:read_line(File),
	ok = file:close(File),
	[_, Pages | _] = string:lexemes(Line, " "),
	list_to_integer(Pages) * page_bytes().

page_bytes() -> list_to_integer(string:trim(os:cmd("getconf PAGESIZE"))).

%% ---- time

%% Once a burst has run for ?WARM_MS, counts what it returns for ?RUN_MS.
rate(Burst) ->
	_ = rate(Burst, ?WARM_MS),
	rate(Burst, ?RUN_MS).

rate(Burst, Ms) ->
	Begin = erlang:monotonic_time(),
	End = Begin + erlang:convert_time_unit(Ms, millisecond, native),
	bursts(Burst, End, 0) / seconds_since(Begin).

bursts(Burst, End, Count) ->
	case erlang:monotonic_time() < End of
		true -> bursts(Burst, End, Count + Burst());
		false -> Count
	end.

seconds_since(Begin) ->
	erlang:convert_time_unit(erlang:monotonic_time() - Begin, native, nanosecond) / 1.0e9.
