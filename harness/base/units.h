/* SPDX-License-Identifier: Apache-2.0
 *
 * units.h - numbers with units, from text and to text; the only place where they are converted.
 *
 * Sizes are bytes in a uint64_t. Their units are powers of 1024, as the kernel's own "kB" in /proc is: 1 MB is 1 048 576
 * bytes, and so is 1 MiB and 1 M. Times are nanoseconds in an int64_t. Text is read whole: "64Mx", "0x10", "1e3", "010",
 * "-1" and "" are refused, with a sentence that names the text. Pure; any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct err;

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define MIB (1024ULL * 1024)

/* A whole number with an optional unit: "64MB", "64MiB", "64M", "4096"; B, k, M, G, T in either case. At least 1. */
int parse_size(const char *text, uint64_t *ret_bytes, struct err *err);
/* "650s", "10m", "11min", "1h30m", "200ms", "1.5s"; a unit is required. More than 0. */
int parse_duration(const char *text, int64_t *ret_ns, struct err *err);
/* A whole number between min and max. */
int parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct err *err);

/* Three significant digits: "826 MB", "1.50 GB", "36 kB", "0 B". Returns buf. */
char *format_size(char *buf, size_t n, uint64_t bytes);
/* The same of a number that was computed; NAN: "an unknown size"; below 0 is "0 B". Returns buf. */
char *format_size_of(char *buf, size_t n, double bytes);
/* "0.42 s", "13.1 s", "3 min 1 s", "10 min 50 s", "1 h 2 min". Returns buf. */
char *format_duration(char *buf, size_t n, double seconds);
