/* SPDX-License-Identifier: MIT */
#include "code/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "dream-code-"

struct node_cache {
	char *path;
	int fd; /* the folder; its flock says that the node lives */
	bool temporary;
};

/* ---- the folder ---- */

static bool is_ours(const char *name)
{
	return g_str_has_prefix(name, PREFIX) && strlen(name) == strlen(PREFIX) + 6;
}

/* Removes the files and then the folder. */
static void remove_folder(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(path, name, NULL);
		unlink(file);
	}
	rmdir(path);
}

/* A folder whose lock can be taken belongs to a node that has ended. */
static bool is_abandoned(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return false;
	bool free = flock(fd, LOCK_EX | LOCK_NB) == 0;
	close(fd);
	return free;
}

static gint newest_first(gconstpointer a, gconstpointer b)
{
	struct stat sa = {0};
	struct stat sb = {0};
	(void) stat(*(char *const *) a, &sa);
	(void) stat(*(char *const *) b, &sb);
	return sa.st_mtime < sb.st_mtime ? 1 : sa.st_mtime > sb.st_mtime ? -1 : 0;
}

static void remove_former(const char *parent)
{
	g_autoptr(GPtrArray) former = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = g_dir_open(parent, 0, NULL);
	const char *name;
	while (dir != NULL && (name = g_dir_read_name(dir)) != NULL)
		if (is_ours(name))
			g_ptr_array_add(former, g_build_filename(parent, name, NULL));
	g_ptr_array_sort(former, newest_first);
	for (guint i = NODE_CACHE_FORMER_KEPT; i < former->len; i++)
		if (is_abandoned(former->pdata[i]))
			remove_folder(former->pdata[i]);
}

static int check_parent(const char *parent, node_diag_t *diag)
{
	struct stat st;
	if (g_mkdir_with_parents(parent, 0700) != 0 || stat(parent, &st) != 0)
		return node_diag_set(diag, DREAM_EIO,
			"%s: the module cache cannot be made: %s; name another folder", parent,
			strerror(errno));
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return node_diag_set(diag, DREAM_EIO,
			"%s: the module cache must be a folder that only this user may write: chmod 0700 it "
			"or name another",
			parent);
	remove_former(parent);
	return DREAM_OK;
}

static int make_folder(node_cache_t *cache, const char *parent, node_diag_t *diag)
{
	cache->path = g_build_filename(parent, PREFIX "XXXXXX", NULL);
	cache->fd = mkdtemp(cache->path) == NULL
			    ? -1
			    : open(cache->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (cache->fd < 0 || flock(cache->fd, LOCK_EX | LOCK_NB) != 0)
		return node_diag_set(diag, DREAM_EIO,
			"%s: the module cache cannot be made: %s; name another folder", cache->path,
			strerror(errno));
	return DREAM_OK;
}

int node_cache_open(const char *parent, node_cache_t **ret_cache, node_diag_t *diag)
{
	node_cache_t *cache = g_try_new0(node_cache_t, 1);
	if (cache == NULL)
		return node_diag_set(diag, DREAM_ENOMEM, "out of memory for the module cache");
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	cache->fd = -1;
	cache->temporary = parent == NULL;
	int r = parent != NULL ? check_parent(parent, diag) : DREAM_OK;
	if (r == DREAM_OK && parent == NULL)
		parent = runtime != NULL && access(runtime, W_OK | X_OK) == 0 ? runtime : "/tmp";
	if (r == DREAM_OK)
		r = make_folder(cache, parent, diag);
	if (r < 0) {
		node_cache_close(cache);
		return r;
	}
	*ret_cache = cache;
	return DREAM_OK;
}

void node_cache_close(node_cache_t *cache)
{
	if (cache == NULL)
		return;
	if (cache->temporary && cache->fd >= 0)
		remove_folder(cache->path);
	if (cache->fd >= 0)
		close(cache->fd);
	g_free(cache->path);
	g_free(cache);
}

/* ---- a copy ---- */

/* O_NONBLOCK: opening a FIFO must not wait for somebody to write into it. */
static int open_source(const char *path, int *ret_fd, uint64_t *ret_size, node_diag_t *diag)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return node_diag_set(diag, DREAM_ENOENT, "%s: no such file; check the path", path);
	if (fd < 0)
		return node_diag_set(
			diag, DREAM_EIO, "%s: %s; let this node's user read it", path, strerror(errno));
	int r = DREAM_OK;
	if (fstat(fd, &st) != 0)
		r = node_diag_set(diag, DREAM_EIO, "%s: %s; check the disk", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		r = node_diag_set(diag, DREAM_ELOAD, "%s: %s, not a module file; name the .so file", path,
			S_ISDIR(st.st_mode) ? "a folder" : "a device or pipe");
	else if (st.st_size == 0)
		r = node_diag_set(diag, DREAM_ELOAD, "%s: empty; copy it again or rebuild it", path);
	else if ((uint64_t) st.st_size > NODE_CACHE_FILE_MAX)
		r = node_diag_set(diag, DREAM_ELOAD, "%s: larger than %u MiB; strip it", path,
			(unsigned) (NODE_CACHE_FILE_MAX >> 20));
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_fd = fd;
	*ret_size = (uint64_t) st.st_size;
	return DREAM_OK;
}

static bool write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t) n;
	}
	return true;
}

/* Copies at most @cap bytes: the source may grow while it is read. */
static bool copy_bytes(int from, int to, uint64_t cap)
{
	char buffer[65536];
	for (uint64_t total = 0; total < cap;) {
		ssize_t n = read(from, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		if (!write_all(to, buffer, (size_t) n))
			return false;
		total += (uint64_t) n;
	}
	return true;
}

/* What people see in gdb and perf: the file's own name, as far as it is harmless in a path. */
static char *make_stem(const char *path)
{
	g_autofree char *base = g_path_get_basename(path);
	if (g_str_has_suffix(base, ".so"))
		base[strlen(base) - 3] = '\0';
	for (char *c = base; *c != '\0'; c++)
		if (!g_ascii_isalnum(*c) && strchr("._+~", *c) == NULL)
			*c = c - base < 64 ? '-' : '\0';
	return g_strndup(base, 64);
}

static int map_copy(int fd, node_cache_copy_t *copy)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || st.st_size <= 0)
		return DREAM_EIO;
	void *data = mmap(NULL, (size_t) st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return DREAM_ENOMEM;
	copy->data = data;
	copy->size_bytes = (uint64_t) st.st_size;
	g_autofree char *hex = g_compute_checksum_for_data(G_CHECKSUM_SHA256, data, (gsize) st.st_size);
	g_strlcpy(copy->sha256, hex, sizeof(copy->sha256));
	return DREAM_OK;
}

/* From the temporary name to the one that tells what it is. */
static bool rename_copy(node_cache_t *cache, const char *path, uint64_t number, node_cache_copy_t *copy)
{
	g_autofree char *stem = make_stem(path);
	char *name = g_strdup_printf(
		"%s/%s-%" G_GUINT64_FORMAT "-%.12s.so", cache->path, stem, (guint64) number, copy->sha256);
	if (link(copy->path, name) != 0) { /* unlike rename(), never replaces */
		g_free(name);
		return false;
	}
	unlink(copy->path);
	g_free(copy->path);
	copy->path = name;
	return true;
}

int node_cache_add(node_cache_t *cache, const char *path, uint64_t number, node_cache_copy_t *ret_copy,
	node_diag_t *diag)
{
	int from = -1;
	uint64_t size = 0;
	int r = open_source(path, &from, &size, diag);
	if (r < 0)
		return r;
	node_cache_copy_t copy = {
		.path = g_strdup_printf("%s/new-%" G_GUINT64_FORMAT, cache->path, (guint64) number)};
	int to = open(copy.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0400);
	if (to < 0 || !copy_bytes(from, to, size))
		r = node_diag_set(diag, DREAM_EIO, "%s: cannot be copied to %s: %s; make room there", path,
			cache->path, strerror(errno));
	if (r == DREAM_OK && map_copy(to, &copy) < 0)
		r = node_diag_set(diag, DREAM_EIO,
			"%s: its copy in %s cannot be read; check that file system", path, cache->path);
	if (r == DREAM_OK && !rename_copy(cache, path, number, &copy))
		r = node_diag_set(diag, DREAM_EIO,
			"%s: its copy in %s cannot be named: %s; name another cache folder", path,
			cache->path, strerror(errno));
	close(from);
	if (to >= 0)
		close(to);
	if (r < 0) {
		node_cache_copy_fini(&copy);
		return r;
	}
	*ret_copy = copy;
	return DREAM_OK;
}

void node_cache_copy_fini(node_cache_copy_t *copy)
{
	if (copy->data != NULL)
		munmap((void *) (uintptr_t) copy->data, copy->size_bytes);
	if (copy->path != NULL && !copy->keep)
		unlink(copy->path);
	g_free(copy->path);
	memset(copy, 0, sizeof(*copy));
}
