/* SPDX-License-Identifier: MIT */
/* application.h: applications: what a module starts as a whole (semantics APP). */
#ifndef DREAM_APPLICATION_H
#define DREAM_APPLICATION_H
#include <dream/supervisor.h>

DREAM_BEGIN_DECLS

/* The vtable of a DREAM_KIND_APPLICATION; the kind's name is the application's. */
typedef struct dream_application_ops {
	uint32_t struct_size;
	uint32_t reserved;
	const char *description;    /* one line */
	const char *root;           /* the kind of the top supervisor, in the same module */
	const char *root_args;      /* CBOR diagnostic notation; NULL for null */
	const char *const *depends; /* NULL-terminated names of applications that must run first; or NULL */
	const char *env;            /* defaults: a CBOR map in diagnostic notation; NULL for none */
	/** Before the root starts; negative: the application does not start. [process] */
	int (*start)(void);
	/** After every process of the application has ended (APP-6). [process] */
	void (*stop)(void);
	/** The environment changed while the application runs (APP-9). [process] */
	void (*config_change)(void);
} dream_application_ops_t;

DREAM_END_DECLS
#endif
