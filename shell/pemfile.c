/* SPDX-License-Identifier: MIT */
#include "shell/pemfile.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int shell_pemfile_make_dir(const char *dir, node_diag_t *diag)
{
	if (g_mkdir_with_parents(dir, 0700) < 0)
		return node_diag_set(
			diag, DREAM_EIO, "%s: %s; choose another directory", dir, strerror(errno));
	return DREAM_OK;
}

static int fail_exists(const char *path, node_diag_t *diag)
{
	return node_diag_set(
		diag, DREAM_EEXIST, "%s: it exists, and keys are never replaced; move it away first", path);
}

int shell_pemfile_check_absent(const char *path, node_diag_t *diag)
{
	struct stat st;
	return lstat(path, &st) == 0 ? fail_exists(path, diag) : DREAM_OK;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(fd, data, size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t) n;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

static int write_new(const char *path, const void *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	int r = write_all(fd, data, size);
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		unlink(path);
	return r;
}

/* Without replacing; file systems that cannot promise that (EINVAL) get the check just before instead. */
static int rename_new(const char *from, const char *to)
{
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	struct stat st;
	if (lstat(to, &st) == 0)
		return -EEXIST;
	return rename(from, to) < 0 ? -errno : 0;
}

static void sync_dir_of(const char *path)
{
	g_autofree char *dir = g_path_get_dirname(path);
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

int shell_pemfile_create(const char *path, const void *data, size_t size_bytes, node_diag_t *diag)
{
	int r = shell_pemfile_check_absent(path, diag);
	if (r < 0)
		return r;
	g_autofree char *tmp = g_strdup_printf("%s.%d.tmp", path, (int) getpid());
	r = write_new(tmp, data, size_bytes);
	if (r < 0)
		return node_diag_set(diag, DREAM_EIO, "%s: %s; check the directory and its permissions", tmp,
			strerror(-r));
	r = rename_new(tmp, path);
	if (r < 0) {
		unlink(tmp);
		return r == -EEXIST ? fail_exists(path, diag)
				    : node_diag_set(diag, DREAM_EIO, "%s: %s", path, strerror(-r));
	}
	sync_dir_of(path);
	return DREAM_OK;
}

int shell_pemfile_read(const char *path, char **ret_data, size_t *ret_size_bytes, node_diag_t *diag)
{
	FILE *in = fopen(path, "re");
	if (in == NULL)
		return node_diag_set(diag, DREAM_ECERT, "%s: %s", path, strerror(errno));
	g_autofree char *data = g_malloc(SHELL_PEMFILE_MAX + 1);
	size_t size = fread(data, 1, SHELL_PEMFILE_MAX + 1, in);
	bool failed = ferror(in) != 0;
	fclose(in);
	if (failed || size > SHELL_PEMFILE_MAX)
		return node_diag_set(diag, DREAM_ECERT,
			failed ? "%s: cannot be read" : "%s: too large for a PEM file", path);
	data[size] = '\0';
	*ret_size_bytes = size;
	*ret_data = g_steal_pointer(&data);
	return DREAM_OK;
}
