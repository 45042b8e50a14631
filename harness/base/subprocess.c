/* SPDX-License-Identifier: Apache-2.0 */
#include "base/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"

#define KEPT_OUTPUT (64UL << 20)

struct capture {
	int fd;
	char *text; /* owned */
	size_t len, room;
};

static void capture_some(struct capture *c)
{
	char block[65536];
	ssize_t n = read(c->fd, block, sizeof(block));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		(void)close(c->fd);
		c->fd = -1;
		return;
	}
	if (c->len + (size_t)n > KEPT_OUTPUT)
		return;
	if (c->len + (size_t)n + 1 > c->room) {
		c->room = 2 * (c->len + (size_t)n + 1);
		c->text = xreallocarray(c->text, c->room, 1);
	}
	memcpy(c->text + c->len, block, (size_t)n);
	c->len += (size_t)n;
	c->text[c->len] = 0;
}

static _Noreturn void child(const struct subprocess *s, pid_t parent, int out, int log)
{
	static const int reset[] = { SIGINT, SIGTERM, SIGPIPE, SIGHUP };
	sigset_t none;
	int null = open("/dev/null", O_RDONLY);

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	for (size_t i = 0; i < sizeof(reset) / sizeof(*reset); i++)
		(void)signal(reset[i], SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(log, 2) < 0)
		_exit(127);
	if (s->cwd && chdir(s->cwd) < 0) {
		dprintf(2, "cannot enter %s: %s\n", s->cwd, strerror(errno));
		_exit(127);
	}
	execvpe(s->argv[0], (char *const *)s->argv, s->envp ? (char *const *)s->envp : environ);
	dprintf(2, "cannot run %s: %s\n", s->argv[0], strerror(errno));
	_exit(127);
}

static int64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* Reads both pipes until they close; false when the time was up. */
static bool capture_until_closed(const struct subprocess *s, struct capture c[2])
{
	int64_t deadline = s->timeout_ns ? now_ns() + s->timeout_ns : INT64_MAX;

	while (c[0].fd >= 0 || c[1].fd >= 0) {
		struct pollfd p[2] = { { .fd = c[0].fd, .events = POLLIN }, { .fd = c[1].fd, .events = POLLIN } };
		int n = poll(p, 2, 200);

		if (now_ns() > deadline)
			return false;
		for (int i = 0; n > 0 && i < 2; i++)
			if (p[i].fd >= 0 && p[i].revents)
				capture_some(&c[i]);
		if (s->tick)
			s->tick(s->tick_arg);
	}
	return true;
}

int subprocess_run(const struct subprocess *s, struct subprocess_result *ret, struct err *err)
{
	int out[2], log[2], status = 0;
	pid_t parent = getpid();

	if (pipe2(out, O_CLOEXEC) < 0)
		return err_set(err, errno, "cannot make a pipe");
	if (pipe2(log, O_CLOEXEC) < 0) {
		int e = errno;
		(void)close(out[0]);
		(void)close(out[1]);
		return err_set(err, e, "cannot make a pipe");
	}

	pid_t pid = fork();
	if (pid == 0)
		child(s, parent, out[1], log[1]);
	int fork_errno = errno;

	(void)close(out[1]);
	(void)close(log[1]);
	struct capture c[2] = { { .fd = out[0] }, { .fd = log[0] } };
	bool in_time = pid > 0 && capture_until_closed(s, c);
	for (int i = 0; i < 2; i++)
		if (c[i].fd >= 0)
			(void)close(c[i].fd);
	if (pid < 0) {
		free(c[0].text);
		free(c[1].text);
		return err_set(err, fork_errno, "cannot start %s", s->argv[0]);
	}
	if (!in_time)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret = (struct subprocess_result){
		.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status),
		.out = c[0].text ? c[0].text : xstrdup(""),
		.log = c[1].text ? c[1].text : xstrdup(""),
	};
	if (!in_time) {
		subprocess_result_done(ret);
		return err_set(err, ETIMEDOUT, "%s did not end within %lld s", s->argv[0], (long long)(s->timeout_ns / NS_PER_S));
	}
	return 0;
}

void subprocess_result_done(struct subprocess_result *r)
{
	free(r->out);
	free(r->log);
	*r = (struct subprocess_result){ 0 };
}
