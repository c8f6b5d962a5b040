/* SPDX-License-Identifier: MIT */
/* Timers that deliver a signal. One table by reference for all, since anyone may cancel (TMR-2); the waiting
 * itself is the wheel's. */
#include <string.h>

#include "base/clock.h"
#include "sched/local.h"

typedef struct node_timer {
	node_wheel_entry_t entry;
	node_t *node;
	node_sig_t *sig;
	char *name;              /* resolved when it expires */
	node_proc_t *owner;      /* whose end ends it (TMR-1): the destination; NULL for a name */
	struct node_timer *next; /* of the same owner; under the lock */
	struct node_timer *prev;
	uint64_t ref;
	int64_t deadline_ns;
} node_timer_t;

struct node_timers {
	pthread_mutex_t lock;
	GHashTable *by_ref; /* guint64 * in the timer -> node_timer_t * */
};

int node_timers_open(node_sched_t *all)
{
	all->timers = g_try_new0(struct node_timers, 1);
	if (all->timers == NULL)
		return DREAM_ENOMEM;
	pthread_mutex_init(&all->timers->lock, NULL);
	all->timers->by_ref = g_hash_table_new(g_int64_hash, g_int64_equal);
	return DREAM_OK;
}

static void free_timer(node_timer_t *timer)
{
	node_sig_free(timer->sig);
	g_free(timer->name);
	node_mem_free(timer);
}

static gboolean free_one(gpointer key, gpointer value, gpointer data)
{
	(void) key;
	(void) data;
	free_timer(value);
	return TRUE;
}

void node_timers_close(node_sched_t *all)
{
	g_hash_table_foreach_remove(all->timers->by_ref, free_one, NULL);
	g_hash_table_destroy(all->timers->by_ref);
	pthread_mutex_destroy(&all->timers->lock);
	g_free(all->timers);
}

/* ---- the timers of one process; with the lock held ---- */

static void set_first(node_proc_t *owner, node_timer_t *timer)
{
	__atomic_store_n(&owner->timers, timer, __ATOMIC_SEQ_CST);
}

static void take_from_owner(node_timer_t *timer)
{
	if (timer->owner == NULL)
		return;
	if (timer->prev != NULL)
		timer->prev->next = timer->next;
	else
		set_first(timer->owner, timer->next);
	if (timer->next != NULL)
		timer->next->prev = timer->prev;
	timer->owner = NULL;
}

/* A process that ends is hidden first and looks for timers then; we add first and look for the process then, all of it in
 * sequentially consistent order: one of us sees the other. False: it has ended, so the timer need not be. */
static bool add_to_owner(node_t *node, node_timer_t *timer)
{
	dream_pid_t to = timer->sig->to;
	bool here = timer->name == NULL && to.node == 0 && to.creation == node->creation;
	timer->owner = here ? node_proctab_find(node, to.id) : NULL;
	if (timer->owner == NULL)
		return !here;
	timer->next = timer->owner->timers;
	if (timer->next != NULL)
		timer->next->prev = timer;
	set_first(timer->owner, timer);
	if (__atomic_load_n(&timer->owner->id, __ATOMIC_SEQ_CST) == to.id)
		return true;
	take_from_owner(timer);
	return false;
}

/* ---- expiry ---- */

static void fire(void *data)
{
	node_timer_t *timer = data;
	node_t *node = timer->node;
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	g_hash_table_remove(timers->by_ref, &timer->ref);
	take_from_owner(timer);
	pthread_mutex_unlock(&timers->lock);
	node_sig_t *sig = timer->sig;
	timer->sig = NULL;
	if (timer->name == NULL || node_names_whereis(node, timer->name, &sig->to) == DREAM_OK)
		(void) node_proc_deliver_take(node, sig);
	else
		node_sig_free(sig); /* TMR-1: nobody has the name now */
	free_timer(timer);
}

/* The calling scheduler's wheel; threads that are none use the first one's and wake it. */
static node_sched_local_t *wheel_owner(const node_t *node, bool *ret_foreign)
{
	node_sched_local_t *s = node_ctx_borrow()->sched;
	*ret_foreign = s == NULL || s->all != node->sched;
	return *ret_foreign ? &node->sched->locals[0] : s;
}

/* 2^47 ms are more than 63 bits of nanoseconds: what lies beyond comes after 200 years. */
static int64_t deadline(int64_t now_ns, int64_t delay_ms)
{
	int64_t most_ns = INT64_MAX - now_ns - 2 * NODE_MS;
	return now_ns + (delay_ms <= most_ns / NODE_MS ? delay_ms * NODE_MS : most_ns);
}

int node_timer_start_take(
	node_t *node, node_sig_t *sig, const char *name, int64_t delay_ms, uint64_t *ret_ref)
{
	if (sig == NULL)
		return DREAM_ENOMEM;
	node_timer_t *timer =
		delay_ms < 0 || delay_ms > NODE_TIMER_MAX_MS ? NULL : node_mem_zalloc(sizeof(*timer));
	if (timer == NULL) {
		node_sig_free(sig);
		return delay_ms < 0 || delay_ms > NODE_TIMER_MAX_MS ? DREAM_EINVAL : DREAM_ENOMEM;
	}
	timer->node = node;
	timer->sig = sig;
	timer->name = g_strdup(name);
	timer->ref = node_proc_new_ref(node);
	timer->deadline_ns = deadline(node_clock_now(node), delay_ms);
	timer->entry.fire = fire;
	timer->entry.data = timer;
	if (ret_ref != NULL)
		*ret_ref = timer->ref;
	bool foreign;
	node_sched_local_t *s = wheel_owner(node, &foreign);
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	bool wanted = add_to_owner(node, timer);
	if (wanted) {
		g_hash_table_insert(timers->by_ref, &timer->ref, timer);
		node_wheel_add(&s->wheel, &timer->entry, timer->deadline_ns);
	}
	pthread_mutex_unlock(&timers->lock);
	if (!wanted)
		free_timer(timer);
	else if (foreign)
		node_idle_wake(s);
	return DREAM_OK;
}

int64_t node_timer_cancel(node_t *node, uint64_t ref)
{
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	node_timer_t *timer = g_hash_table_lookup(timers->by_ref, &ref);
	/* Found but no longer armed: it is about to deliver and frees itself. */
	bool ours = timer != NULL && node_wheel_cancel(&timer->entry);
	if (ours) {
		g_hash_table_remove(timers->by_ref, &ref);
		take_from_owner(timer);
	}
	pthread_mutex_unlock(&timers->lock);
	if (!ours)
		return DREAM_ENOENT;
	int64_t left_ns = timer->deadline_ns - node_clock_now(node);
	free_timer(timer);
	return left_ns > 0 ? left_ns / NODE_MS : 0;
}

/* One at a time, letting go of the lock in between: a process with 100,000 timers must not stop the others (TMR-5).
 * One that is firing just now takes itself out. */
void node_timers_drop(node_proc_t *proc)
{
	while (__atomic_load_n(&proc->timers, __ATOMIC_SEQ_CST) != NULL) {
		struct node_timers *timers = proc->node->sched->timers;
		pthread_mutex_lock(&timers->lock);
		node_timer_t *timer = proc->timers;
		bool ours = timer != NULL && node_wheel_cancel(&timer->entry);
		if (timer != NULL)
			take_from_owner(timer);
		if (ours)
			g_hash_table_remove(timers->by_ref, &timer->ref);
		pthread_mutex_unlock(&timers->lock);
		if (ours)
			free_timer(timer);
	}
}

uint32_t node_timer_count(node_t *node)
{
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	uint32_t count = g_hash_table_size(timers->by_ref);
	pthread_mutex_unlock(&timers->lock);
	return count;
}
