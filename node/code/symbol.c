/* SPDX-License-Identifier: MIT */
/* Lines come from elfutils' libdw. It is opened when the first process crashes: a node that has no crash need not carry it,
 * nor start the slower for it. Where it is missing there are functions without lines. */
#include "code/symbol.h"

#include <dlfcn.h>
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- function names, by hand ---- */

typedef struct {
	const uint8_t *data;
	uint64_t size;
} file_t;

static const void *part(const file_t *file, uint64_t offset, uint64_t size_bytes)
{
	if (offset > file->size || size_bytes > file->size - offset)
		return NULL;
	return file->data + offset;
}

static const Elf64_Shdr *section(const file_t *file, uint32_t type)
{
	const Elf64_Ehdr *eh = part(file, 0, sizeof(*eh));
	if (eh == NULL || memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0 || eh->e_ident[EI_CLASS] != ELFCLASS64 ||
		eh->e_shentsize != sizeof(Elf64_Shdr))
		return NULL;
	const Elf64_Shdr *sh = part(file, eh->e_shoff, (uint64_t) eh->e_shnum * sizeof(*sh));
	for (uint32_t i = 0; sh != NULL && i < eh->e_shnum; i++)
		if (sh[i].sh_type == type && sh[i].sh_link < eh->e_shnum)
			return &sh[i];
	return NULL;
}

static const Elf64_Sym *symbol_in(const file_t *file, const Elf64_Shdr *table, uint64_t vaddr)
{
	const Elf64_Sym *symbols = part(file, table->sh_offset, table->sh_size);
	const Elf64_Sym *found = NULL;
	for (uint64_t i = 0; symbols != NULL && i < table->sh_size / sizeof(*symbols); i++) {
		const Elf64_Sym *s = &symbols[i];
		if (ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_shndx != SHN_UNDEF &&
			vaddr >= s->st_value && vaddr - s->st_value < (s->st_size != 0 ? s->st_size : 1))
			found = s;
	}
	return found;
}

static bool copy_name(
	const file_t *file, const Elf64_Shdr *table, const Elf64_Sym *symbol, char *buffer, size_t size_bytes)
{
	const Elf64_Ehdr *eh = part(file, 0, sizeof(*eh));
	const Elf64_Shdr *sh = part(file, eh->e_shoff, (uint64_t) eh->e_shnum * sizeof(*sh));
	const char *names = part(file, sh[table->sh_link].sh_offset, sh[table->sh_link].sh_size);
	if (names == NULL || symbol->st_name >= sh[table->sh_link].sh_size)
		return false;
	size_t left = sh[table->sh_link].sh_size - symbol->st_name;
	size_t n = strnlen(names + symbol->st_name, left < size_bytes - 1 ? left : size_bytes - 1);
	memcpy(buffer, names + symbol->st_name, n);
	buffer[n] = '\0';
	return n > 0;
}

static bool find_in(const file_t *file, uint64_t vaddr, char *buffer, size_t size_bytes, uint64_t *ret_offset)
{
	static const uint32_t types[] = {SHT_SYMTAB, SHT_DYNSYM};
	for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
		const Elf64_Shdr *table = section(file, types[i]);
		const Elf64_Sym *symbol = table != NULL ? symbol_in(file, table, vaddr) : NULL;
		if (symbol == NULL || !copy_name(file, table, symbol, buffer, size_bytes))
			continue;
		*ret_offset = vaddr - symbol->st_value;
		return true;
	}
	return false;
}

bool node_symbol_find(const char *path, uint64_t vaddr, char *buffer, size_t size_bytes, uint64_t *ret_offset)
{
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool found = false;
	if (fd < 0)
		return false;
	if (fstat(fd, &info) == 0 && info.st_size > 0) {
		void *data = mmap(NULL, (size_t) info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data != MAP_FAILED) {
			file_t file = {data, (uint64_t) info.st_size};
			found = find_in(&file, vaddr, buffer, size_bytes, ret_offset);
			munmap(data, (size_t) info.st_size);
		}
	}
	close(fd);
	return found;
}

/* ---- lines ---- */

typedef struct {
	__typeof__(dwfl_begin) *begin;
	__typeof__(dwfl_end) *end;
	__typeof__(dwfl_report_begin) *report_begin;
	__typeof__(dwfl_report_end) *report_end;
	__typeof__(dwfl_report_elf) *report_elf;
	__typeof__(dwfl_offline_section_address) *section_address;
	__typeof__(dwfl_addrmodule) *addrmodule;
	__typeof__(dwfl_module_addrinfo) *addrinfo;
	__typeof__(dwfl_module_getsrc) *getsrc;
	__typeof__(dwfl_lineinfo) *lineinfo;
} libdw_t;

struct node_symbol_lines {
	pthread_mutex_t lock; /* libdw's handles are for one thread at a time */
	bool tried;
	void *library; /* NULL: there is none */
	libdw_t dw;
	Dwfl_Callbacks callbacks;
	GHashTable *files; /* node_gen_t * -> Dwfl *, for good: a module that crashes does so again */
};

/* Only what the module itself brings: the search by build-id may ask the network. */
static int no_other_file(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
	const char *file, const char *link, GElf_Word crc, char **ret_file)
{
	(void) module;
	(void) user;
	(void) name;
	(void) base;
	(void) file;
	(void) link;
	(void) crc;
	(void) ret_file;
	return -1;
}

static bool take_symbols(node_symbol_lines_t *lines)
{
	static const struct {
		const char *name;
		size_t offset;
	} wanted[] = {{"dwfl_begin", offsetof(libdw_t, begin)}, {"dwfl_end", offsetof(libdw_t, end)},
		{"dwfl_report_begin", offsetof(libdw_t, report_begin)},
		{"dwfl_report_end", offsetof(libdw_t, report_end)},
		{"dwfl_report_elf", offsetof(libdw_t, report_elf)},
		{"dwfl_offline_section_address", offsetof(libdw_t, section_address)},
		{"dwfl_addrmodule", offsetof(libdw_t, addrmodule)},
		{"dwfl_module_addrinfo", offsetof(libdw_t, addrinfo)},
		{"dwfl_module_getsrc", offsetof(libdw_t, getsrc)},
		{"dwfl_lineinfo", offsetof(libdw_t, lineinfo)}};
	for (size_t i = 0; i < G_N_ELEMENTS(wanted); i++) {
		void *symbol = dlsym(lines->library, wanted[i].name);
		if (symbol == NULL)
			return false;
		memcpy((char *) &lines->dw + wanted[i].offset, &symbol, sizeof(symbol));
	}
	return true;
}

/* The lock is held. */
static bool open_library(node_symbol_lines_t *lines)
{
	if (!lines->tried) {
		lines->tried = true;
		lines->library = dlopen("libdw.so.1", RTLD_NOW | RTLD_LOCAL);
		if (lines->library != NULL && !take_symbols(lines)) {
			dlclose(lines->library);
			lines->library = NULL;
		}
		lines->callbacks = (Dwfl_Callbacks){
			.find_debuginfo = no_other_file, .section_address = lines->dw.section_address};
	}
	return lines->library != NULL;
}

/* The lock is held. NULL: not readable. */
static Dwfl *file_of(node_symbol_lines_t *lines, const node_gen_t *gen, uintptr_t base)
{
	Dwfl *dwfl = g_hash_table_lookup(lines->files, gen);
	if (dwfl != NULL)
		return dwfl;
	dwfl = lines->dw.begin(&lines->callbacks);
	if (dwfl == NULL)
		return NULL;
	lines->dw.report_begin(dwfl);
	(void) lines->dw.report_elf(dwfl, gen->name, gen->cache_path, -1, base, false);
	(void) lines->dw.report_end(dwfl, NULL, NULL);
	g_hash_table_insert(lines->files, (gpointer) gen, dwfl);
	return dwfl;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash != NULL ? slash + 1 : path;
}

/* The lock is held. */
static bool describe_by_lines(node_symbol_lines_t *lines, const node_gen_t *gen, uintptr_t at, uintptr_t base,
	char *buffer, size_t size_bytes)
{
	Dwfl *dwfl = open_library(lines) ? file_of(lines, gen, base) : NULL;
	Dwfl_Module *module = dwfl != NULL ? lines->dw.addrmodule(dwfl, at) : NULL;
	if (module == NULL)
		return false;
	GElf_Off offset = 0;
	GElf_Sym symbol;
	int line = 0;
	const char *name = lines->dw.addrinfo(module, at, &offset, &symbol, NULL, NULL, NULL);
	Dwfl_Line *source = lines->dw.getsrc(module, at);
	const char *file = source != NULL ? lines->dw.lineinfo(source, NULL, &line, NULL, NULL, NULL) : NULL;
	if (name == NULL)
		return false;
	int n = snprintf(buffer, size_bytes, "%s(%s+0x%" G_GINT64_MODIFIER "x)", base_name(gen->source_path),
		name, (guint64) offset);
	if (file != NULL && n > 0 && (size_t) n < size_bytes)
		snprintf(buffer + n, size_bytes - (size_t) n, " %s:%d", base_name(file), line);
	return true;
}

void node_symbol_describe(node_symbol_lines_t *lines, const node_gen_t *gen, uintptr_t at, uintptr_t base,
	char *buffer, size_t size_bytes)
{
	char name[200];
	uint64_t offset;
	pthread_mutex_lock(&lines->lock);
	bool done = describe_by_lines(lines, gen, at, base, buffer, size_bytes);
	pthread_mutex_unlock(&lines->lock);
	if (done)
		return;
	if (node_symbol_find(gen->cache_path, at - base, name, sizeof(name), &offset))
		snprintf(buffer, size_bytes, "%s(%s+0x%" G_GINT64_MODIFIER "x)", base_name(gen->source_path),
			name, (guint64) offset);
	else
		snprintf(buffer, size_bytes, "%s+0x%zx", base_name(gen->source_path), (size_t) (at - base));
}

/* ---- life ---- */

node_symbol_lines_t *node_symbol_lines_new(void)
{
	node_symbol_lines_t *lines = g_new0(node_symbol_lines_t, 1);
	pthread_mutex_init(&lines->lock, NULL);
	lines->files = g_hash_table_new(NULL, NULL);
	return lines;
}

void node_symbol_lines_free(node_symbol_lines_t *lines)
{
	if (lines == NULL)
		return;
	GHashTableIter iter;
	gpointer dwfl;
	g_hash_table_iter_init(&iter, lines->files);
	while (g_hash_table_iter_next(&iter, NULL, &dwfl))
		lines->dw.end(dwfl);
	g_hash_table_unref(lines->files);
	if (lines->library != NULL)
		dlclose(lines->library);
	pthread_mutex_destroy(&lines->lock);
	g_free(lines);
}
