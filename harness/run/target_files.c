/* SPDX-License-Identifier: Apache-2.0 */
#include "run/target_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/proc.h"
#include "base/units.h"
#include "run/cgroup.h"
#include "run/cgroup_files.h"

static int open_of(pid_t pid, const char *file, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return open(path, flags | O_CLOEXEC);
}

int target_files_open(struct target_files *f, pid_t pid, const struct memcg *memcg, struct err *err)
{
	*f = (struct target_files){
		.statm_fd = open_of(pid, "statm", O_RDONLY),
		.status_fd = open_of(pid, "status", O_RDONLY),
		.task_fd = open_of(pid, "task", O_RDONLY | O_DIRECTORY),
		.usage_fd = memcg ? memcg_usage_fd(memcg) : -1,
		.stat_fd = memcg ? memcg_stat_fd(memcg) : -1,
		.memcg_version = memcg ? memcg_version(memcg) : 0,
		.pid = pid,
		.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE),
	};
	f->has_cpu_clock = clock_getcpuclockid(pid, &f->cpu_clock) == 0;
	if (f->statm_fd < 0) {
		int errnum = errno;

		target_files_close(f);
		return err_set(err, errnum, "cannot open /proc/%d/statm", (int)pid);
	}
	return 0;
}

void target_files_close(struct target_files *f)
{
	const int fds[] = { f->statm_fd, f->status_fd, f->task_fd };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
	f->statm_fd = f->status_fd = f->task_fd = -1;
}

bool target_read_sample(const struct target_files *f, struct sample *ret)
{
	char text[256];
	uint64_t resident = 0;

	if (!proc_read(f->statm_fd, text, sizeof(text)))
		return false;

	const char *p = strchr(text, ' ');
	/* A zombie has no memory and says "0 0 0 ...": it has exited. */
	if (!p || text[0] == '0')
		return false;
	for (p++; *p >= '0' && *p <= '9'; p++)
		resident = resident * 10 + (uint64_t)(*p - '0');
	ret->rss_bytes = resident * f->page_bytes;
	ret->usage_bytes = MISSING;
	if (proc_read(f->usage_fd, text, sizeof(text)))
		(void)cgroup_parse_number(text, &ret->usage_bytes);
	return true;
}

bool target_has_threads_left(const struct target_files *f)
{
	struct stat st;

	return f->task_fd >= 0 && fstat(f->task_fd, &st) == 0 && st.st_nlink > 3;
}

/* "VmHWM:\t    1234 kB" */
static uint64_t kilobytes_after(const char *text, const char *key)
{
	const char *p = proc_value(text, key);
	uint64_t value;

	return p && parse_digits(p, &value) ? value * 1024 : MISSING;
}

uint64_t target_read_cpu_ns(const struct target_files *f)
{
	struct timespec cpu;

	if (!f->has_cpu_clock || clock_gettime(f->cpu_clock, &cpu) < 0)
		return MISSING;
	return (uint64_t)(cpu.tv_sec * NS_PER_S + cpu.tv_nsec);
}

void target_read_fast(const struct target_files *f, struct probe *ret)
{
	char text[8192];
	struct stat st;
	uint64_t usage;

	*ret = (struct probe){ .threads = MISSING, .cpu_ns = MISSING, .hwm_bytes = MISSING, .inactive_file_bytes = MISSING,
			       .working_set_bytes = MISSING, .pss_bytes = MISSING, .lazyfree_bytes = MISSING, .thp_bytes = MISSING,
			       .swap_bytes = MISSING };
	/* /proc/PID/task has one subfolder a thread, and two links of its own. A zombie still has its leader. */
	if (f->task_fd >= 0 && fstat(f->task_fd, &st) == 0 && st.st_nlink > 2)
		ret->threads = st.st_nlink - 2;
	ret->cpu_ns = target_read_cpu_ns(f);
	if (proc_read(f->status_fd, text, sizeof(text)))
		ret->hwm_bytes = kilobytes_after(text, "\nVmHWM:");
	if (f->stat_fd >= 0 && proc_read(f->stat_fd, text, sizeof(text)))
		(void)cgroup_parse_keyed(text, cgroup_names(f->memcg_version)->inactive_file_key, &ret->inactive_file_bytes);
	/* The kubelet's rule (cAdvisor): usage less inactive_file, not below zero. */
	if (ret->inactive_file_bytes != MISSING && proc_read(f->usage_fd, text, sizeof(text)) && cgroup_parse_number(text, &usage))
		ret->working_set_bytes = usage > ret->inactive_file_bytes ? usage - ret->inactive_file_bytes : 0;
}

bool target_read_slow(const struct target_files *f, struct probe *ret)
{
	char text[4096];
	struct sample still_there;
	int fd = open_of(f->pid, "smaps_rollup", O_RDONLY);
	/* The pid was opened by name just now: it is the target's only if the kept statm still answers. */
	bool ok = proc_read(fd, text, sizeof(text)) && target_read_sample(f, &still_there);

	if (fd >= 0)
		(void)close(fd);
	if (!ok)
		return false;
	ret->slow = 1;
	ret->pss_bytes = kilobytes_after(text, "\nPss:");
	ret->lazyfree_bytes = kilobytes_after(text, "\nLazyFree:");
	ret->thp_bytes = kilobytes_after(text, "\nAnonHugePages:");
	ret->swap_bytes = kilobytes_after(text, "\nSwap:");
	return true;
}

bool target_read_faults(const struct target_files *f, struct target_faults *ret)
{
	char text[1024];
	int fd = open_of(f->pid, "stat", O_RDONLY);
	bool ok = proc_read(fd, text, sizeof(text));
	const char *p = ok ? proc_stat_field(text, 10) : NULL;
	unsigned long minor, major;

	if (fd >= 0)
		(void)close(fd);
	/* Fields 10 to 12: minflt cminflt majflt */
	if (!p || sscanf(p, "%lu %*u %lu", &minor, &major) != 2)
		return false;
	*ret = (struct target_faults){ minor, major };
	return true;
}
