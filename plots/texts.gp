# SPDX-License-Identifier: Apache-2.0
#
# texts.gp - title and subtitle above a figure, the source line below it; loaded by the *-draw.gp scripts.
#
# Line by line: terminals differ in how far apart they set the lines of one label.

do for [i = 1:lines(title_lines)] {
	set label line_of(title_lines, i) at screen sx(head_left), sy(y_title + (i - 1) * px_title * 1.25) left \
		font bold(px_title) tc rgb c_text
}
do for [i = 1:lines(sub_lines)] {
	set label line_of(sub_lines, i) at screen sx(head_left), sy(y_sub + (i - 1) * px_sub * 1.35) left font font(px_sub) tc rgb c_soft
}
do for [i = 1:lines(source_lines)] {
	set label line_of(source_lines, i) at screen sx(head_left), sy(y_source + (i - 0.5) * px_small * 1.35) left \
		font font(px_small) tc rgb c_soft
}
