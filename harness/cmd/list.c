/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/units.h"
#include "build/toolchain.h"
#include "cmd/cmd.h"
#include "plan/plan.h"
#include "plan/scenario.h"
#include "render/wrap.h"

#define WIDTH 80 /* a terminal's, or a mail's */

struct list_options {
	const char *name; /* borrowed; NULL: all */
	bool json;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct list_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->name)
			argp_error(state, "one scenario at a time");
		o->name = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "json", 'j', NULL, 0, "print an array of objects", 0 },
	{ 0 },
};

static const struct argp list_argp = {
	option_table, parse_option,
	"[SCENARIO]", "Shows the scenarios there are, or all about one: its question, cells, limit and expectations.",
	NULL,         NULL,
	NULL,
};

/* --- JSON --- */

static json_t *json_strings(const struct strv *l)
{
	json_t *array = json_array();

	for (size_t i = 0; i < l->n; i++)
		(void)json_array_append_new(array, json_string(l->v[i]));
	return array;
}

static json_t *json_expectation(const struct expectation *e)
{
	json_t *match = json_object(), *versus = json_object(), *that = json_array();

	for (size_t i = 0; i < e->n_match; i++)
		(void)json_object_set_new(match, e->match[i].axis, json_strings(&e->match[i].values));
	for (size_t i = 0; i < e->n_conditions; i++)
		(void)json_array_append_new(that, json_string(e->conditions[i].text));
	for (size_t i = 0; i < e->n_versus; i++)
		(void)json_object_set_new(versus, e->versus[i].axis, json_string(e->versus[i].values.v[0]));
	return json_pack("{s:o, s:o, s:o, s:s?, s:f, s:b}", "for", match, "versus", versus, "that", that, "because", e->because, "share", e->share,
			 "race", e->race);
}

static json_t *json_load(const struct load *l)
{
	if (!l->given)
		return json_null();
	return json_pack("{s:o, s:o, s:s}", "args", l->command.n ? json_null() : json_strings(&l->args), "command",
			 l->command.n ? json_strings(&l->command) : json_null(), "clock", clock_kind_name(l->clock));
}

static json_t *json_ready(const struct ready *r)
{
	if (r->mark)
		return json_pack("{s:s}", "mark", r->mark);
	return r->port ? json_pack("{s:b}", "port", 1) : json_null();
}

/* What the axes make today of what is known here. Not asked for: the proxy's newest list, which `memtide run` asks for. */
static int plan_cells(const struct scenario *s, struct plan **ret, struct err *err)
{
	struct toolchains local = { 0 };
	struct catalogue known = { 0 };
	cleanup_strv struct strv broken = STRV_INIT;
	int r = s->program.kind == PROGRAM_COMMAND ? 0 : toolchains_find(&local, &broken, err);

	for (size_t i = 0; i < local.n; i++)
		catalogue_add(&known, &local.v[i].version, local.v[i].goroot);
	catalogue_add_builtin(&known);
	if (r >= 0)
		r = plan_make(s, &known, 1, ret, err);
	catalogue_done(&known);
	toolchains_done(&local);
	return r;
}

/* null where they cannot be told here: a Go tree that is gone, for one. */
static json_t *json_cells(const struct scenario *s)
{
	struct plan cleanup_plan *p = NULL;
	json_t *cells = json_array();

	if (plan_cells(s, &p, NULL) < 0) {
		json_decref(cells);
		return json_null();
	}
	for (size_t i = 0; i < p->n_cells; i++)
		(void)json_array_append_new(cells, json_pack("{s:s, s:b, s:s?}", "id", p->cells[i].id, "applicable", !p->cells[i].why_not, "why",
							     p->cells[i].why_not));
	return cells;
}

static json_t *json_timeline(const struct timeline *t)
{
	json_t *array = json_array();

	for (size_t i = 0; i < t->n; i++) {
		const struct act *a = &t->v[i];
		cleanup_free char *name = signal_name(a->signal);

		(void)json_array_append_new(array, json_pack("{s:f, s:s, s:o, s:s?}", "at_s", (double)a->at_ns / NS_PER_S, "do", act_name(a->kind),
							     "amount_bytes", a->amount_bytes ? json_integer((json_int_t)a->amount_bytes) : json_null(),
							     "signal", a->signal ? name : NULL));
	}
	return array;
}

static json_t *json_scenario(const struct scenario *s)
{
	json_t *axes = json_object(), *expect = json_array();

	for (size_t i = 0; i < s->n_axes; i++)
		(void)json_object_set_new(axes, s->axes[i].name, json_strings(&s->axes[i].values));
	for (size_t i = 0; i < s->n_expect; i++)
		(void)json_array_append_new(expect, json_expectation(&s->expect[i]));

	/* No limit, no end set from outside, no source: null, never 0 or "". */
	json_t *all = json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:i, s:o, s:I, s:o, s:s}", "name", s->name, "title", s->title,
			 "source", s->source, "program", s->program.name, "args", json_strings(&s->args), "axes", axes, "for_s",
			 s->for_ns ? json_real((double)s->for_ns / NS_PER_S) : json_null(), "clock", clock_kind_name(s->clock),
			 "clock_strict", s->clock_strict, "load", json_load(&s->load), "ready", json_ready(&s->ready), "repeat", (int)s->repeat,
			 "limit_bytes", s->limit_bytes ? json_integer((json_int_t)s->limit_bytes) : json_null(), "needs_bytes",
			 (json_int_t)s->needs_bytes, "expect", expect, "path", s->path);

	(void)json_object_set_new(all, "story", s->story == STORY_NONE ? json_null() : json_string(story_name(s->story)));
	(void)json_object_set_new(all, "explain", s->explain ? json_string(s->explain) : json_null());
	(void)json_object_set_new(all, "takes_s", s->takes_s > 0 ? json_real(s->takes_s) : json_null());
	(void)json_object_set_new(all, "timeline", json_timeline(&s->timeline));
	(void)json_object_set_new(all, "cells", json_cells(s));
	return all;
}

/* --- for people --- */

static void print_labelled(const char *label, int indent, const char *text)
{
	print_wrapped(stdout, text, WIDTH, indent, printf("%-*s", indent, label));
}

static void print_row(const char *label, const char *text)
{
	cleanup_free char *indented = strf("  %s", label);

	if (text && *text)
		print_labelled(indented, 15, text);
}

static void print_axes(const struct scenario *s)
{
	for (size_t i = 0; i < s->n_axes; i++) {
		cleanup_free char *values = strv_join(&s->axes[i].values, ", ");
		cleanup_free char *line = strf("%s: %s", s->axes[i].name, values);

		print_row(i ? "" : "axes", line);
	}
}

static void print_run(const struct scenario *s)
{
	char time[32], limit[32], needs[32];
	cleanup_free char *repeats = s->repeat == 1 ? xstrdup("once") : strf("%u times", s->repeat);
	cleanup_free char *run =
		strf("%s%s on the %s clock%s%s, each cell %s",
		     s->for_ns	     ? ""
		     : s->load.given ? "until it exits or its load has ended, at most "
				     : "until it exits, at most ",
		     format_duration(time, sizeof(time), (double)(s->for_ns ? s->for_ns : s->timeout_ns) / NS_PER_S),
		     clock_kind_name(s->clock), s->clock_strict ? " or not at all" : "", s->alone ? ", alone" : "", repeats);
	cleanup_free char *memory =
		strf("limit %s, needs %s", s->limit_bytes ? format_size(limit, sizeof(limit), s->limit_bytes) : "none",
		     format_size(needs, sizeof(needs), s->needs_bytes));

	print_row("run", run);
	print_row("memory", memory);
}

static void print_load(const struct scenario *s)
{
	cleanup_free char *words = strv_join(s->load.command.n ? &s->load.command : &s->load.args, " ");
	cleanup_free char *what = s->load.command.n ? xstrdup(words) : strf("%s %s", s->program.name, words);
	cleanup_free char *when = s->ready.mark	  ? strf(", from the mark %s on", s->ready.mark)
				  : s->ready.port ? xstrdup(", once it listens on its port")
						  : xstrdup("");
	cleanup_free char *line = strf("%s%s", what, when);

	if (s->load.given)
		print_row("load", line);
}

static void print_timeline(const struct scenario *s)
{
	for (size_t i = 0; i < s->timeline.n; i++) {
		const struct act *a = &s->timeline.v[i];
		cleanup_free char *what = act_text(a);
		char at[32];
		cleanup_free char *line = strf("at %s: %s", format_duration(at, sizeof(at), (double)a->at_ns / NS_PER_S), what);

		print_row(i ? "" : "timeline", line);
	}
}

static void print_expectation(const struct expectation *e)
{
	cleanup_strv struct strv who = STRV_INIT, that = STRV_INIT, versus = STRV_INIT;

	for (size_t i = 0; i < e->n_match; i++) {
		cleanup_free char *values = strv_join(&e->match[i].values, ", ");

		strv_pushf(&who, "%s=%s", e->match[i].axis, values);
	}
	for (size_t i = 0; i < e->n_conditions; i++)
		strv_push(&that, e->conditions[i].text);

	for (size_t i = 0; i < e->n_versus; i++)
		strv_pushf(&versus, "%s=%s", e->versus[i].axis, e->versus[i].values.v[0]);

	cleanup_free char *cells = who.n ? strv_join(&who, ", ") : xstrdup("every cell"), *conditions = strv_join(&that, "; "),
			  *others = strv_join(&versus, ", ");
	cleanup_free char *against = versus.n ? strf(", against %s", others) : xstrdup("");
	cleanup_free char *share = e->share < 1 ? strf(" (in %.0f %% of the repeats)", e->share * 100) : xstrdup("");
	cleanup_free char *head = strf("%s%s%s%s", cells, against, share, e->race ? " (a race: this holds for each of its ends)" : "");

	printf("\n");
	print_labelled("", 2, head);
	print_labelled("", 4, conditions);
	if (e->because) {
		cleanup_free char *because = strf("because %s", e->because);

		print_labelled("", 4, because);
	}
}

/* "17 go (1.11, 1.12, 1.13)", as the axis is today. */
static char *axis_today(const struct plan *p, const struct axis *a)
{
	cleanup_strv struct strv go = STRV_INIT;
	bool is_go = !strcmp(a->name, "go");

	for (size_t i = 0; is_go && i < p->go.n; i++)
		strv_push(&go, p->go.v[i].text);

	const struct strv *values = is_go ? &go : &a->values;
	cleanup_free char *all = strv_join(values, ", ");
	return strf("%zu %s (%s)", values->n, a->name, all);
}

/* All of them in few words, then those that no release can be. */
static void print_plan(const struct scenario *s, const struct plan *p)
{
	cleanup_strv struct strv axes = STRV_INIT, not_applicable = STRV_INIT;

	for (size_t i = 0; i < s->n_axes; i++) {
		cleanup_free char *axis = axis_today(p, &s->axes[i]);

		strv_push(&axes, axis);
	}
	for (size_t i = 0; i < p->n_cells; i++)
		if (p->cells[i].why_not)
			strv_push(&not_applicable, p->cells[i].id);

	cleanup_free char *product = strv_join(&axes, " x "), *ids = strv_join(&not_applicable, " ");
	cleanup_free char *all = axes.n ? strf("%zu: %s", p->n_cells, product) : strf("%zu", p->n_cells);
	cleanup_free char *without = strf("of these %zu not applicable: %s", not_applicable.n, ids);

	print_row("cells", all);
	if (not_applicable.n)
		print_row("", without);
}

static void print_cells(const struct scenario *s)
{
	struct err cleanup_err err = ERR_INIT;
	struct plan cleanup_plan *p = NULL;

	if (plan_cells(s, &p, &err) < 0) {
		cleanup_free char *text = strf("cannot be told here: %s", err_text(&err));

		print_row("cells", text);
		return;
	}
	print_plan(s, p);
}

static void print_scenario(const struct scenario *s)
{
	cleanup_free char *args = strv_join(&s->args, " "), *command = strv_join(&s->program.command, " ");

	print_labelled("", 0, s->title);
	printf("\n");
	if (s->explain) {
		print_labelled("", 0, s->explain);
		printf("\n");
	}
	print_row("scenario", s->name);
	print_row("story", s->story == STORY_NONE ? NULL : story_name(s->story));
	print_row("source", s->source);
	print_row("program", s->program.kind == PROGRAM_COMMAND ? command : s->program.name);
	print_row("args", args);
	print_load(s);
	print_axes(s);
	print_cells(s);
	print_run(s);
	print_timeline(s);
	print_row("file", s->path);
	if (s->n_expect > 0)
		printf("\nExpected:\n");
	for (size_t i = 0; i < s->n_expect; i++)
		print_expectation(&s->expect[i]);
}

/* --- all --- */

static int load_all(const char *home, struct scenario ***ret, size_t *ret_n, struct err *err)
{
	cleanup_strv struct strv paths = STRV_INIT;
	int r = scenario_list(home, &paths, err), code = EXIT_EXPECTED;

	if (r < 0)
		return cmd_failed(err);
	*ret = xcalloc(paths.n + 1, sizeof(**ret));
	for (size_t i = 0; i < paths.n; i++) {
		/* One that is broken does not hide the others. */
		if (scenario_load(paths.v[i], home, &(*ret)[*ret_n], err) < 0)
			code = cmd_failed(err);
		else
			++*ret_n;
	}
	return code;
}

/* One line each, cut where it is too long. */
static void print_line(const struct scenario *s, int width)
{
	int room = WIDTH - width - 4;
	bool cut = (int)strlen(s->title) > room;
	int n = cut ? room - 3 : room;

	while (cut && n > 0 && ((unsigned char)s->title[n] & 0xc0) == 0x80) /* never half a character */
		n--;
	printf("%-*s  %.*s%s\n", width, s->name, n, s->title, cut ? "..." : "");
}

/* "Idle memory" */
static void print_story(enum story story)
{
	const char *name = story == STORY_NONE ? "others" : story_name(story);

	printf("%c%s\n", toupper((unsigned char)*name), name + 1);
}

static void print_table(struct scenario *const *all, size_t n)
{
	bool first = true;
	int width = 8;

	for (size_t i = 0; i < n; i++)
		width = (int)strlen(all[i]->name) > width ? (int)strlen(all[i]->name) : width;
	for (int story = 0; story < STORY_COUNT_; story++) {
		bool any = false;

		for (size_t i = 0; i < n; i++) {
			if ((int)all[i]->story != story)
				continue;
			if (!any) {
				printf("%s", first ? "" : "\n");
				print_story((enum story)story);
			}
			any = true;
			first = false;
			printf("  ");
			print_line(all[i], width);
		}
	}
	printf("%s", n ? "\n`memtide list SCENARIO` tells all about one, `memtide run SCENARIO` runs it.\n" : "");
}

int cmd_list(int argc, char **argv)
{
	struct list_options o = { 0 };
	struct err cleanup_err err = ERR_INIT;
	cleanup_free char *home = home_folder();
	cleanup_free struct scenario **all = NULL;
	size_t n = 0;
	int code = EXIT_EXPECTED;

	cmd_parse(&list_argp, argc, argv, &o);
	if (o.name) {
		all = xcalloc(1, sizeof(*all));
		if (scenario_find(o.name, home, &all[0], &err) < 0)
			return cmd_failed(&err);
		n = 1;
	} else {
		code = load_all(home, &all, &n, &err);
	}

	if (o.json) {
		cleanup_json json_t *array = json_array();

		for (size_t i = 0; i < n; i++)
			(void)json_array_append_new(array, json_scenario(all[i]));
		if (json_print(array, &err) < 0)
			code = cmd_failed(&err);
	} else if (o.name) {
		print_scenario(all[0]);
	} else {
		print_table(all, n);
	}
	for (size_t i = 0; i < n; i++)
		scenario_free(all[i]);
	return code;
}
