/* SPDX-License-Identifier: Apache-2.0 */
#include "base/order.h"

#include <stdlib.h>

static int by_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int by_u64(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void sort_doubles(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_double);
}

void sort_u64s(uint64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_u64);
}

double median_of_sorted(const double *v, size_t n)
{
	return (v[(n - 1) / 2] + v[n / 2]) / 2;
}
