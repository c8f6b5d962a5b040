/* SPDX-License-Identifier: MIT */
/* table.h: the `table` form: aligned columns that fit the terminal, or an array of maps as JSON. */
#ifndef SHELL_TABLE_H
#define SHELL_TABLE_H
#include "shell/value.h"

DREAM_BEGIN_DECLS

#define SHELL_TABLE_COLUMNS_MAX 64  /* further ones are not shown */
#define SHELL_TABLE_ROWS_MAX 100000 /* further ones are counted as left out */
#define SHELL_TABLE_CELL_MAX 1024   /* bytes of one cell; then an ellipsis */
#define SHELL_TABLE_COLUMN_MIN 4    /* columns are not cut below this to fit the terminal */

/** Appends the table; columns that hold only numbers stand to the right. On a terminal the widest columns are
 *  cut until a line fits.
 *  Errors    DREAM_EPROTO  `columns` or `rows` is missing or no array
 *  Thread    [any]
 */
int shell_table_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag);
int shell_table_put_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag);

/** Rows that the node left out of a table; 0 for anything else. [any] */
uint64_t shell_table_left_out(shell_value_t item);

DREAM_END_DECLS
#endif
