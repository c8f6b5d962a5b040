/* SPDX-License-Identifier: MIT */
#include "shell/render.h"

#include "shell/table.h"
#include "shell/tree.h"
#include "term/notation.h"

#define KEY_COLUMNS_MAX 32
#define FACT_MAX 4096

typedef int (*put_t)(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag);

typedef struct form {
	const char *name;
	put_t text;
	put_t json;
} form_t;

static int need(shell_value_t item, const char *key, shell_value_t *ret_value, node_diag_t *diag)
{
	if (!shell_value_find(item, key, ret_value))
		return node_diag_set(diag, DREAM_EPROTO, "the node sent a result without \"%s\"", key);
	return DREAM_OK;
}

static int text_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_t value;
	const char *text;
	uint64_t size;
	int r = need(item, "text", &value, diag);
	if (r < 0)
		return r;
	node_cbor_reader_t reader = node_cbor_read(value.data, value.size_bytes);
	if (node_cbor_get_text(&reader, &text, &size) < 0)
		return node_diag_set(diag, DREAM_EPROTO, "the node sent a text that is none");
	shell_text_put(out, text, size, style, SHELL_TEXT_LINES);
	if (size == 0 || text[size - 1] != '\n')
		g_string_append_c(out, '\n');
	return DREAM_OK;
}

static int text_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_t value;
	int r = need(item, "text", &value, diag);
	if (r < 0)
		return r;
	g_string_append(out, "{\"text\":");
	shell_value_put_json(out, value, style);
	g_string_append_c(out, '}');
	return DREAM_OK;
}

static void put_term(GString *out, shell_value_t term, const shell_style_t *style)
{
	g_autoptr(GString) notation = g_string_new(NULL);
	node_notation_print(
		notation, term.data, term.size_bytes, style->width > 0 ? SHELL_RENDER_TERM_MAX : 0);
	shell_text_put(out, notation->str, notation->len, style, SHELL_TEXT_ONE_LINE);
	g_string_append_c(out, '\n');
}

static int term_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_t term;
	int r = need(item, "term", &term, diag);
	if (r < 0)
		return r;
	put_term(out, term, style);
	return DREAM_OK;
}

static int key_json(
	GString *out, shell_value_t item, const char *key, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_t value;
	int r = need(item, key, &value, diag);
	if (r < 0)
		return r;
	shell_value_put_json(out, value, style);
	return DREAM_OK;
}

static int term_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	return key_json(out, item, "term", style, diag);
}

static uint32_t key_column(shell_value_iter_t facts, const shell_style_t *style)
{
	uint32_t widest = 0;
	shell_value_t key, value;
	g_autoptr(GString) text = g_string_new(NULL);
	while (shell_value_next_pair(&facts, &key, &value)) {
		g_string_truncate(text, 0);
		shell_value_put(text, key, style, FACT_MAX);
		widest = MAX(widest, shell_text_width(text->str));
	}
	return MIN(widest, KEY_COLUMNS_MAX);
}

static int facts_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_t facts, key, value;
	shell_value_iter_t iter;
	int r = need(item, "facts", &facts, diag);
	if (r < 0)
		return r;
	if (!shell_value_map(facts, &iter))
		return node_diag_set(diag, DREAM_EPROTO, "the node sent facts that are no map");
	uint32_t column = key_column(iter, style);
	g_autoptr(GString) text = g_string_new(NULL);
	while (shell_value_next_pair(&iter, &key, &value) && out->len < SHELL_TEXT_OUT_MAX) {
		g_string_truncate(text, 0);
		shell_value_put(text, key, style, FACT_MAX);
		uint32_t width = shell_text_width(text->str);
		shell_text_put_bold(out, text->str, style);
		shell_text_pad(out, width < column ? column - width + 1 : 1);
		shell_value_put(out, value, style, style->width > 0 ? FACT_MAX : 0);
		g_string_append_c(out, '\n');
	}
	return DREAM_OK;
}

static int facts_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	return key_json(out, item, "facts", style, diag);
}

static int tree_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_t root;
	int r = need(item, "root", &root, diag);
	return r < 0 ? r : shell_tree_put(out, root, style, diag);
}

static int tree_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	return key_json(out, item, "root", style, diag);
}

static int event_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	shell_value_t event, data, key, value;
	shell_value_iter_t iter;
	int r = need(item, "event", &event, diag);
	if (r < 0)
		return r;
	g_autoptr(GString) name = g_string_new(NULL);
	shell_value_put(name, event, style, FACT_MAX);
	shell_text_put_bold(out, name->str, style);
	if (shell_value_find(item, "data", &data) && shell_value_map(data, &iter))
		while (shell_value_next_pair(&iter, &key, &value) && out->len < SHELL_TEXT_OUT_MAX) {
			g_string_append_c(out, ' ');
			shell_value_put(out, key, style, FACT_MAX);
			g_string_append_c(out, '=');
			shell_value_put(out, value, style, FACT_MAX);
		}
	g_string_append_c(out, '\n');
	return DREAM_OK;
}

static int event_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	g_string_append(out, "{\"event\":");
	int r = key_json(out, item, "event", style, diag);
	if (r < 0)
		return r;
	shell_value_t data;
	if (shell_value_find(item, "data", &data)) {
		g_string_append(out, ",\"data\":");
		shell_value_put_json(out, data, style);
	}
	g_string_append_c(out, '}');
	return DREAM_OK;
}

static int unknown_put(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	(void) diag;
	put_term(out, item, style);
	return DREAM_OK;
}

static int unknown_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	(void) diag;
	shell_value_put_json(out, item, style);
	return DREAM_OK;
}

static const form_t forms[] = {
	{"text", text_put, text_json},
	{"term", term_put, term_json},
	{"facts", facts_put, facts_json},
	{"table", shell_table_put, shell_table_put_json},
	{"tree", tree_put, tree_json},
	{"event", event_put, event_json},
	{NULL, unknown_put, unknown_json},
};

static int find_form(shell_value_t item, const form_t **ret_form, node_diag_t *diag)
{
	int r = node_cbor_check(item.data, item.size_bytes, diag);
	if (r < 0)
		return node_diag_set(diag, DREAM_EPROTO, "the node sent a result that is not CBOR");
	shell_value_t name;
	r = need(item, "form", &name, diag);
	if (r < 0)
		return r;
	const form_t *form = forms;
	while (form->name != NULL && !shell_value_is_text(name, form->name))
		form++;
	*ret_form = form;
	return DREAM_OK;
}

int shell_render_text(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	const form_t *form;
	int r = find_form(item, &form, diag);
	return r < 0 ? r : form->text(out, item, style, diag);
}

int shell_render_json(GString *out, shell_value_t item, const shell_style_t *style, node_diag_t *diag)
{
	const form_t *form;
	int r = find_form(item, &form, diag);
	if (r < 0)
		return r;
	gsize before = out->len;
	r = form->json(out, item, style, diag);
	if (r < 0)
		g_string_truncate(out, before);
	else
		g_string_append_c(out, '\n');
	return r;
}
