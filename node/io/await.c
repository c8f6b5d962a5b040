/* SPDX-License-Identifier: MIT */
#include "io/await.h"

#include "base/clock.h"

static void on_drop(node_call_slot_t *slot)
{
	node_await_t *await = (node_await_t *) slot;
	await->drop(await);
}

int node_await_begin(node_await_t *await, node_proc_t *proc, void (*drop)(node_await_t *await))
{
	static const dream_pid_t nobody = {0, 0, 0};
	*await = (node_await_t){
		.slot = {.ref = node_proc_new_ref(proc->node), .drop = on_drop}, .proc = proc, .drop = drop};
	await->answer = node_sig_new_take(NODE_SIG_REPLY, node_proc_pid(proc), nobody, await->slot.ref, NULL);
	return await->answer != NULL ? DREAM_OK : DREAM_ENOMEM;
}

node_sig_t *node_await_take(node_await_t *await, int32_t code)
{
	node_sig_t *answer = await->answer;
	await->answer = NULL;
	if (answer != NULL)
		answer->code = code;
	return answer;
}

int node_await_run(node_await_t *await, int64_t deadline_ns)
{
	node_proc_t *proc = await->proc;
	int r = DREAM_OK;
	proc->slot = &await->slot;
	while (!await->slot.done && r == DREAM_OK) {
		r = node_proc_wait(proc, deadline_ns);
		/* Signals come before the deadline there; for who is flooded with others it has to count. */
		if (r == DREAM_OK && !await->slot.done && deadline_ns != NODE_FOREVER &&
			node_clock_now(proc->node) >= deadline_ns)
			r = DREAM_ETIMEDOUT;
	}
	proc->slot = NULL;
	return await->slot.done ? await->slot.code : DREAM_ETIMEDOUT;
}

void node_await_end(node_await_t *await)
{
	node_sig_free(await->answer);
	await->answer = NULL;
}

int64_t node_await_deadline(const node_t *node, int64_t timeout_ms)
{
	if (timeout_ms < 0 || timeout_ms > INT64_MAX / NODE_MS / 2)
		return NODE_FOREVER;
	return node_clock_now(node) + timeout_ms * NODE_MS;
}
