/* SPDX-License-Identifier: Apache-2.0
 *
 * file.h - whole small files, folders, and writing so that a reader never sees half a file.
 *
 * Every error names the path. Any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct err;

/* Reads the whole file, at most max bytes (more is EFBIG); a 0 byte follows. ret_len may be NULL. Caller frees. */
int file_read(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err);
/* Writes beside (path.tmp.PID), fsyncs, renames: after a crash or a full disk the old content or the new is there. */
int file_write(const char *path, const void *data, size_t len, struct err *err);
/* One write() of text into an existing file, as control files of the kernel want it: 0 or -errno. */
int file_write_in_place(const char *path, const char *text);
int file_copy(const char *from, const char *to, mode_t mode, struct err *err);
bool file_exists(const char *path);
bool folder_exists(const char *path);
/* mkdir -p */
int folder_make(const char *path, struct err *err);
/* rm -rf, never following links, never leaving the file system. A missing folder is success. */
int folder_remove(const char *path, struct err *err);
/* Names in the folder, sorted, without . and .. */
struct strv;
int folder_list(const char *path, struct strv *ret, struct err *err);
/* $XDG_CACHE_HOME/memtide or ~/.cache/memtide; not created. Caller frees. */
char *cache_folder(void);
/* Where scenarios/, goprogs/ and plots/ are: $MEMTIDE_HOME, else the folder above the one the executable lies in. Caller frees. */
char *home_folder(void);
/* SHA-256 as 64 hexadecimal digits. */
void sha256_hex(const void *data, size_t len, char ret[65]);
int sha256_file(const char *path, char ret[65], struct err *err);
