/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus_parts.h - the actions of `memtide corpus`. Private to cmd/corpus*.c.
 */
#pragma once
#include <stdbool.h>

struct strv;

/* argc/argv from the action's name on. */
int corpus_run(int argc, char **argv);
int corpus_show(int argc, char **argv);
int corpus_mutate(int argc, char **argv);

/* Table, failed expectations, picture; the exit code. */
int corpus_show_dir(const char *dir, bool no_plot);

/* corpus_build.c: builds what the jobs need that is not in the cache yet, on all CPUs. What cannot be built is left to
 * job_prepare(), which says why. tick: called several times a second with how many of how many are done. */
struct job;
void corpus_build(struct job *const *jobs, unsigned long n, void (*tick)(unsigned done, unsigned all, void *arg), void *arg);
/* Draws the campaigns' own figures, on all CPUs; a failure is a warning. */
void corpus_draw(struct job *const *jobs, unsigned long n, void (*tick)(unsigned done, unsigned all, void *arg), void *arg);
