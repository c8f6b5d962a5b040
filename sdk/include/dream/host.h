/* SPDX-License-Identifier: MIT */
/* host.h: the table of functions a node gives to a module. Modules call the documented wrappers of msg.h,
 * process.h and gen_server.h; the table is what makes them independent of the node's symbols.
 * New functions are added at the end, each under a `since` line; a node never removes one. */
#ifndef DREAM_HOST_H
#define DREAM_HOST_H
#include <dream/error.h>
#include <dream/type.h>

DREAM_BEGIN_DECLS

/* A message; see msg.h. */
typedef struct dream_msg dream_msg_t;

struct dream_dest;
struct dream_spawn;
struct dream_monitor;
struct dream_start;
struct dream_from;
struct dream_blocking;
struct dream_tcp_listen;
struct dream_tcp_connect;
struct dream_tcp_event;
struct dream_tcp_options;
struct dream_tcp_info;
struct dream_tls;

typedef struct dream_host {
	uint32_t struct_size;
	uint16_t abi_major;
	uint16_t abi_minor;

	/* msg.h */
	int (*msg_new)(const void *data, uint64_t size_bytes, dream_msg_t **ret_msg);
	int (*msg_parse)(const char *text, dream_msg_t **ret_msg);
	int (*msg_encode)(
		const char *tag, const dream_type_t *type, const void *value, dream_msg_t **ret_msg);
	int (*msg_decode)(const dream_msg_t *msg, const char *tag, const dream_type_t *type, void *ret_value);
	int32_t (*msg_has_tag)(const dream_msg_t *msg, const char *tag);
	const uint8_t *(*msg_data_borrow)(const dream_msg_t *msg, uint64_t *ret_size_bytes);
	dream_msg_t *(*msg_ref)(const dream_msg_t *msg);
	void (*msg_unref)(dream_msg_t *msg);
	int (*text_set)(dream_text_t *text, const char *data, uint64_t size_bytes);

	/* process.h */
	void *(*alloc)(uint64_t size_bytes);
	void *(*resize)(void *block, uint64_t size_bytes);
	void (*release)(void *block);
	dream_pid_t (*self)(void);
	int (*spawn)(const struct dream_spawn *how, dream_pid_t *ret_pid, dream_ref_t *ret_monitor);
	int (*send_take)(const struct dream_dest *to, dream_msg_t *msg);
	int (*receive)(int32_t (*match)(void *arg, const dream_msg_t *msg), void *arg, int64_t timeout_ms,
		dream_msg_t **ret_msg);
	int (*link)(dream_pid_t pid);
	int (*unlink)(dream_pid_t pid);
	int (*monitor)(const struct dream_dest *target, dream_ref_t *ret_ref);
	int32_t (*demonitor)(dream_ref_t ref, uint32_t flags);
	int (*exit_signal)(dream_pid_t pid, const dream_msg_t *reason);
	void (*exit_self)(const dream_msg_t *reason);
	int32_t (*trap_exit)(int32_t on);
	int (*register_name)(const char *name, dream_pid_t pid);
	int (*unregister_name)(const char *name);
	int (*whereis)(const char *name, dream_pid_t *ret_pid);
	int (*send_after_take)(
		const struct dream_dest *to, dream_msg_t *msg, int64_t delay_ms, dream_ref_t *ret_timer);
	int64_t (*cancel_timer)(dream_ref_t timer);
	int64_t (*now_ns)(void);
	const dream_msg_t *(*reason_borrow)(void);
	void (*log)(int32_t level, const char *text);
	int (*env_get)(const char *key, dream_msg_t **ret_value);
	int (*env)(const dream_type_t *type, void *ret_value);

	/* gen_server.h */
	int (*start)(const struct dream_start *how, dream_pid_t *ret_pid);
	int (*call)(const struct dream_dest *to, dream_msg_t *request, int64_t timeout_ms,
		dream_msg_t **ret_reply);
	int (*cast_take)(const struct dream_dest *to, dream_msg_t *msg);
	void (*from)(struct dream_from *ret_from);
	int (*reply_take)(const struct dream_from *from, dream_msg_t *reply);
	void (*next_timeout)(int64_t timeout_ms);
	void (*next_continue_take)(dream_msg_t *arg);
	void (*next_reason)(const dream_msg_t *reason);
	int (*stop)(const struct dream_dest *to, const dream_msg_t *reason, int64_t timeout_ms);
	int (*call_typed)(const struct dream_dest *to, const char *tag, const dream_type_t *req_type,
		const void *req, const dream_type_t *reply_type, void *ret_reply, int64_t timeout_ms);
	int32_t (*set_priority)(int32_t priority);

	/* blocking.h, io.h, tcp.h */
	int (*blocking)(const struct dream_blocking *how, int32_t *ret_result);
	int (*fd_wait)(int32_t fd, uint32_t events, int64_t timeout_ms, uint32_t *ret_events);
	int (*fd_close)(int32_t fd);
	int (*tcp_listen)(const struct dream_tcp_listen *how, dream_ref_t *ret_listener);
	int (*tcp_accept)(dream_ref_t listener, int64_t timeout_ms, dream_ref_t *ret_socket);
	int (*tcp_connect)(const struct dream_tcp_connect *how, dream_ref_t *ret_socket);
	int (*tcp_recv)(dream_ref_t socket, void *buffer, uint64_t cap_bytes, uint64_t least_bytes,
		int64_t timeout_ms, uint64_t *ret_size);
	int (*tcp_send)(dream_ref_t socket, const void *data, uint64_t size_bytes, int64_t timeout_ms,
		uint64_t *ret_sent);
	int (*tcp_shutdown)(dream_ref_t socket, uint32_t halves);
	int (*tcp_close)(dream_ref_t socket);
	int (*tcp_give)(dream_ref_t socket, dream_pid_t to);
	int (*tcp_active)(dream_ref_t socket, int32_t count);
	int (*tcp_event)(const dream_msg_t *msg, struct dream_tcp_event *ret_event);
	int (*tcp_set_options)(dream_ref_t socket, const struct dream_tcp_options *options);
	int (*tcp_info)(dream_ref_t socket, struct dream_tcp_info *ret_info);
	int (*tls_start)(dream_ref_t socket, const struct dream_tls *how);

	/* process.h: aliases, requests, information, dictionary, timers */
	int (*alias)(uint32_t flags, dream_ref_t *ret_alias);
	int32_t (*unalias)(dream_ref_t alias);
	int (*monitor_as)(
		const struct dream_dest *target, const struct dream_monitor *how, dream_ref_t *ret_ref);
	int (*spawn_request)(
		const struct dream_spawn *how, const dream_msg_t *reply_tag, dream_ref_t *ret_request);
	int32_t (*spawn_request_abandon)(dream_ref_t request);
	int32_t (*is_process_alive)(dream_pid_t pid);
	int (*process_info)(dream_pid_t pid, const char *const *items, dream_msg_t **ret_info);
	int (*put)(const char *key, const dream_msg_t *value);
	int (*get)(const char *key, dream_msg_t **ret_value);
	int (*erase)(const char *key);
	int (*set_label)(const char *label);
	int (*hibernate)(int (*resume)(void *arg), void *arg);
	void (*next_hibernate)(void);
	int (*timer_start_take)(const struct dream_dest *to, dream_msg_t *msg, int64_t time_ms,
		uint32_t flags, dream_ref_t *ret_timer);
	int64_t (*timer_cancel)(dream_ref_t timer, uint32_t flags);
	int64_t (*timer_read)(dream_ref_t timer, uint32_t flags);

	/* msg.h: shared byte strings */
	int (*bytes_new)(uint64_t size_bytes, uint8_t **ret_data, dream_msg_t **ret_msg);
	const uint8_t *(*bytes_borrow)(const dream_msg_t *msg, uint64_t *ret_size_bytes);
} dream_host_t;

/* The node's table; stored by the node before load() or any callback of the module runs. One per mapped
 * copy of the code, so two nodes in one process and two versions in one node keep theirs apart. */
extern DREAM_HIDDEN const dream_host_t *dream_host;

DREAM_END_DECLS
#endif
