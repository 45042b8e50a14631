/* SPDX-License-Identifier: Apache-2.0 */
#include "build/program.h"

#include <errno.h>
#include <fts.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "build/build_version.h"
#include "build/source.h"
#include "build/toolchain_files.h"
#include "build/user_go.h"

#define BUILD_FORMAT	 "memtide-build/1"
#define BUILD_TIMEOUT_NS (15 * 60 * NS_PER_S)
#define OUTPUT_SHOWN	 (16 * 1024)
#define MOD_FILE_MAX	 (8UL << 20)

/* One build under way. */
struct job {
	const struct program *program;
	const struct toolchain *toolchain;
	const char *asked_line; /* the go_line axis; NULL: default */
	const char *home;
	char *go_line; /* owned; NULL: a module whose go.mod has none */
	struct strv flags, env;
	char *cache; /* owned: cache_folder() */
	char *entry; /* owned: CACHE/bin/<key> */
	char *stage; /* owned; removed in the end; NULL until made */
};

static void job_done(struct job *j)
{
	if (j->stage)
		(void)folder_remove(j->stage, NULL);
	free(j->go_line);
	free(j->cache);
	free(j->entry);
	free(j->stage);
	strv_done(&j->flags);
	strv_done(&j->env);
}

/* --- what goes into it --- */

static int choose_line(struct job *j, struct err *err)
{
	cleanup_free char *root = NULL, *path = NULL, *text = NULL;

	if (j->asked_line) {
		j->go_line = xstrdup(j->asked_line);
		return 0;
	}
	if (j->program->kind == PROGRAM_BUNDLED) {
		/* Two components: three break releases up to 1.20. */
		j->go_line = strf("1.%d", j->toolchain->version.minor);
		return 0;
	}
	int r = module_root(j->program->dir, &root, err);
	if (r < 0)
		return r;
	path = strf("%s/go.mod", root);
	r = file_read(path, MOD_FILE_MAX, &text, NULL, err);
	if (r == 0)
		j->go_line = go_mod_line(text);
	return r;
}

static void choose_flags(struct job *j)
{
	int minor = j->toolchain->version.minor;

	if (minor >= 13)
		strv_push(&j->flags, "-trimpath");
	if (minor >= 18)
		strv_push(&j->flags, "-buildvcs=false");
}

/* A module may need others: they come through the user's own proxy settings, which GOENV=off would hide. */
static void add_module_settings(struct job *j)
{
	static const char *const names[] = { "GOPROXY",	 "GOSUMDB",    "GONOSUMDB", "GONOPROXY", "GOPRIVATE",
					     "GOINSECURE", "GOVCS", "GOAUTH", "GOPATH",    "GOMODCACHE", NULL };
	cleanup_free char *go = user_go_installed();
	cleanup_strv struct strv values = STRV_INIT;

	if (!go || user_go_env(go, names, &values, NULL) < 0)
		return;
	for (size_t i = 0; i < values.n; i++) {
		cleanup_free char *before = strf("%s=", names[i]);

		/* The first of two counts in Go: what toolchain_env() passed on already came from the environment itself. */
		bool there = false;
		for (size_t k = 0; k < j->env.n; k++)
			there = there || !strncmp(j->env.v[k], before, strlen(before));
		if (!there && *values.v[i])
			strv_pushf(&j->env, "%s%s", before, values.v[i]);
	}
}

static void choose_env(struct job *j)
{
	toolchain_env(j->toolchain, &j->env);
	strv_push(&j->env, "GO111MODULE=on");
	strv_pushf(&j->env, "CGO_ENABLED=%d", j->program->cgo ? 1 : 0);
	/* Go 1.11 cannot read the DWARF 5 that compilers of today write. */
	if (j->program->cgo)
		strv_push(&j->env, "CGO_CFLAGS=-g -O2 -gdwarf-4");
	if (j->program->kind == PROGRAM_BUNDLED)
		strv_push(&j->env, "GOPROXY=off");
	else
		add_module_settings(j);
}

/* --- the key --- */

static int add_times(const char *dir, struct strv *ret, struct err *err)
{
	char *roots[] = { (char *)dir, NULL };
	FTS *fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);

	if (!fts)
		return err_set(err, errno, "cannot list %s", dir);
	for (FTSENT *e; (e = fts_read(fts));)
		if (e->fts_info == FTS_F)
			strv_pushf(ret, "%s %lld %lld.%09ld", e->fts_path, (long long)e->fts_statp->st_size,
				   (long long)e->fts_statp->st_mtim.tv_sec, e->fts_statp->st_mtim.tv_nsec);
	(void)fts_close(fts);
	strv_sort(ret);
	return 0;
}

/* The archive in GOMODCACHE was checked and is read-only: its version says all. Any other tree may be somebody's work, whose
 * runtime changes while its version stays: there, sizes and times of the runtime's sources and of the tools count too. */
static int add_toolchain(const struct job *j, struct strv *ret, struct err *err)
{
	static const char *const parts[] = { "bin", "pkg/tool", "src/runtime", "src/internal" };
	const char *goroot = j->toolchain->goroot;
	int r = 0;

	strv_pushf(ret, "toolchain %s linux-%s", j->toolchain->version_text, host_goarch());
	if (goroot_in_modcache(goroot))
		return 0;
	for (size_t i = 0; r == 0 && i < sizeof(parts) / sizeof(*parts); i++) {
		cleanup_free char *dir = strf("%s/%s", goroot, parts[i]);
		cleanup_strv struct strv times = STRV_INIT;
		char sum[65];

		if (!folder_exists(dir))
			continue;
		r = add_times(dir, &times, err);
		cleanup_free char *all = strv_join(&times, "\n");
		sha256_hex(all, strlen(all), sum);
		strv_pushf(ret, "tree %s %s", sum, parts[i]);
	}
	return r;
}

static int choose_entry(struct job *j, struct err *err)
{
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_free char *flags = strv_join(&j->flags, " ");
	char key[65];

	strv_push(&parts, BUILD_FORMAT);
	strv_pushf(&parts, "line %s", j->asked_line || j->program->kind == PROGRAM_BUNDLED ? j->go_line : "-");
	strv_pushf(&parts, "cgo %d flags %s", j->program->cgo, flags);
	strv_pushf(&parts, "package %s", j->program->package ? j->program->package : "");
	int r = add_toolchain(j, &parts, err);
	if (r == 0)
		r = program_digest(j->program, j->home, &parts, err);
	if (r < 0)
		return r;
	cleanup_free char *all = strv_join(&parts, "\n");
	sha256_hex(all, strlen(all), key);
	j->entry = strf("%s/bin/%s", j->cache, key);
	return 0;
}

/* --- the cache --- */

static json_t *entry_json(const struct job *j, const char *sha256, const char *version, const char *default_godebug)
{
	json_t *flags = json_array();

	for (size_t i = 0; i < j->flags.n; i++)
		json_array_append_new(flags, json_string(j->flags.v[i]));
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:s?, s:b, s:o}", "format", BUILD_FORMAT, "program", j->program->name, "sha256", sha256,
			 "go_version", version, "go_line", j->go_line, "default_godebug", default_godebug, "cgo", j->program->cgo, "flags",
			 flags);
}

/* What the cache has; false where it has nothing, or something damaged. ret: NULL just to know. */
static bool use_entry(const struct job *j, struct build *ret)
{
	cleanup_free char *binary = strf("%s/program", j->entry), *info = strf("%s/build.json", j->entry);
	cleanup_json json_t *json = NULL;
	const char *expected, *godebug = NULL;
	char sum[65];

	if (json_open(info, BUILD_FORMAT, &json, NULL) < 0 || access(binary, X_OK) < 0 || sha256_file(binary, sum, NULL) < 0)
		return false;
	expected = json_string_value(json_object_get(json, "sha256"));
	if (!expected || strcmp(sum, expected) != 0)
		return false;
	if (!ret)
		return true;
	godebug = json_string_value(json_object_get(json, "default_godebug"));
	*ret = (struct build){
		.binary = TAKE(binary),
		.go_line = j->go_line ? xstrdup(j->go_line) : NULL,
		.default_godebug = godebug ? xstrdup(godebug) : NULL,
		.cached = true,
	};
	memcpy(ret->sha256, sum, sizeof(sum));
	for (size_t i = 0; i < j->flags.n; i++)
		strv_push(&ret->flags, j->flags.v[i]);
	return true;
}

/* Puts the finished folder in its place. Another memtide may have been faster: then its entry is as good. */
static int enter(const struct job *j, const char *made, struct err *err)
{
	cleanup_free char *bin = strf("%s/bin", j->cache), *aside = strf("%s/damaged", j->stage);
	int r = folder_make(bin, err);

	for (int attempt = 0; r == 0 && attempt < 3; attempt++) {
		if (rename(made, j->entry) == 0)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return err_set(err, errno, "cannot move the built program to %s", j->entry);
		if (use_entry(j, NULL))
			return 0;
		(void)rename(j->entry, aside);
		r = folder_remove(aside, err);
	}
	return r < 0 ? r : err_set(err, EBUSY, "cannot replace the damaged %s", j->entry);
}

/* Stage folders of processes that were killed. */
static void sweep_stages(const char *cache)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (folder_list(cache, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *path = strf("%s/%s", cache, names.v[i]);
		int pid = strncmp(names.v[i], "stage.", 6) ? 0 : atoi(names.v[i] + 6);

		if (pid > 0 && kill(pid, 0) < 0 && errno == ESRCH)
			(void)folder_remove(path, NULL);
	}
}

static int make_stage(struct job *j, struct err *err)
{
	static unsigned n;

	sweep_stages(j->cache);
	j->stage = strf("%s/stage.%d.%u", j->cache, (int)getpid(), n++);
	cleanup_free char *made = strf("%s/made", j->stage);
	return folder_make(made, err);
}

/* --- building --- */

static int build_failed(const struct job *j, const struct subprocess_result *result, struct err *err)
{
	const char *out = *result->log ? result->log : *result->out ? result->out : "(it printed nothing)\n";
	size_t len = strlen(out), skip = len > OUTPUT_SHOWN ? len - OUTPUT_SHOWN : 0;

	while (len > skip && out[len - 1] == '\n')
		len--;
	/* "# package" stands above what is wrong in it, and many show the first line only. */
	if (!skip && *out == '#' && memchr(out, '\n', len))
		skip = (size_t)((const char *)memchr(out, '\n', len) - out) + 1;
	return err_set(err, 0, "%s could not build the program %s (exit code %d):\n%s%.*s", j->toolchain->version_text, j->program->name,
		       result->exit_code, skip && len > OUTPUT_SHOWN ? "...\n" : "", (int)(len - skip), out + skip);
}

/* The -modfile with another go line, beside it the go.sum that belongs to it. */
static int stage_mod_file(struct job *j, struct strv *argv, struct err *err)
{
	cleanup_free char *root = NULL, *from = NULL, *sum = NULL, *text = NULL, *changed = NULL;
	cleanup_free char *to = strf("%s/go.mod", j->stage), *to_sum = strf("%s/go.sum", j->stage);

	if (j->toolchain->version.minor < 14)
		return err_usage(err, "%s cannot build %s with the go line %s: -modfile came with Go 1.14", j->toolchain->version_text,
				 j->program->name, j->asked_line);
	int r = module_root(j->program->dir, &root, err);
	if (r < 0)
		return r;
	from = strf("%s/go.mod", root);
	sum = strf("%s/go.sum", root);
	r = file_read(from, MOD_FILE_MAX, &text, NULL, err);
	if (r == 0) {
		changed = go_mod_with_line(text, j->asked_line);
		r = file_write(to, changed, strlen(changed), err);
	}
	if (r == 0 && file_exists(sum))
		r = file_copy(sum, to_sum, 0644, err);
	strv_pushf(argv, "-modfile=%s", to);
	return r;
}

/* Releases up to 1.15 write go.mod and go.sum as they build: what they add to the user's files is taken back. */
struct kept_file {
	char *path, *text; /* owned; text NULL: there was no such file */
};

static void keep_file(const struct job *j, const char *name, struct kept_file *ret)
{
	cleanup_free char *root = NULL;

	if (j->program->kind != PROGRAM_MODULE || j->toolchain->version.minor > 15 || module_root(j->program->dir, &root, NULL) < 0)
		return;
	ret->path = strf("%s/%s", root, name);
	(void)file_read(ret->path, MOD_FILE_MAX, &ret->text, NULL, NULL);
}

static void restore_file(struct kept_file *k)
{
	cleanup_free char *now = NULL;

	if (k->path && file_read(k->path, MOD_FILE_MAX, &now, NULL, NULL) == 0) {
		if (!k->text)
			(void)unlink(k->path);
		else if (strcmp(now, k->text) != 0)
			(void)file_write(k->path, k->text, strlen(k->text), NULL);
	}
	free(k->path);
	free(k->text);
}

static int run_build(struct job *j, const char *out, struct err *err)
{
	cleanup_strv struct strv argv = STRV_INIT;
	cleanup_free char *src = strf("%s/src", j->stage), *package = NULL;
	cleanup_subprocess struct subprocess_result result = { 0 };
	bool bundled = j->program->kind == PROGRAM_BUNDLED;
	int r = 0;

	strv_pushf(&argv, "%s/bin/go", j->toolchain->goroot);
	strv_push(&argv, "build");
	for (size_t i = 0; i < j->flags.n; i++)
		strv_push(&argv, j->flags.v[i]);
	if (bundled)
		r = program_stage(j->program, j->home, j->go_line, src, err);
	else if (j->asked_line)
		r = stage_mod_file(j, &argv, err);
	if (r < 0)
		return r;
	package = bundled ? strf("./%s", j->program->name) : xstrdup(j->program->package ? j->program->package : ".");
	strv_push(&argv, "-o");
	strv_push(&argv, out);
	strv_push(&argv, package);

	struct subprocess s = {
		.argv = (const char *const *)argv.v,
		.envp = (const char *const *)j->env.v,
		.cwd = bundled ? src : j->program->dir,
		.timeout_ns = BUILD_TIMEOUT_NS,
	};
	struct kept_file go_mod __attribute__((cleanup(restore_file))) = { 0 };
	struct kept_file go_sum __attribute__((cleanup(restore_file))) = { 0 };

	keep_file(j, "go.mod", &go_mod);
	keep_file(j, "go.sum", &go_sum);
	r = subprocess_run(&s, &result, err);
	if (r < 0)
		return err_wrap(err, "%s could not build the program %s", j->toolchain->version_text, j->program->name);
	return result.exit_code == 0 ? 0 : build_failed(j, &result, err);
}

/* The proof: what was built says which release built it. */
static int prove(const struct job *j, const char *out, struct build_info *ret, struct err *err)
{
	int r = build_info_read(out, ret, err);

	if (r < 0) {
		/* The words about a path in the stage would help nobody: it is gone when they are read. */
		(void)err_set(err, 0, "%s built %s, but what came out is no program that tells its Go release", j->toolchain->version_text,
			      j->program->name);
		return err_hint(err, "package %s must be a main package, and not stripped before Go 1.13",
				j->program->package ? j->program->package : ".");
	}
	if (version_text_equal(ret->version, j->toolchain->version_text))
		return 0;
	r = err_set(err, 0, "%s was to be built by %s, but the binary says it was built by %s: it is not used", j->program->name,
		    j->toolchain->version_text, ret->version);
	build_info_done(ret);
	return r;
}

static int build_entry(struct job *j, struct err *err)
{
	cleanup_free char *made = strf("%s/made", j->stage), *out = strf("%s/program", made), *info = strf("%s/build.json", made);
	cleanup_free char *godebug = NULL;
	cleanup_json json_t *json = NULL;
	struct build_info b;
	char sum[65];

	int r = run_build(j, out, err);
	if (r == 0)
		r = prove(j, out, &b, err);
	if (r < 0)
		return r;
	godebug = build_info_setting(&b, "DefaultGODEBUG");
	r = sha256_file(out, sum, err);
	if (r == 0) {
		json = entry_json(j, sum, b.version, godebug);
		r = json_save(info, json, err);
	}
	build_info_done(&b);
	if (r == 0 && chmod(out, 0755) < 0)
		r = err_set(err, errno, "cannot make %s executable", out);
	return r == 0 ? enter(j, made, err) : r;
}

int program_build(const struct program *p, const struct toolchain *t, const char *go_line, const char *home, struct build *ret,
		  struct err *err)
{
	__attribute__((cleanup(job_done))) struct job j = { .program = p, .toolchain = t, .asked_line = go_line, .home = home };

	if (p->kind == PROGRAM_COMMAND)
		return err_set(err, EINVAL, "%s is a command, there is nothing to build", p->name);
	j.cache = cache_folder();
	int r = choose_line(&j, err);
	if (r < 0)
		return r;
	choose_flags(&j);
	choose_env(&j);
	r = choose_entry(&j, err);
	if (r < 0)
		return r;
	if (use_entry(&j, ret))
		return 0;
	r = make_stage(&j, err);
	if (r == 0)
		r = build_entry(&j, err);
	if (r < 0)
		return r;
	if (!use_entry(&j, ret))
		return err_set(err, 0, "the program just built is not in %s as it should be", j.entry);
	ret->cached = false;
	return 0;
}

void build_done(struct build *b)
{
	free(b->binary);
	free(b->go_line);
	free(b->default_godebug);
	strv_done(&b->flags);
	*b = (struct build){ 0 };
}
