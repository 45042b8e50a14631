/* SPDX-License-Identifier: Apache-2.0
 *
 * heap_profile.h - the heap profile that Go keeps by sampling (runtime.MemProfileRate), read from outside and written as pprof does.
 *
 * From Go 1.17 on the linker leaves it out where nothing in the program can ask for it (runtime.MemProfile, net/http/pprof): then there
 * is none, and that is said. What is told is what runtime.MemProfile tells (runtime/mprof.go: active, and what is about to be added to
 * it), scaled up by the rate as runtime/pprof does (protomem.go, scaleHeapSample). The list in the target is anybody's: its length, its
 * stacks and its sums are bounded, and a list that comes back to itself is an error. Any one thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "gostate/symbols.h"
#include "gostate/target.h"

struct err;

struct heap_site {
	uint64_t *stack; /* return addresses, innermost first; from 1.12 on one a call, inlined or not. Owned */
	size_t n_stack;
	uint64_t object_bytes; /* of each object: a site has one size */
	uint64_t inuse_objects, inuse_bytes, alloc_objects, alloc_bytes; /* as of the garbage collection before the last; scaled */
};

struct heap_profile {
	uint64_t rate;   /* bytes between two samples */
	struct heap_site *sites; /* owned; by inuse_bytes, descending */
	size_t n_sites;
};
#define HEAP_SITES_MAX 1000000

/* 0; with the reason -ENODATA where the program keeps none, -EAGAIN where nothing has been sampled yet: soon after its start. */
int heap_profile_read(const struct go_target *t, struct heap_profile *ret, struct err *err);
void heap_profile_done(struct heap_profile *p);
/* Where a site allocates: the innermost place of its stack that is not the runtime's. */
struct code_place heap_site_place(const struct heap_site *site, const struct symbols *sym);
/* Gzipped profile.proto (github.com/google/pprof/proto), as `go tool pprof` reads it, -diff_base included: sample types alloc_objects,
 * alloc_space, inuse_objects, inuse_space; the last by default. time_ns: since 1970. */
int heap_profile_write(const struct heap_profile *p, const struct symbols *sym, const struct go_target *t, int64_t time_ns,
		       const char *path, struct err *err);
