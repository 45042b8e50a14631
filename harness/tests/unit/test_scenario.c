/* SPDX-License-Identifier: Apache-2.0
 *
 * Run from the top folder: fixtures and goprogs/ are found from there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/units.h"
#include "plan/scenario.h"

#define FIXTURES "harness/tests/fixtures/scenarios/"

/* Each fixture has one flaw: where it is, and what the sentence says about it. */
static const struct flaw {
	const char *name, *place, *words;
} flaws[] = {
	{ "axis-empty", "5:27", "the axis 'godebug' is empty" },
	{ "axis-no-value", "7:11", "the axis 'godebug' has no value" },
	{ "axis-twice", "8:3", "axes has 'go' twice (before in line 6)" },
	{ "axis-unknown", "5:18", "there is no axis 'godbug': did you mean 'godebug'?" },
	{ "axis-value-twice", "5:43", "the axis 'godebug' has 'default' twice" },
	{ "clock-load-real", "6:32", "a load in real time cannot drive a program on virtual time: write clock: real for the run too" },
	{ "clock-load-strict", "5:32", "there is no clock 'virtual!' for a load" },
	{ "clock-load-virtual", "6:32", "a load on virtual time cannot drive a program in real time: write clock: virtual for the run too" },
	{ "clock-load-virtual-default", "5:38", "a load on virtual time cannot drive a program in real time" },
	{ "clock-unknown", "5:24", "there is no clock 'fast': write real, virtual or virtual!" },
	{ "control-character", "5:9", "source has a control character" },
	{ "empty", "1:1", "the file is empty" },
	{ "env-godebug", "5:23", "GODEBUG has an axis of its own" },
	{ "env-gomemlimit", "5:13", "GOMEMLIMIT=500MB: Go takes a number and B, KiB, MiB" },
	{ "env-no-value", "5:14", "'GOGC' sets no variable" },
	{ "expect-empty", "6:11", "that is empty" },
	{ "expect-exponent", "5:17", "'1e3': write a size" },
	{ "expect-list", "5:17", "levels is a list" },
	{ "expect-mechanism", "5:17", "there is no mechanism 'gorutines': did you mean 'goroutines'?" },
	{ "expect-mechanism-far", "5:17", "there is no mechanism 'the-moon': there are released, lazyfree" },
	{ "expect-mechanism-less", "5:17", "a mechanism is or is not" },
	{ "expect-mechanism-no-bar", "5:17", "write several as in mechanism == lazyfree|released" },
	{ "expect-mechanism-none", "5:17", "a mechanism is or is not" },
	{ "expect-metric", "6:12", "did you mean 'released_share'?" },
	{ "expect-no-that", "6:5", "has no 'that'" },
	{ "expect-nonsense", "5:17", "is no condition" },
	{ "expect-operator", "6:11", "'=' compares nothing" },
	{ "expect-outcome", "5:17", "did you mean 'oom-cgroup'?" },
	{ "expect-outcome-not-run", "5:17", "what is not meant to be run belongs into no `for`" },
	{ "expect-outcome-less", "5:17", "an outcome is or is not" },
	{ "expect-race", "5:39", "race is 'no': write race: true" },
	{ "expect-share", "5:40", "more than 0 and at most 1" },
	{ "expect-unit-bytes", "8:9", "peak_rss_bytes is compared with '10s': write a size" },
	{ "expect-unit-other", "5:17", "different units" },
	{ "expect-unit-ratio", "5:17", "released_share is compared with '900MB'" },
	{ "for-and-timeout", "5:26", "timeout is for a program that exits by itself" },
	{ "for-no-unit", "5:12", "'10' is not a duration" },
	{ "for-zero", "5:12", "'0s' is no duration" },
	{ "go-backwards", "5:12", "the range 1.16..1.12 is backwards" },
	{ "go-banana", "8:7", "'banana' is no Go release" },
	{ "go-line", "5:27", "'1.21.3' is no go line" },
	{ "go-old", "5:19", "Go 1.10 is too old" },
	{ "godebug-no-value", "5:27", "'madvdontneed' is no GODEBUG setting" },
	{ "godebug-not-number", "5:17", "Go would silently ignore 'yes'" },
	{ "godebug-unknown", "5:27", "did you mean 'madvdontneed'?" },
	{ "key-twice", "7:1", "has 'limit' twice (before in line 5)" },
	{ "limit-axis", "5:29", "'64Mx' is not a size" },
	{ "limit-exponent", "5:8", "'1e3' is not a size" },
	{ "limit-fraction", "5:8", "'1.5GB' is not a size" },
	{ "limit-hex", "5:8", "'0x10' is not a size" },
	{ "limit-negative", "5:8", "'-1' is not a size" },
	{ "limit-unit", "5:8", "'64Mx' is not a size" },
	{ "limit-zero", "5:8", "'0' is no size" },
	{ "load-args-command", "5:14", "this one is a command: write load: {command: [...]}" },
	{ "load-both", "5:7", "write args or command, not both" },
	{ "load-command-empty", "5:17", "command is empty" },
	{ "load-command-missing", "5:18", "there is no executable file ./no-such-file" },
	{ "load-empty", "5:7", "load does not say what to run" },
	{ "load-key", "5:8", "load has no key 'arg': did you mean 'args'?" },
	{ "load-text", "5:7", "load must be a mapping" },
	{ "madv-free", "5:29", "write default or refused" },
	{ "match-axis", "7:21", "the scenario has no axis 'godebug': its axes are go" },
	{ "match-go", "7:22", "the axis 'go' has nothing in 1.16..latest" },
	{ "match-go-latest", "7:15", "'latest' changes with time" },
	{ "match-value", "7:20", "did you mean 'madvdontneed=1'?" },
	{ "needs-none", "5:8", "'none' is not a size" },
	{ "no-title", "2:1", "has no 'title'" },
	{ "no-value", "5:7", "limit has no value" },
	{ "other-name", "2:7", "the name 'wrong-name' is not the file's: write 'other-name'" },
	{ "program-command-go", "5:8", "a command has no axis 'go'" },
	{ "program-command-missing", "4:21", "there is no executable file ./no-such-file" },
	{ "program-dir-missing", "4:16", "there is no folder ../no-such-folder" },
	{ "program-empty", "4:10", "neither a dir nor a command" },
	{ "program-far", "4:10", "there is no program 'something-else'" },
	{ "program-missing", "4:10", "there is no program 'alocate' in goprogs/: did you mean 'allocate'?" },
	{ "program-mixed", "4:10", "a command or a module" },
	{ "program-no-module", "4:16", "it has no go.mod" },
	{ "ready-alone", "5:8", "there is no load" },
	{ "ready-both", "6:8", "write one of them" },
	{ "ready-empty", "6:8", "ready is empty: write {mark: NAME} or {port: true}" },
	{ "ready-mark", "6:15", "'Listening' is no mark" },
	{ "ready-port", "6:15", "port is '8080': write port: true" },
	{ "repeat-fraction", "7:11", "'2.5' is not a whole number" },
	{ "repeat-many", "5:15", "1001 is out of range: 1 to 1000" },
	{ "repeat-zero", "5:25", "0 is out of range: 1 to 1000" },
	{ "run-alone", "5:14", "alone is 'yes': write alone: true" },
	{ "story-unknown", "4:8", "there is no story 'leak'" },
	{ "takes-no-unit", "5:14", "'12' is not a duration" },
	{ "thp", "5:13", "write default or never" },
	{ "timeline-act", "5:25", "did you mean 'pressure'?" },
	{ "timeline-act-far", "5:25", "the acts are lower-limit" },
	{ "timeline-amount", "5:43", "'lots' is not a size" },
	{ "timeline-at", "5:17", "'300' is not a duration" },
	{ "timeline-extra-amount", "5:55", "leave amount out" },
	{ "timeline-extra-name", "5:53", "leave name out" },
	{ "timeline-key", "5:35", "an element of timeline has no key 'amuont': did you mean 'amount'?" },
	{ "timeline-late", "6:49", "reclaim 1.00 MB at 10.0 s comes too late: the run ends at 10.0 s" },
	{ "timeline-late-timeout", "5:12", "a longer run.timeout" },
	{ "timeline-limit-axis", "6:12", "the limit is 200 MB by then" },
	{ "timeline-lower", "7:5", "the limit is 500 MB by then: write a smaller amount, or raise-limit" },
	{ "timeline-map", "5:11", "timeline must be a list" },
	{ "timeline-no-amount", "5:12", "neighbour has no amount: write amount: 400MB" },
	{ "timeline-no-at", "5:12", "an element of timeline has no 'at'" },
	{ "timeline-no-limit", "6:12", "there is no limit to lower" },
	{ "timeline-no-name", "5:12", "signal has no name: write name: SIGUSR1" },
	{ "timeline-raise", "6:12", "the limit is 1.00 GB by then: write a larger amount, or lower-limit" },
	{ "timeline-signal", "5:39", "there is no signal 'USR1': did you mean 'SIGUSR1'?" },
	{ "timeline-signal-stop", "5:39", "a stopped program has no time" },
	{ "two-documents", "6:1", "a file holds one scenario" },
	{ "unknown-key", "5:1", "no key 'limmit': did you mean 'limit'?" },
	{ "unknown-key-expect", "7:5", "no key 'becuase': did you mean 'because'?" },
	{ "unknown-key-far", "5:1", "no key 'colour': its keys are name, title" },
	{ "unknown-key-run", "7:3", "run has no key 'repaet': did you mean 'repeat'?" },
	{ "versus-axis", "8:14", "no axis 'varient': its axes are go, variant" },
	{ "versus-value", "8:23", "did you mean 'fixed'?" },
	{ "versus-release", "8:18", "the axis 'go' has nothing in 1.22" },
	{ "versus-range", "8:18", "versus names one release, as in {go: 1.23}" },
	{ "versus-two", "8:23", "versus names one value of 'variant'" },
	{ "versus-number", "7:59", "write a metric on the right, as in peak_rss_bytes > 3 * peak_rss_bytes" },
	{ "versus-outcome", "7:11", "write a metric on the right" },
	{ "versus-mechanism", "7:11", "write a metric on the right" },
	{ "versus-itself", "9:13", "has these settings itself: name another cell" },
	{ "versus-itself-go", "9:13", "has these settings itself: name another cell" },
	{ "versus-empty", "8:13", "versus names no setting" },
	{ "wrong-type-axes", "5:7", "axes must map each axis to its values" },
	{ "wrong-type-expect", "5:9", "expect must be a list, not a single value" },
	{ "wrong-type-list", "5:7", "args must be a list" },
	{ "wrong-type-map", "5:6", "run must be a mapping" },
	{ "wrong-type-nested", "5:27", "must be a single value, not a mapping" },
	{ "wrong-type-program", "4:10", "program must be a name" },
	{ "wrong-type-text", "5:8", "limit must be a single value, not a list" },
	{ "yaml-error", "5:23", "this is not YAML: did not find expected ',' or ']'" },
	{ "yaml-tab", "6:1", "this is not YAML" },
	{ "yaml-utf8", "6:9", "this is not YAML: invalid leading UTF-8 octet" },
};

static void tells_each_flaw_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(flaws) / sizeof(*flaws); i++) {
		cleanup_free char *path = strf(FIXTURES "%s.yaml", flaws[i].name), *place = strf("%s:%s: ", path, flaws[i].place);
		struct err cleanup_err err = ERR_INIT;
		struct scenario *s = NULL;

		if (scenario_load(path, ".", &s, &err) >= 0)
			fail_msg("%s was taken", path);
		assert_null(s);
		if (strncmp(err_text(&err), place, strlen(place)) || !strstr(err_text(&err), flaws[i].words))
			fail_msg("expected: %s...%s...\ngot:      %s", place, flaws[i].words, err_text(&err));
		assert_null(strchr(err_text(&err), '\n'));
		assert_int_equal(err.exit_code, EXIT_USAGE);
	}
}

static void every_fixture_is_tried(void **state)
{
	cleanup_strv struct strv names = STRV_INIT;
	size_t bad = 0;

	(void)state;
	assert_int_equal(folder_list(FIXTURES, &names, NULL), 0);
	for (size_t i = 0; i < names.n; i++)
		bad += strncmp(names.v[i], "good-", 5) != 0;
	assert_int_equal(bad, sizeof(flaws) / sizeof(*flaws));
}

static struct scenario *load(const char *path)
{
	struct err cleanup_err err = ERR_INIT;
	struct scenario *s = NULL;

	if (scenario_load(path, ".", &s, &err) < 0)
		fail_msg("%s", err_text(&err));
	return s;
}

static char *axis_text(const struct scenario *s, const char *name)
{
	const struct axis *a = scenario_axis(s, name);

	return a ? strv_join(&a->values, "|") : xstrdup("none");
}

static void assert_axis(const struct scenario *s, const char *name, const char *expected)
{
	cleanup_free char *text = axis_text(s, name);

	assert_string_equal(text, expected);
}

static void reads_every_key(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-all.yaml");
	cleanup_free char *args = strv_join(&s->args, "|"), *go_mod = strf("%s/../go.mod", s->program.dir);

	(void)state;
	assert_string_equal(s->name, "good-all");
	assert_string_equal(s->title, "Is everything read as it is written?");
	assert_string_equal(s->source, "golang/go#42330");
	assert_int_equal(s->program.kind, PROGRAM_BUNDLED);
	assert_string_equal(s->program.name, "allocate");
	assert_string_equal(s->program.package, "./allocate");
	assert_int_equal(s->program.dir[0], '/');
	assert_true(file_exists(go_mod));
	assert_false(s->program.cgo);
	assert_string_equal(args, "-sizes|100MB,200MB||-x=a \"b\" \u00e9 # no comment");
	assert_int_equal(s->n_axes, 6);
	assert_axis(s, "go", "1.11..1.13|1.20|1.21.3|/opt/go");
	assert_axis(s, "go_line", "default|1.20");
	assert_axis(s, "godebug", "default|madvdontneed=1|gctrace=1,scavtrace=1");
	assert_axis(s, "env", "default|GOGC=50 GOMEMLIMIT=500MiB");
	assert_axis(s, "variant", "fixed");
	assert_axis(s, "limit", "none|500MB");
	assert_string_equal(scenario_axis(s, "go")->places.v[2], FIXTURES "good-all.yaml:9:20");
	assert_true(s->limit_bytes == 0);
	assert_true(s->needs_bytes == 64 * MIB);
	assert_true(s->for_ns == 90 * NS_PER_S);
	assert_int_equal(s->repeat, 12);
	assert_int_equal(s->clock, CLOCK_KIND_REAL);
	assert_true(s->load.given && s->load.clock_given);
	assert_int_equal(s->load.args.n + s->load.command.n, 0);
	assert_string_equal(s->ready.mark, "listening-2");
	assert_non_null(strstr(s->text, "Every key that there is"));
}

static void assert_act(const struct act *a, int64_t at_ns, const char *what, const char *mark)
{
	cleanup_free char *text = act_text(a);

	assert_true(a->at_ns == at_ns);
	assert_string_equal(text, what);
	assert_string_equal(act_mark(a->kind), mark);
}

static void reads_a_timeline(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-timeline.yaml");
	const struct act *a = s->timeline.v;

	(void)state;
	assert_int_equal(s->timeline.n, 6);
	assert_act(&a[0], NS_PER_S, "signal SIGUSR1", "signal");
	assert_act(&a[1], 90 * NS_PER_S, "neighbour 1.00 GB", "neighbour");
	assert_act(&a[2], 300 * NS_PER_S, "pressure 400 MB", "pressure");
	assert_act(&a[3], 420 * NS_PER_S, "lower-limit 500 MB", "limit-lowered");
	assert_act(&a[4], 420 * NS_PER_S, "reclaim 1 B", "reclaimed");
	assert_act(&a[5], 480 * NS_PER_S, "raise-limit 2.00 GB", "limit-raised");
	assert_string_equal(a[2].place, FIXTURES "good-timeline.yaml:10:5");
	assert_true(a[0].amount_bytes == 0 && a[0].signal == SIGUSR1 && a[1].signal == 0);
	assert_ptr_equal(timeline_in_group(&s->timeline), &a[1]);
}

/* The command line may take away what an act needs. */
static void checks_a_timeline_again(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-timeline.yaml");
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(timeline_check(s, &err), 0);
	s->for_ns = 300 * NS_PER_S;
	assert_true(timeline_check(s, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_non_null(strstr(err.msg, "good-timeline.yaml:10:5: pressure 400 MB at 5 min comes too late"));
	err_done(&err);
	s->for_ns = 600 * NS_PER_S;
	s->limit_bytes = 400 * MIB;
	assert_true(timeline_check(s, &err) < 0);
	assert_non_null(strstr(err.msg, "good-timeline.yaml:14:5: lower-limit 500 MB: the limit is 400 MB by then"));
	err_done(&err);
}

static void assert_condition(const struct condition *c, enum metric metric, enum compare compare, double factor, int other)
{
	assert_int_equal(c->metric, metric);
	assert_int_equal(c->compare, compare);
	assert_true(c->factor >= factor - 1e-9 && c->factor <= factor + 1e-9);
	assert_int_equal(c->other, other);
}

static void reads_expectations(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-all.yaml");
	const struct expectation *e = &s->expect[0];

	(void)state;
	assert_int_equal(s->n_expect, 2);
	assert_int_equal(e->n_match, 0);
	assert_int_equal(e->n_conditions, 1);
	assert_condition(&e->conditions[0], METRIC_OOM_KILLS, CMP_EQ, 0, -1);
	assert_null(e->because);
	assert_true(e->share > 0.999);
	e = &s->expect[1];
	assert_int_equal(e->n_match, 2);
	assert_string_equal(e->match[0].axis, "go");
	assert_int_equal(e->match[0].values.n, 2);
	assert_string_equal(e->match[1].values.v[0], "default");
	assert_int_equal(e->n_conditions, 7);
	assert_condition(&e->conditions[0], METRIC_RELEASED_SHARE, CMP_LT, 0.05, -1);
	assert_condition(&e->conditions[1], METRIC_LAZYFREE_SETTLED, CMP_GT, 0.9, METRIC_PEAK_RSS);
	assert_condition(&e->conditions[2], METRIC_PEAK_RSS, CMP_LT, 900.0 * MIB, -1);
	assert_condition(&e->conditions[3], METRIC_SETTLED_RSS, CMP_LE, 1, METRIC_PEAK_RSS);
	assert_condition(&e->conditions[4], METRIC_FIRST_FALL, CMP_GT, 120, -1);
	assert_condition(&e->conditions[5], METRIC_RELEASE, CMP_GE, 1.5, -1);
	assert_condition(&e->conditions[6], METRIC_SLOPE, CMP_GT, -10240, -1);
	assert_string_equal(e->conditions[1].text, "lazyfree_settled_bytes > 0.9 * peak_rss_bytes");
	assert_string_equal(e->because, "it is so");
	assert_true(e->share > 0.499 && e->share < 0.501);
}

static void reads_mechanisms(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-mechanism.yaml");
	const struct condition *c = s->expect[0].conditions;

	(void)state;
	assert_int_equal(s->expect[0].n_conditions, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(c[i].on_mechanism && !c[i].on_outcome);
	assert_int_equal(c[0].mechanisms, 1U << MECHANISM_LIVE_HEAP);
	assert_int_equal(c[1].mechanisms, 1U << MECHANISM_LAZYFREE | 1U << MECHANISM_RELEASED);
	assert_int_equal(c[2].mechanisms, 1U << MECHANISM_NOT_YET_SCAVENGED | 1U << MECHANISM_THP);
	assert_int_equal(c[3].mechanisms, ((1U << MECHANISM_COUNT_) - 1) & ~(1U << MECHANISM_NATIVE));
	assert_string_equal(c[2].text, "mechanism == not-yet-scavenged | thp");
}

static void fills_in_defaults(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-small.yaml");

	(void)state;
	assert_null(s->source);
	assert_int_equal(s->n_axes, 1);
	assert_axis(s, "go", "local");
	assert_true(s->limit_bytes == 1024 * MIB);
	assert_true(s->needs_bytes == 1024 * MIB);
	assert_false(s->needs_given);
	assert_true(s->for_ns == 0);
	assert_true(s->timeout_ns == 600 * NS_PER_S);
	assert_int_equal(s->repeat, 1);
	assert_int_equal(s->n_expect, 0);
	assert_int_equal(s->clock, CLOCK_KIND_VIRTUAL);
	assert_false(s->clock_strict);
	assert_false(s->load.given);
	assert_null(s->ready.mark);
	assert_false(s->ready.port);
}

static void takes_modules(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-module.yaml");

	(void)state;
	assert_int_equal(s->program.kind, PROGRAM_MODULE);
	assert_string_equal(s->program.name, "goprogs");
	assert_string_equal(s->program.package, "./allocate");
	assert_true(s->program.cgo);
	assert_int_equal(s->clock, CLOCK_KIND_REAL);
	assert_int_equal(s->program.dir[0], '/');
	assert_axis(s, "go", "local");
}

static void takes_commands(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-command.yaml");

	(void)state;
	assert_int_equal(s->program.kind, PROGRAM_COMMAND);
	assert_string_equal(s->program.name, "sleep");
	assert_int_equal(s->program.command.n, 2);
	assert_string_equal(s->program.command.v[1], "1");
	assert_null(s->program.dir);
	assert_int_equal(s->n_axes, 0);
	assert_true(s->timeout_ns == 5 * NS_PER_S);
	assert_int_equal(s->clock, CLOCK_KIND_REAL);
}

static void takes_loads(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-load.yaml"), *real = load(FIXTURES "good-load-real.yaml");
	cleanup_free char *args = strv_join(&s->load.args, "|"), *command = strv_join(&real->load.command, "|");

	(void)state;
	assert_true(s->load.given);
	assert_string_equal(args, "-client|127.0.0.1:{port}");
	assert_int_equal(s->load.command.n, 0);
	assert_int_equal(s->load.clock, CLOCK_KIND_VIRTUAL);
	assert_false(s->load.clock_given);
	assert_true(s->ready.port);
	assert_null(s->ready.mark);
	assert_true(s->clock_strict);
	assert_string_equal(command, "sleep|1");
	assert_int_equal(real->load.clock, CLOCK_KIND_REAL);
	assert_string_equal(real->ready.mark, "listening");
	assert_false(real->ready.port);
	/* A bundled program, but not closed in itself. */
	assert_int_equal(real->clock, CLOCK_KIND_REAL);
}

static void sets_the_clock(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-load.yaml"), *real = load(FIXTURES "good-load-real.yaml");
	struct err cleanup_err err = ERR_INIT;

	(void)state;
	assert_int_equal(scenario_set_clock(s, "real", &err), 0);
	assert_int_equal(s->clock, CLOCK_KIND_REAL);
	assert_int_equal(s->load.clock, CLOCK_KIND_REAL);
	assert_false(s->clock_strict);
	assert_int_equal(scenario_set_clock(s, "virtual", &err), 0);
	assert_int_equal(s->load.clock, CLOCK_KIND_VIRTUAL);
	assert_int_equal(scenario_set_clock(s, "fast", &err), -EINVAL);
	assert_int_equal(s->clock, CLOCK_KIND_VIRTUAL);
	assert_int_equal(scenario_set_clock(real, "real", &err), 0);
	assert_int_equal(scenario_set_clock(real, "virtual!", &err), -EINVAL);
	assert_non_null(strstr(err_text(&err), "change clock: real in its load (" FIXTURES "good-load-real.yaml)"));
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_int_equal(real->clock, CLOCK_KIND_REAL);
	assert_false(real->clock_strict);
}

/* AXIS=V,V as the command line gives it. */
static int set(struct scenario *s, const char *axis, const char *values, struct err *err)
{
	cleanup_strv struct strv list = STRV_INIT;

	strv_split(&list, values, ";");
	return scenario_set_axis(s, axis, &list, err);
}

static void sets_axes(void **state)
{
	cleanup_scenario struct scenario *s = load(FIXTURES "good-small.yaml");
	struct err cleanup_err err = ERR_INIT;

	(void)state;
	assert_int_equal(set(s, "go", "1.12;1.13,1.12", &err), 0);
	assert_axis(s, "go", "1.12|1.13");
	assert_int_equal(scenario_axis(s, "go")->places.n, 0);
	assert_int_equal(set(s, "godebug", "default;madvdontneed=1", &err), 0);
	assert_int_equal(s->n_axes, 2);
	assert_int_equal(set(s, "godebug", "default;default", &err), -EINVAL);
	assert_int_equal(set(s, "godebug", "madvdontned=1", &err), -EINVAL);
	assert_non_null(strstr(err_text(&err), "did you mean 'madvdontneed'?"));
	assert_int_equal(set(s, "godebug", "", &err), -EINVAL);
	assert_int_equal(set(s, "colour", "blue", &err), -EINVAL);
	assert_int_equal(set(s, "variant", "a\nb", &err), -EINVAL);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_axis(s, "godebug", "default|madvdontneed=1");
}

static void finds_by_name(void **state)
{
	struct err cleanup_err err = ERR_INIT;
	struct scenario *s = NULL;

	(void)state;
	assert_int_equal(scenario_find("allocate", ".", &s, &err), 0);
	assert_string_equal(s->name, "allocate");
	s = scenario_free(s);
	assert_int_equal(scenario_find("alocate", ".", &s, &err), -EINVAL);
	assert_string_equal(err_text(&err), "there is no scenario 'alocate': did you mean 'allocate'?");
	assert_int_equal(scenario_find("quite-another", ".", &s, &err), -EINVAL);
	assert_non_null(strstr(err_text(&err), "memtide list"));
	assert_true(scenario_find("no/such.yaml", ".", &s, &err) < 0);
	assert_int_equal(err.exit_code, EXIT_USAGE);
	assert_null(s);
}

static void bundled_scenarios_are_good(void **state)
{
	cleanup_strv struct strv paths = STRV_INIT;

	(void)state;
	assert_int_equal(scenario_list(".", &paths, NULL), 0);
	assert_true(paths.n >= 2);
	for (size_t i = 0; i < paths.n; i++) {
		cleanup_scenario struct scenario *s = load(paths.v[i]);

		assert_true(strlen(s->title) <= 80);
		assert_int_equal(s->title[strlen(s->title) - 1], '?');
		for (size_t e = 0; e < s->n_expect; e++)
			assert_non_null(s->expect[e].because);
	}
}

static void names_are_made_of_programs(void **state)
{
	cleanup_free char *plain = scenario_name_of("record-", "My Server_2.0"), *odd = scenario_name_of("attach-", "a/\n\xff:"),
			  *longest = scenario_name_of("", "0123456789012345678901234567890123456789x");

	(void)state;
	assert_string_equal(plain, "record-my-server_2.0");
	assert_string_equal(odd, "attach-a----");
	assert_int_equal(strlen(longest), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_each_flaw_with_its_place),
		cmocka_unit_test(every_fixture_is_tried),
		cmocka_unit_test(reads_every_key),
		cmocka_unit_test(reads_a_timeline),
		cmocka_unit_test(checks_a_timeline_again),
		cmocka_unit_test(reads_expectations),
		cmocka_unit_test(reads_mechanisms),
		cmocka_unit_test(fills_in_defaults),
		cmocka_unit_test(takes_modules),
		cmocka_unit_test(takes_commands),
		cmocka_unit_test(takes_loads),
		cmocka_unit_test(sets_the_clock),
		cmocka_unit_test(sets_axes),
		cmocka_unit_test(finds_by_name),
		cmocka_unit_test(bundled_scenarios_are_good),
		cmocka_unit_test(names_are_made_of_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
