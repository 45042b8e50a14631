/* SPDX-License-Identifier: Apache-2.0 */
#include "render/wrap.h"

#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\n"

void print_wrapped(FILE *out, const char *text, int columns, int indent, int at)
{
	bool empty = true;

	text += strspn(text, BLANKS);
	while (*text) {
		int word = (int)strcspn(text, BLANKS);

		if (!empty && at + 1 + word > columns) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
			empty = true;
		}
		fprintf(out, "%s%.*s", empty ? "" : " ", word, text);
		at += word + !empty;
		empty = false;
		text += word;
		text += strspn(text, BLANKS);
	}
	fputc('\n', out);
}
