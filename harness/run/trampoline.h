/* SPDX-License-Identifier: Apache-2.0
 *
 * trampoline.h - the machine code that a process on the virtual clock reads the time through (trampoline.S).
 *
 * In the process: a page shared by all of the run, whose first 8 bytes are the offset in ns, and right above it a page of its
 * own with this code, in which the addresses of its own vDSO's functions have been filled in. Reading time costs 10 ns more.
 */
#pragma once
#include <stdint.h>

#define TRAMPOLINE_PAGE 4096

extern const uint8_t trampoline_begin[], trampoline_end[];
extern const uint8_t trampoline_clock_gettime[], trampoline_gettimeofday[], trampoline_time[];
/* Two words to be filled in. */
extern const uint8_t trampoline_real_clock_gettime[], trampoline_real_gettimeofday[];
