/* SPDX-License-Identifier: MIT */
#include "io/lookup.h"

#include <glib.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "io/pool.h"

typedef struct {
	char host[NODE_LOOKUP_NAME_MAX + 1];
	uint16_t port;
	bool literal; /* only */
	node_address_in_t found[NODE_LOOKUP_MAX];
} job_t;

socklen_t node_lookup_size(const node_address_in_t *address)
{
	return address->any.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}

static int code_of(int error)
{
	return error == EAI_MEMORY ? DREAM_ENOMEM : DREAM_ENOHOST;
}

static uint32_t copy_found(const struct addrinfo *at, job_t *job)
{
	uint32_t n = 0;
	for (; at != NULL && n < NODE_LOOKUP_MAX; at = at->ai_next)
		if (at->ai_addrlen <= sizeof(job->found[n]))
			memcpy(&job->found[n++], at->ai_addr, at->ai_addrlen);
	return n;
}

/* A blocking function; also called for literals, which do not block. Returns how many were found. */
static int32_t look_up(void *arg)
{
	job_t *job = arg;
	struct addrinfo hints = {.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV | (job->literal ? AI_NUMERICHOST : AI_ADDRCONFIG)};
	struct addrinfo *list = NULL;
	char port[8];
	snprintf(port, sizeof(port), "%u", job->port);
	int error = getaddrinfo(job->host, port, &hints, &list);
	if (error != 0)
		return code_of(error);
	uint32_t n = copy_found(list, job);
	freeaddrinfo(list);
	return n > 0 ? (int32_t) n : DREAM_ENOHOST;
}

static bool fill(job_t *job, const char *host, uint16_t port, bool literal)
{
	memset(job, 0, sizeof(*job));
	job->port = port;
	job->literal = literal;
	return host[0] != '\0' && g_strlcpy(job->host, host, sizeof(job->host)) < sizeof(job->host);
}

bool node_lookup_literal(const char *host, uint16_t port, node_address_in_t *ret_address)
{
	job_t job;
	if (!fill(&job, host, port, true) || look_up(&job) < 1)
		return false;
	*ret_address = job.found[0];
	return true;
}

static int64_t left_ms(const node_t *node, int64_t deadline_ns)
{
	if (deadline_ns == NODE_FOREVER)
		return DREAM_INFINITY;
	int64_t left_ns = deadline_ns - node_clock_now(node);
	return left_ns > 0 ? (left_ns + NODE_MS - 1) / NODE_MS : 0;
}

int node_lookup(node_proc_t *proc, const char *host, uint16_t port, int64_t deadline_ns,
	node_address_in_t *ret_addresses)
{
	job_t job;
	char what[NODE_LOOKUP_NAME_MAX + 32];
	int32_t n = 0;
	if (node_lookup_literal(host, port, &ret_addresses[0]))
		return 1;
	if (!fill(&job, host, port, false))
		return DREAM_EINVAL;
	snprintf(what, sizeof(what), "lookup of %s", job.host);
	node_pool_call_t call = {.fn = look_up, .arg = &job, .arg_bytes = sizeof(job), .what = what};
	int r = node_pool_run(proc, &call, left_ms(proc->node, deadline_ns), &n);
	if (r < 0 || n < 0)
		return r < 0 ? r : n;
	memcpy(ret_addresses, job.found, sizeof(job.found));
	return n;
}
