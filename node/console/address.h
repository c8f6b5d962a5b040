/* SPDX-License-Identifier: MIT */
/* address.h: where nodes listen and what they are called, as people write it. */
#ifndef NODE_CONSOLE_ADDRESS_H
#define NODE_CONSOLE_ADDRESS_H
#include "base/node.h"

DREAM_BEGIN_DECLS

typedef struct node_address {
	char name[NODE_NAME_MAX +
		  1]; /* "chat@127.0.0.1", as in the node's certificate; "" if only a place was asked for */
	char host[NODE_NAME_MAX + 1]; /* "127.0.0.1", "::1", "chat.example" */
	uint16_t port;
} node_address_t;

/** Parses HOST:PORT or [IPV6]:PORT. Errors DREAM_EINVAL. [any] */
int node_address_parse_place(const char *text, node_address_t *ret_address);

/** Parses NAME@HOST:PORT or NAME@[IPV6]:PORT, the port not 0. Errors DREAM_EINVAL. [any] */
int node_address_parse_peer(const char *text, node_address_t *ret_address);

/** True for NAME@HOST with letters, digits and . _ - : only, at most NODE_NAME_MAX bytes. [any] */
bool node_address_is_name(const char *name);

DREAM_END_DECLS
#endif
