/* SPDX-License-Identifier: Apache-2.0
 *
 * diagnosis_text.h - why memory is there, in sentences that somebody on call can act on: what holds it, the numbers that show it, what would give
 * it back, where to look next. Of a recorded run and of a live process alike. Pure; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "analyse/mechanism.h"

struct strv;

/* What would give it back; "" where nothing is to be given back. Static. */
const char *diagnosis_remedy(const struct diagnosis *d);
/* Whether the next steps name heap profiles, where there are any. */
bool diagnosis_names_profiles(const struct diagnosis *d);
/* All of it as one text of several lines, not wrapped; caller frees. goroutines: goroutines.json, or NULL. profiles: paths of heap profiles
 * in order of time, or NULL; of two or more the command that compares first and last is told. */
char *diagnosis_text(const struct diagnosis *d, const json_t *goroutines, const struct strv *profiles);
/* The same for people, wrapped to so many columns. */
void diagnosis_print(FILE *out, const struct diagnosis *d, const json_t *goroutines, const struct strv *profiles, int columns);
/* New reference: {"mechanism", "mechanism_share", "runner_up", "rss_bytes", "held_bytes", "held": {mechanism: bytes}, "growing", "evidence",
 * "disproof", "why", "next", "text"}. */
json_t *diagnosis_json(const struct diagnosis *d, const json_t *goroutines, const struct strv *profiles);
