/* SPDX-License-Identifier: Apache-2.0
 *
 * proc.h - the texts of /proc/PID: one read of a file, and where a value stands in it (proc(5)).
 *
 * A process chooses part of what stands there, its name: no value is taken from it. Nothing allocates, locks or opens; any thread, the
 * sampling thread too.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The first bytes of the file, n - 1 at most, by one pread(); a 0 byte follows in any case. Returns how many; 0: none, or it cannot be read
 * (fd -1, the process is gone). */
size_t proc_read(int fd, char *buf, size_t n);
/* Where a field of /proc/PID/stat begins, as proc(5) numbers them, from 3 on: the fields begin behind the last ')'. NULL: it has no such one. */
const char *proc_stat_field(const char *stat_text, int field);
/* Where the value of a line "Key:\t  12 kB" of status or smaps begins. key: with the line end before it and the colon, "\nTgid:": the kernel
 * escapes a line end in a name, so that no name is taken for a key. NULL: there is no such line. */
const char *proc_value(const char *text, const char *key);
/* A value of an open /proc/PID/auxv: AT_ENTRY, ...; 0: it has none, or cannot be read. */
uint64_t proc_auxv(int fd, uint64_t type);
