/* SPDX-License-Identifier: MIT */
/* Timers that deliver a signal.
 *
 * A timer is one cache line in a slab of a scheduler; a small message lies in it as its bytes, and is made
 * when it expires, since most timers are cancelled. Slab and wheel of a scheduler have one lock, which hardly anybody else
 * asks for. The reference tells the slot: whoever cancels (TMR-2) needs no table. All timers for one process (TMR-1) are in a
 * list in one slab, its home, so that the same lock serves; it moves to another scheduler when it has none.
 *
 * References of timers: 01, 36 bits that count the uses of the slot, 26 bits the slot. A slot that has been used 2^36 times
 * is left alone, so none comes twice; other references of a node begin with 00 (proc/proctab.c). */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "sched/local.h"

#define INDEX_BITS 26u
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)
#define ARMED (UINT64_C(1) << 62) /* in a reference; a free slot has the next one without it */
#define CHUNK_BITS 12u
#define CHUNK_TIMERS (1u << CHUNK_BITS)
#define CHUNK_BYTES (CHUNK_TIMERS * sizeof(node_timer_t))
#define CHUNKS_MAX (1u << (INDEX_BITS - CHUNK_BITS))
#define TRIM_AT_ONCE 128u

/* node_wheel_link_t.kind */
#define KIND_ITEM 1u /* a message, as its bytes */
#define KIND_TICK 2u /* NODE_SIG_TIMER without a message: the timeout of a behaviour */
#define KIND_SIG 3u  /* any signal, and to a name */
#define ITEM_MAX 15u

typedef union {
	struct {
		uint8_t data[ITEM_MAX];
		uint8_t size;
	} item;
	uint64_t tick_ref;
	struct {
		node_sig_t *sig;
		char *name; /* resolved when it expires */
	} any;
} content_t;

typedef struct node_timer {
	node_wheel_link_t link; /* in a free slot: its next is the next free one */
	uint64_t ref;
	uint64_t to;   /* a process of this node, in whose list it is; 0: KIND_SIG for anything else */
	uint32_t next; /* in that list: slots, plus one */
	uint32_t prev;
	content_t content;
} node_timer_t;

_Static_assert(sizeof(node_timer_t) == 64, "a timer is one cache line");

typedef struct {
	node_timer_t *timers;  /* atomic: set last */
	node_sched_local_t *s; /* whose slab it belongs to */
} chunk_t;

struct node_timers {
	pthread_mutex_t lock; /* growth */
	uint32_t n_chunks;
	chunk_t *chunks;
};

int node_timers_open(node_sched_t *all)
{
	all->timers = g_try_new0(struct node_timers, 1);
	if (all->timers == NULL)
		return DREAM_ENOMEM;
	/* seldom more than its first page is touched */
	all->timers->chunks = node_mem_map(CHUNKS_MAX * sizeof(chunk_t));
	if (all->timers->chunks == NULL) {
		g_clear_pointer(&all->timers, g_free);
		return DREAM_ENOMEM;
	}
	pthread_mutex_init(&all->timers->lock, NULL);
	return DREAM_OK;
}

static void free_content(uint32_t kind, const content_t *content)
{
	if (kind != KIND_SIG)
		return;
	node_sig_free(content->any.sig);
	g_free(content->any.name);
}

void node_timers_close(node_sched_t *all)
{
	struct node_timers *timers = all->timers;
	for (uint32_t i = 0; i < timers->n_chunks; i++) {
		node_timer_t *chunk = timers->chunks[i].timers;
		for (uint32_t k = 0; k < CHUNK_TIMERS; k++)
			if (chunk[k].link.next != NULL && chunk[k].ref & ARMED)
				free_content(chunk[k].link.kind, &chunk[k].content);
		node_mem_unmap(chunk, CHUNK_BYTES);
	}
	node_mem_unmap(timers->chunks, CHUNKS_MAX * sizeof(chunk_t));
	pthread_mutex_destroy(&timers->lock);
	g_free(timers);
}

/* ---- slots ---- */

static node_timer_t *timer_at(const struct node_timers *timers, uint32_t index)
{
	return &timers->chunks[index >> CHUNK_BITS].timers[index & (CHUNK_TIMERS - 1)];
}

static uint32_t index_of(const node_timer_t *timer)
{
	return (uint32_t) (timer->ref & INDEX_MASK);
}

/* The scheduler that a reference belongs to; NULL: it never was a timer of this node. */
static node_sched_local_t *shard_of(const struct node_timers *timers, uint64_t ref)
{
	const chunk_t *chunk = &timers->chunks[(ref & INDEX_MASK) >> CHUNK_BITS];
	bool is_timer = (ref & (ARMED | ARMED << 1)) == ARMED;
	return is_timer && __atomic_load_n(&chunk->timers, __ATOMIC_ACQUIRE) != NULL ? chunk->s : NULL;
}

/* @more: it is not the slab's first; then all its pages come at once, lest a start wait for a fault every 64 timers. */
static node_timer_t *map_chunk(bool more)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (more ? MAP_POPULATE : 0);
	void *chunk = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
	return chunk != MAP_FAILED ? chunk : NULL;
}

static bool is_full(const node_timer_shard_t *shard)
{
	return shard->free == NULL && shard->fresh == shard->fresh_end;
}

/* False: no more are allowed, or out of memory. */
static bool add_chunk(struct node_timers *timers, node_sched_local_t *s)
{
	bool ok = true;
	pthread_mutex_lock(&timers->lock); /* only who has it makes a slab larger */
	node_wheel_lock(&s->wheel);
	bool wanted = is_full(&s->timers);
	bool more = s->timers.fresh_end != 0;
	node_wheel_unlock(&s->wheel);
	if (wanted) {
		uint32_t number = timers->n_chunks;
		node_timer_t *chunk = number < CHUNKS_MAX ? map_chunk(more) : NULL;
		ok = chunk != NULL;
		if (ok) {
			timers->n_chunks++;
			timers->chunks[number].s = s;
			__atomic_store_n(&timers->chunks[number].timers, chunk, __ATOMIC_RELEASE);
			node_wheel_lock(&s->wheel);
			s->timers.fresh = number << CHUNK_BITS;
			s->timers.fresh_end = s->timers.fresh + CHUNK_TIMERS;
			node_wheel_unlock(&s->wheel);
		}
	}
	pthread_mutex_unlock(&timers->lock);
	return ok;
}

/* With the lock held, and if there is room. */
static node_timer_t *pop_slot(const struct node_timers *timers, node_timer_shard_t *shard)
{
	node_timer_t *timer = shard->free;
	if (timer != NULL)
		shard->free = (node_timer_t *) timer->link.next;
	else {
		timer = timer_at(timers, shard->fresh);
		timer->ref = shard->fresh++;
	}
	timer->link.next = NULL;
	timer->to = 0;
	timer->ref |= ARMED;
	return timer;
}

/* With the lock held. */
static void free_slot(node_sched_local_t *s, node_timer_t *timer)
{
	timer->ref = (timer->ref & ~ARMED) + (UINT64_C(1) << INDEX_BITS);
	timer->link.next = NULL;
	if (timer->ref & ARMED) { /* its references are used up */
		timer->ref = 0;
		return;
	}
	timer->link.next = (node_wheel_link_t *) s->timers.free;
	s->timers.free = timer;
}

/* ---- the timers of one process ---- */

/* proc->timers: the home, plus one, in its upper half, and in its lower the slot of the first timer, plus one, or 0. It is
 * written with the home's lock held, but for the first home; all of it is 0 as long as the process had no timer. */
static uint64_t home_word(const node_sched_local_t *home, uint32_t first)
{
	return (uint64_t) (home->index + 1) << 32 | first;
}

static node_sched_local_t *home_of(node_sched_t *all, uint64_t word)
{
	return &all->locals[(word >> 32) - 1];
}

static void set_first(node_proc_t *owner, const node_sched_local_t *home, uint32_t first)
{
	__atomic_store_n(&owner->timers, home_word(home, first), __ATOMIC_RELEASE);
}

/* The home of @owner's timers, with its lock held: @wanted, unless there are some elsewhere. */
static node_sched_local_t *lock_home(node_proc_t *owner, node_sched_local_t *wanted)
{
	for (;;) {
		uint64_t word = __atomic_load_n(&owner->timers, __ATOMIC_SEQ_CST);
		if (word == 0) {
			(void) __atomic_compare_exchange_n(&owner->timers, &word, home_word(wanted, 0), false,
				__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
			continue;
		}
		node_sched_local_t *home = home_of(wanted->all, word);
		node_wheel_lock(&home->wheel);
		uint64_t now = __atomic_load_n(&owner->timers, __ATOMIC_RELAXED);
		bool stayed = now >> 32 == word >> 32;
		if (stayed && (home == wanted || (uint32_t) now != 0))
			return home;
		if (stayed)
			set_first(owner, wanted, 0);
		node_wheel_unlock(&home->wheel);
	}
}

static uint32_t first_of(const node_proc_t *owner)
{
	return (uint32_t) __atomic_load_n(&owner->timers, __ATOMIC_RELAXED);
}

/* With the lock of @home held. A process that ends is hidden first and looks for timers then, if it ever had a home; we give
 * it one first, and look for the process with the lock held. So one of us sees the other. False: it has ended. */
static bool add_to_owner(node_sched_local_t *home, node_timer_t *timer, node_proc_t *owner, uint64_t to)
{
	uint32_t first = first_of(owner);
	if (__atomic_load_n(&owner->id, __ATOMIC_SEQ_CST) != to)
		return false;
	timer->to = to;
	timer->next = first;
	timer->prev = 0;
	if (first != 0)
		timer_at(home->all->timers, first - 1)->prev = index_of(timer) + 1;
	set_first(owner, home, index_of(timer) + 1);
	return true;
}

/* With the lock of @home held. */
static void take_from_owner(node_sched_local_t *home, node_timer_t *timer)
{
	const struct node_timers *timers = home->all->timers;
	if (timer->to == 0)
		return;
	if (timer->prev != 0)
		timer_at(timers, timer->prev - 1)->next = timer->next;
	else
		set_first(node_proctab_slot(home->all->node, timer->to), home, timer->next);
	if (timer->next != 0)
		timer_at(timers, timer->next - 1)->prev = timer->prev;
	timer->to = 0;
}

/* ---- expiry ---- */

/* What is left of a timer once its slot is free. */
typedef struct {
	node_t *node;
	uint64_t to;
	uint64_t kind;
	content_t content;
} expired_t;

_Static_assert(sizeof(expired_t) <= sizeof(((node_wheel_due_t *) 0)->words), "it has room in what is due");

static node_sig_t *make_sig(const expired_t *timer)
{
	dream_pid_t to = {timer->to, timer->node->creation, 0};
	dream_msg_t *msg = NULL;
	if (timer->kind == KIND_TICK)
		return node_sig_new_take(NODE_SIG_TIMER, to, to, timer->content.tick_ref, NULL);
	if (node_msg_copy(timer->content.item.data, timer->content.item.size, &msg) < 0)
		return NULL;
	return node_sig_new_take(NODE_SIG_MSG, to, (dream_pid_t){0, 0, 0}, 0, msg);
}

static void fire(void *data)
{
	expired_t *timer = data;
	node_t *node = timer->node;
	char *name = timer->kind == KIND_SIG ? timer->content.any.name : NULL;
	node_sig_t *sig = timer->kind == KIND_SIG ? timer->content.any.sig : make_sig(timer);
	if (sig == NULL)
		node_log(node, DREAM_LOG_ERROR, "a timer's message is lost: out of memory");
	else if (name == NULL || node_names_whereis(node, name, &sig->to) == DREAM_OK)
		(void) node_proc_deliver_take(node, sig);
	else
		node_sig_free(sig); /* TMR-1: nobody has the name now */
	g_free(name);
}

void node_timers_take(node_wheel_t *wheel, node_wheel_link_t *link, node_wheel_due_t *ret_due)
{
	node_sched_local_t *s =
		(node_sched_local_t *) (void *) ((char *) wheel - offsetof(node_sched_local_t, wheel));
	node_timer_t *timer = (node_timer_t *) link;
	expired_t *expired = (expired_t *) (void *) ret_due->words;
	*expired = (expired_t){s->all->node, timer->to, link->kind, timer->content};
	ret_due->fire = fire;
	ret_due->data = expired;
	take_from_owner(s, timer);
	__atomic_store_n(&s->timers.count, s->timers.count - 1, __ATOMIC_RELAXED);
	free_slot(s, timer);
}

/* ---- starting ---- */

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

static bool is_here(const node_t *node, const node_sig_t *sig, const char *name)
{
	return name == NULL && sig->to.node == 0 && sig->to.creation == node->creation;
}

/* @sig is consumed. */
static uint32_t pack_take(const node_t *node, node_sig_t *sig, const char *name, content_t *ret_content)
{
	bool small = is_here(node, sig, name) && sig->data == NULL && sig->flags <= NODE_SIG_F_INLINE;
	if (small && sig->kind == NODE_SIG_MSG && sig->ref == 0 && sig->msg != NULL &&
		sig->msg->size_bytes <= ITEM_MAX) {
		ret_content->item.size = (uint8_t) sig->msg->size_bytes;
		memcpy(ret_content->item.data, sig->msg->data, sig->msg->size_bytes);
		node_sig_free(sig);
		return KIND_ITEM;
	}
	if (small && sig->kind == NODE_SIG_TIMER && sig->msg == NULL) {
		ret_content->tick_ref = sig->ref;
		node_sig_free(sig);
		return KIND_TICK;
	}
	ret_content->any.sig = sig;
	ret_content->any.name = g_strdup(name);
	return KIND_SIG;
}

/* A slot for a timer for @to, or, if that is 0, for none; its reference is valid from now on. *ret_s: its scheduler, with the
 * lock held. NULL: out of memory or of references. */
static node_timer_t *lock_new(
	node_t *node, uint64_t to, node_sched_local_t *wanted, node_sched_local_t **ret_s)
{
	struct node_timers *timers = node->sched->timers;
	node_proc_t *owner = to != 0 ? node_proctab_find(node, to) : NULL;
	for (;;) {
		node_sched_local_t *s = owner != NULL ? lock_home(owner, wanted) : wanted;
		if (owner == NULL)
			node_wheel_lock(&s->wheel);
		if (is_full(&s->timers)) {
			node_wheel_unlock(&s->wheel);
			if (!add_chunk(timers, s))
				return NULL;
			continue;
		}
		node_timer_t *timer = pop_slot(timers, &s->timers);
		if (owner != NULL)
			(void) add_to_owner(s, timer, owner, to);
		*ret_s = s;
		return timer;
	}
}

/* The slot of a reference that node_timer_new_ref() gave. NULL: it was cancelled meanwhile. */
static node_timer_t *lock_given(node_t *node, uint64_t ref, node_sched_local_t **ret_s)
{
	const struct node_timers *timers = node->sched->timers;
	node_sched_local_t *s = shard_of(timers, ref);
	node_timer_t *timer = timer_at(timers, (uint32_t) (ref & INDEX_MASK));
	node_wheel_lock(&s->wheel);
	if (timer->ref == ref) {
		*ret_s = s;
		return timer;
	}
	node_wheel_unlock(&s->wheel);
	return NULL;
}

/* With the lock held. A sleeping scheduler must hear of a timer that comes before those for which it would wake. */
static bool arm(node_sched_local_t *s, node_timer_t *timer, uint32_t kind, int64_t deadline_ns)
{
	timer->link.kind = kind;
	__atomic_store_n(&s->timers.count, s->timers.count + 1, __ATOMIC_RELAXED);
	return node_wheel_insert(&s->wheel, &timer->link, deadline_ns);
}

static int start_take(node_t *node, node_sig_t *sig, const char *name, int64_t deadline_ns, uint64_t *ref)
{
	content_t content;
	bool foreign;
	node_sched_local_t *own = wheel_owner(node, &foreign);
	node_sched_local_t *s = own;
	uint64_t to = is_here(node, sig, name) ? sig->to.id : 0;
	uint32_t kind = pack_take(node, sig, name, &content);
	node_timer_t *timer = *ref == 0 ? lock_new(node, to, own, &s) : lock_given(node, *ref, &s);
	if (timer == NULL) {
		free_content(kind, &content);
		return *ref != 0 ? DREAM_OK : DREAM_ENOMEM;
	}
	*ref = timer->ref;
	bool wanted = timer->to == to; /* else its process has ended */
	bool sooner = false;
	timer->content = content;
	if (wanted)
		sooner = arm(s, timer, kind, deadline_ns);
	else
		free_slot(s, timer);
	node_wheel_unlock(&s->wheel);
	if (!wanted)
		free_content(kind, &content);
	else if (sooner && (foreign || s != own))
		node_idle_wake(s);
	return DREAM_OK;
}

uint64_t node_timer_new_ref(node_t *node, dream_pid_t to)
{
	bool foreign;
	node_sched_local_t *s = wheel_owner(node, &foreign);
	bool here = to.node == 0 && to.creation == node->creation;
	const node_timer_t *timer = lock_new(node, here ? to.id : 0, s, &s);
	uint64_t ref = timer != NULL ? timer->ref : 0;
	if (timer != NULL)
		node_wheel_unlock(&s->wheel);
	return ref;
}

int node_timer_start_ref_take(
	node_t *node, node_sig_t *sig, const char *name, int64_t time_ms, bool absolute, uint64_t *ref)
{
	int64_t now_ns = node_clock_late(node);
	bool valid = time_ms <= NODE_TIMER_MAX_MS && (time_ms >= 0 || absolute);
	if (sig == NULL || !valid) {
		node_sig_free(sig);
		(void) node_timer_cancel(node, *ref);
		return valid ? DREAM_ENOMEM : DREAM_EINVAL;
	}
	int64_t at_ns = !absolute                    ? deadline(now_ns, time_ms)
			: time_ms > now_ns / NODE_MS ? deadline(0, time_ms)
						     : now_ns;
	return start_take(node, sig, name, at_ns, ref);
}

int node_timer_start_take(
	node_t *node, node_sig_t *sig, const char *name, int64_t delay_ms, uint64_t *ret_ref)
{
	uint64_t ref = 0;
	int r = node_timer_start_ref_take(node, sig, name, delay_ms, false, &ref);
	if (r == DREAM_OK && ret_ref != NULL)
		*ret_ref = ref;
	return r;
}

/* ---- asking and ending ---- */

static int64_t left_ms(const node_t *node, int64_t deadline_ns)
{
	int64_t left_ns = deadline_ns - node_clock_late(node);
	return left_ns > 0 ? left_ns / NODE_MS : 0;
}

/* With the lock held: what is left of a process that has ended does not count any more. */
static bool is_waiting(node_t *node, const node_timer_t *timer)
{
	return timer->link.next != NULL && (timer->to == 0 || node_proctab_find(node, timer->to) != NULL);
}

int64_t node_timer_read(node_t *node, uint64_t ref)
{
	const struct node_timers *timers = node->sched->timers;
	node_sched_local_t *s = shard_of(timers, ref);
	if (s == NULL)
		return DREAM_ENOENT;
	const node_timer_t *timer = timer_at(timers, (uint32_t) (ref & INDEX_MASK));
	node_wheel_lock(&s->wheel);
	bool waiting = timer->ref == ref && is_waiting(node, timer);
	int64_t deadline_ns = node_wheel_deadline(&timer->link);
	node_wheel_unlock(&s->wheel);
	return waiting ? left_ms(node, deadline_ns) : DREAM_ENOENT;
}

/* With the lock held. The content is the caller's. */
static void end_timer(node_sched_local_t *s, node_timer_t *timer)
{
	if (timer->link.next != NULL) {
		node_wheel_remove(&s->wheel, &timer->link);
		__atomic_store_n(&s->timers.count, s->timers.count - 1, __ATOMIC_RELAXED);
	}
	take_from_owner(s, timer);
	free_slot(s, timer);
}

int64_t node_timer_cancel(node_t *node, uint64_t ref)
{
	const struct node_timers *timers = node->sched->timers;
	node_sched_local_t *s = shard_of(timers, ref);
	if (s == NULL)
		return DREAM_ENOENT;
	node_timer_t *timer = timer_at(timers, (uint32_t) (ref & INDEX_MASK));
	node_wheel_lock(&s->wheel);
	if (timer->ref != ref) { /* not, or not any more: its message may be on its way */
		node_wheel_unlock(&s->wheel);
		return DREAM_ENOENT;
	}
	bool armed = timer->link.next != NULL;
	bool waiting = is_waiting(node, timer);
	int64_t deadline_ns = node_wheel_deadline(&timer->link);
	uint32_t kind = timer->link.kind;
	content_t content = timer->content;
	end_timer(s, timer);
	node_wheel_unlock(&s->wheel);
	if (armed)
		free_content(kind, &content);
	return waiting ? left_ms(node, deadline_ns) : DREAM_ENOENT;
}

/* Ends the first one of @proc, which has ended. False: there is none. */
static bool drop_first(node_proc_t *proc)
{
	node_sched_t *all = proc->node->sched;
	uint64_t word = __atomic_load_n(&proc->timers, __ATOMIC_SEQ_CST);
	if (word == 0)
		return false;
	node_sched_local_t *home = home_of(all, word);
	content_t content = {.tick_ref = 0};
	uint32_t kind = KIND_ITEM;
	node_wheel_lock(&home->wheel);
	word ^= __atomic_load_n(&proc->timers, __ATOMIC_RELAXED);
	bool stayed = word >> 32 == 0;
	uint32_t first = stayed ? first_of(proc) : 0;
	if (first != 0) {
		node_timer_t *timer = timer_at(all->timers, first - 1);
		if (timer->link.next != NULL)
			kind = timer->link.kind;
		content = timer->content;
		end_timer(home, timer);
	} else if (stayed)
		__atomic_store_n(&proc->timers, 0, __ATOMIC_RELEASE);
	node_wheel_unlock(&home->wheel);
	free_content(kind, &content);
	return first != 0 || !stayed;
}

bool node_timers_drop(node_proc_t *proc)
{
	uint32_t n = 0;
	while (n < TRIM_AT_ONCE && drop_first(proc))
		n++;
	return n < TRIM_AT_ONCE;
}

/* A process with 100,000 timers must not stop the others (TMR-5): its slot waits for their end, which schedulers bring about
 * between turns. It is hidden, so that no process uses the slot and no timer is added. */
void node_timers_outlive(node_proc_t *proc)
{
	node_sched_t *all = proc->node->sched;
	pthread_mutex_lock(&all->lock);
	proc->next = all->ended;
	__atomic_store_n(&all->ended, proc, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&all->lock);
}

bool node_timers_trim(node_sched_t *all)
{
	if (__atomic_load_n(&all->ended, __ATOMIC_RELAXED) == NULL)
		return false;
	pthread_mutex_lock(&all->lock);
	node_proc_t *proc = all->ended;
	if (proc != NULL)
		__atomic_store_n(&all->ended, proc->next, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&all->lock);
	if (proc == NULL)
		return false;
	if (node_timers_drop(proc))
		node_proctab_give_slot(proc);
	else
		node_timers_outlive(proc);
	return true;
}

uint32_t node_timer_count(node_t *node)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < node->sched->n_locals; i++)
		count += __atomic_load_n(&node->sched->locals[i].timers.count, __ATOMIC_RELAXED);
	return count;
}
