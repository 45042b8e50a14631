/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"

#define BLOCK 65536

/* The whole of a file of /proc/PID, into m->text, ended by a 0. */
static int read_text(struct vmas *m, pid_t pid, const char *name, struct err *err)
{
	char path[64];
	size_t len = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno == ENOENT ? ESRCH : errno, "read %s", path);
	for (;;) {
		ssize_t got;

		if (m->room_text - len < BLOCK + 1) {
			m->room_text = m->room_text * 2 + BLOCK + 1;
			m->text = xreallocarray(m->text, m->room_text, 1);
		}
		got = read(fd, m->text + len, m->room_text - len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, errno, "read %s", path);
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > MAPS_TEXT_MAX)
			return err_set(err, 0, "%s is larger than memtide reads", path);
	}
	m->text[len] = '\0';
	return 0;
}

/* ---- one line of maps -------------------------------------------------------------------------------------------------------------- */

static uint64_t number(const char **at, unsigned base)
{
	uint64_t v = 0;

	for (;; (*at)++) {
		unsigned c = (unsigned char)**at, digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;

		if (digit >= base)
			return v;
		v = v * base + digit;
	}
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static enum vma_kind kind_of(const char *name, uint64_t inode)
{
	if (begins(name, "[vsyscall]") || begins(name, "[vvar") || begins(name, "/anon_hugepage"))
		return VMA_NOT_COUNTED;
	if (begins(name, "[stack]") || begins(name, "[anon: glibc: pthread stack"))
		return VMA_STACK;
	if (begins(name, "[heap]"))
		return VMA_HEAP;
	if (begins(name, "[anon: Go: "))
		return VMA_GO;
	if (begins(name, "[anon:") || (name[0] == '\n' && !inode))
		return VMA_ANONYMOUS;
	return VMA_FILE;
}

/* "55d0-55d4 r-xp 00000000 fd:00 1234    /path"; false: no such line, or one that makes no sense. */
bool maps_parse_line(const char *line, struct vma *ret)
{
	struct vma v = { 0 };

	v.start = number(&line, 16);
	if (*line++ != '-')
		return false;
	v.end = number(&line, 16);
	if (*line++ != ' ' || strnlen(line, 5) < 5)
		return false;
	v.readable = line[0] == 'r';
	v.writable = line[1] == 'w';
	v.shared = line[3] == 's';
	line += 5;
	(void)number(&line, 16);
	line += *line == ' ';
	v.major = (uint32_t)number(&line, 16);
	line += *line == ':';
	v.minor = (uint32_t)number(&line, 16);
	line += *line == ' ';
	v.inode = number(&line, 10);
	line += strspn(line, " ");
	v.kind = kind_of(line, v.inode);
	*ret = v;
	return v.start < v.end;
}

int maps_read(struct vmas *m, pid_t pid, struct err *err)
{
	uint64_t last = 0;
	int r = read_text(m, pid, "maps", err);

	m->n = 0;
	if (r < 0)
		return r;
	for (const char *line = m->text; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
		struct vma v;

		if (!maps_parse_line(line, &v) || v.start < last)
			continue;
		if (m->n == VMAS_MAX)
			return err_set(err, 0, "process %d has more than %d mappings: more than memtide reads", (int)pid, VMAS_MAX);
		if (m->n == m->room) {
			m->room = m->room * 2 + 256;
			m->v = xreallocarray(m->v, m->room, sizeof(*m->v));
		}
		m->v[m->n++] = v;
		last = v.end;
	}
	return m->n ? 0 : err_set(err, ESRCH, "process %d has exited", (int)pid);
}

const struct vma *maps_from(const struct vmas *m, uint64_t address)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->v[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->n ? &m->v[low] : NULL;
}

const struct vma *maps_find(const struct vmas *m, uint64_t address)
{
	const struct vma *v = maps_from(m, address);

	return v && v->start <= address ? v : NULL;
}

/* ---- smaps ------------------------------------------------------------------------------------------------------------------------- */

static bool lies_in(const struct range *ranges, size_t n, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < n; i++)
		if (start < ranges[i].end && end > ranges[i].start)
			return true;
	return false;
}

int maps_lazy_free(struct vmas *m, pid_t pid, const struct range *ranges, size_t n, uint64_t *ret_bytes, struct err *err)
{
	uint64_t sum = 0;
	bool inside = false;
	int r = read_text(m, pid, "smaps", err);

	if (r < 0)
		return r;
	for (const char *line = m->text; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
		struct vma v;

		if (line[0] >= 'A' && line[0] <= 'Z') {
			if (inside && begins(line, "LazyFree:")) {
				const char *at = line + strlen("LazyFree:");

				at += strspn(at, " ");
				sum += number(&at, 10) << 10;
			}
			continue;
		}
		inside = maps_parse_line(line, &v) && lies_in(ranges, n, v.start, v.end);
	}
	*ret_bytes = sum;
	return 0;
}

void maps_done(struct vmas *m)
{
	free(m->v);
	free(m->text);
	*m = (struct vmas){ 0 };
}
