/* SPDX-License-Identifier: MIT */
/* The part of the function table that is about the world outside: what a module passes is checked here and handed to
 * node/io. */
#include "app/host_io.h"

#include <dlfcn.h>
#include <dream/blocking.h>
#include <stdio.h>

#include "app/host_local.h"
#include "code/code.h"
#include "io/fd.h"
#include "io/pool.h"
#include "io/secure.h"
#include "io/socket.h"

/* ---- blocking work ---- */

static void release_gen(void *keep)
{
	node_code_unref(keep);
}

/* "store 1.2.0 read_all", or its address in the file for a function without a name. */
static void name_function(const node_gen_t *gen, int32_t (*fn)(void *arg), char *ret_text, size_t cap_bytes)
{
	Dl_info info = {0};
	union {
		int32_t (*fn)(void *arg);
		void *address;
	} at = {fn};
	const char *module = gen != NULL ? gen->name : "dreamd";
	const char *vsn = gen != NULL ? gen->vsn : "";
	if (dladdr(at.address, &info) != 0 && info.dli_saddr == at.address)
		snprintf(ret_text, cap_bytes, "%s %s %s", module, vsn, info.dli_sname);
	else
		snprintf(ret_text, cap_bytes, "%s %s +0x%zx", module, vsn,
			(size_t) ((char *) at.address - (char *) info.dli_fbase));
}

int node_host_blocking(const dream_blocking_t *how, int32_t *ret_result)
{
	node_proc_t *proc = node_host_me();
	char what[200];
	if (proc == NULL)
		return DREAM_EPERM;
	if (how->fn == NULL || how->struct_size < sizeof(*how) || (how->arg == NULL && how->arg_bytes > 0))
		return DREAM_EINVAL;
	name_function(proc->gen, how->fn, what, sizeof(what));
	node_pool_call_t call = {.fn = how->fn,
		.drop = how->drop,
		.arg = how->arg,
		.arg_bytes = how->arg_bytes,
		.what = what,
		.keep = node_code_ref(proc->gen),
		.release = release_gen};
	return node_pool_run(proc, &call, how->timeout_ms, ret_result);
}

/* ---- descriptors ---- */

int node_host_fd_wait(int32_t fd, uint32_t events, int64_t timeout_ms, uint32_t *ret_events)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_fd_wait(proc, fd, events, timeout_ms, ret_events);
}

int node_host_fd_close(int32_t fd)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_fd_close(proc->node, fd);
}

/* ---- sockets ---- */

static bool has_options(const dream_tcp_options_t *options)
{
	return options == NULL || options->struct_size >= sizeof(*options);
}

int node_host_tcp_listen(const dream_tcp_listen_t *how, dream_ref_t *ret_listener)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (how->struct_size < sizeof(*how) || !has_options(how->options))
		return DREAM_EINVAL;
	return node_listen(proc, how, ret_listener);
}

int node_host_tcp_accept(dream_ref_t listener, int64_t timeout_ms, dream_ref_t *ret_socket)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_listen_accept(proc, listener, timeout_ms, ret_socket);
}

int node_host_tcp_connect(const dream_tcp_connect_t *how, dream_ref_t *ret_socket)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	if (how->struct_size < sizeof(*how) || !has_options(how->options))
		return DREAM_EINVAL;
	return node_connect(proc, how, ret_socket);
}

int node_host_tcp_recv(dream_ref_t socket, void *buffer, uint64_t cap_bytes, uint64_t least_bytes,
	int64_t timeout_ms, uint64_t *ret_size)
{
	node_proc_t *proc = node_host_me();
	*ret_size = 0;
	return proc == NULL
		       ? DREAM_EPERM
		       : node_stream_recv(proc, socket, buffer, cap_bytes, least_bytes, timeout_ms, ret_size);
}

int node_host_tcp_send(
	dream_ref_t socket, const void *data, uint64_t size_bytes, int64_t timeout_ms, uint64_t *ret_sent)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM
			    : node_stream_send(proc, socket, data, size_bytes, timeout_ms, ret_sent);
}

int node_host_tcp_shutdown(dream_ref_t socket, uint32_t halves)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_stream_shutdown(proc, socket, halves);
}

int node_host_tcp_close(dream_ref_t socket)
{
	node_proc_t *proc = node_host_me();
	node_socket_t *sock = proc != NULL ? node_socket_find_ref(proc->node, socket) : NULL;
	if (sock == NULL)
		return proc == NULL ? DREAM_EPERM : DREAM_ECLOSED;
	int r = node_socket_close(sock);
	node_socket_unref(sock);
	return r;
}

int node_host_tcp_give(dream_ref_t socket, dream_pid_t to)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_socket_give(proc, socket, to);
}

int node_host_tcp_active(dream_ref_t socket, int32_t count)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_active_set(proc, socket, count);
}

int node_host_tcp_event(const dream_msg_t *msg, dream_tcp_event_t *ret_event)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_active_event(proc->node, msg, ret_event);
}

int node_host_tcp_set_options(dream_ref_t socket, const dream_tcp_options_t *options)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	return options == NULL || !has_options(options) ? DREAM_EINVAL
							: node_socket_set_options(proc, socket, options);
}

int node_host_tcp_info(dream_ref_t socket, dream_tcp_info_t *ret_info)
{
	node_proc_t *proc = node_host_me();
	return proc == NULL ? DREAM_EPERM : node_socket_info(proc, socket, ret_info);
}

int node_host_tls_start(dream_ref_t socket, const dream_tls_t *how)
{
	node_proc_t *proc = node_host_me();
	if (proc == NULL)
		return DREAM_EPERM;
	return how->struct_size < sizeof(*how) ? DREAM_EINVAL : node_secure_start(proc, socket, how);
}
