/* SPDX-License-Identifier: MIT */
/* Who owns which sockets. A process that never owned one costs its end a look at one flag. */
#include "base/mem.h"
#include "io/local.h"
#include "io/socket.h"

typedef struct {
	uint64_t id; /* of the process */
	node_socket_t *first;
	uint32_t count;
} owner_t;

typedef struct node_owners {
	pthread_mutex_t lock; /* below a socket's */
	GHashTable *by_id;    /* guint64 * in the owner -> owner_t * */
} node_owners_t;

/* ---- with the lock held ---- */

static owner_t *owner_of(node_owners_t *owners, uint64_t id)
{
	owner_t *owner = g_hash_table_lookup(owners->by_id, &id);
	if (owner == NULL && (owner = node_mem_zalloc(sizeof(*owner))) != NULL) {
		owner->id = id;
		g_hash_table_insert(owners->by_id, &owner->id, owner);
	}
	return owner;
}

static void link_in(owner_t *owner, node_socket_t *sock, dream_pid_t pid)
{
	sock->owner = pid;
	sock->prev = NULL;
	sock->next = owner->first;
	if (owner->first != NULL)
		owner->first->prev = sock;
	owner->first = sock;
	owner->count++;
}

/* False: it is in no list, since its owner is just ending. */
static bool link_out(node_owners_t *owners, node_socket_t *sock)
{
	owner_t *owner = g_hash_table_lookup(owners->by_id, &sock->owner.id);
	if (owner == NULL || (sock->prev == NULL && owner->first != sock))
		return false;
	if (sock->prev != NULL)
		sock->prev->next = sock->next;
	else
		owner->first = sock->next;
	if (sock->next != NULL)
		sock->next->prev = sock->prev;
	sock->next = sock->prev = NULL;
	if (--owner->count == 0) {
		g_hash_table_remove(owners->by_id, &owner->id);
		node_mem_free(owner);
	}
	return true;
}

/* A process that ends is hidden first, and looks at its flag then; we set the flag first and look for the process then:
 * one of us sees the other. */
static int enter(node_io_t *io, node_socket_t *sock, dream_pid_t pid)
{
	node_proc_t *proc = pid.creation == io->node->creation ? node_proctab_find(io->node, pid.id) : NULL;
	owner_t *owner = proc != NULL ? owner_of(io->owners, pid.id) : NULL;
	if (owner == NULL)
		return proc == NULL ? DREAM_ENOPROC : DREAM_ENOMEM;
	if (owner->count >= io->options.max_sockets_per_process)
		return DREAM_ELIMIT;
	link_in(owner, sock, pid);
	__atomic_store_n(&proc->owns, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&proc->id, __ATOMIC_SEQ_CST) == pid.id)
		return DREAM_OK;
	(void) link_out(io->owners, sock);
	return DREAM_ENOPROC;
}

/* ---- sockets come and go ---- */

int node_owner_add(node_socket_t *sock, dream_pid_t owner)
{
	node_io_t *io = sock->source.io;
	pthread_mutex_lock(&io->owners->lock);
	int r = enter(io, sock, owner);
	pthread_mutex_unlock(&io->owners->lock);
	return r;
}

int node_owner_may_add(node_proc_t *proc)
{
	node_io_t *io = proc->node->io;
	uint64_t id = node_proc_pid(proc).id;
	if (__atomic_load_n(&io->n_sockets, __ATOMIC_RELAXED) >= io->options.max_sockets)
		return DREAM_ELIMIT;
	pthread_mutex_lock(&io->owners->lock);
	const owner_t *owner = g_hash_table_lookup(io->owners->by_id, &id);
	bool room = owner == NULL || owner->count < io->options.max_sockets_per_process;
	pthread_mutex_unlock(&io->owners->lock);
	return room ? DREAM_OK : DREAM_ELIMIT;
}

void node_owner_remove(node_socket_t *sock)
{
	node_owners_t *owners = sock->source.io->owners;
	pthread_mutex_lock(&owners->lock);
	(void) link_out(owners, sock);
	pthread_mutex_unlock(&owners->lock);
}

int node_owner_move(node_socket_t *sock, dream_pid_t to)
{
	node_io_t *io = sock->source.io;
	dream_pid_t from = sock->owner;
	if (dream_pid_equal(from, to))
		return DREAM_OK;
	pthread_mutex_lock(&io->owners->lock);
	(void) link_out(io->owners, sock);
	int r = enter(io, sock, to);
	if (r < 0 && enter(io, sock, from) < 0)
		sock->owner = (dream_pid_t){
			0, 0, 0}; /* out of memory: open without an owner, as long as the node runs */
	pthread_mutex_unlock(&io->owners->lock);
	return r;
}

/* ---- processes go ---- */

static node_socket_t *take_one(node_owners_t *owners, uint64_t id)
{
	pthread_mutex_lock(&owners->lock);
	owner_t *owner = g_hash_table_lookup(owners->by_id, &id);
	node_socket_t *sock = owner != NULL ? owner->first : NULL;
	if (sock != NULL) {
		node_source_ref(&sock->source);
		(void) link_out(owners, sock);
	}
	pthread_mutex_unlock(&owners->lock);
	return sock;
}

static void drop_owned(node_proc_t *proc, uint64_t id)
{
	node_socket_t *sock;
	while ((sock = take_one(proc->node->io->owners, id)) != NULL) {
		(void) node_socket_close(sock);
		node_socket_unref(sock);
	}
}

/* ---- life ---- */

int node_owners_open(node_io_t *io)
{
	io->owners = g_try_new0(node_owners_t, 1);
	if (io->owners == NULL)
		return DREAM_ENOMEM;
	pthread_mutex_init(&io->owners->lock, NULL);
	io->owners->by_id = g_hash_table_new(g_int64_hash, g_int64_equal);
	io->node->hooks.drop_owned = drop_owned;
	return DREAM_OK;
}

void node_owners_close(node_io_t *io)
{
	if (io->owners == NULL)
		return;
	g_hash_table_destroy(io->owners->by_id);
	pthread_mutex_destroy(&io->owners->lock);
	g_free(io->owners);
	io->owners = NULL;
}
