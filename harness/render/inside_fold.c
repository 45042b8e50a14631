/* SPDX-License-Identifier: Apache-2.0
 *
 * Which neighbours run alike: releases of one setting that lie next to each other share a panel while their unlikest two are alike, and
 * beyond the number of panels the likest neighbours are put together, alike or not; those last that end unlike each other, for a panel
 * says below its name how it ends. Few panels stay as they are.
 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "render/inside_parts.h"

#define TIMES 200
/* In parts of the highest curve, summed over the areas (of which one that moves into another counts twice) */
#define ALIKE 0.05
#define KINDS RSS_PART_COUNT_
#define END (TIMES - TIMES / 20) /* the last 20th */
#define UNLIKE_END 0.05

typedef double trace[TIMES][KINDS];

static void trace_of(const struct inside *in, const struct inside_panel *p, double span_s, double y_max, trace ret)
{
	for (size_t i = 0; i < TIMES; i++) {
		int64_t t_ns = (int64_t)(((double)i + 0.5) / TIMES * span_s * 1e9);
		const struct stack_point *at = stack_at(&p->stack, t_ns);

		for (size_t k = 0; k < KINDS; k++) {
			uint64_t v = in->lines ? (k < INSIDE_LINES ? curve_at(&p->line[k], t_ns) : 0) : at ? at->part[k] : MISSING;

			ret[i][k] = v == MISSING ? NAN : (double)v / y_max;
		}
	}
}

/* From one time on. Whatever only one of them has counts as far away. */
static double distance_from(size_t from, trace a, trace b)
{
	double sum = 0;

	for (size_t i = from; i < TIMES; i++)
		for (size_t k = 0; k < KINDS; k++)
			sum += isnan(a[i][k]) && isnan(b[i][k]) ? 0 : isnan(a[i][k]) || isnan(b[i][k]) ? 0.5 / KINDS : fabs(a[i][k] - b[i][k]);
	return sum / (double)(TIMES - from) / 2;
}

/* 0 to 1; above 1 where the ends are unlike. */
static double distance(trace a, trace b)
{
	double far = distance_from(0, a, b), end = distance_from(END, a, b);

	return end > UNLIKE_END ? 1 + end : far;
}

static void join(struct inside *in, size_t into)
{
	struct inside_panel kept = in->v[into + 1], gone = in->v[into];

	/* The newest stands for them; an overlay belongs to a run. */
	if (in->over && in->over->run == gone.run) {
		kept = in->v[into];
		gone = in->v[into + 1];
	}
	for (size_t p = 0; p < in->m->panel_key.n; p++)
		kept.in[p] = kept.in[p] || gone.in[p];
	kept.n_in += gone.n_in;

	/* What goes away is laid at the end, and the caller's panel_done() is for what is within n: so it is emptied here. */
	stack_done(&gone.stack);
	for (size_t k = 0; k < INSIDE_LINES; k++)
		curve_done(&gone.line[k]);
	for (size_t k = 0; k < gone.n_marks; k++)
		free(gone.mark[k].text);
	free(gone.in);
	free(gone.gc_s);
	free(gone.exact_s);
	in->v[into] = kept;
	memmove(&in->v[into + 1], &in->v[into + 2], (in->n - into - 2) * sizeof(*in->v));
	in->v[--in->n] = (struct inside_panel){ 0 };
}

void inside_fold(struct inside *in, size_t most)
{
	trace *traces = xcalloc(in->n, sizeof(*traces));
	size_t *last = xcalloc(in->n, sizeof(*last)), *first = xcalloc(in->n, sizeof(*first)); /* of each panel, in traces */
	double span_s = 0, y_max = 1;

	for (size_t i = 0; i < in->n; i++) {
		span_s = fmax(span_s, in->v[i].end_s);
		y_max = fmax(y_max, in->v[i].peak);
		first[i] = last[i] = i;
	}
	for (size_t i = 0; i < in->n; i++)
		trace_of(in, &in->v[i], span_s, y_max, traces[i]);
	for (bool few = in->n <= INSIDE_SINGLES_MAX; !few && in->n > 1;) {
		double least = INFINITY;
		size_t into = 0;

		for (size_t i = 0; i + 1 < in->n; i++) {
			const struct inside_panel *one = &in->v[i], *next = &in->v[i + 1];
			bool same_part = !strcmp(in->m->panel_part.v[one->panel], in->m->panel_part.v[next->panel]);
			double far = one->setting == next->setting && same_part ? 0 : INFINITY;

			for (size_t a = first[i]; a <= last[i] && isfinite(far); a++)
				for (size_t b = first[i + 1]; b <= last[i + 1]; b++)
					far = fmax(far, distance(traces[a], traces[b]));
			if (far < least) {
				least = far;
				into = i;
			}
		}
		if (!isfinite(least) || (least > ALIKE && in->n <= most))
			break;
		join(in, into);
		last[into] = last[into + 1];
		memmove(&first[into + 1], &first[into + 2], (in->n - into - 1) * sizeof(*first));
		memmove(&last[into + 1], &last[into + 2], (in->n - into - 1) * sizeof(*last));
	}
	free(traces);
	free(first);
	free(last);
}
