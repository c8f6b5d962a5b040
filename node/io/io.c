/* SPDX-License-Identifier: MIT */
#include "io/io.h"

#include "io/local.h"
#include "io/pool.h"

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
	return value != 0 ? value : fallback;
}

static node_io_options_t completed(const node_io_options_t *given)
{
	node_io_options_t o = *given;
	o.blocking_threads = or_default(o.blocking_threads, NODE_IO_BLOCKING_THREADS);
	o.blocking_queue = or_default(o.blocking_queue, NODE_IO_BLOCKING_QUEUE);
	o.max_sockets = or_default(o.max_sockets, NODE_IO_SOCKETS);
	o.max_sockets_per_process = or_default(o.max_sockets_per_process, NODE_IO_SOCKETS_PER_PROCESS);
	if (o.blocking_idle_ms == 0)
		o.blocking_idle_ms = (int64_t) NODE_IO_BLOCKING_IDLE_S * 1000;
	if (o.stop_ms == 0)
		o.stop_ms = 5000;
	if (o.max_buffer_bytes == 0)
		o.max_buffer_bytes = (uint64_t) NODE_IO_BUFFERS_MIB << 20;
	return o;
}

int node_io_open(node_t *node, const node_io_options_t *options)
{
	static int (*const parts[])(node_io_t * io) = {
		node_poller_open, node_fds_open, node_pool_open, node_owners_open, node_secure_open};
	node_io_t *io = g_try_new0(node_io_t, 1);
	if (io == NULL)
		return DREAM_ENOMEM;
	io->node = node;
	io->options = completed(options);
	io->sources = node_source_tab_new();
	node->io = io;
	int r = io->sources != NULL ? DREAM_OK : DREAM_ENOMEM;
	for (size_t i = 0; i < G_N_ELEMENTS(parts) && r == DREAM_OK; i++)
		r = parts[i](io);
	if (r < 0)
		node_io_close(node);
	return r;
}

void node_io_stop(node_t *node)
{
	if (node->io == NULL)
		return;
	node_poller_stop(node->io);
	node_pool_stop(node->io);
}

void node_io_close(node_t *node)
{
	node_io_t *io = node->io;
	if (io == NULL)
		return;
	node_io_stop(node);
	node_secure_close(io);
	node_owners_close(io);
	node_pool_close(io);
	node_fds_close(io);
	node_poller_close(io);
	if (io->sources != NULL)
		node_source_tab_free(io->sources);
	g_free(io);
	node->io = NULL;
}
