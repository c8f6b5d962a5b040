/* SPDX-License-Identifier: MIT */
/* dict.h: the dictionary of a process: terms by name, for nobody but itself (PD-1). */
#ifndef NODE_PROC_DICT_H
#define NODE_PROC_DICT_H
#include "proc/proc.h"
#include "term/cbor.h"

DREAM_BEGIN_DECLS

#define NODE_DICT_KEYS_MAX 65536u

/** Sets the value of a key; a former one is dropped. @value lent.
 *  Errors    DREAM_EINVAL a key that is empty, longer than 255 bytes or not UTF-8; DREAM_ELIMIT, DREAM_ENOMEM. [process] */
int node_dict_set(node_proc_t *proc, const char *key, const dream_msg_t *value);
/** The value, lent; NULL if there is none. [process] */
const dream_msg_t *node_dict_get_borrow(const node_proc_t *proc, const char *key);
/** False: there was no such key. [process] */
bool node_dict_erase(node_proc_t *proc, const char *key);
/** Appends all of it as a map; entries that would take it beyond @max_bytes are left out. [process] */
void node_dict_put(node_cbor_writer_t *w, const node_proc_t *proc, uint64_t max_bytes);

DREAM_END_DECLS
#endif
