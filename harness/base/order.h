/* SPDX-License-Identifier: Apache-2.0
 *
 * order.h - numbers in ascending order, and the one in the middle. NAN has no place in an order: leave it out before. Pure; any thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

void sort_doubles(double *v, size_t n);
void sort_u64s(uint64_t *v, size_t n);
/* Of numbers in order, at least one: the one in the middle, or the mean of the two that are. */
double median_of_sorted(const double *v, size_t n);
