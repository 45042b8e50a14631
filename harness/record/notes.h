/* SPDX-License-Identifier: Apache-2.0
 *
 * notes.h - marks that a person adds to a finished run: notes.tsv in the run's folder. FORMAT.md describes it.
 *
 * Times are the target's, in ns since its exec. The file is replaced whole: two who write at once do not mix lines, the last one's stay.
 * Any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define NOTE_CHARS_MAX 60  /* of a text; UTF-8 characters */
#define NOTES_MAX      200 /* of a run */

struct err;
struct strv;

struct note {
	int64_t t_ns;
	char *text; /* owned */
};

struct notes {
	struct note *v; /* owned; ascending in time, those of one time in the order in which they were made */
	size_t n;
};

/* A run without the file has no notes. What cannot be read is told in damage (may be NULL), and what comes before it is there; an error is a
 * newer format, or a file that cannot be read. */
int notes_read(const char *run_dir, struct notes *ret, struct strv *damage, struct err *err);
/* Keeps the order. The text must have passed note_check(). Fails where there are NOTES_MAX. */
int notes_add(struct notes *notes, int64_t t_ns, const char *text, struct err *err);
void notes_remove(struct notes *notes, size_t i);
/* Without any note the file is removed. */
int notes_write(const char *run_dir, const struct notes *notes, struct err *err);
void notes_done(struct notes *notes);
#define cleanup_notes __attribute__((cleanup(notes_done)))

/* UTF-8 of 1 to NOTE_CHARS_MAX characters, not blanks alone, without control characters and those that change the direction of writing;
 * else a usage error. */
int note_check(const char *text, struct err *err);
