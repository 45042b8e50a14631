/* SPDX-License-Identifier: Apache-2.0
 *
 * Run from the top folder: scenarios/ and fixtures are found from there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "plan/plan.h"

#define FIXTURES "harness/tests/fixtures/scenarios/"

struct fixture {
	struct scenario *s;
	struct catalogue c;
	struct plan *p;
	struct err err;
};

static void load(struct fixture *f, const char *path)
{
	*f = (struct fixture){ 0 };
	if (scenario_load(path, ".", &f->s, &f->err) < 0)
		fail_msg("%s", err_text(&f->err));
	catalogue_add_builtin(&f->c);
}

static void set(struct fixture *f, const char *axis, const char *values)
{
	cleanup_strv struct strv list = STRV_INIT;

	strv_split(&list, values, ";");
	if (scenario_set_axis(f->s, axis, &list, &f->err) < 0)
		fail_msg("%s", err_text(&f->err));
}

static void make(struct fixture *f, uint64_t seed)
{
	f->p = plan_free(f->p);
	if (plan_make(f->s, &f->c, seed, &f->p, &f->err) < 0)
		fail_msg("%s", err_text(&f->err));
}

static void done(struct fixture *f)
{
	plan_free(f->p);
	catalogue_done(&f->c);
	scenario_free(f->s);
	err_done(&f->err);
}

static const struct cell *find(const struct plan *p, const char *id)
{
	for (size_t i = 0; i < p->n_cells; i++)
		if (!strcmp(p->cells[i].id, id))
			return &p->cells[i];
	fail_msg("no cell %s", id);
	return NULL;
}

static void crosses_axes(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, "scenarios/free-os-memory.yaml");
	set(&f, "go", "1.11..1.12;1.16");
	make(&f, 1);
	assert_int_equal(f.p->n_cells, 6);
	assert_string_equal(f.p->cells[0].id, "go=1.11,godebug=default");
	assert_string_equal(f.p->cells[1].id, "go=1.11,godebug=madvdontneed=1");
	assert_string_equal(f.p->cells[5].id, "go=1.16,godebug=madvdontneed=1");

	const struct cell *c = find(f.p, "go=1.12,godebug=madvdontneed=1");
	assert_null(c->why_not);
	assert_int_equal(c->go->version.patch, 17);
	assert_string_equal(c->godebug, "madvdontneed=1");
	assert_string_equal(cell_setting(c, "godebug"), "madvdontneed=1");
	assert_null(cell_setting(c, "env"));
	assert_true(c->limit_bytes == 1024 * MIB);
	assert_true(c->needs_bytes == 900 * MIB);
	assert_null(find(f.p, "go=1.12,godebug=default")->godebug);
	assert_string_equal(find(f.p, "go=1.11,godebug=madvdontneed=1")->why_not,
			    "Go 1.11.13 does not know madvdontneed (1.12 and later do)");
	assert_non_null(strstr(find(f.p, "go=1.16,godebug=madvdontneed=1")->why_not, "what Go 1.16.15 does by default"));
	assert_int_equal(f.p->n_order, 4 * 3);
	done(&f);
}

/* Without a cell `default` beside it, a setting that repeats the default is the only one that measures it. */
static void repeating_the_default_needs_the_default(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, "scenarios/free-os-memory.yaml");
	set(&f, "go", "1.16");
	set(&f, "godebug", "madvdontneed=1;madvdontneed=1,gctrace=1");
	make(&f, 1);
	assert_null(f.p->cells[0].why_not);
	set(&f, "godebug", "default;madvdontneed=1,gctrace=1;madvdontneed=0;madvdontneed=1,gctrace=0");
	make(&f, 1);
	assert_null(f.p->cells[1].why_not);
	assert_null(f.p->cells[2].why_not);
	assert_non_null(f.p->cells[3].why_not);
	done(&f);
}

static void knows_what_cannot_be(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, FIXTURES "good-small.yaml");
	set(&f, "go", "1.18;1.19;1.21");
	set(&f, "env", "default;GOMEMLIMIT=500MiB MINE=1");
	set(&f, "go_line", "default;1.21;1.22");
	make(&f, 1);
	assert_non_null(strstr(find(f.p, "go=1.18,env=GOMEMLIMIT=500MiB_MINE=1,go_line=default")->why_not, "GOMEMLIMIT"));
	assert_null(find(f.p, "go=1.19,env=GOMEMLIMIT=500MiB_MINE=1,go_line=1.22")->why_not);
	assert_null(find(f.p, "go=1.18,env=default,go_line=1.22")->why_not);
	assert_non_null(strstr(find(f.p, "go=1.21,env=default,go_line=1.22")->why_not, "newer line"));
	assert_non_null(strstr(find(f.p, "go=1.21,env=default,go_line=1.21")->why_not, "own"));

	const struct cell *c = find(f.p, "go=1.19,env=GOMEMLIMIT=500MiB_MINE=1,go_line=1.21");
	assert_int_equal(c->env.n, 2);
	assert_string_equal(c->env.v[1], "MINE=1");
	assert_string_equal(c->go_line, "1.21");
	done(&f);
}

static void limits_are_an_axis(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, FIXTURES "good-small.yaml");
	set(&f, "go", "1.12");
	set(&f, "limit", "none;64MB;2GB");
	make(&f, 1);
	assert_true(f.p->cells[0].limit_bytes == 0);
	assert_true(f.p->cells[0].needs_bytes == 1024 * MIB);
	assert_true(f.p->cells[1].limit_bytes == 64 * MIB);
	assert_true(f.p->cells[1].needs_bytes == 64 * MIB);
	assert_true(f.p->cells[2].needs_bytes == 2048 * MIB);
	f.s->needs_bytes = 900 * MIB;
	f.s->needs_given = true;
	make(&f, 1);
	assert_true(f.p->cells[0].needs_bytes == 900 * MIB);
	assert_true(f.p->cells[1].needs_bytes == 64 * MIB);
	assert_true(f.p->cells[2].needs_bytes == 900 * MIB);
	done(&f);
}

static void names_are_folders(void **state)
{
	struct fixture f;
	char longest[400];

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	cleanup_free char *variants = strf("a/b;a b;a_b;%s;%sy", longest, longest);
	load(&f, FIXTURES "good-small.yaml");
	set(&f, "go", "1.12");
	set(&f, "variant", variants);
	make(&f, 1);
	assert_string_equal(f.p->cells[0].id, "go=1.12,variant=a_b");
	for (size_t i = 0; i < f.p->n_cells; i++) {
		assert_true(strlen(f.p->cells[i].id) <= 200);
		assert_null(strpbrk(f.p->cells[i].id, "/ "));
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(f.p->cells[i].id, f.p->cells[j].id);
	}
	assert_string_equal(f.p->cells[0].variant, "a/b");
	done(&f);

	load(&f, FIXTURES "good-command.yaml");
	make(&f, 1);
	assert_int_equal(f.p->n_cells, 1);
	assert_string_equal(f.p->cells[0].id, "default");
	assert_null(f.p->cells[0].go);
	assert_int_equal(f.p->n_order, 1);
	done(&f);
}

static bool same_order(const struct plan *a, const struct plan *b)
{
	for (size_t i = 0; i < a->n_order; i++)
		if (a->order[i].cell != b->order[i].cell)
			return false;
	return true;
}

static void interleaves_repeats(void **state)
{
	struct fixture f, g;

	(void)state;
	load(&f, "scenarios/free-os-memory.yaml");
	load(&g, "scenarios/free-os-memory.yaml");
	make(&f, 42);
	make(&g, 42);
	assert_int_equal(f.p->n_order, 21 * 3);
	assert_true(same_order(f.p, g.p));
	make(&g, 43);
	assert_false(same_order(f.p, g.p));
	for (unsigned repeat = 0; repeat < 3; repeat++) {
		bool seen[64] = { false };

		for (size_t i = 0; i < 21; i++) {
			const struct planned_run *run = &f.p->order[repeat * 21 + i];

			assert_int_equal(run->repeat, repeat + 1);
			assert_null(f.p->cells[run->cell].why_not);
			assert_false(seen[run->cell]);
			seen[run->cell] = true;
		}
	}
	/* The repeats are in different orders. */
	assert_memory_not_equal(&f.p->order[0], &f.p->order[21], sizeof(size_t));
	done(&f);
	done(&g);
}

/* The same order on every machine, for ever: a campaign can be resumed. */
static void seed_42_is_this_order(void **state)
{
	static const size_t expected[] = { 3, 1, 6, 2, 4, 0, 7, 5, 0, 1, 3, 7, 5, 2, 6, 4, 7, 2, 0, 3, 1, 6, 5, 4 };
	struct fixture f;

	(void)state;
	load(&f, "scenarios/free-os-memory.yaml");
	set(&f, "go", "1.12..1.15");
	make(&f, 42);
	assert_int_equal(f.p->n_order, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++)
		assert_int_equal(f.p->order[i].cell, expected[i]);
	done(&f);
}

static bool matches(const struct cell *c, const char *axis, const char *value)
{
	cleanup_strv struct strv values = STRV_INIT;

	strv_push(&values, value);

	const struct match m = { (char *)axis, values };

	return cell_matches(c, &m, 1);
}

static void matches_cells(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, FIXTURES "good-small.yaml");
	set(&f, "go", "1.12;1.13.4");
	set(&f, "limit", "1GB");
	make(&f, 1);

	const struct cell *c = &f.p->cells[0];

	assert_true(cell_matches(c, NULL, 0));
	assert_true(matches(c, "go", "1.12"));
	assert_true(matches(c, "go", "1.12.17"));
	assert_false(matches(c, "go", "1.12.16"));
	assert_true(matches(c, "go", "1.12..1.15"));
	assert_true(matches(c, "go", "1.11..latest"));
	assert_false(matches(c, "go", "1.13..1.15"));
	assert_true(matches(c, "limit", "1024MB"));
	assert_false(matches(c, "limit", "none"));
	assert_false(matches(c, "godebug", "default"));
	assert_true(matches(&f.p->cells[1], "go", "1.13"));
	assert_true(matches(&f.p->cells[1], "go", "1.13.4"));
	assert_false(matches(&f.p->cells[1], "go", "1.12"));

	const struct match both[] = { { (char *)"go", { (char *[]){ (char *)"1.11", (char *)"1.12" }, 2 } },
				      { (char *)"limit", { (char *[]){ (char *)"2GB" }, 1 } } };
	assert_true(cell_matches(c, both, 1));
	assert_false(cell_matches(c, both, 2));
	done(&f);
}

/* madvdontneed=0: 1.11 does not know it, and 1.15 does it by default. */
static void tells_an_expectation_about_nothing_that_is_run(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, FIXTURES "good-never-told.yaml");
	make(&f, 1);
	assert_int_equal(plan_check_expectations(f.p, &f.err), -EINVAL);
	assert_non_null(strstr(err_text(&f.err), "good-never-told.yaml:14:5: this expectation can never apply"));
	assert_non_null(strstr(err_text(&f.err), "madvdontneed"));
	done(&f);

	load(&f, FIXTURES "good-never-told.yaml");
	f.s->n_expect--;
	make(&f, 1);
	assert_int_equal(plan_check_expectations(f.p, &f.err), 0);
	f.s->n_expect++;
	done(&f);
}

static const struct cell *versus(const struct plan *p, const char *id, const char *axis, const char *value)
{
	struct match m = { .axis = (char *)axis };
	cleanup_strv struct strv values = STRV_INIT;

	strv_push(&values, value);
	m.values = values;
	return plan_versus(p, find(p, id), &m, 1);
}

static void finds_the_cell_that_differs_in_this_only(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, FIXTURES "good-small.yaml");
	set(&f, "go", "1.11.3;1.11;1.12");
	set(&f, "variant", "leaky;fixed");
	set(&f, "limit", "1GB;2GB");
	make(&f, 1);
	assert_ptr_equal(versus(f.p, "go=1.12,variant=leaky,limit=1GB", "variant", "fixed"), find(f.p, "go=1.12,variant=fixed,limit=1GB"));
	assert_ptr_equal(versus(f.p, "go=1.12,variant=leaky,limit=2GB", "variant", "fixed"), find(f.p, "go=1.12,variant=fixed,limit=2GB"));
	assert_ptr_equal(versus(f.p, "go=1.12,variant=leaky,limit=2GB", "limit", "1024MB"), find(f.p, "go=1.12,variant=leaky,limit=1GB"));
	assert_null(versus(f.p, "go=1.12,variant=fixed,limit=1GB", "variant", "fixed"));
	assert_null(versus(f.p, "go=1.12,variant=fixed,limit=1GB", "variant", "other"));
	/* As written; else the newest patch. */
	assert_ptr_equal(versus(f.p, "go=1.12,variant=leaky,limit=1GB", "go", "1.11"), find(f.p, "go=1.11,variant=leaky,limit=1GB"));
	assert_ptr_equal(versus(f.p, "go=1.12,variant=leaky,limit=1GB", "go", "1.11.3"), find(f.p, "go=1.11.3,variant=leaky,limit=1GB"));
	assert_ptr_equal(versus(f.p, "go=1.12,variant=leaky,limit=1GB", "go", "1.11..1.11"), find(f.p, "go=1.11,variant=leaky,limit=1GB"));
	assert_null(versus(f.p, "go=1.11,variant=leaky,limit=1GB", "go", "1.13"));
	done(&f);
}

static void tells_where_a_release_came_from(void **state)
{
	struct fixture f;

	(void)state;
	load(&f, FIXTURES "good-all.yaml");
	assert_int_equal(plan_make(f.s, &f.c, 1, &f.p, &f.err), -EINVAL);
	assert_string_equal(err_text(&f.err), FIXTURES "good-all.yaml:9:36: there is no folder /opt/go");
	assert_int_equal(f.err.exit_code, EXIT_USAGE);
	set(&f, "go", "1.99");
	assert_int_equal(plan_make(f.s, &f.c, 1, &f.p, &f.err), -EINVAL);
	assert_string_equal(err_text(&f.err), "there is no Go 1.99 yet: the newest known is 1.27.4");
	assert_null(f.p);
	done(&f);
}

static void refuses_too_many_cells(void **state)
{
	cleanup_strv struct strv many = STRV_INIT;
	struct fixture f;

	(void)state;
	for (int i = 0; i < 601; i++)
		strv_pushf(&many, "v%d", i);
	load(&f, FIXTURES "good-small.yaml");
	set(&f, "go", "1.11..latest");
	assert_int_equal(scenario_set_axis(f.s, "variant", &many, &f.err), 0);
	assert_int_equal(plan_make(f.s, &f.c, 1, &f.p, &f.err), -EINVAL);
	assert_non_null(strstr(err_text(&f.err), "more than 10000 cells"));
	done(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crosses_axes),
		cmocka_unit_test(repeating_the_default_needs_the_default),
		cmocka_unit_test(knows_what_cannot_be),
		cmocka_unit_test(limits_are_an_axis),
		cmocka_unit_test(names_are_folders),
		cmocka_unit_test(interleaves_repeats),
		cmocka_unit_test(seed_42_is_this_order),
		cmocka_unit_test(matches_cells),
		cmocka_unit_test(tells_an_expectation_about_nothing_that_is_run),
		cmocka_unit_test(finds_the_cell_that_differs_in_this_only),
		cmocka_unit_test(tells_where_a_release_came_from),
		cmocka_unit_test(refuses_too_many_cells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
