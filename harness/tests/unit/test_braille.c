/* SPDX-License-Identifier: Apache-2.0
 *
 * Curves in characters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "render/braille.h"

static char *row_of(const struct braille *b, unsigned row, bool coloured, bool utf8)
{
	char *text = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	braille_print_row(b, row, coloured, utf8, f);
	fclose(f);
	return text;
}

static void assert_row(const struct braille *b, unsigned row, bool coloured, bool utf8, const char *expected)
{
	cleanup_free char *text = row_of(b, row, coloured, utf8);

	assert_string_equal(text, expected);
}

/* Each dot alone is the character that Unicode has for it. */
static void every_dot_has_its_place(void **state)
{
	static const char *const expected[4][2] = { { "⠁", "⠈" }, { "⠂", "⠐" }, { "⠄", "⠠" }, { "⡀", "⢀" } };

	(void)state;
	for (long y = 0; y < 4; y++)
		for (long x = 0; x < 2; x++) {
			struct braille b;

			braille_init(&b, 1, 1);
			braille_dot(&b, x, y, 1);
			assert_row(&b, 0, false, true, expected[y][x]);
			braille_done(&b);
		}
}

static void a_step_goes_along_and_then_up(void **state)
{
	struct braille b;

	(void)state;
	braille_init(&b, 3, 2);
	braille_step(&b, 0, 7, 4, 0, 1);
	assert_row(&b, 1, false, true, "⣀⣀⡇");
	assert_row(&b, 0, false, true, "  ⡇");
	braille_done(&b);
}

static void what_is_outside_is_left_out(void **state)
{
	struct braille b;

	(void)state;
	braille_init(&b, 2, 1);
	braille_dot(&b, -1, 0, 1);
	braille_dot(&b, 4, 0, 1);
	braille_dot(&b, 0, 4, 1);
	braille_dot(&b, 0, -1, 1);
	assert_row(&b, 0, false, true, "  ");
	/* Ends soon, whatever it is asked for. */
	braille_step(&b, LONG_MIN, LONG_MAX, LONG_MAX, LONG_MIN, 1);
	braille_done(&b);
}

static void colours_change_only_where_they_do(void **state)
{
	struct braille b;

	(void)state;
	braille_init(&b, 4, 1);
	braille_dot(&b, 0, 0, 33);
	braille_dot(&b, 2, 0, 33);
	braille_dot(&b, 6, 0, 99);
	assert_row(&b, 0, true, true, "\033[38;5;33m⠁⠁ \033[38;5;99m⠁\033[0m");
	braille_dot(&b, 1, 0, 99); /* drawn last */
	assert_row(&b, 0, true, true, "\033[38;5;99m⠉\033[38;5;33m⠁ \033[38;5;99m⠁\033[0m");
	braille_done(&b);
}

static void without_utf8_there_are_points(void **state)
{
	struct braille b;

	(void)state;
	braille_init(&b, 4, 1);
	braille_dot(&b, 0, 0, 1);
	braille_dot(&b, 2, 3, 1);
	braille_step(&b, 4, 3, 4, 0, 1);
	assert_row(&b, 0, false, false, "'.| ");
	braille_done(&b);
}

static void sizes_are_bounded(void **state)
{
	struct braille b;

	(void)state;
	braille_init(&b, 0, 0);
	assert_int_equal(b.columns, 1);
	assert_int_equal(b.rows, 1);
	braille_done(&b);
	braille_init(&b, UINT_MAX, UINT_MAX);
	assert_int_equal(b.columns, BRAILLE_COLUMNS_MAX);
	assert_int_equal(b.rows, BRAILLE_ROWS_MAX);
	braille_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_dot_has_its_place),	     cmocka_unit_test(a_step_goes_along_and_then_up),
		cmocka_unit_test(what_is_outside_is_left_out),	     cmocka_unit_test(colours_change_only_where_they_do),
		cmocka_unit_test(without_utf8_there_are_points), cmocka_unit_test(sizes_are_bounded),
	};

	return cmocka_run_group_tests_name("braille", tests, NULL, NULL);
}
