/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "analyse/verdict.h"
#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "plan/metric.h"
#include "record/reader.h"

struct export_options {
	const char *dir; /* NULL: the newest campaign */
	const char *results;
	const char *format; /* NULL: not given */
	const char *out;    /* NULL: standard output */
};

/* ---- CSV ------------------------------------------------------------------------------------------------------------ */

/* RFC 4180, but with plain line ends, as every other tool here reads them. */
static void put_text(FILE *f, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		(void)fputs(text, f);
		return;
	}
	(void)fputc('"', f);
	for (; *text; text++) {
		if (*text == '"')
			(void)fputc('"', f);
		(void)fputc(*text, f);
	}
	(void)fputc('"', f);
}

/* Empty where there is no value: never a zero. */
static void put_value(FILE *f, const json_t *value)
{
	cleanup_free char *text = NULL;

	if (json_is_string(value))
		put_text(f, json_string_value(value));
	else if (value && !json_is_null(value) &&
		 (text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(12))))
		put_text(f, text);
}

static void add_keys(struct strv *keys, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) if (!strv_contains(keys, key)) strv_push(keys, key);
}

/* The axes of all cells; every metric there is, then those that only a newer memtide knew. */
static void find_columns(const struct campaign *c, const struct campaign_cells *cells, struct strv *axes, struct strv *metrics)
{
	size_t n;
	const char *const *names = metric_names(&n);

	for (size_t i = 0; i < cells->n; i++)
		add_keys(axes, cells->v[i].settings);
	for (size_t i = 0; i < n; i++)
		strv_push(metrics, names[i]);
	for (size_t i = 0; i < c->n_runs; i++)
		add_keys(metrics, json_object_get(c->runs[i].run, "metrics"));
}

static void put_header(FILE *f, const struct strv *axes, const struct strv *metrics)
{
	(void)fputs("campaign", f);
	for (size_t i = 0; i < axes->n; i++) {
		(void)fputc(',', f);
		put_text(f, axes->v[i]);
	}
	(void)fputs(",repeat,go_version,outcome", f);
	for (size_t i = 0; i < metrics->n; i++) {
		(void)fputc(',', f);
		put_text(f, metrics->v[i]);
	}
	(void)fputc('\n', f);
}

static const char *campaign_name(const struct campaign *c)
{
	const char *name = json_string_value(json_object_get(c->info, "name")), *slash = strrchr(c->dir, '/');

	return name ? name : slash ? slash + 1 : c->dir;
}

static void put_run(FILE *f, const struct campaign *c, const struct campaign_cell *cell, const struct campaign_run *r,
		    const struct strv *axes, const struct strv *metrics)
{
	const json_t *values = json_object_get(r->run, "metrics");

	put_text(f, campaign_name(c));
	for (size_t i = 0; i < axes->n; i++) {
		(void)fputc(',', f);
		put_value(f, json_object_get(cell->settings, axes->v[i]));
	}
	(void)fprintf(f, ",%u,", r->repeat);
	put_value(f, json_object_get(json_object_get(r->run, "go"), "version"));
	(void)fprintf(f, ",%s", outcome_to_string(r->outcome));
	for (size_t i = 0; i < metrics->n; i++) {
		(void)fputc(',', f);
		put_value(f, json_object_get(values, metrics->v[i]));
	}
	(void)fputc('\n', f);
}

static void write_csv(FILE *f, const struct campaign *c)
{
	cleanup_strv struct strv axes = STRV_INIT, metrics = STRV_INIT;
	struct campaign_cells cells;

	campaign_cells(c, &cells);
	find_columns(c, &cells, &axes, &metrics);
	put_header(f, &axes, &metrics);
	for (size_t i = 0; i < cells.n; i++)
		for (size_t k = 0; k < cells.v[i].n_runs; k++)
			put_run(f, c, &cells.v[i], cells.v[i].runs[k], &axes, &metrics);
	campaign_cells_done(&cells);
}

/* ---- JSON ----------------------------------------------------------------------------------------------------------- */

/* run.json as it is, and where its series are; of an unfinished run what its place in the folder tells. */
static json_t *run_json(const struct campaign *c, const struct campaign_cell *cell, const struct campaign_run *r)
{
	json_t *run = r->run ? json_copy(r->run) : json_object();

	json_object_set_new(run, "cell_id", json_string(cell->id));
	json_object_set_new(run, "dir", json_string(r->dir + strlen(c->dir) + 1));
	if (!r->run) {
		json_object_set(run, "cell", (json_t *)cell->settings);
		json_object_set_new(run, "repeat", json_integer(r->repeat));
		json_object_set_new(run, "outcome", json_string(outcome_to_string(r->outcome)));
		json_object_set_new(run, "why", json_string("the run has no final record"));
	}
	return run;
}

static void write_json(FILE *f, const struct campaign *c)
{
	json_t *runs = json_array();
	cleanup_json json_t *all = json_pack("{s:s, s:O, s:o}", "format", "memtide-export/1", "campaign", c->info, "runs", runs);
	struct campaign_cells cells;
	struct verdicts verdicts;

	campaign_cells(c, &cells);
	verdicts_make(c, &cells, &verdicts);
	json_object_set_new(all, "verdicts", verdicts_json(&verdicts));
	verdicts_done(&verdicts);
	for (size_t i = 0; i < cells.n; i++)
		for (size_t k = 0; k < cells.v[i].n_runs; k++)
			json_array_append_new(runs, run_json(c, &cells.v[i], cells.v[i].runs[k]));
	campaign_cells_done(&cells);
	(void)json_dumpf(all, f, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
	(void)fputc('\n', f);
}

/* ---- the command ---------------------------------------------------------------------------------------------------- */

static const struct format {
	const char *name;
	void (*write)(FILE *f, const struct campaign *c);
} formats[] = {
	{ "csv", write_csv },
	{ "json", write_json },
};

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(name, formats[i].name))
			return &formats[i];
	return NULL;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct export_options *o = state->input;

	switch (key) {
	case 'f':
		if (!find_format(arg))
			argp_error(state, "there is no format '%s'; --format csv or --format json", arg);
		o->format = arg;
		return 0;
	case 'r':
		o->results = arg;
		return 0;
	case 'o':
		o->out = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (o->dir)
			argp_error(state, "one campaign at a time: %s or %s", o->dir, arg);
		o->dir = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->format)
			argp_error(state, "say in which format: --format csv or --format json");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "format", 'f', "FORMAT", 0, "csv (a row a run, a column a metric) or json (all that is recorded but the series)", 0 },
	{ "output", 'o', "FILE", 0, "write to FILE instead of standard output", 0 },
	{ "results", 'r', "DIR", 0, "where the newest campaign is looked for (default: results)", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	parse_option,
	"[DIR]",
	"Writes a campaign's runs for other tools.\vDIR is a campaign's folder; without it the newest one.",
	NULL,
	NULL,
	NULL,
};

/* Composed in memory, so that a file is there whole or not at all. */
static int write_out(const struct export_options *o, const struct campaign *c, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return err_set(err, errno, "cannot compose the export");
	find_format(o->format)->write(f, c);
	if (fclose(f) == EOF)
		return err_set(err, errno, "cannot compose the export");
	if (o->out)
		return file_write(o->out, text, len, err);
	if (fwrite(text, 1, len, stdout) < len || fflush(stdout) == EOF)
		return err_set(err, errno, "cannot write to standard output");
	return 0;
}

int cmd_export(int argc, char **argv)
{
	struct export_options o = { .results = "results" };
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv warnings = STRV_INIT;
	cleanup_free char *dir = NULL;
	struct campaign *c = NULL;
	int r;

	cmd_parse(&argp, argc, argv, &o);
	r = campaign_locate(o.dir, o.results, &dir, &err);
	if (r >= 0)
		r = campaign_read(dir, &c, &warnings, &err);
	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	if (r >= 0)
		r = write_out(&o, c, &err);
	campaign_free(c);
	return r < 0 ? cmd_failed(&err) : EXIT_EXPECTED;
}
