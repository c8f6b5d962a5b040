/* SPDX-License-Identifier: MIT */
/* counter 1.0.0: an application of one supervised server that adds up. README.md explains it. */
#include <dream/dream.h>

/* What the configuration says, what is said to the server, and what it keeps: each list makes a struct and its description. */
#define COUNTER_ENV(F) F(i64, start)
#define COUNTER_ADD(F) F(i64, by)
#define COUNTER_VALUE(F) F(i64, value)
#define COUNTER_STATE(F) F(i64, value)
DREAM_TYPE(counter_env, COUNTER_ENV);
DREAM_TYPE(counter_add, COUNTER_ADD);
DREAM_TYPE(counter_value, COUNTER_VALUE);
DREAM_STATE(counter_state, COUNTER_STATE, 1);

static int counter_init(const dream_msg_t *args, void **ret_state)
{
	counter_state_t *s = *ret_state; /* zeroed by the node */
	counter_env_t env;
	(void) args;
	int r = dream_env(&counter_env_type, &env);
	if (r < 0)
		return r;
	s->value = env.start;
	return DREAM_OK;
}

static dream_next_t on_add(counter_state_t *s, const counter_add_t *add, counter_value_t *reply)
{
	if (__builtin_add_overflow(s->value, add->by, &s->value))
		return DREAM_ERANGE; /* ends the server; its supervisor starts a new one */
	reply->value = s->value;
	return DREAM_REPLY;
}
DREAM_ON_CALL(on_add, "add", counter_state, counter_add, counter_value);

static dream_next_t on_get(counter_state_t *s, const dream_unit_t *nothing, counter_value_t *reply)
{
	(void) nothing;
	reply->value = s->value;
	return DREAM_REPLY;
}
DREAM_ON_CALL(on_get, "get", counter_state, dream_unit, counter_value);

/* The same without an answer. */
static dream_next_t on_add_cast(counter_state_t *s, const counter_add_t *add)
{
	return __builtin_add_overflow(s->value, add->by, &s->value) ? DREAM_ERANGE : DREAM_NOREPLY;
}
DREAM_ON_CAST(on_add_cast, "add", counter_state, counter_add);

DREAM_SERVER(counter, counter_state, .init = counter_init,
	.calls = DREAM_HANDLERS(&on_add_handler, &on_get_handler),
	.casts = DREAM_HANDLERS(&on_add_cast_handler));

static const dream_child_t counter_child = {DREAM_SIZED(dream_child_t), .kind = "counter", .name = "counter"};
DREAM_SUPERVISOR(counter_sup, .strategy = DREAM_ONE_FOR_ONE, .children = DREAM_CHILDREN(&counter_child));
DREAM_APPLICATION(counter, .description = "adds up", .root = "counter_sup", .env = "{\"start\": 0}");

DREAM_MODULE("counter", "1.0.0", &counter_app_kind, &counter_sup_kind, &counter_kind);
