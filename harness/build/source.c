/* SPDX-License-Identifier: Apache-2.0 */
#include "build/source.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"

#define HASHED_MAX (64L << 20)
#define GO_MOD_MAX (1U << 20)

/* --- files --- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Calls act for every regular file below dir (links to files are followed, links to folders are not), sorted. */
static int each_source(const char *dir, int (*act)(const char *path, const char *below, const struct stat *st, void *arg, struct err *err),
		       void *arg, struct err *err)
{
	char *roots[] = { (char *)dir, NULL };
	FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_COMFOLLOW, by_name);
	int r = 0;

	if (!fts)
		return err_set(err, errno, "cannot list %s", dir);
	for (FTSENT *e; r == 0 && (e = fts_read(fts));) {
		struct stat st;

		if (e->fts_info == FTS_D && !strcmp(e->fts_name, ".git"))
			(void)fts_set(fts, e, FTS_SKIP);
		else if (e->fts_info == FTS_ERR || e->fts_info == FTS_DNR || e->fts_info == FTS_NS)
			r = err_set(err, e->fts_errno, "cannot read %s", e->fts_path);
		else if ((e->fts_info == FTS_F || e->fts_info == FTS_SL) && stat(e->fts_path, &st) == 0 && S_ISREG(st.st_mode))
			r = act(e->fts_path, e->fts_path + strlen(dir), &st, arg, err);
	}
	(void)fts_close(fts);
	return r;
}

struct digest {
	const char *name;
	struct strv *ret;
};

static int digest_file(const char *path, const char *below, const struct stat *st, void *arg, struct err *err)
{
	const struct digest *d = arg;
	char sum[65];

	if (st->st_size > HASHED_MAX) {
		strv_pushf(d->ret, "size %lld time %lld.%09ld %s%s", (long long)st->st_size, (long long)st->st_mtim.tv_sec,
			   st->st_mtim.tv_nsec, d->name, below);
		return 0;
	}
	int r = sha256_file(path, sum, err);
	if (r == 0)
		strv_pushf(d->ret, "%s %s%s", sum, d->name, below);
	return r;
}

/* All below dir, paths beginning with name. */
static int digest_folder(const char *dir, const char *name, struct strv *ret, struct err *err)
{
	struct digest d = { name, ret };

	return each_source(dir, digest_file, &d, err);
}

static int copy_file(const char *path, const char *below, const struct stat *st, void *arg, struct err *err)
{
	cleanup_free char *to = strf("%s%s", (const char *)arg, below), *folder = xstrdup(to);

	(void)st;
	*strrchr(folder, '/') = 0;
	int r = folder_make(folder, err);
	return r < 0 ? r : file_copy(path, to, 0644, err);
}

/* --- a bundled program --- */

int program_stage(const struct program *p, const char *home, const char *go_line, const char *dir, struct err *err)
{
	cleanup_free char *mark = strf("%s/goprogs/mark", home), *go_mod = strf("%s/go.mod", dir);
	cleanup_free char *to_mark = strf("%s/mark", dir), *to = strf("%s/%s", dir, p->name);
	cleanup_free char *text = strf("module memtide.dev/goprogs\n\ngo %s\n", go_line);
	int r = folder_make(to, err);

	if (r == 0)
		r = file_write(go_mod, text, strlen(text), err);
	if (r == 0)
		r = each_source(p->dir, copy_file, to, err);
	if (r == 0 && folder_exists(mark))
		r = each_source(mark, copy_file, to_mark, err);
	return r;
}

static int bundled_digest(const struct program *p, const char *home, struct strv *ret, struct err *err)
{
	cleanup_free char *mark = strf("%s/goprogs/mark", home);
	int r = digest_folder(p->dir, p->name, ret, err);

	if (r == 0 && folder_exists(mark))
		r = digest_folder(mark, "mark", ret, err);
	return r;
}

/* --- a module of the user's --- */

int module_root(const char *dir, char **ret, struct err *err)
{
	cleanup_free char *at = realpath(dir, NULL);

	if (!at)
		return err_usage(err, "there is no folder %s", dir);
	for (;;) {
		cleanup_free char *go_mod = strf("%s/go.mod", at);
		char *slash = strrchr(at, '/');

		if (file_exists(go_mod)) {
			*ret = TAKE(at);
			return 0;
		}
		if (!slash || !at[1])
			break;
		slash[slash == at] = 0;
	}
	(void)err_usage(err, "%s is in no Go module: there is no go.mod in it or above it", dir);
	return err_hint(err, "`go mod init NAME` in that folder makes one");
}

/* The words of the next line, comments left out; false at the end. */
static bool next_line(const char **text, struct strv *ret)
{
	cleanup_free char *line = NULL;
	size_t len = strcspn(*text, "\n");

	strv_done(ret);
	if (!**text)
		return false;
	line = strf("%.*s", (int)len, *text);
	char *comment = strstr(line, "//");
	/* "https://" is no comment, and neither is it found in a go.mod; "replace a => ../b // why" is the case. */
	if (comment && (comment == line || comment[-1] == ' ' || comment[-1] == '\t'))
		*comment = 0;
	strv_split(ret, line, " \t\r\"`");
	*text += len + ((*text)[len] == '\n');
	return true;
}

char *go_mod_line(const char *text)
{
	cleanup_strv struct strv words = STRV_INIT;

	while (next_line(&text, &words))
		if (words.n >= 2 && !strcmp(words.v[0], "go"))
			return xstrdup(words.v[1]);
	return NULL;
}

char *go_mod_with_line(const char *text, const char *go_line)
{
	cleanup_strv struct strv words = STRV_INIT, kept = STRV_INIT;
	const char *start = text;

	for (; next_line(&text, &words); start = text) {
		bool replaced = words.n >= 2 && (!strcmp(words.v[0], "go") || !strcmp(words.v[0], "toolchain"));

		if (!replaced)
			strv_pushf(&kept, "%.*s", (int)strcspn(start, "\n"), start);
	}
	strv_pushf(&kept, "\ngo %s\n", go_line);
	return strv_join(&kept, "\n");
}

/* Local folders on the right of replace directives, as written. */
static void local_replacements(const char *text, struct strv *ret)
{
	cleanup_strv struct strv words = STRV_INIT;

	while (next_line(&text, &words))
		for (size_t i = 0; i + 1 < words.n; i++)
			if (!strcmp(words.v[i], "=>") && (words.v[i + 1][0] == '.' || words.v[i + 1][0] == '/'))
				strv_push(ret, words.v[i + 1]);
}

static int module_digest(const struct program *p, struct strv *ret, struct err *err)
{
	cleanup_free char *root = NULL, *go_mod = NULL, *text = NULL;
	cleanup_strv struct strv replacements = STRV_INIT;
	int r = module_root(p->dir, &root, err);

	if (r < 0)
		return r;
	go_mod = strf("%s/go.mod", root);
	r = file_read(go_mod, GO_MOD_MAX, &text, NULL, err);
	if (r == 0)
		r = digest_folder(root, "", ret, err);
	if (r < 0)
		return r;
	local_replacements(text, &replacements);
	for (size_t i = 0; r == 0 && i < replacements.n; i++) {
		const char *to = replacements.v[i];
		cleanup_free char *dir = to[0] == '/' ? xstrdup(to) : strf("%s/%s", root, to);

		r = digest_folder(dir, to, ret, err);
	}
	/* Which package of the module is meant, and from where. */
	strv_pushf(ret, "package %s of %s", p->package, p->dir);
	return r;
}

int program_digest(const struct program *p, const char *home, struct strv *ret, struct err *err)
{
	return p->kind == PROGRAM_BUNDLED ? bundled_digest(p, home, ret, err) : module_digest(p, ret, err);
}
