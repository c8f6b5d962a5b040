/* SPDX-License-Identifier: MIT */
/* module.h: the one symbol a module exports, and the macros that make it. */
#ifndef DREAM_MODULE_H
#define DREAM_MODULE_H
#include <dream/application.h>

DREAM_BEGIN_DECLS

/* dream_kind_t.type; the values are part of the ABI. */
#define DREAM_KIND_PROCESS 1u     /* dream_process_ops_t */
#define DREAM_KIND_GEN_SERVER 2u  /* dream_gen_server_ops_t */
#define DREAM_KIND_SUPERVISOR 3u  /* dream_supervisor_ops_t */
#define DREAM_KIND_APPLICATION 4u /* dream_application_ops_t */

/* One thing a module can start, by name: child specifications and spawns name it, so no pointer into a
 * module is ever kept by the node across versions. */
typedef struct dream_kind {
	uint32_t struct_size;
	uint32_t type;
	const char
		*name; /* [a-z][a-z0-9_]{0,63}, unique in the module; an application may share its server's */
	const void *ops; /* the vtable of that type */
} dream_kind_t;

#define DREAM_MODULE_RESIDENT 1u /* never unload this code */

/* The descriptor: symbol `dream_module`. The loader reads magic, then abi_major, then struct_size, and
 * nothing else until those pass. Fields are only ever added at the end. */
typedef struct dream_module {
	uint32_t magic;       /* DREAM_ABI_MAGIC; at offset 0 for ever */
	uint16_t abi_major;   /* must equal the node's */
	uint16_t abi_minor;   /* must not exceed the node's */
	uint32_t struct_size; /* sizeof(dream_module_t) where the module was built */
	uint32_t flags;
	const char *name;                 /* [a-z][a-z0-9_]{0,63} */
	const char *vsn;                  /* "1.2.0": [0-9A-Za-z][0-9A-Za-z.+~-]{0,62} */
	const dream_host_t **host;        /* the node stores its function table here, then calls load() */
	const dream_kind_t *const *kinds; /* NULL-terminated */
	int (*load)(void);                /* optional; negative: the load fails and nothing has changed */
	void (*unload)(void);             /* optional; the last call into this copy of the code */
} dream_module_t;

/* The same facts as an ELF note, so that a node can refuse a file before any of its code runs.
 * Section ".note.dream", owner "DREAM", type 1. */
#define DREAM_NOTE_TYPE 1u
typedef struct dream_note {
	uint32_t name_size; /* 6 */
	uint32_t desc_size; /* 16 */
	uint32_t type;
	char name[8]; /* "DREAM", padded */
	uint32_t magic;
	uint16_t abi_major;
	uint16_t abi_minor;
	uint32_t struct_size;
	uint32_t flags;
} dream_note_t;

/** Defines the kind NAME##_kind: a server with a described state; further members of
 *  dream_gen_server_ops_t follow as designated initialisers. */
#define DREAM_SERVER(kind_name, state_name, ...)                                                             \
	static const dream_gen_server_ops_t kind_name##_ops = {                                              \
		DREAM_SIZED(dream_gen_server_ops_t), .state = &state_name##_type, __VA_ARGS__};              \
	static const dream_kind_t kind_name##_kind = {                                                       \
		DREAM_SIZED(dream_kind_t), DREAM_KIND_GEN_SERVER, #kind_name, &kind_name##_ops}

/** A server whose state is an opaque pointer; members of dream_gen_server_ops_t follow. */
#define DREAM_RAW_SERVER(kind_name, ...)                                                                     \
	static const dream_gen_server_ops_t kind_name##_ops = {                                              \
		DREAM_SIZED(dream_gen_server_ops_t), __VA_ARGS__};                                           \
	static const dream_kind_t kind_name##_kind = {                                                       \
		DREAM_SIZED(dream_kind_t), DREAM_KIND_GEN_SERVER, #kind_name, &kind_name##_ops}

/** A supervisor; members of dream_supervisor_ops_t follow. */
#define DREAM_SUPERVISOR(kind_name, ...)                                                                     \
	static const dream_supervisor_ops_t kind_name##_ops = {                                              \
		DREAM_SIZED(dream_supervisor_ops_t), __VA_ARGS__};                                           \
	static const dream_kind_t kind_name##_kind = {                                                       \
		DREAM_SIZED(dream_kind_t), DREAM_KIND_SUPERVISOR, #kind_name, &kind_name##_ops}

/** A process written as one function `int fn(const dream_msg_t *args)`. */
#define DREAM_PROCESS(kind_name, fn)                                                                         \
	static const dream_process_ops_t kind_name##_ops = {DREAM_SIZED(dream_process_ops_t), .main = (fn)}; \
	static const dream_kind_t kind_name##_kind = {                                                       \
		DREAM_SIZED(dream_kind_t), DREAM_KIND_PROCESS, #kind_name, &kind_name##_ops}

/** An application; members of dream_application_ops_t follow. */
#define DREAM_APPLICATION(kind_name, ...)                                                                    \
	static const dream_application_ops_t kind_name##_app_ops = {                                         \
		DREAM_SIZED(dream_application_ops_t), __VA_ARGS__};                                          \
	static const dream_kind_t kind_name##_app_kind = {                                                   \
		DREAM_SIZED(dream_kind_t), DREAM_KIND_APPLICATION, #kind_name, &kind_name##_app_ops}

/** Defines the descriptor of a module; its kinds follow as pointers. Once per module, at file scope. */
#define DREAM_MODULE(module_name, module_vsn, ...)                                                           \
	const dream_host_t *dream_host;                                                                      \
	static const dream_kind_t *const dream_module_kinds[] = {__VA_ARGS__, NULL};                         \
	__attribute__((section(".note.dream"), used,                                                         \
		aligned(4))) static const dream_note_t dream_module_note = {6, 16, DREAM_NOTE_TYPE, "DREAM", \
		DREAM_ABI_MAGIC, DREAM_ABI_MAJOR, DREAM_ABI_MINOR, (uint32_t) sizeof(dream_module_t), 0};    \
	DREAM_EXPORT const dream_module_t dream_module = {.magic = DREAM_ABI_MAGIC,                          \
		.abi_major = DREAM_ABI_MAJOR,                                                                \
		.abi_minor = DREAM_ABI_MINOR,                                                                \
		DREAM_SIZED(dream_module_t),                                                                 \
		.name = (module_name),                                                                       \
		.vsn = (module_vsn),                                                                         \
		.host = &dream_host,                                                                         \
		.kinds = dream_module_kinds}

DREAM_END_DECLS
#endif
