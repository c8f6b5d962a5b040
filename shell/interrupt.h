/* SPDX-License-Identifier: MIT */
/* interrupt.h: ^C: a wish to end the running command, noted for whoever waits for it. */
#ifndef SHELL_INTERRUPT_H
#define SHELL_INTERRUPT_H
#include "base/diag.h"

DREAM_BEGIN_DECLS

/** From now on SIGINT sets the flag instead of ending the program.
 *  @once  a second SIGINT ends the program: for scripts, where nobody is at a prompt to try again
 */
void shell_interrupt_catch(bool once);

/** The flag, for node_client_command(). */
const volatile int *shell_interrupt_flag_borrow(void);

void shell_interrupt_clear(void);

/** Ends the program the way SIGINT does by default, so that the calling script stops too. */
DREAM_NORETURN void shell_interrupt_die(void);

DREAM_END_DECLS
#endif
