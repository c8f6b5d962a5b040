/* SPDX-License-Identifier: MIT */
/* An entry lies on the level of the highest bit in which its tick differs from now, in the slot of that digit
 * (base 64). When now reaches a slot of a higher level its entries move down. Bitmaps of the occupied slots tell
 * the next time at which anything happens, so an idle scheduler sleeps exactly that long. */
#include "sched/wheel.h"

#include <sched.h>

void node_wheel_lock(node_wheel_t *wheel)
{
	for (int spins = 0; __atomic_exchange_n(&wheel->lock, 1, __ATOMIC_ACQUIRE) != 0; spins++)
		if (spins > 100)
			sched_yield();
}

void node_wheel_unlock(node_wheel_t *wheel)
{
	__atomic_store_n(&wheel->lock, 0, __ATOMIC_RELEASE);
}

void node_wheel_init(node_wheel_t *wheel, int64_t now_ns)
{
	wheel->lock = 0;
	wheel->take = NULL;
	wheel->now_tick = (uint64_t) (now_ns / NODE_MS);
	wheel->next_tick = UINT64_MAX;
	for (int level = 0; level < NODE_WHEEL_LEVELS; level++) {
		wheel->occupied[level] = 0;
		for (int i = 0; i < 64; i++) {
			node_wheel_link_t *head = &wheel->slots[level][i];
			head->next = head->prev = head;
		}
	}
}

static int level_of(uint64_t now_tick, uint64_t tick)
{
	uint64_t diff = (now_tick ^ tick) | 1;
	int level = (63 - __builtin_clzll(diff)) / 6;
	return level < NODE_WHEEL_LEVELS ? level : NODE_WHEEL_LEVELS - 1;
}

static void insert(node_wheel_t *wheel, node_wheel_link_t *entry)
{
	int level = level_of(wheel->now_tick, entry->tick);
	unsigned slot = (unsigned) (entry->tick >> (6 * level)) & 63;
	node_wheel_link_t *head = &wheel->slots[level][slot];
	entry->prev = head->prev;
	entry->next = head;
	head->prev->next = entry;
	head->prev = entry;
	wheel->occupied[level] |= UINT64_C(1) << slot;
}

static void detach(node_wheel_link_t *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	entry->next = entry->prev = NULL;
}

/* The next slot in which anything happens: the lowest level that holds something is always first. The slot of
 * the present, on any level but the lowest, is empty but while it moves down. */
static uint64_t next_slot(const node_wheel_t *wheel, int *ret_level, unsigned *ret_slot)
{
	for (int level = 0; level < NODE_WHEEL_LEVELS; level++) {
		if (wheel->occupied[level] == 0)
			continue;
		int shift = 6 * level;
		unsigned here = (unsigned) (wheel->now_tick >> shift) & 63;
		uint64_t turned = here == 0 ? wheel->occupied[level]
					    : wheel->occupied[level] >> here | wheel->occupied[level]
										       << (64 - here);
		unsigned ahead = (unsigned) __builtin_ctzll(turned);
		*ret_level = level;
		*ret_slot = (here + ahead) & 63;
		return ((wheel->now_tick >> shift) + ahead) << shift;
	}
	return UINT64_MAX;
}

static void note_next(node_wheel_t *wheel)
{
	int level;
	unsigned slot;
	__atomic_store_n(&wheel->next_tick, next_slot(wheel, &level, &slot), __ATOMIC_RELAXED);
}

bool node_wheel_insert(node_wheel_t *wheel, node_wheel_link_t *link, int64_t deadline_ns)
{
	uint64_t tick = (uint64_t) (deadline_ns + NODE_MS - 1) / NODE_MS;
	if (tick <= wheel->now_tick) {
		tick = wheel->now_tick + 1;
		deadline_ns = (int64_t) wheel->now_tick * NODE_MS;
	}
	link->tick = tick;
	link->early = ((uint64_t) ((int64_t) tick * NODE_MS - deadline_ns) + NODE_WHEEL_EARLY_NS - 1) /
		      NODE_WHEEL_EARLY_NS;
	insert(wheel, link);
	if (tick >= wheel->next_tick)
		return false;
	__atomic_store_n(&wheel->next_tick, tick, __ATOMIC_RELAXED);
	return true;
}

void node_wheel_remove(node_wheel_t *wheel, node_wheel_link_t *link)
{
	node_wheel_link_t *head = link->next;
	bool last = head == link->prev; /* only one entry: its neighbours on both sides are the head */
	detach(link);
	if (!last)
		return;
	int level = level_of(wheel->now_tick, link->tick);
	unsigned slot = (unsigned) (link->tick >> (6 * level)) & 63;
	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
}

void node_wheel_add(node_wheel_t *wheel, node_wheel_entry_t *entry, int64_t deadline_ns)
{
	node_wheel_lock(wheel);
	entry->wheel = wheel;
	entry->link.kind = NODE_WHEEL_CALL;
	(void) node_wheel_insert(wheel, &entry->link, deadline_ns);
	node_wheel_unlock(wheel);
}

bool node_wheel_cancel(node_wheel_entry_t *entry)
{
	node_wheel_t *wheel = entry->wheel;
	if (wheel == NULL)
		return false;
	node_wheel_lock(wheel);
	bool armed = entry->link.next != NULL;
	if (armed)
		node_wheel_remove(wheel, &entry->link);
	node_wheel_unlock(wheel);
	return armed;
}

#define BATCH 32

static void take_due(node_wheel_t *wheel, node_wheel_link_t *link, node_wheel_due_t *due)
{
	detach(link);
	if (link->kind != NODE_WHEEL_CALL) {
		wheel->take(wheel, link, due);
		return;
	}
	const node_wheel_entry_t *entry = (const node_wheel_entry_t *) link;
	due->fire = entry->fire;
	due->data = entry->data;
}

/* A slot of a higher level moves down as a whole: were only a part moved, the rest would stand behind whatever
 * the lower levels hold. */
static void move_down(node_wheel_t *wheel, int level, unsigned slot)
{
	node_wheel_link_t *head = &wheel->slots[level][slot];
	while (head->next != head) {
		node_wheel_link_t *entry = head->next;
		detach(entry);
		insert(wheel, entry);
	}
	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
}

/* Takes up to BATCH entries that are due under the lock; they are copied, since their memory may go once we let go. */
static uint32_t collect(node_wheel_t *wheel, uint64_t now_tick, node_wheel_due_t *due)
{
	uint32_t n = 0;
	int level = 0;
	unsigned slot = 0;
	while (n < BATCH) {
		uint64_t tick = next_slot(wheel, &level, &slot);
		if (tick > now_tick)
			break;
		if (tick > wheel->now_tick)
			wheel->now_tick = tick;
		if (level > 0) {
			move_down(wheel, level, slot);
			continue;
		}
		node_wheel_link_t *head = &wheel->slots[level][slot];
		while (head->next != head && n < BATCH) {
			take_due(wheel, head->next, &due[n]);
			n++;
		}
		if (head->next == head)
			wheel->occupied[level] &= ~(UINT64_C(1) << slot);
	}
	if (n < BATCH && now_tick > wheel->now_tick)
		wheel->now_tick = now_tick;
	note_next(wheel);
	return n;
}

uint32_t node_wheel_advance(node_wheel_t *wheel, int64_t now_ns)
{
	return node_wheel_advance_some(wheel, now_ns, UINT32_MAX);
}

uint32_t node_wheel_advance_some(node_wheel_t *wheel, int64_t now_ns, uint32_t most)
{
	uint64_t now_tick = (uint64_t) (now_ns / NODE_MS);
	uint32_t fired = 0;
	uint32_t n = BATCH;
	node_wheel_due_t due[BATCH];
	if (__atomic_load_n(&wheel->next_tick, __ATOMIC_RELAXED) > now_tick)
		return 0;
	while (n == BATCH && fired < most) {
		node_wheel_lock(wheel);
		n = collect(wheel, now_tick, due);
		node_wheel_unlock(wheel);
		for (uint32_t i = 0; i < n; i++)
			due[i].fire(due[i].data);
		fired += n;
	}
	return fired;
}

int64_t node_wheel_next_ns(const node_wheel_t *wheel)
{
	uint64_t tick = __atomic_load_n(&wheel->next_tick, __ATOMIC_RELAXED);
	return tick == UINT64_MAX ? NODE_FOREVER : (int64_t) tick * NODE_MS;
}
