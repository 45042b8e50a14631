/* SPDX-License-Identifier: Apache-2.0
 *
 * meter WHAT ... - measures the real sampler, and prints what it found as lines of `name value`. `make bench` drives it.
 *   cost                    of reading one sample, caches hot
 *   rate HZ TARGETS SECONDS lateness, missed ticks and CPU with so many sleeping targets of 20 MiB, each in a group of its own
 *   look                    of a look whether 20 sleeping threads sleep, as the virtual clock takes it
 *   wake                    of ending a sleeper's wait, until it sleeps again
 *   slow HZ PAIRS           how much CPU time a page fault costs a target with and without sampling, phase by phase in turn
 * As a target of memtide itself:
 *   burst MIB MS            100 ms of baseline, mark `load`, touches MIB, gives it back at once, lives on for MS
 * Where no group can be made (an ordinary user) there is `groups 0`, and usage is not read.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "run/cgroup.h"
#include "run/sampler.h"
#include "run/sleepers.h"
#include "run/spawn.h"
#include "run/target_files.h"

#define HOLD_MIB 20
#define BLOCK_BYTES (16 * MIB) /* that the faulting target touches at a time */
#define BATCHES 21
#define BATCH_READS 20000
#define PHASE_MS 250
#define TARGETS_MAX 64

static const char *self;

struct target {
	struct child child;
	struct memcg *group; /* NULL: none */
	struct target_files files;
	struct clock clock;
	struct sampler_slot *slot;
};

static void fail(struct err *err)
{
	fprintf(stderr, "meter: %s\n", err_text(err));
	exit(1);
}

static void wait_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * NS_PER_MS };

	while (nanosleep(&t, &t) < 0)
		;
}

/* ---- targets ------------------------------------------------------------ */

static int hold(void)
{
	char *memory = mmap(NULL, HOLD_MIB * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, HOLD_MIB * MIB);
	for (;;)
		(void)pause();
}

/* Counts the pages that it has touched in the file, which the meter maps too. */
static int fault(const char *file)
{
	int fd = open(file, O_RDWR | O_CLOEXEC);
	volatile uint64_t *pages = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (pages == MAP_FAILED)
		return 1;
	for (;;) {
		char *memory = mmap(NULL, BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (memory == MAP_FAILED || madvise(memory, BLOCK_BYTES, MADV_NOHUGEPAGE) < 0)
			return 1;
		for (size_t at = 0; at < BLOCK_BYTES; at += 4096) {
			((volatile char *)memory)[at] = 1;
			++*pages;
		}
		if (munmap(memory, BLOCK_BYTES) < 0)
			return 1;
	}
}

static int burst(size_t bytes, long ms)
{
	const char *mark_fd = getenv("MEMTIDE_MARK_FD");

	wait_ms(100);
	if (mark_fd && write(atoi(mark_fd), "load\n", 5) != 5)
		return 1;
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || madvise(memory, bytes, MADV_NOHUGEPAGE) < 0)
		return 1;
	memset(memory, 1, bytes);
	if (munmap(memory, bytes) < 0)
		return 1;
	if (ms)
		wait_ms(ms);
	return 0;
}

static struct memcg_root *open_groups(void)
{
	struct err cleanup_err err = ERR_INIT;
	struct memcg_root *groups = NULL;

	(void)memcg_root_open(&groups, NULL, &err);
	printf("groups %d\n", groups ? memcg_root_version(groups) : 0);
	return groups;
}

static void start(struct target *t, struct memcg_root *groups, int number, const char *what, const char *file)
{
	struct err err = ERR_INIT;
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *argv[] = { self, what, file, NULL }, *envp[] = { NULL };
	struct spawn s = { .argv = argv, .envp = envp, .stdout_fd = null, .stderr_fd = null, .mark_fd = null };
	cleanup_free char *name = strf("meter-%d", number);

	*t = (struct target){ 0 };
	if (groups && memcg_create(groups, name, 0, &t->group, &err) < 0)
		fail(&err);
	s.memcg = t->group;
	if (spawn(&s, &t->child, &err) < 0)
		fail(&err);
	t->clock = (struct clock){ .exec_ns = clock_monotonic_ns() };
	if (target_files_open(&t->files, t->child.pid, t->group, &err) < 0)
		fail(&err);
}

static void await_rss(const struct target *t, uint64_t bytes)
{
	struct sample s = { 0 };

	while (target_read_sample(&t->files, &s) && s.rss_bytes < bytes)
		wait_ms(1);
}

static void end(struct target *t)
{
	(void)kill(t->child.pid, SIGKILL);
	while (waitpid(t->child.pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)close(t->child.pidfd);
	target_files_close(&t->files);
	memcg_free(t->group);
}

/* ---- sampling ------------------------------------------------------------ */

static void ignore_sample(void *arg, const struct sample *s)
{
	(void)arg;
	(void)s;
}

static void ignore_probe(void *arg, const struct probe *p)
{
	(void)arg;
	(void)p;
}

static void ignore_mark(void *arg, const struct mark *m)
{
	(void)arg;
	(void)m;
}

static const struct sampler_sink sink = { ignore_sample, ignore_probe, ignore_mark, NULL, NULL, NULL };

static void begin_sampling(struct sampler *s, struct target *t)
{
	struct err err = ERR_INIT;

	if (sampler_add(s, t->child.pid, t->group, -1, &t->clock, &t->slot, &err) < 0)
		fail(&err);
}

static void end_sampling(struct target *t, struct sampling_stats *ret)
{
	sampler_stop(t->slot, ret);
	sampler_drain(t->slot, &sink);
	sampler_release(t->slot);
	t->slot = NULL;
}

static double own_cpu_s(void)
{
	struct rusage u;

	(void)getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), ascending);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* ---- what is measured ------------------------------------------------------------ */

static int measure_cost(void)
{
	struct memcg_root *groups = open_groups();
	struct target t;
	struct sample s;
	double us[BATCHES];

	start(&t, groups, 0, "hold", NULL);
	await_rss(&t, HOLD_MIB * MIB);
	for (size_t b = 0; b < BATCHES; b++) {
		int64_t from = clock_monotonic_ns();

		for (int i = 0; i < BATCH_READS; i++)
			if (!target_read_sample(&t.files, &s))
				return 1;
		us[b] = (double)(clock_monotonic_ns() - from) / BATCH_READS / 1e3;
	}
	printf("read_us %.3f\n", median(us, BATCHES));
	end(&t);
	memcg_root_free(groups);
	return 0;
}

static int measure_rate(unsigned hz, int n, double seconds)
{
	struct err err = ERR_INIT;
	struct memcg_root *groups = open_groups();
	struct target t[TARGETS_MAX];
	struct sampling_stats stats = { 0 };
	struct sampler *s = NULL;

	for (int i = 0; i < n; i++)
		start(&t[i], groups, i, "hold", NULL);
	for (int i = 0; i < n; i++)
		await_rss(&t[i], HOLD_MIB * MIB);
	if (sampler_start(&s, hz, &err) < 0)
		fail(&err);
	for (int i = 0; i < n; i++)
		begin_sampling(s, &t[i]);

	int64_t from = clock_monotonic_ns();
	double cpu_from = own_cpu_s();

	while (clock_monotonic_ns() - from < (int64_t)(seconds * 1e9)) {
		wait_ms(50);
		for (int i = 0; i < n; i++)
			sampler_drain(t[i].slot, &sink);
	}
	double wall = (double)(clock_monotonic_ns() - from) / 1e9, cpu = own_cpu_s() - cpu_from;

	for (int i = n; i-- > 0;)
		end_sampling(&t[i], &stats);
	printf("samples %" PRIu64 "\nmissed_percent %.3f\nlost %" PRIu64 "\n", stats.samples,
	       100.0 * (double)stats.missed / (double)(stats.samples + stats.missed), stats.lost);
	printf("p50_us %.1f\np99_us %.1f\nmax_us %.1f\ncpu_percent %.3f\nfifo %d\n", stats.lateness_p50_us, stats.lateness_p99_us,
	       stats.lateness_max_us, 100 * cpu / wall, !strcmp(sampler_scheduling(s), "fifo"));
	for (int i = 0; i < n; i++)
		end(&t[i]);
	sampler_free(s);
	memcg_root_free(groups);
	return 0;
}

/* CPU time of the target for one page, over one phase: other processes that want the CPU do not count. */
static double ns_per_page(const struct target *t, const volatile uint64_t *pages)
{
	struct timespec from, to;
	uint64_t before;

	(void)clock_gettime(t->files.cpu_clock, &from);
	before = *pages;
	wait_ms(PHASE_MS);
	(void)clock_gettime(t->files.cpu_clock, &to);
	return (double)((to.tv_sec - from.tv_sec) * NS_PER_S + to.tv_nsec - from.tv_nsec) / (double)(*pages - before);
}

static int measure_slow(unsigned hz, size_t pairs)
{
	struct err err = ERR_INIT;
	struct memcg_root *groups = open_groups();
	char file[] = "/tmp/memtide-meter-XXXXXX";
	int fd = mkstemp(file);
	struct target t;
	struct sampler *s = NULL;
	struct sampling_stats stats;
	double *ratio = xcalloc(pairs, sizeof(*ratio)), *plain = xcalloc(pairs, sizeof(*plain));

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		return 1;
	const volatile uint64_t *pages = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	start(&t, groups, 0, "fault", file);
	while (pages != MAP_FAILED && *pages == 0)
		wait_ms(1);
	(void)unlink(file);
	if (sampler_start(&s, hz, &err) < 0)
		fail(&err);
	/* Which of the two comes first alternates: what drifts with time hits both alike. */
	for (size_t i = 0; i < pairs; i++) {
		double off = i % 2 ? 0 : ns_per_page(&t, pages);

		begin_sampling(s, &t);
		double on = ns_per_page(&t, pages);
		end_sampling(&t, &stats);
		plain[i] = i % 2 ? ns_per_page(&t, pages) : off;
		ratio[i] = on / plain[i];
	}
	printf("slower_percent %.3f\n", 100 * (median(ratio, pairs) - 1));
	printf("quartile_low_percent %.3f\n", 100 * (ratio[pairs / 4] - 1));
	printf("quartile_high_percent %.3f\n", 100 * (ratio[pairs * 3 / 4] - 1));
	printf("page_ns %.1f\n", median(plain, pairs));
	end(&t);
	sampler_free(s);
	memcg_root_free(groups);
	free(ratio);
	free(plain);
	return close(fd);
}

#define SLEEPERS 20
#define LOOKS 1000

static void *sleep_on(void *arg)
{
	for (;;)
		wait_ms(1000000);
	return arg;
}

static pid_t start_sleepers(void)
{
	pid_t pid = fork();

	for (int i = 1; pid == 0 && i < SLEEPERS; i++) {
		pthread_t t;

		(void)pthread_create(&t, NULL, sleep_on, NULL);
	}
	if (pid == 0)
		(void)sleep_on(NULL);
	wait_ms(100);
	return pid;
}

/* The median of batches, so that a batch during which the machine did something else does not count. */
static int measure_looks(bool wake)
{
	struct clock clock = { .exec_ns = clock_monotonic_ns() };
	struct sleepers *s = sleepers_new(&clock);
	pid_t pid = start_sleepers(), tid;
	double us[BATCHES];
	uint64_t n;
	int64_t next;

	(void)sleepers_set(s, &pid, 1);
	for (int b = 0; b < BATCHES; b++) {
		int64_t from = clock_monotonic_ns();

		if (wake) {
			while (sleepers_look(s, false, &next) != LOOK_ASLEEP)
				;
			sleepers_jumped(s);
			n = sleepers_woken(s);
			from = clock_monotonic_ns();
			(void)sleepers_wake(s, INT64_MAX - 1, &tid);
			n = sleepers_woken(s) - n;
		} else {
			for (int i = 0; i < LOOKS; i++)
				if (sleepers_look(s, false, &next) != LOOK_ASLEEP)
					i--;
			n = LOOKS;
		}
		us[b] = (double)(clock_monotonic_ns() - from) / 1e3 / (double)(n ? n : 1);
	}
	printf("%s_us %.2f\n", wake ? "wake" : "look", median(us, BATCHES));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	(void)sleepers_free(s);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	self = argv[0];
	if (!strcmp(what, "hold"))
		return hold();
	if (!strcmp(what, "fault") && argc == 3)
		return fault(argv[2]);
	if (!strcmp(what, "burst") && argc == 4)
		return burst(strtoul(argv[2], NULL, 10) * MIB, atol(argv[3]));
	if (!strcmp(what, "cost"))
		return measure_cost();
	if (!strcmp(what, "look") || !strcmp(what, "wake"))
		return measure_looks(!strcmp(what, "wake"));
	if (!strcmp(what, "rate") && argc == 5 && atoi(argv[3]) >= 1 && atoi(argv[3]) <= TARGETS_MAX)
		return measure_rate((unsigned)atoi(argv[2]), atoi(argv[3]), atof(argv[4]));
	if (!strcmp(what, "slow") && argc == 4 && atoi(argv[3]) >= 2)
		return measure_slow((unsigned)atoi(argv[2]), (size_t)atoi(argv[3]));
	fprintf(stderr, "meter: cost | look | wake | rate HZ TARGETS SECONDS | slow HZ PAIRS | burst MIB MS\n");
	return 2;
}
