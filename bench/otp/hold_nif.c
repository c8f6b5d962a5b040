/* SPDX-License-Identifier: MIT */
/* hold_nif.c: native code that computes for a time and lets nobody else in: what OTP has where a DREAM process has
 * its handlers. When it is done it gives the rest of its time slice away, as OTP asks of such code. */
#include <erl_nif.h>

static ERL_NIF_TERM hold_ms(ErlNifEnv *env, int argc, const ERL_NIF_TERM argv[])
{
	int ms;
	(void) argc;
	if (!enif_get_int(env, argv[0], &ms))
		return enif_make_badarg(env);
	ErlNifTime end = enif_monotonic_time(ERL_NIF_USEC) + (ErlNifTime) ms * 1000;
	while (enif_monotonic_time(ERL_NIF_USEC) < end)
		;
	(void) enif_consume_timeslice(env, 100);
	return enif_make_atom(env, "ok");
}

static ErlNifFunc functions[] = {{"hold_ms", 1, hold_ms, 0}};

ERL_NIF_INIT(bench_latency, functions, NULL, NULL, NULL, NULL)
