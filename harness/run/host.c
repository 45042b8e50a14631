/* SPDX-License-Identifier: Apache-2.0 */
#include "run/host.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "record/series.h"
#include "run/cgroup_files.h"
#include "run/cgroup_tree.h"

#define SMALL_FILE (1UL << 16)

static uint64_t meminfo(const char *text, const char *key)
{
	const char *p = strstr(text, key);

	return p ? strtoull(p + strlen(key), NULL, 10) * 1024 : 0;
}

/* "always [madvise] never" */
static void chosen(const char *path, char *ret, size_t n)
{
	cleanup_free char *text = NULL;
	const char *open, *close;

	ret[0] = 0;
	if (file_read(path, SMALL_FILE, &text, NULL, NULL) < 0)
		return;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close)
		(void)snprintf(ret, n, "%.*s", (int)(close - open - 1), open + 1);
}

/* What the group that we were started in, and those above it, leave of their limits. */
static uint64_t left_by_surroundings(void)
{
	struct cgroup_tree t;
	uint64_t left = MISSING;

	if (cgroup_tree_find(&t, NULL) < 0)
		return left;

	const struct cgroup_names *names = cgroup_names(t.version);
	cleanup_free char *path = strf("%s/%s", t.mount, t.parent);

	while (strlen(path) > strlen(t.mount)) {
		cleanup_free char *limit_file = strf("%s/%s", path, names->limit), *usage_file = strf("%s/%s", path, names->usage);
		cleanup_free char *stat_file = strf("%s/%s", path, names->stat);
		cleanup_free char *limit_text = NULL, *usage_text = NULL, *stat_text = NULL;
		uint64_t limit, usage, cache = 0;

		if (file_read(limit_file, SMALL_FILE, &limit_text, NULL, NULL) == 0 &&
		    file_read(usage_file, SMALL_FILE, &usage_text, NULL, NULL) == 0 && cgroup_parse_number(limit_text, &limit) &&
		    cgroup_parse_number(usage_text, &usage) && limit != MISSING) {
			/* Cold page cache is not in the way. */
			if (file_read(stat_file, SMALL_FILE, &stat_text, NULL, NULL) == 0)
				(void)cgroup_parse_keyed(stat_text, names->inactive_file_key, &cache);
			usage -= cache < usage ? cache : usage;
			uint64_t here = limit > usage ? limit - usage : 0;

			left = here < left ? here : left;
		}
		*strrchr(path, '/') = 0;
	}
	return left;
}

void host_read(struct host *ret)
{
	struct utsname u;
	cpu_set_t cpus;
	cleanup_free char *text = NULL, *ptes = NULL;

	*ret = (struct host){ .max_ptes_none = MISSING, .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE) };
	if (uname(&u) == 0) {
		(void)snprintf(ret->kernel, sizeof(ret->kernel), "%s", u.release);
		(void)snprintf(ret->machine, sizeof(ret->machine), "%.31s", u.machine);
	}
	ret->cpus = sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (unsigned)CPU_COUNT(&cpus) : 1;
	if (file_read("/proc/meminfo", SMALL_FILE, &text, NULL, NULL) == 0) {
		ret->memory_bytes = meminfo(text, "MemTotal:");
		ret->available_bytes = meminfo(text, "MemAvailable:");
		ret->swap_bytes = meminfo(text, "SwapTotal:");
	}
	uint64_t left = left_by_surroundings();
	if (left < ret->available_bytes)
		ret->available_bytes = left;
	chosen("/sys/kernel/mm/transparent_hugepage/enabled", ret->thp, sizeof(ret->thp));
	chosen("/sys/kernel/mm/transparent_hugepage/defrag", ret->thp_defrag, sizeof(ret->thp_defrag));
	if (file_read("/sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none", SMALL_FILE, &ptes, NULL, NULL) == 0)
		(void)cgroup_parse_number(ptes, &ret->max_ptes_none);
}
