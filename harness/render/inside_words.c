/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "render/inside_parts.h"

/* What is smaller everywhere in a figure, in parts of its peak, is drawn as one; thread stacks count as native up to the other. */
#define OTHER_SHARE  0.01
#define THREAD_SHARE 0.03

const char *inside_part_name(size_t slot)
{
	static const char *const names[INSIDE_SLOTS] = {
		[RSS_OBJECTS] = "objects",
		[RSS_FRAGMENTATION] = "fragmentation",
		[RSS_STACKS] = "goroutine stacks",
		[RSS_IDLE] = "idle in Go's heap",
		[RSS_LAZYFREE] = "lazily freed",
		[RSS_RUNTIME] = "the runtime's own",
		[RSS_NATIVE] = "native (C, mmap)",
		[RSS_THREAD_STACKS] = "thread stacks",
		[RSS_FILES] = "files",
		[INSIDE_OTHER] = "other",
	};

	return names[slot];
}

const char *inside_line_name(size_t line)
{
	static const char *const names[INSIDE_LINES] = { "RSS", "the cgroup's usage", "working set, as the kubelet counts", "heap in use, as Go counts" };

	return names[line];
}

/* Within a sentence: "194 MB of it ..." */
static const char *prose(size_t part)
{
	return part == RSS_NATIVE ? "native" : inside_part_name(part);
}

void inside_slots_find(const struct inside_panel *v, size_t n, size_t ret[RSS_PART_COUNT_])
{
	double peak = 0, part[RSS_PART_COUNT_] = { 0 };

	for (size_t i = 0; i < n; i++) {
		peak = fmax(peak, v[i].peak);
		for (size_t k = 0; k < RSS_PART_COUNT_; k++)
			part[k] = fmax(part[k], v[i].part_peak[k]);
	}
	for (size_t k = 0; k < RSS_PART_COUNT_; k++)
		ret[k] = part[k] < OTHER_SHARE * peak ? INSIDE_OTHER : k;
	if (part[RSS_THREAD_STACKS] < THREAD_SHARE * peak)
		ret[RSS_THREAD_STACKS] = ret[RSS_NATIVE];
}

/* ---- a panel
 * ----------------------------------------------------------------------------------------------------------------------- */

static size_t largest(const struct stack_point *p, size_t but)
{
	size_t best = but ? 0 : 1;

	for (size_t k = 0; k < RSS_PART_COUNT_; k++)
		if (k != but && p->part[k] > p->part[best])
			best = k;
	return best;
}

/* The parts at the end, put together as the figure of this panel alone draws them */
static struct stack_point drawn_at_end(const struct inside_panel *p)
{
	struct stack_point last = p->last;
	size_t slot_of[RSS_PART_COUNT_];

	inside_slots_find(p, 1, slot_of);
	if (slot_of[RSS_THREAD_STACKS] == RSS_NATIVE) {
		last.part[RSS_NATIVE] += last.part[RSS_THREAD_STACKS];
		last.part[RSS_THREAD_STACKS] = 0;
	}
	return last;
}

static char *end_words(const struct inside_panel *p)
{
	const struct stack_point last = drawn_at_end(p);
	char rss[32], first[32], second[32];
	const char *fate = p->run->outcome == OUTCOME_OK ? NULL : figure_failure(p->run->outcome);

	figure_size(rss, sizeof(rss), (double)p->last_rss);
	cleanup_free char *resident = fate ? strf("%s at %s", fate, rss) : strf("%s resident at the end", rss);
	if (!p->has_last)
		return TAKE(resident);

	size_t a = largest(&last, RSS_PART_COUNT_), b = largest(&last, a);
	figure_size(first, sizeof(first), (double)last.part[a]);
	figure_size(second, sizeof(second), (double)last.part[b]);
	if ((double)last.part[b] < 0.15 * (double)p->last_rss)
		return strf("%s, %s of it %s", resident, first, prose(a));
	return strf("%s: %s %s, %s %s", resident, first, prose(a), second, prose(b));
}

static char *short_end_words(const struct inside_panel *p)
{
	const struct stack_point last = drawn_at_end(p);
	char rss[32];
	const char *fate = p->run->outcome == OUTCOME_OK ? "" : figure_failure(p->run->outcome);

	figure_size(rss, sizeof(rss), (double)p->last_rss);
	if (!p->has_last || !p->last_rss)
		return strf("%s%s%s", fate, *fate ? " at " : "", rss);

	size_t a = largest(&last, RSS_PART_COUNT_);
	double share = fmin(100, 100 * (double)last.part[a] / (double)p->last_rss);
	return strf("%s%s%s, %.0f" NBSP "%% %s", fate, *fate ? " at " : "", rss, share, prose(a));
}

static char *line_end_words(const struct inside_panel *p)
{
	static const char *const names[INSIDE_LINES] = { "RSS", "usage", "working set", "heap" };
	cleanup_free char *text = xstrdup("");

	for (size_t k = 0; k < INSIDE_LINES; k++) {
		uint64_t v = MISSING;
		char size[32];

		for (size_t i = p->line[k].n; i-- > 0 && v == MISSING;)
			v = p->line[k].v[i].value;
		if (v == MISSING || k == 1)
			continue;
		figure_size(size, sizeof(size), (double)v);
		char *longer = strf("%s%s%s %s", text, *text ? ", " : "", names[k], size);
		free(text);
		text = longer;
	}
	return TAKE(text);
}

static void name_panel(const struct inside *in, struct inside_panel *p)
{
	const struct figure_model *m = in->m;
	bool several = m->setting_key.n > 1;
	const char *setting = several ? m->setting_name.v[p->setting] : "";
	cleanup_free char *list = p->n_in > 1 ? figure_panel_list(m, p->in) : xstrdup(m->panel_name.v[p->panel]);
	cleanup_free char *words = in->lines ? line_end_words(p) : short_end_words(p), *whole = end_words(p);
	const char *exact = m->panel_detail.v[p->panel];

	p->name = xstrdup(list);
	if (p->n_in > 1)
		p->detail = strf("%s shown", *exact ? exact : m->panel_short.v[p->panel]);
	else
		p->detail = xstrdup(exact);
	p->setting_name = xstrdup(setting);
	p->note = xstrdup(words);
	p->title = strf("%s%s%s: %s", m->panel_name.v[p->panel], several ? ", " : "", setting, whole);
}

/* ---- the figure
 * --------------------------------------------------------------------------------------------------------------------- */

/* The lines that some panel has, by the words of a sentence. */
static char *say_lines(const struct inside *in)
{
	static const char *const names[INSIDE_LINES] = { "RSS", "the cgroup's usage", "the kubelet's working set", "Go's own heap in use" };
	bool drawn[INSIDE_LINES] = { false };
	size_t n = 0, said = 0;
	cleanup_free char *text = xstrdup("");

	for (size_t k = 0; k < INSIDE_LINES; k++) {
		for (size_t i = 0; i < in->n; i++)
			drawn[k] = drawn[k] || in->v[i].line[k].n;
		n += drawn[k];
	}
	for (size_t k = 0; k < INSIDE_LINES; k++) {
		if (!drawn[k])
			continue;
		char *longer = strf("%s%s%s", text, !said ? "" : said + 1 == n ? " and " : ", ", names[k]);

		free(text);
		text = longer;
		said++;
	}
	return strf("%s, of the same run.", text);
}

static char *say_how(const struct inside *in)
{
	const struct figure_model *m = in->m;
	bool folded = false, white = false;

	for (size_t i = 0; i < in->n; i++) {
		white |= in->v[i].white;
		folded |= in->v[i].n_in > 1;
	}
	cleanup_free char *kernel = figure_kernel(m);
	cleanup_free char *left_out = in->left_out ? strf(" %zu more cells have no room here.", in->left_out) : xstrdup("");
	const char *name = json_string_value(json_object_get(m->campaign->info, "scenario"));

	bool attached = in->n && json_is_object(json_object_get(in->v[0].run->run, "attached"));

	cleanup_free char *lines = in->lines ? say_lines(in) : NULL;

	return strf("%s%s%s Scenario %s, %s clock, one run a cell, Linux" NBSP "%s. Time" NBSP "0: %s.%s",
		    lines ? lines
			  : "What RSS consists of: exact at the ticks; between them from the runtime's counters.",
		    white ? " White below the line: resident, and in none of the parts at that moment." : "",
		    folded ? " Releases that run most alike share a panel." : "", name ? name : "", m->real_clock ? "real" : "virtual", kernel,
		    attached ? "it was attached to" : "the program starts", left_out);
}

void inside_words_find(struct inside *in)
{
	const char *question = json_string_value(json_object_get(in->m->campaign->info, "title"));

	for (size_t i = 0; i < in->n; i++)
		name_panel(in, &in->v[i]);
	in->title = xstrdup(in->n == 1 && !in->lines ? in->v[0].title : in->lines && question && *question ? question : in->m->title);
	in->subtitle = say_how(in);
}
