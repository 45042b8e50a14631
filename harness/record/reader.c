/* SPDX-License-Identifier: Apache-2.0 */
#include "record/reader.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "record/record.h"
#include "record/series_in.h"

/* What was read of the Go runtime. */
static int read_inside(const char *run_dir, struct run_series *s, struct strv *damage, struct err *err)
{
	void *go = NULL, *splits = NULL;
	int r = series_in_read(run_dir, &table_go, SERIES_ROWS_MAX, &go, &s->n_go, damage, err);

	s->go = go;
	if (r >= 0)
		r = series_in_read(run_dir, &table_split, SERIES_ROWS_MAX, &splits, &s->n_splits, damage, err);
	s->splits = splits;
	return r;
}

int run_series_read(const char *run_dir, struct run_series *ret, struct err *err)
{
	cleanup_run_series struct run_series s = { 0 };
	cleanup_strv struct strv damage = STRV_INIT;
	void *samples = NULL, *probes = NULL;
	int r;

	if (!folder_exists(run_dir))
		return err_set(err, ENOENT, "cannot read the run in %s", run_dir);
	r = series_in_read(run_dir, &table_samples, SERIES_ROWS_MAX, &samples, &s.n_samples, &damage, err);
	s.samples = samples;
	if (r >= 0)
		r = series_in_read(run_dir, &table_probes, SERIES_ROWS_MAX, &probes, &s.n_probes, &damage, err);
	s.probes = probes;
	if (r >= 0)
		r = marks_in_read(run_dir, &s.marks, &s.n_marks, &damage, err);
	if (r >= 0)
		r = told_in_read(run_dir, &s.told, &s.n_told, &damage, err);
	if (r >= 0)
		r = read_inside(run_dir, &s, &damage, err);
	if (r < 0)
		return r;
	s.damage = damage.n ? strv_join(&damage, "; ") : NULL;
	*ret = s;
	s = (struct run_series){ 0 };
	return 0;
}

void run_series_done(struct run_series *s)
{
	free(s->samples);
	free(s->probes);
	free(s->marks);
	free(s->told);
	free(s->go);
	free(s->splits);
	free(s->damage);
	*s = (struct run_series){ 0 };
}

int run_goroutines_read(const char *run_dir, json_t **ret, struct err *err)
{
	cleanup_free char *path = strf("%s/" RECORD_GOROUTINES, run_dir);

	if (!file_exists(path))
		return -ENOENT;
	return json_open(path, RECORD_GOROUTINES_FORMAT, ret, err);
}

static int by_version(const void *a, const void *b)
{
	return strverscmp(*(char *const *)a, *(char *const *)b);
}

int run_heap_profiles(const char *run_dir, struct strv *ret, struct err *err)
{
	cleanup_strv struct strv names = STRV_INIT;
	int r = folder_list(run_dir, &names, err);

	if (r < 0)
		return r;
	qsort(names.v, names.n, sizeof(*names.v), by_version); /* their number comes first in the name */
	for (size_t i = 0; i < names.n; i++) {
		size_t len = strlen(names.v[i]);

		if (!strncmp(names.v[i], "heap-", 5) && len > 6 && !strcmp(names.v[i] + len - 6, ".pb.gz"))
			strv_pushf(ret, "%s/%s", run_dir, names.v[i]);
	}
	return 0;
}
