/* SPDX-License-Identifier: Apache-2.0
 *
 * attach.c - `memtide attach PID`: a process that runs, watched on the terminal or recorded.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/log.h"
#include "base/safe_text.h"
#include "base/strv.h"
#include "base/units.h"
#include "cmd/attach_parts.h"
#include "cmd/cmd.h"

#define FOR_DEFAULT (60 * NS_PER_S) /* of a record */

enum { OPT_FOR = OPT_OWN, OPT_RATE, OPT_JSON };

static const struct argp_option option_table[] = {
	{ "out", OPT_OUT, "DIR", 0, "record it, in a campaign below DIR (results, where standard output is no terminal)", 0 },
	{ "for", OPT_FOR, "TIME", 0, "how long, as in 30s or 11min (a record: 60s; the live view: until q)", 0 },
	{ "rate", OPT_RATE, "HZ", 0, "of a record: so many samples a second, 20 to 20000 (100, and fewer where they would take 0.4 % of a CPU)", 0 },
	{ "no-plot", OPT_NO_PLOT, NULL, 0, "of a record: draw nothing", 0 },
	{ "json", OPT_JSON, NULL, 0, "record it, and print the record as JSON", 0 },
	{ 0 },
};

int attach_parse_pid(const char *text, pid_t *ret, struct err *err)
{
	struct err cleanup_err why = ERR_INIT;
	uint64_t n;

	if (parse_count(text, 1, INT32_MAX, &n, &why) < 0)
		return err_usage(err, "'%s' is no number of a process", text);
	*ret = (pid_t)n;
	return 0;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct attach_options *o = state->input;
	struct err err = ERR_INIT;

	switch (key) {
	case OPT_FOR:
		if (parse_duration(arg, &o->for_ns, &err) < 0)
			argp_error(state, "--for: %s", err_text(&err));
		return 0;
	case OPT_RATE:
		o->run.rate_given = true;
		o->run.rate_hz = run_option_count(state, "rate", arg, SAMPLER_RATE_MIN, SAMPLER_RATE_MAX);
		return 0;
	case OPT_JSON:
		o->run.json = o->out_given = true;
		return 0;
	case OPT_OUT:
		o->out_given = true;
		/* fall through */
	case OPT_NO_PLOT:
		run_option_take(&o->run, key, arg, state);
		return 0;
	case ARGP_KEY_ARG:
		if (o->pid)
			argp_error(state, "one PID at a time");
		if (attach_parse_pid(arg, &o->pid, &err) < 0)
			argp_error(state, "%s", err_text(&err));
		return 0;
	case ARGP_KEY_END:
		if (!o->pid)
			argp_error(state, "name the process by its number, as in: memtide attach 1234");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	option_table,
	parse_option,
	"PID",
	"Shows what the memory of a running process does and what holds it: live on a terminal, else as a record, a campaign like all others."
	"\vThe process is only read: it is never stopped, signalled or slowed: between the first look and the last memtide keeps within 1 % of a CPU "
	"by looking more rarely, unless a rate is asked for. That needs to be the same user, or root. "
	"Times in the record count from the attaching.\n\n"
	"Exit codes: 0 watched until the end of --for, or it ended well before; 1 it ended otherwise, or was left by Ctrl-C while it was recorded; "
	"2 usage, no such process; 125 it may not be read, or memtide itself failed.",
	NULL,
	NULL,
	NULL,
};

/* A sentence in which the target's own file name may stand, and advice on a line of its own. */
static char *safe_lines(const char *text)
{
	cleanup_strv struct strv lines = STRV_INIT, safe = STRV_INIT;

	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		cleanup_free char *line = safe_text(lines.v[i]);

		strv_push(&safe, line);
	}
	return strv_join(&safe, "\n");
}

int attach_open(pid_t pid, struct foreign *ret, char **ret_note, struct err *err)
{
	struct err why = ERR_INIT;
	struct go_target *t = NULL;
	enum go_refusal refusal = GO_REFUSED_NOTHING;
	cleanup_free char *text = NULL;
	int r = foreign_open(pid, ret, err);

	*ret_note = NULL;
	if (r < 0)
		return r;
	if (go_target_open(pid, &t, &refusal, &why) >= 0) {
		cleanup_free char *library = go_target_library(t) ? safe_text(go_target_library(t)) : NULL;

		if (library)
			*ret_note = strf("Its program is not Go: what is told of Go is of %s, which it has loaded.", library);
		go_target_free(t);
		return 0;
	}
	text = safe_lines(err_text(&why));
	err_done(&why);
	if (refusal == GO_REFUSED_NOT_GO || refusal == GO_REFUSED_LAYOUT) {
		int begin = 0;

		(void)sscanf(text, "process %*d: %n", &begin);
		*ret_note = strf("Only what the kernel tells of it: %s", text + begin);
		return 0;
	}
	foreign_done(ret);
	r = refusal == GO_REFUSED_GONE ? err_usage(err, "%s", text) : err_set(err, 0, "%s", text);
	return r;
}

int cmd_attach(int argc, char **argv)
{
	struct err cleanup_err err = ERR_INIT;
	cleanup_free char *note = NULL, *dir = NULL;
	struct attach_options o = { .pid = 0 };
	struct foreign f;
	int code;

	run_options_init(&o.run);
	o.run.seed = 1;
	o.run.rate_hz = ATTACH_RATE_HZ;
	cmd_parse(&argp, argc, argv, &o);
	if (!o.run.rate_given)
		o.run.bound_permille = ATTACH_BOUND_PERMILLE;
	if (attach_open(o.pid, &f, &note, &err) < 0)
		return cmd_failed(&err);
	if (!o.out_given && attach_can_be_live()) {
		code = attach_live(&f, o.for_ns, &err) < 0 ? cmd_failed(&err) : EXIT_EXPECTED;
		foreign_done(&f);
		return code;
	}
	cleanup_free char *who = foreign_text(&f);
	log_note("Attached to %s.", who);
	if (note)
		log_note("%s", note);
	if (!o.for_ns)
		o.for_ns = FOR_DEFAULT;
	code = attach_record(&o, &f, o.run.json ? SHOW_JSON : SHOW_ON_STDOUT, &dir, &err);
	foreign_done(&f);
	return code;
}
