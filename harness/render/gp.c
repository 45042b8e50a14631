/* SPDX-License-Identifier: Apache-2.0 */
#include "render/gp.h"

#include <errno.h>
#include <math.h>

#include "base/alloc.h"
#include "base/err.h"
#include "base/file.h"
#include "base/units.h"

static void put_text(FILE *f, const char *text)
{
	(void)fputc('\'', f);
	for (const char *c = text; *c; c++) {
		if (*c == '\'')
			(void)fputc('\'', f);
		(void)fputc((unsigned char)*c < ' ' ? ' ' : *c, f);
	}
	(void)fputc('\'', f);
}

static void put_number(FILE *f, double v)
{
	if (isfinite(v))
		(void)fprintf(f, "%.10g", v);
	else
		(void)fputs("NaN", f);
}

void gp_text(FILE *f, const char *name, const char *value)
{
	(void)fprintf(f, "%s = ", name);
	put_text(f, value);
	(void)fputc('\n', f);
}

void gp_number(FILE *f, const char *name, double value)
{
	(void)fprintf(f, "%s = ", name);
	put_number(f, value);
	(void)fputc('\n', f);
}

void gp_texts(FILE *f, const char *name, char *const *v, size_t n)
{
	(void)fprintf(f, "array %s[%zu] = [", name, n ? n : 1);
	for (size_t i = 0; i < (n ? n : 1); i++) {
		(void)fputs(i ? ", " : "", f);
		put_text(f, n ? v[i] : "");
	}
	(void)fputs("]\n", f);
}

void gp_numbers(FILE *f, const char *name, const double *v, size_t n)
{
	(void)fprintf(f, "array %s[%zu] = [", name, n ? n : 1);
	for (size_t i = 0; i < (n ? n : 1); i++) {
		(void)fputs(i ? ", " : "", f);
		put_number(f, n ? v[i] : NAN);
	}
	(void)fputs("]\n", f);
}

/* 1, 2, 3 or 5 times a power of ten, so that about `about` steps make the length. */
static double find_step(double length, double about)
{
	static const double digits[] = { 1, 2, 3, 5, 10 };
	double ten = pow(10, floor(log10(length / about))), best = ten, off = INFINITY;

	for (size_t i = 0; i < sizeof(digits) / sizeof(*digits); i++) {
		double d = fabs(length / (digits[i] * ten) - about);
		if (d < off) {
			off = d;
			best = digits[i] * ten;
		}
	}
	return best;
}

struct gp_axes gp_axes_find(double span_s, double highest, double limit)
{
	struct gp_axes a = { .t_unit_s = 1, .t_name = "s", .y_unit = (double)MIB, .y_name = "MB" };
	double top = fmax(highest > 0 ? highest : (double)MIB, limit);

	if (span_s >= 4 * 3600) {
		a.t_unit_s = 3600;
		a.t_name = "h";
	} else if (span_s >= 180) {
		a.t_unit_s = 60;
		a.t_name = "min";
	}
	if (top >= 4.0 * 1024 * (double)MIB) {
		a.y_unit = 1024 * (double)MIB;
		a.y_name = "GB";
	} else if (top < 4 * (double)MIB) {
		a.y_unit = 1024;
		a.y_name = "kB";
	}
	/* Above the limit there is room for its name. */
	a.y_max = top * (limit > 0.95 * top ? 1.11 : 1.06);
	a.t_step = find_step(span_s / a.t_unit_s, 3.4);
	a.y_step = find_step(a.y_max / a.y_unit, 3.6);
	return a;
}

int gp_write(const char *path, void (*put)(FILE *f, const void *of), const void *of, struct err *err)
{
	cleanup_free char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	if (!f)
		return err_set(err, errno, "%s: no memory to compose it", path);
	put(f, of);
	if (fclose(f) != 0)
		return err_set(err, errno, "%s: no memory to compose it", path);
	return file_write(path, text, len, err);
}
