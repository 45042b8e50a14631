/* SPDX-License-Identifier: Apache-2.0
 *
 * subprocess.h - runs a helper command (go, gnuplot) to its end and keeps what it printed.
 *
 * Not for targets: those are run/spawn's. The child gets no standard input and dies with this process. Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct err;

struct subprocess {
	const char *const *argv; /* borrowed; argv[0] is looked up in PATH */
	const char *const *envp; /* borrowed; NULL: this process's environment */
	const char *cwd;         /* borrowed; NULL: unchanged */
	int64_t timeout_ns;      /* 0: none */
	void (*tick)(void *arg); /* called about five times a second while it runs; NULL: not */
	void *tick_arg;
};

struct subprocess_result {
	int exit_code; /* 128 + n after signal n; 127 where the command does not exist */
	char *out; /* owned: standard output, at most 64 MB */
	char *log; /* owned: standard error, at most 64 MB */
};

/* 0 as soon as the command ran, whatever its exit code; negative only where it could not be started or waited for, or the
 * time was up (ETIMEDOUT; the whole process group is killed). */
int subprocess_run(const struct subprocess *s, struct subprocess_result *ret, struct err *err);
void subprocess_result_done(struct subprocess_result *r);
#define cleanup_subprocess __attribute__((cleanup(subprocess_result_done)))
