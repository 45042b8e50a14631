/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "build/fetch.h"
#include "build/toolchain.h"
#include "build/toolchain_files.h"
#include "build/user_go.h"

#define MODULE "golang.org/toolchain"
#define FETCH_TIMEOUT_NS (30 * 60 * NS_PER_S)

/* --- was it checked? --- */

/* As module.MatchPrefixPatterns of the Go tree: comma-separated globs, each against as many leading elements as it has. */
bool module_matches(const char *patterns, const char *module)
{
	cleanup_strv struct strv list = STRV_INIT;

	strv_split(&list, patterns, ",");
	for (size_t i = 0; i < list.n; i++) {
		const char *pattern = list.v[i], *end = module;
		size_t slashes = 0;

		for (const char *p = pattern; *p; p++)
			slashes += *p == '/' && p[1];
		for (; *end; end++)
			if (*end == '/' && slashes-- == 0)
				break;
		cleanup_free char *prefix = strf("%.*s", (int)(end - module), module);

		if (fnmatch(pattern, prefix, FNM_PATHNAME) == 0)
			return true;
	}
	return false;
}

char *why_unchecked(int go_minor, const char *goproxy, const char *gosumdb, const char *gonosumdb)
{
	if (go_minor >= 0 && go_minor < 13)
		return strf("Go 1.%d, which fetched it, does not know the checksum database (1.13 and later do)", go_minor);
	if (go_minor >= 21 || go_minor < 0) {
		/* Since 1.21 `go` insists on the check for toolchains, with this one exception. */
		if (!strncmp(goproxy, "file://", 7) && !strpbrk(goproxy, ",|"))
			return strf("GOPROXY is a folder, %s", goproxy);
		return NULL;
	}
	if (!strcmp(gosumdb, "off"))
		return strf("GOSUMDB=off");
	if (module_matches(gonosumdb, MODULE))
		return strf("GONOSUMDB or GOPRIVATE (%s) leaves it out", gonosumdb);
	return NULL;
}

static char *why_unchecked_here(const char *go)
{
	static const char *const names[] = { "GOPROXY", "GOSUMDB", "GONOSUMDB", NULL };
	cleanup_strv struct strv v = STRV_INIT;

	if (user_go_env(go, names, &v, NULL) < 0)
		return strf("the settings of %s could not be read", go);
	return why_unchecked(user_go_minor(go), v.v[0], v.v[1], v.v[2]);
}

/* --- progress --- */

struct watch {
	const struct fetch_progress *progress;
	const struct go_version *version;
	char *archive; /* owned: where the complete archive will be */
	char *growing; /* owned: a glob for the one that grows beside it */
};

static void watch_done(struct watch *w)
{
	free(w->archive);
	free(w->growing);
}

static void look(void *arg)
{
	const struct watch *w = arg;
	glob_t g = { 0 };
	struct stat st;
	uint64_t bytes = 0;

	if (stat(w->archive, &st) == 0) {
		w->progress->report(w->progress->arg, w->version, (uint64_t)st.st_size, true);
		return;
	}
	if (glob(w->growing, GLOB_NOSORT, NULL, &g) == 0)
		for (size_t i = 0; i < g.gl_pathc; i++)
			if (stat(g.gl_pathv[i], &st) == 0 && (uint64_t)st.st_size > bytes)
				bytes = (uint64_t)st.st_size;
	globfree(&g);
	w->progress->report(w->progress->arg, w->version, bytes, false);
}

/* --- what went wrong --- */

/* What to do about the words that `go` used; the first that occurs counts. */
static const struct {
	const char *words, *advice;
} advices[] = {
	{ "SECURITY ERROR", "the proxy delivered something else than what the checksum database knows: do not use it; another GOPROXY may "
			    "have the true one" },
	{ "checksum mismatch", "the proxy delivered something else than what the checksum database knows: do not use it; another GOPROXY "
			       "may have the true one" },
	{ "GOSUMDB=off", "since 1.21 `go` takes no toolchain unchecked: leave GOSUMDB unset while fetching (`go env GOSUMDB` shows it)" },
	{ "GOPROXY=off", "GOPROXY=off forbids it: allow a module proxy, or put the Go tree into ~/sdk/go1.N.P yourself" },
	{ "GOPROXY list is empty", "GOPROXY names no proxy: `go env GOPROXY` shows it" },
	{ "no such host", "there is no network, or the proxy of `go env GOPROXY` is not reached from here" },
	{ "dial tcp", "there is no network, or the proxy of `go env GOPROXY` is not reached from here" },
	{ "i/o timeout", "the network is too slow, or the proxy of `go env GOPROXY` is not reached from here" },
	{ "TLS handshake", "a proxy between here and the network may want its certificate: see SSL_CERT_FILE" },
	{ "x509:", "the certificates of this machine do not vouch for the proxy: install ca-certificates, or see SSL_CERT_FILE" },
	{ "no space left", "a toolchain takes about 450 MB in GOMODCACHE" },
	{ "permission denied", "GOMODCACHE must be writable: `go env GOMODCACHE` shows it" },
	{ "403 Forbidden", "there is no such release for this machine, or this proxy does not have it: `memtide go list` shows what there is" },
	{ "404 Not Found", "there is no such release for this machine, or this proxy does not have it: `memtide go list` shows what there is" },
	{ "410 Gone", "there is no such release for this machine, or this proxy does not have it: `memtide go list` shows what there is" },
	{ "unknown revision", "there is no such release for this machine: `memtide go list` shows what there is" },
	{ "invalid version", "there is no such release for this machine: `memtide go list` shows what there is" },
	{ "not found", "there is no such release for this machine: `memtide go list` shows what there is" },
};

const char *fetch_advice(const char *words)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(*advices); i++)
		if (strstr(words, advices[i].words))
			return advices[i].advice;
	return "the go command's own words are above; `go env` shows the settings it ran with";
}

static int fetch_failed(const char *release, const char *words, struct err *err)
{
	size_t len = strlen(words);

	while (len > 0 && (words[len - 1] == '\n' || words[len - 1] == ' '))
		len--;
	(void)err_set(err, 0, "go%s could not be fetched: %.*s", release, (int)len, words);
	return err_hint(err, "%s", fetch_advice(words));
}

/* --- fetching --- */

struct archive {
	char *dir, *zip; /* owned */
};

static void archive_done(struct archive *a)
{
	free(a->dir);
	free(a->zip);
}

/* What `go mod download -json` prints: one object. */
static int parse_download(const struct subprocess_result *result, const char *release, struct archive *ret, struct err *err)
{
	cleanup_json json_t *j = json_loads(result->out, JSON_DISABLE_EOF_CHECK, NULL);
	const char *problem = json_string_value(json_object_get(j, "Error"));
	const char *dir = json_string_value(json_object_get(j, "Dir")), *zip = json_string_value(json_object_get(j, "Zip"));

	if (problem)
		return fetch_failed(release, problem, err);
	if (result->exit_code != 0 || !dir || !zip)
		return fetch_failed(release, *result->log ? result->log : "`go mod download` gave no reason", err);
	*ret = (struct archive){ xstrdup(dir), xstrdup(zip) };
	return 0;
}

static int download(const char *go, const struct go_version *v, const struct fetch_progress *progress, struct archive *ret, struct err *err)
{
	char release[32];
	cleanup_free char *modcache = user_go_modcache(go);
	cleanup_free char *version = strf("v0.0.1-go%s.linux-%s", go_version_format(release, sizeof(release), v), host_goarch());
	cleanup_free char *module = strf(MODULE "@%s", version);
	const char *const args[] = { "mod", "download", "-json", module, NULL };
	cleanup_subprocess struct subprocess_result result = { 0 };
	__attribute__((cleanup(watch_done))) struct watch w = {
		.progress = progress,
		.version = v,
		.archive = strf("%s/cache/download/" MODULE "/@v/%s.zip", modcache, version),
		.growing = strf("%s/cache/download/" MODULE "/@v/%s.zip?*", modcache, version),
	};
	bool watched = progress && progress->report;
	int r = user_go_run(go, args, FETCH_TIMEOUT_NS, watched ? look : NULL, &w, &result, err);

	if (r < 0)
		return err_wrap(err, "go%s could not be fetched", release);
	return parse_download(&result, release, ret, err);
}

int toolchain_fetch(const struct go_version *v, const struct fetch_progress *progress, struct toolchain *ret, uint64_t *ret_bytes,
		    struct err *err)
{
	cleanup_free char *go = NULL, *unchecked = NULL;
	__attribute__((cleanup(archive_done))) struct archive a = { 0 };
	struct toolchain t;
	struct stat st;
	char release[32];

	int r = user_go_find(&go, err);
	if (r < 0)
		return err_wrap(err, "go%s could not be fetched", go_version_format(release, sizeof(release), v));
	r = download(go, v, progress, &a, err);
	if (r == 0)
		r = toolchain_files_make_ready(a.dir, err);
	if (r == 0)
		r = toolchain_open(a.dir, &t, err);
	if (r < 0)
		return r;
	if (go_version_compare(&t.version, v) != 0) {
		r = err_set(err, 0, "asked for go%s, but what was fetched into %s is %s", go_version_format(release, sizeof(release), v), a.dir,
			    t.version_text);
		toolchain_done(&t);
		return r;
	}
	unchecked = why_unchecked_here(go);
	if (unchecked && progress && progress->unchecked)
		progress->unchecked(progress->arg, v, unchecked);
	if (ret_bytes)
		*ret_bytes = stat(a.zip, &st) == 0 ? (uint64_t)st.st_size : 0;
	*ret = t;
	return 0;
}
