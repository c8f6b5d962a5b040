%% SPDX-License-Identifier: MIT
%% bench_call: calls of a server, by one client and by a thousand.
-module(bench_call).
-export([run/1]).

-define(BURST, 1000).
-define(CLIENTS, 1000).
-define(FILLED, 100000).

run(call_1) -> bench:print(call_1, call_one(5000), "calls/s");
run(call_1_forever) -> bench:print(call_1_forever, call_one(infinity), "calls/s");
run(call_1000_to_1) -> bench:print(call_1000_to_1, call_many(1), "calls/s");
run(call_1000_to_1000) -> bench:print(call_1000_to_1000, call_many(?CLIENTS), "calls/s");
%% The same in an emulator with one scheduler, where OTP is faster.
run(call_1000_to_1000_s1) -> bench:print(call_1000_to_1000_s1, call_many(?CLIENTS), "calls/s");
run(call_full) ->
	[self() ! x || _ <- lists:seq(1, ?FILLED)],
	bench:print(call_full, 1.0e9 / call_one(5000), "ns").

call_one(Timeout) ->
	[Server] = bench:servers(idle, 1),
	bench:rate(fun() -> call(Server, Timeout, ?BURST), ?BURST end, 1).

call(_Server, _Timeout, 0) -> ok;
call(Server, Timeout, N) ->
	_ = gen_server:call(Server, {add, 1}, Timeout),
	call(Server, Timeout, N - 1).

call_many(Count) ->
	Boss = self(),
	Servers = bench:servers(idle, Count),
	Each = lists:append(lists:duplicate(?CLIENTS div Count, Servers)),
	bench:team_rate([spawn(fun() -> client(Boss, Server) end) || Server <- Each], 50, 1).

client(Boss, Server) ->
	call(Server, 5000, bench:await_go()),
	bench:done(Boss),
	client(Boss, Server).
