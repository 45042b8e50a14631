/* SPDX-License-Identifier: Apache-2.0 */
#include "run/owner.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/strv.h"
#include "run/cgroup_files.h"

#define ENVIRON_MAX (1UL << 20)

int owner_self(struct owner *ret, struct err *err)
{
	struct stat ns;
	struct owner me = { .pid = getpid() };
	cleanup_free char *text = NULL;
	int r = file_read("/proc/self/stat", 4096, &text, NULL, err);

	if (r < 0)
		return r;
	if (stat("/proc/self/ns/pid", &ns) < 0 || !owner_parse_start_time(text, &me.start_time))
		return err_set(err, errno, "cannot read /proc/self/ns/pid and /proc/self/stat");
	me.pid_namespace = ns.st_ino;
	*ret = me;
	return 0;
}

void owner_format(char buf[OWNER_NAME_MAX], const struct owner *o)
{
	(void)snprintf(buf, OWNER_NAME_MAX, "memtide-%" PRIu64 "-%d-%" PRIu64, o->pid_namespace, (int)o->pid, o->start_time);
}

bool owner_parse(const char *name, struct owner *ret)
{
	uint64_t ns, pid, start;
	const char *p = name;

	if (strncmp(p, "memtide-", 8) || !(p = parse_digits(p + 8, &ns)) || *p != '-' || !(p = parse_digits(p + 1, &pid)) || *p != '-' ||
	    !(p = parse_digits(p + 1, &start)) || *p || pid == 0 || pid > INT32_MAX)
		return false;
	*ret = (struct owner){ ns, (pid_t)pid, start };
	return true;
}

bool owner_parse_start_time(const char *stat_text, uint64_t *ret)
{
	const char *start = proc_stat_field(stat_text, 22);

	return start && parse_digits(start, ret) != NULL;
}

int owner_read_start_time(pid_t pid, uint64_t *ret)
{
	char path[64];
	cleanup_free char *text = NULL;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	int r = file_read(path, 4096, &text, NULL, NULL);
	return r < 0 ? r : owner_parse_start_time(text, ret) ? 0 : -ESRCH;
}

bool owner_is_gone(const struct owner *o)
{
	struct stat ns;
	uint64_t start;

	if (stat("/proc/self/ns/pid", &ns) < 0 || (uint64_t)ns.st_ino != o->pid_namespace)
		return false;
	int r = owner_read_start_time(o->pid, &start);
	return r < 0 ? r == -ENOENT || r == -ESRCH /* unreadable is not gone */ : start != o->start_time;
}

/* The value of OWNER_VARIABLE in a process's environment; NULL: it has none, or may not be read. Caller frees. */
static char *run_of_process(const char *pid)
{
	cleanup_free char *path = strf("/proc/%s/environ", pid), *text = NULL;
	size_t len;

	if (file_read(path, ENVIRON_MAX, &text, &len, NULL) < 0)
		return NULL;
	for (const char *p = text; p < text + len; p += strlen(p) + 1)
		if (!strncmp(p, OWNER_VARIABLE "=", sizeof(OWNER_VARIABLE)))
			return xstrdup(p + sizeof(OWNER_VARIABLE));
	return NULL;
}

static bool is_of_a_gone_owner(const char *run)
{
	cleanup_free char *name = strf("%.*s", (int)strcspn(run, "/"), run);
	struct owner o;

	return owner_parse(name, &o) && owner_is_gone(&o);
}

/* The next process but this one that stands in a run's environment: its number, and the run; 0: there is none left. */
static pid_t next_of_a_run(DIR *proc, char **ret_run)
{
	for (struct dirent *e; proc && (e = readdir(proc));) {
		pid_t pid = (pid_t)atoi(e->d_name);

		if (pid > 1 && pid != getpid() && (*ret_run = run_of_process(e->d_name)))
			return pid;
	}
	return 0;
}

/* wanted: NULL for the runs of all supervisors that are gone. */
static int kill_processes(const char *wanted, struct strv *ret_swept)
{
	DIR *proc = opendir("/proc");
	char *run;
	int n = 0;

	for (pid_t pid; (pid = next_of_a_run(proc, &run)); free(run)) {
		if ((wanted ? strcmp(run, wanted) != 0 : !is_of_a_gone_owner(run)) || kill(pid, SIGKILL) < 0)
			continue;
		n++;
		if (ret_swept)
			strv_pushf(ret_swept, "process %d of %s", (int)pid, run);
	}
	if (proc)
		(void)closedir(proc);
	return n;
}

size_t owner_pids_of_run(const char *owner_and_run, pid_t *ret, size_t max)
{
	DIR *proc = opendir("/proc");
	char *run;
	size_t n = 0;

	for (pid_t pid; n < max && (pid = next_of_a_run(proc, &run)); free(run))
		if (!strcmp(run, owner_and_run))
			ret[n++] = pid;
	if (proc)
		(void)closedir(proc);
	return n;
}

int owner_kill_run(const char *owner_and_run)
{
	return kill_processes(owner_and_run, NULL);
}

void owner_sweep_processes(struct strv *ret_swept)
{
	(void)kill_processes(NULL, ret_swept);
}
