/* SPDX-License-Identifier: MIT */
#include "shell/help.h"

#include <string.h>

static const char overview[] =
	"dream: the operator's end of a DREAM node\n"
	"\n"
	"  dream shell NAME@HOST:PORT           a shell on the node; from a pipe, one command per line\n"
	"  dream -c COMMAND NAME@HOST:PORT      one command; -c may be repeated\n"
	"  dream cert init [DIR]                make an authority for a cluster\n"
	"  dream cert issue NAME [DIR]          make a certificate for a node or an operator\n"
	"  dream cert show FILE                 what a certificate says\n"
	"  dream help [shell|cert]              more about one of them\n"
	"\n"
	"NAME@HOST is the node's name and must be in its certificate; HOST:PORT is where it listens (UDP).\n"
	"\n"
	"  -c, --command COMMAND   run this; stop at the first one that fails\n"
	"  --json                  results as JSON, one line each\n"
	"  --timeout SECONDS       for each command (default 10, for upgrade 120; 0: a week)\n"
	"  --authority FILE        the cluster's authority (default authority.pem)\n"
	"  --cert FILE, --key FILE your certificate and key (default operator.pem, operator-key.pem)\n"
	"                          defaults lie in $DREAM_CERTS, else ./certs, else ~/.config/dream\n"
	"  -h, --help              this text\n"
	"  -V, --version           the version\n"
	"\n"
	"Exit status: 0 done, 1 the command failed at the node, 2 wrong arguments, 3 cannot connect\n"
	"or connection lost, 4 a certificate problem, 5 not a command or not a term, 6 no such process\n"
	"or name, 7 timed out.\n";

static const char shell_topic[] =
	"dream shell NAME@HOST:PORT: a shell on a running node\n"
	"\n"
	"Commands come from the node: help, apps, start, stop, tree, procs, info PID, state NAME,\n"
	"call NAME TERM, cast NAME TERM, kill PID, upgrade APP FILE, nodes, log. `help` there says what\n"
	"this node has.\n"
	"\n"
	"quit, exit or ^D leave the shell; ^C cancels the running command. Neither stops the node. If\n"
	"the connection is lost, the next command connects again. TAB completes a command's name, ^R\n"
	"searches the history, which is kept in $XDG_STATE_HOME/dream/history (~/.local/state/...).\n"
	"\n"
	"When stdin is not a terminal, commands are read from it, one per line; # begins a comment\n"
	"line. The first command that fails ends the script with its exit status (see dream --help).\n";

static const char cert_topic[] =
	"dream cert: certificates, without which nothing connects to a node\n"
	"\n"
	"  dream cert init [DIR]                make DIR/authority.pem and DIR/authority-key.pem\n"
	"  dream cert issue NAME@HOST [DIR]     make DIR/NAME@HOST.pem and -key.pem for that node\n"
	"  dream cert issue --role operator [NAME [DIR]]\n"
	"                                       the same for a person (default name: operator)\n"
	"  dream cert show FILE                 subject, role, issuer and validity\n"
	"\n"
	"  DIR                     default: $DREAM_CERTS, else certs\n"
	"  --role node|operator    default: node for NAME@HOST, operator for the name operator\n"
	"  --days N                validity (default 825, at most 3650)\n"
	"  --not-after SECONDS     for tests: ends so many seconds from now; negative: has expired\n"
	"\n"
	"Files are made with mode 0600 and never replaced. Give the nodes authority.pem, never\n"
	"authority-key.pem.\n";

const char *shell_help_text(const char *topic)
{
	if (topic == NULL)
		return overview;
	if (strcmp(topic, "shell") == 0)
		return shell_topic;
	return strcmp(topic, "cert") == 0 ? cert_topic : NULL;
}
