/* SPDX-License-Identifier: MIT */
#include "shell/credentials.h"

#include <errno.h>
#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HERE "certs"

static const char *told_dir(void)
{
	const char *dir = getenv("DREAM_CERTS");
	return dir != NULL && dir[0] != '\0' ? dir : NULL;
}

const char *shell_credentials_new_dir_borrow(void)
{
	const char *dir = told_dir();
	return dir != NULL ? dir : HERE;
}

/* GLib would remember the first answer for ever; the environment is read anew, so that tests can change it.
 */
static char *home_dir_new(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	if (config != NULL && config[0] != '\0')
		return g_build_filename(config, "dream", NULL);
	return g_build_filename(g_get_home_dir(), ".config", "dream", NULL);
}

static bool has_authority(const char *dir)
{
	g_autofree char *path = g_build_filename(dir, "authority.pem", NULL);
	return access(path, F_OK) == 0;
}

static char *find_dir_new(void)
{
	const char *told = told_dir();
	if (told != NULL)
		return g_strdup(told);
	if (has_authority(HERE))
		return g_strdup(HERE);
	g_autofree char *home = home_dir_new();
	return has_authority(home) ? g_steal_pointer(&home) : g_strdup(HERE);
}

static char *choose(const char *told, const char *dir, const char *file)
{
	return told != NULL ? g_strdup(told) : g_build_filename(dir, file, NULL);
}

static int check(const char *path, node_diag_t *diag)
{
	if (access(path, R_OK) == 0)
		return DREAM_OK;
	return node_diag_set(diag, DREAM_ECERT,
		"%s: %s; name the files or set DREAM_CERTS, or make them: see `dream help cert`", path,
		strerror(errno));
}

int shell_credentials_find(const shell_options_t *options, shell_credentials_t *ret_found, node_diag_t *diag)
{
	g_autofree char *dir = find_dir_new();
	shell_credentials_t found = {
		choose(options->authority, dir, "authority.pem"),
		choose(options->certificate, dir, "operator.pem"),
		choose(options->key, dir, "operator-key.pem"),
	};
	int r = check(found.authority, diag);
	if (r == DREAM_OK)
		r = check(found.certificate, diag);
	if (r == DREAM_OK)
		r = check(found.key, diag);
	if (r < 0)
		shell_credentials_fini(&found);
	else
		*ret_found = found;
	return r;
}

void shell_credentials_fini(shell_credentials_t *credentials)
{
	g_clear_pointer(&credentials->authority, g_free);
	g_clear_pointer(&credentials->certificate, g_free);
	g_clear_pointer(&credentials->key, g_free);
}
