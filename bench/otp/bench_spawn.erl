%% SPDX-License-Identifier: MIT
%% bench_spawn: processes that come and go.
-module(bench_spawn).
-export([run/1]).

-define(PARENTS, 2).
-define(BURST, 1000).

run(spawn_exit) ->
	Boss = self(),
	Parents = [spawn(fun() -> parent(Boss) end) || _ <- lists:seq(1, ?PARENTS)],
	bench:print(spawn_exit, bench:team_rate(Parents, 20, ?BURST), "processes/s");
run(spawn_monitor) ->
	bench:print(spawn_monitor, bench:rate(fun() -> watched(?BURST), ?BURST end, 1), "processes/s").

parent(Boss) ->
	bursts(bench:await_go()),
	bench:done(Boss),
	parent(Boss).

bursts(0) -> ok;
bursts(N) ->
	spawn_all(?BURST - 1),
	watched(1), % what a parent has asked for and nobody has run yet stays small
	bursts(N - 1).

spawn_all(0) -> ok;
spawn_all(N) ->
	spawn(fun() -> ok end),
	spawn_all(N - 1).

watched(0) -> ok;
watched(N) ->
	{_, Ref} = spawn_monitor(fun() -> ok end),
	receive {'DOWN', Ref, process, _, normal} -> ok end,
	watched(N - 1).
