/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <math.h>
#include <string.h>

#include "analyse/curve.h"
#include "base/alloc.h"
#include "base/units.h"
#include "record/reader.h"

#define S        NS_PER_S
#define MS       NS_PER_MS
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct curve of_points(const struct curve_point *p, size_t n, int64_t end_ns)
{
	struct curve c = { xcalloc(n, sizeof(*p)), n, end_ns };

	memcpy(c.v, p, n * sizeof(*p));
	return c;
}

/* A curve given by corners: linear between them, one point every 10 ms; noise_bytes up and down around it. */
struct corner {
	double t_s, mb;
};

static struct curve of_corners(const struct corner *k, size_t n, double noise_mb)
{
	size_t room = (size_t)(k[n - 1].t_s * 100), at = 0;
	struct curve c = { xcalloc(room, sizeof(*c.v)), 0, (int64_t)(k[n - 1].t_s * 1e9) };
	uint64_t random = 42;

	for (size_t i = 0; i < room; i++) {
		double t = (double)i / 100;

		while (at + 2 < n && t >= k[at + 1].t_s)
			at++;
		double mb = k[at].mb + (k[at + 1].mb - k[at].mb) * (t - k[at].t_s) / (k[at + 1].t_s - k[at].t_s);
		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		mb += noise_mb * ((double)(random >> 40) / (double)(1 << 23) - 1);
		c.v[c.n++] = (struct curve_point){ (int64_t)i * 10 * MS, (uint64_t)(mb * (double)MIB) };
	}
	return c;
}

static void test_value_holds_until_the_next(void **state)
{
	(void)state;
	struct curve cleanup_curve c =
		of_points((struct curve_point[]){ { 1 * S, 10 }, { 3 * S, 20 }, { 4 * S, MISSING }, { 5 * S, 5 } }, 4, 9 * S);

	assert_true(curve_at(&c, 0) == MISSING);
	assert_int_equal(curve_at(&c, 1 * S), 10);
	assert_int_equal(curve_at(&c, 3 * S - 1), 10);
	assert_int_equal(curve_at(&c, 3 * S), 20);
	assert_true(curve_at(&c, 4 * S) == MISSING);
	assert_int_equal(curve_at(&c, 9 * S - 1), 5);
	assert_true(curve_at(&c, 9 * S) == MISSING);
}

/* A fall that nobody saw: from when to when it may have been. */
static void test_fall_in_a_gap(void **state)
{
	(void)state;
	struct curve cleanup_curve c = of_points(
		(struct curve_point[]){ { 0, 100 }, { 3 * S, MISSING }, { 5 * S, 90 }, { 6 * S, MISSING }, { 8 * S, 10 }, { 9 * S, 5 } }, 6,
		10 * S);
	int64_t after;

	assert_true(curve_first_below(&c, S, 95, &after) == 5 * S);
	assert_true(after == 3 * S);
	assert_true(curve_first_below(&c, S, 50, &after) == 8 * S);
	assert_true(after == 6 * S);
	assert_true(curve_first_below(&c, S, 8, &after) == 9 * S);
	assert_true(after == 9 * S);
	assert_true(curve_first_below(&c, S, 1000, &after) == S);
	assert_true(after == S);
	/* Half of what is known, not half of the time. */
	assert_int_equal(curve_median(&c, 0, 6 * S), 100);
	assert_int_equal(curve_median(&c, 5 * S, 10 * S), 10);
	assert_true(curve_median(&c, 6 * S, 8 * S) == MISSING);
	assert_true(curve_gaps(&c, 0, 10 * S) == 4 * S);
	assert_true(curve_gaps(&c, 4 * S, 7 * S) == 2 * S);
	assert_true(curve_gaps(&c, 8 * S, 20 * S) == 0);
}

static void test_plateau_and_slope_with_a_gap(void **state)
{
	(void)state;
	struct curve cleanup_curve flat = of_corners((struct corner[]){ { 0, 100 }, { 30, 100 } }, 2, 0.1);
	struct curve cleanup_curve ramp = of_corners((struct corner[]){ { 0, 100 }, { 30, 400 } }, 2, 0.1);
	struct plateaus cleanup_plateaus p = { 0 };
	struct slope s;

	/* From 10 to 12.5 s nobody looked. */
	for (size_t i = 1000; i < 1250; i++)
		flat.v[i].value = ramp.v[i].value = MISSING;
	curve_plateaus(&flat, &p);
	assert_int_equal(p.n, 1);
	assert_true(p.v[0].from_ns == 0 && p.v[0].to_ns == 30 * S);
	assert_true(p.v[0].value > 99 * MIB && p.v[0].value < 101 * MIB);
	assert_true(curve_slope(&ramp, 0, 30 * S, &s));
	assert_true(s.per_s > 9.9 * (double)MIB && s.per_s < 10.1 * (double)MIB);
}

static void test_gap_rows_of_probes(void **state)
{
	(void)state;
#define NOTHING MISSING, MISSING, MISSING, MISSING
	struct probe probes[] = {
		{ 0, 5, 1, 1, 1, 7, NOTHING, 0 },
		{ 1 * S, 5, 1, 1, 1, 7, 1, 100, 3, 0, 1 },
		{ 2 * S, 6, 1, 1, 1, 8, NOTHING, 0 },                       /* a fast one: slow values hold on */
		{ 3 * S, 6, 1, 1, 1, 8, NOTHING, 1 },                       /* a slow one that failed */
		{ 4 * S, 6, 1, 1, 1, 8, 1, 200, 3, 0, 1 },
		{ 5 * S, MISSING, MISSING, MISSING, MISSING, MISSING, NOTHING, 1 }, /* nobody looked */
		{ 7 * S, 9, 1, 1, 1, 9, NOTHING, 0 },
		{ 8 * S, 9, 1, 1, 1, MISSING, 1, 300, 3, 0, 1 },            /* a working set that could not be told, once */
	};
#undef NOTHING
	struct run_series series = { .probes = probes, .n_probes = COUNT(probes) };
	struct curve cleanup_curve lazyfree = { 0 }, threads = { 0 }, working_set = { 0 };

	curve_make(&lazyfree, &series, CURVE_LAZYFREE, 10 * S);
	curve_make(&threads, &series, CURVE_THREADS, 10 * S);
	curve_make(&working_set, &series, CURVE_WORKING_SET, 10 * S);
	assert_int_equal(curve_at(&lazyfree, 2 * S + 1), 100);
	assert_true(curve_at(&lazyfree, 3 * S) == MISSING);
	assert_int_equal(curve_at(&lazyfree, 4 * S), 200);
	assert_true(curve_at(&lazyfree, 5 * S) == MISSING);
	assert_true(curve_at(&lazyfree, 7 * S) == MISSING);
	assert_int_equal(curve_at(&lazyfree, 9 * S), 300);
	assert_int_equal(curve_at(&threads, 3 * S), 6);
	assert_true(curve_at(&threads, 5 * S) == MISSING);
	assert_int_equal(curve_at(&threads, 7 * S), 9);
	assert_int_equal(curve_at(&working_set, 9 * S), 9);

	/* What is read of an older record has no such column. */
	for (size_t i = 0; i < COUNT(probes); i++)
		probes[i].slow = MISSING;
	curve_done(&lazyfree);
	curve_make(&lazyfree, &series, CURVE_LAZYFREE, 10 * S);
	assert_int_equal(curve_at(&lazyfree, 3 * S), 100);
}

static void test_median_weighs_by_time(void **state)
{
	(void)state;
	/* Three values of 1 ms each against one that holds for a second: by rows the median would be 200 or 300. */
	struct curve cleanup_curve c =
		of_points((struct curve_point[]){ { 0, 100 }, { S, 200 }, { S + MS, 300 }, { S + 2 * MS, 400 } }, 4, S + 3 * MS);
	uint64_t low, high;

	assert_int_equal(curve_median(&c, 0, c.end_ns), 100);
	assert_int_equal(curve_median(&c, S, c.end_ns), 300);
	assert_true(curve_median(&c, 2 * S, 3 * S) == MISSING);
	assert_true(curve_range(&c, 0, c.end_ns, &low, &high));
	assert_int_equal(low, 100);
	assert_int_equal(high, 400);
	assert_false(curve_range(&c, 2 * S, 3 * S, &low, &high));
	/* The range of a piece includes the value that holds at its beginning. */
	assert_true(curve_range(&c, S / 2, S + 1, &low, &high));
	assert_int_equal(low, 100);
	assert_int_equal(high, 200);
}

static void test_first_below(void **state)
{
	(void)state;
	struct curve cleanup_curve c =
		of_points((struct curve_point[]){ { 0, 5 }, { S, 900 }, { 3 * S, 90 }, { 4 * S, 80 } }, 4, 5 * S);

	assert_true(curve_first_below(&c, S, 100, NULL) == 3 * S);
	assert_true(curve_first_below(&c, 2 * S, 1000, NULL) == 2 * S);
	assert_true(curve_first_below(&c, S, 80, NULL) == -1);
}

static void test_make_from_series(void **state)
{
	(void)state;
	struct sample samples[] = { { 0, 10, MISSING }, { S, 10, 30 }, { 2 * S, 20, 30 } };
	struct probe probes[] = {
		{ .t_ns = 0, .threads = 3, .lazyfree_bytes = MISSING },
		{ .t_ns = S, .threads = 3, .lazyfree_bytes = 7 },
		{ .t_ns = 2 * S, .threads = 4, .lazyfree_bytes = MISSING },
	};
	struct run_series s = { .samples = samples, .n_samples = 3, .probes = probes, .n_probes = 3 };
	struct curve cleanup_curve rss = { 0 }, cleanup_curve usage = { 0 }, cleanup_curve lazyfree = { 0 },
				   cleanup_curve pss = { 0 };

	curve_make(&rss, &s, CURVE_RSS, 3 * S);
	curve_make(&usage, &s, CURVE_USAGE, 3 * S);
	curve_make(&lazyfree, &s, CURVE_LAZYFREE, 3 * S);
	assert_int_equal(rss.n, 2);
	assert_true(rss.v[1].t_ns == 2 * S && rss.v[1].value == 20);
	assert_true(curve_at(&usage, 0) == MISSING);
	assert_int_equal(curve_at(&usage, S), 30);
	assert_true(curve_at(&lazyfree, 0) == MISSING);
	/* A fast probe says nothing about LazyFree: the value is held. */
	assert_int_equal(curve_at(&lazyfree, 2 * S + 1), 7);
	for (size_t i = 0; i < 3; i++)
		probes[i].pss_bytes = MISSING;
	curve_make(&pss, &s, CURVE_PSS, 0);
	assert_int_equal(pss.n, 0);
	assert_true(pss.end_ns == 2 * S);
}

static void test_decimate_keeps_extremes_and_steps(void **state)
{
	(void)state;
	struct curve cleanup_curve c = of_corners((struct corner[]){ { 0, 10 }, { 50, 20 }, { 100, 5 } }, 3, 0.5),
				   cleanup_curve few = { 0 };
	uint64_t low, high, few_low, few_high;

	c.v[3333].value = 900 * MIB;
	c.v[7777].value = 1;
	curve_decimate(&c, 200, &few);
	assert_true(few.n <= 200 && few.n > 100);
	assert_true(curve_range(&c, 0, c.end_ns, &low, &high) && curve_range(&few, 0, few.end_ns, &few_low, &few_high));
	assert_true(low == few_low && high == few_high);
	assert_true(few.v[0].t_ns == 0 && few.end_ns == c.end_ns);
	assert_int_equal(curve_at(&few, c.end_ns - 1), curve_at(&c, c.end_ns - 1));
	for (size_t i = 1; i < few.n; i++)
		assert_true(few.v[i].t_ns > few.v[i - 1].t_ns);

	/* The edges of a step stay where they are, to the point. */
	struct curve cleanup_curve step = of_corners((struct corner[]){ { 0, 10 }, { 39.99, 10 }, { 40, 800 }, { 100, 800 } }, 4,
						     0.01),
				   cleanup_curve crisp = { 0 };
	curve_decimate(&step, 100, &crisp);
	assert_true(curve_at(&crisp, 40 * S - 10 * MS) < 11 * MIB);
	assert_true(curve_at(&crisp, 40 * S) > 799 * MIB);
}

static void test_decimate_of_few_points_is_a_copy(void **state)
{
	(void)state;
	struct curve cleanup_curve c = of_points((struct curve_point[]){ { 0, 1 }, { 1, 2 }, { 2, MISSING }, { 3, 4 } }, 4, 9),
				   cleanup_curve few = { 0 };

	curve_decimate(&c, 1, &few);
	assert_int_equal(few.n, 4);
	assert_memory_equal(few.v, c.v, 4 * sizeof(*c.v));

	struct curve empty = { .end_ns = 5 };
	struct curve cleanup_curve none = { 0 };
	curve_decimate(&empty, 100, &none);
	assert_int_equal(none.n, 0);
}

static void test_band_over_repeats(void **state)
{
	(void)state;
	struct curve c[3] = {
		of_points((struct curve_point[]){ { 0, 10 }, { 5, 100 } }, 2, 20),
		of_points((struct curve_point[]){ { 0, 10 }, { 6, 120 } }, 2, 20),
		of_points((struct curve_point[]){ { 0, 10 }, { 7, 110 } }, 2, 10),
	};
	struct band cleanup_band b = { 0 };

	curve_band(c, 3, 100, &b);
	assert_int_equal(b.n, 5);
	assert_true(b.end_ns == 20);
	static const struct band_point want[] = {
		{ 0, 10, 10, 10, 3 },    { 5, 10, 10, 100, 3 },    { 6, 100, 10, 120, 3 },
		{ 7, 110, 100, 120, 3 }, { 10, 110, 100, 120, 2 },
	};
	for (size_t i = 0; i < 5; i++) {
		assert_true(b.v[i].t_ns == want[i].t_ns);
		assert_true(b.v[i].median == want[i].median);
		assert_true(b.v[i].min == want[i].min);
		assert_true(b.v[i].max == want[i].max);
		assert_int_equal(b.v[i].runs, want[i].runs);
	}
	for (size_t i = 0; i < 3; i++)
		curve_done(&c[i]);
}

static void assert_plateaus(const struct corner *k, size_t n, double noise_mb, const struct corner *want, size_t n_want,
			    double within_s)
{
	struct curve cleanup_curve c = of_corners(k, n, noise_mb);
	struct plateaus cleanup_plateaus p = { 0 };

	curve_plateaus(&c, &p);
	assert_int_equal(p.n, n_want);
	for (size_t i = 0; i < n_want; i++) {
		/* want: where it begins, and its level */
		assert_true((double)p.v[i].from_ns / 1e9 - want[i].t_s < within_s &&
			    want[i].t_s - (double)p.v[i].from_ns / 1e9 < within_s);
		assert_true((double)p.v[i].value / (double)MIB - want[i].mb < 10 &&
			    want[i].mb - (double)p.v[i].value / (double)MIB < 10);
	}
}
#define PLATEAUS(noise, within, corners, ...)                                  \
	do {                                                                   \
		static const struct corner k_[] = corners, w_[] = __VA_ARGS__; \
		assert_plateaus(k_, COUNT(k_), noise, w_, COUNT(w_), within);  \
	} while (0)
#define C(...) __VA_ARGS__

static void test_plateaus_steps(void **state)
{
	(void)state;
	PLATEAUS(0, 0.1, C({ { 0, 5 }, { 0.1, 800 }, { 6, 800 }, { 6.05, 20 }, { 16, 20 } }), { { 0.1, 800 }, { 6.05, 20 } });
	/* Two steps, as Go 1.14 and Go 1.21 fall. */
	PLATEAUS(2, 1, C({ { 0, 820 }, { 120, 820 }, { 121, 400 }, { 240, 400 }, { 241, 20 }, { 650, 20 } }),
		 { { 0, 820 }, { 121, 400 }, { 241, 20 } });
	/* Too short to count. */
	PLATEAUS(0, 0.1, C({ { 0, 5 }, { 4, 5 }, { 4.1, 800 }, { 14, 800 } }), { { 4.1, 800 } });
	/* Less than 5 % apart: one plateau. */
	PLATEAUS(0, 0.1, C({ { 0, 800 }, { 10, 800 }, { 10.1, 830 }, { 20, 830 } }), { { 0, 805 } });
	/* The same level again after an excursion is another plateau. */
	PLATEAUS(0, 0.1, C({ { 0, 800 }, { 10, 800 }, { 10.1, 200 }, { 12, 200 }, { 12.1, 800 }, { 20, 800 } }),
		 { { 0, 800 }, { 12.1, 800 } });
}

/* Three days on a virtual clock: one value of the grid is half a minute, longer than the shortest plateau elsewhere. */
static void test_plateaus_of_days(void **state)
{
	static const struct curve_point points[] = { { 0, 5 * MIB }, { 3600 * S, 30 * MIB }, { 86400 * S, 7 * MIB }, { 86410 * S, 30 * MIB },
						     { 86420 * S, 7 * MIB } };
	struct curve cleanup_curve c = of_points(points, COUNT(points), 259200 * S);
	struct plateaus cleanup_plateaus p = { 0 };

	(void)state;
	curve_plateaus(&c, &p);
	assert_int_equal(p.n, 3);
	assert_true(p.v[1].value == 30 * MIB && p.v[2].value == 7 * MIB);
}

static void test_plateaus_ramps(void **state)
{
	(void)state;
	struct curve cleanup_curve c = { 0 };
	struct plateaus cleanup_plateaus p = { 0 };
	static const double lengths_s[] = { 20, 128, 650, 3000 };

	for (size_t i = 0; i < COUNT(lengths_s); i++) {
		/* Nothing but a ramp has no plateau, however slow. */
		c = of_corners((struct corner[]){ { 0, 820 }, { lengths_s[i], 20 } }, 2, 1);
		curve_plateaus(&c, &p);
		assert_int_equal(p.n, 0);
		curve_done(&c);
		plateaus_done(&p);
		/* Nor when it ends in a step. */
		c = of_corners(
			(struct corner[]){
				{ 0, 420 }, { lengths_s[i], 820 }, { lengths_s[i] + 0.1, 20 }, { lengths_s[i] + 3, 20 } },
			4, 1);
		curve_plateaus(&c, &p);
		assert_int_equal(p.n, 0);
		curve_done(&c);
		plateaus_done(&p);
	}
	/* Go 1.13: a hold, a ramp of 128 s, a floor. */
	PLATEAUS(1, 4, C({ { 0, 820 }, { 130, 820 }, { 258, 20 }, { 650, 20 } }), { { 0, 820 }, { 258, 20 } });
	/* A short hold before a slow ramp is not lost, nor a short one after it. */
	PLATEAUS(0, 4, C({ { 0, 820 }, { 8, 820 }, { 500, 20 }, { 508, 20 } }), { { 0, 820 }, { 500, 20 } });
}

static void test_plateaus_drift_and_noise(void **state)
{
	(void)state;
	PLATEAUS(0, 0.1, C({ { 0, 800 }, { 600, 775 } }), { { 0, 788 } });
	PLATEAUS(0, 0.1, C({ { 0, 800 }, { 600, 765 } }), { { 0, 782 } });
	PLATEAUS(16, 1, C({ { 0, 800 }, { 30, 800 }, { 30.1, 300 }, { 60, 300 } }), { { 0, 800 }, { 30.1, 300 } });
}

static void test_slope(void **state)
{
	(void)state;
	struct curve cleanup_curve c = of_corners((struct corner[]){ { 0, 100 }, { 100, 200 } }, 2, 0.5);
	struct slope s;

	/* A tenth of the values far off does not move it. */
	for (size_t i = 0; i < c.n; i += 10)
		c.v[i].value = 900 * MIB;
	assert_true(curve_slope(&c, 0, c.end_ns, &s));
	assert_true(s.per_s > 0.99 * (double)MIB && s.per_s < 1.01 * (double)MIB);
	assert_true(s.low_per_s < s.per_s && s.per_s < s.high_per_s);
	assert_true(s.low_per_s > 0.9 * (double)MIB && s.high_per_s < 1.1 * (double)MIB);
	assert_true(curve_slope(&c, 0, 10 * MS, &s));
	assert_false(curve_slope(&c, 0, 9 * MS, &s));
	assert_false(curve_slope(&c, 200 * S, 300 * S, &s));
}

static void test_mean(void **state)
{
	struct curve_point points[] = { { 1 * S, 10 }, { 2 * S, 40 }, { 4 * S, MISSING }, { 5 * S, 100 } };
	const struct curve c = { points, 4, 6 * S };

	(void)state;
	assert_true(fabs(curve_mean(&c, 1 * S, 4 * S) - 30) < 1e-9); /* weighed by time */
	assert_true(fabs(curve_mean(&c, 0, 10 * S) - 47.5) < 1e-9);  /* of what is known */
	assert_true(isnan(curve_mean(&c, 4 * S, 5 * S)) && isnan(curve_mean(&c, 0, 1 * S)));
}

static void test_curves_of_the_runtime(void **state)
{
	struct go_row go[] = { { 1 * S, { 1, 2, 3, 4, 5, MISSING, 7, 8, 9, 10 } }, { 2 * S, { 11, 2, 3, 4, 5, 6, 7, 8, 9, 10 } }, { 4 * S, { 0 } } };
	struct split_row splits[2] = { { .t_ns = 1 * S }, { .t_ns = 3 * S } };
	struct run_series series = { .go = go, .n_go = 3, .splits = splits, .n_splits = 2 };

	(void)state;
	memset(&go[2].c, 0xff, sizeof(go[2].c));
	for (uint64_t p = 0; p < RSS_PART_COUNT_; p++)
		splits[0].s.part[p] = 10 + p, splits[1].s.part[p] = 20 + p;
	splits[0].s.resident_bytes = 100;
	splits[1].s.resident_bytes = 200;
	for (int i = 0; i < 10; i++) {
		struct curve cleanup_curve c = { 0 };

		curve_make(&c, &series, (enum curve_of)(CURVE_HEAP_INUSE + i), 10 * S);
		assert_int_equal(curve_at(&c, 3 * S), i ? i + 1 : 11);
		assert_true(curve_at(&c, 1 * S) == (CURVE_HEAP_INUSE + i == CURVE_GC_GOAL ? MISSING : (uint64_t)i + 1));
		assert_true(curve_at(&c, 4 * S) == MISSING);
	}
	for (int p = 0; p <= RSS_PART_COUNT_; p++) {
		struct curve cleanup_curve c = { 0 };

		curve_make(&c, &series, (enum curve_of)(CURVE_SPLIT_OBJECTS + p), 10 * S);
		assert_int_equal(curve_at(&c, 2 * S), p < RSS_PART_COUNT_ ? 10 + p : 100);
		assert_int_equal(curve_at(&c, 9 * S), p < RSS_PART_COUNT_ ? 20 + p : 200);
		assert_true(curve_at(&c, S - 1) == MISSING);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mean),
		cmocka_unit_test(test_curves_of_the_runtime),
		cmocka_unit_test(test_value_holds_until_the_next),
		cmocka_unit_test(test_fall_in_a_gap),
		cmocka_unit_test(test_plateau_and_slope_with_a_gap),
		cmocka_unit_test(test_gap_rows_of_probes),
		cmocka_unit_test(test_median_weighs_by_time),
		cmocka_unit_test(test_first_below),
		cmocka_unit_test(test_make_from_series),
		cmocka_unit_test(test_decimate_keeps_extremes_and_steps),
		cmocka_unit_test(test_decimate_of_few_points_is_a_copy),
		cmocka_unit_test(test_band_over_repeats),
		cmocka_unit_test(test_plateaus_steps),
		cmocka_unit_test(test_plateaus_of_days),
		cmocka_unit_test(test_plateaus_ramps),
		cmocka_unit_test(test_plateaus_drift_and_noise),
		cmocka_unit_test(test_slope),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
