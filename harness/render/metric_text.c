/* SPDX-License-Identifier: Apache-2.0 */
#include "render/metric_text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/units.h"

static char *size_text(double v, const char *after)
{
	char text[32];

	return strf("%s%s%s", v <= -0.5 ? "-" : "", format_size(text, sizeof(text), (uint64_t)llround(fabs(v))), after);
}

static char *time_text(double v)
{
	char text[32];

	if (v < 0)
		return strf("%.4g s", v);
	if (v > 0 && v < 0.9995)
		return v < 0.001 ? xstrdup("<1 ms") : strf("%.0f ms", 1000 * v);
	return xstrdup(format_duration(text, sizeof(text), v));
}

/* Whole where it counts, three digits where it does not. */
static char *number_text(double v)
{
	return fabs(v) >= 100 || v == round(v) ? strf("%.0f", v) : strf("%.3g", v);
}

char *metric_text(enum metric m, double value)
{
	switch (metric_unit(m)) {
	case UNIT_BYTES:
		return size_text(value, "");
	case UNIT_BYTES_PER_S:
		return size_text(value, "/s");
	case UNIT_SECONDS:
		return time_text(value);
	case UNIT_RATIO:
		return strf("%.4g", value);
	case UNIT_COUNT:
	case UNIT_PER_S:
	case UNIT_LIST:
	case UNIT_COUNT_:
		break;
	}
	return number_text(value);
}

char *metric_text_of_condition(const char *that, double value)
{
	cleanup_free char *name = strf("%.*s", (int)strcspn(that, " <>="), that);
	int m = metric_from_name(name);

	return m >= 0 ? metric_text((enum metric)m, value) : strf("%.4g", value);
}
