/* SPDX-License-Identifier: MIT */
/* app.h: the application controller: loads, starts and stops applications, and keeps their environment
 * (semantics APP). It is a process, so its work is one thing after another; the functions below call it. */
#ifndef NODE_APP_APP_H
#define NODE_APP_APP_H
#include <glib.h>
#include "code/code.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_apps node_apps_t;

/* node_app_info_t.state */
#define NODE_APP_LOADED 0
#define NODE_APP_STARTING 1
#define NODE_APP_RUNNING 2
#define NODE_APP_STOPPING 3

/* What the end of a running application means to the node (APP-7). */
#define NODE_APP_PERMANENT 0 /* the node stops */
#define NODE_APP_TEMPORARY 1 /* it is logged */

typedef struct node_app_info {
	char name[65];
	char vsn[65];
	char description[201];
	int32_t state;
	int32_t type;
	dream_pid_t root;   /* top supervisor, while running */
	uint32_t n_procs;   /* members */
	int64_t started_ns; /* node_clock_now() */
	uint64_t n_crashes; /* faults in its code since that was loaded; above 0 the code is tainted */
} node_app_info_t;

/** Makes the controller's tables and its process. Errors DREAM_ENOMEM. [boot] */
int node_app_open(node_t *node);
/** [boot], after the schedulers have stopped */
void node_app_close(node_t *node);

/** Loads a module file as the current version of its module and notes the applications in it.
 *  Errors    those of node_code_load(); DREAM_EALREADY the module is loaded: upgrade it instead. [process] */
int node_app_load(node_proc_t *proc, const char *path, node_diag_t *diag);

/** Starts a loaded application after those it depends on (APP-3), all as @type; if one fails those that this call started are stopped.
 *  Errors    DREAM_ENOENT not loaded, DREAM_EALREADY running, DREAM_EINIT, DREAM_ENOTSTARTED a dependency is not loaded,
 *            DREAM_ELIMIT circular dependency. [process] */
int node_app_start(node_proc_t *proc, const char *name, int32_t type, node_diag_t *diag);

/** Stops a running application: its tree from the top, then every process that belongs to it (APP-6). It stays loaded.
 *  Errors    DREAM_ENOENT, DREAM_ENOTSTARTED, DREAM_EBUSY another running application depends on it. [process] */
int node_app_stop(node_proc_t *proc, const char *name, node_diag_t *diag);

/** Stops all running applications in reverse order of their starts (APP-8). [process] */
int node_app_stop_all(node_proc_t *proc, node_diag_t *diag);

/** Copies of what is known about all, in load order; free the array. [any] */
GArray *node_app_list(node_t *node);

/** Sets one key of the configuration layer of an application's environment, loaded or not (APP-1); takes effect at once; a running
 *  application's config_change is called by node_app_config_changed(). @value taken. Errors DREAM_ENOMEM. [any] */
int node_app_env_set_take(node_t *node, const char *app, const char *key, dream_msg_t *value);
/** Forgets the whole configuration layer, before a file is read again. [any] */
void node_app_env_reset(node_t *node);
/** The value of a key: configuration before the module's defaults. *ret_value yours. Errors DREAM_ENOENT. [any] */
int node_app_env_get(node_t *node, const char *app, const char *key, dream_msg_t **ret_value);
/** A map of all keys of an application. *ret_map yours. Errors DREAM_ENOENT no such application. [any] */
int node_app_env_map(node_t *node, const char *app, dream_msg_t **ret_map);
/** Calls config_change of the running applications whose environment differs from what they saw last (APP-9). [process] */
int node_app_config_changed(node_proc_t *proc, node_diag_t *diag);

/** The application that a process belongs to, or NULL; lives as long as the node. [any] */
const char *node_app_of_borrow(const node_proc_t *proc);

/** For upgrades: the application's callbacks and defaults come from @gen from now on. [process] */
void node_app_follow(node_t *node, node_gen_t *gen);

DREAM_END_DECLS
#endif
