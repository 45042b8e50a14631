/* SPDX-License-Identifier: Apache-2.0 */
#include "run/act.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/strv.h"
#include "run/act_helper.h"
#include "record/series.h"
#include "run/cgroup.h"
#include "run/cgroup_files.h"
#include "run/clock.h"
#include "run/owner.h"

const char *act_result_name(enum act_result r)
{
	switch (r) {
	case ACT_NOT_REACHED:
		return "not reached";
	case ACT_OK:
		return "ok";
	case ACT_FAILED:
		return "failed";
	case ACT_KILLED:
		return "killed";
	case ACT_UNFINISHED:
		return "unfinished";
	}
	return "?";
}

/* ---- how an act ends ------------------------------------------------------------------------------------------------------------------- */

static struct act_report *report_of(const struct acting *x)
{
	return &x->all->reports[x - x->all->v];
}

static bool is_under_way(const struct acting *x)
{
	return x->all->under_way && x == &x->all->v[x->all->next - 1];
}

/* why: taken over. */
static void finish(struct acting *x, enum act_result result, char *why)
{
	struct act_report *r = report_of(x);

	r->result = result;
	r->why = why;
	r->done_ns = result == ACT_UNFINISHED ? -1 : clock_now(x->all->target.clock);
	x->all->under_way = false;
}

/* What the kernel answered, in words of the act. */
static char *explain(const struct act *a, int errnum, const char *what)
{
	cleanup_free char *answer = strf("%s: %s", what, strerror(errnum));

	if (a->kind == ACT_LOWER_LIMIT && errnum == EBUSY)
		return strf("more is in use than the new limit, and the kernel cannot take it back (%s)", answer);
	if (a->kind == ACT_RECLAIM && errnum == EAGAIN)
		return strf("the kernel found less than that to take back (%s)", answer);
	if (a->kind == ACT_RECLAIM && errnum == ENOENT)
		return strf("this kernel has no %s (cgroup v2 has it from Linux 5.19 on)", what);
	return TAKE(answer);
}

/* A line of the helper's. */
static void take_line(struct acting *x)
{
	const struct act *a = &x->act;
	char *what;
	int errnum;

	if (!strcmp(x->said, HELPER_OK)) {
		finish(x, ACT_OK,
		       a->kind == ACT_RECLAIM && memcg_version(x->all->target.memcg) == 1
			       ? xstrdup("cgroup v1 was asked for all that can be had (memory.force_empty)")
			       : NULL);
		return;
	}
	x->said[strcspn(x->said, "\n")] = 0;
	errnum = (int)strtol(x->said, &what, 10);
	finish(x, ACT_FAILED, errnum ? explain(a, errnum, what + strspn(what, " ")) : xstrdup(x->said));
}

static void listen_to(struct acting *x)
{
	ssize_t n = x->said_fd < 0 ? 0 : read(x->said_fd, x->said + x->n_said, sizeof(x->said) - 1 - x->n_said);

	if (n > 0)
		x->n_said += (size_t)n;
	if (is_under_way(x) && (strchr(x->said, '\n') || x->n_said == sizeof(x->said) - 1))
		take_line(x);
}

/* In the program's own group the kernel counts whom it kills: others may have sent the signal. */
static bool was_out_of_memory(const struct acting *x)
{
	struct memcg_counters c;

	if (x->act.kind != ACT_PRESSURE)
		return true;
	memcg_counters(x->all->target.memcg, &c);
	return c.oom_kills == MISSING || c.oom_kills > x->all->oom_kills;
}

static void has_died(struct acting *x, bool killed)
{
	struct act_report *r = report_of(x);

	listen_to(x);
	killed = killed && was_out_of_memory(x);
	if (killed && x->act.kind == ACT_PRESSURE)
		x->all->oom_kills++;
	if (is_under_way(x)) {
		finish(x, killed ? ACT_KILLED : ACT_FAILED,
		       xstrdup(killed ? "the kernel killed the process that was to touch so much: it was out of memory"
				      : "the process that was to do it ended before"));
	} else if (killed && r->result == ACT_OK) {
		r->result = ACT_KILLED;
		free(r->why);
		r->why = strf("it had touched all of it; the kernel killed the process at %.3f s: it was out of memory",
			      (double)clock_now(x->all->target.clock) / 1e9);
	}
}

/* It has ended, and nobody here killed it. */
static void take_status(struct acting *x, int status)
{
	x->helper.pid = 0;
	x->hidden = 0;
	has_died(x, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* Somebody has killed it, and it takes its time to go: /proc/PID/stat has the task's flags in field 9 (PF_EXITING, PF_SIGNALED), and
 * the signals that it has yet to see in field 31. */
static bool is_dying(pid_t pid)
{
	cleanup_free char *path = strf("/proc/%d/stat", (int)pid), *text = NULL;
	const char *flags, *pending;

	if (file_read(path, 4096, &text, NULL, NULL) < 0)
		return false;
	flags = proc_stat_field(text, 9);
	pending = proc_stat_field(text, 31);
	return (flags && strtoul(flags, NULL, 10) & 0x404) || (pending && strtoul(pending, NULL, 10) & 1UL << (SIGKILL - 1));
}

static void call_done(struct acts *a, bool was_under_way)
{
	if (was_under_way && !a->under_way)
		a->target.done(a->target.arg);
}

static int on_said(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct acting *x = arg;
	bool under_way = x->all->under_way;

	(void)fd;
	(void)events;
	listen_to(x);
	call_done(x->all, under_way);
	return is_under_way(x) && !(events & EPOLLHUP) ? 0 : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_exited(sd_event_source *source, int fd, uint32_t events, void *arg)
{
	struct acting *x = arg;
	bool under_way = x->all->under_way;
	int status;

	(void)fd;
	(void)events;
	(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	if (x->helper.pid && waitpid(x->helper.pid, &status, WNOHANG) == x->helper.pid)
		take_status(x, status);
	call_done(x->all, under_way);
	return 0;
}

/* ---- how it begins ----------------------------------------------------------------------------------------------------------------------- */

static int watch(struct acting *x, struct err *err)
{
	sd_event *event = x->all->target.event;
	int r = sd_event_add_io(event, &x->saying, x->said_fd, EPOLLIN, on_said, x);

	if (r >= 0)
		r = sd_event_add_io(event, &x->exiting, x->helper.pidfd, EPOLLIN, on_exited, x);
	return r < 0 ? err_set(err, -r, "cannot watch the helper") : 0;
}

/* In that group; NULL: where memtide is. words: from HELPER_WORD on. */
static void start_helper(struct acting *x, const struct memcg *group, struct strv *words)
{
	struct acts *a = x->all;
	struct err cleanup_err err = ERR_INIT;
	cleanup_strv struct strv argv = STRV_INIT, env = STRV_INIT;
	int p[2], r = pipe2(p, O_CLOEXEC) < 0 ? err_set(&err, errno, "cannot make a pipe") : 0;

	if (r < 0) {
		finish(x, ACT_FAILED, xstrdup(err_text(&err)));
		return;
	}
	(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
	x->said_fd = p[0];
	strv_push(&argv, "/proc/self/exe");
	strv_push(&argv, HELPER_WORD);
	for (size_t i = 0; i < words->n; i++)
		strv_push(&argv, words->v[i]);
	strv_pushf(&env, OWNER_VARIABLE "=%s", a->target.tag);

	const struct spawn s = {
		.argv = (const char *const *)argv.v,
		.envp = (const char *const *)env.v,
		.memcg = group,
		.stdout_fd = p[1],
		.stderr_fd = p[1],
		.mark_fd = -1,
		.nofile = a->target.nofile,
	};
	acts_lock(a);
	r = spawn(&s, &x->helper, &err);
	x->hidden = r < 0 ? 0 : x->helper.pid;
	acts_unlock(a);
	(void)close(p[1]);
	if (r < 0) {
		/* Gone without a word: in its first moments the group was full already. */
		bool killed = err.errnum == ECHILD && group;

		x->helper = (struct child){ .pidfd = -1 };
		a->oom_kills += killed && x->act.kind == ACT_PRESSURE;
		finish(x, killed ? ACT_KILLED : ACT_FAILED, xstrdup(err_text(&err)));
		return;
	}
	if (watch(x, &err) < 0)
		abort(); /* only without memory */
}

static void start_touching(struct acting *x, const struct memcg *group)
{
	cleanup_strv struct strv words = STRV_INIT;

	strv_push(&words, "touch");
	strv_pushf(&words, "%" PRIu64, x->act.amount_bytes);
	start_helper(x, group, &words);
}

static void push_write(struct strv *words, const char *folder, const char *file, uint64_t bytes)
{
	strv_pushf(words, "%s/%s", folder, file);
	strv_pushf(words, "%" PRIu64, bytes);
}

/* In v1 the limit of memory and swap together is never below that of memory. */
static void start_limit(struct acting *x)
{
	const struct memcg *g = x->all->target.memcg;
	const struct cgroup_names *names = cgroup_names(memcg_version(g));
	const char *folder = memcg_limit_path(g);
	cleanup_free char *swap = strf("%s/%s", folder, names->swap_limit);
	cleanup_strv struct strv words = STRV_INIT;
	bool both = memcg_version(g) == 1 && access(swap, F_OK) == 0, raises = x->act.kind == ACT_RAISE_LIMIT;

	strv_push(&words, "write");
	if (both && raises)
		push_write(&words, folder, names->swap_limit, x->act.amount_bytes);
	push_write(&words, folder, names->limit, x->act.amount_bytes);
	if (both && !raises)
		push_write(&words, folder, names->swap_limit, x->act.amount_bytes);
	start_helper(x, NULL, &words);
}

static void start_reclaim(struct acting *x)
{
	const struct memcg *g = x->all->target.memcg;
	cleanup_strv struct strv words = STRV_INIT;

	strv_push(&words, "write");
	push_write(&words, memcg_path(g), cgroup_names(memcg_version(g))->reclaim, memcg_version(g) == 1 ? 0 : x->act.amount_bytes);
	start_helper(x, NULL, &words);
}

const struct act *acts_begin(struct acts *a)
{
	struct acting *x = &a->v[a->next++];

	a->under_way = true;
	switch (x->act.kind) {
	case ACT_LOWER_LIMIT:
	case ACT_RAISE_LIMIT:
		start_limit(x);
		break;
	case ACT_RECLAIM:
		start_reclaim(x);
		break;
	case ACT_PRESSURE:
		start_touching(x, a->target.memcg);
		break;
	case ACT_NEIGHBOUR:
		start_touching(x, memcg_neighbour(a->target.memcg));
		break;
	case ACT_SIGNAL:
		finish(x, kill(a->target.pid, x->act.signal) < 0 ? ACT_FAILED : ACT_OK, NULL);
		break;
	case ACT_KINDS_:
		break;
	}
	return &x->act;
}

/* ---- all of them -------------------------------------------------------------------------------------------------------------------------- */

void acts_init(struct acts *a, const struct act *act, size_t n)
{
	*a = (struct acts){ .n = n, .v = xcalloc(n + 1, sizeof(*a->v)), .reports = xcalloc(n + 1, sizeof(*a->reports)) };
	(void)pthread_mutex_init(&a->starting, NULL);
	for (size_t i = 0; i < n; i++) {
		a->v[i] = (struct acting){ .act = act[i], .helper = { .pidfd = -1 }, .said_fd = -1, .all = a };
		a->v[i].act.place = NULL;
		a->reports[i].done_ns = -1;
	}
}

void acts_aim(struct acts *a, const struct act_target *target)
{
	a->target = *target;
}

int64_t acts_next_ns(const struct acts *a)
{
	return a->under_way || a->next == a->n ? INT64_MAX : a->v[a->next].act.at_ns;
}

bool acts_under_way(const struct acts *a)
{
	return a->under_way;
}

uint64_t acts_limit(const struct acts *a, uint64_t limit_bytes)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->reports[i].result == ACT_OK && (a->v[i].act.kind == ACT_LOWER_LIMIT || a->v[i].act.kind == ACT_RAISE_LIMIT))
			limit_bytes = a->v[i].act.amount_bytes;
	return limit_bytes;
}

void acts_lock(struct acts *a)
{
	(void)pthread_mutex_lock(&a->starting);
}

void acts_unlock(struct acts *a)
{
	(void)pthread_mutex_unlock(&a->starting);
}

size_t acts_without_helpers(const struct acts *a, pid_t *pids, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		bool helper = false;

		for (size_t k = 0; k < a->n; k++)
			helper |= a->v[k].hidden == pids[i];
		if (!helper)
			pids[kept++] = pids[i];
	}
	return kept;
}

void acts_end(struct acts *a)
{
	if (a->ended)
		return;
	a->ended = true;
	for (size_t i = 0; i < a->n; i++) {
		struct acting *x = &a->v[i];
		int status;

		/* A source may outlive its last reference while it is being dispatched: it must not fire again. */
		sd_event_source **sources[] = { &x->saying, &x->exiting };
		for (size_t k = 0; k < sizeof(sources) / sizeof(*sources); k++) {
			if (*sources[k])
				(void)sd_event_source_set_enabled(*sources[k], SD_EVENT_OFF);
			*sources[k] = sd_event_source_unref(*sources[k]);
		}
		if (x->helper.pid && waitpid(x->helper.pid, &status, WNOHANG) == x->helper.pid)
			take_status(x, status);
		if (x->helper.pid && (x->act.kind == ACT_PRESSURE || x->act.kind == ACT_NEIGHBOUR) && is_dying(x->helper.pid))
			has_died(x, true);
		if (x->helper.pid)
			(void)kill(x->helper.pid, SIGKILL);
	}
	if (a->under_way)
		finish(&a->v[a->next - 1], ACT_UNFINISHED, xstrdup("the run ended before it was done"));
}

static bool reap(struct acts *a, int options)
{
	bool all = true;

	for (size_t i = 0; i < a->n; i++) {
		struct acting *x = &a->v[i];

		if (x->helper.pid && waitpid(x->helper.pid, NULL, options) != 0) {
			x->helper.pid = 0;
			x->hidden = 0;
		}
		all &= x->helper.pid == 0;
	}
	return all;
}

bool acts_are_gone(struct acts *a)
{
	return reap(a, WNOHANG);
}

void acts_done(struct acts *a)
{
	acts_end(a);
	(void)reap(a, 0);
	for (size_t i = 0; i < a->n; i++) {
		if (a->v[i].said_fd >= 0)
			(void)close(a->v[i].said_fd);
		if (a->v[i].helper.pidfd >= 0)
			(void)close(a->v[i].helper.pidfd);
		free(a->reports[i].why);
	}
	free(a->v);
	free(a->reports);
	(void)pthread_mutex_destroy(&a->starting);
	*a = (struct acts){ 0 };
}
