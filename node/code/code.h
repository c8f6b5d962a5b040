/* SPDX-License-Identifier: MIT */
/* code.h: generations of modules: verified, mapped from a private copy, adopted, counted. Knows .so files,
 * not processes. */
#ifndef NODE_CODE_CODE_H
#define NODE_CODE_CODE_H
#include <glib.h>
#include "base/diag.h"

DREAM_BEGIN_DECLS

typedef struct node_code node_code_t; /* all modules of a node */

/* One kind, copied from the module: the vtable lies in `ops` in this node's size, absent members zero. */
typedef struct node_kind {
	char name[65];
	uint32_t type; /* DREAM_KIND_* */
	struct node_gen *gen;
	union {
		dream_process_ops_t process;
		dream_gen_server_ops_t server;
		dream_supervisor_ops_t supervisor;
		dream_application_ops_t application;
	} ops;
} node_kind_t;

/* One module name of a node: what all its generations share. */
typedef struct node_code_module {
	char name[65];
	struct node_gen *current; /* atomic; holds a reference; NULL until one was made current */
} node_code_module_t;

/* One load of a module. Immutable but for the count. */
typedef struct node_gen {
	node_t *node;
	node_code_module_t *module;
	char name[65];
	char vsn[65];
	char sha256[65];   /* of the file, in hex */
	char *source_path; /* where the operator pointed */
	char *cache_path;  /* the private copy that is mapped */
	uint64_t number;   /* counts the loads of this node from 1 */
	int64_t loaded_wall_ns;
	uint32_t flags;
	uint32_t n_kinds;
	node_kind_t *kinds;
	void *handle; /* dlopen's */
	void (*unload)(void);
	GPtrArray *owned; /* copies of what the kinds list */
	uint64_t
		refs; /* atomic: processes and registrations that refer to it, and what schedulers have in stock */
	uint64_t crashes; /* atomic: faults in its code that ended a process; above 0 it is tainted */
} node_gen_t;

/** Opens the code room of a node as node->code: makes a cache folder of its own.
 *  @cache_dir  lent; created 0700 if missing; the folder made in it stays after close, for reading cores;
 *              NULL: a fresh private one under $XDG_RUNTIME_DIR or /tmp, removed by close
 *  Errors    DREAM_EIO, DREAM_ENOMEM
 *  Thread    [boot] */
int node_code_open(node_t *node, const char *cache_dir, node_diag_t *diag);
/** Calls the unload() of every generation, newest first, and frees the table. The code stays mapped (see
 *  docs/modules.md) unless @unmap. NULL is allowed. [boot], after all processes. */
void node_code_close(node_code_t *code, bool unmap);

/** Verifies, copies, maps and adopts one file; it becomes no one's current version yet. The order: the file
 *  is a regular ELF shared object for this machine, whole, with the DREAM note (magic, major, minor, size);
 *  nothing in it that could not be unloaded or shared; copy 0400 under its hash; dlopen of the copy,
 *  RTLD_NOW | RTLD_LOCAL; the descriptor (magic, major, size, minor, then the rest); names; kinds; described
 *  types (node_codec_check_type); host table; load().
 *  @ret_gen  yours: release with node_code_unref()
 *  Errors    DREAM_ENOENT, DREAM_ELOAD, DREAM_EABI, DREAM_EMODULE, DREAM_ETYPE, DREAM_EIO; @diag names the
 *            file, the reason and the remedy. Nothing is left behind
 *  Thread    [any] but schedulers' own time: takes about a millisecond */
int node_code_load(node_code_t *code, const char *path, node_gen_t **ret_gen, node_diag_t *diag);

/** Makes @gen the current version of its module: new processes start on it. One atomic store.
 *  @gen      lent: the module takes a reference of its own
 *  Returns   the former current generation, a reference that is now yours, or NULL. [any] */
node_gen_t *node_code_make_current(node_code_t *code, node_gen_t *gen);

/** The current generation of a module with a reference that is yours; NULL if it is not loaded. [any] */
node_gen_t *node_code_current_ref(node_code_t *code, const char *module);

/** The same without a reference, two loads from any generation of it: what a server compares with its own
 *  before each message. NULL if none is current. [any] */
static inline const node_gen_t *node_code_current_of_borrow(const node_gen_t *gen)
{
	return (const node_gen_t *) __atomic_load_n(&gen->module->current, __ATOMIC_ACQUIRE);
}

/** A process, server or supervisor by name, or else the application of that name (the two may share one);
 *  NULL if there is none. Dies with the generation. [any] */
const node_kind_t *node_code_kind_borrow(const node_gen_t *gen, const char *kind);

/** An application by name; NULL if there is none. Dies with the generation. [any] */
const node_kind_t *node_code_application_borrow(const node_gen_t *gen, const char *application);

/** All generations, oldest first, each with a reference: unref each, free the array. [any] */
GPtrArray *node_code_list(node_code_t *code);

/** How many processes ended by a fault in its code; above 0 it is tainted: what it wrote to memory that is not a process's
 *  is not known. [any] */
static inline uint64_t node_code_crashes(const node_gen_t *gen)
{
	return __atomic_load_n(&gen->crashes, __ATOMIC_RELAXED);
}

/** Another reference; NULL is allowed. [any] */
node_gen_t *node_code_ref(node_gen_t *gen);

/** NULL is allowed. The last reference does not unmap: a generation stays mapped until the node ends.
 *  [any] */
void node_code_unref(node_gen_t *gen);

DREAM_END_DECLS
#endif
