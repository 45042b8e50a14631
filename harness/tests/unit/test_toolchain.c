/* SPDX-License-Identifier: Apache-2.0
 *
 * Finding toolchains, the catalogue, and fetching: with made-up trees and a made-up `go`, and what this machine has.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "build/fetch.h"
#include "build/toolchain.h"
#include "build/toolchain_files.h"
#include "build/user_go.h"

static char dir[] = "/tmp/memtide-test.XXXXXX";
static struct toolchains real; /* of this machine, found before the environment is made up */

static void put(const char *below, const char *text, mode_t mode)
{
	cleanup_free char *path = strf("%s/%s", dir, below), *folder = xstrdup(path);

	*strrchr(folder, '/') = 0;
	assert_int_equal(folder_make(folder, NULL), 0);
	assert_int_equal(file_write(path, text, strlen(text), NULL), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static mode_t mode_of(const char *below)
{
	cleanup_free char *path = strf("%s/%s", dir, below);
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 0777 : 0;
}

/* From here on, this process sees no Go but what the test puts into DIR/path, DIR/home and DIR/modcache (and /usr). */
static int make_dir(void **state)
{
	(void)state;
	(void)toolchains_find(&real, NULL, NULL);
	if (!mkdtemp(dir))
		return -1;
	cleanup_free char *home = strf("%s/home", dir), *path = strf("%s/path:/usr/bin:/bin", dir), *cache = strf("%s/cache", dir);
	cleanup_free char *modcache = strf("%s/modcache", dir);

	(void)setenv("HOME", home, 1);
	(void)setenv("PATH", path, 1);
	(void)setenv("XDG_CACHE_HOME", cache, 1);
	(void)setenv("GOMODCACHE", modcache, 1);
	return folder_make(home, NULL);
}

static int remove_dir(void **state)
{
	(void)state;
	toolchains_done(&real);
	return folder_remove(dir, NULL);
}

/* --- names --- */

static void test_version_text(void **state)
{
	struct go_version v;

	(void)state;
	assert_int_equal(version_text_parse("go1.21.13", &v), 0);
	assert_true(v.minor == 21 && v.patch == 13 && !*v.pre);
	assert_int_equal(version_text_parse("go1.27rc1", &v), 0);
	assert_true(v.minor == 27 && !strcmp(v.pre, "rc1"));
	assert_int_equal(version_text_parse("devel go1.28-1234abcd Mon Jan 5", &v), 0);
	assert_true(v.minor == 28 && !strcmp(v.pre, "devel"));
	assert_int_equal(version_text_parse("go1.28-devel_1234abcd Mon Jan 5", &v), 0);
	assert_true(v.minor == 28 && !strcmp(v.pre, "devel"));
	assert_int_equal(version_text_parse("go1.22.1 X:arenas", &v), 0);
	assert_true(v.minor == 22 && v.patch == 1 && !*v.pre);
	assert_int_equal(version_text_parse("go1.26.1-X:nogreenteagc", &v), 0);
	assert_true(v.minor == 26 && v.patch == 1 && !*v.pre);
	assert_true(version_text_parse("1.21.13", &v) < 0);
	assert_true(version_text_parse("devel +1234abcd", &v) < 0);
	assert_true(version_text_parse("", &v) < 0);

	assert_true(version_text_equal("go1.22.1", "go1.22.1"));
	assert_true(version_text_equal("go1.22.1", "go1.22.1 X:arenas"));
	assert_true(version_text_equal("go1.26.1-X:a,b", "go1.26.1"));
	assert_false(version_text_equal("go1.22.1", "go1.22.10"));
	assert_false(version_text_equal("go1.22.10", "go1.22.1"));
}

static void test_catalogue_versions(void **state)
{
	static const char list[] = "golang.org/toolchain v0.0.1-go1.10.8.linux-amd64 v0.0.1-go1.21.0.linux-amd64 v0.0.1-go1.21.0.linux-arm64 "
				   "v0.0.1-go1.21.1.darwin-amd64 v0.0.1-go1.26rc1.linux-amd64 v0.0.1-go.linux-amd64 v0.0.1-gox.linux-amd64 "
				   "v0.0.1-go1.20.linux-amd64\n";
	struct catalogue c = { 0 };
	char text[32];

	(void)state;
	assert_int_equal(catalogue_add_versions(&c, list, "amd64"), 3);
	assert_int_equal(c.n, 3);
	assert_string_equal(go_version_format(text, sizeof(text), &c.entries[0].version), "1.20");
	assert_string_equal(go_version_format(text, sizeof(text), &c.entries[1].version), "1.21.0");
	assert_string_equal(go_version_format(text, sizeof(text), &c.entries[2].version), "1.26rc1");
	assert_null(c.entries[0].goroot);
	catalogue_done(&c);
	assert_int_equal(catalogue_add_versions(&c, list, "riscv64"), 0);
}

/* --- was it checked? --- */

static void test_module_matches(void **state)
{
	(void)state;
	assert_true(module_matches("golang.org/toolchain", "golang.org/toolchain"));
	assert_true(module_matches("golang.org", "golang.org/toolchain"));
	assert_true(module_matches("*.corp.example,golang.org/*", "golang.org/toolchain"));
	assert_true(module_matches("*", "golang.org/toolchain"));
	assert_false(module_matches("", "golang.org/toolchain"));
	assert_false(module_matches("golang.org/toolchain/x", "golang.org/toolchain"));
	assert_false(module_matches("golang", "golang.org/toolchain"));
	assert_false(module_matches("*.example", "golang.org/toolchain"));
}

static void assert_checked(bool checked, int minor, const char *proxy, const char *sumdb, const char *nosumdb)
{
	cleanup_free char *why = why_unchecked(minor, proxy, sumdb, nosumdb);

	assert_int_equal(checked, why == NULL);
}

static void test_why_unchecked(void **state)
{
	(void)state;
	assert_checked(true, 26, "https://a,direct", "db", "");
	assert_checked(true, 19, "https://a,direct", "db", "example.com");
	assert_checked(false, 19, "https://a", "off", "");
	assert_checked(false, 19, "https://a", "db", "golang.org/*");
	assert_checked(false, 12, "", "", "");
	/* Since 1.21 neither setting is heeded for toolchains, a folder as proxy is. */
	assert_checked(true, 21, "https://a", "off", "*");
	assert_checked(false, 21, "file:///a", "db", "");
	assert_checked(true, 21, "file:///a,https://b", "db", "");
	assert_non_null(strstr(fetch_advice("lookup x: no such host"), "no network"));
	assert_non_null(strstr(fetch_advice("module lookup disabled by GOPROXY=off"), "GOPROXY=off"));
	assert_non_null(strstr(fetch_advice("verifying: checksum mismatch"), "do not use"));
	assert_non_null(fetch_advice("something never seen"));
}

/* --- files of an archive --- */

static void test_make_ready(void **state)
{
	cleanup_free char *goroot = strf("%s/archive", dir), *text = NULL, *copied = strf("%s/archive/src/go.mod", dir);

	(void)state;
	put("archive/bin/go", "x", 0444);
	put("archive/bin/gofmt", "x", 0444);
	put("archive/pkg/tool/linux_amd64/compile", "x", 0444);
	put("archive/pkg/include/textflag.h", "x", 0444);
	put("archive/lib/go_js_wasm_exec", "x", 0444);
	put("archive/lib/time/zoneinfo.zip", "x", 0444);
	put("archive/src/_go.mod", "module std\n", 0444);
	put("archive/src/cmd/_go.mod", "module cmd\n", 0444);
	for (const char *const *d = (const char *const[]){ "archive/src", "archive/src/cmd", "archive/bin", NULL }; *d; d++) {
		cleanup_free char *path = strf("%s/%s", dir, *d);
		assert_int_equal(chmod(path, 0555), 0);
	}
	assert_false(toolchain_files_ready(goroot));
	assert_int_equal(toolchain_files_make_ready(goroot, NULL), 0);
	assert_true(toolchain_files_ready(goroot));
	assert_int_equal(mode_of("archive/bin/go"), 0555);
	assert_int_equal(mode_of("archive/bin/gofmt"), 0555);
	assert_int_equal(mode_of("archive/pkg/tool/linux_amd64/compile"), 0555);
	assert_int_equal(mode_of("archive/lib/go_js_wasm_exec"), 0555);
	assert_int_equal(mode_of("archive/lib/time/zoneinfo.zip"), 0444);
	assert_int_equal(mode_of("archive/pkg/include/textflag.h"), 0444);
	assert_int_equal(mode_of("archive/src/go.mod"), 0444);
	assert_int_equal(mode_of("archive/src/cmd/go.mod"), 0444);
	assert_int_equal(mode_of("archive/src"), 0555);
	assert_int_equal(mode_of("archive/src/cmd"), 0555);
	assert_int_equal(file_read(copied, 100, &text, NULL, NULL), 0);
	assert_string_equal(text, "module std\n");
	assert_int_equal(toolchain_files_make_ready(goroot, NULL), 0); /* twice is as good as once */
}

/* --- trees --- */

static void need_toolchain(void)
{
	if (real.n == 0) {
		print_message("skipped: no Go toolchain on this machine\n");
		skip();
	}
}

/* A tree that is real[0]'s but for its place and its VERSION. */
static void link_tree(const char *below, const char *version)
{
	static const char *const parts[] = { "bin", "pkg", "src" };
	cleanup_free char *file = strf("%s/VERSION", below);

	put(file, version, 0644);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		cleanup_free char *from = strf("%s/%s", real.v[0].goroot, parts[i]), *to = strf("%s/%s/%s", dir, below, parts[i]);
		assert_int_equal(symlink(from, to), 0);
	}
}

static const struct toolchain *found_at(const struct toolchains *l, const char *below)
{
	cleanup_free char *path = strf("%s/%s", dir, below);

	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i].goroot, path))
			return &l->v[i];
	return NULL;
}

static void test_open_refuses(void **state)
{
	cleanup_free char *empty = strf("%s/home", dir), *fake = strf("%s/fake", dir), *tool = NULL;
	struct err cleanup_err err = ERR_INIT;
	struct toolchain t = { 0 };

	(void)state;
	assert_true(toolchain_open("/nonexistent", &t, &err) < 0);
	assert_non_null(strstr(err_text(&err), "/nonexistent"));
	assert_true(toolchain_open(empty, &t, &err) < 0);
	assert_non_null(strstr(err_text(&err), "no bin/go"));
	put("fake/VERSION", "go1.20.1\n", 0644);
	put("fake/bin/go", "#!/bin/sh\necho go version go1.20.1 linux/amd64\n", 0755);
	assert_true(toolchain_open(fake, &t, &err) < 0);
	assert_non_null(strstr(err_text(&err), "no executable for this machine"));
	assert_null(t.goroot);
}

static void test_find(void **state)
{
	cleanup_strv struct strv broken = STRV_INIT;
	struct toolchains l = { 0 };

	(void)state;
	need_toolchain();
	const char *version = real.v[0].version_text;
	cleanup_free char *own = strf("home/sdk/%s", version), *second = strf("%s\ntime 2020-01-01T00:00:00Z\n", version);
	cleanup_free char *wrapper = strf("path/%s", version), *script = strf("#!/bin/sh\necho %s/%s\n", dir, own);

	link_tree(own, version);
	link_tree("home/sdk/go1.99.1", "go1.99.1\n"); /* not what its go is */
	assert_int_equal(toolchains_find(&l, &broken, NULL), 0);
	assert_non_null(found_at(&l, own));
	assert_string_equal(found_at(&l, own)->found_in, "~/sdk");
	assert_string_equal(found_at(&l, own)->version_text, version);
	assert_null(found_at(&l, "home/sdk/go1.99.1"));
	assert_true(broken.n >= 1);
	cleanup_free char *told = strv_join(&broken, "\n");
	assert_non_null(strstr(told, "go1.99.1"));
	toolchains_done(&l);

	put(wrapper, script, 0755);
	assert_int_equal(toolchains_find(&l, NULL, NULL), 0);
	assert_non_null(found_at(&l, own));
	assert_string_equal(found_at(&l, own)->found_in, "PATH");
	for (size_t i = 1; i < l.n; i++)
		assert_true(go_version_compare(&l.v[i - 1].version, &l.v[i].version) < 0);
	toolchains_done(&l);
	put(wrapper, "#!/bin/sh\necho not downloaded >&2\nexit 1\n", 0755);
	assert_int_equal(toolchains_find(&l, NULL, NULL), 0);
	assert_string_equal(found_at(&l, own)->found_in, "~/sdk");
	toolchains_done(&l);
	cleanup_free char *path = strf("%s/%s", dir, wrapper);
	assert_int_equal(unlink(path), 0);
}

static void test_env(void **state)
{
	cleanup_strv struct strv env = STRV_INIT;
	struct toolchain t = { 0 };

	(void)state;
	(void)setenv("GOFLAGS", "-mod=vendor", 1);
	(void)setenv("GOROOT", "/elsewhere", 1);
	(void)setenv("GODEBUG", "gctrace=1", 1);
	toolchain_env(&t, &env);
	(void)unsetenv("GOFLAGS");
	(void)unsetenv("GOROOT");
	(void)unsetenv("GODEBUG");
	assert_true(strv_contains(&env, "GOENV=off"));
	assert_true(strv_contains(&env, "GOTOOLCHAIN=local"));
	assert_true(strv_contains(&env, "GOWORK=off"));
	assert_true(strv_contains(&env, "GOFLAGS="));
	for (size_t i = 0; i < env.n; i++) {
		size_t name = strcspn(env.v[i], "=") + 1;

		assert_true(strncmp(env.v[i], "GOROOT=", 7) && strncmp(env.v[i], "GODEBUG=", 8));
		for (size_t k = 0; k < i; k++)
			assert_true(strncmp(env.v[i], env.v[k], name)); /* Go heeds the first of two only */
	}
}

/* --- a made-up go --- */

/* Answers `env NAME...` from its environment and its own settings, `version`, and what the test wants for the others. */
static void put_go(const char *minor, const char *list, const char *download)
{
	cleanup_free char *script = strf("#!/bin/sh\n"
					 "[ \"$GOFLAGS\" = ' ' ] && [ \"$GO111MODULE\" = on ] && [ \"$GOTOOLCHAIN\" = local ] || exit 9\n"
					 "case $1 in\n"
					 "env) shift; for n; do case $n in GOROOT) echo /nonexistent;; GOSUMDB) echo off;; *) eval echo \"\\$$n\";; esac; done;;\n"
					 "version) echo go version go1.%s.1 linux/amd64;;\n"
					 "list) echo asked >> %s/asked; %s;;\n"
					 "mod) %s;;\n"
					 "*) exit 2;; esac\n",
					 minor, dir, list, download);
	put("path/go", script, 0755);
}

static bool has_release(const struct catalogue *c, int minor, int patch)
{
	const struct go_version v = { .minor = minor, .patch = patch };

	for (size_t i = 0; i < c->n; i++)
		if (go_version_compare(&c->entries[i].version, &v) == 0)
			return true;
	return false;
}

static void test_catalogue(void **state)
{
	cleanup_free char *list = strf("echo golang.org/toolchain v0.0.1-go1.98.7.linux-%s", host_goarch()), *why = NULL, *asked = NULL;
	cleanup_free char *asked_path = strf("%s/asked", dir);
	struct toolchains none = { 0 };
	struct catalogue c = { 0 };

	(void)state;
	put_go("19", list, "exit 1");
	assert_int_equal(catalogue_load(&c, &none, &why, NULL), 0);
	assert_null(why);
	assert_true(has_release(&c, 98, 7));
	assert_true(has_release(&c, 11, release_newest_known_patch(11))); /* proxies often leave it out */
	catalogue_done(&c);
	assert_int_equal(catalogue_load(&c, &none, &why, NULL), 0);
	assert_true(has_release(&c, 98, 7));
	catalogue_done(&c);
	assert_int_equal(file_read(asked_path, 100, &asked, NULL, NULL), 0);
	assert_string_equal(asked, "asked\n"); /* once */

	/* Another proxy is another question; one that answers nothing is said so. */
	(void)setenv("GOPROXY", "other", 1);
	put_go("19", "echo module lookup disabled >&2; exit 1", "exit 1");
	assert_int_equal(catalogue_load(&c, &none, &why, NULL), 0);
	(void)unsetenv("GOPROXY");
	assert_non_null(why);
	assert_non_null(strstr(why, "module lookup disabled"));
	assert_false(has_release(&c, 98, 7));
	assert_true(has_release(&c, 12, release_newest_known_patch(12)));
	catalogue_done(&c);
}

struct seen {
	uint64_t most;
	bool unpacking;
	char *unchecked;
};

static void report(void *arg, const struct go_version *v, uint64_t bytes, bool unpacking)
{
	struct seen *s = arg;

	(void)v;
	s->most = bytes > s->most ? bytes : s->most;
	s->unpacking |= unpacking;
}

static void unchecked(void *arg, const struct go_version *v, const char *why)
{
	struct seen *s = arg;

	(void)v;
	free(s->unchecked);
	s->unchecked = xstrdup(why);
}

static void test_fetch_fails(void **state)
{
	const struct go_version v = { .minor = 97, .patch = 3 };
	struct err cleanup_err err = ERR_INIT;
	struct toolchain t = { 0 };

	(void)state;
	put_go("26", "exit 1", "echo '{\"Error\": \"verifying module: checksum mismatch\"}'; exit 1");
	assert_true(toolchain_fetch(&v, NULL, &t, NULL, &err) < 0);
	assert_non_null(strstr(err_text(&err), "go1.97.3 could not be fetched: verifying module: checksum mismatch\n  "));
	assert_int_equal(err.exit_code, EXIT_HARNESS);
	put_go("26", "exit 1", "echo dial tcp: no such host >&2; exit 1");
	assert_true(toolchain_fetch(&v, NULL, &t, NULL, &err) < 0);
	assert_non_null(strstr(err_text(&err), "there is no network"));
	put_go("26", "exit 1", "exit 1");
	assert_true(toolchain_fetch(&v, NULL, &t, NULL, &err) < 0);
	assert_null(t.goroot);
}

static void test_fetch(void **state)
{
	struct fetch_progress progress = { .report = report, .unchecked = unchecked };
	struct err cleanup_err err = ERR_INIT;
	struct seen s = { 0 };
	struct toolchain t = { 0 };
	uint64_t bytes = 0;
	char text[32];

	(void)state;
	need_toolchain();
	const struct toolchain *r = &real.v[0];
	cleanup_free char *at = strf("%s/modcache/cache/download/golang.org/toolchain/@v", dir);
	cleanup_free char *zip = strf("%s/v0.0.1-go%s.linux-%s.zip", at, go_version_format(text, sizeof(text), &r->version), host_goarch());
	cleanup_free char *download = strf("mkdir -p %s; head -c 12345 /dev/zero > %s7.tmp; sleep 0.5; mv %s7.tmp %s; sleep 0.5; "
					   "echo '{\"Dir\": \"%s\", \"Zip\": \"%s\"}'",
					   at, zip, zip, zip, r->goroot, zip);

	progress.arg = &s;
	put_go("19", "exit 1", download);
	assert_int_equal(toolchain_fetch(&r->version, &progress, &t, &bytes, &err), 0);
	assert_string_equal(t.goroot, r->goroot);
	assert_int_equal(bytes, 12345);
	assert_int_equal(s.most, 12345);
	assert_true(s.unpacking);
	assert_string_equal(s.unchecked, "GOSUMDB=off");
	toolchain_done(&t);
	free(s.unchecked);
	s = (struct seen){ 0 };
	put_go("26", "exit 1", download);
	assert_int_equal(toolchain_fetch(&r->version, &progress, &t, &bytes, &err), 0);
	assert_null(s.unchecked);
	toolchain_done(&t);

	/* A proxy that delivers another release than was asked for. */
	const struct go_version other = { .minor = 97, .patch = 3 };
	assert_true(toolchain_fetch(&other, &progress, &t, &bytes, &err) < 0);
	assert_non_null(strstr(err_text(&err), "asked for go1.97.3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_text),  cmocka_unit_test(test_catalogue_versions), cmocka_unit_test(test_module_matches),
		cmocka_unit_test(test_why_unchecked), cmocka_unit_test(test_make_ready),	 cmocka_unit_test(test_open_refuses),
		cmocka_unit_test(test_find),	      cmocka_unit_test(test_env),		 cmocka_unit_test(test_catalogue),
		cmocka_unit_test(test_fetch_fails),   cmocka_unit_test(test_fetch),
	};

	return cmocka_run_group_tests_name("toolchain", tests, make_dir, remove_dir);
}
