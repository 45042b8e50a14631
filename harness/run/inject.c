/* SPDX-License-Identifier: Apache-2.0 */
#include "run/inject.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/proc.h"
#include "base/units.h"
#include "run/tracee.h"
#include "run/trampoline.h"

#if defined(__x86_64__)

#define VDSO_MAX 32768
#define CS_64BIT 0x33 /* the code segment of 64-bit programs */
#define STEP_MAX_NS (20 * NS_PER_S) /* without a CPU; a process that is left in the midst of its steps is lost */
#define STOPS_MAX 1000 /* during a step, by who sends SIGSTOP and SIGCONT over and over */

struct patient {
	pid_t pid;
	bool own; /* a child of the supervisor */
	bool stopped; /* by a SIGSTOP meanwhile, which is still to come into effect */
	struct user_regs_struct regs; /* as they are at its first instruction */
	uint64_t vdso_at, syscall_at; /* the vDSO, and a system call instruction in it */
	size_t vdso_bytes;
	unsigned char vdso[VDSO_MAX];
};

static int read_words(pid_t pid, uint64_t at, void *ret, size_t bytes)
{
	unsigned char *to = ret;

	for (size_t i = 0; i < bytes; i += sizeof(long)) {
		errno = 0;
		long word = ptrace(PTRACE_PEEKDATA, pid, at + i, 0);

		if (errno)
			return -errno;
		memcpy(to + i, &word, bytes - i < sizeof(long) ? bytes - i : sizeof(long));
	}
	return 0;
}

/* bytes: a multiple of 8. Writes to what the process itself may not write, too: it gets a copy of that page. */
static int write_words(pid_t pid, uint64_t at, const void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += sizeof(long)) {
		long word;

		memcpy(&word, (const char *)data + i, sizeof(word));
		if (ptrace(PTRACE_POKEDATA, pid, at + i, word) < 0)
			return -errno;
	}
	return 0;
}

/* One step of a stopped process is over in microseconds, unless it is killed meanwhile. SIGSTOP cannot be held back, and SIGCONT stops a
 * process that is traced once more: it stops for them before its step, or before that is told. */
static int make_step(struct patient *p)
{
	for (int i = 0; i < STOPS_MAX; i++) {
		int status = 0;

		if (ptrace(PTRACE_SINGLESTEP, p->pid, 0, 0) < 0)
			return -errno;
		int r = tracee_wait_for_stop(p->pid, p->own, STEP_MAX_NS, &status);
		if (r < 0)
			return r;
		if (status == SIGTRAP)
			return 0;
		if (status != SIGSTOP && status >> 8 != PTRACE_EVENT_STOP)
			return -EINTR;
		p->stopped = status == SIGSTOP;
	}
	return -EINTR;
}

/* A system call that the process makes: its result, or -errno as the kernel gives it. */
static long remote_syscall(struct patient *p, long nr, const uint64_t a[6], int *ret_error)
{
	struct user_regs_struct r = p->regs;

	r.rip = p->syscall_at;
	r.rax = (uint64_t)nr;
	r.orig_rax = (uint64_t)-1;
	r.rdi = a[0];
	r.rsi = a[1];
	r.rdx = a[2];
	r.r10 = a[3];
	r.r8 = a[4];
	r.r9 = a[5];
	if (ptrace(PTRACE_SETREGS, p->pid, 0, &r) < 0) {
		*ret_error = -errno;
		return -1;
	}
	if ((*ret_error = make_step(p)) < 0)
		return -1;
	if (ptrace(PTRACE_GETREGS, p->pid, 0, &r) < 0) {
		*ret_error = -errno;
		return -1;
	}
	return (long)r.rax;
}

static uint64_t find_vdso(pid_t pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/auxv", (int)pid);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	return proc_auxv(fd, AT_SYSINFO_EHDR);
}

/* The vDSO's mapping: its first page is read as a header, the rest until it ends. */
static int read_vdso(struct patient *p)
{
	p->vdso_at = find_vdso(p->pid);
	if (!p->vdso_at)
		return -ENOENT;
	for (p->vdso_bytes = 0; p->vdso_bytes < VDSO_MAX; p->vdso_bytes += TRAMPOLINE_PAGE) {
		struct iovec to = { p->vdso + p->vdso_bytes, TRAMPOLINE_PAGE };
		struct iovec from = { (void *)(p->vdso_at + p->vdso_bytes), TRAMPOLINE_PAGE }; /* NOLINT */

		if (process_vm_readv(p->pid, &to, 1, &from, 1, 0) != TRAMPOLINE_PAGE &&
		    read_words(p->pid, p->vdso_at + p->vdso_bytes, to.iov_base, TRAMPOLINE_PAGE) < 0)
			break;
	}
	static const unsigned char instruction[] = { 0x0f, 0x05 };
	const unsigned char *found = memmem(p->vdso, p->vdso_bytes, instruction, sizeof(instruction));

	if (!found || p->vdso_bytes < sizeof(Elf64_Ehdr) || memcmp(p->vdso, ELFMAG, SELFMAG))
		return -ENOEXEC;
	p->syscall_at = p->vdso_at + (uint64_t)(found - p->vdso);
	return 0;
}

struct symbols {
	const Elf64_Sym *table;
	const char *names;
	size_t n, names_bytes;
};

/* Everything that is pointed at has to lie in the image: it was read from a process. */
static const void *inside(const struct patient *p, uint64_t at, size_t bytes)
{
	return at <= p->vdso_bytes && bytes <= p->vdso_bytes - at ? p->vdso + at : NULL;
}

static bool find_symbols(const struct patient *p, struct symbols *ret)
{
	const Elf64_Ehdr *e = (const void *)p->vdso;
	const Elf64_Phdr *ph = inside(p, e->e_phoff, (size_t)e->e_phnum * sizeof(*ph));
	uint64_t table = 0, names = 0, names_bytes = 0;

	for (int i = 0; ph && i < e->e_phnum; i++) {
		if (ph[i].p_type != PT_DYNAMIC)
			continue;
		const Elf64_Dyn *d = inside(p, ph[i].p_offset, ph[i].p_filesz);

		for (size_t k = 0; d && k < ph[i].p_filesz / sizeof(*d) && d[k].d_tag != DT_NULL; k++) {
			if (d[k].d_tag == DT_SYMTAB)
				table = d[k].d_un.d_ptr;
			else if (d[k].d_tag == DT_STRTAB)
				names = d[k].d_un.d_ptr;
			else if (d[k].d_tag == DT_STRSZ)
				names_bytes = d[k].d_un.d_val;
		}
	}
	/* The table ends where the names begin, as the linker lays a vDSO out; DT_HASH is gone in newer kernels. */
	if (!table || names <= table || !inside(p, table, names - table) || !inside(p, names, names_bytes) || !names_bytes)
		return false;
	*ret = (struct symbols){ (const void *)(p->vdso + table), (const char *)p->vdso + names, (names - table) / sizeof(Elf64_Sym),
				 names_bytes };
	return ret->names[names_bytes - 1] == 0;
}

static const Elf64_Sym *find_symbol(const struct symbols *s, const char *name)
{
	for (size_t i = 1; i < s->n; i++)
		if (s->table[i].st_name < s->names_bytes && !strcmp(s->names + s->table[i].st_name, name))
			return &s->table[i];
	return NULL;
}

static int point_symbols(struct patient *p, const struct symbols *s, uint64_t code_at)
{
	static const struct {
		const char *name;
		const uint8_t *trampoline;
	} all[] = {
		{ "__vdso_clock_gettime", trampoline_clock_gettime }, { "clock_gettime", trampoline_clock_gettime },
		{ "__vdso_gettimeofday", trampoline_gettimeofday },   { "gettimeofday", trampoline_gettimeofday },
		{ "__vdso_time", trampoline_time },                   { "time", trampoline_time },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const Elf64_Sym *sym = find_symbol(s, all[i].name);

		if (!sym)
			continue;
		/* A symbol's value is added to where the vDSO lies: below it, the sum wraps, as it should. */
		uint64_t value = code_at + (uint64_t)(all[i].trampoline - trampoline_begin) - p->vdso_at;
		uint64_t at = p->vdso_at + (uint64_t)((const unsigned char *)&sym->st_value - p->vdso);
		int r = write_words(p->pid, at, &value, sizeof(value));

		if (r < 0)
			return r;
	}
	return 0;
}

/* The trampolines with this process's own vDSO filled in. */
static int write_code(struct patient *p, const struct symbols *s, uint64_t code_at)
{
	uint64_t code[TRAMPOLINE_PAGE / sizeof(uint64_t)] = { 0 };
	size_t bytes = (size_t)(trampoline_end - trampoline_begin);
	const Elf64_Sym *get = find_symbol(s, "__vdso_clock_gettime"), *day = find_symbol(s, "__vdso_gettimeofday");

	if (!get || !day || bytes > sizeof(code))
		return -ENOEXEC;
	memcpy(code, trampoline_begin, bytes);
	code[(trampoline_real_clock_gettime - trampoline_begin) / 8] = p->vdso_at + get->st_value;
	code[(trampoline_real_gettimeofday - trampoline_begin) / 8] = p->vdso_at + day->st_value;
	return write_words(p->pid, code_at, code, (bytes + 7) / 8 * 8);
}

/* Both pages, side by side: the shared one, and above it the code's own. Returns where the code goes. */
static int64_t map_pages(struct patient *p, const char *page_path, struct err *err)
{
	uint64_t text[16] = { 0 }, saved[16], at = (p->regs.rsp - sizeof(text) - 256) & ~(uint64_t)15;
	size_t bytes = (strlen(page_path) + 8) / 8 * 8;
	int error = 0;

	if (bytes > sizeof(text))
		return err_set(err, ENAMETOOLONG, "%s", page_path);
	memcpy(text, page_path, strlen(page_path));
	int r = read_words(p->pid, at, saved, bytes);
	if (r >= 0)
		r = write_words(p->pid, at, text, bytes);
	if (r < 0)
		return err_set(err, -r, "its stack cannot be written");

	long fd = remote_syscall(p, SYS_openat, (uint64_t[6]){ (uint64_t)AT_FDCWD, at, O_RDONLY | O_CLOEXEC }, &error);
	(void)write_words(p->pid, at, saved, bytes);
	if (error < 0 || fd < 0)
		return err_set(err, error < 0 ? -error : (int)-fd, "it cannot open the page of the clock");
	long base = remote_syscall(p, SYS_mmap,
				   (uint64_t[6]){ 0, 2UL * TRAMPOLINE_PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0 },
				   &error);
	long shared = error < 0 || base < 0 ? base
					    : remote_syscall(p, SYS_mmap, (uint64_t[6]){ (uint64_t)base, TRAMPOLINE_PAGE, PROT_READ,
											 MAP_SHARED | MAP_FIXED, (uint64_t)fd, 0 }, &error);
	if (error >= 0)
		(void)remote_syscall(p, SYS_close, (uint64_t[6]){ (uint64_t)fd }, &error);
	if (error < 0 || shared < 0)
		return err_set(err, error < 0 ? -error : (int)-shared, "it cannot map the pages of the clock");
	return base + TRAMPOLINE_PAGE;
}

static int write_clock(struct patient *p, const struct symbols *s, const char *page_path, struct err *err)
{
	int64_t code_at = map_pages(p, page_path, err);

	if (code_at < 0)
		return (int)code_at;
	int r = write_code(p, s, (uint64_t)code_at);
	if (r >= 0)
		r = point_symbols(p, s, (uint64_t)code_at);
	return r < 0 ? err_set(err, -r, "the clock cannot be written into it") : 0;
}

int inject_clock(pid_t pid, const char *page_path, struct err *err)
{
	struct patient p = { .pid = pid, .own = tracee_is_own(pid) };
	struct symbols s;

	if (ptrace(PTRACE_GETREGS, pid, 0, &p.regs) < 0)
		return err_set(err, errno, "its registers cannot be read");
	if (p.regs.cs != CS_64BIT)
		return err_set(err, 0, "it is a 32-bit program");
	/* A signal that comes now has to wait: it would be in the way of the steps. */
	const uint64_t held = ~(1UL << (SIGTRAP - 1));
	uint64_t mask;
	if (ptrace(PTRACE_GETSIGMASK, pid, sizeof(mask), &mask) < 0 || ptrace(PTRACE_SETSIGMASK, pid, sizeof(held), &held) < 0)
		return err_set(err, errno, "its signals cannot be held back");
	int r = read_vdso(&p);
	if (r < 0 || !find_symbols(&p, &s) || !find_symbol(&s, "__vdso_clock_gettime"))
		r = err_set(err, 0, "its vDSO cannot be read: is it switched off (vdso=0)?");
	else
		r = write_clock(&p, &s, page_path, err);
	if ((ptrace(PTRACE_SETREGS, pid, 0, &p.regs) < 0 || ptrace(PTRACE_SETSIGMASK, pid, sizeof(mask), &mask) < 0) && r >= 0)
		r = err_set(err, errno, "its registers cannot be put back");
	if (p.stopped)
		(void)kill(pid, SIGSTOP);
	return r;
}

#else

int inject_clock(pid_t pid, const char *page_path, struct err *err)
{
	(void)pid;
	(void)page_path;
	return err_set(err, 0, "the virtual clock is for x86-64 only so far");
}

#endif
