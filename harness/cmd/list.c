/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/cmd.h"
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
	"[SCENARIO]", "Shows the scenarios there are, or all about one: its question, axes, limit and expectations.",
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
	json_t *match = json_object(), *that = json_array();

	for (size_t i = 0; i < e->n_match; i++)
		(void)json_object_set_new(match, e->match[i].axis, json_strings(&e->match[i].values));
	for (size_t i = 0; i < e->n_conditions; i++)
		(void)json_array_append_new(that, json_string(e->conditions[i].text));
	return json_pack("{s:o, s:o, s:s?, s:f}", "for", match, "that", that, "because", e->because, "share", e->share);
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

static json_t *json_scenario(const struct scenario *s)
{
	json_t *axes = json_object(), *expect = json_array();

	for (size_t i = 0; i < s->n_axes; i++)
		(void)json_object_set_new(axes, s->axes[i].name, json_strings(&s->axes[i].values));
	for (size_t i = 0; i < s->n_expect; i++)
		(void)json_array_append_new(expect, json_expectation(&s->expect[i]));

	/* No limit, no end set from outside, no source: null, never 0 or "". */
	return json_pack("{s:s, s:s, s:s?, s:s, s:o, s:o, s:o, s:s, s:b, s:o, s:o, s:i, s:o, s:I, s:o, s:s}", "name", s->name, "title", s->title,
			 "source", s->source, "program", s->program.name, "args", json_strings(&s->args), "axes", axes, "for_s",
			 s->for_ns ? json_real((double)s->for_ns / NS_PER_S) : json_null(), "clock", clock_kind_name(s->clock),
			 "clock_strict", s->clock_strict, "load", json_load(&s->load), "ready", json_ready(&s->ready), "repeat", (int)s->repeat,
			 "limit_bytes", s->limit_bytes ? json_integer((json_int_t)s->limit_bytes) : json_null(), "needs_bytes",
			 (json_int_t)s->needs_bytes, "expect", expect, "path", s->path);
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
		strf("%s%s on the %s clock%s, each cell %s",
		     s->for_ns	     ? ""
		     : s->load.given ? "until it exits or its load has ended, at most "
				     : "until it exits, at most ",
		     format_duration(time, sizeof(time), (double)(s->for_ns ? s->for_ns : s->timeout_ns) / NS_PER_S),
		     clock_kind_name(s->clock), s->clock_strict ? " or not at all" : "", repeats);
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

static void print_expectation(const struct expectation *e)
{
	cleanup_strv struct strv who = STRV_INIT, that = STRV_INIT;

	for (size_t i = 0; i < e->n_match; i++) {
		cleanup_free char *values = strv_join(&e->match[i].values, ", ");

		strv_pushf(&who, "%s=%s", e->match[i].axis, values);
	}
	for (size_t i = 0; i < e->n_conditions; i++)
		strv_push(&that, e->conditions[i].text);

	cleanup_free char *cells = who.n ? strv_join(&who, ", ") : xstrdup("every cell"), *conditions = strv_join(&that, "; ");

	printf("\n  %s%s", cells, e->share < 1 ? "" : "\n");
	if (e->share < 1)
		printf(" (in %.0f %% of the repeats)\n", e->share * 100);
	print_labelled("", 4, conditions);
	if (e->because) {
		cleanup_free char *because = strf("because %s", e->because);

		print_labelled("", 4, because);
	}
}

static void print_scenario(const struct scenario *s)
{
	cleanup_free char *args = strv_join(&s->args, " "), *command = strv_join(&s->program.command, " ");

	print_labelled("", 0, s->title);
	printf("\n");
	print_row("scenario", s->name);
	print_row("source", s->source);
	print_row("program", s->program.kind == PROGRAM_COMMAND ? command : s->program.name);
	print_row("args", args);
	print_load(s);
	print_axes(s);
	print_run(s);
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

static void print_table(struct scenario *const *all, size_t n)
{
	int width = 8;

	for (size_t i = 0; i < n; i++)
		width = (int)strlen(all[i]->name) > width ? (int)strlen(all[i]->name) : width;
	for (size_t i = 0; i < n; i++)
		print_labelled(all[i]->name, width + 2, all[i]->title);
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
