/* SPDX-License-Identifier: Apache-2.0
 *
 * go.c - `memtide go list [LIST]`, `memtide go fetch LIST`.
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/units.h"
#include "build/toolchain.h"
#include "cmd/cmd.h"
#include "run/clock.h"

enum { OPT_JSON = 256 };

struct options {
	const char *action; /* borrowed from argv; NULL: none given */
	struct strv lists;
	bool json;
};

static const struct argp_option option_table[] = {
	{ "json", OPT_JSON, NULL, 0, "go list: print an array of objects: version, asked, here, goroot, found_in", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_JSON:
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->action)
			strv_push(&o->lists, arg);
		else
			o->action = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->action)
			argp_error(state, "say what to do: list or fetch");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	option_table,
	parse_option,
	"list [LIST]\nfetch LIST",
	"The Go toolchains on this machine, which of a LIST are missing, and fetching those.\v"
	"LIST: 1.11..1.16, 1.21.3, latest, previous, local, /path/to/goroot, separated by commas; 1.15 is its newest patch. "
	"What is fetched goes into the module cache of the user's own go command, through its GOPROXY.",
	NULL,
	NULL,
	NULL,
};

/* --- what there is --- */

struct view {
	struct toolchains local;
	struct catalogue catalogue;
	struct go_specs specs;
	char *offline; /* owned: why the proxy could not be asked, or NULL */
};

static void view_done(struct view *v)
{
	toolchains_done(&v->local);
	catalogue_done(&v->catalogue);
	go_specs_done(&v->specs);
	free(v->offline);
}

static int view_load(const struct options *o, struct view *v, struct err *err)
{
	cleanup_strv struct strv broken = STRV_INIT;
	cleanup_free char *list = strv_join(&o->lists, ",");
	int r = toolchains_find(&v->local, &broken, err);

	for (size_t i = 0; i < broken.n; i++)
		log_warn("%s", broken.v[i]);
	if (r == 0)
		r = catalogue_load(&v->catalogue, &v->local, &v->offline, err);
	if (r == 0 && o->lists.n)
		r = golist_expand(list, &v->catalogue, &v->specs, err);
	return r;
}

static const struct toolchain *local_of(const struct view *v, const struct go_spec *s)
{
	for (size_t i = 0; s->goroot && i < v->local.n; i++)
		if (!strcmp(v->local.v[i].goroot, s->goroot))
			return &v->local.v[i];
	return NULL;
}

/* --- go list --- */

static json_t *row_json(const char *asked, const struct go_version *version, const char *goroot, const char *found_in)
{
	char text[32];

	return json_pack("{s:s, s:s, s:b, s:s?, s:s?}", "version", go_version_format(text, sizeof(text), version), "asked", asked, "here",
			 goroot != NULL, "goroot", goroot, "found_in", found_in);
}

static int list_json(const struct view *v, bool asked, struct err *err)
{
	cleanup_json json_t *rows = json_array();
	char text[32];

	for (size_t i = 0; !asked && i < v->local.n; i++) {
		const struct toolchain *t = &v->local.v[i];

		(void)go_version_format(text, sizeof(text), &t->version);
		json_array_append_new(rows, row_json(text, &t->version, t->goroot, t->found_in));
	}
	for (size_t i = 0; i < v->specs.n; i++) {
		const struct go_spec *s = &v->specs.v[i];
		const struct toolchain *t = local_of(v, s);

		json_array_append_new(rows, row_json(s->text, &s->version, s->goroot, t ? t->found_in : s->goroot));
	}
	return json_print(rows, err);
}

static void print_row(const struct go_version *version, const char *found_in, const char *goroot)
{
	char text[32];

	printf("%-10s %-14s %s\n", go_version_format(text, sizeof(text), version), found_in, goroot);
}

/* The newest patch of every minor release that is not here. */
static void print_others(const struct view *v)
{
	cleanup_strv struct strv others = STRV_INIT;
	char text[32];

	for (size_t i = 0; i < v->catalogue.n; i++) {
		const struct catalogue_entry *e = &v->catalogue.entries[i];
		bool newest = i + 1 == v->catalogue.n || v->catalogue.entries[i + 1].version.minor != e->version.minor;

		if (newest && !e->goroot)
			strv_push(&others, go_version_format(text, sizeof(text), &e->version));
	}
	if (!others.n)
		return;
	cleanup_free char *all = strv_join(&others, ", "), *list = strv_join(&others, ",");
	printf("\nNewest patches that are not here: %s\n  memtide go fetch %s\n", all, list);
}

static void list_text(const struct view *v, bool asked)
{
	printf("%-10s %-14s %s\n", "RELEASE", asked ? "STATE" : "FOUND IN", "PATH");
	for (size_t i = 0; !asked && i < v->local.n; i++)
		print_row(&v->local.v[i].version, v->local.v[i].found_in, v->local.v[i].goroot);
	for (size_t i = 0; i < v->specs.n; i++) {
		const struct go_spec *s = &v->specs.v[i];

		print_row(&s->version, s->goroot ? "here" : "to fetch", s->goroot ? s->goroot : "-");
	}
	if (!asked)
		print_others(v);
}

static int list(const struct options *o)
{
	struct err cleanup_err err = ERR_INIT;
	__attribute__((cleanup(view_done))) struct view v = { 0 };
	int r = view_load(o, &v, &err);

	if (r < 0)
		return cmd_failed(&err);
	if (v.offline)
		log_note("The module proxy was not asked, so newer releases may be missing here: %s", v.offline);
	if (!o->json)
		list_text(&v, o->lists.n > 0);
	else if (list_json(&v, o->lists.n > 0, &err) < 0)
		return cmd_failed(&err);
	return EXIT_EXPECTED;
}

/* --- go fetch --- */

struct fetching {
	char *unchecked; /* owned: why it was not checked, or NULL */
};

static void show_progress(void *arg, const struct go_version *v, uint64_t bytes, bool unpacking)
{
	char release[32], size[32];
	cleanup_free char *line = NULL;

	(void)arg;
	(void)go_version_format(release, sizeof(release), v);
	(void)format_size(size, sizeof(size), bytes);
	line = unpacking ? strf("unpacking go%s: %s", release, size) :
	       bytes	 ? strf("fetching go%s: %s", release, size) :
			   strf("fetching go%s", release);
	log_status(line);
}

static void note_unchecked(void *arg, const struct go_version *v, const char *why)
{
	struct fetching *f = arg;

	(void)v;
	free(f->unchecked);
	f->unchecked = xstrdup(why);
}

static int fetch_one(const struct go_version *version, struct err *err)
{
	struct fetching f = { 0 };
	struct fetch_progress progress = { .report = show_progress, .arg = &f, .unchecked = note_unchecked };
	struct toolchain t;
	uint64_t bytes = 0;
	int64_t from_ns = clock_monotonic_ns();
	char release[32], size[32], took[32];

	show_progress(&f, version, 0, false);
	int r = toolchain_fetch(version, &progress, &t, &bytes, err);

	log_status(NULL);
	if (r == 0) {
		printf("go%s: %s in %s, %s\n", go_version_format(release, sizeof(release), version), format_size(size, sizeof(size), bytes),
		       format_duration(took, sizeof(took), (double)(clock_monotonic_ns() - from_ns) / 1e9),
		       f.unchecked ? "NOT checked against the checksum database" : "checked against the checksum database");
		(void)fflush(stdout);
		toolchain_done(&t);
	}
	if (r == 0 && f.unchecked)
		log_warn("go%s was not checked against the checksum database: %s", release, f.unchecked);
	free(f.unchecked);
	return r;
}

static int fetch(const struct options *o)
{
	struct err cleanup_err err = ERR_INIT;
	__attribute__((cleanup(view_done))) struct view v = { 0 };
	int code = EXIT_EXPECTED;
	char release[32];

	if (!o->lists.n) {
		(void)err_usage(&err, "say which releases to fetch, as in `memtide go fetch 1.11..latest`");
		return cmd_failed(&err);
	}
	if (view_load(o, &v, &err) < 0)
		return cmd_failed(&err);
	for (size_t i = 0; i < v.specs.n; i++) {
		const struct go_spec *s = &v.specs.v[i];

		if (s->goroot) {
			printf("go%s: here already, %s\n", go_version_format(release, sizeof(release), &s->version), s->goroot);
			continue;
		}
		/* One that fails does not keep the others from being fetched. */
		if (fetch_one(&s->version, &err) < 0)
			code = cmd_failed(&err);
	}
	return code;
}

int cmd_go(int argc, char **argv)
{
	static const char *const actions[] = { "list", "fetch" };
	struct err cleanup_err err = ERR_INIT;
	struct options o = { 0 };
	int code;

	cmd_parse(&argp, argc, argv, &o);
	if (!strcmp(o.action, "list")) {
		code = list(&o);
	} else if (!strcmp(o.action, "fetch")) {
		code = fetch(&o);
	} else {
		const char *near = nearest_word(o.action, actions, 2);

		(void)err_usage(&err, near ? "there is no `memtide go %s`: did you mean '%s'?" : "there is no `memtide go %s`: it is list or fetch",
				o.action, near);
		code = cmd_failed(&err);
	}
	strv_done(&o.lists);
	return code;
}
