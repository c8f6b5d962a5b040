/* SPDX-License-Identifier: MIT */
#include "shell/tree.h"

typedef struct tree {
	GString *out;
	const shell_style_t *style;
	GString *prefix; /* the lines of the ancestors that go on below */
	uint32_t depth;
	node_diag_t *diag;
} tree_t;

typedef struct strokes {
	const char *child, *last, *through, *blank;
} strokes_t;

static const strokes_t unicode_strokes = {
	"\xe2\x94\x9c\xe2\x94\x80 ", "\xe2\x94\x94\xe2\x94\x80 ", "\xe2\x94\x82  ", "   "};
static const strokes_t ascii_strokes = {"|- ", "`- ", "|  ", "   "};

static void put_facts(GString *line, shell_value_t node, const shell_style_t *style)
{
	shell_value_t facts, key, value;
	shell_value_iter_t iter;
	if (!shell_value_find(node, "facts", &facts) || !shell_value_map(facts, &iter))
		return;
	const char *separator = "  ";
	while (shell_value_next_pair(&iter, &key, &value)) {
		g_string_append(line, separator);
		shell_value_put(line, key, style, SHELL_TREE_LABEL_MAX);
		g_string_append_c(line, '=');
		shell_value_put(line, value, style, SHELL_TREE_LABEL_MAX);
		separator = " ";
	}
}

static int put_node(tree_t *tree, shell_value_t node, const char *stroke)
{
	shell_value_t label;
	if (!shell_value_find(node, "label", &label))
		return node_diag_set(tree->diag, DREAM_EPROTO, "the node sent a tree with a nameless entry");
	g_autoptr(GString) line = g_string_new(tree->prefix->str);
	g_string_append(line, stroke);
	shell_value_put(line, label, tree->style, SHELL_TREE_LABEL_MAX);
	put_facts(line, node, tree->style);
	if (tree->style->width > 0)
		shell_text_cut(line, tree->style->width, tree->style);
	g_string_append_len(tree->out, line->str, (gssize) line->len);
	g_string_append_c(tree->out, '\n');
	return DREAM_OK;
}

static int put_children(tree_t *tree, shell_value_t node);

static int put_child(tree_t *tree, shell_value_t child, bool is_last)
{
	const strokes_t *strokes = tree->style->utf8_lines ? &unicode_strokes : &ascii_strokes;
	int r = put_node(tree, child, is_last ? strokes->last : strokes->child);
	if (r < 0)
		return r;
	gsize before = tree->prefix->len;
	g_string_append(tree->prefix, is_last ? strokes->blank : strokes->through);
	tree->depth++;
	r = put_children(tree, child);
	tree->depth--;
	g_string_truncate(tree->prefix, before);
	return r;
}

static void put_cut(tree_t *tree)
{
	g_string_append_printf(tree->out, "%s%s\n", tree->prefix->str, shell_text_ellipsis(tree->style));
}

static int put_children(tree_t *tree, shell_value_t node)
{
	shell_value_t children, child, next;
	shell_value_iter_t iter;
	if (!shell_value_find(node, "children", &children) || !shell_value_array(children, &iter))
		return DREAM_OK;
	bool more = shell_value_next(&iter, &child);
	if (more && tree->depth >= SHELL_TREE_DEPTH_MAX) {
		put_cut(tree);
		return DREAM_OK;
	}
	while (more) {
		if (tree->out->len >= SHELL_TEXT_OUT_MAX) {
			put_cut(tree);
			break;
		}
		more = shell_value_next(&iter, &next);
		int r = put_child(tree, child, !more);
		if (r < 0)
			return r;
		child = next;
	}
	return DREAM_OK;
}

int shell_tree_put(GString *out, shell_value_t root, const shell_style_t *style, node_diag_t *diag)
{
	g_autoptr(GString) prefix = g_string_new(NULL);
	tree_t tree = {out, style, prefix, 0, diag};
	int r = put_node(&tree, root, "");
	return r < 0 ? r : put_children(&tree, root);
}
