/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "analyse/mutation.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "cmd/corpus_parts.h"
#include "record/corpus.h"
#include "render/wrap.h"

#define WIDTH 80

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	return cmd_dir_option(key, arg, state, state->input);
}

static const struct argp_option option_table[] = {
	{ "results", 'r', "DIR", 0, "where the newest corpus is looked for (default: results)", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	parse_option,
	"[DIR]",
	"Whether the expectations notice what they are there for: each cell's are held against the runs of the cell with another variant, "
	"and of the neighbouring release where the scenario says that something changes. Nothing is run.\v"
	"DIR is a corpus' folder; without it the newest one. Exit code 1 if an exchange goes unnoticed.",
	NULL,
	NULL,
	NULL,
};

struct score {
	size_t made[MUTATION_KIND_COUNT_], noticed[MUTATION_KIND_COUNT_], races;
};

static size_t made(const struct score *s)
{
	return s->made[MUTATION_VARIANT] + s->made[MUTATION_RELEASE];
}

static size_t noticed(const struct score *s)
{
	return s->noticed[MUTATION_VARIANT] + s->noticed[MUTATION_RELEASE];
}

static void add(struct score *s, const struct mutations *m)
{
	s->races += m->races;
	for (size_t i = 0; i < m->n; i++) {
		s->made[m->v[i].kind]++;
		s->noticed[m->v[i].kind] += m->v[i].noticed;
	}
}

/* "3 of 4", "" for none. */
static const char *of(char *buf, size_t n, size_t part, size_t all)
{
	(void)snprintf(buf, n, all ? "%zu of %zu" : "-", part, all);
	return buf;
}

static void print_score(const char *name, const struct score *s)
{
	char variants[32], releases[32], share[16] = "-";

	/* Rounded down: 100 % is all of them. */
	if (made(s))
		(void)snprintf(share, sizeof(share), "%zu %%", noticed(s) * 100 / made(s));
	printf("%-32s %14s %14s %9s\n", name, of(variants, sizeof(variants), s->noticed[MUTATION_VARIANT], s->made[MUTATION_VARIANT]),
	       of(releases, sizeof(releases), s->noticed[MUTATION_RELEASE], s->made[MUTATION_RELEASE]), share);
}

static void keep_survivors(const char *name, const struct mutations *m, struct strv *ret)
{
	for (size_t i = 0; i < m->n; i++)
		if (!m->v[i].noticed && *m->v[i].held)
			strv_pushf(ret, "%s: what is expected of %s holds for the runs of %s too: %s", name, m->v[i].cell, m->v[i].runs, m->v[i].held);
		else if (!m->v[i].noticed)
			strv_pushf(ret, "%s: nothing is expected of %s, so that the runs of %s pass for its own", name, m->v[i].cell, m->v[i].runs);
}

static int mutate(const struct campaign *c, const char *home, struct score *ret, struct strv *survivors, struct err *err)
{
	cleanup_free char *path = strf("%s/scenario.yaml", c->dir);
	cleanup_scenario struct scenario *s = NULL;
	cleanup_plan struct plan *p = NULL;
	cleanup_mutations struct mutations m = { 0 };
	cleanup_strv struct strv own = STRV_INIT;
	int r = scenario_load_copy(path, home, &s, err);

	for (size_t i = 0; r >= 0 && scenario_axis(s, "go") && i < scenario_axis(s, "go")->values.n; i++)
		strv_push(&own, scenario_axis(s, "go")->values.v[i]);
	if (r >= 0)
		r = plan_of_campaign(c, s, &p, err);
	if (r < 0)
		return r;
	mutations_find(c, p, &own, &m);
	add(ret, &m);
	keep_survivors(s->name, &m, survivors);
	return 0;
}

static void print_survivors(const struct strv *survivors)
{
	if (survivors->n)
		printf("\nUnnoticed:\n");
	for (size_t i = 0; i < survivors->n; i++) {
		printf("  ");
		print_wrapped(stdout, survivors->v[i], WIDTH, 4, 2);
	}
}

static int mutate_all(const struct corpus *c)
{
	cleanup_free char *home = home_folder();
	cleanup_strv struct strv survivors = STRV_INIT;
	struct score all = { 0 };
	int code = EXIT_EXPECTED;

	printf("%-32s %14s %14s %9s\n", "Exchanges that are noticed", "of variants", "of releases", "");
	for (size_t i = 0; i < c->n; i++) {
		struct err cleanup_err err = ERR_INIT;
		struct score own = { 0 };

		/* One that cannot be read does not hide the others. */
		if (mutate(c->campaigns[i], home, &own, &survivors, &err) < 0) {
			code = cmd_failed(&err);
			continue;
		}
		print_score(json_string_value(json_object_get(c->campaigns[i]->info, "scenario")), &own);
		all.races += own.races;
		for (int k = 0; k < MUTATION_KIND_COUNT_; k++) {
			all.made[k] += own.made[k];
			all.noticed[k] += own.noticed[k];
		}
	}
	printf("\n");
	print_score("all", &all);
	if (all.races)
		printf("\nNot asked for: %zu exchanges with cells of which a scenario says that they are a race (race: true).\n", all.races);
	print_survivors(&survivors);
	if (code != EXIT_EXPECTED)
		return code;
	if (!made(&all))
		log_warn("nothing could be exchanged: the corpus has neither variants nor releases that its scenarios tell apart");
	return noticed(&all) == made(&all) && made(&all) ? EXIT_EXPECTED : EXIT_UNEXPECTED;
}

int corpus_mutate(int argc, char **argv)
{
	struct dir_options o = { .results = "results" };
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv warnings = STRV_INIT;
	cleanup_corpus struct corpus *c = NULL;
	cleanup_free char *dir = NULL;

	cmd_parse(&argp, argc, argv, &o);
	if (corpus_locate(o.dir, o.results, &dir, &err) < 0 || corpus_read(dir, &c, &warnings, &err) < 0)
		return cmd_failed(&err);
	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	return mutate_all(c);
}
