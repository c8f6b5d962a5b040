/* SPDX-License-Identifier: MIT */
/* upgrade.h: the upgrade of one module while it serves: a transaction (docs/upgrade.md). */
#ifndef NODE_RELEASE_UPGRADE_H
#define NODE_RELEASE_UPGRADE_H
#include "code/code.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

typedef struct node_upgrade_report {
	char module[65];
	char from_vsn[65];
	char to_vsn[65];
	uint32_t n_changed; /* processes carried over */
	uint32_t n_staying; /* processes that end in the old version: plain functions */
	int64_t check_ns;   /* the dry run, beside normal service */
	int64_t switch_ns;  /* from the flip until the last process was over */
} node_upgrade_report_t;

#define NODE_UPGRADE_DEADLINE_MS 10000

/** Upgrades the running module @name to the one in the file @path: load, try every state on a copy, flip, carry over, commit.
 *  Calls go on being answered. Whatever fails, everything is as it was and @diag says which process and why.
 *  One upgrade at a time. Blocks the calling process until done or the deadline has passed.
 *  Errors    those of node_code_load(); DREAM_ENOENT no such module, DREAM_EMODULE another module's name or a kind in use that is
 *            gone, DREAM_EALREADY the same file, DREAM_EBUSY an upgrade is running, DREAM_ECODECHANGE, DREAM_ETIMEDOUT with the
 *            processes that did not come to a message boundary. [process] */
int node_upgrade_module(node_proc_t *proc, const char *name, const char *path, int64_t deadline_ms,
	node_upgrade_report_t *ret_report, node_diag_t *diag);

DREAM_END_DECLS
#endif
