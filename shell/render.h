/* SPDX-License-Identifier: MIT */
/* render.h: one result item of a command as text for people or as JSON for programs; see docs/console.md. */
#ifndef SHELL_RENDER_H
#define SHELL_RENDER_H
#include "shell/value.h"

DREAM_BEGIN_DECLS

#define SHELL_RENDER_TERM_MAX 65536 /* bytes of a term shown on a terminal; elsewhere there is no limit */

/** Appends the item, ending in a newline. Nothing of it can control a terminal. A form that is not known,
 * from a newer node, is shown as a term.
 *  @item     lent; need not be valid CBOR
 *  Errors    DREAM_EPROTO  not CBOR, or not what its form promises; @diag says what
 *            DREAM_ELIMIT  JSON of a table beyond SHELL_TEXT_OUT_MAX
 *  Thread    [any]
 */
int shell_render_text(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag);

/** The same as one line of JSON. */
int shell_render_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag);

DREAM_END_DECLS
#endif
