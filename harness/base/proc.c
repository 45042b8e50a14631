/* SPDX-License-Identifier: Apache-2.0 */
#include "base/proc.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

size_t proc_read(int fd, char *buf, size_t n)
{
	ssize_t got = fd < 0 ? -1 : pread(fd, buf, n - 1, 0);

	buf[got > 0 ? got : 0] = '\0';
	return got > 0 ? (size_t)got : 0;
}

const char *proc_stat_field(const char *stat_text, int field)
{
	const char *at = strrchr(stat_text, ')');

	for (int before = 2; at && before < field; before++)
		at = strchr(at + 1, ' ');
	return at ? at + 1 : NULL;
}

const char *proc_value(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	if (!at)
		return NULL;
	at += strlen(key);
	return at + strspn(at, " \t");
}

uint64_t proc_auxv(int fd, uint64_t type)
{
	Elf64_auxv_t v[64];
	ssize_t got = fd < 0 ? -1 : pread(fd, v, sizeof(v), 0);
	size_t n = got > 0 ? (size_t)got / sizeof(v[0]) : 0;

	for (size_t i = 0; i < n && v[i].a_type != AT_NULL; i++)
		if (v[i].a_type == type)
			return v[i].a_un.a_val;
	return 0;
}
