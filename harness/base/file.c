/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/strv.h"

int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *data = NULL;
	size_t len = 0, room = 0;

	if (fd < 0)
		return err_set(err, errno, "cannot open %s", path);
	for (;;) {
		if (len + 1 >= room) {
			room = room ? 2 * room : 4096;
			data = xreallocarray(data, room, 1);
		}
		ssize_t n = read(fd, data + len, room - len - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, errno, "cannot read %s", path);
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return err_set(err, EFBIG, "cannot read %s", path);
	}
	data[len] = 0;
	*ret = TAKE(data);
	if (ret_len)
		*ret_len = len;
	return 0;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_write(const char *path, const void *data, size_t len, struct err *err)
{
	cleanup_free char *beside = strf("%s.tmp.%d", path, (int)getpid());
	cleanup_close int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_set(err, errno, "cannot write %s", path);

	int r = write_all(fd, data, len);
	if (r == 0 && fsync(fd) < 0 && errno != EINVAL)
		r = -errno;
	if (r == 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlink(beside);
		return err_set(err, -r, "cannot write %s", path);
	}
	return 0;
}

int file_write_in_place(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int file_copy(const char *from, const char *to, mode_t mode, struct err *err)
{
	cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return err_set(err, errno, "cannot open %s", from);

	cleanup_close int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (out < 0)
		return err_set(err, errno, "cannot write %s", to);

	char block[65536];
	ssize_t n;

	while ((n = read(in, block, sizeof(block))) > 0) {
		int r = write_all(out, block, (size_t)n);
		if (r < 0)
			return err_set(err, -r, "cannot write %s", to);
	}
	if (n < 0)
		return err_set(err, errno, "cannot read %s", from);
	return 0;
}

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool folder_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int folder_make(const char *path, struct err *err)
{
	cleanup_free char *p = xstrdup(path);

	for (char *slash = p + 1;; slash++) {
		slash = strchrnul(slash, '/');
		char kept = *slash;

		*slash = 0;
		if (mkdir(p, 0755) < 0 && errno != EEXIST)
			return err_set(err, errno, "cannot make the folder %s", p);
		if (!kept)
			break;
		*slash = kept;
	}
	if (!folder_exists(path))
		return err_set(err, ENOTDIR, "cannot make the folder %s", path);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	return (type == FTW_DP || type == FTW_DNR ? rmdir(path) : unlink(path)) < 0 && errno != ENOENT ? -1 : 0;
}

int folder_remove(const char *path, struct err *err)
{
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		return err_set(err, errno, "cannot remove %s", path);
	return 0;
}

int folder_list(const char *path, struct strv *ret, struct err *err)
{
	DIR *dir = opendir(path);

	if (!dir)
		return err_set(err, errno, "cannot list %s", path);
	for (struct dirent *e; (e = readdir(dir));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			strv_push(ret, e->d_name);
	(void)closedir(dir);
	strv_sort(ret);
	return 0;
}

char *cache_folder(void)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

	if (xdg && xdg[0] == '/')
		return strf("%s/memtide", xdg);
	return strf("%s/.cache/memtide", home && home[0] == '/' ? home : "/tmp");
}

char *home_folder(void)
{
	const char *named = getenv("MEMTIDE_HOME");
	char exe[PATH_MAX];

	if (named && *named)
		return xstrdup(named);

	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n <= 0)
		return xstrdup(".");
	exe[n] = 0;
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(exe, '/');
		if (slash && slash > exe)
			*slash = 0;
	}
	return xstrdup(exe);
}

void sha256_hex(const void *data, size_t len, char ret[65])
{
	unsigned char sum[32];

	if (EVP_Q_digest(NULL, "SHA256", NULL, data, len, sum, NULL) != 1)
		abort();
	for (size_t i = 0; i < sizeof(sum); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", sum[i]);
}

int sha256_file(const char *path, char ret[65], struct err *err)
{
	cleanup_free char *data = NULL;
	size_t len;
	int r = file_read(path, 1UL << 30, &data, &len, err);

	if (r < 0)
		return r;
	sha256_hex(data, len, ret);
	return 0;
}
