/* SPDX-License-Identifier: Apache-2.0
 *
 * A process that runs, observed into a campaign like all others. Its scenario is only told: nothing is started by it.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/units.h"
#include "cmd/attach_parts.h"
#include "cmd/cmd.h"
#include "run/cgroup.h"

/* As it would have been read: a command, one cell, real time. */
static struct scenario *make_scenario(const struct attach_options *o, const struct foreign *f)
{
	struct scenario *s = xcalloc(1, sizeof(*s));
	cleanup_free char *who = foreign_text(f);
	cleanup_json json_t *exe = json_text(f->exe ? f->exe : f->name), *title = NULL;
	cleanup_free char *quoted = json_dumps(exe, JSON_ENCODE_ANY), *words = strf("What does %s do with memory?", f->name), *quoted_title = NULL;
	char duration[32];

	title = json_text(words);
	quoted_title = json_dumps(title, JSON_ENCODE_ANY);
	(void)snprintf(duration, sizeof(duration), "%.3fs", (double)o->for_ns / 1e9);
	s->name = scenario_name_of("attach-", f->name);
	s->title = TAKE(words);
	s->path = xstrdup("scenario.yaml");
	s->text = strf("# Told by memtide attach, which started nothing: %s was running.\nname: %s\ntitle: %s\nprogram: {command: [%s]}\n"
		       "limit: none\nrun: {for: %s, clock: real}\n",
		       who, s->name, quoted_title ? quoted_title : "\"\"", quoted ? quoted : "\"\"", duration);
	s->program.kind = PROGRAM_COMMAND;
	s->program.name = xstrdup(f->name);
	strv_push(&s->program.command, f->exe ? f->exe : f->name);
	s->story = STORY_NONE;
	s->clock = CLOCK_KIND_REAL;
	s->for_ns = o->for_ns;
	s->timeout_ns = o->for_ns;
	s->needs_bytes = MIB; /* of ours: its own it has already */
	s->repeat = 1;
	return s;
}

static int begin(struct job *j, const struct attach_options *o, const struct foreign *f, struct err *err)
{
	int r;

	j->scenario = make_scenario(o, f);
	j->cgroup_version = f->memcg ? memcg_version(f->memcg) : 0;
	r = job_plan_cells(j, err);
	if (r >= 0)
		r = make_result_folder(o->run.out, j->scenario->name, &j->dir, err);
	if (r >= 0)
		r = job_save_scenario(j, err);
	if (r >= 0)
		r = job_lock(j, err);
	return r < 0 ? r : job_write_campaign(j, false, err);
}

int attach_record(const struct attach_options *o, const struct foreign *f, enum show_where where, char **ret_dir, struct err *err)
{
	cleanup_free char *home = home_folder();
	struct job j = { .options = &o->run, .home = home, .scheduling = "other", .lock_fd = -1, .attach = f };
	int code, r;

	iso_time_now(j.started);
	r = begin(&j, o, f, err);
	if (r >= 0)
		r = job_execute(&j, err);
	/* Of a process that was gone before it was looked at there is no record: as if there had been none. */
	if (r >= 0 && j.gone) {
		(void)folder_remove(j.dir, NULL);
		free(TAKE(j.dir));
		r = err_usage(err, "%s", j.gone);
	}
	code = r < 0 ? cmd_failed(err) : job_finish_one(&j, where, err);
	*ret_dir = j.dir ? xstrdup(j.dir) : NULL;
	job_done(&j);
	return code;
}
