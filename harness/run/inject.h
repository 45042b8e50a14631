/* SPDX-License-Identifier: Apache-2.0
 *
 * inject.h - brings a process onto a virtual clock, at the moment when it has executed a program and not run an instruction of it.
 *
 * Two pages are mapped into it, and in its vDSO's symbol table clock_gettime, gettimeofday and time point at the trampolines
 * there (trampoline.h), before any runtime looks them up. No code is changed. What it costs: 3 pages of RSS.
 * For the thread that traces the process.
 */
#pragma once
#include <sys/types.h>

struct err;

/* pid: in its PTRACE_EVENT_EXEC stop, traced by the caller, and left as it was. page_path: the shared page's file, as the
 * process can open it. On failure it is left outside: it would run in real time. */
int inject_clock(pid_t pid, const char *page_path, struct err *err);
