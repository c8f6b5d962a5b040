/* SPDX-License-Identifier: MIT */
#include "shell/table.h"

#include <inttypes.h>

#include "term/cbor.h"

#define GAP 2

/* The texts of all cells, row after row, the header first. A cell that the node left out is NULL. */
typedef struct grid {
	GStringChunk *texts;
	GPtrArray *cells;
	uint32_t columns;
	uint32_t rows;
	uint64_t skipped; /* beyond our own limits */
	uint32_t widths[SHELL_TABLE_COLUMNS_MAX];
	bool numeric[SHELL_TABLE_COLUMNS_MAX];
} grid_t;

static void grid_init(grid_t *grid)
{
	*grid = (grid_t){.texts = g_string_chunk_new(4096), .cells = g_ptr_array_new()};
	for (uint32_t i = 0; i < SHELL_TABLE_COLUMNS_MAX; i++)
		grid->numeric[i] = true;
}

static void grid_fini(grid_t *grid)
{
	g_string_chunk_free(grid->texts);
	g_ptr_array_free(grid->cells, TRUE);
}

static void add_cell(grid_t *grid, uint32_t column, shell_value_t value, const shell_style_t *style)
{
	g_autoptr(GString) text = g_string_new(NULL);
	shell_value_put(text, value, style, SHELL_TABLE_CELL_MAX);
	g_ptr_array_add(grid->cells, g_string_chunk_insert_len(grid->texts, text->str, (gssize) text->len));
	grid->widths[column] = MAX(grid->widths[column], shell_text_width(text->str));
}

static void add_header(grid_t *grid, shell_value_iter_t columns, const shell_style_t *style)
{
	shell_value_t name;
	while (grid->columns < SHELL_TABLE_COLUMNS_MAX && shell_value_next(&columns, &name))
		add_cell(grid, grid->columns++, name, style);
}

static void add_row(grid_t *grid, shell_value_t row, const shell_style_t *style)
{
	shell_value_iter_t cells;
	shell_value_t value;
	bool more = shell_value_array(row, &cells);
	for (uint32_t i = 0; i < grid->columns; i++) {
		more = more && shell_value_next(&cells, &value);
		if (!more) {
			g_ptr_array_add(grid->cells, NULL);
			continue;
		}
		add_cell(grid, i, value, style);
		if (!shell_value_is_null(value) && !shell_value_is_number(value))
			grid->numeric[i] = false;
	}
	grid->rows++;
}

static void add_rows(grid_t *grid, shell_value_iter_t rows, const shell_style_t *style)
{
	uint64_t used = 0;
	shell_value_t row;
	while (shell_value_next(&rows, &row)) {
		used += row.size_bytes;
		if (grid->rows < SHELL_TABLE_ROWS_MAX && used < SHELL_TEXT_OUT_MAX)
			add_row(grid, row, style);
		else
			grid->skipped++;
	}
	for (uint32_t i = 0; i < grid->columns; i++)
		grid->numeric[i] = grid->numeric[i] && grid->rows > 0;
}

static uint32_t widest(const grid_t *grid)
{
	uint32_t found = 0;
	for (uint32_t i = 1; i < grid->columns; i++)
		if (grid->widths[i] > grid->widths[found])
			found = i;
	return found;
}

/* Column by column, the widest first: short columns keep their content as long as possible. */
static void fit(grid_t *grid, uint32_t width)
{
	uint64_t total = grid->columns > 0 ? (uint64_t) (grid->columns - 1) * GAP : 0;
	for (uint32_t i = 0; i < grid->columns; i++)
		total += grid->widths[i];
	for (; total > width; total--) {
		uint32_t *column = &grid->widths[widest(grid)];
		if (*column <= SHELL_TABLE_COLUMN_MIN)
			return;
		(*column)--;
	}
}

static void put_line(GString *out, const grid_t *grid, uint32_t line, const shell_style_t *style)
{
	g_autoptr(GString) cell = g_string_new(NULL);
	uint32_t owed = 0; /* spaces are written only when something follows, so that no line ends in them */
	for (uint32_t i = 0; i < grid->columns; i++) {
		const char *text = grid->cells->pdata[line * grid->columns + i];
		g_string_assign(cell, text != NULL ? text : "");
		shell_text_cut(cell, grid->widths[i], style);
		uint32_t pad = grid->widths[i] - shell_text_width(cell->str);
		if (cell->len > 0) {
			shell_text_pad(out, owed + (grid->numeric[i] ? pad : 0));
			owed = grid->numeric[i] ? 0 : pad;
			if (line == 0)
				shell_text_put_bold(out, cell->str, style);
			else
				g_string_append(out, cell->str);
		} else {
			owed += pad;
		}
		owed += GAP;
	}
	g_string_append_c(out, '\n');
}

static void put_grid(GString *out, grid_t *grid, const shell_style_t *style)
{
	if (style->width > 0)
		fit(grid, style->width);
	for (uint32_t line = 0; line <= grid->rows; line++) {
		if (out->len >= SHELL_TEXT_OUT_MAX) {
			grid->skipped += grid->rows - line + 1;
			break;
		}
		put_line(out, grid, line, style);
	}
}

uint64_t shell_table_left_out(shell_value_t item)
{
	shell_value_t more;
	uint64_t count;
	if (!shell_value_find(item, "more", &more))
		return 0;
	node_cbor_reader_t reader = node_cbor_read(more.data, more.size_bytes);
	return node_cbor_get_uint(&reader, &count) == DREAM_OK ? count : 0;
}

static int open_table(
	shell_value_t item, shell_value_iter_t *ret_columns, shell_value_iter_t *ret_rows, node_diag_t *diag)
{
	shell_value_t columns, rows;
	if (!shell_value_find(item, "columns", &columns) || !shell_value_array(columns, ret_columns))
		return node_diag_set(diag, DREAM_EPROTO, "the node sent a table without columns");
	if (!shell_value_find(item, "rows", &rows) || !shell_value_array(rows, ret_rows))
		return node_diag_set(diag, DREAM_EPROTO, "the node sent a table without rows");
	return DREAM_OK;
}

int shell_table_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_iter_t columns, rows;
	int r = open_table(item, &columns, &rows, diag);
	if (r < 0)
		return r;
	grid_t grid;
	grid_init(&grid);
	add_header(&grid, columns, style);
	add_rows(&grid, rows, style);
	put_grid(out, &grid, style);
	uint64_t left_out = shell_table_left_out(item);
	left_out = left_out > UINT64_MAX - grid.skipped ? UINT64_MAX : left_out + grid.skipped;
	if (left_out > 0)
		g_string_append_printf(out, "%s and %" PRIu64 " more %s\n", shell_text_ellipsis(style),
			left_out, left_out == 1 ? "row" : "rows");
	grid_fini(&grid);
	return DREAM_OK;
}

static void put_json_row(
	GString *out, shell_value_iter_t columns, shell_value_t row, const shell_style_t *style)
{
	shell_value_iter_t cells;
	shell_value_t name, cell;
	const char *separator = "";
	g_string_append_c(out, '{');
	if (shell_value_array(row, &cells))
		while (shell_value_next(&columns, &name) && shell_value_next(&cells, &cell)) {
			g_string_append(out, separator);
			shell_value_put_json(out, name, style);
			g_string_append_c(out, ':');
			shell_value_put_json(out, cell, style);
			separator = ",";
		}
	g_string_append_c(out, '}');
}

int shell_table_put_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_iter_t columns, rows;
	int r = open_table(item, &columns, &rows, diag);
	if (r < 0)
		return r;
	shell_value_t row;
	const char *separator = "";
	g_string_append_c(out, '[');
	while (shell_value_next(&rows, &row)) {
		/* Half an array would be no JSON, so a table that explodes is an error, not a cut. */
		if (out->len >= SHELL_TEXT_OUT_MAX)
			return node_diag_set(diag, DREAM_ELIMIT,
				"the table is larger than %zu bytes as JSON; ask for less",
				SHELL_TEXT_OUT_MAX);
		g_string_append(out, separator);
		put_json_row(out, columns, row, style);
		separator = ",";
	}
	g_string_append_c(out, ']');
	return DREAM_OK;
}
