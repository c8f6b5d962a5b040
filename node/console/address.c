/* SPDX-License-Identifier: MIT */
#include "console/address.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

bool node_address_is_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-";
	const char *at = strchr(name, '@');
	return at != NULL && at > name && at[1] != '\0' && strlen(name) <= NODE_NAME_MAX &&
	       strspn(name, allowed) == (size_t) (at - name) && at[1 + strspn(at + 1, allowed)] == '\0';
}

/* Takes the brackets off an IPv6 address; without them it must not have a colon. */
static bool copy_host(const char *text, size_t size, char *host)
{
	bool bracketed = size > 2 && text[0] == '[' && text[size - 1] == ']';
	const char *from = bracketed ? text + 1 : text;
	size_t n = bracketed ? size - 2 : size;
	if (n == 0 || n > NODE_NAME_MAX)
		return false;
	memcpy(host, from, n);
	host[n] = '\0';
	return strpbrk(host, bracketed ? "[]" : ":[]") == NULL;
}

int node_address_parse_place(const char *text, node_address_t *ret_address)
{
	const char *colon = strrchr(text, ':');
	node_address_t address = {"", "", 0};
	guint64 port;
	if (colon == NULL || !g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL) ||
		!copy_host(text, (size_t) (colon - text), address.host))
		return DREAM_EINVAL;
	address.port = (uint16_t) port;
	*ret_address = address;
	return DREAM_OK;
}

int node_address_parse_peer(const char *text, node_address_t *ret_address)
{
	const char *at = strchr(text, '@');
	node_address_t address;
	if (at == NULL || node_address_parse_place(at + 1, &address) < 0 || address.port == 0)
		return DREAM_EINVAL;
	int size = snprintf(address.name, sizeof(address.name), "%.*s@%s",
		(int) MIN(at - text, NODE_NAME_MAX), text, address.host);
	if (size >= (int) sizeof(address.name) || !node_address_is_name(address.name))
		return DREAM_EINVAL;
	*ret_address = address;
	return DREAM_OK;
}
