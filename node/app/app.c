/* SPDX-License-Identifier: MIT */
/* The controller is one process, so that starts, stops and loads happen one after another; it answers each
 * request with a code and a text. What others may ask without waiting is under the lock. */
#include "app/app.h"

#include <string.h>

#include "app/local.h"
#include "base/clock.h"
#include "base/log.h"
#include "otp/call.h"
#include "term/cbor.h"
#include "term/notation.h"

#define OP_LOAD 1
#define OP_START 2
#define OP_STOP 3
#define OP_STOP_ALL 4
#define OP_CONFIG_CHANGED 5

/* ---- tables ---- */

node_app_t *node_app_find_locked(node_apps_t *apps, const char *name)
{
	for (guint i = 0; i < apps->apps->len; i++)
		if (strcmp(((node_app_t *) apps->apps->pdata[i])->name, name) == 0)
			return apps->apps->pdata[i];
	return NULL;
}

static node_app_t *find(node_apps_t *apps, const char *name)
{
	pthread_mutex_lock(&apps->lock);
	node_app_t *app = node_app_find_locked(apps, name);
	pthread_mutex_unlock(&apps->lock);
	return app;
}

static void set_state(node_app_t *app, int32_t state)
{
	node_apps_t *apps = app->node->apps;
	pthread_mutex_lock(&apps->lock);
	app->state = state;
	if (state == NODE_APP_RUNNING) {
		app->started_seq = ++apps->start_seq;
		app->started_ns = node_clock_now(app->node);
	}
	pthread_mutex_unlock(&apps->lock);
}

static node_app_t *app_at(const node_apps_t *apps, guint i)
{
	return apps->apps->pdata[i];
}

const char *node_app_of_borrow(const node_proc_t *proc)
{
	const node_app_t *app = __atomic_load_n(&proc->app, __ATOMIC_RELAXED);
	return app != NULL ? app->name : NULL;
}

/* ---- loading ---- */

static int add_app(node_apps_t *apps, const node_kind_t *kind, node_diag_t *diag)
{
	dream_msg_t *defaults;
	if (find(apps, kind->name) != NULL)
		return node_diag_set(
			diag, DREAM_EALREADY, "an application \"%s\" is loaded already", kind->name);
	int r = node_env_parse_defaults(&kind->ops.application, &defaults, diag);
	if (r < 0)
		return node_diag_prefix(diag, "application %s: env", kind->name);
	node_app_t *app = g_new0(node_app_t, 1);
	g_strlcpy(app->name, kind->name, sizeof(app->name));
	app->node = apps->node;
	app->gen = node_code_ref(kind->gen);
	app->kind = kind;
	app->defaults = defaults;
	pthread_mutex_lock(&apps->lock);
	g_ptr_array_add(apps->apps, app);
	pthread_mutex_unlock(&apps->lock);
	return DREAM_OK;
}

static int add_apps(node_apps_t *apps, const node_gen_t *gen, node_diag_t *diag)
{
	int r = DREAM_OK;
	for (uint32_t i = 0; i < gen->n_kinds && r == DREAM_OK; i++)
		if (gen->kinds[i].type == DREAM_KIND_APPLICATION)
			r = add_app(apps, &gen->kinds[i], diag);
	return r;
}

static int do_load(node_apps_t *apps, const char *path, node_diag_t *diag)
{
	node_gen_t *gen;
	int r = node_code_load(apps->node->code, path, &gen, diag);
	if (r < 0)
		return r;
	node_gen_t *loaded = node_code_current_ref(apps->node->code, gen->name);
	if (loaded != NULL) {
		r = node_diag_set(diag, DREAM_EALREADY,
			"%s: module %s %s is loaded; use 'upgrade' to change its version", path, loaded->name,
			loaded->vsn);
		node_code_unref(loaded);
	}
	if (r == DREAM_OK)
		r = add_apps(apps, gen, diag);
	if (r == DREAM_OK) {
		node_log(
			apps->node, DREAM_LOG_INFO, "loaded module %s %s from %s", gen->name, gen->vsn, path);
		node_code_unref(node_code_make_current(apps->node->code, gen));
	}
	node_code_unref(gen);
	return r;
}

/* ---- starting ---- */

typedef struct {
	node_proc_t *proc;
	node_apps_t *apps;
	int32_t type;
	node_diag_t *diag;
} start_t;

static int do_stop(node_proc_t *proc, node_app_t *app, node_diag_t *diag);

static int start_one(start_t *s, node_app_t *app)
{
	uint64_t monitor;
	app->type = s->type;
	app->given_up = false;
	set_state(app, NODE_APP_STARTING);
	int r = node_master_start(s->proc, app, &monitor);
	if (r < 0) {
		(void) node_proc_demonitor(s->proc, monitor, true);
		set_state(app, NODE_APP_LOADED);
		if (app->given_up)
			return node_diag_set(s->diag, r,
				"application %s did not start: it was told to stop meanwhile", app->name);
		GString *why = g_string_new(NULL);
		const dream_msg_t *reason = node_proc_reason_borrow(s->proc);
		if (reason != NULL)
			node_notation_print(why, reason->data, reason->size_bytes, 400);
		node_diag_set(s->diag, r, "application %s did not start: %s", app->name, why->str);
		g_string_free(why, TRUE);
		return r;
	}
	set_state(app, NODE_APP_RUNNING);
	node_msg_unref(app->seen_env);
	app->seen_env = NULL;
	(void) node_app_env_map(s->proc->node, app->name, &app->seen_env);
	g_ptr_array_add(s->apps->started, app);
	node_log(s->proc->node, DREAM_LOG_NOTICE, "application %s %s started", app->name, app->gen->vsn);
	return DREAM_OK;
}

static int start_with_depends(start_t *s, node_app_t *app)
{
	if (app->state == NODE_APP_RUNNING)
		return DREAM_OK;
	if (g_ptr_array_find(s->apps->visiting, app, NULL))
		return node_diag_set(
			s->diag, DREAM_ELIMIT, "application %s depends on itself, through others", app->name);
	g_ptr_array_add(s->apps->visiting, app);
	const char *const *depends = app->kind->ops.application.depends;
	for (; depends != NULL && *depends != NULL; depends++) {
		node_app_t *other = find(s->apps, *depends);
		if (other == NULL)
			return node_diag_set(s->diag, DREAM_ENOTSTARTED,
				"application %s needs %s, which is not loaded; load its module first",
				app->name, *depends);
		int r = start_with_depends(s, other);
		if (r < 0)
			return r;
	}
	g_ptr_array_remove(s->apps->visiting, app);
	return start_one(s, app);
}

static int do_start(node_proc_t *proc, node_apps_t *apps, const char *name, int32_t type, node_diag_t *diag)
{
	node_app_t *app = find(apps, name);
	if (app == NULL)
		return node_diag_set(diag, DREAM_ENOENT,
			"no application \"%s\" is loaded; 'apps' lists them, 'load FILE' adds one", name);
	if (app->state == NODE_APP_RUNNING)
		return node_diag_set(diag, DREAM_EALREADY, "application %s is running", name);
	if (apps->stopping)
		return node_diag_set(diag, DREAM_EBUSY,
			"the node is stopping; start application %s when it is back", name);
	start_t s = {proc, apps, type, diag};
	g_ptr_array_set_size(apps->visiting, 0);
	g_ptr_array_set_size(apps->started, 0);
	int r = start_with_depends(&s, app);
	for (guint i = apps->started->len; r < 0 && i-- > 0;) { /* APP-3 */
		node_diag_t ignored;
		(void) do_stop(proc, apps->started->pdata[i], &ignored);
	}
	return r;
}

/* ---- stopping ---- */

static int do_stop(node_proc_t *proc, node_app_t *app, node_diag_t *diag)
{
	dream_dest_t to = {app->master, NULL, NULL};
	set_state(app, NODE_APP_STOPPING);
	int r = node_call_stop(proc, &to, NULL, DREAM_INFINITY);
	set_state(app, NODE_APP_LOADED);
	node_log(proc->node, DREAM_LOG_NOTICE, "application %s stopped", app->name);
	if (r < 0 && r != DREAM_EDOWN && r != DREAM_ENOPROC)
		return node_diag_set(diag, r, "application %s: %s", app->name, node_diag_code_text(r));
	return DREAM_OK;
}

static const node_app_t *dependent_of(node_apps_t *apps, const node_app_t *app)
{
	for (guint i = 0; i < apps->apps->len; i++) {
		const node_app_t *other = app_at(apps, i);
		const char *const *depends = other->kind->ops.application.depends;
		for (; other->state == NODE_APP_RUNNING && depends != NULL && *depends != NULL; depends++)
			if (strcmp(*depends, app->name) == 0)
				return other;
	}
	return NULL;
}

static int stop_named(node_proc_t *proc, node_apps_t *apps, const char *name, node_diag_t *diag)
{
	node_app_t *app = find(apps, name);
	if (app == NULL)
		return node_diag_set(diag, DREAM_ENOENT, "no application \"%s\" is loaded", name);
	if (app->given_up) { /* by this very request */
		app->given_up = false;
		return DREAM_OK;
	}
	if (app->state != NODE_APP_RUNNING)
		return node_diag_set(diag, DREAM_ENOTSTARTED, "application %s is not running", name);
	const node_app_t *other = dependent_of(apps, app);
	if (other != NULL)
		return node_diag_set(diag, DREAM_EBUSY,
			"application %s is needed by %s, which is running; stop that first", name,
			other->name);
	return do_stop(proc, app, diag);
}

static node_app_t *last_started(node_apps_t *apps)
{
	node_app_t *last = NULL;
	for (guint i = 0; i < apps->apps->len; i++) {
		node_app_t *app = app_at(apps, i);
		if (app->state == NODE_APP_RUNNING && (last == NULL || app->started_seq > last->started_seq))
			last = app;
	}
	return last;
}

static int do_stop_all(node_proc_t *proc, node_apps_t *apps, node_diag_t *diag)
{
	int r = DREAM_OK;
	node_app_t *app;
	apps->stopping = true;
	while ((app = last_started(apps)) != NULL) { /* APP-8 */
		int one = do_stop(proc, app, diag);
		r = one < 0 ? one : r;
	}
	return r;
}

/* ---- what happens by itself ---- */

static void on_ended(node_proc_t *proc, node_app_t *app, const dream_msg_t *reason)
{
	GString *why = g_string_new(NULL);
	node_notation_print(why, reason->data, reason->size_bytes, 300);
	set_state(app, NODE_APP_LOADED);
	node_log(proc->node, DREAM_LOG_ERROR, "application %s ended: %s", app->name, why->str);
	if (app->type == NODE_APP_PERMANENT && proc->node->hooks.shutdown != NULL) { /* APP-7 */
		g_string_prepend(why, ": ");
		g_string_prepend(why, app->name);
		g_string_prepend(why, "permanent application ended: ");
		proc->node->hooks.shutdown(proc->node, 1, why->str);
	}
	g_string_free(why, TRUE);
}

static void on_down(node_proc_t *proc, node_apps_t *apps, const node_sig_t *sig)
{
	for (guint i = 0; i < apps->apps->len; i++)
		if (app_at(apps, i)->state == NODE_APP_RUNNING &&
			dream_pid_equal(app_at(apps, i)->master, sig->from))
			on_ended(proc, app_at(apps, i), sig->msg);
}

static bool same(const dream_msg_t *a, const dream_msg_t *b)
{
	return a != NULL && b != NULL && a->size_bytes == b->size_bytes &&
	       memcmp(a->data, b->data, a->size_bytes) == 0;
}

/* A reload compares with what the application had when it was last told, or when it was started. */
static int tell_config(node_proc_t *proc, node_app_t *app, node_diag_t *diag)
{
	dream_msg_t *env, *reply;
	int r = node_app_env_map(proc->node, app->name, &env);
	if (r < 0 || app->state != NODE_APP_RUNNING || same(env, app->seen_env)) {
		if (r == DREAM_OK)
			node_msg_unref(env);
		return DREAM_OK;
	}
	node_msg_unref(app->seen_env);
	app->seen_env = env;
	r = node_call_sys_take(proc, app->master, NODE_MASTER_CONFIG_CHANGED, NULL, NULL, 5000, &reply);
	if (r < 0)
		return node_diag_set(
			diag, r, "application %s: config_change: %s", app->name, node_diag_code_text(r));
	node_msg_unref(reply);
	return DREAM_OK;
}

static int do_config_changed(node_proc_t *proc, node_apps_t *apps, node_diag_t *diag)
{
	int r = DREAM_OK;
	for (guint i = 0; i < apps->apps->len; i++) {
		int one = tell_config(proc, app_at(apps, i), diag);
		r = one < 0 ? one : r;
	}
	return r;
}

/* ---- the controller ---- */

/* A request's argument: [text, number]. */
static char *request_text(const node_sig_t *sig, int32_t *ret_number)
{
	const char *text;
	uint64_t count, size, number = 0;
	if (sig->msg == NULL)
		return g_strdup("");
	node_cbor_reader_t r = node_cbor_read_msg(sig->msg);
	if (node_cbor_get_array(&r, &count) < 0 || node_cbor_get_text(&r, &text, &size) < 0 ||
		node_cbor_get_uint(&r, &number) < 0)
		return g_strdup("");
	*ret_number = (int32_t) number;
	return g_strndup(text, size);
}

bool node_app_stop_waits(const node_proc_t *proc, const node_app_t *app)
{
	for (const node_sig_t *sig = proc->inbox; sig != NULL; sig = sig->next) {
		int32_t number;
		if (sig->kind == NODE_SIG_SYS && sig->code == OP_STOP_ALL)
			return true;
		if (sig->kind != NODE_SIG_SYS || sig->code != OP_STOP)
			continue;
		g_autofree char *name = request_text(sig, &number);
		if (strcmp(name, app->name) == 0)
			return true;
	}
	return false;
}

static int serve(node_proc_t *proc, const node_sig_t *sig, node_diag_t *diag)
{
	node_apps_t *apps = proc->node->apps;
	int32_t number = 0;
	g_free(apps->request);
	const char *text = apps->request = request_text(sig, &number);
	switch (sig->code) {
	case OP_LOAD:
		return do_load(apps, text, diag);
	case OP_START:
		return do_start(proc, apps, text, number, diag);
	case OP_STOP:
		return stop_named(proc, apps, text, diag);
	case OP_STOP_ALL:
		return do_stop_all(proc, apps, diag);
	case OP_CONFIG_CHANGED:
		return do_config_changed(proc, apps, diag);
	default:
		return node_diag_set(diag, DREAM_EREQUEST, "unknown request");
	}
}

static int controller_run(node_proc_t *proc)
{
	node_sig_t *sig;
	node_proc_set_flag(proc, NODE_PROC_TRAP_EXIT, true);
	while ((sig = node_proc_next_take(proc)) != NULL) {
		node_diag_t diag = {.code = 0, .text = ""};
		if (sig->kind == NODE_SIG_SYS) {
			proc->current = sig;
			int r = serve(proc, sig, &diag);
			proc->current = NULL;
			node_proc_answer_take(proc->node, sig, r, r < 0 ? node_msg_text(diag.text) : NULL);
			continue;
		}
		if (sig->kind == NODE_SIG_DOWN)
			on_down(proc, proc->node->apps, sig);
		node_sig_free(sig);
	}
	return node_proc_exiting(proc) ? NODE_RUN_EXIT : NODE_RUN_IDLE;
}

static const node_proc_ops_t controller_ops = {"application_controller", controller_run, NULL};

/* ---- requests ---- */

static int ask(node_proc_t *proc, int32_t op, const char *text, int32_t number, node_diag_t *diag)
{
	node_cbor_writer_t w;
	dream_msg_t *arg, *reply;
	node_cbor_init(&w);
	node_cbor_put_array(&w, 2);
	node_cbor_put_text(&w, text);
	node_cbor_put_uint(&w, (uint64_t) number);
	int r = node_cbor_finish(&w, &arg);
	if (r == DREAM_OK)
		r = node_call_sys_take(
			proc, proc->node->apps->controller, op, arg, NULL, DREAM_INFINITY, &reply);
	if (r == DREAM_OK) {
		node_msg_unref(reply);
		return r;
	}
	const char *why = NULL;
	uint64_t size = 0;
	if (node_proc_reason_borrow(proc) != NULL) {
		node_cbor_reader_t reader = node_cbor_read_msg(node_proc_reason_borrow(proc));
		(void) node_cbor_get_text(&reader, &why, &size);
	}
	return node_diag_set(diag, r, "%.*s", (int) size, why != NULL ? why : "");
}

int node_app_load(node_proc_t *proc, const char *path, node_diag_t *diag)
{
	return ask(proc, OP_LOAD, path, 0, diag);
}

int node_app_start(node_proc_t *proc, const char *name, int32_t type, node_diag_t *diag)
{
	return ask(proc, OP_START, name, type, diag);
}

int node_app_stop(node_proc_t *proc, const char *name, node_diag_t *diag)
{
	return ask(proc, OP_STOP, name, 0, diag);
}

int node_app_stop_all(node_proc_t *proc, node_diag_t *diag)
{
	return ask(proc, OP_STOP_ALL, "", 0, diag);
}

int node_app_config_changed(node_proc_t *proc, node_diag_t *diag)
{
	return ask(proc, OP_CONFIG_CHANGED, "", 0, diag);
}

void node_app_follow(node_t *node, node_gen_t *gen)
{
	node_apps_t *apps = node->apps;
	node_diag_t diag;
	for (guint i = 0; i < apps->apps->len; i++) {
		node_app_t *app = app_at(apps, i);
		if (app->state == NODE_APP_LOADED && strcmp(app->gen->name, gen->name) == 0)
			(void) node_master_set_code(app, gen, true, &diag);
	}
}

/* ---- what everybody may ask ---- */

static uint32_t count_members(node_t *node, const node_app_t *app)
{
	uint32_t pos = 0;
	uint32_t n = 0;
	node_proc_t *proc;
	while ((proc = node_proctab_next(node, &pos)) != NULL)
		n += __atomic_load_n(&proc->app, __ATOMIC_RELAXED) == app;
	return n;
}

GArray *node_app_list(node_t *node)
{
	node_apps_t *apps = node->apps;
	GArray *list = g_array_new(FALSE, TRUE, sizeof(node_app_info_t));
	pthread_mutex_lock(&apps->lock);
	for (guint i = 0; i < apps->apps->len; i++) {
		const node_app_t *app = app_at(apps, i);
		const char *description = app->kind->ops.application.description;
		node_app_info_t info = {.state = app->state,
			.type = app->type,
			.started_ns = app->started_ns,
			.n_crashes = node_code_crashes(app->gen),
			.n_procs = count_members(node, app)};
		g_strlcpy(info.name, app->name, sizeof(info.name));
		g_strlcpy(info.vsn, app->gen->vsn, sizeof(info.vsn));
		g_strlcpy(info.description, description != NULL ? description : "", sizeof(info.description));
		if (app->state == NODE_APP_RUNNING)
			info.root = app->root;
		g_array_append_val(list, info);
	}
	pthread_mutex_unlock(&apps->lock);
	return list;
}

/* ---- life ---- */

int node_app_open(node_t *node)
{
	node_apps_t *apps = g_try_new0(node_apps_t, 1);
	if (apps == NULL)
		return DREAM_ENOMEM;
	apps->node = node;
	pthread_mutex_init(&apps->lock, NULL);
	apps->apps = g_ptr_array_new();
	apps->visiting = g_ptr_array_new();
	apps->started = g_ptr_array_new();
	apps->config =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_hash_table_unref);
	node->apps = apps;
	node_spawn_t spawn = {.ops = &controller_ops,
		.label = "application_controller",
		.name = "application_controller",
		.flags = NODE_PROC_SYSTEM};
	return node_proc_spawn(node, &spawn, &apps->controller);
}

void node_app_close(node_t *node)
{
	node_apps_t *apps = node->apps;
	if (apps == NULL)
		return;
	for (guint i = 0; i < apps->apps->len; i++) {
		node_app_t *app = app_at(apps, i);
		node_code_unref(app->gen);
		node_msg_unref(app->defaults);
		node_msg_unref(app->seen_env);
		g_free(app);
	}
	g_ptr_array_unref(apps->apps);
	g_ptr_array_unref(apps->visiting);
	g_ptr_array_unref(apps->started);
	g_free(apps->request);
	g_hash_table_unref(apps->config);
	pthread_mutex_destroy(&apps->lock);
	g_free(apps);
	node->apps = NULL;
}
