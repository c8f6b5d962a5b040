/* SPDX-License-Identifier: MIT */
/* text.h: text from strangers made safe to show, and its width on a terminal. */
#ifndef SHELL_TEXT_H
#define SHELL_TEXT_H
#include <glib.h>
#include "base/diag.h"

DREAM_BEGIN_DECLS

/* How the place where the output goes takes text. */
typedef struct shell_style {
	uint32_t width; /* columns; 0: not a terminal, lines may have any length */
	bool colour;
	bool utf8_lines; /* tree lines and "…"; else plain ASCII */
	bool utf8_text;  /* characters beyond ASCII pass; else they are escaped */
} shell_style_t;

/* No rendering of one item grows beyond this, whatever the node sends. */
#define SHELL_TEXT_OUT_MAX ((size_t) 64 << 20)

#define SHELL_TEXT_ONE_LINE 0u
#define SHELL_TEXT_LINES 1u /* newlines pass; tabs too */

/** Looks at stdout, the locale, NO_COLOR and TERM. [any] */
shell_style_t shell_text_style(void);

/** Appends text so that it cannot move the cursor, change colours, reorder the line or end it: control and
 *  direction characters become \x1b or \u{202e}, bytes that are not UTF-8 \xff. [any] */
void shell_text_put(
	GString *out, const char *text, size_t size_bytes, const shell_style_t *style, unsigned flags);

/** Appends finished JSON; what JSON leaves as it is and a terminal might obey (DEL, C1, direction characters)
 *  becomes \uXXXX, which means the same. [any] */
void shell_text_put_json(GString *out, const char *json, size_t size_bytes, const shell_style_t *style);

/** Columns that text from shell_text_put() takes. [any] */
uint32_t shell_text_width(const char *text);

/** Shortens @text to @width columns, the last of which is an ellipsis; leaves it alone if it fits. [any] */
void shell_text_cut(GString *text, uint32_t width, const shell_style_t *style);

/** The ellipsis of this style; static. [any] */
const char *shell_text_ellipsis(const shell_style_t *style);

/** Appends @count spaces. [any] */
void shell_text_pad(GString *out, uint32_t count);

/** Appends @text, bold if the style has colours. [any] */
void shell_text_put_bold(GString *out, const char *text, const shell_style_t *style);

DREAM_END_DECLS
#endif
