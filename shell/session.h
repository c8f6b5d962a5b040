/* SPDX-License-Identifier: MIT */
/* session.h: one shell's dealings with one node: connects when needed, runs commands, prints what they give.
 */
#ifndef SHELL_SESSION_H
#define SHELL_SESSION_H
#include "shell/address.h"
#include "shell/credentials.h"
#include "shell/words.h"

DREAM_BEGIN_DECLS

typedef struct shell_session shell_session_t;

/** Does not connect yet.
 *  @options, @address, @credentials  lent for the session's life
 */
shell_session_t *shell_session_new(const shell_options_t *options, const shell_address_t *address,
	const shell_credentials_t *credentials);

/** Failures that the next command mends are reported as such: somebody is there to type it. */
void shell_session_set_interactive(shell_session_t *session);

/** Connects, unless connected. Reports a failure on stderr. Returns an exit status (exit.h). */
int shell_session_connect(shell_session_t *session);

/** Runs one command and prints its results on stdout, its failure on stderr; connects first if the connection
 *  was lost or never made. A command is never sent twice: it may have had its effect before the loss.
 *  @where    put before the command in reports: "line 3"; NULL: nothing
 *  Returns   an exit status; SHELL_EXIT_FAILED at least if it was interrupted
 */
int shell_session_run(shell_session_t *session, const char *line, const char *where);

/** Learns the names of the node's commands, silently; nothing is learnt from a node that has no `help`. */
void shell_session_learn(shell_session_t *session, shell_words_t *words);

/** Closes the connection; NULL is allowed. */
void shell_session_free(shell_session_t *session);

DREAM_END_DECLS
#endif
