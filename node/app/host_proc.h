/* SPDX-License-Identifier: MIT */
/* host_proc.h: the entries of the host table for what processes are and have: aliases, requests, information,
 * dictionary, timers. For host.c alone; what each does is told in sdk/include/dream/process.h. */
#ifndef NODE_APP_HOST_PROC_H
#define NODE_APP_HOST_PROC_H
#include <dream/gen_server.h>

DREAM_BEGIN_DECLS

int node_host_proc_alias(uint32_t flags, dream_ref_t *ret_alias);
int32_t node_host_proc_unalias(dream_ref_t alias);
int node_host_proc_monitor_as(const dream_dest_t *target, const dream_monitor_t *how, dream_ref_t *ret_ref);
int node_host_proc_spawn_request(
	const dream_spawn_t *how, const dream_msg_t *reply_tag, dream_ref_t *ret_request);
int32_t node_host_proc_spawn_request_abandon(dream_ref_t request);
int32_t node_host_proc_is_alive(dream_pid_t pid);
int node_host_proc_info(dream_pid_t pid, const char *const *items, dream_msg_t **ret_info);
int node_host_proc_put(const char *key, const dream_msg_t *value);
int node_host_proc_get(const char *key, dream_msg_t **ret_value);
int node_host_proc_erase(const char *key);
int node_host_proc_set_label(const char *label);
int node_host_proc_hibernate(int (*resume)(void *arg), void *arg);
void node_host_proc_next_hibernate(void);
int node_host_proc_timer_start_take(
	const dream_dest_t *to, dream_msg_t *msg, int64_t time_ms, uint32_t flags, dream_ref_t *ret_timer);
int64_t node_host_proc_timer_cancel(dream_ref_t timer, uint32_t flags);
int64_t node_host_proc_timer_read(dream_ref_t timer, uint32_t flags);

DREAM_END_DECLS
#endif
