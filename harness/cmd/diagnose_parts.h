/* SPDX-License-Identifier: Apache-2.0
 *
 * diagnose_parts.h - the parts of `memtide diagnose`: a recorded campaign (diagnose.c), and the run that could prove the answer wrong
 * (diagnose_confirm.c).
 *
 * Private to cmd/diagnose*.c and to what diagnoses a record that it has just made. Main thread only.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "analyse/mechanism.h"
#include "base/strv.h"
#include "cmd/cmd.h"
#include "record/reader.h"

struct err;

struct diagnose_options {
	struct dir_options from;
	const char *cell; /* borrowed: a cell's id; NULL: all */
	bool json, confirm;
	int64_t for_ns;  /* of a process: how long it is watched; 0: not given */
	const char *out; /* borrowed: of a process: where its record is kept; NULL: nowhere */
	bool scratch;    /* the record lies where nobody asked for one: it is kept only where the answer names files of it */
	bool passing;    /* set by diagnose_campaign(): the record is gone when the answer is read, and is not named */
};

/* Why memory is there, of each cell of a campaign. Prints, and returns the exit code: 3 where one cannot be told. */
int diagnose_campaign(const char *dir, struct diagnose_options *o);

/* diagnose_live.c. A word that is a number names a process. */
bool diagnose_is_pid(const char *word);
/* Why the process o->from.dir holds its memory: watches it, prints, and returns the exit code. */
int diagnose_live(const struct diagnose_options *o);

/* What one run says, and what it was told from. */
struct run_answer {
	struct diagnosis d;
	json_t *goroutines;   /* owned reference; NULL: none */
	struct strv profiles; /* paths */
};

void run_answer_make(const struct campaign_run *r, struct run_answer *ret);
void run_answer_done(struct run_answer *t);

/* What came out of the run that could prove it wrong. */
struct confirmation {
	bool ran;        /* else `text` says why not */
	bool holds;
	enum mechanism mechanism; /* of that run */
	double rss_bytes;         /* NAN: unknown */
	char *with;      /* owned: "GODEBUG=madvdontneed=1"; "": nothing was changed */
	char *dir;       /* owned: its campaign; NULL */
	char *text;      /* owned: a sentence */
};
/* Runs the cell of r again, once, with the one setting of t->d.disproof, into DIR/confirm/. An error is what keeps memtide from running at all. */
int confirm_run(const struct campaign *c, const struct campaign_run *r, const struct run_answer *t, struct confirmation *ret, struct err *err);
void confirmation_done(struct confirmation *c);
