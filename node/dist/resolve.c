/* SPDX-License-Identifier: MIT */
#include "dist/resolve.h"

#include <pthread.h>
#include <glib.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* Shared by the owner and the thread; the later of the two frees it. */
struct node_resolve {
	pthread_mutex_t lock;
	uint32_t refs;
	bool done;
	bool abandoned;
	int error; /* of getaddrinfo */
	int family;
	char host[256];
	char port[8];
	void (*wake)(void *data);
	void *data;
	uint32_t count;
	struct sockaddr_storage addresses[NODE_RESOLVE_MAX];
	socklen_t sizes[NODE_RESOLVE_MAX];
};

static void unref(node_resolve_t *resolve)
{
	pthread_mutex_lock(&resolve->lock);
	bool last = --resolve->refs == 0;
	pthread_mutex_unlock(&resolve->lock);
	if (last) {
		pthread_mutex_destroy(&resolve->lock);
		g_free(resolve);
	}
}

static int look_up(node_resolve_t *resolve, int flags)
{
	struct addrinfo hints = {.ai_family = resolve->family, .ai_socktype = SOCK_DGRAM};
	struct addrinfo *list = NULL;
	hints.ai_flags = flags | AI_NUMERICSERV | (resolve->family == AF_INET6 ? AI_V4MAPPED | AI_ALL : 0);
	int r = getaddrinfo(resolve->host, resolve->port, &hints, &list);
	if (r != 0)
		return r;
	for (struct addrinfo *it = list; it != NULL && resolve->count < NODE_RESOLVE_MAX; it = it->ai_next) {
		memcpy(&resolve->addresses[resolve->count], it->ai_addr, it->ai_addrlen);
		resolve->sizes[resolve->count++] = it->ai_addrlen;
	}
	freeaddrinfo(list);
	return 0;
}

static gpointer run(gpointer data)
{
	node_resolve_t *resolve = data;
	int r = look_up(resolve, AI_ADDRCONFIG);
	pthread_mutex_lock(&resolve->lock);
	resolve->error = r;
	resolve->done = true;
	if (!resolve->abandoned)
		resolve->wake(resolve->data);
	pthread_mutex_unlock(&resolve->lock);
	unref(resolve);
	return NULL;
}

int node_resolve_start(const char *host, uint16_t port, int family, void (*wake)(void *data), void *data,
	node_resolve_t **ret_resolve, node_diag_t *diag)
{
	if (host == NULL || host[0] == '\0' || strlen(host) >= 256 || port == 0)
		return node_diag_set(diag, DREAM_EINVAL, "\"%s\" port %u is no address; write HOST:PORT",
			host ? host : "", port);
	node_resolve_t *resolve = g_try_new0(node_resolve_t, 1);
	if (resolve == NULL)
		return DREAM_ENOMEM;
	pthread_mutex_init(&resolve->lock, NULL);
	resolve->refs = 1;
	resolve->family = family;
	resolve->wake = wake;
	resolve->data = data;
	snprintf(resolve->host, sizeof(resolve->host), "%s", host);
	snprintf(resolve->port, sizeof(resolve->port), "%u", port);
	*ret_resolve = resolve;
	if (look_up(resolve, AI_NUMERICHOST) == 0) {
		resolve->done = true;
		return DREAM_OK;
	}
	resolve->refs = 2;
	GThread *thread = g_thread_try_new("dream-resolve", run, resolve, NULL);
	if (thread == NULL) {
		resolve->refs = 1;
		unref(resolve);
		*ret_resolve = NULL;
		return node_diag_set(diag, DREAM_ELIMIT, "no thread to look up %s", host);
	}
	g_thread_unref(thread);
	return DREAM_OK;
}

bool node_resolve_done(node_resolve_t *resolve)
{
	pthread_mutex_lock(&resolve->lock);
	bool done = resolve->done;
	pthread_mutex_unlock(&resolve->lock);
	return done;
}

int node_resolve_count(node_resolve_t *resolve, node_diag_t *diag)
{
	if (resolve->count > 0)
		return (int) resolve->count;
	return node_diag_set(diag, DREAM_ENOENT, "host %s has no address: %s", resolve->host,
		resolve->error != 0 ? gai_strerror(resolve->error) : "none found");
}

const struct sockaddr *node_resolve_address_borrow(
	node_resolve_t *resolve, uint32_t index, socklen_t *ret_size)
{
	*ret_size = resolve->sizes[index];
	return (const struct sockaddr *) &resolve->addresses[index];
}

void node_resolve_free(node_resolve_t *resolve)
{
	if (resolve == NULL)
		return;
	pthread_mutex_lock(&resolve->lock);
	resolve->abandoned = true;
	pthread_mutex_unlock(&resolve->lock);
	unref(resolve);
}
