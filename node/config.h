/* SPDX-License-Identifier: MIT */
/* config.h: the key file of dreamd, read and checked: every value in it is usable, or the file is
 * refused with line, key, reason and what is allowed. docs/dreamd.conf.sample documents every key. */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H
#include <glib.h>
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define NODE_CONFIG_SIZE_MAX (1u << 20) /* bytes of the file */

/* One application to start. */
typedef struct node_config_app {
	char *name;
	char *file;   /* its module */
	int32_t type; /* NODE_APP_PERMANENT, NODE_APP_TEMPORARY */
} node_config_app_t;

/* One value of an application's environment. */
typedef struct node_config_env {
	char *app;
	char *key;
	dream_msg_t *value;
} node_config_env_t;

typedef struct node_config {
	char *path;        /* of the file, as given */
	char *name;        /* "counter@host" */
	char *listen_host; /* an address, without brackets */
	uint16_t listen_port;
	char *authority; /* absolute, or relative to the working directory like @path; NULL: no network */
	char *certificate;
	char *key;
	GPtrArray *module_path; /* char *: directories */
	GPtrArray *apps;        /* node_config_app_t *: in the order of `applications` */
	GPtrArray *envs;        /* node_config_env_t * */
	GPtrArray *connect;     /* char *: NAME@HOST:PORT */
	uint32_t n_schedulers;  /* 0: as many as there are CPUs */
	int32_t log_level;      /* DREAM_LOG_* */
	char *cache_dir;        /* NULL: a private one */
	char *crash_dir;        /* NULL: the working directory */
	uint32_t max_processes;
	uint32_t slow_callback_ms;
	uint32_t stack_kib;    /* 0: the scheduler's default */
	uint32_t max_heap_kib; /* of a module's process that says nothing itself; 0: none, as the next two */
	uint32_t max_mailbox;
	uint32_t max_mailbox_kib;
	uint32_t when_full;  /* DREAM_FULL_* */
	uint32_t suspend_ms; /* 0: the default */
	uint32_t shutdown_timeout_s;
	uint32_t blocking_threads;
	uint32_t blocking_queue;
	uint32_t blocking_idle_s;
	uint32_t max_sockets;
	uint32_t max_sockets_per_process;
	uint32_t socket_buffers_mib;
} node_config_t;

/** Reads and checks a file.
 *  @ret_config  yours: node_config_free()
 *  Errors    DREAM_ECONFIG  @diag: "FILE:LINE: [GROUP] KEY: WHY; what is allowed"
 *            DREAM_ENOMEM
 *  Thread    [any]
 */
int node_config_load(const char *path, node_config_t **ret_config, node_diag_t *diag);

/** The same for the content of a file. @path: for messages, and what relative paths in @text are
 *  relative to. */
int node_config_parse(
	const char *path, const char *text, size_t size_bytes, node_config_t **ret_config, node_diag_t *diag);

/** NULL is allowed. [any] */
void node_config_free(node_config_t *config);

/** The keys of [node] or [application.NAME] by index, NULL after the last; for the test that compares
 *  them with the sample. [any] */
const char *node_config_node_key(size_t index);
const char *node_config_app_key(size_t index);

/** The file of the module @name with the highest version in the directories of the module path:
 *  "NAME-VERSION.so".
 *  Returns   yours, or NULL if there is none. [any] */
char *node_config_find_module_new(const node_config_t *config, const char *name);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(node_config_t, node_config_free)

DREAM_END_DECLS
#endif
