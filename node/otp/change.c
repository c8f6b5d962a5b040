/* SPDX-License-Identifier: MIT */
/* The new state is always made beside the old one, which is kept until the upgrade is committed. */
#include "otp/change.h"

#include "otp/state.h"
#include "proc/heap.h"
#include "term/codec.h"

static uint32_t vsn_of(const node_kind_t *kind)
{
	return kind->ops.server.state != NULL ? kind->ops.server.state->vsn : kind->ops.server.state_vsn;
}

static dream_msg_t *state_term(node_proc_t *proc, const node_kind_t *kind, const void *state)
{
	node_cbor_writer_t w;
	node_diag_t diag;
	dream_msg_t *term = NULL;
	node_cbor_init(&w);
	if (kind->ops.server.state == NULL || state == NULL)
		node_cbor_put_null(&w);
	else if (node_codec_encode(&w, proc->node, kind->ops.server.state, state, &diag) < 0) {
		node_cbor_fini(&w);
		return node_msg_printf("\"the state cannot be shown\"");
	}
	(void) node_cbor_finish(&w, &term);
	return term;
}

dream_msg_t *node_change_state_term(node_proc_t *proc, const node_server_t *server)
{
	return state_term(proc, server->kind, server->state);
}

static int call_code_change(node_proc_t *proc, node_server_t *server, const node_kind_t *from,
	const node_kind_t *to, void **state, node_diag_t *diag)
{
	dream_old_state_t old = {DREAM_SIZED(dream_old_state_t), .vsn = vsn_of(from)};
	if (from->ops.server.state == NULL)
		old.state = server->state;
	else if ((old.term = state_term(proc, from, server->state)) == NULL)
		return node_diag_set(diag, DREAM_ENOMEM, "out of memory");
	dream_msg_t *term = (dream_msg_t *) (uintptr_t) old.term;
	bool held = term != NULL &&
		    node_proc_hold(proc, term) == DREAM_OK; /* if the process ends inside the callback */
	server->flags |= NODE_SERVER_CALLBACK;
	int r = to->ops.server.code_change(&old, state);
	server->flags &= ~NODE_SERVER_CALLBACK;
	if (held)
		(void) node_proc_unhold(proc, term);
	node_msg_unref(term);
	if (r >= 0)
		return DREAM_OK;
	return node_diag_set(diag, DREAM_ECODECHANGE, "code_change of %s %s returned %s (%s)", to->name,
		to->gen->vsn, node_diag_code_name(r), node_diag_code_text(r));
}

/* Field names first, then the callback, which may correct them (SYS-7). */
static int carry(node_proc_t *proc, node_server_t *server, const node_kind_t *from, const node_kind_t *to,
	void **ret_state, node_diag_t *diag)
{
	const dream_type_t *old_type = from->ops.server.state;
	const dream_type_t *new_type = to->ops.server.state;
	bool has_callback = to->ops.server.code_change != NULL;
	void *state = NULL;
	int r = DREAM_OK;
	if (new_type != NULL && (state = node_heap_alloc(proc, new_type->size)) == NULL)
		return node_diag_set(diag, DREAM_ENOMEM, "out of memory");
	if (new_type != NULL && old_type != NULL) {
		node_state_mem_t mem = node_state_mem(proc);
		r = node_codec_migrate(old_type, server->state, new_type, &mem.mem, state, diag);
	} else if (!has_callback && new_type == NULL && old_type == NULL && vsn_of(from) == vsn_of(to)) {
		state = server->state; /* the same layout: the same memory */
	} else if (!has_callback) {
		r = node_diag_set(diag, DREAM_ECODECHANGE,
			"%s %s has no code_change, and its state is not described on both sides", to->name,
			to->gen->vsn);
	}
	if (r == DREAM_OK && has_callback)
		r = call_code_change(proc, server, from, to, &state, diag);
	*ret_state = state;
	return r;
}

static const node_kind_t *kind_in(const node_server_t *server, const node_gen_t *gen, node_diag_t *diag)
{
	const node_kind_t *kind = node_code_kind_borrow(gen, server->kind->name);
	if (kind == NULL || kind->type != DREAM_KIND_GEN_SERVER) {
		node_diag_set(diag, DREAM_ECODECHANGE, "%s %s has no gen_server \"%s\"", gen->name, gen->vsn,
			server->kind->name);
		return NULL;
	}
	return kind;
}

int node_change_check(node_proc_t *proc, node_server_t *server, const node_gen_t *gen, node_diag_t *diag)
{
	void *state;
	const node_kind_t *to = kind_in(server, gen, diag);
	if (to == NULL)
		return DREAM_ECODECHANGE;
	void *fence = node_heap_fence(proc);
	if (fence == NULL)
		return node_diag_set(diag, DREAM_ENOMEM, "out of memory");
	int r = carry(proc, server, server->kind, to, &state, diag);
	node_heap_release_fence(proc, fence);
	return r;
}

static void adopt(node_proc_t *proc, node_server_t *server, const node_kind_t *kind, void *state)
{
	server->kind = kind;
	server->state = state;
	__atomic_store_n(&proc->gen, kind->gen, __ATOMIC_RELEASE);
	__atomic_store_n(&proc->label, kind->name, __ATOMIC_RELAXED);
}

int node_change_over(node_proc_t *proc, node_server_t *server, node_diag_t *diag)
{
	const node_gen_t *current = node_code_current_of_borrow(proc->gen);
	if (current == proc->gen)
		return DREAM_OK;
	node_change_commit(proc, server); /* of an upgrade before this one */
	const node_kind_t *to = kind_in(server, current, diag);
	if (to == NULL)
		return DREAM_ECODECHANGE;
	void *state;
	node_server_more_t *more = node_server_more(server);
	void *fence = more != NULL ? node_heap_fence(proc) : NULL;
	if (fence == NULL)
		return node_diag_set(diag, DREAM_ENOMEM, "out of memory");
	int r = carry(proc, server, server->kind, to, &state, diag);
	if (r < 0) {
		node_heap_release_fence(proc, fence);
		return r;
	}
	node_heap_keep_fence(proc, fence);
	more->old_kind = server->kind;
	more->old_state = server->state;
	(void) node_code_ref(to->gen);
	adopt(proc, server, to, state);
	return DREAM_OK;
}

/* An opaque state is the module's own business. */
static void free_state(node_proc_t *proc, const node_kind_t *kind, void *state)
{
	if (kind->ops.server.state != NULL)
		node_state_free(proc, kind->ops.server.state, state);
}

void node_change_commit(node_proc_t *proc, node_server_t *server)
{
	node_server_more_t *more = server->more;
	if (node_server_old_kind(server) == NULL)
		return;
	if (more->old_state != server->state)
		free_state(proc, more->old_kind, more->old_state);
	node_code_unref(more->old_kind->gen);
	more->old_kind = NULL;
	more->old_state = NULL;
}

int node_change_back(node_proc_t *proc, node_server_t *server, node_diag_t *diag)
{
	const node_kind_t *to = node_server_old_kind(server);
	if (to == NULL && node_code_current_of_borrow(proc->gen) == proc->gen)
		return DREAM_OK; /* it never left */
	if (to == NULL)
		return node_diag_set(
			diag, DREAM_ECODECHANGE, "%s was started on %s", server->kind->name, proc->gen->vsn);
	const node_kind_t *from = server->kind;
	void *left = server->state;
	void *state = server->more->old_state;
	if (from->ops.server.state != NULL && to->ops.server.state != NULL) {
		struct node_heap_block *mark = node_heap_mark(proc);
		node_state_mem_t mem = node_state_mem(proc);
		void *fresh = node_heap_alloc(proc, to->ops.server.state->size);
		if (fresh != NULL && node_codec_migrate(from->ops.server.state, left, to->ops.server.state,
					     &mem.mem, fresh, diag) == DREAM_OK) {
			free_state(proc, to, state);
			state = fresh;
		} else {
			node_heap_release_since(proc, mark);
		}
	}
	adopt(proc, server, to, state); /* the reference on the older generation goes back to the process */
	server->more->old_kind = NULL;
	server->more->old_state = NULL;
	if (left != state)
		free_state(proc, from, left);
	node_code_unref(from->gen);
	return DREAM_OK;
}
