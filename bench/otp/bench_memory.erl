%% SPDX-License-Identifier: MIT
%% bench_memory: what processes cost that do nothing, and what a call and a cast cost beside many of them.
-module(bench_memory).
-export([run/1]).

-define(BATCH, 1000).
-define(HOT, 1000).
-define(CASTS, 20).
-define(SETTLE_MS, 60000).

run(idle_server) -> bench:print(idle_server, idle_servers(idle), "bytes");
run(idle_server_hibernated) -> bench:print(idle_server_hibernated, idle_servers(hibernate), "bytes");
run(idle_process) -> bench:print(idle_process, idle_processes(), "bytes");
run(curve) ->
	Curve = curve(?HOT, []),
	{FirstCall, FirstCast} = hd(Curve),
	{LastCall, LastCast} = lists:last(Curve),
	bench:print(curve_call, LastCall / FirstCall, "times"),
	bench:print(curve_cast, LastCast / FirstCast, "times").

%% ---- bytes

idle_servers(How) ->
	_ = bench:servers(How, 1), % its code is loaded before the count begins
	erlang:garbage_collect(),
	Before = bench:resident_bytes(),
	start_all(bench:large(), How),
	settle(erlang:monotonic_time(millisecond) + ?SETTLE_MS),
	erlang:garbage_collect(),
	(bench:resident_bytes() - Before) / bench:large().

start_all(0, _How) -> ok;
start_all(N, How) ->
	{ok, _} = gen_server:start(bench_counter, How, []),
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

idle_processes() ->
	N = max(?BATCH, bench:large() div 5), % as many as core/memory.c
	start_waiters(?BATCH),
	erlang:garbage_collect(),
	Before = bench:resident_bytes(),
	[start_waiters(?BATCH) || _ <- lists:seq(1, N div ?BATCH)],
	settle(erlang:monotonic_time(millisecond) + ?SETTLE_MS),
	erlang:garbage_collect(),
	(bench:resident_bytes() - Before) / (N div ?BATCH * ?BATCH).

start_waiters(N) ->
	Boss = self(),
	[spawn(fun() -> bench:done(Boss), bench:await_go() end) || _ <- lists:seq(1, N)],
	bench:await_done(N).

%% ---- a call and a cast among 1,000 to 1,000,000 servers

curve(N, Known) ->
	All = Known ++ bench:servers(idle, N - length(Known)),
	Shuffled = [Pid || {_, Pid} <- lists:sort([{erlang:phash2(Pid), Pid} || Pid <- All])],
	Hot = lists:sublist(Shuffled, ?HOT),
	settle(erlang:monotonic_time(millisecond) + ?SETTLE_MS),
	erlang:garbage_collect(),
	Call = measure("call", N, fun() -> call_all(Hot), ?HOT end),
	Cast = measure("cast", N, fun() -> cast_all(Hot, ?CASTS), call_all(Hot), ?HOT * (?CASTS + 1) end),
	[measure("call_all", N, fun() -> call_all(Shuffled), N end) || N > ?HOT],
	case N * 10 =< bench:large() of
		true -> [{Call, Cast} | curve(N * 10, All)];
		false -> [{Call, Cast}]
	end.

measure(What, N, Burst) ->
	Ns = 1.0e9 / bench:rate(Burst, 1 / 4),
	bench:print(What ++ "_of_" ++ integer_to_list(N), Ns, "ns"),
	Ns.

call_all([]) -> ok;
call_all([Pid | Pids]) ->
	_ = gen_server:call(Pid, {add, 1}, 5000),
	call_all(Pids).

cast_all(_Pids, 0) -> ok;
cast_all(Pids, N) ->
	[gen_server:cast(Pid, {add, 1}) || Pid <- Pids],
	cast_all(Pids, N - 1).
