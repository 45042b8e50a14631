/* SPDX-License-Identifier: Apache-2.0 */
#include "record/reader.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "record/series_in.h"

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
	free(s->damage);
	*s = (struct run_series){ 0 };
}
