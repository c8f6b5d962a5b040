/* SPDX-License-Identifier: MIT */
#include "shell/interrupt.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A signal handler has nothing but globals; this is the program's only one. */
static volatile int interrupted;

static void on_interrupt(int signal_number)
{
	(void) signal_number;
	interrupted = 1;
}

void shell_interrupt_catch(bool once)
{
	struct sigaction action;
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_interrupt;
	action.sa_flags = once ? (int) SA_RESETHAND : SA_RESTART;
	sigaction(SIGINT, &action, NULL);
}

const volatile int *shell_interrupt_flag_borrow(void)
{
	return &interrupted;
}

void shell_interrupt_clear(void)
{
	interrupted = 0;
}

void shell_interrupt_die(void)
{
	signal(SIGINT, SIG_DFL);
	raise(SIGINT);
	_Exit(128 + SIGINT);
}
