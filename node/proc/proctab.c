/* SPDX-License-Identifier: MIT */
/* Slots come in chunks that are never freed while the node lives, which is what lets senders hold a bare
 * pointer. An id is serial << 32 | slot; the serial of a slot grows with each process in it, so that an old
 * pid does not reach a new process until 2^31 processes have been in one slot; the topmost bit stays clear, since it
 * is what tells an alias (alias.h). */
#include <glib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "proc/gate.h"
#include "proc/names.h"
#include "proc/report.h"
#include "proc/table.h"

#define BATCH 64u        /* free slots that are moved at once; a scheduler keeps less than twice as many */
#define KEEP_FROM 16384u /* slots that must be left for that: some lie idle then */
#define REF_BLOCK 4096u
#define REF_MASK (UINT64_MAX >> 2) /* other bits of its two are an alias's or a timer's (sched/timer.c) */
#define CHUNK_BITS 12u
#define CHUNK_SLOTS (1u << CHUNK_BITS)
#define CHUNK_BYTES (CHUNK_SLOTS * sizeof(node_proc_t))

struct node_proctab {
	pthread_mutex_t lock; /* growth and the free list */
	uint32_t max_procs;
	uint32_t n_room;  /* slots in chunks that exist */
	uint32_t n_slots; /* atomic: those that were ever taken, from the first on */
	uint32_t
		n_taken; /* atomic: slots that are not in the free list: of processes, and kept by schedulers */
	node_proc_t *free_list; /* single ones; the first to be taken by those who keep none */
	node_proc_t *batches;   /* lists of BATCH free slots; the first of each has the next list in `self` */
	uint64_t reports;       /* atomic: second << 32 | reports in it */
	uint64_t next_ref;      /* atomic: blocks of references not yet given out */
	dream_msg_t *null;
	node_limits_t defaults;
	bool closing;
	node_proc_t **chunks;
};

int node_proctab_open(node_t *node, uint32_t max_procs)
{
	node_proctab_t *tab = g_try_new0(node_proctab_t, 1);
	if (tab == NULL)
		return DREAM_ENOMEM;
	tab->max_procs = max_procs;
	tab->chunks = g_try_new0(node_proc_t *, max_procs / CHUNK_SLOTS + 1);
	tab->null = node_msg_copy_null();
	if (tab->chunks == NULL || tab->null == NULL) {
		node_msg_unref(tab->null);
		g_free(tab->chunks);
		g_free(tab);
		return DREAM_ENOMEM;
	}
	pthread_mutex_init(&tab->lock, NULL);
	/* A random start keeps references of different nodes and incarnations apart. */
	node->clock->random(node->clock, &tab->next_ref, sizeof(tab->next_ref));
	tab->next_ref &= ~(uint64_t) (REF_BLOCK - 1);
	node->procs = tab;
	return node_names_open(node);
}

static node_proc_t *slot_at(const node_proctab_t *tab, uint32_t index)
{
	return &tab->chunks[index >> CHUNK_BITS][index & (CHUNK_SLOTS - 1)];
}

static void free_chunk(node_proctab_t *tab, uint32_t chunk)
{
	uint32_t first = chunk * CHUNK_SLOTS;
	for (uint32_t i = first; i < first + CHUNK_SLOTS && i < tab->n_slots; i++)
		node_gate_free(slot_at(tab, i)->gate);
	node_mem_unmap(tab->chunks[chunk], CHUNK_BYTES);
}

void node_proctab_close(node_t *node)
{
	node_proctab_t *tab = node->procs;
	if (tab == NULL)
		return;
	tab->closing = true;
	uint32_t pos = 0;
	node_proc_t *proc;
	while ((proc = node_proctab_next(node, &pos)) != NULL)
		node_proc_die(proc);
	node_ctx_borrow()->ref_node = NULL; /* a later node at this address has its own references */
	for (uint32_t i = 0; i * CHUNK_SLOTS < tab->n_room; i++)
		free_chunk(tab, i);
	g_free(tab->chunks);
	node_msg_unref(tab->null);
	pthread_mutex_destroy(&tab->lock);
	g_free(tab);
	node->procs = NULL;
	node_names_close(node);
}

/* From the system itself: the allocator would round a chunk up by a quarter and write zeroes to all of it. */
static bool add_chunk(node_proctab_t *tab)
{
	if (tab->n_room >= tab->max_procs)
		return false;
	node_proc_t *chunk = node_mem_map(CHUNK_BYTES);
	if (chunk == NULL)
		return false;
	tab->chunks[tab->n_room >> CHUNK_BITS] = chunk;
	tab->n_room += CHUNK_SLOTS;
	return true;
}

/* Called with the lock held, so a chunk is not filled in before its slots are taken: that would touch its 200 pages,
 * a third of a millisecond in which nobody can spawn. Others see the slot once n_slots says so. */
static node_proc_t *fresh_slot(node_t *node)
{
	node_proctab_t *tab = node->procs;
	if (tab->n_slots == tab->n_room && !add_chunk(tab))
		return NULL;
	node_proc_t *proc = slot_at(tab, tab->n_slots);
	proc->outer = NODE_PROC_CLOSED;
	proc->node = node;
	proc->turns = ((uint64_t) 1 << 32) | tab->n_slots; /* a free slot keeps its next id there */
	__atomic_store_n(&tab->n_slots, tab->n_slots + 1, __ATOMIC_RELEASE);
	return proc;
}

static void count_taken(node_proctab_t *tab, int32_t n)
{
	__atomic_store_n(&tab->n_taken, tab->n_taken + (uint32_t) n, __ATOMIC_RELAXED);
}

/* Called with the lock held. NULL: there is none. */
static node_proc_t *pop_batch(node_proctab_t *tab)
{
	node_proc_t *batch = tab->batches;
	if (batch == NULL)
		return NULL;
	tab->batches = batch->self;
	batch->self = NULL;
	return batch;
}

/* Called with the lock held. */
static void push_batch(node_proctab_t *tab, node_proc_t *batch)
{
	batch->self = tab->batches;
	tab->batches = batch;
	count_taken(tab, -(int32_t) BATCH);
}

/* Called with the lock held. NULL: the table is full or out of memory. */
static node_proc_t *take_one(node_t *node)
{
	node_proctab_t *tab = node->procs;
	if (tab->n_taken >= tab->max_procs)
		return NULL;
	if (tab->free_list == NULL)
		tab->free_list = pop_batch(tab);
	node_proc_t *proc = tab->free_list;
	if (proc != NULL)
		tab->free_list = proc->next;
	else
		proc = fresh_slot(node);
	if (proc != NULL)
		count_taken(tab, 1);
	return proc;
}

/* ---- what schedulers keep for themselves: processes come and go without the lock ---- */

static node_keep_t *keep_of(const node_t *node)
{
	const node_ctx_t *ctx = node_ctx_borrow();
	return ctx->node == node ? ctx->keep : NULL;
}

static bool is_nearly_full(const node_proctab_t *tab)
{
	return __atomic_load_n(&tab->n_taken, __ATOMIC_RELAXED) + KEEP_FROM >= tab->max_procs;
}

/* With the lock held. A list of free slots is not gone through here: they are in no cache. */
static void keep_some(node_t *node, node_keep_t *keep)
{
	node_proctab_t *tab = node->procs;
	keep->slots = pop_batch(tab);
	if (keep->slots != NULL) {
		keep->n_slots = BATCH;
		count_taken(tab, BATCH);
	}
	while (keep->n_slots < BATCH) {
		node_proc_t *proc = take_one(node);
		if (proc == NULL)
			return;
		proc->next = keep->slots;
		keep->slots = proc;
		keep->n_slots++;
	}
}

static node_proc_t *pop_kept(node_keep_t *keep)
{
	node_proc_t *proc = keep->slots;
	if (proc == NULL && keep->batch != NULL) {
		proc = keep->batch;
		keep->batch = NULL;
		keep->n_slots = BATCH;
	}
	if (proc != NULL) {
		keep->slots = proc->next;
		keep->n_slots--;
	}
	return proc;
}

static node_proc_t *take_locked(node_t *node, node_keep_t *keep)
{
	node_proctab_t *tab = node->procs;
	node_proc_t *proc;
	pthread_mutex_lock(&tab->lock);
	if (keep != NULL && !is_nearly_full(tab)) {
		keep_some(node, keep);
		proc = pop_kept(keep);
	} else
		proc = take_one(node);
	pthread_mutex_unlock(&tab->lock);
	return proc;
}

/* With the lock held. */
static void put_back(node_proctab_t *tab, node_proc_t *proc)
{
	proc->next = tab->free_list;
	tab->free_list = proc;
	count_taken(tab, -1);
}

static void give_locked(node_proctab_t *tab, node_proc_t *proc)
{
	pthread_mutex_lock(&tab->lock);
	put_back(tab, proc);
	pthread_mutex_unlock(&tab->lock);
}

/* What it was given lately stays: it is in the cache. */
static void give_batch(node_proctab_t *tab, node_keep_t *keep)
{
	if (keep->batch != NULL) {
		pthread_mutex_lock(&tab->lock);
		push_batch(tab, keep->batch);
		pthread_mutex_unlock(&tab->lock);
	}
	keep->batch = keep->slots;
	keep->slots = NULL;
	keep->n_slots = 0;
}

void node_proctab_settle(node_t *node, node_keep_t *keep)
{
	node_proctab_t *tab = node->procs;
	node_proc_t *proc;
	if ((keep->slots == NULL && keep->batch == NULL) || !is_nearly_full(tab))
		return;
	pthread_mutex_lock(&tab->lock);
	while ((proc = pop_kept(keep)) != NULL)
		put_back(tab, proc);
	pthread_mutex_unlock(&tab->lock);
}

node_proc_t *node_proctab_take_slot(node_t *node, uint64_t *ret_id)
{
	node_keep_t *keep = keep_of(node);
	node_proc_t *proc = keep != NULL ? pop_kept(keep) : NULL;
	if (proc == NULL)
		proc = take_locked(node, keep);
	if (proc == NULL)
		return NULL;
	*ret_id = proc->turns;
	__atomic_store_n(&proc->turns, 0, __ATOMIC_RELAXED);
	proc->next = NULL;
	return proc;
}

void node_proctab_publish(node_proc_t *proc, uint64_t id)
{
	/* The queue first: who finds the id may send at once (SPN-5). A signal for a process that had the slot before is
	 * known by its id when it is handled. */
	__atomic_store_n(&proc->outer, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&proc->id, id, __ATOMIC_RELEASE);
}

void node_proctab_hide(node_proc_t *proc)
{
	__atomic_store_n(&proc->id, 0, __ATOMIC_SEQ_CST); /* see add_to_owner() in sched/timer.c */
}

/* Everything a later process finds must be as in a new slot; what senders may look at meanwhile is cleared by
 * atomic stores. */
static void reset(node_proc_t *proc)
{
	__atomic_store_n(&proc->flags, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->owns, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->n_inbox, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->inbox_bytes, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->named, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->label, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->ops, NULL, __ATOMIC_RELAXED);
	proc->self = NULL;
	proc->inbox = proc->inbox_last = NULL;
	proc->stack = NULL;
	proc->current = NULL;
	proc->slot = NULL;
	proc->exit_reason = NULL;
	__atomic_store_n(&proc->gen, NULL, __ATOMIC_RELEASE);
	__atomic_store_n(&proc->app, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&proc->parent_id, 0, __ATOMIC_RELAXED);
}

void node_proctab_give_slot(node_proc_t *proc)
{
	node_proctab_t *tab = proc->node->procs;
	uint64_t next_id = proc->turns;
	reset(proc);
	__atomic_store_n(&proc->turns, next_id, __ATOMIC_RELAXED);
	node_keep_t *keep = keep_of(proc->node);
	if (keep == NULL) {
		give_locked(tab, proc);
		return;
	}
	proc->next = keep->slots;
	keep->slots = proc;
	keep->n_slots++;
	if (keep->n_slots == BATCH)
		give_batch(tab, keep);
	node_proctab_settle(proc->node, keep);
}

node_proc_t *node_proctab_find(node_t *node, uint64_t id)
{
	node_proctab_t *tab = node->procs;
	uint32_t index = (uint32_t) id;
	if (index >= __atomic_load_n(&tab->n_slots, __ATOMIC_ACQUIRE) || id == 0)
		return NULL;
	node_proc_t *proc = slot_at(tab, index);
	return __atomic_load_n(&proc->id, __ATOMIC_ACQUIRE) == id ? proc : NULL;
}

node_proc_t *node_proctab_at(node_t *node, uint32_t slot, uint64_t *ret_id)
{
	node_proctab_t *tab = node->procs;
	if (slot >= __atomic_load_n(&tab->n_slots, __ATOMIC_ACQUIRE))
		return NULL;
	node_proc_t *proc = slot_at(tab, slot);
	*ret_id = __atomic_load_n(&proc->id, __ATOMIC_ACQUIRE);
	return *ret_id != 0 ? proc : NULL;
}

bool node_proctab_take_report(node_t *node, int64_t now_ns)
{
	uint64_t *reports = &node->procs->reports;
	uint64_t second = (uint64_t) now_ns / 1000000000u << 32;
	uint64_t before = __atomic_load_n(reports, __ATOMIC_RELAXED);
	uint64_t after;
	do {
		after = (before & ~(uint64_t) UINT32_MAX) == second ? before + 1 : second + 1;
		if ((uint32_t) after > NODE_REPORTS_PER_SECOND)
			return false;
	} while (!__atomic_compare_exchange_n(
		reports, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

node_proc_t *node_proctab_slot(node_t *node, uint64_t id)
{
	return slot_at(node->procs, (uint32_t) id);
}

node_proc_t *node_proctab_next(node_t *node, uint32_t *pos)
{
	node_proctab_t *tab = node->procs;
	uint32_t n_slots = __atomic_load_n(&tab->n_slots, __ATOMIC_ACQUIRE);
	while (*pos < n_slots) {
		node_proc_t *proc = slot_at(tab, (*pos)++);
		if (__atomic_load_n(&proc->id, __ATOMIC_ACQUIRE) != 0)
			return proc;
	}
	return NULL;
}

void node_proctab_set_defaults(node_t *node, const node_limits_t *limits)
{
	node->procs->defaults = *limits;
}

const node_limits_t *node_proctab_defaults(const node_t *node)
{
	return &node->procs->defaults;
}

uint32_t node_proctab_count(node_t *node)
{
	uint32_t pos = 0;
	uint32_t count = 0;
	while (node_proctab_next(node, &pos) != NULL)
		count++;
	return count;
}

const dream_msg_t *node_proctab_null_borrow(const node_t *node)
{
	return node->procs->null;
}

dream_msg_t *node_proctab_null_ref(const node_t *node)
{
	return node_msg_ref(node->procs->null);
}

/* The wake-up protocol is one word. A scheduler that has nothing more to do for a process replaces an empty queue by
 * ASLEEP; that fails if something is in it. The sender that replaces ASLEEP by its signal, exactly one, wakes the
 * process. So a process is queued to run once at most, nothing is overlooked, and no second word has to agree.
 * Release and acquire on that word also carry the process's own memory from one scheduler to the next.
 * tests/model/mailbox_test.cc goes through all orders of these steps. */
#define ASLEEP ((node_sig_t *) (uintptr_t) 2)

bool node_proc_rest(node_proc_t *proc)
{
	node_sig_t *empty = NULL;
	__atomic_store_n(&proc->run_state, NODE_PROC_IDLE, __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n(
		&proc->outer, &empty, ASLEEP, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

bool node_proc_rouse(node_proc_t *proc)
{
	node_sig_t *asleep = ASLEEP;
	if (__atomic_load_n(&proc->outer, __ATOMIC_RELAXED) != ASLEEP)
		return false; /* without taking the line from who fills it */
	return __atomic_compare_exchange_n(
		&proc->outer, &asleep, NULL, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

bool node_proctab_push(node_proc_t *proc, node_sig_t *sig)
{
	node_sig_t *old = __atomic_load_n(&proc->outer, __ATOMIC_RELAXED);
	do {
		if (old == NODE_PROC_CLOSED)
			return false;
		sig->next = old == ASLEEP ? NULL : old;
	} while (!__atomic_compare_exchange_n(
		&proc->outer, &old, sig, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
	if (old == ASLEEP)
		proc->node->hooks.wake(proc->node, proc);
	return true;
}

node_sig_t *node_proctab_take_signals(node_proc_t *proc)
{
	node_sig_t *sig = __atomic_exchange_n(&proc->outer, NULL, __ATOMIC_ACQ_REL);
	node_sig_t *oldest = NULL;
	while (sig != NULL && sig != NODE_PROC_CLOSED && sig != ASLEEP) {
		node_sig_t *next = sig->next;
		sig->next = oldest;
		oldest = sig;
		sig = next;
	}
	return oldest;
}

node_sig_t *node_proctab_close_queue(node_proc_t *proc)
{
	node_sig_t *sig = __atomic_exchange_n(&proc->outer, NODE_PROC_CLOSED, __ATOMIC_ACQ_REL);
	return sig == ASLEEP || sig == NODE_PROC_CLOSED ? NULL : sig;
}

bool node_proctab_is_closing(const node_t *node)
{
	return node->procs->closing;
}

uint64_t node_proc_new_ref(node_t *node)
{
	node_ctx_t *ctx = node_ctx_borrow();
	if (ctx->ref_node != node || ctx->ref_next == ctx->ref_end) {
		ctx->ref_node = node;
		ctx->ref_next =
			__atomic_fetch_add(&node->procs->next_ref, REF_BLOCK, __ATOMIC_RELAXED) & REF_MASK;
		ctx->ref_end = ctx->ref_next + REF_BLOCK;
	}
	uint64_t ref = ctx->ref_next++;
	return ref != 0 ? ref : ctx->ref_next++;
}

char *node_proc_pid_text(const node_t *node, dream_pid_t pid, char *buffer)
{
	const char *where =
		pid.node == 0 ? NULL : node->hooks.node_name_borrow((node_t *) (uintptr_t) node, pid.node);
	snprintf(buffer, 300, "<%u.%u%s%s>", (uint32_t) pid.id, (uint32_t) (pid.id >> 32),
		where != NULL ? "@" : "", where != NULL ? where : "");
	return buffer;
}

int node_proc_pid_parse(const node_t *node, const char *text, dream_pid_t *ret_pid)
{
	unsigned slot, serial;
	int used = 0;
	bool angled = text[0] == '<';
	if (text[angled] < '0' || text[angled] > '9')
		return DREAM_ESYNTAX;
	if (sscanf(text + angled, "%9u.%9u%n", &slot, &serial, &used) != 2)
		return DREAM_ESYNTAX;
	const char *rest = text + angled + used;
	if (strcmp(rest, angled ? ">" : "") != 0)
		return DREAM_ESYNTAX;
	*ret_pid = (dream_pid_t){(uint64_t) serial << 32 | slot, node->creation, 0};
	return DREAM_OK;
}
