/* SPDX-License-Identifier: Apache-2.0 */
#include "gostate/library.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "gostate/elf_go.h"
#include "gostate/maps.h"

#define LIBRARIES_MAX 1024 /* that are looked at */

/* Of a line of maps: what maps_parse_line() does not tell. */
struct mapped_file {
	struct vma vma; /* the first that the file has */
	const char *path;
	size_t path_len;
};

/* In "7f..-7f.. r-xp 00001000 fd:01 1234    /usr/lib/libx.so"; NULL: no file. */
static const char *path_in(const char *line, size_t *ret_len)
{
	const char *end = strchrnul(line, '\n'), *slash = memchr(line, '/', (size_t)(end - line));

	*ret_len = slash ? (size_t)(end - slash) : 0;
	return slash;
}

static bool is_code(const char *line)
{
	const char *at = strchr(line, ' ');

	return at && strnlen(at, 5) == 5 && at[3] == 'x';
}

static bool same_file(const struct vma *a, const struct vma *b)
{
	return a->inode == b->inode && a->major == b->major && a->minor == b->minor;
}

/* By which the process maps it now. -1: it cannot be opened. */
static int open_mapped(pid_t pid, const struct mapped_file *m)
{
	cleanup_free char *by_range = strf("/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, m->vma.start, m->vma.end);
	cleanup_free char *by_name = strf("/proc/%d/root%.*s", (int)pid, (int)m->path_len, m->path);
	int fd = open(by_range, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat s;

	if (fd < 0)
		fd = open(by_name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, &s) < 0 || !S_ISREG(s.st_mode))) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Its first mapping begins with its first byte. */
static bool is_what_is_mapped(pid_t pid, int fd, uint64_t start)
{
	Elf64_Ehdr file, memory;
	struct iovec here = { &memory, sizeof(memory) }, there = { (void *)(uintptr_t)start, sizeof(memory) };

	return pread(fd, &file, sizeof(file), 0) == sizeof(file) && process_vm_readv(pid, &here, 1, &there, 1, 0) == sizeof(memory) &&
	       !memcmp(&file, &memory, sizeof(file)) && !memcmp(file.e_ident, ELFMAG, SELFMAG);
}

/* What holds a Go runtime has its table of functions and lines. */
static bool has_runtime(int fd, uint64_t *ret_first_address)
{
	Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
	bool go = elf && elf_kind(elf) == ELF_K_ELF &&
		  (elf_has_section(elf, ".go.buildinfo") || elf_has_section(elf, ".note.go.buildid") || elf_has_section(elf, ".gopclntab") ||
		   elf_has_section(elf, ".data.rel.ro.gopclntab"));
	bool first = false;
	size_t n = 0;

	if (go && elf_getphdrnum(elf, &n) != 0)
		n = 0;
	for (size_t i = 0; i < n && i < INT32_MAX && !first; i++) {
		GElf_Phdr p;

		first = gelf_getphdr(elf, (int)i, &p) && p.p_type == PT_LOAD;
		if (first)
			*ret_first_address = p.p_vaddr - p.p_offset;
	}
	elf_end(elf);
	return go && first;
}

/* Takes it if it is one. */
static int consider(pid_t pid, const struct mapped_file *m, struct go_library *ret, struct err *err)
{
	uint64_t first;
	int fd = open_mapped(pid, m);

	if (fd < 0)
		return 0;
	if (!has_runtime(fd, &first) || !is_what_is_mapped(pid, fd, m->vma.start)) {
		(void)close(fd);
		return 0;
	}
	if (ret->fd >= 0) {
		(void)close(fd);
		return err_set(err, 0, "it has loaded more than one Go library, %s and %.*s: memtide reads a process with one Go runtime", ret->path,
			       (int)m->path_len, m->path);
	}
	*ret = (struct go_library){ fd, strf("%.*s", (int)m->path_len, m->path), m->vma.start - first };
	return 0;
}

/* The files of a process' maps, each once: its mappings follow one another, anonymous ones (bss) among them. */
static int each_file(pid_t pid, const char *text, struct go_library *ret, struct err *err)
{
	struct mapped_file file = { .path = NULL };
	bool code = false, end = false;
	int left = LIBRARIES_MAX, r = 0;

	for (const char *line = text; !end && r >= 0; line = strchrnul(line, '\n'), line += *line == '\n') {
		struct mapped_file m = { .path = NULL };
		bool is_file = *line && maps_parse_line(line, &m.vma) && m.vma.inode && (m.path = path_in(line, &m.path_len));

		end = !*line;
		if (end || (is_file && !(file.path && same_file(&m.vma, &file.vma)))) {
			if (file.path && code && left-- > 0)
				r = consider(pid, &file, ret, err);
			file = m;
			code = false;
		}
		code |= is_file && is_code(line);
	}
	return r;
}

int library_find(pid_t pid, struct go_library *ret, struct err *err)
{
	struct vmas vmas = { 0 };
	int r;

	*ret = (struct go_library){ .fd = -1 };
	r = maps_read(&vmas, pid, NULL) < 0 ? 0 : each_file(pid, vmas.text, ret, err);
	maps_done(&vmas);
	if (r < 0)
		library_done(ret);
	return r;
}

void library_done(struct go_library *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	free(l->path);
	*l = (struct go_library){ .fd = -1 };
}
