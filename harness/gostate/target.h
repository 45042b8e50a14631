/* SPDX-License-Identifier: Apache-2.0
 *
 * target.h - a live process with a Go runtime in it, its program's or that of a library which it has loaded, and bytes of its memory.
 *
 * Reads only, by process_vm_readv(2) and /proc: the target is never stopped, nothing is written to it, and no lock of its runtime is
 * taken. Of the kernel's, its mmap lock, for reading, as its own page faults take it: who reads waits while the target forks or maps.
 * That needs what ptrace(2) calls PTRACE_MODE_ATTACH_REALCREDS: the same user, or CAP_SYS_PTRACE, and a Yama ptrace_scope that
 * lets it. What is read may be torn and may be a lie: whoever reads bounds counts and follows no pointer without a limit. A reused
 * pid or another program after an exec are noticed by go_target_is_same(), and never silently read on.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "gostate/layout.h"

struct err;
struct go_target;

/* Why a process cannot be read, beside the sentence in err. */
enum go_refusal {
	GO_REFUSED_NOTHING, /* it can be */
	GO_REFUSED_GONE,    /* no such process, or it has exited */
	GO_REFUSED_RIGHTS,  /* not this user's, or ptrace_scope forbids */
	GO_REFUSED_NOT_GO,
	GO_REFUSED_LAYOUT, /* a Go program of which only the kernel's view is left (-s -w, a release before 1.5, damaged DWARF) */
};

/* Its binary is read by way of /proc/PID/exe: the one that runs, replaced on disk or not, in whatever mount namespace. Layouts of
 * binaries seen before are kept for the life of memtide. The first binary of a release that was linked with -w takes seconds, since a
 * program is built for its offsets (offsets.h). Main thread. */
int go_target_open(pid_t pid, struct go_target **ret, enum go_refusal *ret_why, struct err *err);
/* The same for a loop that must not stop: where that program would have to be built, it is refused (GO_REFUSED_LAYOUT). */
int go_target_open_quickly(pid_t pid, struct go_target **ret, enum go_refusal *ret_why, struct err *err);
/* Learns the layout of a binary that is about to run, so that no live process has to wait for that. Main thread. */
int go_binary_prepare(const char *path, struct err *err);
/* NULL-safe; returns NULL. Not while another thread reads. */
struct go_target *go_target_free(struct go_target *t);

pid_t go_target_pid(const struct go_target *t);
const struct go_layout *go_target_layout(const struct go_target *t);
/* The path, as the process names it, of the library that holds the runtime (-buildmode=c-shared), of a program that is not Go; NULL: the
 * program itself does. Borrowed. */
const char *go_target_library(const struct go_target *t);
/* It is still the process and the program that were opened. */
bool go_target_is_same(const struct go_target *t);

/* All below: any thread, no allocation. false: not all bytes could be read. */
bool go_target_read(const struct go_target *t, uint64_t address, void *ret, size_t n);
/* A place of the layout, with the load bias; n: at most its size is read, the rest of ret is zeroed. */
bool go_target_read_place(const struct go_target *t, enum go_place_id id, void *ret, size_t n);
/* The live address of a place; 0: this binary has no such thing. */
uint64_t go_target_address(const struct go_target *t, enum go_place_id id);
/* n records of `size` bytes each, from n addresses, into one array; as few calls as the kernel allows. Returns how many records from
 * the first on were read whole; an address that is not mapped ends it. */
size_t go_target_read_each(const struct go_target *t, const uint64_t *addresses, size_t n, size_t size, void *ret);
/* A member of a record that was read: its 1, 2, 4 or 8 bytes as a number. GO_UNKNOWN (readings.h) where the release has none. */
uint64_t go_member_value(const struct go_layout *l, enum go_member_id id, const void *record);
