/* SPDX-License-Identifier: MIT */
#include "base/diag.h"

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text < 0x20 || *text == 0x7f)
			*text = '?';
}

int node_diag_set(node_diag_t *diag, int code, const char *format, ...)
{
	if (diag == NULL)
		return code;
	va_list args;
	va_start(args, format);
	vsnprintf(diag->text, sizeof(diag->text), format, args);
	va_end(args);
	make_printable(diag->text);
	diag->code = code;
	return code;
}

int node_diag_prefix(node_diag_t *diag, const char *format, ...)
{
	if (diag == NULL)
		return 0;
	char old[NODE_DIAG_MAX];
	memcpy(old, diag->text, sizeof(old));
	va_list args;
	va_start(args, format);
	int used = vsnprintf(diag->text, sizeof(diag->text), format, args);
	va_end(args);
	if (used >= 0 && (size_t) used < sizeof(diag->text)) {
		g_strlcat(diag->text, ": ", sizeof(diag->text));
		g_strlcat(diag->text, old, sizeof(diag->text));
	}
	make_printable(diag->text);
	return diag->code;
}

static const struct {
	int code;
	const char *name;
	const char *text;
} codes[] = {
	{DREAM_OK, "OK", "no error"},
	{DREAM_ENOMEM, "ENOMEM", "out of memory"},
	{DREAM_EINVAL, "EINVAL", "invalid argument"},
	{DREAM_EBUSY, "EBUSY", "a queue is full"},
	{DREAM_ENOENT, "ENOENT", "not found"},
	{DREAM_EEXIST, "EEXIST", "the name is taken"},
	{DREAM_ETIMEDOUT, "ETIMEDOUT", "no answer in time"},
	{DREAM_ERANGE, "ERANGE", "number out of range"},
	{DREAM_EPERM, "EPERM", "not permitted"},
	{DREAM_EIO, "EIO", "input/output error"},
	{DREAM_ENOPROC, "ENOPROC", "no such process"},
	{DREAM_ENOCONNECTION, "ENOCONNECTION", "node not connected"},
	{DREAM_EDOWN, "EDOWN", "the server ended before it answered"},
	{DREAM_EREQUEST, "EREQUEST", "the server does not understand the request"},
	{DREAM_EDECODE, "EDECODE", "cannot be decoded"},
	{DREAM_ETYPE, "ETYPE", "inconsistent type description"},
	{DREAM_ELOAD, "ELOAD", "module cannot be loaded"},
	{DREAM_EABI, "EABI", "not a module for this node"},
	{DREAM_EMODULE, "EMODULE", "module descriptor breaks a rule"},
	{DREAM_ECODECHANGE, "ECODECHANGE", "state cannot be carried to the other version"},
	{DREAM_EALREADY, "EALREADY", "already done"},
	{DREAM_ENOTSTARTED, "ENOTSTARTED", "not started"},
	{DREAM_EINIT, "EINIT", "init failed"},
	{DREAM_ESELF, "ESELF", "a process called itself"},
	{DREAM_ECONFIG, "ECONFIG", "configuration error"},
	{DREAM_ECERT, "ECERT", "certificate error"},
	{DREAM_EPROTO, "EPROTO", "the peer broke the protocol"},
	{DREAM_ESYNTAX, "ESYNTAX", "syntax error"},
	{DREAM_ELIMIT, "ELIMIT", "limit reached"},
	{DREAM_ECLOSED, "ECLOSED", "closed"},
	{DREAM_ENOHOST, "ENOHOST", "no such host"},
	{DREAM_EADDRINUSE, "EADDRINUSE", "the address is in use"},
	{DREAM_EADDRNOTAVAIL, "EADDRNOTAVAIL", "not an address of this machine"},
	{DREAM_ECONNREFUSED, "ECONNREFUSED", "connection refused"},
	{DREAM_ECONNRESET, "ECONNRESET", "the connection broke"},
	{DREAM_EHOSTUNREACH, "EHOSTUNREACH", "host unreachable"},
};

const char *node_diag_code_name(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].name;
	return "EUNKNOWN";
}

const char *node_diag_code_text(int code)
{
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].code == code)
			return codes[i].text;
	return code < 0 && code > -4000 ? strerror(-code) : "unknown error";
}
