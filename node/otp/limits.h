/* SPDX-License-Identifier: MIT */
/* limits.h: what a module asks for one of its processes, checked and completed by the node's defaults. */
#ifndef NODE_OTP_LIMITS_H
#define NODE_OTP_LIMITS_H
#include <dream/limits.h>
#include "base/diag.h"
#include "proc/proc.h"

DREAM_BEGIN_DECLS

/** @asked  NULL: the defaults alone
 *  Errors  DREAM_EINVAL a value outside its range; @diag (may be NULL) says which. [any] */
int node_limits_read(
	const node_t *node, const dream_limits_t *asked, node_limits_t *ret_limits, node_diag_t *diag);

DREAM_END_DECLS
#endif
