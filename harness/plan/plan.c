/* SPDX-License-Identifier: Apache-2.0 */
#include "plan/plan.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "plan/scenario_parts.h"

#define CELLS_MAX 10000
#define RUNS_MAX  100000
/* A folder's name may have 255 bytes, and files within need their own in a path. */
#define ID_MAX 200

/* --- the values of each axis --- */

/* Borrowed from the scenario, or the texts of the plan's Go releases. */
struct choices {
	const char *axis;
	const char *const *values;
	size_t n;
};

static int expand_go(struct plan *p, const struct axis *axis, const struct catalogue *c, struct err *err)
{
	for (size_t i = 0; i < axis->values.n; i++) {
		int r = golist_expand(axis->values.v[i], c, &p->go, err);

		if (r < 0)
			return i < axis->places.n ? err_wrap(err, "%s", axis->places.v[i]) : r;
	}
	return 0;
}

static int list_choices(struct plan *p, const struct catalogue *c, struct choices *ret, const char ***ret_go, size_t *ret_cells,
			struct err *err)
{
	const struct scenario *s = p->scenario;
	size_t n = 1;

	for (size_t i = 0; i < s->n_axes; i++) {
		const struct axis *a = &s->axes[i];

		ret[i] = (struct choices){ a->name, (const char *const *)a->values.v, a->values.n };
		if (!strcmp(a->name, "go")) {
			int r = expand_go(p, a, c, err);

			if (r < 0)
				return r;
			*ret_go = xcalloc(p->go.n + 1, sizeof(**ret_go));
			for (size_t g = 0; g < p->go.n; g++)
				(*ret_go)[g] = p->go.v[g].text;
			ret[i].values = *ret_go;
			ret[i].n = p->go.n;
		}
		if (n * ret[i].n > CELLS_MAX)
			return err_usage(err, "%s: the axes make more than %d cells", s->path, CELLS_MAX);
		n *= ret[i].n;
	}
	if (n * s->repeat > RUNS_MAX)
		return err_usage(err, "%s: %zu cells %u times are more than %d runs", s->path, n, s->repeat, RUNS_MAX);
	*ret_cells = n;
	return 0;
}

/* --- what a cell's settings mean --- */

static const char *unless_default(const char *value)
{
	return value && strcmp(value, VALUE_DEFAULT) ? value : NULL;
}

static char *why_not_godebug(const struct cell *c, const struct assignments *a)
{
	char *why = NULL;

	for (size_t i = 0; i < a->n; i++)
		if (strncmp(a->v[i].name, "cpu.", 4) && !release_knows_godebug(&c->go->version, a->v[i].name, &why))
			return why;
	return NULL;
}

static char *why_not_env(const struct cell *c, const struct assignments *a)
{
	char *why = NULL;

	for (size_t i = 0; i < a->n; i++)
		if (!release_knows_env(&c->go->version, a->v[i].name, &why))
			return why;
	return NULL;
}

static bool has_default(const struct scenario *s, const char *axis)
{
	const struct axis *a = scenario_axis(s, axis);

	return a && strv_contains(&a->values, VALUE_DEFAULT);
}

/* The same measurement as the cell `default` beside it, under another name. */
static char *why_repeats_godebug(const struct scenario *s, const struct cell *c, const struct assignments *a)
{
	char version[32];

	if (!has_default(s, "godebug") || a->n == 0)
		return NULL;
	for (size_t i = 0; i < a->n; i++) {
		const char *preset = release_godebug_default(&c->go->version, a->v[i].name);

		if (!preset || strcmp(preset, a->v[i].value))
			return NULL;
	}
	return strf("%s is what Go %s does by default: the same as godebug=default", c->godebug,
		    go_version_format(version, sizeof(version), &c->go->version));
}

static char *why_repeats_go_line(const struct scenario *s, const struct cell *c)
{
	struct go_version line;

	/* The own line of a module or of a tree that the user named is not known here. */
	if (!c->go_line || !has_default(s, "go_line") || s->program.kind != PROGRAM_BUNDLED ||
	    go_version_parse(c->go_line, &line, NULL) < 0 || line.minor != c->go->version.minor)
		return NULL;
	return strf("the go line %s is Go 1.%d's own: the same as go_line=default", c->go_line, line.minor);
}

static int judge(const struct scenario *s, struct cell *c, struct err *err)
{
	cleanup_assignments struct assignments godebug = { 0 }, env = { 0 };
	const char *env_text = unless_default(cell_setting(c, "env"));

	if (c->godebug && godebug_parse(c->godebug, &godebug, err) < 0)
		return -EINVAL;
	if (env_text && env_parse(env_text, &env, err) < 0)
		return -EINVAL;
	for (size_t i = 0; i < env.n; i++)
		strv_pushf(&c->env, "%s=%s", env.v[i].name, env.v[i].value);
	if (!c->go)
		return 0;
	c->why_not = why_not_godebug(c, &godebug);
	if (!c->why_not)
		c->why_not = why_not_env(c, &env);
	if (!c->why_not && c->go_line)
		(void)release_accepts_go_line(&c->go->version, c->go_line, &c->why_not);
	if (!c->why_not)
		c->why_not = why_repeats_godebug(s, c, &godebug);
	if (!c->why_not)
		c->why_not = why_repeats_go_line(s, c);
	return 0;
}

/* --- names of cells --- */

static bool id_taken(const struct plan *p, const char *id)
{
	for (size_t i = 0; i < p->n_cells; i++)
		if (!strcmp(p->cells[i].id, id))
			return true;
	return false;
}

/* A hash behind the name keeps those apart that are too long, or differ only in what a folder's name cannot have. */
static char *make_id(const struct plan *p, const struct cell *c)
{
	cleanup_strv struct strv parts = STRV_INIT;

	for (size_t i = 0; i < c->n_settings; i++)
		strv_pushf(&parts, "%s=%s", c->settings[i].axis, c->settings[i].value);
	if (parts.n == 0)
		strv_push(&parts, VALUE_DEFAULT);

	cleanup_free char *exact = strv_join(&parts, ","), *id = xstrdup(exact);
	char hash[65];

	for (char *q = id; *q; q++)
		if (*q == '/' || isspace((unsigned char)*q))
			*q = '_';
	if (strlen(id) <= ID_MAX && !id_taken(p, id))
		return TAKE(id);
	sha256_hex(exact, strlen(exact), hash);

	int keep = strlen(id) > ID_MAX - 13 ? ID_MAX - 13 : (int)strlen(id);

	while (keep > 0 && ((unsigned char)id[keep] & 0xc0) == 0x80) /* never half a character */
		keep--;
	return strf("%.*s~%.12s", keep, id, hash);
}

/* --- cells --- */

static int fill_cell(struct plan *p, struct cell *c, struct err *err)
{
	const struct scenario *s = p->scenario;
	const char *go = cell_setting(c, "go"), *limit = cell_setting(c, "limit");

	for (size_t i = 0; go && i < p->go.n; i++)
		if (!strcmp(p->go.v[i].text, go))
			c->go = &p->go.v[i];
	c->godebug = unless_default(cell_setting(c, "godebug"));
	c->go_line = unless_default(cell_setting(c, "go_line"));
	c->variant = unless_default(cell_setting(c, "variant"));
	c->madv_free_refused = unless_default(cell_setting(c, "madv_free"));
	c->thp_never = unless_default(cell_setting(c, "thp"));
	c->limit_bytes = s->limit_bytes;
	if (limit && limit_parse(limit, &c->limit_bytes, err) < 0)
		return -EINVAL;
	/* Without a word of the scenario's own, a run may occupy what its limit allows; never more. */
	c->needs_bytes = s->needs_given || !c->limit_bytes ? s->needs_bytes : c->limit_bytes;
	if (c->limit_bytes && c->needs_bytes > c->limit_bytes)
		c->needs_bytes = c->limit_bytes;
	return judge(s, c, err);
}

/* The last axis turns fastest, as the digits of a number do. */
static int cross(struct plan *p, const struct choices *choices, size_t n_axes, size_t n_cells, struct err *err)
{
	p->cells = xcalloc(n_cells + 1, sizeof(*p->cells));
	for (size_t number = 0; number < n_cells; number++) {
		struct cell c = { .settings = xcalloc(n_axes + 1, sizeof(*c.settings)), .n_settings = n_axes };
		size_t rest = number;

		for (size_t i = n_axes; i-- > 0; rest /= choices[i].n)
			c.settings[i] =
				(struct setting){ xstrdup(choices[i].axis), xstrdup(choices[i].values[rest % choices[i].n]) };
		c.id = make_id(p, &c);
		p->cells[p->n_cells++] = c;
		if (fill_cell(p, &p->cells[p->n_cells - 1], err) < 0)
			return -EINVAL;
	}
	return 0;
}

/* --- order --- */

/* splitmix64: the order must be the same on every machine and with every C library. */
static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static void make_order(struct plan *p)
{
	uint64_t state = p->seed;
	size_t applicable = 0;

	for (size_t i = 0; i < p->n_cells; i++)
		applicable += !p->cells[i].why_not;
	p->order = xcalloc(applicable * p->scenario->repeat + 1, sizeof(*p->order));
	for (unsigned repeat = 1; repeat <= p->scenario->repeat; repeat++) {
		struct planned_run *block = p->order + p->n_order;

		for (size_t i = 0; i < p->n_cells; i++)
			if (!p->cells[i].why_not)
				p->order[p->n_order++] = (struct planned_run){ i, repeat };
		for (size_t i = applicable; i > 1; i--) {
			size_t j = (size_t)(next_random(&state) % i);
			struct planned_run other = block[j];

			block[j] = block[i - 1];
			block[i - 1] = other;
		}
	}
}

int plan_make(const struct scenario *s, const struct catalogue *c, uint64_t seed, struct plan **ret, struct err *err)
{
	cleanup_plan struct plan *p = xcalloc(1, sizeof(*p));
	cleanup_free struct choices *choices = xcalloc(s->n_axes + 1, sizeof(*choices));
	cleanup_free const char **go = NULL;
	size_t n_cells = 0;
	int r;

	p->scenario = s;
	p->seed = seed;
	r = list_choices(p, c, choices, &go, &n_cells, err);
	if (r >= 0)
		r = cross(p, choices, s->n_axes, n_cells, err);
	if (r < 0)
		return r;
	make_order(p);
	*ret = TAKE(p);
	return 0;
}

/* --- asking --- */

const char *cell_setting(const struct cell *c, const char *axis)
{
	for (size_t i = 0; i < c->n_settings; i++)
		if (!strcmp(c->settings[i].axis, axis))
			return c->settings[i].value;
	return NULL;
}

static bool value_matches(const struct cell *c, const char *axis, const char *setting, const char *wanted)
{
	struct go_span span;
	uint64_t a, b;

	if (!strcmp(setting, wanted))
		return true;
	if (!strcmp(axis, "go"))
		return c->go && go_span_parse(wanted, &span, NULL) == 0 && go_span_contains(&span, &c->go->version);
	/* 1GB is 1024MB. */
	return !strcmp(axis, "limit") && limit_parse(setting, &a, NULL) == 0 && limit_parse(wanted, &b, NULL) == 0 && a == b;
}

static bool match_holds(const struct cell *c, const struct match *m)
{
	const char *setting = cell_setting(c, m->axis);

	for (size_t i = 0; setting && i < m->values.n; i++)
		if (value_matches(c, m->axis, setting, m->values.v[i]))
			return true;
	return false;
}

bool cell_matches(const struct cell *c, const struct match *match, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!match_holds(c, &match[i]))
			return false;
	return true;
}

static const struct match *match_of(const struct match *match, size_t n, const char *axis)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(match[i].axis, axis))
			return &match[i];
	return NULL;
}

static bool differs_in_these_only(const struct cell *c, const struct cell *other, const struct match *versus, size_t n)
{
	for (size_t i = 0; i < c->n_settings; i++) {
		const struct match *m = match_of(versus, n, c->settings[i].axis);

		if (m ? !match_holds(other, m) : strcmp(other->settings[i].value, c->settings[i].value) != 0)
			return false;
	}
	return true;
}

/* Whether a is the better answer to {go: 1.23}. */
static bool is_nearer(const struct cell *a, const struct cell *b, const struct match *go)
{
	const char *x = cell_setting(a, "go"), *y = cell_setting(b, "go");

	if (!go || !a->go || !b->go || !strcmp(y, go->values.v[0]))
		return false;
	return !strcmp(x, go->values.v[0]) || go_version_compare(&a->go->version, &b->go->version) > 0;
}

const struct cell *plan_versus(const struct plan *p, const struct cell *c, const struct match *versus, size_t n)
{
	const struct cell *found = NULL;

	for (size_t i = 0; i < p->n_cells; i++) {
		const struct cell *other = &p->cells[i];

		if (differs_in_these_only(c, other, versus, n) && (!found || is_nearer(other, found, match_of(versus, n, "go"))))
			found = other;
	}
	return found == c ? NULL : found;
}

/* Why none of the cells that it is about is run; NULL: one is, or there is none on this machine. */
static const char *why_never_expected(const struct plan *p, const struct expectation *e)
{
	const char *why = NULL;

	for (size_t i = 0; i < p->n_cells; i++) {
		const struct cell *c = &p->cells[i], *other = e->n_versus ? plan_versus(p, c, e->versus, e->n_versus) : c;

		if (!cell_matches(c, e->match, e->n_match) || !other)
			continue;
		if (!c->why_not && !other->why_not)
			return NULL;
		why = c->why_not ? c->why_not : other->why_not;
	}
	return why;
}

int plan_check_expectations(const struct plan *p, struct err *err)
{
	for (size_t i = 0; i < p->scenario->n_expect; i++) {
		const char *why = why_never_expected(p, &p->scenario->expect[i]);

		if (why)
			return err_usage(err, "%s: this expectation can never apply, for all cells that it is about are not applicable: %s", p->scenario->expect[i].place, why);
	}
	return 0;
}

struct plan *plan_free(struct plan *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < p->n_cells; i++) {
		struct cell *c = &p->cells[i];

		for (size_t j = 0; j < c->n_settings; j++) {
			free(c->settings[j].axis);
			free(c->settings[j].value);
		}
		free(c->settings);
		free(c->id);
		free(c->why_not);
		strv_done(&c->env);
	}
	go_specs_done(&p->go);
	free(p->cells);
	free(p->order);
	free(p);
	return NULL;
}
