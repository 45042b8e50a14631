/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/scenario.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/units.h"
#include "plan/conversion.h"
#include "plan/scenario_parts.h"
#include "plan/scenario_yaml.h"

#define FILE_MAX        (1024 * 1024)
#define LIMIT_DEFAULT   (1024 * MIB)
#define NEEDS_DEFAULT   (1024 * MIB)
#define NAME_LETTERS    "abcdefghijklmnopqrstuvwxyz0123456789-_."
#define NAME_MAX_CHARS  40 /* of a name that is made of a program's */

/* --- name, title, story --- */

static int convert_story(struct conversion *c)
{
	if (story_parse(c->raw->story, &c->s->story, c->err) < 0)
		return places_wrap(c->places, c->err, "story");
	return 0;
}

/* Folded text of several lines, without its line ends. */
static char *one_line(const char *text)
{
	char *line = xstrdup(text);

	for (char *p = line; *p; p++)
		*p = *p == '\n' || *p == '\t' ? ' ' : *p;
	for (size_t n = strlen(line); n > 0 && line[n - 1] == ' '; n--)
		line[n - 1] = 0;
	return line;
}

static int convert_name(struct conversion *c)
{
	const char *slash = strrchr(c->s->path, '/'), *file = slash ? slash + 1 : c->s->path, *dot = strrchr(file, '.');
	cleanup_free char *stem = strf("%.*s", dot ? (int)(dot - file) : (int)strlen(file), file);
	const char *name = c->raw->name;

	if (strspn(name, NAME_LETTERS) != strlen(name) || !isalnum((unsigned char)*name)) {
		(void)err_usage(c->err, "'%s' is no name: use small letters, digits and -", name);
		return places_wrap(c->places, c->err, "name");
	}
	if (!c->is_copy && strcmp(name, stem)) {
		(void)err_usage(c->err, "the name '%s' is not the file's: write '%s', or call the file %s.yaml", name, stem,
				name);
		return places_wrap(c->places, c->err, "name");
	}
	if (strchr(c->raw->title, '\n')) {
		(void)err_usage(c->err, "title has more than one line");
		return places_wrap(c->places, c->err, "title");
	}
	c->s->name = xstrdup(name);
	c->s->title = xstrdup(c->raw->title);
	c->s->source = c->raw->source ? xstrdup(c->raw->source) : NULL;
	c->s->explain = c->raw->explain ? one_line(c->raw->explain) : NULL;
	return convert_story(c);
}

/* --- limit, needs --- */

static int convert_sizes(struct conversion *c)
{
	struct scenario *s = c->s;

	s->limit_bytes = LIMIT_DEFAULT;
	if (c->raw->limit && limit_parse(c->raw->limit, &s->limit_bytes, c->err) < 0)
		return places_wrap(c->places, c->err, "limit");
	s->needs_bytes = s->limit_bytes ? s->limit_bytes : NEEDS_DEFAULT;
	s->needs_given = c->raw->needs;
	if (c->raw->needs && parse_size(c->raw->needs, &s->needs_bytes, c->err) < 0)
		return places_wrap(c->places, c->err, "needs");
	return 0;
}

/* --- axes --- */

static void axis_done(struct axis *a)
{
	free(a->name);
	strv_done(&a->values);
	strv_done(&a->places);
}

static struct axis *find_axis(const struct scenario *s, const char *name)
{
	for (size_t i = 0; i < s->n_axes; i++)
		if (!strcmp(s->axes[i].name, name))
			return &s->axes[i];
	return NULL;
}

const struct axis *scenario_axis(const struct scenario *s, const char *name)
{
	return find_axis(s, name);
}

static struct axis *add_axis(struct scenario *s, size_t at, const char *name)
{
	s->axes = xreallocarray(s->axes, s->n_axes + 1, sizeof(*s->axes));
	memmove(s->axes + at + 1, s->axes + at, (s->n_axes - at) * sizeof(*s->axes));
	s->axes[at] = (struct axis){ .name = xstrdup(name) };
	s->n_axes++;
	return &s->axes[at];
}

/* `go: "1.11, 1.15"` is two values. */
static void split_value(const char *axis, const char *value, struct strv *ret)
{
	if (strcmp(axis, "go"))
		strv_push(ret, value);
	else
		strv_split(ret, value, ", ");
}

static int convert_axis_value(struct conversion *c, struct axis *a, const char *value, const char *path)
{
	cleanup_strv struct strv parts = STRV_INIT;
	cleanup_free char *place = places_find(c->places, path);

	if (axis_check_value(a->name, value, c->err) < 0)
		return places_wrap(c->places, c->err, "%s", path);
	split_value(a->name, value, &parts);
	for (size_t i = 0; i < parts.n; i++) {
		if (strv_contains(&a->values, parts.v[i])) {
			(void)err_usage(c->err, "the axis '%s' has '%s' twice", a->name, parts.v[i]);
			return places_wrap(c->places, c->err, "%s", path);
		}
		strv_push(&a->values, parts.v[i]);
		strv_push(&a->places, place);
	}
	return 0;
}

static int convert_axes(struct conversion *c)
{
	for (unsigned i = 0; i < c->raw->n_axes; i++) {
		const struct raw_axis *raw = &c->raw->axes[i];

		if (axis_check_name(raw->name, c->s->program.kind, c->err) < 0)
			return places_wrap(c->places, c->err, "axes.#%s", raw->name);

		struct axis *a = add_axis(c->s, c->s->n_axes, raw->name);

		for (unsigned j = 0; j < raw->values.n; j++) {
			cleanup_free char *path = strf("axes.%s[%u]", raw->name, j);
			int r = convert_axis_value(c, a, raw->values.v[j], path);

			if (r < 0)
				return r;
		}
	}
	if (c->s->program.kind != PROGRAM_COMMAND && !scenario_axis(c->s, "go"))
		strv_push(&add_axis(c->s, 0, "go")->values, "local");
	return 0;
}

const char *program_kind_name(enum program_kind kind)
{
	static const char *const names[] = { [PROGRAM_BUNDLED] = "bundled", [PROGRAM_MODULE] = "module", [PROGRAM_COMMAND] = "command" };

	return names[kind];
}

int scenario_set_axis(struct scenario *s, const char *axis, const struct strv *values, struct err *err)
{
	cleanup_strv struct strv checked = STRV_INIT;
	int r = axis_check_name(axis, s->program.kind, err);

	if (r >= 0 && values->n == 0)
		r = err_usage(err, "the axis '%s' is empty: it needs one value at least", axis);
	for (size_t i = 0; r >= 0 && i < values->n; i++) {
		cleanup_strv struct strv parts = STRV_INIT;

		r = axis_check_value(axis, values->v[i], err);
		if (r >= 0)
			split_value(axis, values->v[i], &parts);
		for (size_t j = 0; r >= 0 && j < parts.n; j++)
			if (!strv_contains(&checked, parts.v[j]))
				strv_push(&checked, parts.v[j]);
			else if (strcmp(axis, "go"))
				r = err_usage(err, "the axis '%s' has '%s' twice", axis, parts.v[j]);
	}
	if (r < 0)
		return r;

	struct axis *a = find_axis(s, axis);

	if (!a)
		a = add_axis(s, s->n_axes, axis);
	strv_done(&a->values);
	strv_done(&a->places);
	a->values = checked;
	checked = (struct strv)STRV_INIT;
	return 0;
}

/* --- expectations --- */

int unknown_axis(struct conversion *c, const char *name, const char *path, ...)
{
	cleanup_strv struct strv names = STRV_INIT;
	va_list ap;

	for (size_t a = 0; a < c->s->n_axes; a++)
		strv_push(&names, c->s->axes[a].name);

	cleanup_free char *all = strv_join(&names, ", ");

	va_start(ap, path);
	cleanup_free char *whole_path = vstrf(path, ap);
	va_end(ap);
	(void)err_usage(c->err, "the scenario has no axis '%s': its axes are %s", name, names.n ? all : "none");
	return places_wrap(c->places, c->err, "%s", whole_path);
}

static int convert_match(struct conversion *c, struct expectation *e, unsigned index)
{
	const struct raw_expectation *raw = &c->raw->expect[index];

	e->match = xcalloc(raw->n_match + 1, sizeof(*e->match));
	for (unsigned i = 0; i < raw->n_match; i++) {
		const struct raw_axis *m = &raw->match[i];
		const struct axis *has = scenario_axis(c->s, m->name);

		if (!has)
			return unknown_axis(c, m->name, "expect[%u].for.#%s", index, m->name);
		e->match[e->n_match++].axis = xstrdup(m->name);
		for (unsigned j = 0; j < m->values.n; j++) {
			struct strv *values = &e->match[i].values;
			size_t before = values->n;
			int r = 0;

			split_value(m->name, m->values.v[j], values);
			for (size_t k = before; r >= 0 && k < values->n; k++)
				r = match_check_value(m->name, values->v[k], has, c->err);
			if (r < 0)
				return places_wrap(c->places, c->err, "expect[%u].for.%s[%u]", index, m->name, j);
		}
	}
	return 0;
}

static int convert_expectation(struct conversion *c, struct expectation *e, unsigned index)
{
	const struct raw_expectation *raw = &c->raw->expect[index];
	int r = convert_match(c, e, index);

	if (r < 0)
		return r;
	cleanup_free char *path = strf("expect[%u]", index);

	e->place = places_find(c->places, path);
	e->conditions = xcalloc(raw->that.n, sizeof(*e->conditions));
	for (unsigned i = 0; i < raw->that.n; i++) {
		if (condition_parse(raw->that.v[i], &e->conditions[i], c->err) < 0)
			return places_wrap(c->places, c->err, "expect[%u].that[%u]", index, i);
		e->n_conditions++;
	}
	e->because = raw->because ? xstrdup(raw->because) : NULL;
	e->share = 1;
	e->race = raw->race;
	if (raw->race && strcmp(raw->race, "true")) {
		(void)err_usage(c->err, "race is '%s': write race: true, or leave it out", raw->race);
		return places_wrap(c->places, c->err, "expect[%u].race", index);
	}
	if (raw->share) {
		r = decimal_parse(raw->share, &e->share, c->err);
		if (r >= 0 && (e->share <= 0 || e->share > 1))
			r = err_usage(c->err, "share is %s: it must be more than 0 and at most 1", raw->share);
	}
	return r < 0 ? places_wrap(c->places, c->err, "expect[%u].share", index) : convert_versus(c, e, index);
}

static int convert_expectations(struct conversion *c)
{
	int r = 0;

	c->s->expect = xcalloc(c->raw->n_expect + 1, sizeof(*c->s->expect));
	for (unsigned i = 0; r >= 0 && i < c->raw->n_expect; i++)
		r = convert_expectation(c, &c->s->expect[c->s->n_expect++], i);
	return r;
}

/* --- the whole --- */

static int load(const char *path, const char *home, bool is_copy, struct scenario **ret, struct err *err)
{
	static int (*const steps[])(struct conversion *) = {
		convert_name, convert_program, convert_sizes, convert_run, convert_axes, convert_timeline, convert_expectations,
	};
	cleanup_scenario struct scenario *s = xcalloc(1, sizeof(*s));
	struct raw_scenario *raw = NULL;
	struct places places = { 0 };
	size_t n;
	int r = file_read(path, FILE_MAX, &s->text, &n, err);

	if (r < 0) {
		/* A file that the user named and that is not there is the user's to mend. */
		if (err && (r == -ENOENT || r == -EISDIR || r == -EACCES || r == -EFBIG))
			err->exit_code = EXIT_USAGE;
		return r;
	}
	s->path = xstrdup(path);
	r = raw_scenario_load(path, s->text, n, &raw, &places, err);
	if (r < 0)
		return r;

	struct conversion c = { raw, &places, home, s, err, is_copy };

	for (size_t i = 0; r >= 0 && i < sizeof(steps) / sizeof(*steps); i++)
		r = steps[i](&c);
	raw_scenario_free(raw);
	places_done(&places);
	if (r >= 0)
		*ret = TAKE(s);
	return r;
}

int scenario_load(const char *path, const char *home, struct scenario **ret, struct err *err)
{
	return load(path, home, false, ret, err);
}

int scenario_load_copy(const char *path, const char *home, struct scenario **ret, struct err *err)
{
	return load(path, home, true, ret, err);
}

int scenario_list(const char *home, struct strv *ret_paths, struct err *err)
{
	cleanup_free char *folder = strf("%s/scenarios", home);
	cleanup_strv struct strv names = STRV_INIT;
	int r = folder_list(folder, &names, err);

	for (size_t i = 0; i < names.n; i++) {
		size_t len = strlen(names.v[i]);

		if (len > 5 && !strcmp(names.v[i] + len - 5, ".yaml") && names.v[i][0] != '.')
			strv_pushf(ret_paths, "%s/%s", folder, names.v[i]);
	}
	return r;
}

char *scenario_name_of(const char *prefix, const char *text)
{
	char *name = strf("%s%.*s", prefix, NAME_MAX_CHARS, text);

	for (char *p = name; *p; p++) {
		*p = (char)tolower((unsigned char)*p);
		if (!strchr(NAME_LETTERS, *p))
			*p = '-';
	}
	return name;
}

static int unknown_scenario(const char *name, const char *home, struct err *err)
{
	cleanup_strv struct strv paths = STRV_INIT, names = STRV_INIT;
	int r = scenario_list(home, &paths, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < paths.n; i++) {
		const char *file = strrchr(paths.v[i], '/') + 1;

		strv_pushf(&names, "%.*s", (int)(strlen(file) - 5), file);
	}

	const char *near = nearest_word(name, (const char *const *)names.v, names.n);

	return near ? err_usage(err, "there is no scenario '%s': did you mean '%s'?", name, near)
		    : err_usage(err, "there is no scenario '%s': `memtide list` names those there are; a path ends in .yaml",
				name);
}

int scenario_find(const char *name_or_path, const char *home, struct scenario **ret, struct err *err)
{
	size_t len = strlen(name_or_path);
	cleanup_free char *bundled = strf("%s/scenarios/%s.yaml", home, name_or_path);

	if (strchr(name_or_path, '/') || (len > 5 && !strcmp(name_or_path + len - 5, ".yaml")))
		return scenario_load(name_or_path, home, ret, err);
	if (!*name_or_path || !file_exists(bundled))
		return unknown_scenario(name_or_path, home, err);
	return scenario_load(bundled, home, ret, err);
}

static void program_done(struct program *p)
{
	free(p->name);
	free(p->dir);
	free(p->package);
	strv_done(&p->command);
}

static void matches_done(struct match *m, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(m[i].axis);
		strv_done(&m[i].values);
	}
	free(m);
}

static void expectation_done(struct expectation *e)
{
	matches_done(e->match, e->n_match);
	matches_done(e->versus, e->n_versus);
	for (size_t i = 0; i < e->n_conditions; i++)
		condition_done(&e->conditions[i]);
	free(e->conditions);
	free(e->because);
	free(e->place);
}

struct scenario *scenario_free(struct scenario *s)
{
	if (!s)
		return NULL;
	program_done(&s->program);
	strv_done(&s->args);
	strv_done(&s->load.args);
	strv_done(&s->load.command);
	free(s->ready.mark);
	timeline_done(&s->timeline);
	for (size_t i = 0; i < s->n_axes; i++)
		axis_done(&s->axes[i]);
	for (size_t i = 0; i < s->n_expect; i++)
		expectation_done(&s->expect[i]);
	free(s->axes);
	free(s->expect);
	free(s->path);
	free(s->text);
	free(s->name);
	free(s->title);
	free(s->source);
	free(s->explain);
	free(s);
	return NULL;
}
