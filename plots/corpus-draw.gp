# SPDX-License-Identifier: Apache-2.0
#
# corpus-draw.gp - draws what corpus.gp laid out, into the terminal that is set; loaded once per picture. Axes are pixels.

unset label
unset arrow
unset object
unset key
unset border
unset xtics
unset ytics
set lmargin at screen 0
set rmargin at screen 1
set bmargin at screen 0
set tmargin at screen 1
set xrange [0:W]
set yrange [H:0]

load here."texts.gp"
do for [i = 1:n_items] {
	y_item = y_key + item_row[i] * px_sub * 1.6
	x_item = item_x[i]
	if (i <= n_fates) {
		set object rectangle from x_item, y_item - px_sub * 0.55 to x_item + swatch, y_item + px_sub * 0.55 \
			fs solid 1 border lc rgb (i == n_fates ? c_axis : sprintf("#%06x", fill[i])) fc rgb sprintf("#%06x", fill[i])
	} else {
		set object rectangle from x_item + 1, y_item - px_sub * 0.5 to x_item + swatch - 1, y_item + px_sub * 0.5 \
			fs empty border lc rgb c_failed lw 2
		set label "" at x_item + swatch - 6, y_item - px_sub * 0.5 + 5 point pt 13 ps 1.2 lc rgb c_failed
	}
	set label item_text[i] at x_item + swatch + 0.5 * px_sub, y_item left font font(px_sub) tc rgb c_soft
}

failed(flag, x) = flag == 1 ? x : NaN
plot \
	for [s = 1:n_columns] data."rows.tsv" using (x_cells + (s - 0.5) * cell_width):($5 == 1 ? y_row($1, $2, $3) - 17 : NaN):(minor[s] ? sprintf("1.%d", minor[s]) : "–") \
		with labels center font font(px_value) tc rgb c_soft notitle, \
	data."rows.tsv" using (margin):($5 == 1 ? y_row($1, $2, $3) - 17 : NaN):8 with labels left font bold(px_story) tc rgb c_text notitle, \
	data."rows.tsv" using (margin):($5 == 1 ? y_row($1, $2, $3) - 4 : NaN):(W - 2 * margin):(0) with vectors nohead lc rgb c_axis lw 1 notitle, \
	data."rows.tsv" using (margin):($4 == 1 ? y_row($1, $2, $3) + row_height / 2.0 : NaN):6 with labels left font font(px_name) tc rgb c_text notitle, \
	data."rows.tsv" using (x_setting):(y_row($1, $2, $3) + row_height / 2.0):7 with labels left font font(px_value) tc rgb c_soft notitle, \
	data."cells.tsv" using (x_cell($4, $5, $6)):(y_row($1, $2, $3)):(x_cell($4, $5, $6) + 1):(x_cell($4, $5 + 1, $6) - 1):(y_row($1, $2, $3) + 1):(y_row($1, $2, $3) + row_height - 1):(fill[int($7) + 1]) \
		with boxxyerror fs solid 1 noborder lc rgb variable notitle, \
	data."cells.tsv" using (x_cell($4, $5 + 0.5, $6)):($6 == 1 && strlen(strcol(9)) ? y_row($1, $2, $3) + row_height / 2.0 : NaN):9:(text_on[int($7) + 1]) \
		with labels center font font(px_value) tc rgb variable notitle, \
	data."cells.tsv" using (x_cell($4, $5 + 0.5, $6)):($6 > 1 && strlen(strcol(9)) ? y_row($1, $2, $3) + row_height / 2.0 : NaN):9:(text_on[int($7) + 1]) \
		with labels center font font(px_slim) tc rgb variable notitle, \
	data."cells.tsv" using (failed($8, x_cell($4, $5, $6))):(failed($8, y_row($1, $2, $3))):(failed($8, x_cell($4, $5, $6) + 2)):(failed($8, x_cell($4, $5 + 1, $6) - 2)):(failed($8, y_row($1, $2, $3) + 2)):(failed($8, y_row($1, $2, $3) + row_height - 2)) \
		with boxxyerror fs empty lc rgb c_failed lw 2 notitle, \
	data."cells.tsv" using (x_cell($4, $5 + 1, $6) - 7):($8 == 1 ? y_row($1, $2, $3) + 7 : NaN) with points pt 13 ps 1.7 lc rgb "#ffffff" notitle, \
	data."cells.tsv" using (x_cell($4, $5 + 1, $6) - 7):($8 == 1 ? y_row($1, $2, $3) + 7 : NaN) with points pt 13 ps 1.2 lc rgb c_failed notitle
