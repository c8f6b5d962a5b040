/* SPDX-License-Identifier: MIT */
/* Timers that deliver a signal. One table by reference for all, since anyone may cancel (TMR-2); the waiting
 * itself is the wheel's. */
#include <string.h>

#include "base/clock.h"
#include "sched/local.h"

struct owner;

typedef struct node_timer {
	node_wheel_entry_t entry;
	node_t *node;
	node_sig_t *sig;
	char *name;              /* resolved when it expires */
	struct owner *owner;     /* of the destination, whose end ends it (TMR-1); NULL for a name */
	struct node_timer *next; /* of the same owner; under the lock */
	struct node_timer *prev;
	uint64_t ref;
	int64_t deadline_ns;
} node_timer_t;

/* The timers of one process. Apart from the process, so that they can be handed over at its end and freed bit by bit. */
typedef struct owner {
	node_timer_t *first;
	struct owner *next; /* of those whose process has ended */
	bool ended;
} owner_t;

struct node_timers {
	pthread_mutex_t lock;
	GHashTable *by_ref; /* guint64 * in the timer -> node_timer_t * */
	owner_t *orphans;   /* atomic: of processes that have ended */
};

#define TRIM_AT_ONCE 128u

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
	while (node_timers_trim(all))
		;
	g_hash_table_foreach_remove(all->timers->by_ref, free_one, NULL);
	g_hash_table_destroy(all->timers->by_ref);
	pthread_mutex_destroy(&all->timers->lock);
	g_free(all->timers);
}

/* ---- the timers of one process; with the lock held ---- */

static void take_from_owner(node_timer_t *timer)
{
	if (timer->owner == NULL)
		return;
	if (timer->prev != NULL)
		timer->prev->next = timer->next;
	else
		timer->owner->first = timer->next;
	if (timer->next != NULL)
		timer->next->prev = timer->prev;
	timer->owner = NULL;
}

static void set_owner(node_proc_t *proc, owner_t *owner)
{
	__atomic_store_n(&proc->timers, owner, __ATOMIC_SEQ_CST);
}

/* A process that ends is hidden first and looks for timers then; we give it its list first and look for the process then,
 * all of it in sequentially consistent order: one of us sees the other. NULL: it has ended, or out of memory. */
static owner_t *owner_of(node_proc_t *proc, uint64_t id)
{
	owner_t *owner = proc->timers;
	owner_t *fresh = owner == NULL ? node_mem_zalloc(sizeof(*fresh)) : NULL;
	if (fresh != NULL)
		set_owner(proc, fresh);
	if (__atomic_load_n(&proc->id, __ATOMIC_SEQ_CST) == id)
		return owner != NULL ? owner : fresh;
	if (fresh != NULL) {
		set_owner(proc, NULL);
		node_mem_free(fresh);
	}
	return NULL;
}

/* False: the destination has ended, so the timer need not be. */
static bool add_to_owner(node_t *node, node_timer_t *timer)
{
	dream_pid_t to = timer->sig->to;
	if (timer->name != NULL || to.node != 0 || to.creation != node->creation)
		return true;
	node_proc_t *proc = node_proctab_find(node, to.id);
	owner_t *owner = proc != NULL ? owner_of(proc, to.id) : NULL;
	if (owner == NULL)
		return false;
	timer->owner = owner;
	timer->next = owner->first;
	if (timer->next != NULL)
		timer->next->prev = timer;
	owner->first = timer;
	return true;
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

static int start_take(node_t *node, node_sig_t *sig, const char *name, int64_t deadline_ns, uint64_t ref)
{
	node_timer_t *timer = sig != NULL ? node_mem_zalloc(sizeof(*timer)) : NULL;
	if (timer == NULL) {
		node_sig_free(sig);
		return DREAM_ENOMEM;
	}
	timer->node = node;
	timer->sig = sig;
	timer->name = g_strdup(name);
	timer->ref = ref;
	timer->deadline_ns = deadline_ns;
	timer->entry.fire = fire;
	timer->entry.data = timer;
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

int node_timer_start_take(
	node_t *node, node_sig_t *sig, const char *name, int64_t delay_ms, uint64_t *ret_ref)
{
	uint64_t ref = node_proc_new_ref(node);
	int r = node_timer_start_ref_take(node, sig, name, delay_ms, false, ref);
	if (r == DREAM_OK && ret_ref != NULL)
		*ret_ref = ref;
	return r;
}

int node_timer_start_ref_take(
	node_t *node, node_sig_t *sig, const char *name, int64_t time_ms, bool absolute, uint64_t ref)
{
	int64_t now_ns = node_clock_now(node);
	if (time_ms > NODE_TIMER_MAX_MS || (time_ms < 0 && !absolute)) {
		node_sig_free(sig);
		return DREAM_EINVAL;
	}
	int64_t at_ns = !absolute                    ? deadline(now_ns, time_ms)
			: time_ms > now_ns / NODE_MS ? deadline(0, time_ms)
						     : now_ns;
	return start_take(node, sig, name, at_ns, ref);
}

static int64_t left_ms(node_t *node, int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns - node_clock_now(node);
	return left_ns > 0 ? left_ns / NODE_MS : 0;
}

/* With the lock held. What is left of a process that has ended does not count any more. */
static node_timer_t *find(const struct node_timers *timers, uint64_t ref)
{
	node_timer_t *timer = g_hash_table_lookup(timers->by_ref, &ref);
	return timer != NULL && (timer->owner == NULL || !timer->owner->ended) ? timer : NULL;
}

int64_t node_timer_read(node_t *node, uint64_t ref)
{
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	const node_timer_t *timer = find(timers, ref);
	int64_t deadline_ns = timer != NULL ? timer->deadline_ns : 0;
	pthread_mutex_unlock(&timers->lock);
	return timer != NULL ? left_ms(node, deadline_ns) : DREAM_ENOENT;
}

int64_t node_timer_cancel(node_t *node, uint64_t ref)
{
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	node_timer_t *timer = find(timers, ref);
	/* Found but no longer armed: it is about to deliver and frees itself. */
	bool ours = timer != NULL && node_wheel_cancel(&timer->entry);
	if (ours) {
		g_hash_table_remove(timers->by_ref, &ref);
		take_from_owner(timer);
	}
	pthread_mutex_unlock(&timers->lock);
	if (!ours)
		return DREAM_ENOENT;
	int64_t left = left_ms(node, timer->deadline_ns);
	free_timer(timer);
	return left;
}

/* The first timer of a process that has ended; its list goes with its last. One that is firing just now takes itself out,
 * but for its place in the list. With the lock held; NULL: that was the list itself, or the timer frees itself. */
static node_timer_t *take_orphan(struct node_timers *timers)
{
	owner_t *owner = timers->orphans;
	node_timer_t *timer = owner->first;
	if (timer == NULL) {
		__atomic_store_n(&timers->orphans, owner->next, __ATOMIC_RELEASE);
		node_mem_free(owner);
		return NULL;
	}
	bool ours = node_wheel_cancel(&timer->entry);
	take_from_owner(timer);
	if (!ours)
		return NULL;
	g_hash_table_remove(timers->by_ref, &timer->ref);
	return timer;
}

bool node_timers_trim(node_sched_t *all)
{
	struct node_timers *timers = all->timers;
	for (uint32_t n = 0; n < TRIM_AT_ONCE; n++) {
		if (__atomic_load_n(&timers->orphans, __ATOMIC_ACQUIRE) == NULL)
			return false;
		pthread_mutex_lock(&timers->lock);
		node_timer_t *timer = timers->orphans != NULL ? take_orphan(timers) : NULL;
		pthread_mutex_unlock(&timers->lock);
		if (timer != NULL)
			free_timer(timer);
	}
	return true;
}

/* A process with 100,000 timers must not stop the others (TMR-5): they are handed over as they are, and freed by the
 * schedulers between turns. None of them counts from now on, nor has it anybody to deliver to. */
void node_timers_drop(node_proc_t *proc)
{
	if (__atomic_load_n(&proc->timers, __ATOMIC_SEQ_CST) == NULL)
		return;
	struct node_timers *timers = proc->node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	owner_t *owner = proc->timers;
	set_owner(proc, NULL);
	owner->ended = true;
	owner->next = timers->orphans;
	__atomic_store_n(&timers->orphans, owner, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&timers->lock);
	(void) node_timers_trim(proc->node->sched);
}

uint32_t node_timer_count(node_t *node)
{
	struct node_timers *timers = node->sched->timers;
	pthread_mutex_lock(&timers->lock);
	uint32_t count = g_hash_table_size(timers->by_ref);
	pthread_mutex_unlock(&timers->lock);
	return count;
}
