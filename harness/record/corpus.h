/* SPDX-License-Identifier: Apache-2.0
 *
 * corpus.h - the folder of all scenarios run at once: a campaign each, and corpus.json. FORMAT.md describes it.
 *
 * Main thread only.
 */
#pragma once
#include "record/reader.h"

#define CORPUS_FORMAT "memtide-corpus/1"

struct corpus {
	char *dir;    /* owned */
	json_t *info; /* owned reference: corpus.json */
	struct campaign **campaigns; /* owned, each too; in corpus.json's order; those of which there is nothing are left out */
	size_t n;
};

/* dir itself if given, else the newest corpus under results_dir, by the time at which it started. Caller frees. */
int corpus_locate(const char *dir_or_null, const char *results_dir, char **ret, struct err *err);
/* A campaign that cannot be read is told in ret_warnings (may be NULL) and left out. */
int corpus_read(const char *dir, struct corpus **ret, struct strv *ret_warnings, struct err *err);
/* NULL-safe. Returns NULL. */
struct corpus *corpus_free(struct corpus *c);

static inline void cleanup_corpusp(struct corpus **c)
{
	corpus_free(*c);
}
#define cleanup_corpus __attribute__((cleanup(cleanup_corpusp)))
