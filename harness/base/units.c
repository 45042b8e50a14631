/* SPDX-License-Identifier: Apache-2.0 */
#include "base/units.h"

#include <bsd/stdlib.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/err.h"

/* The length of the leading whole number: no sign, no hexadecimal prefix, no leading zero. */
static size_t count_digits(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 1 && text[0] == '0' ? 0 : n;
}

int parse_count(const char *text, uint64_t min, uint64_t max, uint64_t *ret, struct err *err)
{
	const char *problem = NULL;

	if (count_digits(text) != strlen(text) || !*text)
		return err_usage(err, "'%s' is not a whole number", text);

	long long n = strtonum(text, (long long)min, (long long)max, &problem);
	if (problem)
		return err_usage(err, "%s is out of range: %" PRIu64 " to %" PRIu64, text, min, max);
	*ret = (uint64_t)n;
	return 0;
}

int parse_size(const char *text, uint64_t *ret_bytes, struct err *err)
{
	static const char *const units[] = { "", "B", "k", "kB", "KiB", "M", "MB", "MiB",
					     "G", "GB", "GiB", "T", "TB", "TiB" };
	size_t digits = count_digits(text);
	const char *unit = text + digits;
	cleanup_free char *number = strf("%.*s%.1s", (int)digits, text, *unit == 'B' ? "" : unit);
	uint64_t bytes = 0;
	bool known = false;

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		known |= !strcasecmp(unit, units[i]);
	if (!digits || !known)
		return err_usage(err, "'%s' is not a size: write a whole number and a unit, as in 64MB or 1GB", text);
	if (expand_number(number, &bytes) < 0 || bytes > INT64_MAX)
		return err_usage(err, "'%s' is larger than any memory", text);
	if (bytes == 0)
		return err_usage(err, "'%s' is no size: it must be more than zero", text);
	*ret_bytes = bytes;
	return 0;
}

static double unit_seconds(const char *unit, size_t n)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = { { "ns", 1e-9 }, { "us", 1e-6 }, { "ms", 1e-3 }, { "s", 1 }, { "m", 60 }, { "min", 60 }, { "h", 3600 }, { "d", 86400 } };

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (strlen(units[i].name) == n && !strncmp(units[i].name, unit, n))
			return units[i].seconds;
	return 0;
}

int parse_duration(const char *text, int64_t *ret_ns, struct err *err)
{
	double seconds = 0;
	const char *p = text;

	do {
		size_t whole = count_digits(p), fraction = 0;
		double value = 0, scale = 1;

		for (size_t i = 0; i < whole; i++)
			value = value * 10 + (p[i] - '0');
		p += whole;
		if (whole && *p == '.') {
			fraction = strspn(p + 1, "0123456789");
			for (size_t i = 1; i <= fraction; i++)
				value += (p[i] - '0') * (scale /= 10);
			p += fraction + 1;
		}

		size_t unit = strspn(p, "abcdefghijklmnopqrstuvwxyz");
		double factor = unit_seconds(p, unit);
		if (!whole || (p[-1] == '.') || factor <= 0)
			return err_usage(err, "'%s' is not a duration: write a number and a unit, as in 650s, 10min or 200ms", text);
		seconds += value * factor;
		p += unit;
	} while (*p);

	if (seconds < 1e-9)
		return err_usage(err, "'%s' is no duration: it must be more than zero", text);
	if (seconds > 366.0 * 86400)
		return err_usage(err, "'%s' is longer than a year", text);
	*ret_ns = (int64_t)llround(seconds * 1e9);
	return 0;
}

char *format_size(char *buf, size_t n, uint64_t bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double value = (double)bytes;
	size_t u = 0;

	while (value >= 999.5 && u + 1 < sizeof(units) / sizeof(*units)) {
		value /= 1024;
		u++;
	}
	int decimals = u == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	(void)snprintf(buf, n, "%.*f %s", decimals, value, units[u]);
	return buf;
}

char *format_size_of(char *buf, size_t n, double bytes)
{
	if (!isnan(bytes))
		return format_size(buf, n, (uint64_t)llround(fmax(bytes, 0)));
	(void)snprintf(buf, n, "an unknown size");
	return buf;
}

char *format_duration(char *buf, size_t n, double seconds)
{
	if (seconds < 9.995) {
		(void)snprintf(buf, n, "%.2f s", seconds);
	} else if (seconds < 99.95) {
		(void)snprintf(buf, n, "%.1f s", seconds);
	} else {
		long long s = llround(seconds);

		if (s < 3600)
			(void)snprintf(buf, n, s % 60 ? "%lld min %lld s" : "%lld min", s / 60, s % 60);
		else
			(void)snprintf(buf, n, "%lld h %lld min", s / 3600, s % 3600 / 60);
	}
	return buf;
}
