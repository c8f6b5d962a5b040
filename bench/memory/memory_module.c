/* SPDX-License-Identifier: MIT */
/* memory_module.c: what the memory figures are taken from: a server with eight bytes of state, and a process that waits for
 * a message and counts itself out. */
#include <dream/dream.h>

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
DREAM_SERVER(counter, counter, .calls = DREAM_HANDLERS(&on_add_handler));

/* Waits for each message with an ordinary stack below it: a few frames and a buffer. */
static int waiter_main(const dream_msg_t *args)
{
	(void) args;
	for (;;) {
		dream_msg_t *msg;
		int r = dream_receive(NULL, NULL, DREAM_INFINITY, &msg);
		if (r < 0)
			return r;
		bool stop = dream_msg_has_tag(msg, "stop");
		dream_msg_unref(msg);
		if (stop)
			return DREAM_OK;
	}
}
DREAM_PROCESS(waiter, waiter_main);

DREAM_MODULE("memory", "1.0.0", &counter_kind, &waiter_kind);
