%% SPDX-License-Identifier: MIT
%% bench: what the groups of cases share; the counterpart of core/bench.c. bench/run starts an emulator with
%%     -run bench main GROUP CASE WARM_MS RUN_MS LARGE
-module(bench).
-export([main/1, print/3, rate/2, run_ms/0, large/0, resident_bytes/0]).
-export([go/2, send_go/2, await_done/1, team_rate/3, await_go/0, done/1, drop/1, seconds_since/1, servers/2]).

main([Group, Case | Numbers]) ->
	[Warm, Run, Large] = [list_to_integer(N) || N <- Numbers],
	persistent_term:put(warm_ms, Warm),
	persistent_term:put(run_ms, Run),
	persistent_term:put(large, Large),
	%% In a process of its own: the one that evaluates the command line has a group leader's tasks.
	{_, Ref} = spawn_monitor(fun() -> (list_to_atom(Group)):run(list_to_atom(Case)) end),
	receive
		{'DOWN', Ref, process, _, normal} -> halt(0, [{flush, true}]);
		{'DOWN', Ref, process, _, Reason} -> io:format(standard_error, "~p~n", [Reason]), halt(1)
	end.

run_ms() -> persistent_term:get(run_ms).
large() -> persistent_term:get(large).

print(Name, Value, Unit) -> io:format("~s ~.4g ~s~n", [Name, float(Value), Unit]).

resident_bytes() ->
	{ok, File} = file:open("/proc/self/statm", [read, raw]),
	{ok, Line} = file:read_line(File),
	ok = file:close(File),
	[_, Pages | _] = string:lexemes(Line, " "),
	list_to_integer(Pages) * page_bytes().

page_bytes() -> list_to_integer(string:trim(os:cmd("getconf PAGESIZE"))).

%% ---- one process that works for a time

%% Calls Burst, which returns how many operations it did, for the warm-up and then for Share of the time.
rate(Burst, Share) ->
	_ = run_for(Burst, round(persistent_term:get(warm_ms) * Share)),
	run_for(Burst, round(run_ms() * Share)).

run_for(Burst, Ms) ->
	Begin = erlang:monotonic_time(),
	End = Begin + erlang:convert_time_unit(Ms, millisecond, native),
	Count = bursts(Burst, End, Burst()),
	Count / seconds_since(Begin).

bursts(Burst, End, Count) ->
	case erlang:monotonic_time() < End of
		true -> bursts(Burst, End, Count + Burst());
		false -> Count
	end.

seconds_since(Begin) ->
	erlang:convert_time_unit(erlang:monotonic_time() - Begin, native, nanosecond) / 1.0e9.

%% ---- a team: processes that start together, work, and say when they are done

send_go(Pid, Count) -> Pid ! {go, Count}.

await_done(0) -> ok;
await_done(N) -> receive done -> await_done(N - 1) end.

%% Lets each member work Count times; returns the seconds until all were done.
go(Pids, Count) ->
	Begin = erlang:monotonic_time(),
	[send_go(Pid, Count) || Pid <- Pids],
	await_done(length(Pids)),
	seconds_since(Begin).

%% Finds by a first round how often each member works in run_ms, and measures that.
team_rate(Pids, First, PerCount) ->
	Seconds = go(Pids, First),
	Count = max(First, round(First * run_ms() / 1000 / Seconds)),
	length(Pids) * Count * PerCount / go(Pids, Count).

await_go() -> receive {go, Count} -> Count end.

done(Boss) -> Boss ! done.

drop(0) -> ok;
drop(N) -> receive _ -> drop(N - 1) end.

servers(Arg, N) ->
	[begin {ok, Pid} = gen_server:start(bench_counter, Arg, []), Pid end || _ <- lists:seq(1, N)].
