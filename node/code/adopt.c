/* SPDX-License-Identifier: MIT */
/* The order matters: magic, major and size come before every other read, since without them no offset means
 * anything; pointers are followed only after the image has said that they stay in the module. */
#include "code/adopt.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "code/dynamic.h"
#include "code/vtable.h"
#include "term/codec.h"

#define TYPE_DEPTH_MAX 32
#define TYPE_FIELDS_MAX 1024
#define KIND_SIZE_1_0 ((uint32_t) (offsetof(dream_kind_t, ops) + sizeof(void *)))

int node_adopt_refuse(node_adopt_t *a, const char *format, ...)
{
	char text[NODE_DIAG_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return node_diag_set(a->diag, DREAM_EMODULE, "%s%s", a->where, text);
}

static int outside(node_adopt_t *a, const char *what)
{
	return node_adopt_refuse(
		a, "%s lies outside the module: the descriptor is damaged; rebuild the module", what);
}

void *node_adopt_alloc(node_adopt_t *a, size_t size_bytes)
{
	void *block = g_try_malloc0(size_bytes > 0 ? size_bytes : 1);
	if (block != NULL)
		g_ptr_array_add(a->gen->owned, block);
	return block;
}

int node_adopt_text(node_adopt_t *a, const char *what, const char *text, uint64_t max_bytes)
{
	if (text == NULL || node_image_holds_text(a->image, text, max_bytes + 1))
		return DREAM_OK;
	return node_adopt_refuse(a,
		"%s lies outside the module or is longer than %u bytes: shorten it, or rebuild the module",
		what, (unsigned) max_bytes);
}

int node_adopt_code(node_adopt_t *a, const char *what, uintptr_t code)
{
	return code == 0 || node_image_holds_code(a->image, code)
		       ? DREAM_OK
		       : node_adopt_refuse(a,
				 "%s is no function of this module: define it in the module's own sources",
				 what);
}

int node_adopt_count(node_adopt_t *a, const char *what, const void *const *list, uint32_t *ret_n)
{
	uint32_t n = 0;
	for (; list != NULL; n++) {
		if (n > NODE_ADOPT_LIST_MAX)
			return node_adopt_refuse(a, "%s has more than %u entries: end it with NULL", what,
				NODE_ADOPT_LIST_MAX);
		if (!node_image_holds(a->image, list + n, sizeof(*list), _Alignof(void *)))
			return outside(a, what);
		if (list[n] == NULL)
			break;
	}
	*ret_n = n;
	return DREAM_OK;
}

static bool is_zero(const uint8_t *data, uint32_t size_bytes)
{
	for (uint32_t i = 0; i < size_bytes; i++)
		if (data[i] != 0)
			return false;
	return true;
}

int node_adopt_struct(node_adopt_t *a, const char *what, const void *theirs, uint32_t least, void *ret_ours,
	uint32_t ours_size)
{
	if (theirs == NULL)
		return node_adopt_refuse(
			a, "%s is missing: give it, with DREAM_SIZED as its first member", what);
	if (!node_image_holds(a->image, theirs, sizeof(uint32_t), _Alignof(uint64_t)))
		return outside(a, what);
	uint32_t size;
	memcpy(&size, theirs, sizeof(size));
	if (size < least || size > NODE_ELF_STRUCT_MAX)
		return node_adopt_refuse(a,
			"%s says it has %u bytes, at least %u are needed: begin it with DREAM_SIZED", what,
			size, least);
	if (!node_image_holds(a->image, theirs, size, _Alignof(uint64_t)))
		return outside(a, what);
	if (size > ours_size && !is_zero((const uint8_t *) theirs + ours_size, size - ours_size))
		return node_adopt_refuse(a,
			"%s uses members this node does not know: use a newer node, or build the module with "
			"this node's "
			"SDK",
			what);
	memset(ret_ours, 0, ours_size);
	memcpy(ret_ours, theirs, size < ours_size ? size : ours_size);
	memcpy(ret_ours, &ours_size, sizeof(ours_size));
	return DREAM_OK;
}

/* ---- names ---- */

bool node_adopt_is_name(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	return text[0] >= 'a' && text[0] <= 'z' && n <= 64 && text[n] == '\0';
}

/* Begins with a letter or digit: "." and ".." would be folders in a release store. */
static bool is_vsn(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.+~-");
	return n > 0 && n <= 63 && text[n] == '\0' && g_ascii_isalnum(text[0]);
}

const char *node_adopt_quote(const char *text, char ret_quoted[])
{
	size_t used = 0;
	ret_quoted[used++] = '"';
	for (; *text != '\0' && used < NODE_ADOPT_QUOTED - 10; text++) {
		unsigned char c = (unsigned char) *text;
		bool plain = c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
		used += (size_t) snprintf(
			ret_quoted + used, NODE_ADOPT_QUOTED - used, plain ? "%c" : "\\x%02x", c);
	}
	snprintf(ret_quoted + used, NODE_ADOPT_QUOTED - used, "%s\"", *text == '\0' ? "" : "...");
	return ret_quoted;
}

static int take_names(node_adopt_t *a, const dream_module_t *m)
{
	char quoted[NODE_ADOPT_QUOTED];
	int r = node_adopt_text(a, "its name", m->name, NODE_ADOPT_TEXT_MAX);
	if (r == DREAM_OK)
		r = node_adopt_text(a, "its version", m->vsn, NODE_ADOPT_TEXT_MAX);
	if (r < 0)
		return r;
	if (m->name == NULL || !node_adopt_is_name(m->name))
		return node_adopt_refuse(a,
			"its name is %s: a name is a small letter, then up to 63 small letters, digits and _",
			m->name == NULL ? "missing" : node_adopt_quote(m->name, quoted));
	if (m->vsn == NULL || !is_vsn(m->vsn))
		return node_adopt_refuse(a,
			"its version is %s: a version is 1 to 63 letters, digits and . + ~ -, as in 1.2.0",
			m->vsn == NULL ? "missing" : node_adopt_quote(m->vsn, quoted));
	g_strlcpy(a->gen->name, m->name, sizeof(a->gen->name));
	g_strlcpy(a->gen->vsn, m->vsn, sizeof(a->gen->vsn));
	return DREAM_OK;
}

/* ---- types ---- */

/* Only that it may be read; what it says is node_codec_check_type()'s. The budget bounds a table whose types
 * refer to each other many times over. */
static int walk_type(node_adopt_t *a, const char *what, const dream_type_t *type, uint32_t depth)
{
	if (depth > TYPE_DEPTH_MAX || a->fields_left == 0)
		return node_diag_set(a->diag, DREAM_ETYPE,
			"%s%s contains itself, or is nested deeper than %d: take it apart", a->where, what,
			TYPE_DEPTH_MAX);
	a->fields_left--;
	if (!node_image_holds(a->image, type, sizeof(*type), _Alignof(dream_type_t)))
		return outside(a, what);
	if (type->struct_size != sizeof(*type) || type->n_fields > TYPE_FIELDS_MAX)
		return node_adopt_refuse(
			a, "%s is no description made by DREAM_TYPE: use DREAM_TYPE or DREAM_STATE", what);
	if (type->name == NULL || !node_image_holds_text(a->image, type->name, NODE_ADOPT_TEXT_MAX))
		return outside(a, what);
	if (type->n_fields > 0 && !node_image_holds(a->image, type->fields,
					  type->n_fields * sizeof(dream_field_t), _Alignof(dream_field_t)))
		return outside(a, what);
	for (uint32_t i = 0; i < type->n_fields; i++) {
		const dream_field_t *f = &type->fields[i];
		if (f->name == NULL || !node_image_holds_text(a->image, f->name, NODE_ADOPT_TEXT_MAX))
			return outside(a, what);
		int r = f->sub == NULL ? DREAM_OK : walk_type(a, what, f->sub, depth + 1);
		if (r < 0)
			return r;
	}
	return DREAM_OK;
}

int node_adopt_type(node_adopt_t *a, const char *what, const dream_type_t *type)
{
	int r = walk_type(a, what, type, 1);
	if (r < 0)
		return r;
	r = node_codec_check_type(type, a->diag);
	if (r < 0)
		node_diag_prefix(a->diag, "%s%s", a->where, what);
	return r;
}

/* ---- the descriptor ---- */

static int check_abi(node_adopt_t *a, const dream_module_t *m)
{
	if (!node_image_holds(a->image, m, NODE_ELF_MODULE_SIZE_1_0, _Alignof(dream_module_t)))
		return outside(a, "its descriptor");
	if (m->magic != DREAM_ABI_MAGIC)
		return node_diag_set(a->diag, DREAM_EABI,
			"its descriptor has a foreign magic number %08x, not %08x: declare it with "
			"DREAM_MODULE",
			m->magic, DREAM_ABI_MAGIC);
	if (m->abi_major != DREAM_ABI_MAJOR)
		return node_diag_set(a->diag, DREAM_EABI,
			"its descriptor is of ABI %u.x, this node implements %u.%u: rebuild it with this "
			"node's SDK",
			m->abi_major, DREAM_ABI_MAJOR, DREAM_ABI_MINOR);
	if (m->struct_size < NODE_ELF_MODULE_SIZE_1_0 || m->struct_size > NODE_ELF_STRUCT_MAX)
		return node_diag_set(a->diag, DREAM_EABI,
			"its descriptor says it has %u bytes, at least %u are needed: declare it with "
			"DREAM_MODULE",
			m->struct_size, NODE_ELF_MODULE_SIZE_1_0);
	if (m->abi_minor > DREAM_ABI_MINOR)
		return node_diag_set(a->diag, DREAM_EABI,
			"its descriptor needs ABI %u.%u, this node implements %u.%u: use a newer node or an "
			"older SDK",
			m->abi_major, m->abi_minor, DREAM_ABI_MAJOR, DREAM_ABI_MINOR);
	return DREAM_OK;
}

/* struct_size of a descriptor is at offset 8, of everything else at 0. */
static int copy_descriptor(node_adopt_t *a, const dream_module_t *theirs, dream_module_t *ret_ours)
{
	uint32_t size = theirs->struct_size;
	uint32_t known = (uint32_t) sizeof(*ret_ours);
	if (!node_image_holds(a->image, theirs, size, _Alignof(dream_module_t)))
		return outside(a, "its descriptor");
	if (size > known && !is_zero((const uint8_t *) theirs + known, size - known))
		return node_adopt_refuse(a, "its descriptor uses members this node does not know: use a "
					    "newer node or an older SDK");
	memset(ret_ours, 0, known);
	memcpy(ret_ours, theirs, size < known ? size : known);
	if ((ret_ours->flags & ~DREAM_MODULE_RESIDENT) != 0)
		return node_adopt_refuse(a,
			"its flags are %#x, of which this node knows %#x: use a newer node", ret_ours->flags,
			DREAM_MODULE_RESIDENT);
	return DREAM_OK;
}

/* ---- kinds ---- */

/* An application may share its name with a process of the module: they are started in different ways. */
static bool clashes(const node_kind_t *a, const node_kind_t *b)
{
	bool same_space = (a->type == DREAM_KIND_APPLICATION) == (b->type == DREAM_KIND_APPLICATION);
	return same_space && strcmp(a->name, b->name) == 0;
}

static int take_kind(node_adopt_t *a, const dream_kind_t *theirs, node_kind_t *kind)
{
	static const char *const words[] = {"", "process", "server", "supervisor", "application"};
	char quoted[NODE_ADOPT_QUOTED];
	char where[96];
	dream_kind_t k;
	a->where = "";
	int r = node_adopt_struct(a, "a kind", theirs, KIND_SIZE_1_0, &k, sizeof(k));
	if (r == DREAM_OK)
		r = node_adopt_text(a, "the name of a kind", k.name, NODE_ADOPT_TEXT_MAX);
	if (r < 0)
		return r;
	if (k.name == NULL || !node_adopt_is_name(k.name))
		return node_adopt_refuse(a,
			"the name of a kind is %s: a name is a small letter, then up to 63 small letters, "
			"digits and _",
			k.name == NULL ? "missing" : node_adopt_quote(k.name, quoted));
	if (k.type < DREAM_KIND_PROCESS || k.type > DREAM_KIND_APPLICATION)
		return node_adopt_refuse(a,
			"kind %s has the type %u, which this node does not know: use a newer node", k.name,
			k.type);
	kind->type = k.type;
	kind->gen = a->gen;
	g_strlcpy(kind->name, k.name, sizeof(kind->name));
	for (const node_kind_t *other = a->gen->kinds; other < kind; other++)
		if (clashes(other, kind))
			return node_adopt_refuse(a, "there are two kinds named %s: rename one", kind->name);
	snprintf(where, sizeof(where), "%s %s: ", words[k.type], kind->name);
	a->where = where;
	r = node_vtable_copy(a, kind, k.ops);
	a->where = "";
	return r;
}

static int take_kinds(node_adopt_t *a, const dream_kind_t *const *list)
{
	uint32_t n = 0;
	int r = node_adopt_count(a, "its list of kinds", (const void *const *) list, &n);
	if (r < 0)
		return r;
	if (n > NODE_ADOPT_KINDS_MAX)
		return node_adopt_refuse(
			a, "it has more than %u kinds: split the module", NODE_ADOPT_KINDS_MAX);
	a->gen->kinds = node_adopt_alloc(a, n * sizeof(node_kind_t));
	if (a->gen->kinds == NULL)
		return node_diag_set(a->diag, DREAM_ENOMEM, "out of memory for %u kinds", n);
	for (uint32_t i = 0; i < n; i++) {
		r = take_kind(a, list[i], &a->gen->kinds[i]);
		if (r < 0)
			return r;
	}
	a->gen->n_kinds = n;
	return node_vtable_check_references(a);
}

static int take_functions(node_adopt_t *a, const dream_module_t *m)
{
	if (!node_image_holds_writable(a->image, (const void *) m->host, sizeof(*m->host), _Alignof(void *)))
		return node_adopt_refuse(a, "its host pointer is not a variable of the module: declare the "
					    "module with DREAM_MODULE");
	int r = node_adopt_code(a, "load", (uintptr_t) m->load);
	if (r == DREAM_OK)
		r = node_adopt_code(a, "unload", (uintptr_t) m->unload);
	return r;
}

int node_adopt_module(node_adopt_t *a, const void *descriptor)
{
	dream_module_t m;
	a->where = "";
	a->fields_left = NODE_ADOPT_FIELDS_MAX;
	int r = check_abi(a, descriptor);
	if (r == DREAM_OK)
		r = copy_descriptor(a, descriptor, &m);
	if (r == DREAM_OK)
		r = take_names(a, &m);
	if (r == DREAM_OK)
		r = take_functions(a, &m);
	if (r == DREAM_OK)
		r = take_kinds(a, m.kinds);
	if (r < 0)
		return r;
	a->gen->flags = m.flags;
	a->gen->unload = m.unload;
	a->host = m.host;
	a->load = m.load;
	return DREAM_OK;
}
