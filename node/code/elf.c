/* SPDX-License-Identifier: MIT */
/* Every read goes through get(), which copies out of the file after a check that cannot overflow: offsets and
 * counts are the file's, and the file may be anything. */
#include "code/elf.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "code/dynamic.h"

#if defined(__x86_64__)
#define THIS_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define THIS_MACHINE EM_AARCH64
#else
#error "the ELF machine number of this processor is missing here"
#endif

#define PHDRS_MAX 64
#define SECTIONS_MAX 4096
#define IMAGE_MAX ((uint64_t) 1 << 32) /* bytes of address space one module may ask for */

#define REBUILD "build it with dream_add_module of the Dream SDK (docs/modules.md)"

bool node_elf_get(const node_elf_file_t *file, uint64_t offset, void *ret, uint64_t size_bytes)
{
	if (offset > file->size || size_bytes > file->size - offset)
		return false;
	memcpy(ret, file->data + offset, size_bytes);
	return true;
}

static bool inside(const node_elf_file_t *file, uint64_t offset, uint64_t size_bytes)
{
	return offset <= file->size && size_bytes <= file->size - offset;
}

int node_elf_damaged(node_diag_t *diag, const char *what)
{
	return node_diag_set(diag, DREAM_ELOAD,
		"damaged or cut off: %s; copy it again from where it was built, or rebuild it", what);
}

static int check_kind_of_file(const Elf64_Ehdr *eh, node_diag_t *diag)
{
	if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB ||
		eh->e_machine != THIS_MACHINE)
		return node_diag_set(diag, DREAM_ELOAD,
			"built for another machine (ELF machine %u, this node runs on %u); rebuild it here "
			"or for this "
			"machine",
			eh->e_machine, THIS_MACHINE);
	if (eh->e_type == ET_EXEC)
		return node_diag_set(diag, DREAM_ELOAD, "a program, not a shared object; " REBUILD);
	if (eh->e_type == ET_REL)
		return node_diag_set(diag, DREAM_ELOAD, "an object file that was not linked yet; " REBUILD);
	if (eh->e_type != ET_DYN || eh->e_version != EV_CURRENT)
		return node_diag_set(diag, DREAM_ELOAD, "not a shared object; " REBUILD);
	return DREAM_OK;
}

static int read_header(const node_elf_file_t *file, Elf64_Ehdr *eh, node_diag_t *diag)
{
	if (file->size == 0)
		return node_diag_set(diag, DREAM_ELOAD, "empty; copy it again or rebuild it");
	if (file->size < SELFMAG || memcmp(file->data, ELFMAG, SELFMAG) != 0)
		return node_diag_set(
			diag, DREAM_ELOAD, "not an ELF file; a module is a shared object: " REBUILD);
	if (!node_elf_get(file, 0, eh, sizeof(*eh)))
		return node_elf_damaged(diag, "it ends within the ELF header");
	return check_kind_of_file(eh, diag);
}

static int add_segment(node_elf_t *elf, const Elf64_Phdr *ph, node_diag_t *diag)
{
	uint64_t last_end = elf->n_segments > 0 ? elf->segments[elf->n_segments - 1].end : 0;
	if (ph->p_memsz < ph->p_filesz || ph->p_vaddr > IMAGE_MAX || ph->p_memsz > IMAGE_MAX ||
		ph->p_vaddr < last_end)
		return node_elf_damaged(diag, "a segment has an impossible address or size");
	if (elf->n_segments == NODE_ELF_SEGMENTS_MAX)
		return node_elf_damaged(diag, "it has more segments than any linker makes");
	elf->segments[elf->n_segments++] = (node_elf_segment_t){.start = ph->p_vaddr,
		.end = ph->p_vaddr + ph->p_memsz,
		.writable = (ph->p_flags & PF_W) != 0,
		.executable = (ph->p_flags & PF_X) != 0};
	return DREAM_OK;
}

/* The dynamic linker write-protects whole pages of [relro] once it has relocated them. */
static void cut_relro(node_elf_t *elf, uint64_t relro_end)
{
	uint64_t page = (uint64_t) sysconf(_SC_PAGESIZE);
	for (uint32_t i = 0; i < elf->n_segments; i++) {
		node_elf_segment_t *s = &elf->segments[i];
		if (!s->writable || relro_end <= s->start || relro_end > s->end || s->start == s->end)
			continue;
		uint64_t cut = relro_end / page * page;
		if (cut <= s->start || elf->n_segments == NODE_ELF_SEGMENTS_MAX)
			continue;
		node_elf_segment_t rest = *s;
		rest.start = cut;
		s->end = cut;
		s->writable = false;
		memmove(s + 2, s + 1, (elf->n_segments - i - 1) * sizeof(*s));
		s[1] = rest;
		elf->n_segments++;
		return;
	}
}

static int take_phdr(node_elf_file_t *file, const Elf64_Phdr *ph, node_elf_t *elf, node_diag_t *diag)
{
	if (!inside(file, ph->p_offset, ph->p_filesz))
		return node_elf_damaged(diag, "a segment lies beyond the end of the file");
	switch (ph->p_type) {
	case PT_LOAD:
		if ((ph->p_flags & (PF_W | PF_X)) == (PF_W | PF_X))
			file->hazard = "has memory both writable and executable; link it without -N";
		file->loads[elf->n_segments % NODE_ELF_SEGMENTS_MAX] =
			(node_elf_load_t){ph->p_vaddr, ph->p_offset, ph->p_filesz};
		return add_segment(elf, ph, diag);
	case PT_INTERP:
		return node_diag_set(diag, DREAM_ELOAD, "a program, not a shared object; " REBUILD);
	case PT_TLS:
		file->hazard =
			"has thread-local variables, which would tie every thread to this version; keep such "
			"state in a process's state";
		break;
	case PT_GNU_STACK:
		file->has_stack = true;
		if ((ph->p_flags & PF_X) != 0)
			file->hazard = "asks for an executable stack; avoid nested functions, link with -z "
				       "noexecstack";
		break;
	case PT_DYNAMIC:
		file->dynamic_offset = ph->p_offset;
		file->dynamic_size = ph->p_filesz;
		break;
	case PT_GNU_RELRO:
		file->relro_end =
			ph->p_memsz <= IMAGE_MAX && ph->p_vaddr <= IMAGE_MAX ? ph->p_vaddr + ph->p_memsz : 0;
		break;
	default:
		break;
	}
	return DREAM_OK;
}

static int read_phdrs(node_elf_file_t *file, const Elf64_Ehdr *eh, node_elf_t *elf, node_diag_t *diag)
{
	if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == 0 || eh->e_phnum > PHDRS_MAX)
		return node_elf_damaged(diag, "its program headers have an impossible size or number");
	for (uint32_t i = 0; i < eh->e_phnum; i++) {
		Elf64_Phdr ph;
		if (!node_elf_get(file, eh->e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return node_elf_damaged(diag, "its program headers lie beyond the end of the file");
		int r = take_phdr(file, &ph, elf, diag);
		if (r < 0)
			return r;
	}
	file->n_loads = elf->n_segments;
	if (file->n_loads == 0 || file->dynamic_size == 0)
		return node_elf_damaged(diag, "it has no loadable or no dynamic segment");
	if (!file->has_stack)
		file->hazard = "does not say that it needs no executable stack; link with -z noexecstack";
	return DREAM_OK;
}

/* Section headers stand at the end of the file, so reading them all finds most cut-off copies. */
static int read_sections(node_elf_file_t *file, const Elf64_Ehdr *eh, node_diag_t *diag)
{
	if (eh->e_shnum == 0 || eh->e_shnum > SECTIONS_MAX || eh->e_shentsize != sizeof(Elf64_Shdr))
		return node_elf_damaged(diag, "its section headers are missing or of an impossible size");
	for (uint32_t i = 0; i < eh->e_shnum; i++) {
		Elf64_Shdr sh;
		if (!node_elf_get(file, eh->e_shoff + i * sizeof(sh), &sh, sizeof(sh)))
			return node_elf_damaged(diag, "its section headers lie beyond the end of the file");
		if (sh.sh_type != SHT_NOBITS && sh.sh_type != SHT_NULL &&
			!inside(file, sh.sh_offset, sh.sh_size))
			return node_elf_damaged(diag, "a section lies beyond the end of the file");
		if (sh.sh_type == SHT_DYNSYM) {
			file->symbols_offset = sh.sh_offset;
			file->n_symbols = sh.sh_size / sizeof(Elf64_Sym);
		}
	}
	return DREAM_OK;
}

static int check_note(const dream_note_t *note, node_diag_t *diag)
{
	if (note->magic != DREAM_ABI_MAGIC)
		return node_diag_set(diag, DREAM_EABI,
			"its DREAM note has a foreign magic number %08x, not %08x; " REBUILD, note->magic,
			DREAM_ABI_MAGIC);
	if (note->abi_major != DREAM_ABI_MAJOR)
		return node_diag_set(diag, DREAM_EABI,
			"built for ABI %u.x, this node implements %u.%u; rebuild it with this node's SDK",
			note->abi_major, DREAM_ABI_MAJOR, DREAM_ABI_MINOR);
	if (note->struct_size < NODE_ELF_MODULE_SIZE_1_0 || note->struct_size > NODE_ELF_STRUCT_MAX)
		return node_diag_set(diag, DREAM_EABI,
			"its DREAM note gives the descriptor %u bytes, at least %u are needed; " REBUILD,
			note->struct_size, NODE_ELF_MODULE_SIZE_1_0);
	if (note->abi_minor > DREAM_ABI_MINOR)
		return node_diag_set(diag, DREAM_EABI,
			"needs ABI %u.%u, this node implements %u.%u; use a newer node or build it with an "
			"older SDK",
			note->abi_major, note->abi_minor, DREAM_ABI_MAJOR, DREAM_ABI_MINOR);
	return DREAM_OK;
}

/* Notes of one segment: a 12-byte head, then name and content, each filled up to the segment's alignment. */
static bool find_note_in(const node_elf_file_t *file, const Elf64_Phdr *ph, dream_note_t *ret_note)
{
	uint64_t align = ph->p_align == 8 ? 8 : 4;
	uint64_t at = ph->p_offset;
	uint64_t end = ph->p_offset + ph->p_filesz;
	Elf64_Nhdr head;
	while (at < end && end - at >= sizeof(head) && node_elf_get(file, at, &head, sizeof(head))) {
		if (head.n_type == DREAM_NOTE_TYPE && head.n_namesz == 6 && head.n_descsz == 16 &&
			end - at >= sizeof(*ret_note) &&
			node_elf_get(file, at, ret_note, sizeof(*ret_note)) &&
			memcmp(ret_note->name, "DREAM", 6) == 0)
			return true;
		at += sizeof(head) + ((uint64_t) head.n_namesz + align - 1) / align * align +
		      ((uint64_t) head.n_descsz + align - 1) / align * align;
	}
	return false;
}

static int read_note(const node_elf_file_t *file, const Elf64_Ehdr *eh, node_diag_t *diag)
{
	for (uint32_t i = 0; i < eh->e_phnum; i++) {
		Elf64_Phdr ph;
		dream_note_t note;
		if (node_elf_get(file, eh->e_phoff + i * sizeof(ph), &ph, sizeof(ph)) &&
			ph.p_type == PT_NOTE && find_note_in(file, &ph, &note))
			return check_note(&note, diag);
	}
	return node_diag_set(diag, DREAM_EABI,
		"a shared object but no DREAM module: it has no DREAM note; declare one with DREAM_MODULE "
		"and " REBUILD);
}

int node_elf_scan(const void *data, uint64_t size_bytes, node_elf_t *ret_elf, node_diag_t *diag)
{
	node_elf_file_t file = {.data = data, .size = size_bytes};
	node_elf_t elf = {0};
	Elf64_Ehdr eh;
	int r = read_header(&file, &eh, diag);
	if (r == DREAM_OK)
		r = read_phdrs(&file, &eh, &elf, diag);
	if (r == DREAM_OK)
		r = read_sections(&file, &eh, diag);
	if (r == DREAM_OK)
		r = read_note(&file, &eh, diag);
	if (r == DREAM_OK && file.hazard != NULL)
		r = node_diag_set(diag, DREAM_EMODULE, "%s", file.hazard);
	if (r == DREAM_OK)
		r = node_dynamic_check(&file, diag);
	if (r < 0)
		return r;
	cut_relro(&elf, file.relro_end);
	*ret_elf = elf;
	return DREAM_OK;
}
