/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/json.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "cmd/doctor_checks.h"
#include "render/table.h"
#include "render/wrap.h"
#include "run/cgroup_tree.h"
#include "run/owner.h"

#define FOUND_COLUMN 20

enum { OPT_CLEAN = 256, OPT_JSON };

struct options {
	bool clean, json;
};

static const struct argp_option option_table[] = {
	{ "clean", OPT_CLEAN, NULL, 0, "only remove the processes and cgroups that killed memtides left behind", 0 },
	{ "json", OPT_JSON, NULL, 0, "print an array of objects: check, state, found, mend", 0 },
	{ 0 },
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	(void)arg;
	switch (key) {
	case OPT_CLEAN:
		o->clean = true;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "doctor takes no argument: '%s'", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	option_table, parse_option, NULL, "Looks whether this machine measures right, and says for each thing that is not as it should be what mends it.", NULL, NULL, NULL,
};

static int clean(void)
{
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv swept = STRV_INIT;
	struct cgroup_tree tree;
	size_t left = 0;

	owner_sweep_processes(&swept);
	if (cgroup_tree_find(&tree, NULL) >= 0)
		left = cgroup_tree_sweep(&tree, &swept);
	for (size_t i = 0; i < swept.n; i++)
		printf("removed %s\n", swept.v[i]);
	if (left) {
		(void)err_set(&err, 0, "%zu cgroup%s of a memtide that is gone could not be removed", left, left == 1 ? "" : "s");
		(void)err_hint(&err, "As root: sudo memtide doctor --clean");
		return cmd_failed(&err);
	}
	if (swept.n == 0)
		puts("Nothing was left behind.");
	return EXIT_EXPECTED;
}

static const char *const state_names[] = { "ok", "warn", "fail" };

static void print_text(const struct checks *c)
{
	static const char *const colours[] = { "\033[32m", "\033[33m", "\033[31m" };
	struct table_style style = table_style_for_stdout();
	unsigned counts[3] = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		const struct check *k = &c->v[i];
		const char *on = style.colour ? colours[k->state] : "", *off = style.colour ? "\033[0m" : "";

		counts[k->state]++;
		printf("%s%-4s%s  %-13s ", on, state_names[k->state], off, k->name);
		print_wrapped(stdout, k->found, style.columns, FOUND_COLUMN, FOUND_COLUMN);
		if (k->mend)
			printf("%*smend: %s\n", FOUND_COLUMN, "", k->mend);
	}
	printf("\n%u ok, %u to look at, %u wrong.\n", counts[CHECK_OK], counts[CHECK_WARN], counts[CHECK_FAIL]);
}

static int print_json(const struct checks *c, struct err *err)
{
	cleanup_json json_t *a = json_array();

	for (size_t i = 0; i < c->n; i++)
		json_array_append_new(a, json_pack("{s:s, s:s, s:s, s:s?}", "check", c->v[i].name, "state", state_names[c->v[i].state], "found",
						   c->v[i].found, "mend", c->v[i].mend));
	return json_print(a, err);
}

int cmd_doctor(int argc, char **argv)
{
	struct err cleanup_err err = ERR_INIT;
	struct options o = { 0 };
	struct checks checks = { 0 };
	int code = EXIT_EXPECTED;

	cmd_parse(&argp, argc, argv, &o);
	if (o.clean)
		return clean();
	doctor_check_all(&checks);
	for (size_t i = 0; i < checks.n; i++)
		if (checks.v[i].state == CHECK_FAIL)
			code = EXIT_UNEXPECTED;
	if (!o.json)
		print_text(&checks);
	else if (print_json(&checks, &err) < 0)
		code = cmd_failed(&err);
	checks_done(&checks);
	return code;
}
