/* SPDX-License-Identifier: Apache-2.0
 *
 * library.h - a Go runtime in a library (go build -buildmode=c-shared) that a program which is not Go has loaded. Private to gostate/.
 *
 * /proc/PID/maps tells which files have code in the process. A file is opened by /proc/PID/map_files where we may (CAP_SYS_ADMIN), so
 * that a deleted one is found too, else by its name below /proc/PID/root; it is the one that is mapped if the ELF header in memory is its
 * own. Main thread.
 */
#pragma once
#include <stdint.h>
#include <sys/types.h>

struct err;

struct go_library {
	int fd;        /* owned; -1: none */
	char *path;    /* owned: as the process names it */
	uint64_t bias; /* what its addresses were moved by */
};

/* 0 with fd -1: the process has loaded none, or it may not be seen. More than one is an error that says so: whose a value would be cannot be
 * told. */
int library_find(pid_t pid, struct go_library *ret, struct err *err);
void library_done(struct go_library *l);
