/* SPDX-License-Identifier: MIT */
/* counter.h: the server that is called, cast to and left idle: one number, typed handlers. */
#ifndef BENCH_CORE_COUNTER_H
#define BENCH_CORE_COUNTER_H
#include "bench.h"

#define ADD(F) F(i64, by)
#define VALUE(F) F(i64, value)
DREAM_TYPE(add, ADD);
DREAM_TYPE(value, VALUE);
DREAM_STATE(counter, VALUE, 1);

static dream_next_t on_add(counter_t *s, const add_t *add, value_t *reply)
{
	s->value += add->by;
	reply->value = s->value;
	return DREAM_REPLY;
}
DREAM_ON_CALL(on_add, "add", counter, add, value);

static dream_next_t on_cast(counter_t *s, const add_t *add)
{
	s->value += add->by;
	return DREAM_NOREPLY;
}
DREAM_ON_CAST(on_cast, "add", counter, add);

DREAM_SERVER(counter, counter, .calls = DREAM_HANDLERS(&on_add_handler),
	.casts = DREAM_HANDLERS(&on_cast_handler));

static inline int counter_add(dream_pid_t server, int64_t timeout_ms)
{
	add_t request = {1};
	value_t reply;
	return dream_call(dream_to(server), "add", &add_type, &request, &value_type, &reply, timeout_ms);
}

#endif
