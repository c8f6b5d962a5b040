%% SPDX-License-Identifier: MIT
%% An echo server with gen_tcp as one writes it: a process for each connection, passive receives.
-module(otp_echo).
-export([main/0]).

main() ->
    {ok, Listener} = gen_tcp:listen(0, [binary, {active, false}, {nodelay, true}, {backlog, 1024},
                                        {ip, {127, 0, 0, 1}}, {reuseaddr, true}]),
    {ok, Port} = inet:port(Listener),
    [spawn_link(fun() -> accept(Listener) end) || _ <- [1, 2]],
    io:format("~w~n", [Port]),
    _ = io:get_line(""),
    halt(0).

accept(Listener) ->
    {ok, Socket} = gen_tcp:accept(Listener),
    Pid = spawn(fun() -> receive go -> echo(Socket) end end),
    ok = gen_tcp:controlling_process(Socket, Pid),
    Pid ! go,
    accept(Listener).

echo(Socket) ->
    case gen_tcp:recv(Socket, 0, 60000) of
        {ok, Data} -> ok = gen_tcp:send(Socket, Data), echo(Socket);
        {error, _} -> gen_tcp:close(Socket)
    end.
