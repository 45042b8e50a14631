/* SPDX-License-Identifier: Apache-2.0 */
#include "run/foreign.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/safe_text.h"
#include "base/strv.h"
#include "run/cgroup.h"
#include "run/owner.h"

#define TEXT_MAX (64UL << 10)
#define FIRST_PID_NAMESPACE 0xEFFFFFFCUL /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
#define NAMESAKES_MAX 3
#define DELETED " (deleted)"

/* ---- /proc/PID/status -------------------------------------------------------------------------------------------------------------- */

static long number_of(const char *text, const char *key, long otherwise)
{
	const char *p = proc_value(text, key);

	return p && (isdigit((unsigned char)*p) || *p == '-') ? strtol(p, NULL, 10) : otherwise;
}

/* NSpid: one number for each pid namespace from ours down to its own. */
static pid_t last_number(const char *line)
{
	long last = 0;

	while (line && *line && *line != '\n') {
		char *end;
		long n = strtol(line, &end, 10);

		if (end == line)
			break;
		last = n;
		line = end + strspn(end, " \t");
	}
	return (pid_t)last;
}

bool foreign_parse_status(const char *text, struct foreign_status *ret)
{
	/* The name is the first line. */
	const char *name = !strncmp(text, "Name:", 5) ? proc_value(text, "Name:") : NULL, *state = proc_value(text, "\nState:"),
		   *uid = proc_value(text, "\nUid:");
	struct foreign_status s = { 0 };

	if (!name || !state)
		return false;
	cleanup_free char *line = strf("%.*s", (int)strcspn(name, "\n"), name), *safe = safe_text(line);
	(void)snprintf(s.name, sizeof(s.name), "%s", safe);
	s.state = *state;
	s.tgid = (pid_t)number_of(text, "\nTgid:", 0);
	s.threads = (unsigned)number_of(text, "\nThreads:", 0);
	s.inner_pid = last_number(proc_value(text, "\nNSpid:"));
	/* Real, effective, saved, file system. */
	s.uid = (uid_t)-1;
	if (uid) {
		uid += strcspn(uid, " \t\n");
		s.uid = (uid_t)strtoul(uid, NULL, 10);
	}
	s.has_memory = strstr(text, "\nVmSize:") != NULL;
	*ret = s;
	return true;
}

static int read_status(pid_t pid, struct foreign_status *ret)
{
	cleanup_free char *path = strf("/proc/%d/status", (int)pid), *text = NULL;
	int r = file_read(path, TEXT_MAX, &text, NULL, NULL);

	return r < 0 ? r : foreign_parse_status(text, ret) ? 0 : -ESRCH;
}

/* ---- numbers that mean no process here --------------------------------------------------------------------------------------------- */

/* Processes of namespaces below ours that have this number there: who looked into a container found it. */
static size_t namesakes(pid_t inner, struct strv *ret)
{
	DIR *proc = opendir("/proc");
	size_t found = 0;

	for (struct dirent *e; proc && found < NAMESAKES_MAX && (e = readdir(proc));) {
		struct foreign_status s;
		pid_t pid = isdigit((unsigned char)e->d_name[0]) ? (pid_t)strtol(e->d_name, NULL, 10) : 0;

		if (pid > 0 && read_status(pid, &s) == 0 && s.inner_pid == inner && inner != pid) {
			strv_pushf(ret, "%d (%s)", (int)pid, s.name);
			found++;
		}
	}
	if (proc)
		(void)closedir(proc);
	return found;
}

static bool in_first_pid_namespace(void)
{
	struct stat ns;

	return stat("/proc/self/ns/pid", &ns) < 0 || ns.st_ino == FIRST_PID_NAMESPACE;
}

static int no_such_process(pid_t pid, struct err *err)
{
	cleanup_strv struct strv there = STRV_INIT;

	(void)err_usage(err, "there is no process %d", (int)pid);
	if (namesakes(pid, &there)) {
		cleanup_free char *list = strv_join(&there, ", ");

		return err_hint(err, "That is the number in its container of process %s: name it by the number that it has here.", list);
	}
	if (!in_first_pid_namespace())
		return err_hint(err, "memtide is in a pid namespace (a container): processes outside of it cannot be seen from here.");
	return -EINVAL;
}

static int refuse_kind(pid_t pid, const struct foreign_status *s, struct err *err)
{
	if (pid == getpid())
		return err_usage(err, "%d is memtide itself", (int)pid);
	if (s->tgid != pid) {
		(void)err_usage(err, "%d is a thread of process %d (%s)", (int)pid, (int)s->tgid, s->name);
		return err_hint(err, "Name the process: %d", (int)s->tgid);
	}
	if (s->state == 'X' || (s->state == 'Z' && s->threads <= 1))
		return err_usage(err, "process %d (%s) has exited: only its entry is left, until its parent asks for it", (int)pid, s->name);
	if (s->state == 'Z')
		return err_usage(err, "the first thread of process %d (%s) has ended while others go on: /proc shows no memory of such a process",
				 (int)pid, s->name);
	if (!s->has_memory)
		return err_usage(err, "%d (%s) is a thread of the kernel, no program", (int)pid, s->name);
	return 0;
}

/* ---- what is known of it ----------------------------------------------------------------------------------------------------------- */

static double age_of(uint64_t start_ticks)
{
	cleanup_free char *text = NULL;
	double up;

	if (file_read("/proc/uptime", 256, &text, NULL, NULL) < 0 || sscanf(text, "%lf", &up) != 1)
		return -1;
	double age = up - (double)start_ticks / (double)sysconf(_SC_CLK_TCK);
	return age > 0 ? age : 0;
}

static void read_exe(struct foreign *f)
{
	cleanup_free char *path = strf("/proc/%d/exe", (int)f->pid);
	char text[PATH_MAX + sizeof(DELETED)];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	if (n <= 0)
		return;
	text[n] = 0;
	/* The kernel adds this to the name of a file that is gone (d_path()). */
	size_t mark = strlen(DELETED), len = (size_t)n;

	f->exe_deleted = len > mark && !strcmp(text + len - mark, DELETED);
	if (f->exe_deleted)
		text[len - mark] = 0;
	f->exe = xstrdup(text);

	const char *slash = strrchr(text, '/');

	cleanup_free char *safe = safe_text(slash ? slash + 1 : "");

	if (*safe)
		(void)snprintf(f->name, sizeof(f->name), "%s", safe);
}

/* The pid names the same process as when the pidfd was opened: that one is alive now, so nobody else can have had its number. */
static bool is_held(const struct foreign *f)
{
	uint64_t start;

	return !foreign_is_gone(f) && owner_read_start_time(f->pid, &start) == 0 && start == f->start_time;
}

int foreign_open(pid_t pid, struct foreign *ret, struct err *err)
{
	struct foreign f = { .pid = pid, .pidfd = -1, .age_s = -1 };
	struct foreign_status s;
	int r;

	if (pid <= 0)
		return err_usage(err, "%d is no number of a process", (int)pid);
	if (read_status(pid, &s) < 0)
		return no_such_process(pid, err);
	r = refuse_kind(pid, &s, err);
	if (r < 0)
		return r;
	f.pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (f.pidfd < 0)
		return errno == ESRCH ? no_such_process(pid, err) : err_set(err, errno, "cannot watch process %d", (int)pid);
	if (owner_read_start_time(pid, &f.start_time) < 0 || read_status(pid, &s) < 0) {
		(void)close(f.pidfd);
		return no_such_process(pid, err);
	}
	memcpy(f.name, s.name, sizeof(f.name));
	f.uid = s.uid;
	f.inner_pid = s.inner_pid ? s.inner_pid : pid;
	f.age_s = age_of(f.start_time);
	read_exe(&f);
	f.memcg_processes = memcg_open_of(pid, &f.memcg, &f.memcg_path);
	if (!is_held(&f)) {
		foreign_done(&f);
		return err_usage(err, "process %d has just exited", (int)pid);
	}
	*ret = f;
	return 0;
}

bool foreign_is_gone(const struct foreign *f)
{
	struct pollfd p = { .fd = f->pidfd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

/* A field of /proc/PID/stat, as proc(5) numbers them, and the state; 0 and 0: it is another process by now, or gone. */
static uint64_t stat_field(const struct foreign *f, int wanted, char *ret_state)
{
	cleanup_free char *path = strf("/proc/%d/stat", (int)f->pid), *text = NULL;
	uint64_t start;

	*ret_state = 0;
	if (file_read(path, 4096, &text, NULL, NULL) < 0 || !owner_parse_start_time(text, &start) || start != f->start_time)
		return 0;

	const char *state = proc_stat_field(text, 3), *value = proc_stat_field(text, wanted);

	*ret_state = state ? *state : 0;
	return value ? strtoull(value, NULL, 10) : 0;
}

/* Where its first stack began (field 28 of /proc/PID/stat), which each exec draws anew; the kernel tells it to those who may read it. */
uint64_t foreign_program(const struct foreign *f)
{
	char state;

	return stat_field(f, 28, &state);
}

/* include/uapi/linux/pidfd.h, from Linux 6.13; exit_code from 6.15. */
struct exit_info {
	uint64_t mask, cgroup_id;
	uint32_t ids[11];
	int32_t exit_code;
};
#define EXIT_INFO_REQUEST _IOWR(0xFF, 11, struct exit_info)
#define EXIT_INFO_EXIT (1ULL << 3)

/* The entry of a zombie: field 52, which is 0 for those who may not know. */
static bool zombie_status(const struct foreign *f, int *ret)
{
	char state;

	*ret = (int)stat_field(f, 52, &state);
	return state == 'Z' && *ret != 0;
}

bool foreign_exit_status(const struct foreign *f, int *ret)
{
	struct exit_info info = { .mask = EXIT_INFO_EXIT };

	if (ioctl(f->pidfd, EXIT_INFO_REQUEST, &info) == 0 && (info.mask & EXIT_INFO_EXIT)) {
		*ret = info.exit_code;
		return true;
	}
	return zombie_status(f, ret);
}

char *foreign_text(const struct foreign *f)
{
	return f->inner_pid == f->pid ? strf("%s (pid %d)", f->name, (int)f->pid)
				      : strf("%s (pid %d, %d in its container)", f->name, (int)f->pid, (int)f->inner_pid);
}

char *foreign_text_now(const struct foreign *f)
{
	struct foreign now = { .pid = f->pid, .inner_pid = f->inner_pid };

	(void)memcpy(now.name, f->name, sizeof(now.name));
	read_exe(&now);
	free(now.exe);
	return foreign_text(&now);
}

void foreign_done(struct foreign *f)
{
	if (f->pidfd >= 0)
		(void)close(f->pidfd);
	memcg_free(f->memcg);
	free(f->memcg_path);
	free(f->exe);
	*f = (struct foreign){ .pidfd = -1 };
}
