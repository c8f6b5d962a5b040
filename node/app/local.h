/* SPDX-License-Identifier: MIT */
/* local.h: applications as the files of this room see them. */
#ifndef NODE_APP_LOCAL_H
#define NODE_APP_LOCAL_H
#include "app/app.h"

DREAM_BEGIN_DECLS

typedef struct node_app {
	char name[65];
	node_t *node;
	/* under the room's lock */
	node_gen_t *gen; /* a reference */
	const node_kind_t *kind;
	dream_msg_t *defaults; /* its module's environment: a map */
	int32_t state;
	int32_t type;
	dream_pid_t master;
	dream_pid_t root;
	uint64_t started_seq; /* order of starts */
	int64_t started_ns;
	dream_msg_t *seen_env; /* what config_change last saw */
	bool given_up;         /* its start was, because it was to be stopped; of the controller */
} node_app_t;

struct node_apps {
	node_t *node;
	pthread_mutex_t lock;
	GPtrArray *apps;    /* node_app_t *, in load order; never removed */
	GHashTable *config; /* char * application -> GHashTable of char * key -> dream_msg_t * */
	dream_pid_t controller;
	uint64_t start_seq;
	/* of the request that the controller handles; here, so that nothing hangs at its stack while it waits */
	char *request;
	GPtrArray *visiting; /* node_app_t *: the chain of dependencies that led here */
	GPtrArray *started;  /* in order */
	bool stopping;       /* all were told to stop: nothing starts any more */
};

/** The application with this name, or NULL. With the lock held. */
node_app_t *node_app_find_locked(node_apps_t *apps, const char *name);

/* master.c: the process that starts an application's tree and outlives it */

/** Starts @app's tree under a new master, linked to nobody, monitored by the caller with *ret_monitor. If the caller is asked
 *  meanwhile to stop it, the start is given up, which app->given_up says.
 *  Errors those of node_start_kind(), the reason in node_proc_reason_borrow(). [process] */
int node_master_start(node_proc_t *proc, node_app_t *app, uint64_t *ret_monitor);

/** Kills every process of @app but the caller and waits for their ends, ten seconds at most in all. [process] */
void node_master_end_members(node_proc_t *proc, const node_app_t *app);

/* app.c */

/** Whether a request waits in the controller's inbox that means the end of @app, which is being started. [process] */
bool node_app_stop_waits(const node_proc_t *proc, const node_app_t *app);

/** Points an application at another generation of its module. Errors DREAM_ECODECHANGE, DREAM_ESYNTAX: it does not fit. [any] */
int node_master_set_code(node_app_t *app, const node_gen_t *gen, bool change, node_diag_t *diag);

#define NODE_MASTER_CONFIG_CHANGED 100 /* a system request beside those of call.h */

/* env.c */
int node_env_parse_defaults(const dream_application_ops_t *ops, dream_msg_t **ret_map, node_diag_t *diag);

DREAM_END_DECLS
#endif
