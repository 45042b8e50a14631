/* SPDX-License-Identifier: Apache-2.0
 *
 * What a corpus does on all CPUs beside its runs: builds before them, figures after them. Each CPU has a child process that takes
 * one task after the other; what it makes lies in the build cache, or in the campaign's folder.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "base/alloc.h"
#include "base/units.h"
#include "cmd/corpus_parts.h"
#include "cmd/run_parts.h"

#define WORKERS_MAX 64

struct task {
	struct job *j;                /* borrowed */
	const struct toolchain *from; /* borrowed; of a build */
	const char *go_line;          /* borrowed; of a build; may be NULL */
};

struct tasks {
	struct task *v; /* owned */
	size_t n;
	void (*work)(const struct task *t);
};

/* In memory that all workers share. */
struct counters {
	unsigned taken, done;
};

static void work(const struct tasks *t, struct counters *c)
{
	unsigned i;

	while ((i = __atomic_fetch_add(&c->taken, 1, __ATOMIC_SEQ_CST)) < t->n) {
		t->work(&t->v[i]);
		(void)__atomic_add_fetch(&c->done, 1, __ATOMIC_SEQ_CST);
	}
}

static size_t start_workers(const struct tasks *t, struct counters *c, pid_t workers[WORKERS_MAX])
{
	size_t wanted = t->n && t->v[0].j->host.cpus < WORKERS_MAX ? t->v[0].j->host.cpus : WORKERS_MAX, n = 0;
	pid_t parent = getpid();

	(void)fflush(NULL);
	while (n < wanted && n < t->n) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
			if (getppid() == parent)
				work(t, c);
			_exit(0);
		}
		workers[n++] = pid;
	}
	return n;
}

static void share_out(const struct tasks *t, void (*tick)(unsigned done, unsigned all, void *arg), void *arg)
{
	struct counters *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct timespec moment = { 0, 100 * NS_PER_MS };
	pid_t workers[WORKERS_MAX];
	size_t n = 0, left;

	if (c == MAP_FAILED || !t->n)
		return;
	n = left = start_workers(t, c, workers);
	while (left) {
		tick(__atomic_load_n(&c->done, __ATOMIC_SEQ_CST), (unsigned)t->n, arg);
		(void)nanosleep(&moment, NULL);
		for (size_t i = 0; i < n; i++)
			if (workers[i] > 0 && waitpid(workers[i], NULL, WNOHANG) != 0) {
				workers[i] = 0;
				left--;
			}
	}
	(void)munmap(c, sizeof(*c));
}

static void build(const struct task *t)
{
	struct build b = { 0 };

	if (program_build(&t->j->scenario->program, t->from, t->go_line, t->j->home, &b, NULL) >= 0)
		build_done(&b);
}

static const struct toolchain *local_of(const struct job *j, const struct go_spec *g)
{
	for (size_t i = 0; i < j->local.n; i++)
		if (g->goroot ? !strcmp(j->local.v[i].goroot, g->goroot) : !go_version_compare(&j->local.v[i].version, &g->version))
			return &j->local.v[i];
	return NULL;
}

static void add_builds(struct tasks *t, struct strv *known, struct job *j)
{
	for (size_t i = 0; i < j->plan->n_cells; i++) {
		const struct cell *c = &j->plan->cells[i];
		const struct toolchain *from = c->go && !c->why_not ? local_of(j, c->go) : NULL;
		const struct program *p = &j->scenario->program;

		if (!from || p->kind == PROGRAM_COMMAND)
			continue;

		cleanup_free char *key = strf("%s %s %s %s", p->dir, p->package, from->goroot, c->go_line ? c->go_line : "");
		if (strv_contains(known, key))
			continue;
		strv_push(known, key);
		t->v = xreallocarray(t->v, t->n + 1, sizeof(*t->v));
		t->v[t->n++] = (struct task){ j, from, c->go_line };
	}
}

void corpus_build(struct job *const *jobs, unsigned long n, void (*tick)(unsigned done, unsigned all, void *arg), void *arg)
{
	struct tasks t = { .work = build };
	cleanup_strv struct strv known = STRV_INIT;

	for (size_t i = 0; i < n; i++)
		add_builds(&t, &known, jobs[i]);
	share_out(&t, tick, arg);
	free(t.v);
}

static void draw(const struct task *t)
{
	job_draw(t->j);
}

void corpus_draw(struct job *const *jobs, unsigned long n, void (*tick)(unsigned done, unsigned all, void *arg), void *arg)
{
	struct tasks t = { .v = xcalloc(n + 1, sizeof(*t.v)), .n = n, .work = draw };

	for (size_t i = 0; i < n; i++)
		t.v[i].j = jobs[i];
	share_out(&t, tick, arg);
	free(t.v);
}
