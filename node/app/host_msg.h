/* SPDX-License-Identifier: MIT */
/* host_msg.h: the entries of the host table for messages. For host.c alone; what each does is told in
 * sdk/include/dream/msg.h. */
#ifndef NODE_APP_HOST_MSG_H
#define NODE_APP_HOST_MSG_H
#include <dream/msg.h>

DREAM_BEGIN_DECLS

int node_host_msg_new(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg);
int node_host_msg_parse(const char *text, dream_msg_t **ret_msg);
int node_host_msg_encode(const char *tag, const dream_type_t *type, const void *value, dream_msg_t **ret_msg);
int node_host_msg_decode(const dream_msg_t *msg, const char *tag, const dream_type_t *type, void *ret_value);
int32_t node_host_msg_has_tag(const dream_msg_t *msg, const char *tag);
const uint8_t *node_host_msg_data_borrow(const dream_msg_t *msg, uint64_t *ret_size_bytes);
dream_msg_t *node_host_msg_ref(const dream_msg_t *msg);
void node_host_msg_unref(dream_msg_t *msg);
int node_host_text_set(dream_text_t *text, const char *data, uint64_t size_bytes);
int node_host_bytes_new(uint64_t size_bytes, uint8_t **ret_data, dream_msg_t **ret_msg);
const uint8_t *node_host_bytes_borrow(const dream_msg_t *msg, uint64_t *ret_size_bytes);

DREAM_END_DECLS
#endif
