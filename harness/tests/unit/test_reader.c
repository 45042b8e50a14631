/* SPDX-License-Identifier: Apache-2.0
 *
 * What the reader makes of folders that are whole, cut short, damaged, of another time, or no results at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "record/reader.h"
#include "record/record.h"
#include "record/series_in.h"

struct room {
	char dir[64];
	struct err err;
};

static int setup(void **state)
{
	struct room *r = xcalloc(1, sizeof(*r));

	strcpy(r->dir, "/tmp/memtide-test-reader.XXXXXX");
	*state = r;
	return mkdtemp(r->dir) ? 0 : -1;
}

static int teardown(void **state)
{
	struct room *r = *state;
	int e = folder_remove(r->dir, NULL);

	err_done(&r->err);
	free(r);
	return e;
}

static void assert_says(const struct room *r, const char *what)
{
	if (!strstr(err_text(&r->err), what))
		fail_msg("\"%s\" is not in \"%s\"", what, err_text(&r->err));
}

static void put(const struct room *r, const char *path_in_room, const void *data, size_t len)
{
	cleanup_free char *path = strf("%s/%s", r->dir, path_in_room), *folder = xstrdup(path);
	struct err cleanup_err err = ERR_INIT;

	*strrchr(folder, '/') = 0;
	if (folder_make(folder, &err) < 0 || file_write(path, data, len, &err) < 0)
		fail_msg("%s", err_text(&err));
}

static void put_text(const struct room *r, const char *path_in_room, const char *text)
{
	put(r, path_in_room, text, strlen(text));
}

/* As `zstd FILE` would. */
static void put_zstd(const struct room *r, const char *path_in_room, const char *text)
{
	char frame[65536];
	size_t n = ZSTD_compress(frame, sizeof(frame), text, strlen(text), 3);

	assert_false(ZSTD_isError(n));
	put(r, path_in_room, frame, n);
}

#define SAMPLES_HEAD "# memtide-samples/1\n# t_s\trss_bytes\tusage_bytes\n# s\tbytes\tbytes\n"
#define PROBES_HEAD  "# memtide-probes/1\n# t_s\tthreads\n# s\tcount\n"
#define MARKS_HEAD   "# memtide-marks/1\n# t_s\tname\tby\n"

/* A run's folder with these samples, and the rest whole. */
static void put_series(const struct room *r, const char *samples)
{
	put_zstd(r, "samples.tsv.zst", samples);
	put_zstd(r, "probes.tsv.zst", PROBES_HEAD "0.010000\t5\n");
	put_text(r, "marks.tsv", MARKS_HEAD "0.5\tloaded\tprogram\n");
}

/* ---- series --------------------------------------------------------------------------------------------------------- */

static void a_later_minor_version_is_read(void **state)
{
	struct room *r = *state;
	cleanup_run_series struct run_series s = { 0 };

	put_series(r, "# memtide-samples/1\n# made by hand\tt_s\n");
	put_zstd(r, "samples.tsv.zst",
		 "# memtide-samples/1\n# t_s\tnews\trss_bytes\n# s\twhat\tbytes\n# a remark\n1.5\tx y\t4096\n");
	put_text(r, "marks.tsv", MARKS_HEAD "1\tidle\tsupervisor\tnews\n");
	assert_int_equal(run_series_read(r->dir, &s, &r->err), 0);
	assert_null(s.damage);
	assert_int_equal(s.n_samples, 1);
	assert_int_equal(s.samples[0].t_ns, 1500000000);
	assert_int_equal(s.samples[0].rss_bytes, 4096);
	assert_true(s.samples[0].usage_bytes == MISSING);
	assert_int_equal(s.n_probes, 1);
	assert_int_equal(s.probes[0].threads, 5);
	assert_true(s.probes[0].swap_bytes == MISSING && s.probes[0].cpu_ns == MISSING);
	assert_int_equal(s.n_marks, 1);
	assert_int_equal(s.marks[0].by, 's');
}

static void a_column_that_came_later_is_missing_in_an_older_record(void **state)
{
	struct room *r = *state;
	cleanup_run_series struct run_series s = { 0 };

	put_series(r, SAMPLES_HEAD);
	put_zstd(r, "go.tsv.zst", "# memtide-go/1\n# t_s\theap_inuse_bytes\tgc_count\tthreads_made\n# s\tbytes\tcount\tcount\n1.5\t4096\t3\t5\n");
	assert_int_equal(run_series_read(r->dir, &s, &r->err), 0);
	assert_null(s.damage);
	assert_int_equal(s.n_go, 1);
	assert_int_equal(s.go[0].c.threads_made, 5);
	assert_true(s.go[0].c.heap_marked_bytes == MISSING && s.go[0].c.goroutines == MISSING);
}

static void a_newer_format_is_refused(void **state)
{
	struct room *r = *state;
	struct run_series s = { 0 };

	put_series(r, "# memtide-samples/2\n# t_s\trss_bytes\n1\t2\n");
	assert_true(run_series_read(r->dir, &s, &r->err) < 0);
	assert_says(r, "samples.tsv.zst has the format memtide-samples/2; this memtide reads up to memtide-samples/1: use a "
		       "newer memtide");
	assert_null(s.samples);

	put_series(r, SAMPLES_HEAD);
	put_text(r, "marks.tsv", "# memtide-marks/17\n");
	assert_true(run_series_read(r->dir, &s, &r->err) < 0);
	assert_says(r, "memtide-marks/17");
}

/* Whatever is cut off, what is left is a beginning of the whole, and said to be one. */
static void cut_at_every_byte(void **state)
{
	struct room *r = *state;
	struct record *rec = NULL;
	cleanup_free char *whole = NULL, *path = NULL;
	size_t len, most = 0;

	assert_int_equal(record_create(r->dir, "cell", 1, &rec, &r->err), 0);
	for (int i = 0; i < 60; i++) {
		record_sample(rec, &(struct sample){ i * 1000000LL, 4096ULL * (unsigned)i, MISSING });
		if (i % 20 == 19)
			record_flush(rec);
	}
	assert_int_equal(record_close_series(rec, NULL), 0);
	path = strf("%s/samples.tsv.zst", record_dir(rec));
	assert_int_equal(file_read(path, 65536, &whole, &len, NULL), 0);

	for (size_t cut = 0; cut <= len; cut++) {
		cleanup_run_series struct run_series s = { 0 };

		assert_int_equal(file_write(path, whole, cut, NULL), 0);
		if (run_series_read(record_dir(rec), &s, &r->err) < 0)
			fail_msg("cut at %zu: %s", cut, err_text(&r->err));
		if ((cut == len) != (s.damage == NULL))
			fail_msg("cut at %zu of %zu: damage %s", cut, len, s.damage ? s.damage : "none");
		assert_true(s.n_samples >= most);
		most = s.n_samples;
		for (size_t i = 0; i < s.n_samples; i++) {
			assert_int_equal(s.samples[i].t_ns, i * 1000000);
			assert_int_equal(s.samples[i].rss_bytes, 4096 * i);
		}
		if (s.n_samples == 40 && cut < len)
			assert_string_equal(s.damage, "samples.tsv.zst ends in the middle, at 0.039 s");
	}
	assert_int_equal(most, 60);
	record_free(rec);
}

/* One wrong byte anywhere: no crash, and no error, for the rest is still worth having. */
static void a_wrong_byte_anywhere(void **state)
{
	struct room *r = *state;
	cleanup_free char *whole = NULL, *path = strf("%s/samples.tsv.zst", r->dir);
	size_t len;

	put_series(r, SAMPLES_HEAD "0.001\t4096\t-\n0.002\t8192\t1\n0.003\t12288\t2\n");
	assert_int_equal(file_read(path, 65536, &whole, &len, NULL), 0);
	for (size_t i = 0; i < len; i++)
		for (int bit = 0; bit < 8; bit++) {
			cleanup_run_series struct run_series s = { 0 };
			struct err cleanup_err err = ERR_INIT;

			whole[i] = (char)(whole[i] ^ 1 << bit);
			assert_int_equal(file_write(path, whole, len, NULL), 0);
			if (run_series_read(r->dir, &s, &err) < 0 && !strstr(err_text(&err), "use a newer memtide"))
				fail_msg("byte %zu, bit %d: %s", i, bit, err_text(&err));
			whole[i] = (char)(whole[i] ^ 1 << bit);
		}
}

static void a_line_that_is_none_ends_the_series(void **state)
{
	static const struct {
		const char *samples, *damage;
		size_t n;
	} cases[] = {
		{ SAMPLES_HEAD "1\t2\t3\n1\t2\n3\t4\t5\n", "samples.tsv.zst:5: not a row of this table; read up to 1.000 s", 1 },
		{ SAMPLES_HEAD "1\t2\t3\t4\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "1\t2\t3\n2\t-1\t3\n", "samples.tsv.zst:5: not a row of this table; read up to 1.000 s", 1 },
		{ SAMPLES_HEAD "1\t2\t3x\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "1\t2\t\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "1\t2\t 3\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "-\t2\t3\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "1e3\t2\t3\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "1\t18446744073709551616\t3\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "1\t18446744073709551615\t3\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "9999999999\t2\t3\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "\n", "samples.tsv.zst:4: not a row of this table", 0 },
		{ SAMPLES_HEAD "1\t2\t3\n2\t2\t3", "samples.tsv.zst ends in the middle, at 1.000 s", 1 },
		{ "# memtide-samples/1\n1\t2\t3\n", "samples.tsv.zst:2: a row before the names of the columns", 0 },
		{ "1\t2\t3\n", "samples.tsv.zst:1: a row before the names of the columns", 0 },
		{ "# memtide-probes/1\n", "samples.tsv.zst:1: not the format line of such a file", 0 },
		{ "# memtide-samples/\n", "samples.tsv.zst:1: not the format line of such a file", 0 },
		{ "# memtide-samples/1\n# rss_bytes\n", "samples.tsv.zst:2: not the names of the columns", 0 },
		{ "# memtide-samples/1\n# t_s\trss_bytes\trss_bytes\n", "samples.tsv.zst:2: not the names of the columns", 0 },
		{ "# memtide-samples/1\n", "samples.tsv.zst ends in the middle, before the first row", 0 },
		{ "", "samples.tsv.zst ends in the middle, before the first row", 0 },
		{ SAMPLES_HEAD "1\t2\t18446744073709551614\n", NULL, 1 },
	};
	struct room *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_run_series struct run_series s = { 0 };

		put_series(r, cases[i].samples);
		assert_int_equal(run_series_read(r->dir, &s, &r->err), 0);
		if (cases[i].damage)
			assert_string_equal(s.damage ? s.damage : "no damage", cases[i].damage);
		else
			assert_null(s.damage);
		assert_int_equal(s.n_samples, cases[i].n);
	}
}

static void a_mark_that_is_none_ends_the_marks(void **state)
{
	static const struct {
		const char *marks, *damage;
		size_t n;
	} cases[] = {
		{ MARKS_HEAD "1\tidle\tprogram\n2\tBig\tprogram\n3\tidle\tprogram\n", "marks.tsv:4: not a mark", 1 },
		{ MARKS_HEAD "1\tidle\tsomebody\n", "marks.tsv:3: not a mark", 0 },
		{ MARKS_HEAD "1\tidle\n", "marks.tsv:3: not a mark", 0 },
		{ MARKS_HEAD "1\t\tprogram\n", "marks.tsv:3: not a mark", 0 },
		{ MARKS_HEAD "1\tabcdefghijklmnopqrstuvwxyzabcdef\tprogram\n", "marks.tsv:3: not a mark", 0 },
		{ MARKS_HEAD "1\tabcdefghijklmnopqrstuvwxyzabcde\tprogram\n", NULL, 1 },
		{ MARKS_HEAD "1\tidle\tprogram\n2\tdone\tprog", "marks.tsv ends in the middle", 1 },
		{ "nothing\n", "marks.tsv:1: not the format line of such a file", 0 },
		{ "", "marks.tsv ends in the middle", 0 },
	};
	struct room *r = *state;

	put_series(r, SAMPLES_HEAD);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_run_series struct run_series s = { 0 };

		put_text(r, "marks.tsv", cases[i].marks);
		assert_int_equal(run_series_read(r->dir, &s, &r->err), 0);
		if (cases[i].damage)
			assert_string_equal(s.damage ? s.damage : "no damage", cases[i].damage);
		else
			assert_null(s.damage);
		assert_int_equal(s.n_marks, cases[i].n);
	}
}

static void missing_files_are_damage_and_a_missing_folder_an_error(void **state)
{
	struct room *r = *state;
	cleanup_run_series struct run_series s = { 0 };
	cleanup_free char *nowhere = strf("%s/nowhere", r->dir);

	assert_int_equal(run_series_read(r->dir, &s, &r->err), 0);
	assert_string_equal(s.damage, "samples.tsv.zst is missing; probes.tsv.zst is missing; marks.tsv is missing");
	assert_int_equal(run_series_read(nowhere, &s, &r->err), -ENOENT);
	assert_says(r, "nowhere");
}

static void rows_out_of_order_are_put_in_order(void **state)
{
	struct room *r = *state;
	cleanup_run_series struct run_series s = { 0 };

	put_series(r, SAMPLES_HEAD);
	put_zstd(r, "probes.tsv.zst", PROBES_HEAD "1\t1\n3\t3\n2\t2\n-0.5\t0\n");
	assert_int_equal(run_series_read(r->dir, &s, &r->err), 0);
	assert_null(s.damage);
	assert_int_equal(s.n_probes, 4);
	for (size_t i = 0; i < s.n_probes; i++)
		assert_int_equal(s.probes[i].threads, i);
}

static void bombs_are_refused(void **state)
{
	struct room *r = *state;
	cleanup_strv struct strv damage = STRV_INIT;
	cleanup_run_series struct run_series s = { 0 };
	cleanup_free char *line = xcalloc(1 << 20, 1), *frame = xcalloc(1 << 20, 1);
	void *rows = NULL;
	size_t n = 0;

	put_series(r, SAMPLES_HEAD "1\t1\t1\n2\t1\t1\n3\t1\t1\n");
	assert_int_equal(series_in_read(r->dir, &table_samples, 3, &rows, &n, &damage, &r->err), 0);
	assert_int_equal(n, 3);
	free(rows);
	rows = NULL;
	assert_true(series_in_read(r->dir, &table_samples, 2, &rows, &n, &damage, &r->err) < 0);
	assert_null(rows);
	assert_says(r, "samples.tsv.zst has more than 2 rows");

	memset(line, '7', 1 << 20);
	memcpy(line, SAMPLES_HEAD, strlen(SAMPLES_HEAD));
	put(r, "samples.tsv.zst", frame, ZSTD_compress(frame, 1 << 20, line, 1 << 20, 3));
	assert_int_equal(run_series_read(r->dir, &s, &r->err), 0);
	assert_string_equal(s.damage, "samples.tsv.zst:4: a line without an end");
}

/* Eleven minutes in which every tick changed something. */
static void a_long_run_is_read_whole(void **state)
{
	struct room *r = *state;
	cleanup_run_series struct run_series s = { 0 };
	struct record *rec = NULL;

	assert_int_equal(record_create(r->dir, "cell", 1, &rec, &r->err), 0);
	for (int i = 0; i < 650000; i++)
		record_sample(rec, &(struct sample){ i * 1000123LL, 4096ULL * (unsigned)(i * 7919LL % 200000), 800000000 });
	assert_int_equal(record_close_series(rec, NULL), 0);
	assert_int_equal(run_series_read(record_dir(rec), &s, &r->err), 0);
	assert_null(s.damage);
	assert_int_equal(s.n_samples, 650000);
	assert_int_equal(s.samples[649999].rss_bytes, 4096ULL * (649999 * 7919LL % 200000));
	record_free(rec);
}

/* ---- campaigns ------------------------------------------------------------------------------------------------------ */

static const char two_cells[] =
	"{\"format\": \"memtide-campaign/1\", \"scenario\": \"s\", \"news\": [1], \"cells\": ["
	"{\"id\": \"go=1.9\", \"settings\": {\"go\": \"1.9\"}}, {\"id\": \"go=1.10\"}, {\"id\": \"go=1.11\"}]}";

static void a_campaign_is_read_in_its_own_order(void **state)
{
	struct room *r = *state;
	cleanup_strv struct strv warnings = STRV_INIT;
	struct campaign *c = NULL;
	struct campaign_cells cells;

	put_text(r, "campaign.json", two_cells);
	put_text(r, "go=1.10/2/run.json", "{\"format\": \"memtide-run/1\", \"outcome\": \"ok\"}");
	put_text(r, "go=1.10/10/run.json", "{\"format\": \"memtide-run/1\", \"outcome\": \"oom-cgroup\", \"news\": 1}");
	put_text(r, "go=1.9/1/stdout", "");
	put_text(r, "go=1.9/notes/run.json", "{}");
	put_text(r, "plots/run.json", "{}");
	if (campaign_read(r->dir, &c, &warnings, &r->err) < 0)
		fail_msg("%s", err_text(&r->err));
	assert_int_equal(warnings.n, 0);
	assert_int_equal(c->n_runs, 3);
	assert_string_equal(c->runs[0].cell_id, "go=1.9");
	assert_null(c->runs[0].run);
	assert_int_equal(c->runs[0].outcome, OUTCOME_INTERRUPTED);
	assert_int_equal(c->runs[1].repeat, 2);
	assert_int_equal(c->runs[1].outcome, OUTCOME_OK);
	assert_int_equal(c->runs[2].repeat, 10);
	assert_int_equal(c->runs[2].outcome, OUTCOME_OOM_CGROUP);

	campaign_cells(c, &cells);
	assert_int_equal(cells.n, 3);
	assert_string_equal(cells.v[0].id, "go=1.9");
	assert_string_equal(json_string_value(json_object_get(cells.v[0].settings, "go")), "1.9");
	assert_int_equal(cells.v[0].n_runs, 1);
	assert_true(json_is_object(cells.v[1].settings));
	assert_int_equal(cells.v[1].n_runs, 2);
	assert_ptr_equal(cells.v[1].runs[1], &c->runs[2]);
	assert_int_equal(cells.v[2].n_runs, 0);
	campaign_cells_done(&cells);
	campaign_free(c);
}

static void a_cells_label_has_what_differs(void **state)
{
	static const struct {
		const char *cells;
		const char *labels[2];
	} cases[] = {
		{ "{\"id\": \"a\", \"settings\": {\"go\": \"1.9\", \"thp\": \"never\", \"variant\": \"leaky\"}},"
		  "{\"id\": \"b\", \"settings\": {\"go\": \"1.9\", \"thp\": \"never\", \"variant\": \"fixed\"}}",
		  { "variant=leaky", "variant=fixed" } },
		{ "{\"id\": \"a\", \"settings\": {\"go\": \"1.9\", \"godebug\": \"default\"}},"
		  "{\"id\": \"b\", \"settings\": {\"go\": \"1.10\", \"godebug\": \"x=1\"}}",
		  { "go=1.9,godebug=default", "go=1.10,godebug=x=1" } },
		{ "{\"id\": \"a\", \"settings\": {\"go\": \"1.9\", \"godebug\": \"default\"}}", { "go=1.9" } },
		{ "{\"id\": \"a\", \"settings\": {}}", { "a" } },
	};
	struct room *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_free char *text = strf("{\"format\": \"memtide-campaign/1\", \"scenario\": \"s\", \"cells\": [%s]}", cases[i].cells);
		struct campaign *c = NULL;
		struct campaign_cells cells;

		put_text(r, "campaign.json", text);
		if (campaign_read(r->dir, &c, NULL, &r->err) < 0)
			fail_msg("%s", err_text(&r->err));
		campaign_cells(c, &cells);
		for (size_t k = 0; k < cells.n; k++)
			assert_string_equal(cells.v[k].label, cases[i].labels[k]);
		campaign_cells_done(&cells);

		cleanup_free char *unknown = campaign_cell_label(c, "go=9");
		assert_string_equal(unknown, "go=9");
		campaign_free(c);
	}
}

static void a_damaged_run_is_a_warning(void **state)
{
	struct room *r = *state;
	cleanup_strv struct strv warnings = STRV_INIT;
	struct campaign *c = NULL;

	put_text(r, "campaign.json", two_cells);
	put_text(r, "go=1.9/1/run.json", "{\"format\": \"memtide-run/1\", \"outc");
	put_text(r, "go=1.9/2/run.json", "{\"format\": \"memtide-run/2\", \"outcome\": \"ok\"}");
	put_text(r, "go=1.9/3/run.json", "{\"format\": \"memtide-run/1\", \"outcome\": \"abducted\"}");
	put_text(r, "go=1.9/4/run.json", "[]");
	put_text(r, "go=1.9/5/run.json", "{\"format\": \"memtide-run/1\", \"outcome\": \"ok\"}");
	assert_int_equal(campaign_read(r->dir, &c, &warnings, &r->err), 0);
	assert_int_equal(c->n_runs, 5);
	assert_int_equal(warnings.n, 4);
	assert_non_null(strstr(warnings.v[0], "go=1.9/1/run.json:1:"));
	assert_non_null(strstr(warnings.v[1], "use a newer memtide"));
	assert_non_null(strstr(warnings.v[2], "go=1.9/3/run.json"));
	assert_null(c->runs[1].run);
	assert_int_equal(c->runs[2].outcome, OUTCOME_HARNESS_ERROR);
	assert_int_equal(c->runs[4].outcome, OUTCOME_OK);
	campaign_free(c);
}

static void campaigns_that_cannot_be_read(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "{\"format\": \"memtide-campaign/2\"}", "use a newer memtide" },
		{ "{\"format\": \"memtide-run/1\"}", "is not a memtide-campaign file" },
		{ "{\"format\": \"memtide-campaign/1\"}", "the name of the scenario is missing" },
		{ "{\"format\": \"memtide-campaign/1\", \"scenario\": \"s\"}", "the list of cells is missing" },
		{ "{\"format\": \"memtide-campaign/1\", \"scenario\": \"s\", \"cells\": [3]}", "cell 1 has no id" },
		{ "{\"format\": \"memtide-campaign/1\", \"scenario\": \"s\", \"cells\": [{\"id\": \"..\"}]}",
		  "cell 1 has no id" },
		{ "{\"format\": \"memtide-campaign/1\", \"scenario\": \"s\", \"cells\": [{\"id\": \"a/b\"}]}",
		  "cell 1 has no id" },
		{ "{\"format\": \"memtide-campaign/1\", \"scenario\": \"s\", \"cells\": [{\"id\": \"a\"}, {\"id\": \"a\"}]}",
		  "the cell a is there twice" },
		{ "{\"format\"", "campaign.json:1:" },
	};
	struct room *r = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct campaign *c = NULL;

		put_text(r, "campaign.json", cases[i].text);
		assert_true(campaign_read(r->dir, &c, NULL, &r->err) < 0);
		assert_null(c);
		assert_says(r, cases[i].says);
	}
}

/* ---- which campaign ------------------------------------------------------------------------------------------------- */

static void put_campaign(const struct room *r, const char *name, const char *started)
{
	cleanup_free char *path = strf("results/%s/campaign.json", name);
	cleanup_free char *text = started ? strf("{\"started\": \"%s\"}", started) : xstrdup("{}");

	put_text(r, path, text);
}

static void assert_newest(struct room *r, const char *name)
{
	cleanup_free char *results = strf("%s/results", r->dir), *want = strf("%s/%s", results, name), *found = NULL;

	if (campaign_locate(NULL, results, &found, &r->err) < 0)
		fail_msg("%s", err_text(&r->err));
	assert_string_equal(found, want);
}

static void the_newest_is_the_one_that_started_last(void **state)
{
	struct room *r = *state;

	put_text(r, "results/zzz/other.txt", "");
	put_campaign(r, "b", "2026-03-01T10:00:00Z");
	assert_newest(r, "b");
	put_campaign(r, "a", "2026-03-01T10:00:01Z");
	assert_newest(r, "a");
	put_campaign(r, "a-2", "2026-03-01T10:00:01Z");
	put_campaign(r, "a-10", "2026-03-01T10:00:01Z");
	assert_newest(r, "a-10");
	put_campaign(r, "20260302-120000-s", NULL);
	put_campaign(r, "unknown", NULL);
	assert_newest(r, "20260302-120000-s");
	put_campaign(r, "c", "2026-03-05T00:00:00Z");
	assert_newest(r, "c");
}

static void no_campaign_yet(void **state)
{
	struct room *r = *state;
	cleanup_free char *results = strf("%s/results", r->dir);
	char *found = NULL;

	assert_int_equal(campaign_locate(NULL, results, &found, &r->err), -EINVAL);
	assert_says(r, results);
	assert_says(r, "memtide run free-os-memory");
	assert_int_equal(r->err.exit_code, EXIT_USAGE);
	assert_null(found);
}

static void a_named_folder_is_taken_or_told_what_it_is(void **state)
{
	static const struct {
		const char *name, *says, *hint;
	} cases[] = {
		{ "results/a/go=1/1", "is a part of a campaign", "/results/a" },
		{ "results/a/go=1", "is a part of a campaign", "/results/a" },
		{ "results", "holds campaigns", "/results/a" },
		{ "lost/1", "is the folder of one run", "without" },
		{ "lost/1/run.json", "is not a folder", "" },
		{ "lost", "is no campaign: there is no campaign.json in it", "" },
		{ "nowhere", "there is no folder ", "nowhere" },
	};
	struct room *r = *state;
	cleanup_free char *results = strf("%s/results", r->dir), *good = strf("%s/a///", results), *clean = strf("%s/a", results);
	char *found = NULL;

	put_campaign(r, "a", "2026-03-01T10:00:00Z");
	put_text(r, "results/a/go=1/1/run.json", "{}");
	put_text(r, "lost/1/run.json", "{}");
	assert_int_equal(campaign_locate(good, results, &found, &r->err), 0);
	assert_string_equal(found, clean);
	free(found);

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_free char *dir = strf("%s/%s", r->dir, cases[i].name);

		assert_int_equal(campaign_locate(dir, results, &found, &r->err), -EINVAL);
		assert_int_equal(r->err.exit_code, EXIT_USAGE);
		assert_says(r, cases[i].says);
		assert_says(r, cases[i].hint);
	}
	assert_int_equal(campaign_locate("a", results, &found, &r->err), -EINVAL);
	assert_says(r, "Did you mean ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_later_minor_version_is_read),
		TEST(a_column_that_came_later_is_missing_in_an_older_record),
		TEST(a_newer_format_is_refused),
		TEST(cut_at_every_byte),
		TEST(a_wrong_byte_anywhere),
		TEST(a_line_that_is_none_ends_the_series),
		TEST(a_mark_that_is_none_ends_the_marks),
		TEST(missing_files_are_damage_and_a_missing_folder_an_error),
		TEST(rows_out_of_order_are_put_in_order),
		TEST(bombs_are_refused),
		TEST(a_long_run_is_read_whole),
		TEST(a_campaign_is_read_in_its_own_order),
		TEST(a_cells_label_has_what_differs),
		TEST(a_damaged_run_is_a_warning),
		TEST(campaigns_that_cannot_be_read),
		TEST(the_newest_is_the_one_that_started_last),
		TEST(no_campaign_yet),
		TEST(a_named_folder_is_taken_or_told_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
