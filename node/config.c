/* SPDX-License-Identifier: MIT */
/* The syntax is GLib's key file: groups in brackets, KEY = VALUE lines, # comments. It is scanned here
 * rather than by GKeyFile because that forgets line numbers and unescapes backslashes, which belong to
 * the terms of [env.…]. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/app.h"
#include "base/log.h"
#include "console/address.h"
#include "console/suggest.h"
#include "io/io.h"
#include "term/notation.h"

/* One KEY = VALUE line, and the file it is in. */
typedef struct {
	node_config_t *config;
	char *group, *key, *value;
	unsigned line;
	node_diag_t *diag;
} entry_t;

typedef struct {
	const char *name;
	int (*set)(const entry_t *entry);
} option_t;

static int refuse(const entry_t *e, const char *why, const char *allowed)
{
	return node_diag_set(e->diag, DREAM_ECONFIG, "%s:%u: [%s] %s=%.80s: %s; %s", e->config->path, e->line,
		e->group, e->key, e->value, why, allowed);
}

/* ---- values ---- */

static void set_text(char **text, const char *value)
{
	g_free(*text);
	*text = g_strdup(value);
}

/* Paths are relative to the file that names them, so that a configuration can be moved with what it names. */
static char *resolve_new(const node_config_t *config, const char *path)
{
	if (g_path_is_absolute(path))
		return g_strdup(path);
	g_autofree char *dir = g_path_get_dirname(config->path);
	return g_build_filename(dir, path, NULL);
}

static int set_path(const entry_t *e, char **path)
{
	if (e->value[0] == '\0')
		return refuse(e, "is empty", "name a file");
	g_free(*path);
	*path = resolve_new(e->config, e->value);
	return DREAM_OK;
}

static int get_uint(const entry_t *e, uint64_t least, uint64_t most, uint32_t *ret_number)
{
	guint64 number;
	if (!g_ascii_string_to_unsigned(e->value, 10, least, most, &number, NULL)) {
		g_autofree char *allowed =
			g_strdup_printf("allowed are %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
				(guint64) least, (guint64) most);
		return refuse(e, "is no number in range", allowed);
	}
	*ret_number = (uint32_t) number;
	return DREAM_OK;
}

static int set_name(const entry_t *e)
{
	if (!node_address_is_name(e->value))
		return refuse(e, "is no node name",
			"write NAME@HOST with letters, digits and . _ - only, as in the certificate");
	set_text(&e->config->name, e->value);
	return DREAM_OK;
}

static int set_listen(const entry_t *e)
{
	node_address_t address;
	if (node_address_parse_place(e->value, &address) < 0)
		return refuse(e, "is no address with a port",
			"write HOST:PORT or [IPV6]:PORT; port 0 lets the system choose");
	set_text(&e->config->listen_host, address.host);
	e->config->listen_port = address.port;
	return DREAM_OK;
}

static int set_authority(const entry_t *e)
{
	return set_path(e, &e->config->authority);
}
static int set_certificate(const entry_t *e)
{
	return set_path(e, &e->config->certificate);
}
static int set_key(const entry_t *e)
{
	return set_path(e, &e->config->key);
}
static int set_cache_dir(const entry_t *e)
{
	return set_path(e, &e->config->cache_dir);
}
static int set_crash_dir(const entry_t *e)
{
	return set_path(e, &e->config->crash_dir);
}

static int set_module_path(const entry_t *e)
{
	g_auto(GStrv) dirs = g_strsplit(e->value, ":", -1);
	g_ptr_array_set_size(e->config->module_path, 0);
	for (char **dir = dirs; *dir != NULL; dir++) {
		g_strstrip(*dir);
		if ((*dir)[0] == '\0')
			return refuse(e, "has an empty part", "separate directories by one ':'");
		g_ptr_array_add(e->config->module_path, resolve_new(e->config, *dir));
	}
	return DREAM_OK;
}

static int set_schedulers(const entry_t *e)
{
	return get_uint(e, 1, 64, &e->config->n_schedulers);
}
static int set_slow_callback(const entry_t *e)
{
	return get_uint(e, 0, 3600000, &e->config->slow_callback_ms);
}

static int set_max_processes(const entry_t *e)
{
	return get_uint(e, 64, 1u << 27, &e->config->max_processes);
}
static int set_stack(const entry_t *e)
{
	return get_uint(e, 64, 65536, &e->config->stack_kib);
}
static int set_max_heap(const entry_t *e)
{
	return get_uint(e, 4, 1u << 30, &e->config->max_heap_kib);
}
static int set_max_mailbox(const entry_t *e)
{
	return get_uint(e, 1, 1u << 30, &e->config->max_mailbox);
}
static int set_max_mailbox_kib(const entry_t *e)
{
	return get_uint(e, 1, 1u << 30, &e->config->max_mailbox_kib);
}
static int set_suspend(const entry_t *e)
{
	return get_uint(e, 1, 3600000, &e->config->suspend_ms);
}

static int set_mailbox_full(const entry_t *e)
{
	static const char *const policies[] = {"refuse", "drop", "kill", "suspend"}; /* by DREAM_FULL_* */
	for (uint32_t i = 0; i < G_N_ELEMENTS(policies); i++)
		if (strcmp(e->value, policies[i]) == 0) {
			e->config->when_full = i;
			return DREAM_OK;
		}
	return refuse(e, "is no policy", "allowed are refuse, drop, kill and suspend");
}
static int set_shutdown(const entry_t *e)
{
	return get_uint(e, 1, 3600, &e->config->shutdown_timeout_s);
}

static int set_blocking_threads(const entry_t *e)
{
	return get_uint(e, 1, 1024, &e->config->blocking_threads);
}
static int set_blocking_queue(const entry_t *e)
{
	return get_uint(e, 1, 1u << 20, &e->config->blocking_queue);
}
static int set_blocking_idle(const entry_t *e)
{
	return get_uint(e, 1, 3600, &e->config->blocking_idle_s);
}
static int set_max_sockets(const entry_t *e)
{
	return get_uint(e, 1, 1u << 24, &e->config->max_sockets);
}
static int set_process_sockets(const entry_t *e)
{
	return get_uint(e, 1, 1u << 24, &e->config->max_sockets_per_process);
}
static int set_socket_buffers(const entry_t *e)
{
	return get_uint(e, 1, 1u << 20, &e->config->socket_buffers_mib);
}

static int set_log_level(const entry_t *e)
{
	if (node_log_level_parse(e->value, &e->config->log_level) < 0)
		return refuse(e, "is no level", "allowed are debug, info, notice, warning, error");
	return DREAM_OK;
}

/* ---- lists ---- */

static bool is_identifier(const char *text)
{
	size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return islower((unsigned char) text[0]) && text[size] == '\0' && size <= 64;
}

static node_config_app_t *find_app(const node_config_t *config, const char *name)
{
	for (guint i = 0; i < config->apps->len; i++) {
		node_config_app_t *app = config->apps->pdata[i];
		if (strcmp(app->name, name) == 0)
			return app;
	}
	return NULL;
}

static int add_app(const entry_t *e, const char *name)
{
	if (!is_identifier(name))
		return refuse(e, "has a name that no application can have",
			"write names like counter, separated by spaces or ';'");
	if (find_app(e->config, name) != NULL)
		return refuse(e, "names an application twice", "remove one");
	node_config_app_t *app = g_new0(node_config_app_t, 1);
	app->name = g_strdup(name);
	app->type = NODE_APP_PERMANENT;
	g_ptr_array_add(e->config->apps, app);
	return DREAM_OK;
}

static int set_applications(const entry_t *e)
{
	g_auto(GStrv) names = g_strsplit_set(e->value, "; \t", -1);
	int r = DREAM_OK;
	for (char **name = names; *name != NULL && r == DREAM_OK; name++)
		if ((*name)[0] != '\0')
			r = add_app(e, *name);
	return r;
}

static int set_connect(const entry_t *e)
{
	g_auto(GStrv) peers = g_strsplit_set(e->value, "; \t", -1);
	node_address_t address;
	g_ptr_array_set_size(e->config->connect, 0);
	for (char **peer = peers; *peer != NULL; peer++) {
		if ((*peer)[0] == '\0')
			continue;
		if (node_address_parse_peer(*peer, &address) < 0)
			return refuse(e, "has a part that is no peer",
				"write NAME@HOST:PORT, separated by spaces or ';'");
		g_ptr_array_add(e->config->connect, g_strdup(*peer));
	}
	return DREAM_OK;
}

/* ---- [application.NAME] and [env.NAME] ---- */

static node_config_app_t *app_of(const entry_t *e)
{
	return find_app(e->config, strchr(e->group, '.') + 1);
}

static int set_file(const entry_t *e)
{
	return set_path(e, &app_of(e)->file);
}

static int set_type(const entry_t *e)
{
	if (strcmp(e->value, "permanent") != 0 && strcmp(e->value, "temporary") != 0)
		return refuse(e, "is no type", "allowed are permanent (the node ends with it) and temporary");
	app_of(e)->type = e->value[0] == 'p' ? NODE_APP_PERMANENT : NODE_APP_TEMPORARY;
	return DREAM_OK;
}

static int add_env(const entry_t *e)
{
	node_diag_t why = {0, ""};
	dream_msg_t *value;
	if (node_notation_parse(e->value, strlen(e->value), &value, &why) < 0)
		return refuse(e, why.text, "write a term: 1, \"text\", [1, 2], {\"a\": true}");
	node_config_env_t *env = g_new0(node_config_env_t, 1);
	env->app = g_strdup(strchr(e->group, '.') + 1);
	env->key = g_strdup(e->key);
	env->value = value;
	g_ptr_array_add(e->config->envs, env);
	return DREAM_OK;
}

static const option_t node_keys[] = {{"name", set_name}, {"listen", set_listen}, {"authority", set_authority},
	{"certificate", set_certificate}, {"key", set_key}, {"module_path", set_module_path},
	{"applications", set_applications}, {"schedulers", set_schedulers}, {"log_level", set_log_level},
	{"cache_dir", set_cache_dir}, {"crash_dir", set_crash_dir}, {"max_processes", set_max_processes},
	{"slow_callback_ms", set_slow_callback}, {"stack_kib", set_stack},
	{"shutdown_timeout_s", set_shutdown}, {"connect", set_connect}, {"max_heap_kib", set_max_heap},
	{"max_mailbox", set_max_mailbox}, {"max_mailbox_kib", set_max_mailbox_kib},
	{"mailbox_full", set_mailbox_full}, {"suspend_ms", set_suspend},
	{"blocking_threads", set_blocking_threads}, {"blocking_queue", set_blocking_queue},
	{"blocking_idle_s", set_blocking_idle}, {"max_sockets", set_max_sockets},
	{"max_sockets_per_process", set_process_sockets}, {"socket_buffers_mib", set_socket_buffers}};
static const option_t app_keys[] = {{"file", set_file}, {"type", set_type}};

const char *node_config_node_key(size_t index)
{
	return index < G_N_ELEMENTS(node_keys) ? node_keys[index].name : NULL;
}

const char *node_config_app_key(size_t index)
{
	return index < G_N_ELEMENTS(app_keys) ? app_keys[index].name : NULL;
}

static int refuse_key(const entry_t *e, const option_t *keys, size_t count)
{
	const char *names[G_N_ELEMENTS(node_keys)];
	g_autoptr(GString) allowed = g_string_new(NULL);
	for (size_t i = 0; i < count; i++) {
		names[i] = keys[i].name;
		g_string_append_printf(allowed, "%s%s", i > 0 ? ", " : "", keys[i].name);
	}
	const char *nearest = node_suggest_nearest(e->key, names, count);
	if (nearest != NULL)
		return node_diag_set(e->diag, DREAM_ECONFIG, "%s:%u: [%s] %s: unknown key; did you mean %s?",
			e->config->path, e->line, e->group, e->key, nearest);
	return node_diag_set(e->diag, DREAM_ECONFIG, "%s:%u: [%s] %s: unknown key; allowed are %s",
		e->config->path, e->line, e->group, e->key, allowed->str);
}

static int set_by_key(const entry_t *e, const option_t *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(keys[i].name, e->key) == 0)
			return keys[i].set(e);
	return refuse_key(e, keys, count);
}

static int refuse_group(const entry_t *e)
{
	return node_diag_set(e->diag, DREAM_ECONFIG,
		"%s:%u: [%s]: unknown group; allowed are [node], [application.NAME] and [env.NAME]",
		e->config->path, e->line, e->group);
}

/* [application.NAME] speaks of what `applications` names, wherever in the file that stands. */
static int set_of_app(const entry_t *e)
{
	if (app_of(e) != NULL)
		return set_by_key(e, app_keys, G_N_ELEMENTS(app_keys));
	return node_diag_set(e->diag, DREAM_ECONFIG,
		"%s:%u: [%s]: no such application is started; add it to applications", e->config->path,
		e->line, e->group);
}

static int apply(const entry_t *e)
{
	if (strcmp(e->group, "node") == 0)
		return set_by_key(e, node_keys, G_N_ELEMENTS(node_keys));
	if (g_str_has_prefix(e->group, "env.") && is_identifier(e->group + strlen("env.")))
		return add_env(e);
	return g_str_has_prefix(e->group, "application.") ? set_of_app(e) : refuse_group(e);
}

/* ---- scanning ---- */

static void free_entry(gpointer data)
{
	entry_t *e = data;
	g_free(e->group);
	g_free(e->key);
	g_free(e->value);
	g_free(e);
}

static int refuse_line(const node_config_t *config, unsigned line, const char *text, node_diag_t *diag)
{
	return node_diag_set(diag, DREAM_ECONFIG,
		"%s:%u: \"%.60s\": neither [GROUP] nor KEY = VALUE; # begins a comment", config->path, line,
		text);
}

static int add_entry(GPtrArray *entries, entry_t *fresh)
{
	for (guint i = 0; i < entries->len; i++) {
		const entry_t *e = entries->pdata[i];
		if (strcmp(e->group, fresh->group) == 0 && strcmp(e->key, fresh->key) == 0) {
			int r = node_diag_set(fresh->diag, DREAM_ECONFIG,
				"%s:%u: [%s] %s: stands in line %u already; remove one", fresh->config->path,
				fresh->line, fresh->group, fresh->key, e->line);
			free_entry(fresh);
			return r;
		}
	}
	g_ptr_array_add(entries, fresh);
	return DREAM_OK;
}

#define ENTRIES_MAX 10000u

/* @group: NULL before the first; replaced by a [GROUP] line. */
static int scan_line(
	node_config_t *config, char *text, unsigned line, char **group, GPtrArray *entries, node_diag_t *diag)
{
	g_strstrip(text);
	size_t size = strlen(text);
	char *equals = strchr(text, '=');
	if (size == 0 || text[0] == '#')
		return DREAM_OK;
	if (text[0] == '[' && text[size - 1] == ']') {
		g_free(*group);
		*group = g_strstrip(g_strndup(text + 1, size - 2));
		return DREAM_OK;
	}
	if (equals == NULL || equals == text || *group == NULL)
		return refuse_line(config, line, text, diag);
	if (entries->len >= ENTRIES_MAX)
		return node_diag_set(diag, DREAM_ECONFIG, "%s:%u: more than %u values; remove some",
			config->path, line, ENTRIES_MAX);
	entry_t *e = g_new0(entry_t, 1);
	e->config = config;
	e->group = g_strdup(*group);
	e->key = g_strstrip(g_strndup(text, (gsize) (equals - text)));
	e->value = g_strstrip(g_strdup(equals + 1));
	e->line = line;
	e->diag = diag;
	return add_entry(entries, e);
}

static int scan(node_config_t *config, const char *text, GPtrArray *entries, node_diag_t *diag)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *group = NULL;
	int r = DREAM_OK;
	for (unsigned i = 0; lines[i] != NULL && r == DREAM_OK; i++)
		r = scan_line(config, lines[i], i + 1, &group, entries, diag);
	return r;
}

/* ---- the whole ---- */

static int complete_app(const node_config_t *config, node_config_app_t *app, node_diag_t *diag)
{
	if (app->file == NULL)
		app->file = node_config_find_module_new(config, app->name);
	if (app->file != NULL)
		return DREAM_OK;
	g_autoptr(GString) dirs = g_string_new(NULL);
	for (guint i = 0; i < config->module_path->len; i++)
		g_string_append_printf(
			dirs, "%s%s", i > 0 ? ", " : "", (char *) config->module_path->pdata[i]);
	return node_diag_set(diag, DREAM_ECONFIG,
		"%s: [node] applications: no file %s-VERSION.so in %s; set module_path, or "
		"file in [application.%s]",
		config->path, app->name, dirs->len > 0 ? dirs->str : "an empty module_path", app->name);
}

static int complete(node_config_t *config, node_diag_t *diag)
{
	if (config->name == NULL)
		return node_diag_set(
			diag, DREAM_ECONFIG, "%s: [node] name: missing; add name = NAME@HOST", config->path);
	int n_certs = (config->authority != NULL) + (config->certificate != NULL) + (config->key != NULL);
	if (n_certs != 3)
		return node_diag_set(diag, DREAM_ECONFIG,
			"%s: [node] %s: missing; the node needs authority, certificate and key: "
			"dream cert init, dream cert issue %s",
			config->path,
			config->authority == NULL     ? "authority"
			: config->certificate == NULL ? "certificate"
						      : "key",
			config->name);
	int r = DREAM_OK;
	for (guint i = 0; i < config->apps->len && r == DREAM_OK; i++)
		r = complete_app(config, config->apps->pdata[i], diag);
	return r;
}

/* [node] first: [application.NAME] refers to it. */
static int apply_all(const GPtrArray *entries)
{
	int r = DREAM_OK;
	for (int others = 0; others < 2; others++)
		for (guint i = 0; i < entries->len && r == DREAM_OK; i++) {
			const entry_t *e = entries->pdata[i];
			if ((strcmp(e->group, "node") != 0) == others)
				r = apply(e);
		}
	return r;
}

static void free_app(gpointer data)
{
	node_config_app_t *app = data;
	g_free(app->name);
	g_free(app->file);
	g_free(app);
}

static void free_env(gpointer data)
{
	node_config_env_t *env = data;
	g_free(env->app);
	g_free(env->key);
	node_msg_unref(env->value);
	g_free(env);
}

static node_config_t *config_new(const char *path)
{
	node_config_t *config = g_new0(node_config_t, 1);
	config->path = g_strdup(path);
	config->listen_host = g_strdup("127.0.0.1");
	config->module_path = g_ptr_array_new_with_free_func(g_free);
	config->apps = g_ptr_array_new_with_free_func(free_app);
	config->envs = g_ptr_array_new_with_free_func(free_env);
	config->connect = g_ptr_array_new_with_free_func(g_free);
	config->log_level = DREAM_LOG_NOTICE;
	config->max_processes = NODE_PROC_MAX_DEFAULT;
	config->slow_callback_ms = 100;
	config->shutdown_timeout_s = 30;
	config->blocking_threads = NODE_IO_BLOCKING_THREADS;
	config->blocking_queue = NODE_IO_BLOCKING_QUEUE;
	config->blocking_idle_s = NODE_IO_BLOCKING_IDLE_S;
	config->max_sockets = NODE_IO_SOCKETS;
	config->max_sockets_per_process = NODE_IO_SOCKETS_PER_PROCESS;
	config->socket_buffers_mib = NODE_IO_BUFFERS_MIB;
	return config;
}

void node_config_free(node_config_t *config)
{
	if (config == NULL)
		return;
	g_ptr_array_unref(config->module_path);
	g_ptr_array_unref(config->apps);
	g_ptr_array_unref(config->envs);
	g_ptr_array_unref(config->connect);
	char *texts[] = {config->path, config->name, config->listen_host, config->authority,
		config->certificate, config->key, config->cache_dir, config->crash_dir};
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
		g_free(texts[i]);
	g_free(config);
}

int node_config_parse(
	const char *path, const char *text, size_t size_bytes, node_config_t **ret_config, node_diag_t *diag)
{
	if (!g_utf8_validate(text, (gssize) size_bytes, NULL))
		return node_diag_set(
			diag, DREAM_ECONFIG, "%s: not a text in UTF-8; is it the right file?", path);
	g_autoptr(node_config_t) config = config_new(path);
	g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(free_entry);
	g_autofree char *copy = g_strndup(text, size_bytes);

	int r = scan(config, copy, entries, diag);
	if (r == DREAM_OK)
		r = apply_all(entries);
	if (r == DREAM_OK)
		r = complete(config, diag);
	if (r == DREAM_OK)
		*ret_config = g_steal_pointer(&config);
	return r;
}

static int read_whole(int fd, const char *path, GString *out, node_diag_t *diag)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return node_diag_set(diag, DREAM_ECONFIG, "%s: not a file; name a configuration file", path);
	char block[4096];
	ssize_t n;
	while ((n = read(fd, block, sizeof(block))) > 0 && out->len <= NODE_CONFIG_SIZE_MAX)
		g_string_append_len(out, block, n);
	if (n < 0)
		return node_diag_set(diag, DREAM_ECONFIG, "%s: %s", path, strerror(errno));
	if (out->len > NODE_CONFIG_SIZE_MAX)
		return node_diag_set(diag, DREAM_ECONFIG, "%s: larger than %u bytes; is it the right file?",
			path, NODE_CONFIG_SIZE_MAX);
	return DREAM_OK;
}

int node_config_load(const char *path, node_config_t **ret_config, node_diag_t *diag)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hang us */
	if (fd < 0)
		return node_diag_set(diag, DREAM_ECONFIG,
			"%s: %s; name a file that can be read with --config", path, strerror(errno));
	GString *text = g_string_new(NULL);
	int r = read_whole(fd, path, text, diag);
	close(fd);
	if (r == DREAM_OK)
		r = node_config_parse(path, text->str, text->len, ret_config, diag);
	g_string_free(text, TRUE);
	return r;
}

/* ---- modules ---- */

/* The version within "NAME-VERSION.so" if @file is one of @name's, else NULL; yours. */
static char *version_new(const char *file, const char *name)
{
	size_t size = strlen(name);
	if (!g_str_has_prefix(file, name) || file[size] != '-' || !g_str_has_suffix(file, ".so") ||
		strlen(file) <= size + strlen("-.so"))
		return NULL;
	return g_strndup(file + size + 1, strlen(file) - size - strlen("-.so"));
}

static void search_dir(const char *path, const char *name, char **best, char **best_vsn)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *file;
	while (dir != NULL && (file = g_dir_read_name(dir)) != NULL) {
		char *vsn = version_new(file, name);
		if (vsn != NULL && (*best_vsn == NULL || strverscmp(vsn, *best_vsn) > 0)) {
			g_free(*best);
			g_free(*best_vsn);
			*best = g_build_filename(path, file, NULL);
			*best_vsn = g_steal_pointer(&vsn);
		}
		g_free(vsn);
	}
	if (dir != NULL)
		g_dir_close(dir);
}

char *node_config_find_module_new(const node_config_t *config, const char *name)
{
	char *best = NULL;
	g_autofree char *best_vsn = NULL;
	for (guint i = 0; i < config->module_path->len; i++)
		search_dir(config->module_path->pdata[i], name, &best, &best_vsn);
	return best;
}
