/* SPDX-License-Identifier: MIT */
#include "shell/certcmd.h"

#include <glib.h>
#include <stdio.h>

#include "shell/certificate.h"
#include "shell/credentials.h"
#include "shell/exit.h"

static const char *remedy(int code)
{
	return code == DREAM_ECERT ? "make an authority with `dream cert init`, or see `dream help cert`"
				   : NULL;
}

static int finish(const char *what, int code, const node_diag_t *diag)
{
	if (code == DREAM_OK)
		return SHELL_EXIT_OK;
	shell_exit_report(what, code, diag->text, remedy(code));
	return code == DREAM_EINVAL ? SHELL_EXIT_USAGE : SHELL_EXIT_CERTIFICATE;
}

static void print_files(const char *dir, const char *name)
{
	printf("%s/%s.pem\n%s/%s-key.pem\n", dir, name, dir, name);
}

static int run_init(const char *dir)
{
	node_diag_t diag = {0};
	int r = shell_certificate_make_authority(dir, &diag);
	if (r == DREAM_OK)
		print_files(dir, "authority");
	return finish("cert init", r, &diag);
}

static int run_issue(const shell_options_t *options, const char *dir)
{
	node_diag_t diag = {0};
	int r = shell_certificate_issue(dir, options->name, options->role, options->lifetime_s, &diag);
	if (r == DREAM_OK)
		print_files(dir, options->name);
	g_autofree char *what = g_strdup_printf("cert issue %s", options->name);
	return finish(what, r, &diag);
}

static int run_show(const char *file)
{
	node_diag_t diag = {0};
	g_autofree char *text = NULL;
	int r = shell_certificate_show(file, &text, &diag);
	if (r < 0) {
		shell_exit_report(
			"cert show", r, diag.text, "give the name of a PEM file with a certificate");
		return SHELL_EXIT_CERTIFICATE;
	}
	fputs(text, stdout);
	return SHELL_EXIT_OK;
}

int shell_certcmd_run(const shell_options_t *options)
{
	const char *dir = options->dir != NULL ? options->dir : shell_credentials_new_dir_borrow();
	switch (options->verb) {
	case SHELL_VERB_CERT_INIT:
		return run_init(dir);
	case SHELL_VERB_CERT_ISSUE:
		return run_issue(options, dir);
	default:
		return run_show(options->file);
	}
}
