/* SPDX-License-Identifier: MIT */
/* Generations are never freed before the room closes, so a pointer to one stays valid without a reference;
 * the count says who still runs on it. That is what makes node_code_current_of_borrow() two plain loads. */
#include "code/code.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/ctx.h"
#include "code/adopt.h"
#include "code/cache.h"
#include "code/symbol.h"

/* Code in memory, for signal handlers: entries are only ever added, and emptied when a load fails. */
typedef struct node_text {
	struct node_text *next;
	uintptr_t start; /* atomic */
	uintptr_t end;   /* atomic; 0: nothing there any more */
	uintptr_t base;
	node_gen_t *gen;
} node_text_t;

struct node_code {
	node_t *node;
	node_text_t *texts; /* atomic */
	node_symbol_lines_t *lines;
	node_cache_t *cache;
	pthread_mutex_t lock; /* guards the four below; not a GMutex, which TSan cannot see through */
	GPtrArray *gens;      /* oldest first */
	GPtrArray *loading;   /* those in their load() hook, or that crashed there */
	GHashTable *modules;  /* name -> node_code_module_t */
	uint64_t last_number;
};

/* ---- which code is where ---- */

static int add_text(node_code_t *code, node_gen_t *gen, uintptr_t base, const node_elf_segment_t *segment)
{
	node_text_t *text = g_try_new0(node_text_t, 1);
	if (text == NULL)
		return DREAM_ENOMEM;
	*text = (node_text_t){NULL, base + segment->start, base + segment->end, base, gen};
	pthread_mutex_lock(&code->lock);
	text->next = code->texts;
	__atomic_store_n(&code->texts, text, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&code->lock);
	return DREAM_OK;
}

static int add_texts(node_code_t *code, node_gen_t *gen, const node_image_t *image)
{
	int r = DREAM_OK;
	for (uint32_t i = 0; i < image->elf.n_segments && r == DREAM_OK; i++)
		if (image->elf.segments[i].executable)
			r = add_text(code, gen, image->base, &image->elf.segments[i]);
	return r;
}

static void drop_texts(node_code_t *code, const node_gen_t *gen)
{
	for (node_text_t *text = __atomic_load_n(&code->texts, __ATOMIC_ACQUIRE); text != NULL;
		text = text->next)
		if (text->gen == gen)
			__atomic_store_n(&text->end, 0, __ATOMIC_RELEASE);
}

static void free_texts(node_code_t *code)
{
	while (code->texts != NULL) {
		node_text_t *next = code->texts->next;
		g_free(code->texts);
		code->texts = next;
	}
}

static const node_text_t *text_at(const node_code_t *code, uintptr_t pc)
{
	const node_text_t *text = __atomic_load_n(&code->texts, __ATOMIC_ACQUIRE);
	while (text != NULL && (pc < text->start || pc >= __atomic_load_n(&text->end, __ATOMIC_ACQUIRE)))
		text = text->next;
	return text;
}

static node_gen_t *gen_at(node_t *node, uintptr_t pc)
{
	const node_text_t *text = text_at(node->code, pc);
	return text != NULL ? text->gen : NULL;
}

static uint64_t taint(node_t *node, uintptr_t pc)
{
	node_gen_t *gen = gen_at(node, pc);
	return gen != NULL ? __atomic_add_fetch(&gen->crashes, 1, __ATOMIC_RELAXED) : 0;
}

/* Code that is no module's: the C library's. */
static void describe_library(uintptr_t at, char *buffer, size_t size_bytes)
{
	Dl_info info;
	if (dladdr((void *) at, &info) == 0) {
		snprintf(buffer, size_bytes, "0x%zx", (size_t) at);
		return;
	}
	const char *slash = strrchr(info.dli_fname, '/');
	const char *file = slash != NULL ? slash + 1 : info.dli_fname;
	if (info.dli_sname != NULL)
		snprintf(buffer, size_bytes, "%s(%s)", file, info.dli_sname);
	else
		snprintf(buffer, size_bytes, "%s+0x%zx", file, (size_t) (at - (uintptr_t) info.dli_fbase));
}

static void describe(node_t *node, uintptr_t pc, bool exact, char *buffer, size_t size_bytes)
{
	uintptr_t at = exact ? pc : pc - 1;
	const node_text_t *text = text_at(node->code, at);
	if (text != NULL)
		node_symbol_describe(node->code->lines, text->gen, at, text->base, buffer, size_bytes);
	else
		describe_library(at, buffer, size_bytes);
}

/* ---- one generation ---- */

static void free_gen(node_gen_t *gen)
{
	if (gen == NULL)
		return;
	g_ptr_array_unref(gen->owned);
	g_free(gen->source_path);
	g_free(gen->cache_path);
	g_free(gen);
}

/* Gives up a load: nothing of it stays. */
static void discard_gen(node_gen_t *gen)
{
	drop_texts(gen->node->code, gen);
	if (gen->handle != NULL)
		dlclose(gen->handle);
	free_gen(gen);
}

static node_gen_t *new_gen(node_code_t *code, const char *path)
{
	node_gen_t *gen = g_try_new0(node_gen_t, 1);
	if (gen == NULL)
		return NULL;
	gen->node = code->node;
	gen->source_path = g_strdup(path);
	gen->owned = g_ptr_array_new_with_free_func(g_free);
	gen->refs = 1;
	pthread_mutex_lock(&code->lock);
	gen->number = ++code->last_number;
	pthread_mutex_unlock(&code->lock);
	return gen;
}

/* dlopen's texts begin with the path of our copy, of which the operator knows nothing. */
static int explain_dlopen(const node_gen_t *gen, const char *text, node_diag_t *diag)
{
	const char *remedy = "rebuild it with dream_add_module of the Dream SDK";
	if (text == NULL)
		text = "unknown error";
	if (g_str_has_prefix(text, gen->cache_path))
		text += strlen(gen->cache_path);
	while (*text == ':' || *text == ' ')
		text++;
	if (strstr(text, "undefined symbol") != NULL)
		remedy = "no library that it names provides that symbol; build it with dream_add_module, "
			 "which refuses to "
			 "link such a file, and call the node only through <dream/...>";
	else if (strstr(text, "failed to map segment") != NULL)
		remedy = "the module cache lies on a file system mounted noexec, or memory is short; name "
			 "another cache "
			 "folder";
	else if (strstr(text, "version `") != NULL)
		remedy = "it was built against a newer C library than this machine's; build it here";
	return node_diag_set(diag, DREAM_ELOAD, "%s; %s", text, remedy);
}

static int map_gen(node_gen_t *gen, uintptr_t *ret_base, node_diag_t *diag)
{
	struct link_map *map = NULL;
	gen->handle = dlopen(gen->cache_path, RTLD_NOW | RTLD_LOCAL);
	if (gen->handle == NULL)
		return explain_dlopen(gen, dlerror(), diag);
	if (dlinfo(gen->handle, RTLD_DI_LINKMAP, &map) != 0 || strcmp(map->l_name, gen->cache_path) != 0)
		return node_diag_set(diag, DREAM_ELOAD,
			"the dynamic linker gave another file's code; empty the module cache and load it "
			"again");
	*ret_base = map->l_addr;
	return DREAM_OK;
}

static void note_loading(node_code_t *code, node_gen_t *gen, bool on)
{
	pthread_mutex_lock(&code->lock);
	if (on)
		g_ptr_array_add(code->loading, gen);
	else
		g_ptr_array_remove_fast(code->loading, gen);
	pthread_mutex_unlock(&code->lock);
}

/* load() may log: it runs as the node, whichever thread loads. If it crashes it does not come back: the generation stays
 * mapped, and noted. */
static int call_load(node_gen_t *gen, int (*load)(void), node_diag_t *diag)
{
	node_ctx_t *ctx = node_ctx_borrow();
	node_t *before = ctx->node;
	ctx->node = gen->node;
	note_loading(gen->node->code, gen, true);
	int r = load();
	note_loading(gen->node->code, gen, false);
	node_ctx_borrow()->node = before;
	if (r >= 0)
		return DREAM_OK;
	return node_diag_set(diag, DREAM_EMODULE,
		"load() of %s %s failed with %d (%s); see the module's documentation and the log", gen->name,
		gen->vsn, r, node_diag_code_text(r));
}

/* Everything after the copy and before the hook: the bytes, the mapping, the descriptor. */
static int verify_gen(
	node_gen_t *gen, const node_cache_copy_t *copy, int (**ret_load)(void), node_diag_t *diag)
{
	node_image_t image = {0};
	int r = node_elf_scan(copy->data, copy->size_bytes, &image.elf, diag);
	if (r == DREAM_OK)
		r = map_gen(gen, &image.base, diag);
	if (r == DREAM_OK && (r = add_texts(gen->node->code, gen, &image)) < 0)
		node_diag_set(diag, r, "out of memory; stop something and load it again");
	if (r < 0)
		return r;
	node_adopt_t adopt = {.image = &image, .gen = gen, .diag = diag};
	r = node_adopt_module(&adopt, dlsym(gen->handle, "dream_module"));
	if (r < 0)
		return r;
	*adopt.host = gen->node->host;
	*ret_load = adopt.load;
	return DREAM_OK;
}

/* ---- the table ---- */

/* The lock is held. */
static node_code_module_t *module_record(node_code_t *code, const char *name)
{
	node_code_module_t *module = g_hash_table_lookup(code->modules, name);
	if (module == NULL) {
		module = g_new0(node_code_module_t, 1);
		g_strlcpy(module->name, name, sizeof(module->name));
		g_hash_table_insert(code->modules, module->name, module);
	}
	return module;
}

static void enter_gen(node_code_t *code, node_gen_t *gen)
{
	gen->loaded_wall_ns = code->node->clock->wall_ns(code->node->clock);
	pthread_mutex_lock(&code->lock);
	gen->module = module_record(code, gen->name);
	guint at = code->gens->len;
	while (at > 0 && ((node_gen_t *) code->gens->pdata[at - 1])->number > gen->number)
		at--; /* a load that began later was faster */
	g_ptr_array_insert(code->gens, (gint) at, gen);
	pthread_mutex_unlock(&code->lock);
}

int node_code_load(node_code_t *code, const char *path, node_gen_t **ret_gen, node_diag_t *diag)
{
	node_cache_copy_t copy = {0};
	node_gen_t *gen = new_gen(code, path);
	if (gen == NULL)
		return node_diag_set(
			diag, DREAM_ENOMEM, "%s: out of memory; stop something and load it again", path);
	int r = node_cache_add(code->cache, path, gen->number, &copy, diag);
	if (r < 0) {
		discard_gen(gen);
		return r;
	}
	g_strlcpy(gen->sha256, copy.sha256, sizeof(gen->sha256));
	gen->cache_path = g_strdup(copy.path);
	int (*load)(void) = NULL;
	r = verify_gen(gen, &copy, &load, diag);
	copy.keep = r == DREAM_OK;
	node_cache_copy_fini(&copy);
	if (load != NULL && (r = call_load(gen, load, diag)) < 0)
		(void) unlink(gen->cache_path);
	if (r < 0) {
		node_diag_prefix(diag, "%s", path);
		discard_gen(gen);
		return r;
	}
	enter_gen(code, gen);
	*ret_gen = gen;
	return DREAM_OK;
}

node_gen_t *node_code_make_current(node_code_t *code, node_gen_t *gen)
{
	(void) code;
	return __atomic_exchange_n(&gen->module->current, node_code_ref(gen), __ATOMIC_ACQ_REL);
}

#define STOCK 64u

/* Schedulers have references in stock, lest they meet in a generation's count for each process. They give them back when they
 * sleep and every now and then (sched.c), so that the count becomes true. */
static node_gen_t *ref_from_stock(node_keep_t *keep, node_gen_t *gen)
{
	if (keep->refs != &gen->refs) {
		node_keep_give_refs(keep);
		keep->refs = &gen->refs;
	}
	if (keep->n_refs == 0) {
		__atomic_fetch_add(&gen->refs, STOCK, __ATOMIC_RELAXED);
		keep->n_refs = STOCK;
	}
	keep->n_refs--;
	return gen;
}

node_gen_t *node_code_ref(node_gen_t *gen)
{
	node_keep_t *keep = node_ctx_borrow()->keep;
	if (gen != NULL && keep != NULL)
		return ref_from_stock(keep, gen);
	if (gen != NULL)
		__atomic_fetch_add(&gen->refs, 1, __ATOMIC_RELAXED);
	return gen;
}

void node_code_unref(node_gen_t *gen)
{
	node_keep_t *keep = node_ctx_borrow()->keep;
	if (gen != NULL && keep != NULL && keep->refs == &gen->refs && keep->n_refs < STOCK * 2)
		keep->n_refs++;
	else if (gen != NULL)
		__atomic_fetch_sub(&gen->refs, 1, __ATOMIC_RELEASE);
}

node_gen_t *node_code_current_ref(node_code_t *code, const char *module)
{
	pthread_mutex_lock(&code->lock);
	node_code_module_t *record = g_hash_table_lookup(code->modules, module);
	pthread_mutex_unlock(&code->lock);
	return record == NULL ? NULL : node_code_ref(__atomic_load_n(&record->current, __ATOMIC_ACQUIRE));
}

static const node_kind_t *find_kind(const node_gen_t *gen, const char *name, bool application)
{
	for (uint32_t i = 0; i < gen->n_kinds; i++) {
		const node_kind_t *kind = &gen->kinds[i];
		if ((kind->type == DREAM_KIND_APPLICATION) == application && strcmp(kind->name, name) == 0)
			return kind;
	}
	return NULL;
}

const node_kind_t *node_code_kind_borrow(const node_gen_t *gen, const char *kind)
{
	const node_kind_t *found = find_kind(gen, kind, false);
	return found != NULL ? found : find_kind(gen, kind, true);
}

const node_kind_t *node_code_application_borrow(const node_gen_t *gen, const char *application)
{
	return find_kind(gen, application, true);
}

GPtrArray *node_code_list(node_code_t *code)
{
	pthread_mutex_lock(&code->lock);
	GPtrArray *list = g_ptr_array_sized_new(code->gens->len);
	for (guint i = 0; i < code->gens->len; i++)
		g_ptr_array_add(list, node_code_ref(code->gens->pdata[i]));
	pthread_mutex_unlock(&code->lock);
	return list;
}

/* ---- the room ---- */

static const char *name_of_gen(const node_gen_t *gen)
{
	return gen->name;
}

int node_code_open(node_t *node, const char *cache_dir, node_diag_t *diag)
{
	node_cache_t *cache;
	int r = node_cache_open(cache_dir, &cache, diag);
	if (r < 0)
		return r;
	node_code_t *code = g_new0(node_code_t, 1);
	code->node = node;
	code->cache = cache;
	code->gens = g_ptr_array_new();
	code->loading = g_ptr_array_new();
	code->modules = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	code->lines = node_symbol_lines_new();
	pthread_mutex_init(&code->lock, NULL);
	node->code = code;
	node->hooks.code_at = gen_at;
	node->hooks.code_taint = taint;
	node->hooks.code_describe = describe;
	node->hooks.code_symbol = node_symbol_find;
	node->hooks.module_name_borrow = name_of_gen;
	return DREAM_OK;
}

static void close_gen(node_gen_t *gen, bool unmap)
{
	if (gen->unload != NULL)
		gen->unload();
	if (unmap && (gen->flags & DREAM_MODULE_RESIDENT) == 0)
		dlclose(gen->handle);
	free_gen(gen);
}

void node_code_close(node_code_t *code, bool unmap)
{
	if (code == NULL)
		return;
	code->node->hooks.code_at = NULL;
	for (guint i = code->gens->len; i > 0; i--)
		close_gen(code->gens->pdata[i - 1], unmap);
	for (guint i = 0; i < code->loading->len; i++)
		free_gen(code->loading
				 ->pdata[i]); /* nobody knows what its code does when it is called again */
	g_ptr_array_unref(code->gens);
	g_ptr_array_unref(code->loading);
	g_hash_table_unref(code->modules);
	free_texts(code);
	node_symbol_lines_free(code->lines);
	node_cache_close(code->cache);
	pthread_mutex_destroy(&code->lock);
	code->node->code = NULL;
	g_free(code);
}
