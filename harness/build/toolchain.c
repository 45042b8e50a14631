/* SPDX-License-Identifier: Apache-2.0 */
#include "build/toolchain.h"

#include <errno.h>
#include <elf.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "build/program.h"
#include "build/toolchain_files.h"
#include "build/user_go.h"

/* --- one tree --- */

/* The first line of VERSION, "go1.21.13" (a second line, the time, came with 1.21). Caller frees; NULL: no such file. */
static char *version_file_line(const char *goroot)
{
	cleanup_free char *path = strf("%s/VERSION", goroot), *text = NULL;

	if (file_read(path, 4096, &text, NULL, NULL) < 0)
		return NULL;
	text[strcspn(text, "\r\n")] = 0;
	for (size_t n = strlen(text); n > 0 && text[n - 1] == ' ';)
		text[--n] = 0;
	return *text ? TAKE(text) : NULL;
}

int version_text_parse(const char *text, struct go_version *ret)
{
	bool devel = !strncmp(text, "devel ", 6);
	const char *start = text + (devel ? 6 : 0);
	size_t n = strcspn(start, "- +");
	cleanup_free char *number = strf("%.*s", (int)n, start);
	struct go_version v;

	/* "go1.25.1-X:nogreenteagc" is a release with an experiment, "go1.27-devel_1234abcd" is none. */
	devel |= start[n] == '-' && strncmp(start + n, "-X:", 3) != 0;
	if (strncmp(number, "go", 2) != 0 || go_version_parse(number, &v, NULL) < 0)
		return -EINVAL;
	if (devel)
		(void)snprintf(v.pre, sizeof(v.pre), "devel");
	*ret = v;
	return 0;
}

/* Up to the experiments: "go1.22.1 X:arenas", "go1.26.1-X:arenas" -> "go1.22.1", "go1.26.1". */
static size_t plain_length(const char *version)
{
	const char *x = strstr(version, "X:");

	return x && x > version && (x[-1] == ' ' || x[-1] == '-') ? (size_t)(x - version) - 1 : strlen(version);
}

bool version_text_equal(const char *a, const char *b)
{
	size_t n = plain_length(a);

	return n == plain_length(b) && !strncmp(a, b, n);
}

/* Whether the file is an executable for this machine, by its first bytes: nothing is run. */
static bool runs_here(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	static const uint16_t machine =
#if defined(__aarch64__)
		EM_AARCH64;
#else
		EM_X86_64;
#endif
	Elf64_Ehdr eh;

	if (fd < 0 || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 || read(fd, &eh, sizeof(eh)) != sizeof(eh))
		return false;
	return !memcmp(eh.e_ident, ELFMAG, SELFMAG) && eh.e_ident[EI_CLASS] == ELFCLASS64 && eh.e_machine == machine;
}

static int check_commands(const char *goroot, struct err *err)
{
	static const char *const tools[] = { "compile", "link", "asm" };
	cleanup_free char *go = strf("%s/bin/go", goroot);

	if (!file_exists(go))
		return err_set(err, 0, "%s is no Go tree: it has no bin/go (in a tree of sources, src/make.bash builds it)", goroot);
	if (!runs_here(go))
		return err_set(err, 0, "the Go tree %s does not work: bin/go is no executable for this machine (linux-%s)", goroot,
			       host_goarch());
	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++) {
		cleanup_free char *tool = strf("%s/pkg/tool/linux_%s/%s", goroot, host_goarch(), tools[i]);

		if (!runs_here(tool))
			return err_set(err, 0, "the Go tree %s does not work: %s is missing or no executable for this machine", goroot, tool);
	}
	return 0;
}

/* VERSION says what the tree claims to be, the go command what it is; both must agree. Caller frees. */
static char *tree_version(const char *goroot, struct err *err)
{
	cleanup_free char *claimed = version_file_line(goroot), *embedded = NULL, *go = strf("%s/bin/go", goroot);

	if (build_version_read(go, &embedded, NULL) < 0) {
		struct go_version v;

		/* Up to 1.12 a stripped binary does not tell; the proof that counts is in what it builds (program.h). */
		if (claimed && version_text_parse(claimed, &v) == 0 && v.minor < 13)
			return TAKE(claimed);
		(void)err_set(err, 0, "the Go tree %s does not work: its go command does not tell which release it is", goroot);
		return NULL;
	}
	if (claimed && !version_text_equal(claimed, embedded)) {
		(void)err_set(err, 0, "the Go tree %s does not work: its VERSION file says %s, its go command is %s", goroot, claimed,
			      embedded);
		return NULL;
	}
	return TAKE(embedded);
}

static int open_tree(const char *goroot, const char *found_in, struct toolchain *ret, struct err *err)
{
	cleanup_free char *real = realpath(goroot, NULL), *text = NULL;
	struct go_version v;

	if (!real)
		return err_set(err, errno, "cannot open the Go tree %s", goroot);
	int r = check_commands(real, err);
	if (r < 0)
		return r;
	text = tree_version(real, err);
	if (!text)
		return -EIO;
	if (version_text_parse(text, &v) < 0)
		return err_set(err, 0, "%s is no Go release known: it calls itself '%s'", goroot, text);
	if (v.minor < RELEASE_OLDEST_MINOR)
		return err_usage(err, "%s is %s: the oldest release that memtide runs is 1.%d", goroot, text, RELEASE_OLDEST_MINOR);
	*ret = (struct toolchain){ v, TAKE(text), TAKE(real), xstrdup(found_in) };
	return 0;
}

int toolchain_open(const char *goroot, struct toolchain *ret, struct err *err)
{
	return open_tree(goroot, goroot_in_modcache(goroot) ? "GOMODCACHE" : goroot, ret, err);
}

void toolchain_done(struct toolchain *t)
{
	free(t->version_text);
	free(t->goroot);
	free(t->found_in);
	*t = (struct toolchain){ 0 };
}

bool goroot_in_modcache(const char *goroot)
{
	return strstr(goroot, "/golang.org/toolchain@v0.0.1-go") != NULL;
}

/* --- all of them --- */

struct search {
	struct toolchains *found;
	struct strv *broken; /* may be NULL */
	struct strv seen;    /* real paths, so that a tree found twice is told once */
};

static void insert(struct toolchains *l, struct toolchain *t)
{
	size_t i = l->n;

	while (i > 0 && go_version_compare(&l->v[i - 1].version, &t->version) > 0)
		i--;
	if (i > 0 && go_version_compare(&l->v[i - 1].version, &t->version) == 0) {
		toolchain_done(t);
		return;
	}
	l->v = xreallocarray(l->v, l->n + 1, sizeof(*l->v));
	memmove(l->v + i + 1, l->v + i, (l->n - i) * sizeof(*l->v));
	l->v[i] = *t;
	l->n++;
}

static void consider(struct search *s, const char *goroot, const char *found_in)
{
	cleanup_free char *real = realpath(goroot, NULL);
	struct err cleanup_err err = ERR_INIT;
	struct toolchain t;

	if (!real || strv_contains(&s->seen, real))
		return;
	strv_push(&s->seen, real);
	if (open_tree(real, found_in, &t, &err) == 0)
		insert(s->found, &t);
	else if (s->broken && err.exit_code != EXIT_USAGE)
		strv_push(s->broken, err_text(&err));
}

/* A command's own `go env GOROOT`: for `go` itself, and for the golang.org/dl wrappers go1.N.P, which run ~/sdk/go1.N.P. */
static void consider_command(struct search *s, const char *command)
{
	static const char *const names[] = { "GOROOT", NULL };
	cleanup_strv struct strv value = STRV_INIT;
	struct err cleanup_err err = ERR_INIT;

	if (user_go_env(command, names, &value, &err) == 0 && value.v[0][0] == '/')
		consider(s, value.v[0], "PATH");
	else if (s->broken)
		strv_pushf(s->broken, "%s in PATH does not work: %s", command, err.msg ? err.msg : "it tells no GOROOT");
}

static bool release_name(const char *name)
{
	struct go_version v;

	return !strncmp(name, "go1.", 4) && go_version_parse(name, &v, NULL) == 0 && v.minor >= RELEASE_OLDEST_MINOR;
}

static void search_path(struct search *s, const char *go)
{
	const char *path = getenv("PATH");
	cleanup_strv struct strv dirs = STRV_INIT;

	if (go)
		consider_command(s, go);
	strv_split(&dirs, path ? path : "", ":");
	for (size_t i = 0; i < dirs.n; i++) {
		cleanup_strv struct strv names = STRV_INIT;

		if (dirs.v[i][0] != '/' || folder_list(dirs.v[i], &names, NULL) < 0)
			continue;
		for (size_t k = 0; k < names.n; k++) {
			cleanup_free char *file = strf("%s/%s", dirs.v[i], names.v[k]);

			if (release_name(names.v[k]) && file_exists(file) && access(file, X_OK) == 0)
				consider_command(s, file);
		}
	}
}

/* Every DIR/PREFIX* that is a Go tree. */
static void search_folder(struct search *s, const char *dir, const char *prefix, const char *found_in)
{
	cleanup_strv struct strv names = STRV_INIT;

	if (folder_list(dir, &names, NULL) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *goroot = strf("%s/%s", dir, names.v[i]), *go = strf("%s/bin/go", goroot);

		if (strncmp(names.v[i], prefix, strlen(prefix)) != 0 || !file_exists(go))
			continue;
		/* Fetched but never made executable is not broken: toolchain_fetch() completes it. */
		if (!goroot_in_modcache(goroot) || toolchain_files_ready(goroot))
			consider(s, goroot, found_in);
	}
}

int toolchains_find(struct toolchains *ret, struct strv *ret_broken, struct err *err)
{
	cleanup_free char *go = path_find("go"), *any_go = go ? xstrdup(go) : user_go_installed();
	cleanup_free char *modcache = user_go_modcache(any_go), *modules = strf("%s/golang.org", modcache);
	const char *home = getenv("HOME");
	cleanup_free char *sdk = strf("%s/sdk", home ? home : "");
	struct toolchains found = { 0 };
	struct search s = { .found = &found, .broken = ret_broken };

	(void)err; /* nothing that is missing is an error */
	search_path(&s, go);
	if (home)
		search_folder(&s, sdk, "go1.", "~/sdk");
	search_folder(&s, modules, "toolchain@v0.0.1-go1.", "GOMODCACHE");
	search_folder(&s, "/usr/lib", "go-1.", "/usr/lib");
	if (file_exists("/usr/local/go/bin/go"))
		consider(&s, "/usr/local/go", "/usr/local/go");
	strv_done(&s.seen);
	*ret = found;
	return 0;
}

void toolchains_done(struct toolchains *t)
{
	for (size_t i = 0; i < t->n; i++)
		toolchain_done(&t->v[i]);
	free(t->v);
	*t = (struct toolchains){ 0 };
}

/* --- running one --- */

void toolchain_env(const struct toolchain *t, struct strv *ret_env)
{
	static const char *const passed[] = {
		"PATH",	      "HOME",	     "TMPDIR",	 "GOPATH",   "GOMODCACHE", "LANG",	"LC_ALL",	 "SSH_AUTH_SOCK", "SSL_CERT_FILE",
		"SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",	 "http_proxy", "https_proxy", "no_proxy",	  "all_proxy",
	};
	cleanup_free char *cache = cache_folder();

	(void)t; /* bin/go finds its own GOROOT; one set in the environment would only hide a moved tree */
	for (size_t i = 0; i < sizeof(passed) / sizeof(*passed); i++) {
		const char *value = getenv(passed[i]);

		if (value)
			strv_pushf(ret_env, "%s=%s", passed[i], value);
	}
	strv_pushf(ret_env, "GOCACHE=%s/go-build", cache);
	strv_push(ret_env, "GOENV=off");
	strv_push(ret_env, "GOTOOLCHAIN=local");
	strv_push(ret_env, "GOWORK=off");
	strv_push(ret_env, "GOFLAGS=");
}
