/* SPDX-License-Identifier: MIT */
/* tree.h: the `tree` form: one line per node, joined by lines. */
#ifndef SHELL_TREE_H
#define SHELL_TREE_H
#include "shell/value.h"

DREAM_BEGIN_DECLS

#define SHELL_TREE_DEPTH_MAX 48   /* deeper children are an ellipsis; msg.h allows 63 levels */
#define SHELL_TREE_LABEL_MAX 1024 /* bytes of a label and of each fact */

/** Appends the tree below @root: "label  key=value …". On a terminal lines are cut to its width.
 *  Errors    DREAM_EPROTO  a node without a label
 *  Thread    [any]
 */
int shell_tree_put(GString *out, shell_value_t root, const shell_style_t *style, node_diag_t *diag);

DREAM_END_DECLS
#endif
