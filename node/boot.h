/* SPDX-License-Identifier: MIT */
/* boot.h: a whole node: starts the rooms in order, stops them in reverse, and runs what needs a process
 * (loading and starting applications, stopping them, telling them of a new environment) in processes of
 * its own. */
#ifndef NODE_BOOT_H
#define NODE_BOOT_H
#include "base/clock.h"
#include "config.h"
#include "console/console.h"

DREAM_BEGIN_DECLS

typedef struct node_boot node_boot_t;

/* The network of a node, as far as the boot knows of it: so a test runs whole nodes without one. */
typedef struct node_boot_net {
	/** Reads the certificates, binds the address and serves. *ret_port: the actual port. [boot] */
	int (*open)(node_t *node, const node_config_t *config, uint16_t *ret_port, node_diag_t *diag);
	/** Begins to connect to NAME@HOST:PORT; failures are logged. NULL: not possible. [any] */
	void (*connect)(node_t *node, const char *peer);
	/** Ends all connections; not called if open failed. [boot] */
	void (*stop)(node_t *node);
	/** Frees everything, after the last process. [boot] */
	void (*close)(node_t *node);
	const node_console_out_t *console;
} node_boot_net_t;

/* The real one: QUIC over UDP. */
extern const node_boot_net_t node_boot_quic;

typedef struct node_boot_options {
	const node_config_t *config; /* lent until node_boot_close() */
	const node_boot_net_t *net;  /* lent likewise; NULL: no network, no console */
	node_clock_t *clock;         /* lent likewise; NULL: the machine's */
	int log_fd;                  /* not closed; -1: the log is only kept in its ring */
	uint32_t creation;           /* the incarnation; 0: the seconds since 1970 */
} node_boot_options_t;

/** Opens all rooms, starts the schedulers and serves; no application runs yet.
 *  @ret_boot  yours: node_boot_close()
 *  Errors    DREAM_ENOMEM, DREAM_EIO, DREAM_ELIMIT; of the network DREAM_ECERT, DREAM_EEXIST (the address
 *            is taken); @diag says which room. Nothing
 *  is left behind
 *  Thread    [boot]
 */
int node_boot_open(const node_boot_options_t *options, node_boot_t **ret_boot, node_diag_t *diag);

/** The node; dies with the boot. [any] */
node_t *node_boot_node_borrow(node_boot_t *boot);
/** The port it listens on; 0 without a network. [any] */
uint16_t node_boot_port(const node_boot_t *boot);

/* What a process of the boot does. Each kind can be under way once. */
#define NODE_BOOT_START 0u /* sets the environment, loads the configured modules, starts their applications */
#define NODE_BOOT_STOP 1u  /* stops all applications in reverse order */
#define NODE_BOOT_RELOAD 2u /* tells the running applications whose environment has changed */
#define NODE_BOOT_TASKS 3u

/** Begins a task; its end makes node_boot_fd() readable.
 *  Errors DREAM_EALREADY this task is under way, DREAM_ELIMIT, DREAM_ENOMEM. [boot] */
int node_boot_begin(node_boot_t *boot, uint32_t task);
/** True if the task is over: then its outcome is in *ret_code and @diag, once. [boot] */
bool node_boot_ended(node_boot_t *boot, uint32_t task, int *ret_code, node_diag_t *diag);
/** Begins a task unless it is under way and waits for its end.
 *  Errors those of the task; DREAM_ETIMEDOUT it goes on. [boot] */
int node_boot_run(node_boot_t *boot, uint32_t task, int64_t timeout_ms, node_diag_t *diag);

/** Replaces the environment of all applications and the log's level by those of @config; follow it by
 *  NODE_BOOT_RELOAD. [any] */
int node_boot_set_env(node_boot_t *boot, const node_config_t *config);

/** Readable (poll) when a task has ended or the node was asked to stop; node_boot_clear_fd() makes it
 *  unreadable. [any] */
int node_boot_fd(const node_boot_t *boot);
void node_boot_clear_fd(node_boot_t *boot);

/** True if hooks.shutdown was called: *ret_code is the exit code it asks for, @diag says why. [any] */
bool node_boot_shutdown_asked(node_boot_t *boot, int *ret_code, node_diag_t *diag);

/** Closes the network, stops the schedulers, ends all processes and frees everything. NULL is allowed.
 *  A process that never comes back from a callback holds it up for ever. [boot] */
void node_boot_close(node_boot_t *boot);

DREAM_END_DECLS
#endif
