/* SPDX-License-Identifier: Apache-2.0
 *
 * heap_profile.h - the heap profile that Go keeps by sampling (runtime.MemProfileRate), read from outside and written as pprof does.
 *
 * From Go 1.17 on the linker leaves it out where nothing in the program can ask for it (runtime.MemProfile, net/http/pprof): then there is none, and that is
 * said. Counts are scaled up by the rate as runtime/pprof does (scaleHeapSample). Any one thread.
 */
#pragma once
#include <stdint.h>

#include "gostate/symbols.h"
#include "gostate/target.h"

struct err;

struct heap_site {
	uint64_t *stack; /* return addresses, innermost first; owned */
	size_t n_stack;
	uint64_t inuse_objects, inuse_bytes, alloc_objects, alloc_bytes; /* as of the last garbage collection; scaled */
};

struct heap_profile {
	uint64_t rate;   /* bytes between two samples */
	struct heap_site *sites; /* owned; by inuse_bytes, descending */
	size_t n_sites;
};

/* 0; -ENODATA with the reason where the program keeps none. */
int heap_profile_read(const struct go_target *t, struct heap_profile *ret, struct err *err);
void heap_profile_done(struct heap_profile *p);
/* Gzipped profile.proto, as `go tool pprof` reads it, -diff_base included: sample types alloc_objects, alloc_space, inuse_objects, inuse_space. time_ns: since 1970. */
int heap_profile_write(const struct heap_profile *p, struct symbols *sym, const struct go_target *t, int64_t time_ns, const char *path,
		       struct err *err);
