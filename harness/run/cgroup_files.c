/* SPDX-License-Identifier: Apache-2.0 */
#include "run/cgroup_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/series.h"

const struct cgroup_names *cgroup_names(int version)
{
	static const struct cgroup_names v1 = {
		.limit = "memory.limit_in_bytes",
		.swap_limit = "memory.memsw.limit_in_bytes",
		.usage = "memory.usage_in_bytes",
		.peak = "memory.max_usage_in_bytes",
		.stat = "memory.stat",
		.inactive_file_key = "total_inactive_file",
		.reclaim = "memory.force_empty",
		.oom = "memory.oom_control",
		.oom_kill_key = "oom_kill",
	};
	static const struct cgroup_names v2 = {
		.limit = "memory.max",
		.swap_limit = "memory.swap.max",
		.usage = "memory.current",
		.peak = "memory.peak",
		.stat = "memory.stat",
		.inactive_file_key = "inactive_file",
		.reclaim = "memory.reclaim",
		.oom = "memory.events",
		.oom_kill_key = "oom_kill",
	};

	return version == 2 ? &v2 : &v1;
}

/* By hand, because the sampling thread calls it a thousand times a second for each target. */
const char *parse_digits(const char *p, uint64_t *ret)
{
	uint64_t value = 0;
	const char *start = p;

	while (*p >= '0' && *p <= '9') {
		if (value > (UINT64_MAX - 9) / 10)
			return NULL;
		value = value * 10 + (uint64_t)(*p++ - '0');
	}
	if (p == start)
		return NULL;
	*ret = value;
	return p;
}

bool cgroup_parse_number(const char *text, uint64_t *ret)
{
	uint64_t value;

	if (!strncmp(text, "max", 3) && (text[3] == '\n' || !text[3])) {
		*ret = MISSING;
		return true;
	}
	const char *end = parse_digits(text, &value);
	if (!end || (*end && *end != '\n'))
		return false;
	*ret = value;
	return true;
}

bool cgroup_parse_keyed(const char *text, const char *key, uint64_t *ret)
{
	size_t n = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (!strncmp(line, key, n) && line[n] == ' ')
			return parse_digits(line + n + 1, ret) != NULL;
	return false;
}

/* "4:cpu,memory:/a/b" has the controller "memory". */
static bool has_controller(const char *list, size_t len, const char *controller)
{
	size_t want = strlen(controller);

	for (const char *end = list + len; list < end;) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t n = (size_t)((comma ? comma : end) - list);

		if (n == want && !strncmp(list, controller, n))
			return true;
		list += n + 1;
	}
	return false;
}

bool cgroup_parse_own_path(const char *text, int version, char *ret, size_t n)
{
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		size_t len = strcspn(line, "\n");
		const char *first = memchr(line, ':', len);
		const char *second = first ? memchr(first + 1, ':', len - (size_t)(first + 1 - line)) : NULL;

		if (!second)
			continue;
		bool mine = version == 2 ? !strncmp(line, "0::", 3)
					 : has_controller(first + 1, (size_t)(second - first - 1), "memory");
		size_t path = len - (size_t)(second + 1 - line);
		if (!mine || path + 1 > n)
			continue;
		memcpy(ret, second + 1, path);
		ret[path] = 0;
		return true;
	}
	return false;
}

bool cgroup_parse_mounts(const char *text, int *ret_version, char *ret, size_t n)
{
	int version = 0;

	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		char where[1024], type[64], options[1024];

		if (sscanf(line, "%*1023s %1023s %63s %1023s", where, type, options) != 3 || strlen(where) >= n)
			continue;
		bool v1 = !strcmp(type, "cgroup") && has_controller(options, strlen(options), "memory");
		bool v2 = !strcmp(type, "cgroup2") && version == 0;
		if (!v1 && !v2)
			continue;
		version = v1 ? 1 : 2;
		strcpy(ret, where);
		if (v1)
			break;
	}
	*ret_version = version;
	return version != 0;
}
