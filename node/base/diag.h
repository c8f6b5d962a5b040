/* SPDX-License-Identifier: MIT */
/* diag.h: a text for people about a failure, filled where the fault was seen: what, why, what to do. */
#ifndef NODE_BASE_DIAG_H
#define NODE_BASE_DIAG_H
#include "base/node.h"

DREAM_BEGIN_DECLS

#define NODE_DIAG_MAX 1024

typedef struct node_diag {
	int code;
	char text[NODE_DIAG_MAX]; /* one line, NUL-terminated, cut if longer */
} node_diag_t;

/** Stores code and text; control characters become '?', so that a stranger's bytes cannot forge lines.
 *  @diag     may be NULL
 *  Returns   @code, for `return node_diag_set(…)`
 *  Thread    [any]
 */
DREAM_PRINTF(3, 4) int node_diag_set(node_diag_t *diag, int code, const char *format, ...);

/** Puts "@format: " before the text that is there. Returns diag->code, or 0 for NULL. [any] */
DREAM_PRINTF(2, 3) int node_diag_prefix(node_diag_t *diag, const char *format, ...);

/** The name of a code, "ENOPROC", and what it means in a few words; static texts. [any] */
const char *node_diag_code_name(int code);
const char *node_diag_code_text(int code);

DREAM_END_DECLS
#endif
