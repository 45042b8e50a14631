/* SPDX-License-Identifier: Apache-2.0
 *
 * What the writer leaves on disk: round trips, bounds, a full disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/strv.h"
#include "record/output.h"
#include "record/reader.h"
#include "record/record.h"

struct room {
	char dir[64];
	struct err err;
};

static int setup(void **state)
{
	struct room *r = xcalloc(1, sizeof(*r));

	strcpy(r->dir, "/tmp/memtide-test-record.XXXXXX");
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

static struct record *create(struct room *r, const char *cell)
{
	struct record *rec = NULL;

	if (record_create(r->dir, cell, 1, &rec, &r->err) < 0)
		fail_msg("%s", err_text(&r->err));
	return rec;
}

static char *read_in(const struct record *rec, const char *name, size_t *ret_len)
{
	cleanup_free char *path = strf("%s/%s", record_dir(rec), name);
	struct err cleanup_err err = ERR_INIT;
	char *text = NULL;

	if (file_read(path, 1UL << 24, &text, ret_len, &err) < 0)
		fail_msg("%s", err_text(&err));
	return text;
}

/* Through the command that FORMAT.md names, not through this project's own reader. */
static char *zstdcat(const struct record *rec, const char *name)
{
	cleanup_free char *command = strf("zstdcat %s/%s", record_dir(rec), name);
	char *text = xcalloc(1, 1 << 16);
	FILE *f = popen(command, "r");

	assert_non_null(f);
	text[fread(text, 1, (1 << 16) - 1, f)] = 0;
	assert_int_equal(pclose(f), 0);
	return text;
}

/* ---- series --------------------------------------------------------------------------------------------------------- */

static void series_are_tables_that_zstdcat_shows(void **state)
{
	struct record *rec = create(*state, "go=1.12");

	record_sample(rec, &(struct sample){ 0, 4096, MISSING });
	record_sample(rec, &(struct sample){ 1234567999, UINT64_MAX - 1, 0 });
	record_probe(rec, &(struct probe){ 10000000, 5, 1500000, 8192, MISSING, 7, MISSING, MISSING, MISSING, MISSING, 0 });
	record_mark(rec, &(struct mark){ 2500000, "loaded", 'p' });
	record_mark(rec, &(struct mark){ 3000000000000, "limit-lowered", 's' });
	assert_int_equal(record_close_series(rec, NULL), 0);

	cleanup_free char *samples = zstdcat(rec, "samples.tsv.zst"), *probes = zstdcat(rec, "probes.tsv.zst");
	cleanup_free char *marks = read_in(rec, "marks.tsv", NULL);

	assert_string_equal(samples, "# memtide-samples/1\n# t_s\trss_bytes\tusage_bytes\n# s\tbytes\tbytes\n"
				     "0.000000\t4096\t-\n1.234567\t18446744073709551614\t0\n");
	assert_string_equal(
		probes, "# memtide-probes/1\n"
			"# t_s\tthreads\tcpu_s\thwm_bytes\tinactive_file_bytes\tworking_set_bytes\tpss_bytes\tlazyfree_bytes\t"
			"thp_bytes\tswap_bytes\tslow\n"
			"# s\tcount\ts\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\tcount\n"
			"0.010000\t5\t0.001500\t8192\t-\t7\t-\t-\t-\t-\t0\n");
	assert_string_equal(marks, "# memtide-marks/1\n# t_s\tname\tby\n# s\tname\tprogram|supervisor\n"
				   "0.002500\tloaded\tprogram\n3000.000000\tlimit-lowered\tsupervisor\n");
	record_free(rec);
}

static void what_is_written_comes_back(void **state)
{
	cleanup_run_series struct run_series s = { 0 };
	struct record *rec = create(*state, "go=1.12");
	const struct probe fast = { 10000000, 5, 1500000, 8192, 0, 7, MISSING, MISSING, MISSING, MISSING, 0 };
	const struct probe slow = { 20000000, MISSING, MISSING, MISSING, MISSING, MISSING, 1, 2, 3, 0, 1 };

	for (int i = 0; i < 100000; i++)
		record_sample(rec, &(struct sample){ i * 1000000LL - 5000, 4096ULL * (unsigned)i, i % 3 ? MISSING : 1 });
	record_probe(rec, &fast);
	record_probe(rec, &slow);
	record_mark(rec, &(struct mark){ 2500000, "loaded", 'p' });
	assert_int_equal(record_close_series(rec, NULL), 0);
	assert_int_equal(run_series_read(record_dir(rec), &s, NULL), 0);

	assert_null(s.damage);
	assert_int_equal(s.n_samples, 100000);
	for (int i = 0; i < 100000; i++) {
		assert_int_equal(s.samples[i].t_ns, i * 1000000LL - 5000);
		assert_int_equal(s.samples[i].rss_bytes, 4096ULL * (unsigned)i);
		assert_int_equal(s.samples[i].usage_bytes, i % 3 ? MISSING : 1);
	}
	assert_int_equal(s.n_probes, 2);
	assert_memory_equal(&s.probes[0], &fast, sizeof(fast));
	assert_memory_equal(&s.probes[1], &slow, sizeof(slow));
	assert_int_equal(s.n_go, 0); /* a run of which the runtime was not read lacks nothing */
	assert_int_equal(s.n_splits, 0);
	assert_int_equal(s.n_marks, 1);
	assert_int_equal(s.marks[0].t_ns, 2500000);
	assert_string_equal(s.marks[0].name, "loaded");
	assert_int_equal(s.marks[0].by, 'p');
	record_free(rec);
}

static void what_was_read_of_the_runtime_comes_back(void **state)
{
	cleanup_run_series struct run_series s = { 0 };
	struct record *rec = create(*state, "go=1.12");
	const struct go_row full = { 10000000, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } }, off = { 20000000, { 1, 2, 3, 4, 5, MISSING, 7, 8, 9, MISSING } };
	struct go_row gap;
	struct split_row split = { 15000000, { { 10, 20, 30, 40, 50, 60, 70, 80, 90 }, 450, 460, 7 } };

	memset(&gap, 0xff, sizeof(gap));
	gap.t_ns = 30000000;
	record_go(rec, &full);
	record_go(rec, &off);
	record_go(rec, &gap);
	record_split(rec, &split);
	assert_int_equal(record_close_series(rec, NULL), 0);

	cleanup_free char *go = zstdcat(rec, "go.tsv.zst"), *splits = zstdcat(rec, "split.tsv.zst");
	assert_string_equal(go, "# memtide-go/1\n"
				"# t_s\theap_inuse_bytes\theap_idle_bytes\theap_released_bytes\tstacks_bytes\truntime_bytes\t"
				"gc_goal_bytes\tgc_count\tgoroutines\tthreads_made\theap_marked_bytes\n"
				"# s\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\tcount\tcount\tcount\tbytes\n"
				"0.010000\t1\t2\t3\t4\t5\t6\t7\t8\t9\t10\n0.020000\t1\t2\t3\t4\t5\t-\t7\t8\t9\t-\n"
				"0.030000\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\n");
	assert_string_equal(splits, "# memtide-split/1\n"
				    "# t_s\tobjects_bytes\tfragmentation_bytes\tstacks_bytes\tidle_bytes\tlazyfree_bytes\t"
				    "runtime_bytes\tnative_bytes\tthread_stacks_bytes\tfiles_bytes\trss_bytes\n"
				    "# s\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\tbytes\n"
				    "0.015000\t10\t20\t30\t40\t50\t60\t70\t80\t90\t450\n");
	assert_int_equal(run_series_read(record_dir(rec), &s, NULL), 0);
	assert_null(s.damage);
	assert_int_equal(s.n_go, 3);
	assert_memory_equal(&s.go[0], &full, sizeof(full));
	assert_memory_equal(&s.go[1], &off, sizeof(off));
	assert_memory_equal(&s.go[2], &gap, sizeof(gap));
	assert_int_equal(s.n_splits, 1);
	split.s.statm_bytes = split.s.spans = MISSING;
	assert_memory_equal(&s.splits[0], &split, sizeof(split));
	record_free(rec);
}

/* The longest row that there can be of each table fits. */
static void the_longest_rows_fit(void **state)
{
	struct record *rec = create(*state, "go=1.12");
	cleanup_run_series struct run_series s = { 0 };
	struct go_row go;
	struct split_row split;

	memset(&go, 0xfe, sizeof(go));
	memset(&split, 0xfe, sizeof(split));
	go.t_ns = split.t_ns = -9000000000 * 1000000000LL;
	for (int i = 0; i < 1000; i++) {
		record_go(rec, &go);
		record_split(rec, &split);
	}
	assert_int_equal(record_close_series(rec, NULL), 0);
	assert_int_equal(run_series_read(record_dir(rec), &s, NULL), 0);
	assert_int_equal(s.n_go, 1000);
	assert_int_equal(s.n_splits, 1000);
	assert_memory_equal(&s.go[999], &go, sizeof(go));
	record_free(rec);
}

static void goroutines_and_profiles_are_found_again(void **state)
{
	struct room *room = *state;
	struct record *rec = create(room, "go=1.12");
	cleanup_json json_t *all = json_pack("{s:s, s:[]}", "format", "memtide-goroutines/1", "snapshots"), *back = NULL;
	cleanup_strv struct strv profiles = STRV_INIT;

	assert_int_equal(run_goroutines_read(record_dir(rec), &back, &room->err), -ENOENT);
	assert_string_equal(err_text(&room->err), "");
	record_goroutines(rec, all);
	assert_int_equal(run_goroutines_read(record_dir(rec), &back, &room->err), -ENOENT); /* with the next flush */
	record_flush(rec);
	assert_int_equal(run_goroutines_read(record_dir(rec), &back, &room->err), 0);
	assert_true(json_equal(all, back));
	json_array_append_new(json_object_get(all, "snapshots"), json_integer(7));
	record_goroutines(rec, all);
	assert_int_equal(record_close_series(rec, &room->err), 0);
	json_decref(back);
	back = NULL;
	assert_int_equal(run_goroutines_read(record_dir(rec), &back, &room->err), 0);
	assert_int_equal(json_array_size(json_object_get(back, "snapshots")), 1);
	for (unsigned n = 10; n > 0; n--) {
		cleanup_free char *path = record_heap_profile_path(rec, n, n == 10 ? "end" : "loaded");

		assert_int_equal(file_write(path, "x", 1, NULL), 0);
	}
	assert_int_equal(run_heap_profiles(record_dir(rec), &profiles, &room->err), 0);
	assert_int_equal(profiles.n, 10);
	assert_string_equal(strrchr(profiles.v[0], '/'), "/heap-1-loaded.pb.gz");
	assert_string_equal(strrchr(profiles.v[9], '/'), "/heap-10-end.pb.gz");
	record_free(rec);
}

static void a_flush_makes_rows_readable_from_outside(void **state)
{
	cleanup_run_series struct run_series s = { 0 };
	struct record *rec = create(*state, "go=1.12");

	for (int i = 0; i < 50; i++)
		record_sample(rec, &(struct sample){ i * 1000000LL, 4096, 4096 });
	record_flush(rec);
	record_sample(rec, &(struct sample){ 50000000LL, 4096, 4096 });
	assert_int_equal(run_series_read(record_dir(rec), &s, NULL), 0);
	assert_int_equal(s.n_samples, 50);
	assert_string_equal(
		s.damage,
		"samples.tsv.zst ends in the middle, at 0.049 s; probes.tsv.zst ends in the middle, before the first row");
	record_free(rec);
}

/* ---- the folder ----------------------------------------------------------------------------------------------------- */

static void an_unfinished_run_gives_way_and_a_finished_one_does_not(void **state)
{
	struct room *room = *state;
	struct record *first = create(room, "go=1.12"), *second = NULL;
	cleanup_free char *left = strf("%s/left-behind", record_dir(first)), *reserve = strf("%s/reserve", record_dir(first));
	cleanup_json json_t *run = json_pack("{s:s}", "format", "memtide-run/1");

	assert_int_equal(file_write(left, "x", 1, NULL), 0);
	record_free(first);

	second = create(room, "go=1.12");
	assert_false(file_exists(left));
	assert_true(file_exists(reserve));
	assert_int_equal(record_finish(second, run, NULL), 0);
	assert_false(file_exists(reserve));
	record_free(second);

	assert_int_equal(record_create(room->dir, "go=1.12", 1, &first, &room->err), -EEXIST);
	assert_non_null(strstr(err_text(&room->err), "go=1.12/1 is finished already"));
}

static void a_folder_that_cannot_be_made_is_an_error(void **state)
{
	struct room *room = *state;
	struct record *rec = NULL;
	cleanup_free char *in_the_way = strf("%s/go=1.12", room->dir);

	assert_int_equal(file_write(in_the_way, "x", 1, NULL), 0);
	assert_true(record_create(room->dir, "go=1.12", 1, &rec, &room->err) < 0);
	assert_null(rec);
	assert_non_null(strstr(err_text(&room->err), in_the_way));
}

/* ---- the program's output ------------------------------------------------------------------------------------------- */

static void short_output_is_kept_whole(void **state)
{
	struct record *rec = create(*state, "go=1.12");
	size_t len;

	record_output(rec, 1, "to stdout\n", 10);
	record_output(rec, 2, "fatal", 5);
	record_output(rec, 2, " error\n", 7);
	assert_int_equal(record_close_series(rec, NULL), 0);

	cleanup_free char *log = read_in(rec, "stderr", &len);
	assert_int_equal(len, 12);
	assert_string_equal(log, "fatal error\n");
	record_free(rec);
}

static void a_load_has_a_file_once_it_prints(void **state)
{
	struct record *rec = create(*state, "go=1.12");
	cleanup_free char *path = strf("%s/load-output", record_dir(rec));
	size_t len;

	record_output(rec, 3, "", 0);
	assert_false(file_exists(path));
	record_output(rec, 3, "100 requests\n", 13);
	record_output(rec, 1, "served\n", 7);
	assert_int_equal(record_close_series(rec, NULL), 0);

	cleanup_free char *text = read_in(rec, "load-output", &len), *out = read_in(rec, "stdout", &len);
	assert_string_equal(text, "100 requests\n");
	assert_string_equal(out, "served\n");
	record_free(rec);
}

static void what_a_load_prints_after_the_end_makes_no_file(void **state)
{
	struct record *rec = create(*state, "go=1.12");
	cleanup_free char *path = strf("%s/load-output", record_dir(rec));

	assert_int_equal(record_close_series(rec, NULL), 0);
	record_output(rec, 3, "late", 4);
	assert_false(file_exists(path));
	record_free(rec);
}

/* n bytes in pieces of 777, each byte told by its place. */
static char *pattern(size_t n)
{
	char *p = xcalloc(n, 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + i % 26 + (i / 26) % 3);
	return p;
}

static void print(struct record *rec, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i += 777)
		record_output(rec, 1, data + i, n - i < 777 ? n - i : 777);
}

static void output_a_little_above_the_bound_is_kept_whole(void **state)
{
	struct record *rec = create(*state, "go=1.12");
	size_t n = OUTPUT_HEAD_MAX + OUTPUT_TAIL_MAX, len;
	cleanup_free char *data = pattern(n);

	print(rec, data, n);
	assert_int_equal(record_close_series(rec, NULL), 0);

	cleanup_free char *out = read_in(rec, "stdout", &len);
	assert_int_equal(len, n);
	assert_memory_equal(out, data, n);
	record_free(rec);
}

static void long_output_is_kept_at_both_ends(void **state)
{
	static const char line[] = "\n[memtide: 1951616 bytes left out here]\n";
	struct record *rec = create(*state, "go=1.12");
	size_t n = 3 * 1024 * 1024 - 80000, len, in_line = strlen(line);
	cleanup_free char *data = pattern(n);

	print(rec, data, n);
	assert_int_equal(record_close_series(rec, NULL), 0);

	cleanup_free char *out = read_in(rec, "stdout", &len);
	assert_int_equal(len, OUTPUT_HEAD_MAX + in_line + OUTPUT_TAIL_MAX);
	assert_memory_equal(out, data, OUTPUT_HEAD_MAX);
	assert_memory_equal(out + OUTPUT_HEAD_MAX, line, in_line);
	assert_memory_equal(out + OUTPUT_HEAD_MAX + in_line, data + n - OUTPUT_TAIL_MAX, OUTPUT_TAIL_MAX);
	record_free(rec);
}

static void a_zero_byte_does_not_hide_the_last_words(void **state)
{
	struct record *rec = create(*state, "go=1.12");

	static const char words[] = "\0\0fatal error: out of memory\0\n";
	record_output(rec, 2, words, sizeof(words) - 1);
	record_free(rec);
}

/* ---- a full disk ---------------------------------------------------------------------------------------------------- */

/* Rows that do not compress, so that the disk is full soon; returns how many were given. */
static int fill(struct record *rec)
{
	uint64_t x = 88172645463325252ULL;

	for (int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		record_sample(rec, &(struct sample){ i * 1000000LL, x, x ^ 0x5555 });
		if (i % 1000 == 999)
			record_flush(rec);
	}
	return 20000;
}

static void assert_kept_up_to_a_point(struct record *rec, int given)
{
	cleanup_run_series struct run_series s = { 0 };

	assert_int_equal(run_series_read(record_dir(rec), &s, NULL), 0);
	assert_in_range(s.n_samples, 1000, given - 1);
	assert_non_null(strstr(s.damage, "samples.tsv.zst ends in the middle, at "));
	for (size_t i = 0; i < s.n_samples; i++)
		assert_int_equal(s.samples[i].t_ns, i * 1000000);
}

static void a_file_that_may_not_grow_keeps_what_it_has(void **state)
{
	struct room *room = *state;
	struct record *rec = create(room, "go=1.12");
	struct rlimit before, small;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ 100000, before.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int given = fill(rec), closed = record_close_series(rec, &room->err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);

	assert_int_equal(closed, -EFBIG);
	assert_non_null(strstr(err_text(&room->err), "cannot write "));
	assert_non_null(strstr(err_text(&room->err), "go=1.12/1/samples.tsv.zst: "));
	assert_kept_up_to_a_point(rec, given);
	record_free(rec);
}

/* Room that comes back later would leave a hole in the middle. */
static void nothing_is_written_after_the_first_failure(void **state)
{
	struct room *room = *state;
	struct record *rec = create(room, "go=1.12");
	cleanup_free char *data = pattern(5000);
	struct rlimit before, small;
	size_t len;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ 1000, before.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	record_output(rec, 1, data, 5000);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	record_output(rec, 1, "late", 4);
	assert_int_equal(record_close_series(rec, &room->err), -EFBIG);

	cleanup_free char *out = read_in(rec, "stdout", &len);
	assert_int_equal(len, 1000);
	assert_memory_equal(out, data, 1000);
	record_free(rec);
}

static void a_full_disk_keeps_what_it_has_and_takes_run_json(void **state)
{
	struct room *room = *state;
	cleanup_free char *disk = strf("%s/disk", room->dir);
	cleanup_json json_t *run = json_pack("{s:s, s:s}", "format", "memtide-run/1", "outcome", "harness-error");
	struct record *rec = NULL;

	assert_int_equal(mkdir(disk, 0755), 0);
	if (mount("memtide-test", disk, "tmpfs", 0, "size=256k") < 0)
		skip();
	int made = record_create(disk, "go=1.12", 1, &rec, &room->err);
	int given = made < 0 ? 0 : fill(rec), closed = made < 0 ? 0 : record_close_series(rec, &room->err);
	int finished = made < 0 ? 0 : record_finish(rec, run, NULL);
	cleanup_run_series struct run_series s = { 0 };
	int read_back = made < 0 ? 0 : run_series_read(record_dir(rec), &s, NULL);

	record_free(rec);
	assert_int_equal(umount2(disk, MNT_DETACH), 0);
	assert_int_equal(made, 0);
	assert_int_equal(closed, -ENOSPC);
	assert_int_equal(finished, 0);
	assert_int_equal(read_back, 0);
	assert_in_range(s.n_samples, 1000, given - 1);
	assert_non_null(strstr(s.damage, "samples.tsv.zst ends in the middle, at "));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(series_are_tables_that_zstdcat_shows),
		TEST(what_is_written_comes_back),
		TEST(what_was_read_of_the_runtime_comes_back),
		TEST(the_longest_rows_fit),
		TEST(goroutines_and_profiles_are_found_again),
		TEST(a_flush_makes_rows_readable_from_outside),
		TEST(an_unfinished_run_gives_way_and_a_finished_one_does_not),
		TEST(a_folder_that_cannot_be_made_is_an_error),
		TEST(short_output_is_kept_whole),
		TEST(a_load_has_a_file_once_it_prints),
		TEST(what_a_load_prints_after_the_end_makes_no_file),
		TEST(output_a_little_above_the_bound_is_kept_whole),
		TEST(long_output_is_kept_at_both_ends),
		TEST(a_zero_byte_does_not_hide_the_last_words),
		TEST(a_file_that_may_not_grow_keeps_what_it_has),
		TEST(nothing_is_written_after_the_first_failure),
		TEST(a_full_disk_keeps_what_it_has_and_takes_run_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
