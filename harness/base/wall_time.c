/* SPDX-License-Identifier: Apache-2.0 */
#include "base/wall_time.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/units.h"

/* Exactly n digits, of a number up to max. */
static bool take_number(const char **at, int n, int max, int *ret)
{
	*ret = 0;
	for (int i = 0; i < n; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*ret = *ret * 10 + (**at - '0');
	}
	return *ret <= max;
}

static bool take(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

/* "12:03", "12:03:10", "12:03:10.25". 60 s are a leap second, which the clock of the kernel does not count. */
static bool take_time(const char **at, int64_t *ret_ns)
{
	int hour, minute, second = 0;
	int64_t part = 0, scale = NS_PER_S;

	if (!take_number(at, 2, 23, &hour) || !take(at, ':') || !take_number(at, 2, 59, &minute))
		return false;
	if (**at == ':') {
		(*at)++;
		if (!take_number(at, 2, 59, &second))
			return false;
		if (**at == '.' || **at == ',') {
			(*at)++;
			if (**at < '0' || **at > '9')
				return false;
			for (; **at >= '0' && **at <= '9'; (*at)++) {
				scale /= 10;
				part += scale * (**at - '0');
			}
		}
	}
	*ret_ns = ((hour * 60LL + minute) * 60 + second) * NS_PER_S + part;
	return true;
}

enum zone { ZONE_NONE, ZONE_GIVEN, ZONE_WRONG };

/* "Z", "+02:00", "+0200", "+02", " UTC"; what has to be taken off to come to UTC */
static enum zone take_zone(const char **at, int64_t *ret_ns)
{
	int sign, hour, minute = 0;

	*ret_ns = 0;
	if (!**at)
		return ZONE_NONE;
	if (!strcmp(*at, "Z") || !strcmp(*at, "z") || !strcmp(*at, " UTC")) {
		*at += strlen(*at);
		return ZONE_GIVEN;
	}
	sign = **at == '+' ? 1 : **at == '-' ? -1 : 0;
	(*at)++;
	if (!sign || !take_number(at, 2, 14, &hour))
		return ZONE_WRONG;
	(void)take(at, ':');
	if (**at && !take_number(at, 2, 59, &minute))
		return ZONE_WRONG;
	*ret_ns = sign * (hour * 60LL + minute) * 60 * NS_PER_S;
	return **at ? ZONE_WRONG : ZONE_GIVEN;
}

static int days_of(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

int wall_time_parse(const char *text, int64_t *ret_ns, struct err *err)
{
	const char *at = text;
	int year, month, day;
	int64_t time_ns, zone_ns;

	if (!take_number(&at, 4, 2200, &year) || !take(&at, '-') || !take_number(&at, 2, 12, &month) || !take(&at, '-') ||
	    !take_number(&at, 2, 31, &day) || year < 1970 || month < 1 || day < 1 || day > days_of(year, month) ||
	    (*at != 'T' && *at != 't' && *at != ' ') || (at++, !take_time(&at, &time_ns)))
		return err_usage(err, "'%.60s' is not a moment: it should look like 2026-11-21T12:03:10Z", text);
	switch (take_zone(&at, &zone_ns)) {
	case ZONE_GIVEN:
		break;
	case ZONE_NONE:
		return err_usage(err, "'%.60s' has no time zone: write %.60sZ for UTC, or its distance from UTC, as in %.60s+02:00", text, text, text);
	case ZONE_WRONG:
		return err_usage(err, "'%.60s' does not end in a time zone: Z for UTC, or its distance from UTC, as +02:00", text);
	}
	struct tm tm = { .tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day };
	*ret_ns = (int64_t)timegm(&tm) * NS_PER_S + time_ns - zone_ns;
	return 0;
}

int time_of_day_parse(const char *text, int64_t *ret_ns, struct err *err)
{
	const char *at = text;
	int64_t time_ns, zone_ns;

	if (strlen(text) < 5 || text[2] != ':')
		return -EINVAL;
	if (!take_time(&at, &time_ns) || take_zone(&at, &zone_ns) == ZONE_WRONG)
		return err_usage(err, "'%.60s' is not a time of the day: it should look like 12:03:10, or 12:03:10+02:00", text);
	*ret_ns = time_ns - zone_ns;
	return 0;
}

char *wall_time_format(char *buf, size_t n, int64_t ns)
{
	int64_t part = ns % NS_PER_S;
	time_t s = (time_t)((ns - part) / NS_PER_S);
	struct tm tm;
	char text[32];

	if (part < 0) {
		part += NS_PER_S;
		s--;
	}
	if (!gmtime_r(&s, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		text[0] = 0;
	if (part / NS_PER_MS)
		(void)snprintf(buf, n, "%s.%03dZ", text, (int)(part / NS_PER_MS));
	else
		(void)snprintf(buf, n, "%sZ", text);
	return buf;
}
