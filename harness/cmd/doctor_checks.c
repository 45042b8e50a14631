/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/doctor_checks.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/subprocess.h"
#include "base/units.h"
#include "build/toolchain.h"
#include "gostate/rights.h"
#include "run/cgroup.h"
#include "run/host.h"
#include "run/limit_test.h"
#include "run/sampler.h"
#include "run/selftest.h"

#define CHILD_BYTES (50 * MIB)
#define TIGHT_BYTES (30 * MIB)
#define AMPLE_BYTES (100 * MIB)
#define TOOLCHAINS_BYTES (6ULL << 30) /* 17 releases, unpacked */

#define WITHOUT_GROUPS "memtide run --limit none   # measures without limits and groups"
#define ROOM_TO_TRY    "free -m; ulimit -a   # memory, processes and files must be left; then doctor again"

static struct check *add(struct checks *c, const char *name, enum check_state state, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static struct check *add(struct checks *c, const char *name, enum check_state state, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	c->v = xreallocarray(c->v, c->n + 1, sizeof(*c->v));
	c->v[c->n] = (struct check){ .name = name, .state = state, .found = vstrf(fmt, ap) };
	va_end(ap);
	return &c->v[c->n++];
}

/* The error's own second line says what mends it here: it differs between root, a container and a user's session. */
static void add_failed(struct checks *c, const char *name, const struct err *err, const char *mend_otherwise)
{
	const char *what = err_text(err), *mend = strstr(what, "\n  ");
	struct check *k = add(c, name, CHECK_FAIL, "%.*s", (int)strcspn(what, "\n"), what);

	k->mend = mend ? strf("%.*s", (int)strcspn(mend + 3, "\n"), mend + 3) : xstrdup(mend_otherwise);
}

static void check_tight(struct checks *c, struct memcg_root *groups)
{
	struct err cleanup_err err = ERR_INIT;
	struct limit_test t;

	if (limit_test_run(groups, TIGHT_BYTES, CHILD_BYTES, &t, &err) < 0) {
		add_failed(c, "memory limit", &err, WITHOUT_GROUPS);
		return;
	}
	if (t.killed)
		add(c, "memory limit", CHECK_OK, "a child that touched 50 MB was killed at a limit of 30 MB");
	else
		add(c, "memory limit", CHECK_FAIL, "a child touched 50 MB under a limit of 30 MB and lived")->mend =
			xstrdup("sudo swapoff -a   # swap that the kernel does not account defeats the limit");
	if (t.killed && t.oom_kills != MISSING && t.oom_kills > 0)
		add(c, "OOM detection", CHECK_OK, "the group counted the kill");
	else if (t.killed)
		add(c, "OOM detection", CHECK_FAIL, "the group did not count the kill: oom-cgroup will look like a signal")->mend =
			xstrdup("use a kernel that counts oom_kill in memory.oom_control (4.13) or memory.events (4.13)");
}

static void check_ample(struct checks *c, struct memcg_root *groups)
{
	struct err cleanup_err err = ERR_INIT;
	struct limit_test t;
	char peak[32], rss[32];

	if (limit_test_run(groups, AMPLE_BYTES, CHILD_BYTES, &t, &err) < 0) {
		add_failed(c, "counters", &err, WITHOUT_GROUPS);
		return;
	}
	bool lived = !t.killed && t.rss_bytes != MISSING && t.rss_bytes >= CHILD_BYTES && t.rss_bytes < CHILD_BYTES + 8 * MIB;
	bool counted = t.peak_bytes != MISSING && t.peak_bytes >= CHILD_BYTES && t.peak_bytes < AMPLE_BYTES;

	if (!lived)
		add(c, "counters", CHECK_FAIL, "a child of 50 MB did not live under a limit of 100 MB, or its RSS is not 50 MB")->mend =
			xstrdup("run doctor again on an idle machine, with a build without sanitizers; else take another kernel");
	else if (counted)
		add(c, "counters", CHECK_OK, "the same child under 100 MB lived: RSS %s, peak of its group %s",
		    format_size(rss, sizeof(rss), t.rss_bytes), format_size(peak, sizeof(peak), t.peak_bytes));
	else
		add(c, "counters", CHECK_WARN, "RSS is right (%s), but the group does not count its peak: memcg_peak_bytes will be missing",
		    format_size(rss, sizeof(rss), t.rss_bytes))
			->mend = xstrdup("use Linux 5.19 or later, where cgroup v2 has memory.peak");
}

static void check_groups(struct checks *c)
{
	struct err cleanup_err err = ERR_INIT;
	struct memcg_root *groups = NULL;

	if (memcg_root_open(&groups, NULL, &err) < 0) {
		add_failed(c, "cgroups", &err, WITHOUT_GROUPS);
		return;
	}
	add(c, "cgroups", CHECK_OK, "version %d, groups can be made", memcg_root_version(groups));
	check_tight(c, groups);
	check_ample(c, groups);
	memcg_root_free(groups);
}

static void check_statm(struct checks *c)
{
	struct err cleanup_err err = ERR_INIT;
	struct selftest t;

	if (selftest_run(&t, &err) < 0)
		add_failed(c, "RSS readings", &err, ROOM_TO_TRY);
	else if (t.worst_pages == 0)
		add(c, "RSS readings", CHECK_OK, "exact: %" PRIu64 " pages touched one by one, each seen at once", t.pages);
	else
		add(c, "RSS readings", CHECK_WARN, "off by up to %" PRIu64 " pages on this kernel (said in every record)", t.worst_pages)->mend =
			xstrdup("use Linux 6.16, or a 6.12 or 6.15 stable kernel of July 2025 or later, whose statm is exact");
}

/* A third of a second of the real sampler on this very process. */
static void check_sampler(struct checks *c)
{
	struct err cleanup_err err = ERR_INIT;
	struct sampler *s = NULL;
	struct sampler_slot *slot = NULL;
	struct sampling_stats t;
	struct clock clock;
	const struct timespec while_ = { 0, 300 * NS_PER_MS };

	clock = (struct clock){ .exec_ns = clock_monotonic_ns() };
	if (sampler_start(&s, 1000, &err) < 0 || sampler_add(s, getpid(), NULL, -1, &clock, &slot, &err) < 0) {
		add_failed(c, "sampling", &err, ROOM_TO_TRY);
		sampler_free(s);
		return;
	}
	(void)nanosleep(&while_, NULL);
	sampler_stop(slot, &t);
	sampler_release(slot);

	bool fifo = !strcmp(sampler_scheduling(s), "fifo");
	struct check *k = add(c, "sampling", fifo ? CHECK_OK : CHECK_WARN,
			      "1000 a second, %s: %" PRIu64 " of %" PRIu64 " ticks missed, late by %.0f us (median), %.0f us (p99)",
			      fifo ? "real-time priority" : "without real-time priority", t.missed, t.samples + t.missed, t.lateness_p50_us,
			      t.lateness_p99_us);
	if (!fifo)
		k->mend = xstrdup("sudo setcap cap_sys_nice+ep build/memtide   # or run as root");
	sampler_free(s);
}

static void check_virtual_clock(struct checks *c)
{
	struct err cleanup_err err = ERR_INIT;

	if (clock_check(CLOCK_KIND_VIRTUAL, &err) < 0)
		add_failed(c, "virtual clock", &err, "memtide run SCENARIO --clock real   # the same, in real time");
	else
		add(c, "virtual clock", CHECK_OK, "children can be traced, seccomp notifies, the clock is read in user space");
}

/* A child, as the programs are that memtide starts. */
static void check_inside(struct checks *c)
{
	struct err cleanup_err err = ERR_INIT;

	if (own_child_readable(&err) < 0)
		add_failed(c, "Go runtime", &err, ROOM_TO_TRY);
	else if (yama_scope() == 1 && !can_ptrace_all())
		add(c, "Go runtime", CHECK_WARN, "that of programs which memtide starts can be read; that of others only as root: kernel.yama.ptrace_scope is 1")
			->mend = xstrdup("sudo sysctl kernel.yama.ptrace_scope=0   # or memtide attach and diagnose as root");
	else
		add(c, "Go runtime", CHECK_OK, "can be read: of programs which memtide starts, and of %s that run already",
		    can_ptrace_all() ? "all others" : "this user's");
}

static void check_gnuplot(struct checks *c)
{
	static const char *const argv[] = { "gnuplot", "-e", "set terminal pngcairo; set terminal svg; print GPVAL_VERSION", NULL };
	const struct subprocess s = { .argv = argv, .timeout_ns = 10 * NS_PER_S };
	struct subprocess_result cleanup_subprocess r = { 0 };
	struct err cleanup_err err = ERR_INIT;

	if (subprocess_run(&s, &r, &err) < 0 || r.exit_code != 0)
		add(c, "gnuplot", CHECK_FAIL, "not there, or without pngcairo and svg: results are kept, figures are not drawn")->mend =
			xstrdup("sudo apt-get install gnuplot-nox");
	else
		add(c, "gnuplot", CHECK_OK, "version %.*s with pngcairo and svg", (int)strcspn(r.log, "\n"), r.log);
}

static void check_go(struct checks *c)
{
	struct err cleanup_err err = ERR_INIT;
	struct toolchains local = { 0 };
	struct catalogue catalogue = { 0 };
	cleanup_strv struct strv broken = STRV_INIT;
	cleanup_free char *offline = NULL;
	char oldest[32], newest[32];

	if (toolchains_find(&local, &broken, &err) < 0) {
		add_failed(c, "toolchains", &err, ROOM_TO_TRY);
		return;
	}
	if (local.n == 0)
		add(c, "toolchains", CHECK_FAIL, "no Go toolchain of 1.11 or later on this machine")->mend = xstrdup("make deps   # installs golang-go, which fetches the others");
	else
		add(c, "toolchains", CHECK_OK, "%zu Go release%s here, %s to %s", local.n, local.n == 1 ? "" : "s",
		    go_version_format(oldest, sizeof(oldest), &local.v[0].version),
		    go_version_format(newest, sizeof(newest), &local.v[local.n - 1].version));
	for (size_t i = 0; i < broken.n; i++)
		add(c, "toolchains", CHECK_WARN, "%s", broken.v[i])->mend = xstrdup("take it out of the way, or unpack that release anew");
	if (catalogue_load(&catalogue, &local, &offline, &err) < 0)
		add_failed(c, "module proxy", &err, ROOM_TO_TRY);
	else if (offline)
		add(c, "module proxy", CHECK_WARN, "not reached (%s): releases that are not here cannot be fetched", offline)->mend =
			xstrdup("go env GOPROXY   # must name a proxy that answers; HTTPS_PROXY where you need one");
	else
		add(c, "module proxy", CHECK_OK, "answers; the newest release it names is %s",
		    catalogue.n ? go_version_format(newest, sizeof(newest), &catalogue.entries[catalogue.n - 1].version) : "unknown");
	catalogue_done(&catalogue);
	toolchains_done(&local);
}

static void check_host(struct checks *c)
{
	struct host h;
	char a[32], b[32];

	host_read(&h);
	if (!*h.thp)
		add(c, "huge pages", CHECK_OK, "this kernel has no transparent huge pages");
	else if (!strcmp(h.thp, "always"))
		add(c, "huge pages", CHECK_WARN, "transparent huge pages are 'always': they move every curve, and khugepaged refills what was released")
			->mend = xstrdup("echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled");
	else
		add(c, "huge pages", CHECK_OK, "transparent huge pages are '%s'", h.thp);
	if (h.swap_bytes)
		add(c, "swap", CHECK_WARN, "%s of swap: memory that is swapped out leaves RSS without being released", format_size(a, sizeof(a), h.swap_bytes))
			->mend = xstrdup("sudo swapoff -a");
	else
		add(c, "swap", CHECK_OK, "none");
	if (h.available_bytes < 2ULL << 30)
		add(c, "memory", CHECK_WARN, "only %s of %s available: one run at a time", format_size(a, sizeof(a), h.available_bytes),
		    format_size(b, sizeof(b), h.memory_bytes))
			->mend = xstrdup("end what else uses memory   # ps -eo rss,comm --sort=-rss | head");
	else
		add(c, "memory", CHECK_OK, "%s of %s available, %u CPU%s, %s-byte pages, Linux %s", format_size(a, sizeof(a), h.available_bytes),
		    format_size(b, sizeof(b), h.memory_bytes), h.cpus, h.cpus == 1 ? "" : "s", h.page_bytes == 4096 ? "4096" : "large", h.kernel);
}

/* The cache folder need not exist yet: its nearest ancestor that does has the room. */
static void check_disk(struct checks *c)
{
	cleanup_free char *folder = cache_folder();
	struct statvfs fs;
	char size[32];

	while (!folder_exists(folder) && strrchr(folder, '/') > folder)
		*strrchr(folder, '/') = 0;
	if (statvfs(folder, &fs) < 0)
		return;

	uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
	struct check *k = add(c, "disk", room < TOOLCHAINS_BYTES ? CHECK_WARN : CHECK_OK, "%s free in %s (all Go releases take about 5 GB)",
			      format_size(size, sizeof(size), room), folder);
	if (room < TOOLCHAINS_BYTES)
		k->mend = xstrdup("go clean -modcache   # or set GOMODCACHE and XDG_CACHE_HOME to a larger disk");
}

void doctor_check_all(struct checks *ret)
{
	check_groups(ret);
	check_statm(ret);
	check_sampler(ret);
	check_virtual_clock(ret);
	check_inside(ret);
	check_host(ret);
	check_disk(ret);
	check_gnuplot(ret);
	check_go(ret);
}

void checks_done(struct checks *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].found);
		free(c->v[i].mend);
	}
	free(c->v);
	*c = (struct checks){ 0 };
}
