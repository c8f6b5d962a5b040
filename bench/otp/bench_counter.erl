%% SPDX-License-Identifier: MIT
%% bench_counter: the server that is called, cast to and left idle: one number.
-module(bench_counter).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).

init(idle) -> {ok, 0};
init(hibernate) -> {ok, 0, hibernate};
init(off_heap) ->
	process_flag(message_queue_data, off_heap),
	{ok, 0}.

handle_call({add, By}, _From, Value) -> {reply, Value + By, Value + By}.

handle_cast({add, By}, Value) -> {noreply, Value + By}.
