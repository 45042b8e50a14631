/* SPDX-License-Identifier: Apache-2.0 */
#include "analyse/metrics.h"

#include <math.h>
#include <string.h>

#include "analyse/metrics_parts.h"
#include "base/alloc.h"
#include "base/units.h"
#include "record/reader.h"

#define BASELINE_MIN_NS (50 * NS_PER_MS)
#define LEVEL_MIN_NS    (5 * NS_PER_S)

void metric_told(struct work *w, enum metric m, json_t *value)
{
	json_object_set_new(w->metrics, metric_name(m), value);
}

void metric_told_count(struct work *w, enum metric m, uint64_t n)
{
	metric_told(w, m, json_integer((json_int_t)n));
}

static void told_seconds(struct work *w, enum metric m, int64_t ns)
{
	metric_told(w, m, json_real((double)ns / 1e9));
}

void metric_missing(struct work *w, enum metric m, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cleanup_free char *why = vstrf(fmt, ap);
	va_end(ap);
	json_object_set_new(w->missing, metric_name(m), json_string(why));
}

/* A number that the kernel counted, or the reason for which it did not. */
void metric_counted(struct work *w, enum metric m, uint64_t n, const char *why_not)
{
	if (n == MISSING)
		metric_missing(w, m, "%s", why_not);
	else
		metric_told_count(w, m, n);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	if (a == MISSING || b == MISSING)
		return a == MISSING ? b : a;
	return a > b ? a : b;
}

static void add_peak(struct work *w)
{
	const struct run_series *s = w->series;
	uint64_t peak = w->facts->end.hwm_bytes;

	for (size_t i = 0; i < s->n_samples; i++)
		peak = larger(peak, s->samples[i].rss_bytes);
	for (size_t i = 0; i < s->n_probes; i++)
		peak = larger(peak, s->probes[i].hwm_bytes);
	w->peak = peak;
	metric_counted(w, METRIC_PEAK_RSS, peak, "RSS was never read");
}

static const struct mark *find_mark(const struct run_series *s, const char *name)
{
	for (size_t i = 0; i < s->n_marks; i++)
		if (!strcmp(s->marks[i].name, name))
			return &s->marks[i];
	return NULL;
}

static void add_baseline(struct work *w)
{
	const struct run_series *s = w->series;

	w->baseline = MISSING;
	if (!s->n_marks) {
		metric_missing(w, METRIC_BASELINE_RSS, "no mark, so nothing tells where the load begins");
	} else if (s->marks[0].t_ns < BASELINE_MIN_NS) {
		metric_missing(w, METRIC_BASELINE_RSS, "the first mark (%s) came %.0f ms after exec; 50 ms are needed", s->marks[0].name,
			(double)s->marks[0].t_ns / 1e6);
	} else {
		w->baseline = curve_median(&w->rss, 0, s->marks[0].t_ns);
		metric_counted(w, METRIC_BASELINE_RSS, w->baseline, "no sample before the first mark");
	}
}

bool metric_ended_as_planned(struct work *w, enum metric m)
{
	if (w->facts->outcome == OUTCOME_OK)
		return true;
	metric_missing(w, m, "the run did not end as planned (outcome %s)", outcome_to_string(w->facts->outcome));
	return false;
}

/* A moment of it is no tenth of the run. */
bool metric_tail_unseen(const struct work *w, const struct curve *c)
{
	return curve_gaps(c, w->tail_ns, w->end_ns) > (w->end_ns - w->tail_ns) / 2;
}

/* In the phase that it ends in: what climbed under a load says nothing of the time after it. */
static bool climbs_in_steps(const struct work *w, struct staircase *ret)
{
	int64_t from = 0;

	for (size_t i = 0; i < w->series->n_marks; i++)
		if (w->series->marks[i].t_ns < w->tail_ns && w->series->marks[i].t_ns > from)
			from = w->series->marks[i].t_ns;
	return curve_climbs_in_steps(&w->rss, from, w->end_ns, w->peak / 50, ret);
}

static void add_settled(struct work *w)
{
	struct staircase stairs;
	uint64_t low, high;

	w->settled = MISSING;
	if (!metric_ended_as_planned(w, METRIC_SETTLED_RSS))
		return;
	if (!curve_range(&w->rss, w->tail_ns, w->end_ns, &low, &high)) {
		metric_missing(w, METRIC_SETTLED_RSS, w->rss.n ? NOBODY_LOOKED : "no sample in the last tenth of the run");
	} else if (metric_tail_unseen(w, &w->rss)) {
		metric_missing(w, METRIC_SETTLED_RSS, NOBODY_LOOKED);
	} else if ((high - low) > w->peak / 50) {
		metric_missing(w, METRIC_SETTLED_RSS, "still moving at the end: by %.1f %% of the peak in the last tenth of the run",
			100 * (double)(high - low) / (double)w->peak);
	} else if (climbs_in_steps(w, &stairs)) {
		metric_missing(w, METRIC_SETTLED_RSS, "it climbs in steps up to %.1f s apart (%u of them), and the last is only %.1f s before the end",
			(double)stairs.longest_ns / 1e9, stairs.steps, (double)(w->end_ns - stairs.last_ns) / 1e9);
	} else {
		w->settled = curve_median(&w->rss, w->tail_ns, w->end_ns);
		metric_told_count(w, METRIC_SETTLED_RSS, w->settled);
	}
}

/* From the mark `dropped` until RSS is below the bound. */
static void add_fall(struct work *w, enum metric m, const struct mark *dropped, uint64_t bound, const char *what)
{
	int64_t after = 0, fall = curve_first_below(&w->rss, dropped->t_ns, bound, &after);

	if (fall > after)
		metric_missing(w, m, "RSS fell %s while nobody looked, from %.1f to %.1f s", what, (double)after / 1e9, (double)fall / 1e9);
	else if (fall < 0)
		metric_missing(w, m, "RSS never fell %s within %.1f s", what, (double)(w->end_ns - dropped->t_ns) / 1e9);
	else
		told_seconds(w, m, fall - dropped->t_ns);
}

static void add_falls(struct work *w)
{
	const struct mark *dropped = find_mark(w->series, "dropped");

	if (!dropped || dropped->t_ns >= w->end_ns || w->peak == MISSING) {
		const char *why = !dropped ? "no mark dropped" : "no sample after the mark dropped";

		metric_missing(w, METRIC_FIRST_FALL, "%s", why);
		metric_missing(w, METRIC_RELEASE, "%s", why);
		return;
	}
	add_fall(w, METRIC_FIRST_FALL, dropped, (uint64_t)llround(0.95 * (double)w->peak), "below 95 % of its peak");
	if (w->baseline == MISSING || w->baseline >= w->peak) {
		metric_missing(w, METRIC_RELEASE,
			w->baseline == MISSING ? "no baseline to fall to" : "RSS never rose above its baseline");
		return;
	}
	/* "At or below" the tenth. */
	add_fall(w, METRIC_RELEASE, dropped, w->baseline + (w->peak - w->baseline) / 10 + 1,
		 "to its baseline and 10 % of what came on top");
}

static void add_released_share(struct work *w)
{
	if (w->peak == MISSING || w->baseline == MISSING)
		metric_missing(w, METRIC_RELEASED_SHARE, "no %s", w->peak == MISSING ? "peak" : "baseline");
	else if (w->settled == MISSING)
		metric_missing(w, METRIC_RELEASED_SHARE, "%s",
			json_string_value(json_object_get(w->missing, metric_name(METRIC_SETTLED_RSS))));
	else if (w->peak <= w->baseline)
		metric_missing(w, METRIC_RELEASED_SHARE, "RSS never rose above its baseline");
	else
		metric_told(w, METRIC_RELEASED_SHARE, json_real((double)(w->peak - w->settled) / (double)(w->peak - w->baseline)));
}

static void add_levels(struct work *w)
{
	struct plateaus cleanup_plateaus p = { 0 };
	json_t *levels;

	if (!w->rss.n || w->end_ns - w->rss.v[0].t_ns < LEVEL_MIN_NS) {
		metric_missing(w, METRIC_LEVELS, "the run is shorter than a level has to be (5 s)");
		return;
	}
	curve_plateaus(&w->rss, &p);
	levels = json_array();
	for (size_t i = 0; i < p.n; i++)
		json_array_append_new(levels, json_pack("[f, f, I]", (double)p.v[i].from_ns / 1e9, (double)p.v[i].to_ns / 1e9,
							(json_int_t)p.v[i].value));
	metric_told(w, METRIC_LEVELS, levels);
}

/* Stands beside METRIC_SLOPE, and is missing with it. */
#define SLOPE_INTERVAL "slope_interval_bytes_per_s"

const char *metric_slope_phase(const struct work *w, int64_t *ret_from_ns, int64_t *ret_to_ns)
{
	const struct mark *load = find_mark(w->series, "load");
	int64_t from = load ? load->t_ns : 0, to = w->end_ns;

	for (size_t i = 0; load && i < w->series->n_marks; i++) {
		int64_t t = w->series->marks[i].t_ns;

		if (t > from && t < to)
			to = t;
	}
	*ret_from_ns = from;
	*ret_to_ns = to;
	return load ? "phase load" : "run";
}

static void add_slope(struct work *w)
{
	int64_t from, to;
	const char *phase = metric_slope_phase(w, &from, &to);
	struct slope s;

	if (!curve_slope(&w->rss, from, to, &s)) {
		metric_missing(w, METRIC_SLOPE, "the %s is too short for a slope", phase);
		json_object_set(w->missing, SLOPE_INTERVAL, json_object_get(w->missing, metric_name(METRIC_SLOPE)));
		return;
	}
	metric_told(w, METRIC_SLOPE, json_real(s.per_s));
	json_object_set_new(w->metrics, SLOPE_INTERVAL, json_pack("[f, f]", s.low_per_s, s.high_per_s));
}

static void add_settled_probe(struct work *w, enum metric m, enum curve_of what, const char *why_not)
{
	struct curve cleanup_curve c = { 0 };

	if (!metric_ended_as_planned(w, m))
		return;
	curve_make(&c, w->series, what, w->end_ns);
	if (metric_tail_unseen(w, &c))
		metric_missing(w, m, NOBODY_LOOKED);
	else
		metric_counted(w, m, curve_median(&c, w->tail_ns, w->end_ns), why_not);
}

static void add_threads_peak(struct work *w)
{
	uint64_t most = MISSING;

	for (size_t i = 0; i < w->series->n_probes; i++)
		most = larger(most, w->series->probes[i].threads);
	metric_counted(w, METRIC_THREADS_PEAK, most, "no probe");
}

#define SHARED "its cgroup has other processes too, and counts theirs with its own"

static void add_probes(struct work *w)
{
	add_settled_probe(w, METRIC_LAZYFREE_SETTLED, CURVE_LAZYFREE, "no slow probe");
	add_settled_probe(w, METRIC_THP_SETTLED, CURVE_THP, "no slow probe");
	if (w->facts->cgroup_shared) {
		metric_missing(w, METRIC_WORKING_SET_SETTLED, SHARED);
		metric_missing(w, METRIC_USAGE_SETTLED, SHARED);
	} else {
		add_settled_probe(w, METRIC_WORKING_SET_SETTLED, CURVE_WORKING_SET,
				  "the working set was never read: no cgroup, or no probe");
		add_settled_probe(w, METRIC_USAGE_SETTLED, CURVE_USAGE, "no cgroup");
	}
	add_settled_probe(w, METRIC_THREADS_SETTLED, CURVE_THREADS, "no probe");
	add_threads_peak(w);
}

static void add_end_counters(struct work *w)
{
	const struct end_counters *e = &w->facts->end;

	metric_counted(w, METRIC_MEMCG_PEAK, e->memcg_peak_bytes, "no cgroup, or a kernel that does not tell (v2 before Linux 5.19)");
	metric_counted(w, METRIC_OOM_KILLS, e->oom_kills, "no cgroup, or a kernel that does not count them");
	metric_counted(w, METRIC_MINOR_FAULTS, e->minor_faults, "could not be read");
	metric_counted(w, METRIC_MAJOR_FAULTS, e->major_faults, "could not be read");
	if (e->cpu_ns == MISSING)
		metric_missing(w, METRIC_CPU, "could not be read");
	else
		metric_told(w, METRIC_CPU, json_real((double)e->cpu_ns / 1e9));
}

void metrics_compute(const struct run_series *series, const struct run_facts *facts, json_t **ret_metrics, json_t **ret_missing)
{
	struct work w = { .series = series, .facts = facts, .metrics = json_object(), .missing = json_object() };

	curve_make(&w.rss, series, CURVE_RSS, facts->end_ns);
	w.end_ns = w.rss.end_ns;
	w.tail_ns = w.end_ns - w.end_ns / 10;
	add_peak(&w);
	add_baseline(&w);
	add_settled(&w);
	add_falls(&w);
	add_released_share(&w);
	add_levels(&w);
	add_slope(&w);
	add_probes(&w);
	metrics_add_inside(&w);
	add_end_counters(&w);
	curve_done(&w.rss);
	*ret_metrics = w.metrics;
	*ret_missing = w.missing;
}
