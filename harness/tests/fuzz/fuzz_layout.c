/* SPDX-License-Identifier: Apache-2.0
 *
 * fuzz_layout - reads the layout of Go binaries that were damaged at random, where it hurts: headers, DWARF, symbols, notes.
 *   fuzz_layout SEED FIRST COUNT SECONDS FILE...
 * Execution k does the same whenever SEED, k and the files are the same: a crash is told with the command that repeats it. Ends after
 * COUNT executions (0: any number) or SECONDS (0: any). Prints one line; exit code 1 if any crashed, hung, or needed too much.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "gostate/layout.h"
#include "gostate/target_parts.h"

#define HANG_SECONDS 20
#define RANGES_MAX 64
#define FILES_MAX 64
#define HURTS_MAX 12

struct range {
	uint64_t at, size;
};

struct file {
	const char *name;
	unsigned char *bytes; /* as it is */
	uint64_t size;
	int fd; /* of a copy, which is damaged and mended again */
	struct range ranges[RANGES_MAX];
	size_t n;
};

/* Shared with the worker. */
struct progress {
	uint64_t at, reached_layout, slowest_ms;
};

static struct file files[FILES_MAX];
static size_t n_files;
static struct progress *progress;
static uint64_t state;

static uint64_t next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * UINT64_C(0x2545F4914F6CDD1D) >> 8;
}

static uint64_t below(uint64_t n)
{
	return n ? next_random() % n : 0;
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- files -------------------------------------------------------------------------------------------------------------------------- */

static void add_range(struct file *f, uint64_t at, uint64_t size)
{
	if (f->n < RANGES_MAX && size && at < f->size)
		f->ranges[f->n++] = (struct range){ at, size < f->size - at ? size : f->size - at };
}

static void find_ranges(struct file *f)
{
	static const char *const hurt[] = { ".debug_info", ".zdebug_info", ".debug_abbrev", ".zdebug_abbrev", ".debug_addr", ".symtab", ".strtab",
		".shstrtab", ".go.buildinfo", ".note.go.buildid", ".note.gnu.build-id" };
	Elf *elf = elf_memory((char *)f->bytes, f->size);
	Elf_Scn *scn = NULL;
	GElf_Ehdr header;
	size_t names;

	if (!elf || !gelf_getehdr(elf, &header) || elf_getshdrstrndx(elf, &names) != 0)
		return;
	add_range(f, 0, 64);
	add_range(f, header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize);
	while ((scn = elf_nextscn(elf, scn))) {
		GElf_Shdr h;
		const char *name = gelf_getshdr(scn, &h) ? elf_strptr(elf, names, h.sh_name) : NULL;

		for (size_t i = 0; name && h.sh_type != SHT_NOBITS && i < sizeof(hurt) / sizeof(hurt[0]); i++)
			if (!strcmp(name, hurt[i])) {
				add_range(f, h.sh_offset, h.sh_size);
				add_range(f, h.sh_offset, 64); /* its head twice as often */
			}
	}
	elf_end(elf);
}

static void open_file(struct file *f, const char *name)
{
	cleanup_close int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct stat s;

	if (fd < 0 || fstat(fd, &s) < 0 || s.st_size <= 0) {
		fprintf(stderr, "fuzz_layout: %s: %s\n", name, strerror(errno));
		exit(2);
	}
	f->name = name;
	f->size = (uint64_t)s.st_size;
	f->bytes = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	f->fd = memfd_create("damaged", MFD_CLOEXEC);
	if (f->bytes == MAP_FAILED || pwrite(f->fd, f->bytes, f->size, 0) != s.st_size)
		exit(2);
	find_ranges(f);
	if (!f->n)
		add_range(f, 0, f->size);
}

/* ---- damage ------------------------------------------------------------------------------------------------------------------------- */

static void write_at(struct file *f, const void *data, uint64_t n, uint64_t at)
{
	if (at >= f->size)
		return;
	if (n > f->size - at)
		n = f->size - at;
	if (pwrite(f->fd, data, n, (off_t)at) != (ssize_t)n)
		exit(2);
}

static struct range hurt_once(struct file *f)
{
	static const uint64_t numbers[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0,
		0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xfffffffffffffff0 };
	const struct range *r = &f->ranges[below(f->n)];
	/* The runtime is at the front of a section: hurt that more often. */
	uint64_t at = r->at + below(below(2) ? r->size : r->size < 65536 ? r->size : 65536), n = 1;
	unsigned char bytes[256];

	switch (below(7)) {
	case 0:
		bytes[0] = (unsigned char)(f->bytes[at] ^ 1u << below(8));
		break;
	case 1:
		bytes[0] = (unsigned char)next_random();
		break;
	case 2:
	case 3:
		n = UINT64_C(1) << below(4);
		memcpy(bytes, &numbers[below(sizeof(numbers) / sizeof(numbers[0]))], n);
		break;
	case 4:
		n = 1 + below(sizeof(bytes));
		memset(bytes, below(2) ? 0xff : 0, n);
		break;
	case 5:
		n = 1 + below(sizeof(bytes));
		for (uint64_t i = 0; i < n; i++)
			bytes[i] = (unsigned char)next_random();
		break;
	default: /* bytes of another place */
		n = 1 + below(sizeof(bytes) < r->size ? sizeof(bytes) : r->size);
		memcpy(bytes, f->bytes + r->at + below(r->size - n + 1), n);
	}
	write_at(f, bytes, n, at);
	return (struct range){ at, n };
}

static void execute(uint64_t seed, uint64_t k)
{
	struct range hurt[HURTS_MAX];
	struct counter_plan plan;
	struct go_layout *l = NULL;
	struct file *f;
	size_t n;
	double began = now();

	state = (seed * UINT64_C(0x9E3779B97F4A7C15)) ^ (k + 1) * UINT64_C(0xBF58476D1CE4E5B9);
	state += !state;
	f = &files[below(n_files)];
	n = 1 + below(HURTS_MAX);
	for (size_t i = 0; i < n; i++)
		hurt[i] = hurt_once(f);
	bool cut = below(40) == 0;
	if (cut && ftruncate(f->fd, (off_t)below(f->size)) < 0)
		exit(2);
	(void)alarm(HANG_SECONDS);
	if (layout_read(f->fd, f->name, &l, NULL) == 0) {
		progress->reached_layout++;
		counter_plan_make(&plan, l, below(2) ? 0 : next_random());
		if (strnlen(l->version, sizeof(l->version)) == sizeof(l->version) ||
		    strnlen(l->build_id, sizeof(l->build_id)) == sizeof(l->build_id))
			abort();
	}
	free(l);
	(void)alarm(0);
	if (cut)
		write_at(f, f->bytes, f->size, 0);
	for (size_t i = 0; i < n; i++)
		write_at(f, f->bytes + hurt[i].at, hurt[i].size, hurt[i].at);
	uint64_t ms = (uint64_t)((now() - began) * 1e3);
	if (ms > progress->slowest_ms)
		progress->slowest_ms = ms;
}

int main(int argc, char **argv)
{
	uint64_t seed, first, count, bad = 0;
	double until;

	if (argc < 6 || argc - 5 > FILES_MAX) {
		fprintf(stderr, "usage: fuzz_layout SEED FIRST COUNT SECONDS FILE...\n");
		return 2;
	}
	(void)elf_version(EV_CURRENT);
	seed = strtoull(argv[1], NULL, 10);
	first = strtoull(argv[2], NULL, 10);
	count = strtoull(argv[3], NULL, 10);
	until = atof(argv[4]) > 0 ? now() + atof(argv[4]) : 1e300;
	for (int i = 5; i < argc; i++)
		open_file(&files[n_files++], argv[i]);
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		return 2;
	progress->at = first;
	while ((!count || progress->at < first + count) && now() < until) {
		pid_t worker;
		int status;

		fflush(stdout);
		worker = fork();
		if (worker == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (; (!count || progress->at < first + count) && now() < until; progress->at++)
				execute(seed, progress->at);
			_exit(0);
		}
		while (waitpid(worker, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			break;
		bad++;
		printf("%s at execution %" PRIu64 ": fuzz_layout %" PRIu64 " %" PRIu64 " 1 0 and the same files\n",
		       WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "a hang" : "a crash", progress->at, seed, progress->at);
		/* What the worker damaged is as it was left. */
		for (size_t i = 0; i < n_files; i++)
			if (ftruncate(files[i].fd, 0) == 0)
				write_at(&files[i], files[i].bytes, files[i].size, 0);
		progress->at++;
	}
	struct rusage u;
	(void)getrusage(RUSAGE_CHILDREN, &u);
	printf("executions %" PRIu64 ", still a Go binary %" PRIu64 ", crashes and hangs %" PRIu64 ", slowest %" PRIu64 " ms, at most %ld MB\n",
	       progress->at - first, progress->reached_layout, bad, progress->slowest_ms, u.ru_maxrss / 1024);
	return bad != 0;
}
