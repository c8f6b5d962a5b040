/* SPDX-License-Identifier: MIT */
#include "shell/address.h"

#include <glib.h>
#include <string.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789._-"
#define HOST_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ:" NAME_CHARS

int shell_address_check_name(const char *name, node_diag_t *diag)
{
	size_t size = strlen(name);
	if (size > SHELL_ADDRESS_NAME_MAX)
		return node_diag_set(diag, DREAM_EINVAL,
			"the name has %zu bytes, but a certificate holds %d; shorten it", size,
			SHELL_ADDRESS_NAME_MAX);
	size_t before = strspn(name, NAME_CHARS);
	bool ok = before > 0 && name[0] != '.' && name[0] != '-';
	if (name[before] == '@') {
		const char *host = name + before + 1;
		ok = ok && host[0] != '\0' && host[strspn(host, HOST_CHARS)] == '\0';
	} else if (name[before] != '\0') {
		ok = false;
	}
	if (!ok)
		return node_diag_set(diag, DREAM_EINVAL,
			"not a node's or an operator's name; use lower case, digits, . _ - and perhaps "
			"@HOST");
	return DREAM_OK;
}

static int parse_port(const char *text, uint16_t *ret_port, node_diag_t *diag)
{
	guint64 port;
	if (!g_ascii_string_to_unsigned(text, 10, 1, 65535, &port, NULL))
		return node_diag_set(diag, DREAM_EINVAL, "\"%s\" is not a port; use 1 to 65535", text);
	*ret_port = (uint16_t) port;
	return DREAM_OK;
}

/* Splits "HOST:PORT" or "[HOST]:PORT" without interpreting either. */
static int split_host(const char *text, char **ret_host, const char **ret_port, node_diag_t *diag)
{
	const char *end;
	if (text[0] == '[') {
		text++;
		end = strchr(text, ']');
		if (end == NULL || end[1] != ':')
			return node_diag_set(
				diag, DREAM_EINVAL, "unfinished address; write NAME@[ADDRESS]:PORT");
		*ret_port = end + 2;
	} else {
		end = strrchr(text, ':');
		if (end == NULL)
			return node_diag_set(diag, DREAM_EINVAL, "the port is missing; write NAME@HOST:PORT");
		if (memchr(text, ':', (size_t) (end - text)) != NULL)
			return node_diag_set(diag, DREAM_EINVAL,
				"an IPv6 address needs brackets; write NAME@[ADDRESS]:PORT");
		*ret_port = end + 1;
	}
	*ret_host = g_strndup(text, (gsize) (end - text));
	return DREAM_OK;
}

int shell_address_parse(const char *text, shell_address_t *ret_address, node_diag_t *diag)
{
	const char *at = strchr(text, '@');
	if (at == NULL)
		return node_diag_set(diag, DREAM_EINVAL, "no node's address; write NAME@HOST:PORT");

	g_autofree char *host = NULL;
	const char *port = NULL;
	int r = split_host(at + 1, &host, &port, diag);
	if (r < 0)
		return r;

	shell_address_t address = {{0}, {0}, 0};
	r = parse_port(port, &address.port, diag);
	if (r < 0)
		return r;
	g_autofree char *name = g_strdup_printf("%.*s@%s", (int) (at - text), text, host);
	r = shell_address_check_name(name, diag);
	if (r < 0)
		return r;
	g_strlcpy(address.node_name, name, sizeof(address.node_name));
	g_strlcpy(address.host, host, sizeof(address.host));
	*ret_address = address;
	return DREAM_OK;
}
