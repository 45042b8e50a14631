/* SPDX-License-Identifier: Apache-2.0 */
#include "build/user_go.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "build/toolchain.h"

#define CHECKING_MINOR 13

char *path_find(const char *name)
{
	const char *path = getenv("PATH");
	cleanup_strv struct strv dirs = STRV_INIT;

	strv_split(&dirs, path ? path : "/usr/local/bin:/usr/bin:/bin", ":");
	for (size_t i = 0; i < dirs.n; i++) {
		cleanup_free char *file = strf("%s/%s", dirs.v[i], name);

		if (dirs.v[i][0] == '/' && file_exists(file) && access(file, X_OK) == 0)
			return TAKE(file);
	}
	return NULL;
}

char *user_go_installed(void)
{
	static const char usual[] = "/usr/local/go/bin/go";
	char *go = path_find("go");

	if (!go && access(usual, X_OK) == 0)
		go = xstrdup(usual);
	return go;
}

/* The newest toolchain of all places. Caller frees; NULL: none. */
static char *newest_found(void)
{
	struct toolchains found = { 0 };
	char *go = NULL;

	if (toolchains_find(&found, NULL, NULL) == 0 && found.n > 0)
		go = strf("%s/bin/go", found.v[found.n - 1].goroot);
	toolchains_done(&found);
	return go;
}

int user_go_find(char **ret, struct err *err)
{
	cleanup_free char *go = user_go_installed();

	/* Before 1.13 there was neither a default proxy nor a checksum database: any newer one serves better. */
	if (!go || user_go_minor(go) < CHECKING_MINOR) {
		cleanup_free char *newest = newest_found();

		if (!go || (newest && user_go_minor(newest) >= CHECKING_MINOR)) {
			free(go);
			go = TAKE(newest);
		}
	}
	if (!go) {
		(void)err_set(err, 0, "there is no go command on this machine");
		return err_hint(err, "`make deps` installs Debian's golang-go, or unpack a Go release into /usr/local/go");
	}
	*ret = TAKE(go);
	return 0;
}

static void user_env(struct strv *ret)
{
	static const char *const forced[] = { "GO111MODULE", "GOFLAGS", "GOTOOLCHAIN", "GOWORK" };

	for (char **e = environ; *e; e++) {
		bool keep = true;

		for (size_t i = 0; i < sizeof(forced) / sizeof(*forced); i++) {
			size_t n = strlen(forced[i]);
			keep = keep && !(!strncmp(*e, forced[i], n) && (*e)[n] == '=');
		}
		if (keep)
			strv_push(ret, *e);
	}
	strv_push(ret, "GO111MODULE=on");
	strv_push(ret, "GOFLAGS= ");
	strv_push(ret, "GOTOOLCHAIN=local");
	strv_push(ret, "GOWORK=off");
}

static int run_in(const char *cwd, const char *go, const char *const *args, int64_t timeout_ns, void (*tick)(void *), void *tick_arg,
		  struct subprocess_result *ret, struct err *err)
{
	cleanup_strv struct strv env = STRV_INIT, argv = STRV_INIT;

	user_env(&env);
	strv_push(&argv, go);
	for (size_t i = 0; args[i]; i++)
		strv_push(&argv, args[i]);
	struct subprocess s = {
		.argv = (const char *const *)argv.v,
		.envp = (const char *const *)env.v,
		.cwd = cwd,
		.timeout_ns = timeout_ns,
		.tick = tick,
		.tick_arg = tick_arg,
	};
	return subprocess_run(&s, ret, err);
}

int user_go_env(const char *go, const char *const *names, struct strv *ret, struct err *err)
{
	cleanup_subprocess struct subprocess_result result = { 0 };
	cleanup_strv struct strv args = STRV_INIT;

	strv_push(&args, "env");
	for (size_t i = 0; names[i]; i++)
		strv_push(&args, names[i]);
	int r = run_in("/", go, (const char *const *)args.v, 10 * NS_PER_S, NULL, NULL, &result, err);
	if (r < 0)
		return r;
	if (result.exit_code != 0)
		return err_set(err, 0, "`%s env` failed with exit code %d: %s", go, result.exit_code, result.log);

	const char *line = result.out;

	for (size_t i = 0; names[i]; i++) {
		size_t len = strcspn(line, "\n");

		strv_pushf(ret, "%.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
	return 0;
}

char *user_go_modcache(const char *go)
{
	static const char *const names[] = { "GOMODCACHE", "GOPATH", NULL };
	const char *home = getenv("HOME"), *modcache = getenv("GOMODCACHE"), *gopath = getenv("GOPATH");
	cleanup_strv struct strv told = STRV_INIT;

	if (go && user_go_env(go, names, &told, NULL) == 0) {
		modcache = *told.v[0] ? told.v[0] : modcache;
		gopath = *told.v[1] ? told.v[1] : gopath;
	}
	if (modcache && *modcache)
		return xstrdup(modcache);
	if (gopath && *gopath)
		return strf("%.*s/pkg/mod", (int)strcspn(gopath, ":"), gopath);
	return strf("%s/go/pkg/mod", home ? home : "");
}

int user_go_minor(const char *go)
{
	static const char *const args[] = { "version", NULL };
	cleanup_subprocess struct subprocess_result result = { 0 };
	const char *version;

	if (run_in("/", go, args, 10 * NS_PER_S, NULL, NULL, &result, NULL) < 0 || result.exit_code != 0)
		return -1;
	version = strstr(result.out, "go1.");
	return version ? atoi(version + 4) : -1;
}

int user_go_run(const char *go, const char *const *args, int64_t timeout_ns, void (*tick)(void *), void *tick_arg,
		struct subprocess_result *ret, struct err *err)
{
	static const char module[] = "module memtide.dev/empty\n";
	static unsigned n;
	/* Named so that program_build() sweeps it if this process is killed. */
	cleanup_free char *cache = cache_folder(), *dir = strf("%s/stage.%d.go%u", cache, (int)getpid(), n++);
	cleanup_free char *file = strf("%s/go.mod", dir);
	int r = folder_make(dir, err);

	if (r == 0)
		r = file_write(file, module, strlen(module), err);
	if (r == 0)
		r = run_in(dir, go, args, timeout_ns, tick, tick_arg, ret, err);
	(void)folder_remove(dir, NULL);
	return r;
}

const char *host_goarch(void)
{
	static struct utsname u;

	(void)uname(&u);
	if (!strcmp(u.machine, "x86_64"))
		return "amd64";
	if (!strcmp(u.machine, "aarch64"))
		return "arm64";
	return u.machine;
}
