/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "record/reader.h"

static bool has_file(const char *dir, const char *name)
{
	cleanup_free char *path = strf("%s/%s", dir, name);

	return file_exists(path);
}

static bool is_campaign(const char *dir)
{
	return has_file(dir, "campaign.json");
}

/* A name as `memtide run` gives it, "20261121-061400-allocate" in local time, as campaign.json writes times. Caller frees. */
static char *time_from_name(const char *name)
{
	struct tm tm = { .tm_isdst = -1 };
	char text[32];
	time_t t;

	if (!strptime(name, "%Y%m%d-%H%M%S", &tm) || (t = mktime(&tm)) == (time_t)-1 || !gmtime_r(&t, &tm) ||
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return xstrdup("");
	return xstrdup(text);
}

/* When the campaign started; from its folder's name where campaign.json does not tell. Caller frees. */
static char *time_started(const char *dir, const char *name)
{
	cleanup_free char *path = strf("%s/campaign.json", dir);
	cleanup_json json_t *info = NULL;
	const char *started;

	(void)json_open(path, NULL, &info, NULL);
	started = json_string_value(json_object_get(info, "started"));
	return started ? xstrdup(started) : time_from_name(name);
}

/* NULL: no campaign in the folder. Caller frees. */
static char *newest_in(const char *results_dir)
{
	cleanup_strv struct strv names = STRV_INIT;
	cleanup_free char *newest = NULL, *newest_time = NULL;
	const char *newest_name = "";

	if (folder_list(results_dir, &names, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < names.n; i++) {
		cleanup_free char *dir = strf("%s/%s", results_dir, names.v[i]);

		if (!is_campaign(dir))
			continue;

		cleanup_free char *started = time_started(dir, names.v[i]);
		int newer = newest_time ? strcmp(started, newest_time) : 1;
		/* Two of one second: "-2" was made after the one without. */
		if (newer < 0 || (newer == 0 && strverscmp(names.v[i], newest_name) < 0))
			continue;
		free(newest);
		free(newest_time);
		newest = TAKE(dir);
		newest_time = TAKE(started);
		newest_name = names.v[i];
	}
	return TAKE(newest);
}

/* The campaign that a run's or a cell's folder belongs to; NULL: none. Caller frees. */
static char *campaign_above(const char *dir)
{
	cleanup_free char *path = realpath(dir, NULL);

	for (int up = 0; path && up < 2; up++) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			return NULL;
		*slash = 0;
		if (is_campaign(path))
			return TAKE(path);
	}
	return NULL;
}

static int not_there(const char *dir, const char *results_dir, struct err *err)
{
	cleanup_free char *within = strf("%s/%s", results_dir, dir);

	(void)err_usage(err, "there is no folder %s", dir);
	return is_campaign(within) ? err_hint(err, "Did you mean %s?", within)
				   : err_hint(err, "Name a campaign's folder, or none for the newest in %s", results_dir);
}

/* It exists, and is not a campaign: say what it is. */
static int not_a_campaign(const char *dir, struct err *err)
{
	cleanup_free char *above = campaign_above(dir), *within = newest_in(dir);

	if (!folder_exists(dir))
		return err_usage(err, "%s is not a folder", dir);
	if (access(dir, R_OK | X_OK) < 0)
		return err_usage(err, "the folder %s cannot be read: %s", dir, strerror(errno));
	if (above) {
		(void)err_usage(err, "%s is a part of a campaign, not a whole one", dir);
		return err_hint(err, "Name the campaign's folder: %s", above);
	}
	if (within) {
		(void)err_usage(err, "%s holds campaigns, and is none itself", dir);
		return err_hint(err, "Name one of them; the newest is %s", within);
	}
	if (has_file(dir, "run.json") || has_file(dir, "samples.tsv.zst"))
		return err_usage(err, "%s is the folder of one run, without the campaign that it belongs to", dir);
	return err_usage(err, "%s is no campaign: there is no campaign.json in it", dir);
}

int campaign_locate(const char *dir_or_null, const char *results_dir, char **ret, struct err *err)
{
	char *found;

	if (dir_or_null && access(dir_or_null, F_OK) < 0)
		return not_there(dir_or_null, results_dir, err);
	if (dir_or_null && !is_campaign(dir_or_null))
		return not_a_campaign(dir_or_null, err);

	found = dir_or_null ? xstrdup(dir_or_null) : newest_in(results_dir);
	for (size_t n = found ? strlen(found) : 0; n > 1 && found[n - 1] == '/'; n--)
		found[n - 1] = 0;
	if (!found) {
		(void)err_usage(err, "there is no campaign yet: looked in %s", results_dir);
		return err_hint(err, "Make one: memtide run free-os-memory");
	}
	*ret = found;
	return 0;
}
