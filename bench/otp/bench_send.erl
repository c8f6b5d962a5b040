%% SPDX-License-Identifier: MIT
%% bench_send: messages of plain processes, and casts.
-module(bench_send).
-export([run/1]).

-define(SENDERS, 100).
-define(EACH, 1000).
-define(RING, 1000).
-define(WORDS, 8192).
-define(SHARED_BYTES, 1048576).

run(pingpong) -> bench:print(pingpong, pingpong(), "messages/s");
run(cast_100_to_1) -> bench:print(cast_100_to_1, cast_crowd(idle), "messages/s");
run(cast_100_to_1_off_heap) -> bench:print(cast_100_to_1_off_heap, cast_crowd(off_heap), "messages/s");
run(send_100_to_1) -> bench:print(send_100_to_1, send_crowd(on_heap, ?SENDERS, ?EACH), "messages/s");
run(send_100_to_1_off_heap) ->
	bench:print(send_100_to_1_off_heap, send_crowd(off_heap, ?SENDERS, ?EACH), "messages/s");
run(send_1_to_1) -> bench:print(send_1_to_1, 1.0e9 / send_crowd(on_heap, 1, 100 * ?EACH), "ns");
run(ring_1000) -> bench:print(ring_1000, ring(), "messages/s");
run(big_1000) -> bench:print(big_1000, big_once(fun ordered/2), "messages/s");
run(big_1000_counted) -> bench:print(big_1000_counted, big(fun counted/2), "messages/s");
run(send_64k) ->
	Numbers = list_to_tuple(lists:seq(1, ?WORDS - 1)), % and a word that says how many
	bench:print(send_64k, 1.0e6 / acknowledged(Numbers, 10), "us");
run(send_1m) -> bench:print(send_1m, 1.0e6 / acknowledged(binary:copy(<<7>>, ?SHARED_BYTES), 100), "us").

%% ---- ping-pong

pingpong() ->
	Boss = self(),
	Echo = spawn(fun() -> echo(Boss) end),
	Echo ! x,
	bench:rate(fun() -> pass_on(Echo, 1000), 2000 end, 1).

echo(Peer) ->
	receive Message -> Peer ! Message end,
	echo(Peer).

pass_on(_Peer, 0) -> ok;
pass_on(Peer, N) ->
	receive Message -> Peer ! Message end,
	pass_on(Peer, N - 1).

%% ---- many to one

send_crowd(Queue, N, Each) ->
	Boss = self(),
	Sink = spawn_opt(fun() -> sink(Boss) end, [{message_queue_data, Queue}]),
	Senders = [spawn(fun() -> sender(Sink) end) || _ <- lists:seq(1, N)],
	bench:rate(fun() ->
		bench:send_go(Sink, N * Each),
		[bench:send_go(Sender, Each) || Sender <- Senders],
		bench:await_done(1),
		N * Each
	end, 1).

sink(Boss) ->
	bench:drop(bench:await_go()),
	bench:done(Boss),
	sink(Boss).

sender(Sink) ->
	send(Sink, bench:await_go()),
	sender(Sink).

send(_To, 0) -> ok;
send(To, N) ->
	To ! x,
	send(To, N - 1).

cast_crowd(How) ->
	Boss = self(),
	[Server] = bench:servers(How, 1),
	Casters = [spawn(fun() -> caster(Boss, Server) end) || _ <- lists:seq(1, ?SENDERS)],
	bench:rate(fun() -> _ = bench:go(Casters, ?EACH), ?SENDERS * ?EACH end, 1).

caster(Boss, Server) ->
	cast(Server, bench:await_go()),
	_ = gen_server:call(Server, {add, 1}, infinity), % behind all of our casts
	bench:done(Boss),
	caster(Boss, Server).

cast(_Server, 0) -> ok;
cast(Server, N) ->
	gen_server:cast(Server, {add, 1}),
	cast(Server, N - 1).

%% ---- ring

ring() ->
	Boss = self(),
	Links = [spawn(fun() -> receive {peer, Next} -> link(Boss, Next) end end) || _ <- lists:seq(1, ?RING)],
	[Pid ! {peer, Next} || {Pid, Next} <- lists:zip(Links, tl(Links) ++ [hd(Links)])],
	bench:team_rate(Links, 200, 1).

%% Each of the ring puts one token in, and sends Count times in all; so it receives as often.
link(Boss, Next) ->
	Count = bench:await_go(),
	Next ! x,
	pass_on(Next, Count - 1),
	bench:drop(1),
	bench:done(Boss),
	link(Boss, Next).

%% ---- all to all

%% Each sends a ping to each other one and answers each ping.
big(Await) ->
	Pids = pingers(Await),
	bench:rate(fun() -> _ = bench:go(Pids, 1), messages() end, 1).

%% A round takes seconds, so there is one.
big_once(Await) ->
	messages() / bench:go(pingers(Await), 1).

messages() -> 2 * ?RING * (?RING - 1).

pingers(Await) ->
	Boss = self(),
	Pids = [spawn(fun() -> pinger(Boss, Await) end) || _ <- lists:seq(1, ?RING)],
	[Pid ! {pids, lists:delete(Pid, Pids)} || Pid <- Pids],
	Pids.

pinger(Boss, Await) -> receive {pids, Pids} -> pinger(Boss, Await, Pids) end.

pinger(Boss, Await, Pids) ->
	1 = bench:await_go(),
	Await(Pids, length(Pids)),
	bench:done(Boss),
	pinger(Boss, Await, Pids).

%% As the program of that name in OTP's own suite: the pongs are waited for in the order of the pings.
ordered(Pids, N) -> ordered(Pids, [], N).

ordered([], [], 0) -> ok;
ordered([], [], Pings) -> receive {ping, From} -> From ! {pong, self()}, ordered([], [], Pings - 1) end;
ordered([], [Pong | Pongs] = All, Pings) ->
	receive
		{ping, From} -> From ! {pong, self()}, ordered([], All, Pings - 1);
		{pong, Pong} -> ordered([], Pongs, Pings)
	end;
ordered([Pid | Pids] = All, Pongs, Pings) ->
	receive
		{ping, From} -> From ! {pong, self()}, ordered(All, Pongs, Pings - 1)
	after 0 ->
		Pid ! {ping, self()},
		ordered(Pids, Pongs ++ [Pid], Pings)
	end.

%% As core/send.c: what is waited for is only counted.
counted(Pids, N) ->
	[Pid ! {ping, self()} || Pid <- Pids],
	await_all(2 * N).

await_all(0) -> ok;
await_all(N) ->
	receive
		{ping, From} -> From ! {pong, self()};
		{pong, _} -> ok
	end,
	await_all(N - 1).

%% ---- large ones

acknowledged(Message, Burst) ->
	Boss = self(),
	Reader = spawn(fun() -> reader(Boss) end),
	bench:rate(fun() -> acknowledged(Reader, Message, Burst), Burst end, 1).

acknowledged(_Reader, _Message, 0) -> ok;
acknowledged(Reader, Message, N) ->
	Reader ! Message,
	bench:drop(1),
	acknowledged(Reader, Message, N - 1).

reader(Boss) ->
	receive _ -> Boss ! x end,
	reader(Boss).
