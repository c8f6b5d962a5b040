/* SPDX-License-Identifier: MIT */
#include "shell/options.h"

#include <glib.h>
#include <string.h>

#include "shell/certificate.h"

#define DAY_S 86400

/* As GLib fills it in, before anything is checked. Texts are of type FILENAME: GLib would convert the others
 * from the locale's encoding, and commands are UTF-8 whatever the locale. */
typedef struct raw {
	char **commands;
	gboolean json, help, version;
	char *timeout, *authority, *certificate, *key, *role, *days, *not_after;
} raw_t;

static void raw_fini(raw_t *raw)
{
	g_strfreev(raw->commands);
	g_free(raw->timeout);
	g_free(raw->authority);
	g_free(raw->certificate);
	g_free(raw->key);
	g_free(raw->role);
	g_free(raw->days);
	g_free(raw->not_after);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(raw_t, raw_fini)

static int read_raw(char ***args, raw_t *raw, node_diag_t *diag)
{
	const GOptionEntry entries[] = {
		{"command", 'c', 0, G_OPTION_ARG_FILENAME_ARRAY, &raw->commands, NULL, NULL},
		{"json", 0, 0, G_OPTION_ARG_NONE, &raw->json, NULL, NULL},
		{"timeout", 0, 0, G_OPTION_ARG_FILENAME, &raw->timeout, NULL, NULL},
		{"authority", 0, 0, G_OPTION_ARG_FILENAME, &raw->authority, NULL, NULL},
		{"cert", 0, 0, G_OPTION_ARG_FILENAME, &raw->certificate, NULL, NULL},
		{"key", 0, 0, G_OPTION_ARG_FILENAME, &raw->key, NULL, NULL},
		{"role", 0, 0, G_OPTION_ARG_FILENAME, &raw->role, NULL, NULL},
		{"days", 0, 0, G_OPTION_ARG_FILENAME, &raw->days, NULL, NULL},
		{"not-after", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &raw->not_after, NULL, NULL},
		{"help", 'h', 0, G_OPTION_ARG_NONE, &raw->help, NULL, NULL},
		{"version", 'V', 0, G_OPTION_ARG_NONE, &raw->version, NULL, NULL},
		{0},
	};
	g_autoptr(GError) error = NULL;
	GOptionContext *context = g_option_context_new(NULL);
	g_option_context_set_help_enabled(context, FALSE);
	g_option_context_add_main_entries(context, entries, NULL);
	bool ok = g_option_context_parse_strv(context, args, &error);
	g_option_context_free(context);
	if (!ok)
		return node_diag_set(diag, DREAM_EINVAL, "arguments: %s; see dream --help", error->message);
	return DREAM_OK;
}

static int usage(node_diag_t *diag, const char *what, const char *why, const char *remedy)
{
	return node_diag_set(diag, DREAM_EINVAL, "%s: %s; %s", what, why, remedy);
}

static int read_number(const char *option, const char *text, int64_t least, int64_t most, int64_t *ret_number,
	node_diag_t *diag)
{
	gint64 number;
	if (!g_ascii_string_to_signed(text, 10, least, most, &number, NULL))
		return node_diag_set(diag, DREAM_EINVAL, "%s %s: not a number it takes; use %lld to %lld",
			option, text, (long long) least, (long long) most);
	*ret_number = number;
	return DREAM_OK;
}

static int read_timeout(const raw_t *raw, shell_options_t *options, node_diag_t *diag)
{
	options->timeout_ms = -1;
	if (raw->timeout == NULL)
		return DREAM_OK;
	int64_t seconds = 0;
	int r = read_number("--timeout", raw->timeout, 0, SHELL_OPTIONS_TIMEOUT_MAX_S, &seconds, diag);
	if (r == DREAM_OK)
		options->timeout_ms = 1000 * (seconds > 0 ? seconds : SHELL_OPTIONS_TIMEOUT_MAX_S);
	return r;
}

static int read_lifetime(const raw_t *raw, shell_options_t *options, node_diag_t *diag)
{
	const int64_t most_s = (int64_t) SHELL_CERTIFICATE_DAYS_MAX * DAY_S;
	int64_t days = SHELL_CERTIFICATE_DAYS;
	if (raw->not_after != NULL)
		return read_number(
			"--not-after", raw->not_after, -most_s, most_s, &options->lifetime_s, diag);
	int r = raw->days == NULL
			? DREAM_OK
			: read_number("--days", raw->days, 1, SHELL_CERTIFICATE_DAYS_MAX, &days, diag);
	options->lifetime_s = days * DAY_S;
	return r;
}

static int read_common(raw_t *raw, shell_options_t *options, node_diag_t *diag)
{
	options->json = raw->json;
	options->commands = g_steal_pointer(&raw->commands);
	options->authority = g_steal_pointer(&raw->authority);
	options->certificate = g_steal_pointer(&raw->certificate);
	options->key = g_steal_pointer(&raw->key);
	int r = read_timeout(raw, options, diag);
	return r < 0 ? r : read_lifetime(raw, options, diag);
}

/* Takes the words after the verb; each slot may be absent, more words than slots are an error. */
static int take_words(char **words, char **slots[], uint32_t count, node_diag_t *diag)
{
	for (uint32_t i = 0; words[i] != NULL; i++) {
		if (i >= count)
			return usage(diag, words[i], "one argument too many", "see dream --help");
		*slots[i] = g_strdup(words[i]);
	}
	return DREAM_OK;
}

static int read_connection(char **words, shell_options_t *options, node_diag_t *diag)
{
	char **slots[] = {&options->address};
	int r = take_words(words, slots, 1, diag);
	if (r < 0)
		return r;
	if (options->address == NULL)
		return usage(diag, "arguments", "no node given",
			"write NAME@HOST:PORT, as in counter@127.0.0.1:9100");
	if (options->commands != NULL)
		options->verb = SHELL_VERB_COMMANDS;
	return DREAM_OK;
}

/* A word without @ gets an operator's rights only if it was asked for: it may be a node's name misspelt. */
static int choose_role(const raw_t *raw, shell_options_t *options, node_diag_t *diag)
{
	const char *role = raw->role;
	if (options->name == NULL && g_strcmp0(role, SHELL_CERTIFICATE_OPERATOR) == 0)
		options->name = g_strdup(SHELL_CERTIFICATE_OPERATOR);
	if (options->name == NULL)
		return usage(diag, "cert issue", "no name given",
			"write dream cert issue NAME@HOST or --role operator");
	if (role == NULL && strchr(options->name, '@') != NULL)
		role = SHELL_CERTIFICATE_NODE;
	if (role == NULL && strcmp(options->name, SHELL_CERTIFICATE_OPERATOR) == 0)
		role = SHELL_CERTIFICATE_OPERATOR;
	if (role == NULL)
		return usage(diag, options->name, "a node's name or an operator's?",
			"add --role node or --role operator");
	if (strcmp(role, SHELL_CERTIFICATE_NODE) != 0 && strcmp(role, SHELL_CERTIFICATE_OPERATOR) != 0)
		return usage(diag, role, "no such role", "use --role node or --role operator");
	options->role = g_strdup(role);
	return DREAM_OK;
}

static int read_cert(char **words, const raw_t *raw, shell_options_t *options, node_diag_t *diag)
{
	const char *what = words[0];
	if (g_strcmp0(what, "init") == 0) {
		char **slots[] = {&options->dir};
		options->verb = SHELL_VERB_CERT_INIT;
		return take_words(words + 1, slots, 1, diag);
	}
	if (g_strcmp0(what, "issue") == 0) {
		char **slots[] = {&options->name, &options->dir};
		options->verb = SHELL_VERB_CERT_ISSUE;
		int r = take_words(words + 1, slots, 2, diag);
		return r < 0 ? r : choose_role(raw, options, diag);
	}
	if (g_strcmp0(what, "show") == 0) {
		char **slots[] = {&options->file};
		options->verb = SHELL_VERB_CERT_SHOW;
		int r = take_words(words + 1, slots, 1, diag);
		if (r == DREAM_OK && options->file == NULL)
			return usage(diag, "cert show", "no file given", "write dream cert show FILE");
		return r;
	}
	return usage(diag, what != NULL ? what : "cert", "not what cert does",
		"use cert init, cert issue or cert show");
}

static int read_help(char **words, shell_options_t *options, node_diag_t *diag)
{
	char **slots[] = {&options->topic};
	options->verb = SHELL_VERB_HELP;
	return take_words(words, slots, 1, diag);
}

static int read_verb(char **words, const raw_t *raw, shell_options_t *options, node_diag_t *diag)
{
	const char *verb = words[0];
	if (raw->version) {
		options->verb = SHELL_VERB_VERSION;
		return DREAM_OK;
	}
	if (raw->help) {
		options->verb = SHELL_VERB_HELP;
		options->topic = g_strdup(verb);
		return DREAM_OK;
	}
	if (g_strcmp0(verb, "help") == 0)
		return read_help(words + 1, options, diag);
	if (g_strcmp0(verb, "cert") == 0)
		return read_cert(words + 1, raw, options, diag);
	options->verb = SHELL_VERB_SHELL;
	if (g_strcmp0(verb, "shell") == 0)
		return read_connection(words + 1, options, diag);
	if (options->commands != NULL)
		return read_connection(words, options, diag);
	if (verb == NULL)
		return usage(diag, "arguments", "nothing to do", "see dream --help");
	return usage(
		diag, verb, "not something dream does", "use dream shell NAME@HOST:PORT or see dream --help");
}

int shell_options_parse(int argc, const char *const *argv, shell_options_t *ret_options, node_diag_t *diag)
{
	g_auto(raw_t) raw = {0};
	shell_options_t options = {0};
	GPtrArray *copies = g_ptr_array_new();
	for (int i = 0; i < argc; i++)
		g_ptr_array_add(copies, g_strdup(argv[i]));
	g_ptr_array_add(copies, NULL);
	char **args = (char **) g_ptr_array_free(copies, FALSE);

	int r = read_raw(&args, &raw, diag);
	if (r == DREAM_OK)
		r = read_common(&raw, &options, diag);
	if (r == DREAM_OK)
		r = read_verb(args[0] != NULL ? args + 1 : args, &raw, &options, diag);
	g_strfreev(args);
	if (r < 0)
		shell_options_fini(&options);
	else
		*ret_options = options;
	return r;
}

void shell_options_fini(shell_options_t *options)
{
	g_strfreev(options->commands);
	g_free(options->authority);
	g_free(options->certificate);
	g_free(options->key);
	g_free(options->address);
	g_free(options->topic);
	g_free(options->name);
	g_free(options->role);
	g_free(options->dir);
	g_free(options->file);
	*options = (shell_options_t){0};
}

int64_t shell_options_timeout_ms(const shell_options_t *options, const char *line)
{
	if (options->timeout_ms >= 0)
		return options->timeout_ms;
	line += strspn(line, " \t");
	bool upgrade = strcspn(line, " \t") == strlen("upgrade") && g_str_has_prefix(line, "upgrade");
	return 1000 * (upgrade ? SHELL_OPTIONS_TIMEOUT_UPGRADE_S : SHELL_OPTIONS_TIMEOUT_S);
}
