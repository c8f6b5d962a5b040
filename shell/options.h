/* SPDX-License-Identifier: MIT */
/* options.h: what the command line of `dream` asks for. */
#ifndef SHELL_OPTIONS_H
#define SHELL_OPTIONS_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

#define SHELL_OPTIONS_TIMEOUT_S 10
#define SHELL_OPTIONS_TIMEOUT_UPGRADE_S 120
#define SHELL_OPTIONS_TIMEOUT_MAX_S 604800 /* also what --timeout 0 means: a week */

typedef enum shell_verb {
	SHELL_VERB_COMMANDS, /* dream -c …, and dream shell -c … */
	SHELL_VERB_SHELL,
	SHELL_VERB_CERT_INIT,
	SHELL_VERB_CERT_ISSUE,
	SHELL_VERB_CERT_SHOW,
	SHELL_VERB_HELP,
	SHELL_VERB_VERSION,
} shell_verb_t;

typedef struct shell_options {
	shell_verb_t verb;
	char **commands; /* NULL-terminated; NULL: none */
	bool json;
	int64_t timeout_ms;                  /* -1: the command's default */
	char *authority, *certificate, *key; /* NULL: look for them */
	char *address;                       /* NAME@HOST:PORT */
	char *topic;                         /* of help; NULL: the overview */
	char *name, *role;                   /* of a certificate */
	char *dir;                           /* of certificates; NULL: the default */
	char *file;
	int64_t lifetime_s;
} shell_options_t;

/** Reads the arguments; every text of the result is its own copy.
 *  Errors    DREAM_EINVAL  @diag: "WHAT: WHY; REMEDY"
 *  Thread    [any]
 */
int shell_options_parse(int argc, const char *const *argv, shell_options_t *ret_options, node_diag_t *diag);

void shell_options_fini(shell_options_t *options);

/** How long a command line may take: what was asked for, else by its first word. [any] */
int64_t shell_options_timeout_ms(const shell_options_t *options, const char *line);

DREAM_END_DECLS
#endif
