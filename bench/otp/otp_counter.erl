%% SPDX-License-Identifier: MIT
%% otp_counter: the server that is measured; the counterpart of apps/counter.
-module(otp_counter).
-behaviour(gen_server).
-export([init/1, handle_call/3, handle_cast/2]).

init(idle) -> {ok, 0};
init(hibernate) -> {ok, 0, hibernate}.

handle_call({add, By}, _From, Value) -> {reply, Value + By, Value + By}.

handle_cast({add, By}, Value) -> {noreply, Value + By}.
