/* SPDX-License-Identifier: MIT */
#include "code/vtable.h"

#include <stdio.h>
#include <string.h>

#include "term/notation.h"

/* The size of a struct up to its last member of ABI 1.0. */
#define UP_TO(type, member) ((uint32_t) (offsetof(type, member) + sizeof(((type *) 0)->member)))

#define TAG_MAX 255
#define REGISTERED_NAME_MAX 255
#define DESCRIPTION_MAX 1024

/* ---- handlers of a server ---- */

static int check_handler(node_adopt_t *a, const char *what, dream_handler_t *h, bool replies)
{
	char member[96];
	int r = node_adopt_text(a, what, h->tag, TAG_MAX);
	if (r == DREAM_OK && (h->tag == NULL || h->tag[0] == '\0' || !g_utf8_validate(h->tag, -1, NULL)))
		r = node_adopt_refuse(a,
			"%s has no tag: give it one in DREAM_ON_CALL, DREAM_ON_CAST or DREAM_ON_INFO", what);
	if (r == DREAM_OK && h->fn == NULL)
		r = node_adopt_refuse(
			a, "%s has no function: use DREAM_ON_CALL, DREAM_ON_CAST or DREAM_ON_INFO", what);
	if (r == DREAM_OK)
		r = node_adopt_code(a, what, (uintptr_t) h->fn);
	if (r < 0)
		return r;
	h->tag_size = (uint32_t) strlen(h->tag);
	if (h->request == NULL || (h->reply != NULL) != replies)
		return node_adopt_refuse(a, "%s %s: use %s", what,
			h->request == NULL ? "has no request type"
			: replies          ? "has no reply type"
					   : "has a reply type",
			replies ? "DREAM_ON_CALL" : "DREAM_ON_CAST or DREAM_ON_INFO");
	snprintf(member, sizeof(member), "the request type of %s", what);
	r = node_adopt_type(a, member, h->request);
	if (r < 0 || !replies)
		return r;
	snprintf(member, sizeof(member), "the reply type of %s", what);
	return node_adopt_type(a, member, h->reply);
}

static int check_tag_is_new(node_adopt_t *a, const char *list, const dream_handler_t *handlers, uint32_t n)
{
	char quoted[NODE_ADOPT_QUOTED];
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(handlers[i].tag, handlers[n].tag) == 0)
			return node_adopt_refuse(a, "two of its %s have the tag %s: remove one", list,
				node_adopt_quote(handlers[n].tag, quoted));
	return DREAM_OK;
}

/* Replaces a module's list of handlers by a copy. */
static int copy_handlers(
	node_adopt_t *a, const char *list, const dream_handler_t *const **handlers, bool replies)
{
	uint32_t n;
	int r = node_adopt_count(a, list, (const void *const *) *handlers, &n);
	if (r < 0 || *handlers == NULL)
		return r;
	dream_handler_t *copies = node_adopt_alloc(a, n * sizeof(*copies));
	const dream_handler_t **pointers = node_adopt_alloc(a, (n + 1) * sizeof(*pointers));
	if (copies == NULL || pointers == NULL)
		return node_diag_set(a->diag, DREAM_ENOMEM, "out of memory for %u handlers", n);
	for (uint32_t i = 0; i < n; i++) {
		char what[32];
		snprintf(what, sizeof(what), "%s[%u]", list, i);
		r = node_adopt_struct(
			a, what, (*handlers)[i], UP_TO(dream_handler_t, fn), &copies[i], sizeof(copies[i]));
		if (r == DREAM_OK)
			r = check_handler(a, what, &copies[i], replies);
		if (r == DREAM_OK)
			r = check_tag_is_new(a, list, copies, i);
		if (r < 0)
			return r;
		pointers[i] = &copies[i];
	}
	*handlers = pointers;
	return DREAM_OK;
}

static int copy_server(node_adopt_t *a, const void *theirs, dream_gen_server_ops_t *ops)
{
	int r = node_adopt_struct(
		a, "its vtable", theirs, UP_TO(dream_gen_server_ops_t, code_change), ops, sizeof(*ops));
	if (r < 0)
		return r;
	const struct {
		const char *name;
		uintptr_t code;
	} callbacks[] = {{"init", (uintptr_t) ops->init}, {"handle_call", (uintptr_t) ops->handle_call},
		{"handle_cast", (uintptr_t) ops->handle_cast}, {"handle_info", (uintptr_t) ops->handle_info},
		{"handle_continue", (uintptr_t) ops->handle_continue},
		{"terminate", (uintptr_t) ops->terminate}, {"code_change", (uintptr_t) ops->code_change}};
	for (size_t i = 0; i < G_N_ELEMENTS(callbacks) && r == DREAM_OK; i++)
		r = node_adopt_code(a, callbacks[i].name, callbacks[i].code);
	if (r == DREAM_OK && ops->state != NULL)
		r = node_adopt_type(a, "its state type", ops->state);
	if (r == DREAM_OK)
		r = copy_handlers(a, "calls", &ops->calls, true);
	if (r == DREAM_OK)
		r = copy_handlers(a, "casts", &ops->casts, false);
	if (r == DREAM_OK)
		r = copy_handlers(a, "infos", &ops->infos, false);
	return r;
}

/* ---- terms written as texts ---- */

static int check_term(node_adopt_t *a, const char *what, const char *text, bool must_be_map)
{
	node_diag_t why = {0};
	dream_msg_t *term = NULL;
	int r = node_adopt_text(a, what, text, NODE_ADOPT_TEXT_MAX);
	if (r < 0 || text == NULL)
		return r;
	r = node_notation_parse(text, strlen(text), &term, &why);
	if (r < 0)
		return node_adopt_refuse(a, "%s cannot be read as a term: %s", what, why.text);
	bool is_map = term->size_bytes > 0 && term->data[0] >> 5 == NODE_CBOR_MAP;
	node_msg_unref(term);
	if (must_be_map && !is_map)
		return node_adopt_refuse(a, "%s is no map: write it as {\"key\": value}", what);
	return DREAM_OK;
}

/* ---- supervisors ---- */

static int check_child_names(node_adopt_t *a, const char *what, const dream_child_t *c)
{
	int r = node_adopt_text(a, what, c->id, REGISTERED_NAME_MAX);
	if (r == DREAM_OK)
		r = node_adopt_text(a, what, c->module, REGISTERED_NAME_MAX);
	if (r == DREAM_OK)
		r = node_adopt_text(a, what, c->kind, REGISTERED_NAME_MAX);
	if (r == DREAM_OK)
		r = node_adopt_text(a, what, c->name, REGISTERED_NAME_MAX);
	if (r < 0)
		return r;
	char quoted[NODE_ADOPT_QUOTED];
	if (c->kind == NULL || !node_adopt_is_name(c->kind))
		return node_adopt_refuse(a, "%s starts the kind %s: name a kind of the module", what,
			c->kind == NULL ? "(none)" : node_adopt_quote(c->kind, quoted));
	if (c->module != NULL && !node_adopt_is_name(c->module))
		return node_adopt_refuse(a, "%s starts a kind of %s: name a module", what,
			node_adopt_quote(c->module, quoted));
	if ((c->id != NULL && (c->id[0] == '\0' || !g_utf8_validate(c->id, -1, NULL))) ||
		(c->name != NULL && (c->name[0] == '\0' || !g_utf8_validate(c->name, -1, NULL))))
		return node_adopt_refuse(
			a, "%s has an empty id or name, or one that is not UTF-8: leave it out", what);
	return DREAM_OK;
}

static int check_child(node_adopt_t *a, const char *what, const dream_child_t *c)
{
	int r = check_child_names(a, what, c);
	if (r < 0)
		return r;
	if (c->restart > DREAM_TEMPORARY)
		return node_adopt_refuse(a,
			"%s has the restart type %u: use DREAM_PERMANENT, _TRANSIENT or _TEMPORARY", what,
			c->restart);
	if (c->shutdown_ms < DREAM_SHUTDOWN_INFINITY)
		return node_adopt_refuse(a,
			"%s has the shutdown time %lld: use milliseconds or DREAM_SHUTDOWN_...", what,
			(long long) c->shutdown_ms);
	return check_term(a, what, c->args, false);
}

static const char *child_id(const dream_child_t *c)
{
	return c->id != NULL ? c->id : c->kind;
}

static int check_id_is_new(node_adopt_t *a, const dream_child_t *children, uint32_t n)
{
	char quoted[NODE_ADOPT_QUOTED];
	for (uint32_t i = 0; i < n; i++)
		if (strcmp(child_id(&children[i]), child_id(&children[n])) == 0)
			return node_adopt_refuse(a, "two children have the id %s: give each its own",
				node_adopt_quote(child_id(&children[n]), quoted));
	return DREAM_OK;
}

static int copy_children(node_adopt_t *a, const dream_child_t *const **children)
{
	uint32_t n;
	int r = node_adopt_count(a, "children", (const void *const *) *children, &n);
	if (r < 0 || *children == NULL)
		return r;
	dream_child_t *copies = node_adopt_alloc(a, n * sizeof(*copies));
	const dream_child_t **pointers = node_adopt_alloc(a, (n + 1) * sizeof(*pointers));
	if (copies == NULL || pointers == NULL)
		return node_diag_set(a->diag, DREAM_ENOMEM, "out of memory for %u children", n);
	for (uint32_t i = 0; i < n; i++) {
		char what[32];
		snprintf(what, sizeof(what), "children[%u]", i);
		r = node_adopt_struct(
			a, what, (*children)[i], UP_TO(dream_child_t, args), &copies[i], sizeof(copies[i]));
		if (r == DREAM_OK)
			r = check_child(a, what, &copies[i]);
		if (r == DREAM_OK)
			r = check_id_is_new(a, copies, i);
		if (r < 0)
			return r;
		pointers[i] = &copies[i];
	}
	*children = pointers;
	return DREAM_OK;
}

static int copy_supervisor(node_adopt_t *a, const void *theirs, dream_supervisor_ops_t *ops)
{
	int r = node_adopt_struct(
		a, "its vtable", theirs, UP_TO(dream_supervisor_ops_t, children), ops, sizeof(*ops));
	if (r < 0)
		return r;
	if (ops->strategy > DREAM_REST_FOR_ONE)
		return node_adopt_refuse(a,
			"its strategy is %u: use DREAM_ONE_FOR_ONE, DREAM_ONE_FOR_ALL or DREAM_REST_FOR_ONE",
			ops->strategy);
	if (ops->intensity < DREAM_INTENSITY_NONE)
		return node_adopt_refuse(a,
			"its intensity is %d: use a count of restarts or DREAM_INTENSITY_NONE",
			ops->intensity);
	return copy_children(a, &ops->children);
}

/* ---- applications and processes ---- */

static int copy_depends(node_adopt_t *a, const char *const **depends)
{
	uint32_t n;
	int r = node_adopt_count(a, "depends", (const void *const *) *depends, &n);
	if (r < 0 || *depends == NULL)
		return r;
	const char **copy = node_adopt_alloc(a, (n + 1) * sizeof(*copy));
	if (copy == NULL)
		return node_diag_set(a->diag, DREAM_ENOMEM, "out of memory for %u dependencies", n);
	for (uint32_t i = 0; i < n; i++) {
		char quoted[NODE_ADOPT_QUOTED];
		copy[i] = (*depends)[i];
		r = node_adopt_text(a, "depends", copy[i], REGISTERED_NAME_MAX);
		if (r < 0)
			return r;
		if (!node_adopt_is_name(copy[i]))
			return node_adopt_refuse(a, "it depends on %s: name an application",
				node_adopt_quote(copy[i], quoted));
	}
	*depends = copy;
	return DREAM_OK;
}

static int copy_application(node_adopt_t *a, const void *theirs, dream_application_ops_t *ops)
{
	int r = node_adopt_struct(
		a, "its vtable", theirs, UP_TO(dream_application_ops_t, config_change), ops, sizeof(*ops));
	if (r == DREAM_OK)
		r = node_adopt_text(a, "its description", ops->description, DESCRIPTION_MAX);
	if (r == DREAM_OK)
		r = node_adopt_text(a, "its root", ops->root, REGISTERED_NAME_MAX);
	if (r == DREAM_OK)
		r = check_term(a, "its root_args", ops->root_args, false);
	if (r == DREAM_OK)
		r = check_term(a, "its env", ops->env, true);
	if (r == DREAM_OK)
		r = copy_depends(a, &ops->depends);
	if (r == DREAM_OK)
		r = node_adopt_code(a, "start", (uintptr_t) ops->start);
	if (r == DREAM_OK)
		r = node_adopt_code(a, "stop", (uintptr_t) ops->stop);
	if (r == DREAM_OK)
		r = node_adopt_code(a, "config_change", (uintptr_t) ops->config_change);
	return r;
}

static int copy_process(node_adopt_t *a, const void *theirs, dream_process_ops_t *ops)
{
	int r = node_adopt_struct(
		a, "its vtable", theirs, UP_TO(dream_process_ops_t, main), ops, sizeof(*ops));
	if (r == DREAM_OK && ops->main == NULL)
		r = node_adopt_refuse(a, "it has no main: give DREAM_PROCESS a function");
	if (r == DREAM_OK)
		r = node_adopt_code(a, "main", (uintptr_t) ops->main);
	return r;
}

int node_vtable_copy(node_adopt_t *a, node_kind_t *kind, const void *ops)
{
	switch (kind->type) {
	case DREAM_KIND_PROCESS:
		return copy_process(a, ops, &kind->ops.process);
	case DREAM_KIND_GEN_SERVER:
		return copy_server(a, ops, &kind->ops.server);
	case DREAM_KIND_SUPERVISOR:
		return copy_supervisor(a, ops, &kind->ops.supervisor);
	default:
		return copy_application(a, ops, &kind->ops.application);
	}
}

/* ---- what kinds say about each other ---- */

static int check_children_exist(node_adopt_t *a, const node_kind_t *supervisor)
{
	const dream_child_t *const *c = supervisor->ops.supervisor.children;
	for (; c != NULL && *c != NULL; c++) {
		if ((*c)->module != NULL && strcmp((*c)->module, a->gen->name) != 0)
			continue; /* perhaps not loaded yet */
		const node_kind_t *kind = node_code_kind_borrow(a->gen, (*c)->kind);
		if (kind == NULL || kind->type == DREAM_KIND_APPLICATION)
			return node_adopt_refuse(a,
				"supervisor %s: its child %s is no process, server or supervisor of this "
				"module: list it in "
				"DREAM_MODULE, or name its module",
				supervisor->name, (*c)->kind);
	}
	return DREAM_OK;
}

static int check_root_exists(node_adopt_t *a, const node_kind_t *application)
{
	const char *root = application->ops.application.root;
	char quoted[NODE_ADOPT_QUOTED];
	const node_kind_t *kind = root == NULL ? NULL : node_code_kind_borrow(a->gen, root);
	if (kind != NULL && kind->type == DREAM_KIND_SUPERVISOR)
		return DREAM_OK;
	return node_adopt_refuse(a,
		"application %s: its root %s is no supervisor of this module: list it in DREAM_MODULE",
		application->name, root == NULL ? "(none)" : node_adopt_quote(root, quoted));
}

int node_vtable_check_references(node_adopt_t *a)
{
	int r = DREAM_OK;
	for (uint32_t i = 0; i < a->gen->n_kinds && r == DREAM_OK; i++) {
		const node_kind_t *kind = &a->gen->kinds[i];
		if (kind->type == DREAM_KIND_SUPERVISOR)
			r = check_children_exist(a, kind);
		else if (kind->type == DREAM_KIND_APPLICATION)
			r = check_root_exists(a, kind);
	}
	return r;
}
