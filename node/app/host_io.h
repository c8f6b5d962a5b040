/* SPDX-License-Identifier: MIT */
/* host_io.h: the functions of the table that node/io is behind; contracts in dream/blocking.h, dream/io.h, dream/tcp.h. */
#ifndef NODE_APP_HOST_IO_H
#define NODE_APP_HOST_IO_H
#include <dream/blocking.h>
#include <dream/io.h>
#include <dream/tcp.h>

DREAM_BEGIN_DECLS

int node_host_blocking(const dream_blocking_t *how, int32_t *ret_result);
int node_host_fd_wait(int32_t fd, uint32_t events, int64_t timeout_ms, uint32_t *ret_events);
int node_host_fd_close(int32_t fd);
int node_host_tcp_listen(const dream_tcp_listen_t *how, dream_ref_t *ret_listener);
int node_host_tcp_accept(dream_ref_t listener, int64_t timeout_ms, dream_ref_t *ret_socket);
int node_host_tcp_connect(const dream_tcp_connect_t *how, dream_ref_t *ret_socket);
int node_host_tcp_recv(dream_ref_t socket, void *buffer, uint64_t cap_bytes, uint64_t least_bytes,
	int64_t timeout_ms, uint64_t *ret_size);
int node_host_tcp_send(
	dream_ref_t socket, const void *data, uint64_t size_bytes, int64_t timeout_ms, uint64_t *ret_sent);
int node_host_tcp_shutdown(dream_ref_t socket, uint32_t halves);
int node_host_tcp_close(dream_ref_t socket);
int node_host_tcp_give(dream_ref_t socket, dream_pid_t to);
int node_host_tcp_active(dream_ref_t socket, int32_t count);
int node_host_tcp_event(const dream_msg_t *msg, dream_tcp_event_t *ret_event);
int node_host_tcp_set_options(dream_ref_t socket, const dream_tcp_options_t *options);
int node_host_tcp_info(dream_ref_t socket, dream_tcp_info_t *ret_info);
int node_host_tls_start(dream_ref_t socket, const dream_tls_t *how);

DREAM_END_DECLS
#endif
