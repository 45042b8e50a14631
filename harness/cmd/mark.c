/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/strv.h"
#include "base/units.h"
#include "base/wall_time.h"
#include "cmd/cmd.h"
#include "cmd/one_run.h"
#include "record/notes.h"
#include "record/reader.h"

struct mark_options {
	const char *dir, *time, *text, *run; /* borrowed; text NULL with --remove: any */
	bool remove;
	unsigned n_args;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct mark_options *o = state->input;
	const char **args[] = { &o->dir, &o->time, &o->text };

	switch (key) {
	case 'r':
		o->run = arg;
		return 0;
	case 'd':
		o->remove = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->n_args == 3)
			argp_error(state, "one text at a time: put it in quotes");
		*args[o->n_args++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (o->n_args < (o->remove ? 2 : 3))
			argp_error(state, "DIR, TIME%s needed", o->remove ? " are" : " and the text are");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_table[] = {
	{ "run", 'r', "CELL/REPEAT", 0, "which run, where the campaign has several", 0 },
	{ "remove", 'd', NULL, 0, "take the mark at TIME away again; TEXT: only the one that says so", 0 },
	{ 0 },
};

static const struct argp argp = {
	option_table,
	parse_option,
	"DIR TIME TEXT",
	"Adds a mark to a finished run: figures drawn from then on have it, and `memtide show` lists it.\v"
	"DIR is a campaign, or a run's folder. TIME is the program's, 95.5s or +1m35s; or of the real world: 2026-11-21T12:03:10Z, or 12:03:10 of the "
	"day of the run, which is UTC, as in run.json, unless a zone follows (12:03:10+02:00). TEXT has at most 60 characters.",
	NULL,
	NULL,
	NULL,
};

/* ---- which run
 * -------------------------------------------------------------------------------------------------------------------- */

struct marked {
	char *dir;            /* owned: of the run */
	struct campaign *c;   /* owned; NULL: the run's own folder was given */
	json_t *run;          /* owned reference; NULL: unfinished */
};

static void marked_done(struct marked *m)
{
	free(m->dir);
	json_decref(m->run);
	campaign_free(m->c);
}

static int find_run(const struct mark_options *o, struct marked *m, struct err *err)
{
	cleanup_free char *run_json = strf("%s/run.json", o->dir), *samples = strf("%s/samples.tsv.zst", o->dir), *dir = NULL;
	const struct campaign_run *run = NULL;
	cleanup_strv struct strv warnings = STRV_INIT;
	int r;

	if (file_exists(run_json) || file_exists(samples)) {
		if (o->run)
			return err_usage(err, "%s is a run's folder: --run is for a campaign's", o->dir);
		m->dir = xstrdup(o->dir);
		return file_exists(run_json) ? json_open(run_json, "memtide-run/1", &m->run, err) : 0;
	}
	r = campaign_locate(o->dir, "results", &dir, err);
	r = r < 0 ? r : campaign_read(dir, &m->c, &warnings, err);
	for (size_t i = 0; i < warnings.n; i++)
		log_warn("%s", warnings.v[i]);
	r = r < 0 ? r : one_run_find(m->c, o->run, &run, err);
	if (r < 0)
		return r;
	m->dir = xstrdup(run->dir);
	m->run = json_incref(run->run);
	return 0;
}

/* ---- when
 * ------------------------------------------------------------------------------------------------------------------------- */

static int outside(const char *text, int64_t started_ns, int64_t length_ns, struct err *err)
{
	char from[40], to[40], length[40];

	(void)format_duration(length, sizeof(length), (double)length_ns / 1e9);
	if (started_ns < 0)
		return err_usage(err, "%s is outside of the run, which took %s", text, length);
	return err_usage(err, "%s is outside of the run, which went from %s to %s (%s)", text, wall_time_format(from, sizeof(from), started_ns),
			 wall_time_format(to, sizeof(to), started_ns + length_ns), length);
}

/* A time of the day: of the first day on which it is within the run. One that is on several says too little. */
static int time_of_day(const char *text, int64_t of_day_ns, int64_t started_ns, int64_t length_ns, int64_t *ret, struct err *err)
{
	int64_t midnight = started_ns - started_ns % WALL_DAY_NS, local;
	unsigned found = 0;

	for (int64_t day = midnight - WALL_DAY_NS; day <= started_ns + length_ns; day += WALL_DAY_NS) {
		int64_t t = day + of_day_ns - started_ns;

		if (t < 0 || t > length_ns)
			continue;
		*ret = found++ ? *ret : t;
	}
	if (found > 1)
		return err_usage(err, "the run went over %u days at %s: say the date too, as in 2026-11-21T12:03:10Z", found, text);
	if (found)
		return 0;

	/* As a clock on the wall of whoever asks would have shown it */
	time_t s = (time_t)(started_ns / NS_PER_S);
	struct tm tm;
	(void)outside(text, started_ns, length_ns, err);
	if (!localtime_r(&s, &tm) || tm.tm_gmtoff == 0)
		return -EINVAL;
	local = of_day_ns - tm.tm_gmtoff * NS_PER_S;
	for (int64_t day = midnight - WALL_DAY_NS; day <= started_ns + length_ns; day += WALL_DAY_NS)
		if (day + local >= started_ns && day + local <= started_ns + length_ns)
			return err_hint(err, "times are UTC; in this machine's zone (%s) it is within: %s%+03ld:%02ld", tm.tm_zone, text, tm.tm_gmtoff / 3600,
					labs(tm.tm_gmtoff) / 60 % 60);
	return -EINVAL;
}

static bool is_duration(const char *text)
{
	size_t digits = strspn(text, "0123456789.");

	return digits && text[digits] && strspn(text + digits, "0123456789.hmsin") == strlen(text + digits);
}

static int target_time(const char *text, const json_t *run, int64_t *ret, struct err *err)
{
	const char *from = *text == '+' ? text + 1 : text;
	int64_t length;
	int r = one_run_length(run, &length, err);

	*ret = 0;
	if (r < 0)
		return r;
	if (strcmp(from, "0s") && parse_duration(from, ret, err) < 0)
		return -EINVAL;
	return *ret > length ? outside(text, -1, length, err) : 0;
}

/* ret: the program's, in ns */
static int find_time(const char *text, const json_t *run, int64_t *ret, struct err *err)
{
	int64_t started, length, at;
	int r;

	if (is_duration(*text == '+' ? text + 1 : text))
		return target_time(text, run, ret, err);
	/* What is no time at all is told before what the run lacks for it. */
	r = time_of_day_parse(text, &at, err);
	bool of_day = r >= 0;
	if (!of_day && err->msg)
		return r;
	if (!of_day && strchr("0123456789", *text) && strlen(text) > 4 && text[4] == '-') {
		r = wall_time_parse(text, &at, err);
		if (r < 0)
			return r;
	} else if (!of_day) {
		return err_usage(err, "'%.60s' is not a time: write 95.5s, 12:03:10 or 2026-11-21T12:03:10Z", text);
	}
	if (one_run_wall(run, &started, &length, err) < 0)
		return one_run_is_virtual(run) ? err_hint(err, "say the program's time, as in 95.5s") : -EINVAL;
	if (of_day)
		return time_of_day(text, at, started, length, ret, err);
	*ret = at - started;
	return *ret < 0 || *ret > length ? outside(text, started, length, err) : 0;
}

/* ---- adding, removing
 * -------------------------------------------------------------------------------------------------------------- */

static void say(const struct marked *m, const char *what, const struct note *note)
{
	int64_t started, length;
	char wall[40];

	printf("%s at %.3f s", what, (double)note->t_ns / 1e9);
	if (one_run_wall(m->run, &started, &length, NULL) >= 0)
		printf(" (%s)", wall_time_format(wall, sizeof(wall), started + note->t_ns));
	printf(": %s\n%s\n", note->text, m->dir);
}

static int add(const struct mark_options *o, const struct marked *m, int64_t t_ns, struct notes *notes, struct err *err)
{
	int r = notes_add(notes, t_ns, o->text, err);

	r = r < 0 ? r : notes_write(m->dir, notes, err);
	if (r >= 0)
		say(m, "marked", &(struct note){ t_ns, (char *)o->text });
	return r;
}

/* Times are written with 6 decimals and listed with 3. */
static bool same_time(int64_t a, int64_t b)
{
	return llabs(a - b) <= NS_PER_MS / 2 + NS_PER_MS / 1000;
}

static int remove_marks(const struct mark_options *o, const struct marked *m, int64_t t_ns, struct notes *notes, struct err *err)
{
	cleanup_notes struct notes gone = { 0 };
	cleanup_strv struct strv left = STRV_INIT;
	int r;

	for (size_t i = notes->n; i-- > 0;)
		if (same_time(notes->v[i].t_ns, t_ns) && (!o->text || !strcmp(o->text, notes->v[i].text))) {
			(void)notes_add(&gone, notes->v[i].t_ns, notes->v[i].text, NULL);
			notes_remove(notes, i);
		}
	for (size_t i = 0; i < notes->n; i++)
		strv_pushf(&left, "%.3fs %s", (double)notes->v[i].t_ns / 1e9, notes->v[i].text);
	if (!gone.n) {
		cleanup_free char *list = left.n ? strv_join(&left, "; ") : NULL;

		(void)err_usage(err, "no mark %s%s%s%sat %s in %s was added later", o->text ? "'" : "", o->text ? o->text : "", o->text ? "'" : "",
				o->text ? " " : "", o->time, m->dir);
		return list ? err_hint(err, "there are: %s", list) : -EINVAL;
	}
	r = notes_write(m->dir, notes, err);
	for (size_t i = 0; r >= 0 && i < gone.n; i++)
		say(m, "removed", &gone.v[i]);
	return r;
}

static int mark(const struct mark_options *o, struct err *err)
{
	__attribute__((cleanup(marked_done))) struct marked m = { 0 };
	cleanup_notes struct notes notes = { 0 };
	cleanup_strv struct strv damage = STRV_INIT;
	int64_t t_ns;
	int r = o->text && !o->remove ? note_check(o->text, err) : 0;

	r = r < 0 ? r : find_run(o, &m, err);
	r = r < 0 ? r : find_time(o->time, m.run, &t_ns, err);
	r = r < 0 ? r : notes_read(m.dir, &notes, &damage, err);
	if (r < 0)
		return r;
	/* Writing would lose what could not be read. */
	if (damage.n)
		return err_usage(err, "%s/%s: mend or remove that file first", m.dir, damage.v[0]);
	return o->remove ? remove_marks(o, &m, t_ns, &notes, err) : add(o, &m, t_ns, &notes, err);
}

int cmd_mark(int argc, char **argv)
{
	struct mark_options o = { 0 };
	struct err cleanup_err err = ERR_INIT;

	cmd_parse(&argp, argc, argv, &o);
	return mark(&o, &err) < 0 ? cmd_failed(&err) : EXIT_EXPECTED;
}
