/* SPDX-License-Identifier: Apache-2.0
 *
 * `memtide diagnose PID`: a process that runs is watched for a while, into a record as attach makes it, and that is diagnosed. It has
 * no phases: the answer is what is there now, and what grew meanwhile.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/units.h"
#include "cmd/attach_parts.h"
#include "cmd/diagnose_parts.h"

#define FOR_DEFAULT (10 * NS_PER_S)

bool diagnose_is_pid(const char *word)
{
	return word && *word && strspn(word, "0123456789") == strlen(word);
}

/* A folder that nobody is asked for. Caller frees. */
static int make_folder(char **ret, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	cleanup_free char *path = strf("%s/memtide-diagnose-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");

	if (!mkdtemp(path)) {
		(void)err_set(err, errno, "cannot make the folder %s", path);
		return err_hint(err, "Name one that you may write to: --out DIR");
	}
	*ret = TAKE(path);
	return 0;
}

static int watch(const struct diagnose_options *o, const struct foreign *f, const char *out, char **ret_dir, struct err *err)
{
	struct attach_options a = { .pid = f->pid, .for_ns = o->for_ns ? o->for_ns : FOR_DEFAULT };
	cleanup_free char *who = foreign_text(f);
	char time[32];

	run_options_init(&a.run);
	a.run.seed = 1;
	a.run.out = out;
	a.run.rate_hz = ATTACH_RATE_HZ;
	a.run.bound_permille = ATTACH_BOUND_PERMILLE;
	a.run.no_plot = true;
	log_note("Watching %s for %s.", who, format_duration(time, sizeof(time), (double)a.for_ns / 1e9));
	return attach_record(&a, f, SHOW_NOTHING, ret_dir, err);
}

static int diagnose(const struct diagnose_options *o, const struct foreign *f, struct err *err)
{
	cleanup_free char *folder = NULL, *dir = NULL;
	struct diagnose_options what = *o;
	int code;

	if (!o->out && make_folder(&folder, err) < 0)
		return cmd_failed(err);
	code = watch(o, f, o->out ? o->out : folder, &dir, err);
	/* One that has ended meanwhile, or that nobody wanted to wait for: what was seen is told all the same. */
	if (dir && code != EXIT_HARNESS) {
		what.scratch = what.passing = folder;
		code = diagnose_campaign(dir, &what);
		if (!what.passing && !o->json)
			printf("\nRecorded in %s\n", dir);
	} else {
		what.passing = folder;
	}
	if (what.passing)
		(void)folder_remove(folder, NULL);
	return code;
}

int diagnose_live(const struct diagnose_options *o)
{
	struct err cleanup_err err = ERR_INIT;
	cleanup_free char *note = NULL;
	struct foreign f;
	pid_t pid;
	int code;

	if (o->confirm || o->cell)
		(void)err_usage(&err, o->confirm ? "--confirm runs a program again, and a process that runs is only watched: record it by memtide record"
						 : "--cell is one of a campaign: a process has none");
	if (err.msg || attach_parse_pid(o->from.dir, &pid, &err) < 0 || attach_open(pid, &f, &note, &err) < 0)
		return cmd_failed(&err);
	if (note)
		log_note("%s", note);
	code = diagnose(o, &f, &err);
	foreign_done(&f);
	return code;
}
