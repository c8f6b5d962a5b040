/* SPDX-License-Identifier: MIT */
#include "code/dynamic.h"

#include <elf.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NEEDED_MAX 16
#define NAME_MAX_BYTES 128

/* gcc's start files bring one constructor and one destructor (frame_dummy and its counterpart). */
#define CTORS_OF_COMPILER 8

/* The dynamic section: the value behind each tag that stands there at most once, zero if it does not. */
typedef struct facts {
	uint64_t needed[NEEDED_MAX];
	uint32_t n_needed;
	uint64_t flags_1;
	bool textrel; /* a tag without a value */
	uint64_t value[DT_NUM];
} facts_t;

static const char *const allowed[] = {
	"libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"};
static const char *const sanitizers[] = {"libasan.so.", "libubsan.so.", "libtsan.so.", "liblsan.so."};

static int take_entry(facts_t *f, const Elf64_Dyn *d, node_diag_t *diag)
{
	if (d->d_tag == DT_NEEDED && f->n_needed == NEEDED_MAX)
		return node_diag_set(diag, DREAM_EMODULE,
			"needs more than %u shared libraries; link helpers statically", NEEDED_MAX);
	if (d->d_tag == DT_NEEDED)
		f->needed[f->n_needed++] = d->d_un.d_val;
	else if (d->d_tag == DT_FLAGS_1)
		f->flags_1 = d->d_un.d_val;
	else if (d->d_tag == DT_TEXTREL)
		f->textrel = true;
	else if (d->d_tag > DT_NULL && d->d_tag < DT_NUM)
		f->value[d->d_tag] = d->d_un.d_val;
	return DREAM_OK;
}

static int read_facts(const node_elf_file_t *file, facts_t *f, node_diag_t *diag)
{
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= file->dynamic_size; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;
		if (!node_elf_get(file, file->dynamic_offset + at, &d, sizeof(d)))
			break;
		if (d.d_tag == DT_NULL)
			return DREAM_OK;
		int r = take_entry(f, &d, diag);
		if (r < 0)
			return r;
	}
	return node_elf_damaged(diag, "its dynamic section has no end");
}

/* The file offset behind an address, if @size_bytes from there are in the file. */
static bool find_offset(
	const node_elf_file_t *file, uint64_t vaddr, uint64_t size_bytes, uint64_t *ret_offset)
{
	for (uint32_t i = 0; i < file->n_loads; i++) {
		const node_elf_load_t *l = &file->loads[i];
		if (vaddr < l->vaddr || vaddr - l->vaddr > l->size ||
			size_bytes > l->size - (vaddr - l->vaddr))
			continue;
		*ret_offset = l->offset + (vaddr - l->vaddr);
		return true;
	}
	return false;
}

/* A name of the string table, cut to what fits; false if it is not in the file or has no end there. */
static bool get_name(const node_elf_file_t *file, uint64_t strings, uint64_t size, uint64_t index,
	char ret_name[NAME_MAX_BYTES])
{
	if (index >= size)
		return false;
	uint64_t n = size - index < NAME_MAX_BYTES ? size - index : NAME_MAX_BYTES;
	if (!node_elf_get(file, strings + index, ret_name, n))
		return false;
	if (n == NAME_MAX_BYTES)
		ret_name[NAME_MAX_BYTES - 1] = '\0';
	return memchr(ret_name, '\0', n) != NULL;
}

static bool is_allowed(const char *library)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (strcmp(library, allowed[i]) == 0)
			return true;
	for (size_t i = 0; SANITIZED && i < sizeof(sanitizers) / sizeof(sanitizers[0]); i++)
		if (strncmp(library, sanitizers[i], strlen(sanitizers[i])) == 0)
			return true;
	return false;
}

static int check_needed(const node_elf_file_t *file, const facts_t *f, uint64_t strings, node_diag_t *diag)
{
	for (uint32_t i = 0; i < f->n_needed; i++) {
		char library[NAME_MAX_BYTES];
		if (!get_name(file, strings, f->value[DT_STRSZ], f->needed[i], library))
			return node_elf_damaged(
				diag, "the name of a needed library lies beyond the string table");
		if (!is_allowed(library))
			return node_diag_set(diag, DREAM_EMODULE,
				"needs the shared library %s, of which two versions of the module would "
				"share one copy; "
				"link it statically (only libc, libm and libgcc_s may be needed)",
				library);
	}
	return DREAM_OK;
}

static int check_hazards(const facts_t *f, node_diag_t *diag)
{
	const char *hazard = NULL;
	if ((f->flags_1 & DF_1_PIE) != 0)
		return node_diag_set(diag, DREAM_ELOAD,
			"a program, not a shared object; build it with dream_add_module of the Dream SDK");
	if (f->textrel || (f->value[DT_FLAGS] & DF_TEXTREL) != 0)
		hazard = "has relocations in its code; compile with -fPIC";
	else if ((f->value[DT_FLAGS] & DF_STATIC_TLS) != 0)
		hazard = "uses static thread-local storage, of which the node has room for few versions; "
			 "compile "
			 "without -ftls-model=initial-exec and avoid thread-local variables";
	else if ((f->flags_1 & DF_1_NODELETE) != 0)
		hazard = "was linked with -z nodelete and could never be unloaded; set DREAM_MODULE_RESIDENT "
			 "instead";
	else if (!SANITIZED && f->value[DT_INIT_ARRAYSZ] > CTORS_OF_COMPILER)
		hazard = "has constructors, which would run before its checks; do their work in load()";
	else if (!SANITIZED && f->value[DT_FINI_ARRAYSZ] > CTORS_OF_COMPILER)
		hazard = "has destructors, which would run at an unknown time; do their work in unload()";
	return hazard == NULL ? DREAM_OK : node_diag_set(diag, DREAM_EMODULE, "%s", hazard);
}

static int check_symbols(const node_elf_file_t *file, const facts_t *f, uint64_t strings, node_diag_t *diag)
{
	bool found = false;
	for (uint64_t i = 0; i < file->n_symbols; i++) {
		Elf64_Sym symbol;
		char name[NAME_MAX_BYTES];
		if (!node_elf_get(file, file->symbols_offset + i * sizeof(symbol), &symbol, sizeof(symbol)) ||
			!get_name(file, strings, f->value[DT_STRSZ], symbol.st_name, name))
			return node_elf_damaged(diag, "a symbol has no name");
		if (ELF64_ST_BIND(symbol.st_info) == STB_GNU_UNIQUE)
			return node_diag_set(diag, DREAM_EMODULE,
				"has the process-wide unique symbol %s, which its next version would share; "
				"compile with "
				"-fno-gnu-unique -fvisibility=hidden",
				name);
		if (symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT &&
			symbol.st_size >= NODE_ELF_MODULE_SIZE_1_0 && strcmp(name, "dream_module") == 0)
			found = true;
	}
	return found ? DREAM_OK
		     : node_diag_set(diag, DREAM_EABI,
			       "exports no descriptor `dream_module`; declare one with DREAM_MODULE at file "
			       "scope");
}

static bool is_relocatable(const node_elf_file_t *file, const Elf64_Rela *rela)
{
	uint64_t offset;
	/* Every relocation we get lies in initialised data: GOT, .data, .data.rel.ro, init and fini arrays. */
	return find_offset(file, rela->r_offset, sizeof(uint64_t), &offset) &&
	       ELF64_R_SYM(rela->r_info) < file->n_symbols;
}

/* The dynamic linker believes these without a look, so a flipped bit here would crash the node in dlopen. */
static int check_relocations(const node_elf_file_t *file, uint64_t vaddr, uint64_t size, node_diag_t *diag)
{
	uint64_t offset;
	if (size == 0)
		return DREAM_OK;
	if (!find_offset(file, vaddr, size, &offset) || size % sizeof(Elf64_Rela) != 0)
		return node_elf_damaged(diag, "its relocations lie beyond the end of the file");
	for (uint64_t at = 0; at < size; at += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		if (!node_elf_get(file, offset + at, &rela, sizeof(rela)) || !is_relocatable(file, &rela))
			return node_elf_damaged(diag, "a relocation points outside the module");
	}
	return DREAM_OK;
}

int node_dynamic_check(const node_elf_file_t *file, node_diag_t *diag)
{
	facts_t f = {0};
	uint64_t strings;
	uint64_t symbols;
	int r = read_facts(file, &f, diag);
	if (r == DREAM_OK)
		r = check_hazards(&f, diag);
	if (r < 0)
		return r;
	if (!find_offset(file, f.value[DT_STRTAB], f.value[DT_STRSZ], &strings))
		return node_elf_damaged(diag, "its string table lies beyond the end of the file");
	if (file->n_symbols == 0 ||
		!find_offset(file, f.value[DT_SYMTAB], file->n_symbols * sizeof(Elf64_Sym), &symbols) ||
		symbols != file->symbols_offset)
		return node_elf_damaged(
			diag, "its symbol table is missing or lies beyond the end of the file");
	r = check_needed(file, &f, strings, diag);
	if (r == DREAM_OK)
		r = check_symbols(file, &f, strings, diag);
	if (r == DREAM_OK)
		r = check_relocations(file, f.value[DT_RELA], f.value[DT_RELASZ], diag);
	if (r == DREAM_OK)
		r = check_relocations(file, f.value[DT_JMPREL], f.value[DT_PLTRELSZ], diag);
	return r;
}
