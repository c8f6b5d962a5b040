/* SPDX-License-Identifier: MIT */
/* output.h: results in the forms of docs/console.md, with their caps. */
#ifndef NODE_CONSOLE_OUTPUT_H
#define NODE_CONSOLE_OUTPUT_H
#include "console/command.h"
#include "term/cbor.h"

DREAM_BEGIN_DECLS

/** Sends one finished item. @item taken; NULL: out of memory.
 *  Errors    DREAM_ELIMIT  all results together would be larger than NODE_CONSOLE_BYTES_MAX
 *            DREAM_ENOMEM, DREAM_ENOCONNECTION
 *  Thread    [process], like all functions here */
int node_output_item_take(node_cmd_t *cmd, dream_msg_t *item);

DREAM_PRINTF(2, 3) int node_output_text(node_cmd_t *cmd, const char *format, ...);
/** @term lent; NULL is null. */
int node_output_term(node_cmd_t *cmd, const dream_msg_t *term);

/* A map under construction: facts, or a tree node's. Between start and end nothing may block. */
typedef struct node_output_facts {
	node_cbor_writer_t w;
} node_output_facts_t;

void node_output_facts_start(node_output_facts_t *facts);
/** @value NULL: null. */
void node_output_fact_text(node_output_facts_t *facts, const char *key, const char *value);
DREAM_PRINTF(3, 4)
void node_output_fact_printf(node_output_facts_t *facts, const char *key, const char *format, ...);
void node_output_fact_int(node_output_facts_t *facts, const char *key, int64_t value);
void node_output_fact_bool(node_output_facts_t *facts, const char *key, bool value);
int node_output_facts_end(node_cmd_t *cmd, node_output_facts_t *facts);

/* A table under construction: begin, then for each row its cells in order. The same holds for blocking. */
typedef struct node_output_table {
	node_cbor_writer_t w;
	uint32_t n_columns;
	uint32_t n_rows;
	uint64_t n_more; /* rows left out */
} node_output_table_t;

/** @columns texts, ended by NULL */
void node_output_table_start(node_output_table_t *table, const char *const *columns);
/** Begins a row: false if no more fit; the row is counted as left out and must not be written. */
bool node_output_row(node_output_table_t *table);
void node_output_cell_text(node_output_table_t *table, const char *text);
void node_output_cell_int(node_output_table_t *table, int64_t value);
int node_output_table_end(node_cmd_t *cmd, node_output_table_t *table);

DREAM_END_DECLS
#endif
