/* SPDX-License-Identifier: Apache-2.0
 *
 * clock_family MODE S - processes that wait for S seconds under one clock, and agree about it; as in clock.c.
 *
 *   nanosleep     waits by itself: what exec, vfork, seccomp-child and setuid-child start
 *   fork          the child sleeps
 *   exec          the child executes this program
 *   exec-fail     the child tries to execute a file that is not there, and sleeps
 *   vfork         posix_spawn() of this program
 *   double-fork   an orphaned grandchild sleeps, and tells by a pipe
 *   seccomp-child the child has a filter of its own that refuses shared mappings, and executes this program
 *   setuid-child S PATH   the child executes PATH, a copy of this program (a setuid one)
 *   kill-race     once a second five children are killed at the very end of their sleep, S times
 *   kill-exec     once a second a child is killed, or ended, in the midst of its exec, S times
 *   thread-exec   the child executes this program from another than its first thread; before, and meanwhile in others, a file that
 *                 is not there
 *   stop          the child stops itself, and is continued after S
 *   pipe          two processes take turns to sleep S/10
 *   tcp           client and server over loopback: a request each S/10
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"

extern char **environ;

static const char self[] = "/proc/self/exe";

static void make_pipe(int ends[2])
{
	expect(pipe(ends) == 0, "pipe");
}

/* 0 in the child, whose output is what its parent reads where `out` is given. */
static pid_t fork_with(int out)
{
	pid_t pid = fork();

	expect(pid >= 0, "fork");
	if (pid == 0 && out >= 0)
		dup2(out, STDOUT_FILENO);
	return pid;
}

static void wait_for_child(pid_t pid)
{
	int status;

	expect(waitpid(pid, &status, 0) == pid, "waitpid");
	if (!WIFEXITED(status))
		fail("clock: the child died by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status))
		fail("clock: the child exited with %d", WEXITSTATUS(status));
}

static void put(int fd, double value)
{
	expect(write(fd, &value, sizeof(value)) == sizeof(value), "write");
}

static double get(int fd)
{
	double value;

	expect(read(fd, &value, sizeof(value)) == sizeof(value), "the other process has ended");
	return value;
}

/* What time the other process had before it told so. */
static void agree(double theirs)
{
	double mine = now(CLOCK_MONOTONIC);

	if (mine < theirs || mine > theirs + LATE_S)
		fail("clock: two processes disagree: %.3f and %.3f", mine, theirs);
}

static void mode_nanosleep(double s)
{
	sleep_for(s);
}

static void mode_fork(double s)
{
	int ends[2];

	make_pipe(ends);
	pid_t child = fork_with(-1);
	if (child == 0) {
		double began = now(CLOCK_MONOTONIC);

		sleep_for(s);
		check("the child", now(CLOCK_MONOTONIC) - began, s);
		put(ends[1], now(CLOCK_MONOTONIC));
		_exit(0);
	}
	agree(get(ends[0]));
	wait_for_child(child);
}

/* The program's last words, `elapsed 1.234`, are read from fd until its end. */
static void check_elapsed(int fd, double s)
{
	FILE *in = fdopen(fd, "r");
	double elapsed;

	expect(in && fscanf(in, "elapsed %lf", &elapsed) == 1, "the child says nothing");
	check("the child", elapsed, s);
	fclose(in);
}

/* Executes path in a child that prepare, if any, has had first. */
static void execute(const char *path, double s, void (*prepare)(void))
{
	char text[32], *argv[] = { (char *)path, (char *)"nanosleep", text, NULL };
	int ends[2];

	snprintf(text, sizeof(text), "%.3f", s);
	make_pipe(ends);
	pid_t child = fork_with(ends[1]);
	if (child == 0) {
		if (prepare)
			prepare();
		execv(path, argv);
		fail("clock: cannot execute %s: %s", path, strerror(errno));
	}
	close(ends[1]);
	check_elapsed(ends[0], s);
	wait_for_child(child);
}

static void mode_exec(double s)
{
	execute(self, s, NULL);
}

static void mode_exec_fail(double s)
{
	char *argv[] = { (char *)"nowhere", NULL };
	pid_t child = fork_with(-1);

	if (child == 0) {
		execv("/nonexistent/nowhere", argv);
		expect(errno == ENOENT, "execv");
		sleep_for(s);
		_exit(0);
	}
	wait_for_child(child);
}

static void mode_vfork(double s)
{
	char text[32], *argv[] = { (char *)self, (char *)"nanosleep", text, NULL };
	posix_spawn_file_actions_t actions;
	int ends[2];
	pid_t child;

	snprintf(text, sizeof(text), "%.3f", s);
	make_pipe(ends);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	errno = posix_spawn(&child, self, &actions, NULL, argv, environ);
	expect(errno == 0, "posix_spawn");
	close(ends[1]);
	check_elapsed(ends[0], s);
	wait_for_child(child);
}

static void mode_double_fork(double s)
{
	int ends[2];

	make_pipe(ends);
	pid_t child = fork_with(-1);
	if (child == 0) {
		if (fork_with(-1) != 0)
			_exit(0);
		sleep_for(s);
		put(ends[1], now(CLOCK_MONOTONIC));
		_exit(0);
	}
	wait_for_child(child);
	agree(get(ends[0]));
}

/* Refuses mmap of anything shared: what this program needs to start is private. */
static void refuse_shared_mappings(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(*filter), filter };

	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	expect(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "PR_SET_SECCOMP");
	expect(mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EPERM,
	       "the filter refuses nothing");
}

static void mode_seccomp_child(double s)
{
	execute(self, s, refuse_shared_mappings);
}

static void mode_setuid_child(double s)
{
	execute(arguments[3], s, NULL);
}

#define KILLED 5

/* The next round is at its time, however long the last one took. */
static void sleep_until(double end)
{
	sleep_for(fmax(0, end - now(CLOCK_MONOTONIC)));
}

/* The children's sleep ends with the parent's: they are killed while they are being woken. */
static void mode_kill_race(double s)
{
	double began = now(CLOCK_MONOTONIC);
	pid_t children[KILLED];

	for (int i = 1; i <= (int)s; i++) {
		for (int k = 0; k < KILLED; k++) {
			children[k] = fork_with(-1);
			if (children[k] == 0) {
				sleep_until(began + i);
				_exit(0);
			}
		}
		sleep_until(began + i);
		for (int k = 0; k < KILLED; k++)
			expect(kill(children[k], SIGKILL) == 0 && waitpid(children[k], NULL, 0) == children[k], "a killed child");
	}
}

/* Somewhat later each time: where nothing else runs, an exec takes less than a millisecond. By either signal: one that can be
 * caught has to wait while the clock is brought into the new program. */
static void mode_kill_exec(double s)
{
	char *argv[] = { (char *)self, (char *)"nanosleep", (char *)"1000", NULL };
	double began = now(CLOCK_MONOTONIC);

	for (int i = 1; i <= (int)s; i++) {
		double killed = now(CLOCK_MONOTONIC) + i % 100 * 20e-6;
		pid_t child = fork_with(-1);

		if (child == 0) {
			execv(self, argv);
			_exit(3);
		}
		while (now(CLOCK_MONOTONIC) < killed)
			;
		expect(kill(child, i % 2 ? SIGKILL : SIGTERM) == 0 && waitpid(child, NULL, 0) == child, "a killed child");
		sleep_until(began + i);
	}
}

static void *executes_nothing(void *arg)
{
	execl("/nonexistent/program", "nothing", (char *)NULL);
	return arg;
}

static void *executes_self(void *seconds)
{
	execl(self, "clock_family", "nanosleep", (char *)seconds, (char *)NULL);
	return NULL;
}

static void mode_thread_exec(double s)
{
	pid_t child = fork();
	int status = 0;
	pthread_t thread, others[10];
	char text[32];

	(void)snprintf(text, sizeof(text), "%f", s);
	if (child == 0) {
		(void)freopen("/dev/null", "w", stdout);
		(void)pthread_create(&thread, NULL, executes_nothing, NULL);
		(void)pthread_join(thread, NULL);
		for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
			(void)pthread_create(&others[i], NULL, executes_nothing, NULL);
		(void)pthread_create(&thread, NULL, executes_self, text);
		(void)pthread_join(thread, NULL);
		_exit(3);
	}
	expect(child > 0 && waitpid(child, &status, 0) == child && status == 0, "a child that executes from a thread");
}

static void mode_stop(double s)
{
	pid_t child = fork_with(-1);
	int status;

	if (child == 0) {
		double began = now(CLOCK_MONOTONIC);

		raise(SIGSTOP);
		check("the stopped child", now(CLOCK_MONOTONIC) - began, s);
		_exit(0);
	}
	expect(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "the child did not stop");
	sleep_for(s);
	expect(kill(child, SIGCONT) == 0, "kill");
	wait_for_child(child);
}

static void mode_pipe(double s)
{
	int there[2], back[2];

	make_pipe(there);
	make_pipe(back);
	pid_t child = fork_with(-1);
	for (int i = 0; i < 5; i++) {
		if (child == 0)
			agree(get(there[0]));
		sleep_for(s / 10);
		put(child ? there[1] : back[1], now(CLOCK_MONOTONIC));
		if (child)
			agree(get(back[0]));
	}
	if (child == 0)
		_exit(0);
	wait_for_child(child);
}

/* ---- TCP */

/* Whether fd has something to read, or a connection to accept, within that time. */
static int readable_within(int fd, double seconds)
{
	struct epoll_event event = { .events = EPOLLIN };
	int epoll = epoll_create1(EPOLL_CLOEXEC), n;

	expect(epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
	n = epoll_wait(epoll, &event, 1, (int)(seconds * 1000));
	expect(n >= 0, "epoll_wait");
	close(epoll);
	return n;
}

/* Answers each request at once, wakes up in vain between them, and ends with its client. */
static void serve(int listener, double idle)
{
	char request;
	int fd;

	while (!readable_within(listener, idle))
		;
	fd = accept(listener, NULL, NULL);
	expect(fd >= 0, "accept");
	for (;;) {
		if (!readable_within(fd, idle))
			continue;
		if (read(fd, &request, 1) != 1)
			_exit(0);
		put(fd, now(CLOCK_MONOTONIC));
	}
}

/* A listening socket on a port of the kernel's choice, which goes to ret_address. */
static int listen_anywhere(struct sockaddr_in *ret_address)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	expect(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0, "listen");
	expect(getsockname(fd, (struct sockaddr *)&address, &size) == 0, "getsockname");
	*ret_address = address;
	return fd;
}

static void mode_tcp(double s)
{
	struct sockaddr_in address;
	int listener = listen_anywhere(&address), fd = socket(AF_INET, SOCK_STREAM, 0);
	pid_t child = fork_with(-1);

	if (child == 0) {
		close(fd);
		serve(listener, s / 25);
	}
	expect(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
	for (int i = 0; i < 10; i++) {
		if (readable_within(fd, s / 10))
			fail("clock: the server speaks unasked");
		expect(write(fd, "?", 1) == 1, "write");
		if (!readable_within(fd, 1))
			fail("clock: request %d is not answered within a second", i);
		agree(get(fd));
	}
	close(fd);
	wait_for_child(child);
}

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ "nanosleep", mode_nanosleep },
		{ "fork", mode_fork },
		{ "exec", mode_exec },
		{ "exec-fail", mode_exec_fail },
		{ "vfork", mode_vfork },
		{ "double-fork", mode_double_fork },
		{ "seccomp-child", mode_seccomp_child },
		{ "setuid-child", mode_setuid_child },
		{ "kill-race", mode_kill_race },
		{ "kill-exec", mode_kill_exec },
		{ "thread-exec", mode_thread_exec },
		{ "stop", mode_stop },
		{ "pipe", mode_pipe },
		{ "tcp", mode_tcp },
	};

	return run_mode(modes, sizeof(modes) / sizeof(*modes), argc, argv);
}
