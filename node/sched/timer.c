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
	char *name; /* resolved when it expires */
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

static void fire(void *data)
{
	node_timer_t *timer = data;
	node_t *node = timer->node;
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	g_hash_table_remove(timers->by_ref, &timer->ref);
	pthread_mutex_unlock(&timers->lock);
	node_sig_t *sig = timer->sig;
	timer->sig = NULL;
	if (timer->name == NULL || node_names_whereis(node, timer->name, &sig->to) == DREAM_OK)
		(void) node_proc_deliver_take(node, sig);
	else
		node_sig_free(sig); /* TMR-1: nobody has the name now */
	free_timer(timer);
}

/* On the calling scheduler's wheel; threads that are none use the first one's and wake it. */
static void arm(node_t *node, node_timer_t *timer)
{
	node_sched_local_t *s = node_ctx_borrow()->sched;
	bool ours = s != NULL && s->all == node->sched;
	if (!ours)
		s = &node->sched->locals[0];
	node_wheel_add(&s->wheel, &timer->entry, timer->deadline_ns);
	if (!ours)
		node_idle_wake_all(node->sched);
}

int node_timer_start_take(node_t *node, node_sig_t *sig, const char *name, int64_t delay_ms, uint64_t *ret_ref)
{
	if (sig == NULL)
		return DREAM_ENOMEM;
	node_timer_t *timer = delay_ms < 0 || delay_ms > NODE_TIMER_MAX_MS ? NULL : node_mem_zalloc(sizeof(*timer));
	if (timer == NULL) {
		node_sig_free(sig);
		return delay_ms < 0 || delay_ms > NODE_TIMER_MAX_MS ? DREAM_EINVAL : DREAM_ENOMEM;
	}
	timer->node = node;
	timer->sig = sig;
	timer->name = g_strdup(name);
	timer->ref = node_proc_new_ref(node);
	timer->deadline_ns = node_clock_now(node) + delay_ms * NODE_MS;
	timer->entry.fire = fire;
	timer->entry.data = timer;
	if (ret_ref != NULL)
		*ret_ref = timer->ref;
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	g_hash_table_insert(timers->by_ref, &timer->ref, timer);
	arm(node, timer);
	pthread_mutex_unlock(&timers->lock);
	return DREAM_OK;
}

int64_t node_timer_cancel(node_t *node, uint64_t ref)
{
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	node_timer_t *timer = g_hash_table_lookup(timers->by_ref, &ref);
	/* Found but no longer armed: it is about to deliver and frees itself. */
	bool ours = timer != NULL && node_wheel_cancel(&timer->entry);
	if (ours)
		g_hash_table_remove(timers->by_ref, &ref);
	pthread_mutex_unlock(&timers->lock);
	if (!ours)
		return DREAM_ENOENT;
	int64_t left_ns = timer->deadline_ns - node_clock_now(node);
	free_timer(timer);
	return left_ns > 0 ? left_ns / NODE_MS : 0;
}

uint32_t node_timer_count(node_t *node)
{
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	uint32_t count = g_hash_table_size(timers->by_ref);
	pthread_mutex_unlock(&timers->lock);
	return count;
}
