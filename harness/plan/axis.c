/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "plan/golist.h"
#include "plan/scenario_parts.h"

static const char *const axis_names[] = { "go", "go_line", "godebug", "env", "variant", "limit", "madv_free", "thp" };

#define N_AXES (sizeof(axis_names) / sizeof(*axis_names))

int axis_check_name(const char *name, enum program_kind kind, struct err *err)
{
	for (size_t i = 0; i < N_AXES; i++) {
		if (strcmp(axis_names[i], name))
			continue;
		if (kind == PROGRAM_COMMAND && !strncmp(name, "go", 2) && strcmp(name, "godebug"))
			return err_usage(
				err,
				"a command has no axis '%s': memtide does not build it; name its sources by program: {dir: ...}",
				name);
		return 0;
	}

	const char *near = nearest_word(name, axis_names, N_AXES);

	return near ? err_usage(err, "there is no axis '%s': did you mean '%s'?", name, near)
		    : err_usage(err, "there is no axis '%s': the axes are go, go_line, godebug, env, variant, limit, madv_free and thp", name);
}

int limit_parse(const char *text, uint64_t *ret_bytes, struct err *err)
{
	if (strcmp(text, "none"))
		return parse_size(text, ret_bytes, err);
	*ret_bytes = 0;
	return 0;
}

/* --- assignments --- */

static void add_assignment(struct assignments *a, const char *text, const char *equals)
{
	a->v = xreallocarray(a->v, a->n + 1, sizeof(*a->v));
	a->v[a->n++] = (struct assignment){ strf("%.*s", (int)(equals - text), text), xstrdup(equals + 1) };
}

static bool has_name(const struct assignments *a, const char *name)
{
	for (size_t i = 0; i + 1 < a->n; i++)
		if (!strcmp(a->v[i].name, name))
			return true;
	return false;
}

void assignments_done(struct assignments *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->v[i].name);
		free(a->v[i].value);
	}
	free(a->v);
	*a = (struct assignments){ 0 };
}

/* What atoi32 of the runtime takes; it silently ignores the rest. */
static bool is_int32(const char *text)
{
	uint64_t n;

	return parse_count(text + (*text == '-'), 0, INT32_MAX, &n, NULL) == 0;
}

static int check_godebug(const struct assignment *a, struct err *err)
{
	size_t n;
	const char *const *names = release_godebug_names(&n);

	/* cpu.avx2=off and the like: every release knows the form, the processor decides about the name. */
	if (!strncmp(a->name, "cpu.", 4))
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], a->name))
			continue;
		if (release_godebug_takes_number(a->name) && !is_int32(a->value))
			return err_usage(err, "%s takes a whole number: Go would silently ignore '%s'", a->name, a->value);
		return 0;
	}

	const char *near = nearest_word(a->name, names, n);

	return near ? err_usage(err, "no Go release has the GODEBUG name '%s': did you mean '%s'?", a->name, near)
		    : err_usage(err, "no Go release has the GODEBUG name '%s'", a->name);
}

int godebug_parse(const char *value, struct assignments *ret, struct err *err)
{
	cleanup_assignments struct assignments a = { 0 };
	cleanup_strv struct strv parts = STRV_INIT;
	int r = 0;

	strv_split(&parts, value, ",");
	for (size_t i = 0; r >= 0 && i < parts.n; i++) {
		const char *equals = strchr(parts.v[i], '=');

		if (!equals || equals == parts.v[i] || !equals[1] || strpbrk(parts.v[i], " \t\n"))
			return err_usage(err, "'%s' is no GODEBUG setting: write NAME=VALUE, as in madvdontneed=1, or default",
					 parts.v[i]);
		add_assignment(&a, parts.v[i], equals);
		r = has_name(&a, a.v[i].name) ? err_usage(err, "'%s' sets %s twice", value, a.v[i].name)
					      : check_godebug(&a.v[i], err);
	}
	if (r >= 0 && parts.n == 0)
		r = err_usage(err, "'%s' is no GODEBUG setting: write NAME=VALUE, as in madvdontneed=1, or default", value);
	if (r < 0)
		return r;
	*ret = a;
	a = (struct assignments){ 0 };
	return 0;
}

/* The runtime's own variables: a value that it would ignore, or die of, is a slip. */
static int check_env(const struct assignment *a, struct err *err)
{
	static const char *const units[] = { "", "B", "KiB", "MiB", "GiB", "TiB" };
	const char *unit = a->value + strspn(a->value, "0123456789");
	bool off = !strcmp(a->value, "off"), known = false;

	if (!strcmp(a->name, "GODEBUG"))
		return err_usage(err, "GODEBUG has an axis of its own: write godebug: [%s]", a->value);
	if (!strcmp(a->name, "GOGC") && !off && !is_int32(a->value))
		return err_usage(err, "GOGC=%s: Go takes a whole number or off", a->value);
	if (!strcmp(a->name, "GOMAXPROCS") && (!is_int32(a->value) || atoi(a->value) <= 0))
		return err_usage(err, "GOMAXPROCS=%s: Go takes a whole number, 1 or more", a->value);
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		known |= unit > a->value && !strcmp(unit, units[i]);
	if (!strcmp(a->name, "GOMEMLIMIT") && !off && !known)
		return err_usage(err, "GOMEMLIMIT=%s: Go takes a number and B, KiB, MiB, GiB or TiB, or off", a->value);
	return 0;
}

static bool is_variable_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && *p != '_')
			return false;
	return *name && !isdigit((unsigned char)*name);
}

int env_parse(const char *value, struct assignments *ret, struct err *err)
{
	cleanup_assignments struct assignments a = { 0 };
	cleanup_strv struct strv parts = STRV_INIT;
	int r = 0;

	strv_split(&parts, value, " \t\n");
	for (size_t i = 0; r >= 0 && i < parts.n; i++) {
		const char *equals = strchr(parts.v[i], '=');

		if (!equals)
			return err_usage(
				err,
				"'%s' sets no variable: write NAME=VALUE, as in GOGC=50, several with blanks between, or default",
				parts.v[i]);
		add_assignment(&a, parts.v[i], equals);
		if (!is_variable_name(a.v[i].name))
			r = err_usage(err, "'%s' is no name of a variable", a.v[i].name);
		else if (has_name(&a, a.v[i].name))
			r = err_usage(err, "'%s' sets %s twice", value, a.v[i].name);
		else
			r = check_env(&a.v[i], err);
	}
	if (r >= 0 && parts.n == 0)
		r = err_usage(err, "an empty value of env: write default for nothing set");
	if (r < 0)
		return r;
	*ret = a;
	a = (struct assignments){ 0 };
	return 0;
}

/* --- values --- */

static int check_go_line(const char *value, struct err *err)
{
	struct go_version v;

	if (go_version_parse(value, &v, NULL) < 0 || v.patch || *v.pre || !isdigit((unsigned char)*value) ||
	    strchr(value + 2, '.'))
		return err_usage(err, "'%s' is no go line: write 1.N, as in 1.21, or default", value);
	return 0;
}

/* Of an axis that has one value beside the default. */
static int check_switch(const char *axis, const char *value, const char *other, struct err *err)
{
	return strcmp(value, other) ? err_usage(err, "'%s' is no value of the axis '%s': write default or %s", value, axis, other) : 0;
}

int axis_check_value(const char *axis, const char *value, struct err *err)
{
	cleanup_assignments struct assignments a = { 0 };
	uint64_t bytes;

	if (!*value)
		return err_usage(err, "the axis '%s' has an empty value", axis);
	for (const char *p = value; *p; p++)
		if (iscntrl((unsigned char)*p))
			return err_usage(err, "a value of the axis '%s' has a control character in it", axis);
	if (!strcmp(axis, "go"))
		return golist_check(value, err);
	if (!strcmp(axis, "limit"))
		return limit_parse(value, &bytes, err);
	if (!strcmp(value, VALUE_DEFAULT))
		return 0;
	if (!strcmp(axis, "go_line"))
		return check_go_line(value, err);
	if (!strcmp(axis, "godebug"))
		return godebug_parse(value, &a, err);
	if (!strcmp(axis, "env"))
		return env_parse(value, &a, err);
	if (!strcmp(axis, "madv_free"))
		return check_switch(axis, value, MADV_FREE_REFUSED, err);
	if (!strcmp(axis, "thp"))
		return check_switch(axis, value, THP_NEVER, err);
	return 0;
}

/* --- for: {axis: value} --- */

/* What an element of a go list can turn out to be. false: anything at all. */
static bool possible_span(const struct go_span *written, struct go_span *ret)
{
	int newest = release_newest_known_minor();

	*ret = *written;
	switch (written->kind) {
	case GO_SPAN_MINORS:
	case GO_SPAN_EXACT:
		return true;
	case GO_SPAN_LATEST:
	case GO_SPAN_PREVIOUS:
		ret->first_minor = newest - (written->kind == GO_SPAN_PREVIOUS);
		ret->last_minor = INT_MAX;
		ret->kind = GO_SPAN_MINORS;
		return true;
	case GO_SPAN_LOCAL:
	case GO_SPAN_GOROOT:
		break;
	}
	return false;
}

static bool go_can_match(const struct go_span *wanted, const char *value, const struct axis *has)
{
	for (size_t i = 0; i < has->values.n; i++) {
		struct go_span written, s;

		if (wanted->kind == GO_SPAN_GOROOT) {
			if (!strcmp(has->values.v[i], value))
				return true;
			continue;
		}
		if (go_span_parse(has->values.v[i], &written, NULL) < 0 || !possible_span(&written, &s))
			return true;
		if (s.kind == GO_SPAN_EXACT && wanted->kind == GO_SPAN_EXACT
			    ? go_span_contains(wanted, &s.exact)
			    : s.first_minor <= wanted->last_minor && wanted->first_minor <= s.last_minor)
			return true;
	}
	return false;
}

static int check_go_match(const char *value, const struct axis *has, struct err *err)
{
	struct go_span wanted;
	int r = go_span_parse(value, &wanted, err);

	if (r < 0)
		return r;
	if (wanted.kind == GO_SPAN_LATEST || wanted.kind == GO_SPAN_PREVIOUS || wanted.kind == GO_SPAN_LOCAL)
		return err_usage(err, "'%s' changes with time: a `for` names releases, as in 1.12..1.15, 1.16..latest or 1.12.17",
				 value);
	if (has && !go_can_match(&wanted, value, has))
		return err_usage(err, "the axis 'go' has nothing in %s: no cell would match", value);
	return 0;
}

int match_check_value(const char *axis, const char *value, const struct axis *has, struct err *err)
{
	if (!strcmp(axis, "go"))
		return check_go_match(value, has, err);
	if (!has || strv_contains(&has->values, value))
		return 0;

	const char *near = nearest_word(value, (const char *const *)has->values.v, has->values.n);

	return near ? err_usage(err, "the axis '%s' has no value '%s': did you mean '%s'?", axis, value, near)
		    : err_usage(err, "the axis '%s' has no value '%s': no cell would match", axis, value);
}
