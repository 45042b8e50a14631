/* SPDX-License-Identifier: Apache-2.0 */
#include "build/toolchain_files.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static bool executable(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & 0111);
}

bool toolchain_files_ready(const char *goroot)
{
	cleanup_free char *go = strf("%s/bin/go", goroot), *from = strf("%s/src/_go.mod", goroot), *to = strf("%s/src/go.mod", goroot);

	return executable(go) && size_of(from) == size_of(to);
}

/* Calls act for every file below dir; stops at its first error. A folder that is not there is none. */
static int each_file(const char *dir, int (*act)(const FTSENT *e, const void *arg, struct err *err), const void *arg, struct err *err)
{
	char *roots[] = { (char *)dir, NULL };
	FTS *fts;
	int r = 0;

	if (access(dir, F_OK) < 0)
		return 0;
	fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!fts)
		return err_set(err, errno, "cannot list %s", dir);
	for (FTSENT *e; r == 0 && (e = fts_read(fts));) {
		if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS)
			r = err_set(err, e->fts_errno, "cannot read %s", e->fts_path);
		else if (e->fts_info == FTS_F)
			r = act(e, arg, err);
	}
	(void)fts_close(fts);
	return r;
}

static int allow_exec(const FTSENT *e, const void *pattern, struct err *err)
{
	if (fnmatch(pattern, e->fts_name, 0) != 0)
		return 0;
	return chmod(e->fts_path, (e->fts_statp->st_mode & 0777) | 0111) < 0 ?
		       err_set(err, errno, "cannot make %s executable", e->fts_path) :
		       0;
}

static int write_copy(const char *from, const char *to, mode_t mode, struct err *err)
{
	cleanup_free char *data = NULL;
	size_t len;
	int r = file_read(from, 1 << 20, &data, &len, err);

	if (r < 0)
		return r;
	/* Not truncated: a `go` doing the same now writes the same bytes. */
	cleanup_close int fd = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && size_of(from) == size_of(to))
		return 0;
	if (fd < 0)
		return err_set(err, errno, "cannot write %s", to);
	if (write(fd, data, len) != (ssize_t)len)
		return err_set(err, errno ? errno : ENOSPC, "cannot write %s", to);
	(void)fchmod(fd, mode);
	return 0;
}

static int copy_go_mod(const char *from, const char *to, struct err *err)
{
	cleanup_free char *dir = strf("%.*s", (int)(strrchr(from, '/') - from), from);
	struct stat file, folder;

	if (size_of(from) == size_of(to))
		return 0;
	if (stat(from, &file) < 0 || stat(dir, &folder) < 0)
		return err_set(err, errno, "cannot read %s", from);
	if (chmod(dir, (folder.st_mode & 0777) | 0700) < 0)
		return err_set(err, errno, "cannot make %s writable", dir);
	int r = write_copy(from, to, file.st_mode & 0777, err);
	(void)chmod(dir, folder.st_mode & 0777);
	return r;
}

static int copy_if_go_mod(const FTSENT *e, const void *last, struct err *err)
{
	cleanup_free char *to = NULL;

	if (strcmp(e->fts_name, "_go.mod") != 0 || !strcmp(e->fts_path, last))
		return 0;
	to = strf("%.*sgo.mod", (int)(strlen(e->fts_path) - strlen("_go.mod")), e->fts_path);
	return copy_go_mod(e->fts_path, to, err);
}

int toolchain_files_make_ready(const char *goroot, struct err *err)
{
	cleanup_free char *go = strf("%s/bin/go", goroot), *bin = strf("%s/bin", goroot), *gofmt = strf("%s/bin/gofmt", goroot);
	cleanup_free char *tools = strf("%s/pkg/tool", goroot), *lib = strf("%s/lib", goroot);
	cleanup_free char *from = strf("%s/src/_go.mod", goroot), *to = strf("%s/src/go.mod", goroot);
	int r = 0;

	/* bin/go last: its exec bit tells every other `go` that the bits are set, src/go.mod that the go.mod files are. */
	if (!executable(go)) {
		r = each_file(tools, allow_exec, "*", err);
		if (r == 0)
			r = each_file(lib, allow_exec, "go_?*_?*_exec", err);
		if (r == 0)
			r = each_file(gofmt, allow_exec, "*", err);
		if (r == 0)
			r = each_file(bin, allow_exec, "*", err);
	}
	if (r == 0 && size_of(from) != size_of(to)) {
		r = each_file(goroot, copy_if_go_mod, from, err);
		if (r == 0)
			r = copy_go_mod(from, to, err);
	}
	if (r < 0) {
		(void)err_wrap(err, "the toolchain is here but cannot be made usable");
		return err_hint(err, "who owns %s must do it: run `memtide go fetch` as that user", goroot);
	}
	return 0;
}
