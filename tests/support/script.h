/* SPDX-License-Identifier: MIT */
/* script.h: a gen_server whose callbacks a test supplies: the module `scripted` (fixtures scripted_1 and scripted_2) calls
 * the functions below; its args are the address of a script_t as a number. NULL members do the least. */
#ifndef TESTS_SUPPORT_SCRIPT_H
#define TESTS_SUPPORT_SCRIPT_H
#include <dream/dream.h>

DREAM_BEGIN_DECLS

typedef struct script {
	int (*init)(struct script *script);
	dream_next_t (*call)(struct script *script, const dream_msg_t *request, dream_msg_t **ret_reply);
	dream_next_t (*cast)(struct script *script, const dream_msg_t *msg);
	dream_next_t (*info)(struct script *script, const dream_msg_t *msg);
	dream_next_t (*cont)(struct script *script, const dream_msg_t *arg);
	void (*terminate)(struct script *script, const dream_msg_t *reason);
	int (*code_change)(struct script *script, uint32_t from_vsn);
	int (*main)(struct script *script);
} script_t;

DREAM_END_DECLS
#endif
