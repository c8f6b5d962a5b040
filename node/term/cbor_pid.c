/* SPDX-License-Identifier: MIT */
/* Pids and references: a small number stands for the node in memory, its name on the wire. */
#include "term/cbor_head.h"

/* Pid and reference have the same members, so one pair of functions serves both. */
typedef struct identity {
	uint64_t id;
	uint32_t creation;
	uint32_t node;
} identity_t;

static const char *name_of(const node_t *node, uint32_t number)
{
	if (node == NULL)
		return NULL;
	if (number == 0)
		return node->name;
	/* The hook changes nothing that a reader of the node could see. */
	return node->hooks.node_name_borrow == NULL
		       ? NULL
		       : node->hooks.node_name_borrow((node_t *) (uintptr_t) node, number);
}

static void put_identity(node_cbor_writer_t *w, const node_t *node, uint64_t tag, identity_t who)
{
	if (who.id == 0 && who.creation == 0 && who.node == 0) {
		node_cbor_put_null(w);
		return;
	}
	const char *name = name_of(node, who.node);
	if (name == NULL) {
		node_cbor_fail(w, DREAM_EINVAL);
		return;
	}
	node_cbor_put_tag(w, tag);
	node_cbor_put_array(w, 3);
	node_cbor_put_text(w, name);
	node_cbor_put_uint(w, who.creation);
	node_cbor_put_uint(w, who.id);
}

void node_cbor_put_pid(node_cbor_writer_t *w, const node_t *node, dream_pid_t pid)
{
	put_identity(w, node, NODE_CBOR_TAG_PID, (identity_t){pid.id, pid.creation, pid.node});
}

void node_cbor_put_ref(node_cbor_writer_t *w, const node_t *node, dream_ref_t ref)
{
	put_identity(w, node, NODE_CBOR_TAG_REF, (identity_t){ref.id, ref.creation, ref.node});
}

static int number_of(node_t *node, const char *name, uint64_t size_bytes, uint32_t *ret_number)
{
	if (node == NULL || size_bytes == 0 || size_bytes > NODE_NAME_MAX)
		return DREAM_EDECODE;
	if (strlen(node->name) == size_bytes && memcmp(node->name, name, size_bytes) == 0) {
		*ret_number = 0;
		return DREAM_OK;
	}
	if (node->hooks.node_number == NULL)
		return DREAM_EDECODE;
	int r = node->hooks.node_number(node, name, size_bytes, ret_number);
	return r >= 0 || r == DREAM_ELIMIT ? r : DREAM_EDECODE;
}

static int read_identity(node_cbor_reader_t *r, node_t *node, uint64_t tag, identity_t *ret_who)
{
	node_cbor_head_t head;
	uint64_t count, creation, size;
	const char *name;
	if (node_cbor_next(r, &head) < 0 || head.major != NODE_CBOR_TAG || head.value != tag)
		return DREAM_EDECODE;
	if (node_cbor_get_array(r, &count) < 0 || (count != 3 && count != UINT64_MAX))
		return DREAM_EDECODE;
	if (node_cbor_get_text(r, &name, &size) < 0 || node_cbor_get_uint(r, &creation) < 0 ||
		node_cbor_get_uint(r, &ret_who->id) < 0 || creation > UINT32_MAX)
		return DREAM_EDECODE;
	if (count == UINT64_MAX && !node_cbor_take_break(r))
		return DREAM_EDECODE;
	ret_who->creation = (uint32_t) creation;
	return number_of(node, name, size, &ret_who->node);
}

static int get_identity(node_cbor_reader_t *r, node_t *node, uint64_t tag, identity_t *ret_who)
{
	identity_t who = {0, 0, 0};
	if (node_cbor_get_null(r) == 0) {
		*ret_who = who;
		return DREAM_OK;
	}
	node_cbor_reader_t ahead = *r;
	int result = read_identity(&ahead, node, tag, &who);
	if (result < 0)
		return result;
	*r = ahead;
	*ret_who = who;
	return DREAM_OK;
}

int node_cbor_get_pid(node_cbor_reader_t *r, node_t *node, dream_pid_t *ret_pid)
{
	identity_t who;
	int result = get_identity(r, node, NODE_CBOR_TAG_PID, &who);
	if (result < 0)
		return result;
	*ret_pid = (dream_pid_t){who.id, who.creation, who.node};
	return DREAM_OK;
}

int node_cbor_get_ref(node_cbor_reader_t *r, node_t *node, dream_ref_t *ret_ref)
{
	identity_t who;
	int result = get_identity(r, node, NODE_CBOR_TAG_REF, &who);
	if (result < 0)
		return result;
	*ret_ref = (dream_ref_t){who.id, who.creation, who.node};
	return DREAM_OK;
}
