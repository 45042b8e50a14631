/* SPDX-License-Identifier: Apache-2.0 */
#include "record/record.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "record/output.h"
#include "record/series_out.h"

/* Held free for run.json: on a disk that the series filled up, it can still say so. */
#define RESERVE_BYTES 32768

#define N_OUTPUTS 3

struct record {
	char *dir; /* owned */
	struct series_out samples, probes, go, split; /* go, split: made with their first row */
	struct outfile goroutines;                    /* written beside and renamed, each time anew */
	json_t *all_goroutines;                       /* owned reference; NULL: none */
	bool goroutines_changed;
	struct outfile marks, values; /* values: made with the first one */
	struct output_file output[N_OUTPUTS]; /* stdout, stderr, load-output: that one made with its first byte */
	bool closed;
};

static char *path_in(const struct record *r, const char *name)
{
	return strf("%s/%s", r->dir, name);
}

static void reserve(const struct record *r)
{
	cleanup_free char *path = path_in(r, "reserve");
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd >= 0)
		(void)posix_fallocate(fd, 0, RESERVE_BYTES);
}

static int make_folder(const char *dir, struct err *err)
{
	cleanup_free char *finished = strf("%s/run.json", dir);
	int r = 0;

	if (file_exists(finished))
		return err_set(err, EEXIST, "the run in %s is finished already", dir);
	if (folder_exists(dir))
		r = folder_remove(dir, err);
	return r < 0 ? r : folder_make(dir, err);
}

int record_create(const char *campaign_dir, const char *cell_id, unsigned repeat, struct record **ret, struct err *err)
{
	static const char marks_header[] = "# memtide-marks/1\n# t_s\tname\tby\n# s\tname\tprogram|supervisor\n";
	cleanup_free char *dir = strf("%s/%s/%u", campaign_dir, cell_id, repeat);
	int e = make_folder(dir, err);

	if (e < 0)
		return e;

	struct record *r = xcalloc(1, sizeof(*r));

	r->dir = TAKE(dir);
	reserve(r);
	series_out_open(&r->samples, r->dir, &table_samples);
	series_out_open(&r->probes, r->dir, &table_probes);
	outfile_open(&r->marks, r->dir, "marks.tsv");
	outfile_write(&r->marks, marks_header, strlen(marks_header));
	output_open(&r->output[0], r->dir, "stdout");
	output_open(&r->output[1], r->dir, "stderr");
	r->output[2].file.fd = -1;
	r->values.fd = r->go.file.fd = r->split.file.fd = r->goroutines.fd = -1;
	*ret = r;
	return 0;
}

const char *record_dir(const struct record *r)
{
	return r->dir;
}

void record_sample(struct record *r, const struct sample *s)
{
	series_out_row(&r->samples, s);
}

void record_probe(struct record *r, const struct probe *p)
{
	series_out_row(&r->probes, p);
}

void record_mark(struct record *r, const struct mark *m)
{
	char time[32], line[128];
	size_t n = (size_t)(table_format_time(time, m->t_ns) - time);
	int len = snprintf(line, sizeof(line), "%.*s\t%s\t%s\n", (int)n, time, m->name, m->by == 'p' ? "program" : "supervisor");

	outfile_write(&r->marks, line, (size_t)len);
}

static void optional_row(struct record *r, struct series_out *s, const struct table *t, const void *row)
{
	if (!s->file.path && !r->closed)
		series_out_open(s, r->dir, t);
	if (s->file.fd >= 0)
		series_out_row(s, row);
}

void record_go(struct record *r, const struct go_row *row)
{
	optional_row(r, &r->go, &table_go, row);
}

void record_split(struct record *r, const struct split_row *row)
{
	optional_row(r, &r->split, &table_split, row);
}

void record_goroutines(struct record *r, json_t *all)
{
	json_incref(all);
	json_decref(r->all_goroutines);
	r->all_goroutines = all;
	r->goroutines_changed = true;
}

/* Not synced to the disk, as the series are not: this may be done every second of a run. */
static void write_goroutines(struct record *r)
{
	cleanup_free char *path = path_in(r, RECORD_GOROUTINES);
	cleanup_free char *text = r->goroutines_changed ? json_dumps(r->all_goroutines, JSON_INDENT(2) | JSON_SORT_KEYS) : NULL;

	r->goroutines_changed = false;
	if (!text || r->goroutines.errnum)
		return;
	free(r->goroutines.path);
	outfile_open(&r->goroutines, r->dir, RECORD_GOROUTINES ".tmp");
	outfile_write(&r->goroutines, text, strlen(text));
	outfile_write(&r->goroutines, "\n", 1);
	outfile_close(&r->goroutines);
	if (!r->goroutines.errnum && rename(r->goroutines.path, path) < 0)
		r->goroutines.errnum = errno;
}

char *record_heap_profile_path(const struct record *r, unsigned n, const char *at)
{
	return strf("%s/heap-%u-%s.pb.gz", r->dir, n, at);
}

void record_told(struct record *r, const struct told *t)
{
	static const char header[] = "# memtide-values/1\n# t_s\tname\tvalue\n# s\tname\tnumber\n";
	char time[32], line[128];
	size_t n = (size_t)(table_format_time(time, t->t_ns) - time);
	int len = snprintf(line, sizeof(line), "%.*s\t%s\t%llu\n", (int)n, time, t->name, (unsigned long long)t->value);

	if (!r->values.path && !r->closed) {
		outfile_open(&r->values, r->dir, "values.tsv");
		outfile_write(&r->values, header, strlen(header));
	}
	outfile_write(&r->values, line, (size_t)len);
}

void record_output(struct record *r, int stream, const char *data, size_t len)
{
	struct output_file *o = &r->output[stream - 1];

	if (!o->file.path && len > 0 && !r->closed)
		output_open(o, r->dir, "load-output");
	output_add(o, data, len);
}

void record_flush(struct record *r)
{
	series_out_flush(&r->samples);
	series_out_flush(&r->probes);
	series_out_flush(&r->go);
	series_out_flush(&r->split);
	write_goroutines(r);
}

int record_close_series(struct record *r, struct err *err)
{
	const struct outfile *files[] = { &r->samples.file, &r->probes.file,	   &r->go.file,	    &r->split.file,	    &r->goroutines,
					&r->marks,	    &r->values,	   &r->output[0].file, &r->output[1].file, &r->output[2].file };

	if (!r->closed) {
		series_out_close(&r->samples);
		series_out_close(&r->probes);
		series_out_close(&r->go);
		series_out_close(&r->split);
		write_goroutines(r);
		outfile_close(&r->marks);
		outfile_close(&r->values);
		for (size_t i = 0; i < N_OUTPUTS; i++)
			output_close(&r->output[i]);
		r->closed = true;
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (files[i]->errnum)
			return err_set(err, files[i]->errnum, "cannot write %s", files[i]->path);
	return 0;
}

int record_finish(struct record *r, const json_t *run, struct err *err)
{
	cleanup_free char *path = path_in(r, "run.json"), *reserved = path_in(r, "reserve");

	(void)unlink(reserved);
	return json_save(path, run, err);
}

struct record *record_free(struct record *r)
{
	if (!r)
		return NULL;
	(void)record_close_series(r, NULL);
	series_out_done(&r->samples);
	series_out_done(&r->probes);
	series_out_done(&r->go);
	series_out_done(&r->split);
	outfile_done(&r->goroutines);
	json_decref(r->all_goroutines);
	outfile_done(&r->marks);
	outfile_done(&r->values);
	for (size_t i = 0; i < N_OUTPUTS; i++)
		output_done(&r->output[i]);
	free(r->dir);
	free(r);
	return NULL;
}
