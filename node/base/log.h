/* SPDX-License-Identifier: MIT */
/* log.h: the node's log: lines kept in a ring for the shell, and written out by a thread of their own, so
 * that a blocked terminal or a full disk never blocks a scheduler. */
#ifndef NODE_BASE_LOG_H
#define NODE_BASE_LOG_H
#include "base/node.h"

DREAM_BEGIN_DECLS

#define NODE_LOG_LINE_MAX 1200
#define NODE_LOG_RING 1024 /* lines kept, and the most that wait to be written */

typedef struct node_log node_log_t;

typedef struct node_log_line {
	uint64_t seq; /* counts from 1 */
	int64_t wall_ns;
	int32_t level; /* DREAM_LOG_* */
	char text[NODE_LOG_LINE_MAX];
} node_log_line_t;

/** Opens the log of a node.
 *  @fd       where lines go; -1: only the ring (tests). Not closed by us
 *  @level    the least level that is kept
 *  @ret_log  yours; also stored in node->log
 *  Errors    DREAM_ENOMEM
 *  Thread    [boot]
 */
int node_log_open(node_t *node, int fd, int32_t level, node_log_t **ret_log);

/** Writes what waits (at most a second), stops the thread and frees the log. NULL is allowed. [boot] */
void node_log_close(node_log_t *log);

/** Adds a line; when more than NODE_LOG_RING lines wait to be written the oldest is dropped and counted, and the
 *  count is written later. Control characters become '?'. [any]; never blocks on I/O */
DREAM_PRINTF(3, 4) void node_log(node_t *node, int32_t level, const char *format, ...);

/** Copies the newest @cap lines with seq > @after and at least @level, oldest first; returns how many. [any] */
uint32_t node_log_tail(
	node_log_t *log, uint64_t after, int32_t level, node_log_line_t *ret_lines, uint32_t cap);

/** Sets, and tells, the least level that is kept. [any] */
void node_log_set_level(node_log_t *log, int32_t level);
/** "debug", "info", "notice", "warning", "error"; NULL for another number. [any] */
const char *node_log_level_name(int32_t level);
/** Errors DREAM_EINVAL for another name. [any] */
int node_log_level_parse(const char *name, int32_t *ret_level);

DREAM_END_DECLS
#endif
