/* SPDX-License-Identifier: Apache-2.0
 *
 * stackwalk.h - where a goroutine that does not run is parked. Private to gostate/.
 *
 * Walks its stack as the runtime does: each function's frame size at each pc stands in its table (pclntab.h), so no frame pointers are
 * needed. A goroutine that goes on meanwhile gives a walk that ends early or in nonsense; many of a group are asked, see goroutines.c.
 * No allocation; any thread.
 */
#pragma once
#include "gostate/symbols.h"
#include "gostate/target.h"

/* The innermost place that is not the standard library's; where all are, the outermost function that is not the runtime's (a server's
 * connection loop); CODE_PLACE_NONE where it cannot be told. sp to hi: the stack in use. */
struct code_place stack_parked_at(const struct go_target *t, const struct symbols *s, uint64_t pc, uint64_t sp, uint64_t hi);
