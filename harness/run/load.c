/* SPDX-License-Identifier: Apache-2.0 */
#include "run/load.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "run/clock.h"

#define TCP_TABLE_MAX (16 * 1024 * 1024)

void load_init(struct load_process *l, const struct run_load *request, const struct strv *env)
{
	*l = (struct load_process){ .state = request ? LOAD_AWAITED : LOAD_NONE, .output_fd = -1 };
	l->child.pidfd = -1;
	l->report = (struct load_report){ -1, -1, -1, 0 };
	if (!request)
		return;
	for (size_t i = 0; request->argv[i]; i++)
		strv_push(&l->argv, request->argv[i]);
	for (size_t i = 0; i < env->n; i++)
		strv_push(&l->env, env->v[i]);
	l->mark = request->mark ? xstrdup(request->mark) : NULL;
	l->port = request->port;
	l->inside = request->inside;
}

void load_note_mark(struct load_process *l, const char *name)
{
	l->marked |= l->mark && !strcmp(l->mark, name);
}

/* A row of /proc/PID/net/tcp: "  0: 0100007F:1F90 00000000:0000 0A ..."; state 0A listens. */
static bool listens(pid_t pid, const char *table, uint16_t port)
{
	cleanup_free char *path = strf("/proc/%d/net/%s", (int)pid, table), *text = NULL;

	if (file_read(path, TCP_TABLE_MAX, &text, NULL, NULL) < 0)
		return false;
	for (const char *row = text; (row = strchr(row, '\n')) && *++row;) {
		unsigned local, state;

		if (sscanf(row, " %*[^:]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &local, &state) == 2 && local == port && state == 0x0a)
			return true;
	}
	return false;
}

bool load_may_begin(const struct load_process *l, pid_t target)
{
	if (l->state != LOAD_AWAITED)
		return false;
	if (l->mark)
		return l->marked;
	return !l->port || listens(target, "tcp", l->port) || listens(target, "tcp6", l->port);
}

int load_begin(struct load_process *l, struct clock *clock, const struct rlimit *nofile, struct err *err)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_set(err, errno, "cannot make a pipe");
	(void)fcntl(p[0], F_SETFL, O_NONBLOCK);
	const struct spawn s = {
		.argv = (const char *const *)l->argv.v,
		.envp = (const char *const *)l->env.v,
		.stdout_fd = p[1],
		.stderr_fd = p[1],
		.mark_fd = -1,
		.clock = l->inside ? clock : NULL,
		.nofile = nofile,
	};
	int r = spawn(&s, &l->child, err);

	(void)close(p[1]);
	if (r < 0) {
		(void)close(p[0]);
		l->child = (struct child){ .pidfd = -1 };
		l->state = LOAD_ENDED;
		return err_wrap(err, "the load");
	}
	l->output_fd = p[0];
	l->state = LOAD_RUNNING;
	l->report.begin_ns = clock_now(clock);
	return 0;
}

bool load_has_ended(const struct load_process *l)
{
	struct pollfd p = { .fd = l->child.pidfd, .events = POLLIN };

	return l->state == LOAD_RUNNING && poll(&p, 1, 0) == 1;
}

void load_end(struct load_process *l, int64_t t_ns)
{
	bool by_itself = load_has_ended(l);
	int status = 0;

	if (l->state != LOAD_RUNNING)
		return;
	/* Its session, and what it may have left there. */
	(void)kill(-l->child.pid, SIGKILL);
	if (!by_itself)
		(void)kill(l->child.pid, SIGKILL);
	while (waitpid(l->child.pid, &status, 0) < 0 && errno == EINTR)
		;
	if (by_itself) {
		l->report.end_ns = t_ns;
		l->report.exit_code = WIFSIGNALED(status) ? -1 : WEXITSTATUS(status);
		l->report.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	}
	l->state = LOAD_ENDED;
}

void load_done(struct load_process *l)
{
	load_end(l, 0);
	if (l->child.pidfd >= 0)
		(void)close(l->child.pidfd);
	if (l->output_fd >= 0)
		(void)close(l->output_fd);
	l->child.pidfd = l->output_fd = -1;
	strv_done(&l->argv);
	strv_done(&l->env);
	free(l->mark);
	l->mark = NULL;
}
