/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/offsets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "build/toolchain.h"
#include "gostate/layout.h"

#define BUILD_SECONDS 300

/* What is never used the linker leaves out, its type too. */
static const char source[] = "package main\n"
			     "\n"
			     "import (\n"
			     "\t\"os\"\n"
			     "\t\"runtime\"\n"
			     "\t\"runtime/debug\"\n"
			     "\t\"runtime/pprof\"\n"
			     ")\n"
			     "\n"
			     "func main() {\n"
			     "\tvar m runtime.MemStats\n"
			     "\truntime.ReadMemStats(&m)\n"
			     "\tdebug.FreeOSMemory()\n"
			     "\tpprof.Lookup(\"heap\").WriteTo(os.Stdout, int(m.NumGC))\n"
			     "\tpprof.Lookup(\"goroutine\").WriteTo(os.Stdout, int(m.NumGC))\n"
			     "}\n";

/* What a program's offsets are of: names a file too. */
struct built_as {
	char *release;    /* owned: "go1.21", "go1.21.3", "go1.22rc1" */
	char *experiments; /* owned: "arenas,noswissmap"; "": none */
};

static void built_as_done(struct built_as *b)
{
	free(b->release);
	free(b->experiments);
}

/* Of "go1.22.1 X:arenas", "go1.26.1-X:arenas", "go1.22.1 (Red Hat 1.22.1-1) X:strictfipsruntime"; false: no release. */
static bool parse_version(const char *version, struct built_as *ret)
{
	size_t n = layout_release_length(version);
	const char *x = strstr(version, "X:");
	size_t len = x ? strspn(x + 2, "0123456789,abcdefghijklmnopqrstuvwxyz") : 0;

	if (!n || n > 32)
		return false;
	*ret = (struct built_as){ strf("%.*s", (int)n, version), strf("%.*s", (int)len, x ? x + 2 : "") };
	return true;
}

static int read_layout(const char *binary, const struct built_as *as, struct go_layout **ret, struct err *err)
{
	cleanup_close int fd = open(binary, O_RDONLY | O_CLOEXEC);
	struct go_layout *l;
	int r;

	if (fd < 0)
		return err_set(err, errno, "open %s", binary);
	r = layout_read(fd, binary, &l, err);
	if (r < 0)
		return r;
	size_t n = layout_release_length(l->version);

	if (l->source != LAYOUT_DWARF || n != strlen(as->release) || strncmp(l->version, as->release, n) != 0) {
		r = err_set(err, 0, "%s is of %s: %s was expected, with debug information", binary, l->version, as->release);
		free(l);
		return r;
	}
	layout_read_sizes(fd, l);
	*ret = l;
	return 0;
}

static const struct toolchain *toolchain_of(const struct toolchains *all, const char *version)
{
	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->v[i].version_text, version))
			return &all->v[i];
	return NULL;
}

/* In a folder of its own beside the file, which then takes its place at once: two memtides may build the same. */
static int build_in(const char *work, const struct toolchain *t, const char *experiments, const char *binary, struct err *err)
{
	cleanup_free char *file = strf("%s/main.go", work), *go = strf("%s/bin/go", t->goroot), *out = strf("%s/offsets", work);
	cleanup_free char *experiment = strf("GOEXPERIMENT=%s", experiments);
	cleanup_strv struct strv env = STRV_INIT;
	cleanup_subprocess struct subprocess_result done = { 0 };
	const char *const argv[] = { go, "build", "-o", out, file, NULL };
	struct subprocess s = { .argv = argv, .cwd = work, .timeout_ns = BUILD_SECONDS * NS_PER_S };
	int r = file_write(file, source, strlen(source), err);

	if (r < 0)
		return r;
	toolchain_env(t, &env);
	strv_push(&env, "GO111MODULE=off");
	strv_push(&env, "CGO_ENABLED=0");
	strv_push(&env, experiment);
	s.envp = (const char *const *)env.v;
	r = subprocess_run(&s, &done, err);
	if (r < 0)
		return r;
	if (done.exit_code != 0)
		return err_set(err, 0, "%s build failed: %s", go, done.log);
	if (rename(out, binary) < 0)
		return err_set(err, errno, "rename %s to %s", out, binary);
	return 0;
}

static int build_binary(const char *folder, const struct built_as *as, const char *binary, struct err *err)
{
	struct toolchains all = { 0 };
	const struct toolchain *t;
	cleanup_free char *work = strf("%s/build-XXXXXX", folder);
	int r = toolchains_find(&all, NULL, err);

	if (r < 0)
		return r;
	t = toolchain_of(&all, as->release);
	if (!t) {
		r = err_set(err, 0, "its debug information was left out (-ldflags=-w), and %s, whose toolchain would tell the same, is not on "
				    "this machine", as->release);
		err_hint(err, "memtide go fetch %s", as->release + 2);
	} else if ((r = folder_make(folder, err)) < 0)
		;
	else if (!mkdtemp(work))
		r = err_set(err, errno, "make a folder %s", work);
	else {
		r = build_in(work, t, as->experiments, binary, err);
		(void)folder_remove(work, NULL);
	}
	toolchains_done(&all);
	return r;
}

static int offsets_as(const struct built_as *as, bool build, struct go_layout **ret, struct err *err)
{
	cleanup_free char *cache = cache_folder(), *folder = strf("%s/offsets", cache);
	cleanup_free char *binary = strf("%s/%s%s%s", folder, as->release, *as->experiments ? "-X:" : "", as->experiments);
	int r;

	/* A damaged one is built anew. */
	if (file_exists(binary) && read_layout(binary, as, ret, NULL) == 0)
		return 0;
	if (!build)
		return err_set(err, 0, "its debug information was left out (-ldflags=-w), and the program that tells the same of %s is not built "
				       "while a run lives: begin with this binary, or attach to it once", as->release);
	r = build_binary(folder, as, binary, err);
	return r < 0 ? r : read_layout(binary, as, ret, err);
}

int offsets_of(const char *version, bool build, struct go_layout **ret, struct err *err)
{
	struct err cleanup_err why = ERR_INIT;
	char none[] = "";
	struct built_as as, plain;
	int r;

	if (!parse_version(version, &as))
		return err_set(err, 0, "its debug information was left out (-ldflags=-w), and %s is no release of Go whose toolchain would tell "
				       "the same", version[0] ? version : "what built it");
	r = offsets_as(&as, build, ret, &why);
	/* A distributor's own experiment. */
	plain = (struct built_as){ as.release, none };
	if (r < 0 && build && *as.experiments && offsets_as(&plain, build, ret, NULL) == 0)
		r = 0;
	else if (r < 0)
		r = err_set(err, 0, "%s", err_text(&why));
	built_as_done(&as);
	return r;
}
