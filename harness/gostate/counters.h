/* SPDX-License-Identifier: Apache-2.0
 *
 * counters.h - the runtime's own accounting and its settings, in one look of a few us.
 *
 * The runtime changes its counters one after the other, without stopping for us. A look that raced with it is recognised: sums that
 * must hold do not. It is then taken anew a few times, and if that does not help, told as raced: never given out wrong.
 */
#pragma once
#include "gostate/readings.h"
#include "gostate/target.h"

enum go_look {
	GO_LOOK_OK,
	GO_LOOK_EARLY, /* the runtime has not set itself up yet */
	GO_LOOK_RACED, /* no two sums fit: nothing is given out */
	GO_LOOK_GONE,  /* the process cannot be read any more */
};

/* For the sampling thread too: no allocation, no lock, bounded. */
enum go_look go_counters_read(const struct go_target *t, struct go_counters *ret);

/* The settings as they are in the process now. GO_UNKNOWN: the release has none, or it cannot be told. */
struct go_settings {
	uint64_t gogc;              /* percent; GO_OFF: off */
	uint64_t memory_limit_bytes; /* GO_OFF: none */
	uint64_t gomaxprocs;
	uint64_t madvdontneed; /* 0, 1: what is given back is given back by */
	uint64_t cgo;          /* 0, 1: C is linked in (runtime.iscgo; where it is, newer releases have it under another name: unknown) */
};
#define GO_OFF (UINT64_MAX - 1)
void go_settings_read(const struct go_target *t, struct go_settings *ret);
