/* SPDX-License-Identifier: MIT */
/* supervisor.h: supervisors: a table of children and what to do when one ends (semantics SUP). */
#ifndef DREAM_SUPERVISOR_H
#define DREAM_SUPERVISOR_H
#include <dream/gen_server.h>

DREAM_BEGIN_DECLS

/* dream_child_t.restart (SUP-4) */
#define DREAM_PERMANENT 0u /* always restarted */
#define DREAM_TRANSIENT 1u /* restarted unless it ended normal, shutdown or ["shutdown", _] */
#define DREAM_TEMPORARY 2u /* never restarted; its specification is dropped when it ends */

/* dream_child_t.shutdown_ms (SUP-8) */
#define DREAM_SHUTDOWN_DEFAULT ((int64_t) 0) /* 5,000 for a worker, no limit for a supervisor */
#define DREAM_SHUTDOWN_BRUTAL ((int64_t) -1) /* killed at once */
#define DREAM_SHUTDOWN_INFINITY ((int64_t) -2)

/* One child specification. The node copies it. */
typedef struct dream_child {
	uint32_t struct_size;
	uint32_t restart;
	int64_t shutdown_ms;
	const char *id;        /* unique in its supervisor; NULL: the kind's name */
	const char *module;    /* NULL: the supervisor's module */
	const char *kind;      /* a gen_server, supervisor or process of it */
	const char *name;      /* registered name, or NULL */
	const char *args;      /* CBOR diagnostic notation; NULL for null */
	dream_limits_t limits; /* zero: the node's defaults */
} dream_child_t;

/* dream_supervisor_ops_t.strategy (SUP-7) */
#define DREAM_ONE_FOR_ONE 0u
#define DREAM_ONE_FOR_ALL 1u
#define DREAM_REST_FOR_ONE 2u

#define DREAM_INTENSITY_NONE (-1) /* the first restart is one too many */

/* The vtable of a DREAM_KIND_SUPERVISOR. */
typedef struct dream_supervisor_ops {
	uint32_t struct_size;
	uint32_t strategy;
	int32_t intensity; /* restarts allowed within the period (SUP-5); 0: the default of 1 */
	uint32_t period_s; /* 0: the default of 5 */
	const dream_child_t *const *children; /* NULL-terminated, in start order */
} dream_supervisor_ops_t;

#define DREAM_CHILDREN(...)                                                                                  \
	(const dream_child_t *const[])                                                                       \
	{                                                                                                    \
		__VA_ARGS__, NULL                                                                            \
	}

DREAM_END_DECLS
#endif
