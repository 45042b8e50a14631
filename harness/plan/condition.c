/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/units.h"
#include "plan/scenario_parts.h"

/* Not strtod(): it takes "1e3", "0x10", "inf", and reads by the locale. */
int decimal_parse(const char *text, double *ret, struct err *err)
{
	const char *p = text + (*text == '-');
	size_t whole = strspn(p, "0123456789"), fraction = p[whole] == '.' ? strspn(p + whole + 1, "0123456789") : 0;
	double value = 0, scale = 1;

	if (whole == 0 || whole > 15 || (whole > 1 && *p == '0') || (p[whole] == '.' && fraction == 0) ||
	    p[whole + (p[whole] == '.' ? 1 + fraction : 0)])
		return err_usage(err, "'%s' is not a number: write it as in 0.05 or 12", text);
	for (size_t i = 0; i < whole; i++)
		value = value * 10 + (p[i] - '0');
	for (size_t i = 0; i < fraction; i++) {
		value = value * 10 + (p[whole + 1 + i] - '0');
		scale *= 10;
	}
	*ret = (*text == '-' ? -value : value) / scale;
	return 0;
}

static const char *unit_words(enum unit u)
{
	static const char *const words[UNIT_COUNT_] = {
		[UNIT_BYTES] = "a size, as in 900MB",
		[UNIT_SECONDS] = "a time, as in 120s or 2min",
		[UNIT_RATIO] = "a share without a unit, as in 0.05",
		[UNIT_COUNT] = "a whole number, as in 20",
		[UNIT_BYTES_PER_S] = "a size a second, as in 10kB/s",
		[UNIT_PER_S] = "a whole number, of so many a second, as in 500",
		[UNIT_LIST] = "a list",
	};

	return words[u];
}

static int parse_metric(const char *name, enum metric *ret, struct err *err)
{
	int m = metric_from_name(name);
	size_t n;

	if (m < 0) {
		const char *const *all = metric_names(&n);
		const char *near = nearest_word(name, all, n);

		return near ? err_usage(err, "there is no metric '%s': did you mean '%s'?", name, near)
			    : err_usage(err, "there is no metric '%s'", name);
	}
	if (metric_unit((enum metric)m) == UNIT_LIST)
		return err_usage(err, "%s is a list: no condition can be put on it", name);
	*ret = (enum metric)m;
	return 0;
}

static int parse_bytes(const char *text, double *ret)
{
	uint64_t bytes = 0;

	if (strcmp(text, "0") && parse_size(text, &bytes, NULL) < 0)
		return -1;
	*ret = (double)bytes;
	return 0;
}

static int parse_seconds(const char *text, double *ret)
{
	int64_t ns;

	if (decimal_parse(text, ret, NULL) == 0)
		return *ret >= 0 ? 0 : -1;
	if (parse_duration(text, &ns, NULL) < 0)
		return -1;
	*ret = (double)ns / NS_PER_S;
	return 0;
}

static int parse_rate(const char *text, double *ret)
{
	bool negative = *text == '-';
	size_t n = strlen(text), suffix = n > 2 && !strcmp(text + n - 2, "/s") ? 2 : 0;
	cleanup_free char *size = strf("%.*s", (int)(n - suffix - negative), text + negative);

	if (parse_bytes(size, ret) < 0)
		return -1;
	if (negative)
		*ret = -*ret;
	return 0;
}

static int parse_number(const char *text, enum metric metric, double *ret, struct err *err)
{
	enum unit unit = metric_unit(metric);
	uint64_t count;
	int r = -1;

	switch (unit) {
	case UNIT_BYTES:
		r = parse_bytes(text, ret);
		break;
	case UNIT_SECONDS:
		r = parse_seconds(text, ret);
		break;
	case UNIT_RATIO:
		r = decimal_parse(text, ret, NULL);
		break;
	case UNIT_COUNT:
	case UNIT_PER_S:
		r = parse_count(text, 0, INT64_MAX, &count, NULL);
		*ret = r < 0 ? 0 : (double)count;
		break;
	case UNIT_BYTES_PER_S:
		r = parse_rate(text, ret);
		break;
	case UNIT_LIST:
	case UNIT_COUNT_:
		break;
	}
	return r < 0 ? err_usage(err, "%s is compared with '%s': write %s", metric_name(metric), text, unit_words(unit)) : 0;
}

/* "factor * metric", or a metric alone. */
static int parse_multiple(const char *factor, const char *other, struct condition *c, struct err *err)
{
	enum metric m = METRIC_PEAK_RSS;

	c->factor = 1;
	if (factor && decimal_parse(factor, &c->factor, err) < 0)
		return -EINVAL;
	if (parse_metric(other, &m, err) < 0)
		return -EINVAL;
	if (metric_unit(m) != metric_unit(c->metric))
		return err_usage(err, "%s and %s have different units: they cannot be compared", metric_name(c->metric),
				 metric_name(m));
	c->other = (int)m;
	return 0;
}

static const char *const operators[] = {
	[CMP_LT] = "<", [CMP_LE] = "<=", [CMP_GT] = ">", [CMP_GE] = ">=", [CMP_EQ] = "==",
};

const char *compare_name(enum compare c)
{
	return operators[c];
}

int compare_from_name(const char *name)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++)
		if (!strcmp(operators[i], name))
			return (int)i;
	return -1;
}

static int parse_operator(const char *text, enum compare *ret, struct err *err)
{
	int c = compare_from_name(text);

	if (c < 0)
		return err_usage(err, "'%s' compares nothing: write <, <=, >, >= or ==", text);
	*ret = (enum compare)c;
	return 0;
}

/* Blanks around operators are the writer's choice. */
static void split_words(const char *text, struct strv *ret)
{
	for (const char *p = text; *p;) {
		size_t n = strspn(p, "<>=!*");

		if (n == 0)
			n = strcspn(p, "<>=!* \t\n");
		if (n > 0)
			strv_pushf(ret, "%.*s", (int)n, p);
		p += n;
		p += strspn(p, " \t\n");
	}
}

/* "outcome == go-fatal" */
static int parse_outcome(const struct strv *words, struct condition *c, struct err *err)
{
	const char *names[OUTCOME_TIMEOUT + 1]; /* those of a run that was made, and not disturbed */
	int o = outcome_from_string(words->v[2]);

	if (words->n != 3 || strcmp(words->v[1], "=="))
		return err_usage(err, "an outcome is or is not: write outcome == ok, or another one");
	for (int i = 0; i <= OUTCOME_TIMEOUT; i++)
		names[i] = outcome_to_string((enum outcome)i);
	if (o > OUTCOME_TIMEOUT)
		return err_usage(err, "nothing is expected of a run with the outcome %s: what is not meant to be run belongs into no `for`", words->v[2]);
	if (o < 0) {
		const char *near = nearest_word(words->v[2], names, sizeof(names) / sizeof(*names));

		return near ? err_usage(err, "there is no outcome '%s': did you mean '%s'?", words->v[2], near)
			    : err_usage(err, "there is no outcome '%s': there are ok, exit, signal, oom-cgroup, oom-go, go-fatal, timeout",
					words->v[2]);
	}
	c->compare = CMP_EQ;
	c->on_outcome = true;
	c->outcome = (enum outcome)o;
	return 0;
}

static int parse_one_mechanism(const char *name, unsigned *set, struct err *err)
{
	int m = mechanism_from_string(name);

	if (m < 0) {
		const char *near = nearest_word(name, mechanism_names(), MECHANISM_COUNT_);

		return near ? err_usage(err, "there is no mechanism '%s': did you mean '%s'?", name, near)
			    : err_usage(err, "there is no mechanism '%s': there are released, lazyfree, not-yet-scavenged, live-heap, goroutines, "
					     "threads, native, fragmentation, thp, runtime-overhead, unknown",
					name);
	}
	*set |= 1U << m;
	return 0;
}

/* "mechanism == lazyfree|released", "mechanism != native"; blanks around the bars are the writer's choice. */
static int parse_mechanism(const struct strv *words, struct condition *c, struct err *err)
{
	cleanup_strv struct strv given = STRV_INIT, names = STRV_INIT;
	bool is_not = words->n > 1 && !strcmp(words->v[1], "!=");

	for (size_t i = 2; i < words->n; i++)
		strv_push(&given, words->v[i]);

	cleanup_free char *list = strv_join(&given, " ");

	strv_split(&names, list, "|");
	if (!names.n || (!is_not && strcmp(words->v[1], "==")))
		return err_usage(err, "a mechanism is or is not: write mechanism == live-heap, == lazyfree|released, or != native");
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.v[i] + strspn(names.v[i], " ");
		cleanup_free char *trimmed = strf("%.*s", (int)strcspn(name, " "), name);

		if (name[strlen(trimmed)] && name[strlen(trimmed) + 1])
			return err_usage(err, "'%s' is no mechanism: write several as in mechanism == lazyfree|released", name);
		if (parse_one_mechanism(trimmed, &c->mechanisms, err) < 0)
			return -EINVAL;
	}
	if (is_not)
		c->mechanisms ^= (1U << MECHANISM_COUNT_) - 1;
	c->compare = CMP_EQ;
	c->on_mechanism = true;
	return 0;
}

static int parse_comparison(const struct strv *words, struct condition *c, struct err *err)
{
	int r = parse_metric(words->v[0], &c->metric, err);

	if (r >= 0)
		r = parse_operator(words->v[1], &c->compare, err);
	if (r < 0)
		return r;
	if (words->n == 5)
		return parse_multiple(words->v[2], words->v[4], c, err);
	if (isalpha((unsigned char)words->v[2][0]))
		return parse_multiple(NULL, words->v[2], c, err);
	return parse_number(words->v[2], c->metric, &c->factor, err);
}

int condition_parse(const char *text, struct condition *ret, struct err *err)
{
	cleanup_strv struct strv words = STRV_INIT;
	struct condition c = { .other = -1 };
	int r;

	split_words(text, &words);
	if (words.n && !strcmp(words.v[0], "mechanism"))
		r = parse_mechanism(&words, &c, err);
	else if (words.n != 3 && !(words.n == 5 && !strcmp(words.v[3], "*")))
		r = err_usage(err, "'%s' is no condition: write METRIC < NUMBER or METRIC < FACTOR * METRIC", text);
	else
		r = strcmp(words.v[0], "outcome") ? parse_comparison(&words, &c, err) : parse_outcome(&words, &c, err);
	if (r < 0)
		return r;
	c.text = xstrdup(text);
	*ret = c;
	return 0;
}

void condition_done(struct condition *c)
{
	free(c->text);
	c->text = NULL;
}
