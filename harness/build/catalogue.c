/* SPDX-License-Identifier: Apache-2.0
 *
 * catalogue.c - which releases there are: on this machine, on the proxy, in the built-in table.
 *
 * No single one is complete: a proxy lists only what somebody once asked it for (1.11 and 1.12 are often missing, though it
 * delivers them), and the table is as old as this memtide. The proxy's answer is kept for an hour, so that most starts ask nobody.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "build/fetch.h"
#include "build/toolchain.h"
#include "build/user_go.h"

#define LIST_TIMEOUT_NS (10 * NS_PER_S)
#define LIST_FRESH_S	3600
#define LIST_MAX	(4U << 20)

size_t catalogue_add_versions(struct catalogue *c, const char *list, const char *goarch)
{
	static const char before[] = "v0.0.1-go";
	cleanup_free char *after = strf(".linux-%s", goarch);
	cleanup_strv struct strv words = STRV_INIT;
	size_t n = 0;

	strv_split(&words, list, " \t\r\n");
	for (size_t i = 0; i < words.n; i++) {
		const char *word = words.v[i];
		size_t len = strlen(word), fixed = strlen(before) + strlen(after);
		struct go_version v;

		if (len <= fixed || strncmp(word, before, strlen(before)) != 0 || strcmp(word + len - strlen(after), after) != 0)
			continue;
		cleanup_free char *release = strf("%.*s", (int)(len - fixed), word + strlen(before));

		if (go_version_parse(release, &v, NULL) < 0 || v.minor < RELEASE_OLDEST_MINOR)
			continue;
		catalogue_add(c, &v, NULL);
		n++;
	}
	return n;
}

/* Where the answer under the user's present settings is kept. Caller frees. */
static int kept_list_path(const char *go, char **ret, struct err *err)
{
	static const char *const names[] = { "GOPROXY", "GONOPROXY", "GOPRIVATE", NULL };
	cleanup_strv struct strv settings = STRV_INIT;
	int r = user_go_env(go, names, &settings, err);

	if (r < 0)
		return r;
	cleanup_free char *all = strv_join(&settings, "\n"), *cache = cache_folder();
	char sum[65];

	sha256_hex(all, strlen(all), sum);
	*ret = strf("%s/releases-%.16s.txt", cache, sum);
	return 0;
}

static bool fresh(const char *path)
{
	struct stat st;
	time_t now = time(NULL);

	return stat(path, &st) == 0 && st.st_mtime <= now && now - st.st_mtime < LIST_FRESH_S;
}

static int ask(const char *go, char **ret, struct err *err)
{
	static const char *const args[] = { "list", "-m", "-versions", "golang.org/toolchain", NULL };
	cleanup_subprocess struct subprocess_result result = { 0 };
	int r = user_go_run(go, args, LIST_TIMEOUT_NS, NULL, NULL, &result, err);

	if (r < 0)
		return r;
	if (result.exit_code != 0 || !strstr(result.out, "v0.0.1-go")) {
		const char *words = *result.log ? result.log : "it named no version";
		size_t len = strcspn(words, "\n");

		return err_set(err, 0, "`go list -m -versions` failed: %.*s", (int)len, words);
	}
	*ret = TAKE(result.out);
	return 0;
}

static int load_list(char **ret, struct err *err)
{
	cleanup_free char *go = NULL, *path = NULL, *cache = cache_folder();
	int r = user_go_find(&go, err);

	if (r == 0)
		r = kept_list_path(go, &path, err);
	if (r < 0)
		return r;
	if (fresh(path) && file_read(path, LIST_MAX, ret, NULL, NULL) == 0)
		return 0;
	r = ask(go, ret, err);
	/* Only a cache: a folder that cannot be written costs the next start another question, no more. */
	if (r == 0 && folder_make(cache, NULL) == 0)
		(void)file_write(path, *ret, strlen(*ret), NULL);
	else if (r < 0)
		(void)file_read(path, LIST_MAX, ret, NULL, NULL);
	return r;
}

int catalogue_load(struct catalogue *ret, const struct toolchains *local, char **ret_why_offline, struct err *err)
{
	cleanup_free char *list = NULL;
	struct err cleanup_err offline = ERR_INIT;
	struct catalogue c = { 0 };
	bool asked = load_list(&list, &offline) == 0;

	(void)err; /* what is here and the table are always there */
	for (size_t i = 0; i < local->n; i++)
		catalogue_add(&c, &local->v[i].version, local->v[i].goroot);
	if (list)
		(void)catalogue_add_versions(&c, list, host_goarch());
	catalogue_add_builtin(&c);
	if (ret_why_offline)
		*ret_why_offline = asked ? NULL : xstrdup(err_text(&offline));
	*ret = c;
	return 0;
}
