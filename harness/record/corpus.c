/* SPDX-License-Identifier: Apache-2.0 */
#include "record/corpus.h"

#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"

static bool is_corpus(const char *dir)
{
	cleanup_free char *path = strf("%s/corpus.json", dir);

	return file_exists(path);
}

/* When it started, "" where it does not say. Caller frees. */
static char *time_started(const char *dir)
{
	cleanup_free char *path = strf("%s/corpus.json", dir);
	cleanup_json json_t *info = NULL;

	(void)json_open(path, NULL, &info, NULL);
	const char *started = json_string_value(json_object_get(info, "started"));
	return xstrdup(started ? started : "");
}

/* NULL: none. Caller frees. */
static char *newest_in(const char *results_dir)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *newest = NULL, *newest_time = NULL;

	if (folder_list(results_dir, &names, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *dir = strf("%s/%s", results_dir, names.v[i]);

		if (!is_corpus(dir))
			continue;

		cleanup_free char *started = time_started(dir);
		/* Of two of one second the one with the higher number, which comes later in the list, unless it is -10. */
		if (newest_time && strcmp(started, newest_time) < 0)
			continue;
		free(newest);
		free(newest_time);
		newest = TAKE(dir);
		newest_time = TAKE(started);
	}
	return TAKE(newest);
}

int corpus_locate(const char *dir_or_null, const char *results_dir, char **ret, struct err *err)
{
	char *found = dir_or_null ? xstrdup(dir_or_null) : newest_in(results_dir);

	if (!found) {
		(void)err_usage(err, "there is no corpus yet: looked in %s", results_dir);
		return err_hint(err, "Make one: make corpus, or memtide corpus run");
	}
	for (size_t n = strlen(found); n > 1 && found[n - 1] == '/'; n--)
		found[n - 1] = 0;
	if (is_corpus(found)) {
		*ret = found;
		return 0;
	}

	cleanup_free char *within = folder_exists(found) ? newest_in(found) : NULL;

	(void)err_usage(err, folder_exists(found) ? "%s is no corpus: there is no corpus.json in it" : "there is no folder %s", found);
	if (within)
		(void)err_hint(err, "Did you mean %s?", within);
	free(found);
	return -1;
}

int corpus_read(const char *dir, struct corpus **ret, struct strv *ret_warnings, struct err *err)
{
	cleanup_free char *path = strf("%s/corpus.json", dir);
	cleanup_json json_t *info = NULL;
	const json_t *campaigns, *one;
	size_t i;
	int r = json_open(path, CORPUS_FORMAT, &info, err);

	if (r < 0)
		return r;

	struct corpus *c = xcalloc(1, sizeof(*c));

	campaigns = json_object_get(info, "campaigns");
	c->campaigns = xcalloc(json_array_size(campaigns) + 1, sizeof(struct campaign *));
	json_array_foreach(campaigns, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		cleanup_free char *folder = strf("%s/%s", dir, name && !strchr(name, '/') && *name != '.' ? name : "?");
		cleanup_free char *there = strf("%s/campaign.json", folder);
		struct err why = ERR_INIT;

		if (!file_exists(there))
			continue;
		if (campaign_read(folder, &c->campaigns[c->n], ret_warnings, &why) >= 0)
			c->n++;
		else if (ret_warnings)
			strv_push(ret_warnings, err_text(&why));
		err_done(&why);
	}
	c->dir = xstrdup(dir);
	c->info = TAKE(info);
	*ret = c;
	return 0;
}

struct corpus *corpus_free(struct corpus *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		campaign_free(c->campaigns[i]);
	free(c->campaigns);
	json_decref(c->info);
	free(c->dir);
	free(c);
	return NULL;
}
